"""Scripts in Lua: how they are loaded, and how their functions are called (app_lua: app_lua_api.c, app_lua_mod.c).

All scripts of a cfg share one state, whose global functions are what is called; what lua_dofile and lua_dostring run
has a state of its own, as in Kamailio. Lua comes from the package lupa, in the version that Kamailio is mostly built
with (5.1). Loading runs the script's code.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any, Final

from evapi_cfg.kemi.ksr import Modf, NoSuchFunction, Room, why_missing
from evapi_cfg.kemi.lua_ksr import PRELUDE, bound, number_text
from evapi_cfg.kemi.place import Files, Here
from evapi_cfg.kemi.script_error import ScriptError, read_script
from evapi_cfg.modules.context import Level, Route, Run, World
from evapi_cfg.source import Span, show

SOURCE: Final = "app_lua"
EXIT: Final = "~~ksr~exit~~"  # what KSR.x.exit raises (app_lua_api.c: _sr_kemi_lua_exit_string)
_VERSION: Final = "2.0"  # KSRVERSION
_CLOCK_EVERY: Final = 100_000  # instructions of Lua between two looks at the clock
_LONGEST: Final = 1023  # characters of what lua_run and its like get, app_lua_mod.c: LUA_BUF_STACK_SIZE
_PLACE: Final = re.compile(r"([^\n]*?):([0-9]+): ")
_TRACE: Final = re.compile(r"\n\t([^\n]*?):([0-9]+): ")


def import_lua() -> Any:
    """The module of lupa that has the Lua to run; raises ScriptError where there is none."""
    for name in ("lupa.lua51", "lupa"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ScriptError(
        "scripts in Lua need the Python package lupa, which is not installed", None, "pip install 'evapi-cfg[lua]'"
    )


class LuaTimeout(Exception):
    """Raised in a script that has run for too long."""


class LuaScript:
    """The scripts of one cfg. Raises ScriptError where lupa is not there."""

    def __init__(
        self, world: World, rooms: dict[str, Room], modf: Modf, loaded: tuple[str, ...], callback_timeout: float
    ) -> None:
        self._lupa = import_lua()
        self._world = world
        self._rooms = rooms
        self._modf = modf
        self._loaded = loaded
        self._seconds = callback_timeout
        self._deadline = 0.0
        self._files = Files()
        self._paths: list[tuple[str, str]] = []  # of the scripts, in the order in which they are run
        self.here = Here(world, self._place)
        self._names: dict[str, str] = {}  # of chunks, to those of files
        self._missing = ("", "")  # what of KSR the script has asked for last that is not there, as a room and a name
        self._state: Any = None
        self._globals: Any = None
        self._info: Any = None
        self._apart: Any = None

    # ---- loading

    def load(self, path: str, shown: str, text: bytes) -> None:
        """Runs one script. `shown`: the name that the cfg gives it, which Lua has in its messages. Raises
        ScriptError."""
        self._paths.append((path, shown))
        self._run(path, shown, text)

    def _run(self, path: str, shown: str, text: bytes) -> None:
        state = self._state_of_scripts()
        self._files.add(path, text.decode("latin-1"))
        self._names[shown] = path
        try:
            chunk = state.compile(_without_first_line(text), name="@" + shown)
            self._timed(chunk)
        except (self._lupa.LuaError, LuaTimeout) as error:
            raise ScriptError(*self._explained(error)) from None

    def _state_of_scripts(self) -> Any:
        if self._state is None:
            self._state = self._new_state()
            self._globals = self._state.globals()
            self._info = self._globals.debug.getinfo
        return self._state

    def _new_state(self) -> Any:
        runtime = self._lupa.LuaRuntime(
            encoding="latin-1", source_encoding="latin-1", register_eval=False, register_builtins=False
        )
        globals_ = runtime.globals()
        put, watch, missing, leave = runtime.execute(PRELUDE)
        ksr = globals_.KSR = runtime.table()
        for room, functions in self._rooms.items():
            table = ksr
            if room:
                table = ksr[room] = runtime.table()
            for name, function in functions.items():
                put(table, name, bound(function, room, self.here))
            missing(table, room, self._note_missing)
        put(ksr.x, "modf", self._call_modf)
        put(ksr.x, "probe", _nothing)
        leave(ksr.x, EXIT, self._set_drop)
        globals_.KSRVERSION = _VERSION
        if self._seconds > 0:
            watch(self._check_time, _CLOCK_EVERY, self._is_overdue)
        return runtime

    def _set_drop(self) -> None:
        if self.here.run is not None:
            self.here.run.dropped = True

    def _note_missing(self, room: str, name: object) -> None:
        if isinstance(name, str):
            self._missing = room, name

    # ---- calling

    def route(self, name: str, *arguments: str, required: bool = True) -> Route:
        """A global function as a route. Where there is none of that name, that is an error if it is `required`, else
        nothing happens."""

        def run_function(run: Run) -> int:
            function = self._function(name)
            if function is not None:
                self.call_script(run, name, function, arguments)
            elif required:
                self._tell_missing(run, name)
            return 1

        return run_function

    def has(self, name: str) -> bool:
        return self._function(name) is not None

    def _function(self, name: str) -> Any:
        found = None if self._globals is None else self._globals[name]
        return found if self._lupa.lua_type(found) == "function" else None

    def _tell_missing(self, run: Run, name: str) -> None:
        what = "no script is loaded" if self._state is None else "the scripts have no global function of that name"
        run.log(Level.ERROR, SOURCE, f"{show(name)!r} cannot be run: {what}")

    def call(self, run: Run, name: str, *texts: str) -> int:
        if self._too_long(run, "lua_run", (name, *texts)):
            return -1
        function = self._function(name)
        if function is None:
            self._tell_missing(run, name)
            return -1
        return 1 if self.call_script(run, name, function, texts) else -1

    def names(self) -> list[str]:
        return [shown for _path, shown in self._paths]

    def run_again(self, number: int | None = None) -> None:
        for path, shown in self._paths if number is None else self._paths[number : number + 1]:
            try:
                self._run(path, shown, read_script(path))
            except ScriptError as error:
                self._world.log(Level.ERROR, SOURCE, f"{shown} is not loaded again: {error.message}", error.at)

    def run_text(self, run: Run, what: str, text: str) -> int:
        if self._too_long(run, what, (text,)):
            return -1
        if what == "lua_runstring" and self._state is None:
            run.log(Level.ERROR, SOURCE, "lua_runstring: no script is loaded")
            return -1
        if self._apart is None:
            self._apart = self._new_state()
        state = self._state if what == "lua_runstring" else self._apart
        try:
            if what == "lua_dofile":
                return 1 if self.call_script(run, what, state.globals().dofile, (text,)) else -1
            chunk = state.compile(text, name=text)
        except self._lupa.LuaError as error:
            self._failed(run, what, error)
            return -1
        return 1 if self.call_script(run, what, chunk, ()) else -1

    def _too_long(self, run: Run, what: str, texts: tuple[str, ...]) -> bool:
        for text in texts:
            if len(text) >= _LONGEST:
                run.log(
                    Level.ERROR, SOURCE, f"{what}: a text of {len(text)} characters; fewer than {_LONGEST} are taken"
                )
                return True
        return False

    def call_script(self, run: Run, name: str, function: Callable[..., object], arguments: tuple[str, ...]) -> bool:
        """Whether the function came to its end, or ended the run by itself."""
        here = self.here
        before = here.run
        here.run = run
        self._missing = ("", "")
        try:
            if before is None:
                self._timed(function, *arguments)
            else:
                function(*arguments)
            return True
        except KeyboardInterrupt:
            raise
        except Exception as error:
            if isinstance(error, self._lupa.LuaError) and str(error).partition("\n")[0] == EXIT:
                return True
            self._failed(run, name, error)
            return False
        finally:
            here.run = before

    def _timed(self, function: Callable[..., object], *arguments: object) -> None:
        if self._seconds > 0:
            self._deadline = self._world.clock.monotonic() + self._seconds
        function(*arguments)

    def _is_overdue(self) -> bool:
        return self._world.clock.monotonic() > self._deadline

    def _check_time(self, *_: object) -> None:
        if self._is_overdue():
            raise LuaTimeout

    def _call_modf(self, *arguments: object) -> int:
        run = self.here.run
        if run is None:
            return -1
        texts: list[str] = []
        for value in arguments:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                run.log(Level.ERROR, SOURCE, "KSR.x.modf: texts are taken, and numbers", self.here.span)
                return -1
            texts.append((value if isinstance(value, str) else number_text(value)).partition("\0")[0])
        if not texts:
            run.log(Level.ERROR, SOURCE, "KSR.x.modf: the name of a function is missing", self.here.span)
            return -1
        try:
            return self._modf(run, *texts)
        except NoSuchFunction as error:
            run.log(Level.ERROR, SOURCE, f"KSR.x.modf: {error}", self.here.span)
            return -1

    # ---- what goes wrong

    def _failed(self, run: Run, name: str, error: Exception) -> None:
        message, at = self._explained(error)
        level = Level.ERROR
        if isinstance(error, LuaTimeout):
            what = (
                f"{show(name)} ran for more than {self._seconds:g} seconds and was stopped: nobody else is served "
                "meanwhile; --callback-timeout sets how long it may take"
            )
        elif not isinstance(error, self._lupa.LuaError):
            level = Level.CRITICAL
            what = f"{show(name)}: a bug in evapi-cfg: {message} (this run ended, the server goes on)"
        else:
            what = f"{show(name)} has failed, the server goes on: {message}"
        run.log(level, SOURCE, what, at)

    def _explained(self, error: Exception) -> tuple[str, Span | None]:
        """What an error says, and its place in a script."""
        if not isinstance(error, self._lupa.LuaError):
            return f"{type(error).__name__}: {error}", None
        text, _, trace = str(error).partition("\nstack traceback:")
        place = _PLACE.match(text)
        at = None
        if place is not None:
            at = self._span(place[1], int(place[2]))
            if at is not None:
                text = text[place.end() :]
        if at is None:
            places = (self._span(found[1], int(found[2])) for found in _TRACE.finditer(trace))
            at = next((found for found in places if found is not None), None)
        room, name = self._missing
        if name and f"'{name}' (a nil value)" in text:
            text = f"{text}: {why_missing(room, name, self._loaded)}"
        return text or "it has raised a value that is no text", at

    def _span(self, chunk: str, line: int) -> Span | None:
        name = self._names.get(chunk)
        if name is None and chunk.startswith("..."):  # Lua shows the end of a long name
            name = next((path for shown, path in self._names.items() if shown.endswith(chunk[3:])), None)
        return None if name is None else self._files.span(name, line)

    def _place(self) -> Span | None:
        """Where the script is that is calling something just now."""
        for level in range(1, 6):
            found = None if self._info is None else self._info(level, "Sl")
            if found is None:
                return None
            if found.currentline > 0:
                return self._span(found.short_src, found.currentline)
        return None


def _nothing(*_: object) -> None:
    """KSR.x.probe()."""


def _without_first_line(text: bytes) -> bytes:
    """A first line that begins with # is none of Lua's (lauxlib.c: luaL_loadfile); its line end stays."""
    if text[:1] != b"#":
        return text
    end = text.find(b"\n")
    return b"" if end < 0 else text[end:]
