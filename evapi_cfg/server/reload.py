"""The file is read again while the server runs: when SIGHUP comes, when `evapi-cfg.reload` asks, when it has changed.

A process of its own checks the file (server/checker.py), so a bad one costs this one nothing. What is left to do here
is to compile it, since functions cannot come from elsewhere: in slices of a millisecond or two, with as long for
messages behind each, and longer where there is much to do. A thread would get in their way: it may have Python's lock
and no processor.

The collector rests until the new program is in force, since what is being made would keep it busy. Then it looks at
what has been made in between, and at nothing else: a program goes by itself when nobody needs it any more
(compile/program.py: Ending). Only where many have stayed it looks at everything; scripts in other languages are what
it finds.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from weakref import ref

from evapi_cfg.check.elsewhere import Wanted
from evapi_cfg.modules.context import Level, Reload, World
from evapi_cfg.runtime.app import App, ConfigError
from evapi_cfg.runtime.reload import Prepared
from evapi_cfg.server.checker import Checker, CheckerFailed
from evapi_cfg.steps import Steps

SLICE: Final = 0.001  # seconds of compiling at a time; a step that takes longer is not cut
LATE: Final = 4  # behind a slice others have as long as it has taken, and so many times what it came too late
LONGEST_REST: Final = 0.05  # seconds
LOOK: Final = 1.0  # seconds between two looks at the files
SETTLED: Final = 0.2  # seconds in which a changed file must not change again
STAYED: Final = 64  # programs that are not in force and yet there, until the collector looks for them

Done = Callable[[Reload, float], None]
State = tuple[int, int, int] | None  # of a file: when it was written, its size, its inode; None: it is not there


class NotReloaded(Exception):
    """The file cannot take over; `faults` are what is wrong, each in one line."""

    def __init__(self, *faults: str) -> None:
        super().__init__(faults[0])
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Reloading:
    """How a file is read again. `wanted` is asked of the process that checks, and raises NotReloaded where there is
    nothing to read; `prepare` makes a program of its answer, and raises NotReloaded; `took_over` is told of each
    program that is in force. `files` are those that are watched; None: none are."""

    wanted: Callable[[], Wanted]
    prepare: Callable[[bytes], Steps[Prepared]]
    took_over: Callable[[Prepared], None]
    files: Callable[[], Iterable[str]] | None = None


class Reloader:
    """Reads the file of one app. One reading follows the other, and all that ask meanwhile get the next one."""

    def __init__(self, app: App, reloading: Reloading) -> None:
        self.refused = 0
        self.last_refusal: tuple[str, ...] = ()
        self._app = app
        self._reloading = reloading
        self._loop = asyncio.get_running_loop()
        self._under_way: list[Done] | None = None
        self._next: list[Done] | None = None
        self._stayed: list[ref[World]] = []
        self._most = STAYED
        self._began = 0.0
        self._closed = False
        self.checker = Checker()
        self.begins: Callable[[], None] = _nobody_minds  # called in front of each reading, and the other one behind it
        self.has_ended: Callable[[], None] = _nobody_minds
        app.program.world.reloads = self
        if reloading.files is not None:
            watch(reloading.files, self.begin, self._loop)

    def ask(self, done: Done) -> None:
        if self._closed:
            done(self._ended(), 0.0)
        elif self._under_way is None:
            self._under_way = [done]
            self._begin()
        elif self._next is None:
            self._next = [done]
        else:
            self._next.append(done)

    def begin(self) -> None:
        """As `ask`, where the log is all that is to be told."""
        self.ask(_nobody_waits)

    def _ended(self) -> Reload:
        return Reload(self._app.program.world.generation, faults=("the server ends",))

    def close(self) -> None:
        """Nothing takes over any more."""
        self._closed = True
        asked, self._next = self._next or [], None
        for done in asked:
            done(self._ended(), 0.0)
        self.checker.close()
        if self._under_way is not None:
            self._prepared(NotReloaded("the server ends"))

    def _begin(self) -> None:
        self._began = time.monotonic()
        self.begins()
        try:
            self.checker.ask(self._reloading.wanted(), self._answered)
        except NotReloaded as error:
            self._loop.call_soon(self._prepared, error)

    def _answered(self, answer: bytes | CheckerFailed) -> None:
        if isinstance(answer, CheckerFailed):
            self._prepared(NotReloaded(str(answer)))
            return
        gc.disable()
        self._slice(self._program(answer), time.monotonic())

    def _program(self, answer: bytes) -> Steps[Prepared]:
        return (yield from self._reloading.prepare(answer))

    def _slice(self, steps: Steps[Prepared], due: float) -> None:
        if self._closed:
            return
        began = time.monotonic()
        try:
            while (took := time.monotonic() - began) < SLICE:
                next(steps)
        except StopIteration as end:
            self._prepared(end.value)
        except Exception as error:
            self._prepared(error)
        else:
            rest = min(took + LATE * (began - due), LONGEST_REST)
            self._loop.call_later(rest, self._slice, steps, began + took + rest)

    def _prepared(self, made: Prepared | Exception) -> None:
        before = ref(self._app.program.world)
        try:
            if isinstance(made, Exception):
                raise made
            outcome = self._app.take_over(made)
        except NotReloaded as error:
            outcome = self._refuse(error.faults)
        except ConfigError as error:
            outcome = self._refuse(error.faults)
        except Exception as error:
            self._tell(Level.CRITICAL, "".join(traceback.format_exception(error)))
            outcome = self._refuse((f"a bug in evapi-cfg: {type(error).__name__}: {error}",))
        else:
            assert isinstance(made, Prepared)
            self._stayed.append(before)
            self.last_refusal = ()
            self._reloading.took_over(made)
            self._tell(Level.INFO, self._said(outcome))
            if outcome.kept:
                self._tell(Level.WARNING, f"only a restart changes this: {', '.join(outcome.kept)}")
        seconds = time.monotonic() - self._began
        self._app.engine.measures.reloaded(not outcome.faults)
        self.has_ended()
        asked, self._under_way = self._under_way or [], []
        for done in asked:
            done(outcome, seconds)
        self._loop.call_soon(self._collect)

    def _said(self, outcome: Reload) -> str:
        seconds = time.monotonic() - self._began
        return f"reloaded in {seconds * 1000:.0f} ms: {'; '.join(outcome.changed) or 'nothing has changed'}"

    def _refuse(self, faults: tuple[str, ...]) -> Reload:
        self.refused += 1
        self.last_refusal = faults
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        self._tell(Level.ERROR, f"not reloaded: {faults[0]}{more}; the old one goes on")
        return Reload(self._app.program.world.generation, faults=faults)

    def _tell(self, level: Level, text: str) -> None:
        self._app.log(level, "evapi", text)

    def _collect(self) -> None:
        """What reading the file has left."""
        gc.enable()
        gc.collect(0)
        self._stayed = [world for world in self._stayed if world() is not None]
        if len(self._stayed) > self._most:
            gc.collect()
            self._most = max(STAYED, 2 * sum(world() is not None for world in self._stayed))
        self._under_way, self._next = self._next, None
        if self._under_way is not None:
            self._begin()


def _nobody_minds() -> None:
    """Nothing is to be done."""


def _nobody_waits(outcome: Reload, seconds: float) -> None:
    """The log tells."""


# ---- watching -------------------------------------------------------------------------------------------------------


def state_of(path: str) -> State:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def watch(files: Callable[[], Iterable[str]], changed: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
    """Calls `changed` in the loop when one of the files has changed and does so no more. A thread of its own looks, as
    long as the process lives: a file system may take its time."""

    def look() -> None:
        known = {path: state_of(path) for path in files()}
        while True:
            time.sleep(LOOK)
            now = {path: state_of(path) for path in files()}
            if all(state == known.get(path, state) for path, state in now.items()):
                known = now
                continue
            while now != known:
                known = now
                time.sleep(SETTLED)
                now = {path: state_of(path) for path in known}
            try:
                loop.call_soon_threadsafe(changed)
            except RuntimeError:  # it has ended
                return

    threading.Thread(target=look, name="watch", daemon=True).start()
