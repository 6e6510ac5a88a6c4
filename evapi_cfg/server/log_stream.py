"""Where log lines are written, and whether colours make sense there.

While an event loop runs, nobody waits for the reader of the log. What it does not take is kept up to a bound; lines
above that, and those that cannot be written at all, are counted, and the count is told once lines can be written again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import stat
import sys
from collections.abc import Callable
from typing import Final

KEPT: Final = 1 << 20  # bytes that may wait for a reader
PATIENCE: Final = 0.2  # seconds that a reader who takes nothing is waited for at the end
RETRY: Final = 1.0  # seconds until the count of lost lines is tried to be told
AT_A_TIME: Final = 1000  # lines that are gathered at most


class LogStream:
    """Standard error or output for log lines: all lines of one turn of the loop in one write.

    `report` makes the line that tells how many were lost, and why.
    """

    def __init__(self, descriptor: int = 2) -> None:
        self.report: Callable[[int, str], str] = lambda lost, why: f"{lost} log lines were lost: {why}\n"
        self._lines: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._out = _Descriptor(descriptor)
        self._begun = False
        self._rest = b""  # what the reader has not taken yet
        self._waiting = False  # for the reader to take more
        self._lost = 0  # lines, since the last report
        self._why = ""
        self._retry: asyncio.TimerHandle | None = None

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Gathers lines while `loop` runs, and waits for nobody; None writes each at once."""
        if loop is not None:
            self.flush()
            self._begun = True
            self._out.never_block()
        elif self._loop is not None:
            if self._waiting:
                self._no_longer_waiting()
            if self._retry is not None:
                self._retry.cancel()
        self._loop = loop
        self.flush()

    def __call__(self, line: str) -> None:
        self._lines.append(line)
        if self._loop is None or len(self._lines) > AT_A_TIME:
            self.flush()
        elif len(self._lines) == 1:
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        text = "".join(self._lines)
        self._lines.clear()
        if self._waiting:
            # Once a line is lost all behind it are, until that can be told in its place.
            if self._lost or len(self._rest) > KEPT:
                self._lose(text.count("\n"), "nobody read them")
            else:
                self._rest += _encoded(text)
            return
        report = self.report(self._lost, self._why) if self._lost else ""
        head = _encoded(report)
        self._rest += head + _encoded(text)
        size = len(self._rest)
        try:
            self._write()
        except OSError as err:
            written = size - len(self._rest)
            if written >= len(head):
                self._lost = 0
            lines = self._rest.count(b"\n") - (report.count("\n") if written < len(head) else 0)
            self._rest = b""
            self._lose(lines, (err.strerror or str(err)).lower())
        else:
            self._lost = 0

    def close(self) -> None:
        """Writes what is left; nothing is written behind it."""
        self.attach(None)
        self._out.close()

    def _lose(self, lines: int, why: str) -> None:
        self._lost += lines
        self._why = why
        if self._lost and self._loop is not None and self._retry is None and not self._waiting:
            self._retry = self._loop.call_later(RETRY, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self.flush()

    def _write(self) -> None:
        """Writes what is there, as far as somebody takes it; raises OSError where it cannot be written."""
        while self._rest:
            try:
                self._rest = self._rest[self._out.write(self._rest) :]
            except BlockingIOError:
                if self._loop is not None:
                    self._waiting = True
                    self._loop.add_writer(self._out.number, self._writable)
                    return
                # Before a server runs there is time; behind its end only for who still reads.
                if not self._out.wait(PATIENCE if self._begun else None):
                    self._rest = b""

    def _writable(self) -> None:
        self._no_longer_waiting()
        self.flush()

    def _no_longer_waiting(self) -> None:
        assert self._loop is not None
        self._waiting = False
        self._loop.remove_writer(self._out.number)


class _Descriptor:
    """Where bytes are written; `number` is what to look at until it takes more."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._socket: socket.socket | None = None
        self._may_block = False
        self._own = False

    def never_block(self) -> None:
        """From now on `write` takes what can be written at once, and raises BlockingIOError where that is nothing.

        Whether a descriptor blocks is shared with all who have it from the same opening, a shell for one, and must not
        be changed for them: pipes and terminals are opened once more."""
        if self._own:
            return
        try:
            mode = os.fstat(self.number).st_mode
        except OSError:
            return
        if stat.S_ISSOCK(mode):
            with contextlib.suppress(OSError):
                self._socket = socket.socket(fileno=os.dup(self.number))
                self._own = True
        elif stat.S_ISFIFO(mode) or os.isatty(self.number):
            try:
                flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
                self.number = os.open(f"/proc/self/fd/{self.number}", flags)
                self._own = True
            except OSError:
                self._may_block = True

    def close(self) -> None:
        """The descriptor that was handed in stays open."""
        if self._socket is not None:
            self._socket.close()
        elif self._own:
            os.close(self.number)

    def write(self, data: bytes) -> int:
        if self._socket is not None:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        if self._may_block:
            if not self.wait(0.0):
                raise BlockingIOError
            data = data[: select.PIPE_BUF]  # so much can be written at once where anything can
        return os.write(self.number, data)

    def wait(self, seconds: float | None) -> bool:
        """Waits until more can be written; False: it cannot."""
        poll = select.poll()
        poll.register(self.number, select.POLLOUT)
        return bool(poll.poll(None if seconds is None else seconds * 1000))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def is_terminal(descriptor: int) -> bool:
    """Whether colours make sense there; NO_COLOR in the environment says no."""
    if os.environ.get("NO_COLOR"):
        return False
    stream = {1: sys.stdout, 2: sys.stderr}.get(descriptor)
    return stream is not None and stream.isatty()
