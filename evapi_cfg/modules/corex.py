"""corex: what event routes use of it: branches, message flags, files, $cfg, $lsock (modules/corex).

Sending anything to the SIP network is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import closed, constant, inner_of, named, refuse_index
from evapi_cfg.modules.pv.branch import append, parse_q
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.pv.sockets import find_socket, socket_text
from evapi_cfg.modules.spec import (
    Arg,
    FixupError,
    Function,
    ModuleSpec,
    NameRefused,
    Param,
    PseudoVariable,
    Resolver,
    Routes,
    Variable,
)
from evapi_cfg.modules.transformations import COREX
from evapi_cfg.sip.message import Branch, Received, Socket
from evapi_cfg.source import Span, show, store
from evapi_cfg.syntax.ast import PVar, Text
from evapi_cfg.values import Value, parse_int

_MAX_XFLAG: Final = 63
_INTERNAL_FLAGS: Final = {"USE_UAC_FROM": 13, "USE_UAC_TO": 14, "UAC_AUTH": 19, "MSG_APPLY_CHANGES": 35}
_CFG_NAMES: Final = ("line", "name", "file", "route")

# ---- branches ---------------------------------------------------------------------------------------------------


def _append_branch(run: Run, uri: str = "", q: str = "") -> int:
    """One more destination. Without a URI the message's own goes into the branch, and with it what was set for it."""
    value = parse_q(q) if q else None
    if q and value is None:
        run.log(Level.ERROR, "corex", f"{show(q)!r} is no q value: a number from 0 to 1")
        return -1
    message = current_message(run)
    branch = Branch(uri or message.request_uri, value)
    branch.dst_uri = message.dst_uri or ""
    branch.path = message.path or ""
    branch.flags = message.branch_flags
    branch.send_socket = message.send_socket
    appended = append(run, branch)
    if not uri:
        message.send_socket = message.dst_uri = message.path = None
        message.branch_flags = 0
    return 1 if appended else -1


# ---- flags ------------------------------------------------------------------------------------------------------


def _setxflag(run: Run, flag: int) -> int:
    if not 0 <= flag <= _MAX_XFLAG:
        return -1
    current_message(run).extra_flags |= 1 << flag
    return 1


def _resetxflag(run: Run, flag: int) -> int:
    if not 0 <= flag <= _MAX_XFLAG:
        return -1
    current_message(run).extra_flags &= ~(1 << flag)
    return 1


def _isxflagset(run: Run, flag: int) -> int:
    return 1 if 0 <= flag <= _MAX_XFLAG and current_message(run).extra_flags >> flag & 1 else -1


def _internal_flag(run: Run, name: str) -> int | None:
    """The bit of a flag by its name or number (corex_mod.c: msg_lookup_flag). Of a number with two digits the second
    is taken off, not added: that is how Kamailio counts."""
    bit = _INTERNAL_FLAGS.get(name.upper())
    if bit is None and 0 < len(name) <= 2 and name.isascii() and name.isdecimal():
        bit = int(name) if len(name) == 1 else 10 * int(name[0]) - int(name[1])
    if bit is None or not 0 <= bit <= 63:
        run.log(Level.ERROR, "corex", f"there is no message flag {show(name)!r}")
        return None
    return bit


def _iflag_set(run: Run, name: str) -> int:
    bit = _internal_flag(run, name)
    if bit is None:
        return -1
    current_message(run).internal_flags |= 1 << bit
    return 1


def _iflag_reset(run: Run, name: str) -> int:
    bit = _internal_flag(run, name)
    if bit is None:
        return -1
    current_message(run).internal_flags &= ~(1 << bit)
    return 1


def _iflag_is_set(run: Run, name: str) -> int:
    bit = _internal_flag(run, name)
    if bit is None:
        return -1
    return 1 if current_message(run).internal_flags >> bit & 1 else -2


# ---- the message --------------------------------------------------------------------------------------------------


def _is_faked(run: Run) -> int:
    """An event of evapi gets a copy of the made-up request, which Kamailio does not take for made up."""
    return -1


def _is_incoming(run: Run) -> int:
    """Only event_route[network:msg] knows the way that a message takes; elsewhere the answer is no."""
    return -1


def _marks_via(run: Run, flag: int) -> int:
    """The Via that a forwarded message would get is not made here."""
    return 1


def _set_send_socket(run: Run, text: str) -> int:
    if not text:
        return _empty(run, "the socket's address")
    message = current_message(run)
    message.send_socket = _found(run, find_socket(run, text), text) or message.send_socket
    return 1


def _by_name(run: Run, name: str) -> Socket | None:
    return next((socket for socket in run.world.sockets if socket.name == name), None)


def _set_send_socket_name(run: Run, name: str) -> int:
    if not name:
        return _empty(run, "the socket's name")
    message = current_message(run)
    message.send_socket = _found(run, _by_name(run, name), name) or message.send_socket
    return 1


