"""The sockets of evapi's clients.

Bytes that clients send go to the engine; what the engine leaves in the hub goes out in one write per client for each
read. A client that does not read is cut when more than `max_queue` bytes wait for it, or when it has taken none of them
for `send_timeout` seconds. Nobody else loses anything by it: those who send to it are read a little more slowly until
then.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, cast

from evapi_cfg.runtime.backlog import CROWDED, Stalls, offenders, rest
from evapi_cfg.runtime.engine import PENDING_MOST, Engine
from evapi_cfg.runtime.hub import EventClient
from evapi_cfg.server.acceptor import Acceptor
from evapi_cfg.server.addresses import bound
from evapi_cfg.server.doors import Door
from evapi_cfg.server.keepalive import Keepalive, taken
from evapi_cfg.server.outside import OthersOutside, ServedOutside
from evapi_cfg.server.parting import Parting

MAX_QUEUE = 8 << 20
MAX_TOTAL_QUEUE = 256 << 20
DRAIN = 5.0
LINGER = 60.0
SEND_TIMEOUT = 5.0
KEEPALIVE = 60.0
LAST_TURNS = 4  # turns of the loop that bring in what lies in the sockets when the server is told to end
BEHIND = 1 << 20  # bytes waiting for a client from which on those who send to it are read more slowly
REST = 0.004  # seconds that they are not read then
AWAKE = 50e-6  # seconds that the loop goes on looking for data behind a message
LOOKS = 10  # how often it is seen, in the time of send_timeout, who takes nothing
TIGHT = 8  # by what the output of one turn of the loop is divided when half of max_total_queue is used up
UNSEEN = 1 << 20  # bytes that may be written before it is seen again how much waits in all


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_queue`: bytes that may wait for one client. `drain`: seconds in which clients may take what is left when
    the server ends. `linger`: the same for a client whose connection is closed while the server runs.
    `send_timeout`: seconds in which a client for whom something waits must take some of it (on Linux).
    `max_total_queue`: bytes that may wait for all clients; above that the one for whom most waits goes first.
    `rate`: messages of one client a second, 0: no bound. `keepalive`: seconds in which it shows that a peer is gone."""

    max_queue: int = MAX_QUEUE
    drain: float = DRAIN
    linger: float = LINGER
    send_timeout: float = SEND_TIMEOUT
    max_total_queue: int = MAX_TOTAL_QUEUE
    rate: float = 0.0
    keepalive: float = KEEPALIVE


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

    __slots__ = ("_client", "_early", "_server", "_transport", "sends_no_more")

    def __init__(self, server: EventServer, address: str, port: int) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._early = _Early()
        self.sends_no_more = False
        self._client = None if server.closing else server.engine.connect(address, port)
        if self._client is not None:
            self._client.peer = self._early
            server.flush()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no asyncio class
        self._transport = made = cast(asyncio.Transport, transport)
        early, self._early = self._early, _Early()
        client = self._client
        if client is None:
            made.close()
            return
        client.peer = made
        self._server.transports[made] = self
        made.writelines(early.kept)
        if early.closed or not client.connected:
            self._server.part(made)

    def data_received(self, data: bytes) -> None:
        client = self._client
        if client is None:
            return
        server = self._server
        server.engine.receive(client, data)
        server.flush()
        server.stay_awake()
        if client.full:
            cast(asyncio.Transport, self._transport).pause_reading()
        elif server.behind:
            server.rest(client, cast(asyncio.Transport, self._transport))

    def eof_received(self) -> bool:
        client = self._client
        if client is None:
            return False
        self.sends_no_more = True
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
            self._server.left(self._transport)

    def leave(self) -> EventClient | None:
        """Drops what still comes; gives the client that it was."""
        client, self._client = self._client, None
        if client is not None:
            client.peer = None
        return client

    @property
    def client(self) -> EventClient | None:
        """None when its connection is being closed."""
        return self._client


