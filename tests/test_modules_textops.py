"""textops: the message as text. What Kamailio does with the same calls is in tests/conformance/cases/textops_*."""

from __future__ import annotations

import itertools

import pytest

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.spec import Arg, FixupError, Function
from evapi_cfg.modules.textops import MODULE
from evapi_cfg.modules.textops.kinds import mime_of
from evapi_cfg.modules.transformations.substitution import Substitution, parse_substitution
from evapi_cfg.sip.message import Message
from tests.module_world import Bench, text

HEAD = (
    "MESSAGE sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa;i=1 , SIP/2.0/UDP 10.0.0.2;i=2\r\n"
    'Via: SIP/2.0/UDP 10.0.0.3;i=3;n="a;b"\r\n'
    "From: <sip:alice@example.com>;tag=f\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: c@case\r\n"
    "CSeq: 1 MESSAGE\r\n"
    "X-A: one\r\n"
    "X-B: two, three\r\n"
    "x-a: four\r\n"
)
PLAIN = HEAD + "Content-Type: text/plain\r\nContent-Length: 12\r\n\r\nfirst\r\nlast\n"
PARTS = (
    '--sep\r\nContent-Type: text/plain\r\n\r\nfirst part\r\n--sep\r\nc: application/json\r\n\r\n{"a":1}\r\n--sep--\r\n'
)
MIXED = f'{HEAD}Content-Type: multipart/mixed;boundary="sep"\r\nContent-Length: {len(PARTS)}\r\n\r\n{PARTS}'
EMPTY = HEAD + "Content-Length: 0\r\n\r\n"
ODD = (
    PLAIN,
    MIXED,
    EMPTY,
    HEAD,  # no empty line
    HEAD[:-2],
    HEAD + "no header\r\n\r\nbody",
    HEAD + "\n",
    "OPTIONS x SIP/2.0\r\n\r\n",
    "OPTIONS sip:a@b SIP/2.0\r\nContent-Type: multipart/mixed;boundary\r\nContent-Length: x\r\n\r\n\0--\r",
    "OPTIONS sip:a@b SIP/2.0\r\nContent-Type: multipart/mixed;\r\nPrivacy:\r\nv: ,\r\nContent-Length: 3\r\n\r\n\r\n\r",
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\nCSeq: x\r\n\r\nContent-Type: a/b\r\n",
)


def bench_with(message: str) -> Bench:
    bench = Bench()
    bench.run.message = Message(message)
    bench.run.kind = Routes.REQUEST
    return bench


def run_with(bench: Bench, message: str) -> Run:
    run = bench.new_run()
    run.message = Message(message)
    run.kind = Routes.REQUEST
    return run


def message_of(run: Run) -> Message:
    assert run.message is not None
    return run.message


def updated(bench: Bench) -> str:
    return message_of(bench.run).updated()


def substitution(bench: Bench, expression: str) -> Substitution:
    return parse_substitution(text(expression), bench.names)


# ---- edits --------------------------------------------------------------------------------------------------------


def test_the_order_of_added_headers() -> None:
    bench = bench_with(PLAIN)
    for name in ("append_hf", "insert_hf"):
        for number in ("1", "2"):
            assert bench.call(name, f"{name}: {number}\r\n") == 1
            assert bench.call(name, f"{name}-A: {number}\r\n", "X-A") == 1
    lines = updated(bench).partition("\r\n\r\n")[0].split("\r\n")
    assert lines[1:3] == ["insert_hf: 1", "insert_hf: 2"]
    assert lines[-2:] == ["append_hf: 1", "append_hf: 2"]
    assert lines[9:12] == ["insert_hf-A: 1", "insert_hf-A: 2", "X-A: one"]
    assert lines[13:16] == ["x-a: four", "append_hf-A: 1", "append_hf-A: 2"]
    assert bench.get("$hdr(append_hf)") is None


def test_a_header_that_is_nowhere_is_put_at_the_ends() -> None:
    bench = bench_with(EMPTY)
    assert bench.call("append_hf", "A: 1\r\n", "X-None") == bench.call("insert_hf", "I: 1\r\n", "X-None") == 1
    assert updated(bench).split("\r\n")[1] == "I: 1"
    assert updated(bench).endswith("\r\nA: 1\r\n\r\n")


def test_what_is_added_where_something_is_removed_stays() -> None:
    bench = bench_with(EMPTY)
    assert bench.call("remove_hf", "Via") == 1
    assert bench.call("insert_hf", "Via: new\r\n") == 1
    assert bench.call("remove_hf", "Via") == 1
    assert updated(bench).split("\r\n")[1:3] == ["Via: new", "From: <sip:alice@example.com>;tag=f"]


