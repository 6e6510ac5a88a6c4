"""pv: variables and functions on the made-up request of an event. What Kamailio itself does with them is in the
conformance cases pv_* and xavp_*; here is what those cannot show."""

from __future__ import annotations

import pytest

from evapi_cfg.modules.context import Level
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.pv.branch import parse_q, print_q
from evapi_cfg.modules.pv.xavp_functions import parse_params
from evapi_cfg.modules.spec import FixupError, NameRefused
from evapi_cfg.sip.message import Message, Received, Socket
from evapi_cfg.sip.uri import TCP, UDP
from evapi_cfg.values import EvaluationError
from tests.module_world import Bench

INVITE = (
    "INVITE sip:bob@example.com;transport=tcp SIP/2.0\r\n"
    "v: SIP/2.0/TCP [2001:db8::1]:5070;branch=z9hG4bKa;rport=9;received=10.0.0.9, SIP/2.0/UDP second;i=3\r\n"
    "Via: SIP/2.0/UDP third:5099\r\n"
    'From: "Alice A." <sip:alice@example.org>;tag=f1\r\n'
    "To: sip:bob@example.com;tag=t1\r\n"
    "i: id@host\r\n"
    "CSeq: 7 INVITE\r\n"
    'Contact: "A, B" <sip:a@1.2.3.4;x=1>;expires=60, <sip:c@5.6.7.8>;expires=30\r\n'
    "Expires: 3600\r\n"
    "Route: <sip:r1;lr>,<sip:r2;lr>\r\n"
    "Route: <sip:r3;lr>\r\n"
    "P-Asserted-Identity: <sip:one@a>, <sip:two@a>\r\n"
    'P-Preferred-Identity: "P" <sip:pref@a>\r\n'
    "Diversion: <sip:div@a>;reason=no-answer;counter=2\r\n"
    "Refer-To: <sip:ref@a>\r\n"
    "Remote-Party-ID: <sip:rpid@a>\r\n"
    'Proxy-Authorization: Digest username="u@dom", realm="r", nonce="n", uri="sip:x", response="resp",'
    " algorithm=MD5\r\n"
    "User-Agent: folded\r\n value\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 4\r\n"
    "\r\n"
    "body"
)
SOCKET = Socket(TCP, "10.0.0.1", 5060, "inside", ("192.0.2.1", 5066))


def received(bench: Bench, message: str, socket: Socket | None = SOCKET) -> None:
    bench.run.message = Message(message, Received(TCP, "2001:db8::5", 4444, "10.0.0.1", 5060, socket))


