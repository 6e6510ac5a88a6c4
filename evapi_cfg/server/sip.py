"""The sockets for SIP: UDP and TCP. Messages go to the engine, and what it has to reply is sent where they came from.

Kamailio's counterparts: core/udp_server.c, tcp_main.c, tcp_read.c.
"""

from __future__ import annotations

import asyncio
import socket as sockets
import traceback
from collections import deque
from functools import partial
from typing import Final, cast

from evapi_cfg.modules.context import Level
from evapi_cfg.protocol.sip_stream import PONG, SipStreamDecoder
from evapi_cfg.runtime.engine import Engine
from evapi_cfg.server.acceptor import Acceptor
from evapi_cfg.server.addresses import CannotListen, bound, plain, reason, shown
from evapi_cfg.server.events import EventServer
from evapi_cfg.server.interfaces import address_of, all_addresses
from evapi_cfg.sip.message import Received, Socket
from evapi_cfg.sip.uri import DEFAULT_PORT, PROTOCOL_NAMES, TCP, UDP
from evapi_cfg.timers import Queue

AT_A_TIME: Final = 64  # datagrams that are taken before others get their turn
_LARGEST: Final = 65535  # bytes of a datagram
_BUFFER: Final = 4 << 20  # bytes that the kernel may keep for a UDP socket in each direction
_UNSENT_DATAGRAMS: Final = 4096  # replies that may wait until the kernel takes datagrams again
_SOURCES: Final = 4096  # addresses that are remembered, so that not each datagram makes its own
MESSAGE_SIZE: Final = 32767  # core parameter msg_recv_max_size
CONNECTIONS: Final = 2048  # core parameter tcp_max_connections
LIFETIME: Final = 120  # seconds, core parameter tcp_connection_lifetime
UNSENT: Final = 1 << 20  # bytes of replies that may wait for a connection


class UdpSocket:
    """One bound UDP socket."""

    def __init__(self, sip: SipServer, bound_socket: sockets.socket, socket: Socket) -> None:
        self.socket = socket
        self._sip = sip
        self._bound = bound_socket
        self._loop = asyncio.get_running_loop()
        self._six = bound_socket.family == sockets.AF_INET6
        self._known: dict[tuple[str, int], Received] = {}  # of those who have sent something
        self._buffer = bytearray(_LARGEST)
        self._view = memoryview(self._buffer)
        self._unsent: deque[tuple[bytes, tuple[str, int]]] = deque()
        self._told_lost = False
        for option in (sockets.SO_RCVBUF, sockets.SO_SNDBUF):
            bound_socket.setsockopt(sockets.SOL_SOCKET, option, _BUFFER)

    def start(self) -> None:
        self._loop.add_reader(self._bound.fileno(), self._read)

    def _read(self) -> None:
        sip = self._sip
        receive, buffer, view, known = self._bound.recvfrom_into, self._buffer, self._view, self._known
        take, limit = sip.engine.requests.receive, sip.message_size
        for _ in range(AT_A_TIME):
            try:
                size, address = receive(buffer)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # somebody who was replied to has gone
                continue
            received = known.get(address) or self._new_source(address)
            if size >= limit:
                sip.tell(received, f"a message of {size} bytes is dropped, the limit is {limit} (msg_recv_max_size)")
                continue
            try:
                take(str(view[:size], "latin-1"), received)
            except Exception:  # the others that have come with it are not to suffer
                sip.bug(received)
        sip.events.flush()
        sip.events.stay_awake()

    def _new_source(self, address: tuple[str, int]) -> Received:
        if len(self._known) >= _SOURCES:
            self._known.clear()
        socket = self.socket
        made = Received(UDP, plain(address[0]), address[1], socket.address, socket.port, socket, self)
        self._known[address] = made
        return made

    def send(self, received: Received, port: int, text: str) -> None:
        source = received.source
        if self._six and ":" not in source:
            source = f"::ffff:{source}"  # see `plain`
        data, address = text.encode("latin-1"), (source, port)
        if self._unsent:
            if len(self._unsent) < _UNSENT_DATAGRAMS:
                self._unsent.append((data, address))
            elif not self._told_lost:
                self._told_lost = True
                self._sip.tell(received, f"replies are lost: {_UNSENT_DATAGRAMS} wait for the network already")
            return
        try:
            self._bound.sendto(data, address)
        except (BlockingIOError, InterruptedError):
            self._unsent.append((data, address))
            self._loop.add_writer(self._bound.fileno(), self._send_rest)
        except OSError as err:
            self._sip.tell(received, f"a reply cannot be sent: {reason(err)}")

    def _send_rest(self) -> None:
        while self._unsent:
            try:
                self._bound.sendto(*self._unsent[0])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                pass
            self._unsent.popleft()
        self._told_lost = False
        self._loop.remove_writer(self._bound.fileno())

    def stop_reading(self) -> None:
        self._loop.remove_reader(self._bound.fileno())

    def close(self) -> None:
        self.stop_reading()
        self._loop.remove_writer(self._bound.fileno())
        self._bound.close()


