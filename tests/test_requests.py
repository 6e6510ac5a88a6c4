"""SIP requests driven by hand through `App.sip_peer`: suspended, gone on with, timed out, forgotten.

The clock is the test's own, so that half an hour costs nothing.
"""

from __future__ import annotations

import gc
import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.modules import by_name
from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.spec import Function, ModuleSpec
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.transaction import Outgoing, Transaction
from tests.driven_sip import ANSWER, FR, HEAD, PARK, RESUME, WT, Bench, schedule

# ---- suspending and going on


@pytest.mark.parametrize(
    ("method", "before"), [("OPTIONS", []), ("INVITE", ["100 trying -- your call is important to us"])]
)
def test_a_request_is_parked_and_answered_later(method: str, before: list[str]) -> None:
    bench = Bench(PARK + ANSWER + RESUME)
    bench.send(method)
    assert bench.replies() == before
    bench.pass_time(29.5)
    [which] = bench.parked()
    bench.go_on(which)
    assert bench.replies() == ["200 OK"]
    bench.go_on(which)
    assert bench.replies() == []
    assert "no active transaction" in bench.logged("tmx")[-1]
    assert bench.errors() == []


def test_a_request_that_nobody_goes_on_with_times_out_at_fr_timer_and_no_moment_before() -> None:
    bench = Bench(PARK + ANSWER + RESUME)
    bench.send()
    bench.pass_time(FR - 0.001)
    assert bench.replies() == []
    bench.pass_time(0.001)
    assert bench.replies() == ["408 Request Timeout"]
    bench.go_on(bench.parked()[0])
    assert bench.replies() == []
    bench.pass_time(WT)
    assert bench.is_empty()


def test_an_answer_at_the_last_moment_counts() -> None:
    bench = Bench(PARK + ANSWER + RESUME)
    bench.send()
    bench.clock.time += FR  # and the timer has not come to it yet
    bench.go_on(bench.parked()[0])
    bench.app.advance()
    assert bench.replies() == ["200 OK"]
    bench.pass_time(WT)
    assert bench.replies() == []
    assert bench.is_empty()


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
@pytest.mark.parametrize("resumed", [True, False])
def test_wt_timer_behind_its_end_a_transaction_is_gone(method: str, resumed: bool) -> None:
    bench = Bench(PARK + ANSWER + RESUME)
    bench.send(method)
    if resumed:
        bench.go_on(bench.parked()[0])
    else:
        bench.pass_time(FR)
    final = bench.replies()[-1]
    bench.pass_time(WT - 0.001)
    assert len(bench.tm.table) == 1
    bench.replies()
    bench.send(method, number=1)
    assert bench.replies() == [final]
    bench.pass_time(0.001)
    assert bench.is_empty()
    assert final in ("200 OK", "408 Request Timeout")
    bench.pass_time(1000)
    assert bench.replies() == []


def test_labels_tell_ten_thousand_parked_requests_apart() -> None:
    bench = Bench(
        'request_route { evapi_async_relay("$T(id_index):$T(id_label):$rU"); }\n'
        'route[RESUME] { append_to_reply("X-User: $rU\\r\\n"); t_reply("200", "OK"); }\n' + RESUME
    )
    count = 10_000
    for number in range(count):
        bench.send(user=f"u{number}")
    parked = re.findall(r":([0-9]+:[0-9]+):(u[0-9]+),", bench.application.receive().decode())
    assert len({which for which, _ in parked}) == count
    random.Random(5).shuffle(parked)
    for which, _user in parked:
        bench.go_on(which)
    replies = bench.sip.receive()
    assert len(replies) == count
    for reply, (_which, user) in zip(replies, parked, strict=True):
        assert b"X-User: %b\r\n" % user.encode() in reply
        assert b"To: <sip:%b@" % user.encode() in reply
    bench.pass_time(WT)
    assert bench.is_empty()


