"""The variables of the message's URIs: $ru and its parts, $ou, $du, $nh, and those of From and To
(modules/pv/pv_core.c: pv_get_xuri_attr, pv_get_xto_attr, pv_set_xto_attr)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run, Setter
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.core_uri import Part, rewrite
from evapi_cfg.modules.forms import closed, plain
from evapi_cfg.modules.pv.readers import reader, refuse, request
from evapi_cfg.modules.spec import PseudoVariable, Variable
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.uri import DEFAULT_PORT, DEFAULT_TLS_PORT, TLS, UDP, Address, Uri, parse_uri
from evapi_cfg.source import show
from evapi_cfg.values import EvaluationError, Value

UriOf = Callable[[Run], Uri | None]


def _uri_user(of: UriOf) -> Callable[[Run], Value]:
    return lambda run: ((uri := of(run)) and uri.user) or None


def _uri_host(of: UriOf) -> Callable[[Run], Value]:
    return lambda run: ((uri := of(run)) and uri.host) or None


def _uri_user_length(of: UriOf) -> Callable[[Run], Value]:
    return lambda run: len(uri.user) if (uri := of(run)) else None


def uri_port(uri: Uri) -> str:
    """The port as text; the one of the transport where the URI has none."""
    if uri.port is not None:
        return uri.port
    return str(DEFAULT_TLS_PORT if uri.protocol == TLS else DEFAULT_PORT)


def _uri_port(of: UriOf) -> Callable[[Run], Value]:
    return lambda run: uri_port(uri) if (uri := of(run)) else None


def _uri_port_number(of: UriOf) -> Callable[[Run], int]:
    return lambda run: int(uri_port(uri) or 0) if (uri := of(run)) else 0


def _uri_transport(of: UriOf) -> Callable[[Run], Value]:
    return lambda run: (uri.transport or "UDP") if (uri := of(run)) else None


def _uri_protocol(of: UriOf) -> Callable[[Run], int]:
    return lambda run: (uri.protocol if uri.transport else UDP) if (uri := of(run)) else 0


def _uri_scheme(of: UriOf) -> Callable[[Run], Value]:
    return lambda run: uri.scheme if (uri := of(run)) else None


def _request_uri(run: Run) -> Uri | None:
    message = current_message(run)
    if not message.is_request:
        return None
    uri = message.parsed_uri
    if uri is None:
        run.log(Level.ERROR, "pv", f"the request URI is no URI: {show(message.request_uri)}")
    return uri


def _original_uri(run: Run) -> Uri | None:
    message = current_message(run)
    return parse_uri(message.uri) if message.is_request else None


def _destination_uri(run: Run) -> Uri | None:
    dst_uri = current_message(run).dst_uri
    return None if dst_uri is None else parse_uri(dst_uri)


def _next_hop(message: Message) -> str:
    return message.dst_uri or message.request_uri


def _next_hop_uri(run: Run) -> Uri | None:
    return parse_uri(_next_hop(current_message(run)))


def _family(of: UriOf) -> Callable[[Run], Value]:
    """4 or 6 where the host is an address, else 0."""

    def get(run: Run) -> Value:
        uri = of(run)
        if uri is None:
            return None
        if uri.host[:1] == "[":
            return 6
        parts = uri.host.split(".")
        return 4 if len(parts) == 4 and all(p.isdecimal() and int(p) < 256 for p in parts) else 0

    return get


def _set_uri(run: Run, value: Value) -> None:
    if not isinstance(value, str):
        raise refuse(run, "$ru takes a string")
    rewrite(run, "uri", value)


def _set_part(part: Part, name: str, *, empty: bool) -> Setter:
    """Assignment to a part of the request URI; `empty`: $null takes it away."""

    def set_(run: Run, value: Value) -> None:
        if (value is None and not empty) or (value.__class__ is int and part != "port"):
            raise refuse(run, f"${name} takes a string")
        if value.__class__ is int and isinstance(value, int) and value < 0:
            value += 1 << 64  # printed as an unsigned number (core/ut.h: int2str)
        if rewrite(run, part, "" if value is None else str(value)) < 0:
            raise EvaluationError(f"${name} cannot be set")

    return set_


def _set_destination(run: Run, value: Value) -> None:
    if isinstance(value, int):
        raise refuse(run, "$du takes a string")
    current_message(run).dst_uri = value or None


def _uri_class(user: str, host: str, port: str, transport: str, length: str, of: UriOf) -> tuple[PseudoVariable, ...]:
    return (
        plain(user, _uri_user(of)),
        plain(host, _uri_host(of)),
        plain(port, _uri_port(of), number=_uri_port_number(of)),
        plain(transport, _uri_transport(of), number=_uri_protocol(of)),
        plain(length, _uri_user_length(of)),
    )


_SET_USER: Final = _set_part("user", "rU", empty=True)
_SET_HOST: Final = _set_part("host", "rd", empty=False)
_URIS: Final = (
    plain("ru", request(lambda m: m.request_uri), _set_uri, takes_text=True),
    plain("ruri", request(lambda m: m.request_uri), _set_uri, takes_text=True),
    plain("rU", _uri_user(_request_uri), _SET_USER, takes_text=True),
    plain("ruri.user", _uri_user(_request_uri), _SET_USER, takes_text=True),
    plain("rd", _uri_host(_request_uri), _SET_HOST, takes_text=True),
    plain("ruri.domain", _uri_host(_request_uri), _SET_HOST, takes_text=True),
    plain("rp", _uri_port(_request_uri), _set_part("port", "rp", empty=True), number=_uri_port_number(_request_uri)),
    plain("rP", _uri_transport(_request_uri), number=_uri_protocol(_request_uri)),
    plain("rz", _uri_scheme(_request_uri), number=lambda run: uri.scheme_number if (uri := _request_uri(run)) else 0),
    plain("rUl", _uri_user_length(_request_uri)),
    plain("ou", request(lambda m: m.uri)),
    plain("ouri", request(lambda m: m.uri)),
    *_uri_class("oU", "od", "op", "oP", "oUl", _original_uri),
    plain("du", reader(lambda m: m.dst_uri), _set_destination, takes_text=True),
    plain("duri", reader(lambda m: m.dst_uri), _set_destination, takes_text=True),
    plain("dd", _uri_host(_destination_uri)),
    plain("dp", _uri_port(_destination_uri), number=_uri_port_number(_destination_uri)),
    plain("dP", _uri_transport(_destination_uri), number=_uri_protocol(_destination_uri)),
    closed(
        "nh",
        {
            "u": Variable(reader(_next_hop)),
            "U": Variable(_uri_user(_next_hop_uri)),
            "d": Variable(_uri_host(_next_hop_uri)),
            "p": Variable(
                lambda run: (uri.port or str(DEFAULT_PORT)) if (uri := _next_hop_uri(run)) else None,
                number=_uri_port_number(_next_hop_uri),
            ),
            "P": Variable(_uri_transport(_next_hop_uri), number=_uri_protocol(_next_hop_uri)),
            "i": Variable(_family(_next_hop_uri)),
        },
    ),
)

# ---- From and To ----------------------------------------------------------------------------------------------


def _set_address(kind: str, part: str) -> Setter:
    """Assignment to a part of From or To: an edit that is seen when the message is sent (pv_set_xto_attr)."""

    def set_(run: Run, value: Value) -> None:
        message = current_message(run)
        header, address = message.first(kind), message.address(kind)
        uri = parse_uri(address.uri) if address is not None else None
        if header is None or address is None or uri is None:
            raise EvaluationError(f"no {kind} to change")
        if isinstance(value, int):
            raise refuse(run, f"the {part} of {kind} takes a string")
        edit = _address_edit(address, uri, part, value)
        if edit is not None:
            at, length, text = edit
            message.edit(header.body_at + at, length, text)
            if part == "display name" and value is not None and not address.enclosed:
                message.edit(header.body_at + address.uri_at, len(address.uri), f"<{address.uri}>")
        elif value is None and part in ("uri", "host"):
            run.log(Level.WARNING, "pv", f"the {part} of {kind} cannot be removed")

    return set_


def _address_edit(address: Address, uri: Uri, part: str, value: str | None) -> tuple[int, int, str] | None:
    """Offset in the header's body, length and new text; None where there is nothing to do."""
    scheme_end = address.uri_at + len(uri.scheme) + 1
    if part == "uri":
        if value is None:
            return None
        enclose = not address.enclosed and ";" in value
        return address.uri_at, len(address.uri), f"<{value}>" if enclose else value
    if part == "user":
        length = len(uri.user)
        if value is None:
            return (scheme_end, length + 1, "") if length else None
        return scheme_end, length, value if length else f"{value}@"
    if part == "host":
        at = address.uri.find(uri.host, address.uri.find("@") + 1)
        return None if value is None else (address.uri_at + at, len(uri.host), value)
    length = len(address.display)
    if value is None:
        return (address.display_at, length + 1, "") if length else None
    return address.display_at, length, value if length else f"{value} "


