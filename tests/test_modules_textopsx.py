"""textopsx: changes made good, values inside headers, iterators. What Kamailio does with the same calls is in
tests/conformance/cases/textopsx_*."""

from __future__ import annotations

import itertools

import pytest

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.spec import Arg, FixupError, Function, NameRefused
from evapi_cfg.modules.textopsx import MODULE, wildcard
from evapi_cfg.modules.textopsx.values import Place, parse_place
from evapi_cfg.modules.textopsx.wildcard import matches
from evapi_cfg.sip.message import Message
from tests.module_world import Bench, finish
from tests.test_modules_textops import ODD, bench_with, message_of, run_with, updated

REQUEST = (
    "OPTIONS sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\n"
    "From: <sip:alice@example.com>;tag=f\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: c@case\r\n"
    "CSeq: 1 OPTIONS\r\n"
    'X-A: "a, b" <sip:a@b;x=1>;p=1; q ="2", second;p\r\n'
    "X-A: third ;P=3\r\n"
    'Authorization: Digest realm="r, s", nonce="n",uri="u"\r\n'
    "Subject: s\r\n"
    "Content-Length: 8\r\n"
    "\r\n"
    "one\r\ntwo"
)
REPLY = "SIP/2.0 404 Not Found\r\nVia: SIP/2.0/UDP a\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"


def placed(bench: Bench, name: str, place: str, *arguments: str) -> int:
    """A call with its place as the fixup makes it ready."""
    function = bench.function(name, 1 + len(arguments))
    assert function.fixup is not None
    made = function.fixup((place, *arguments))
    return bench.call(name, made[0], *arguments)


def bodies(bench: Bench, kind: str) -> list[str]:
    return Message(updated(bench)).bodies(kind)


# ---- the message with its changes ---------------------------------------------------------------------------------


def test_changes_are_made_good() -> None:
    bench = bench_with(REQUEST)
    message = message_of(bench.run)
    message.dst_uri, message.flags, message.new_uri = "sip:hop", 4, "sip:carol@example.net"
    for name, argument in (("append_hf", "X-N: 1\r\n"), ("append_to_reply", "X: y\r\n")):
        assert bench.call(name, argument) == 1
    assert bench.get("$hdr(X-N)") is None
    assert bench.call("msg_apply_changes") == 1
    assert bench.print("$hdr(X-N) $ru $ou $du $mf") == "1 sip:carol@example.net sip:carol@example.net sip:hop 4"
    assert message.reply_headers == ()
    assert [line.level for line in bench.log.lines] == [Level.WARNING]
    assert updated(bench) == message.text


def test_another_message() -> None:
    bench = bench_with(REQUEST)
    other = REQUEST.replace("OPTIONS", "INFO").replace("bob", "dave")
    assert bench.call("msg_set_buffer", other) == 1
    assert bench.print("$rm $rU $tU $cs") == "INFO dave dave 1"
    assert bench.call("msg_set_buffer", "") == bench.call("msg_set_buffer", "x" * 65535) == -1
    assert bench.call("msg_set_buffer", "garbage") == 0
    assert message_of(bench.run).text == other
    assert bench.call("msg_set_buffer", "INFO sip:a@b SIP/2.0\r\nno header\r\n\r\n") == 0


@pytest.mark.parametrize("name,arguments", [("msg_apply_changes", ()), ("msg_set_buffer", (REQUEST,))])
def test_only_in_request_route(name: str, arguments: tuple[str, ...]) -> None:
    bench = bench_with(REQUEST)
    bench.run.kind = Routes.FAILURE
    assert bench.call(name, *arguments) == -1


def test_a_route_about_the_changed_message() -> None:
    bench = bench_with(REQUEST)
    seen: list[object] = []

    def route(run: Run) -> int:
        seen.append(bench.get("$hdr(X-N)"))
        run.over = run.dropped = True
        return 0

    async def waiting(run: Run) -> int:
        await run.pause(1)
        return route(run)

    bench.world.routes = {"PLAIN": route, "WAITS": waiting}
    assert bench.call("append_hf", "X-N: 1\r\n") == 1
    for name in ("PLAIN", "WAITS"):
        assert bench.call("msg_changed_route", name) == 1
    assert bench.call("msg_changed_route", "NONE") == -1
    assert seen == ["1", "1"]
    assert (bench.run.over, bench.run.dropped, bench.run.depth, bench.get("$hdr(X-N)")) == (False, False, 1, None)


