"""jansson: which documents are refused, what a path finds, what a variable gets, and what is remembered of documents.
As recorded from Kamailio 6.1; the conformance cases hold more of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.modules.context import Level
from evapi_cfg.modules.jansson import MODULE
from evapi_cfg.modules.jansson.documents import DEEP, DEPTH, parse, to_value
from evapi_cfg.modules.json_reading import Documents, read
from evapi_cfg.modules.json_type import Json
from evapi_cfg.source import store
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value
from tests.module_world import HERE, Bench

DOCUMENT = (
    r'{"a":{"b":[1,2,{"c":"deep"}]},"":"empty","x":1,"x y":"blank","a.b":"dotted","n":[[1,2],[3,[4]]],'
    r'"t":true,"f":false,"z":null,"s":"text","d":1.5}'
)


BENCH = Bench()  # for many examples: making one takes longer than most of them


def get(path: str, document: str, *, function: str = "jansson_get", bench: Bench | None = None) -> tuple[int, Value]:
    bench = bench or Bench()
    bench.set("$var(v)", "unset")
    code = bench.call(function, path, store(document), bench.variable("$var(v)"))
    return code, bench.get("$var(v)")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("x", 1), ("x y", "blank"), ("a.b[0]", 1), ("a.b[2].c", "deep"), ("a.b[2]", '{"c":"deep"}'),
        ("n[1][1][0]", 4), ("n[1]", "[3,[4]]"), ("t", 1), ("f", 0), ("s", "text"), ("d", "1.5"),
        (".", "empty"), ("a.b[]", 1), ("a.b[ 1]", 2), ("a.b[+1]", 2), ("a.b[0x1]", 2), ("a.b[01]", 2), ("a.b[00]", 1),
        ("a.", '{"b":[1,2,{"c":"deep"}]}'), ("a[", '{"b":[1,2,{"c":"deep"}]}'), ("a.b[-0]", 1),
    ],
)  # fmt: skip
def test_what_a_path_finds(path: str, value: Value) -> None:
    assert get(path, DOCUMENT) == (1, value)


@pytest.mark.parametrize(
    "path",
    [
        "y", "a.x", "a.b.c", "a.b[3]", "a.b[-1]", "a.b[1 ]", "a.b[1_0]", "a.b[0b1]", "a.b[0o1]", "a.b[x]", "a.b[1",
        "a.b]", "a..b", "n[1].[1]", "n.[1]", "[0]", "[", "[]", "]", "a.b[2]c", "n[0]x", "n[1]]", "a.b[09]", "a.b[1.0]",
        "a.b[99999999999999999999]", "a.b[\xb2]", "x[0]", "s.x", "X",
    ],
)  # fmt: skip
def test_what_no_path_finds_leaves_the_variable(path: str) -> None:
    assert get(path, DOCUMENT) == (-1, "unset")


def test_nothing_is_the_whole_document() -> None:
    assert get("", '[1, {"k": "v"}]') == (1, '[1,{"k":"v"}]')
    assert get("[1].k", '[1, {"k": "v"}]') == (1, "v")


def test_a_field_is_one_name_whatever_is_in_it() -> None:
    assert get("a.b", DOCUMENT, function="jansson_get_field") == (1, "dotted")
    assert get("n[1]", DOCUMENT, function="jansson_get_field") == (-1, "unset")
    assert get("", '{"k":1}', function="jansson_get_field") == (1, '{"k":1}')


@pytest.mark.parametrize(("path", "size"), [("a.b", 3), ("n", 2), ("n[1]", 2), ("a", None), ("x", None), ("y", None)])
def test_sizes_of_arrays(path: str, size: int | None) -> None:
    wanted = (-1, "unset") if size is None else (1, size)
    assert get(path, DOCUMENT, function="jansson_array_size") == wanted


def test_a_field_never_begins_with_a_bracket() -> None:
    assert get("[0]", '{"[0]":1}', function="jansson_get_field") == (-1, "unset")


def test_a_null_takes_the_variables_value() -> None:
    assert get("z", DOCUMENT)[0] == 1


# ---- documents


@pytest.mark.parametrize(
    "document",
    [
        "", " ", "1", '"a"', "null", "true", '{"a":1} x', '{"a":1}{}', '{"a":1,}', "[1,]", "[1", "{", "{'a':1}",
        '{"a"}',
        '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', '{"a":01}', '{"a":1.}', '{"a":.5}', '{"a":+1}', '{"a":-}',
        '{"a":1e}', '{"a":tru}', r'{"a":"\x"}', '{"a":"\n"}', '{"a":"\t"}', '{"a":"\0"}', "\ufeff{}", '{"a":"x}',
        '\0{"a":1}', '{"a":1}//', '{"a":1,"b":-12345678901234567890}', '{"a":1,"b": 0.1e999}',
        # Somewhere else than what is asked for, too:
        '{"a":1,"a":2}', '{"a":1,"b":{"c":1,"c":2}}', '{"a":1,"b":9223372036854775808}',
        '{"a":1,"b":-9223372036854775809}', '{"a":1,"b":1e400}', '{"a":1,"b":-1E+400}',
        '{"a":1,"b":' + "9" * 5000 + "}", '{"a":1,"b":' + "9" * 400 + ".0}",
        r'{"a":1,"b":"\u0000"}', r'{"a":1,"b":["\ud800"]}',
        r'{"a":1,"b":"\ude00x"}',
        r'{"a":1,"\u0000":1}', r'{"a":1,"b":[{"\uD83D":1}]}',
    ],
)  # fmt: skip
def test_documents_that_are_refused_as_a_whole(document: str) -> None:
    bench = Bench()
    assert get("a", document, bench=bench) == (-1, "unset")
    assert [line.source for line in bench.log.lines if line.level == Level.ERROR] == ["jansson"]


@pytest.mark.parametrize(
    "text", [b'{"a":"\xff"}', b'{"a":"\xc3"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xc0\x80"}', b'{"\xff":1}']
)
def test_bytes_that_are_no_utf_8_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="utf-8"):
        parse(text.decode("latin-1"))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0), ("-0", 0), ("2147483647", 2147483647), ("2147483648", "2147483648"), ("-2147483648", -2147483648),
        ("-2147483649", "-2147483649"), ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"), ("1.0", "1"), ("-0.0", "-0"), ("0.1", "0.1"), ("1e2", "100"),
        ("1.5e300", "1.5e+300"), ("1E-7", "1e-07"), ("123456789.123456789", "123456789.123457"),
        ("12345678901234567890.0", "1.23456789012346e+19"), ("1e308", "1e+308"), ("1e0001", "10"), ("1e-400", "0"),
        (r'"\/\b\f\n\r\t\"\\"', '/\b\f\n\r\t"\\'), (r'"\u00e9"', "\xc3\xa9"), (r'"\ud83d\ude00"', store("\U0001f600")),
        (r'"\\u0000\\ud800"', r"\u0000\ud800"), ('"é"', "\xc3\xa9"), ('"\x7f"', "\x7f"), ('""', ""),
    ],
)  # fmt: skip
def test_what_a_variable_gets(written: str, value: Value) -> None:
    assert get("a", f' {{"a" : {written} }} \r\n\t') == (1, value)


@pytest.mark.parametrize(
    ("document", "written"),
    [
        ("[1.0, -0.0, 1e2, 0.1]", "[1.0,-0.0,100.0,0.10000000000000001]"),
        (
            "[1e300, 1e-7, 123456789012345680.0, 1e20]",
            "[1.0000000000000001e300,9.9999999999999995e-8,1.2345678901234568e17,1e20]",
        ),
        (r'["\u001f\u0001\n","\u007f","\/","\\u001f"]', '["\\u001F\\u0001\\n","\x7f","/","\\\\u001f"]'),
        ('{"b": [true, false, null], "a": {}, "é": "ü"}', '{"b":[true,false,null],"a":{},"é":"ü"}'),
        ("[[], [[]], {}]", "[[],[[]],{}]"),
    ],
)
def test_objects_and_arrays_are_written_as_jansson_does(document: str, written: str) -> None:
    assert get("", document) == (1, store(written))


def test_names_that_are_no_ascii_are_found() -> None:
    bench = Bench()
    bench.set("$var(v)", "unset")
    assert bench.call("jansson_get", store("ö.ü"), store('{"ö":{"ü":"ä"}}'), bench.variable("$var(v)")) == 1
    assert bench.get("$var(v)") == store("ä")


def test_a_nul_ends_a_document() -> None:
    assert get("a", '{"a":1}\0{') == (1, 1)
    assert get("a\0b", '{"a":1}') == (1, 1)


@pytest.mark.parametrize(
    ("opening", "levels", "inside", "closing"),
    [("[", DEPTH, "", "]"), ('{"a":', DEPTH - 1, "{}", "}"), ('["x",{"b":1,"a":', DEPTH // 2 - 1, "[0.5,[]]", "},2]")],
)
def test_documents_may_be_deep_but_not_too_deep(opening: str, levels: int, inside: str, closing: str) -> None:
    """Far deeper than the library's parser and writer go."""
    text = opening * levels + inside + closing * levels
    assert get("", text) == (1, text)
    assert get("", f" {text} ") == (1, text)
    assert get("", f"[{text}]") == (-1, "unset")
    assert get("", text + "]") == (-1, "unset")
    assert get("", text.replace("[]", "[1]").replace("{}", '{"":1}')) == (-1, "unset")


