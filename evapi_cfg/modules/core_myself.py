"""Which addresses are this server's own: its listening sockets and its aliases (core/forward.c: check_self;
core/socket_info.c: grep_sock_info; core/name_alias.h: grep_aliases)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.uri import DEFAULT_PORT, DEFAULT_TLS_PORT, NONE, TCP, TLS, WS, WSS, parse_uri

MYSELF: Final = "myself"
_CARRIERS: Final = {WS: TCP, WSS: TLS}  # whose sockets a WebSocket arrives at


def is_myself(world: World, host: str, port: int = 0, protocol: int = NONE) -> bool:
    """Whether a host, with its port and protocol where they are not 0, is one that the server listens on or an
    alias."""
    if not host:
        return False
    name = _bare(host)
    address = _ipv6(name)
    carrier = _CARRIERS.get(protocol, protocol)
    for socket in world.sockets:
        if carrier and carrier != _CARRIERS.get(socket.protocol, socket.protocol):
            continue
        advertised = socket.advertised
        if port and socket.port != port and (advertised is None or advertised[1] != port):
            continue
        if _same(socket.address, name, address) or (advertised is not None and _same(advertised[0], name, address)):
            return True
    return any(
        (not alias_protocol or not protocol or alias_protocol == protocol)
        and (not alias_port or not port or alias_port == port)
        and alias.lower() == name
        for alias_protocol, alias, alias_port in world.aliases
    )


def names_myself(world: World, text: str, *, whole: bool = True) -> bool | None:
    """As `is_myself` for a text: a sip: or sips: URI in lower case is taken apart, anything else is a host. None where
    it is such a URI and cannot be read. `whole`: port and protocol count, too."""
    if len(text) <= 4 or not text.startswith(("sip:", "sips:")):
        return is_myself(world, text)
    uri = parse_uri(text)
    if uri is None:
        return None
    return is_myself(world, uri.host, uri.port_number, uri.protocol) if whole else is_myself(world, uri.host)


def _bare(host: str) -> str:
    """In lower case, and an IPv6 address without its brackets."""
    return host[1:-1].lower() if len(host) > 2 and host[0] == "[" and host[-1] == "]" else host.lower()


def _ipv6(name: str) -> IPv6Address | None:
    if ":" not in name:
        return None
    try:
        return IPv6Address(name)
    except ValueError:
        return None


def _same(own: str, name: str, address: IPv6Address | None) -> bool:
    own = _bare(own)
    return own == name or (address is not None and _ipv6(own) == address)


# ---- `uri == myself` ------------------------------------------------------------------------------------------------


def _of_uri(text: str) -> tuple[str, int] | None:
    """Host and port of a URI, the usual port where it names none; None where it is no URI."""
    uri = parse_uri(text)
    if uri is None:
        return None
    # sips: alone does not make it the port of TLS (core/forward.h: GET_URI_PORT).
    return uri.host, uri.port_number or (DEFAULT_TLS_PORT if uri.protocol == TLS else DEFAULT_PORT)


def _of_address(kind: str) -> Callable[[Message], tuple[str, int] | None]:
    def read(message: Message) -> tuple[str, int] | None:
        address = message.address(kind)
        return None if address is None else _of_uri(address.uri)

    return read


def _nowhere(message: Message) -> None:
    """For what is known only while a message is sent on: snd_ip, to_ip."""


_PLACES: Final[dict[str, Callable[[Message], tuple[str, int] | None]]] = {
    "uri": lambda message: _of_uri(message.request_uri),
    "from_uri": _of_address("from"),
    "to_uri": _of_address("to"),
    "src_ip": lambda message: (message.received.source, 0),
    "dst_ip": lambda message: (message.received.destination, 0),
}


def myself_test(name: str, op: str) -> Callable[[Run], bool]:
    """What compares the operand `name` with `myself`; `op` is `==` or `!=` (core/route.c: check_self_op). From and To
    without a URI are not myself; a request URI that is none is neither myself nor another."""
    wanted = op == "=="
    place_of = _PLACES.get(name, _nowhere)

    def test(run: Run) -> bool:
        place = place_of(current_message(run))
        if place is None:
            run.log(Level.ERROR, "core", f"{name} is no URI that could be compared with myself")
            return not wanted and name != "uri"
        return is_myself(run.world, *place) == wanted

    return test