def _receive_on(run: Run, socket: Socket | None) -> None:
    if socket is None:
        return
    message = current_message(run)
    old = message.received
    message.received = Received(
        socket.protocol, old.source, old.source_port, socket.address, socket.port, socket
    )  # fmt: skip


def _set_recv_socket(run: Run, text: str) -> int:
    if not text:
        return _empty(run, "the socket's address")
    _receive_on(run, _found(run, find_socket(run, text), text))
    return 1


def _set_recv_socket_name(run: Run, name: str) -> int:
    if not name:
        return _empty(run, "the socket's name")
    _receive_on(run, _found(run, _by_name(run, name), name))
    return 1


def _is_socket_name(run: Run, name: str) -> int:
    return 1 if name and _by_name(run, name) is not None else -1


def _found(run: Run, socket: Socket | None, text: str) -> Socket | None:
    if socket is None:
        run.log(Level.WARNING, "corex", f"no listening socket is {show(text)!r}")
    return socket


def _empty(run: Run, what: str) -> int:
    run.log(Level.ERROR, "corex", f"{what} is empty")
    return -1


# ---- files --------------------------------------------------------------------------------------------------------


def _file_read(run: Run, name: str, target: Variable, at: Span) -> int:
    if not name:
        return _empty(run, "the file's name")
    try:
        text = Path(show(name)).read_bytes().decode("latin-1")
    except (OSError, ValueError) as err:
        run.log(Level.ERROR, "corex", f"{show(name)} cannot be read: {_reason(err)}", at)
        return -1
    set_variable(run, target, text)
    return 1


def _file_write(run: Run, name: str, text: str, at: Span) -> int:
    if not name or not text:
        return _empty(run, "the file's name" if not name else "what to write")
    try:
        Path(show(name)).write_bytes(text.encode("latin-1"))
    except (OSError, ValueError) as err:
        run.log(Level.ERROR, "corex", f"{show(name)} cannot be written: {_reason(err)}", at)
        return -1
    return 1


def _reason(err: Exception) -> str:
    return err.strerror or str(err) if isinstance(err, OSError) else str(err)


def _check_target(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    target = arguments[1]
    if isinstance(target, Variable) and target.set is None:
        raise FixupError(1, "the variable cannot be assigned")
    return arguments


# ---- pseudo-variables -----------------------------------------------------------------------------------------------


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


_T: Final = (Arg.TEXT,)
_N: Final = (Arg.INT,)
_BRANCH: Final = Routes.REQUEST | Routes.FAILURE


def _branch(args: tuple[Arg, ...]) -> Function:
    return Function("append_branch", _append_branch, args, _BRANCH)


def _each(names: str, call: Callable[..., int], args: tuple[Arg, ...]) -> tuple[Function, ...]:
    return tuple(Function(name, call, args) for name in names.split())


MODULE = ModuleSpec(
    "corex",
    functions=(
        _branch(()),
        _branch(_T),
        _branch((Arg.TEXT, Arg.TEXT)),
        Function("setxflag", _setxflag, _N),
        Function("resetxflag", _resetxflag, _N),
        Function("isxflagset", _isxflagset, _N),
        Function("msg_iflag_set", _iflag_set, _T),
        Function("msg_iflag_reset", _iflag_reset, _T),
        Function("msg_iflag_is_set", _iflag_is_set, _T),
        Function("is_faked_msg", _is_faked),
        Function("is_incoming", _is_incoming),
        Function("is_socket_name", _is_socket_name, _T),
        *_each("via_add_srvid via_add_xavp_params via_reply_add_xavp_params via_use_xavp_fields", _marks_via, _N),
        Function("set_send_socket", _set_send_socket, _T),
        Function("set_send_socket_name", _set_send_socket_name, _T),
        Function("set_recv_socket", _set_recv_socket, _T),
        Function("set_recv_socket_name", _set_recv_socket_name, _T),
        Function("file_read", _file_read, (Arg.TEXT, Arg.PVAR), fixup=_check_target, at=True),
        Function("file_write", _file_write, (Arg.TEXT, Arg.TEXT), at=True),
    ),
    params=(
        Param("alias_subdomains", str),
        Param("dns_cache", str),
        Param("dns_file", str),
        Param("evcb_reply_out", str),
        Param("nio_intercept", int, 0),
        Param("nio_min_msg_len", int, 0),
        Param("nio_msg_avp", str),
    ),
    pvs=(
        PseudoVariable("cfg", _make_cfg, inner="required", names=_CFG_NAMES),
        named("lsock", _listening),
        closed("atkv", {name: Variable(_nothing) for name in ("key", "val", "type", "gname")}),
    ),
    transformations=COREX,
    doc="branches, message flags, files, places in the cfg",
)