@pytest.mark.parametrize(
    "document",
    [
        "[" * 1_000_000, "[" * 500_000 + "]" * 500_000, '{"a":' * 200_000, '{"a":"' + "x" * 1_000_000,
        "[" + "1," * 500_000 + "]", '{"a":"' + "\\ud800" * 150_000 + '"}', " " * 1_000_000, '{"a":' + "9" * 1_000_000,
        "[" + "[" * 2048 + "]" * 2048 + ",{}" * 100_000 + "]", "[" * 2040 + "1," * 100_000 + "}",
    ],
    ids=lambda document: document[:8],
)  # fmt: skip
def test_bad_documents_of_a_megabyte_are_refused(document: str) -> None:
    for path in ("", "a"):
        assert get(path, document) == (-1, "unset")


# ---- the document that was read last


def test_documents_are_not_mixed_up() -> None:
    bench = Bench()
    for _ in range(3):
        assert get("a", '{"a":1}', bench=bench) == (1, 1)
        assert get("a", '{"a":2}', bench=bench) == (1, 2)
        assert get("a", '{"a":', bench=bench) == (-1, "unset")
        assert get("a", '{"a":2}', bench=bench) == (1, 2)
        assert get("a", "", bench=bench) == (-1, "unset")
        assert get("b", '{"a":2}', bench=bench) == (-1, "unset")


