"""json: which documents json-c takes, how it writes what it finds, and what a path of {json.parse} finds. As recorded
from Kamailio 6.1; the conformance cases hold more of it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.modules.context import Level
from evapi_cfg.modules.json.documents import DEPTH, GRAMMAR, Real, as_json, parse
from evapi_cfg.modules.json_reading import read
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.spec import FixupError, NameRefused
from evapi_cfg.source import store
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value
from tests.module_world import HERE, Bench

BENCH = Bench()


def get(document: str, field: str = "a", *, function: str = "json_get_field") -> tuple[int, Value]:
    BENCH.set("$var(v)", "unset")
    code = BENCH.call(function, store(document), store(field), BENCH.variable("$var(v)"))
    return code, BENCH.get("$var(v)")


@pytest.mark.parametrize(
    ("written", "field", "text"),
    [
        ('"x/y"', '"x\\/y"', "x/y"), (r'"\"\u0001\u001F\n"', r'"\"\u0001\u001f\n"', '"\x01\x1f\n'), ('""', '""', ""),
        ("5", "5", "5"), ("1.50", "1.50", "1.50"), ("1E5", "1E5", "1E5"), ("-0", "0", "0"), ("true", "true", "true"),
        ("18446744073709551616", "18446744073709551615", "18446744073709551615"),
        ("-9223372036854775809", "-9223372036854775808", "-9223372036854775808"),
        ("9" * 5000, "18446744073709551615", "18446744073709551615"),
        ('{"b":[1,{}],"c":[]}', '{ "b": [ 1, { } ], "c": [ ] }', '{ "b": [ 1, { } ], "c": [ ] }'),
        (r'"\u00e9\ud83d\ude00"', store('"é😀"'), store("é😀")), ('"é"', store('"é"'), store("é")),
        (r'"\ud83d \udE00"', store('"\ufffd \ufffd"'), store("\ufffd \ufffd")), (r'"\\u00e9"', r'"\\u00e9"', r"\u00e9"),
        (r'"a\u0000b"', r'"a\u0000b"', "a"), ("'it\"s'", r'"it\"s"', 'it"s'), (r"'\\'", r'"\\"', "\\"),
        ("01", "1", "1"), ("1.", "1.", "1."), ("-.5e+", "-.5", "-.5"), ("1.-e", "1.", "1."), ("1e+", "1", "1"),
        ("NaN", "NaN", "NaN"), ("-inFinity", "-Infinity", "-Infinity"), ("/*1*/TRUE//2\n", "true", "true"),
        ("[1,2,]", "[ 1, 2 ]", "[ 1, 2 ]"), ('"\t"', '"\\t"', "\t"),
    ],
)  # fmt: skip
def test_how_values_are_written(written: str, field: str, text: str) -> None:
    document = f'{{"a" : {written} }}'
    assert get(document) == (1, field)
    assert get(document, function="json_get_string") == (1, text)


@pytest.mark.parametrize(
    "document",
    [
        "", " ", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":"x', "{'a':'x", '{"a":1;}', '{a:1}', '{"a" 1}',
        '{,"a":1}', '{"a":1,,}', '{"a":1 "b":2}', '{"a":.5}', '{"a":+1}', '{"a":-}', '{"a":--1}', '{"a":1e5e}',
        '{"a":1e+-}',
        '{"a":-.}', '{"a":1-2}', '{"a":1.+5}', '{"a":1.2.3}', '{"a":0x1}', '{"a":nul}', '{"a":truex}', '{"a":-inf}',
        r'{"a":"\x"}', r'{"a":"\u12"}', r"{'a':'\''}", '{"a":1}/', '{"a":1} /x', '{"a":/***/1}', "\v{}", "\ufeff{}",
        '{"a":[,]}', '{"a":1}'.replace("1", "[" * 32 + "]" * 32),
    ],
)  # fmt: skip
def test_documents_that_are_refused(document: str) -> None:
    BENCH.log.lines.clear()
    assert get(document) == (-1, "unset")
    assert [line.source for line in BENCH.log.lines if line.level == Level.ERROR] == ["json"]


@pytest.mark.parametrize(
    "document",
    [
        '{"a":1}x',
        ' \r\n\t{"a":1}}',
        '{"a":2,"b":3,"a":1}',
        '{"a":1}//',
        '{"a":1}/*',
        '{"a":1}\0{',
        "//\n/**x*/{'a':1,}",
    ],
)
def test_documents_that_are_taken(document: str) -> None:
    assert get(document) == (1, "1")


@pytest.mark.parametrize("document", ["[1]", "5", "null", '"a"', '{"b":1}', '{"A":1}', '{"a":null}', '{"b":{"a":1}}'])
def test_what_is_not_there_is_no_error(document: str) -> None:
    BENCH.log.lines.clear()
    for function in ("json_get_field", "json_get_string"):
        assert get(document, function=function) == (-1, "unset")
    assert BENCH.log.lines == []


def test_bytes_need_not_be_characters() -> None:
    BENCH.set("$var(v)", "unset")
    for document in ('{"\xff":"\x80"}', "{'\xff':'\x80'}"):
        assert BENCH.call("json_get_string", document, "\xff", BENCH.variable("$var(v)")) == 1
        assert BENCH.get("$var(v)") == "\x80"


def test_depth() -> None:
    for text in ("[" * (DEPTH - 1) + "]" * (DEPTH - 1), "[" * (DEPTH - 2) + "1" + "]" * (DEPTH - 2)):
        spaced = as_json(json.loads(text))
        assert get(f'{{"a":{text}}}') == (1, spaced)
        assert get(f'{{"a":{text},}}') == (1, spaced)
        assert get(f'{{"a":[{text}]}}') == (-1, "unset")
        assert get(f'{{"a":[{text}],}}') == (-1, "unset")
    assert get('{"a":[' + '"[[[{{{",{},' * 50 + "1]}")[0] == 1


@pytest.mark.parametrize(
    "document",
    [
        "[" * 1_000_000, '{"a":' * 200_000, '{"a":"' + "x" * 1_000_000, "{'a':'" + "\\n" * 500_000, " " * 1_000_000,
        "/*" + "*" * 1_000_000, "{" + "/**/" * 250_000, '{"a":' + "-" * 1_000_000, "[" + "1," * 100_000 + ",",
        '{"a":' + "1e" * 500_000, "{'a':\"" + "\\ud800" * 150_000,
    ],
    ids=lambda document: document[:8],
)  # fmt: skip
def test_bad_documents_of_a_megabyte_are_refused(document: str) -> None:
    assert get(document) == (-1, "unset")


def test_a_target_that_cannot_be_assigned_is_refused() -> None:
    function = BENCH.function("json_get_string", 3)
    assert function.fixup is not None
    with pytest.raises(FixupError):
        function.fixup(("{}", "a", BENCH.names.variable(Text(HERE, "$ci"))))


# ---- {json.parse}

DOCUMENT = '{"a":{"b":[1,2,{"c":"deep"}],"x.y":"dot","n":null},"b":[10,20],"s":"t","a b":"blank","f":false}'


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("s", "t"), ("f", "false"), ("a.b[0]", "1"), ("a.b[2].c", "deep"), ("b", "[ 10, 20 ]"), (" s", "t"),
        ("a b", "blank"), ("b[1", "20"), ("b[1]x", "20"), ("b[1][0]", "20"), ("b[]", "[ 10, 20 ]"), ("b[x]", "10"),
        ("b[ +1 ]", "20"),
        ("b[-1]", ""), ("b[2]", ""), ("b[4294967297]", "20"), ("s[3]", "t"), ("a.x%y", "dot"), ("s.", "t"),
        ("..s..", "t"),
        ("a.n", ""), ("a.n.m", ""), ("s.t", ""), ("A", ""), ("[0]", ""), ("b.[0]", ""), ("$var(p)", "2"),
        ("a.$var(n)", "[ 1, 2, { \"c\": \"deep\" } ]"), ("$var(none)", ""), ("x$var(p)", ""),
    ],
)  # fmt: skip
def test_what_a_path_finds(argument: str, value: str) -> None:
    for name, held in (("d", DOCUMENT), ("p", "a.b[1]"), ("n", "b")):
        BENCH.set(f"$var({name})", held)
    assert BENCH.get(f"$(var(d){{json.parse,{argument}}})") == value
    if not argument.startswith(("$", " ")) and "$" not in argument:
        other = argument.replace(".", ":")
        assert BENCH.get(f"$(var(d){{json.parsex,:{other}}})") == value
        assert BENCH.print(f"<$(var(d){{json.parsex,:{other}}})>") == f"<{value}>"


def test_a_broken_document_is_an_empty_text() -> None:
    BENCH.log.lines.clear()
    for document, lines in (('{"a":', 1), ("null", 0), ("", 1), (5, 0)):
        BENCH.set("$var(d)", document)
        assert BENCH.get("$(var(d){json.parse,a})") == ""
        assert len(BENCH.log.lines) == lines
        BENCH.log.lines.clear()


def test_nothing_in_and_nothing_asked_for_fail() -> None:
    BENCH.set("$var(d)", DOCUMENT)
    for name in ("$(avp(none){json.parse,a})", "$(var(d){json.parse,})", "$(var(d){json.parse,$avp(none)})"):
        assert BENCH.get(name) is None
        assert BENCH.print(name) == ""
    assert BENCH.get("$(var(d){json.parsex,/})") == as_json(json.loads(DOCUMENT))


@pytest.mark.parametrize(
    "step", ["json.parse", "json.parse,a,b", "json.parse,$var(a)b", "json.encode", "json.parse,$nope"]
)
def test_steps_that_are_refused(step: str) -> None:
    with pytest.raises(NameRefused):
        BENCH.variable(f"$(var(d){{{step}}})")


# ---- the library and the reader for the rest agree

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
DOCUMENTS: st.SearchStrategy[Json] = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=12
)


def stored(document: Json, text: Callable[[str], str] = store) -> Json:
    """A document of ordinary characters as one of bytes."""
    if isinstance(document, str):
        return text(document)
    if isinstance(document, list):
        return [stored(value) for value in document]
    if isinstance(document, dict):
        return {text(name): stored(value) for name, value in document.items()}
    return document


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1]))
def test_valid_documents_are_read_as_the_library_reads_them(document: Json, ascii: bool, indent: int | None) -> None:
    text = store(json.dumps(document, ensure_ascii=ascii, indent=indent))
    assert parse(text) == stored(document)
    assert parse(as_json(parse(text))) == stored(document)
    raw = store(json.dumps(document, ensure_ascii=False, indent=indent))
    assert read(raw, GRAMMAR) == (stored(document), len(raw))


@settings(max_examples=300, deadline=None)
@given(st.text("{}[]\",:ab01e.-\\u/*' \0\xff\n", max_size=20))
def test_nothing_escapes(text: str) -> None:
    for document in (text, '{"a":' + text):
        assert BENCH.call("json_get_field", document, "a", BENCH.variable("$var(v)")) in (1, -1)
    BENCH.set("$var(d)", DOCUMENT)
    BENCH.set("$var(p)", text)
    BENCH.get("$(var(d){json.parse,$var(p)})")
    BENCH.get("$(var(d){json.parsex,$var(p)})")


def test_a_number_keeps_its_text() -> None:
    value = parse('{"a":1.50}')
    assert isinstance(value, dict)
    assert isinstance(value["a"], Real)
    assert (value["a"], value["a"].text) == (1.5, "1.50")
