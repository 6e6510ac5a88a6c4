"""What the server does outside: real commands, and queries to HTTP servers on the loopback, on both loops.

Nothing here waits for a fixed time: what is waited for is what must happen, with a deadline far away.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from trustme import CA

from evapi_cfg.modules.outside import Answer, Command, Finished, Query
from evapi_cfg.server import commands, http_client
from evapi_cfg.server.commands import Commands
from evapi_cfg.server.http_auth import answer_to
from evapi_cfg.server.http_client import HttpClient
from tests.driven import Runner

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def nothing() -> None:
    """Nobody has to go on."""


# ---- commands


async def finished(*wanted: Command) -> list[Finished]:
    """What these commands come to, all begun at once."""
    runner = Commands(nothing)
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[Finished]] = [loop.create_future() for _ in wanted]
    for command, future in zip(wanted, futures, strict=True):
        runner.execute(command, future.set_result)
    ended = await asyncio.gather(*futures)
    assert runner.idle
    await runner.close()
    return ended


def play_commands(in_loop: Runner, *wanted: Command) -> list[Finished]:
    found: list[Finished] = []

    async def test() -> None:
        found.extend(await finished(*wanted))

    in_loop(test)
    return found


@pytest.mark.parametrize(
    ("command", "ended"),
    [
        (Command("exit 3"), Finished(3)),
        (Command("echo a; echo b", output=True), Finished(0, "a\nb\n")),
        (Command("cat", input="x" * 300_000, output=True), Finished(0, "x" * 300_000)),
        (Command("exit 0", input="x" * 300_000), Finished(0)),
        (Command('printf %s "$A"', output=True, environment={"A": "\xc3\xa4\xff\0b"}), Finished(0, "\xc3\xa4\xff")),
        (Command("kill -9 $$"), Finished(None, "", "it was ended by signal 9")),
        (
            Command("exec sleep 1000", seconds=0.01),
            Finished(None, "", "it was told to end after 0.01 s (time_to_kill)"),
        ),
        (Command("x" * 3_000_000), Finished(None, "", "it cannot be started: argument list too long")),
    ],
)
def test_what_a_command_comes_to(in_loop: Runner, command: Command, ended: Finished) -> None:
    assert play_commands(in_loop, command) == [ended]


def test_a_command_that_will_not_end_is_ended(in_loop: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "GRACE", 0.01)
    [ended] = play_commands(in_loop, Command("trap '' TERM; while :; do :; done", output=True, seconds=0.05))
    assert ended.status is None


def test_what_prints_without_end_is_ended(in_loop: Runner) -> None:
    [ended] = play_commands(in_loop, Command("yes", output=True))
    assert ended.status is None
    assert len(ended.output) == commands.OUTPUT
    assert "printed more than 1,048,576 bytes" in ended.fault


def test_what_a_command_leaves_in_the_background_is_waited_for_only_for_its_output(
    in_loop: Runner, tmp_path: Path
) -> None:
    silent, printing = str(tmp_path / "silent"), str(tmp_path / "printing")
    os.mkfifo(silent)
    os.mkfifo(printing)

    async def test() -> None:
        [ended] = await finished(Command(f"(read x < {silent}) & exit 2"))
        assert ended == Finished(2)
        os.close(await opened(silent))
        runner = Commands(nothing)
        told: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()
        runner.execute(Command(f"(read x < {printing}; echo later) & echo first", output=True), told.set_result)
        held = await opened(printing)
        assert not told.done()
        os.close(held)
        assert (await told).output == "first\nlater\n"
        await runner.close()

    in_loop(test)


async def opened(path: str) -> int:
    """The end of a named pipe that is written to, once somebody reads from it."""
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as err:
            assert err.errno == errno.ENXIO
            await asyncio.sleep(0.001)


def test_only_so_many_run_at_once(in_loop: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "AT_ONCE", 3)
    # Each counts how many have begun and not ended.
    line = f"cd {tmp_path}; : > $$; ls | wc -l; rm $$"
    counts = [int(ended.output) for ended in play_commands(in_loop, *[Command(line, output=True)] * 20)]
    assert len(counts) == 20
    assert max(counts) <= 3


def test_what_still_runs_when_the_server_ends_is_ended(in_loop: Runner, tmp_path: Path) -> None:
    async def test() -> None:
        runner = Commands(nothing)
        told: list[Finished] = []
        for _ in range(commands.AT_ONCE + 1):
            runner.execute(Command(f"echo $$ > {tmp_path}/$$; exec sleep 1000"), told.append)
        while len(list(tmp_path.iterdir())) < commands.AT_ONCE:
            await asyncio.sleep(0.001)
        await runner.close()
        assert runner.idle
        assert told == []
        for path in tmp_path.iterdir():
            with pytest.raises(ProcessLookupError):
                os.kill(int(path.name), 0)

    in_loop(test)


# ---- queries


@asynccontextmanager
async def web(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server on the loopback; gives its address."""
    peers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peers.add(task)
        try:
            await handler(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            peers.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http{'s' if tls else ''}://{host}:{port}"
    finally:
        server.close()
        for task in peers:
            task.cancel()
        await asyncio.gather(*peers, return_exceptions=True)


async def request_of(reader: asyncio.StreamReader) -> str:
    """One request; empty at the end of the connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = await reader.readline()
        if not line:
            return ""
        head += line
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return (head + (await reader.readexactly(int(length[1])) if length else head)).decode()


async def answer_of(client: HttpClient, query: Query) -> Answer:
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    assert client.fetch(query, told.set_result)
    return await told


@asynccontextmanager
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(nothing)
    try:
        yield client
    finally:
        await client.close()


def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_is_replaced(in_loop: Runner) -> None:
    asked: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = len(set(asked))
        for _ in range(2):
            if await request_of(reader):
                asked.append(connection)
                writer.write(OK)
        await request_of(reader)  # the third on this connection is read, and never answered

    async def test() -> None:
        async with web(handler) as address, http() as client:
            for _ in range(5):
                assert (await answer_of(client, Query(address, timeout=20))).error == ""

    in_loop(test)
    assert asked == [0, 0, 1, 1, 2]


def test_a_new_connection_that_breaks_is_not_asked_twice(in_loop: Runner) -> None:
    asked: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await request_of(reader))

    async def test() -> None:
        async with web(handler) as address, http() as client:
            assert await answer_of(client, Query(address)) == Answer(None, "Empty reply from server")

    in_loop(test)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "transfer closed with outstanding read data remaining"),
        ("nonsense\r\n\r\n", "Received HTTP/0.9 when not allowed"),
        ("HTTP/1.1 200 OK\r\n\r\nLONG", "the answer is longer than 1,048,576 bytes"),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\nEMPTY", "Maximum (50) redirects followed"),
        ("HTTP/1.1 302 Found\r\nLocation: x://y\r\nEMPTY", 'Protocol "x" not supported or disabled in libcurl'),
        ("HTTP/1.1 302 Found\r\nLocation: http://[\r\nEMPTY", ""),
    ],
)
def test_answers_that_are_none(in_loop: Runner, sent: str, error: str) -> None:
    data = sent.encode().replace(b"LONG", b"x" * (1 << 20) + b"x").replace(b"EMPTY", b"Content-Length: 0\r\n\r\n")

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await request_of(reader):
            writer.write(data)
            if "Location" not in sent:
                break

    async def test() -> None:
        async with web(handler) as address, http() as client:
            assert await answer_of(client, Query(address, follow=True, timeout=20)) == Answer(None, error)

    in_loop(test)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "http://h:99999/",
        "http://h:x/",
        "http://a b/",
        "http://[::1",
        "http://\x80\xff\0/",
        "ht\ntp://h/",
    ],
)
def test_what_is_no_url(in_loop: Runner, url: str) -> None:
    async def test() -> None:
        async with http() as client:
            answer = await answer_of(client, Query(url, timeout=20))
            assert answer.text is None

    in_loop(test)


def test_an_answer_that_does_not_come_in_time(in_loop: Runner) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        await reader.read()

    async def test() -> None:
        async with web(handler) as address, http() as client:
            assert await answer_of(client, Query(address, timeout=0.01)) == Answer(None, "TIMEOUT")
            assert await answer_of(client, Query(address, timeout=0)) == Answer(None, "TIMEOUT")

    in_loop(test)


def test_what_is_sent_is_what_was_asked_for(in_loop: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    asked: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await request_of(reader):
            asked.append(request)
            writer.write(OK)

    headers = (
        "A: 1\r\nB: \xc3\xa4",
        "Content-Length: 99",
        "Transfer-Encoding: chunked",
        "Host: me",
        "no good: x",
        ": y",
        "",
    )
    body = "\0\xff" * 800_000  # more than is written at once

    async def test() -> None:
        async with web(handler) as address, http() as client:
            answer = await answer_of(client, Query(f"{address}/\xc3\xa4?x#y", headers=headers, body=body, timeout=20))
            assert answer.text == OK.decode()

    # A body of any bytes is no text.
    monkeypatch.setattr("tests.test_server_outside.request_of", _latin_request_of)
    in_loop(test)
    head, _, sent = asked[0].partition("\r\n\r\n")
    assert sent == body
    assert head.splitlines()[0] == "POST /%C3%A4?x HTTP/1.1"
    assert sorted(head.splitlines()[1:]) == [
        "A: 1", "Accept: */*", "B: \xc3\xa4", f"Content-Length: {len(body)}",
        "Content-Type: application/x-www-form-urlencoded", "Host: me",
    ]  # fmt: skip


async def _latin_request_of(reader: asyncio.StreamReader) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = await reader.readline()
        if not line:
            return ""
        head += line
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length
    return (head + await reader.readexactly(int(length[1]))).decode("latin-1")


def test_credentials_are_not_for_another_server(in_loop: Runner) -> None:
    asked: list[str] = []

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await request_of(reader))
        writer.write(OK)
        await reader.read()

    async def test() -> None:
        async with web(other) as elsewhere:

            async def first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                asked.append(await request_of(reader))
                writer.write(f"HTTP/1.1 307 Go\r\nLocation: {elsewhere}/x\r\nContent-Length: 0\r\n\r\n".encode())
                await reader.read()

            async with web(first) as address, http() as client:
                query = Query(
                    address,
                    follow=True,
                    authmethod=1,
                    username="u",
                    password="p",
                    headers=("Cookie: c", "X: x"),
                    timeout=20,
                )
                assert (await answer_of(client, query)).hops == 1

    in_loop(test)
    assert ["Authorization: Basic dTpw" in request for request in asked] == [True, False]
    assert ["Cookie: c" in request for request in asked] == [True, False]
    assert ["X: x" in request for request in asked] == [True, True]


STRANGE = "SSL certificate problem: unable to get local issuer certificate"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, STRANGE),
        ({"verify_host": False}, STRANGE),
        ({"verify_peer": False}, ""),
        ({"client_cert": "/nowhere"}, "the certificates cannot be read: No such file or directory"),
    ],
)
def test_whose_certificates_are_believed(
    in_loop: Runner, authority: CA, settings: dict[str, object], error: str
) -> None:  # fmt: skip
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK)
        await reader.read()

    async def test() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        async with web(handler, context) as address, http() as client:
            answer = await answer_of(client, Query(address, timeout=20, **settings))  # type: ignore[arg-type]
            assert answer.error == error

    if error.startswith("SSL"):
        asyncio.run(_quietly(test))  # the server's side of it may complain
    else:
        in_loop(test)


async def _quietly(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    await test()


def test_only_so_many_are_under_way(in_loop: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "QUERIES", 2)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def test() -> None:
        told: list[Answer] = []
        async with web(handler) as address, http() as client:
            assert [client.fetch(Query(address, timeout=20), told.append) for _ in range(3)] == [True, True, False]
        assert told == []  # the server has ended

    in_loop(test)


def test_digest_is_what_the_server_would_reckon() -> None:
    """The example of RFC 7616 3.9.1, but for the number that the client makes up."""
    challenge = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    made = answer_to([challenge], 3, "Mufasa", "Circle of Life", "GET", "/dir/index.html")
    assert made is not None
    given = dict(re.findall(r'(\w+)="?([^",]+)', made.removeprefix("Digest ")))

    def of(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    secret = of("Mufasa", "http-auth@example.org", "Circle of Life")
    wanted = of(secret, given["nonce"], "00000001", given["cnonce"], "auth", of("GET", "/dir/index.html"))
    assert given["response"] == wanted
    assert (given["opaque"], given["algorithm"]) == ("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", "MD5")


@pytest.mark.parametrize(
    "challenge", ["", "Digest", 'Digest realm="x"', 'Digest nonce="n", algorithm=X', "Bearer x", "Basic"]
)
def test_challenges_that_nothing_answers(challenge: str) -> None:
    assert answer_to([challenge], 2, "u", "p", "GET", "/") is None


def test_as_many_commands_wait_as_may(in_loop: Runner) -> None:
    told: list[Finished] = []

    async def test() -> None:
        runner = Commands(nothing)
        for _ in range(commands.AT_ONCE + commands.WAITING):
            runner.execute(Command("true"), told.append)
        assert told == []
        runner.execute(Command("true"), told.append)
        await runner.close()

    in_loop(test)
    assert [(end.status, end.fault) for end in told] == [(None, "it is not run, for 8,192 others wait")]