class TcpConnection(asyncio.Protocol):
    """One accepted connection."""

    def __init__(self, sip: SipServer, socket: Socket, address: str, port: int) -> None:
        self._sip = sip
        self._decoder = SipStreamDecoder(sip.message_size)
        self._transport: asyncio.Transport
        self._cut = False  # what is still replied to it is lost without a further word
        self.received = Received(TCP, address, port, socket.address, socket.port, socket, self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._sip.admit(self):
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        sip, decoder = self._sip, self._decoder
        sip.lives(self)
        for message in decoder.feed(data):
            if message:
                try:
                    sip.engine.requests.receive(message, self.received)
                except Exception:
                    sip.bug(self.received)
            else:
                sip.flush()  # what came before it is answered before it
                self._write(PONG)
        sip.events.flush()
        if decoder.fault:
            sip.tell(self.received, f"the connection is closed: {decoder.fault}")
            self._transport.close()
        sip.events.stay_awake()

    def send(self, received: Received, port: int, text: str) -> None:
        if self._cut:
            return
        if self._transport.is_closing():
            self._sip.tell(received, "a reply cannot be sent: the connection has been closed")
            return
        self._write(text.encode("latin-1"))

    def _write(self, data: bytes) -> None:
        if self._cut:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > UNSENT:
            text = f"the connection is closed: more than {UNSENT} bytes of replies were not read"
            self._sip.tell(self.received, text)
            self._cut = True
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sip.left(self)

    def stop_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def close(self) -> None:
        self._transport.close()

    def expire(self) -> None:
        """Nothing has come for long: what is still to be sent is not waited for, since it may never be read."""
        self._transport.abort()


class SipServer:
    """All sockets for SIP of one engine. `addresses` are those that it listens on."""

    def __init__(self, events: EventServer) -> None:
        self.events = events
        self.engine: Engine = events.engine
        self.addresses: list[Socket] = []
        world = self.engine.world
        self.message_size = _setting(world.core, "msg_recv_max_size", MESSAGE_SIZE)
        self._most = _setting(world.core, "tcp_max_connections", CONNECTIONS)
        lifetime = _setting(world.core, "tcp_connection_lifetime", LIFETIME)
        self._idle: Queue[TcpConnection] = world.timers.queue(float(lifetime), TcpConnection.expire)
        self._udp: list[UdpSocket] = []
        self._acceptors: list[Acceptor] = []
        self._connections: set[TcpConnection] = set()
        self._told_full = False
        self._closed = False
        self._outbox = world.outbox
        events.send_replies = self.flush
        events.stop_sip = self.stop_reading
        events.end_sip = self.close

    async def listen(self) -> tuple[Socket, ...]:
        """Binds all sockets of the file, or without any all addresses of the machine, and gives what they are; raises
        CannotListen, and nothing is bound then. What cannot be served (TLS and the like) is told for that socket
        alone. Nor is it an error where nobody asked for an address and one is taken: another SIP server has it."""
        try:
            return await self._listen()
        except CannotListen as err:
            self.close()
            if self.engine.world.sockets:
                raise
            text = f"no SIP is served: {err}; the file names no other address (listen=udp:127.0.0.1:5070)"
            self.engine.world.log(Level.WARNING, "core", text)
            self.addresses.clear()
            return ()

    async def _listen(self) -> tuple[Socket, ...]:
        world = self.engine.world
        usual = _setting(world.core, "port", DEFAULT_PORT)
        wanted = world.sockets or [
            Socket(protocol, address, usual) for address in all_addresses() for protocol in (UDP, TCP)
        ]
        found: list[Socket] = []
        for socket in wanted:
            if socket.protocol == TCP and world.core.get("disable_tcp"):
                continue
            if socket.protocol not in (UDP, TCP):
                name = PROTOCOL_NAMES[socket.protocol].upper()
                text = f"{shown(socket.address, socket.port)} is not served: {name} does not run here, UDP and TCP do"
                world.log(Level.ERROR, "core", text)
                found.append(socket)
                continue
            found.append(await self._bind(socket._replace(address=address_of(socket.address))))
        world.sockets[:] = found
        return tuple(self.addresses)

    async def _bind(self, socket: Socket) -> Socket:
        loop = asyncio.get_running_loop()
        kind = sockets.SOCK_DGRAM if socket.protocol == UDP else sockets.SOCK_STREAM
        try:
            made = await bound(loop, socket.address, socket.port, kind)
        except CannotListen as err:
            raise CannotListen(f"SIP over {PROTOCOL_NAMES[socket.protocol].upper()}: {err}") from None
        address, port = made.getsockname()[:2]
        socket = socket._replace(address=plain(address), port=port)
        self.addresses.append(socket)
        if socket.protocol == UDP:
            self._udp.append(UdpSocket(self, made, socket))
        else:
            log, keepalive = self.engine.world.log, self.events.keepalive
            made_for = partial(TcpConnection, self, socket)
            acceptor = Acceptor(made, made_for, keepalive, log, "core")
            self._acceptors.append(acceptor)
        return socket

    def start(self) -> None:
        """Begins to take what comes to the sockets."""
        for udp in self._udp:
            udp.start()
        for acceptor in self._acceptors:
            acceptor.start()

    # ---- replies

    def flush(self) -> None:
        """Sends what the engine has to reply."""
        outbox = self._outbox
        while outbox:
            waiting = outbox[:]
            outbox.clear()
            for received, port, text in waiting:
                way = received.way
                if way is not None:
                    way.send(received, port, text)

    # ---- connections

    def admit(self, connection: TcpConnection) -> bool:
        if self._closed:
            return False
        if len(self._connections) >= self._most:
            if not self._told_full:
                self._told_full = True
                self.tell(connection.received, f"more than {self._most} connections (tcp_max_connections): refused")
            return False
        self._told_full = False
        self._connections.add(connection)
        self.lives(connection)
        self.events.flush()  # so that the loop's timer knows of it
        return True

    def lives(self, connection: TcpConnection) -> None:
        """It is closed when nothing has come for a while."""
        self._idle.start(connection)

    def left(self, connection: TcpConnection) -> None:
        self._idle.stop(connection)
        self._connections.discard(connection)

    # ---- endings

    def stop_reading(self) -> None:
        """Takes no further message; what has come may still be replied to."""
        self._closed = True
        for acceptor in self._acceptors:
            acceptor.stop()
        for udp in self._udp:
            udp.stop_reading()
        for connection in self._connections:
            connection.stop_reading()

    def close(self) -> None:
        """Sends what is left, and closes all sockets."""
        self.flush()
        self.stop_reading()
        for udp in self._udp:
            udp.close()
        self._udp.clear()
        self._acceptors.clear()
        for connection in list(self._connections):
            connection.close()

    def bug(self, received: Received) -> None:
        """An exception that nobody has foreseen, of one message: to the log, with the place where it was raised."""
        text = f"a bug in evapi-cfg, at a message from {received.source}: {traceback.format_exc()}"
        self.engine.world.log(Level.CRITICAL, "core", text)

    def tell(self, received: Received, text: str) -> None:
        log = self.engine.world.log
        if log.threshold >= Level.ERROR:
            log(Level.ERROR, "core", f"{received.source}:{received.source_port}: {text}")


def _setting(core: dict[str, int | str], name: str, default: int) -> int:
    value = core.get(name, default)
    return value if isinstance(value, int) and value > 0 else default