def test_wrong_ids_find_nothing() -> None:
    bench = Bench(PARK + ANSWER + RESUME)
    bench.send()
    index, label = map(int, bench.parked()[0].split(":"))
    for which in (f"{index + 1}:{label}", f"{index}:{label + 1}", f"-{index}:{label}", f"{index}:-{label}", "0:0", "x"):
        bench.go_on(which)
    assert bench.replies() == []
    bench.go_on(f"{index}:{label}")
    assert bench.replies() == ["200 OK"]


def test_suspended_again_and_again_up_to_a_bound() -> None:
    bench = Bench(
        PARK + 'route[RESUME] { if(!t_suspend()) { t_reply("503", "Enough"); exit; } '
        'evapi_relay("$T(id_index):$T(id_label)"); }\n' + RESUME
    )
    bench.send()
    rounds = 0
    while parked := bench.parked():
        rounds += 1
        bench.pass_time(2)
        bench.go_on(parked[0])
    assert rounds == 12
    assert bench.replies() == ["503 Enough"]
    bench.pass_time(WT)
    assert bench.is_empty()


def test_a_resumed_route_that_says_nothing_gives_an_error_reply() -> None:
    bench = Bench(PARK + "route[RESUME] { ; }\n" + RESUME)
    bench.send()
    bench.go_on(bench.parked()[0])
    assert bench.replies() == ["500 I'm terribly sorry, server error occurred (1/TM)"]
    bench.pass_time(WT)
    assert bench.is_empty()


# ---- what a request has for itself


def test_avps_are_one_requests_own_and_last_over_a_suspension() -> None:
    bench = Bench(
        'request_route { xlog("L_INFO", "new $avp(a)\\n"); $avp(a) = $rU; '
        'evapi_async_relay("$T(id_index):$T(id_label)"); $avp(b) = $rU; }\n'
        'route[RESUME] { xlog("L_INFO", "$rU $avp(a) $avp(b)\\n"); t_reply("200", "OK"); }\n' + RESUME
    )
    for user in ("one", "two", "three"):
        bench.send(user=user)
    for which in reversed(bench.parked()):
        bench.go_on(which)
    assert bench.logged() == ["new <null>"] * 3 + ["three three three", "two two two", "one one one"]


def test_mi_counts_messages() -> None:
    bench = Bench('request_route { xlog("L_INFO", "$mi\\n"); }\n')
    for _ in range(5):
        bench.send()
    bench.sip.send("\r\n\r\n")
    bench.sip.send("no SIP at all\r\n\r\n")
    bench.send()
    numbers = [int(line) for line in bench.logged()]
    assert numbers == sorted(set(numbers))
    assert bench.app.engine.requests.counted == 8


# ---- retransmissions


def test_a_retransmission_gets_the_last_reply_without_a_second_run() -> None:
    bench = Bench(
        'request_route { if(!t_newtran()) exit; xlog("L_INFO", "run\\n"); t_reply("404", "Not Here"); }\n'
        + ANSWER + RESUME
    )  # fmt: skip
    bench.send()
    bench.send(number=1)
    bench.send(number=1)
    replies = bench.sip.receive()
    assert len(replies) == 3
    assert len(set(replies)) == 1
    assert bench.logged() == ["run"]


REJECT = 'request_route { if(is_method("ACK")) { t_newtran(); exit; } t_newtran(); t_reply("%d", "Final"); }\n'


@pytest.mark.parametrize("code", [200, 404, 603])
@pytest.mark.parametrize(
    ("params", "t1", "t2", "until"),
    [
        ({"wt_timer": 60000}, 0.5, 4.0, 30.0),
        ({}, 0.5, 4.0, 5.0),
        ({"wt_timer": 60000, "retr_timer1": 1000, "retr_timer2": 1000, "fr_timer": 4000}, 1.0, 1.0, 4.0),
        ({"wt_timer": 60000, "retr_timer1": 2000, "retr_timer2": 500, "fr_timer": 5000}, 2.0, 0.5, 5.0),
        ({"wt_timer": 60000, "retr_timer1": 250, "retr_timer2": 2000, "fr_timer": 10000}, 0.25, 2.0, 10.0),
    ],
)
def test_the_final_reply_to_an_invite_comes_again_until_fr_timer(
    code: int, params: dict[str, int | str], t1: float, t2: float, until: float
) -> None:
    bench = Bench(REJECT % code, params)
    bench.send("INVITE")
    assert bench.replies() == [f"{code} Final"]
    came = bench.pass_slowly(70)
    assert came == [(when, f"{code} Final") for when in schedule(t1, t2, until)]
    assert bench.is_empty()


