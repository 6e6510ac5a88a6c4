"""`evapi-cfg rpc`, `top` and `tap`: what is asked of a server that runs, over the socket of its `--rpc`."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Annotated, NoReturn

import typer

from evapi_cfg.cli.output import coloured, columns, fail, write

SocketPath = Annotated[
    str, typer.Option(metavar="PATH", envvar="EVAPI_CFG_RPC", help="Where it answers: run --rpc unix:PATH.")
]


def rpc_command(
    method: Annotated[str, typer.Argument(help="The command, such as core.uptime; system.listMethods tells all.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARG...", help="Numbers are numbers; s:123 is a text, i:123 a number.")
    ] = None,
    socket: SocketPath = "",
) -> None:
    """Runs a command of a server by JSON-RPC, and prints its result."""
    from evapi_cfg import visible
    from evapi_cfg.server.rpc_client import PATIENCE, Unreachable, ask

    path = _socket_path(socket)
    request = {"jsonrpc": "2.0", "method": method, "params": [_argument(text) for text in arguments or ()], "id": 1}
    try:
        # It answers when the file has been read, and that may be a long one.
        seconds = PATIENCE if method == "evapi-cfg.reload" else None
        text = ask(path, json.dumps(request, ensure_ascii=False), seconds)
    except Unreachable as err:
        _fail_to_reach(path, err)
    try:
        answer = json.loads(text, object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and "result" in answer:
        write(visible.in_json(json.dumps(answer["result"], indent=2, ensure_ascii=False)) + "\n")
        return
    fault = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(fault, dict):
        fail(f"the answer from {path} is none of JSON-RPC: {visible.one_line(text[:200])}")
    more = fault["data"].get("errors") if isinstance(fault.get("data"), dict) else None
    lines = more if isinstance(more, list) and len(more) > 1 else []
    said = [f"{fault.get('code')} {fault.get('message')}", *(f"  {line}" for line in lines)]
    fail("\n".join(map(visible.one_line, said)), 1)


def _argument(text: str) -> int | float | str:
    """As kamcmd reads it: what looks like a number of JSON is one."""
    kind, colon, rest = text.partition(":")
    if colon and kind == "s":
        return rest
    if colon and kind == "i":
        if not re.fullmatch("-?[0-9]{1,18}", rest):
            fail(f"{text}: a number is expected behind i:")
        return int(rest)
    if re.fullmatch("-?(0|[1-9][0-9]{0,17})", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}", text) else text


class _Members(dict[str, object]):
    """A JSON object that is printed as it came: Kamailio has several members of one name."""

    def __init__(self, members: list[tuple[str, object]]) -> None:
        super().__init__(members)
        self._members = members

    def items(self) -> list[tuple[str, object]]:  # type: ignore[override]
        return self._members


def top(
    socket: SocketPath = "",
    once: Annotated[bool, typer.Option("--once", help="Print what there is once, and end.")] = False,
) -> None:
    """Shows what a server does, live: messages, clients, queues, routes. `q` or Ctrl-C ends it."""
    from evapi_cfg import visible
    from evapi_cfg.server.rpc_client import Unreachable
    from evapi_cfg.watching import top as room

    path = _socket_path(socket)
    try:
        if once or sys.stdout is None or not sys.stdout.isatty():
            write(room.once(path, columns()))
        else:
            room.watch(path, colour=coloured())
    except Unreachable as err:
        _fail_to_reach(path, err)
    except room.NoAnswer as err:
        fail(visible.one_line(str(err)), 1)


def tap(
    socket: SocketPath = "",
    route: Annotated[str, typer.Option(metavar="ROUTE", help="Only what this block does: route[A], or A.")] = "",
    client: Annotated[int, typer.Option(metavar="N", help="Only from and to this client: its conidx.")] = -1,
    match: Annotated[str, typer.Option(metavar="RE", help="Only where this expression is found, as in a cfg.")] = "",
    json_: Annotated[bool, typer.Option("--json", help="Each line a JSON document.")] = False,
) -> None:
    """Follows the messages of a server and what it relays. Under load it is a part of them; the rest is counted."""
    from evapi_cfg import visible
    from evapi_cfg.server.rpc_client import Unreachable
    from evapi_cfg.watching import tap as room

    path = _socket_path(socket)
    wanted = {"route": route, "match": match} | ({"client": client} if client >= 0 else {})
    began = False
    try:
        for line in room.lines(path, wanted, as_json=json_, colour=coloured()):
            if began:
                write(f"{line}\n")
            else:
                began = True
                print(f"evapi-cfg: following {path}; Ctrl-C ends it", file=sys.stderr)
    except room.Refused as err:
        fail(visible.one_line(str(err)), 1)
    except Unreachable as err:
        if began:
            fail(visible.one_line(str(err)), 1)
        _fail_to_reach(path, err)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _socket_path(given: str) -> str:
    return given.removeprefix("unix-stream:").removeprefix("unix:") or _usual_socket()


def _usual_socket() -> str:
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR") or ".", "evapi-cfg.sock")


def _fail_to_reach(path: str, error: Exception) -> NoReturn:
    fail(f"{error}; a server does so with `run --rpc unix:{path}`; --socket or EVAPI_CFG_RPC name another place")
