"""exec: commands of this machine (modules/exec/exec.c, exec_mod.c). The run waits for a command, and nobody else does.

Commands run only where `evapi-cfg run --allow-exec` says so: whoever may write the cfg may run anything then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.core_uri import rewrite
from evapi_cfg.modules.exec.environment import environment
from evapi_cfg.modules.outside import Command, Finished, Outcome
from evapi_cfg.modules.pv.avp import Name, avp_name, number_key, put
from evapi_cfg.modules.pv.branch import append
from evapi_cfg.modules.spec import Arg, Function, ModuleSpec, NameRefused, Param, Routes
from evapi_cfg.sip.message import Branch
from evapi_cfg.source import SourceFile, Span, show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.pvar import PvarError, parse_pvar

PERMIT: Final = "exec"
_LONGEST: Final = 1023  # characters of a line that are read at once, MAX_URI_SIZE - 1
_AT_ONCE: Final = 2000  # lines that become AVPs before others have their turn
_SHOWN: Final = 100  # characters of a command in the log
_NOWHERE: Final = Span(SourceFile("<exec_avp>", ""), 0, 0)
_REQUEST: Final = Routes.REQUEST | Routes.FAILURE


@dataclass(slots=True)
class _State:
    """`lists`: the names in the second argument of exec_avp by its text; a cfg has few."""

    setvars: bool
    bash_safety: bool
    seconds: float
    lists: dict[str, tuple[Name, ...] | None] = field(default_factory=dict)


def _init(world: World) -> _State:
    return _State(
        world.int_param("exec", "setvars", 1) != 0,
        world.int_param("exec", "bash_safety", 1) != 0,
        max(world.int_param("exec", "time_to_kill", 0), 0),
    )


def _state(run: Run) -> _State:
    state = run.world.state["exec"]
    assert isinstance(state, _State)
    return state


async def _run(
    run: Run, line: str, at: Span, *, input: str = "", output: bool = False, setvars: bool = True
) -> Finished | None:
    """Runs a command; None, with a line in the log, where that cannot be."""
    world, state = run.world, _state(run)
    if PERMIT not in world.permits:
        run.log(Level.ERROR, "exec", f"no command is run without --allow-exec: {_shown(line)}", at)
        return None
    if world.outside is None:
        run.log(Level.ERROR, "exec", f"nobody is there to run a command: the app is not served: {_shown(line)}", at)
        return None
    variables: dict[str, str] | None = {}
    if setvars and state.setvars:
        variables = environment(run, state.bash_safety)
    if variables is None:
        return None
    outcome: Outcome[Finished] = Outcome()
    world.outside.execute(Command(line.partition("\0")[0], input, variables, output, state.seconds), outcome.give)
    finished = await outcome
    if finished.fault:
        run.log(Level.ERROR, "exec", f"{finished.fault}: {_shown(line)}", at)
    return finished


def _shown(line: str) -> str:
    return repr(show(line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."))


def _code(finished: Finished) -> int:
    return 1 if finished.status == 0 else -1


def _lines(output: str) -> Iterator[str]:
    """The lines that are not empty, without the blanks at their ends."""
    at = 0
    while at < len(output):
        end = output.find("\n", at, at + _LONGEST)
        end = at + _LONGEST if end < 0 else end + 1
        line = output[at:end].partition("\0")[0].rstrip(" \t\r\n")
        at = end
        if line:
            yield line


async def _exec_cmd(run: Run, cmd: str, at: Span) -> int:
    """Runs a command; what it prints goes nowhere."""
    finished = await _run(run, cmd, at, setvars=False)
    return -1 if finished is None else _code(finished)


async def _exec_msg(run: Run, cmd: str, at: Span) -> int:
    """Runs a command that reads the message as it was received."""
    message = current_message(run)
    finished = await _run(run, cmd, at, input=message.leading + message.text)
    return -1 if finished is None else _code(finished)


async def _exec_dset(run: Run, cmd: str, at: Span) -> int:
    """Runs a command with the request URI as its last argument; the lines that it prints are where the request is to
    go: the first is the new request URI, the others are branches."""
    # A quote inside would end the argument, and what is behind it would be for the shell.
    uri = current_message(run).request_uri.replace("'", "'\\''")
    finished = await _run(run, f"{cmd} '{uri}'" if uri else cmd, at, output=True)
    if finished is None:
        return -1
    found = False
    for line in _lines(finished.output):
        if not found:
            rewrite(run, "uri", line)
        elif not append(run, Branch(line)):
            return -1
        found = True
    if not found:
        run.log(Level.ERROR, "exec", f"it has printed no URI: {_shown(cmd)}", at)
        return -1
    return _code(finished)


async def _exec_avp(run: Run, cmd: str, at: Span) -> int:
    """Runs a command; the lines that it prints are the values of the AVPs 1, 2 ..."""
    return await _to_avps(run, cmd, (), at)


async def _exec_avp_list(run: Run, cmd: str, avpl: str, at: Span) -> int:
    """Runs a command; the lines that it prints are the values of the AVPs that are listed, then of those with the
    numbers of their lines."""
    lists = _state(run).lists
    if avpl not in lists:
        lists[avpl] = _names(run.world, avpl)
    names = lists[avpl]
    if names is None:
        run.log(Level.ERROR, "exec", f"exec_avp: {show(avpl)!r} is no list such as `$avp(a);$avp(b)`", at)
        return -1
    return await _to_avps(run, cmd, names, at)


async def _to_avps(run: Run, cmd: str, names: tuple[Name, ...], at: Span) -> int:
    finished = await _run(run, cmd, at, output=True)
    if finished is None:
        return -1
    for number, line in enumerate(_lines(finished.output)):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await run.pause(0)
        name: Name | None = names[number] if number < len(names) else number_key(number + 1)
        key = name(run) if callable(name) else name
        if key is None:
            return -1
        put(run, key, line)
    return _code(finished)


def _names(world: World, text: str) -> tuple[Name, ...] | None:
    """`$avp(a);$avp(b)` as names (core/pvapi.c: parse_pvname_list); None where it is no such list."""
    resolver = world.resolver
    assert resolver is not None
    made: list[Name] = []
    for item in filter(None, (part.strip() for part in text.split(";"))):
        try:
            pvar = parse_pvar(Text(_NOWHERE, item))
            if pvar.name != "avp" or pvar.inner is None or pvar.transformations:
                return None
            made.append(avp_name(pvar.inner, resolver))
        except (PvarError, NameRefused):
            return None
    return tuple(made) or None


def _function(name: str, call: object, *args: Arg, routes: Routes) -> Function:
    return Function(name, call, (Arg.TEXT, *args), routes, at=True, waits=True, permit=PERMIT)  # type: ignore[arg-type]


MODULE = ModuleSpec(
    "exec",
    functions=(
        _function("exec_dset", _exec_dset, routes=_REQUEST),
        _function("exec_msg", _exec_msg, routes=_REQUEST | Routes.LOCAL),
        _function("exec_avp", _exec_avp, routes=_REQUEST | Routes.LOCAL),
        _function("exec_avp", _exec_avp_list, Arg.STRING, routes=_REQUEST | Routes.LOCAL),
        _function("exec_cmd", _exec_cmd, routes=Routes.ANY),
    ),
    params=(
        Param("time_to_kill", int, 0),
        Param("setvars", int, 1),
        Param("bash_safety", int, 1),
    ),
    init=_init,
    doc="commands of this machine",
)