def test_the_same_place_replaced_twice() -> None:
    bench = bench_with(EMPTY)
    assert bench.call("replace", "three", "3") == bench.call("replace", "three", "drei") == 1
    assert "X-B: two, 3drei\r\n" in updated(bench)


def test_content_length_follows_the_body() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("replace_body", "first", "the first") == 1
    assert updated(bench).endswith("Content-Length: 16\r\n\r\nthe first\r\nlast\n")
    assert bench.print("$cl") == "12"


# ---- searching and replacing --------------------------------------------------------------------------------------


def test_replacing_all() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("replace_all", "^x-(.): ", "Y: ") == 1
    assert bench.call("replace_body_all", "^.", "*") == 1
    assert [line for line in updated(bench).split("\r\n") if "Y:" in line] == ["Y: one", "Y: two, three", "Y: four"]
    assert updated(bench).endswith("\r\n\r\n*irst\r\n*ast\n")


def test_a_match_of_nothing_ends_the_replacing() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("replace_body_all", "x*", "y") == -1
    assert updated(bench) == PLAIN
    assert bench.log.lines[-1].level == Level.ERROR


def test_at_once_the_body_is_one_line() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("replace_body_atonce", "^f.*$", "all") == 1
    assert updated(bench).endswith("\r\n\r\nall")
    assert bench.call("replace_body_atonce", "^last", "x") == -1


def test_replacing_texts_as_they_are() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("replace_str", "a", "", "f") == bench.call("replace_hdrs_str", "e", "E", "f") == 1
    assert bench.call("replace_body_str", "t", "T", "all") == bench.call("replace_str", "", "x", "a") == 1
    assert bench.call("replace_body_str", "none", "x", "a") == 1
    assert updated(bench).endswith("\r\n\r\nfirsT\r\nlasT\n")
    assert updated(bench).split("\r\n")[1].startswith("Vi: SIP/2.0/UDP 10.0.0.1;branch=")


def test_headers_alone() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("replace_hdrs", "last", "x") == -1
    assert bench.call("replace_hdrs", "one", "1") == 1
    assert bench.call("search_hf", "X-A", "ONE", "f") == bench.call("search_hf", "x-a", "o", "a") == 1
    assert bench.call("search_hf", "X-A", "one", "l") == bench.call("search_hf", "X-A", "four", "f") == -1
    assert bench.call("search_hf", "X-None", "", "a") == -1


@pytest.mark.parametrize("name", ["search", "search_body", "is_present_hf_re", "remove_hf_re"])
def test_a_pattern_that_is_none(name: str) -> None:
    bench = bench_with(PLAIN)
    assert bench.call(name, "(") == -1
    assert bench.log.lines[-1].level == Level.ERROR


def test_substitutions() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("subst", substitution(bench, "/(two), (three)/\\2 $rU \\1/")) == 1
    assert bench.call("subst_body", substitution(bench, "/^[a-z]/_/g")) == 1
    assert bench.call("subst_hf", "X-A", substitution(bench, "/o/0/"), "a") == 1
    assert bench.call("subst_hf", "X-A", substitution(bench, "/one/1/"), "l") == -1
    assert bench.call("subst", substitution(bench, "/x*/y/")) == -1
    assert "X-A: 0ne\r\nX-B: three bob two\r\nx-a: f0ur\r\n" in updated(bench)
    assert updated(bench).endswith("\r\n\r\n_irst\r\n_ast\n")


def test_substitutions_in_the_request_uri() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("subst_uri", substitution(bench, "/com$/net/")) == 1
    assert bench.call("subst_user", substitution(bench, "/(.*)/+\\1/")) == 1
    assert bench.get("$ru") == "sip:+bob@example.net"
    assert bench.call("subst_user", substitution(bench, "/x/y/")) == -1


def test_a_substitution_into_a_variable() -> None:
    bench = bench_with(PLAIN)
    target = bench.variable("$var(t)")
    assert bench.call("subst_v", "abab", "/a/x/g", target) == 1
    assert bench.get("$var(t)") == "xbxb"
    assert bench.call("subst_v", "abab", "/c/x/", target) == -1
    assert bench.call("subst_v", "abab", "a/x", target) == -1
    assert bench.call("subst_v", "abab", "/a/x/", bench.variable("$rm")) == -1
    assert bench.get("$var(t)") == "xbxb"


# ---- headers ------------------------------------------------------------------------------------------------------


