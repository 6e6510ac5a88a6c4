"""Following messages and relays: what a tap sees, what it leaves out, and that nothing is in the way without one."""

from __future__ import annotations

import pytest

from evapi_cfg.check.report import check_text
from evapi_cfg.modules.context import Run
from evapi_cfg.runtime import tap as room
from evapi_cfg.runtime.app import App, Records, load_report
from evapi_cfg.runtime.measures import Measures
from evapi_cfg.runtime.tap import KEPT, LOOKED_AT, TEXT, Record, Tap, TapRefused, Taps, Wanted
from tests.driven import HEAD, MESSAGE, NEW, HandClock, frames

CFG = f"""{NEW} {{ evapi_set_tag("c$evapi(conidx)"); }}
{MESSAGE} {{
  if($evapi(msg) == "all") {{ evapi_relay("to all"); exit; }}
  if($evapi(msg) == "wait") {{ sleep("1"); }}
  if($evapi(msg) == "none") {{ evapi_unicast("lost", "nobody"); exit; }}
  route(ANSWER);
}}
route[ANSWER] {{
  if($evapi(msg) =~ "^many") {{ evapi_multicast("$evapi(msg)", "c1"); }}
  else {{ evapi_unicast("$evapi(msg)", "c$evapi(conidx)"); }}
}}
"""


class Bench:
    def __init__(self, cfg: str = CFG, *, timed: bool = False, workers: int = 0) -> None:
        self.clock = HandClock()
        self.app: App = load_report(
            check_text(HEAD + cfg, "my.cfg"),
            params=[("evapi", "workers", workers)],
            log=Records(),
            clock=self.clock,
            measures=Measures(timed=timed),
        )
        self.taps = Taps(self.app.engine)
        self.woken = 0

    def tap(self, wanted: Wanted | None = None) -> Tap:
        def wake() -> None:
            self.woken += 1

        return self.taps.begin(wanted or Wanted(), wake)


def brief(records: list[Record]) -> list[tuple[object, ...]]:
    """Kind, client or number of clients, text."""
    return [
        (one["kind"], one.get("client", one.get("clients")), one["text"])
        if "text" in one
        else (one["kind"], one["count"])
        for one in records
    ]


@pytest.mark.parametrize("timed", [False, True])
def test_what_passes(timed: bool) -> None:
    bench = Bench(timed=timed)
    one, two = bench.app.connect(), bench.app.connect()
    tap = bench.tap()
    one.send(frames("hello", "all"))
    two.send(frames("many", "none"))
    assert bench.woken == 1
    records = tap.fetch()
    assert brief(records) == [
        ("message", 0, "hello"),
        ("message", 0, "all"),
        ("unicast", 0, "hello"),
        ("relay", 2, "to all"),
        ("message", 1, "many"),
        ("message", 1, "none"),
        ("multicast", 1, "many"),
        ("unicast", 0, "lost"),
    ]
    assert records[2] == {
        "time": 1000.0, "kind": "unicast", "clients": 1, "client": 0, "tag": "c0", "route": MESSAGE,
        "block": "route[ANSWER]", "size": 5, "text": "hello",
    }  # fmt: skip
    assert (records[3]["route"], records[3]["block"]) == (MESSAGE, MESSAGE)
    assert tap.fetch() == []
    assert one.receive() == frames("hello", "to all")


@pytest.mark.parametrize("timed", [False, True])
def test_without_a_tap_nothing_is_in_the_way(timed: bool) -> None:
    bench = Bench(timed=timed)
    hub, engine = bench.app.engine.hub, bench.app.engine
    before = {name: vars(hub).get(name) for name in ("relay", "multicast", "unicast")}
    first, second = bench.tap(), bench.tap()
    assert vars(hub).keys() >= before.keys()
    bench.taps.end(first)
    client = bench.app.connect()
    client.send(frames("x"))
    assert first.fetch() == [] and len(second.fetch()) == 2
    bench.taps.end(second)
    bench.taps.end(second)
    assert {name: vars(hub).get(name) for name in before} == before
    assert engine.looked_on is None
    client.send(frames("x"))
    assert second.fetch() == []
    assert client.receive() == frames("x", "x")


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (Wanted(client=0), [("message", 0, "all"), ("relay", 2, "to all"), ("message", 0, "x"), ("unicast", 0, "x")]),
        (Wanted(client=1), [("relay", 2, "to all"), ("message", 1, "many"), ("multicast", 1, "many")]),
        (Wanted(client=7), []),
        (Wanted(route="ANSWER"), [("unicast", 0, "x"), ("multicast", 1, "many")]),
        (Wanted(route="route[ANSWER]", client=1), [("multicast", 1, "many")]),
        (Wanted(route="NONE"), []),
        (Wanted(match="^(al|many)"), [("message", 0, "all"), ("message", 1, "many"), ("multicast", 1, "many")]),
        (Wanted(match="ALL|X"), []),
    ],
)
def test_only_some(wanted: Wanted, seen: list[tuple[object, ...]]) -> None:
    bench = Bench()
    one, two = bench.app.connect(), bench.app.connect()
    tap = bench.tap(wanted)
    one.send(frames("all"))
    one.send(frames("x"))
    two.send(frames("many"))
    assert brief(tap.fetch()) == seen


