"""SIP over UDP and TCP with real sockets on the loopback, on uvloop and on the plain asyncio loop.

Nothing here waits for a fixed time: what is waited for is what must happen, with a deadline far away.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from evapi_cfg import App, CannotListen, Limits, load_text, serve
from evapi_cfg.modules.context import Level
from evapi_cfg.runtime.app import Records
from evapi_cfg.server import EventServer
from evapi_cfg.sip.message import Socket
from evapi_cfg.sip.uri import TCP, UDP
from tests.driven import Runner

DEADLINE = 20.0
MODULES = "".join(
    f'loadmodule "{name}.so"\n'
    for name in ("tm", "tmx", "sl", "pv", "xlog", "cfgutils", "textops", "siputils", "evapi")
)
HEAD = "#!KAMAILIO\n" + MODULES + 'modparam("evapi", "workers", 0)\n'
HAS_IPV6 = Path("/proc/net/if_inet6").exists() and bool(Path("/proc/net/if_inet6").read_text())
needs_ipv6 = pytest.mark.skipif(not HAS_IPV6, reason="no IPv6")
ANSWER = 'request_route { sl_send_reply("200", "OK"); }\n'
PARK = """request_route { if(is_method("ACK")) exit; evapi_async_relay("$T(id_index):$T(id_label)"); }
route[RESUME] { t_reply("200", "OK"); }
event_route[evapi:message-received] {
  $var(i) = $(evapi(msg){s.select,0,:}{s.int});
  $var(l) = $(evapi(msg){s.select,1,:}{s.int});
  t_continue("$var(i)", "$var(l)", "RESUME");
}
"""


def request(
    number: int, body: str = "", *, via: str = "UDP 127.0.0.1:5062;rport", method: str = "OPTIONS", size: int = 0
) -> bytes:
    """One request; padded to `size` bytes where that is given."""
    head = (
        f"{method} sip:u{number}@example.com SIP/2.0\r\nVia: SIP/2.0/{via};branch=z9hG4bK{number}\r\n"
        f"From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: call-{number}\r\n"
        f"CSeq: 1 {method}\r\n"
    )
    end = f"Content-Length: {len(body)}\r\n\r\n{body}"
    pad = size - len(head) - len(end) - len("X: \r\n")
    return (head + (f"X: {'x' * pad}\r\n" if size else "") + end).encode()


def number_of(reply: bytes) -> int:
    return int(reply.partition(b"Call-ID: call-")[2].partition(b"\r")[0])


class Caller:
    """A socket that sends requests, and reads what comes back."""

    def __init__(self, kind: int, address: Socket, host: str = "127.0.0.1") -> None:
        self.address = (address.address.replace("0.0.0.0", "127.0.0.1"), address.port)
        self.socket = socket.socket(socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET, kind)
        self.socket.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._read = b""

    async def connect(self) -> Caller:
        await self._loop.sock_connect(self.socket, self.address)
        return self

    async def send(self, data: bytes) -> None:
        if self.socket.type == socket.SOCK_DGRAM:
            self.socket.sendto(data, self.address)  # uvloop has no sock_sendto
        else:
            await self._loop.sock_sendall(self.socket, data)

    async def receive(self) -> bytes:
        """The next datagram, or the next message of a stream: they have no bodies here. Empty at its end."""
        if self.socket.type == socket.SOCK_DGRAM:
            return await self._loop.sock_recv(self.socket, 65536)
        while b"\r\n\r\n" not in self._read:
            more = await self._loop.sock_recv(self.socket, 65536)
            if not more:
                return b""
            self._read += more
        message, _, self._read = self._read.partition(b"\r\n\r\n")
        return message + b"\r\n\r\n"

    async def ask(self, number: int) -> bytes:
        transport = "UDP" if self.socket.type == socket.SOCK_DGRAM else "TCP"
        await self.send(request(number, via=f"{transport} 127.0.0.1:5062;rport"))
        reply = await self.receive()
        assert number_of(reply) == number
        return reply


class Site:
    """A server under test with those who call it."""

    def __init__(self, app: App, server: EventServer, records: Records) -> None:
        self.app = app
        self.server = server
        self.records = records
        self.callers: list[Caller] = []

    def _address(self, protocol: int, place: int) -> Socket:
        return [one for one in self.app.sip_addresses if one.protocol == protocol][place]

    async def udp(self, place: int = 0) -> Caller:
        self.callers.append(Caller(socket.SOCK_DGRAM, self._address(UDP, place)))
        return self.callers[-1]

    async def tcp(self, place: int = 0) -> Caller:
        self.callers.append(Caller(socket.SOCK_STREAM, self._address(TCP, place)))
        return await self.callers[-1].connect()

    async def application(self) -> Caller:
        host, port = self.server.address
        self.callers.append(Caller(socket.SOCK_STREAM, Socket(TCP, host, port)))
        before = len(self.server.transports)
        made = await self.callers[-1].connect()
        await until(lambda: len(self.server.transports) > before)
        return made

    def told(self, level: int = Level.ERROR) -> list[str]:
        return [record.message for record in self.records.lines if record.level == level and record.source == "core"]


@asynccontextmanager
async def site(
    cfg: str,
    *listens: str,
    limits: Limits | None = None,
    sip: bool = True,
    default: str = "udp:127.0.0.1 tcp:127.0.0.1",
) -> AsyncIterator[Site]:
    records = Records()
    listen = "".join(f"listen={one}\n" for one in listens or ("udp:127.0.0.1", "tcp:127.0.0.1"))
    app = load_text(HEAD + listen + cfg, log=records)
    sockets = app.program.world.sockets
    sockets[:] = [one._replace(port=0) if one.port == 5060 else one for one in sockets]
    server = await serve(app, "127.0.0.1", 0, limits=limits or Limits(drain=0.05), sip=sip)
    made = Site(app, server, records)
    try:
        yield made
    finally:
        for caller in made.callers:
            caller.socket.close()
        await server.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def is_readable(one: socket.socket) -> bool:
    try:
        return bool(one.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def free_port() -> int:
    """One that is free over UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            with suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


