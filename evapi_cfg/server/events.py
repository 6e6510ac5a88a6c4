"""The sockets of evapi's clients.

Bytes that clients send go to the engine; what the engine leaves in the hub goes out in one write per client for each
read. A client that does not read is cut when more than `max_queue` bytes wait for it. Nobody else loses anything by it:
those who send to it are read a little more slowly until then.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import cast

from evapi_cfg.runtime.engine import Engine
from evapi_cfg.runtime.hub import EventClient
from evapi_cfg.server.acceptor import Acceptor
from evapi_cfg.server.addresses import bound
from evapi_cfg.server.outside import OthersOutside, ServedOutside

MAX_QUEUE = 8 << 20
DRAIN = 5.0
LINGER = 60.0
LAST_TURNS = 4  # turns of the loop that bring in what lies in the sockets when the server is told to end
BEHIND = 1 << 20  # bytes waiting for a client from which on those who send to it are read more slowly
REST = 0.004  # seconds that they are not read then
AWAKE = 50e-6  # seconds that the loop goes on looking for data behind a message


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_queue`: bytes that may wait for one client. `drain`: seconds in which clients may take what is left when
    the server ends. `linger`: the same for a client whose connection is closed while the server runs."""

    max_queue: int = MAX_QUEUE
    drain: float = DRAIN
    linger: float = LINGER