def test_a_change_is_not_seen_in_the_document_before_it() -> None:
    bench = Bench()
    before = '{"a":[1]}'
    bench.set("$var(v)", before)
    target = bench.variable("$var(v)")
    assert bench.call("jansson_append", "int", "a", "2", target) == 1
    after = bench.get("$var(v)")
    assert after == '{"a":[1,2]}'
    assert bench.call("jansson_set", "array", "b", '[{"c":1}]', target) == 1
    assert bench.call("jansson_set", "int", "b[0].c", "2", target) == 1
    assert bench.get("$var(v)") == '{"a":[1,2],"b":[{"c":2}]}'
    assert bench.call("jansson_set", "int", "d.e[0]", "2", target) == -1  # `d` was made on the way
    for document, path, found in ((before, "a", "[1]"), (after, "a", "[1,2]"), (bench.get("$var(v)"), "d", "unset")):
        assert isinstance(document, str)
        assert get(path, document, bench=bench)[1] == found
        assert get(path, document + " ", bench=bench)[1] == found


VALUES = st.one_of(
    st.tuples(st.sampled_from(["int", "real", "string", "object", "array", "true", "null"]), st.sampled_from(
        ["1", "-5", "0.1", "", "x", '{"a":[1,2]}', '{"b":{}}', "[]", '["x",{"a":1}]', "1e300", "99999999999999999999"]
    ))
)  # fmt: skip
CHANGES = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from(["a", "b", "a.b", "a[0]", "a[1].b", "b.c.d", "a.", "", "a[", "b[0][0]", "a[0]x", "é", "a..b"]),
        VALUES,
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(CHANGES)
def test_what_is_remembered_of_a_change_is_what_would_be_read(changes: list[tuple[bool, str, tuple[str, str]]]) -> None:
    bench = BENCH
    bench.set("$var(v)", '{"a":[1,{"b":2}]}')
    bench.set("$var(w)", '{"a":[1,{"b":2}]}')
    remembered = Documents(parse)
    for append, path, (mode, value) in changes:
        function = "jansson_append" if append else "jansson_set"
        bench.world.state["jansson"] = remembered
        code = bench.call(function, mode, store(path), value, bench.variable("$var(v)"))
        bench.world.state["jansson"] = Documents(parse)
        assert bench.call(function, mode, store(path), value, bench.variable("$var(w)")) == code
        text = bench.get("$var(v)")
        assert text == bench.get("$var(w)")
        assert isinstance(text, str)
        assert to_value(parse(text)) == text


