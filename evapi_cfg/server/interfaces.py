"""The addresses of this machine's network interfaces, which a cfg may name instead of an address."""

from __future__ import annotations

import fcntl
import socket
import struct

_SIOCGIFADDR = 0x8915  # Linux: the IPv4 address of an interface


def address_of_interface(name: str) -> str | None:
    """Its IPv4 address; None where it has none, or where there is no such interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def all_addresses() -> list[str]:
    """What Kamailio listens on when its file names nothing: every interface's IPv4 address."""
    names = [name for _, name in socket.if_nameindex()]
    return [address for name in names if (address := address_of_interface(name)) is not None] or ["127.0.0.1"]


def address_of(host: str) -> str:
    """A host or address as it is, an interface's name as its address."""
    if host in {name for _, name in socket.if_nameindex()}:
        return address_of_interface(host) or host
    return host
