"""The text of replies, where they go, and their tags."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.sip.message import FORCE_RPORT, NO_RECEIVED, Message, Received
from evapi_cfg.sip.reply import REASONS, build_reply, own_tag, reason_of, reply_port
from evapi_cfg.sip.uri import TCP, UDP

SOURCE, PORT = "192.0.2.9", 40000
SERVER = "Server: test\r\n"
BRANCH = "z9hG4bKone"


def request(*vias: str, source: str = SOURCE, headers: str = "", to: str = "To: <sip:bob@example.com>") -> Message:
    lines = "".join(f"Via: {via}\r\n" for via in vias)
    return Message(
        f"OPTIONS sip:bob@example.com SIP/2.0\r\n{lines}From: <sip:alice@example.com>;tag=a\r\n{to}\r\n"
        f"Call-ID: call@1\r\nCSeq: 7 OPTIONS\r\n{headers}Content-Length: 0\r\n\r\n",
        Received(UDP, source, PORT),
    )


def reply_to(message: Message, code: int = 200, reason: str = "OK", tag: str = "t") -> Message:
    """The reply, read again."""
    reply = Message(build_reply(message, code, reason, tag, SERVER))
    assert not reply.is_request
    assert reply.complete
    assert reply.fault() == ""
    assert reply.body_of("call-id") == message.body_of("call-id")
    assert reply.cseq == message.cseq
    assert reply.body_of("from") == message.body_of("from")
    return reply


# ---- Via


@pytest.mark.parametrize(
    ("via", "told"),
    [
        (f"SIP/2.0/UDP {SOURCE}:5062;branch={BRANCH}", f"SIP/2.0/UDP {SOURCE}:5062;branch={BRANCH}"),
        (f"SIP/2.0/UDP {SOURCE};x=r;branch={BRANCH}", f"SIP/2.0/UDP {SOURCE};x=r;branch={BRANCH}"),
        (f"SIP/2.0/UDP {SOURCE}", f"SIP/2.0/UDP {SOURCE}"),
        ("SIP/2.0/UDP 10.0.0.1", f"SIP/2.0/UDP 10.0.0.1;received={SOURCE}"),
        ("SIP/2.0/UDP 10.0.0.1:5062", f"SIP/2.0/UDP 10.0.0.1:5062;received={SOURCE}"),
        (f"SIP/2.0/UDP h.example;branch={BRANCH}", f"SIP/2.0/UDP h.example;branch={BRANCH};received={SOURCE}"),
        (
            f"SIP/2.0/UDP h.example;branch={BRANCH};x=1",
            f"SIP/2.0/UDP h.example;branch={BRANCH};received={SOURCE};x=1",
        ),
        (
            f"SIP/2.0/UDP {SOURCE};rport;branch={BRANCH}",
            f"SIP/2.0/UDP {SOURCE};rport={PORT};received={SOURCE};branch={BRANCH}",
        ),
        (
            f"SIP/2.0/UDP {SOURCE};branch={BRANCH};rport",
            f"SIP/2.0/UDP {SOURCE};branch={BRANCH};rport={PORT};received={SOURCE}",
        ),
        (
            f"SIP/2.0/UDP {SOURCE};a=1;rport;branch={BRANCH}",
            f"SIP/2.0/UDP {SOURCE};a=1;rport={PORT};received={SOURCE};branch={BRANCH}",
        ),
        (f"SIP/2.0/UDP {SOURCE};rport", f"SIP/2.0/UDP {SOURCE};rport={PORT};received={SOURCE}"),
        (f"SIP/2.0/UDP {SOURCE};rport=99", f"SIP/2.0/UDP {SOURCE};rport={PORT};received={SOURCE}"),
        (f"SIP/2.0/UDP {SOURCE};RPORT", f"SIP/2.0/UDP {SOURCE};rport={PORT};received={SOURCE}"),
        (f"SIP/2.0/UDP {SOURCE};BRANCH=1;RPORT", f"SIP/2.0/UDP {SOURCE};BRANCH=1;rport={PORT};received={SOURCE}"),
        (f"SIP/2.0/UDP {SOURCE};xrport;branch=1", f"SIP/2.0/UDP {SOURCE};xrport;branch=1"),
        (f"SIP/2.0/UDP {SOURCE} ; rport ;branch=1", f"SIP/2.0/UDP {SOURCE} ;rport={PORT};received={SOURCE} ;branch=1"),
        (f"SIP/2.0/UDP {SOURCE};rport=1 (x)", f"SIP/2.0/UDP {SOURCE};rport={PORT};received={SOURCE} (x)"),
    ],
)
def test_the_topmost_via_tells_where_the_request_came_from(via: str, told: str) -> None:
    assert reply_to(request(via)).body_of("via") == told


@pytest.mark.parametrize(
    ("host", "source", "told"),
    [
        ("[2001:db8::1]", "2001:db8::1", ""),
        ("[2001:db8::1]:5062", "2001:db8::1", ""),
        ("[2001:db8::2]", "2001:db8::1", ";received=2001:db8::1"),
        ("h.example", "2001:db8::1", ";received=2001:db8::1"),
        ("[2001:db8::1]", "192.0.2.1", ";received=192.0.2.1"),
    ],
)
def test_addresses_of_ipv6(host: str, source: str, told: str) -> None:
    via = f"SIP/2.0/UDP {host};branch={BRANCH}"
    assert reply_to(request(via, source=source)).body_of("via") == via + told
    rport = f"{via};rport"
    assert reply_to(request(rport, source=source)).body_of("via") == f"{via};rport={PORT};received={source}"


SECOND, THIRD = "SIP/2.0/TCP proxy.example;branch=z9hG4bKtwo;rport", "SIP/2.0/UDP other.example:5099;branch=3"
FIRST = f"SIP/2.0/UDP h.example;branch={BRANCH}"
TOLD = f"{FIRST};received={SOURCE}"


@pytest.mark.parametrize(
    ("vias", "told"),
    [
        ((FIRST, SECOND, THIRD), [TOLD, SECOND, THIRD]),
        ((f"{FIRST}, {SECOND},{THIRD}",), [f"{TOLD}, {SECOND},{THIRD}"]),
        ((f"{FIRST},{SECOND}", THIRD), [f"{TOLD},{SECOND}", THIRD]),
        ((FIRST, FIRST, FIRST), [TOLD, FIRST, FIRST]),
        ((f"{FIRST},{FIRST}",), [f"{TOLD},{FIRST}"]),
        ((f"SIP/2.0/UDP h.example,{SECOND}",), [f"SIP/2.0/UDP h.example;received={SOURCE},{SECOND}"]),
    ],
)
def test_all_vias_come_back_in_their_order(vias: tuple[str, ...], told: list[str]) -> None:
    message = request(*vias)
    reply = reply_to(message)
    assert reply.bodies("via") == told
    assert len(reply.vias) == len(message.vias)


def test_vias_between_other_headers_and_compact_names_come_back() -> None:
    text = (
        f"OPTIONS sip:bob@example.com SIP/2.0\r\nv: {FIRST}\r\nf: <sip:a@b>;tag=a\r\nX: 1\r\ni: call@1\r\n"
        f"VIA:{SECOND}\r\nt:<sip:b@b>\r\nCSEQ: 7 OPTIONS\r\nl: 0\r\n\r\n"
    )
    message = Message(text, Received(UDP, SOURCE, PORT))
    assert build_reply(message, 200, "OK", "t", "") == (
        f"SIP/2.0 200 OK\r\nv: {TOLD}\r\nf: <sip:a@b>;tag=a\r\ni: call@1\r\nVIA:{SECOND}\r\n"
        "t:<sip:b@b>;tag=t\r\nCSEQ: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    reply_to(message)


def test_a_folded_via_stays_folded() -> None:
    message = request(f"SIP/2.0/UDP h.example\r\n ;branch={BRANCH}\r\n\t;rport,\r\n {SECOND}")
    reply = reply_to(message)
    assert [via.host for via in reply.vias] == ["h.example", "proxy.example"]
    assert reply.vias[0].param("rport") == str(PORT)
    assert reply.vias[0].param("received") == SOURCE
    assert reply.vias[0].branch == BRANCH


@pytest.mark.parametrize(
    ("flags", "via", "told"),
    [
        (
            FORCE_RPORT,
            f"SIP/2.0/UDP {SOURCE};branch=1",
            f"SIP/2.0/UDP {SOURCE};branch=1;rport={PORT};received={SOURCE}",
        ),
        (FORCE_RPORT, f"SIP/2.0/UDP {SOURCE}", f"SIP/2.0/UDP {SOURCE};rport={PORT};received={SOURCE}"),
        (NO_RECEIVED, FIRST, FIRST),
    ],
)
def test_what_the_script_asked_of_the_via(flags: int, via: str, told: str) -> None:
    message = request(via)
    message.internal_flags |= flags
    assert reply_to(message).body_of("via") == told


@pytest.mark.parametrize(
    ("via", "port"),
    [
        (f"SIP/2.0/UDP {SOURCE}", 5060),
        (f"SIP/2.0/UDP {SOURCE}:5062", 5062),
        (f"SIP/2.0/UDP {SOURCE}:5062;rport", PORT),
        (f"SIP/2.0/UDP {SOURCE}:5062;branch=1;rport=1", PORT),
        (f"SIP/2.0/UDP {SOURCE}:5062;RPORT", PORT),
        (f"SIP/2.0/UDP {SOURCE}:5062;branch=rport", 5062),
        (f"SIP/2.0/UDP {SOURCE}:5062;x=rport", 5062),
        (f"SIP/2.0/UDP {SOURCE}:5062;xrport;rportx", 5062),
        ("SIP/2.0/UDP [2001:db8::1]:5070", 5070),
        (f"SIP/2.0/UDP {SOURCE}:5062, SIP/2.0/UDP h;rport", 5062),
    ],
)
def test_the_port_that_a_reply_goes_to(via: str, port: int) -> None:
    message = request(via)
    assert message.via is not None
    assert reply_port(message, message.via) == port
    message.internal_flags |= FORCE_RPORT
    assert reply_port(message, message.via) == PORT


# ---- what is copied, and what is not


@pytest.mark.parametrize(
    ("code", "there"), [(100, False), (179, False), (180, True), (199, True), (200, True), (299, True), (300, False)]
)
def test_record_route_is_for_replies_that_make_a_dialog(code: int, there: bool) -> None:
    routes = "Record-Route: <sip:a.example;lr>\r\nrecord-route: <sip:b.example;lr>,<sip:c.example;lr>\r\n"
    reply = reply_to(request(FIRST, headers=routes), code)
    wanted = ["<sip:a.example;lr>", "<sip:b.example;lr>,<sip:c.example;lr>"]
    assert reply.bodies("record-route") == (wanted if there else [])


def test_other_headers_and_the_body_stay_behind() -> None:
    message = Message(
        "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9\r\nMax-Forwards: 5\r\nFrom: <sip:a@b>;tag=a"
        "\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:a@b>\r\nRoute: <sip:x;lr>\r\n"
        "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody",
        Received(UDP, "192.0.2.9", 5060),
    )
    assert build_reply(message, 404, "Not Found", "", SERVER) == (
        "SIP/2.0 404 Not Found\r\nVia: SIP/2.0/UDP 192.0.2.9\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:b@b>\r\nCall-ID: 1"
        "\r\nCSeq: 1 INVITE\r\nServer: test\r\nContent-Length: 0\r\n\r\n"
    )


def test_headers_and_body_of_the_script_go_along() -> None:
    message = request(FIRST)
    message.reply_headers = ("X-One: 1\r\n", "Content-Type: text/plain\r\n")
    message.reply_body = "caf\xc3\xa9"
    reply = reply_to(message)
    assert reply.bodies("x-one") == ["1"]
    assert reply.body == "caf\xc3\xa9"
    assert reply.body_of("content-length") == "5"
    assert reply.body_of("server") == "test"


@pytest.mark.parametrize("version", ["SIP/2.0", "sip/2.0"])
def test_the_version_is_that_of_the_request(version: str) -> None:
    message = Message(request(FIRST).text.replace("SIP/2.0\r\n", f"{version}\r\n", 1), Received())
    assert build_reply(message, 200, "OK", "", "").startswith(f"{version} 200 OK\r\n")


@pytest.mark.parametrize(
    ("code", "shown"), [(200, "200"), (699, "699"), (7, "007"), (0, "000"), (999, "999"), (1200, "200"), (70700, "700")]
)
def test_odd_codes_have_three_digits(code: int, shown: str) -> None:
    assert build_reply(request(FIRST), code, "Odd", "", "").startswith(f"SIP/2.0 {shown} Odd\r\n")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (100, "Trying"), (183, "Session Progress"), (199, "Provisional"), (200, "OK"), (299, "Successful"),
        (399, "Redirection"), (487, "Request Terminated"), (499, "Request Failure"), (599, "Server Failure"),
        (699, "Global Failure"), (700, "Unspecified"), (99, "Unspecified"), (0, "Unspecified"), (-1, "Unspecified"),
        (-1000, "Unspecified"), (1 << 40, "Unspecified"),
    ],
)  # fmt: skip
def test_usual_words(code: int, words: str) -> None:
    assert reason_of(code) == words


def test_usual_words_are_printable() -> None:
    assert all(re.fullmatch("[A-Z][A-Za-z/ -]+", words) for words in REASONS.values())


# ---- To and its tag


@pytest.mark.parametrize(
    ("to", "tag"),
    [
        ("To: <sip:b@b>", ""),
        ("To: <sip:b@b>;tag=1", "1"),
        ("To: <sip:b@b> ; TAG = 1 ;x=y", "1"),
        ("To: <sip:b@b>;x=1;tag=a-b.c", "a-b.c"),
        ("To: <sip:b@b;tag=uri>", ""),
        ("To: sip:b@b;tag=bare", "bare"),
        ("To: sip:b@b", ""),
        ('To: "x;tag=no <y>" <sip:b@b>', ""),
        ('To: "x" <sip:b@b>;tag=q', "q"),
        ("t: Bob <sip:b@b>;tag=2", "2"),
        ("To: <sip:b@b>;xtag=1", ""),
        ("To: <sip:b@b>;x-tag=1;tag=2", "2"),
        ("To: <sip:b@b>\r\n ;tag=3", "3"),
    ],
)
def test_the_tag_in_to(to: str, tag: str) -> None:
    message = request(FIRST, to=to)
    assert message.to_tag == tag
    if not tag:
        assert reply_to(message).to_tag == "t"


def test_a_tag_is_added_at_the_end_of_to() -> None:
    assert reply_to(request(FIRST, to="To: <sip:b@b>;x=1  ")).body_of("to") == "<sip:b@b>;x=1;tag=t"
    assert reply_to(request(FIRST), tag="").body_of("to") == "<sip:bob@example.com>"


def test_own_tags_are_of_one_request_each() -> None:
    message = request(FIRST)
    assert own_tag("p-", message) == own_tag("p-", Message(message.text, Received(TCP, "198.51.100.1", 1)))
    assert re.fullmatch("p-[0-9a-f]{8}", own_tag("p-", message))
    others = [
        request(FIRST + "x"), request(f"SIP/2.0/UDP h2.example;branch={BRANCH}"),
        request(f"SIP/2.0/UDP h.example:5061;branch={BRANCH}"),
        Message(message.text.replace("call@1", "call@2"), message.received),
    ]  # fmt: skip
    assert len({own_tag("p-", one) for one in (message, *others)}) == 5


def test_a_message_without_via_has_a_tag_as_well() -> None:
    assert own_tag("p-", Message("OPTIONS sip:a@b SIP/2.0\r\nFrom: <sip:a@b>\r\n\r\n")).startswith("p-")


WORDS = st.text("abcxyz0129.-_", min_size=1, max_size=8)
PARAMS = st.lists(
    st.one_of(
        st.sampled_from(["rport", "rport=7", "RPORT", "received=10.9.8.7", "ttl=1", 'x="a;b,c"']),
        st.builds("branch=z9hG4bK{}".format, WORDS),
        st.builds("p-{}={}".format, WORDS, WORDS),
    ),
    max_size=4,
    unique_by=lambda param: param.partition("=")[0].lower(),
)
VIAS = st.builds(
    lambda host, port, params, gap: f"SIP/2.0/UDP {host}{port}" + "".join(f"{gap};{param}" for param in params),
    st.sampled_from(["h.example", SOURCE, "[2001:db8::1]"]),
    st.sampled_from(["", ":5062", ":5060"]),
    PARAMS,
    st.sampled_from(["", " ", "\r\n ", " \r\n\t"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(VIAS, min_size=1, max_size=3), min_size=1, max_size=3), st.integers(100, 699), st.booleans())
def test_replies_can_be_read_and_keep_what_was_there(lines: list[list[str]], code: int, force: bool) -> None:
    message = request(*(", ".join(line) for line in lines))
    if force:
        message.internal_flags |= FORCE_RPORT
    reply = reply_to(message, code, reason_of(code))
    assert reply.status == code
    assert [(via.host, via.port, via.branch) for via in reply.vias] == [
        (via.host, via.port, via.branch) for via in message.vias
    ]
    assert reply.vias[1:] == message.vias[1:]
    top, told = message.vias[0], reply.vias[0]
    wants = force or top.param("rport") is not None
    assert told.param("rport") == (str(PORT) if wants else None)
    if wants or (top.host != SOURCE and top.param("received") is None):
        assert f"received={SOURCE}" in told.params