def test_a_route_about_what_is_no_message() -> None:
    bench = bench_with(REQUEST)
    bench.world.routes = {"R": lambda run: 1}
    message_of(bench.run).edit(0, 7, "")
    assert bench.call("msg_changed_route", "R") == -1
    bench = bench_with(REQUEST)
    bench.world.routes = {"R": lambda run: 1}
    bench.run.depth = bench.world.max_recursive_level
    assert bench.call("msg_changed_route", "R") == -1


# ---- headers, body, replies -----------------------------------------------------------------------------------------


def test_headers_kept() -> None:
    bench = bench_with(REQUEST)
    assert bench.call("keep_hf", "^subj") == -1
    after = Message(updated(bench))
    assert [header.kind for header in after.headers] == [
        "via", "from", "to", "call-id", "cseq", "subject", "content-length",
    ]  # fmt: skip
    bench = bench_with(REQUEST)
    assert bench.call("keep_hf") == -1
    assert bodies(bench, "subject") == []
    assert bench.call("keep_hf", "(") == -1


def test_the_body_removed() -> None:
    bench = bench_with(REQUEST)
    assert bench.call("remove_body") == 1
    assert updated(bench).endswith("Content-Length: 0\r\n\r\n")


def test_the_status_of_a_reply() -> None:
    bench = bench_with(REPLY)
    assert bench.call("change_reply_status", 486, "Busy") == 1
    assert bench.print("$rs $rr") == "486 Not Found"
    assert updated(bench).startswith("SIP/2.0 486 Busy\r\n")
    assert bench.call("change_reply_status_code", 600) == 1
    for code in (99, 700, 200, None):
        assert bench.call("change_reply_status_code", code) == -1
    assert bench.call("change_reply_status", 486, "") == -1
    assert bench_with(REQUEST).call("change_reply_status_code", 404) == -1


@pytest.mark.parametrize(
    "pattern,text,matched",
    [
        ("a*c", "abbc", True),
        ("**", "", True),
        ("a?c", "ac", False),
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[^a]", "b", True),
        ("[]a]", "]", True),
        ("[[:digit:][:upper:]]", "Q", True),
        ("[[:none:]]", "n", False),
        ("[c-a]", "b", False),
        ("[!c-a]", "b", True),
        ("[\\]]", "]", True),
        ("[a", "[a", True),
        ("\\*", "*", True),
        ("\\*", "x", False),
        ("a\\", "a", False),
        (".+", "..", False),
        ("a\nb*", "a\nbc\n", True),
        ("[a-]", "-", True),
        ("*\0x", "y", True),
    ],
)
def test_wildcards(pattern: str, text: str, matched: bool) -> None:
    assert matches(pattern, text) == matched


def test_brackets_without_an_end_are_looked_for_once() -> None:
    asked: list[int] = []

    class Counted(str):
        def startswith(self, *arguments: object) -> bool:
            asked.append(1)
            return super().startswith(*arguments)  # type: ignore[arg-type]

    assert not wildcard._compiled.__wrapped__(Counted("[" * 3000)).fullmatch("x")
    assert len(asked) <= 3000


def test_the_flag_of_fnmatch() -> None:
    bench = bench_with(REQUEST)
    assert bench.call("fnmatch", "abc", "a*") == 1
    assert bench.call("fnmatch", "abc", "A*", "i") == -1
    assert bench.log.lines[-1].level == Level.WARNING


# ---- values inside headers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written,place",
    [
        ("X-A", Place("X-A", "x-a", False, False, 0, "")),
        (" v [ -2 ] . branch", Place("v", "via", True, False, -2, "branch")),
        ("X-A[*].p", Place("X-A", "x-a", True, True, 0, "p")),
        ("X-A[]", Place("X-A", "x-a", True, False, 0, "")),
        ("", None),
        ("X-A[", None),
        ("X-A.", None),
        ("X-A[1]x", None),
        ("X-A.p ", None),
    ],
)
def test_places(written: str, place: Place | None) -> None:
    assert parse_place(written) == place


@pytest.mark.parametrize(
    "name,place",
    [
        ("append_hf_value", "X[*]"),
        ("append_hf_value", "X.p"),
        ("insert_hf_value", "X[-11]"),
        ("assign_hf_value", "X[*]"),
        ("include_hf_value", "X[1]"),
        ("exclude_hf_value", "X.p"),
        ("hf_value_exists", "a b"),
    ],
)
def test_places_that_are_refused(name: str, place: str) -> None:
    fixup = Bench().function(name, 2).fixup
    assert fixup is not None
    with pytest.raises(FixupError) as refused:
        fixup((place, "value"))
    assert refused.value.index == 0
    assert bench_with(REQUEST).call(name, place, "value") == -1


