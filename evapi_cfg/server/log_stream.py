"""Where log lines are written, and whether colours make sense there."""

from __future__ import annotations

import asyncio
import os
import sys


class LogStream:
    """Standard error or output for log lines: all lines of one turn of the loop in one write."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._lines: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Gathers lines while `loop` runs; None writes each at once."""
        self._loop = loop
        self.flush()

    def __call__(self, line: str) -> None:
        self._lines.append(line)
        if self._loop is None or len(self._lines) > 1000:
            self.flush()
        elif len(self._lines) == 1:
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        data = "".join(self._lines).encode("utf-8", "backslashreplace")
        self._lines.clear()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # nobody is there to read it
            pass


def is_terminal(descriptor: int) -> bool:
    """Whether colours make sense there; NO_COLOR in the environment says no."""
    if os.environ.get("NO_COLOR"):
        return False
    stream = {1: sys.stdout, 2: sys.stderr}.get(descriptor)
    return stream is not None and stream.isatty()