@pytest.mark.parametrize(
    "format,shown",
    [
        ("$rm $rmid $mt $mts", "INVITE 1 1 rq"),
        ("$fU $fd $fn $ft", 'alice example.org "Alice A." f1'),
        ("$tu $tt $tts $tn", "sip:bob@example.com t1 1 <null>"),
        ("$ci $cs $ua $cT $cl $rb $bs", "id@host 7 folded\r\n value text/plain 4 body 4"),
        ("$ct", '"A, B" <sip:a@1.2.3.4;x=1>;expires=60, <sip:c@5.6.7.8>;expires=30'),
        ("$ctu $cts", "sip:a@1.2.3.4;x=1 0"),
        ("$expires(min) $expires(max)", "30 60"),
        ("$(hfl(Contact)[1])", "<sip:c@5.6.7.8>;expires=30"),
        ("$hflc(Contact) $hflc(Route) $hflc(Via) $hdrc(Route)", "2 3 3 2"),
        ("$(hfl(Route)[-1]) $(hfl(Route)[1]) $(hdr(Route)[1])", "<sip:r3;lr> <sip:r2;lr> <sip:r3;lr>"),
        ("$(hdr(Route)[*])", "<sip:r1;lr>,<sip:r2;lr>,<sip:r3;lr>"),
        ("$via0(host) $via0(port) $via0(proto) $via0(protoid)", "[2001:db8::1] 5070 TCP 2"),
        ("$via0(branch) $via0(rport) $via0(received)", "z9hG4bKa 9 10.0.0.9"),
        ("$via1(host) $via1(port) $via1(i)", "second 5060 3"),
        ("$viaZ(host) $viaZ(port)", "third 5099"),
        ("$ai $(ai[1]) $(ai[2])", "sip:one@a sip:two@a <null>"),
        ("$pu $pU $pd $pn", 'sip:pref@a pref a "P"'),
        ("$di $dir $dic $dip", "sip:div@a no-answer 2 <null>"),
        ("$rt $re", "sip:ref@a sip:rpid@a"),
        ("$au $ad $aU $ar $adu $adn $adr $aa", "u dom u@dom r sip:x n resp MD5"),
        ("$Au $AU", "alice@example.org alice"),
        ("$si $siz $sp $sas", "2001:db8::5 [2001:db8::5] 4444 tcp:[2001:db8::5]:4444"),
        ("$su $sut", "sip:[2001:db8::5]:4444;transport=tcp sip:[2001:db8::5]:4444;transport=tcp"),
        ("$Ri $Rp $Rn $Ras", "10.0.0.1 5060 inside tcp:10.0.0.1:5060"),
        ("$Ru $RAi $RAp $RAu", "sip:10.0.0.1:5060;transport=tcp 192.0.2.1 5066 sip:192.0.2.1:5066;transport=tcp"),
        ("$af(name) $af(id) $pr $prid", "IPv4 2 tcp 2"),
        ("$sel(via[2].host) $sel(via[-1].port) $sel(contact.uri.user)", "second 5099 a"),
        ("$sel(msg.h.Route[2]) $sel(record_route)", "<sip:r3;lr> <null>"),
        ("$sel(received.proto_ip_port)", "tcp:10.0.0.1:5060"),
        ("$rs $rr $rsi", "<null> <null> 0"),
    ],
)  # fmt: skip
def test_a_real_request(format: str, shown: str) -> None:
    bench = Bench()
    received(bench, INVITE)
    assert bench.print(format) == shown


def test_a_reply() -> None:
    bench = Bench()
    reply = INVITE.replace("INVITE sip:bob@example.com;transport=tcp SIP/2.0", "SIP/2.0 486 Busy Here", 1)
    received(bench, reply)
    assert bench.print("$mt $rs $rr $rm $ru $rU $ou") == "2 486 Busy Here INVITE <null> <null> <null>"
    assert bench.print("$rpl(dhost) $rpl(dport) $rpl(dproto) $rpl(cntvia)") == "second 5060 udp 3"
    assert bench.get("$rs") == 486


def test_what_is_string_and_number_at_once() -> None:
    bench = Bench()
    for name, value, number in [
        ("$rm", "OPTIONS", 512),
        ("$proto", "udp", UDP),
        ("$mF", "00000000", 0),
        ("$rz", "sip", 1),
    ]:
        variable = bench.variable(name)
        assert variable.get(bench.run) == value
        assert variable.number is not None
        assert variable.number(bench.run) == number


def test_an_event_that_never_looks_makes_no_message() -> None:
    bench = Bench()
    bench.print("$var(a) $avp(b) $shv(c) $xavp(d) $TS $rc $pp")
    assert bench.run.message is None
    bench.print("$rm")
    assert bench.run.message is current_message(bench.run)


@pytest.mark.parametrize(
    "format,shown",
    [
        ("$TS $Ts $Tb", "1700000000 1700000000 1700000000"),
        ("$TV(s) $TV(u) $TV(sn) $TV(un)", "1700000000 250000 1700000000 250000"),
        ("$TV(Sn) $TV(Sm)", "1700000000.250000 100000000250000000"),
        ("$utime(year)-$utime(mon)-$utime(mday)", "2023-11-14"),
        ("$utime(hour):$utime(min):$utime(sec)", "22:13:20"),
        ("$utime(wday) $utime(yday) $utime(isdst)", "3 318 0"),
        ("$utimef(%Y-%m-%dT%H:%M:%SZ)", "2023-11-14T22:13:20Z"),
        ("$utimef(%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y)", "<null>"),  # 64 bytes: one too many
        ("$utimef(\xe4%d)", "\xe414"),
    ],
)
def test_time(format: str, shown: str) -> None:
    assert Bench().print(format) == shown


