"""Clients that read slowly, never, or are not there any more."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import struct
from collections.abc import Iterator

from tests.faults.load import Asker, Expected, Loop, Numbered, Wire, flow, now
from tests.faults.row import Row, at_most, nothing
from tests.faults.server import EITHER, MB, TO_ALL, Server, Waiting

SIZE = 1000
MARGIN = 16 * MB
ESTABLISHED = "01"  # in /proc/net/tcp


class Crowd:
    """Readers who must get every message of one sender, the first of them, beside some who never read."""

    def __init__(self, server: Server, readers: int, deaf: int, seconds: float) -> None:
        self.loop = loop = Loop(max((2 << 20) // readers, 8192))
        self.server = server
        self.stream = Numbered(SIZE)
        self.expected = [Expected(self.stream) for _ in range(readers)]
        # Both ends are of one kernel here: what all its sockets may keep must not be what is measured.
        room = 0 if readers < 10 else 1 << 17
        self.readers = [loop.connect(server.port, each.feed, receive_buffer=room) for each in self.expected]
        self.deaf = [loop.connect(server.port, receive_buffer=room) for _ in range(deaf)]
        loop.run(0.3)
        self.before = self.top = server.memory()
        self.waiting = Waiting(server.pid, os.getpid())
        self._next = 0.0
        loop.each_turn += [self.waiting.look, self._look]
        loop.listen_for_silence(self.readers)
        start = now()
        sent = flow(self.readers[0], self.stream)
        loop.run(seconds)
        self.readers[0].on_room = None
        self.took = now() - start
        loop.until(lambda: not self.readers[0].busy, 10)
        self.sent = sent() // self.stream.frame_size
        for wire in self.readers:
            wire.silent = False
        loop.until(lambda: all(expected.messages >= self.sent for expected in self.expected), 10)

    def _look(self) -> None:
        if now() > self._next:
            self._next = now() + 0.02
            self.top = max(self.top, self.server.memory())

    def rows(self, budget: int, what: str, log: str) -> Iterator[Row]:
        faults = [expected.fault for expected in self.expected]
        faults += [f"a reader got {e.messages:,} of {self.sent:,}" for e in self.expected if e.messages != self.sent]
        faults += [f"a reader was cut: {wire.died}" for wire in self.readers if wire.died]
        rate = self.sent / self.took
        yield nothing(
            f"{len(self.readers)} readers beside {what}: nothing lost, doubled or reordered",
            faults,
            f"{self.sent:,} messages of {SIZE:,} bytes to each, {rate:,.0f} a second",
        )
        yield self.silence_row()
        gone = sum(1 for wire in self.deaf if "is cut" in log and cut_in(log, wire))
        cuts = re.findall(r"is cut: it has not read .*?\((--[a-z-]+)\)", log)
        kinds = ", ".join(f"{cuts.count(kind)} by {kind}" for kind in sorted(set(cuts)))
        yield Row(f"{what}: cut, and nobody else", f"{len(cuts)}: {kinds}", gone == len(self.deaf) == len(cuts))
        most = budget + MARGIN
        yield at_most(
            f"memory at most {budget // MB} + {MARGIN // MB} MiB above the start",
            (self.top - self.before) / MB,
            most / MB,
            " MiB",
        )

    def silence_row(self) -> Row:
        silence = self.loop.silence * 1000
        noise = self.waiting.during(*self.loop.silent_when) * 1000
        more = f"; {noise:.0f} ms of waiting for a core in it" if noise > 10 else ""
        return at_most("no reader is silent for 50 ms", silence, 50, " ms", more)


def cut_in(log: str, wire: Wire) -> bool:
    return f":{wire.socket.getsockname()[1]}) is cut" in log


def one_never_reads(minutes: float) -> Iterator[Row]:
    server = Server(TO_ALL)
    try:
        crowd = Crowd(server, readers=8, deaf=1, seconds=15)
        yield from crowd.rows(8 * MB, "one that never reads", server.log())
        crowd.loop.close()
    finally:
        server.stop()


def one_takes_nothing(minutes: float) -> Iterator[Row]:
    """The time of --send-timeout: so little is sent that --max-queue is not reached."""
    server = Server(EITHER)
    try:
        loop = Loop()
        stream = Numbered(SIZE, b">")
        expected = Expected(stream)
        reader, deaf = loop.connect(server.port, expected.feed), loop.connect(server.port, receive_buffer=4096)
        loop.run(0.2)
        sent = 0
        start = stalled = now()

        before = -1

        def cut() -> bool:
            nonlocal sent
            # 0.6 MB a second: the kernel's buffers are full after some seconds, the queue is not for 14 more.
            while sent < (now() - start) * 600 and not reader.busy:
                reader.send(stream.one(sent))
                sent += 1
            return cut_in(server.log(), deaf)

        def watch() -> None:
            nonlocal stalled, before
            unread = unsent(server.port, deaf)
            if unread not in (before, -1):
                before, stalled = unread, now()

        loop.each_turn.append(watch)
        loop.until(cut, 40)
        took = now() - stalled
        loop.until(lambda: expected.messages == sent, 5)
        cuts = re.findall(r"is cut: it has not read (.*?);", server.log())
        by_time = len(cuts) == 1 and "--send-timeout" in cuts[0]
        shown = (
            f"{took:.1f} s after the kernel took the last byte for it; {expected.messages:,} of {sent:,} to the other"
        )
        ok = by_time and 4.5 <= took <= 6.5 and expected.messages == sent and not expected.fault
        yield Row("one that takes nothing is cut after 5 s (--send-timeout)", shown, ok)
        loop.close()
    finally:
        server.stop()


def unsent(port: int, wire: Wire) -> int:
    """What the server's kernel keeps for a client, -1 once it is cut: it changes as long as anything moves."""
    ends = f":{port:04X}", f":{wire.socket.getsockname()[1]:04X}"
    with open("/proc/net/tcp") as table:
        for line in table:
            fields = line.split()
            if fields[1].endswith(ends[0]) and fields[2].endswith(ends[1]) and fields[3] == ESTABLISHED:
                return int(fields[4].partition(":")[0], 16)
    return -1


