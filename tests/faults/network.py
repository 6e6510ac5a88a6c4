"""What networks and clients can do to bytes: cut them anywhere, delay, drop and reset them, or send rubbish."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from functools import partial

from tests.faults.beside import Polite
from tests.faults.load import Asker, Expected, Loop, Numbered, Wire, flow, now, percentile
from tests.faults.row import Row, at_most, nothing
from tests.faults.server import MB, TO_ITSELF, Proxy, Server

FRAMES = 1_000_000


def chunks(minutes: float) -> Iterator[Row]:
    """Frames in pieces of random length, most of them shorter than a frame, on four connections."""
    server = Server(TO_ITSELF)
    proxy = Proxy(server.port, slicing=1000, seed=int(time.time()))
    loop = Loop()
    try:
        # Of 1 to 4 digits in the length, and such that pieces of the same length do not fall together.
        streams = [Numbered(size) for size in (10, 37, 101, 1009)]
        share = [400_000, 400_000, 150_000, 50_000]
        expected = [Expected(stream) for stream in streams]
        wires = [loop.connect(proxy.port, each.feed) for each in expected]
        start = now()
        for wire, stream, count in zip(wires, streams, share, strict=True):
            flow(wire, stream, count=count)
        loop.until(lambda: [each.messages for each in expected] == share or any(w.died for w in wires), 300)
        came = sum(each.messages for each in expected)
        yield nothing(
            f"{FRAMES:,} frames in random chunkings: none lost, doubled or reordered",
            [each.fault for each in expected]
            + [wire.died for wire in wires]
            + ["" if came == FRAMES else f"only {came:,} came", "" if "Traceback" not in server.log() else "traceback"],
            f"{came:,} came back as they should, in {now() - start:.0f} s",
        )
    finally:
        loop.close()
        proxy.stop()
        server.stop()


LOSSLESS: dict[str, dict[str, int]] = {
    "latency": {"latency": 20},
    "bandwidth": {"bandwidth": 400_000},
    "slicing": {"slicing": 50},
    "slow close": {"slow_close": 300},
}
CUTTING: dict[str, dict[str, int]] = {
    "timeout": {"timeout": 500},
    "reset": {"reset": 200_000, "bandwidth": 400_000},
    "limit": {"limit": 200_000, "bandwidth": 400_000},
}


def all_came(expected: list[Expected], wires: list[Wire], count: int) -> bool:
    """All messages are there, or what is not has no connection any more."""
    if not expected:
        return all(wire.died for wire in wires)
    return all(each.messages == count or wire.died for each, wire in zip(expected, wires, strict=True))


def toxics(minutes: float) -> Iterator[Row]:
    """Each of the proxy's toxics, on ten connections, beside clients that come without it."""
    server = Server(TO_ITSELF)
    try:
        for name, settings in {**LOSSLESS, **CUTTING}.items():
            loop = Loop()
            proxy = Proxy(server.port, seed=7, **settings)
            try:
                beside = Asker(loop, server.port, Numbered(100), pause=0.005)
                stream = Numbered(90)
                expected = [Expected(stream) for _ in range(10)]
                wires = [loop.connect(proxy.port, each.feed) for each in expected]
                count = 2000 if name in LOSSLESS else 10_000
                for wire in wires:
                    flow(wire, stream, count=count)
                every = name in LOSSLESS
                if every:
                    loop.until(partial(all_came, expected, wires, count), 30)
                else:
                    loop.until(partial(all_came, [], wires, 0), 3 if name == "timeout" else 30)
                faults = [each.fault for each in expected] + [beside.fault]
                if every:
                    faults += [f"{each.messages:,} of {count:,} came" for each in expected if each.messages != count]
                came = sum(each.messages for each in expected)
                p99 = percentile(beside.times, 0.99) * 1000
                what = "all" if every else "what came is a beginning of all"
                yield nothing(
                    f"{name}: {what}, in order; others are served",
                    [*faults, "" if beside.times else "others are not served"],
                    f"{came:,} messages; p99 of another {p99:.1f} ms",
                )
            finally:
                loop.close()
                proxy.stop()
        yield Row("no traceback in the log", str(server.log().count("Traceback")), "Traceback" not in server.log())
    finally:
        server.stop()


