"""Very many clients, at once or one after the other, and more than there are descriptors for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.faults.beside import Polite
from tests.faults.load import Loop, Wire, frame, now, percentile
from tests.faults.row import Row, at_least, at_most, nothing
from tests.faults.server import EITHER, MB, TO_ITSELF, Server

SOURCES = 8  # addresses of the loopback network, each with its own ports


def idle(minutes: float) -> Iterator[Row]:
    count = 10_000
    server = Server(EITHER)
    loop = Loop()
    try:
        first = loop.connect(server.port, lambda data: None)
        loop.run(0.3)
        before, descriptors = server.memory(), server.descriptors()
        got = bytearray()
        left: set[int] = set()

        def listen(place: int) -> Wire:
            def hear(data: bytes) -> None:
                got.extend(data)
                left.discard(place)

            return loop.connect(server.port, hear, source=f"127.0.1.{1 + place % SOURCES}", wait=False)

        start = now()
        wires = []
        for place in range(count):
            wires.append(listen(place))
            if place % 100 == 99:
                loop.turn(0)
        loop.until(lambda: server.descriptors() >= descriptors + count, 30)
        took = now() - start
        refused = sum(1 for wire in wires if wire.died)
        yield at_least("connects a second: at least 5,000", count / took, 5000, "", f"; {refused} refused")
        loop.run(1.0)
        each = (server.memory() - before) / count / 1024
        yield at_most(f"{count:,} idle clients: at most 8 KiB each", each, 8, " KiB")
        times = []
        message = frame(b">" + b"x" * 99)
        for _ in range(7):
            got.clear()
            left.update(range(count))
            start = now()
            first.send(message)
            loop.until(lambda: not left, 10)
            times.append((now() - start) * 1000)
            if bytes(got) != message * count:
                yield Row("each gets the message once", f"{len(got):,} bytes", False)
            loop.run(0.2)
        median = percentile(times, 0.5)
        yield at_most("a relay reaches the last of them within 150 ms", median, 150, " ms", f" (to {max(times):.0f})")
    finally:
        loop.close()
        server.stop()


def burst(minutes: float) -> Iterator[Row]:
    count = 5000
    server = Server(TO_ITSELF)
    loop = Loop()
    try:
        answered = 0

        def hear(data: bytes) -> None:
            nonlocal answered
            answered += len(data) == 4

        start = now()
        wires = [loop.connect(server.port, hear, source=f"127.0.1.{1 + n % SOURCES}", wait=False) for n in range(count)]
        begun = now() - start
        for wire in wires:
            ask_when_connected(wire)
        loop.until(lambda: answered == count or any(wire.died for wire in wires), 30)
        refused = sum(1 for wire in wires if wire.died)
        yield Row(
            f"a burst of {count:,} connects: none refused, each is answered",
            f"{answered:,} answered after {now() - start:.1f} s; all begun in {begun:.2f} s, {refused} refused",
            answered == count and not refused,
        )
    finally:
        loop.close()
        server.stop()


def ask_when_connected(wire: Wire) -> None:
    def ask() -> None:
        wire.on_room = None
        wire.send(b"1:x,")

    wire.on_room = ask
    wire.watch()


def churn(minutes: float) -> Iterator[Row]:
    """Connect, one message, its echo, close: most of the connections are over within a few milliseconds."""
    count, rate, most = 100_000, 5000, 2000
    server = Server(TO_ITSELF)
    loop = Loop()
    try:
        begun = done = 0
        faults: list[str] = []
        alive: set[Wire] = set()

        def begin() -> None:
            nonlocal begun
            begun += 1

            def hear(data: bytes) -> None:
                nonlocal done
                if data != b"1:x,":
                    faults.append(f"{data!r} came")
                done += 1
                alive.discard(wire)
                wire.on_end = None
                wire.close()

            def end() -> None:
                faults.append(f"a connection ended: {wire.died}")
                alive.discard(wire)

            wire = loop.connect(server.port, hear, source=f"127.0.1.{1 + begun % SOURCES}", wait=False)
            wire.on_end = end
            alive.add(wire)
            ask_when_connected(wire)

        def phase(upto: int) -> None:
            start, first = now(), begun
            while done + len(faults) < upto and now() - start < 90:
                while begun < min(upto, first + (now() - start) * rate) and len(alive) < most:
                    begin()
                loop.turn(0.001)

        # What is made once and kept: as many at once as there can be.
        while len(alive) < most:
            begin()
        phase(10_000)
        loop.run(1.0)
        memory, descriptors = server.memory(), server.descriptors()
        start = now()
        phase(10_000 + count)
        took = now() - start
        loop.run(1.0)
        yield at_least(
            f"{count:,} times connect, echo, close: 5,000 a second (within 2 %)",
            (done - 10_000) / took,
            4900,
            " a second",
        )
        yield nothing("each is answered", faults, f"{done - 10_000:,} were")
        yield Row(
            "descriptors are back at the start",
            f"{server.descriptors()}, {descriptors} before",
            server.descriptors() <= descriptors,
        )
        grown = (server.memory() - memory) / MB
        yield at_most("memory is back at the start, within 1 MiB", grown, 1, " MiB more")
    finally:
        loop.close()
        server.stop()


def out_of_descriptors(minutes: float) -> Iterator[Row]:
    server = Server(TO_ITSELF, files=80)
    loop = Loop()
    try:
        wires = [loop.connect(server.port, lambda data: None) for _ in range(50)]
        loop.run(0.3)
        polite = Polite(server.port, count=3, pause=0.1)
        loop.run(0.5)
        wires += [loop.connect(server.port, lambda data: None, wait=False) for _ in range(100)]
        loop.run(1.0)
        lines = server.log().count("\n")
        used, start = server.processor(), now()
        loop.run(6)
        share = (server.processor() - used) / (now() - start) * 100
        lines = server.log().count("\n") - lines
        yield at_most("out of descriptors: at most 3 % of a core, three clients served beside", share, 3, " %")
        told = re.findall("cannot accept", server.log())
        yield Row("at most one log line a second", f"{lines} in 6 s, {len(told)} in all", lines <= 6 and bool(told))
        last = wires[-1]
        came = 0.0

        def hear(data: bytes) -> None:
            nonlocal came
            came = now()

        last.on_data = hear
        last.send(b"1:x,")
        loop.run(0.5)
        freed = now()
        for wire in wires[:-1]:
            wire.close()
        loop.until(lambda: bool(came), 5)
        yield at_most("new clients are served within 1 s of relief", came - freed if came else float("inf"), 1, " s")
        found = polite.answers()
        yield nothing(
            "existing clients are served", found.faults, f"{len(found.times)} answers, p99 {found.p99():.1f} ms"
        )
    finally:
        loop.close()
        server.stop()