def test_the_message_keeps_its_time() -> None:
    bench = Bench()
    assert bench.get("$Ts") == 1_700_000_000
    bench.clock.moment += 60
    assert bench.get("$Ts") == 1_700_000_000
    assert bench.get("$TS") == 1_700_000_060
    bench.run = bench.new_run()
    assert bench.get("$Ts") == 1_700_000_060


def test_spaces_of_variables() -> None:
    bench = Bench(("pv", "varset", "n=i:4"), ("pv", "shvset", "s=s:x"))
    bench.space.update(bench.world.vars)
    assert bench.print("$var(n) $shv(s)") == "4 x"
    bench.set("$vn(n)", "other")
    assert bench.print("$var(n) $vn(n)") == "4 other"
    variable = bench.variable("$var(n)")
    assert variable.var == "n"
    assert bench.world.vars["n"] == 4
    bench.variable("$var(new)")
    assert bench.world.vars["new"] == 0


def test_what_a_run_leaves_behind() -> None:
    bench = Bench()
    for name in ("$avp(a)", "$xavp(a=>b)", "$xavu(a)", "$xavi(a)", "$ru", "$mf"):
        bench.set(name, "sip:x@y" if name == "$ru" else 5)
    bench.set("$var(a)", 5)
    bench.set("$shv(a)", 5)
    bench.run = bench.new_run()
    assert bench.print("$avp(a) $xavp(a=>b) $xavu(a) $xavi(a) $ru $mf") == (
        "<null> <null> <null> <null> sip:kamailio.org 0"
    )
    assert bench.print("$var(a) $shv(a)") == "5 5"


def test_a_select_that_does_not_run_here_says_so_once() -> None:
    bench = Bench()
    assert bench.print("$sel(from.params)") == "<null>"
    assert bench.print("$sel(from.params)") == "<null>"
    told = [line.message for line in bench.log.lines]
    assert told == ["`@from.params` does not run here"] * 2  # once for each place


@pytest.mark.parametrize(
    "name",
    [
        "$avp(x:y)", "$avp(i:z)", "$avp(s:)", "$avp(foo.bar)", "$(avp(x)[a])", "$(avp(x)[1-])", "$hdr(a b)",
        "$xavp(a=b)", "$xavp(a[)", "$xavp(=>x)", "$xavp(a[]=>b)", "$xavp(a[x]=>b)", "$xavp(a=>)", "$xavu(a=)",
        "$xavu(a=>)", "$cnt(x)", "$cnt($var(x))", "$Mf(32)", "$Mf(-1)", "$Mf(NOT_DECLARED)", "$msgbuf(x)",
        "$sel(no.such)", "$sel(a..b)", "$ccp(x)", "$ccp(x.)", "$K(udp)", "$time(week)",
        "$_s($nosuch)", "$avp($nosuch)", "$rm(x)", "$var", "$hdr", "$(rm[0])", "$(var(x)[0])",
    ],
)  # fmt: skip
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(NameRefused) as refused:
        Bench().variable(name)
    assert refused.value.message


@pytest.mark.parametrize("name,value", [("$ru", 5), ("$ru", None), ("$rd", None), ("$rU", 1), ("$mf", "x"), ("$br", ""),
                                        ("$du", 1), ("$fs", 1), ("$(branch(uri)[3])", "sip:x"), ("$rcv(buf)", "x"),
                                        ("$xavp(none[2])", 1), ("$ccp(no.such)", 1)])  # fmt: skip
def test_assignments_that_fail(name: str, value: int | str | None) -> None:
    bench = Bench()
    before = bench.print("$ru $mf $du")
    with pytest.raises(EvaluationError):
        bench.set(name, value)
    assert bench.print("$ru $mf $du") == before


def test_headers_are_changed_when_the_message_is_sent() -> None:
    bench = Bench()
    bench.set("$fU", "someone")
    bench.set("$td", "example.net")
    bench.set("$tn", '"To"')
    bench.set("$ru", "sip:new@uri")
    assert bench.print("$fU $td $tn") == "server kamailio.org <null>"
    sent = bench.print("$mbu")
    assert sent.startswith("OPTIONS sip:new@uri SIP/2.0\r\n")
    assert "From: <sip:someone@kamailio.org>;tag=xyz\r\n" in sent
    assert 'To: "To" <sip:server@example.net>\r\n' in sent


