"""How header lines are read: the short way and the careful one find the same, at once and once more, whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evapi_cfg.sip.head import Layouts, careful_head, plain_head
from evapi_cfg.sip.headers import body_text
from evapi_cfg.sip.message import Message, MessageError
from evapi_cfg.sip.reply import build_reply
from evapi_cfg.sip.soundness import sound
from evapi_cfg.sip.uri import parse_address
from evapi_cfg.sip.via import parse_via, parse_vias
from tests.test_sip_torture import read_all
from tests.torture import ALL

FIRST = "OPTIONS sip:x@example.com SIP/2.0\r\n"
USUAL = [
    "Via: SIP/2.0/UDP a.example.net:5060;branch=z9hG4bK1",
    "From: <sip:a@example.net>;tag=1",
    "To: <sip:b@example.net>",
    "Call-ID: 1@a",
    "CSeq: 1 OPTIONS",
    "Content-Length: 0",
]
LINES = st.one_of(
    st.sampled_from(USUAL),
    st.sampled_from(
        [
            "v:SIP/2.0/TCP b, SIP/2.0/TLS c ;x=y",
            "Via: SIP/2.0/UDP d:99999;rport;received=1.2.3.4",
            "Via: SIP/2.0/UDP d;branch=",
            "Via: SIP/2.0/UDP d;branch=a;Branch=b",
            "Via: SIP/2.0/UDP 1:123456",
            "f: sip:a@b;tag=x,y",
            'From: "A \\" B" <sip:a@b>;tag=1;x="y"',
            "From:",
            "To: A B <sip:a@b>;TAG=q;tag=r",
            "To: <sip:b@example.net>;",
            "t\t:\t<sip:b@example.net>  ",
            "i: 2@b",
            "CSeq: x OPTIONS",
            "CSeq: 1",
            "CSeq: 1 2 3",
            "l: 5 ",
            "Content-Length: 2147483640",
            "Content-Length: x",
            "Max-Forwards: 70",
            "Retry-After: 5 (soon)",
            "Retry-After: soon",
            "Contact: <sip:c@d>;expires=5, *",
            "Contact: *",
            "Route: <sip:r;lr>,<sip:s;lr>",
            "no header",
            ": none",
            " folded",
            "\tfolded: too",
            "",
            "X-A: \xe9\0\r",
            "X-A:",
            "X-A\0: b",
        ]
    ),
    st.text(st.sampled_from('aV:;,<>" \t\r\n\\=\0\xff@/.[]()*'), max_size=12),
)
ENDS = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r"])
BLOCKS = st.lists(st.tuples(LINES, ENDS), max_size=12).map(lambda lines: "".join(map("".join, lines)))


def with_usual(block: str) -> str:
    """A message that has all headers, and some lines in front of and behind them."""
    cut = block.find("\n") + 1
    return FIRST + block[:cut] + "\r\n".join(USUAL[:5]) + "\r\n" + block[cut:] + "\r\n"


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A well-formed message with some characters changed, taken away or put in."""
    text = draw(st.sampled_from([FIRST + "\r\n".join(USUAL) + "\r\n\r\nbody", *(odd.text for odd in ALL[:8])]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        new = draw(st.text(st.sampled_from('\r\n :;,<>"\\=\0\xffaZ0'), max_size=3))
        text = text[:at] + new + text[at + draw(st.integers(0, 3)) :]
    return text


MESSAGES = st.one_of(BLOCKS.map(lambda block: FIRST + block), BLOCKS.map(with_usual), mutated())


def parsed(text: str) -> Message | None:
    try:
        return Message(text)
    except MessageError:
        return None


@given(MESSAGES)
@example(FIRST + "\r\n".join(USUAL) + "\r\n\r\n")
def test_both_ways_find_the_same(text: str) -> None:
    message = parsed(text)
    if message is None:
        return
    plain = plain_head(message.text, message.headers_at)
    careful = careful_head(message.text, message.headers_at)
    if plain is None:
        return
    lines, kinds, end, via, cseq, tag = plain
    first = dict(reversed(list(zip(kinds, lines, strict=True))))
    assert careful.fault == ""
    assert [header.kind for header in careful.headers] == list(kinds)
    assert [message.text[header.start : header.end] for header in careful.headers] == [f"{line}\r\n" for line in lines]
    assert [header.body for header in careful.headers] == [body_text(line.partition(":")[2]) for line in lines]
    assert careful.end == end
    vias = parse_vias(body_text(first["via"].partition(":")[2]))
    assert vias is not None
    assert vias[0] == via
    assert cseq == tuple(first["cseq"].partition(":")[2].split())
    target = parse_address(body_text(first["to"].partition(":")[2]))
    assert target is not None
    assert tag == (target.param("tag") or "")
    layouts = Layouts()
    for _ in range(12):  # read line by line, and then by the layout that was remembered
        read = layouts.read(message.text, message.headers_at)
        assert read is not None
        assert read == plain
    assert message.fault() == ""


def shown(message: Message) -> tuple[object, ...]:
    """What there is to read in a message."""
    return (
        message.fault(), message.complete, message.lines, message.headers, message.headers_end, message.body,
        message.content_length, message.cseq, message.via, message.vias, message.address("from"), message.address("to"),
        message.values("contact"), message.bodies("route"), message.body_of("call-id"), message.method_id,
        sound(message), sound(message, ("from", "x")), message.updated(),
    )  # fmt: skip


@given(MESSAGES)
def test_reading_once_more_finds_the_same(text: str) -> None:
    message = parsed(text)
    if message is None:
        return
    before = shown(message)
    message.forget_read()
    assert shown(message) == before
    assert shown(message.fresh()) == before
    message.replace_text(message.text)
    assert shown(message) == before


@given(MESSAGES)
def test_what_is_read_is_in_the_text(text: str) -> None:
    message = parsed(text)
    if message is None:
        return
    at = message.headers_at
    for header in message.headers:
        assert header.start == at
        assert message.text.startswith(header.name, header.start)
        assert message.text.startswith(header.body, header.body_at)
        assert header.start < header.end <= message.headers_end
        at = header.end
    assert message.headers_end == at
    assert message.leading + message.text == text
    assert message.body is None or message.text.endswith(message.body)
    assert not message.complete or at >= len(message.text) or message.text[at] in "\r\n"
    if message.complete and not message.fault():
        reply = build_reply(message, 404, "Not Found", "tag", "Server: x\r\n")
        again = Message(reply.replace(message.version, "SIP/2.0", 1))  # which may be SIP/2.0x, and is repeated
        assert (again.status, again.body_of("call-id")) == (404, message.body_of("call-id"))


def head_of(*more: str) -> str:
    return FIRST + "\r\n".join([*USUAL, *more]) + "\r\n\r\n"


def test_layouts_that_come_once_are_not_remembered() -> None:
    layouts = Layouts()
    for number in range(3000):
        text = head_of(f"X-{number}: a")
        assert layouts.read(text, len(FIRST)) == plain_head(text, len(FIRST))
    assert not layouts._known and len(layouts._counted) <= 1024


def test_there_are_only_so_many_layouts() -> None:
    layouts = Layouts()
    for number in range(200):
        text = head_of(f"X-{number}: a")
        for _ in range(10):
            assert layouts.read(text, len(FIRST)) == plain_head(text, len(FIRST))
    assert (len(layouts._known), len(layouts._recent)) == (64, 4)
    text = head_of("X-0: b")
    assert layouts.read(text, len(FIRST)) == plain_head(text, len(FIRST))
    assert layouts._recent[0] is layouts._known[tuple(line.partition(":")[0] for line in [*USUAL, "X-0: b"])]


@given(MESSAGES)
def test_no_variable_raises(text: str) -> None:
    if parsed(text) is not None:
        read_all(text)


@given(st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_bytes(text: str) -> None:
    for whole in (text, FIRST + text, "SIP/2.0 200 OK\r\n" + text):
        message = parsed(whole)
        if message is not None:
            shown(message)


@pytest.mark.parametrize(
    "text",
    [
        "a " * 20000, "a " * 20000 + "<", "<sip:a>" + ";x" * 20000 + "\\", '"' + "\\a" * 20000, " " * 40000 + "x x",
        "\r\n " * 20000 + '"', "SIP" + " " * 40000 + "x", "SIP/2.0/UDP a" + ";x " * 20000 + ",",
        "SIP/2.0/UDP a" + ", " * 20000,
        "SIP/2.0/UDP a;rport" + ";rport" * 20000 + " x", "SIP/2.0/UDP a" + ";branch=b" * 20000 + "(",
    ],
    ids=range(11),
)  # fmt: skip
def test_long_texts_take_time_of_their_length(text: str) -> None:
    """A pattern that goes back and forth would take minutes here."""
    assert parse_address(text) is None
    parse_via(text)


@pytest.mark.parametrize(
    "lines,fault,known",
    [
        ([], "", True),
        (["X-A: b"], "", True),
        (["From: <sip:a@b>"], "it has a second From", False),
        (["Max-Forwards: 1", "Max-Forwards: 2"], "it has a second Max-Forwards", False),
        (["Content-Type: a/b", "Content-Type: c/d"], "", True),
        (["Retry-After: later"], "its Retry-After cannot be read", False),
        (["l: 1x"], "its l cannot be read", False),
        (["Via: x"], "its Via cannot be read", False),
        (["nothing"], "it has a line that is no header", False),
    ],
)
def test_what_stands_behind_a_bad_header_is_not_known(lines: list[str], fault: str, known: bool) -> None:
    text = FIRST + "\r\n".join([*USUAL[:5], "Subject: in front", *lines, "User-Agent: behind", "", ""])
    message = Message(text)
    assert message.fault() == ""
    assert message.head.fault == fault
    assert message.complete == known
    assert message.body_of("subject") == "in front"
    assert message.body_of("user-agent") == ("behind" if known else None)
    assert message.body == ("" if known else None)
    assert sound(message, ("subject",))
    assert sound(message, ("user-agent",)) == known


def test_only_blanks_may_stand_behind_a_cseq() -> None:
    for end, fault in [("", ""), (" \t", ""), ("\r\n ", ""), ("\r", "its CSeq cannot be read")]:
        assert Message(FIRST + "\r\n".join([*USUAL[:4], USUAL[4] + end, "", ""])).fault() == fault


def test_a_text_that_ends_with_its_headers() -> None:
    message = Message(FIRST + "\r\n".join([*USUAL, ""]))
    assert message.complete
    assert message.body is None
    cut = Message(FIRST + "\r\n".join([*USUAL, "X-A: cut"]))
    assert not cut.complete
    assert cut.fault() == ""
    assert Message(FIRST + USUAL[0]).fault() == "its last line has no end"
