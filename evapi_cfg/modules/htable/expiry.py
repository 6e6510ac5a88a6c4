"""The timer that takes away what has expired, each `timer_interval` seconds, and runs event_route[htable:expired:NAME]
for each item (htable/ht_api.c: ht_timer, ht_handle_expired_record).

It works a few milliseconds at a time, so that nobody waits however many items expire at once: what an item is when its
turn comes decides. Kamailio's order is kept where a script can see it: the table that was defined last is the first,
and in it the items as they are walked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from evapi_cfg.modules.context import Route, Run, World
from evapi_cfg.modules.htable.table import Item, Table, place_of
from evapi_cfg.modules.routes import Routes

EXPIRED: Final = "htable:expired:"
MOD_INIT: Final = "htable:mod-init"
RECORD: Final = "htable"  # in Run.extra: the item that an event is about
_LONGEST_NAME: Final = 47  # of a table whose items have an event (ht_api.c: HT_EVEX_NAME_SIZE)
_HOLD: Final = 0.003  # seconds that the timer works before others have their turn
_PAUSE: Final = 0.001  # seconds that it leaves them


class Expiry:
    """The timer over the tables of a world."""

    def __init__(self, world: World, tables: dict[str, Table], interval: int) -> None:
        self._interval = interval
        self._work: Iterator[bool] | None = None
        self._in_event = False
        self._stands_still = False  # an event waits, and the timer for it
        self._belong_to(world, tables)

    def _belong_to(self, world: World, tables: dict[str, Table]) -> None:
        self._world = world
        self._tables = [table for table in reversed(tables.values()) if table.autoexpire]
        self._ticks = world.timers.queue(self._interval, self._tick)
        self._rests = world.timers.queue(_PAUSE, self._go_on)

    def start(self) -> None:
        for table in self._tables:
            if self._event(table) is not None:
                table.ordered()
        if self._tables:
            self._ticks.start(self)

    def take_over(self, world: World, tables: dict[str, Table], interval: int) -> None:
        """Goes on for another world and its tables: when it is next due does not change unless the interval does."""
        ticks, had_any = self._ticks, bool(self._tables)
        self._interval = interval
        self._belong_to(world, tables)
        if self._ticks is not ticks or not had_any or not self._tables:
            ticks.stop(self)
            self.start()

    def stop(self) -> None:
        """Nothing expires any more."""
        self._ticks.stop(self)
        self._rests.stop(self)
        self._work = None

    def _event(self, table: Table) -> Route | None:
        return self._world.events.get(EXPIRED + table.name) if len(table.name) <= _LONGEST_NAME else None

    def _tick(self, _: Expiry) -> None:
        self._ticks.start(self)
        if self._work is None:
            self._work = self._expire(int(self._tables[0].now()))
            self._go_on(self)

    def _go_on(self, _: Expiry) -> None:
        """Works for a while, or until an event waits for its time."""
        work, monotonic = self._work, self._world.clock.monotonic
        if work is None:
            return
        until = monotonic() + _HOLD
        for stands_still in work:
            if stands_still:
                self._stands_still = True
                return
            if monotonic() > until:
                self._rests.start(self)
                return
        self._work = None

    def _expire(self, now: int) -> Iterator[bool]:
        """A tick, in steps; True where an event has not come to its end."""
        for table in self._tables:
            route = self._event(table)
            if route is None:
                for item in table.expired(now):
                    if item is not None:
                        table.remove(item.key)
                    yield False
                continue
            slots: dict[int, list[Item]] = {}
            for item in table.expired(now):
                if item is not None:
                    slots.setdefault(table.slot_number(item), []).append(item)
                yield False
            for slot in sorted(slots):
                waiting = sorted(slots.pop(slot), key=place_of, reverse=True)
                while waiting:
                    item = waiting.pop()
                    if item.alive and 0 != item.expire < now:
                        yield from self._run(route, f"event_route[{EXPIRED}{table.name}]", item)
                        if item.alive and item.expire < now:
                            table.remove(item.key)
                    yield False

    def _run(self, route: Route, title: str, item: Item) -> Iterator[bool]:
        run = process_run(self._world, self._world.timer_vars, title)
        run.extra = {RECORD: item}
        self._in_event = True
        self._world.perform(route, run, self._done)
        while self._in_event:
            yield True

    def _done(self, run: Run) -> None:
        """An event has come to its end; if it has waited, the timer goes on now."""
        self._in_event = False
        if self._stands_still:
            self._stands_still = False
            self._rests.start(self)


def process_run(world: World, vars: dict[str, int | str], title: str, kind: Routes = Routes.EVENT) -> Run:
    """A run of a block that has no client and no message of its own."""
    run = Run(world, vars, None, None)
    run.dispatcher = False
    run.route = title
    run.kind = kind
    return run
