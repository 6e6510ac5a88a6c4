"""Whom to cut because it does not take what is sent to it. No sockets: how much waits for whom is told, and when."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
CROWDED = 0.25  # of what may wait in all
LITTLE = 1 << 16  # bytes that may wait for one who keeps up
LONGEST = 0.04  # seconds
MOMENT = 0.25  # seconds in which one who reads takes something


class Stalls(Generic[T]):
    """Finds those who take nothing for `seconds`, although something waits for them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._seen: dict[T, tuple[int, float]] = {}  # how much each had taken, and when that was new

    def look(self, now: float, waiting: Iterable[tuple[T, int]]) -> list[T]:
        """`waiting`: all for whom something waits, with the bytes that each has taken since it came. Gives those who
        have taken nothing for so long. To be called again and again: the time counts from the first look."""
        before, self._seen = self._seen, {}
        stalled = []
        for item, taken in waiting:
            found = before.get(item)
            if found is None or found[0] != taken:
                found = (taken, now)
            if now - found[1] >= self.seconds:
                stalled.append(item)
            else:
                self._seen[item] = found
        return stalled

    def stands_still(self, item: T, taken: int, now: float) -> bool:
        """Whether it has taken nothing for a moment. Not known of one that was not looked at before: no."""
        found = self._seen.get(item)
        return found is not None and found[0] == taken and now - found[1] >= MOMENT


def rest(waiting: Collection[int], most: int) -> float:
    """`waiting`: the bytes that wait for each; `most`: that may wait in all. Gives the seconds for which nothing more
    should be sent to them because together they do not keep up.

    Where something waits for nearly all that is without end: they all have something to read, and who reads as fast as
    can be is not to be cut for being one of many. Where some keep up these must not wait for the others: the rest is
    short, the shorter the fewer are behind."""
    if sum(waiting) <= most * CROWDED:
        return 0.0
    if sorted(waiting)[len(waiting) // 10] > LITTLE:
        return math.inf
    return LONGEST * sum(1 for size in waiting if size > LITTLE) / len(waiting)


def offenders(waiting: Collection[tuple[T, int]], most: int, stands_still: Callable[[T], bool]) -> list[T]:
    """`waiting`: the bytes that wait for each. Gives those without whom no more than `most` bytes wait in all, and no
    more of them than it takes: the largest first, but before anybody who goes on reading those who stand still."""
    total = sum(size for _item, size in waiting)
    if total <= most:
        return []
    ordered = sorted(waiting, key=lambda entry: (stands_still(entry[0]), entry[1]))
    found = []
    while total > most:
        item, size = ordered.pop()
        total -= size
        found.append(item)
    return found