def test_parameter_lists() -> None:
    assert parse_params('a=1;b="x;y"; c ;d=') == [("a", "1"), ("b", "x;y"), ("c", ""), ("d", "")]
    assert parse_params("a=1,b=2") == [("a", "1")]
    assert parse_params("a|b=2", "|") == [("a", ""), ("b", "2")]
    for wrong in ('a="open', "a b", "a;;b", "a;", "a==b;"):
        pairs = parse_params(wrong)
        assert pairs is None or ("", "") in pairs, wrong
        bench = Bench()
        assert bench.call("xavp_params_explode", wrong + ";", "x") == -1
        assert bench.run.xavp is None or not bench.run.xavp


@pytest.mark.parametrize("text_,q", [("1", 1000), ("1.0", 1000), ("0", 0), ("0.5", 500), (".25", 250), ("0.001", 1),
                                     ("2", None), ("x", None), ("0.1234", None), ("", None)])  # fmt: skip
def test_q(text_: str, q: int | None) -> None:
    assert parse_q(text_) == q
    if q is not None:
        assert parse_q(print_q(q)) == q


def test_branches_have_a_limit() -> None:
    bench = Bench()
    for _ in range(11):
        bench.set("$br", "sip:x@y")
    with pytest.raises(EvaluationError):
        bench.set("$br", "sip:x@y")
    assert bench.get("$branch(count)") == 11


def test_evalx_says_what_is_wrong() -> None:
    bench = Bench()
    target = bench.variable("$var(x)")
    assert bench.call("pv_evalx", target, "$nosuch") == -1
    assert [line.level for line in bench.log.lines] == [Level.ERROR]
    assert "$nosuch" in bench.log.lines[0].message
    fixup = bench.function("pv_evalx", 2).fixup
    assert fixup is not None
    with pytest.raises(FixupError):
        fixup((bench.variable("$rm"), "text"))


def test_printing_lists() -> None:
    bench = Bench()
    bench.set("$xavp(a=>b)", 1)
    bench.set("$xavp(c)", "text")
    assert bench.call("pv_xavp_print") == 1
    assert [line.message for line in bench.log.lines] == ["xavp c = 'text'", "xavp a:", "xavp   b = 1"]


def test_a_setting() -> None:
    bench = Bench()
    bench.world.custom["my", "limit"] = 5
    bench.set("$ccp(my.limit)", 6)
    assert bench.print("$ccp(my.limit) $sel(cfg_get.my.limit)") == "6 6"
    with pytest.raises(EvaluationError):
        bench.set("$ccp(my.limit)", "text")
    bench.set("$ccp(core.debug)", 1)
    assert bench.log.threshold == 1


def test_a_dynamic_index_that_is_no_number_prints_nothing() -> None:
    bench = Bench()
    bench.set("$avp(x)", 1)
    bench.set("$var(i)", "0")
    assert bench.print("[$(avp(x)[$var(i)])]") == "[]"
    assert bench.get("$(avp(x)[$var(i)])") is None
    bench.set("$var(i)", 0)
    assert bench.print("[$(avp(x)[$var(i)])]") == "[1]"


def test_modparams_that_are_refused() -> None:
    params = {param.name: param for module in Bench().names.modules if module.name == "pv" for param in module.params}
    for name, value in [
        ("varset", "x"),
        ("varset", "x=5"),
        ("varset", "=i:5"),
        ("varset", "x=i:a"),
        ("shvset", "x=z:1"),
        ("avp_aliases", "a"),
        ("avp_aliases", "a=b;c"),
        ("avp_aliases", "a=b c"),
    ]:
        check = params[name].check
        assert check is not None
        assert check(value), (name, value)
    for name, value in [("varset", "x=i:-5"), ("shvset", "x=S:"), ("avp_aliases", " a = s:b ; c=i:5")]:
        check = params[name].check
        assert check is not None
        assert check(value) is None, (name, value)


def with_lines(*lines: str) -> str:
    """A request with more headers in front of its Content-Length."""
    return INVITE.replace("User-Agent: folded", "\r\n".join([*lines, "User-Agent: folded"]))