@pytest.mark.parametrize("code", [200, 404])
def test_an_ack_ends_the_retransmissions(code: int) -> None:
    bench = Bench(REJECT % code, {"wt_timer": 60000})
    bench.send("INVITE")
    reply = bench.sip.receive()[0].decode()
    assert [when for when, _ in bench.pass_slowly(4)] == [0.5, 1.5, 3.5]
    tag = re.search(r"\r\nTo: [^\r]*(;tag=[^\r]*)", reply)
    assert tag
    bench.send("ACK", number=1, to=tag[1])
    assert bench.pass_slowly(30) == []
    bench.pass_time(60)
    assert bench.is_empty()


def test_an_ack_with_another_tag_does_not_end_those_of_a_success() -> None:
    bench = Bench(REJECT % 200, {"wt_timer": 60000})
    bench.send("INVITE")
    bench.send("ACK", number=1, to=";tag=else")
    bench.replies()
    assert [when for when, _ in bench.pass_slowly(4)] == [0.5, 1.5, 3.5]


@pytest.mark.parametrize("method", ["OPTIONS", "BYE", "CANCEL"])
def test_other_methods_are_answered_once(method: str) -> None:
    bench = Bench(REJECT % 404, {"wt_timer": 60000})
    bench.send(method)
    assert bench.replies() == ["404 Final"]
    assert bench.pass_slowly(61) == []
    assert bench.is_empty()


def test_a_long_gap_brings_one_retransmission_not_all_that_were_missed() -> None:
    bench = Bench(REJECT % 404, {"wt_timer": 60000})
    bench.send("INVITE")
    bench.replies()
    bench.pass_time(10)
    assert bench.replies() == ["404 Final"]
    bench.pass_time(FR - 10)
    assert bench.replies() == []


def test_a_retransmitted_invite_gets_its_final_reply_at_once() -> None:
    bench = Bench(REJECT % 486, {"wt_timer": 60000})
    for _ in range(3):
        bench.send("INVITE", number=1)
    assert bench.replies() == ["486 Final"] * 3
    assert len(bench.tm.table) == 1


# ---- lifetimes


@pytest.mark.parametrize(
    ("method", "params", "ends"),
    [
        ("OPTIONS", {"fr_timer": 60000}, 32.0),
        ("INVITE", {"fr_timer": 60000}, 60.0),
        ("INVITE", {"fr_timer": 600000}, 180.0),
        ("OPTIONS", {"fr_timer": 60000, "max_noninv_lifetime": 45000}, 45.0),
        ("INVITE", {"fr_timer": 60000, "max_inv_lifetime": 45000}, 45.0),
        ("OPTIONS", {"fr_timer": 1000, "max_noninv_lifetime": 45000}, 1.0),
        ("OPTIONS", {"fr_timer": 0}, 0.001),
        ("OPTIONS", {"max_noninv_lifetime": 0}, 0.001),
    ],
)
def test_the_shorter_of_fr_timer_and_lifetime_counts(method: str, params: dict[str, int | str], ends: float) -> None:
    bench = Bench(PARK, params)
    bench.send(method)
    bench.replies()
    bench.pass_time(ends - 0.0005)
    assert bench.replies() == []
    bench.pass_time(0.0005)
    assert bench.replies() == ["408 Request Timeout"]


