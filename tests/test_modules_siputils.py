"""siputils: what its cases against Kamailio do not show, odd input first of all."""

from __future__ import annotations

import pytest

from evapi_cfg.modules.context import Level
from evapi_cfg.modules.siputils import MODULE
from evapi_cfg.modules.spec import Arg, FixupError
from evapi_cfg.sip.message import Message, Received, Socket
from evapi_cfg.sip.uri import TCP, UDP
from tests.module_world import Bench

HEAD = (
    "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx\r\n"
    "From: <sip:a@b>;tag=1\r\nTo: <sip:bob@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
)  # fmt: skip
REPLY = (
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b>;tag=2\r\nCSeq: 1 INVITE\r\n"
)


def about(headers: str = "", *, first: str = "", params: tuple[tuple[str, str, int | str], ...] = ()) -> Bench:
    """A bench whose run is about a request with more headers, or with another request URI."""
    bench = Bench(*params)
    text = HEAD.replace("sip:bob@example.com", first, 1) if first else HEAD
    bench.run.message = Message(f"{text}{headers}\r\n")
    return bench


def reply(headers: str = "") -> Bench:
    bench = Bench()
    bench.run.message = Message(f"{REPLY}{headers}\r\n", Received(UDP, "10.0.0.9", 5060))
    bench.world.sockets.append(Socket(UDP, "10.0.0.1", 5060))
    return bench


@pytest.mark.parametrize(
    "to,code",
    [
        ("<sip:b>;tag=x", 1),
        ("sip:b;tag=x", 1),
        ('"<;tag=no" <sip:b>', -1),
        ('"q" <sip:b> ; tag = x', 1),
        ("<sip:b>;tag=", -1),
        ("", -1),
        ("<", -1),
    ],
)
def test_has_totag(to: str, code: int) -> None:
    bench = Bench()
    bench.run.message = Message(HEAD.replace("<sip:bob@b>", to) + "\r\n")
    assert bench.call("has_totag") == code


def test_a_message_without_to() -> None:
    bench = Bench()
    bench.run.message = Message("OPTIONS sip:a SIP/2.0\r\n\r\n")
    assert bench.call("has_totag") == -1
    assert bench.log.lines[-1].level == Level.ERROR
    assert bench.call("sip_parse_headers") == 1


def test_an_event_of_evapi_has_a_request() -> None:
    bench = Bench()
    assert (bench.call("is_request"), bench.call("is_reply"), bench.call("has_totag")) == (1, -1, -1)


@pytest.mark.parametrize(
    "headers,code",
    [
        ("X: y\r\n", 1),
        ("broken\r\n", -1),
        ("Content-Length: x\r\n", -1),
        ("Content-Length: 99999999999999999999999999\r\n", -1),
        ("Max-Forwards: 1\r\nMax-Forwards: 1\r\n", -1),
        ("Via: nothing\r\n", -1),
        ("Via:\r\n", -1),
    ],
)
def test_headers_that_can_be_read(headers: str, code: int) -> None:
    assert about(headers).call("sip_parse_headers") == code


def test_first_hop_of_replies() -> None:
    assert reply().call("is_first_hop") == 1
    assert reply("Record-Route: <sip:10.0.0.1;lr>\r\n").call("is_first_hop") == 1
    assert reply("Record-Route: <sip:10.0.0.7;lr>\r\n").call("is_first_hop") == -1
    assert reply("Record-Route: <sip:name;lr>\r\n").call("is_first_hop") == -1
    assert reply("Record-Route: <bad>\r\n").call("is_first_hop", 1) == -1
    assert reply("Record-Route: <sip:10.0.0.1;lr>\r\nbroken\r\n").call("is_first_hop") == -1
    own = reply("Record-Route: <sip:10.0.0.9;lr>\r\n")
    own.world.sockets.append(Socket(UDP, "10.0.0.9", 5060))
    assert own.call("is_first_hop") == -1
    assert own.call("is_first_hop", 1) == 1
    assert own.call("is_first_hop", None) == -1


def test_options_that_are_known() -> None:
    bench = about("Supported: Path,x\r\nk: GRUU\r\n")
    fixup = bench.function("is_supported", 1).fixup
    assert fixup is not None
    assert fixup(("PATH",)) == ("path",)
    with pytest.raises(FixupError):
        fixup(("nothing",))
    assert bench.call("is_supported", "path") == 1
    assert bench.call("is_supported", "gruu") == 1
    assert bench.call("is_supported", "timer") == -1


