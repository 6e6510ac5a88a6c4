"""Parser: what is accepted and refused, the faults and where they are reported, the tree and its places, and the way
back to text.

`syntax/accepted.txt` and `refused.txt` hold the verdicts of a real Kamailio 6.1.4; `faults.txt` says what is reported.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Code, Severity
from evapi_cfg.source import Span
from evapi_cfg.syntax import ast, grammar
from evapi_cfg.syntax.ast import Config, Expression, Number, PVar, RouteBlock, String
from evapi_cfg.syntax.build import MAX_HEIGHT, integer
from evapi_cfg.syntax.keywords import CANONICAL, COMMANDS, PARAMETERS, TERMINALS
from evapi_cfg.syntax.parse import Parsed, SourceError, parse_file, parse_text
from evapi_cfg.syntax.unparse import unparse
from evapi_cfg.syntax.walk import children, walk

HERE = Path(__file__).parent
SAMPLES = HERE / "syntax"
CATALOG = HERE.parent / "evapi_cfg" / "catalog" / "modules.json"


def texts(name: str) -> list[str]:
    """The texts of a data file, without the comment at its head."""
    raw = (SAMPLES / name).read_bytes().decode("latin-1").partition("\n")[2]
    return [text if text.endswith("\n") else text + "\n" for text in raw.split("\n---\n")]


def read(text: str) -> Parsed:
    return parse_text(text, "test.cfg", environ={})


def errors(parsed: Parsed) -> list[str]:
    return [f"{item.span}: {item.code.name}: {item.message}" for item in parsed.diagnostics if item.severity is ERROR]


ERROR = Severity.ERROR


def whole(config: Config) -> Iterator[object]:
    for item in config.items:
        yield from walk(item)


# ---- what Kamailio says ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", texts("accepted.txt"))
def test_accepted(text: str) -> None:
    assert errors(read(text)) == []


@pytest.mark.parametrize("text", texts("refused.txt"))
def test_refused(text: str) -> None:
    parsed = read(text)
    assert len(errors(parsed)) == 1, errors(parsed)


# ---- faults ----------------------------------------------------------------------------------------------------


def faults() -> list[tuple[str, str]]:
    raw = (SAMPLES / "faults.txt").read_bytes().decode("latin-1")
    cases = (case.partition("\n") for case in raw.split("\n---\n")[1:])
    return [(head.removeprefix("# "), text if text.endswith("\n") else text + "\n") for head, _, text in cases]


def described(parsed: Parsed) -> str:
    found = []
    for item in parsed.diagnostics:
        file = item.span.file
        start, end = file.position(item.span.start), file.position(item.span.end)
        found.append(f"{item.code.name} {start.line}:{start.column}-{end.column}")
    return ", ".join(found)


@pytest.mark.parametrize(("expected", "text"), faults())
def test_fault(expected: str, text: str) -> None:
    parsed = read(text)
    assert described(parsed) == expected, [item.message for item in parsed.diagnostics]
    for item in parsed.diagnostics:
        assert item.notes, "what Kamailio does with it is missing"
        assert item.message and not item.message.endswith(".")


def test_every_code_of_this_room_fires() -> None:
    source = "".join(path.read_text() for path in Path(grammar.__file__).parent.glob("*.py"))
    used = {getattr(codes, name) for name in re.findall(r"codes\.([A-Z_]+)\b", source)}
    declared = {code for code in used if isinstance(code, Code)}
    fired = {word.split()[0] for expected, _ in faults() for word in expected.split(", ")}
    elsewhere = {
        "included-too-deep",
        "too-many-defines",
        "nested-too-deep",
        "byte-order-mark",
        "not-defined",
        "too-many-expansions",
    }  # in tests of their own
    assert {code.name for code in declared} == fired | elsewhere


def test_what_stands_around_a_fault_is_kept() -> None:
    parsed = read('debug=3\nroute[A] { f(1; g(); }\nlisten=;\nroute[B] { x y z; h(); }\nmodparam("a","b",1)\n')
    kinds = [type(item).__name__ for item in parsed.config.items]
    assert kinds == ["CoreParam", "RouteBlock", "RouteBlock", "ModParam"]
    called = [node.name for node in whole(parsed.config) if isinstance(node, ast.Call)]
    assert called == ["f", "g", "h"]


def test_the_rest_of_a_broken_block_is_read() -> None:
    parsed = read("route[A] {\n\tif (1) {\n\t\tf();\n\n\tg();\n}\nroute[B] { h(); }\n")
    assert [item.code.name for item in parsed.diagnostics] == ["unclosed-block"]
    assert [node.name for node in whole(parsed.config) if isinstance(node, ast.Call)] == ["f", "g", "h"]


# ---- depth -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "route { " + "if (1) { " * 5000 + "exit;" + "}" * 5000 + " }\nroute[B] { exit; }\n",
        "route { if (" + "(" * 5000 + "1" + ")" * 5000 + ") exit; }\nroute[B] { exit; }\n",
        "route { $var(x) = " + "1 + " * 1000 + "1; }\nroute[B] { exit; }\n",
        "route { $var(x) = " + "!" * 1000 + "1; }\nroute[B] { exit; }\n",
        "route { " + "if (1) exit; else " * 1000 + "exit; }\nroute[B] { exit; }\n",
        "route { $var(x) = " + "strlen(" * 400 + "1" + ")" * 400 + "; }\nroute[B] { exit; }\n",
    ],
    ids=["blocks", "parentheses", "sum", "not", "else if", "functions"],
)
def test_nested_too_deep(text: str) -> None:
    parsed = read(text)
    assert [item.code.name for item in parsed.diagnostics] == ["nested-too-deep"]
    last = parsed.config.items[-1]
    assert isinstance(last, RouteBlock) and last.name == "B"
    assert height(parsed.config) <= MAX_HEIGHT + 10


def test_just_not_too_deep() -> None:
    for text in (
        "route { $var(x) = " + "1 + " * (MAX_HEIGHT - 1) + "1; }\n",
        "route { " + "if (1) exit; else " * (MAX_HEIGHT - 1) + "exit; }\n",
    ):
        assert errors(read(text)) == []


def height(config: Config) -> int:
    deepest = 0
    waiting: list[tuple[object, int]] = [(item, 1) for item in config.items]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        waiting += [(child, level + 1) for child in children(node)]
    return deepest


# ---- the tree --------------------------------------------------------------------------------------------------


def value(text: str) -> Expression:
    """The tree of one expression."""
    parsed = read(f"#!KAMAILIO\nroute {{ $var(x) = {text}; }}\n")
    assert errors(parsed) == []
    block = parsed.config.items[0]
    assert isinstance(block, RouteBlock)
    assign = block.body[0]
    assert isinstance(assign, ast.Assign)
    return assign.value


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("1 << 3 + 1", "1 << (3 + 1)"),
        ("6 & 3 == 3", "6 & (3 == 3)"),
        ("1 | 2 ^ 3", "1 | (2 ^ 3)"),
        ("1 ^ 2 & 3 | 4", "((1 ^ 2) & 3) | 4"),
        ("1 >> 2 << 3", "(1 >> 2) << 3"),
        ("1 << 2 >> 3", "1 << (2 >> 3)"),
        ("!0 + 1", "(!0) + 1"),
        ("not 5 > 3", "(not 5) > 3"),
        ("1 < 2 < 3", "(1 < 2) < 3"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("1 - -2", "1 - (-2)"),
        ("defined $x + 1", "(defined $x) + 1"),
        ("not defined - $x mod 2", "(not (defined (-$x))) mod 2"),
        ("(int)$x + 1", "((int)$x) + 1"),
        ("1 == 2 != 3 =~ 4", "((1 == 2) != 3) =~ 4"),
        ("1 or 2 and 3 or 4", "(1 || (2 && 3)) || 4"),
        ("1 < 2 == 3 > 4", "(1 < 2) == (3 > 4)"),
        ('method == "a" + "b" and 1', '(method == ("a" + "b")) && 1'),
        ('1 + method == "a" + "b"', '1 + (method == ("a" + "b"))'),
        ('method == "a" == 1', '(method == "a") == 1'),
        ("src_port > 1 + 2 < 3", "(src_port > (1 + 2)) < 3"),
        ("uri == myself == 1", "(uri == myself) == 1"),
        ("~1 + -(2)", "(~1) + (-(2))"),
    ],
)
def test_precedence(text: str, same: str) -> None:
    assert value(text) == value(same)


def test_negative_numbers_and_minus() -> None:
    assert value("-5") == Number(NOWHERE, -5)
    assert isinstance(value("-(5)"), ast.Unary)


NOWHERE = Span(read(";").config.files[0], 0, 0)


@pytest.mark.parametrize(
    ("word", "number"),
    [("0", 0), ("010", 8), ("0x1F", 31), ("101b", 5), ("yes", 1), ("off", 0), ("inet", 2), ("IPV6", 10), ("0b", 0),
     ("2147483647", 2147483647), ("2147483648", -2147483648), ("99999999999", 1215752191), ("9" * 30, -1)],
)  # fmt: skip
def test_numbers(word: str, number: int) -> None:
    assert integer(word) == number


def test_route_names() -> None:
    parsed = read('route[A] {;} route["A-b"] {;} route[010] {;} request_route {;} reply_route {;} onreply_route[1] {;}')
    blocks = [item for item in parsed.config.items if isinstance(item, RouteBlock)]
    assert [block.title for block in blocks] == [
        "route[A]", "route[A-b]", "route[8]", "request_route", "onreply_route", "onreply_route[1]",
    ]  # fmt: skip


def test_canonical_names() -> None:
    parsed = read("add_rport=yes\nmem_log=1\nroute { sethost('a'); if (status == '1') ; }\n")
    first, second, block = parsed.config.items
    assert isinstance(first, ast.CoreParam) and first.name == "force_rport"
    assert isinstance(second, ast.CoreParam) and second.name == "memlog"
    calls = [node for node in walk(block) if isinstance(node, ast.Call)]
    assert [(call.name, call.core, call.name_span.text) for call in calls] == [("rewritehost", True, "sethost")]
    assert [node.name for node in walk(block) if isinstance(node, ast.CoreTest)] == ["uri"]


def test_sockets() -> None:
    parsed = read(
        'listen=udp:eth0:5060 tcp:(a.example, "b"):* advertise tls:c:5061 name "n"\n'
        "socket = { bind = 1.2.3.4:5060-5070; vrf = 'v' }\n"
    )
    assert errors(parsed) == []
    one, two, three = (item for item in parsed.config.items if isinstance(item, ast.Listen))
    assert (one.endpoint.proto, one.endpoint.hosts, one.endpoint.port) == ("udp", ("eth0",), 5060)
    assert (two.endpoint.proto, two.endpoint.hosts, two.endpoint.port) == ("tcp", ("a.example", "b"), None)
    assert two.advertise is not None and two.advertise.proto == "tls" and two.name == "n"
    assert three.options == (("last_port", "5070"), ("vrf", "v"))


def test_avps_without_the_kamailio_header() -> None:
    parsed = read("route { %x = 1; $f.y = 2; $z[3] = 1; }\n".replace("$z[3] = 1", "$q = $z[3]"))
    assert errors(parsed) == [] and parsed.config.avp_default
    found = [node for node in whole(parsed.config) if isinstance(node, PVar)]
    assert [(node.name, node.inner and node.inner.value, node.index and node.index.value) for node in found] == [
        ("avp", "x", None), ("avp", "f.y", None), ("q", None, None), ("avp", "z", "3"),
    ]  # fmt: skip
    assert not read("#!KAMAILIO\nroute { exit; }\n").config.avp_default


# ---- places ----------------------------------------------------------------------------------------------------


def strings(text: str) -> list[String]:
    return [node for node in whole(read(text).config) if isinstance(node, String)]


def test_a_string_knows_the_place_of_its_parts() -> None:
    (string,) = strings('route { f("a\\tb\\x41c"\n  "d\\\ne"); }\n')
    assert string.value == "a\tbAcde"
    places = [string.text.at(number, number + 1).text for number in range(len(string.value))]
    assert places == ["a", "\\", "b", "\\", "c", "d", "e"]


def test_every_node_knows_its_place() -> None:
    text = (HERE / "samples").parent.parent / "samples"
    for path in sorted(text.glob("*.cfg")):
        parsed = parse_file(str(path))
        for node in whole(parsed.config):
            span = getattr(node, "span", None)
            assert isinstance(span, Span) and 0 <= span.start < span.end <= len(span.file.text), node
        for node in whole(parsed.config):
            if isinstance(node, ast.Call):
                assert node.name_span.text == node.name and node.span.text.endswith(")")


def test_what_a_define_gives_stands_where_its_name_is_used() -> None:
    text = '#!define INNER "x$ru"\n#!define OUTER f(INNER)\nroute { OUTER; }\n'
    call = next(node for node in whole(read(text).config) if isinstance(node, ast.Call))
    assert call.span.text == "OUTER" and call.name_span.text == "OUTER"
    (string,) = strings(text)
    assert string.span.text == "OUTER" and string.text.at(1, 3).text == "OUTER" and string.value == "x$ru"


def test_a_fault_in_an_included_file_is_reported_there() -> None:
    files = {"a.cfg": "route[A] {\n\tf(\n}\n"}
    parsed = parse_text('include_file "a.cfg"\nroute { exit; }\n', "root.cfg", read=files.__getitem__)
    (fault,) = parsed.diagnostics
    assert str(fault.span) == "a.cfg:2:4"
    assert fault.span.file.included_at is not None and str(fault.span.file.included_at) == "root.cfg:1:14"


# ---- files -----------------------------------------------------------------------------------------------------


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.cfg", tmp_path):
        with pytest.raises(SourceError) as caught:
            parse_file(str(path))
        assert str(path) in caught.value.message


def test_bytes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    path.write_bytes(b'route {\r\n\txlog("\xff\xc3\xa4\r\n");\r\n}\r\n')
    parsed = parse_file(str(path))
    assert errors(parsed) == []
    assert [node.value for node in whole(parsed.config) if isinstance(node, String)] == ["\xff\xc3\xa4\r\n"]


# ---- back to text ----------------------------------------------------------------------------------------------


def assert_round_trip(text: str) -> None:
    first = read(text)
    again = read(unparse(first.config))
    assert again.config.items == first.config.items
    assert errors(again) == []


@pytest.mark.parametrize("text", texts("accepted.txt"))
def test_round_trip(text: str) -> None:
    assert_round_trip(text)


@pytest.mark.parametrize("path", sorted((HERE.parent / "samples").glob("*.cfg")), ids=lambda path: path.name)
def test_round_trip_of_samples(path: Path) -> None:
    assert_round_trip(path.read_bytes().decode("latin-1"))


# ---- words -----------------------------------------------------------------------------------------------------


def test_keywords_are_those_of_the_catalogue() -> None:
    core = json.loads(CATALOG.read_bytes())["core"]
    known = {item["n"] for item in core["keywords"] if item["v"] == "*" or "6.1.4" in item["v"]}
    words = {word for word in known if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_:]*", word)}
    unused = {word for word, terminal in TERMINALS.items() if terminal == "RESERVED"}
    assert words - {"forward"} - TERMINALS.keys() == set()
    assert TERMINALS.keys() - words - unused - {"kemi", "forward", "include_file", "import_file"} == set()


def test_parameters_are_those_of_the_catalogue() -> None:
    core = json.loads(CATALOG.read_bytes())["core"]
    for item in core["params"]:
        if not (item["v"] == "*" or "6.1.4" in item["v"]) or "." in item["n"]:
            continue
        for name in (item["n"], *item.get("aliases", ())):
            assert CANONICAL.get(name, name) == item["n"]
            assert TERMINALS[name] in PARAMETERS, name
    for item in core["statements"]:
        if re.fullmatch(r"[a-z_]+", item["n"]) and TERMINALS[item["n"]] in COMMANDS:
            for name in item.get("aliases", ()):
                assert TERMINALS[name] == TERMINALS[item["n"]]


# ---- anything at all -------------------------------------------------------------------------------------------

PIECES = [
    'route', '[', ']', 'A', '{', '}', '(', ')', ';', ',', '=', '==', '"a"', '"', "'b'", "'", '1', '-', '+', '&&', '!',
    'if', 'else', 'while', 'switch', 'case', 'default', ':', 'return', 'exit', 'f', '$var(x)', '$x', '$(', '$', '@a.b',
    '%', 'event_route', 'evapi:x', 'listen', 'debug', 'modparam', 'loadmodule', '#!define A (\n', '#!define B A\n',
    '#!define A B\n', 'A', 'B', '#!ifdef A\n', '#!else\n', '#!endif\n', '/*', '*/', '#', '//', '\n', ' ', '\\', '\0',
    'include_file "x"\n', '#!subst "/a/(/"\n', '\xff', '::1', '1.2.3.4', 'uri:host', 'method', '/', '#!defexp A 1+\n',
    '#!KAMAILIO\n', '#!SER\n',
]  # fmt: skip


def assert_sound(parsed: Parsed) -> None:
    for item in parsed.diagnostics:
        assert 0 <= item.span.start <= item.span.end <= len(item.span.file.text)
        for other in item.related:
            assert 0 <= other.span.start <= other.span.end <= len(other.span.file.text)
        str(item.span)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(["", " "]))
def test_any_words(pieces: list[str], between: str) -> None:
    assert_sound(read(between.join(pieces)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    assert_sound(read(raw.decode("latin-1")))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(texts("accepted.txt")), st.data())
def test_any_change(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    assert_sound(read(text[:at] + data.draw(st.sampled_from(["", *PIECES])) + text[at + cut :]))


# ---- the tables of the grammar ---------------------------------------------------------------------------------


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], grammar.Tables]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return grammar.tables.__wrapped__


def test_tables_are_stored_and_read_again(tables: Callable[[], grammar.Tables], tmp_path: Path) -> None:
    built = tables()
    (stored,) = (tmp_path / "evapi-cfg").glob("kamailio-*")
    again = tables()
    assert again == built
    assert list((tmp_path / "evapi-cfg").glob("kamailio-*")) == [stored]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"rules": 5}', b'{"rules": [], "actions": []}'])
def test_a_broken_store_is_replaced(tables: Callable[[], grammar.Tables], tmp_path: Path, content: bytes) -> None:
    built = tables()
    (stored,) = (tmp_path / "evapi-cfg").glob("kamailio-*")
    stored.write_bytes(content)
    assert tables() == built
    assert stored.read_bytes() != content


def test_no_store_is_no_fault(tables: Callable[[], grammar.Tables], tmp_path: Path) -> None:
    (tmp_path / "evapi-cfg").write_text("a file where the directory should be")
    assert tables().rules
    os.environ["XDG_CACHE_HOME"] = "relative"
    assert tables().rules