def test_a_lifetime_counts_from_the_transactions_beginning() -> None:
    bench = Bench(
        'request_route { t_newtran(); sleep("10"); evapi_async_relay("$T(id_index):$T(id_label)"); }\n',
        {"max_noninv_lifetime": 15000},
    )
    bench.send()
    bench.pass_time(10)
    bench.pass_time(4.999)
    assert bench.replies() == []
    bench.pass_time(0.001)
    assert bench.replies() == ["408 Request Timeout"]


def test_many_that_each_have_their_own_end_of_life_cost_no_more() -> None:
    bench = Bench(PARK, {"fr_timer": 60000})
    for _ in range(3000):
        bench.clock.time += 0.0001
        bench.send()
    bench.replies()
    assert len(bench.tm.table) == 3000
    for _ in range(400):
        bench.pass_time(0.1)
    assert bench.replies() == ["408 Request Timeout"] * 3000
    assert bench.is_empty()


# ---- failure routes


def test_a_failure_route_answers_in_place_of_the_timeout() -> None:
    bench = Bench(
        'request_route { t_on_failure("F"); evapi_async_relay("$T(id_index):$T(id_label)"); }\n'
        'failure_route[F] { xlog("L_INFO", "failed $T_reply_code\\n"); t_reply("480", "Nobody"); }\n'
    )
    bench.send()
    bench.pass_time(FR)
    assert bench.replies() == ["480 Nobody"]
    assert bench.logged() == ["failed 408"]
    bench.pass_time(WT)
    assert bench.is_empty()


@pytest.mark.parametrize(
    ("does", "replies"),
    [
        ('t_reply("480", "Nobody");', ["480 Nobody"]),
        ("", ["408 Request Timeout"]),
        ("exit;", ["408 Request Timeout"]),
        ("drop;", ["408 Request Timeout"]),
        ('if(t_reply("480", "Nobody") && t_reply("481", "Again")) xlog("never");', ["480 Nobody"]),
    ],
)
@pytest.mark.parametrize("wait", ['sleep("2");', 'usleep("2000000");'])
def test_a_failure_route_that_sleeps(wait: str, does: str, replies: list[str]) -> None:
    bench = Bench(
        'request_route { t_on_failure("F"); evapi_async_relay("$T(id_index):$T(id_label)"); }\n'
        f"failure_route[F] {{ {wait} {does} }}\n" + ANSWER + RESUME
    )
    bench.send()
    bench.pass_time(FR)
    bench.go_on(bench.parked()[0])  # too late
    bench.pass_time(1.9375)
    assert bench.replies() == []
    bench.pass_time(0.0625)
    assert bench.replies() == replies
    bench.pass_time(WT)
    assert bench.is_empty()


def test_a_failure_route_may_suspend_once_more() -> None:
    bench = Bench(
        'request_route { t_on_failure("F"); evapi_async_relay("$T(id_index):$T(id_label)"); }\n'
        'failure_route[F] { sleep("1"); t_on_failure("G"); t_suspend(); evapi_relay("$T(id_index):$T(id_label)"); }\n'
        'failure_route[G] { t_reply("480", "Twice"); }\n' + ANSWER + RESUME,
        {"max_noninv_lifetime": 100000},
    )
    bench.send()
    bench.send()
    bench.pass_time(FR)
    bench.parked()
    bench.pass_time(1)
    first, _second = bench.parked()
    bench.go_on(first)
    assert bench.replies() == ["200 OK"]
    bench.pass_time(FR)
    assert bench.replies() == ["480 Twice"]
    bench.pass_time(WT)
    assert bench.is_empty()


# ---- routes that sleep


def test_a_request_route_that_sleeps_while_its_request_comes_again() -> None:
    bench = Bench(
        'request_route { xlog("L_INFO", "run\\n"); if(!t_newtran()) exit; t_reply("180", "Ringing"); sleep("1"); '
        't_reply("200", "OK"); }\n'
    )
    bench.send()
    bench.pass_time(0.5)
    bench.send(number=1)
    assert bench.replies() == ["180 Ringing"] * 2
    bench.pass_time(0.5)
    bench.send(number=1)
    assert bench.replies() == ["200 OK"] * 2
    assert bench.logged() == ["run"] * 3
    bench.pass_time(WT)
    assert bench.is_empty()