@pytest.mark.parametrize(
    "name,place,value,left",
    [
        ("append_hf_value", "X-A", "n", ['"a, b" <sip:a@b;x=1>;p=1; q ="2", second;p', "third ;P=3", "n"]),
        ("append_hf_value", "X-A[1]", "n", ['"a, b" <sip:a@b;x=1>;p=1; q ="2",n, second;p', "third ;P=3"]),
        ("append_hf_value", "X-A[-1]", "n", ['"a, b" <sip:a@b;x=1>;p=1; q ="2", second;p', "third ;P=3,n"]),
        ("insert_hf_value", "X-A", "n", ["n", '"a, b" <sip:a@b;x=1>;p=1; q ="2", second;p', "third ;P=3"]),
        ("insert_hf_value", "X-A[2]", "n", ['"a, b" <sip:a@b;x=1>;p=1; q ="2",n, second;p', "third ;P=3"]),
        ("assign_hf_value", "X-A[2]", "n", ['"a, b" <sip:a@b;x=1>;p=1; q ="2", n', "third ;P=3"]),
        ("assign_hf_value", "X-A.q", "9", ['"a, b" <sip:a@b;x=1>;p=1; q=9, second;p', "third ;P=3"]),
        ("assign_hf_value", "X-A.new", "", ['"a, b" <sip:a@b;x=1>;p=1; q ="2";new, second;p', "third ;P=3"]),
        ("assign_hf_value", "X-A[*].p", "9", ['"a, b" <sip:a@b;x=1>;p=9; q ="2", second;p=9', "third ;P=9"]),
        ("include_hf_value", "X-A", "SECOND;p", ['"a, b" <sip:a@b;x=1>;p=1; q ="2", second;p', "third ;P=3"]),
        ("include_hf_value", "X-A", "n", ['"a, b" <sip:a@b;x=1>;p=1; q ="2", second;p,n', "third ;P=3"]),
        ("exclude_hf_value", "X-A", "second;P", ['"a, b" <sip:a@b;x=1>;p=1; q ="2"', "third ;P=3"]),
        ("exclude_hf_value", "X-A", "third ;p=3", ['"a, b" <sip:a@b;x=1>;p=1; q ="2", second;p']),
    ],
)
def test_values(name: str, place: str, value: str, left: list[str]) -> None:
    bench = bench_with(REQUEST)
    assert placed(bench, name, place, value) == 1
    assert bodies(bench, "x-a") == left


@pytest.mark.parametrize(
    "place,left",
    [
        ("X-A", [" second;p", "third ;P=3"]),
        ("X-A[2]", ['"a, b" <sip:a@b;x=1>;p=1; q ="2"', "third ;P=3"]),
        ("X-A[3]", ['"a, b" <sip:a@b;x=1>;p=1; q ="2", second;p']),
        ("X-A[*]", []),
        ("X-A.p", ['"a, b" <sip:a@b;x=1>; q ="2", second;p', "third ;P=3"]),
        ("X-A[*].p", ['"a, b" <sip:a@b;x=1>; q ="2", second', "third "]),
    ],
)
def test_values_removed(place: str, left: list[str]) -> None:
    bench = bench_with(REQUEST)
    assert placed(bench, "remove_hf_value", place) == 1
    assert bodies(bench, "x-a") == [body.lstrip() for body in left]


@pytest.mark.parametrize(
    "name,place,value,left",
    [
        ("assign_hf_value2", "Authorization.nonce", '"x"', 'Digest realm="r, s", nonce="x",uri="u"'),
        ("assign_hf_value2", "Authorization.new", "1", 'Digest realm="r, s", nonce="n",uri="u",new=1'),
        ("assign_hf_value2", "Authorization", "Basic x", "Basic x"),
        ("remove_hf_value2", "Authorization.realm", None, 'Digest  nonce="n",uri="u"'),
        ("remove_hf_value2", "Authorization.uri", None, 'Digest realm="r, s", nonce="n"'),
        ("remove_hf_value2", "Authorization[*].nonce", None, 'Digest realm="r, s",uri="u"'),
        ("remove_hf_value2", "Authorization", None, None),
    ],
)
def test_values_with_commas_between_their_parameters(
    name: str, place: str, value: str | None, left: str | None
) -> None:
    bench = bench_with(REQUEST)
    assert placed(bench, name, place, *([] if value is None else [value])) == 1
    assert bodies(bench, "authorization") == ([] if left is None else [left])


