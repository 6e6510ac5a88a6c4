"""corex: what event routes use of it: branches, message flags, files, $cfg, $lsock (modules/corex).

Sending anything to the SIP network is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.corex.variables import VARIABLES
from evapi_cfg.modules.function_forms import assigns, under_names
from evapi_cfg.modules.kemi_forms import not_run, same
from evapi_cfg.modules.pv.branch import append, parse_q
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.pv.sockets import find_socket
from evapi_cfg.modules.ranges import filled
from evapi_cfg.modules.spec import (
    Arg,
    Function,
    KemiFunction,
    ModuleSpec,
    Param,
    Routes,
    Variable,
)
from evapi_cfg.modules.transformations import COREX
from evapi_cfg.sip.message import Branch, Received, Socket
from evapi_cfg.source import Span, show
from evapi_cfg.values import Value

_MAX_XFLAG: Final = 63
_INTERNAL_FLAGS: Final = {"USE_UAC_FROM": 13, "USE_UAC_TO": 14, "UAC_AUTH": 19, "MSG_APPLY_CHANGES": 35}

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


def _contents(run: Run, name: str, at: Span) -> str | None:
    """None, and an error in the log, where the file cannot be read."""
    if not name:
        _empty(run, "the file's name")
        return None
    try:
        return Path(show(name)).read_bytes().decode("latin-1")
    except (OSError, ValueError) as err:
        run.log(Level.ERROR, "corex", f"{show(name)} cannot be read: {_reason(err)}", at)
        return None


def _file_read(run: Run, name: str, target: Variable, at: Span) -> int:
    text = _contents(run, name, at)
    if text is None:
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


_T: Final = (Arg.TEXT,)
_N: Final = (Arg.INT,)
_BRANCH: Final = Routes.REQUEST | Routes.FAILURE


def _branch(args: tuple[Arg, ...]) -> Function:
    return Function("append_branch", _append_branch, args, _BRANCH)


FUNCTIONS: Final = (
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
    *under_names("via_add_srvid via_add_xavp_params via_reply_add_xavp_params via_use_xavp_fields", _marks_via, _N),
    Function("set_send_socket", _set_send_socket, _T),
    Function("set_send_socket_name", _set_send_socket_name, _T),
    Function("set_recv_socket", _set_recv_socket, _T),
    Function("set_recv_socket_name", _set_recv_socket_name, _T),
    Function("file_read", _file_read, (Arg.TEXT, Arg.PVAR), fixup=assigns(1), at=True, outputs=(1,)),
    Function("file_write", _file_write, (Arg.TEXT, Arg.TEXT), at=True),
)


# ---- for scripts in other languages -------------------------------------------------------------------------------


def _unless_empty(call: Callable[[Run, str], int]) -> Callable[[Run, str], int]:
    """An empty text is a socket that is not found, which is no error."""

    def set_socket(run: Run, text: str) -> int:
        if text:
            return call(run, text)
        _found(run, None, text)
        return 1

    return set_socket


def _read_whole(run: Run, name: str, at: Span) -> Value:
    """What is in a file; an empty text where it cannot be read."""
    return _contents(run, name, at) or ""


def _has_user(run: Run) -> int:
    message = current_message(run)
    uri = message.parsed_uri if message.is_request else None
    return 1 if uri is not None and uri.user else -1


def _has_user_agent(run: Run) -> int:
    return 1 if current_message(run).body_of("user-agent") else -1


_same: Final = same(FUNCTIONS)

KEMI: Final = (
    _same("append_branch"),
    _same("append_branch", str, name="append_branch_uri"),
    _same("append_branch", str, str, name="append_branch_uri_q"),
    *(_same(name, int) for name in ("setxflag", "resetxflag", "isxflagset")),
    KemiFunction("set_send_socket", _unless_empty(_set_send_socket), (str,)),
    KemiFunction("set_send_socket_name", _unless_empty(_set_send_socket_name), (str,)),
    KemiFunction("set_recv_socket", _unless_empty(_set_recv_socket), (str,)),
    KemiFunction("set_recv_socket_name", _unless_empty(_set_recv_socket_name), (str,)),
    not_run("set_source_address", "corex", "the source of a message stays what it is", str),
    *(
        _same(name, int)
        for name in ("via_add_srvid", "via_add_xavp_params", "via_use_xavp_fields", "via_reply_add_xavp_params")
    ),
    KemiFunction("has_ruri_user", _has_user),
    KemiFunction("has_user_agent", _has_user_agent),
    not_run("send_data", "corex", "nothing is sent to the SIP network but replies", str, str),
    not_run("sendx", "corex", "nothing is sent to the SIP network but replies", str, str, str),
    _same("is_faked_msg"),
    KemiFunction("file_read", _read_whole, (str,), at=True),
    _same("file_write", str, str),
    _same("is_socket_name", str),
    not_run("forward_uac", "corex", "nothing is forwarded"),
    not_run("forward_uac_uri", "corex", "nothing is forwarded", str),
)

MODULE = ModuleSpec(
    "corex",
    functions=FUNCTIONS,
    params=(
        Param("alias_subdomains", str, check=filled),
        Param("dns_cache", str, check=filled),
        Param("dns_file", str, check=filled),
        Param("evcb_reply_out", str),
        Param("nio_intercept", int, 0),
        Param("nio_min_msg_len", int, 0),
        Param("nio_msg_avp", str),
    ),
    pvs=VARIABLES,
    kemi=KEMI,
    transformations=COREX,
    doc="branches, message flags, files, places in the cfg",
)
