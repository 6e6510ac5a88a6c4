"""The KSR table: what the loaded modules give to scripts, by room and name; and KSR.x.modf, which calls a function of
the cfg (core/kemi.c; app_lua_api.c: sr_kemi_lua_modf; python_msgobj.c: msg_call_function)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import lru_cache
from typing import Final, TypeAlias, cast
from weakref import proxy

from evapi_cfg.catalog import Catalog, kemi
from evapi_cfg.compile.program import Program, call_route
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.modules import by_name
from evapi_cfg.modules.context import Level, Run, ScriptOver
from evapi_cfg.modules.spec import FixupError, KemiFunction, ModuleSpec, NameRefused
from evapi_cfg.regex import RegexError

Room: TypeAlias = "dict[str, KemiFunction]"
CALLS_KEPT: Final = 256  # calls of KSR.x.modf that are kept compiled, at most this many
_OF_CORE: Final = ("pv", "hdr", "x")  # rooms that are there whatever is loaded


def rooms(modules: Iterable[ModuleSpec]) -> dict[str, Room]:
    """The functions of each room; those of KSR itself are in the room ""."""
    found: dict[str, Room] = {name: {} for name in ("", *_OF_CORE)}
    for module in modules:
        for function in module.kemi:
            room = module.name if function.room is None else function.room
            found.setdefault(room, {})[function.name] = function
    return found


def why_missing(room: str, name: str, loaded: Iterable[str]) -> str:
    """What to say about KSR.<room>.<name>, which is not there; `room` "" for KSR.<name>, be it a room or a function."""
    path = f"{room}.{name}" if room else name
    found = kemi.by_path().get(path)
    if found is not None:
        modules = [export.module for export in found]
        if not any(module in loaded for module in modules) and modules != ["core"]:
            return f"there is no KSR.{path}, for module {modules[0]} is not loaded"
        return f"KSR.{path} of module {modules[0]} does not run here"
    if room:
        near = did_you_mean(name, [export.name for export in kemi.exports() if export.room == room], f"KSR.{room}.{{}}")
        return f"KSR.{room} has no function {name!r}" + (f": {near}" if near else "")
    modules = list(kemi.rooms().get(name, ())) or ([name] if name in by_name or Catalog().known(name) else [])
    if not modules:
        near = did_you_mean(name, [*kemi.rooms(), *(export.name for export in kemi.exports() if not export.room)])
        return f"KSR has nothing by the name {name!r}" + (f": {near}" if near else "")
    if not any(module in loaded for module in modules):
        return f"there is no KSR.{name}, for module {modules[0]} is not loaded"
    return f"there is no KSR.{name}: module {modules[0]} gives scripts nothing here"


class NoSuchFunction(Exception):
    """KSR.x.modf: no loaded module has the function, or it does not take these arguments; the message says which."""


class Modf:
    """KSR.x.modf: the texts that it gets are read as arguments that stand in quotes in a cfg."""

    def __init__(self, program: Program) -> None:
        self._program = program
        me = proxy(self)

        @lru_cache(CALLS_KEPT)
        def compiled(name: str, texts: tuple[str, ...]) -> Callable[[Run], int]:
            made: Callable[[Run], int] = me._compile(name, texts)
            return made

        self._compiled = compiled

    def __call__(self, run: Run, name: str, *texts: str) -> int:
        """The function's code; raises NoSuchFunction."""
        route = self._compiled(name, texts)
        over = run.over
        try:
            code = route(run)
        except ScriptOver:
            code = 0
        run.over = over
        return code

    def _compile(self, name: str, texts: tuple[str, ...]) -> Callable[[Run], int]:
        found = self._program.names.functions.get((name, len(texts)))
        if found is None or found[0].name == "core":
            raise NoSuchFunction(f"no loaded module has a function {name} with {len(texts)} arguments")
        function = found[1]
        if function.waits:
            return _cannot_wait(name)
        try:
            route = call_route(self._program, name, texts)
        except (FixupError, NameRefused) as error:
            raise NoSuchFunction(f"{name}: {error.message}") from None
        except RegexError as error:
            raise NoSuchFunction(f"{name}: {error}") from None
        return _at_once(name, route)


def _cannot_wait(name: str) -> Callable[[Run], int]:
    def refuse(run: Run) -> int:
        run.log(Level.ERROR, "core", f"KSR.x.modf: {name} would stop the whole server: a script cannot wait")
        return -1

    return refuse


def _at_once(name: str, route: Callable[[Run], int | Awaitable[int]]) -> Callable[[Run], int]:
    """A function that runs a route, which may be one that waits."""

    def run_now(run: Run) -> int:
        outcome = route(run)
        if isinstance(outcome, int):
            return outcome
        going = cast("Coroutine[object, None, int]", outcome)
        try:
            going.send(None)
        except StopIteration as end:
            return int(end.value)
        going.close()
        return _cannot_wait(name)(run)

    return run_now
