"""app_python3: scripts in Python (modules/app_python3). What loads and runs them is handed in: `World.scripts`."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.rpc import RpcCall, RpcCommand, RpcFault
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, ModuleSpec, Param
from evapi_cfg.source import Span, show

NAME: Final = "app_python3"
DEFAULT_SCRIPT: Final = "/usr/local/etc/kamailio/handler.py"


def _exec(run: Run, method: str, parameter: str | None, at: Span) -> int:
    script = run.world.scripts.get(NAME)
    if script is None:
        run.log(Level.ERROR, NAME, "no script is loaded", at)
        return -1
    if not method:
        run.log(Level.ERROR, NAME, "python_exec: the name of a method is missing", at)
        return -1
    return script.call(run, method) if parameter is None else script.call(run, method, parameter)


def _python_exec(run: Run, method: str, at: Span) -> int:
    """Calls a method of the script's object; gives what it gives."""
    return _exec(run, method, None, at)


def _python_exec_with(run: Run, method: str, parameter: str, at: Span) -> int:
    return _exec(run, method, parameter, at)


def _reload(call: RpcCall) -> Json:
    """Loads the script once more; the answer counts how often that was done."""
    script = call.world.scripts.get(NAME)
    if script is None:
        raise RpcFault(500, "No script file")
    number = call.world.state.get(NAME)
    old = number if isinstance(number, int) else 0
    call.world.state[NAME] = old + 1
    script.run_again()
    return {"old": old, "new": old + 1}


def _keep_count(world: World, before: World) -> None:
    if NAME in before.state:
        world.state[NAME] = before.state[NAME]


def _check_name(value: int | str) -> str | None:
    if str(value).endswith((".py", ".pyc", ".pyo")):
        return None
    return f"`{show(str(value))}` does not end with .py"


MODULE = ModuleSpec(
    NAME,
    functions=(
        Function("python_exec", _python_exec, (Arg.TEXT,), at=True),
        Function("python_exec", _python_exec_with, (Arg.TEXT, Arg.TEXT), at=True),
    ),
    params=(
        Param("load", str, check=_check_name),
        Param("script_name", str, check=_check_name),
        Param("mod_init_function", str, "mod_init"),
        Param("child_init_method", str, "child_init"),
        Param("threads_mode", int, 0),
    ),
    kemi=(
        KemiFunction("exec", _python_exec, (str,), at=True),
        KemiFunction("execx", _python_exec, (str,), at=True),
        KemiFunction("exec_p1", _python_exec_with, (str, str), at=True),
    ),
    rpc=(RpcCommand("app_python.reload", _reload, "Loads the script of Python once more."),),
    reload=_keep_count,
    doc="scripts in Python",
)
