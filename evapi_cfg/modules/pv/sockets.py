"""The variables of where the message came from and of the sockets that it goes through
(modules/pv/pv_core.c: pv_get_srcip and what follows; core/msg_translator.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import closed, plain
from evapi_cfg.modules.pv.readers import reader, refuse
from evapi_cfg.modules.spec import Variable
from evapi_cfg.sip.message import Message, Socket
from evapi_cfg.sip.uri import PROTOCOL_NAMES, PROTOCOLS, UDP
from evapi_cfg.source import show
from evapi_cfg.values import Value, parse_int


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address and address[:1] != "[" else address


def _source_uri(message: Message, always: bool) -> str:
    received = message.received
    uri = f"sip:{_bracketed(received.source)}:{received.source_port}"
    if always or received.protocol != UDP:
        uri += f";transport={PROTOCOL_NAMES[received.protocol]}"
    return uri


def _source_socket(message: Message) -> str:
    received = message.received
    return f"{PROTOCOL_NAMES[received.protocol]}:{_bracketed(received.source)}:{received.source_port}"


def socket_text(socket: Socket) -> str:
    return f"{PROTOCOL_NAMES[socket.protocol]}:{_bracketed(socket.address)}:{socket.port}"


def _of_socket(read: Callable[[Socket], Value]) -> Callable[[Run], Value]:
    """A getter of the socket that received the message; $null where none did."""

    def get(run: Run) -> Value:
        socket = current_message(run).received.socket
        return None if socket is None else read(socket)

    return get


def _socket_uri(socket: Socket, always: bool, advertised: bool) -> str:
    address, port = socket.advertised if advertised and socket.advertised else (socket.address, socket.port)
    uri = f"sip:{_bracketed(address)}:{port}"
    return f"{uri};transport={PROTOCOL_NAMES[socket.protocol]}" if always or socket.protocol != UDP else uri


def find_socket(run: Run, text: str) -> Socket | None:
    """The listening socket `[proto:]host[:port]`."""
    head, _, rest = text.partition(":")
    protocol = PROTOCOLS.get(head.lower())
    host, colon, port = (rest if protocol is not None else text).rpartition(":")
    if not colon or text.endswith("]"):
        host, port = rest if protocol is not None else text, ""
    number = parse_int(port) if port else 0
    for socket in run.world.sockets:
        if (
            socket.address == host.strip("[]")
            and (not number or socket.port == number)
            and (protocol is None or socket.protocol == protocol)
        ):
            return socket
    return None


def _set_send_socket(run: Run, value: Value) -> None:
    message = current_message(run)
    if value is None:
        message.send_socket = None
    elif isinstance(value, int) or not value:
        raise refuse(run, "$fs takes a string")
    elif (socket := find_socket(run, value)) is not None:
        message.send_socket = socket
    else:
        run.log(Level.WARNING, "pv", f"no listening socket is {show(value)}")


def _set_send_socket_name(run: Run, value: Value) -> None:
    message = current_message(run)
    if value is None:
        message.send_socket = None
    elif isinstance(value, int) or not value:
        raise refuse(run, "$fsn takes a string")
    else:
        for socket in run.world.sockets:
            if socket.name == value:
                message.send_socket = socket
                return
        run.log(Level.WARNING, "pv", f"no listening socket has the name {show(value)}")


def _family_of(socket: Socket) -> int:
    return 10 if ":" in socket.address else 2


def _protocol_name(message: Message) -> str:
    return PROTOCOL_NAMES[message.received.protocol]


def _protocol_number(run: Run) -> int:
    return current_message(run).received.protocol


def _advertised_address(socket: Socket) -> Value:
    return socket.advertised[0] if socket.advertised else socket.address


def _advertised_port(socket: Socket) -> Value:
    return socket.advertised[1] if socket.advertised else socket.port


VARIABLES: Final = (
    plain("si", reader(lambda m: m.received.source)),
    plain("src_ip", reader(lambda m: m.received.source)),
    plain("siz", reader(lambda m: _bracketed(m.received.source))),
    plain("sp", reader(lambda m: m.received.source_port)),
    plain("su", reader(lambda m: _source_uri(m, False))),
    plain("sut", reader(lambda m: _source_uri(m, True))),
    plain("sas", reader(_source_socket)),
    plain("pr", reader(_protocol_name), number=_protocol_number),
    plain("proto", reader(_protocol_name), number=_protocol_number),
    plain("prid", _protocol_number, nullable=False),
    plain("Ri", _of_socket(lambda s: s.address)),
    plain("Rp", _of_socket(lambda s: s.port)),
    plain("Rn", _of_socket(lambda s: s.name)),
    plain("Ru", _of_socket(lambda s: _socket_uri(s, False, False))),
    plain("Rut", _of_socket(lambda s: _socket_uri(s, True, False))),
    plain("Ras", _of_socket(socket_text)),
    plain("RAi", _of_socket(_advertised_address)),
    plain("RAp", _of_socket(_advertised_port)),
    plain("RAu", _of_socket(lambda s: _socket_uri(s, False, True))),
    plain("RAut", _of_socket(lambda s: _socket_uri(s, True, True))),
    # Kamailio ends with a segmentation fault where no socket received the message; $null is all that can be said.
    closed(
        "af",
        {
            "id": Variable(_of_socket(_family_of)),
            "name": Variable(_of_socket(lambda s: "IPv6" if _family_of(s) == 10 else "IPv4")),
        },
    ),
    plain("conid", lambda run: None),
    plain("fs", reader(lambda m: socket_text(m.send_socket) if m.send_socket else None), _set_send_socket),
    plain("fsn", reader(lambda m: m.send_socket.name if m.send_socket else None), _set_send_socket_name),
    plain("fsp", reader(lambda m: m.send_socket.port if m.send_socket else 0)),
)
