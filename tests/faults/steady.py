"""Loads that last: a greedy client, a bound on what each may send, all kinds of load at once, a clock that is set."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import statistics
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.faults.beside import Flood, Polite
from tests.faults.callers import Application, Callers
from tests.faults.ending import Pace
from tests.faults.load import Expected, Loop, Numbered, Wire, frame, now
from tests.faults.many import ask_when_connected
from tests.faults.row import Row, at_most, nothing
from tests.faults.served import Served
from tests.faults.server import MB, TO_ITSELF, Server


def greedy(minutes: float) -> Iterator[Row]:
    rate = 200_000
    server = Server(TO_ITSELF)
    loop = Loop()
    try:
        polite = Polite(server.port)
        loop.run(2)
        start = now()
        flood = Flood(server.port, rate)
        loop.run(10)
        end = now()
        _sent, got, took = flood.result()
        found = polite.answers()
        yield at_most(
            f"one client at {rate:,} messages a second: p99 of nine polite ones at most 5 ms",
            found.p99(start + 0.5, end),
            5,
            " ms",
            f" ({found.p99(0, start):.2f} without it); it got {got / took:,.0f} answers a second",
        )
        yield nothing("all are answered", found.faults, f"{len(found.times):,} polite messages")
    finally:
        loop.close()
        server.stop()


def rate(minutes: float) -> Iterator[Row]:
    for most in (200, 5000, 50_000):
        server = Server(TO_ITSELF, "--rate", str(most))
        loop = Loop()
        try:
            polite = Polite(server.port, count=3, pause=0.02)
            flood = Flood(server.port)
            loop.run(6)
            _sent, got, took = flood.result()
            found = polite.answers()
            share = got / took / most * 100
            yield Row(
                f"--rate {most:,} holds a client to it within 5 %",
                f"{got / took:,.0f} a second: {share:.1f} %; p99 of others {found.p99():.1f} ms",
                95 <= share <= 105 and not found.faults,
            )
        finally:
            loop.close()
            server.stop()


class Comers:
    """Clients that come, ask once, and go; so many a second."""

    def __init__(self, loop: Loop, port: int, rate: float) -> None:
        self._loop, self._port, self._rate = loop, port, rate
        self._start = now()
        self.begun = self.answered = 0
        self.faults: list[str] = []
        loop.each_turn.append(self._come)

    def _come(self) -> None:
        while self.begun < (now() - self._start) * self._rate and self.begun - self.answered < 500:
            self.begun += 1
            self._one()

    def _one(self) -> None:
        def hear(data: bytes) -> None:
            if data != b"1:x,":
                self.faults.append(f"{data!r} came")
            self.answered += 1
            wire.on_end = None
            wire.close()

        def end() -> None:
            self.faults.append(f"a connection ended: {wire.died}")

        wire = self._loop.connect(self._port, hear, source=f"127.0.1.{1 + self.begun % 8}", wait=False)
        wire.on_end = end
        ask_when_connected(wire)


def mixed(minutes: float) -> Iterator[Row]:
    """Messages, relays, clients that come and go, parked requests, one that stalls each minute; for `minutes`."""
    seconds = minutes * 60
    server = Served()
    loop = Loop()
    try:
        polite = Polite(server.port, count=4, pause=0.02)
        paces = [Pace(loop, server.port, 2000, b"%d" % number) for number in range(4)]
        stream = Numbered(1000, b">")
        relayed = Expected(stream)
        relay = loop.connect(server.port, relayed.feed)
        relay.send(frame(b"relay"))
        comers = Comers(loop, server.port, 50)
        application = Application(loop, server.port, 0.2)
        callers = Callers(loop, server.sip_port)
        loop.run(0.5)
        start = now()
        told = 0
        stalled: list[Wire] = []
        looks: list[tuple[float, int, int]] = []  # messages, memory, descriptors
        states: list[dict[str, int]] = []
        every = max(min(60.0, seconds / 10), 5.0)
        next_stall, next_look = start, start + seconds * 0.2

        def messages() -> int:
            return sum(pace.expected.messages for pace in paces) + relayed.messages + comers.answered

        def step() -> bool:
            nonlocal told, next_stall, next_look
            passed = now() - start
            due = int(passed * 1000)
            if due > told and not relay.busy and not relay.died:
                due = min(due, told + 100)
                relay.send(b"".join([stream.one(number) for number in range(told, due)]))
                told = due
            while callers.sent < passed * 50:
                callers.call()
            if now() >= next_stall and seconds - passed > 15:
                next_stall = now() + every
                stalled.append(loop.connect(server.port))
                stalled[-1].send(frame(b"relay"))
            if now() >= next_look:
                next_look = now() + seconds * 0.8 / 20
                looks.append((messages() / 1e6, server.memory(), server.descriptors()))
                states.append(server.state())
            return passed >= seconds

        loop.until(step, seconds + 60)
        for pace in paces:
            pace.pause()
        loop.run(1.0)
        found = polite.answers()
        faults = [pace.expected.fault or pace.wire.died for pace in paces] + [relayed.fault, relay.died]
        faults += comers.faults[:1] + found.faults
        faults += [f"{p.expected.messages:,} of {p.sent:,} answered" for p in paces if p.expected.messages != p.sent]
        faults += ["a traceback" if "Traceback" in server.log() else ""]
        yield nothing(
            f"{minutes:g} minutes of mixed load: nothing lost",
            faults,
            f"{messages() / 1e6:.1f} million messages, {comers.answered:,} came and went, {len(stalled)} stalled",
        )
        answered = sum(callers.codes.values())
        late = [name for name, when in callers.open.items() if now() - when > 1]
        yield Row(
            "parked requests are answered",
            f"{answered:,} of {callers.sent:,}: {callers.codes}",
            not late and set(callers.codes) == {200} and application.parked >= answered,
        )
        cut = server.log().count("is cut")
        yield Row("who stalls is cut, and nobody else", f"{cut} cut", cut == len(stalled))
        slope = statistics.linear_regression([m for m, _, _ in looks], [b / MB for _, b, _ in looks]).slope
        yield at_most("memory slope at most 1 MB for each million messages", slope, 1, " MB")
        for key in ("tasks", "timers", "transactions"):
            early = statistics.mean(state[key] for state in states[: len(states) // 3])
            late_mean = statistics.mean(state[key] for state in states[-len(states) // 3 :])
            yield Row(f"{key} are constant", f"{early:.1f}, then {late_mean:.1f}", late_mean <= early * 1.1 + 3)
        early = statistics.mean(d for _, _, d in looks[: len(looks) // 3])
        late_mean = statistics.mean(d for _, _, d in looks[-len(looks) // 3 :])
        yield Row("descriptors are constant", f"{early:.1f}, then {late_mean:.1f}", late_mean <= early + 3)
        third = seconds / 3
        first, last = found.p99(start + 2, start + third), found.p99(start + 2 * third)
        drift = (last / first - 1) * 100
        yield Row("p99 drifts by at most 10 %", f"{first:.2f} ms, then {last:.2f} ({drift:+.0f} %)", drift <= 10)
        callers.close()
    finally:
        loop.close()
        server.stop()


# A wall clock that is wrong by as many seconds as stand in a file: what the C library is asked, not the kernel.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static double *step;
__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("FAULTS_CLOCK"), O_RDONLY);
  step = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
}
int clock_gettime(clockid_t id, struct timespec *out) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(id, out);
  if (id == CLOCK_REALTIME && step) out->tv_sec += (time_t)*step;
  return status;
}
"""
TIMED = """debug=2
event_route[evapi:connection-new] { evapi_set_tag("$evapi(conidx)"); }
event_route[evapi:message-received] {
  usleep("200000");
  evapi_unicast("$TS", "$evapi(conidx)");
}
"""


