"""Routes that wait for commands and for HTTP answers, on a server with real sockets: who waits for whom, and in which
order. A command waits for a named pipe that the test writes to, an HTTP answer for a word of the test's. Nothing here
measures time.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from evapi_cfg import Limits, load_text, serve
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.outside import Answer
from evapi_cfg.runtime.app import Records
from evapi_cfg.server import EventServer
from tests.driven import Runner
from tests.outside_world import HandOutside

HEAD = "#!KAMAILIO\n" + "".join(
    f'loadmodule "{name}.so"\n'
    for name in ("tm", "tmx", "sl", "pv", "xlog", "cfgutils", "exec", "evapi", "http_async_client")
)
MESSAGE = "event_route[evapi:message-received]"
NEW = 'event_route[evapi:connection-new] { evapi_set_tag("c$evapi(conidx)"); }\n'
# What begins with a slash is the pipe to wait for; all else is answered at once.
WAITS = (
    "request_route { exit; }\n" + NEW + f'{MESSAGE} {{ if($evapi(msg) =~ "^/") exec_cmd("read x < $evapi(msg)");\n'
    'evapi_unicast("$evapi(msg)", "c$evapi(conidx)"); }\n'
)


def frames(*messages: str) -> bytes:
    return b"".join(b"%d:%b," % (len(message), message.encode()) for message in messages)


class Client:
    def __init__(self, made: socket.socket) -> None:
        self.socket = made
        self._loop = asyncio.get_running_loop()

    async def send(self, *messages: str) -> None:
        await self._loop.sock_sendall(self.socket, frames(*messages))

    async def receives(self, *messages: str) -> None:
        wanted = frames(*messages)
        data = b""
        while len(data) < len(wanted):
            more = await self._loop.sock_recv(self.socket, len(wanted) - len(data))
            assert more, f"the connection ended behind {data!r}"
            data += more
        assert data == wanted

    def silent(self) -> bool:
        try:
            return not self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True


class Pipes:
    """Named pipes that commands read from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, *names: str) -> list[str]:
        paths = [str(self._folder / name) for name in names]
        for path in paths:
            os.mkfifo(path)
        return paths

    @staticmethod
    def read_from(path: str) -> bool:
        """Whether a command waits for it."""
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as err:
            assert err.errno == errno.ENXIO
            return False
        return True


class Site:
    def __init__(self, server: EventServer, records: Records) -> None:
        self.server = server
        self.records = records
        self.clients: list[Client] = []

    async def connect(self) -> Client:
        made = socket.socket()
        made.setblocking(False)
        client = Client(made)
        self.clients.append(client)
        await asyncio.get_running_loop().sock_connect(made, self.server.address)
        return client

    async def waiting(self, conidx: int, count: int) -> None:
        """Until so many messages of a client wait for their turn."""
        while True:
            clients = self.server.engine.hub.clients
            if len(clients) > conidx and len(clients[conidx].waiting or ()) == count:
                return
            await asyncio.sleep(0.001)

    def logged(self) -> list[str]:
        return [record.message.strip() for record in self.records.lines if record.source == "script"]


@asynccontextmanager
async def site(
    cfg: str, *, workers: int = 0, drain: float = 0.05, outside: HandOutside | None = None
) -> AsyncIterator[Site]:
    records = Records(Level.INFO)
    params = [("evapi", "workers", workers), ("http_async_client", "connection_timeout", 60000)]
    app = load_text(HEAD + cfg, log=records, params=params, allow_exec=True, outside=outside)
    server = await serve(app, "127.0.0.1", 0, limits=Limits(drain=drain))
    made = Site(server, records)
    try:
        yield made
    finally:
        for client in made.clients:
            client.socket.close()
        await server.close()


async def begun(path: str) -> int:
    """Waits until a command reads from a pipe; the descriptor lets it go on when it is closed."""
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as err:
            assert err.errno == errno.ENXIO
            await asyncio.sleep(0.001)


