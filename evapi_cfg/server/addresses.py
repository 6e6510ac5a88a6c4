"""Addresses to listen on: how they are found, bound and shown, and what to say where that cannot be."""

from __future__ import annotations

import asyncio
import errno
import socket

BACKLOG = 65535  # as many as the kernel allows
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class CannotListen(Exception):
    """The address is taken, not of this machine, not to be resolved or not allowed; the message says which."""


async def bound(loop: asyncio.AbstractEventLoop, host: str, port: int, kind: int) -> socket.socket:
    """A socket of this kind (SOCK_STREAM: one that listens) at an address; raises CannotListen."""
    try:
        found = await loop.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)
    except OSError as err:
        raise CannotListen(f"cannot resolve `{host}`: {reason(err)}") from None
    except ValueError:  # a NUL, an empty or a long part
        raise CannotListen(f"cannot resolve `{host}`: it is no host name") from None
    refused: OSError | None = None
    for family, type_, proto, _name, address in found:
        try:
            return _bound(family, type_, proto, address)
        except OSError as err:
            refused = refused or err
            # `localhost` may stand for ::1 first, on a machine without IPv6.
            if err.errno not in _NOT_HERE:
                break
    assert refused is not None
    raise CannotListen(f"cannot listen on {shown(host, port)}: {reason(refused)}")


def _bound(family: int, kind: int, proto: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, kind, proto)
    try:
        made.setblocking(False)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        if kind == socket.SOCK_STREAM:
            made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def plain(address: str) -> str:
    """An IPv4 client of an IPv6 socket has its IPv4 address."""
    return address.removeprefix("::ffff:") if "." in address else address


def shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reason(err: OSError) -> str:
    match err.errno:
        case errno.EADDRINUSE:
            return "the address is in use; another server (or Kamailio itself) listens there"
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return "this machine has no such address"
        case errno.EACCES | errno.EPERM:
            return "not allowed; ports below 1024 need a privilege"
        case _:
            return (err.strerror or str(err)).lower()