def a_hundred_of_five_hundred(minutes: float) -> Iterator[Row]:
    total = 256
    server = Server(TO_ALL)
    try:
        crowd = Crowd(server, readers=400, deaf=100, seconds=15)
        yield from crowd.rows(total * MB, "100 of 500 that never read", server.log())
        crowd.loop.close()
    finally:
        server.stop()


def slow_but_alive(minutes: float) -> Iterator[Row]:
    """A reader of a fifth of what is sent, who catches up in the end."""
    server = Server(TO_ALL, "--max-queue", str(64 * MB))
    try:
        loop = Loop()
        stream = Numbered(SIZE)
        fast, slow = Expected(stream), Expected(stream)
        sender = loop.connect(server.port, fast.feed)
        reader = loop.connect(server.port, slow.feed)
        on_data, reader.on_data = reader.on_data, None
        reader.watch()
        loop.run(0.2)
        start, sent = now(), 0
        seconds, rate = 12.0, 5000  # 5 MB a second

        def sending() -> bool:
            nonlocal sent
            while sent < min(now() - start, seconds) * rate and not sender.busy:
                sender.send(stream.one(sent))
                sent += 1
            # it reads 1 MB a second while the others are sent 5
            reader.on_data = on_data if slow.at < (now() - start) * MB else None
            reader.watch()
            return now() - start >= seconds

        loop.until(sending, seconds + 5)
        reader.on_data = on_data
        reader.watch()
        loop.until(lambda: slow.messages == fast.messages == sent, 30)
        yield nothing(
            "a slow reader below the bound is not cut, its order is exact",
            [fast.fault, slow.fault, reader.died and f"it was cut: {reader.died}"]
            + [f"{e.messages:,} of {sent:,}" for e in (fast, slow) if e.messages != sent],
            f"{sent:,} messages, 1 MB a second read of 5",
        )
        loop.close()
    finally:
        server.stop()


_nothing_passes = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # a filter program: return 0


def vanish(wire: Wire) -> None:
    """From now on no packet gets through to it, as when its power is gone: its kernel answers nothing at all."""
    program = struct.pack("HL", 1, ctypes.addressof(_nothing_passes))
    wire.socket.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER


def half_open(minutes: float) -> Iterator[Row]:
    """Peers that vanish: one is sent nothing, one something at once, one just before the silence is noticed."""
    servers = [(60.0, Server(EITHER)), (5.0, Server(EITHER, "--keepalive", "5"))]
    loops = []
    try:
        for seconds, server in servers:
            loop = Loop()
            gone = [loop.connect(server.port, lambda data: None) for _ in range(3)]
            idle, at_once, late = gone
            stays = Asker(loop, server.port, Numbered(100), pause=0.2)
            loop.run(1.0)
            for wire in gone:
                # what is sent to it makes the server write into the void
                wire.on_data = None
                wire.watch()
                vanish(wire)
            at_once.send(b"3:abc,")
            loops.append((seconds, server, loop, gone, stays, now()))
            del idle, late
        ended: dict[int, list[float]] = {server.pid: [] for _, server in servers}
        sent_late = set()
        begin = now()
        while now() < begin + 75:
            for seconds, server, loop, gone, _stays, start in loops:
                loop.turn(0.02)
                if server.pid not in sent_late and now() - start > seconds * 0.4:
                    sent_late.add(server.pid)
                    gone[2].send(b"3:abc,")
                here = server.descriptors()
                known = base_descriptors.setdefault(server.pid, here)
                while known - here > len(ended[server.pid]):
                    ended[server.pid].append(now() - start)
            if all(len(times) == 3 for times in ended.values()):
                break
        for seconds, server, loop, _gone, stays, _start in loops:
            times = ended[server.pid]
            found = ", ".join(f"{time:.1f}" for time in times)
            ok = len(times) == 3 and max(times) <= seconds and not stays.fault
            flags = "the default" if seconds == 60 else f"--keepalive {seconds:g}"
            yield Row(
                f"half-open peers are gone within {seconds:g} s ({flags})",
                f"after {found} s; {len(stays.times):,} answers to the other {stays.fault}",
                ok,
            )
            loop.close()
    finally:
        for _, server in servers:
            server.stop()


base_descriptors: dict[int, int] = {}
