"""How late the event loop is: everybody waits for whatever holds it up."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import Final

from evapi_cfg.runtime.measures import Measures

INTERVAL: Final = 0.25  # seconds between two looks


class LoopLag:
    """Wakes up again and again, and writes down how much too late that was."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures
        self._loop = asyncio.get_running_loop()
        self._wait()

    def _wait(self) -> None:
        # The loop's own clock may stand still for a millisecond.
        self._due = perf_counter_ns() + int(INTERVAL * 1e9)
        self._timer = self._loop.call_later(INTERVAL, self._look)

    def _look(self) -> None:
        self._measures.woke_up(max(perf_counter_ns() - self._due, 0))
        self._wait()

    def close(self) -> None:
        self._timer.cancel()