def test_values_that_are_not_there() -> None:
    bench = bench_with(REQUEST)
    for name, place in (("remove_hf_value", "X-A[9]"), ("remove_hf_value", "X-A.no"), ("remove_hf_value2", "No[*]")):
        assert placed(bench, name, place) == -1
    assert placed(bench, "insert_hf_value", "X-A[9]", "n") == placed(bench, "hf_value_exists", "X-A", "no") == -1
    assert placed(bench, "include_hf_value", "X-A", "") == placed(bench, "assign_hf_value", "No.p", "1") == -1
    assert placed(bench, "exclude_hf_value", "X-A", "no") == placed(bench, "hf_value_exists", "x-a", "SECOND;p") == 1
    assert updated(bench) == REQUEST


# ---- iterators ------------------------------------------------------------------------------------------------------


def test_an_iterator_over_headers() -> None:
    bench = bench_with(REQUEST)
    assert bench.call("hf_iterator_next", "i") == -1
    assert bench.call("hf_iterator_start", "i") == 1
    assert bench.get("$hfitname(i)") is None
    names = []
    while bench.call("hf_iterator_next", "i") > 0:
        names.append(bench.get("$hfitname(i)"))
    assert names == [header.name for header in message_of(bench.run).headers]
    assert bench.get("$hfitname(i)") is None
    assert bench.call("hf_iterator_prev", "i") == -1
    assert bench.call("hf_iterator_end", "i") == bench.call("hf_iterator_next", "i") == 1
    assert bench.print("$hfitname(i) $hfitbody(i)") == "Via SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa"


def test_an_iterator_goes_back() -> None:
    bench = bench_with(REQUEST)
    bench.call("hf_iterator_start", "i")
    for _ in range(4):
        bench.call("hf_iterator_next", "i")
    seen = []
    for _ in range(4):
        assert bench.call("hf_iterator_prev", "i") == 1
        seen.append(bench.get("$hfitname(i)"))
    assert seen == ["To", "From", "Via", None]
    assert bench.call("hf_iterator_next", "i") == 1
    assert bench.get("$hfitname(i)") == "Via"


def test_changes_by_an_iterator_over_headers() -> None:
    bench = bench_with(REQUEST)
    bench.call("hf_iterator_start", "i")
    assert bench.call("hf_iterator_rm", "i") == bench.call("hf_iterator_append", "i", "x") == -1
    while bench.call("hf_iterator_next", "i") > 0 and bench.get("$hfitname(i)") != "Subject":
        pass
    assert bench.call("hf_iterator_insert", "i", "A: 1\r\n") == bench.call("hf_iterator_append", "i", "B: 2\r\n") == 1
    assert bench.call("hf_iterator_rm", "i") == 1
    assert '"u"\r\nA: 1\r\nB: 2\r\nContent-Length' in updated(bench)


def test_an_iterator_over_lines() -> None:
    bench = bench_with(REQUEST)
    assert bench.call("bl_iterator_start", "i") == 1
    assert bench.call("bl_iterator_rm", "i") == -1
    assert bench.call("bl_iterator_next", "i") == 1
    assert bench.get("$blitval(i)") == "one\r\n"
    assert bench.call("bl_iterator_append", "i", "more\r\n") == bench.call("bl_iterator_insert", "i", "less\r\n") == 1
    assert bench.call("bl_iterator_next", "i") == bench.call("bl_iterator_rm", "i") == 1
    assert bench.call("bl_iterator_next", "i") == bench.call("bl_iterator_next", "i") == -1
    assert bench.call("bl_iterator_end", "i") == 1
    assert bench.call("bl_iterator_next", "i") == -1
    assert updated(bench).endswith("Content-Length: 17\r\n\r\nless\r\none\r\nmore\r\n")


@pytest.mark.parametrize("kind", ["hf", "bl"])
def test_four_names_of_iterators(kind: str) -> None:
    bench = bench_with(REQUEST)
    assert [bench.call(f"{kind}_iterator_start", name) for name in "abcde"] == [1, 1, 1, 1, -1]
    assert bench.call(f"{kind}_iterator_start", "b") == 1
    assert bench.call(f"{kind}_iterator_start", "x" * 32) == bench.call(f"{kind}_iterator_start", "") == -1
    other = bench.new_run()
    other.message = Message(REQUEST)
    assert bench.call(f"{kind}_iterator_start", "e", run=other) == -1
    assert bench.call(f"{kind}_iterator_end", "e", run=other) == -1


def test_an_iterator_outlives_no_message() -> None:
    bench = bench_with(REQUEST)
    for kind in ("hf", "bl"):
        bench.call(f"{kind}_iterator_start", "i")
        bench.call(f"{kind}_iterator_next", "i")
    bench.call("hf_iterator_next", "i")
    assert bench.call("msg_set_buffer", "INFO sip:a@b SIP/2.0\r\nTo: x\r\n\r\n") == 1
    assert bench.get("$hfitname(i)") is None
    assert bench.get("$blitval(i)") is None
    assert bench.call("bl_iterator_rm", "i") == bench.call("hf_iterator_rm", "i") == -1


