"""The end of the server, in order and not, and its start behind that."""

from __future__ import annotations

import compileall
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial

import evapi_cfg
from tests.faults.beside import Child
from tests.faults.callers import Application, Callers
from tests.faults.load import Expected, Loop, Numbered, Wire, now
from tests.faults.row import Row, at_most, nothing
from tests.faults.served import sip_cfg
from tests.faults.server import MB, TO_ITSELF, Server, free_port

DRAIN = 2.0


class Pace:
    """A client that sends so many messages a second, and reads the answers."""

    def __init__(self, loop: Loop, port: int, rate: float, name: bytes) -> None:
        self.expected = Expected(Numbered(100, name))
        self.wire = loop.connect(port, self.expected.feed)
        self.sent = 0
        self._rate = rate
        self._start = now()
        self._loop = loop
        loop.each_turn.append(self._send)

    def pause(self) -> None:
        self._loop.each_turn.remove(self._send)

    def _send(self) -> None:
        due = int((now() - self._start) * self._rate)
        if due > self.sent and not self.wire.busy and not self.wire.died:
            due = min(due, self.sent + 1000)
            self.wire.send(b"".join([self.expected.stream.one(number) for number in range(self.sent, due)]))
            self.sent = due


class Knocker(Child):
    """Connects over and over; gives when it was first refused."""

    def __init__(self, port: int) -> None:
        def work(stop: Callable[[], bool]) -> float:
            while not stop():
                made = socket.socket()
                made.settimeout(1)
                begun = now()
                try:
                    made.connect(("127.0.0.1", port))
                except ConnectionRefusedError:
                    return begun
                except OSError:
                    pass
                finally:
                    made.close()
                time.sleep(0.002)
            return float("inf")

        super().__init__(work)


def sigterm(minutes: float) -> Iterator[Row]:
    parked, clients, rate = 200, 8, 20_000
    sip_port = free_port(socket.SOCK_DGRAM)
    flags = ["--drain", str(DRAIN), "--send-timeout", "60", "--max-queue", str(64 * MB)]
    server = Server(sip_cfg(sip_port), *flags, sip=True)
    loop = Loop()
    try:
        application = Application(loop, server.port, None)
        deaf = loop.connect(server.port, receive_buffer=4096)
        callers = Callers(loop, sip_port)
        loop.run(0.3)
        paces = [Pace(loop, server.port, rate / clients, b"%d" % number) for number in range(clients)]
        for _ in range(parked):
            callers.call()
        # So much waits for one who does not read that the end takes all of its time.
        big = Numbered(30_000, b"deaf")
        numbers = iter(range(1 << 30))
        start = now()
        while now() < start + 3:
            if not deaf.busy and next(numbers) < 500:
                deaf.send(big.one(0))
            loop.turn(0.001)
        knocker = Knocker(server.port)
        loop.run(0.3)
        before = [pace.sent for pace in paces]
        told = now()
        server.process.send_signal(signal.SIGTERM)
        ended = 0.0

        def over() -> bool:
            nonlocal ended
            if not ended and server.process.poll() is not None:
                ended = now()
            return bool(ended) and all(pace.wire.died for pace in paces)

        loop.until(over, 20)
        loop.run(0.2)
        refused = knocker.result()
        yield at_most("SIGTERM: accepting ends within 50 ms", (refused - told) * 1000, 50, " ms")
        lost = [
            f"{p.expected.messages:,} of {n:,}" for p, n in zip(paces, before, strict=True) if p.expected.messages < n
        ]
        broken = ["a frame was cut" for pace in paces if not pace.expected.whole]
        came = sum(pace.expected.messages for pace in paces)
        yield nothing(
            f"under {rate:,} messages a second all that was received is answered, to {clients} who read",
            [pace.expected.fault for pace in paces] + lost + broken,
            f"{sum(before):,} sent before the signal, {came:,} answers",
        )
        yield Row(
            f"{parked} parked requests get an answer",
            f"{application.parked} parked, answers {callers.codes}",
            application.parked == parked and sum(callers.codes.values()) == parked,
        )
        yield at_most(
            f"one does not read: it ends within drain + 0.5 s ({DRAIN + 0.5:g} s)",
            ended - told if ended else float("inf"),
            DRAIN + 0.5,
            " s",
            f", status {server.process.returncode}",
        )
        callers.close()
    finally:
        loop.close()
        server.stop()


def kill(minutes: float) -> Iterator[Row]:
    """Five times killed under load and started again at once, at the same port. What is installed has been compiled
    already; a folder of sources has not, where the environment asks for none of that."""
    compileall.compile_dir(evapi_cfg.__path__[0], quiet=1)
    server = Server(TO_ITSELF)
    times = []
    faults = []
    try:
        for _ in range(5):
            loop = Loop()
            paces = [Pace(loop, server.port, 2000, b"%d" % number) for number in range(4)]
            loop.run(0.5)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            port = server.port
            loop.until(partial(all_died, paces), 5)
            faults += [pace.expected.fault for pace in paces]
            server = Server(TO_ITSELF, port=port)
            times.append(server.ready_after * 1000)
            ask_once(loop, port, faults)
            loop.close()
        yield at_most(
            "kill -9 and start again: it listens within 500 ms",
            max(times),
            500,
            " ms",
            f" (the best {min(times):.0f}, of {len(times)})",
        )
        yield nothing("and serves", faults, f"{len(times)} times")
    finally:
        server.stop()


def all_died(paces: list[Pace]) -> bool:
    return all(pace.wire.died for pace in paces)


def ask_once(loop: Loop, port: int, faults: list[str]) -> Wire:
    expected = Expected(Numbered(20))
    wire = loop.connect(port, expected.feed)
    wire.send(expected.stream.one(0))
    if not loop.until(lambda: expected.messages == 1, 5):
        faults.append("no answer")
    return wire
