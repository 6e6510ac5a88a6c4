"""Log lines about what strangers cause: never more than one a second, and none of it is forgotten."""

from __future__ import annotations

import asyncio
from typing import Final

from evapi_cfg.modules.context import Level, Log

PAUSE: Final = 1.0  # seconds between two lines


class Seldom:
    """Writes a line at once, and those that come within a second behind it as one, with their number."""

    def __init__(self, log: Log, source: str, level: Level) -> None:
        self._log = log
        self._source = source
        self._level = level
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._held = 0
        self._last = ""

    def __call__(self, text: str) -> None:
        if self._timer is None:
            self._write(text)
        else:
            self._held += 1
            self._last = text

    def _write(self, text: str) -> None:
        self._log(self._level, self._source, text)
        self._timer = self._loop.call_later(PAUSE, self._over)

    def _over(self) -> None:
        self._timer = None
        held, self._held = self._held, 0
        if held:
            self._write(self._last if held == 1 else f"{self._last} (and {held - 1:,} more of the kind, in one second)")

    def close(self) -> None:
        """Writes what is held back."""
        if self._timer is not None:
            self._timer.cancel()
            self._over()
        if self._timer is not None:
            self._timer.cancel()