def test_a_request_route_that_sleeps_before_its_transaction_begins() -> None:
    bench = Bench('request_route { sleep("1"); if(!t_newtran()) exit; t_reply("200", "OK"); }\n')
    bench.send()
    bench.pass_time(0.5)
    bench.send(number=1)
    bench.pass_time(0.5)
    assert bench.replies() == ["200 OK"]
    bench.pass_time(0.5)
    assert bench.replies() == ["200 OK"]
    assert len(bench.tm.table) == 1
    bench.pass_time(WT)
    assert bench.is_empty()


def test_a_resumed_route_that_sleeps_and_suspends_again() -> None:
    bench = Bench(
        PARK.replace("{", "{ $avp(n) = 0;") + """route[RESUME] {
          sleep("1");
          if($avp(n) == 2) { t_reply("200", "OK"); exit; }
          $avp(n) = $avp(n) + 1;
          t_suspend(); evapi_relay("$T(id_index):$T(id_label)");
          sleep("1");
        }\n""" + RESUME
    )  # fmt: skip
    other = bench.app.connect()
    bench.send()
    for _ in range(3):
        [which] = bench.parked()
        bench.go_on(which)
        other.send_message(which)  # it is not suspended any more
        bench.pass_time(1)
        other.receive()
        bench.pass_time(1)
    assert bench.replies() == ["200 OK"]
    assert sum("is not suspended" in line for line in bench.logged("tmx")) == 3
    bench.pass_time(WT)
    assert bench.is_empty()


def test_a_request_that_is_gone_on_with_while_its_request_route_sleeps() -> None:
    bench = Bench(
        'request_route { evapi_async_relay("$T(id_index):$T(id_label)"); sleep("3"); xlog("L_INFO", "over $rU\\n"); }\n'
        + ANSWER + RESUME
    )  # fmt: skip
    bench.send()
    bench.go_on(bench.parked()[0])
    assert bench.replies() == ["200 OK"]
    bench.pass_time(3)
    assert bench.logged() == ["over bob"]
    bench.pass_time(WT)
    assert bench.is_empty()


def test_a_request_route_that_outlives_its_transaction() -> None:
    bench = Bench(
        'request_route { t_newtran(); t_reply("200", "OK"); sleep("60"); $var(r) = t_reply("500", "Late"); '
        'xlog("L_INFO", "$var(r) $T(id_label) $rU\\n"); t_release(); }\n'
    )
    bench.send()
    label = str(next(iter(bench.tm.table._by_label)))
    bench.pass_time(WT)
    assert len(bench.tm.table) == 0
    bench.pass_time(60 - WT)
    assert bench.replies() == ["200 OK"]
    assert bench.logged() == [f"-1 {label} bob"]
    bench.pass_time(100)
    assert bench.is_empty()


def test_an_event_route_that_sleeps_around_going_on() -> None:
    bench = Bench(
        PARK + 'route[RESUME] { sleep("1"); t_reply("200", "OK $var(i)"); }\n'
        + RESUME.replace("$var(i) =", 'sleep("1"); $var(i) =', 1).replace('"RESUME");', '"RESUME"); xlog("L_INFO", '
        '"continued $rc\\n"); sleep("1"); xlog("L_INFO", "end\\n");')
    )  # fmt: skip
    bench.send()
    bench.go_on(bench.parked()[0])
    bench.pass_time(1)
    assert bench.replies() == []
    bench.pass_time(1)
    assert len(bench.replies()) == 1
    assert bench.logged() == ["continued 1"]
    bench.pass_time(1)
    assert bench.logged() == ["continued 1", "end"]
    bench.pass_time(WT)
    assert bench.is_empty()


# ---- events about replies


