"""Iterators over tables: up to four at a time in each process, by name (htable/ht_api.c: ht_iterator_start and its
like). One that has come to its end, or is told to go on behind it, begins anew."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.htable.table import Item, Table
from evapi_cfg.source import show

_MOST: Final = 4
_LONGEST_NAME: Final = 31


class NoIterator(Exception):
    """There is no iterator to do it with; the message says why."""


class _Iterator:
    __slots__ = ("item", "table")

    def __init__(self) -> None:
        self.table: Table | None = None
        self.item: Item | None = None


class Iterators:
    """Those of one process. Each method raises NoIterator."""

    def __init__(self) -> None:
        self._by_name: dict[str, _Iterator] = {}

    def start(self, name: str, table: Table | None) -> None:
        """Begins, anew where there is one of that name; without a table its name is taken all the same."""
        iterator = self._by_name.get(name)
        if iterator is None:
            if len(self._by_name) >= _MOST:
                raise NoIterator(f"there are {_MOST} iterators already: end one of them")
            if len(name) > _LONGEST_NAME:
                raise NoIterator(f"the name {show(name)!r} is longer than {_LONGEST_NAME} characters")
            iterator = self._by_name[name] = _Iterator()
        iterator.table, iterator.item = table, None

    def next(self, name: str) -> bool:
        """Goes to the next item; False where there is none."""
        iterator, table = self._started(name)
        iterator.item = table.first() if iterator.item is None else table.behind(iterator.item)
        return iterator.item is not None

    def end(self, name: str) -> None:
        if self._by_name.pop(name, None) is None:
            raise NoIterator(f"there is no iterator {show(name)!r}")

    def remove(self, name: str) -> bool:
        """Takes the item away and goes to the next one; False where there is none."""
        iterator, table, item = self._used(name)
        iterator.item = table.behind(item)
        if item.alive:
            table.remove(item.key)
        return iterator.item is not None

    def set(self, name: str, value: int | str) -> None:
        _, table, item = self._used(name)
        item.value = value
        table.updated(item)

    def live(self, name: str, seconds: int) -> None:
        """The item lives that long from now on, though its table may not expire."""
        _, table, item = self._used(name)
        item.expire = int(table.now()) + seconds
        table.watch(item)

    def current(self, name: str) -> Item | None:
        iterator = self._by_name.get(name)
        return None if iterator is None else iterator.item

    def _started(self, name: str) -> tuple[_Iterator, Table]:
        iterator = self._by_name.get(name)
        if iterator is None:
            raise NoIterator(f"there is no iterator {show(name)!r}")
        if iterator.table is None:
            raise NoIterator(f"the iterator {show(name)!r} has no table")
        return iterator, iterator.table

    def _used(self, name: str) -> tuple[_Iterator, Table, Item]:
        iterator, table = self._started(name)
        if iterator.item is None:
            raise NoIterator(f"the iterator {show(name)!r} is at no item")
        return iterator, table, iterator.item