def test_removing_by_number() -> None:
    bench = bench_with(PLAIN)
    for index, code in ((-1, 1), (5, 2), (-3, 1), (None, -1)):
        assert bench.call("remove_hf_idx", "X-A", index) == code
    assert "X-A: one\r\n" in updated(bench)
    assert "x-a: four\r\n" not in updated(bench)


@pytest.mark.parametrize(
    "operator,value,left",
    [("eq", "one", ["four"]), ("NE", "one", ["one"]), ("in", "ou", ["one"]), ("re", "^O", ["four"]), ("in", "", 2)],
)
def test_removing_by_what_stands_in_them(operator: str, value: str, left: list[str] | int) -> None:
    bench = bench_with(PLAIN)
    assert bench.call("remove_hf_match", "X-A", operator, value) == (1 if isinstance(left, list) else -2)
    after = Message(updated(bench))
    assert after.bodies("x-a") == left if isinstance(left, list) else len(after.bodies("x-a")) == left


def test_removing_without_a_kind_of_comparison() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("remove_hf_match", "X-A", "like", "one") == -1
    assert bench.call("remove_hf_match", "X-A", "re", "(") == -1
    assert bench.call("remove_hf_pv", "X-None") == 1
    assert bench.call("remove_hf_pv", "X" * 300) == bench.call("is_present_hf_pv", "") == -1


def test_parameters_of_via() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("via_param_rm", "I", 0) == bench.call("via_param_rm", "n", -2) == 1
    assert bench.call("via_param_rm", "i", -1) == bench.call("via_param_rm", "i", 3) == -1
    assert bench.call("via_param_rm", "branch", 1) == -1
    assert bench.call("via_param_rm", "i", None) == -2
    assert Message(updated(bench)).bodies("via") == [
        "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa , SIP/2.0/UDP 10.0.0.2;i=2",
        "SIP/2.0/UDP 10.0.0.3;i=3",
    ]


def test_what_replies_get() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("append_to_reply", "X: 1\r\n") == bench.call("append_time") == 1
    assert bench.call("append_to_reply", "") == -1
    assert bench.call("set_reply_body", "one", "text/plain") == 1
    assert bench.call("set_reply_body_hex", "41 42\t43", "text/html") == -1
    message = message_of(bench.run)
    assert message.reply_headers[:2] == ("X: 1\r\n", "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n")
    assert message.reply_headers[2:] == ("Content-Type: text/plain\r\n", "Content-Type: text/html\r\n")
    assert message.reply_body == "one"


# ---- bodies -------------------------------------------------------------------------------------------------------


def test_setting_the_body() -> None:
    bench = bench_with(EMPTY)
    assert bench.call("replace", "one", "1") == 1
    assert bench.call("set_body", "a", "text/css") == bench.call("set_body_hex", "c3bc 0a", "text/html") == 1
    after = Message(updated(bench))
    assert after.body == "\xc3\xbc\n"
    assert after.bodies("content-length") == ["3"]
    assert after.bodies("content-type") == ["text/css", "text/html"]  # as Kamailio does it
    assert after.bodies("x-a") == ["1", "four"]


@pytest.mark.parametrize("digits", ["", " ", "4", "4x", "41 4", "4 1"])
def test_digits_that_are_none(digits: str) -> None:
    bench = bench_with(EMPTY)
    assert bench.call("set_body_hex", digits, "text/plain") == -1
    assert bench.call("set_reply_body_hex", digits, "text/plain") == -1
    assert updated(bench) == EMPTY


def test_a_body_without_content_length() -> None:
    bench = bench_with(HEAD + "\r\n")
    assert bench.call("set_body", "text", "text/plain") == 1
    assert updated(bench) == HEAD + "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\ntext"


def test_parts_of_a_body() -> None:
    bench = bench_with(MIXED)
    target = bench.variable("$var(t)")
    assert bench.call("get_body_part", "TEXT/plain", target) == 1
    assert bench.get("$var(t)") == "\r\nfirst part\r\n"
    assert bench.call("get_body_part_raw", "application/json", target) == 1
    assert bench.get("$var(t)") == 'c: application/json\r\n\r\n{"a":1}\r\n--sep--\r\n'
    assert bench.call("get_body_part", "text/html", target) == -1
    assert bench.call("filter_body", "application/json") == 1
    assert updated(bench).endswith('Content-Length: 7\r\n\r\n{"a":1}')


def test_the_lines_between_parts_are_set_right() -> None:
    bench = bench_with(MIXED)
    assert bench.call("remove_body_part", "text/plain") == 1
    assert bench.call("append_body_part", "more", "text/html", "session") == 1
    body = Message(updated(bench)).body or ""
    assert body.split("\r\n")[:5] == ["--sep", "c: application/json", "", '{"a":1}', "--sep"]
    assert body.endswith("\r\nContent-Disposition: session\r\n\r\nmore\r\n--sep--\r\n")
    assert Message(updated(bench)).body_of("content-length") == str(len(body))


