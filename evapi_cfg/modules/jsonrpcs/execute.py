"""One request of JSON-RPC is run, and its answer is put together (jsonrpcs_mod.c: jsonrpc_exec_ex, jsonrpc_send_mode).

An answer has what Kamailio's has, its oddities included: a request that names no method, or no version, is not run, and
its result is an empty object; one without an id is answered as well; several in an array are not understood.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Final, NamedTuple

from evapi_cfg.modules.context import Level, World
from evapi_cfg.modules.jsonrpcs.document import Members, Missing, Node, parse, plain, write
from evapi_cfg.modules.rpc import Answer, Later, RpcCall, RpcCommand, RpcFault
from evapi_cfg.source import show

_SHOWN: Final = 60  # characters of what is not understood in the log
_MESSAGE: Final = 127  # bytes of an error's text
_NO_CODE: Final = -32000
_INTERNAL: Final = -32603
PARSE_ERROR: Final = -32700
_MESSAGES: Final = {
    PARSE_ERROR: "Parse Error",
    -32600: "Invalid Request",
    -32601: "Method Not Found",
    -32602: "Invalid Parameters",
    _INTERNAL: "Internal Error",
    _NO_CODE: "Execution Error",
}


class Reply(NamedTuple):
    """What became of a request: `code` and `text` as HTTP has them, the document with one character per byte."""

    code: int
    text: str
    body: str


def execute(world: World, request: str, *, pretty: bool) -> Reply:
    """Runs a request, a text with one character per byte. Raises document.NotRead where it is no JSON."""

    def result() -> Answer:
        made = _result(world, members)
        return made.meanwhile if isinstance(made, Later) else made

    members = _members(request)
    return _reply(members, result, pretty=pretty)


def execute_for(world: World, request: str, told: Callable[[Reply], None], *, pretty: bool) -> None:
    """As `execute`, for somebody who can wait: `told` gets the reply, now or later."""
    members = _members(request)
    try:
        made = _result(world, members)
    except RpcFault as fault:
        made = Later({})
        made.give(fault)
    if isinstance(made, Later):
        made.then(lambda known: told(_reply(members, known, pretty=pretty)))
    else:
        answer = made
        told(_reply(members, lambda: answer, pretty=pretty))


def _members(request: str) -> Members:
    root = parse(request)
    return root if isinstance(root, Members) else Members()


def _reply(members: Members, result: Callable[[], Answer], *, pretty: bool) -> Reply:
    answer: dict[str, Answer] = {"jsonrpc": "2.0"}
    code, text = 200, "OK"
    try:
        answer["result"] = result()
    except RpcFault as fault:
        code = fault.code if fault.code > 100 else 500
        text = fault.message[:_MESSAGE]
        number = fault.code or _NO_CODE
        error: dict[str, Answer] = {"code": number, "message": _MESSAGES.get(number) or text or "Unexpected Error"}
        answer["error"] = error if fault.data is None else {**error, "data": fault.data}
    identity = members.find("id")
    if not isinstance(identity, Missing):
        answer["id"] = _echoed(identity)
    return Reply(code, text, write(answer, pretty=pretty))


def refusal(message: str, code: int = PARSE_ERROR) -> str:
    """The answer to what is no request at all, where somebody waits for one. Kamailio is silent there."""
    error: Answer = {"code": code, "message": message}
    return write({"jsonrpc": "2.0", "error": error, "id": None}, pretty=True)


def _echoed(identity: Node) -> str | int | float:
    """A text, or whatever else is there as a number."""
    if isinstance(identity, str):
        return show(identity)
    if isinstance(identity, bool):
        return int(identity)
    return identity if isinstance(identity, (int, float)) else 0


def _result(world: World, request: Members) -> Answer | Later:
    if request.find("jsonrpc") != "2.0":
        return _not_run(world, 'the request has no "jsonrpc": "2.0"')
    method = request.find("method")
    if not isinstance(method, str):
        return _not_run(world, "the request names no method")
    command = world.commands.get(method)
    if command is None:
        _error(world, f"there is no method {show(method[:_SHOWN])!r}")
        raise RpcFault(500, "Method Not Found")
    params = request.find("params")
    if isinstance(params, Missing):
        values: list[Node] = []
    elif isinstance(params, Members):
        values = [value for _name, value in params.items]
    elif isinstance(params, list):
        values = params
    else:
        return _not_run(world, f"{method}: params is neither an array nor an object", command)
    try:
        return command.call(RpcCall(world, method, [plain(value) for value in values]))
    except RpcFault:
        raise
    except Exception:
        world.log(Level.CRITICAL, "jsonrpcs", f"a bug in evapi-cfg, in {method}: {traceback.format_exc()}")
        raise RpcFault(_INTERNAL, _MESSAGES[_INTERNAL]) from None


def _not_run(world: World, why: str, command: RpcCommand | None = None) -> Answer:
    _error(world, why)
    return [] if command is not None and command.array else {}


def _error(world: World, message: str) -> None:
    if world.log.threshold >= Level.ERROR:
        world.log(Level.ERROR, "jsonrpcs", message)
