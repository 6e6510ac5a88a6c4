"""sl: replies without a transaction, the choice between them and tm's, and the ACKs that they absorb."""

from __future__ import annotations

import re

import pytest

from tests.driven_sip import HEAD, WT, Bench


def tag_of(reply: bytes) -> str:
    found = re.search(r"\r\nTo: [^\r]*;tag=([^;\r]*)", reply.decode())
    return found[1] if found else ""


@pytest.mark.parametrize("call", ['sl_send_reply("404", "No")', 'sl_reply("404", "No")', 'send_reply("404", "No")'])
def test_a_reply_without_a_transaction(call: str) -> None:
    bench = Bench(f"request_route {{ {call}; }}\n")
    bench.send()
    assert bench.replies() == ["404 No"]
    assert bench.is_empty()


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ('sl_send_reply("$avp(none)", "No")', "500 No"),
        ('sl_send_reply("486", "$avp(none)")', "486 Internal Server Error"),
        ('send_reply("$var(code)", "$rU is busy")', "486 bob is busy"),
        ('send_reply_mode("486", "Busy", "1")', "486 Busy"),
        ("sl_reply_error()", "500 I'm terribly sorry, server error occurred (1/SL)"),
        ("send_reply_error()", "500 I'm terribly sorry, server error occurred (1/SL)"),
    ],
)
def test_what_the_arguments_become(call: str, line: str) -> None:
    bench = Bench(f"request_route {{ $var(code) = 486; {call}; }}\n")
    bench.send()
    assert bench.replies() == [line]


def test_tags_are_the_same_for_a_request_that_comes_again_and_no_others() -> None:
    bench = Bench('request_route { sl_send_reply("404", "No"); }\n')
    for number in (1, 1, 2):
        bench.send(number=number)
    first, again, other = map(tag_of, bench.sip.receive())
    assert first == again != other
    assert re.fullmatch(r"[0-9a-f]{32}\.[0-9a-f]{8}", first)


@pytest.mark.parametrize(("code", "tagged"), [(100, False), (179, False), (180, True), (200, True), (699, True)])
def test_a_tag_is_for_replies_that_need_one(code: int, tagged: bool) -> None:
    bench = Bench(f'request_route {{ sl_send_reply("{code}", "R"); }}\n')
    bench.send()
    bench.send(to=";tag=there")
    without, within = map(tag_of, bench.sip.receive())
    assert bool(without) == tagged
    assert within == "there"


def test_an_ack_of_such_a_reply_is_absorbed_for_two_seconds() -> None:
    bench = Bench(
        'request_route { xlog("L_INFO", "$rm\\n"); if(!is_method("ACK")) sl_send_reply("404", "No"); }\n'
        'event_route[sl:filtered-ack] { xlog("L_INFO", "filtered $rm\\n"); }\n'
    )
    bench.send("ACK", to=";tag=x")  # nothing was replied yet
    bench.send("INVITE")
    tag = f";tag={tag_of(bench.sip.receive()[0])}"
    for to in (tag, tag + "0", ""):
        bench.send("ACK", number=2, to=to)
    bench.pass_time(1.9375)
    bench.send("ACK", number=2, to=tag)
    bench.pass_time(0.0625)
    bench.send("ACK", number=2, to=tag)
    assert bench.logged() == ["ACK", "INVITE", "filtered ACK", "ACK", "ACK", "filtered ACK", "ACK"]
    assert bench.replies() == []
    assert bench.is_empty()


def test_an_ack_gets_no_reply() -> None:
    bench = Bench('request_route { $var(r) = sl_send_reply("200", "OK"); xlog("L_INFO", "$var(r)\\n"); }\n')
    bench.send("ACK")
    assert bench.logged() == ["-1"]
    assert bench.replies() == []


def test_a_transaction_is_used_where_there_is_one() -> None:
    bench = Bench('request_route { t_newtran(); send_reply("404", "No"); }\n')
    bench.send()
    assert len(bench.tm.table) == 1
    assert "-" in tag_of(bench.sip.receive()[0])
    bench.pass_time(WT)
    assert bench.is_empty()


def test_bind_tm_off_leaves_the_transaction_alone() -> None:
    bench = Bench('modparam("sl", "bind_tm", 0)\nrequest_route { t_newtran(); send_reply("404", "No"); }\n')
    bench.send()
    assert "." in tag_of(bench.sip.receive()[0])
    bench.pass_time(WT)
    assert bench.is_empty()


def test_own_defaults() -> None:
    head = HEAD + 'modparam("sl", "default_code", 488)\nmodparam("sl", "default_reason", "Sorry")\n'
    bench = Bench('request_route { sl_send_reply("$avp(none)", "$avp(none)"); }\n', head=head)
    bench.send()
    assert bench.replies() == ["488 Sorry"]


def test_a_second_error_reply_is_refused() -> None:
    bench = Bench(
        'request_route { sl_send_reply("404", "No"); $var(a) = sl_reply_error(); $var(b) = send_reply_error(); '
        'xlog("L_INFO", "$var(a) $var(b)\\n"); }\n'
    )
    bench.send()
    assert bench.replies() == ["404 No"]
    assert bench.logged() == ["-2 -2"]


def test_the_tag_can_be_known_beforehand() -> None:
    bench = Bench('request_route { xlog("L_INFO", "$ltt(s)\\n"); sl_send_reply("404", "No"); }\n')
    bench.send()
    assert bench.logged() == [tag_of(bench.sip.receive()[0])]
