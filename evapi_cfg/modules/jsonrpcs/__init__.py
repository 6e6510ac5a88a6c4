"""jsonrpcs: commands that are run by JSON-RPC, from a route or from outside (modules/jsonrpcs).

Here they are run; the sockets on which requests come are elsewhere, and the command line says where they are: what the
file says about FIFOs and sockets is for the Kamailio that it is written for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.forms import closed
from evapi_cfg.modules.jsonrpcs.document import NotRead
from evapi_cfg.modules.jsonrpcs.execute import Reply, execute, execute_for, refusal
from evapi_cfg.modules.rpc import Answer, RpcCall, RpcCommand
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, ModuleSpec, Param, Routes, Variable
from evapi_cfg.source import Span, show, store
from evapi_cfg.values import Value

_SHOWN: Final = 60  # characters of a request that cannot be read in the log


@dataclass(slots=True)
class _State:
    reply: Reply | None = None  # to what a route has executed last


def _state(run: Run) -> _State:
    state = run.world.state["jsonrpcs"]
    assert isinstance(state, _State)
    return state


def is_pretty(world: World) -> bool:
    """Whether answers are laid out in lines."""
    return world.int_param("jsonrpcs", "pretty_format", 1) != 0


def answer(world: World, request: str) -> str:
    """The answer to a request that has come from outside, both with one character per byte."""
    try:
        return execute(world, request, pretty=is_pretty(world)).body
    except NotRead as error:
        return _unread(world, request, error)


def answer_when_known(world: World, request: str, told: Callable[[str], None]) -> None:
    """As `answer`, for somebody who can wait: `told` gets the answer, now or later."""
    try:
        execute_for(world, request, lambda reply: told(reply.body), pretty=is_pretty(world))
    except NotRead as error:
        told(_unread(world, request, error))


def _unread(world: World, request: str, error: NotRead) -> str:
    if world.log.threshold >= Level.ERROR:
        world.log(Level.ERROR, "jsonrpcs", f"a request is no JSON: {error}: {show(request[:_SHOWN])!r}")
    return refusal("Parse Error")


def _exec(run: Run, request: str, at: Span) -> int:
    if not request:
        run.log(Level.ERROR, "jsonrpcs", "jsonrpc_exec: there is no command", at)
        return -1
    world = run.world
    try:
        _state(run).reply = execute(world, request, pretty=is_pretty(world))
    except NotRead as error:
        run.log(Level.ERROR, "jsonrpcs", f"jsonrpc_exec: this is no JSON: {error}: {show(request[:_SHOWN])!r}", at)
        return -1
    return 1


def _dispatch(run: Run) -> int:
    """For requests over HTTP, which do not come here: any other message is left alone."""
    return 1


def _code(run: Run) -> Value:
    reply = _state(run).reply
    return 0 if reply is None else reply.code


def _text(run: Run) -> Value:
    reply = _state(run).reply
    return None if reply is None else store(reply.text)


def _body(run: Run) -> Value:
    reply = _state(run).reply
    return None if reply is None else reply.body


def _echo(call: RpcCall) -> Answer:
    text = call.text()
    if text is None:
        return []
    number = call.integer()
    return [text] if number is None else [text, number]


MODULE = ModuleSpec(
    "jsonrpcs",
    functions=(
        Function("jsonrpc_dispatch", _dispatch, routes=Routes.REQUEST),
        Function("jsonrpc_exec", _exec, (Arg.TEXT,), at=True),
    ),
    params=(
        Param("pretty_format", int, 1),
        Param("transport", int, 6),
        Param("fifo_name", str, runs=False),
        Param("fifo_mode", int, 0o660),
        Param("fifo_group", str),
        Param("fifo_user", str),
        Param("fifo_reply_dir", str),
        Param("dgram_socket", str, runs=False),
        Param("dgram_workers", int, 1),
        Param("dgram_timeout", int, 2000),
        Param("dgram_mode", int, 0o660),
        Param("dgram_group", str),
        Param("dgram_user", str),
        Param("tcp_socket", str, runs=False),
    ),
    pvs=(
        closed(
            "jsonrpl",
            {"code": Variable(_code, nullable=False), "text": Variable(_text), "body": Variable(_body)},
        ),
    ),
    kemi=(
        KemiFunction("dispatch", _dispatch),
        KemiFunction("exec", _exec, (str,), at=True),
        KemiFunction("execx", _exec, (str,), at=True),
        KemiFunction("response", _body),
    ),
    rpc=(RpcCommand("jsonrpc.echo", _echo, "Gives back a text and a number.", array=True),),
    init=lambda world: _State(),
    doc="commands by JSON-RPC",
)
