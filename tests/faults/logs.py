"""Logs that cannot be written: a full disk, a reader who is too slow, a terminal that is gone."""

from __future__ import annotations

import os
import pty
import re
from collections.abc import Iterator

from tests.faults.beside import Flood
from tests.faults.load import Loop
from tests.faults.row import Row
from tests.faults.server import HEAD, Server, lines_until

# A line for each message.
TALKS = (
    HEAD
    + """debug=2
event_route[evapi:connection-new] { evapi_set_tag("$evapi(conidx)"); }
event_route[evapi:message-received] {
  xlog("L_INFO", "$evapi(conidx) has said $evapi(msg)\\n");
  evapi_unicast("$evapi(msg)", "$evapi(conidx)");
}
"""
)
RATE = 10_000
SECONDS = 4.0


def served(stderr: int) -> tuple[int, float, int, Server]:
    """Messages sent and answered at 10,000 a second; the server goes on."""
    server = Server(TALKS, stderr=stderr)
    flood = Flood(server.port, RATE)
    loop = Loop()
    loop.run(SECONDS)
    sent, got, took = flood.result()
    loop.close()
    return sent, got / took, sent - got, server


def faults(minutes: float) -> Iterator[Row]:
    for name in ("a file", "a full disk (/dev/full)", "a pipe that nobody reads", "a terminal that is closed"):
        reads = -1
        if name == "a file":
            writes = os.open(os.devnull, os.O_WRONLY)
        elif "full" in name:
            writes = os.open("/dev/full", os.O_WRONLY)
        elif "pipe" in name:
            reads, writes = os.pipe()
        else:
            reads, writes = pty.openpty()
            os.close(reads)
            reads = -1
        server = None
        try:
            sent, rate, behind, server = served(writes)
            # what is on its way when the client stops
            ok = rate > 0.95 * RATE and behind < RATE / 10
            more = ""
            if "pipe" in name:
                text = lines_until(reads, r"were lost", 10)
                found = re.search(r"([\d,]+) log lines were lost: .*", text)
                kept = text[: found.start()].count("has said") if found else 0
                counted = int(found[1].replace(",", "")) if found else 0
                more = f"; {kept:,} lines read later, {counted:,} told as lost"
                ok = ok and abs(kept + counted - sent) <= behind + 5
            alive = server.process.poll() is None
            yield Row(
                f"log to {name}: {RATE:,} messages a second, a line for each, are served",
                f"{rate:,.0f} a second{more}",
                ok and alive,
            )
        finally:
            os.close(writes)
            if server:
                server.stop()
            if reads >= 0:
                os.close(reads)
