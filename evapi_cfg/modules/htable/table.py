"""A table: items by their keys, with the order in which Kamailio would walk them (htable/ht_api.c: ht_set_cell_ex,
ht_cell_pkg_copy, ht_cell_value_add, ht_set_cell_expire).

Reading and writing an item is one look into a dict. Kamailio's order, by slot, by hash and then by age, is kept from
the first time on that somebody walks the table. The items that are to expire stand together by the second in which they
do; an item whose time is put off stays where it is, and is moved on when that second has come.

Times are whole seconds since 1970; 0 is never. An item is there up to and with the second in which it expires.
Nothing here knows of variables or routes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Final

from evapi_cfg.modules.core_hash import core_case_hash
from evapi_cfg.modules.htable.definition import Definition
from evapi_cfg.values import Value, wrap

Place = tuple[int, int]  # an item's hash, and a number that tells equal hashes apart by their age
_FEW: Final = 16  # items that are gone and may stay where they were, besides a part of those that are there
_UINT: Final = 0xFFFFFFFF
_SIGN: Final = 0x80000000


class Item:
    """`alive`: it is in its table. `place`: where the table is walked. `listed`: the second under which it
    waits for its end, 0 where it does not."""

    __slots__ = ("alive", "expire", "key", "listed", "place", "value")

    def __init__(self, key: str, value: int | str, expire: int) -> None:
        self.key = key
        self.value = value
        self.expire = expire
        self.listed = 0
        self.alive = True
        self.place: Place | None = None


class Table:
    """`items` are those that have not been taken away, also where their time is over. `now`: seconds since 1970."""

    def __init__(self, definition: Definition, now: Callable[[], float]) -> None:
        self.definition = definition
        self.name = definition.name
        self.autoexpire = definition.autoexpire
        self.initial = definition.initial
        self.items: dict[str, Item] = {}
        self.now = now
        self._updates = definition.updateexpire != 0
        self._mask = definition.slots - 1
        self._placed = 0
        self._slots: dict[int, list[Item]] | None = None  # None: nobody has asked for the order yet
        self._used: list[int] = []  # the numbers of the slots in which there was something, in their order
        self._untidy: dict[int, int] = {}  # slots that are not in order, and how many of their items are gone
        self._ends: dict[int, list[Item]] = {}  # items by the second after which they are to expire
        self._seconds: list[int] = []  # a heap of those seconds
        self._stale = 0  # how many that stand there have gone or have been put elsewhere, at most

    def redefine(self, definition: Definition) -> None:
        """From now on a new definition counts. Items keep the end that they have; where the table has not expired they
        have none. Another size, which decides in which order it is walked, counts from the next walk on."""
        if definition.autoexpire and not self.autoexpire:
            for item in self.items.values():
                item.expire = 0
        self.definition = definition
        self.autoexpire = definition.autoexpire
        self.initial = definition.initial
        self._updates = definition.updateexpire != 0
        mask = definition.slots - 1
        if mask != self._mask:
            self._mask = mask
            self._slots = None
            self._used.clear()
            self._untidy.clear()

    # ---- one item

    def over(self, item: Item) -> bool:
        """Its time is over, though it may not have been taken away yet."""
        return self.autoexpire > 0 and 0 != item.expire < int(self.now())

    def find(self, key: str) -> Item | None:
        """The item, if its time is not over."""
        item = self.items.get(key)
        return None if item is None or self.over(item) else item

    def get(self, key: str) -> Value:
        """The value; what the table says where there is none."""
        item = self.find(key)
        return self.initial if item is None else item.value

    def set(self, key: str, value: int | str, seconds: int = 0) -> None:
        """`seconds`: how long it lives from now on; 0 or less: as the table says."""
        item = self.items.get(key)
        if item is None:
            self._add(key, value, seconds)
            return
        item.value = value
        if seconds > 0:
            item.expire = self._from() + seconds
        elif self._updates or (self.autoexpire and 0 != item.expire < int(self.now())):
            item.expire = self._from() + self.autoexpire
        else:
            return
        if item.expire < item.listed or not item.listed:
            self.watch(item)

    def _from(self) -> int:
        """From when on time counts: Kamailio does not look at the clock for a table that does not expire."""
        return int(self.now()) if self.autoexpire else 0

    def _add(self, key: str, value: int | str, seconds: int) -> None:
        item = self.items[key] = Item(key, value, self._from() + (seconds if seconds > 0 else self.autoexpire))
        if self._slots is not None:
            self._put(item, self._slots)
        if self.autoexpire:
            self.watch(item)

    def add(self, key: str, number: int) -> int | None:
        """Adds to a number, and gives what it is then; None where there is no number. A text stays a text. Where time
        is over it begins anew, which makes a text, or a number of a table without `initval`, live on as it is."""
        item = self.items.get(key)
        if item is None:
            if self.initial is None:
                return None
            value = wrap(self.initial + number)
            self._add(key, value, 0)
            return value
        if self.over(item):
            item.expire = self._from() + self.autoexpire
            self.watch(item)
            if self.initial is None:
                return None
            item.value = self.initial
        if isinstance(item.value, str):
            return None
        item.value = value = wrap(item.value + number)
        if self._updates:
            self.renew(item)
        return value

    def renew(self, item: Item) -> None:
        """Its time begins anew."""
        item.expire = self._from() + self.autoexpire
        self.watch(item)

    def updated(self, item: Item) -> None:
        """As `renew`, where the table does so when a value is set."""
        if self._updates:
            self.renew(item)

    def left(self, key: str) -> int:
        """The seconds until it expires, as a C int: below 0 for one whose time is over, or that lives for ever; 0 where
        it is not there or the table does not expire."""
        item = self.items.get(key) if self.autoexpire else None
        return 0 if item is None else ((item.expire - int(self.now()) + _SIGN) & _UINT) - _SIGN

    def live(self, key: str, seconds: int) -> None:
        """The item lives that long from now on, 0 or less: for ever. Nothing where the table does not expire."""
        item = self.items.get(key) if self.autoexpire else None
        if item is not None:
            item.expire = int(self.now()) + seconds if seconds > 0 else 0
            self.watch(item)

    def remove(self, key: str) -> bool:
        """Whether it was there, be its time over or not."""
        item = self.items.pop(key, None)
        if item is None:
            return False
        item.alive = False
        if item.listed:
            self._outdated()
        if item.place is not None and self._slots is not None:
            slot = item.place[0] & self._mask
            gone = self._untidy[slot] = self._untidy.get(slot, 0) + 1
            if gone > _FEW + len(self._slots[slot]) // 2:
                self._tidy(slot, self._slots[slot])
        return True

    def clear(self) -> None:
        for item in self.items.values():
            item.alive = False
        self.items.clear()  # in its place: variables have it at hand
        if self._slots is not None:
            self._slots.clear()
        self._used.clear()
        self._untidy.clear()
        self._ends.clear()
        self._seconds.clear()
        self._stale = 0

    # ---- walking

    def slot_of(self, key: str) -> int:
        return core_case_hash(key) & self._mask

    def ordered(self) -> dict[int, list[Item]]:
        """Keeps the items in their order from now on. The slots, of which some may not be tidy."""
        slots = self._slots
        if slots is None:
            slots = self._slots = {}
            for item in self.items.values():  # which is the order of their age
                self._put(item, slots)
        return slots

    def _put(self, item: Item, slots: dict[int, list[Item]]) -> None:
        self._placed += 1
        number = core_case_hash(item.key)
        item.place = number, self._placed
        slot = number & self._mask
        there = slots.get(slot)
        if there is None:
            slots[slot] = [item]
            insort(self._used, slot)
            return
        if place_of(there[-1]) > item.place:
            self._untidy.setdefault(slot, 0)
        there.append(item)

    def _tidy(self, slot: int, items: list[Item]) -> None:
        del self._untidy[slot]
        items[:] = sorted((item for item in items if item.alive), key=place_of)
        if not items:
            del self.ordered()[slot]
            del self._used[bisect_left(self._used, slot)]

    def slot_number(self, item: Item) -> int:
        """The slot of an item that is there."""
        self.ordered()
        return place_of(item)[0] & self._mask

    def slot(self, number: int) -> list[Item]:
        """The items of a slot in their order."""
        items = self.ordered().get(number, [])
        if number in self._untidy:
            self._tidy(number, items)
        return items

    def slots(self) -> Iterator[tuple[int, list[Item]]]:
        """The slots that hold something, by their numbers."""
        self.ordered()
        for number in list(self._used):
            items = self.slot(number)
            if items:
                yield number, items

    def walk(self) -> Iterator[Item]:
        """All items in Kamailio's order."""
        for _, items in self.slots():
            yield from list(items)

    def first(self, slot: int = 0) -> Item | None:
        """The first item of that slot, or of the next one that holds any."""
        self.ordered()
        used = self._used
        while (at := bisect_left(used, slot)) < len(used):
            slot = used[at]
            items = self.slot(slot)
            if items:
                return items[0]
        return None

    def behind(self, item: Item) -> Item | None:
        """The item that follows; `item` may be gone."""
        place = place_of(item)
        slot = place[0] & self._mask
        items = self.slot(slot)
        at = bisect_right(items, place, key=place_of)
        return items[at] if at < len(items) else self.first(slot + 1)

    # ---- expiring

    def watch(self, item: Item) -> None:
        """To be called when the end of an item has changed."""
        expire = item.expire
        if not expire or not self.autoexpire or 0 < item.listed <= expire:
            return
        if item.listed:
            self._outdated()
        item.listed = expire
        there = self._ends.get(expire)
        if there is None:
            self._ends[expire] = [item]
            heappush(self._seconds, expire)
        else:
            there.append(item)

    def _outdated(self) -> None:
        """One more that stands where it waits no longer. When they are many they are taken out."""
        self._stale += 1
        if self._stale <= _FEW + len(self.items):
            return
        self._stale = 0
        for second, items in list(self._ends.items()):
            items[:] = [item for item in items if item.alive and item.listed == second]
            if not items:
                del self._ends[second]
        self._seconds = sorted(self._ends)

    def expired(self, now: int) -> Iterator[Item | None]:
        """Items whose time is over, in no order; None for each other one that had to be looked at. They stay until they
        are taken away, and are not found a second time unless they are watched again."""
        while self._seconds and self._seconds[0] < now:
            second = heappop(self._seconds)
            items = self._ends.pop(second, [])
            items.reverse()
            while items:  # each goes as soon as it can: freeing very many at once takes its time
                item = items.pop()
                if not item.alive or item.listed != second:
                    yield None
                    continue
                item.listed = 0
                if 0 != item.expire < now:
                    yield item
                else:
                    self.watch(item)
                    yield None


def place_of(item: Item) -> Place:
    assert item.place is not None
    return item.place
