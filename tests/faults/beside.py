"""Clients in a process of their own, so that what is measured does not wait for a busy generator."""

from __future__ import annotations

import os
import pickle
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.load import Asker, Loop, Numbered, flow, now, percentile


class Child:
    """Runs `work(stop)` in a child process; `stop()` is True when `result` is asked for, which gives what it gave."""

    def __init__(self, work: Callable[[Callable[[], bool]], Any]) -> None:
        self._told, tell = os.pipe()
        hear, self._hear = os.pipe()
        self._tell = tell
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(tell)
                poll = select.poll()
                poll.register(self._told, select.POLLIN)
                data = pickle.dumps(work(lambda: bool(poll.poll(0))))
                while data:
                    data = data[os.write(self._hear, data) :]
                status = 0
            finally:
                os._exit(status)
        os.close(self._told)
        os.close(self._hear)
        self._answer = hear

    def result(self) -> Any:
        os.close(self._tell)
        data = b""
        while more := os.read(self._answer, 1 << 20):
            data += more
        os.close(self._answer)
        os.waitpid(self.pid, 0)
        return pickle.loads(data)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@dataclass
class Answers:
    """`times`: when each was asked, on the monotonic clock, and the seconds until its answer."""

    times: list[tuple[float, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def p99(self, start: float = 0.0, end: float = float("inf")) -> float:
        """Milliseconds."""
        return percentile([took for when, took in self.times if start <= when <= end], 0.99) * 1000


class Polite(Child):
    """Clients that ask one message at a time, each after a pause, and check the answers."""

    def __init__(self, port: int, count: int = 9, pause: float = 0.01) -> None:
        def work(stop: Callable[[], bool]) -> Answers:
            loop = Loop()
            askers = [Asker(loop, port, Numbered(100), pause) for _ in range(count)]
            while not stop():
                loop.until(lambda: False, 0.05)
            for asker in askers:
                asker.stopped = True
            loop.until(lambda: not any(asker.waits for asker in askers), 5)
            found = Answers()
            for asker in askers:
                found.times += zip(asker.asked, asker.times, strict=False)
                found.faults += [asker.fault] if asker.fault else []
                found.faults += ["a message was not answered"] if asker.waits else []
            return found

        super().__init__(work)

    def answers(self) -> Answers:
        found = self.result()
        assert isinstance(found, Answers)
        return found


class Flood(Child):
    """One client that sends `rate` messages a second, or as many as it can; gives how many it sent and got back."""

    def __init__(self, port: int, rate: float = 0.0, size: int = 100) -> None:
        def work(stop: Callable[[], bool]) -> tuple[int, int, float]:
            from tests.faults.load import Expected

            loop = Loop()
            stream = Numbered(size)
            expected = Expected(stream)
            wire = loop.connect(port, expected.feed)
            start, sent = now(), 0
            gone = flow(wire, stream) if not rate else None
            while not stop():
                end = now() + 0.02
                while now() < end:
                    if rate and not wire.busy:
                        due = min(int((now() - start) * rate), sent + 4000)
                        if due > sent:
                            wire.send(b"".join([stream.one(number) for number in range(sent, due)]))
                            sent = due
                    loop.turn(0.001)
            took = now() - start
            if expected.fault:
                raise RuntimeError(expected.fault)
            return (gone() // stream.frame_size if gone else sent), expected.messages, took

        super().__init__(work)