@pytest.mark.parametrize(
    ("mode", "value"),
    [
        ("int", "1 "), ("int", "0x1"), ("int", "1.0"), ("real", "inf"), ("real", "1e999"), ("real", "0x"),
        ("real", "0x1p99999"), ("object", "[]"), ("object", ""), ("array", "{}"), ("bool", "1"), ("", "1"),
        ("str", "\xff"), ("Int", "1"),
    ],
)  # fmt: skip
def test_values_that_a_type_does_not_take_leave_the_document(mode: str, value: str) -> None:
    bench = Bench()
    bench.set("$var(v)", "{ }")
    assert bench.call("jansson_set", mode, "a", value, bench.variable("$var(v)")) == -1
    assert bench.get("$var(v)") == "{ }"
    assert [line.source for line in bench.log.lines if line.level == Level.ERROR] == ["jansson"]


def test_lists_of_xavps_there_and_back() -> None:
    bench = Bench()
    assert bench.call("jansson_xdecode", '[{"a":1,"":2,"b":{"c":[1.50]}},5]', "x") == 1
    assert [bench.get(f"$xavp(x[{at}]=>a)") for at in (0, 1)] == [None, 1]
    assert bench.call("jansson_xencode", "x", bench.variable("$var(v)")) == 1
    assert bench.get("$var(v)") == "{}"
    assert bench.call("jansson_xdecode", '{"a":1,"b":{"c":[1.50]},"n":null}', "y") == 1
    assert bench.call("jansson_xencode", "y", bench.variable("$var(v)")) == 1
    assert bench.get("$var(v)") == r'{"n": null, "b": "{\"c\":[1.5]}", "a": 1}'
    assert bench.call("jansson_xencode", "z", bench.variable("$var(v)")) == -1
    assert bench.call("jansson_xdecode", '{"a":', "y") == -1


def test_a_long_array_becomes_xavps_in_a_moment() -> None:
    bench = Bench()
    assert bench.call("jansson_xdecode", "[" + "{}," * 200_000 + '{"a":1}]', "x") == 1
    assert bench.get("$xavp(x=>a)") == 1
    assert bench.get("$cnt($xavp(x))") == 200_001