@pytest.mark.parametrize(
    "date,code",
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", 1),
        ("Tue, 14 Nov 2023 22:13:09 gmt", -4),
        ("Tue, 4 Nov 2023 22:13:20 GMT", -4),
        ("Tue, 32 Nov 2023 22:13:20 GMT", -1),
        ("Tue, 00 Jan 0000 00:00:00 GMT", -1),
        ("Tue, 14 Nov 1960 22:13:20 GMT", -2),
        ("Tue, 14 Nov 2023 22:13:20 CET", -1),
        ("", -1),
    ],
)
def test_dates(date: str, code: int) -> None:
    assert about(f"Date: {date}\r\n").call("hdr_date_check", 10) == code


def test_e164_of_other_lengths() -> None:
    bench = about(params=(("siputils", "e164_max_len", 4),))
    variable = bench.variable("$var(n)")
    for text, code in (("+12", 1), ("+123", 1), ("+1234", -1), ("+\xb2\xb3", -1), ("", -1)):
        bench.set("$var(n)", text)
        assert bench.call("is_e164", variable) == code
    assert bench.call("is_e164", bench.variable("$null")) == -1
    assert bench.call("is_uri_user_e164", bench.variable("$null")) == -1


# ---- URIs -----------------------------------------------------------------------------------------------------------


def test_a_parameter_of_a_uri_with_headers() -> None:
    bench = about(first="sip:u:p@h:1;a=b?x=y")
    assert bench.call("add_uri_param", "n=1") == 1
    assert bench.get("$ru") == "sip:u:p@h:1a=b;n=1?x=y"  # the parameters' `;` is lost as in Kamailio, the user is not
    assert [line.level for line in bench.log.lines] == [Level.WARNING] * 2


def test_a_parameter_too_much() -> None:
    bench = about()
    assert bench.call("add_uri_param", "x" * 1024) == -1
    assert bench.get("$ru") == "sip:bob@example.com"
    bench.set("$ru", f"sip:{'a' * 1020}@h;x=1")
    assert bench.call("uri_param_rm", "x") == -1


@pytest.mark.parametrize("uri", ["garbage", "sip:", "*"])
def test_functions_of_a_request_uri_that_is_none(uri: str) -> None:
    bench = about(first=uri)
    target = bench.variable("$var(x)")
    assert bench.call("uri_param", "x") == -1
    assert bench.call("uri_param", "x", "y") == -1
    assert bench.call("uri_param_any", "x") == -1
    assert bench.call("uri_param_rm", "x") == -1
    assert bench.call("add_uri_param", "x") == -1
    assert bench.call("get_uri_param", "x", target) == -1
    assert bench.call("is_gruu") == -1
    assert bench.call("is_gruu", uri) == -1
    assert bench.call("options_reply") == -1
    assert bench.call("contact_param_decode_ruri", "x") == -1
    assert bench.get("$ru") == uri


def test_a_parameter_in_quotes_is_removed_up_to_its_closing_quote() -> None:
    bench = about(first='sip:h;a="1;2";b')
    assert bench.call("uri_param_rm", "A") == 1
    assert bench.get("$ru") == 'sip:h";b'


def test_parts_of_what_is_no_uri() -> None:
    bench = Bench()
    target, part = bench.variable("$var(u)"), bench.variable("$var(p)")
    for uri, new in (("", "x"), ("garbage", "x"), ("sip:h", None), ("sip:" + "a" * 1020, "x")):
        bench.set("$var(u)", uri)
        bench.space["p"] = 0
        value = bench.variable("$null") if new is None else part
        bench.set("$var(p)", new)
        assert bench.call("set_uri_user", target, value) == -1
        assert bench.call("set_uri_host", target, value) == -1
        assert bench.get("$var(u)") == uri
    assert bench.call("set_uri_user", bench.variable("$null"), part) == -1