# ---- commands


def test_with_one_worker_the_next_message_begins_when_the_last_has_ended(in_loop: Runner, tmp_path: Path) -> None:
    async def test() -> None:
        one, two = Pipes(tmp_path).make("one", "two")
        async with site(WAITS, workers=1) as here:
            first, second = await here.connect(), await here.connect()
            await first.send(one)
            held = await begun(one)
            await second.send("quick", two)
            await here.waiting(1, 2)
            assert second.silent()
            assert not Pipes.read_from(two)
            os.close(held)
            await first.receives(one)
            await second.receives("quick")
            os.close(await begun(two))
            await second.receives(two)

    in_loop(test)


def test_with_four_workers_four_are_in_work(in_loop: Runner, tmp_path: Path) -> None:
    async def test() -> None:
        paths = Pipes(tmp_path).make(*"abcde")
        async with site(WAITS, workers=4) as here:
            clients = [await here.connect() for _ in paths]
            held = []
            for client, path in zip(clients[:4], paths[:4], strict=True):
                await client.send(path)
                held.append(await begun(path))
            await clients[4].send(paths[4])
            await here.waiting(4, 1)
            assert not Pipes.read_from(paths[4])
            os.close(held[2])
            await clients[2].receives(paths[2])
            held[2] = await begun(paths[4])
            for descriptor in held:
                os.close(descriptor)
            for client, path in zip(clients, paths, strict=True):
                if path != paths[2]:
                    await client.receives(path)

    in_loop(test)


def test_a_clients_own_messages_stay_in_order_and_nobody_else_waits(in_loop: Runner, tmp_path: Path) -> None:
    async def test() -> None:
        one, two = Pipes(tmp_path).make("one", "two")
        async with site(WAITS, workers=0) as here:
            slow, quick = await here.connect(), await here.connect()
            await slow.send(one, "behind", two, "last")
            held = await begun(one)
            for number in range(20):
                await quick.send(f"quick {number}")
                await quick.receives(f"quick {number}")
            late = await here.connect()  # connection-new does not wait either
            await late.send("late")
            await late.receives("late")
            assert slow.silent()
            os.close(held)
            await slow.receives(one, "behind")
            os.close(await begun(two))
            await slow.receives(two, "last")

    in_loop(test)


def test_a_server_that_ends_runs_what_it_has_received_and_gives_up_what_takes_too_long(
    in_loop: Runner, tmp_path: Path
) -> None:
    async def test() -> None:
        (one,) = Pipes(tmp_path).make("one")
        async with site(WAITS, drain=20.0) as here:
            client = await here.connect()
            await client.send(one)
            held = await begun(one)
            closing = asyncio.ensure_future(here.server.close())
            await asyncio.sleep(0)
            os.close(held)
            await client.receives(one)
            await closing
        async with site(WAITS, drain=0.01) as here:
            client = await here.connect()
            await client.send(one)
            held = await begun(one)
            await here.server.close()
            os.close(held)
            assert not Pipes.read_from(one)

    in_loop(test)


# ---- HTTP


class Web:
    """An HTTP server that holds its answers back until it is told."""

    def __init__(self) -> None:
        self.asked: dict[str, asyncio.StreamWriter] = {}
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.asked[head.split()[1].decode()] = writer
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def has(self, *paths: str) -> None:
        while not set(paths) <= set(self.asked):
            await asyncio.sleep(0.001)

    def answer(self, path: str) -> None:
        body = f"for {path}".encode()
        self.asked.pop(path).write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@asynccontextmanager
async def web() -> AsyncIterator[Web]:
    made = Web()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.address = "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname())
    try:
        yield made
    finally:
        server.close()
        for writer in made.asked.values():
            writer.close()


