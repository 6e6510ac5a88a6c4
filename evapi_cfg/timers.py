"""Timers of all kinds, without a clock or a loop of their own: whoever has them calls `advance` when `next_time` comes.

What waits equally long for the same thing stands in one queue, in the order of its coming, so that neither starting nor
stopping a timer makes an object or moves another one. Items are told apart as the keys of a dict are.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush, heapreplace
from typing import Any, Generic, TypeVar

T = TypeVar("T")
NEVER = float("inf")
_KEPT = 256  # empty queues that are kept for the next item, at least


class Queue(Generic[T]):
    """Items that wait `seconds` each, and then `due` is called with the item."""

    __slots__ = ("_timers", "due", "items", "listed", "seconds")

    def __init__(self, timers: Timers, seconds: float, due: Callable[[T], None]) -> None:
        self._timers = timers
        self.seconds = seconds
        self.due = due
        self.items: dict[T, float] = {}  # when each is due; the first is due first
        self.listed = False

    def start(self, item: T) -> None:
        """Waits from now on; an item that waits already begins anew."""
        timers, items = self._timers, self.items
        when = timers.now() + self.seconds
        if not self.listed:
            timers.look_after(self, when)
        elif item in items:
            del items[item]
        items[item] = when

    def stop(self, item: T) -> None:
        """Waits no more, if it did."""
        self.items.pop(item, None)


class Timers:
    """All queues. `now` is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        # A heap of the queues in which something waits, and perhaps some in which nothing does: nothing of a queue is
        # due before the time that stands with it, which may be too early. The number only tells equal times apart.
        self._listed: list[tuple[float, int, Queue[Any]]] = []
        self._number = 0
        self._queues: dict[tuple[float, object], Queue[Any]] = {}
        self._kept = _KEPT

    def queue(self, seconds: float, due: Callable[[T], None]) -> Queue[T]:
        """The queue of those that wait `seconds` for `due`."""
        key = (seconds, due)
        found = self._queues.get(key)
        if found is None:
            if len(self._queues) >= self._kept:
                self._queues = {key: queue for key, queue in self._queues.items() if queue.items}
                self._kept = max(_KEPT, 2 * len(self._queues))
            found = self._queues[key] = Queue(self, seconds, due)
        return found

    def adopt(self, others: Timers) -> None:
        """Takes over all queues of another one, which has the same clock. Whoever has one at hand may go on using it;
        `queue` does not find them."""
        for queue in others._queues.values():
            queue._timers = self
            if queue.items:
                self.look_after(queue, next(iter(queue.items.values())))

    def look_after(self, queue: Queue[Any], when: float) -> None:
        """From now on, for a queue in which nothing is due before `when`."""
        queue.listed = True
        self._number += 1
        heappush(self._listed, (when, self._number, queue))

    @property
    def idle(self) -> bool:
        """Nothing waits."""
        return not any(queue.items for _, _, queue in self._listed)

    def next_time(self) -> float | None:
        """When `advance` is to be called, on the clock; None: not before something is started. It may be too early."""
        return self._listed[0][0] if self._listed else None

    def advance(self) -> None:
        """Calls what is due, in the order of time."""
        now, listed = self.now(), self._listed
        while listed and listed[0][0] <= now:
            when, number, queue = listed[0]
            if not queue.items:
                heappop(listed)
                queue.listed = False
                continue
            first = next(iter(queue.items.values()))
            if first > when:
                heapreplace(listed, (first, number, queue))
                continue
            # All of one queue that is due before any of another: looking for the first one is not for each item.
            second = min((other[0] for other in listed[1:3]), default=NEVER)
            _work_off(queue, min(now, second))


def _work_off(queue: Queue[T], until: float) -> None:
    items = queue.items
    gone = []
    for item, when in items.items():
        if when > until:
            break
        gone.append(item)
    for item in gone:
        if items.get(item, NEVER) <= until:  # it may have been stopped, or started anew, by one before it
            del items[item]
            queue.due(item)