def test_tel_parameters_that_are_too_many() -> None:
    bench = Bench()
    target = bench.variable("$var(r)")
    uri = "tel:1" + "".join(f";p{n}={n}" for n in range(12)) + ";ISUB"
    assert bench.call("tel2sip2", uri, "h", target) == 1
    assert bench.get("$var(r)").endswith(";p9=9;p10=10;p11=11;isub@h;user=phone")  # type: ignore[union-attr]
    assert bench.call("tel2sip2", "tel:1;post-dial=2;isdn-subaddress=3;phone-context=+1-2", "h", target) == 1
    assert bench.get("$var(r)") == "sip:1;isdn-subaddress=3;post-dial=2;phone-context=+12@h;user=phone"
    for name in ("tel2sip", "tel2sip2"):
        assert bench.call(name, None, "h", target) == -1
        assert bench.call(name, "tel:1", None, target) == -1
        assert bench.call(name, "tel:1", "h", bench.variable("$rm")) == -1
        fixup = bench.function(name, 3).fixup
        assert fixup is not None
        with pytest.raises(FixupError):
            fixup((None, None, bench.variable("$rm")))


@pytest.mark.parametrize(
    "one,other,code",
    [
        ("sip:a@b;user=phone", "sip:a@b", -1),
        ("sip:a@b;maddr=h", "sip:a@b", -1),
        ("sip:a@b;X=Y", "sip:a@b;x=y", 1),
        ("sip:a@b;x=", "sip:a@b;x=;y", -2),
        ("sip:a@b:", "sip:a@b", 1),
    ],
)
def test_cmp_uri(one: str, other: str, code: int) -> None:
    assert Bench().call("cmp_uri", one, other) == code


@pytest.mark.parametrize(
    "one,other,code",
    [("From", "To", -1), ("From", "X", -1), ("\xff", "a", -2), ("X-B", "X-A", -1), ("m", "Contact ", 1), ("", "", -2)],
)
def test_cmp_hdr_name(one: str, other: str, code: int) -> None:
    assert Bench().call("cmp_hdr_name", one, other) == code


# ---- contacts -------------------------------------------------------------------------------------------------------

ODD_CONTACTS = [
    "",
    "<",
    "<sip:a",
    '"open <sip:a>',
    "sip:a;",
    "sip:a,",
    "sip:a;x=,",
    ">",
    "<>",
    "ab",
    "*, *",
    "<s:a<b>>",
]


@pytest.mark.parametrize("body", ODD_CONTACTS)
def test_contacts_that_cannot_be_read(body: str) -> None:
    bench = about(f"Contact: {body}\r\n")
    star = body.startswith("*")
    assert bench.call("encode_contact", "p", "h") == (1 if star else -4)
    assert bench.call("decode_contact_header") == (1 if star else -4)
    assert bench.call("contact_param_encode", "p", "sip:h") == (1 if star else -4)
    assert bench.call("contact_param_decode", "p") == 1
    assert bench.call("contact_param_rm", "p") == 1
    assert bench.call("contact_param_check", "p") == (-1 if star else 1)
    assert not bench.run.message or not bench.run.message.edits


@pytest.mark.parametrize(
    "uri,code",
    [("sips:a@b", -509), ("x:abc", -26), ("garbage", -4), ("sip:a@b:999999", -509), ("sip:\x01", 1)],
)
def test_contacts_that_cannot_be_encoded(uri: str, code: int) -> None:
    assert about(f"Contact: <{uri}>\r\n").call("encode_contact", "p", "h") == (-25 if code == -4 else code)


@pytest.mark.parametrize(
    "uri,code",
    [("garbage", -22), ("sip:h", -23), ("sip:1@h", -26), ("sip:1*2*3*4*5*6*7@h", -24), ("sip:*****@h", -2),
     ("sip:p**w*i**@h", -3), ("sip:p*u*w*i*1*tcp@h;x=1", 1)],
)  # fmt: skip
def test_decode_contact(uri: str, code: int) -> None:
    bench = about(first=uri)
    assert bench.call("decode_contact") == code
    assert bench.get("$ru") == ("sip:u:w@i:1;transport=tcp;x=1" if code == 1 else uri)


def test_another_separator() -> None:
    bench = about(
        "m: <sip:a:p@1.2.3.4:5070;transport=tcp;x=1>\r\n", params=(("siputils", "contact_flds_separator", "+-"),)
    )
    assert bench.call("encode_contact", "p", "h") == 1
    message = bench.run.message
    assert message is not None
    assert "m: <sip:p+a+p+1.2.3.4+5070+tcp@h>\r\n" in message.updated()


