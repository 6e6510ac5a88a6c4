"""Sockets, signals and the event loop: the one place with I/O.

Bytes that clients send go to the engine; what the engine leaves in the hub goes out in one write per client for each
read. A client that does not read is cut when more than `max_queue` bytes wait for it. Nobody else loses anything by it:
those who send to it are read a little more slowly until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import cast

from evapi_cfg.modules import evapi
from evapi_cfg.modules.context import Level, Log
from evapi_cfg.runtime.app import App
from evapi_cfg.runtime.engine import Engine
from evapi_cfg.runtime.hub import EventClient

BACKLOG = 4096
MAX_QUEUE = 8 << 20
DRAIN = 5.0
LINGER = 60.0
LAST_TURNS = 4  # turns of the loop that bring in what lies in the sockets when the server is told to end
BEHIND = 1 << 20  # bytes waiting for a client from which on those who send to it are read more slowly
REST = 0.004  # seconds that they are not read then
AWAKE = 50e-6  # seconds that the loop goes on looking for data behind a message
RETRY_ACCEPT = 1.0  # seconds until accepting is tried again when there are no descriptors left
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class CannotListen(Exception):
    """The address is taken, not of this machine, not to be resolved or not allowed; the message says which."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_queue`: bytes that may wait for one client. `drain`: seconds in which clients may take what is left when
    the server ends. `linger`: the same for a client whose connection is closed while the server runs."""

    max_queue: int = MAX_QUEUE
    drain: float = DRAIN
    linger: float = LINGER


class Connection(asyncio.Protocol):
    """One accepted socket."""

    __slots__ = ("_address", "_client", "_port", "_server", "_transport")

    def __init__(self, server: EventServer, address: str, port: int) -> None:
        self._server = server
        self._address = address
        self._port = port
        self._transport: asyncio.Transport
        self._client: EventClient | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no asyncio class
        self._transport = made = cast(asyncio.Transport, transport)
        client = None if self._server.closing else self._server.engine.connect(self._address, self._port)
        if client is None:
            made.close()
            return
        self._client = client
        client.peer = made
        self._server.transports.add(made)
        self._server.flush()

    def data_received(self, data: bytes) -> None:
        client = self._client
        if client is None:
            return
        server = self._server
        server.engine.receive(client, data)
        server.flush()
        server.stay_awake()
        if client.full:
            self._transport.pause_reading()
        elif server.behind:
            server.rest(client, self._transport)

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
        self._server.transports.discard(self._transport)
        self._server.left()


class EventServer:
    """Serves one engine on one address, inside a running event loop."""

    def __init__(self, engine: Engine, limits: Limits | None = None) -> None:
        self.engine = engine
        self.limits = limits or Limits()
        self.transports: set[asyncio.Transport] = set()
        self.address: tuple[str, int] = ("", 0)
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.closing = False
        self._all_left = asyncio.Event()
        self._told = -60.0
        self.behind = False  # a client has more than BEHIND bytes waiting for it
        self._awake = False
        self._awake_until = 0.0
        engine.flush = self.flush

    # ---- listening

    async def listen(self, host: str, port: int) -> None:
        """Listens and begins to accept; raises CannotListen."""
        self._socket = await self._bound(host, port)
        self.address = self._socket.getsockname()[:2]
        self.engine.start()
        self.flush()
        self._loop.add_reader(self._socket.fileno(), self._accept)

    async def _bound(self, host: str, port: int) -> socket.socket:
        try:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as err:
            raise CannotListen(f"cannot resolve `{host}`: {_reason(err)}") from None
        except ValueError:  # a NUL, an empty or a long part
            raise CannotListen(f"cannot resolve `{host}`: it is no host name") from None
        refused: OSError | None = None
        for family, kind, proto, _name, address in found:
            try:
                return _listening(family, kind, proto, address)
            except OSError as err:
                refused = refused or err
                # `localhost` may stand for ::1 first, on a machine without IPv6.
                if err.errno not in _NOT_HERE:
                    break
        assert refused is not None
        raise CannotListen(f"cannot listen on {shown(host, port)}: {_reason(refused)}")

    def _accept(self) -> None:
        """Takes all connections that are waiting, up to a bound so that connected clients get their turn."""
        assert self._socket is not None
        for _ in range(256):
            try:
                accepted, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as err:
                if err.errno in _NO_DESCRIPTORS:
                    self._pause_accepting(err)
                return
            accepted.setblocking(False)
            try:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:  # already gone; reading will tell
                pass
            task = self._loop.create_task(self._adopt(accepted, _plain(address[0]), address[1]))
            task.add_done_callback(_ignore_lost)

    async def _adopt(self, accepted: socket.socket, address: str, port: int) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: Connection(self, address, port), accepted)
        except OSError:
            accepted.close()

    def _pause_accepting(self, err: OSError) -> None:
        assert self._socket is not None
        self._loop.remove_reader(self._socket.fileno())
        now = self._loop.time()
        if now - self._told >= 1.0:
            self._told = now
            self.engine.world.log(
                Level.ERROR, "evapi", f"cannot accept: {_reason(err)}; tried again every {RETRY_ACCEPT:g} s"
            )
        self._loop.call_later(RETRY_ACCEPT, self._resume_accepting)

    def _resume_accepting(self) -> None:
        if self._socket is not None:
            self._loop.add_reader(self._socket.fileno(), self._accept)

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
        if engine.next_time() is not None:
            self._set_timer()

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

    def _set_timer(self) -> None:
        when = self.engine.next_time()
        if when is None or (self._timer is not None and self._timer_at <= when):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        delay = max(when - self.engine.world.clock.monotonic(), 0.0)
        self._timer = self._loop.call_later(delay, self._due)

    def _due(self) -> None:
        self._timer = None
        self.engine.advance()
        self.flush()

    # ---- ending

    def left(self) -> None:
        if not self.transports:
            self._all_left.set()

    def stop_accepting(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    async def close(self) -> None:
        """Accepts nobody any more, runs what has been received, and closes each client when it has read what is
        there for it, at the latest after `drain` seconds."""
        self.stop_accepting()
        end = self._loop.time() + self.limits.drain
        for _ in range(LAST_TURNS):
            await asyncio.sleep(0)
        self.closing = True
        for transport in self.transports:
            transport.pause_reading()
        while not self.engine.idle and self._loop.time() < end:
            await asyncio.sleep(0.005)
        self.flush()
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


def _ignore_lost(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


def _listening(family: int, kind: int, proto: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, kind, proto)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _plain(address: str) -> str:
    """An IPv4 client of an IPv6 socket has its IPv4 address."""
    return address.removeprefix("::ffff:") if "." in address else address


def shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(err: OSError) -> str:
    match err.errno:
        case errno.EADDRINUSE:
            return "the address is in use; another server (or Kamailio itself) listens there"
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return "this machine has no such address"
        case errno.EACCES | errno.EPERM:
            return "not allowed; ports below 1024 need a privilege"
        case _:
            return (err.strerror or str(err)).lower()


class LogStream:
    """Standard error or output for log lines: all lines of one turn of the loop in one write."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._lines: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Gathers lines while `loop` runs; None writes each at once."""
        self._loop = loop
        self.flush()

    def __call__(self, line: str) -> None:
        self._lines.append(line)
        if self._loop is None or len(self._lines) > 1000:
            self.flush()
        elif len(self._lines) == 1:
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        data = "".join(self._lines).encode("utf-8", "backslashreplace")
        self._lines.clear()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # nobody is there to read it
            pass