def asks(address: str) -> str:
    """A cfg whose messages are paths to ask for, or answered at once."""
    return (
        "request_route { exit; }\n" + NEW + f'{MESSAGE} {{\nif($evapi(msg) =~ "^/") {{\n'
        f'  http_async_query("{address}$evapi(msg)", "ANSWER");\n  exit; }}\n'
        'evapi_unicast("$evapi(msg)", "c$evapi(conidx)"); }\n'
        'route[ANSWER] { xlog("$http_rb\\n"); evapi_relay("$http_rb"); }\n'
    )


def test_nobody_waits_for_an_http_answer(in_loop: Runner) -> None:
    async def test() -> None:
        async with web() as outside, site(asks(outside.address), workers=1) as here:
            asking, other = await here.connect(), await here.connect()
            await asking.send("/a", "/b", "between", "/c")
            await outside.has("/a", "/b", "/c")
            await asking.receives("between")
            await other.send("quick")
            await other.receives("quick")
            for path in ("/c", "/a", "/b"):
                outside.answer(path)
                await other.receives(f"for {path}")
                await asking.receives(f"for {path}")
            assert here.logged() == ["for /c", "for /a", "for /b"]

    in_loop(test)


def test_what_has_been_asked_when_the_server_ends_is_answered_or_given_up(in_loop: Runner) -> None:
    async def test() -> None:
        async with web() as outside:
            async with site(asks(outside.address), drain=20.0) as here:
                client = await here.connect()
                await client.send("/a")
                await outside.has("/a")
                closing = asyncio.ensure_future(here.server.close())
                await asyncio.sleep(0)
                outside.answer("/a")
                await client.receives("for /a")
                await closing
            async with site(asks(outside.address), drain=0.01) as here:
                client = await here.connect()
                await client.send("/b")
                await outside.has("/b")
                await here.server.close()
                assert here.logged() == []

    in_loop(test)


@pytest.mark.parametrize("answered", [True, False])
def test_a_parked_request_gets_its_answer_or_503_when_the_server_ends(in_loop: Runner, answered: bool) -> None:
    async def test() -> None:
        async with web() as outside:
            records = Records(Level.INFO)
            app = load_text(
                HEAD.replace("loadmodule", "listen=udp:127.0.0.1:5\nloadmodule", 1)
                + f'request_route {{ t_newtran(); http_async_query("{outside.address}/park", "ANSWER"); }}\n'
                'route[ANSWER] { t_reply("200", "$http_rb"); }\n',
                log=records,
                params=[("http_async_client", "connection_timeout", 60000)],
            )
            app.program.world.sockets[:] = [app.program.world.sockets[0]._replace(port=0)]
            server = await serve(app, "127.0.0.1", 0, limits=Limits(drain=20.0 if answered else 0.01), sip=True)
            caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            caller.setblocking(False)
            request = (
                "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK1\r\n"
                "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
            )
            caller.sendto(request.encode(), ("127.0.0.1", app.sip_addresses[0].port))
            await outside.has("/park")
            closing = asyncio.ensure_future(server.close())
            await asyncio.sleep(0)
            if answered:
                outside.answer("/park")
            reply = await asyncio.get_running_loop().sock_recv(caller, 65536)
            caller.close()
            await closing
            assert reply.startswith(b"SIP/2.0 200 for /park\r\n" if answered else b"SIP/2.0 503 ")

    in_loop(test)


# ---- a world outside of the application's own


def test_an_own_outside_is_served_as_well(in_loop: Runner) -> None:
    async def test() -> None:
        outside = HandOutside()
        cfg = asks("http://nowhere") + 'route[UNUSED] { exec_cmd("x"); }\n'
        async with site(cfg, outside=outside) as here:
            client = await here.connect()
            await client.send("/a")
            while not outside.queries:
                await asyncio.sleep(0.001)
            query, done = outside.queries.pop()
            assert query.url == "http://nowhere/a"
            done(Answer("HTTP/1.1 200 OK\r\n\r\nhand made"))
            await client.receives("hand made")

    in_loop(test)
