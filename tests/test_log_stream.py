"""Log lines on their way to whoever reads them, or does not."""

from __future__ import annotations

import asyncio
import os
import pty
import socket
import tty
from collections.abc import Iterator

import pytest

from evapi_cfg.server import log_stream
from evapi_cfg.server.log_stream import LogStream
from tests.driven import Runner

Ends = tuple[int, int]  # what is read, and what is written


def made(kind: str) -> Ends:
    if kind == "pipe":
        return os.pipe()
    if kind == "terminal":
        master, slave = pty.openpty()
        tty.setraw(slave)
        return master, slave
    one, other = socket.socketpair()
    return one.detach(), other.detach()


@pytest.fixture(params=["pipe", "terminal", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    found = made(request.param)
    yield found
    for descriptor in found:
        try:
            os.close(descriptor)
        except OSError:
            assert request.param == "terminal"


async def everything(descriptor: int, end: str) -> str:
    """What has been written, up to a text."""
    os.set_blocking(descriptor, False)
    text = ""
    while end not in text:
        try:
            text += os.read(descriptor, 1 << 16).decode()
        except BlockingIOError:
            await asyncio.sleep(0.001)
    return text


def test_a_reader_that_is_too_slow_costs_lines_and_no_time(
    in_loop: Runner, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_stream, "KEPT", 50_000)
    reads, writes = ends
    count = 30_000

    async def test() -> None:
        stream = LogStream(writes)
        stream.attach(asyncio.get_running_loop())
        for number in range(count):
            stream(f"line {number} of a log that nobody reads\n")
            if number % 100 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        text = await everything(reads, "were lost: nobody read them\n")
        *kept, report = text.splitlines()
        assert kept == [f"line {number} of a log that nobody reads" for number in range(len(kept))]
        assert 1000 < len(kept) < count
        assert report == f"{count - len(kept)} log lines were lost: nobody read them"
        stream("and on\n")
        assert await everything(reads, "and on\n") == "and on\n"
        stream.close()

    in_loop(test)


def test_those_who_share_the_descriptor_still_wait_for_room(in_loop: Runner, ends: Ends) -> None:
    _reads, writes = ends

    async def test() -> None:
        stream = LogStream(writes)
        stream.attach(asyncio.get_running_loop())
        stream("x\n")
        await asyncio.sleep(0)
        assert os.get_blocking(writes)
        stream.close()

    in_loop(test)


def test_a_full_disk(
    in_loop: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(log_stream, "RETRY", 0.01)
    full = os.open("/dev/full", os.O_WRONLY)
    path = tmp_path_factory.mktemp("log") / "log"
    file = os.open(path, os.O_WRONLY | os.O_CREAT)

    async def test() -> None:
        stream = LogStream(full)
        stream.attach(asyncio.get_running_loop())
        for _ in range(3):
            stream("one\ntwo\n")
            stream("three\n")
            await asyncio.sleep(0)
        os.dup2(file, full)  # there is room again
        while not path.read_text():
            await asyncio.sleep(0.001)
        stream("four\n")
        await asyncio.sleep(0)
        assert path.read_text() == "9 log lines were lost: no space left on device\nfour\n"
        stream.close()

    in_loop(test)
    os.close(full)
    os.close(file)


@pytest.mark.parametrize("kind", ["pipe", "terminal", "socket"])
def test_nobody_is_there_any_more(in_loop: Runner, kind: str) -> None:
    async def test() -> None:
        reads, writes = made(kind)
        stream = LogStream(writes)
        stream.attach(asyncio.get_running_loop())
        stream("x\n")
        await asyncio.sleep(0)
        os.close(reads)
        for _ in range(10):
            stream("y\n")
            await asyncio.sleep(0)
        stream.close()
        os.close(writes)

    in_loop(test)


def test_at_the_end_a_reader_gets_what_is_left(in_loop: Runner, ends: Ends) -> None:
    reads, writes = ends

    async def test() -> None:
        stream = LogStream(writes)
        loop = asyncio.get_running_loop()
        stream.attach(loop)
        for number in range(20_000):
            stream(f"line {number}\n")
            if number % 100 == 0:
                await asyncio.sleep(0)
        reading = loop.run_in_executor(None, read_up_to, reads, b"line 19999\n")
        stream.attach(None)
        assert (await reading).count(b"\n") == 20_000
        stream.close()

    in_loop(test)


def read_up_to(descriptor: int, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        data += os.read(descriptor, 1 << 16)
    return data


def test_at_the_end_a_reader_who_takes_nothing_is_not_waited_for(in_loop: Runner, ends: Ends) -> None:
    _reads, writes = ends

    async def test() -> None:
        stream = LogStream(writes)
        loop = asyncio.get_running_loop()
        stream.attach(loop)
        for _ in range(20_000):
            stream("a line that nobody reads, among many\n")
        before = loop.time()
        stream.attach(None)
        stream("last words\n")
        stream.close()
        assert loop.time() - before < 10

    in_loop(test)