class _Early:
    """In the place of a transport until the loop has made it: keeps what is written."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.kept.append(data)

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.kept))

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True

    abort = close

    def resume_reading(self) -> None:
        """It is not read yet."""


class Connection(asyncio.Protocol):
    """One accepted socket."""

    __slots__ = ("_client", "_early", "_server", "_transport")

    def __init__(self, server: EventServer, address: str, port: int) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._early = _Early()
        self._client = None if server.closing else server.engine.connect(address, port)
        if self._client is not None:
            self._client.peer = self._early
            server.flush()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no asyncio class
        self._transport = made = cast(asyncio.Transport, transport)
        early, self._early = self._early, _Early()
        client = self._client
        if client is not None:
            client.peer = made
            self._server.transports.add(made)
            made.writelines(early.kept)
        if client is None or early.closed or not client.connected:
            made.close()

    def data_received(self, data: bytes) -> None:
        client = self._client
        if client is None:
            return
        server = self._server
        server.engine.receive(client, data)
        server.flush()
        server.stay_awake()
        transport = cast(asyncio.Transport, self._transport)
        if client.full:
            transport.pause_reading()
        elif server.behind:
            server.rest(client, transport)

    def eof_received(self) -> bool:
        client = self._client
        if client is None:
            return False
        self._server.engine.gone(client)
        self._server.flush()
        # Open while messages of the client are in work: the engine closes it behind them.
        return client.connected

    def connection_lost(self, exc: Exception | None) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.peer = None
            self._server.engine.gone(client)
            self._server.flush()
        if self._transport is not None:
            self._server.transports.discard(self._transport)
        self._server.left()


class EventServer:
    """Serves one engine on one address, inside a running event loop."""

    def __init__(self, engine: Engine, limits: Limits | None = None) -> None:
        self.engine = engine
        self.limits = limits or Limits()
        self.transports: set[asyncio.Transport] = set()
        self.address: tuple[str, int] = ("", 0)
        self._outbox = engine.world.outbox
        self._loop = asyncio.get_running_loop()
        self._acceptor: Acceptor | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.closing = False
        self._all_left = asyncio.Event()
        self.behind = False  # a client has more than BEHIND bytes waiting for it
        self._awake = False
        self._awake_until = 0.0
        self.send_replies: Callable[[], None] = _nothing  # what SIP has left to send
        self.stop_sip: Callable[[], None] = _nothing
        self.end_sip: Callable[[], None] = _nothing
        self.end_rpc: Callable[[], None] = _nothing
        engine.flush = self.flush
        self._outside = ServedOutside(self._go_on)
        others = engine.world.outside
        engine.world.outside = self._outside if others is None else OthersOutside(others, self._go_on)
        engine.hub.unsent = _unsent

    # ---- listening

    async def listen(self, host: str, port: int) -> None:
        """Listens and begins to accept; raises CannotListen."""
        listening = await bound(self._loop, host, port, socket.SOCK_STREAM)
        self.address = listening.getsockname()[:2]
        self.engine.start()
        self.flush()
        log = self.engine.world.log
        self._acceptor = Acceptor(listening, lambda host, port: Connection(self, host, port), log, "evapi")
        self._acceptor.start()

    # ---- moving bytes

    def flush(self) -> None:
        """Writes all that the engine left for clients, and looks after its timer."""
        engine = self.engine
        limit = self.limits.max_queue
        for client, data in engine.hub.drain():
            if client.peer is None:
                continue
            transport = cast(asyncio.Transport, client.peer)
            if transport.is_closing():
                continue  # it has broken, and connection_lost will tell; nobody else's frames may suffer
            if data:
                transport.write(data)
                waiting = transport.get_write_buffer_size()
                self.behind = self.behind or waiting > BEHIND
                if waiting > limit and client.connected:
                    self._cut(client, transport, waiting)
            if not client.connected:
                self.part(transport)
        for client in engine.resumed:
            if client.connected and client.peer is not None and not self.closing:
                cast(asyncio.Transport, client.peer).resume_reading()
        engine.resumed.clear()
        if self._outbox:
            self.send_replies()
        when = engine.next_time()
        if when is not None:
            self._set_timer(when)

    def rest(self, client: EventClient, transport: asyncio.Transport) -> None:
        """Does not read a client for a moment, since somebody is far behind in reading what it causes: who reads at all
        catches up, and who does not is soon cut. Nobody waits longer for anybody."""
        self.behind = False
        transport.pause_reading()

        def go_on() -> None:
            if client.connected and not client.full and not self.closing and not transport.is_closing():
                transport.resume_reading()

        self._loop.call_later(REST, go_on)

    def stay_awake(self) -> None:
        """Looks for the next message a moment longer before it sleeps: an application that waits for its answer sends
        the next one then, and waking up costs more than all that is done for a message."""
        self._awake_until = monotonic() + AWAKE
        if not self._awake:
            self._awake = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        if monotonic() < self._awake_until:
            self._loop.call_soon(self._look)
        else:
            self._awake = False

    def _cut(self, client: EventClient, transport: asyncio.Transport, waiting: int) -> None:
        limit = self.limits.max_queue
        reason = f"it has not read {waiting:,} bytes, more than {limit:,} (--max-queue); Kamailio would stand still"
        self.engine.cut(client, reason, reads=False)
        transport.abort()

    def part(self, transport: asyncio.Transport) -> None:
        """Closes a connection when what is left for it has been read, or was not in a long time."""
        transport.close()
        if transport.get_write_buffer_size():
            self._loop.call_later(self.limits.linger, transport.abort)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        delay = max(when - self.engine.world.clock.monotonic(), 0.0)
        self._timer = self._loop.call_later(delay, self._due)

    def _due(self) -> None:
        self._timer = None
        self._go_on()

    def _go_on(self) -> None:
        """Goes on with what is due, and with what waits for a worker that is free now."""
        self.engine.advance()
        self.flush()

    # ---- ending

    def left(self) -> None:
        if not self.transports:
            self._all_left.set()

    def stop_accepting(self) -> None:
        if self._acceptor is not None:
            self._acceptor.stop()
            self._acceptor = None

    async def close(self) -> None:
        """Accepts nobody any more, runs what has been received, and closes each client when it has read what is
        there for it, at the latest after `drain` seconds."""
        self.stop_accepting()
        self.end_rpc()
        end = self._loop.time() + self.limits.drain
        for _ in range(LAST_TURNS):
            await asyncio.sleep(0)
        self.closing = True
        self.stop_sip()
        for transport in self.transports:
            transport.pause_reading()
        while not (self.engine.idle and self._outside.idle) and self._loop.time() < end:
            await asyncio.sleep(0.005)
        self.engine.world.outside = None
        await self._outside.close()
        self.engine.requests.end()
        self.flush()
        self.end_sip()
        if self._timer is not None:
            self._timer.cancel()
        # As with Kamailio, whose processes just end, connection-closed does not run.
        for client in list(self.engine.hub.clients):
            self.engine.hub.leave(client)
        for transport in list(self.transports):
            transport.close()
        if self.transports:
            self._all_left.clear()
            try:
                await asyncio.wait_for(self._all_left.wait(), max(end - self._loop.time(), 0.0))
            except TimeoutError:
                for transport in list(self.transports):
                    transport.abort()
                await asyncio.sleep(0)


def _nothing() -> None:
    """Nobody is there for SIP, or for JSON-RPC."""


def _unsent(client: EventClient) -> int:
    return 0 if client.peer is None else cast(asyncio.Transport, client.peer).get_write_buffer_size()
