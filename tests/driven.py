"""An app that a test drives by hand: its clock is the test's own, and its log is kept."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from evapi_cfg import App, Peer, Record, load_text
from evapi_cfg.modules.context import Level
from evapi_cfg.runtime.app import Records

HEAD = """#!KAMAILIO
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "cfgutils.so"
loadmodule "evapi.so"
modparam("cfgutils", "lock_set_size", 4)
request_route { exit; }
"""
NEW, CLOSED, MESSAGE = (
    f"event_route[evapi:{name}]" for name in ("connection-new", "connection-closed", "message-received")
)


# A fixture of conftest: runs a coroutine function in an event loop.
Runner = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


class HandClock:
    """Time that passes when the test says so. `step`: what somebody has set the wall clock forward by."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.step = 0.0

    def now(self) -> float:
        return self.time + self.step

    def monotonic(self) -> float:
        return self.time


class Bench:
    """An app with its clock and its log."""

    def __init__(self, cfg: str, max_frame: int = 32767, **params: int | str) -> None:
        self.clock = HandClock()
        self.records = Records(Level.DEBUG)
        overrides = [("evapi", name, value) for name, value in params.items()]
        self.app: App = load_text(HEAD + cfg, log=self.records, clock=self.clock, params=overrides, max_frame=max_frame)

    def connect(self, address: str = "127.0.0.1") -> Peer:
        return self.app.connect(address)

    def pass_time(self, seconds: float) -> None:
        self.clock.time += seconds
        self.app.advance()

    def logged(self, source: str = "script") -> list[str]:
        return [record.message.strip() for record in self.records.lines if record.source == source]

    def lines(self, level: int, source: str = "evapi") -> list[Record]:
        return [record for record in self.records.lines if record.level == level and record.source == source]


def frames(*messages: str) -> bytes:
    return b"".join(b"%d:%b," % (len(message), message.encode("latin-1")) for message in messages)
