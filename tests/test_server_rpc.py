"""JSON-RPC on UNIX sockets: both types, what a path may be, and clients that do not behave."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from evapi_cfg import CannotListen, load_text, serve
from evapi_cfg.runtime.app import App, Records
from evapi_cfg.server import parse_rpc
from evapi_cfg.server.rpc import AT_A_TIME, REQUEST, RpcPath
from evapi_cfg.server.rpc_client import Unreachable, ask
from tests.driven import Runner

CFG = """#!KAMAILIO
loadmodule "pv.so"
loadmodule "evapi.so"
modparam("pv", "shvset", "one=i:1")
request_route { exit; }
event_route[evapi:message-received] { evapi_relay("$evapi(msg)"); }
"""
# What Kamailio 6.1.4 sends on its dgram_socket for the same requests.
RECORDED = {
    '{"jsonrpc":"2.0","method":"core.echo","params":["a",5],"id":1}': '{\n\t"jsonrpc":\t"2.0",\n\t"result":\t[\n\t\t'
    '"a",\n\t\t"5"\n\t],\n\t"id":\t1\n}',
    '{"jsonrpc":"2.0","method":"nope","id":"x"}': '{\n\t"jsonrpc":\t"2.0",\n\t"error":\t{\n\t\t"code":\t500,\n\t\t'
    '"message":\t"Method Not Found"\n\t},\n\t"id":\t"x"\n}',
    '{"jsonrpc":"2.0","method":"pv.shvGet","params":{"name":"one"}}': '{\n\t"jsonrpc":\t"2.0",\n\t"result":\t{\n\t\t'
    '"name":\t"one",\n\t\t"type":\t"int",\n\t\t"value":\t1\n\t}\n}',
    '  {"jsonrpc":"2.0","id":1}\r\n': '{\n\t"jsonrpc":\t"2.0",\n\t"result":\t{\n\t},\n\t"id":\t1\n}',
}


@asynccontextmanager
async def served(*paths: Path | RpcPath) -> AsyncIterator[App]:
    app = load_text(CFG, log=Records())
    places = [path if isinstance(path, RpcPath) else RpcPath(str(path), False) for path in paths]
    server = await serve(app, port=0, rpc=places)
    try:
        yield app
    finally:
        await server.close()


def request(method: str, *params: object, id: int = 1) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": id}).encode()


class Asking:
    """A client with datagrams, as kamcli is: from a socket with a path of its own."""

    def __init__(self, server: Path, own: Path | None) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        if own is not None:
            self.socket.bind(str(own))
        self._server = str(server)

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, self._server)

    async def read(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.socket, 1 << 20)

    async def ask(self, data: bytes) -> bytes:
        while True:
            try:
                self.send(data)
                break
            except BlockingIOError:  # others have sent as much as the kernel keeps
                await asyncio.sleep(0)
        return await self.read()


async def whole(stream: asyncio.StreamReader) -> list[dict[str, object]]:
    """All answers of a stream up to its end."""
    text = (await stream.read()).decode()
    found, at, decoder = [], 0, json.JSONDecoder()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        assert text[at] == "\n"
        at += 1
        found.append(value)
    return found


async def one_of(stream: asyncio.StreamReader) -> dict[str, object]:
    """The next answer."""
    text = b""
    while not text.endswith(b"\n}\n"):
        line = await stream.readline()
        assert line, "the stream has ended"
        text += line
    answer: dict[str, object] = json.loads(text)
    return answer


def test_datagrams_are_answered_as_kamailio_does(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with served(tmp_path / "rpc"):
            asking = Asking(tmp_path / "rpc", tmp_path / "own")
            for sent, answer in RECORDED.items():
                assert (await asking.ask(sent.encode())).decode() == answer
            asking.socket.close()

    in_loop(play)


def test_what_is_no_json_is_answered(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with served(tmp_path / "rpc"):
            asking = Asking(tmp_path / "rpc", tmp_path / "own")
            for data in (b"garbage", b"{", b" ", b"\0", b"\xff\xfe", b"[" * REQUEST):
                answer = json.loads(await asking.ask(data))
                assert (answer["error"], answer["id"]) == ({"code": -32700, "message": "Parse Error"}, None)
            answer = json.loads(await asking.ask(b"x" * (REQUEST + 1)))
            assert answer["error"]["message"] == f"a request has at most {REQUEST} bytes"
            asking.socket.close()

    in_loop(play)


def test_who_has_no_address_is_not_answered_and_who_does_not_read_holds_nobody_up(
    in_loop: Runner, tmp_path: Path
) -> None:
    async def play() -> None:
        async with served(tmp_path / "rpc") as app:
            nobody = Asking(tmp_path / "rpc", None)
            nobody.send(request("pv.shvSet", "one", "int", 5))
            lazy, other = Asking(tmp_path / "rpc", tmp_path / "lazy"), Asking(tmp_path / "rpc", tmp_path / "other")
            lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            for _ in range(2000):
                try:
                    lazy.send(request("system.listMethods"))
                except BlockingIOError:
                    await asyncio.sleep(0)
            assert json.loads(await other.ask(request("pv.shvGet", "one")))["result"]["value"] == 5
            assert isinstance(app.log, Records)
            lost = [line for line in app.log.lines if "an answer is lost" in line.message]
            assert 1 <= len(lost) <= 40  # one a second at most
            for asking in (nobody, lazy, other):
                asking.socket.close()

    in_loop(play)


def test_an_answer_that_is_too_long_for_a_datagram(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with served(tmp_path / "rpc", RpcPath(str(tmp_path / "stream"), True)) as app:
            app.program.world.shv["one"] = "x" * 5_000_000
            asking = Asking(tmp_path / "rpc", tmp_path / "own")
            answer = json.loads(await asking.ask(request("pv.shvGet", "one")))
            assert (answer["error"]["code"], "too long for a datagram" in answer["error"]["message"]) == (500, True)
            asking.socket.close()
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "stream"))
            writer.write(request("pv.shvGet", "one"))
            writer.write_eof()
            [answer] = await whole(reader)
            assert len(answer["result"]["value"]) == 5_000_000  # type: ignore[index]
            writer.close()

    in_loop(play)


def test_a_stream(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        place = RpcPath(str(tmp_path / "rpc"), True)
        async with served(place):
            reader, writer = await asyncio.open_unix_connection(place.path)
            writer.write(request("core.echo", "a", id=1) + b"\n" + request("core.echo", "b", id=2) + b"{")
            for number in (1, 2):
                assert (await one_of(reader))["id"] == number
            writer.write(request("core.echo", "c", id=3)[1:])
            writer.write_eof()
            assert [answer["id"] for answer in await whole(reader)] == [3]
            writer.close()
            for data in (b"hello", b'{"a":', request("core.echo", "x" * REQUEST)):
                reader, writer = await asyncio.open_unix_connection(place.path)
                writer.write(data)
                writer.write_eof()
                [answer] = await whole(reader)  # type: ignore[assignment]
                assert answer["error"]["code"] == -32700  # type: ignore[index]
                writer.close()

    in_loop(play)


def test_a_stream_that_is_not_read_costs_one_answer(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        place = RpcPath(str(tmp_path / "rpc"), True)
        async with served(place) as app:
            app.program.world.shv["one"] = "x" * 1_000_000
            ran = 0

            def counted(call: object, real: object = app.program.world.commands["pv.shvGet"].call) -> object:
                nonlocal ran
                ran += 1
                return real(call)  # type: ignore[operator]

            command = app.program.world.commands["pv.shvGet"]
            app.program.world.commands["pv.shvGet"] = type(command)(command.name, counted)  # type: ignore[arg-type]
            reader, writer = await asyncio.open_unix_connection(place.path)
            writer.write(request("pv.shvGet", "one") * 30)
            other_reader, other = await asyncio.open_unix_connection(place.path)
            for number in range(50):  # each of them is answered, so that the server has had its turns
                other.write(request("core.echo", id=number))
                assert (await one_of(other_reader))["id"] == number
            assert 1 <= ran <= 3
            writer.write_eof()
            assert len(await whole(reader)) == 30
            writer.close()
            other.close()

    in_loop(play)


# ---- the files


def test_the_file_is_for_its_owner_and_goes_at_the_end(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        for stream in (False, True):
            async with served(RpcPath(str(tmp_path / "rpc"), stream)):
                found = os.lstat(tmp_path / "rpc")
                assert stat.S_ISSOCK(found.st_mode)
                assert stat.S_IMODE(found.st_mode) == 0o600
            assert os.listdir(tmp_path) == []

    in_loop(play)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["datagrams", "stream"])
def test_what_a_dead_server_left_is_replaced_and_a_live_one_refused(
    in_loop: Runner, tmp_path: Path, kind: socket.SocketKind
) -> None:
    async def play() -> None:
        path = tmp_path / "rpc"
        with socket.socket(socket.AF_UNIX, kind) as other:
            other.bind(str(path))
            if kind == socket.SOCK_STREAM:
                other.listen()
            with pytest.raises(CannotListen, match="another server listens there"):
                async with served(path):
                    pass
            assert path.is_socket()
        async with served(path):
            assert json.loads(await asyncio.to_thread(ask, str(path), request("core.echo", "a").decode()))["id"] == 1
        assert not path.exists()

    in_loop(play)


def test_what_is_no_socket_stays(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        (tmp_path / "file").write_text("mine")
        (tmp_path / "link").symlink_to(tmp_path / "file")
        for path, says in [
            (tmp_path / "file", "is no socket"),
            (tmp_path / "link", "is no socket"),
            (tmp_path, "is no socket"),
            (tmp_path / "none" / "rpc", "no such file"),
            (tmp_path / ("x" * 200), "too long"),
        ]:
            with pytest.raises(CannotListen, match=says):
                # What could be listened on is given up again.
                async with served(tmp_path / "rpc", path):
                    pass
        assert sorted(os.listdir(tmp_path)) == ["file", "link"]
        assert (tmp_path / "file").read_text() == "mine"

    in_loop(play)


def test_a_file_that_is_another_ones_by_now_stays(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with served(tmp_path / "rpc"):
            (tmp_path / "rpc").unlink()
            (tmp_path / "rpc").write_text("mine")
        assert (tmp_path / "rpc").read_text() == "mine"

    in_loop(play)


@pytest.mark.parametrize("value", ["", "unix", "unix:", "tcp:1.2.3.4:5", "/run/rpc", "unix:a\0b"])
def test_what_is_no_place(value: str) -> None:
    with pytest.raises(ValueError):
        parse_rpc(value)


def test_places() -> None:
    assert parse_rpc("unix:/run/a:b") == RpcPath("/run/a:b", False)
    assert parse_rpc("unix-stream:x") == RpcPath("x", True)


# ---- asking


def test_asking_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evapi_cfg.server.rpc_client.TIMEOUT", 0.01)
    (tmp_path / "file").write_text("")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as silent:
        silent.bind(str(tmp_path / "silent"))
        for name, says in [("none", "nobody listens"), ("silent", "no answer"), ("x" * 200, "too long")]:
            with pytest.raises(Unreachable, match=says):
                ask(str(tmp_path / name), "{}")
    with pytest.raises(Unreachable, match="nobody listens"):
        ask(str(tmp_path / "silent"), "{}")
    with pytest.raises(Unreachable):
        ask(str(tmp_path / "file"), "{}")


def test_asking_either_type(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with served(tmp_path / "rpc", RpcPath(str(tmp_path / "stream"), True)):
            for name in ("rpc", "stream"):
                text = await asyncio.to_thread(ask, str(tmp_path / name), request("core.echo", "é").decode())
                assert json.loads(text)["result"] == ["é"]

    in_loop(play)


def test_very_many_requests_at_once_leave_others_their_turn(in_loop: Runner, tmp_path: Path) -> None:
    async def test() -> None:
        path = RpcPath(str(tmp_path / "s"), True)
        async with served(path) as app:
            reader, writer = await asyncio.open_unix_connection(path.path)
            records = app.log
            assert isinstance(records, Records)
            writer.write(b"{}" * 5000)
            answered = most = 0
            while answered < 5000:
                await asyncio.sleep(0)
                now = len(records.lines)  # each of them is complained about
                most, answered = max(most, now - answered), now
            assert most <= 2 * AT_A_TIME
            writer.write_eof()
            assert (await reader.read()).count(b"jsonrpc") == 5000
            writer.close()

    in_loop(test)
