"""Metrics over HTTP: what Prometheus reads, who else asks, and what holds nobody up. On both loops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from evapi_cfg import CannotListen, Limits, serve
from evapi_cfg.check.report import check_text
from evapi_cfg.runtime.app import Records, load_report
from evapi_cfg.runtime.measures import Measures
from evapi_cfg.server import Door, EventServer, MetricsAddress, metrics, parse_metrics
from tests.driven import HandClock, Runner, frames
from tests.test_server import until

CFG = """#!KAMAILIO
loadmodule "pv.so"
loadmodule "cfgutils.so"
loadmodule "evapi.so"
modparam("evapi", "workers", 2)
event_route[evapi:message-received] {
  if($evapi(msg) == "wait") { sleep("1000"); }
  evapi_relay("$evapi(msg)");
}
"""
ANY_PORT = MetricsAddress("127.0.0.1", 0)


@asynccontextmanager
async def site(
    *, timed: bool = True, drain: float = 0.05, door: Door | None = None, clock: HandClock | None = None
) -> AsyncIterator[EventServer]:
    app = load_report(check_text(CFG, "my.cfg"), log=Records(), measures=Measures(timed=timed), clock=clock)
    server = await serve(app, "127.0.0.1", 0, limits=Limits(drain=drain), metrics=ANY_PORT, door=door)
    try:
        yield server
    finally:
        await server.close()


async def connect(server: EventServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert server.metrics_address is not None
    return await asyncio.open_connection(*server.metrics_address)


async def raw(server: EventServer, request: bytes) -> bytes:
    """All that comes for a request, up to the end of the connection."""
    reader, writer = await connect(server)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def get(server: EventServer, path: str) -> tuple[int, str]:
    head, _, body = (await raw(server, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return int(head.split()[1]), body.decode()


async def samples(server: EventServer) -> dict[tuple[str, str], float]:
    """All samples by name and label, as Prometheus understands them."""
    status, text = await get(server, "/metrics")
    assert status == 200
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation and family.type != "unknown", family.name
        for sample in family.samples:
            label = next((sample.labels[name] for name in sorted(sample.labels)), "")
            found[sample.name, label] = sample.value
    return found


def test_what_prometheus_reads(in_loop: Runner) -> None:
    async def play() -> None:
        async with site() as server:
            before = await samples(server)
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(frames("one", "two"))
            assert await reader.readexactly(12) == frames("one", "two")
            await until(lambda: server.engine.measures.loop_lag.count > 0)
            found = await samples(server)
            writer.close()
            await writer.wait_closed()
        route = "event_route[evapi:message-received]"
        assert before["evapi_cfg_clients", ""] == 0
        for name, value in {
            ("evapi_cfg_clients", ""): 1,
            ("evapi_cfg_clients_max", ""): 8,
            ("evapi_cfg_connections_total", ""): 1,
            ("evapi_cfg_received_messages_total", ""): 2,
            ("evapi_cfg_received_bytes_total", ""): 12,
            ("evapi_cfg_sent_messages_total", ""): 2,
            ("evapi_cfg_sent_bytes_total", ""): 12,
            ("evapi_cfg_queued_bytes", ""): 0,
            ("evapi_cfg_refused_total", "max_clients"): 0,
            ("evapi_cfg_relays_total", "relay"): 2,
            ("evapi_cfg_relays_total", "unicast"): 0,
            ("evapi_cfg_cut_total", ""): 0,
            ("evapi_cfg_reloads_total", "failed"): 0,
            ("evapi_cfg_route_seconds_count", route): 2,
            ("evapi_cfg_route_errors_total", route): 0,
            ("evapi_cfg_route_seconds_bucket", "+Inf"): 2,
        }.items():
            assert found[name] == value, name
        assert found["evapi_cfg_route_seconds_sum", route] > 0
        assert found["evapi_cfg_loop_lag_seconds_count", ""] > 0
        assert found["process_resident_memory_bytes", ""] > 1e6

    in_loop(play)


def test_without_times_all_else_is_there(in_loop: Runner) -> None:
    async def play() -> None:
        async with site(timed=False) as server:
            found = await samples(server)
        assert found["evapi_cfg_clients", ""] == 0
        assert ("evapi_cfg_relays_total", "relay") not in found

    in_loop(play)


def test_who_is_refused_at_the_door_is_counted(in_loop: Runner) -> None:
    async def play() -> None:
        async with site(door=Door(["10.0.0.0/8"])) as server:
            reader, writer = await asyncio.open_connection(*server.address)
            assert await reader.read() == b""
            writer.close()
            found = await samples(server)
        assert found["evapi_cfg_refused_total", "address"] == 1
        assert found["evapi_cfg_refused_total", "tls"] == 0

    in_loop(play)


def test_health_and_readiness(in_loop: Runner) -> None:
    async def play() -> None:
        clock = HandClock()
        async with site(drain=20, clock=clock) as server:
            assert await get(server, "/healthz") == (200, "ok\n")
            assert await get(server, "/readyz?verbose=1") == (200, "ready\n")
            _reader, writer = await asyncio.open_connection(*server.address)
            writer.write(frames("wait"))
            await until(lambda: not server.engine.idle)
            ending = asyncio.ensure_future(server.close())
            await until(lambda: server.draining)
            assert await get(server, "/readyz") == (503, "draining\n")
            assert await get(server, "/healthz") == (200, "ok\n")
            clock.time += 1000
            server.engine.advance()
            writer.close()
            await ending
            with pytest.raises(OSError):
                await connect(server)

    in_loop(play)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.0\n\n", 200),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics/../etc HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"GET /metrics\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\n\r\n", 400),
        (b"\xff\n\n", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 9000, 431),
    ],
)
def test_requests(in_loop: Runner, request_: bytes, status: int) -> None:
    async def play() -> None:
        async with site() as server:
            answer = await raw(server, request_)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert answer.startswith(f"HTTP/1.1 {status} ".encode())
            assert (b"Allow: GET, HEAD" in head) == (status == 405)
            assert bool(body) == (not request_.startswith(b"HEAD"))

    in_loop(play)


def test_a_request_in_pieces_and_several_in_one(in_loop: Runner) -> None:
    async def play() -> None:
        async with site() as server:
            reader, writer = await connect(server)
            for byte in b"GET /healthz HTTP/1.1\r\nA: b\r\n\r":
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            writer.write(b"\nGET /healthz HTTP/1.1\r\n\r\n")
            assert (await reader.read()).count(b"HTTP/1.1 200 OK") == 1
            writer.close()

    in_loop(play)


def test_who_asks_and_says_nothing_is_not_waited_for(in_loop: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "PATIENCE", 0.05)
    monkeypatch.setattr(metrics, "CONNECTIONS", 3)

    async def play() -> None:
        async with site() as server:
            silent = [await connect(server) for _ in range(5)]
            for reader, writer in silent:
                with suppress(OSError):
                    assert await reader.read() == b""
                writer.transport.abort()
            assert await get(server, "/healthz") == (200, "ok\n")

    in_loop(play)


def test_the_end_waits_for_nobody_who_asks(in_loop: Runner) -> None:
    async def play() -> None:
        async with site() as server:
            reader, writer = await connect(server)
            await get(server, "/healthz")
        with suppress(OSError):
            assert await reader.read() == b""
        writer.transport.abort()

    in_loop(play)


def test_a_port_that_is_taken(in_loop: Runner) -> None:
    async def play() -> None:
        async with site() as server:
            address = server.metrics_address
            assert address is not None
            app = load_report(check_text(CFG, "my.cfg"), log=Records())
            with pytest.raises(CannotListen, match=r"metrics: cannot listen on 127\.0\.0\.1:.*: the address is in use"):
                await serve(app, "127.0.0.1", 0, metrics=MetricsAddress(*address))

    in_loop(play)


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:1", ("127.0.0.1", 1)), ("[::1]:65535", ("::1", 65535)), ("localhost:0", ("localhost", 0))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_metrics(text) == address


@pytest.mark.parametrize("text", ["", "1", "x", "x:", ":1", "::1:1", "x:y", "x:65536", "x:\u0663", "[::1]"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="write HOST:PORT"):
        parse_metrics(text)