@pytest.mark.parametrize(
    ("event", "call"), [("tm:local-response", 't_newtran(); t_reply("200", "OK");'), ("sl:local-response", "SL")]
)
@pytest.mark.parametrize("wait", ["", 'sleep("1");'])
def test_events_about_replies_that_are_sent(event: str, call: str, wait: str) -> None:
    call = call.replace("SL", 'sl_send_reply("200", "OK");')
    bench = Bench(
        f'request_route {{ $avp(a) = "mine"; {call} xlog("L_INFO", "$avp(b)\\n"); }}\n'
        f'event_route[{event}] {{ {wait} xlog("L_INFO", "$rs $rr $avp(a) $rm\\n"); $avp(b) = "set"; }}\n'
    )
    bench.send()
    assert bench.replies() == ["200 OK"]
    if wait:
        assert bench.logged() == ["<null>"]
        bench.pass_time(1)
        assert bench.logged() == ["<null>", "200 OK mine OPTIONS"]
    else:
        assert bench.logged() == ["200 OK mine OPTIONS", "set"]
    bench.pass_time(WT)
    assert bench.is_empty()


# ---- bugs of ours


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> str:
    """The head of a file that has functions which raise, as a bug of ours would."""

    def explode(run: Run) -> int:
        raise ZeroDivisionError("as a bug would")

    async def explode_later(run: Run) -> int:
        await run.pause(1)
        raise KeyError("later")

    spec = ModuleSpec(
        "broken", functions=(Function("explode", explode), Function("explode_later", explode_later, waits=True))
    )
    monkeypatch.setitem(by_name, "broken", spec)
    return HEAD + 'loadmodule "broken.so"\n'


@pytest.mark.parametrize("function", ["explode", "explode_later"])
@pytest.mark.parametrize("in_front", ["", "t_newtran();", "t_suspend();", 't_newtran(); t_reply("180", "Ringing");'])
def test_a_bug_in_a_request_route_ends_that_run_alone(broken: str, function: str, in_front: str) -> None:
    bench = Bench(
        f'request_route {{ if($rU == "bad") {{ {in_front} {function}(); }} t_newtran(); t_reply("200", "OK"); }}\n',
        head=broken,
    )
    bench.send(user="bad")
    bench.send()
    bench.pass_time(1)
    replies = bench.replies()
    assert "200 OK" in replies
    told = ["500 I'm terribly sorry, server error occurred (1/TM)"] if "t_newtran" in in_front else []
    assert [reply for reply in replies if reply[0] == "5"] == told
    [crash] = [record for record in bench.records.lines if record.level == Level.CRITICAL]
    assert "a bug in evapi-cfg" in crash.message
    assert crash.route == "request_route"
    bench.pass_time(FR)
    bench.pass_time(WT)
    assert bench.is_empty()


@pytest.mark.parametrize("function", ["explode", "explode_later"])
@pytest.mark.parametrize("suspends", ["", "t_suspend();"])
def test_a_bug_in_a_resumed_route_gives_an_error_reply(broken: str, function: str, suspends: str) -> None:
    bench = Bench(PARK + f"route[RESUME] {{ {suspends} {function}(); }}\n" + RESUME, head=broken)
    bench.send()
    bench.send()
    for which in bench.parked():
        bench.go_on(which)
    bench.pass_time(1)
    bench.pass_time(1)
    assert bench.replies() == [] if suspends else ["500 I'm terribly sorry, server error occurred (1/TM)"] * 2
    assert sum(record.level == Level.CRITICAL for record in bench.records.lines) == 2
    bench.pass_time(FR)
    bench.pass_time(WT)
    assert bench.is_empty()


@pytest.mark.parametrize("function", ["explode", "explode_later"])
def test_a_bug_in_a_failure_route_leaves_the_timeout(broken: str, function: str) -> None:
    bench = Bench(
        f'request_route {{ t_on_failure("F"); t_suspend(); }}\nfailure_route[F] {{ {function}(); }}\n', head=broken
    )
    bench.send()
    bench.send()
    bench.pass_time(FR)
    bench.pass_time(1)
    assert bench.replies() == ["408 Request Timeout"] * 2
    bench.pass_time(WT)
    assert bench.is_empty()