def test_hidden_contacts() -> None:
    bench = about("Contact: sip:alice@10.0.0.1;q=1 , <sip:b@c>\r\nm: <sip:d@e;px=%>\r\n")
    message = bench.run.message
    assert message is not None
    message.received = Received(TCP, "::1", 7000)
    assert bench.call("contact_param_encode_alias", "px", "sip:h") == 1
    text = message.updated()
    assert "Contact: <sip:h;px=c2lwOmFsaWNlQDEwLjAuMC4xO2FsaWFzPVs6OjFdfjcwMDB-Mg>;q=1 , <sip:h;px=" in text
    assert bench.call("contact_param_check", "PX") == 1
    assert bench.call("contact_param_decode", "px") == -1  # `%` is no digit of base64url
    message.replace_text(text.replace("%", "x=x"))
    assert bench.call("contact_param_encode", "px", "sip:" + "h" * 1020) == -2
    message.edits = ()
    long = about(f"Contact: <sip:{'a' * 1000}@h>\r\n")
    assert long.call("contact_param_encode", "px", "sip:h") == -1


def test_a_hidden_request_uri() -> None:
    bench = about(first="sip:h;px=c2lwOmFAYg")
    assert bench.call("contact_param_decode_ruri", "px") == 1
    assert bench.get("$ru") == "sip:a@b"
    assert bench.call("contact_param_decode_ruri", "px") == 1
    assert bench.get("$ru") == "sip:a@b"


# ---- replies, headers -----------------------------------------------------------------------------------------------


def test_rpid_that_cannot_be() -> None:
    bench = about()
    bench.set("$avp(s:rpid)", 7)
    assert bench.call("append_rpid_hf") == -1
    assert bench.call("is_rpid_user_e164") == -1
    none = about(params=(("siputils", "rpid_avp", ""),))
    assert none.call("append_rpid_hf") == -1
    assert none.call("is_rpid_user_e164") == -1
    check = next(param.check for param in MODULE.params if param.name == "rpid_avp")
    assert check is not None
    assert check("$var(x)") is not None
    assert check("$avp(x)") is None


def test_charging_vectors_that_are_made() -> None:
    bench = about()
    message = bench.run.message
    assert message is not None
    bench.world.sockets += [Socket(UDP, "::1", 5060), Socket(UDP, "10.0.0.1", 5060)]
    bench.world.pid = 0x0102
    assert bench.get("$pcv(status)") == 0
    assert bench.call("sip_p_charging_vector", "g") == 3
    icid = bench.get("$pcv(value)")
    assert icid == "4956530A00000102010000" + "00" + "00000000"
    assert bench.get("$pcv(all)") == f"icid-value={icid};icid-generated-at="
    assert bench.print("$pcv(genaddr) $pcv(status)") == "<null> 3"
    assert f"\r\nP-Charging-Vector: icid-value={icid};icid-generated-at=127.0.0.1\r\n\r\n" in message.updated()
    assert bench.call("sip_p_charging_vector", "f") == 1
    other = about("P-Charging-Vector: icid-value=1\r\nX: y\r\n")
    assert other.call("sip_p_charging_vector", "F") == 5
    text = other.run.message.updated() if other.run.message else ""
    assert text.count("P-Charging-Vector") == 1
    assert text.endswith("icid-generated-at=127.0.0.1\r\nX: y\r\n\r\n")
    empty = about("P-Charging-Vector:\r\n")
    assert empty.get("$pcv(status)") == 2
    assert about("p-charging-vector: icid-value=1\r\n").get("$pcv(value)") is None
    assert about("P-Charging-Vector: icid-value=1\r\nbroken\r\n").get("$pcv(value)") is None


ODD_TEXTS = ["", "\0", "\xff" * 3, ";", "sip:", "sip:a@b;", "<", "%" * 2000, "tel:;;=;", "sip:[::1", "a:b@c"]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_nothing_raises(text: str) -> None:
    """Every function with the same odd text everywhere: in its arguments, in the request URI and in headers."""
    for name, arity in [(function.name, len(function.args)) for function in MODULE.functions]:
        bench = about(f"Contact: {text}\r\nRecord-Route: {text}\r\nDate: {text}\r\nSupported: {text}\r\n")
        bench.set("$ru", text or "sip:x")
        bench.set("$avp(s:rpid)", text)
        bench.space["x"] = text
        bench.world.state["sl"] = bench.world.state.get("sl")
        arguments: list[object] = []
        for kind in bench.function(name, arity).args:
            arguments.append(
                bench.variable("$var(x)") if kind is Arg.PVAR else None if kind is Arg.NUMBER else text
            )  # fmt: skip
        assert isinstance(bench.call(name, *arguments), int)
