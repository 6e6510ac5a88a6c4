"""A small HTTP server for those who look after this one: /metrics, /healthz, /readyz, and nothing else.

One request for each connection, which is closed behind the answer. It stands in the same loop as all else, so whoever
asks is bounded in number, in bytes and in time.
"""

from __future__ import annotations

import asyncio
import re
import socket
from typing import Final, NamedTuple, cast

from evapi_cfg.server.acceptor import Acceptor
from evapi_cfg.server.addresses import CannotListen, bound
from evapi_cfg.server.events import EventServer
from evapi_cfg.server.exposition import exposition
from evapi_cfg.server.loop_lag import LoopLag

CONNECTIONS: Final = 32  # at a time
HEAD: Final = 8192  # bytes of a request
PATIENCE: Final = 5.0  # seconds for a request to come, and for its answer to be taken
_REQUEST: Final = re.compile(rb"([A-Z]+) ([^ ?]+)(?:\?[^ ]*)? HTTP/1\.[01]\r?\n")
_PLAIN: Final = "text/plain; charset=utf-8"


class MetricsAddress(NamedTuple):
    host: str
    port: int


def parse_metrics(value: str) -> MetricsAddress:
    """`HOST:PORT`, `[IPv6]:PORT`; raises ValueError with what is wrong."""
    host, colon, port = value.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("write HOST:PORT, as in 127.0.0.1:9448 or [::1]:9448")
    return MetricsAddress(host, int(port))


class MetricsServer:
    """Answers for one event server, whose `metrics_address` is where it listens."""

    def __init__(self, events: EventServer) -> None:
        """Raises MetricsMissing where the library for it is not there."""
        self._events = events
        self._text, self._type = exposition(events.engine)
        self._loop = asyncio.get_running_loop()
        self._acceptor: Acceptor | None = None
        self._lag: LoopLag | None = None
        self.connections: set[_Request] = set()
        events.end_metrics = self.close

    async def listen(self, host: str, port: int) -> None:
        """Raises CannotListen."""
        try:
            listening = await bound(self._loop, host, port, socket.SOCK_STREAM)
        except CannotListen as err:
            raise CannotListen(f"metrics: {err}") from None
        self._events.metrics_address = listening.getsockname()[:2]
        self._lag = LoopLag(self._events.engine.measures)
        events, log = self._events, self._events.engine.world.log
        self._acceptor = Acceptor(listening, lambda host, port: _Request(self), events.keepalive, log, "core")
        self._acceptor.start()

    def answer(self, path: bytes) -> tuple[str, str, bytes]:
        """Status, content type and body."""
        if path == b"/metrics":
            return "200 OK", self._type, self._text()
        if path == b"/healthz":
            return "200 OK", _PLAIN, b"ok\n"
        if path == b"/readyz":
            if self._events.draining:
                return "503 Service Unavailable", _PLAIN, b"draining\n"
            return "200 OK", _PLAIN, b"ready\n"
        return "404 Not Found", _PLAIN, b"/metrics, /healthz and /readyz are here\n"

    def close(self) -> None:
        if self._acceptor is not None:
            self._acceptor.stop()
        if self._lag is not None:
            self._lag.close()
        for request in list(self.connections):
            request.end()


class _Request(asyncio.Protocol):
    """One connection with its request."""

    def __init__(self, server: MetricsServer) -> None:
        self._server = server
        self._head = b""
        self._answered = False
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = made = cast(asyncio.Transport, transport)
        connections = self._server.connections
        if len(connections) >= CONNECTIONS:
            made.abort()
            return
        connections.add(self)
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, made.abort)

    def data_received(self, data: bytes) -> None:
        if self._answered:
            return
        self._head += data
        if len(self._head) > HEAD:
            self._answer("431 Request Header Fields Too Large", _PLAIN, b"the request is too long\n")
        elif re.search(rb"\n\r?\n", self._head):
            self._work()

    def _work(self) -> None:
        request = _REQUEST.match(self._head)
        if request is None:
            self._answer("400 Bad Request", _PLAIN, b"this is no request of HTTP/1.1\n")
        elif request[1] not in (b"GET", b"HEAD"):
            self._answer("405 Method Not Allowed", _PLAIN, b"GET and HEAD are answered\n", "Allow: GET, HEAD\r\n")
        else:
            status, kind, body = self._server.answer(request[2])
            self._answer(status, kind, body, head_only=request[1] == b"HEAD")

    def _answer(self, status: str, kind: str, body: bytes, more: str = "", *, head_only: bool = False) -> None:
        self._answered = True
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        assert self._transport is not None
        self._transport.write(head.encode() + (b"" if head_only else body))
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._server.connections.discard(self)

    def end(self) -> None:
        if self._transport is not None and not self._answered:
            self._transport.abort()
