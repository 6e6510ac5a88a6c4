"""rtimer: routes that run again and again, by the test's own clock."""

from __future__ import annotations

import pytest

from evapi_cfg.check.report import check_text
from evapi_cfg.modules import rtimer
from evapi_cfg.modules.context import Level, Run
from tests.driven import Bench

HEAD = 'loadmodule "rtimer.so"\n'
TICK = """
modparam("rtimer", "timer", "name=tick;interval=2;mode=1")
modparam("rtimer", "exec", "timer=tick;route=TICK")
"""
COUNT = 'route[TICK] { $var(n) = $var(n) + 1; xlog("L_INFO", "run $var(n)\\n"); }\n'


@pytest.mark.parametrize(
    "text,seconds,mode",
    [
        ("name=a;interval=3", 3, 0),
        ("name=a", 120, 0),
        ("name=a;interval=", 120, 0),
        ("name=a;interval=20000u", 0.02, 1),
        ("name=a;interval=+2;mode=3;", 2, 3),
        ("name=a;interval=5U;mode=2", 0.0001, 2),
        ("mode=2;interval=500u;name=a", 0.0005, 1),
    ],
)
def test_timers(text: str, seconds: float, mode: int) -> None:
    timer = rtimer.declared(text)
    assert (timer.name, timer.seconds, timer.mode) == ("a", seconds, mode)


@pytest.mark.parametrize(
    "text", ["interval=3", "name=a;interval=3s", "name=a;mode=-1", "name=a;mode=1025", "name=a;interval=u3", "name=a;;"]
)
def test_timers_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        rtimer.declared(text)


def test_the_first_run_is_an_interval_after_the_start() -> None:
    bench = Bench(HEAD + TICK + COUNT)
    bench.pass_time(5)
    assert bench.logged() == []  # the server has not begun
    bench.connect()
    bench.pass_time(1.9)
    assert bench.logged() == []
    bench.pass_time(0.1)
    assert bench.logged() == ["run 1"]
    bench.pass_time(2)
    assert bench.logged() == ["run 1", "run 2"]


def test_a_route_that_waits_puts_the_next_run_off() -> None:
    bench = Bench(HEAD + TICK + 'route[TICK] { xlog("begins\\n"); sleep("5"); xlog("ends\\n"); }')
    bench.connect()
    bench.pass_time(2)
    for _ in range(4):
        bench.pass_time(1)
    assert bench.logged() == ["begins"]
    bench.pass_time(1)
    bench.pass_time(1.9)
    assert bench.logged() == ["begins", "ends"]
    bench.pass_time(0.1)
    assert bench.logged() == ["begins", "ends", "begins"]
    assert bench.lines(Level.WARNING, "rtimer") == []


def test_late_runs_are_told_once_a_minute() -> None:
    bench = Bench(HEAD + TICK + "route[TICK] { exit; }")
    bench.connect()
    bench.pass_time(2.05)
    assert bench.logged("rtimer") == []
    bench.pass_time(2.5)
    assert bench.logged("rtimer") == ["timer 'tick', every 2 s: a run began 0.500 s late"]
    bench.pass_time(3)
    bench.pass_time(4.25)
    assert len(bench.logged("rtimer")) == 1
    bench.pass_time(60)
    assert bench.logged("rtimer")[1] == "timer 'tick', every 2 s: 3 runs began up to 58.000 s late"


def test_processes_have_their_own_variables() -> None:
    bench = Bench(
        HEAD
        + """
        modparam("pv", "varset", "n=i:10")
        modparam("rtimer", "timer", "name=two;interval=1;mode=2")
        modparam("rtimer", "exec", "timer=two;route=SECOND")
        modparam("rtimer", "exec", "timer=two;route=FIRST")
        modparam("rtimer", "timer", "name=slow;interval=1")
        modparam("rtimer", "exec", "timer=slow;route=SLOW")
        modparam("rtimer", "timer", "name=also;interval=1;mode=0")
        modparam("rtimer", "exec", "timer=also;route=SLOW")
        route[FIRST] { $var(n) = $var(n) + 1; exit; }
        route[SECOND] { xlog("two $rtimer_worker $var(n)\\n"); }
        route[SLOW] { $var(n) = $var(n) + 1; xlog("slow $rtimer_worker $var(n)\\n"); }
        event_route[evapi:message-received] { xlog("event $rtimer_worker $var(n)\\n"); }
        """
    )
    peer = bench.connect()
    bench.pass_time(1)
    peer.send_message("x")
    assert sorted(bench.logged()) == ["event 0 10", "slow 0 11", "slow 0 12", "two 0 11", "two 1 11"]


def test_a_route_that_is_not_there_is_told_at_start() -> None:
    bench = Bench(HEAD + TICK + "route[TOCK] { exit; }")
    bench.connect()
    bench.pass_time(10)
    assert bench.logged("rtimer") == ["timer 'tick' runs nothing: there is no route 'TICK'"]


def test_with_a_script_in_another_language_its_functions_run() -> None:
    bench = Bench(HEAD + TICK + COUNT)
    ran: list[str] = []

    def function(run: Run) -> int:
        ran.append(str(run.vars["n"]))
        return 1

    bench.app.program.world.script_route = lambda name, event: {("TICK", "rtimer"): function}[name, event]
    bench.connect()
    bench.pass_time(2)
    assert ran == ["0"]
    assert bench.logged() == []


def test_the_checker_leaves_functions_of_a_script_alone() -> None:
    text = f'#!KAMAILIO\nloadmodule "app_lua.so"\n{HEAD}{TICK}cfgengine "lua"\nrequest_route {{ exit; }}\n'
    assert [found.code.name for found in check_text(text, "x.cfg").diagnostics] == []
    without = check_text(text.replace('cfgengine "lua"\n', ""), "x.cfg").diagnostics
    assert [found.code.name for found in without] == ["missing-route"]
