"""rtimer: routes that run again and again, in processes of their own or in that of Kamailio's slow timer
(modules/rtimer/rtimer_mod.c).

A process waits for the interval, runs its routes, and waits again: a route that takes long puts the next run off.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.forms import plain
from evapi_cfg.modules.parameters import parse_parameters, unsigned
from evapi_cfg.modules.ranges import readable
from evapi_cfg.modules.spec import ModuleSpec, Param
from evapi_cfg.modules.timer_process import Punctuality, TimerProcess, run_routes, slow_timer, take_over
from evapi_cfg.source import show
from evapi_cfg.values import Value

DEFAULT_INTERVAL: Final = 120
LONGEST_NAME: Final = 62  # bytes of a route's name (RTIMER_ROUTE_NAME_SIZE)
MOST_PROCESSES: Final = 1024  # of one timer: Kamailio fails to start far more
_SHORTEST: Final = 0.0001  # seconds: what a wait of a microsecond comes to at least


class Timer:
    """What `name=...;interval=...;mode=...` declares. `mode`: how many processes of its own it has; 0: none. `routes`
    are the names of those that it runs, the first one first. `interval` None: default_interval's number."""

    __slots__ = ("interval", "microseconds", "mode", "name", "routes")

    def __init__(self, name: str, interval: int | None, microseconds: bool, mode: int) -> None:
        self.name = name
        self.interval = interval
        self.microseconds = microseconds
        self.mode = mode
        self.routes: list[str] = []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timer) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    @property
    def seconds(self) -> float:
        interval = DEFAULT_INTERVAL if self.interval is None else self.interval
        return max(interval / 1_000_000 if self.microseconds else interval, _SHORTEST)


class Exec(NamedTuple):
    """What `timer=...;route=...` asks for; where the names begin in it."""

    timer: str
    route: str
    timer_at: int
    route_at: int


def declared(value: str) -> Timer:
    """The timer of a modparam `timer`. Raises ValueError where Kamailio refuses it."""
    name: str | None = None
    interval, mode, microseconds = 0, 0, False
    for parameter in parse_parameters(value):
        kind, text = parameter.name.lower(), parameter.value
        if kind == "name":
            name = text
        elif kind == "mode" and not mode:
            number = unsigned(text)
            if number is None:
                raise ValueError(f"the mode `{text}` is no number")
            if number > MOST_PROCESSES:
                raise ValueError(f"the mode is how many processes the timer has: {text} cannot be started")
            mode = number
        elif kind == "interval":
            if text[-1:] in ("u", "U"):
                text, microseconds = text[:-1], True
                mode = mode or 1
            number = unsigned(text)
            if number is None:
                raise ValueError(f"the interval `{text}` is no number: seconds, or microseconds with a `u` behind it")
            interval = number
    if name is None:
        raise ValueError("the timer's `name` is missing")
    return Timer(name, interval or None, microseconds, mode)


def asked(value: str) -> Exec:
    """What a modparam `exec` asks for. Raises ValueError where Kamailio refuses it. Without a `route` it is the whole
    text that Kamailio takes for the route's name."""
    timer: tuple[str, int] | None = None
    route = value.removesuffix(";"), 0
    for parameter in parse_parameters(value):
        kind = parameter.name.lower()
        if kind == "timer":
            timer = parameter.value, parameter.at
        elif kind == "route":
            route = parameter.value, parameter.at
    if timer is None:
        raise ValueError("the `timer` is missing")
    if len(route[0]) > LONGEST_NAME:
        raise ValueError(f"the route's name has more than {LONGEST_NAME} bytes")
    return Exec(timer[0], route[0], timer[1], route[1])


class _State:
    """All timers by their names in small letters, their processes, and the numbers of these by the place of their
    $var."""

    def __init__(self) -> None:
        self.timers: dict[str, Timer] = {}
        self.at_work: dict[str, list[_Worker]] = {}
        self.workers: dict[int, int] = {}


def _state(world: World) -> _State:
    found = world.state.get("rtimer")
    if not isinstance(found, _State):
        found = world.state["rtimer"] = _State()
    return found


def _set_timer(world: World, value: int | str) -> None:
    timer = declared(str(value))
    if timer.interval is None:
        timer.interval = max(world.int_param("rtimer", "default_interval", DEFAULT_INTERVAL), 0)
    timers = _state(world).timers
    if timer.name.lower() in timers:
        world.log(Level.ERROR, "rtimer", f"the timer {show(timer.name)!r} is declared twice")
    else:
        timers[timer.name.lower()] = timer


