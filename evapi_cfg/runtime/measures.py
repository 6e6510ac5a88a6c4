"""What is counted while a program runs, and how long its blocks take.

Counters that cost nothing to keep are always there. To time each run and to count what is relayed costs two readings of
a clock and a call for each: only where somebody asks for it before the program begins (`Measures.timed`), and nothing
otherwise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from weakref import proxy

from evapi_cfg.compile.program import Route
from evapi_cfg.modules.context import Run, World
from evapi_cfg.modules.rpc import Answer
from evapi_cfg.modules.tm.core import Tm
from evapi_cfg.runtime.hub import EventHub
from evapi_cfg.runtime.log import NAMES, LogWriter, level_name
from evapi_cfg.runtime.tasks import Tasks, Waiting
from evapi_cfg.source import show

if TYPE_CHECKING:
    from evapi_cfg.runtime.engine import Engine

FIRST: Final = 10  # the first bound is 2 ** FIRST nanoseconds, a microsecond; each further one is twice the one before
LAST: Final = 34  # 17 seconds
BOUNDS: Final = tuple((1 << power) / 1e9 for power in range(FIRST, LAST + 1))  # seconds
_ROUTES: Final = 1024  # names that are told apart; what a script in another language is asked to run may have any


class Histogram:
    """How often something took how long. `slots[n]` counts what took less than 2 ** n nanoseconds and not less than
    half of it: to find the slot is one step, however many there are."""

    __slots__ = ("nanoseconds", "slots")

    def __init__(self) -> None:
        self.slots = [0] * 65
        self.nanoseconds = 0

    def add(self, nanoseconds: int) -> None:
        self.slots[nanoseconds.bit_length()] += 1
        self.nanoseconds += nanoseconds

    @property
    def count(self) -> int:
        return sum(self.slots)

    @property
    def seconds(self) -> float:
        """In all."""
        return self.nanoseconds / 1e9

    def up_to(self) -> list[int]:
        """How often it took no longer than each of BOUNDS."""
        found = []
        total = sum(self.slots[:FIRST])
        for power in range(FIRST, LAST + 1):
            total += self.slots[power]
            found.append(total)
        return found

    def slowest(self) -> float:
        """Seconds that nothing took longer than."""
        return next((float(1 << power) / 1e9 for power in range(64, 0, -1) if self.slots[power]), 0.0)


class Relays(NamedTuple):
    """How often something was sent to all, to all with a tag, to the first with a tag; of them, how often it reached
    nobody."""

    relay: int
    multicast: int
    unicast: int
    unheard: int


class Measures:
    """Counters of one server, which outlive its programs. `timed`: whether runs are timed, and relays counted."""

    def __init__(self, *, timed: bool = False) -> None:
        self.timed = timed
        self.connections = 0
        self.cut = 0
        self.refused = {"max_clients": 0}
        self.reloads = {"done": 0, "failed": 0}
        self.routes: dict[str, Histogram] = {}
        self.relays: Callable[[], Relays] = lambda: Relays(0, 0, 0, 0)
        self.loop_lag = Histogram()
        self.latest_lag: float | None = None  # seconds

    def of_route(self, title: str) -> Histogram:
        found = self.routes.get(title)
        if found is None:
            found = Histogram()
            if len(self.routes) < _ROUTES:
                self.routes[title] = found
        return found

    def woke_up(self, late: int) -> None:
        """The event loop did so, that many nanoseconds too late."""
        self.loop_lag.add(late)
        self.latest_lag = late / 1e9

    def reloaded(self, done: bool) -> None:
        """The file was read again, and taken or not."""
        self.reloads["done" if done else "failed"] += 1

    def watch(self, world: World) -> None:
        """Times the routes that t_continue runs: they run inside of others, see modules/tm/suspend.py."""
        if not self.timed:
            return
        home, known = proxy(world), dict[str, tuple[Route, Route]]()  # a world must not keep itself

        def resumed_route(name: str) -> Route | None:
            route = World.resumed_route(home, name)
            if route is None:
                return None
            found = known.get(name)
            if found is None or found[0] is not route:
                title = f"route[{name}]" if home.script_route is None else name
                found = (route, timed(route, self.of_route(title)))
                if len(known) < _ROUTES:
                    known[name] = found
            return found[1]

        world.resumed_route = resumed_route  # type: ignore[method-assign]


# ---- timing ---------------------------------------------------------------------------------------------------------


def timed(route: Route, histogram: Histogram) -> Route:
    """The route with each of its runs timed; where it waits, up to its end."""
    clock, slots = perf_counter_ns, histogram.slots

    def run_timed(run: Run) -> int | Awaitable[int]:
        began = clock()
        try:
            outcome = route(run)
        except BaseException:
            histogram.add(clock() - began)
            raise
        if not isinstance(outcome, int):
            return _to_its_end(outcome, histogram, began)
        took = clock() - began
        slots[took.bit_length()] += 1
        histogram.nanoseconds += took
        return outcome

    return run_timed


class InRow:
    """A route whose runs follow each other closely, as the messages of one read do: the end of one is the beginning of
    the next, so that the clock is read once for each. `begin` is to be called in front of the first one."""

    def __init__(self, route: Route, histogram: Histogram) -> None:
        clock, slots = perf_counter_ns, histogram.slots
        began = 0

        def begin() -> None:
            nonlocal began
            began = clock()

        def run_timed(run: Run) -> int | Awaitable[int]:
            nonlocal began
            try:
                return route(run)
            finally:
                now = clock()
                took = now - began
                began = now
                slots[took.bit_length()] += 1
                histogram.nanoseconds += took

        self.begin = begin
        self.route: Route = run_timed


async def _to_its_end(outcome: Awaitable[int], histogram: Histogram, began: int) -> int:
    try:
        return await outcome
    finally:
        histogram.add(perf_counter_ns() - began)


class TimedTasks(Tasks):
    """Runs blocks and times them."""

    def __init__(self, world: World, measures: Measures) -> None:
        super().__init__(world)
        self._measures = measures

    def start(self, route: Route, run: Run) -> Waiting | None:
        began = perf_counter_ns()
        coroutine = super().start(route, run)
        histogram = self._measures.of_route(run.route)
        if coroutine is not None:
            return cast(Waiting, _to_its_end(coroutine, histogram, began))
        histogram.add(perf_counter_ns() - began)
        return None


def count_relays(hub: EventHub, measures: Measures) -> None:
    """From now on what is relayed through a hub is counted."""
    relay, multicast, unicast = hub.relay, hub.multicast, hub.unicast
    relays = multicasts = unicasts = unheard = 0  # names of a closure cost the least

    def counted_relay(data: str) -> int:
        nonlocal relays, unheard
        relays += 1
        if reached := relay(data):
            return reached
        unheard += 1
        return 0

    def counted_multicast(data: str, tag: str) -> int:
        nonlocal multicasts, unheard
        multicasts += 1
        if reached := multicast(data, tag):
            return reached
        unheard += 1
        return 0

    def counted_unicast(data: str, tag: str) -> int:
        nonlocal unicasts, unheard
        unicasts += 1
        if reached := unicast(data, tag):
            return reached
        unheard += 1
        return 0

    before = measures.relays()
    measures.relays = lambda: Relays(
        before.relay + relays, before.multicast + multicasts, before.unicast + unicasts, before.unheard + unheard
    )
    hub.relay, hub.multicast, hub.unicast = counted_relay, counted_multicast, counted_unicast  # type: ignore[method-assign]


# ---- what is told ---------------------------------------------------------------------------------------------------


def _of_clients(hub: EventHub) -> dict[str, Answer]:
    traffic = hub.traffic()
    queued, waiting = hub.waiting()
    return {
        "received_messages": traffic.received,
        "received_bytes": traffic.received_bytes,
        "sent_messages": traffic.sent,
        "sent_bytes": traffic.sent_bytes,
        "queued_bytes": queued,
        "waiting_messages": waiting,
    }


def _log_lines(log: object) -> dict[str, Answer]:
    found: dict[str, Answer] = dict.fromkeys(NAMES.values(), 0)
    if isinstance(log, LogWriter):
        for level, count in log.lines.items():
            found[level_name(level)] = cast(int, found[level_name(level)]) + count
    return found


def _of_route(title: str, histogram: Histogram | None, errors: int) -> dict[str, Answer]:
    found: dict[str, Answer] = {"route": show(title), "errors": errors}
    if histogram is not None:
        found |= {"runs": histogram.count, "seconds": histogram.seconds, "slowest": histogram.slowest()}
    return found


def snapshot(engine: Engine) -> dict[str, Answer]:
    """All that is counted, as `evapi-cfg.metrics` answers it: numbers since the start, and what there is now. Bytes are
    those of frames, times are seconds."""
    measures, world, hub = engine.measures, engine.world, engine.hub
    log, tm = world.log, world.state.get("tm")
    errors = log.errors if isinstance(log, LogWriter) else {}
    found: dict[str, Answer] = {
        "uptime": max(world.clock.now() - world.started, 0.0),
        "clients": len(hub.clients),
        "max_clients": hub.limit,
        "connections": measures.connections,
        **_of_clients(hub),
        "refused": dict(measures.refused),
        "cut": measures.cut,
        "sip_messages": engine.requests.counted,
        "reloads": dict(measures.reloads),
        "log_lines": _log_lines(world.log),
        "loop_lag": measures.latest_lag,
        "timed": measures.timed,
    }
    if isinstance(tm, Tm):
        counts = tm.counts
        found |= {
            "parked": counts.parked,
            "parked_in_all": counts.suspended,
            "resumed": counts.resumed,
            "expired": counts.expired,
        }
    if measures.timed:
        relay, multicast, unicast, unheard = measures.relays()
        found["relays"] = {"relay": relay, "multicast": multicast, "unicast": unicast}
        found["relays_unheard"] = unheard
    titles = dict.fromkeys((*measures.routes, *errors))
    found["routes"] = [_of_route(title, measures.routes.get(title), errors.get(title, 0)) for title in titles]
    return found