def test_making_a_body_of_parts() -> None:
    bench = bench_with(PLAIN)
    assert bench.call("set_body_multipart") == 1
    after = Message(updated(bench))
    assert after.bodies("content-type") == ['multipart/mixed;boundary="unique-boundary-1"']
    assert after.body_of("mime-version") == "1.0"
    assert after.body == (
        "--unique-boundary-1\r\nContent-Type: text/plain\r\n\r\nfirst\r\nlast\n\r\n--unique-boundary-1\r\n"
    )


def test_making_a_body_of_parts_of_nothing() -> None:
    bench = bench_with(EMPTY)
    assert bench.call("set_body_multipart", "sep") == -1
    assert bench.call("set_body_multipart", "text", "text/plain", "-sep") == -1
    assert bench.call("set_body_multipart", "text", "text/plain", "x" * 200) == -1
    assert bench.call("append_body_part", "text", "text/plain") == -1
    assert updated(bench) == EMPTY
    assert bench_with(MIXED).call("set_body_multipart") == 1


@pytest.mark.parametrize(
    "written,mime",
    [
        ("text/plain", ("text", "plain")),
        (" TEXT / Plain ;a=b", ("text", "plain")),
        ("image/png", ("", "")),
        ("*/*", ("*", "*")),
        ("*/plain", None),
        ("text", None),
        ("", None),
        ("text/plain,text/html", None),
    ],
)
def test_types(written: str, mime: tuple[str, str] | None) -> None:
    assert mime_of(written) == mime


# ---- all functions ------------------------------------------------------------------------------------------------


def _argument(bench: Bench, kind: Arg, odd: int) -> object:
    """What a function may get in the place of an argument."""
    match kind:
        case Arg.NUMBER:
            return (0, None, -7)[odd]
        case Arg.PVAR:
            return bench.variable(("$var(t)", "$rm", "$ru")[odd])
        case Arg.SUBSTITUTION:
            return substitution(bench, ("/a/b/g", "/x*/y/g", "/./$rU$hdr(X-None)/")[odd])
        case _:
            return ("", "X-A", '(\0\xff\r\n;,"')[odd]


@pytest.mark.parametrize("function", MODULE.functions, ids=lambda function: f"{function.name}-{len(function.args)}")
def test_nothing_raises(function: Function) -> None:
    bench = Bench()
    choices = [[_argument(bench, kind, odd) for odd in range(3)] for kind in function.args]
    for message, arguments in itertools.product(ODD, itertools.product(*choices)):
        run = run_with(bench, message)
        assert function.call(run, *arguments) != 0, "0 would end the script"
        message_of(run).updated()
    made_up = [_argument(bench, kind, 1) for kind in function.args]
    assert function.call(bench.new_run(), *made_up), "in an event of evapi"


@pytest.mark.parametrize(
    "name,arguments",
    [
        ("is_method", ("",)),
        ("is_method", ("INVITE|FOO",)),
        ("is_method", ("a b",)),
        ("has_body", ("text",)),
        ("is_privacy", ("all",)),
        ("remove_hf", ("a b",)),
        ("append_hf", (None, "")),
        ("subst_hf", ("a:b", None, "f")),
        ("in_list", (None, None, "ab")),
    ],
)
def test_constant_arguments_that_are_refused(name: str, arguments: tuple[object | None, ...]) -> None:
    fixup = Bench().function(name, len(arguments)).fixup
    assert fixup is not None
    with pytest.raises(FixupError) as refused:
        fixup(arguments)
    assert arguments[refused.value.index] is not None


def test_constant_arguments_that_are_taken() -> None:
    bench = Bench()
    for name, argument in (("is_method", "INVITE|ack"), ("is_method", "FOO"), ("has_body", ""), ("remove_hf", "v")):
        fixup = bench.function(name, 1).fixup
        assert fixup is not None
        assert fixup((argument,)) == (None,)


def test_methods() -> None:
    bench = bench_with(PLAIN)
    for wanted, code in (("MESSAGE", 1), ("message|INVITE", 1), ("INVITE", -1), ("FOO", -1)):
        assert bench.call("is_method", wanted) == code
    bench = bench_with(PLAIN.replace("MESSAGE", "Foo"))
    assert bench.call("is_method", "FOO") == 1
    assert bench.call("is_method", "BAR") == -1


def test_is_audio_on_hold_does_not_run() -> None:
    assert not Bench().function("is_audio_on_hold", 0).runs