# ---- selects ------------------------------------------------------------------------------------------------------
# What `@` gives is in textopsx_hf_value_paths; here is what $sel makes of the same.


@pytest.mark.parametrize(
    "path,value",
    [
        ("hf_value.x_a", '"a, b" <sip:a@b;x=1>;p=1; q ="2",second;p,third ;P=3'),
        ("hf_value.x_a[1].p.q", "2"),
        ("hf_value.x_a[2].param.p", ""),
        ("hf_value.x_a.name", "a, b"),
        ("hf_value.x_a[1].uri", "sip:a@b;x=1"),
        ("hf_value.x_a[1].uri.params.x", "1"),
        ("hf_value.x_a[1].nameaddr.name", '"a, b"'),
        ("hf_value.x_a[1].nameaddr.params", 'p=1; q ="2"'),
        ("hf_value.x_a[1].uri.user", "a"),
        ("hf_value.x_a[4]", None),
        ("hf_value.none.uri", None),
        ("HF_VALUE.s", "s"),
        ("hf_value2.authorization", 'Digest realm="r, s", nonce="n",uri="u"'),
        ("hf_value2.authorization[2]", None),
        ("hf_value_exists.x_a.second", "0"),
        ("hf_value_exists.Subject.S", "1"),
    ],
)
def test_values_as_selects(path: str, value: str | None) -> None:
    assert bench_with(REQUEST).get(f"$sel({path})") == value


@pytest.mark.parametrize(
    "path",
    [
        "hf_value", "hf_value[1]", "hf_value.x_a[-11]", "hf_value.x_a.p", "hf_value.x_a.foo", "hf_value.x_a.name.x",
        "hf_value.x_a.p.p.p", "hf_value.x_a.nameaddr", "hf_value.x_a.nameaddr.foo", "hf_value.x_a.nameaddr.uri.foo",
        "hf_value.x_a.params", "hf_value.x_a.uri.foo", "hf_value.x_a.uri.user.foo", f"hf_value.{'x' * 45}",
        "hf_value2.authorization.realm", "hf_value2", "hf_value_exists.supported", "hf_value_exists.supported[1].a",
        "hf_value_exists.supported.a.b",
    ],
)  # fmt: skip
def test_selects_that_are_refused(path: str) -> None:
    with pytest.raises(NameRefused):
        Bench().variable(f"$sel({path})")


@pytest.mark.parametrize(
    "value,name,uri",
    [
        ("sip:a@b", "", "sip:a@b"),
        ("Al Bo <sip:a@b>;x", "Al", "sip:a@b"),
        ("<sip:a@b> ;x", "", "sip:a@b"),
        ('"Al" ;x', "Al", ""),
        ("<sip:a@b", "", ""),
        ("one two", "one", "two"),
        ("<sip:a> <sip:b>", "<sip:a>", "sip:b"),
        ('"a \\" <" <sip:a;b="c>">', 'a \\" <', 'sip:a;b="c>"'),
    ],
)
def test_a_name_and_an_address_of_any_form(value: str, name: str, uri: str) -> None:
    bench = bench_with(f"OPTIONS sip:a SIP/2.0\r\nX-A: {value}\r\n\r\n")
    assert (bench.get("$sel(hf_value.x_a.name)"), bench.get("$sel(hf_value.x_a[1].uri)")) == (name, uri)


# ---- all functions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", MODULE.functions, ids=lambda function: f"{function.name}-{len(function.args)}")
def test_nothing_raises(function: Function) -> None:
    texts = ("", "Via[*].x", "Via", '(\0\xff\r\n;,"')
    numbers = (486, None, -7, 99)
    bench = Bench()
    bench.world.routes = {"Via": lambda run: 1}
    for message, odd in itertools.product(ODD, itertools.product(range(4), repeat=len(function.args))):
        run = run_with(bench, message)
        for name in ("hf_iterator_start", "hf_iterator_next", "bl_iterator_start", "bl_iterator_next"):
            bench.call(name, "Via", run=run)
        kinds = zip(function.args, odd, strict=True)
        arguments = [numbers[choice] if kind is Arg.NUMBER else texts[choice] for kind, choice in kinds]
        outcome = function.call(run, *arguments)
        assert isinstance(outcome if isinstance(outcome, int) else finish(outcome), int)
        message_of(run).updated()