def _address_class(kind: str, c: str, word: str) -> tuple[PseudoVariable, ...]:
    """$fu and its like for From, $tu and its like for To."""

    def uri_of(run: Run) -> Uri | None:
        address = current_message(run).address(kind)
        return None if address is None else parse_uri(address.uri)

    def whole(message: Message) -> Value:
        return address.uri if (address := message.address(kind)) else None

    def tag(message: Message) -> Value:
        return (address.param("tag") or None) if (address := message.address(kind)) else None

    def display(message: Message) -> Value:
        return (address.display or None) if (address := message.address(kind)) else None

    set_uri, set_user, set_host = (_set_address(kind, part) for part in ("uri", "user", "host"))
    user = _uri_user(uri_of)
    # $tUl is declared writable, as $tU is: an assignment to it sets the user.
    length_set = set_user if c == "t" else None
    return (
        plain(f"{c}u", reader(whole), set_uri, takes_text=True),
        plain(word, reader(whole), set_uri, takes_text=True),
        plain(f"{c}U", user, set_user, takes_text=True),
        plain(f"{word}.user", user, set_user, takes_text=True),
        plain(f"{c}d", _uri_host(uri_of), set_host, takes_text=True),
        plain(f"{word}.domain", _uri_host(uri_of), set_host, takes_text=True),
        plain(f"{c}n", reader(display), _set_address(kind, "display name"), takes_text=True),
        plain(f"{c}t", reader(tag)),
        plain(f"{c}Ul", _uri_user_length(uri_of), length_set),
    )


VARIABLES: Final = (
    *_URIS,
    *_address_class("from", "f", "from"),
    *_address_class("to", "t", "to"),
    plain("tts", reader(lambda m: 1 if (to := m.address("to")) and to.param("tag") else 0)),
)
