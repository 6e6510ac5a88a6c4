"""SIP messages and addresses."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evapi_cfg.sip.headers import header_kind
from evapi_cfg.sip.message import Branch, Message, MessageError
from evapi_cfg.sip.uri import PROTOCOLS, TCP, TLS, Uri, parse_address, parse_uri, split_quoted

REQUEST = (
    "MESSAGE sip:bob@example.com SIP/2.0\r\n"
    "v: SIP/2.0/UDP a.example.com;branch=z9hG4bK1\r\n"
    "Via: SIP/2.0/TCP [2001:db8::1]:5070;rport;received=10.0.0.1,\r\n"
    "  SIP/2.0/TLS c.example.com:5061 ; branch=z9hG4bK3\r\n"
    'f: "Alice \\"A\\", B" <sip:alice@example.org;x=1>;tag=1;p="q;r"\r\n'
    "To:sip:bob@example.com;tag=2\r\n"
    "Call-ID : abc@host\r\n"
    "CSEQ: 12  MESSAGE\r\n"
    "X-Empty:\r\n"
    "l: 5\r\n"
    "\r\n"
    "hello"
)


def test_first_lines() -> None:
    request = Message(REQUEST)
    assert (request.is_request, request.method, request.uri, request.version) == (
        True, "MESSAGE", "sip:bob@example.com", "SIP/2.0",
    )  # fmt: skip
    assert request.method_id == 256
    reply = Message("SIP/2.0 183 Session Progress here\r\nCSeq: 1 INVITE\r\n\r\n")
    assert (reply.is_request, reply.status, reply.reason) == (False, 183, "Session Progress here")
    assert reply.method_id == 1
    assert Message("UNHEARD sip:x SIP/2.0\n\n").method_id == 1 << 19
    for wrong in ("", "OPTIONS", "OPTIONS sip:x\r\n", "SIP/2.0 20 OK\r\n", "SIP/2.0 abc OK\r\n", "A b HTTP/1.1\r\n"):
        with pytest.raises(MessageError):
            Message(wrong)


def test_headers() -> None:
    message = Message(REQUEST)
    assert [header.name for header in message.headers] == [
        "v", "Via", "f", "To", "Call-ID", "CSEQ", "X-Empty", "l",
    ]  # fmt: skip
    assert [header.kind for header in message.headers][:3] == ["via", "via", "from"]
    call_id = message.first("call-id")
    assert call_id is not None
    assert call_id.body == "abc@host"
    for header in message.headers:
        assert message.text[header.body_at :].startswith(header.body)
        assert message.text[header.start :].startswith(header.name)
    assert message.cseq == ("12", "MESSAGE")
    assert message.body == "hello"
    assert message.values("x-empty") == []
    assert message.first("none") is None
    assert header_kind("V") == "via"
    assert header_kind("z") == "z"


def test_vias() -> None:
    message = Message(REQUEST)
    assert [(via.host, via.port, via.protocol) for via in message.vias] == [
        ("a.example.com", 0, PROTOCOLS["udp"]), ("[2001:db8::1]", 5070, TCP), ("c.example.com", 5061, TLS),
    ]  # fmt: skip
    assert message.vias[0].param("branch") == "z9hG4bK1"
    assert message.vias[1].param("rport") == ""
    assert message.vias[1].param("none") is None
    assert message.vias[2].param("branch") == "z9hG4bK3"


def test_addresses() -> None:
    message = Message(REQUEST)
    sender, target = message.address("from"), message.address("to")
    assert sender is not None
    assert target is not None
    assert (sender.display, sender.uri) == ('"Alice \\"A\\", B"', "sip:alice@example.org;x=1")
    assert (sender.param("tag"), sender.param("p"), sender.param("x")) == ("1", "q;r", None)
    assert (target.display, target.uri, target.param("tag")) == ("", "sip:bob@example.com", "2")
    assert message.address("contact") is None


@pytest.mark.parametrize("text", ["", "  ", '"open <sip:a>', "<sip:a", "<sip:a> x", '"q" sip:a'])
def test_no_address(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize("end", ["", "\r\n", "\n", "\r\n\r\n", "\r\n\r\nbody", "no colon\r\n", " folded\r\n"])
def test_ends(end: str) -> None:
    message = Message("OPTIONS sip:x SIP/2.0\r\nA: b\r\n" + end)
    assert message.headers[0].name == "A"
    assert message.body == {"\r\n": "", "\n": "", "\r\n\r\n": "\r\n", "\r\n\r\nbody": "\r\nbody"}.get(end)


def test_edits() -> None:
    message = Message(REQUEST)
    header = message.first("call-id")
    assert header is not None
    message.edit(header.body_at, len(header.body), "new")
    message.new_uri = "sip:else@where"
    assert message.request_uri == "sip:else@where"
    sent = message.updated()
    assert sent.startswith("MESSAGE sip:else@where SIP/2.0\r\n")
    assert "Call-ID : new\r\n" in sent
    assert sent.endswith("\r\n\r\nhello")
    assert header.body == "abc@host"


def test_no_edits_leave_the_text() -> None:
    assert Message(REQUEST).updated() == REQUEST


@pytest.mark.parametrize(
    "text,uri",
    [
        ("sip:a:p@b:5070;x;transport=tls?h=1", Uri("sip", "a", "p", "b", "5070", "x;transport=tls", "h=1",
                                                  "x;transport=tls", {"transport": "tls"})),
        ("SIPS:b", Uri("sips", host="b")),
        ("sip:[::1]:5060;lr", Uri("sip", host="[::1]", port="5060", params="lr", sip_params="lr", known={"lr": "lr"})),
        ("tel:+12;a=b", Uri("tel", user="+12", params="a=b")),
        ("urn:service:sos", Uri("urn", host="service:sos")),
        ("sip:1;a=b@c;user=phone", Uri("tel", "1", host="c", params="a=b", sip_params="user=phone",
                                       known={"user": "phone"})),
    ],
)  # fmt: skip
def test_uris(text: str, uri: Uri) -> None:
    assert parse_uri(text) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "x:y",
        "sip:@b",
        "sip:a@",
        "sip::p@b",
        "sip:a@b:x",
        "sip:b:70000",
        "sip:a@b:065535",
        "sip:a@b@c",
        "sip:[::1",
        "sip:a@b_c",
        "sip:a@-b",
        "sip:b?x=y;z",
        "sip:a:p;w@b",
        "sip:a]@b",
        "sip:a@b&c",
        "tels:1",
        "urn:a@b",
    ],
)
def test_no_uris(text: str) -> None:
    assert parse_uri(text) is None


def test_protocols() -> None:
    for text, protocol in [
        ("sip:a", 0),
        ("sip:a;transport=TCP", TCP),
        ("sip:a;transport=x", 0),
        ("sip:a;transport", 0),
    ]:
        uri = parse_uri(text)
        assert uri is not None
        assert uri.protocol == protocol


def test_splitting() -> None:
    assert split_quoted('a, "b,c" <d,e>, f', ",") == ["a", ' "b,c" <d,e>', " f"]
    assert split_quoted('a,"open', ",") == ["a", '"open']
    assert split_quoted("", ",") == []


PIECES = st.sampled_from(
    [
        "sip:",
        "tel:",
        "sips:",
        "urn:",
        "a",
        "@",
        ":",
        ";",
        "?",
        "=",
        "[",
        "]",
        "::1",
        "5060",
        "&",
        " ",
        "<",
        ">",
        '"',
        ",",
        "\\",
        "transport=tcp",
        "user=phone",
        "lr",
        "\xff",
        "\0",
        "%41",
        "example.com",
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join))
@example("sip:a:b:c@d")
def test_any_text_as_a_uri_or_an_address(text: str) -> None:
    uri = parse_uri(text)
    if uri is not None:
        assert uri.host or uri.user
        assert uri.port_number <= 65535
    address = parse_address(text)
    if address is not None:
        assert text[address.uri_at :].startswith(address.uri)


LINES = st.sampled_from(
    [
        "Via: SIP/2.0/UDP h",
        "From: <sip:a@b>",
        "To: x",
        " folded",
        "CSeq: 1",
        "",
        "bad header",
        ":",
        "Contact: *",
        "l: x",
    ]
)


@given(st.lists(LINES, max_size=8), st.sampled_from(["\r\n", "\n", "\r"]))
def test_any_lines_as_a_message(lines: list[str], end: str) -> None:
    message = Message("OPTIONS sip:x SIP/2.0\r\n" + end.join(lines))
    assert message.updated() == message.text
    for header in message.headers:
        assert message.text[header.body_at :].startswith(header.body)
    for kind in ("via", "from", "to", "contact"):
        message.values(kind)
        message.address(kind)
    assert message.vias is not None
    assert message.cseq is not None
    assert message.body is None or message.text.endswith(message.body)


def test_a_fresh_one_shares_what_was_read_but_no_change() -> None:
    message = Message(REQUEST)
    message.new_uri = "sip:changed"
    message.edit(0, 7, "OPTIONS")
    message.flags = 5
    headers = message.headers
    other = message.fresh()
    assert other.headers is headers
    assert other.updated() == REQUEST
    assert (other.new_uri, other.flags, other.branches, other.edits) == (None, 0, [], ())
    other.branches.append(Branch("sip:x"))
    assert not message.branches
