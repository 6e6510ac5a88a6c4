"""Routes that run because time has passed, in processes of their own (core/timer_proc.c, core/timer.c).

What a script can see of such a process is here: its $var and the numbers of its messages. When its routes run is what
modules rtimer and timer say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from evapi_cfg.modules.context import Level, Route, Run, World, new_run
from evapi_cfg.modules.core_message import faked_request
from evapi_cfg.modules.routes import Routes
from evapi_cfg.sip.message import Message
from evapi_cfg.source import show

_SLOW: Final = "core.slow_timer"  # keys of World.state
_FAST: Final = "core.timer"
_LATE: Final = 0.1  # seconds
_LATE_LEAST: Final = 0.02  # what a busy machine makes of any timer now and then
_STAYING: Final = (
    "new_uri", "uri_q", "dst_uri", "path", "send_socket", "flags", "extra_flags", "branch_flags", "_branches",
)  # fmt: skip
_TOLD_EACH: Final = 60.0  # seconds between two lines about one timer


class TimerProcess:
    """One process. `vars` is its $var."""

    def __init__(self, vars: dict[str, int | str]) -> None:
        self.vars = vars
        self._messages = 1  # Kamailio has used up one at its start
        self._last: Message | None = None

    def faked_request(self) -> Message:
        """The made-up request, once more. Kamailio has but one in each process: the destinations and flags that a
        route gives it are still there in the next run (core/fmsg.c: faked_msg_build_next)."""
        self._messages += 1
        made, last = faked_request(self._messages), self._last
        if last is not None:
            for name in _STAYING:
                if (value := getattr(last, name)) is not None:
                    setattr(made, name, value)
        self._last = made
        return made


def slow_timer(world: World) -> TimerProcess:
    """The process of timers that may take their time: those of rtimer's mode 0 are among them."""
    return _process(world, _SLOW, world.new_space)


def fast_timer(world: World) -> TimerProcess:
    """The process that runs tm's timers, too."""
    return _process(world, _FAST, lambda: world.timer_vars)


def _process(world: World, key: str, vars: Callable[[], dict[str, int | str]]) -> TimerProcess:
    found = world.state.get(key)
    if not isinstance(found, TimerProcess):
        found = world.state[key] = TimerProcess(vars())
    return found


def take_over(world: World, before: World) -> None:
    """The processes live on, with their $var and their messages."""
    for key in (_SLOW, _FAST):
        if key in before.state:
            world.state[key] = before.state[key]


def run_routes(
    world: World,
    process: TimerProcess,
    routes: Sequence[tuple[str, Route]],
    message: Callable[[], Message],
    over: Callable[[], None],
    extra: dict[str, object] | None = None,
) -> None:
    """Runs blocks one after the other, each with a message of its own, and calls `over` behind the last one."""
    left = list(reversed(routes))

    def go_on(last: Run | None = None) -> None:
        if last is not None:
            for behind in world.after_request:
                behind(last)
        while left:
            name, route = left.pop()
            run = new_run(world, process.vars, message(), f"route[{name}]", Routes.REQUEST)
            if extra is not None:
                run.extra = dict(extra)
            if all(before(run) for before in world.before_request):
                world.perform(route, run, go_on)
                return
        over()

    go_on()


class Punctuality:
    """Whether a timer's runs begin when they should; the log tells of those that are late, once a minute at most."""

    def __init__(self, world: World, module: str, name: str, interval: float) -> None:
        self.world = world
        self._module = module
        self._name = name
        self._interval = interval
        self._late = max(min(interval / 2, _LATE), _LATE_LEAST)
        self._due = 0.0
        self._told: float | None = None
        self._count = 0
        self._worst = 0.0

    def waits(self) -> None:
        """A run is due when the interval has passed from now on."""
        self._due = self.world.clock.monotonic() + self._interval

    def begins(self) -> None:
        now = self.world.clock.monotonic()
        late = now - self._due
        if late <= self._late:
            return
        self._count += 1
        self._worst = max(self._worst, late)
        if self._told is not None and now - self._told < _TOLD_EACH:
            return
        runs = "a run" if self._count == 1 else f"{self._count} runs"
        began = "began" if self._count == 1 else "began up to"
        text = f"timer {show(self._name)!r}, every {self._interval:g} s: {runs} {began} {self._worst:.3f} s late"
        if self.world.log.threshold >= Level.WARNING:
            self.world.log(Level.WARNING, self._module, text)
        self._told = now
        self._count, self._worst = 0, 0.0
