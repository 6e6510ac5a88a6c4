"""corex's variables: $cfg, places in the kamailio.cfg; $lsock, listening sockets; $atkv
(modules/corex/corex_var.c)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.forms import closed, constant, inner_of, named, refuse_index
from evapi_cfg.modules.pv.sockets import socket_text
from evapi_cfg.modules.spec import NameRefused, PseudoVariable, Resolver, Variable
from evapi_cfg.sip.message import Socket
from evapi_cfg.source import show, store
from evapi_cfg.syntax.ast import PVar, Text
from evapi_cfg.values import Value, parse_int

_CFG_NAMES: Final = ("line", "name", "file", "route")


def _make_cfg(pvar: PVar, resolver: Resolver) -> Variable:
    """$cfg(line), $cfg(file), $cfg(name), $cfg(route): where in the cfg it stands, known when the file is loaded."""
    inner = inner_of(pvar)
    refuse_index(pvar)
    match inner.value:
        case "line":
            return constant(pvar.span.file.line_number(pvar.span.start))
        case "file" | "name":
            return constant(store(pvar.span.file.name))
        case "route":
            return constant(_block_name(resolver.route))
    raise NameRefused(f"`$cfg` has no name `{show(inner.value)}`", inner.span, _CFG_NAMES)


def _block_name(title: str) -> str:
    """`SUB` of `route[SUB]`; the main blocks are all called DEFAULT_ROUTE."""
    _, bracket, name = title.partition("[")
    return name[:-1] if bracket else "DEFAULT_ROUTE"


def _listening(inner: Text, resolver: Resolver) -> Variable:
    """$lsock(match/value/field): one thing about the listening socket of which another is known. `match` is one of
    n name, l listen address, a advertised address, i index; `field` a word that starts with one of them."""
    text = resolver.text(inner)

    def get(run: Run) -> Value:
        expression = text if isinstance(text, str) else text(run)
        match, value, field, ok = _cut(expression)
        if not ok:
            run.log(Level.ERROR, "corex", f"$lsock: {show(expression)!r} is not of the form match/value/field")
            return ""
        for index, socket in enumerate(run.world.sockets):
            if (match == "i" and index == (parse_int(value) or 0)) or (match != "i" and value == _about(socket, match)):
                return index if field == "i" else _about(socket, field)
        return None

    return Variable(get)


def _cut(expression: str) -> tuple[str, str, str, bool]:
    parts = expression.split("/")
    if (
        len(parts) != 3
        or parts[0] not in ("n", "l", "a", "i")
        or parts[2][:1] not in ("n", "l", "a", "i")
        or len(parts[2]) < 2
    ):
        return "", "", "", False
    return parts[0], parts[1], parts[2][0], True


def _about(socket: Socket, what: str) -> str:
    if what == "n":
        return socket.name or ""
    if what == "l":
        return socket_text(socket)
    if socket.advertised is None:
        return ""
    return socket_text(Socket(socket.protocol, *socket.advertised))


def _nothing(run: Run) -> Value:
    return None


VARIABLES: Final = (
    PseudoVariable("cfg", _make_cfg, inner="required", names=_CFG_NAMES),
    named("lsock", _listening),
    closed("atkv", {name: Variable(_nothing) for name in ("key", "val", "type", "gname")}),
)
