"""Locks that runs hold, for modules whose scripts lock something by a key (cfgutils, htable).

A run that has ended without unlocking holds its locks no longer: it is only known by a weak reference.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum, auto
from typing import Generic, TypeVar
from weakref import ReferenceType, ref

from evapi_cfg.modules.context import Run

Key = TypeVar("Key", bound=Hashable)
_CONTENDED = 0.001  # seconds until a run looks again at a lock that another one holds, where it waits alone


class Held(Enum):
    """By whom a lock is held."""

    NOBODY = auto()
    OWN = auto()  # the run that asks
    OTHER = auto()
    ENDED = auto()  # a run that has ended: another process of Kamailio would wait for ever


class _Lock:
    __slots__ = ("deep", "holder")

    def __init__(self, run: Run) -> None:
        self.holder: ReferenceType[Run] = ref(run)
        self.deep = 1


class Locks(Generic[Key]):
    """Locks by their keys."""

    def __init__(self) -> None:
        self._locks: dict[Key, _Lock] = {}
        self._waiting = 0

    def held(self, key: Key, run: Run) -> Held:
        lock = self._locks.get(key)
        if lock is None:
            return Held.NOBODY
        holder = lock.holder()
        return Held.ENDED if holder is None else Held.OWN if holder is run else Held.OTHER

    def take(self, key: Key, run: Run) -> None:
        """The run holds the lock from now on, whoever did."""
        self._locks[key] = _Lock(run)

    def deepen(self, key: Key) -> None:
        """It has to be freed once more."""
        self._locks[key].deep += 1

    def free(self, key: Key) -> None:
        lock = self._locks.get(key)
        if lock is None:
            return
        lock.deep -= 1
        if not lock.deep:
            del self._locks[key]

    async def wait(self, key: Key, run: Run) -> Held:
        """Stops the run while another one holds the lock. The more runs wait, the less often each of them looks: all
        together look about once a millisecond."""
        while (held := self.held(key, run)) is Held.OTHER:
            self._waiting += 1
            try:
                # A power of two, so that those that wait stand in few queues.
                await run.pause(_CONTENDED * (1 << (self._waiting - 1).bit_length()))
            finally:
                self._waiting -= 1
        return held
