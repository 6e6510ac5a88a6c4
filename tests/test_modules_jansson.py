"""jansson: which documents are refused, what a path finds, and what a variable gets. As recorded from Kamailio 6.1."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.modules.context import Level
from evapi_cfg.modules.jansson import parse, to_value
from evapi_cfg.source import store
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value
from tests.module_world import HERE, Bench

DOCUMENT = (
    r'{"a":{"b":[1,2,{"c":"deep"}]},"":"empty","x":1,"x y":"blank","a.b":"dotted","n":[[1,2],[3,[4]]],'
    r'"t":true,"f":false,"z":null,"s":"text","d":1.5}'
)


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


@pytest.mark.parametrize("depth", [10, 200, 5000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_documents_are_read_or_refused(depth: int, opening: str, closing: str) -> None:
    document = opening * depth + "1" + closing * depth
    if opening != "[":
        document = document.replace("1", "[]", 1)
    for path in ("", "a", "[0]"):
        code, value = get(path, document)
        assert code in (1, -1)
        assert (value == "unset") == (code == -1)
    if depth <= 200:
        assert get("", document)[0] == 1


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


def test_a_target_that_cannot_be_assigned_is_refused() -> None:
    bench = Bench()
    function = bench.function("jansson_get", 3)
    assert function.fixup is not None
    with pytest.raises(Exception, match="cannot be assigned"):
        function.fixup(("a", "{}", bench.names.variable(Text(HERE, "$ci"))))


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
)
NAMES = st.text(st.characters(exclude_characters="\0.[]", exclude_categories=["Cs"]), min_size=1)
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=12)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(NAMES, DOCUMENTS, min_size=1), st.booleans())
def test_what_is_read_is_what_was_written(document: dict[str, object], ascii: bool) -> None:
    text = store(json.dumps(document, ensure_ascii=ascii))
    assert parse(text) == document
    written = to_value(parse(text))
    assert isinstance(written, str)
    assert parse(written) == document
    for name, value in document.items():
        code, found = get(store(name), json.dumps(document, ensure_ascii=ascii))
        assert code == 1 or not name
        if isinstance(value, str):
            assert found == store(value)


@settings(max_examples=300, deadline=None)
@given(st.text("ab.[]01x- +", max_size=10), st.text('{}[]",:ab01e.-\\u \0\xff', max_size=20))
def test_nothing_escapes(path: str, text: str) -> None:
    bench = Bench()
    for document in (text, DOCUMENT):
        code = bench.call("jansson_get", path, document, bench.variable("$var(v)"))
        assert code in (1, -1)