@pytest.mark.parametrize("event", ["tm:local-response", "sl:local-response"])
def test_a_bug_in_an_event_route_does_not_keep_the_reply_back(broken: str, event: str) -> None:
    bench = Bench(
        'request_route { send_reply("100", "One"); t_newtran(); t_reply("200", "OK"); }\n'
        f"event_route[{event}] {{ explode(); }}\n",
        head=broken,
    )
    bench.send()
    assert bench.replies() == ["100 One", "200 OK"]
    bench.pass_time(WT)
    assert bench.is_empty()


# ---- what nobody should send


PIECES = [
    b"SIP/2.0", b"Via: ", b"From: ", b"To: ", b"Call-ID: ", b"CSeq: ", b"\r\n", b"\r\n ", b"\n", b";tag=", b";branch=",
    b"<", b">", b'"', b";", b":", b",", b" ", b"\0", b"\xff", b"99999999999", b"[::1]", b"sip:", b"tel:", b"@", b"%00",
    b"INVITE", b"-1", b"=",
]  # fmt: skip
CHANGES = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 12), st.lists(st.sampled_from(PIECES), max_size=3)),
    min_size=1,
    max_size=4,
)


@cache
def odd_bench() -> Bench:
    """One for all examples: loading takes longer than a request."""
    return Bench(
        """request_route {
      xlog("L_INFO", "$ru $rU $rd $fu $tu $ft $tt $ci $cs $hdr(Via) $ct $rb $si $sp $T(id_label) $Ts $du $ua\\n");
      if($mi mod 2 == 0) { send_reply("404", "No"); exit; }
      if(!t_newtran()) exit;
      t_suspend();
      if($mi mod 3 == 0) t_reply("302", "Moved");
    }
    """
    )


@settings(max_examples=300, deadline=None)
@given(CHANGES, st.sampled_from(["INVITE", "OPTIONS", "ACK", "CANCEL"]))
def test_no_message_is_too_odd(changes: list[tuple[int, int, list[bytes]]], method: str) -> None:
    bench = odd_bench()
    bench.records.lines.clear()
    text = (
        f"{method} sip:bob@example.com;x=y SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;rport;branch=z9hG4bKodd\r\n"
        "Via: SIP/2.0/TCP h.example,SIP/2.0/TLS [::1]:5061\r\nRecord-Route: <sip:r.example;lr>\r\n"
        f"From: Alice <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: odd@1\r\n"
        f"CSeq: 1 {method}\r\nContact: <sip:alice@10.0.0.1>\r\nContent-Length: 4\r\n\r\nbody"
    ).encode()
    for at, length, pieces in changes:
        text = text[:at] + b"".join(pieces) + text[at + length :]
    bench.sip.send(text)
    bench.pass_time(FR)
    bench.pass_time(WT)
    assert all(reply[:7].upper() == b"SIP/2.0" and b"\r\n\r\n" in reply for reply in bench.sip.receive())
    assert [record for record in bench.records.lines if record.level <= Level.CRITICAL] == []
    assert bench.is_empty()


# ---- memory


def alive() -> Counter[str]:
    return Counter(
        type(found).__name__
        for found in gc.get_objects()
        if isinstance(found, (Transaction, Message, Run, Outgoing)) or type(found).__name__ == "coroutine"
    )


@contextmanager
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