@pytest.mark.parametrize("name", [MESSAGE, "evapi:message-received"])
def test_a_block_stands_for_all_that_it_causes(name: str) -> None:
    bench = Bench()
    client = bench.app.connect()
    tap = bench.tap(Wanted(route=name))
    client.send(frames("x"))
    assert [record["kind"] for record in tap.fetch()] == ["message", "unicast"]


def test_a_run_that_has_waited() -> None:
    bench = Bench(workers=2)
    client = bench.app.connect()
    tap = bench.tap()
    client.send(frames("wait"))
    assert brief(tap.fetch()) == [("message", 0, "wait")]
    bench.clock.time += 1
    bench.app.advance()
    (record,) = tap.fetch()
    assert (record["route"], record["block"], record["time"]) == (MESSAGE, "route[ANSWER]", 1001.0)


def test_a_relay_that_no_route_has_made() -> None:
    bench = Bench()
    bench.app.connect()
    tap = bench.tap()
    bench.app.engine.hub.relay("x")
    (record,) = tap.fetch()
    assert (record["route"], record["block"], record["clients"]) == ("", "", 1)


def test_of_a_script_in_another_language_the_run_tells_the_block() -> None:
    bench = Bench()
    tap = bench.tap(Wanted(route="A"))

    def call(run: Run) -> None:
        run.world.hub.relay("x")

    run = Run(bench.app.program.world, {}, None, None)
    run.route = "route[A]"
    call(run)
    (record,) = tap.fetch()
    assert (record["route"], record["block"]) == ("route[A]", "route[A]")


# ---- bounds


def test_so_much_a_second_and_the_rest_is_counted() -> None:
    bench = Bench(f"{MESSAGE} {{ exit; }}\n")
    client = bench.app.connect()
    tap = bench.tap()
    for _ in range(10):
        client.send(frames(*["x"] * 300))
    records = tap.fetch()
    assert [record["kind"] for record in records] == ["message"] * KEPT + ["left out"]
    assert records[-1]["count"] == 3000 - KEPT
    client.send(frames("x", "x"))
    assert bench.woken == 2
    assert tap.fetch() == [{"kind": "left out", "count": 2}]
    bench.clock.time += 1
    client.send(frames("y"))
    assert brief(tap.fetch()) == [("message", 0, "y")]


def test_who_does_not_fetch_gets_no_more_than_that() -> None:
    bench = Bench(f"{MESSAGE} {{ exit; }}\n")
    client = bench.app.connect()
    tap = bench.tap()
    for _ in range(5):
        client.send(frames(*["x"] * 600))
        bench.clock.time += 1
    assert len(tap.records) == KEPT
    assert tap.left_out == 3000 - KEPT


def test_a_filter_does_not_look_at_all_that_comes() -> None:
    bench = Bench(f"{MESSAGE} {{ exit; }}\n")
    client = bench.app.connect()
    tap = bench.tap(Wanted(match="y"))
    other = bench.tap(Wanted(client=5))
    client.send(frames(*["x"] * (LOOKED_AT + 100)))
    client.send(frames("y"))
    assert tap.fetch() == [{"kind": "left out", "count": 101}]
    assert other.fetch() == []


def test_texts_are_cut() -> None:
    bench = Bench(f"{MESSAGE} {{ exit; }}\n")
    client = bench.app.connect()
    tap, looking = bench.tap(), bench.tap(Wanted(match="end$"))
    client.send(frames("x" * 20000 + "end"))
    (record,) = tap.fetch()
    assert (record["size"], record["text"]) == (20003, "x" * TEXT)
    assert looking.fetch() == []


def test_bytes_of_clients_are_shown_as_characters() -> None:
    bench = Bench(f"{MESSAGE} {{ exit; }}\n")
    client = bench.app.connect()
    tap = bench.tap(Wanted(match="\u00e9"))
    client.send_message("h\u00e9 \x00")
    assert brief(tap.fetch()) == [("message", 0, "h\u00e9 \x00")]


def test_an_expression_that_takes_for_ever_ends_the_tap_and_nothing_else() -> None:
    bench = Bench()
    client = bench.app.connect()
    tap, other = bench.tap(Wanted(match="^(a*)*b$")), bench.tap(Wanted(match="a$"))
    client.send(frames("a" * 100, "b"))
    assert tap.fault == "--match ^(a*)*b$: it takes too long to find out whether a text matches"
    assert [record["kind"] for record in tap.fetch()] == ["fault"]
    assert tap.over
    assert brief(other.fetch()) == [("message", 0, "a" * 100), ("unicast", 0, "a" * 100)]
    assert client.receive() == frames("a" * 100, "b")


def test_a_signal_that_comes_too_late_does_nothing() -> None:
    expression = room._Expression("x")
    expression._give_up(0, None)
    assert list(expression.matching(["x", "y"])) == ["x"]


@pytest.mark.parametrize("match", ["(", "[", "a{2,1}", "*"])
def test_what_is_no_expression(match: str) -> None:
    bench = Bench()
    with pytest.raises(TapRefused, match="--match"):
        bench.tap(Wanted(match=match))
    assert len(bench.taps) == 0
    assert bench.app.engine.looked_on is None
