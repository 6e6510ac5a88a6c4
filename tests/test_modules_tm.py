"""tm and tmx with the clock in hand: timers that a script sets, CANCELs, endings, and odd orders."""

from __future__ import annotations

import pytest

from evapi_cfg.modules.context import Level
from tests.driven_sip import ANSWER, FR, PARK, RESUME, WT, Bench, schedule

IDS = '"$T(id_index):$T(id_label)"'

# ---- timers that a script sets


@pytest.mark.parametrize(
    ("calls", "ends"),
    [
        ('t_set_fr("7000", "3000"); t_suspend();', 3.0),
        ('t_newtran(); t_set_fr("7000", "3000"); t_suspend();', 3.0),
        ('t_suspend(); t_set_fr("7000", "3000");', 3.0),
        ('t_suspend(); t_set_fr("7000");', 30.0),
        ('t_set_fr("7000"); t_suspend();', 30.0),
        ('t_set_fr("0", "0"); t_suspend();', 30.0),
        ('t_set_fr("7000", "3000"); t_reset_fr(); t_suspend();', 30.0),
        ('t_set_fr("7000", "3000"); t_suspend(); t_reset_fr();', 30.0),
        ('t_set_fr("60000", "60000"); t_suspend();', 32.0),
        ('t_set_max_lifetime("1000", "2000"); t_suspend();', 2.0),
        ('t_suspend(); t_set_max_lifetime("1000", "2000");', 2.0),
        ('t_set_max_lifetime("1000", "2000"); t_reset_max_lifetime(); t_suspend();', 30.0),
        ("t_suspend(); t_suspend();", 30.0),
    ],
)
def test_how_long_a_suspension_lasts(calls: str, ends: float) -> None:
    bench = Bench(f"request_route {{ {calls} }}\n")
    bench.send()
    bench.pass_time(ends - 0.001)
    assert bench.replies() == []
    bench.pass_time(0.001)
    assert bench.replies() == ["408 Request Timeout"]
    bench.pass_time(WT)
    assert bench.is_empty()


def test_a_timer_that_is_changed_begins_anew() -> None:
    bench = Bench(f'request_route {{ t_suspend(); evapi_relay({IDS}); sleep("2"); t_set_fr("3000", "3000"); }}\n')
    bench.send()
    bench.pass_time(2)
    bench.pass_time(2.999)
    assert bench.replies() == []
    bench.pass_time(0.001)
    assert bench.replies() == ["408 Request Timeout"]


@pytest.mark.parametrize(
    "calls", ['t_set_retr("1000", "2000"); t_newtran();', 't_newtran(); t_set_retr("1000", "2000");']
)
def test_intervals_of_retransmissions_that_a_script_sets(calls: str) -> None:
    bench = Bench(f'request_route {{ {calls} t_reply("486", "Busy"); }}\n', {"wt_timer": 60000})
    bench.send("INVITE")
    bench.replies()
    assert [when for when, _ in bench.pass_slowly(40)] == schedule(1.0, 2.0, FR)


@pytest.mark.parametrize(
    ("calls", "params", "replies"),
    [
        ("", {}, ["100 trying -- your call is important to us"]),
        ("t_set_auto_inv_100(0);", {}, []),
        ("t_newtran(); t_set_auto_inv_100(0);", {}, []),
        ("", {"auto_inv_100": 0}, []),
        ("t_set_auto_inv_100(1);", {"auto_inv_100": 0}, ["100 trying -- your call is important to us"]),
        ("", {"auto_inv_100_reason": "Wait"}, ["100 Wait"]),
        ('t_newtran(); t_reply("180", "Ringing");', {}, ["180 Ringing"]),
    ],
)
def test_the_100_of_an_invite(calls: str, params: dict[str, int | str], replies: list[str]) -> None:
    calls = calls.replace("(0)", '("0")').replace("(1)", '("1")')
    bench = Bench(f"request_route {{ {calls} t_suspend(); t_suspend(); }}\n", params)
    bench.send("INVITE")
    assert bench.replies() == replies


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"reply_408_code": 480, "reply_408_reason": "Nobody Home"}, "480 Nobody Home"),
        ({"fr_timer": 2000}, "408 Request Timeout"),
    ],
)
def test_the_reply_of_a_timeout(params: dict[str, int | str], line: str) -> None:
    bench = Bench("request_route { t_suspend(); }\n", params)
    bench.send()
    bench.pass_time(FR)
    assert bench.replies() == [line]