def test_scripts_in_other_languages_name_their_target() -> None:
    bench = Bench()
    (get_,) = MODULE.kemi
    assert get_.call(bench.run, "a.b", '{"a":{"b":"end"}}', "$var(v)") == 1
    assert bench.get("$var(v)") == "end"
    for target in ("$ci", "$nonsense(x)", "v", ""):
        assert get_.call(bench.run, "a.b", '{"a":{"b":"end"}}', target) == -1


def test_a_variable_may_be_source_and_target_at_once() -> None:
    bench = Bench()
    bench.set("$var(v)", '{"a":{"b":"end"}}')
    both = bench.variable("$var(v)")
    assert bench.call("jansson_pv_get", "a", both, both) == 1
    assert bench.get("$var(v)") == '{"b":"end"}'
    assert bench.call("jansson_pv_get", "b", both, both) == 1
    assert bench.call("jansson_pv_get", "b", both, both) == -1
    assert bench.get("$var(v)") == "end"
    bench.set("$var(v)", 5)
    assert bench.call("jansson_pv_get", "b", both, both) == -1


def test_a_target_that_cannot_be_assigned_gives_minus_one() -> None:
    bench = Bench()
    for function, document in (("jansson_get", '{"a": 1}'), ("jansson_array_size", '{"a": [1]}')):
        assert bench.call(function, "a", document, bench.names.variable(Text(HERE, "$ci"))) == -1
    assert all("cannot be assigned" in line.message for line in bench.log.lines)
    assert len(bench.log.lines) == 2


def test_a_constant_path_is_read_once() -> None:
    """What the compiler puts in its place finds the same as its text."""
    bench = Bench()
    function = bench.function("jansson_get", 3)
    assert function.fixup is not None
    for path in ("a.b[2].c", "x", "a.b[", "", "a.b[x]"):
        prepared, *_ = function.fixup((path, None, None))
        assert prepared is not None
        assert not isinstance(prepared, str)
        assert get(path, DOCUMENT) == get(prepared, DOCUMENT)  # type: ignore[arg-type]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
)
NAMES = st.text(st.characters(exclude_characters="\0.[]", exclude_categories=["Cs"]), min_size=1)
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=12)


def stored(document: Json) -> Json:
    """A document of ordinary characters as one of bytes."""
    if isinstance(document, str):
        return store(document)
    if isinstance(document, list):
        return [stored(value) for value in document]
    if isinstance(document, dict):
        return {store(name): stored(value) for name, value in document.items()}
    return document


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, DOCUMENTS, min_size=1), st.booleans(), st.sampled_from([None, 1]))
def test_what_is_read_is_what_was_written(document: dict[str, Json], ascii: bool, indent: int | None) -> None:
    text = store(json.dumps(document, ensure_ascii=ascii, indent=indent))
    assert parse(text) == stored(json.loads(json.dumps(document))) == stored(document)
    raw = store(json.dumps(document, ensure_ascii=False, indent=indent))
    assert read(raw, DEEP) == (stored(document), len(raw))  # the reader for deep documents agrees with the library
    written = to_value(parse(text))
    assert isinstance(written, str)
    assert parse(written) == stored(document)
    for name, value in document.items():
        code, found = get(store(name), json.dumps(document, ensure_ascii=ascii), bench=BENCH)
        assert code == 1
        if isinstance(value, str):
            assert found == store(value)


@settings(max_examples=300, deadline=None)
@given(st.text("ab.[]01x- +", max_size=10), st.text('{}[]",:ab01e.-\\u \0\xff', max_size=20))
def test_nothing_escapes(path: str, text: str) -> None:
    for document in (text, DOCUMENT):
        code = BENCH.call("jansson_get", path, document, BENCH.variable("$var(v)"))
        assert code in (1, -1)