def more_than(things: list[tuple[float, int]], count: int) -> bool:
    return len(things) > count


def clock(minutes: float) -> Iterator[Row]:
    """The wall clock is set an hour forward, and two back, while runs wait: nothing comes earlier or later."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        yield Row("a clock that is set an hour changes no timer", "not played: there is no C compiler", True)
        return
    with tempfile.TemporaryDirectory(prefix="evapi-faults-") as work:
        source, library, file = Path(work, "clock.c"), Path(work, "clock.so"), Path(work, "step")
        source.write_text(CLOCK)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        file.write_bytes(struct.pack("d", 0.0))
        descriptor = os.open(file, os.O_RDWR)
        step = ctypes.c_double.from_buffer(mmap.mmap(descriptor, 8))
        os.close(descriptor)
        server = Server(TIMED, environment={"LD_PRELOAD": str(library), "FAULTS_CLOCK": str(file)})
        loop = Loop()
        try:
            got: list[tuple[float, int]] = []
            wire = loop.connect(server.port, lambda data: got.append((now(), int(data.split(b":")[1][:-1]))))
            loop.run(0.2)
            times = []
            for place, value in enumerate((0.0, 3600.0, -3600.0, 0.0)):
                begun = now()
                wire.send(b"1:x,")
                loop.run(0.1)
                step.value = value  # in the middle of its wait
                loop.until(partial(more_than, got, place), 5)
                times.append(now() - begun)
            seen = [wall - got[0][1] for _, wall in got]
            moved = seen[1] > 3000 and seen[2] < -3000
            shown = ", ".join(f"{time * 1000:.0f}" for time in times)
            yield Row(
                "a clock that is set an hour forward and two back: a wait of 200 ms takes",
                f"{shown} ms; $TS moved by {seen[1]:,} and {seen[2]:,} s",
                moved and all(0.2 <= time < 0.3 for time in times),
            )
        finally:
            loop.close()
            server.stop()