# ---- CANCEL


CANCELING = (
    f'request_route {{ if(is_method("ACK")) {{ t_newtran(); exit; }} t_relay_cancel(); t_on_failure("F"); '
    f"evapi_async_relay({IDS}); }}\n"
    'failure_route[F] { xlog("L_INFO", "failed\\n"); }\n'
)


def test_a_cancel_ends_a_parked_invite() -> None:
    bench = Bench(CANCELING + ANSWER + RESUME)
    bench.send("INVITE")
    [which] = bench.parked()
    bench.replies()
    bench.send("CANCEL", number=1)
    assert bench.replies() == ["487 Request canceled", "200 ok -- no more pending branches"]
    bench.go_on(which)
    assert [line for _, line in bench.pass_slowly(1)] == ["487 Request canceled"]
    bench.send("ACK", number=1, to=";tag=x")
    assert bench.pass_slowly(FR) == []
    assert bench.logged() == []
    assert bench.is_empty()


def test_a_cancel_that_comes_twice_is_answered_twice() -> None:
    bench = Bench(CANCELING)
    bench.send("INVITE")
    bench.replies()
    bench.send("CANCEL", number=1)
    first = bench.replies()
    bench.send("CANCEL", number=1)
    assert bench.replies() == first[1:]


def test_a_cancel_behind_the_answer_changes_nothing() -> None:
    bench = Bench(CANCELING + ANSWER + RESUME)
    bench.send("INVITE")
    bench.go_on(bench.parked()[0])
    assert bench.replies()[-1] == "200 OK"
    bench.send("CANCEL", number=1)
    assert bench.replies() == ["200 ok -- no more pending branches"]


def test_a_cancel_of_nothing_goes_on_in_the_script() -> None:
    bench = Bench('request_route { t_relay_cancel(); send_reply("481", "Nothing"); }\n')
    bench.send("CANCEL")
    assert bench.replies() == ["481 Nothing"]


def test_an_ack_that_comes_too_early_leaves_an_invite_parked() -> None:
    bench = Bench('request_route { t_newtran(); evapi_async_relay("$T(id_index):$T(id_label)"); }\n' + ANSWER + RESUME)
    bench.send("INVITE")
    bench.send("ACK", number=1)
    bench.go_on(bench.parked()[0])
    assert bench.replies()[-1] == "200 OK"


def test_an_invite_behind_its_cancel_is_not_suspended_for_long() -> None:
    bench = Bench('request_route { if(is_method("CANCEL")) { t_newtran(); t_reply("200", "OK"); exit; } '
                  't_newtran(); if(t_is_canceled()) t_reply("487", "Too Late"); else t_suspend(); }\n')  # fmt: skip
    bench.send("CANCEL")
    bench.send("INVITE", number=1)
    assert bench.replies() == ["200 OK", "487 Too Late"]


# ---- endings


