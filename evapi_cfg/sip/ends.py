"""Where a message comes from and where it may go: sockets, sources, further destinations."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from evapi_cfg.sip.uri import UDP


class Socket(NamedTuple):
    """A listening socket, as scripts name it."""

    protocol: int
    address: str
    port: int
    name: str | None = None
    advertised: tuple[str, int] | None = None


class Way(Protocol):
    """What a message came in by, and what its replies go out by."""

    def send(self, received: Received, port: int, text: str) -> None: ...


class Received(NamedTuple):
    """Where a message came from and where it arrived. `socket` is None for a message that no socket has seen; `way` is
    for whoever owns the sockets."""

    protocol: int = UDP
    source: str = "127.0.0.1"
    source_port: int = 5060
    destination: str = "127.0.0.1"
    destination_port: int = 5060
    socket: Socket | None = None
    way: Way | None = None


NOWHERE: Final = Received()


class Branch:
    """A further destination (core/dset.c: branch_t)."""

    __slots__ = ("dst_uri", "flags", "instance", "location_ua", "otcpid", "path", "q", "ruid", "send_socket", "uri")

    def __init__(self, uri: str = "", q: int | None = None) -> None:
        self.uri = uri
        self.dst_uri = ""
        self.path = ""
        self.q = q  # thousandths
        self.flags = 0
        self.ruid = ""
        self.location_ua = ""
        self.instance = ""
        self.otcpid = 0
        self.send_socket: Socket | None = None


FROM_HERE: Final = Received(0, "", 0, "", 0)
