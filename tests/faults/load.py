"""The load generator: clients on one thread that number what they send and check every message that they get.

Standard library only, and no event loop: what a reader gets is compared with what it must get as whole blocks of
memory, so that checking does not slow down a server that delivers millions of messages a second.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable
from functools import lru_cache

CHUNK = 1 << 18
BLOCK = 64  # messages that are made, and compared, at once
now = time.monotonic


def frame(body: bytes) -> bytes:
    return b"%d:%b," % (len(body), body)


class Numbered:
    """The endless stream of messages 0, 1, 2 ... of one size, `name` in each."""

    def __init__(self, size: int, name: bytes = b"") -> None:
        self.name = name
        self._head = b"%d:%b" % (size, name)
        self._tail = b"." * (size - 10 - len(name)) + b","
        self.frame_size = len(self._head) + 10 + len(self._tail)
        self.block_size = BLOCK * self.frame_size
        self.block = lru_cache(256)(self._block)

    def one(self, number: int) -> bytes:
        return b"%b%010d%b" % (self._head, number, self._tail)

    def _block(self, index: int) -> bytes:
        head, tail = self._head, self._tail
        return b"".join([b"%b%010d%b" % (head, n, tail) for n in range(index * BLOCK, (index + 1) * BLOCK)])

    def piece(self, at: int, most: int) -> memoryview:
        """Bytes of the stream from a place on, up to the end of a block."""
        index, offset = divmod(at, self.block_size)
        return memoryview(self.block(index))[offset : offset + most]


class Expected:
    """What comes must be this stream: `fault` says what differs, and is empty as long as nothing does."""

    def __init__(self, stream: Numbered, first: int = 0) -> None:
        self.stream = stream
        self.at = first * stream.frame_size
        self.fault = ""

    @property
    def messages(self) -> int:
        return self.at // self.stream.frame_size

    @property
    def whole(self) -> bool:
        return self.at % self.stream.frame_size == 0

    def feed(self, data: bytes) -> None:
        # memory is compared as a whole only for bytes, not for views of them
        stream = self.stream
        while data and not self.fault:
            index, offset = divmod(self.at, stream.block_size)
            room = stream.block_size - offset
            piece, data = (data, b"") if len(data) <= room else (data[:room], data[room:])
            if not stream.block(index).startswith(piece, offset):
                wanted = stream.block(index)[offset:]
                same = next(n for n, (a, b) in enumerate(zip(piece, wanted, strict=False)) if a != b)
                number = (self.at + same) // stream.frame_size
                self.fault = f"message {number} is not what comes, but {piece[max(same - 30, 0) : same + 60]!r}"
                return
            self.at += len(piece)


class Wire:
    """One connection of the generator."""

    __slots__ = ("_out", "died", "fd", "last", "loop", "on_data", "on_end", "on_room", "silent", "socket", "watched")

    def __init__(self, loop: Loop, made: socket.socket, on_data: Callable[[bytes], None] | None) -> None:
        self.loop = loop
        self.socket = made
        self.fd = made.fileno()
        self.on_data = on_data
        self.on_room: Callable[[], None] | None = None  # called when more can be sent
        self.on_end: Callable[[], None] | None = None
        self.died = ""  # how it ended: "end" in order, or the error
        self.last = now()  # when something came
        self.silent = False  # whether silence counts
        self._out: memoryview | None = None
        self.watched = 0
        self.watch()

    def watch(self) -> None:
        flags = (select.EPOLLIN if self.on_data else 0) | (select.EPOLLOUT if self._out or self.on_room else 0)
        if flags != self.watched and not self.died:
            (self.loop.epoll.modify if self.fd in self.loop.wires else self.loop.epoll.register)(self.fd, flags)
            self.watched = flags
            self.loop.wires[self.fd] = self

    def send(self, data: bytes | memoryview) -> bool:
        """Sends, now or as soon as there is room; gives whether it is gone. Only when all before is."""
        assert not self._out
        if self.died:
            return True
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as err:
            self.close(err.strerror or str(err))
            return True
        if sent == len(data):
            return True
        self._out = memoryview(data)[sent:]
        self.watch()
        return False

    @property
    def busy(self) -> bool:
        return self._out is not None

    def ready(self, events: int) -> None:
        if events & ~select.EPOLLOUT and self.on_data:
            try:
                data = self.socket.recv(self.loop.chunk)
            except BlockingIOError:
                pass
            except OSError as err:
                self.close(err.strerror or str(err))
                return
            else:
                if not data:
                    self.close("end")
                    return
                self.loop.heard(self)
                self.on_data(data)
        if events & select.EPOLLOUT and not self.died:
            rest, self._out = self._out, None
            if (rest is None or self.send(rest)) and not self.died:
                if self.on_room:
                    self.on_room()
                self.watch()

    def close(self, why: str = "closed") -> None:
        if not self.died:
            self.died = why
            if self.loop.wires.pop(self.fd, None):
                self.loop.epoll.unregister(self.fd)
            self.socket.close()
            if self.on_end:
                self.on_end()


class Loop:
    """Turns until something is so; never longer than `bound` seconds.

    `chunk`: bytes that are read from one connection at a time. With many of them it must be little, or each waits for
    the generator while it reads the others."""

    def __init__(self, chunk: int = CHUNK) -> None:
        self.epoll = select.epoll()
        self.wires: dict[int, Wire] = {}
        self.chunk = chunk
        self.silence = 0.0  # the longest, of the wires whose silence counts
        self.silent_when = (0.0, 0.0)
        self.each_turn: list[Callable[[], None]] = []

    def heard(self, wire: Wire) -> None:
        time = now()
        if wire.silent and time - wire.last > self.silence:
            self.silence = time - wire.last
            self.silent_when = (wire.last, time)
        wire.last = time

    def listen_for_silence(self, wires: Iterable[Wire]) -> None:
        for wire in wires:
            wire.silent = True
            wire.last = now()

    def turn(self, timeout: float = 0.01) -> None:
        for fd, events in self.epoll.poll(timeout, 1024):
            wire = self.wires.get(fd)
            if wire:
                wire.ready(events)
        for call in self.each_turn:
            call()

    def until(self, done: Callable[[], bool], bound: float) -> bool:
        end = now() + bound
        while not done():
            if now() > end:
                return False
            self.turn()
        return True

    def run(self, seconds: float) -> None:
        self.until(lambda: False, seconds)

    def connect(
        self,
        port: int,
        on_data: Callable[[bytes], None] | None = None,
        *,
        source: str = "",
        receive_buffer: int = 0,
        wait: bool = True,
    ) -> Wire:
        """`wait` False: only begun. `on_data` None: never reads."""
        made = socket.socket()
        made.setblocking(False)
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            made.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            made.bind((source, 0))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = made.connect_ex(("127.0.0.1", port))
        if wait and code:
            poll = select.poll()
            poll.register(made, select.POLLOUT)
            if not poll.poll(20_000) or made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                made.close()
                raise ConnectionError("no connection")
        return Wire(self, made, on_data)

    def close(self) -> None:
        for wire in list(self.wires.values()):
            wire.on_end = None
            wire.close()
        self.epoll.close()


def flow(wire: Wire, stream: Numbered, *, count: int = 1 << 62, at: int = 0) -> Callable[[], int]:
    """Sends a stream as fast as it is taken, up to `count` messages; gives how to ask how many bytes are gone."""
    place, end = at, count * stream.frame_size

    def more() -> None:
        nonlocal place
        for _ in range(4):
            if place >= end:
                wire.on_room = None
                return
            data = stream.piece(place, min(CHUNK, end - place))
            place += len(data)
            if not wire.send(data):
                return

    wire.on_room = more
    wire.watch()
    return lambda: place


class Asker:
    """Sends one message, waits for it to come back, sends the next one: `times` are seconds of each."""

    def __init__(self, loop: Loop, port: int, stream: Numbered, pause: float = 0.0) -> None:
        self.loop = loop
        self.times: list[float] = []
        self.asked: list[float] = []  # when
        self.expected = Expected(stream)
        self.pause = pause
        self.sent = 0
        self._at = 0.0
        self._next = 0.0
        self.stopped = False
        self.wire = loop.connect(port, self._got)
        loop.each_turn.append(self._look)

    def _look(self) -> None:
        if self._at == 0.0 and now() >= self._next and not self.stopped and not self.wire.died:
            self._at = now()
            self.asked.append(self._at)
            self._next = self._at + self.pause
            self.wire.send(self.expected.stream.one(self.sent))
            self.sent += 1

    def _got(self, data: bytes) -> None:
        self.expected.feed(data)
        if self.expected.messages == self.sent:
            self.times.append(now() - self._at)
            self._at = 0.0

    @property
    def fault(self) -> str:
        if self.wire.died and not self.stopped:
            return f"cut: {self.wire.died}"
        return self.expected.fault

    @property
    def waits(self) -> float:
        """Seconds that the answer is out already."""
        return now() - self._at if self._at else 0.0


def percentile(times: Iterable[float], part: float) -> float:
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else float("inf")
