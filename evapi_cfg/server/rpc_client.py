"""Asks a server by JSON-RPC over its UNIX socket: `evapi-cfg rpc`. It waits, and knows no event loop."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Final

TIMEOUT: Final = 10.0  # seconds
SILENCE: Final = 20.0  # seconds without a line behind which a server that is followed is taken to have gone
_PART: Final = 1 << 18  # bytes that are read at once; no datagram of lines is longer
PATIENCE: Final = 300.0  # seconds, for what may take its time
_LARGEST: Final = 4 << 20  # bytes of an answer that is a datagram


class Unreachable(Exception):
    """Nobody listens, or no answer came; the message says which."""


def ask(path: str, request: str, seconds: float | None = None) -> str:
    """The answer to a request, from a socket of either type, within so many seconds. Raises Unreachable."""
    seconds = seconds or TIMEOUT
    data = request.encode("utf-8", "surrogateescape")
    try:
        try:
            return _by_datagram(path, data, seconds)
        except OSError as err:
            if err.errno != errno.EPROTOTYPE:
                raise
            return _by_stream(path, data, seconds)
    except TimeoutError:
        raise Unreachable(f"no answer from {path} in {seconds:g} seconds") from None
    except OSError as err:
        raise Unreachable(_why(path, err)) from None


def follow(path: str, request: str) -> Iterator[str]:
    """The answer to a request, and then each line that comes behind it, from a socket of either type, up to the end of
    the server. Raises Unreachable."""
    data = request.encode("utf-8", "surrogateescape")
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_UNIX, kind) as asking:
            asking.settimeout(SILENCE)
            try:
                if kind == socket.SOCK_DGRAM:
                    asking.bind("")  # and not connected: lines come from another socket than the answer
                    asking.sendto(data, path)
                else:
                    asking.connect(path)
                    asking.sendall(data)
            except OSError as err:
                if err.errno == errno.EPROTOTYPE and kind == socket.SOCK_DGRAM:
                    continue
                raise Unreachable(_why(path, err)) from None
            yield from _lines(path, asking, whole=kind == socket.SOCK_DGRAM)
            return


def _lines(path: str, asking: socket.socket, *, whole: bool) -> Iterator[str]:
    """`whole`: what comes at once is whole lines."""
    rest = b""
    while True:
        try:
            more = asking.recv(_PART)
        except TimeoutError:
            raise Unreachable(f"{path} has been silent for {SILENCE:g} seconds: the server has gone") from None
        except OSError as err:
            raise Unreachable(_why(path, err)) from None
        if not more:
            raise Unreachable(f"the server on {path} has ended")
        *lines, rest = (rest + more).split(b"\n")
        if whole and rest:
            lines, rest = [*lines, rest], b""
        yield from map(_text, lines)


def _why(path: str, err: OSError) -> str:
    if isinstance(err, (FileNotFoundError, ConnectionRefusedError)):
        return f"nobody listens on {path}"
    return f"cannot ask {path}: {(err.strerror or str(err)).lower()}"


def _by_datagram(path: str, data: bytes, seconds: float) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        asking.settimeout(seconds)
        asking.bind("")  # an address of the kernel's choice, without a file
        asking.connect(path)
        asking.send(data)
        return _text(asking.recv(_LARGEST))


def _by_stream(path: str, data: bytes, seconds: float) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(seconds)
        asking.connect(path)
        asking.sendall(data)
        asking.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while more := asking.recv(1 << 16):
            answer += more
        return _text(bytes(answer))


def _text(answer: bytes) -> str:
    return answer.decode("utf-8", "replace")