@pytest.mark.parametrize(
    "lines,format,shown",
    [
        (["To: <sip:again@x>"], "$tu|$rb|$bs|$hdr(Via)|$hdrc(Via)", "sip:bob@example.com|<null>|0|<null>|0"),
        (["nothing"], "$ua|$cl|$via0(host)|$expires(min)|$ctu|$msg(len)", "<null>|" * 5 + "<null>"),
        (["nothing"], "$(ct{s.len})|$ft|$rt|$ai", "65|f1|sip:ref@a|sip:one@a"),
        (["m: <sip:open"], "$ctu|$cts|$(hfl(Contact)[0])|$hflc(Contact)", "<null>|<null>|<null>|0"),
        (["m: <sip:c>;expires=x"], "$expires(max)", "<null>"),
        (["Diversion: <sip:two@a>;reason=x"], "$(hfl(Diversion)[1])|$(hfl(Diversion)[-2])", "<sip:two@a>|<sip:div@a>"),
        (["Diversion: <sip:two@a"], "$(hfl(Diversion)[0])|$hflc(Diversion)", "<null>|0"),
        (["Route: x"], "$(hfl(Route)[2])|$(hfl(Route)[3])|$hflc(Route)", "<sip:r3;lr>|<null>|0"),
        (['Route: \\ "<" <sip:r4> ;lr'], "$(hfl(Route)[-1])", '\\ "<" <sip:r4> ;lr'),
        (["m: sip:c d;expires=7"], "$expires(min)", "7"),
        (["Authorization: Digest username=x"], "$au|$aU", "u|u@dom"),
    ],
)  # fmt: skip
def test_headers_that_cannot_be_read(lines: list[str], format: str, shown: str) -> None:
    bench = Bench()
    received(bench, with_lines(*lines))
    assert bench.print(format) == shown


@pytest.mark.parametrize(
    "credentials,shown",
    [
        ('Digest username="sip:me@dom", realm=r', "me dom sip:me@dom r <null>"),
        ('digest\t,username="me"', "<null> <null> <null> <null> <null>"),
        ('Digest username = "me" junk , uri=sip:x', "me  me  sip:x"),
        ("Digest username=, realm=r", "<null> <null> <null> <null> <null>"),
        ('Digest username="open', "<null> <null> <null> <null> <null>"),
        ("Digest", "<null> <null> <null> <null> <null>"),
        ("Basic abc", "<null> <null> <null> <null> <null>"),
    ],
)
def test_credentials(credentials: str, shown: str) -> None:
    bench = Bench()
    start = INVITE.index("Proxy-Authorization")
    received(bench, f"{INVITE[:start]}Authorization: {credentials}\r\n{INVITE[INVITE.index('User-Agent') :]}")
    assert bench.print("$au $ad $aU $ar $adu") == shown


def test_a_display_name_puts_the_uri_into_brackets() -> None:
    bench = Bench()
    received(bench, INVITE)
    bench.set("$tn", "Bob")
    assert "To: Bob <sip:bob@example.com>;tag=t1\r\n" in current_message(bench.run).updated()


def test_what_stands_in_front_of_a_message_counts_to_its_length() -> None:
    bench = Bench()
    received(bench, "\r\n\r\n" + INVITE)
    assert bench.get("$ml") == bench.get("$msg(len)") == len(INVITE) + 4
    assert bench.get("$mb") == "\r\n\r\n" + INVITE
    assert bench.get("$msg(fline)") == "INVITE sip:bob@example.com;transport=tcp SIP/2.0"


def test_an_empty_destination_is_none() -> None:
    bench = Bench()
    received(bench, INVITE)
    bench.set("$du", "sip:x")
    bench.set("$du", "")
    assert bench.get("$du") is None
    bench.set("$rp", -1)
    assert bench.get("$ru") == "sip:bob@example.com:18446744073709551615;transport=tcp"


@pytest.mark.parametrize("name", ["$ru", "$rU", "$rd", "$du", "$fu", "$fU", "$fd", "$fn", "$tu", "$tU", "$td", "$tn"])
def test_variables_of_texts_take_another_variables_number(name: str) -> None:
    assert Bench().variable(name).takes_text