class EventServer:
    """Serves one engine on one address, inside a running event loop."""

    def __init__(self, engine: Engine, limits: Limits | None = None, door: Door | None = None) -> None:
        self.engine = engine
        self.limits = limits or Limits()
        self.keepalive = Keepalive.within(self.limits.keepalive)
        self.door = door
        self.transports: dict[asyncio.Transport, Connection] = {}
        self.address: tuple[str, int] = ("", 0)
        self.metrics_address: tuple[str, int] | None = None
        self._outbox = engine.world.outbox
        self._loop = asyncio.get_running_loop()
        self._acceptor: Acceptor | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.closing = False
        self.draining = False  # told to end: nobody new should come
        self._all_left = asyncio.Event()
        self.behind = False  # a client has more than BEHIND bytes waiting for it
        self._much = min(BEHIND, self.limits.max_queue)
        self._parting = Parting(self.limits.linger)
        self._stalls: Stalls[asyncio.Transport] = Stalls(self.limits.send_timeout)
        self._watching: asyncio.TimerHandle | None = None
        self._unseen = 0  # bytes that may be written before it is looked how much waits
        self._rest_until = 0.0  # because all together do not keep up
        self._awake = False
        self._awake_until = 0.0
        self.send_replies: Callable[[], None] = _nothing  # what SIP has left to send
        self.stop_sip: Callable[[], None] = _nothing
        self.end_sip: Callable[[], None] = _nothing
        self.end_rpc: Callable[[], None] = _nothing
        self.end_metrics: Callable[[], None] = _nothing
        engine.flush = self.flush
        engine.limit_rate(self.limits.rate)
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
        if self.door is not None:
            self.door.open(log, self.limits.linger, self.engine.measures.refused)
        made_for = partial(Connection, self)
        self._acceptor = Acceptor(listening, made_for, self.keepalive, log, "evapi", self.door)
        self._acceptor.start()

    # ---- moving bytes

    def flush(self) -> None:
        """Writes all that the engine left for clients, and looks after its timer."""
        engine = self.engine
        much, written = self._much, 0
        for client, data in engine.hub.drain():
            if client.peer is None:
                continue
            transport: Any = client.peer  # a cast would cost more than the call behind it
            if transport.is_closing():
                continue  # it has broken, and connection_lost will tell; nobody else's frames may suffer
            if data:
                transport.write(data)
                written += len(data)
                waiting = transport.get_write_buffer_size()
                if waiting > much:
                    self.behind = self.behind or waiting > BEHIND
                    if waiting > self.limits.max_queue and client.connected:
                        most = self.limits.max_queue
                        self._cut(client, transport, f"{waiting:,} bytes, more than {most:,} (--max-queue)")
            if not client.connected:
                self.part(transport)
        self._unseen -= written
        if self._unseen < 0:
            self._look_at_all()
        if engine.resumed:
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
            if self._resting():
                self._loop.call_later(REST, go_on)
            elif client.connected and not client.full and not self.closing and not transport.is_closing():
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

    # ---- clients that do not read

    def _cut(self, client: EventClient, transport: asyncio.Transport, unread: str) -> None:
        self.engine.cut(client, f"it has not read {unread}; Kamailio would stand still", reads=False)
        transport.abort()

    def _give_up(self, transport: asyncio.Transport, unread: str) -> None:
        """Cuts whoever has the connection, or ends it at once where it is being closed."""
        connection = self.transports.get(transport)
        client = None if connection is None else connection.client
        if client is None or not client.connected:
            transport.abort()
        else:
            self._cut(client, transport, unread)

    def _look_at_all(self) -> None:
        """Sees how much waits in all, and cuts those for whom most does where that is too much."""
        most = self.limits.max_total_queue
        sizes = {transport: transport.get_write_buffer_size() for transport in self.transports}
        for transport in offenders(sizes.items(), most, self._stands_still):
            size = sizes.pop(transport)
            self._give_up(transport, f"{size:,} bytes, and more than {most:,} wait in all (--max-total-queue)")
        self._unseen = max(int(most * CROWDED) - sum(sizes.values()), min(UNSEEN, most))
        if self._watching is None:
            self._watch()
        self.engine.pending_most = PENDING_MOST if sum(sizes.values()) <= most // 2 else PENDING_MOST // TIGHT
        seconds = rest(sizes.values(), most)
        if seconds and not self.closing:
            self._rest_until = self._loop.time() + seconds
            self.behind = True

    def _stands_still(self, transport: asyncio.Transport) -> bool:
        so_far = taken(transport.get_extra_info("socket"))
        return so_far is not None and self._stalls.stands_still(transport, so_far, self._loop.time())

    def _resting(self) -> bool:
        """Whether nothing should be sent for now, since so many clients are behind."""
        if not self._rest_until:
            return False
        now = self._loop.time()
        sizes = [transport.get_write_buffer_size() for transport in self.transports]
        self._rest_until = min(self._rest_until, now + rest(sizes, self.limits.max_total_queue))
        if self._rest_until <= now:
            self._rest_until = 0.0
        return bool(self._rest_until)

    def _watch(self) -> None:
        self._watching = self._loop.call_later(self.limits.send_timeout / LOOKS, self._look_for_stalls)

    def _look_for_stalls(self) -> None:
        """Cuts those who take nothing, and looks again while anything waits for anybody."""
        self._watching = None
        waiting = []
        for transport in self.transports:
            if transport.get_write_buffer_size():
                so_far = taken(transport.get_extra_info("socket"))
                if so_far is not None:
                    waiting.append((transport, so_far))
        seconds = self.limits.send_timeout
        for transport in self._stalls.look(self._loop.time(), waiting):
            size = transport.get_write_buffer_size()
            self._give_up(transport, f"anything for {seconds:g} s (--send-timeout) while {size:,} bytes wait for it")
        self.flush()
        if waiting and self._watching is None:
            self._watch()
        if self._watching is None:
            self._unseen = 0  # with the next bytes that are written it begins again

    def part(self, transport: asyncio.Transport) -> None:
        """Closes a connection when what is left for it has been read, or was not in a long time."""
        if transport.is_closing():  # cut; asyncio's transports for TLS know nothing more behind a second `close`
            return
        connection = self.transports.get(transport)
        if connection is None:  # not made yet
            transport.close()
            return
        connection.leave()
        if connection.sends_no_more and not transport.get_write_buffer_size():
            transport.close()  # nothing can be lost
        else:
            self._parting.begin(transport)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        delay = max(when - self.engine.world.clock.monotonic(), REST if self._rest_until else 0.0)
        self._timer = self._loop.call_later(delay, self._due)

    def _due(self) -> None:
        self._timer = None
        self._go_on()

    def _go_on(self) -> None:
        """Goes on with what is due, and with what waits for a worker that is free now."""
        self.engine.hold = self._resting()
        self.engine.advance()
        self.flush()

    # ---- ending

    def left(self, transport: asyncio.Transport) -> None:
        self.transports.pop(transport, None)
        self._parting.left(transport)
        if self._acceptor is not None:
            self._acceptor.somebody_left()
        if not self.transports:
            self._all_left.set()

    def stop_accepting(self) -> None:
        if self._acceptor is not None:
            self._acceptor.stop()
            self._acceptor = None

    def reload_certificates(self) -> bool:
        """Reads the certificates of TLS again: False where that was not possible, and the ones before stay in force."""
        return self.door is None or self.door.reload()

    async def close(self) -> None:
        """Accepts nobody any more, runs what has been received, and closes each client when it has read what is
        there for it, at the latest after `drain` seconds."""
        self.draining = True
        self.stop_accepting()
        if self.door is not None:
            await self.door.close()
        self.end_rpc()
        end = self._loop.time() + self.limits.drain
        for _ in range(LAST_TURNS):
            await asyncio.sleep(0)
        self.closing = True
        self._rest_until = 0.0
        self.engine.limit_rate(0)
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
        for timer in (self._timer, self._watching):
            if timer is not None:
                timer.cancel()
        # As with Kamailio, whose processes just end, connection-closed does not run.
        for client in list(self.engine.hub.clients):
            self.engine.hub.leave(client)
        for transport in list(self.transports):
            self.part(transport)
        if self.transports:
            self._all_left.clear()
            try:
                await asyncio.wait_for(self._all_left.wait(), max(end - self._loop.time(), 0.0))
            except TimeoutError:
                for transport in list(self.transports):
                    transport.abort()
                await asyncio.sleep(0)
        self.end_metrics()


def _nothing() -> None:
    """Nobody is there for SIP, for JSON-RPC, or for metrics."""


def _unsent(client: EventClient) -> int:
    return 0 if client.peer is None else cast(asyncio.Transport, client.peer).get_write_buffer_size()
