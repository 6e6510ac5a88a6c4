"""Compiled routes do what a walk over the tree does (`reference`): every case, every sample, generated programs.

EVAPI_CFG_PROGRAMS=N in the environment generates N programs, other ones each time.
"""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evapi_cfg.runtime.app import App, ConfigError, Peer, Records, SipPeer, load_text
from tests.conformance.run import Case, unescape
from tests.programs import LOOPS, Program, messages, programs
from tests.reference import by_reference

TESTS = Path(__file__).parent
CASES = sorted([*TESTS.glob("conformance/cases/*.case"), *TESTS.glob("samples/*.case")])
HEAD = (TESTS / "conformance/head.cfg").read_text()
GENERATED = int(os.environ.get("EVAPI_CFG_PROGRAMS", "0"))


@dataclass
class Stopped:
    """A clock that stands still but for the time that a case waits."""

    passed: float = 0.0

    def now(self) -> float:
        return 1700000000.25 + self.passed

    def monotonic(self) -> float:
        return 1000.0 + self.passed


def load(text: str, name: str = "case.cfg") -> App:
    return load_text(text, name, clock=Stopped(), random=random.Random(1))


def request(number: int, port: int, start: str, headers: list[str], body: str) -> str:
    """A request with the usual headers, but for those that are given."""
    method, uri = start.split()[:2]
    given = {header.split(":")[0].strip().lower() for header in headers}
    usual = (
        ("Via", f"SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number}"),
        ("From", "<sip:alice@example.com>;tag=fromtag1"),
        ("To", f"<{uri}>"),
        ("Call-ID", f"call{number}@case"),
        ("CSeq", f"{number} {method}"),
    )
    lines = [f"{name}: {value}" for name, value in usual if name.lower() not in given]
    return "\r\n".join([f"{method} {uri} SIP/2.0", *lines, *headers, f"Content-Length: {len(body)}", "", body])


class Play:
    """Drives an app through the steps of a case and writes down all that can be seen of it."""

    def __init__(self, app: App, framing: str = "netstring") -> None:
        self.app = app
        self.framing = framing
        self.peers: dict[str, Peer] = {}
        self.senders: dict[str, SipPeer] = {}
        self.messages = 0
        self.received: dict[str, bytes] = {}
        self.names: dict[str, str] = {}
        self.seen: list[object] = []
        self.note("start")

    def note(self, step: str) -> None:
        self.seen.append(step)
        log = self.app.log
        assert isinstance(log, Records)
        # The core's own lines say the same in other words here and there.
        self.seen += [(r.level, r.source, r.message, r.line, r.route) for r in log.lines if r.source != "core"]
        log.lines.clear()
        for name, peer in self.peers.items():
            data = peer.receive()
            self.received[name] = self.received.get(name, b"") + data
            self.seen.append((name, data, peer.connected))
        for name, sender in self.senders.items():
            replies = sender.receive()
            self.received[name] = self.received.get(name, b"") + b"".join(replies)
            self.seen.append((name, replies))
        world = self.app.program.world
        self.seen.append([dict(self.app.engine._vars), dict(world.request_vars), dict(world.timer_vars)])

    def sip(self, name: str, verb: str, start: str, more: list[str]) -> None:
        """A SIP step; what would come over TCP comes the same way."""
        sender = self.senders.setdefault(name, self.app.sip_peer("127.0.0.1", 40000 + len(self.senders)))
        port = 40000 + list(self.senders).index(name)
        lines = [self.filled(line).replace("@PEER@", str(port)).replace("@SIPPORT@", "5060") for line in more]
        if verb in ("datagram", "stream"):
            sender.send(unescape("\\r\\n".join(lines)))
            return
        self.messages += 1
        cut = lines.index("") if "" in lines else len(lines)
        headers, body = lines[:cut], "\r\n".join(lines[cut + 1 :])
        sender.send(request(self.messages, port, start, headers, body))

    def filled(self, text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda found: self.names.get(found[1], ""), text)

    def step(self, verb: str, rest: str, more: list[str] | None = None) -> None:
        name, _, arg = rest.partition(" ")
        arg = self.filled(arg)
        peer = self.peers.get(name)
        if verb in ("sip", "tcp", "datagram", "stream"):
            self.sip(name, verb, arg, more or [])
        elif verb == "wait":
            clock = self.app.program.world.clock
            assert isinstance(clock, Stopped)
            clock.passed += float(name) / 1000
            self.app.advance()
        if verb == "open":
            self.peers[name] = self.app.connect(arg or "127.0.0.1", 50000 + len(self.peers))
        elif peer is not None and verb == "send":
            body = arg.encode()
            peer.send(body if self.framing == "raw" else b"%d:%b," % (len(body), body))
        elif peer is not None and verb == "raw":
            peer.send(unescape(arg))
        elif peer is not None and verb in ("close", "finish"):
            peer.close()
        elif verb == "take":
            label, _, pattern = arg.partition(" ")
            found = re.search(pattern, self.received.get(name, b"").decode(errors="replace"))
            self.names[label] = found[1] if found else ""
        self.note(f"{verb} {rest}")


def transcript(app: App, case: Case) -> list[object]:
    play = Play(app, case.framing)
    app.engine.start()
    for verb, rest, more in case.steps:
        play.step(verb, rest, more)
    return play.seen


def text_of(case: Case) -> str:
    """The configuration of a case; skips those whose routes do not run here, or wait while they do."""
    text = case.cfg.replace("@HEAD@", HEAD).replace("@PORT@", "8448").replace("@SIPPORT@", "5060")
    if "include_file" in text or "import_file" in text:
        pytest.skip("reads other files")
    try:
        program = load(text).program
    except ConfigError as error:
        pytest.skip(f"is refused: {error}")
    if program.not_run or program.waiting:
        pytest.skip("does not run here at once")
    return text


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_cases_do_the_same_both_ways(path: Path) -> None:
    case = Case(path)
    text = text_of(case)
    assert transcript(load(text), case) == transcript(by_reference(load(text)), case)


def test_reference_can_be_as_forgetful_as_kamailio() -> None:
    """The one rule that is evapi-cfg's own, the other way: what is left of the case is Kamailio's transcript."""
    path = TESTS / "conformance/cases/gen_leave_in_operand.case"
    seen = transcript(by_reference(load(text_of(Case(path))), forgetful=True), Case(path))
    lines = [f"log INFO {record[2]}" for record in seen if isinstance(record, tuple) and record[1] == "script"]
    golden = path.with_suffix(".6.1.golden").read_text().splitlines(keepends=True)
    assert lines == [line for line in golden if line.startswith("log ")]


CONFIG = f"""#!KAMAILIO
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "evapi.so"
modparam("evapi", "workers", 0)
max_while_loops={LOOPS}
"""


def config(program: Program, return_mode: int = 0) -> str:
    """The body stands in the event route itself; `P_main` is not called."""
    mode = "return_mode=1\n" if return_mode else ""
    return f"{CONFIG}{mode}{program.blocks()}event_route[evapi:message-received] {{\n{program.body}\n}}\n"


@settings(
    max_examples=GENERATED or 120,
    derandomize=not GENERATED,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(programs(), messages, st.sampled_from([0, 0, 1]))
def test_generated_programs_do_the_same_both_ways(program: Program, sent: list[str], return_mode: int) -> None:
    text = config(program, return_mode)
    seen = []
    for app in (load(text), by_reference(load(text))):
        play = Play(app)
        play.step("open", "a")
        play.step("open", "b")
        for message in sent:
            play.step("send", f"a {message}")
        seen.append(play.seen)
    assert seen[0] == seen[1]