async def serve(
    app: App, host: str | None = None, port: int | None = None, *, limits: Limits | None = None
) -> EventServer:
    """Serves a loaded configuration inside the running event loop, at its bind_addr if no other address is given.

    Port 0 is any free port; the server's `address` tells. End it with `await server.close()`.
    Raises CannotListen.
    """
    if app.engine.flush is not None or app.engine.hub.clients:
        raise RuntimeError("this App is served already, or has been connected to by hand: load another one")
    bound_host, bound_port = configured_address(app)
    server = EventServer(app.engine, limits)
    await server.listen(bound_host if host is None else host, bound_port if port is None else port)
    return server


def run_until_told(app: App, limits: Limits, stream: LogStream, ready: Callable[[EventServer], None]) -> None:
    """Serves until SIGTERM or SIGINT comes, then ends in order; a second signal ends at once. Raises CannotListen.
    `ready` is called once the server listens."""
    import uvloop

    _raise_descriptor_limit()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_reporter(app.log))
        told, again = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: (again if told.is_set() else told).set())
        server = await serve(app, limits=limits)
        stream.attach(loop)
        ready(server)
        # What is loaded by now stays: the collector need not look at it again.
        gc.enable()
        gc.collect()
        gc.freeze()
        try:
            await told.wait()
            closing = asyncio.ensure_future(server.close())
            at_once = asyncio.ensure_future(again.wait())
            await asyncio.wait({closing, at_once}, return_when=asyncio.FIRST_COMPLETED)
            for task in (closing, at_once):
                task.cancel()
            await asyncio.gather(closing, at_once, return_exceptions=True)
        finally:
            stream.attach(None)

    uvloop.run(main())


def _raise_descriptor_limit() -> None:
    """As many descriptors as this process may have: each client takes one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _reporter(log: Log) -> Callable[[asyncio.AbstractEventLoop, dict[str, object]], None]:
    """What the loop has to say goes to the log as one line, and its complaint about writing to what has just broken
    nowhere."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        log(Level.CRITICAL, "evapi", f"a bug in evapi-cfg: {context.get('message')}: {context.get('exception')!r}")

    return report


def configured_address(app: App) -> tuple[str, int]:
    """The address of modparam bind_addr; raises CannotListen where it is none."""
    bind_addr = app.program.world.str_param("evapi", "bind_addr", f"{evapi.DEFAULT_HOST}:{evapi.DEFAULT_PORT}")
    try:
        return evapi.parse_bind_addr(bind_addr)
    except ValueError as err:
        raise CannotListen(f"bind_addr `{bind_addr}`: {err}") from None


def is_terminal(descriptor: int) -> bool:
    """Whether colours make sense there; NO_COLOR in the environment says no."""
    if os.environ.get("NO_COLOR"):
        return False
    stream = {1: sys.stdout, 2: sys.stderr}.get(descriptor)
    return stream is not None and stream.isatty()