@pytest.mark.parametrize(
    ("calls", "replies"),
    [
        ("t_newtran();", []),
        ("t_newtran(); t_release();", []),
        ("t_newtran(); t_drop();", []),
        ('t_newtran(); t_drop("404");', []),
        ("t_newtran(); exit;", []),
        ("t_newtran(); drop;", []),
        ('t_newtran(); t_reply("183", "Early"); t_release();', ["183 Early"]),
        ('t_newtran(); t_reply("200", "OK"); t_reply("500", "No");', ["200 OK"]),
        ('t_newtran(); t_reply("2147483647", "x");', ["647 x"]),
        ('t_newtran(); t_reply("200", "OK"); t_suspend();', ["200 OK"]),
        ("t_suspend(); t_release();", []),
        ("t_suspend(); t_drop();", []),
        ('t_suspend(); t_reply("200", "OK");', ["200 OK"]),
        ('t_send_reply("200", "OK");', ["200 OK"]),
        ('t_suspend(); t_reply("180", "Ringing"); t_reply("404", "No");', ["180 Ringing", "404 No"]),
    ],
)
def test_every_way_to_end_frees_the_transaction_after_wt_timer(calls: str, replies: list[str]) -> None:
    bench = Bench(f"request_route {{ {calls} }}\n")
    bench.send()
    assert bench.replies() == replies
    assert len(bench.tm.table) == 1
    bench.pass_time(WT)
    assert bench.replies() == []
    assert bench.is_empty()


def test_a_provisional_reply_keeps_the_suspension() -> None:
    bench = Bench(
        f"request_route {{ evapi_async_relay({IDS}); }}\n"
        'route[RESUME] { t_reply("180", "Ringing"); t_suspend(); evapi_relay("$T(id_index):$T(id_label)"); }\n' + RESUME
    )
    bench.send()
    bench.go_on(bench.parked()[0])
    assert bench.replies() == ["180 Ringing"]
    bench.pass_time(FR)
    assert bench.replies() == ["408 Request Timeout"]


def test_a_provisional_reply_alone_does_not_answer() -> None:
    bench = Bench(PARK + 'route[RESUME] { t_reply("180", "Ringing"); }\n' + RESUME)
    bench.send()
    bench.go_on(bench.parked()[0])
    assert bench.replies() == ["180 Ringing", "500 I'm terribly sorry, server error occurred (1/TM)"]
    bench.pass_time(WT)
    assert bench.is_empty()


def test_two_suspensions_need_both_to_end() -> None:
    bench = Bench(
        f'request_route {{ t_suspend(); sleep("10"); evapi_async_relay({IDS}); }}\nroute[RESUME] {{ exit; }}\n' + RESUME
    )
    bench.send()
    bench.pass_time(10)
    bench.go_on(bench.parked()[0])
    assert bench.replies() == []
    bench.pass_time(FR - 10)
    assert bench.replies() == ["408 Request Timeout"]
    bench.pass_time(WT)
    assert bench.is_empty()


def test_one_request_may_go_on_with_another() -> None:
    bench = Bench(
        """modparam("pv", "shvset", "i=i:0")
        modparam("pv", "shvset", "l=i:0")
        request_route {
          if(is_method("OPTIONS")) { $shv(i) = $T(id_index_n); $shv(l) = $T(id_label_n); t_suspend(); exit; }
          t_newtran();
          t_continue("$shv(i)", "$shv(l)", "RESUME");
          t_reply("202", "Done");
        }
        route[RESUME] { t_reply("200", "OK"); }
        """
    )
    bench.send()
    bench.send("BYE")
    assert bench.replies() == ["200 OK", "202 Done"]
    bench.pass_time(WT)
    assert bench.is_empty()


def test_a_request_may_go_on_with_itself() -> None:
    bench = Bench(
        'request_route { t_suspend(); t_continue("$T(id_index)", "$T(id_label)", "RESUME"); '
        'xlog("L_INFO", "$rc\\n"); }\n'
        'route[RESUME] { t_reply("200", "OK"); }\n'
    )
    bench.send()
    assert bench.replies() == ["200 OK"]
    assert bench.logged() == ["1"]
    bench.pass_time(WT)
    assert bench.is_empty()


