"""What the core exports to scripts in other languages about the message: flags, the request URI, the method, where it
came from and where it would go (core/kemi.c: _sr_kemi_core)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import MAX_FLAG, current_message
from evapi_cfg.modules.core_uri import rewrite
from evapi_cfg.modules.spec import KemiFunction
from evapi_cfg.sip.message import FORCE_RPORT, METHODS, OTHER_METHOD, Message
from evapi_cfg.sip.uri import SCTP, TCP, TLS, UDP, WS, WSS, Uri, parse_uri
from evapi_cfg.source import show
from evapi_cfg.values import Value

# ---- flags ----------------------------------------------------------------------------------------------------------


def _is_flag(run: Run, flag: int) -> bool:
    if 0 <= flag <= MAX_FLAG:
        return True
    run.log(Level.ERROR, "core", f"no flag {flag}: the flags are 0 to {MAX_FLAG}")
    return False


def _flags(name: str, attribute: str) -> tuple[KemiFunction, ...]:
    """Three functions for 32 flags that the message has under an attribute."""

    def set_(run: Run, flag: int) -> bool:
        if not _is_flag(run, flag):
            return False
        message = current_message(run)
        setattr(message, attribute, getattr(message, attribute) | 1 << flag)
        return True

    def reset(run: Run, flag: int) -> bool:
        if not _is_flag(run, flag):
            return False
        message = current_message(run)
        setattr(message, attribute, getattr(message, attribute) & ~(1 << flag))
        return True

    def is_set(run: Run, flag: int) -> bool:
        return _is_flag(run, flag) and bool(getattr(current_message(run), attribute) >> flag & 1)

    return (
        KemiFunction(f"set{name}", set_, (int,), ""),
        KemiFunction(f"reset{name}", reset, (int,), ""),
        KemiFunction(f"is{name}set", is_set, (int,), ""),
    )


def _branch_flags(message: Message, branch: int) -> int:
    if branch == 0:
        return message.branch_flags
    branches = message.branches
    return branches[branch - 1].flags if 0 < branch <= len(branches) else 0


def _set_branch_flags(message: Message, branch: int, flags: int) -> None:
    """Branch 0 is the message itself; one that is not there is passed over."""
    if branch == 0:
        message.branch_flags = flags
    elif 0 < branch <= len(message.branches):
        message.branches[branch - 1].flags = flags


def _set_branch_flag(run: Run, flag: int, branch: int) -> bool:
    if not _is_flag(run, flag):
        return False
    message = current_message(run)
    _set_branch_flags(message, branch, _branch_flags(message, branch) | 1 << flag)
    return True


def _reset_branch_flag(run: Run, flag: int, branch: int) -> bool:
    if not _is_flag(run, flag):
        return False
    message = current_message(run)
    _set_branch_flags(message, branch, _branch_flags(message, branch) & ~(1 << flag))
    return True


def _is_branch_flag(run: Run, flag: int, branch: int) -> bool:
    return _is_flag(run, flag) and bool(_branch_flags(current_message(run), branch) >> flag & 1)


# ---- the request URI and the destination ----------------------------------------------------------------------------


def _set_uri(run: Run, text: str) -> bool:
    return rewrite(run, "uri", text) > 0


def _set_user(run: Run, text: str) -> bool:
    return rewrite(run, "user", text) > 0


def _set_host(run: Run, text: str) -> bool:
    return rewrite(run, "host", text) > 0


def _set_destination(run: Run, text: str) -> bool:
    """Whatever it is: nothing looks at it before the message is sent on."""
    current_message(run).dst_uri = text or None
    return True


def _reset_destination(run: Run) -> bool:
    current_message(run).dst_uri = None
    return True


def _is_destination_set(run: Run) -> bool:
    return bool(current_message(run).dst_uri)


def _next_hop(run: Run) -> Uri | None:
    """Where the request would go; of a reply there is nothing that would be sent on."""
    message = current_message(run)
    if not message.is_request:
        return None
    text = message.dst_uri or message.request_uri
    uri = parse_uri(text)
    if uri is None:
        run.log(Level.ERROR, "core", f"the next hop is no URI: {show(text)!r}")
    return uri


def _goes_over(*protocols: int) -> Callable[[Run], bool]:
    return lambda run: (uri := _next_hop(run)) is not None and uri.protocol in protocols


def _goes_to(version: int) -> Callable[[Run], bool]:
    def test(run: Run) -> bool:
        uri = _next_hop(run)
        try:
            return uri is not None and ip_address(uri.host.strip("[]")).version == version
        except ValueError:
            return False

    return test


# ---- the method -----------------------------------------------------------------------------------------------------

_LETTERS: Final = {
    "i": "INVITE", "a": "ACK", "b": "BYE", "c": "CANCEL", "m": "MESSAGE", "r": "REGISTER", "e": "PRACK", "p": "PUBLISH",
    "s": "SUBSCRIBE", "n": "NOTIFY", "o": "OPTIONS", "f": "REFER", "g": "GET", "u": "UPDATE", "k": "KDMQ",
    "d": "DELETE", "t": "POST", "v": "PUT",
}  # fmt: skip


def _method(message: Message) -> str:
    return message.method if message.is_request else message.cseq[1]


@lru_cache(256)
def _methods(text: str) -> int:
    """`INVITE|ACK` as bits; 0 where one of them is not known."""
    found = 0
    for name in text.removesuffix("|").split("|"):
        bit = METHODS.get(name.strip(" \t\r\n").upper(), 0)
        if not bit:
            return 0
        found |= bit
    return found


def _is_method(run: Run, text: str) -> bool:
    message = current_message(run)
    if not text:
        run.log(Level.WARNING, "core", "is_method: there is no method to compare with")
        return False
    if "|" not in text or message.method_id == OTHER_METHOD:
        return _method(message).lower() == text.lower()
    methods = _methods(text)
    if not methods:
        run.log(Level.ERROR, "core", f"{show(text)!r} is no list of methods that are known")
    return bool(message.method_id & methods)


def _is_method_in(run: Run, letters: str) -> bool:
    """One letter for each method: `I` INVITE, `A` ACK, `B` BYE ..."""
    method = current_message(run).method_id
    for letter in letters:
        name = _LETTERS.get(letter.lower())
        if name is None:
            run.log(Level.WARNING, "core", f"is_method_in: no method has the letter {show(letter)!r}")
        elif METHODS[name] == method:
            return True
    return False


def _of_method(name: str) -> Callable[[Run], bool]:
    bit = METHODS[name]
    return lambda run: current_message(run).method_id == bit


# ---- where the message came from ------------------------------------------------------------------------------------

_PROTOCOL_LETTERS: Final = {"e": TLS, "s": SCTP, "t": TCP, "u": UDP, "v": WS, "w": WSS}


def _came_over(*protocols: int) -> Callable[[Run], bool]:
    return lambda run: current_message(run).received.protocol in protocols


def _is_protocol(run: Run, letters: str) -> bool:
    protocol = current_message(run).received.protocol
    return any(_PROTOCOL_LETTERS.get(letter) == protocol for letter in letters.lower())


def _came_to(six: bool) -> Callable[[Run], bool]:
    def test(run: Run) -> bool:
        socket = current_message(run).received.socket
        return socket is not None and (":" in socket.address) == six

    return test


def _is_source_port(run: Run, port: int) -> bool:
    return current_message(run).received.source_port == port


def _is_own_port(run: Run, port: int) -> bool:
    socket = current_message(run).received.socket
    return socket is not None and socket.port == port


# ---- marks for the way on -------------------------------------------------------------------------------------------


def _force_rport(run: Run) -> bool:
    """Replies go to the port that the request came from (RFC 3581), whether it asks for it or not."""
    current_message(run).internal_flags |= FORCE_RPORT
    return True


def _marked(run: Run) -> bool:
    """Marks the message for when it is sent on, or a connection that stays as it is here."""
    return True


def _taken(run: Run, _: int | str) -> int:
    return 1


def _function(name: str, call: Callable[..., Value | bool], *params: type[int] | type[str]) -> KemiFunction:
    return KemiFunction(name, call, params, "")


KEMI: Final = (
    *_flags("flag", "flags"),
    *_flags("bflag", "branch_flags"),
    *_flags("sflag", "script_flags"),
    _function("setbiflag", _set_branch_flag, int, int),
    _function("resetbiflag", _reset_branch_flag, int, int),
    _function("isbiflagset", _is_branch_flag, int, int),
    _function("seturi", _set_uri, str),
    _function("setuser", _set_user, str),
    _function("sethost", _set_host, str),
    _function("setdsturi", _set_destination, str),
    _function("resetdsturi", _reset_destination),
    _function("isdsturiset", _is_destination_set),
    _function("is_method", _is_method, str),
    _function("is_method_in", _is_method_in, str),
    *(_function(f"is_{name}", _of_method(name)) for name in METHODS),
    *(
        _function(f"is_{name}", _came_over(*protocols))
        for name, protocols in (
            ("UDP", (UDP,)), ("TCP", (TCP,)), ("TCPX", (TCP, TLS, WSS, WS)), ("TLS", (TLS,)), ("WS", (WS,)),
            ("WSS", (WSS,)), ("WSX", (WS, WSS)), ("SCTP", (SCTP,)),
        )
    ),
    _function("is_proto", _is_protocol, str),
    _function("is_IPv4", _came_to(False)),
    _function("is_IPv6", _came_to(True)),
    *(
        _function(f"to_{name}", _goes_over(*protocols))
        for name, protocols in (
            ("UDP", (UDP,)), ("TCP", (TCP,)), ("TLS", (TLS,)), ("SCTP", (SCTP,)), ("WS", (WS,)), ("WSS", (WSS,)),
            ("WSX", (WS, WSS)),
        )
    ),
    _function("to_IPv4", _goes_to(4)),
    _function("to_IPv6", _goes_to(6)),
    _function("is_src_port", _is_source_port, int),
    _function("is_dst_port", _is_own_port, int),
    _function("force_rport", _force_rport),
    *(
        _function(name, _marked)
        for name in (
            "add_local_rport", "set_forward_close", "set_forward_no_connect", "set_reply_close",
            "set_reply_no_connect",
        )
    ),
    _function("set_advertised_address", _taken, str),
    _function("set_advertised_port", _taken, str),
    _function("add_tcp_alias", _taken, int),
    _function("add_tcp_alias_via", lambda run: 1),
)  # fmt: skip
