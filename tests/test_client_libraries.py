"""Netstring libraries that others wrote, as clients: PyPI's pynetstring and npm's netstring-stream.

The second one is brought by `make clients`; where it is not there, or no node, its test is skipped.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pynetstring
import pytest

from tests.conformance import run

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tests" / "clients" / "netstring_stream.js"
MODULES = ROOT / "build" / "clients" / "node_modules"
CFG = """#!KAMAILIO
listen=udp:127.0.0.1:@SIPPORT@
loadmodule "pv.so"
loadmodule "evapi.so"
modparam("evapi", "bind_addr", "127.0.0.1:@PORT@")
request_route { exit; }
event_route[evapi:connection-new] { evapi_set_tag("c$evapi(conidx)"); }
event_route[evapi:message-received] { evapi_unicast("$evapi(msg)", "c$evapi(conidx)"); }
"""


@pytest.fixture
def port(command: str, tmp_path: Path) -> Iterator[int]:
    """An echo server's port."""
    server = run.Server("evapi-cfg", command, CFG, tmp_path)
    yield server.port
    server.stop()


def test_pynetstring(port: int) -> None:
    """Messages of all sizes and bytes, sent in pieces that end anywhere."""
    chance = random.Random(3)
    messages = [chance.randbytes(chance.choice((1, 9, 10, 99, 100, 5000, 32000))) for _ in range(200)]
    data = b"".join(pynetstring.encode(messages))
    decoder = pynetstring.Decoder()
    received: list[bytes] = []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        sent = back = 0
        while back < len(data):
            if sent < len(data) and sent - back < 100_000:  # so that neither side waits for the other to read
                sent += client.send(data[sent : sent + chance.randint(1, 9000)])
            client.settimeout(0.001 if sent < len(data) else 30)
            with suppress(TimeoutError):
                some = client.recv(1 << 16)
                assert some, "the server has closed the connection"
                back += len(some)
                received += decoder.feed(some)
    assert received == messages


def test_netstring_stream(port: int) -> None:
    node = shutil.which("node")
    if node is None or not (MODULES / "netstring-stream").is_dir():
        pytest.skip("there is no node, or no netstring-stream: `make clients` brings it")
    done = subprocess.run(
        [node, str(SCRIPT), str(port), "500"],
        env={**os.environ, "NODE_PATH": str(MODULES)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "500 of 500 came back\n", done.stderr
