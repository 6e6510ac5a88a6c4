"""app_lua: scripts in Lua (modules/app_lua). What loads and runs them is handed in: `World.scripts`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run, Script
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.rpc import RpcCall, RpcCommand, RpcFault
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, ModuleSpec, Param
from evapi_cfg.source import Span

NAME: Final = "app_lua"


def _script(run: Run, at: Span) -> Script | None:
    script = run.world.scripts.get(NAME)
    if script is None:
        run.log(Level.ERROR, NAME, "there is no Lua to run anything", at)
    return script


def _lua_run(run: Run, function: str, *parameters: str, at: Span) -> int:
    """Calls a global function of the loaded scripts, whose values nobody looks at: 1, or -1 where it fails."""
    script = _script(run, at)
    return -1 if script is None else script.call(run, function, *parameters)


def _runner(what: str) -> Callable[[Run, str, Span], int]:
    def run_text(run: Run, text: str, at: Span) -> int:
        script = _script(run, at)
        return -1 if script is None else script.run_text(run, what, text)

    return run_text


_lua_dostring, _lua_dofile, _lua_runstring = map(_runner, ("lua_dostring", "lua_dofile", "lua_runstring"))


def _reload(call: RpcCall) -> Json:
    """Runs the scripts once more, in the state that they have; a number from 0 stands for one of them."""
    script, number = call.world.scripts.get(NAME), call.number()
    wanted = None if number is None or number < 0 else number
    if script is None or not call.world.int_param(NAME, "reload", 1) or (wanted or 0) >= len(script.names()):
        raise RpcFault(500, "Reload Failed")
    script.run_again(wanted)
    return None


def _list(call: RpcCall) -> Json:
    script = call.world.scripts.get(NAME)
    names = script.names() if script is not None else []
    return [f"{number}: [{name}]" for number, name in enumerate(names)] or ["No scripts loaded"]


def _bind(run: Run) -> int:
    """Is there for other modules of Kamailio's."""
    return -1


MODULE = ModuleSpec(
    NAME,
    functions=(
        Function("lua_dostring", _lua_dostring, (Arg.TEXT,), at=True),
        Function("lua_dofile", _lua_dofile, (Arg.TEXT,), at=True),
        Function("lua_runstring", _lua_runstring, (Arg.TEXT,), at=True),
        *(Function("lua_run", _lua_run, (Arg.TEXT,) * count, at=True, const=True) for count in (1, 2, 3, 4)),
        Function("bind_app_lua", _bind, runs=False),
    ),
    params=(Param("load", str), Param("reload", int, 1), Param("log_mode", int, 0)),
    kemi=(
        KemiFunction("dostring", _lua_dostring, (str,), at=True),
        KemiFunction("dofile", _lua_dofile, (str,), at=True),
        KemiFunction("runstring", _lua_runstring, (str,), at=True),
        KemiFunction("run", _lua_run, (str,), at=True),
        KemiFunction("run_p1", _lua_run, (str, str), at=True),
        KemiFunction("run_p2", _lua_run, (str, str, str), at=True),
        KemiFunction("run_p3", _lua_run, (str, str, str, str), at=True),
    ),
    rpc=(
        RpcCommand("app_lua.reload", _reload, "Runs the scripts of Lua once more, or one of them."),
        RpcCommand("app_lua.list", _list, "The scripts of Lua that are loaded."),
    ),
    doc="scripts in Lua",
)