def _set_exec(world: World, value: int | str) -> None:
    """The route that is named last runs first."""
    wanted = asked(str(value))
    timer = _state(world).timers.get(wanted.timer.lower())
    if timer is None:
        world.log(Level.ERROR, "rtimer", f"there is no timer {show(wanted.timer)!r}")
    else:
        timer.routes.insert(0, wanted.route)


# ---- at work --------------------------------------------------------------------------------------------------------


class _Worker:
    """One process of a timer."""

    def __init__(self, world: World, timer: Timer, process: TimerProcess) -> None:
        self.process = process
        self._timer = timer
        self._punctuality = Punctuality(world, "rtimer", timer.name, timer.seconds)
        self._queue = world.timers.queue(timer.seconds, _Worker._begin)
        self._stopped = self._running = False
        self.belong_to(world)

    def belong_to(self, world: World) -> None:
        """From now on it runs the routes of this world, when it would have run those of the one before."""
        self._world = self._punctuality.world = world
        self._routes = [
            (name, route) for name in self._timer.routes if (route := world.later_route(name, "rtimer")) is not None
        ]

    def stop(self) -> None:
        """Runs no more; a run that waits comes to its end."""
        self._stopped = True
        self._queue.stop(self)
        if self._timer.mode:
            self._world.end_space(self.process.vars)

    def wait(self) -> None:
        self._running = False
        if self._stopped or not self._routes:
            return
        self._punctuality.waits()
        self._queue.start(self)

    def wait_again(self) -> None:
        """Waits, where it has had no routes and has some now."""
        if not self._running and self not in self._queue.items:
            self.wait()

    def _begin(self) -> None:
        self._punctuality.begins()
        self._running = True
        run_routes(self._world, self.process, self._routes, self.process.faked_request, self.wait)


def _start(world: World) -> None:
    for name in _state(world).timers:
        _begin(world, name)


def _begin(world: World, key: str) -> None:
    """The processes of a timer begin to wait."""
    state = _state(world)
    timer = state.timers[key]
    _tell_missing(world, timer)
    if not timer.mode:
        state.at_work[key] = [_Worker(world, timer, slow_timer(world))]
    else:
        state.at_work[key] = [_Worker(world, timer, TimerProcess(world.new_space())) for _ in range(timer.mode)]
        state.workers |= {id(worker.process.vars): number for number, worker in enumerate(state.at_work[key])}
    for worker in state.at_work[key]:
        worker.wait()


def _tell_missing(world: World, timer: Timer) -> None:
    for name in timer.routes:
        if world.later_route(name, "rtimer") is None:
            message = f"timer {show(timer.name)!r} runs nothing: there is no route {show(name)!r}"
            world.log(Level.WARNING, "rtimer", message)


def _reload(world: World, before: World) -> None:
    """A timer that is declared as before goes on as if nothing had happened; others begin anew, or end."""
    take_over(world, before)
    state, old = _state(world), _state(before)
    for key, timer in state.timers.items():
        if timer != old.timers.get(key):
            _begin(world, key)
            continue
        _tell_missing(world, timer)
        workers = state.at_work[key] = old.at_work.pop(key, [])
        for number, worker in enumerate(workers):
            if timer.mode:
                state.workers[id(worker.process.vars)] = number
            worker.belong_to(world)
            worker.wait_again()
    _stop(before)


def _stop(world: World) -> None:
    for workers in _state(world).at_work.values():
        for worker in workers:
            worker.stop()


def _worker_number(run: Run) -> Value:
    """Which of a timer's processes this is, counted from 0; 0 elsewhere, too."""
    return _state(run.world).workers.get(id(run.vars), 0)


MODULE = ModuleSpec(
    "rtimer",
    params=(
        Param("default_interval", int, DEFAULT_INTERVAL),
        Param("exec", str, check=readable(asked), set=_set_exec),
        Param("timer", str, check=readable(declared), set=_set_timer),
    ),
    pvs=(plain("rtimer_worker", _worker_number, nullable=False),),
    init=_state,
    start=_start,
    reload=_reload,
    stop=_stop,
    doc="routes that run again and again",
)
