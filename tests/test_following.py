"""Following messages over a UNIX socket of either type, and those who follow and do not read. On both loops."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from evapi_cfg import Limits, load_text, serve
from evapi_cfg.modules.context import Level
from evapi_cfg.runtime.app import Records
from evapi_cfg.server import EventServer, following
from evapi_cfg.server.rpc import RpcPath
from tests.driven import Runner, frames
from tests.test_server import until

CFG = """#!KAMAILIO
loadmodule "pv.so"
loadmodule "evapi.so"
modparam("evapi", "workers", 0)
modparam("evapi", "max_clients", 100)
event_route[evapi:message-received] { evapi_relay("$evapi(msg)"); }
"""


def asking(**params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "evapi-cfg.tap", "params": params, "id": 5}).encode()


class Site:
    def __init__(self, server: EventServer, folder: Path, records: Records) -> None:
        self.server = server
        self.folder = folder
        self.records = records

    async def say(self, *messages: str) -> None:
        """Connects a client, has messages relayed, and leaves."""
        reader, writer = await asyncio.open_connection(*self.server.address)
        for at in range(0, len(messages), 50):
            data = frames(*messages[at : at + 50])
            writer.write(data)
            assert await reader.readexactly(len(data)) == data
        writer.close()
        await writer.wait_closed()

    @property
    def is_followed(self) -> bool:
        return self.server.engine.looked_on is not None


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    records = Records()
    app = load_text(CFG, log=records)
    places = [RpcPath(str(folder / "stream"), True), RpcPath(str(folder / "datagrams"), False)]
    server = await serve(app, "127.0.0.1", 0, limits=Limits(drain=0.05), rpc=places)
    try:
        yield Site(server, folder, records)
    finally:
        await server.close()
        assert not Site(server, folder, records).is_followed


class Follower:
    """One who follows, by a stream or by datagrams."""

    def __init__(self, here: Site, kind: str) -> None:
        self.kind = kind
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self._path = str(here.folder / kind)
        if kind == "datagrams":
            self.socket.bind("")
        else:
            self.socket.connect(self._path)
        self._lines: list[bytes] = []
        self._rest = b""

    async def begin(self, **params: object) -> dict[str, Any]:
        self.send(asking(**params))
        return await self.next()

    def send(self, data: bytes) -> None:
        if self.kind == "datagrams":
            self.socket.sendto(data, self._path)
        else:
            self.socket.send(data)

    async def next(self) -> dict[str, Any]:
        """The next record."""
        while not self._lines:
            more = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 20)
            assert more, "the stream has ended"
            *self._lines, self._rest = (self._rest + more).split(b"\n")
        found: dict[str, Any] = json.loads(self._lines.pop(0))
        return found

    async def next_of(self, *kinds: str) -> dict[str, Any]:
        while (found := await self.next())["kind"] not in kinds:
            pass
        return found

    def close(self) -> None:
        self.socket.close()


BOTH = pytest.mark.parametrize("kind", ["stream", "datagrams"])


@BOTH
def test_messages_and_relays(
    in_loop: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:  # fmt: skip
    monkeypatch.setattr(following, "ALIVE", 0.05)

    async def play() -> None:
        async with site(tmp_path) as here:
            one, two = Follower(here, kind), Follower(here, kind)
            assert await one.begin() == {"jsonrpc": "2.0", "result": {"lines_a_second": 1000}, "id": 5}
            assert "result" in await two.begin(match="b", client=0, route="evapi:message-received")
            await here.say("a", "b\x1b\x9b")
            found = [await one.next_of("message", "relay") for _ in range(4)]
            assert {(record["kind"], record["text"]) for record in found} == {
                (kind, text) for text in ("a", "b\x1b\x9b") for kind in ("message", "relay")
            }
            assert (await two.next_of("message"))["text"] == "b\x1b\x9b"
            one.close()
            two.close()
            await here.say("c")
            await here.say("d")
            await until(lambda: not here.is_followed)

    in_loop(play)


@BOTH
@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"match": "("}, "--match ("),
        ({"client": "0"}, "client is a number"),
        ({"client": True}, "client is a number"),
        ({"route": 5}, "route and match are texts"),
    ],
)
def test_what_is_refused(in_loop: Runner, tmp_path: Path, kind: str, params: dict[str, object], says: str) -> None:
    async def play() -> None:
        async with site(tmp_path) as here:
            follower = Follower(here, kind)
            answer = await follower.begin(**params)
            assert answer["id"] == 5
            assert answer["error"]["code"] == 400
            assert says in answer["error"]["message"]
            assert not here.is_followed
            assert "result" in await follower.begin()  # it may try again
            follower.close()

    in_loop(play)


def test_only_so_many_may_follow(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with site(tmp_path) as here:
            followers = [Follower(here, "datagrams") for _ in range(following.MOST + 1)]
            answers = [await follower.begin() for follower in followers]
            assert ["result" in answer for answer in answers] == [True] * following.MOST + [False]
            for follower in followers:
                follower.close()

    in_loop(play)


@pytest.mark.parametrize(
    "request_",
    [b'{"x":"evapi-cfg.tap"}', b'{"method":"evapi-cfg.tap"', b'["evapi-cfg.tap"]', b'"evapi-cfg.tap"',
     b'{"jsonrpc":"2.0","method":"system.methodHelp","params":["evapi-cfg.tap"],"id":1}'],
)  # fmt: skip
def test_requests_that_only_name_it_are_ordinary_ones(in_loop: Runner, tmp_path: Path, request_: bytes) -> None:
    async def play() -> None:
        async with site(tmp_path) as here:
            follower = Follower(here, "datagrams")
            follower.send(request_)
            answer = await asyncio.get_running_loop().sock_recv(follower.socket, 65536)
            assert b'"jsonrpc"' in answer
            assert not here.is_followed
            follower.close()

    in_loop(play)


@BOTH
def test_a_sign_of_life_where_nothing_happens(
    in_loop: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(following, "ALIVE", 0.02)

    async def play() -> None:
        async with site(tmp_path) as here:
            follower = Follower(here, kind)
            await follower.begin()
            assert [await follower.next() for _ in range(3)] == [{"kind": "alive"}] * 3
            follower.close()
            await until(lambda: not here.is_followed)

    in_loop(play)


@BOTH
def test_who_does_not_read_is_let_go(
    in_loop: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(following, "PAUSE", 0.005)
    monkeypatch.setattr(following, "PATIENCE", 0.1)
    monkeypatch.setattr(following, "PART", 1)

    async def play() -> None:
        async with site(tmp_path) as here:
            follower, reads = Follower(here, kind), Follower(here, kind)
            await follower.begin()
            await reads.begin(client=99)
            while not any("is let go" in record.message for record in here.records.lines):
                await here.say(*["x" * 900] * 50)
            assert [record.level for record in here.records.lines] == [Level.NOTICE]
            assert here.is_followed
            follower.close()
            reads.close()

    in_loop(play)


@BOTH
def test_under_load_the_rest_is_counted(in_loop: Runner, tmp_path: Path, kind: str) -> None:
    async def play() -> None:
        async with site(tmp_path) as here:
            follower = Follower(here, kind)
            await follower.begin()
            await here.say(*["x"] * 3000)
            seen = left_out = 0
            while seen + left_out < 6000:
                record = await follower.next()
                if record["kind"] == "left out":
                    left_out += record["count"]
                else:
                    seen += 1
            assert seen + left_out == 6000
            assert left_out > 0
            follower.close()

    in_loop(play)


@BOTH
def test_an_expression_that_takes_for_ever(in_loop: Runner, tmp_path: Path, kind: str) -> None:
    async def play() -> None:
        async with site(tmp_path) as here:
            follower = Follower(here, kind)
            await follower.begin(match="^(a*)*b$")
            await here.say("a" * 100)
            record = await follower.next()
            assert record["kind"] == "fault" and "takes too long" in record["text"]
            await until(lambda: not here.is_followed)
            follower.close()

    in_loop(play)


def test_a_stream_that_follows_may_say_that_it_is_over(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with site(tmp_path) as here:
            follower = Follower(here, "stream")
            await follower.begin()
            follower.send(b'{"jsonrpc":"2.0","method":"core.uptime","id":1}')  # nobody answers any more
            follower.socket.shutdown(socket.SHUT_WR)
            await until(lambda: not here.is_followed)
            assert await asyncio.get_running_loop().sock_recv(follower.socket, 10) == b""
            follower.close()

    in_loop(play)


def test_streams_that_follow_are_not_idle(in_loop: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evapi_cfg.server import rpc

    monkeypatch.setattr(rpc, "IDLE", 0.05)

    async def play() -> None:
        async with site(tmp_path) as here:
            follower = Follower(here, "stream")
            await follower.begin()
            await asyncio.sleep(0.1)
            await here.say("x")
            assert (await follower.next())["kind"] == "message"
            follower.close()

    in_loop(play)