def trickle(minutes: float) -> Iterator[Row]:
    """Clients that announce as much as they can, or more, and send it byte by byte."""
    count = 1000
    server = Server(TO_ITSELF)
    loop = Loop()
    try:
        polite = Polite(server.port)
        quiet = now()
        loop.run(4)
        before = server.memory()
        busy = now()
        refused = [loop.connect(server.port, lambda data: None) for _ in range(count)]
        for wire in refused:
            wire.send(b"999999999:")
        loop.until(lambda: all(wire.died for wire in refused), 10)
        loop.until(lambda: server.log().count("--max-frame") == count, 2)
        yield Row(
            f"{count:,} that announce 999,999,999 bytes are refused when the length is read",
            f"{sum(1 for wire in refused if wire.died):,} were, {server.log().count('--max-frame'):,} lines say why",
            all(wire.died for wire in refused) and server.log().count("--max-frame") == count,
        )
        trickling = [loop.connect(server.port, lambda data: None) for _ in range(count)]
        for wire in trickling:
            wire.send(b"32760:")
        # 2,000 a second, of a few bytes each
        end = now() + 8
        turn = 0
        while now() < end:
            for wire in trickling[turn % 50 :: 50]:
                if not wire.busy:
                    wire.send(b"x" * (1 + turn % 7))
            turn += 1
            loop.run(0.01)
        grown = (server.memory() - before) / count
        yield at_most(f"{count:,} that trickle a frame cost at most 64 KiB each", grown / 1024, 64, " KiB")
        found = polite.answers()
        alone, among = found.p99(quiet + 1, busy), found.p99(busy)
        yield at_most(
            "p99 of nine others is unchanged, or below 5 ms", among, max(alone * 1.5, 5), " ms", f", {alone:.2f} before"
        )
        yield nothing("the others are answered", found.faults, f"{len(found.times):,} times")
    finally:
        loop.close()
        server.stop()


def random_bytes(minutes: float) -> Iterator[Row]:
    """Connections that send what looks like frames less or more, for a third of the minutes."""
    seconds = minutes * 60 / 3
    chance = random.Random(42)
    server = Server(TO_ITSELF, "--log-level", "ERROR", "--max-frame", "2000")
    loop = Loop()
    pieces = [chance.randbytes(size) for size in (1, 2, 3, 50, 1000, 70_000)]
    pieces += [b"0:,", b"3:abc,", b"3:abc", b"12", b":", b",", b"\0" * 100, b"9" * 3000, b"-1:x,", b" \r\n\t" * 20]
    pieces += [b"{}\n", b"2000:", b"1990:", b"x" * 1990 + b",", b"GET / HTTP/1.1\r\n\r\n"]
    sent = connections = 0
    try:
        beside = Asker(loop, server.port, Numbered(100), pause=0.01)
        wires = [loop.connect(server.port, lambda data: None) for _ in range(50)]
        start = now()
        memory, blocks = [], []
        next_look = start + min(seconds / 6, 30)

        def again() -> bool:
            nonlocal sent, connections, next_look
            for place, wire in enumerate(wires):
                if not wire.died and not wire.busy:
                    data = b"".join(chance.choices(pieces, k=chance.randrange(1, 5)))
                    sent += len(data)
                    wire.send(data)
                if wire.died or chance.random() < 0.01:
                    if not wire.died:
                        wire.close()
                    connections += 1
                    wires[place] = loop.connect(server.port, lambda data: None)
            if now() >= next_look:
                next_look = now() + seconds / 10
                memory.append(server.memory())
                blocks.append(server.descriptors())
            return now() - start > seconds

        loop.until(again, seconds + 30)
        for wire in wires:
            wire.close()
        loop.run(1.0)
        log = server.log()
        yield nothing(
            f"{seconds / 60:g} minutes of random bytes: no traceback, others are served",
            [
                beside.fault,
                "a traceback" if "Traceback" in log else "",
                "a bug" if "a bug in" in log else "",
                "it has ended" if server.process.poll() is not None else "",
            ],
            f"{sent / MB:,.0f} MB on {connections:,} connections, {len(beside.times):,} answers to another",
        )
        grown = (server.memory() - memory[0]) / MB
        left = server.descriptors()
        yield at_most(
            "no leak: memory within 4 MB of the beginning, descriptors back",
            max(grown, 0.0) if left <= blocks[0] else float("inf"),
            4,
            " MB",
            f"; {left} descriptors",
        )
    finally:
        loop.close()
        server.stop()
