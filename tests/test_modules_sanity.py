"""sanity: what its cases against Kamailio do not show."""

from __future__ import annotations

import pytest

from evapi_cfg.modules.context import Routes
from evapi_cfg.sip.message import NO_REPLY, Message, Received, Socket
from evapi_cfg.sip.uri import TCP, UDP
from tests.module_world import Bench

ALL = 0x7FFF
LINES = {
    "first": "OPTIONS sip:b SIP/2.0",
    "Via": "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx",
    "From": "<sip:a@b>;tag=1",
    "To": "<sip:b>",
    "Call-ID": "c",
    "CSeq": "1 OPTIONS",
}


ARRIVED = Received(UDP, "10.0.0.2", 5060, "10.0.0.1", 5060, Socket(UDP, "10.0.0.1", 5060))


def about(params: tuple[tuple[str, str, int | str], ...] = (), *, body: str = "", **headers: str | None) -> Bench:
    """A bench whose run is about a request in which some headers are others; None leaves one away."""
    lines = {**LINES, **{name.replace("_", "-"): value for name, value in headers.items()}}
    first = lines.pop("first")
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    bench = Bench(("sanity", "autodrop", 0), *params)
    bench.run.message = Message(f"{first}\r\n{text}\r\n{body}", ARRIVED)
    bench.run.kind = Routes.REQUEST
    return bench


def answers(bench: Bench) -> list[str]:
    return [text.split("\r\n")[0] for _, _, text in bench.world.outbox]


def check(bench: Bench, checks: int = ALL, uri_checks: int = 15) -> int:
    return bench.call("sanity_check", checks, uri_checks)


def test_a_sound_request() -> None:
    assert check(about(Content_Length="2", Expires="60 ", Contact="*", body="ab")) == 1


@pytest.mark.parametrize(
    "headers,checks,reason",
    [
        ({"From": None}, 4, None),
        ({"Call-ID": None}, 4, None),
        ({"To": "<"}, 4, None),
        ({"CSeq": "1"}, 32, None),
        ({"CSeq": "1"}, 64, None),
        ({"Via": "x"}, 1 << 14, None),
        ({"From": "<"}, 1 << 12, None),
        ({"From": None}, 1 << 10, None),
        ({"CSeq": "10000000000 OPTIONS"}, 64, "400 CSeq number is illegal"),
        ({"CSeq": "4294967297 OPTIONS"}, 64, "400 CSeq number is illegal"),
        ({"CSeq": "\xb2 OPTIONS"}, 64, "400 CSeq number is illegal"),
        ({"Content-Length": "3"}, 128, "400 Content-Length mis-match"),
        ({"Expires": "60 x"}, 256, ""),
        ({"Expires": "6x"}, 256, "400 Expires value is illegal"),
        ({"Expires": "4294967297"}, 256, "400 Expires value is illegal"),
        ({"Proxy-Require": "a,"}, 512, "420 Bad Proxy Require Extension"),
        ({"Contact": "<sip:a>, <"}, 1024, "400 Bad Contact Header"),
        ({"Contact": "<bad>"}, 1024, "400 Bad Contact URI"),
        ({"Contact": "<sip:a>, <bad>"}, 1024, ""),
        ({"From": "<sip:a>;tag=1;Tag=2"}, 1 << 12, "400 Many From Tag Params"),
        ({"Authorization": "Digest"}, 1 << 11, None),
        ({"Authorization": "Basic x"}, 1 << 13, ""),
        ({"Authorization": "Digest x"}, 1 << 13, "400 Bad Auth Header"),
        ({"Authorization": 'Digest username="u'}, 1 << 13, "400 Bad Auth Header"),
        ({"Authorization": "Digest username="}, 1 << 13, "400 Bad Auth Header"),
        ({"Authorization": "Digest username=u"}, 1 << 13, "400 Bad Auth Credentials"),
        (
            {"Proxy-Authorization": "Digest username=u,realm=r,nonce=n,uri=u,response=r,qop=auth"},
            1 << 11,
            "400 Bad Auth Credentials",
        ),
        ({"Proxy-Authorization": "digest username = u,realm=r,nonce=n,uri=u,response=r"}, 1 << 11, ""),
    ],
)
def test_faults(headers: dict[str, str | None], checks: int, reason: str | None) -> None:
    """None as the reason: it fails without an answer; an empty one: it passes."""
    bench = about(**{name.replace("-", "_"): value for name, value in headers.items()})
    code = check(bench, checks)
    assert code == (1 if reason == "" else -1)
    assert answers(bench) == ([f"SIP/2.0 {reason}"] if reason else [])


def test_no_answer_without_what_it_is_made_of() -> None:
    bench = about(From=None)
    message = bench.run.message
    assert message is not None
    assert check(bench, 4) == -1
    assert message.internal_flags & NO_REPLY
    assert check(bench, 256) == 1
    assert check(about(first="OPTIONS bad SIP/2.0", X_Broken="1\r\nbroken"), 2) == -1


def test_no_answer_to_an_ack() -> None:
    bench = about(first="ACK sip:b SIP/2.0")
    assert check(bench, 32) == -1
    assert answers(bench) == []


def test_a_script_that_is_to_end() -> None:
    bench = about((("sanity", "autodrop", 1),), CSeq="1 INVITE")
    assert bench.call("sanity_check") == 0
    assert bench.call("sanity_check", 256) == 1
    assert bench.call("sanity_check", 0) == -1


def test_another_answer_is_not_that_of_this_message() -> None:
    bench = about((("sanity", "noreply", 1),), CSeq="1 INVITE")
    assert check(bench, 32) == -1
    assert answers(bench) == []
    other = bench.new_run()
    other.kind = Routes.REQUEST
    other.message = Message(
        "OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nTo: <sip:b>\r\nCSeq: 1 OPTIONS\r\n\r\n", ARRIVED
    )
    assert bench.call("sanity_reply", run=other) == 1
    assert bench.call("sanity_reply") == 1
    assert answers(bench) == [
        "SIP/2.0 500 Server Sanity Failure",
        "SIP/2.0 400 CSeq method does not match request method",
    ]


def test_replies() -> None:
    """Kamailio takes a reply's reason for the version, and its version for the method."""
    bench = Bench(("sanity", "autodrop", 0), ("sanity", "noreply", 1))
    bench.run.message = Message("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nCSeq: 1 INVITE\r\n\r\n")
    for checks in (1, 2, 32):
        assert bench.call("sanity_check", checks) == -1
    assert bench.call("sanity_reply") == 1
    assert not bench.world.outbox


def test_a_length_that_tcp_needs() -> None:
    bench = about()
    message = bench.run.message
    assert message is not None
    message.received = Received(TCP)
    assert check(bench, 128) == 1
    assert [line.source for line in bench.log.lines] == ["sanity"]


@pytest.mark.parametrize("text", ["", "\0", "\xff", '"', "<", ";", "=,=", "Digest =", "Digest a=b,,", "sip:[", "1 "])
def test_nothing_raises(text: str) -> None:
    for name in ("Via", "From", "To", "CSeq", "Contact", "Expires", "Content-Length", "Proxy-Require", "Authorization"):
        bench = about(**{name.replace("-", "_"): text})
        for bit in range(15):
            assert check(bench, 1 << bit) in (1, -1)
    assert bench.call("sanity_check", None) == -1
    assert bench.call("sanity_check", 1, None) == -1
