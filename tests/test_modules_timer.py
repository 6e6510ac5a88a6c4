"""timer: routes that run every so many milliseconds, and that a script switches on and off."""

from __future__ import annotations

import pytest

from evapi_cfg.modules import timer
from evapi_cfg.modules.context import Level
from tests.driven import Bench

CFG = """
loadmodule "timer.so"
modparam("timer", "declare_timer", "tick=TICK,500,fast,enable")
modparam("timer", "declare_timer", "other=OTHER,100")
route[TICK] { xlog("$mi $(mb{s.len}) @ $sel(timer.executed) $sel(timer.timer.other.enabled)\\n"); }
route[OTHER] { xlog("other\\n"); }
event_route[evapi:message-received] {
  switch($evapi(msg)) {
    case "on": timer_enable("other", "1"); break;
    case "off": timer_enable("other", 0); break;
  }
}
"""


@pytest.mark.parametrize(
    "text,ticks", [("t=R,500", 8), ("t=R,1", 1), ("t=R,0,slow", 1), ("t=R , 125 ,FAST,", 2), ("t=R,126,,Enable", 3)]
)
def test_declarations(text: str, ticks: int) -> None:
    declared = timer.Declared(text)
    assert (declared.name, declared.route, declared.seconds) == ("t", "R", ticks / 16)
    assert (declared.fast, declared.enabled) == ("FAST" in text, "Enable" in text)


@pytest.mark.parametrize(
    "text",
    ["", "t", "=R,1", "t=R", "t=R,", "t=,1", "t=R,x", "t=R,1,quick", "t=R,1,slow,on", "t t=R,1", f"t={'R' * 63},1"],
)
def test_declarations_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        timer.Declared(text)


def test_it_is_switched_off_at_its_next_run() -> None:
    bench = Bench(CFG)
    peer = bench.connect()
    bench.pass_time(0.5)
    peer.send_message("on")
    bench.pass_time(0.12)
    assert bench.logged() == ["1 45 @ tick 0"]
    bench.pass_time(0.005)
    assert bench.logged()[1:] == ["other"]
    peer.send_message("off")
    bench.pass_time(0.1)
    peer.send_message("on")  # before it was due: nothing has happened
    bench.pass_time(0.025)
    assert bench.logged()[2:] == ["other"]
    peer.send_message("off")
    bench.pass_time(0.25)
    assert bench.logged()[3:] == ["2 45 @ tick 0"]


def test_a_missing_route_is_told_once() -> None:
    bench = Bench('loadmodule "timer.so"\nmodparam("timer", "declare_timer", "t=NONE,100,fast,enable")\n')
    bench.connect()
    for _ in range(5):
        bench.pass_time(0.125)
    assert [line.message for line in bench.lines(Level.WARNING, "timer")] == [
        "timer 't' runs nothing: there is no route 'NONE'"
    ]


def test_kemi() -> None:
    bench = Bench(CFG)
    bench.connect()
    enable = timer.MODULE.kemi[0].call
    run = bench.app.engine._new_run(None, None)  # type: ignore[arg-type]
    assert enable(run, "other", 1, at=None) == 1
    assert enable(run, "none", 1, at=None) == -1
    bench.pass_time(0.125)
    assert bench.logged() == ["other"]