LIVES = {
    "answered": ('t_newtran(); t_reply("200", "OK");', ""),
    "stateless": ('sl_send_reply("200", "OK");', ""),
    "released": ("t_newtran();", ""),
    "parked": ('evapi_async_relay("$T(id_index):$T(id_label)");', 't_reply("200", "OK");'),
    "with AVPs": (
        '$avp(a) = 1; evapi_async_relay("$T(id_index):$T(id_label)");',
        '$avp(b) = 2; t_reply("200", "");',
    ),
    "parked twice": (
        'evapi_async_relay("$T(id_index):$T(id_label)"); $avp(n) = 1;',
        'if($avp(n) == 1) { $avp(n) = 2; t_suspend(); evapi_relay("$T(id_index):$T(id_label)"); exit; } '
        't_reply("200", "OK");',
    ),
    "sleeping": ('sleep("1"); evapi_async_relay("$T(id_index):$T(id_label)");', 'sleep("1"); t_reply("200", "OK");'),
    "timed out": ("t_suspend();", ""),
    "failed": ('t_on_failure("F"); t_suspend();', ""),
    "dropped": ("t_newtran(); t_drop();", ""),
    "exited": ('if(t_newtran() && $(ru{uri.user}) == "bob") exit;', ""),
}


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
def test_nothing_is_left_of_requests_and_no_collector_is_needed(method: str, life: str) -> None:
    request, resumed = LIVES[life]
    bench = Bench(
        f"request_route {{ {request} }}\nroute[RESUME] {{ {resumed or 'exit;'} }}\n"
        'failure_route[F] { usleep("1000"); t_reply("480", "Gone"); }\n' + RESUME
    )
    with without_collector():
        before = alive()
        for _ in range(200):
            bench.send(method)
        bench.pass_time(1)
        while parked := bench.parked():
            for which in parked:
                bench.go_on(which)
            bench.pass_time(1)
        bench.pass_time(FR)
        bench.pass_time(1)
        bench.pass_time(WT)
        assert bench.is_empty()
        bench.records.lines.clear()
        assert alive() - before == Counter()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["park", "answer", "sleep", "release", "nothing", "trans", "park-sleep", "fail"]),
            st.sampled_from(["INVITE", "OPTIONS", "CANCEL", "ACK"]),
            st.sampled_from([0.0, 0.25, 1.0, 7.0, 31.0]),
            st.sampled_from(["new", "again", "on"]),
        ),
        max_size=25,
    )
)
def test_whatever_happens_everything_ends(happenings: list[tuple[str, str, float, str]]) -> None:
    bench = Bench(
        """request_route {
          if(is_method("CANCEL")) { t_relay_cancel(); }
          switch($rU) {
            case "park": t_on_failure("F"); evapi_async_relay("$T(id_index):$T(id_label)"); break;
            case "answer": send_reply("404", "No"); break;
            case "sleep": t_newtran(); sleep("2"); t_reply("200", "OK"); break;
            case "release": t_newtran(); t_release(); break;
            case "trans": t_check_trans(); t_newtran(); t_reply("486", "Busy"); break;
            case "park-sleep": evapi_async_relay("$T(id_index):$T(id_label)"); sleep("1"); t_reply("183", "On"); break;
            case "fail": t_on_failure("F"); t_set_fr("3000", "3000"); t_suspend(); break;
          }
        }
        failure_route[F] { sleep("1"); if($rU == "fail") t_reply("480", "Gone"); }
        route[RESUME] {
          if($avp(again) == $null && $rU == "park") {
            $avp(again) = 1; t_suspend(); evapi_relay("$T(id_index):$T(id_label)"); exit;
          }
          sleep("1"); t_reply("200", "OK"); sleep("9");
        }
        """
        + RESUME
    )
    with without_collector():
        before = alive()
        parked: list[str] = []
        for user, method, seconds, what in happenings:
            match what:
                case "new":
                    bench.send(method, user)
                case "again":
                    bench.send(method, user, number=max(bench.sent, 1))
                case _ if parked:
                    bench.go_on(parked.pop(0))
            bench.pass_time(seconds)
            parked += bench.parked()
        for _ in range(8):
            bench.pass_time(31)
        assert bench.is_empty()
        assert [record for record in bench.records.lines if record.level <= Level.CRITICAL] == []
        bench.records.lines.clear()
        assert alive() - before == Counter()
