"""Well-formed messages held against a second parser, aiosipua, which knows nothing of Kamailio.

What is left out of the messages, because the two have a taste each:
- escapes in quoted display names, and quotes or `<` in them: aiosipua looks for the first `<` wherever it stands;
- parameters behind an address without `<` and `>` other than the tag: aiosipua takes them for the URI's;
- a user part with `;` or `?`, and a password: aiosipua does not tell them from parameters and headers;
- a body of another length than Content-Length says: aiosipua cuts it, Kamailio takes the datagram as it is;
- bytes above 127 in headers: aiosipua reads UTF-8, Kamailio bytes;
- CSeq numbers with leading zeros: they are numbers there and texts here.
Where a line is folded, aiosipua joins the parts with one blank, and Kamailio leaves the text as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import aiosipua
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evapi_cfg.sip.message import Message
from evapi_cfg.sip.uri import parse_uri

TOKEN = st.text("abcXYZ019-.!%*_+~", min_size=1, max_size=8)
WORD = st.text("abcdefgXYZ0189", min_size=1, max_size=8)
HOST = st.one_of(
    st.builds("{}.example.net".format, WORD),
    st.builds("10.0.0.{}".format, st.integers(0, 255)),
    st.just("[2001:db8::17]"),
)
PORT = st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format))
PARAMS = st.lists(
    st.one_of(st.sampled_from([";lr", ";transport=tcp"]), st.builds(";x{}={}".format, WORD, TOKEN)), max_size=2
).map("".join)
URI = st.builds(
    "{}:{}{}{}{}".format,
    st.sampled_from(["sip", "sips", "SIP"]),
    st.one_of(st.just(""), st.builds("{}@".format, st.text("abcXYZ019-_.!~*'()&=+$,%", min_size=1, max_size=8))),
    HOST,
    PORT,
    PARAMS,
)
BLANK = st.sampled_from(["", " ", "  ", "\t", "\r\n ", " \r\n\t"])
TAG = st.one_of(st.just(""), st.builds("{};{}tag={}".format, BLANK, BLANK, TOKEN))
DISPLAY = st.sampled_from(["", "Mona ", "Mona Two ", '"Mona, the first; a:b" ', '"" '])
ADDRESS = st.one_of(
    st.builds("{}<{}>{}".format, DISPLAY, URI, TAG),
    st.builds("{}:{}@{}{}{}".format, st.just("sip"), WORD, HOST, PORT, TAG),
)
VIA = st.builds(
    "SIP/2.0/{} {}{}{}{}".format,
    st.sampled_from(["UDP", "TCP", "TLS", "WS", "SCTP", "FANCY"]),
    HOST,
    PORT,
    st.lists(st.sampled_from([";rport", ";received=10.1.1.1", ";x=y", ";z", ";ttl=5"]), max_size=2, unique=True).map(
        "".join
    ),
    st.one_of(st.just(""), st.builds("{};branch=z9hG4bK{}".format, st.sampled_from(["", " "]), TOKEN)),
)
VIAS = st.builds(
    "{}:{}{}".format,
    st.sampled_from(["Via", "v", "VIA"]),
    st.sampled_from(["", " ", "\t"]),
    st.lists(VIA, min_size=1, max_size=3).map(", ".join),
)
VALUE = st.text('abc XYZ019;,=:/"<>@()', max_size=20)


@dataclass(frozen=True)
class Made:
    text: str
    body: bytes


@st.composite
def messages(draw: st.DrawFn) -> Made:
    method = draw(st.one_of(st.sampled_from(["INVITE", "OPTIONS", "MESSAGE"]), TOKEN))
    if draw(st.booleans()):
        first = f"{method} {draw(URI)} SIP/2.0"
    else:
        first = f"SIP/2.0 {draw(st.integers(100, 699))} {draw(st.sampled_from(['OK', 'Not Found', 'x (y) = z', '']))}"
    body = draw(st.binary(max_size=20))
    named = st.sampled_from
    lines = [
        *draw(st.lists(VIAS, min_size=1, max_size=3)),
        f"{draw(named(['From', 'f', 'FROM']))}:{draw(BLANK)}{draw(ADDRESS)}",
        f"{draw(named(['To', 't']))}{draw(named(['', ' ']))}:{draw(BLANK)}{draw(ADDRESS)}",
        f"{draw(named(['Call-ID', 'i']))}: {draw(TOKEN)}@{draw(HOST)}",
        f"CSeq: {draw(st.integers(0, 2**31))} {method}",
        f"{draw(named(['Content-Length', 'l']))}: {len(body)}",
        *draw(st.lists(st.builds("X-{}:{}{}".format, WORD, BLANK, VALUE), max_size=3)),
        *draw(st.lists(st.builds("Route: <{}>".format, URI), max_size=2)),
    ]
    order = draw(st.permutations(lines))
    return Made("\r\n".join([first, *order]) + "\r\n\r\n" + body.decode("latin-1"), body)


def unfolded(value: str) -> str:
    return re.sub(r"[ \t]*(?:\r\n)[ \t]+", " ", value).strip()


@given(messages())
def test_both_parsers_read_the_same(made: Made) -> None:
    message = Message(made.text)
    other = aiosipua.SipMessage.parse(made.text.encode("latin-1"))
    assert message.fault() == ""
    assert message.complete
    if isinstance(other, aiosipua.SipRequest):
        assert (message.is_request, message.method, message.uri) == (True, other.method, other.uri)
    else:
        assert (message.is_request, message.status) == (False, other.status_code)
        assert message.reason.strip() == other.reason_phrase.strip()
    assert (message.body or "").encode("latin-1") == other.body == made.body
    assert other.cseq is not None
    assert message.cseq == (str(other.cseq.seq), other.cseq.method)
    assert message.content_length == other.content_length
    assert message.body_of("call-id") == other.call_id

    for kind, theirs in (("from", other.from_addr), ("to", other.to_addr)):
        address = message.address(kind)
        assert address is not None
        assert theirs is not None
        uri = parse_uri(address.uri)
        assert uri is not None
        assert (address.param("tag") or None) == (theirs.tag or None)
        assert (address.display.strip('"') or None) == theirs.display_name
        assert (uri.scheme, uri.user or None, uri.host) == (theirs.uri.scheme, theirs.uri.user, theirs.uri.host)
        assert (int(uri.port) if uri.port else None) == theirs.uri.port

    assert [(via.transport.upper(), via.host, via.port or None, via.branch or None) for via in message.vias] == [
        (via.transport, via.host, via.port, via.branch) for via in other.via
    ]
    kinds = set(message.lines[1])
    assert kinds == {name.lower() for name, _ in other.headers.items()}
    for kind in kinds - {"via", "from", "to", "route"}:
        assert [unfolded(body) for body in message.bodies(kind)] == [unfolded(one) for one in other.headers.get(kind)]
    assert message.values("route") == other.headers.get("route")


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_line_ends(end: str) -> None:
    text = end.join(
        ["OPTIONS sip:a@b SIP/2.0", "Via: SIP/2.0/UDP h;branch=z", "From: <sip:a@b>;tag=1", "To: <sip:c@d>", "i: 1",
         "CSeq: 1 OPTIONS", "l: 2", "", "hi"]
    )  # fmt: skip
    message, other = Message(text), aiosipua.SipMessage.parse(text)
    assert message.body == other.text == "hi"
    assert message.vias[0].branch == other.via[0].branch == "z"
