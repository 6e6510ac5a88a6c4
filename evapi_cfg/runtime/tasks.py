"""Blocks of a script that run by themselves: those that wait are gone on with later, and a bug in one ends that one.

Rules that a script can see are in `modules` and `compile`; here is only how a Python function comes to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, cast

from evapi_cfg.compile.program import FILES, Route
from evapi_cfg.modules.context import Level, Pause, Run, ScriptOver, World
from evapi_cfg.modules.outside import Outcome
from evapi_cfg.source import Span

Waiting = Coroutine["Pause | Outcome[Any]", None, int]
Done = Callable[[Run], None]


class Task:
    """A run that waits: its coroutine, and what is to be done when it ends."""

    __slots__ = ("coroutine", "done", "run")

    def __init__(self, run: Run, coroutine: Waiting, done: Done) -> None:
        self.run = run
        self.coroutine = coroutine
        self.done = done


class Tasks:
    """Runs blocks of programs that come one after the other. `waiting` is how many runs wait for their time, or for
    something from outside."""

    def __init__(self, world: World) -> None:
        self.waiting = 0
        self.belong_to(world)

    def belong_to(self, world: World) -> None:
        """From now on this world's timers and log are used."""
        self.world = world
        world.perform = self.perform

    def perform(self, route: Route, run: Run, done: Done) -> None:
        """Runs a block; `done` is called when it has come to its end, now or later."""
        coroutine = self.start(route, run)
        if coroutine is None:
            done(run)
        else:
            self.go_on_later(run, coroutine, done)

    def start(self, route: Route, run: Run) -> Waiting | None:
        """Runs a block: None when it has come to its end, else what is to be gone on with."""
        try:
            outcome = route(run)
        except ScriptOver:
            return None
        except Exception as error:
            self.crashed(run, error)
            return None
        return None if isinstance(outcome, int) else cast(Waiting, outcome)

    def go_on_later(self, run: Run, coroutine: Waiting, done: Done) -> None:
        """Goes on with a run until it waits, and then again when its time has come or what it waits for is there."""
        self.waiting += 1
        self._step(Task(run, coroutine, done))

    def _step(self, task: Task) -> None:
        try:
            wanted = task.coroutine.send(None)
        except (StopIteration, ScriptOver):
            pass
        except Exception as error:
            self.crashed(task.run, error)
        else:
            if isinstance(wanted, Pause):
                self.world.timers.queue(wanted.seconds, self._step).start(task)
            else:
                wanted.go_on = partial(self._step, task)
            return
        self.waiting -= 1
        task.done(task.run)

    # ---- bugs

    def crashed(self, run: Run, error: Exception) -> None:
        run.crashed = True
        at, route = self._place_of(error.__traceback__)
        text = (
            f"a bug in evapi-cfg: {type(error).__name__}: {error} (this run of {run.route} ended, the server goes on)"
        )
        log = self.world.log
        if log.threshold >= Level.CRITICAL:
            log(Level.CRITICAL, "core", text, at, route)

    def _place_of(self, trace: TracebackType | None) -> tuple[Span | None, str]:
        """The line of the cfg and the route in which an exception arose."""
        found: Span | None = None
        route = ""
        while trace is not None:
            frame = trace.tb_frame
            files = frame.f_globals.get(FILES)
            if files is not None:
                code: Any = frame.f_code
                for file in files:
                    if file.name == code.co_filename:
                        start = file.line_start(trace.tb_lineno)
                        found, route = Span(file, start, start), code.co_name
                        break
            trace = trace.tb_next
        return found, route
