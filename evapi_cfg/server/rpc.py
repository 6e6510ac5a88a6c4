"""JSON-RPC on UNIX sockets: datagrams, as Kamailio's dgram_socket has them and kamcli speaks, or a stream.

A path is one of the two. As datagrams each request is one, from a socket with an address, which is where the answer
goes. In a stream requests stand one behind the other; answers come in their order, each with a line end behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple, cast

from evapi_cfg.modules import jsonrpcs
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.jsonrpcs.execute import refusal
from evapi_cfg.protocol.json_stream import JsonStreamDecoder
from evapi_cfg.server.addresses import CannotListen
from evapi_cfg.server.events import EventServer
from evapi_cfg.server.following import Follower, Followers, is_asked_for

REQUEST: Final = 65456  # bytes; what Kamailio takes (jsonrpcs_sock.c: JSONRPC_DGRAM_BUF_SIZE)
CONNECTIONS: Final = 64  # streams at a time
IDLE: Final = 60.0  # seconds without a request until a stream is closed
AT_A_TIME: Final = 16  # requests that are taken before others get their turn
_ANSWER: Final = 4 << 20  # bytes of a datagram, as far as the kernel lets it be
_LAST_WORDS: Final = 1.0  # seconds in which who follows no more may take what was written
_QUIET: Final = 1.0  # seconds between two log lines about answers that are lost
_MODE: Final = 0o177  # what the file's mode has not: only its owner reads and writes
_TOO_LONG: Final = f"a request has at most {REQUEST} bytes"


class RpcPath(NamedTuple):
    """Where to listen: `stream` or datagrams."""

    path: str
    stream: bool


def parse_rpc(value: str) -> RpcPath:
    """`unix:PATH` or `unix-stream:PATH`; raises ValueError with what is wrong."""
    kind, _, path = value.partition(":")
    if kind not in ("unix", "unix-stream") or not path:
        raise ValueError("write unix:PATH, or unix-stream:PATH")
    if "\0" in path:
        raise ValueError("a path has no NUL in it")
    return RpcPath(path, kind == "unix-stream")


class RpcServer:
    """All that is listened on for one engine."""

    def __init__(self, events: EventServer, paths: Iterable[RpcPath]) -> None:
        self._events = events
        self._paths = tuple(paths)
        self._loop = asyncio.get_running_loop()
        self._bound: list[tuple[RpcPath, socket.socket, tuple[int, int]]] = []
        self._streams: list[asyncio.Server] = []
        self.connections: set[Connection] = set()
        self._told = -_QUIET
        self.followers = Followers(events)
        events.end_rpc = self.close

    def bind(self) -> None:
        """Makes the sockets; raises CannotListen, and none is left then."""
        try:
            for place in self._paths:
                made = _bound(place)
                found = os.lstat(place.path)
                self._bound.append((place, made, (found.st_dev, found.st_ino)))
        except CannotListen:
            self.close()
            raise

    async def start(self) -> None:
        """Begins to take requests."""
        for place, made, _file in self._bound:
            if place.stream:
                server = await self._loop.create_unix_server(lambda: Connection(self), sock=made)
                self._streams.append(server)
            else:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ANSWER)
                self._loop.add_reader(made.fileno(), self._read, made)

    def answer(self, request: bytes, told: Callable[[bytes], None]) -> None:
        """Runs one request; `told` gets the answer, now or later."""
        if len(request) > REQUEST:
            told(refusal(_TOO_LONG).encode("latin-1"))
            return
        text = request.decode("latin-1").strip(" \t\r\n")
        jsonrpcs.answer_when_known(self._events.engine.world, text, lambda made: told(made.encode("latin-1")))
        self._events.flush()  # what the command has made for clients, or timers

    def _read(self, made: socket.socket) -> None:
        for _ in range(AT_A_TIME):
            try:
                request, address = made.recvfrom(REQUEST + 1)
            except OSError:
                return
            if not request:
                continue
            listening = _Listening(address) if address and is_asked_for(request) else None
            following = None
            if listening is not None:
                following = self.followers.begin(request, listening.send, listening.close)
            if following is None:
                self.answer(request, partial(self._send, made, address))
            else:
                self._send(made, address, following[0])

    def _send(self, made: socket.socket, address: str | bytes | None, answer: bytes) -> None:
        if not address or made.fileno() < 0:
            return  # from a socket without one: nobody waits; or the server has ended meanwhile
        try:
            made.sendto(answer, address)
        except (BlockingIOError, InterruptedError):
            self._tell("an answer is lost: whoever asked does not read")
        except OSError as err:
            if err.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                return  # whoever asked has gone
            self._tell(f"an answer of {len(answer)} bytes is too long for a datagram: use unix-stream:PATH")
            text = f"an answer of {len(answer)} bytes is too long for a datagram"
            with contextlib.suppress(OSError):
                made.sendto(refusal(text, 500).encode(), address)

    def _tell(self, text: str) -> None:
        now = self._loop.time()
        if now - self._told >= _QUIET:
            self._told = now
            self._events.engine.world.log(Level.ERROR, "jsonrpcs", text)

    def close(self) -> None:
        """Takes no request any more, and removes the files that are its own."""
        self.followers.close()
        for server in self._streams:
            server.close()
        self._streams.clear()
        for connection in list(self.connections):
            connection.end()
        for place, made, file in self._bound:
            if not place.stream:
                self._loop.remove_reader(made.fileno())
            made.close()
            with contextlib.suppress(OSError):
                found = os.lstat(place.path)
                if (found.st_dev, found.st_ino) == file:
                    os.unlink(place.path)
        self._bound.clear()


class Connection(asyncio.Protocol):
    """One stream. It is not read on while its answers are not taken."""

    def __init__(self, server: RpcServer) -> None:
        self._server = server
        self._decoder = JsonStreamDecoder(REQUEST)
        self._transport: asyncio.Transport
        self._full = False
        self._asking = False  # the answer to the last request is not there yet
        self._at_once = False
        self._over = False  # it sends no more
        self._later = False  # requests are there that wait for their turn
        self._idle: asyncio.TimerHandle | None = None
        self._follower: Follower | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._server.connections) >= CONNECTIONS:
            self._transport.abort()
            return
        self._server.connections.add(self)
        self._live()

    def _live(self) -> None:
        if self._follower is not None:
            return
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE, self._expire)

    def _expire(self) -> None:
        if self._asking:  # it is for others to answer
            self._live()
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._follower is not None:
            return
        self._live()
        self._decoder.feed(data)
        self._work()

    def eof_received(self) -> bool:
        self._over = True
        self._work()
        return not self._transport.is_closing()

    def pause_writing(self) -> None:
        self._full = True
        if not self._over:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        self._live()
        self._read_on()
        self._work()

    def _work(self) -> None:
        decoder, done = self._decoder, 0
        while not self._full and not self._asking and not self._transport.is_closing():
            if done == AT_A_TIME:
                self._rest_later()
                return
            done += 1
            request = None if self._follower is not None else decoder.next()
            if request is not None:
                following = self._server.followers.begin(request, self._take_lines, self._let_go)
                if following is None:
                    self._ask(request)
                    continue
                answer, self._follower = following
                self._transport.write(answer)
                continue
            if self._follower is not None:  # it only listens from now on
                self._follow()
                return
            if decoder.fault:
                self._transport.write(refusal(decoder.fault).encode() + b"\n")
                self._transport.close()
            elif self._over:
                rest = decoder.rest()
                self._decoder = decoder = JsonStreamDecoder(REQUEST)
                if rest:
                    self._ask(rest)
                    continue
                self._transport.close()
            return

    def _rest_later(self) -> None:
        """Others have their turn first. Nothing more is read meanwhile."""
        if not self._later:
            self._later = True
            if not self._over:
                self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._later = False
        self._read_on()
        self._work()

    def _read_on(self) -> None:
        if not (self._over or self._full or self._later or self._transport.is_closing()):
            self._transport.resume_reading()

    def _ask(self, request: bytes) -> None:
        self._asking = self._at_once = True
        self._server.answer(request, self._told)
        self._at_once = False

    def _told(self, answer: bytes) -> None:
        self._asking = False
        if not self._transport.is_closing():
            self._transport.write(answer + b"\n")
            if not self._at_once:
                self._work()

    def _follow(self) -> None:
        if self._over:
            self._transport.close()
        elif self._idle is not None:
            self._idle.cancel()

    def _let_go(self) -> None:
        """What was written may still be taken."""
        if self._follower is not None:
            self._transport.close()
            self._idle = asyncio.get_running_loop().call_later(_LAST_WORDS, self._expire)

    def _take_lines(self, lines: bytes) -> bool:
        if self._transport.get_write_buffer_size():
            return False
        self._transport.write(lines)
        return True

    def end(self) -> None:
        """The server ends: what has been written may still be taken."""
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._follower is not None:
            self._follower.end()
        self._server.connections.discard(self)


class _Listening:
    """One who follows with datagrams. They go out by a socket of their own: what one does not read must not be in the
    way of others' answers. The socket of who follows must not be connected, or it takes none from there."""

    def __init__(self, address: str | bytes) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, lines: bytes) -> bool:
        """False where they are not taken now. Raises OSError where nobody is there."""
        try:
            self._socket.sendto(lines, self._address)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as err:
            if err.errno != errno.ENOBUFS:
                raise
            return False
        return True

    def close(self) -> None:
        self._socket.close()


def _bound(place: RpcPath) -> socket.socket:
    """A socket at a path. What a dead server has left there is taken away; anything else stays."""
    path = place.path
    _make_room(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if place.stream else socket.SOCK_DGRAM)
    mask = os.umask(_MODE)
    try:
        made.setblocking(False)
        made.bind(path)
        if place.stream:
            made.listen(CONNECTIONS)
    except OSError as err:
        made.close()
        raise CannotListen(f"RPC: cannot listen on {path}: {_reason(err)}") from None
    finally:
        os.umask(mask)
    return made


def _make_room(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as err:
        raise CannotListen(f"RPC: cannot listen on {path}: {_reason(err)}") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise CannotListen(f"RPC: cannot listen on {path}: it is there already, and is no socket")
    if _is_alive(path):
        raise CannotListen(f"RPC: cannot listen on {path}: another server listens there")
    try:
        os.unlink(path)
    except OSError as err:
        raise CannotListen(f"RPC: cannot listen on {path}: {_reason(err)}") from None


def _is_alive(path: str) -> bool:
    """Whether a socket's file still has its socket; where that cannot be told, it is taken to have it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:  # of another type, among others
            return True
    return True


def _reason(err: OSError) -> str:
    return (err.strerror or str(err)).lower()
