"""What is counted while a program runs, and how its blocks are timed: by hand, without sockets."""

from __future__ import annotations

import re
from typing import Any
from weakref import ref

import pytest

from evapi_cfg.check.report import check_text
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.rpc import RpcCall
from evapi_cfg.runtime.app import App, load_report
from evapi_cfg.runtime.log import LogWriter
from evapi_cfg.runtime.measures import BOUNDS, Histogram, Measures
from tests.driven import CLOSED, HEAD, MESSAGE, NEW, HandClock, frames
from tests.driven_sip import ANSWER, PARK, RESUME
from tests.driven_sip import HEAD as SIP_HEAD

REQUEST = (
    "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK{0}\r\n"
    "From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: call-{0}\r\n"
    "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class Bench:
    def __init__(self, cfg: str, *, timed: bool = True, head: str = HEAD, workers: int = 0) -> None:
        self.written: list[str] = []
        self.clock = HandClock()
        self.app: App = load_report(
            check_text(head + cfg, "my.cfg"),
            params=[("evapi", "workers", workers)],
            log=LogWriter(self.written.append),
            clock=self.clock,
            measures=Measures(timed=timed),
        )

    def pass_time(self, seconds: float) -> None:
        self.clock.time += seconds
        self.app.advance()

    def told(self) -> dict[str, Any]:
        """What `evapi-cfg.metrics` answers."""
        world = self.app.program.world
        found = world.commands["evapi-cfg.metrics"].call(RpcCall(world, "evapi-cfg.metrics"))
        assert isinstance(found, dict)
        return found

    def runs(self) -> dict[str, int]:
        return {route["route"]: route["runs"] for route in self.told()["routes"] if route.get("runs")}

    def errors(self) -> dict[str, int]:
        return {route["route"]: route["errors"] for route in self.told()["routes"] if route["errors"]}


# ---- histograms


def test_a_histogram_counts_up_to_its_bounds() -> None:
    histogram = Histogram()
    for nanoseconds in (0, 1, 1023, 1024, 2047, 3_000_000, 10**12):
        histogram.add(nanoseconds)
    found = dict(zip(BOUNDS, histogram.up_to(), strict=True))
    assert found[1.024e-6] == 3
    assert found[2.048e-6] == 5
    assert found[0.002097152] == 5
    assert found[0.004194304] == 6
    assert found[BOUNDS[-1]] == 6
    assert histogram.count == 7
    assert histogram.seconds == pytest.approx(1000.003004095)
    assert histogram.slowest() == pytest.approx(1099.511627776)
    assert list(BOUNDS) == sorted(BOUNDS)
    assert (1e-6 < BOUNDS[0] < 1.1e-6) and (10 < BOUNDS[-1] < 20)
    assert Histogram().slowest() == 0


# ---- clients


@pytest.mark.parametrize("timed", [False, True])
def test_traffic_of_those_who_have_left_is_not_forgotten(timed: bool) -> None:
    bench = Bench(
        f'{NEW} {{ evapi_set_tag("t"); }}\n{CLOSED} {{ evapi_relay("bye"); }}\n'
        f'{MESSAGE} {{ evapi_relay("$evapi(msg)"); if($evapi(msg) == "go") {{ evapi_close(); }} }}\n',
        timed=timed,
    )
    one, two = bench.app.connect(), bench.app.connect()
    one.send(frames("a", "bb"))
    two.send(frames("go"))
    got = len(one.receive()) + len(two.receive())
    one.close()
    got += len(one.receive())
    three = bench.app.connect()
    three.send(frames("c"))
    got += len(three.receive())
    found = bench.told()
    assert found["clients"] == 1
    assert found["connections"] == 3
    assert found["received_messages"] == 4
    assert found["received_bytes"] == len(frames("a", "bb", "go", "c"))
    assert found["sent_messages"] == 3 + 3 + 1 + 1
    assert found["sent_bytes"] == got
    assert (found["queued_bytes"], found["waiting_messages"]) == (0, 0)


def test_who_is_refused_and_who_is_cut() -> None:
    bench = Bench(f"{MESSAGE} {{ exit; }}\n")
    clients = [bench.app.connect() for _ in range(10)]
    clients[0].send(b"99999:")
    found = bench.told()
    assert found["refused"] == {"max_clients": 2}
    assert (found["cut"], found["clients"], found["max_clients"]) == (1, 7, 8)


def test_relays() -> None:
    bench = Bench(
        f'{NEW} {{ evapi_set_tag("t"); }}\n'
        f'{MESSAGE} {{ evapi_relay("a"); evapi_multicast("b", "t"); evapi_multicast("b", "none");'
        ' evapi_unicast("c", "t"); evapi_unicast("c", "none"); evapi_unicast("c", "none"); }\n'
    )
    client = bench.app.connect()
    client.send(frames("x", "y"))
    assert client.receive() == frames("a", "b", "c") * 2
    found = bench.told()
    assert found["relays"] == {"relay": 2, "multicast": 4, "unicast": 6}
    assert found["relays_unheard"] == 6


def test_nothing_is_in_the_way_where_nobody_asks_for_times() -> None:
    bench = Bench(f'{MESSAGE} {{ evapi_relay("$evapi(msg)"); }}\n', timed=False)
    bench.app.connect().send(frames("x"))
    assert not {"relay", "multicast", "unicast"} & set(vars(bench.app.engine.hub))
    found = bench.told()
    assert found["routes"] == []
    assert "relays" not in found


# ---- routes


def test_each_block_that_something_begins_is_counted() -> None:
    bench = Bench(
        f"{NEW} {{ exit; }}\n{CLOSED} {{ exit; }}\n{MESSAGE} {{ route(A); route($evapi(msg)); if(route(B)) exit; }}\n"
        "route[A] { return 1; }\nroute[B] { exit; }\nevent_route[core:worker-one-init] { exit; }\n"
    )
    client = bench.app.connect()
    client.send(frames("A", "B", "none"))
    client.close()
    assert bench.runs() == {NEW: 1, CLOSED: 1, MESSAGE: 3, "event_route[core:worker-one-init]": 1}
    (message,) = [route for route in bench.told()["routes"] if route["route"] == MESSAGE]
    assert 0 < message["seconds"] < 60
    assert 0 < message["slowest"] < 60


@pytest.mark.parametrize("workers", [0, 2])
def test_runs_that_wait_count_when_they_are_over(workers: int) -> None:
    bench = Bench(f'{MESSAGE} {{ sleep("5"); evapi_relay("$evapi(msg)"); }}\n', workers=workers)
    client = bench.app.connect()
    client.send(frames("a", "b"))
    assert bench.runs() == {}
    bench.pass_time(5)
    assert bench.runs() == {MESSAGE: 1}
    bench.pass_time(5)
    assert bench.runs() == {MESSAGE: 2}
    assert client.receive() == frames("a", "b")


def test_requests_and_what_resumes_them() -> None:
    bench = Bench(
        "failure_route[LATE] { exit; }\n"
        + PARK.replace("evapi_async", 't_on_failure("LATE"); evapi_async')
        + ANSWER
        + RESUME,
        head=SIP_HEAD,
    )
    application, caller = bench.app.connect(), bench.app.sip_peer()
    for number in range(3):
        caller.send(REQUEST.format(number))
    which = [text.partition(b":")[2].decode() for text in application.receive().split(b",")[:-1]]
    found = bench.told()
    assert [found[name] for name in ("parked", "parked_in_all", "resumed", "expired", "sip_messages")] == [
        3,
        3,
        0,
        0,
        3,
    ]
    application.send(frames(which[0], which[0], "1:1"))
    bench.pass_time(31)
    found = bench.told()
    assert [found[name] for name in ("parked", "parked_in_all", "resumed", "expired")] == [0, 3, 1, 2]
    assert bench.runs() == {
        "request_route": 3, MESSAGE: 3, "route[RESUME]": 1, "failure_route[LATE]": 2,
    }  # fmt: skip
    assert [reply[8:11] for reply in caller.receive()] == [b"200", b"408", b"408"]


def test_a_timer_and_a_message_count_once() -> None:
    bench = Bench(
        'modparam("rtimer", "timer", "name=t;interval=1")\nmodparam("rtimer", "exec", "timer=t;route=TICK")\n'
        f'{MESSAGE} {{ exit; }}\nroute[TICK] {{ evapi_relay("tick"); }}\n',
        head=HEAD + 'loadmodule "rtimer.so"\n',
    )
    client = bench.app.connect()
    bench.pass_time(1)
    bench.pass_time(1)
    assert client.receive() == frames("tick", "tick")
    assert bench.runs() == {"route[TICK]": 2}


def test_what_waits_is_told_by_client() -> None:
    bench = Bench(f"{MESSAGE} {{ exit; }}\n")
    hub = bench.app.engine.hub
    bench.app.connect(), bench.app.connect()
    hub.relay("abc")
    hub.set_tag(hub.clients[1], "t")
    hub.unicast("de", "t")
    assert bench.told()["queued_bytes"] == 2 * len(frames("abc")) + len(frames("de"))


def test_errors_count_for_the_block_that_ran() -> None:
    bench = Bench(
        f'{MESSAGE} {{ evapi_relay(""); xlog("L_ERR", "the script says so\\n"); route(A); }}\n'
        'route[A] { evapi_unicast("", "t"); xlog("L_WARN", "warned\\n"); }\n'
    )
    bench.app.connect().send(frames("x", "y"))
    assert bench.errors() == {MESSAGE: 4}
    assert bench.told()["log_lines"] == {
        "ALERT": 0, "BUG": 0, "CRITICAL": 0, "ERROR": 6, "WARNING": 2, "NOTICE": 0, "INFO": 0, "DEBUG": 0,
    }  # fmt: skip


def test_a_bug_is_counted_and_timed() -> None:
    bench = Bench(f'{MESSAGE} {{ evapi_relay("x"); }}\n')

    def broken(data: str) -> int:
        raise ValueError("a bug")

    bench.app.engine.hub.relay = broken  # type: ignore[method-assign]
    bench.app.connect().send(frames("x", "y"))
    assert bench.runs() == {MESSAGE: 2}
    assert bench.errors() == {MESSAGE: 2}


def test_names_that_come_from_outside_do_not_fill_the_memory() -> None:
    measures = Measures(timed=True)
    log = LogWriter(lambda line: None)
    for number in range(5000):
        measures.of_route(f"route[{number}]").add(1)
        log(Level.ERROR, "core", "x", None, f"route[{number}]")
    assert len(measures.routes) == len(log.errors) == 1024


def test_what_is_counted_outlives_a_program() -> None:
    def cfg(name: str) -> str:
        return f'{MESSAGE} {{ evapi_relay("{name} $evapi(msg)"); }}\nroute[R] {{ exit; }}\n'

    bench = Bench(cfg("one"))
    client = bench.app.connect()
    client.send(frames("a"))
    before = ref(bench.app.program.world)
    bench.app.reload(HEAD + cfg("two"), "my.cfg")
    client.send(frames("b", "c"))
    assert client.receive() == frames("one a", "two b", "two c")
    assert bench.runs() == {MESSAGE: 3}
    assert bench.told()["relays"] == {"relay": 3, "multicast": 0, "unicast": 0}
    assert before() is None  # timing keeps no program


def test_a_resumed_route_is_timed_once_whichever_program_has_it() -> None:
    bench = Bench(PARK + RESUME + ANSWER, head=SIP_HEAD)
    application, caller = bench.app.connect(), bench.app.sip_peer()
    for number in (1, 2):
        caller.send(REQUEST.format(number))
    parked = re.findall(r"\d+:(\d+:\d+),", application.receive().decode())
    application.send(frames(parked[0]))
    bench.app.reload(SIP_HEAD + PARK + RESUME + ANSWER + "route[NEW] { exit; }\n", "my.cfg")
    application.send(frames(parked[1]))
    told = bench.told()
    assert (told["parked_in_all"], told["resumed"], told["parked"]) == (2, 2, 0)
    assert bench.runs() == {"request_route": 2, MESSAGE: 2, "route[RESUME]": 2}
