"""timer: routes that run every so many milliseconds, and that a script switches on and off (modules/timer/timer.c)."""

from __future__ import annotations

import re
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.parameters import unsigned
from evapi_cfg.modules.ranges import readable
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, ModuleSpec, Param, Select, Selected, SelectPath
from evapi_cfg.modules.timer_process import Punctuality, fast_timer, run_routes, slow_timer, take_over
from evapi_cfg.sip.message import Message, made_here
from evapi_cfg.source import Span, show
from evapi_cfg.values import Value, leading_number

LONGEST_NAME: Final = 62  # bytes of a route's name (TIMER_ROUTE_NAME_SIZE)
_TICKS: Final = 16  # a second has so many, and time passes in whole ones (core/timer_ticks.h)
_REQUEST: Final = made_here("GET /timer HTTP/0.9\r\nUser-Agent: internal\r\n\r\n")
_NAME: Final = re.compile(r"[A-Za-z0-9_]+")
_BLANK: Final = " \t"
_EXECUTED: Final = "timer"  # key of Run.extra: the name of the timer that the run is about


class Declared:
    """What `name=route,milliseconds,slow|fast,enable` declares; where the route's name begins in it."""

    __slots__ = ("enabled", "fast", "milliseconds", "name", "route", "route_at")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Declared) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__ if name != "route_at"
        )

    def __init__(self, text: str) -> None:
        """Raises ValueError where Kamailio refuses the text."""
        name = _NAME.match(text)
        if name is None or text[name.end() : name.end() + 1] != "=":
            raise ValueError("it begins with a name of letters, digits and `_`, and `=` follows")
        self.name = name[0]
        parts = [part.strip(_BLANK) for part in text[name.end() + 1 :].split(",")]
        self.route = parts[0]
        if not self.route:
            raise ValueError("the route's name is missing")
        if len(self.route) > LONGEST_NAME:
            raise ValueError(f"the route's name has more than {LONGEST_NAME} bytes")
        self.route_at = text.index(self.route, name.end())
        interval = unsigned(parts[1]) if len(parts) > 1 and parts[1] else None
        if interval is None:
            raise ValueError("the interval in milliseconds follows the route's name")
        self.milliseconds = interval
        speed = parts[2].lower() if len(parts) > 2 else ""
        if speed not in ("", "slow", "fast"):
            raise ValueError(f"`{parts[2]}` is neither `slow` nor `fast`")
        self.fast = speed == "fast"
        enabled = parts[3].lower() if len(parts) > 3 else ""
        if enabled not in ("", "enable"):
            raise ValueError(f"`{parts[3]}` is not `enable`")
        self.enabled = bool(enabled)

    @property
    def seconds(self) -> float:
        """The interval in whole ticks, at least one."""
        return max((self.milliseconds * _TICKS + 999) // 1000, 1) / _TICKS


class _Timer:
    """A timer at work. It is switched off at its next run, not before (timer_enable_helper, timer_handler)."""

    def __init__(self, world: World, declared: Declared) -> None:
        self.name = declared.name
        self.enabled = declared.enabled
        self.active = False
        self.declared = declared
        self._ending = False
        self._stopped = False
        self._told = False  # that its route is missing
        self._punctuality = Punctuality(world, "timer", declared.name, declared.seconds)
        self._queue = world.timers.queue(declared.seconds, _Timer._begin)
        self.belong_to(world)

    def belong_to(self, world: World) -> None:
        """From now on it runs the route of this world."""
        self._world = self._punctuality.world = world
        self._told = False

    def stop(self) -> None:
        """Runs no more; a run that waits comes to its end."""
        self._stopped = True
        self._queue.stop(self)

    def enable(self, on: bool) -> None:
        if self.active:
            self._ending = not on
        elif on:
            self.active = True
            self._ending = False
            self._wait()

    def _wait(self) -> None:
        if self._stopped:
            return
        self._punctuality.waits()
        self._queue.start(self)

    def _begin(self) -> None:
        if self._ending:
            self._over()
            return
        self._punctuality.begins()
        world, name = self._world, self.declared.route
        route = world.later_route(name, "timer")
        if route is None:
            if not self._told:
                self._told = True
                message = f"timer {show(self.name)!r} runs nothing: there is no route {show(name)!r}"
                world.log(Level.WARNING, "timer", message)
            self._over()
            return
        process = fast_timer(world) if self.declared.fast else slow_timer(world)
        number = _State.of(world).next_number(self.declared.fast)
        run_routes(world, process, [(name, route)], lambda: _request(number), self._over, {_EXECUTED: self.name})

    def _over(self) -> None:
        if self._ending:
            self._ending = self.active = False
        else:
            self._wait()


def _request(number: int) -> Message:
    message = _REQUEST.fresh()
    message.number = number
    return message


class _State:
    """All timers by name. `messages` counts those of the slow and of the fast process."""

    def __init__(self) -> None:
        self.timers: dict[str, _Timer] = {}
        self._messages = [0, 0]

    def count_on(self, before: _State) -> None:
        """The processes' messages are counted on."""
        self._messages = before._messages

    def next_number(self, fast: bool) -> int:
        self._messages[fast] += 1
        return self._messages[fast]

    @staticmethod
    def of(world: World) -> _State:
        found = world.state.get("timer")
        if not isinstance(found, _State):
            found = world.state["timer"] = _State()
        return found


def _declare(world: World, value: int | str) -> None:
    declared = Declared(str(value))
    timers = _State.of(world).timers
    if declared.name in timers:
        world.log(Level.ERROR, "timer", f"the timer {declared.name!r} is declared twice")
    else:
        timers[declared.name] = _Timer(world, declared)


def _start(world: World) -> None:
    for timer in _State.of(world).timers.values():
        if timer.enabled:
            timer.enable(True)


def _reload(world: World, before: World) -> None:
    """A timer that is declared as before goes on as if nothing had happened, switched on or off as it is; others begin
    anew, or end."""
    take_over(world, before)
    state, old = _State.of(world), _State.of(before)
    state.count_on(old)
    for name, timer in state.timers.items():
        known = old.timers.get(name)
        if known is not None and known.declared == timer.declared:
            known.belong_to(world)
            state.timers[name] = known
        elif timer.enabled:
            timer.enable(True)
    for name, known in old.timers.items():
        if state.timers.get(name) is not known:
            known.stop()


def _stop(world: World) -> None:
    for timer in _State.of(world).timers.values():
        timer.stop()


def _enable(run: Run, name: str, on: str | int, at: Span | None = None) -> int:
    timer = _State.of(run.world).timers.get(name)
    if timer is None:
        run.log(Level.ERROR, "timer", f"timer_enable: there is no timer {show(name)!r}", at)
        return -1
    timer.enable(bool(leading_number(on.lstrip()) if isinstance(on, str) else on))
    return 1


# ---- @timer ---------------------------------------------------------------------------------------------------------


def _select(path: SelectPath) -> Selected | None:
    """@timer.executed, and @timer.timer.NAME.enabled."""
    if path == ("executed",):
        return Selected(_executed)
    if len(path) == 3 and path[0] == "timer" and path[2] == "enabled":
        name = str(path[1])

        def enabled(run: Run) -> Value:
            timer = _State.of(run.world).timers.get(name)
            return None if timer is None else "1" if timer.active else "0"

        return Selected(enabled)
    return None


def _executed(run: Run) -> Value:
    found = run.extra.get(_EXECUTED) if run.extra else None
    return found if isinstance(found, str) else None


MODULE = ModuleSpec(
    "timer",
    functions=(Function("timer_enable", _enable, (Arg.LITERAL, Arg.LITERAL), at=True),),
    params=(Param("declare_timer", str, check=readable(Declared), set=_declare),),
    selects=(Select("timer", _select),),
    kemi=(KemiFunction("timer_enable", _enable, (str, int), at=True),),
    init=_State.of,
    start=_start,
    reload=_reload,
    stop=_stop,
    doc="routes that run every so many milliseconds",
)
