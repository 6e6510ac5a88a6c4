#!/usr/bin/env python3
"""A TCP proxy that does to connections what networks do.

    proxy.py PORT [NAME=VALUE ...]      forwards to that port; the first line of its output is its own port

    latency=MS        each piece comes later by so much, and by up to a half more or less
    bandwidth=BYTES   a second, in each direction
    slicing=BYTES     pieces of random length, mostly short ones, up to so many bytes
    slow_close=MS     the end of a connection comes later by so much
    timeout=MS        from then on nothing gets through, and nobody is told
    reset=BYTES       the connection is reset when so many have passed towards the server
    limit=BYTES       it is closed in order then
    seed=NUMBER       of what is random

Listens on the loopback address, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
from collections.abc import Iterator

import uvloop

READ = 1 << 16
RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: at once


class Toxics:
    """What is done to the bytes of every connection; 0 is: nothing."""

    def __init__(self, words: list[str]) -> None:
        values = {name: int(value) for name, _, value in (word.partition("=") for word in words)}
        self.latency = values.pop("latency", 0) / 1000
        self.bandwidth = values.pop("bandwidth", 0)
        self.slicing = values.pop("slicing", 0)
        self.slow_close = values.pop("slow_close", 0) / 1000
        self.timeout = values.pop("timeout", 0) / 1000
        self.reset = values.pop("reset", 0)
        self.limit = values.pop("limit", 0)
        self.random = random.Random(values.pop("seed", 1))
        if values:
            raise SystemExit(f"no such toxic: {', '.join(values)}")

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if not self.slicing:
            yield data
            return
        at = 0
        while at < len(data):
            size = int(self.slicing ** self.random.random())  # as many of 1 to 10 bytes as of 10 to 100
            yield data[at : at + size]
            at += size


class Link:
    """One connection, from the client to the server and back."""

    def __init__(self, toxics: Toxics) -> None:
        self.toxics = toxics
        self.began = asyncio.get_running_loop().time()
        self.passed = 0  # bytes towards the server
        self.over = False

    def end(self, *writers: asyncio.StreamWriter, reset: bool = False) -> None:
        self.over = True
        for writer in writers:
            if reset:
                made = writer.get_extra_info("socket")
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()
            else:
                writer.close()

    async def pump(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        """One direction; `out` is written, `back` is the way to who is read."""
        toxics, loop = self.toxics, asyncio.get_running_loop()
        to_server = back is self.client
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        writing = asyncio.ensure_future(self._write(queue, out, back, to_server))
        try:
            while not self.over and (data := await reader.read(READ)):
                if toxics.timeout and loop.time() - self.began > toxics.timeout:
                    continue
                late = toxics.latency * toxics.random.uniform(0.5, 1.5) if toxics.latency else 0.0
                await queue.put((loop.time() + late, data))
        except OSError:
            pass
        await queue.put((loop.time() + toxics.latency + toxics.slow_close, b""))
        await writing

    async def _write(
        self,
        queue: asyncio.Queue[tuple[float, bytes]],
        out: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        to_server: bool,
    ) -> None:
        toxics, loop = self.toxics, asyncio.get_running_loop()
        while True:
            when, data = await queue.get()
            if when > loop.time():
                await asyncio.sleep(when - loop.time())
            if not data:
                if not self.over and out.can_write_eof():
                    with contextlib.suppress(OSError):
                        out.write_eof()
                return
            most = toxics.reset or toxics.limit
            try:
                for piece in toxics.pieces(data):
                    if self.over:
                        break
                    if to_server and most and self.passed + len(piece) >= most:
                        out.write(piece[: most - self.passed])
                        await out.drain()
                        self.end(out, back, reset=bool(toxics.reset))
                        break
                    out.write(piece)
                    if to_server:
                        self.passed += len(piece)
                    if toxics.bandwidth:
                        await asyncio.sleep(len(piece) / toxics.bandwidth)
                    if toxics.slicing:
                        await asyncio.sleep(0)  # each piece is a write of its own
                await out.drain()
            except OSError:
                self.end(out, back)

    client: asyncio.StreamWriter


async def main(port: int, toxics: Toxics) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        link = Link(toxics)
        link.client = writer
        pumps = link.pump(reader, far_writer, writer), link.pump(far_reader, writer, far_writer)
        with contextlib.suppress(asyncio.CancelledError):  # the program ends
            await asyncio.gather(*pumps)
        link.end(writer, far_writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Toxics(sys.argv[2:])))