def is_free(port: int, kind: int) -> bool:
    with socket.socket(type=kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# ---- listening


@pytest.mark.parametrize(
    ("listens", "protocols"),
    [
        (("udp:127.0.0.1",), [UDP]),
        (("tcp:127.0.0.1",), [TCP]),
        (("127.0.0.1",), [UDP, TCP]),
        (("udp:localhost",), [UDP]),
        (("udp:lo",), [UDP]),
        (("udp:127.0.0.1", "udp:127.0.0.1", "tcp:127.0.0.1"), [UDP, UDP, TCP]),
        pytest.param(("udp:[::1]", "tcp:[::1]"), [UDP, TCP], marks=needs_ipv6),
    ],
)
def test_what_it_listens_on(in_loop: Runner, listens: tuple[str, ...], protocols: list[int]) -> None:
    async def test() -> None:
        async with site(ANSWER, *listens) as here:
            addresses = here.app.sip_addresses
            assert [one.protocol for one in addresses] == protocols
            assert all(one.port for one in addresses)
            assert here.app.program.world.sockets == list(addresses)
            for place in range(protocols.count(UDP)):
                await (await here.udp(place)).ask(place)
            for place in range(protocols.count(TCP)):
                await (await here.tcp(place)).ask(place)
            assert here.told() == []

    in_loop(test)


def test_without_a_protocol_udp_and_tcp_have_the_same_port(in_loop: Runner) -> None:
    async def test() -> None:
        port = free_port()
        async with site(ANSWER, f"127.0.0.1:{port}") as here:
            assert [(one.protocol, one.port) for one in here.app.sip_addresses] == [(UDP, port), (TCP, port)]

    in_loop(test)


@pytest.mark.parametrize("listens", [("127.0.0.1",), ("udp:127.0.0.1", "tcp:127.0.0.1")])
def test_disable_tcp(in_loop: Runner, listens: tuple[str, ...]) -> None:
    async def test() -> None:
        async with site("disable_tcp=yes\n" + ANSWER, *listens) as here:
            assert [one.protocol for one in here.app.sip_addresses] == [UDP]
            await (await here.udp()).ask(1)

    in_loop(test)


def test_what_does_not_run_here_is_told_and_the_others_served(in_loop: Runner) -> None:
    async def test() -> None:
        listens = ("tls:127.0.0.1:5061", "udp:127.0.0.1", "sctp:127.0.0.1:5065", "tcp:127.0.0.1")
        async with site(ANSWER, *listens) as here:
            assert [one.protocol for one in here.app.sip_addresses] == [UDP, TCP]
            assert ["TLS does not run here" in here.told()[0], "SCTP does not run here" in here.told()[1]] == [True] * 2
            await (await here.udp()).ask(1)
            await (await here.tcp()).ask(2)
            assert len(here.told()) == 2

    in_loop(test)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_an_address_in_use_leaves_nothing_bound(in_loop: Runner, kind: int) -> None:
    async def test() -> None:
        port, other = free_port(), free_port()
        with socket.socket(type=kind) as taken:
            taken.bind(("127.0.0.1", port))
            if kind == socket.SOCK_STREAM:
                taken.listen()
            app = load_text(HEAD + f"listen=127.0.0.1:{other}\nlisten=127.0.0.1:{port}\n" + ANSWER)
            with pytest.raises(CannotListen, match=f"SIP over (UDP|TCP): .*127.0.0.1:{port}: the address is in use"):
                await serve(app, "127.0.0.1", 0, sip=True)
        for one in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            assert is_free(other, one)
            assert is_free(port, one)

    in_loop(test)


def test_evapis_address_in_use_leaves_no_sip_socket_bound(in_loop: Runner) -> None:
    async def test() -> None:
        port = free_port()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            app = load_text(HEAD + f"listen=127.0.0.1:{port}\n" + ANSWER)
            with pytest.raises(CannotListen):
                await serve(app, *taken.getsockname(), sip=True)
        assert is_free(port, socket.SOCK_DGRAM)
        assert is_free(port, socket.SOCK_STREAM)

    in_loop(test)


def test_a_usual_port_that_is_taken_is_no_error_where_no_address_is_named(in_loop: Runner) -> None:
    async def test() -> None:
        port = free_port()
        with socket.socket(type=socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", port))
            records = Records()
            app = load_text(HEAD + f"port={port}\n" + ANSWER, log=records)
            server = await serve(app, "127.0.0.1", 0, sip=True)
            assert app.sip_addresses == ()
            [warning] = [record.message for record in records.lines if record.level == Level.WARNING]
            assert "no SIP is served" in warning
            await server.close()

    in_loop(test)


def test_without_listen_every_address_of_the_machine_is_served(in_loop: Runner) -> None:
    async def test() -> None:
        port = free_port()
        app = load_text(HEAD + f"port={port}\n" + ANSWER)
        server = await serve(app, "127.0.0.1", 0, sip=True)
        assert (UDP, "127.0.0.1", port) in {one[:3] for one in app.sip_addresses}
        assert (TCP, "127.0.0.1", port) in {one[:3] for one in app.sip_addresses}
        await server.close()
        assert is_free(port, socket.SOCK_DGRAM)

    in_loop(test)


def test_without_sip_no_port_is_opened(in_loop: Runner) -> None:
    async def test() -> None:
        port = free_port()
        async with site(ANSWER, f"127.0.0.1:{port}", sip=False) as here:
            assert here.app.sip_addresses == ()
            assert is_free(port, socket.SOCK_DGRAM)
            assert is_free(port, socket.SOCK_STREAM)

    in_loop(test)


def test_requests_are_not_run_before_worker_one_init(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    records = Records()
    cfg = (
        'event_route[core:worker-one-init] { xlog("L_INFO", "init"); }\n'
        'request_route { xlog("L_INFO", "run"); }\n'
    )  # fmt: skip
    app = load_text(HEAD + f"listen=udp:127.0.0.1:{port}\n" + cfg, log=records)

    async def test() -> None:
        loop = asyncio.get_running_loop()
        resolve = loop.getaddrinfo

        async def slowly(host: Any, service: Any, **more: Any) -> Any:
            """For evapi's address: a request comes in the meantime."""
            if more["type"] == socket.SOCK_STREAM:
                early.sendto(request(1), ("127.0.0.1", port))
                for _ in range(20):
                    await asyncio.sleep(0.001)
            return await resolve(host, service, **more)

        monkeypatch.setattr(loop, "getaddrinfo", slowly)
        with socket.socket(type=socket.SOCK_DGRAM) as early:
            server = await serve(app, "127.0.0.1", 0, sip=True)
            await until(lambda: len(records.lines) == 2)
            await server.close()

    asyncio.run(asyncio.wait_for(test(), DEADLINE))
    assert [record.message for record in records.lines] == ["init", "run"]


# ---- UDP


def test_a_reply_goes_to_where_the_via_says(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            sender, told = await here.udp(), await here.udp()
            told.socket.bind(("127.0.0.1", 0))
            await sender.send(request(1, via=f"UDP 192.0.2.1:{told.socket.getsockname()[1]}"))
            reply = await told.receive()
            assert b";received=127.0.0.1" in reply
            await sender.ask(2)

    in_loop(test)


@needs_ipv6
def test_an_ipv4_caller_of_an_ipv6_socket_is_answered(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER, "udp:[::]", "tcp:[::]") as here:
            for make in (here.udp, here.tcp):
                for host in ("127.0.0.1", "::1"):
                    here.app.sip_addresses = tuple(one._replace(address=host) for one in here.app.sip_addresses)
                    caller = await make()
                    reply = await caller.ask(1)
                    assert b";received=%b" % host.encode() in reply
            assert here.told() == []

    in_loop(test)


def test_datagrams_of_all_sizes(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            caller = await here.udp()
            await caller.send(b"")
            await caller.send(b"\r\n\r\n")
            await caller.send(b"\0")
            await caller.ask(1)
            assert here.told() == []
            await caller.send(request(2, size=32766))
            assert number_of(await caller.receive()) == 2
            for size in (32767, 65507):
                await caller.send(request(3, size=size))
                await caller.ask(4)
            assert [f"{size} bytes" in told for size, told in zip((32767, 65507), here.told(), strict=True)] == [
                True
            ] * 2
            assert all("msg_recv_max_size" in told for told in here.told())

    in_loop(test)


def test_a_limit_of_ones_own(in_loop: Runner) -> None:
    async def test() -> None:
        async with site("msg_recv_max_size=65535\n" + ANSWER) as here:
            caller = await here.udp()
            await caller.send(request(3, size=65507))
            assert number_of(await caller.receive()) == 3
            assert here.told() == []

    in_loop(test)


@pytest.mark.parametrize(
    "junk", [b"hello\r\n\r\n", b"\xff" * 100, request(1)[:60], request(1).replace(b"CSeq", b"Cseb")]
)
def test_what_is_no_message_is_told_and_dropped(in_loop: Runner, junk: bytes) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            caller = await here.udp()
            await caller.send(junk)
            await caller.ask(2)
            assert [" is dropped: " in told for told in here.told()] == [True]

    in_loop(test)


def test_a_burst_is_answered_whole(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            caller = await here.udp()
            caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            count = 2000
            numbers: set[int] = set()
            for number in range(count):
                await caller.send(request(number))
                if number % 100 == 99:  # no more than the smallest buffer of a kernel holds
                    await until(lambda: here.server.engine.requests.counted == number + 1)  # noqa: B023
            while len(numbers) < count:
                numbers.add(number_of(await caller.receive()))
            assert here.told() == []

    in_loop(test)


def test_callers_that_have_gone_do_no_harm(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(PARK) as here:
            application, stays = await here.application(), await here.udp()
            for number in range(50):
                goes = await here.udp()
                await goes.send(request(number))
                which = await asyncio.get_running_loop().sock_recv(application.socket, 100)
                goes.socket.close()  # its reply will be refused by the kernel
                await application.send(which)
            await stays.send(request(99))
            await application.send(await asyncio.get_running_loop().sock_recv(application.socket, 100))
            assert number_of(await stays.receive()) == 99
            assert here.told() == []

    in_loop(test)


# ---- TCP


def test_pipelined_requests_are_answered_in_their_order(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            caller = await here.tcp()
            data = b"".join(request(number, "x" * number, via="TCP h.example") for number in range(300))
            sending = asyncio.ensure_future(caller.send(data))
            assert [number_of(await caller.receive()) for _ in range(300)] == list(range(300))
            await sending

    in_loop(test)


def test_a_request_may_come_byte_by_byte(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            caller = await here.tcp()
            caller.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request(7, "body", via="TCP h.example"):
                await caller.send(bytes([byte]))
                await asyncio.sleep(0)
            assert number_of(await caller.receive()) == 7

    in_loop(test)


def test_keep_alives_are_answered_in_their_order(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            caller = await here.tcp()
            await caller.send(b"\r\n\r\n" + request(1, via="TCP h") + b"\r\n\r\n\r\n\r\n" + request(2, via="TCP h"))
            loop, data = asyncio.get_running_loop(), b""
            while data.count(b"\r\n\r\n") < 2 or not data.endswith(b"\r\n\r\n"):
                data += await loop.sock_recv(caller.socket, 65536)
            parts = data.split(b"SIP/2.0 200 OK\r\n")
            assert parts[0] == b"\r\n"
            assert parts[1].endswith(b"\r\n\r\n\r\n\r\n")
            assert number_of(parts[2]) == 2

    in_loop(test)


def test_what_is_sent_before_a_half_close_is_answered(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            caller = await here.tcp()
            await caller.send(b"".join(request(number, via="TCP h") for number in range(5)))
            caller.socket.shutdown(socket.SHUT_WR)
            assert [number_of(await caller.receive()) for _ in range(5)] == list(range(5))
            assert await caller.receive() == b""

    in_loop(test)


def test_a_reply_to_a_connection_that_has_gone_is_told(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(PARK) as here:
            application, caller = await here.application(), await here.tcp()
            await caller.send(request(1, via="TCP h.example"))
            which = await asyncio.get_running_loop().sock_recv(application.socket, 100)
            caller.socket.close()
            other = await here.tcp()
            await other.send(b"\r\n\r\n")
            await asyncio.get_running_loop().sock_recv(other.socket, 10)
            await application.send(which)
            await until(lambda: bool(here.told()))
            assert ["the connection has been closed" in told for told in here.told()] == [True]

    in_loop(test)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (request(1).replace(b"Content-Length: 0\r\n", b""), "without a Content-Length"),
        (request(1).replace(b"Content-Length: 0\r\n", b"l: 0\r\nl: 1\r\n"), "two lengths"),
        (request(1).replace(b"Content-Length: 0\r\n", b"l: 99999\r\n"), "at most 32767"),
        (b"x" * 40000, "more than 32767"),
    ],
)
def test_a_stream_that_cannot_be_followed_is_closed(in_loop: Runner, data: bytes, says: str) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            caller, other = await here.tcp(), await here.tcp()
            with suppress(OSError):
                await caller.send(request(0, via="TCP h") + data)
                assert number_of(await caller.receive()) == 0
                assert await caller.receive() == b""
            await other.ask(2)
            assert [says in told for told in here.told()] == [True]

    in_loop(test)


def test_tcp_max_connections(in_loop: Runner) -> None:
    async def test() -> None:
        async with site("tcp_max_connections=2\n" + ANSWER) as here:
            first, second = await here.tcp(), await here.tcp()
            await first.ask(1)
            await second.ask(2)
            for _ in range(3):
                refused = await here.tcp()
                assert await refused.receive() == b""
            assert ["tcp_max_connections" in told for told in here.told()] == [True]
            first.socket.close()
            while True:
                third = await here.tcp()
                await third.send(request(3, via="TCP h"))
                with suppress(ConnectionError):
                    if await third.receive():
                        break
            await second.ask(4)

    in_loop(test)


@pytest.mark.parametrize("speaks", [True, False])
def test_a_connection_that_is_silent_is_closed(in_loop: Runner, speaks: bool) -> None:
    async def test() -> None:
        async with site("tcp_connection_lifetime=1\n" + ANSWER) as here:
            caller = await here.tcp()
            if speaks:
                await caller.ask(1)
            assert await caller.receive() == b""
            await until(lambda: here.app.program.world.timers.idle)

    in_loop(test)


def test_a_caller_that_never_reads_is_cut(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            deaf, other = await here.tcp(), await here.tcp()
            data = b"".join(request(number, via="TCP h.example" + "x" * 900) for number in range(100))
            with pytest.raises(OSError):
                while True:
                    await deaf.send(data)
            await other.ask(1)
            assert ["were not read" in told for told in here.told()] == [True]

    in_loop(test)


def test_a_caller_that_reads_no_answers_to_its_keep_alives_is_cut(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER) as here:
            deaf, other = await here.tcp(), await here.tcp()
            with pytest.raises(OSError):
                while True:
                    await deaf.send(b"\r\n\r\n" * 16384)
            await other.ask(1)
            assert ["were not read" in told for told in here.told()] == [True]

    in_loop(test)


def test_a_silent_caller_is_not_kept_for_what_it_does_not_read(in_loop: Runner) -> None:
    async def test() -> None:
        async with site("tcp_connection_lifetime=1\n" + ANSWER) as here:
            deaf = await here.tcp()
            data = b"".join(request(number, via="TCP h.example" + "x" * 900) for number in range(100))
            sip = here.server.end_sip.__self__  # type: ignore[attr-defined]
            await deaf.send(data)
            await until(lambda: len(sip._connections) == 1)
            [connection] = sip._connections
            while not connection._transport.get_write_buffer_size():
                await deaf.send(data)
                await asyncio.sleep(0.01)
            await until(lambda: not sip._connections)

    in_loop(test)


# ---- the end


def test_the_end_with_parked_requests(in_loop: Runner) -> None:
    async def test() -> None:
        async with site('modparam("tm", "retr_timer1", 50)\n' + PARK) as here:
            udp, tcp, application = await here.udp(), await here.tcp(), await here.application()
            await udp.send(request(1, method="INVITE"))
            await tcp.send(request(2, via="TCP h"))
            assert (await udp.receive()).startswith(b"SIP/2.0 100 ")
            await until(lambda: here.server.engine.requests.counted == 2)
            await here.server.close()
            for caller in (udp, tcp):
                assert (await caller.receive()).startswith(b"SIP/2.0 503 Service Unavailable\r\n")
            assert await tcp.receive() == b""
            assert application.socket.fileno() > 0
            for _ in range(150):
                await asyncio.sleep(0.001)
            assert here.told() == []
            assert not is_readable(udp.socket)

    in_loop(test)


def test_a_connection_that_is_accepted_at_the_end_is_not_left_open(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ANSWER, limits=Limits(drain=0.0)) as here:

            async def connect() -> None:
                with suppress(OSError):
                    for _ in range(30):
                        await here.tcp()

            await asyncio.gather(connect(), connect(), here.server.close())
            for caller in here.callers:
                with suppress(OSError):
                    assert await caller.receive() == b""

    in_loop(test)