def test_going_on_inside_of_going_on_has_a_bound() -> None:
    bench = Bench(
        'request_route { t_suspend(); t_continue("$T(id_index)", "$T(id_label)", "RESUME"); }\n'
        'route[RESUME] { if(!t_suspend()) { t_reply("503", "Full"); exit; } '
        't_continue("$T(id_index)", "$T(id_label)", "RESUME"); xlog("L_INFO", "$rc\\n"); }\n'
    )
    bench.send()
    assert [record.message for record in bench.records.lines if record.level == Level.ERROR] == [
        "t_continue: more than 8 resumed routes inside each other"
    ]
    bench.pass_time(FR)
    bench.pass_time(WT)
    assert bench.is_empty()


# ---- which route is next


def test_a_failure_route_counts_for_the_suspensions_behind_it() -> None:
    bench = Bench('request_route { t_suspend(); t_on_failure("F"); }\nfailure_route[F] { t_reply("480", "F"); }\n')
    bench.send()
    bench.pass_time(FR)
    assert bench.replies() == ["408 Request Timeout"]


@pytest.mark.parametrize(
    ("calls", "line"),
    [
        ('t_on_failure("F"); t_newtran();', "480 F"),
        ('t_newtran(); t_on_failure("F");', "480 F"),
        ('t_on_failure("F"); t_on_failure("G");', "480 G"),
        ('t_on_failure("F"); t_on_failure("0");', "408 Request Timeout"),
        ('t_on_failure("F"); if(!t_is_set("failure_route")) t_on_failure("G");', "480 F"),
        ('if(!t_is_set("failure_route")) t_on_failure("G");', "480 G"),
    ],
)
def test_the_failure_route_that_runs(calls: str, line: str) -> None:
    bench = Bench(
        f"request_route {{ {calls} t_suspend(); }}\n"
        'failure_route[F] { t_reply("480", "F"); }\nfailure_route[G] { t_reply("480", "G"); }\n'
    )
    bench.send()
    bench.pass_time(FR)
    assert bench.replies() == [line]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ('t_check_status("408")', "1"), ('t_check_status("4[0-9]+")', "1"), ('t_check_status("5..")', "-1"),
        ("t_any_timeout()", "1"), ("t_any_replied()", "-1"), ("t_branch_timeout()", "1"), ("t_branch_replied()", "-1"),
        ("t_is_failure_route()", "1"), ("t_is_request_route()", "-1"), ("t_is_canceled()", "-1"),
        ("t_get_status_code()", "408"), ("t_is_expired()", "-1"),
    ],
)  # fmt: skip
def test_what_a_failure_route_can_ask(asked: str, answer: str) -> None:
    bench = Bench(
        'request_route { t_on_failure("F"); t_suspend(); }\n'
        f'failure_route[F] {{ $var(r) = {asked}; xlog("L_INFO", "$rc\\n"); }}\n'
    )
    bench.send()
    bench.pass_time(FR)
    assert bench.logged() == [answer]


# ---- looking up


def test_looking_up_finds_what_is_there_and_makes_nothing() -> None:
    bench = Bench(
        'request_route { $var(e) = t_exists(); xlog("L_INFO", "$rc\\n"); $var(l) = t_lookup_request(); '
        'xlog("L_INFO", "$rc\\n"); if(t_newtran()) t_suspend(); }\n'
    )
    bench.send()
    bench.send(number=1)
    assert bench.logged() == ["-1", "-1", "1", "1"]
    assert len(bench.tm.table) == 1
    bench.pass_time(FR)
    bench.pass_time(WT)
    assert bench.is_empty()


def test_a_retransmission_while_nothing_is_replied_is_swallowed() -> None:
    bench = Bench(PARK + ANSWER + RESUME)
    for _ in range(3):
        bench.send(number=1)
    assert bench.replies() == []
    assert len(bench.tm.table) == 1


def test_an_ack_that_belongs_to_nothing_makes_no_transaction() -> None:
    bench = Bench('request_route { $var(r) = t_newtran(); xlog("L_INFO", "$rc\\n"); t_suspend(); }\n')
    bench.send("ACK")
    assert bench.logged() == ["1"]
    assert bench.replies() == []
    assert bench.is_empty()
