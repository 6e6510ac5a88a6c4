"""Asks a server by JSON-RPC over its UNIX socket: `evapi-cfg rpc`. It waits, and knows no event loop."""

from __future__ import annotations

import errno
import socket
from typing import Final

TIMEOUT: Final = 10.0  # seconds
_LARGEST: Final = 4 << 20  # bytes of an answer that is a datagram


class Unreachable(Exception):
    """Nobody listens, or no answer came; the message says which."""


def ask(path: str, request: str) -> str:
    """The answer to a request, from a socket of either type. Raises Unreachable."""
    data = request.encode("utf-8", "surrogateescape")
    try:
        try:
            return _by_datagram(path, data)
        except OSError as err:
            if err.errno != errno.EPROTOTYPE:
                raise
            return _by_stream(path, data)
    except TimeoutError:
        raise Unreachable(f"no answer from {path} in {TIMEOUT:g} seconds") from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise Unreachable(f"nobody listens on {path}") from None
    except OSError as err:
        raise Unreachable(f"cannot ask {path}: {(err.strerror or str(err)).lower()}") from None


def _by_datagram(path: str, data: bytes) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        asking.settimeout(TIMEOUT)
        asking.bind("")  # an address of the kernel's choice, without a file
        asking.connect(path)
        asking.send(data)
        return _text(asking.recv(_LARGEST))


def _by_stream(path: str, data: bytes) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(TIMEOUT)
        asking.connect(path)
        asking.sendall(data)
        asking.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while more := asking.recv(1 << 16):
            answer += more
        return _text(bytes(answer))


def _text(answer: bytes) -> str:
    return answer.decode("utf-8", "replace")
