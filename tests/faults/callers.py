"""SIP callers and the application that answers for them."""

from __future__ import annotations

import select
import socket

from tests.faults.load import Loop, frame, now


class Callers:
    """OPTIONS over UDP, numbered: `open` are those that have no final answer yet, `codes` how often each came."""

    def __init__(self, loop: Loop, port: int) -> None:
        self._loop = loop
        self._server = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]
        self.open: dict[bytes, float] = {}
        self.sent = 0
        self.codes: dict[int, int] = {}
        self.last = 0.0
        loop.each_turn.append(self._hear)

    def call(self) -> None:
        name = b"%d-%d" % (self.port, self.sent)
        self.sent += 1
        self.open[name] = now()
        self._socket.sendto(
            b"OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\n"
            b"Via: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%b\r\n"
            b"From: <sip:alice@127.0.0.1>;tag=%b\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: %b\r\n"
            b"CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n" % (self.port, name, name, name),
            self._server,
        )

    def _hear(self) -> None:
        while select.select([self._socket], [], [], 0)[0]:
            try:
                data = self._socket.recv(65536)
            except OSError:
                return
            code = int(data[8:11])
            name = data.split(b"Call-ID: ", 1)[1].split(b"\r", 1)[0]
            if code >= 200 and self.open.pop(name, None) is not None:
                self.codes[code] = self.codes.get(code, 0) + 1
                self.last = now()

    def close(self) -> None:
        self._loop.each_turn.remove(self._hear)
        self._socket.close()


class Application:
    """Gets what is parked, and answers each after `delay` seconds; None: never."""

    def __init__(self, loop: Loop, port: int, delay: float | None) -> None:
        self._buffer = b""
        self._delay = delay
        self._due: list[tuple[float, bytes]] = []
        self.parked = 0
        self.wire = loop.connect(port, self._got)
        self.wire.send(frame(b"app"))
        loop.each_turn.append(self._answer)

    def _got(self, data: bytes) -> None:
        self._buffer += data
        while b":" in self._buffer:
            head, rest = self._buffer.split(b":", 1)
            size = int(head)
            if len(rest) <= size:
                return
            body, self._buffer = rest[:size], rest[size + 1 :]
            index, label, _call_id = body.split(b" ")
            self.parked += 1
            if self._delay is not None:
                self._due.append((now() + self._delay, frame(b"! %b %b" % (index, label))))

    def _answer(self) -> None:
        if self._due and self._due[0][0] <= now() and not self.wire.busy:
            time = now()
            count = sum(1 for when, _ in self._due if when <= time)
            self.wire.send(b"".join([data for _, data in self._due[:count]]))
            del self._due[:count]
