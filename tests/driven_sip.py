"""An app that a test sends SIP requests to, by hand: its clock is the test's own, and its log is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping

from evapi_cfg import App, Peer, SipPeer, load_text
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.tm.core import Tm
from evapi_cfg.runtime.app import Records
from tests.driven import HandClock

HEAD = "#!KAMAILIO\n" + "".join(
    f'loadmodule "{name}.so"\n'
    for name in ("tm", "tmx", "sl", "pv", "xlog", "cfgutils", "textops", "siputils", "jansson", "evapi")
)
MESSAGE = "event_route[evapi:message-received]"
PARK = 'request_route { evapi_async_relay("$T(id_index):$T(id_label)"); }\n'
ANSWER = 'route[RESUME] { t_reply("200", "OK"); }\n'
RESUME = f"""{MESSAGE} {{
  $var(i) = $(evapi(msg){{s.select,0,:}}{{s.int}});
  $var(l) = $(evapi(msg){{s.select,1,:}}{{s.int}});
  t_continue("$var(i)", "$var(l)", "RESUME");
}}
"""
FR, WT, T1, T2 = 30.0, 5.0, 0.5, 4.0  # seconds, the defaults of tm


class Bench:
    """An app with a client of evapi and somebody who sends requests."""

    def __init__(self, cfg: str, params: Mapping[str, int | str] | None = None, *, head: str = HEAD) -> None:
        self.clock = HandClock()
        self.records = Records(Level.INFO)
        overrides = [("tm", name, value) for name, value in (params or {}).items()]
        overrides.append(("evapi", "workers", 0))
        self.app: App = load_text(head + cfg, log=self.records, clock=self.clock, params=overrides)
        self.application: Peer = self.app.connect()
        self.sip: SipPeer = self.app.sip_peer()
        self.sent = 0

    @property
    def tm(self) -> Tm:
        found = self.app.program.world.state["tm"]
        assert isinstance(found, Tm)
        return found

    def send(self, method: str = "OPTIONS", user: str = "bob", *, number: int | None = None, to: str = "") -> str:
        """A request; `number` of an earlier one makes it come again, or with another method an ACK or CANCEL of it."""
        if number is None:
            self.sent += 1
            number = self.sent
        text = (
            f"{method} sip:{user}@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK{number}\r\n"
            f"From: <sip:alice@example.com>;tag=a\r\nTo: <sip:{user}@example.com>{to}\r\nCall-ID: call-{number}\r\n"
            f"CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
        self.sip.send(text)
        return text

    def replies(self) -> list[str]:
        """The first lines of what has come, without the version."""
        return [reply.decode().partition("\r\n")[0].removeprefix("SIP/2.0 ") for reply in self.sip.receive()]

    def parked(self) -> list[str]:
        """`index:label` of what has been parked since the last call."""
        return re.findall(r"[0-9]+:([0-9]+:[0-9]+),", self.application.receive().decode())

    def go_on(self, which: str) -> None:
        self.application.send_message(which)

    def pass_time(self, seconds: float) -> None:
        self.clock.time += seconds
        self.app.advance()

    def pass_slowly(self, seconds: float, step: float = 0.0625) -> list[tuple[float, str]]:
        """Lets time pass in steps that are exact in binary: what comes, and when since then."""
        came = []
        for number in range(1, round(seconds / step) + 1):
            self.pass_time(step)
            came += [(number * step, reply) for reply in self.replies()]
        return came

    def logged(self, source: str = "script") -> list[str]:
        return [record.message.strip() for record in self.records.lines if record.source == source]

    def errors(self) -> list[str]:
        return [record.message for record in self.records.lines if record.level <= Level.ERROR]

    def is_empty(self) -> bool:
        return len(self.tm.table) == 0 and self.app.program.world.timers.idle and self.app.engine.idle


def schedule(t1: float, t2: float, until: float) -> list[float]:
    """When a reply is sent again (RFC 3261 17.2.1), in seconds."""
    moments, wait, at = [], t1, t1
    while at < until:
        moments.append(at)
        wait = min(wait * 2, t2)
        at += wait
    return moments
