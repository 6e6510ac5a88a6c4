"""Preprocessor: defines, conditions, expressions, substitutions, included files, and the scanner around them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from evapi_cfg.diagnostics.model import Severity
from evapi_cfg.source import SourceFile
from evapi_cfg.syntax import ast
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.ifexp import ExpressionError, as_text, evaluate, is_true
from evapi_cfg.syntax.lexer import Scanner
from evapi_cfg.syntax.parse import Parsed, parse_text
from evapi_cfg.syntax.preprocess import MAX_DEFINES, Preprocessor
from evapi_cfg.syntax.subst import SubstError, parse_substitution
from evapi_cfg.syntax.tokens import Token
from evapi_cfg.syntax.walk import walk


def scan(text: str, files: Mapping[str, str] | None = None, **environ: str) -> tuple[list[str], Preprocessor]:
    """The tokens of a text: words, and the values of strings and variables."""
    known = files or {}

    def open_file(name: str) -> str:
        if name not in known:
            raise FileNotFoundError(2, "No such file or directory", name)
        return known[name]

    preprocessor = Preprocessor({}, environ, open_file)
    tokens = Scanner(preprocessor).scan(SourceFile("root.cfg", text))
    preprocessor.finish()
    return [shown(token) for token in tokens], preprocessor


def shown(token: Token) -> str:
    value = token.value.value if isinstance(token.value, Text) else token.value
    return f'"{value}"' if token.terminal == "STRING" else value


def words(text: str, files: Mapping[str, str] | None = None, **environ: str) -> str:
    return " ".join(scan(text, files, **environ)[0])


# ---- defines ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#!define A 1\nA a AA", "1 a AA"),
        ("#!define A\nx A y", "x y"),
        ("#!define A B\n#!define B 2 + 3\nA", "2 + 3"),
        ('#!define A "x"\nA "y" A', '"xy" "x"'),
        ('#!define A "x\nA y" z', '"x y" z'),
        ("#!define A f(\nA 1)", "f ( 1 )"),
        ("#!define A 1\\\n2\nA", "12"),
        ("#!define A \\\n2\nA", "2"),
        ("#!define A x # y\nA z\nw", "x w"),
        ("#!define A x // y\nA z\nw", "x w"),
        ("#!define A x /* y\nA z */ w", "x w"),
        ("#!define A $var(x)\nA", "$var(x)"),
        ("#!define A $var(\nA y)", "$var( y)"),
        ("#!define A uri\nA:host A", "uri:host uri"),
        ("#!define HOST fe80\nHOST::1 HOST", "fe80::1 fe80"),
        ("#!define A @to\nA.uri.log", "@ to . uri . log"),
        ("#!define A &\nA& AA", "&& AA"),
        ("#!define port 5\nport", "port"),
        ("#!define A 1\n\"A\" 'A' $A(A) /* A */ # A\n", '"A" "A" $A(A)'),
        ("#!define A 1\n#!redef A 2\n#!trydef A 3\nA", "2"),
        ("#!define A 1\n#!redefine A\nx A y", "x y"),
        ("#!define A 1\r\nA\r\n", "1"),
        ("x #!define A 1\nA", "x 1"),
        ("!!define A 1\nA", "1"),
        ("#!define \nA 1\nA", "1"),
        ("#!define 5 A 1\nA", "1"),
        ("#!define A 1", ""),
        ("#!define A B\n#!define B 1\n#!define C A A\nC", "1 1"),
    ],
)
def test_defines(text: str, expected: str) -> None:
    assert words(text) == expected


def test_a_long_chain_of_defines() -> None:
    chain = "".join(f"#!define A{number} A{number + 1}\n" for number in range(400))
    assert words(chain + "#!define A400 end\nA0 A0") == "end end"


def test_a_token_may_run_far_behind_the_value() -> None:
    long = "x" * 5000
    assert words(f'#!define A "\nA {long}" y') == f'" {long}" y'
    assert words("#!define A /*\nx A" + "\n" * 10_000 + "*/ y") == "x y"
    assert words("#!define A B\n#!define B '\nA " + long + "' y") == f'" {long}" y'


def test_the_define_of_a_define_leads_back() -> None:
    for text in ("#!define A A\nA", "#!define A B\n#!define B x A\nA", "#!define A f(A, A)\nA;"):
        found = scan(text)[1].diagnostics
        assert {item.code.name for item in found} == {"recursive-define"}


def test_too_many_defines() -> None:
    text = "".join(f"#!define A{number}\n" for number in range(MAX_DEFINES))
    preprocessor = scan(text)[1]
    assert len(preprocessor.defines) == MAX_DEFINES
    assert [item.code.name for item in preprocessor.diagnostics] == ["too-many-defines"]  # once is enough


def test_defines_of_kamailio_and_of_the_command_line() -> None:
    parsed = parse_text("#!ifdef WITH_X\nroute { f(N); }\n#!endif\n", defines={"WITH_X": None, "N": "5"})
    assert not parsed.diagnostics
    assert [node.value for item in parsed.config.items for node in walk(item) if isinstance(node, ast.Number)] == [5]
    assert parsed.config.defines["WITH_X"] is None and parsed.config.defines["N"] == "5"
    assert {"KAMAILIO_6", "KAMAILIO_6_1", "KAMAILIO_6_1_4"} <= parsed.config.defines.keys()
    assert parsed.config.defines["KAMAILIO_VERSION"] == "6001004"


def test_modules_define_their_name() -> None:
    text = 'loadmodule "a/pv.so"\nloadmodule("tm", "x")\n#!ifdef MOD_pv\n1\n#!endif\n#!ifdef MOD_tm\n2\n#!endif\n3'
    assert words(text).endswith(") 1 2 3")
    some = parse_text('loadmodule "pv"\nloadmodule "no"\n', modules={"pv"}).config.defines
    assert "MOD_pv" in some and "MOD_no" not in some


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#!defenv E\nE", "5"),
        ("#!defenv N=E\nN", "5"),
        ("#!defenvs N=E\nN", '"5"'),
        ("#!trydefenv N=NONE\nN", "N"),
        ("#!trydefenvs E\nE", '"5"'),
        ("#!defenvN=E\nN", "5"),
    ],
)
def test_environment(text: str, expected: str) -> None:
    assert words(text, E="5") == expected


# ---- conditions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#!ifdef A\n1\n#!else\n2\n#!endif\n3", "2 3"),
        ("#!ifndef A\n1\n#!else\n2\n#!endif\n3", "1 3"),
        ("#!ifdef A\n#!ifndef B\n1\n#!else\n2\n#!endif\n3\n#!else\n4\n#!endif\n", "4"),
        ("#!ifdef A x y z\n1\n#!else \t\n2\n#!endif\r\n3", "2 3"),
        ("#!ifdef A\n' \" /* #!else\n2\n#!endif\n", "2"),
        ("#!ifdef A\n1\n##!endif\n2", "2"),
        ("#!ifndef A\n1\n#!else\n2\n#!else\n3\n#!endif\n", "1 3"),
        ("/* #!ifdef A\n */ 1", "1"),
        ("#!ifexp 1\n1\n#!endif\n#!ifexp 0\n2\n#!endif\n3", "1 3"),
    ],
)
def test_conditions(text: str, expected: str) -> None:
    found, preprocessor = scan(text)
    assert " ".join(found) == expected
    assert not [item for item in preprocessor.diagnostics if item.severity is Severity.ERROR]


DEFINES = {"N": "5", "T": '"text"', "E": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7.0), ("(1 + 2) * 3", 9.0), ("2 ** 3 ** 2", 512.0), ("7 / 2", 3.5), ("7 % 4", 3.0),
        ("-3 + 1", -2.0), ("!0", 1.0), ("^0", -1.0), ("!E", 0.0), ("E", 1.0), ("NONE", 0.0), ("N", "5"), ("T", "text"),
        ("N == 5", 1.0), ("5 == N", 1.0), ("N == 5.0", 1.0), ("T == 'text'", 1.0), ('T != "x"', 1.0), ("N < 40", 0.0),
        ("40 > N", 1.0), ("T + 1", "text1"), ("1 + N", 6.0), ("1 << 3 | 1", 9.0), ("6 & 3", 2.0), ("5 ^ 1", 4.0),
        ("1 && 2", 2.0), ("0 && 2", 0.0), ("0 || 3", 3.0), ("1, 2", 2.0), ("", 0.0), ("1 # comment", 1.0),
        ('"a\\"b\\n"', 'a"b\n'), ("1 < 2 == 1", 1.0), ("-2 ** 2", 4.0), ("0.1 == 0.1", 1.0),
    ],
)  # fmt: skip
def test_expressions(text: str, value: float | str) -> None:
    assert evaluate(text, DEFINES) == value


@pytest.mark.parametrize("text", ["1 +", "(1", "1)", "N - 1", "!T", "1 2", "f(1)", "1 / 0", '"x', "()", "* 2", "1.2.3"])
def test_expressions_without_a_value(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, DEFINES)


def test_what_an_expression_is_worth() -> None:
    assert as_text(7.9) == "7" and as_text(-1.0) == "18446744073709551615" and as_text("a") == "a"
    assert is_true("a") and is_true(-1.0) and not is_true("") and not is_true(0.0)
    assert words("#!defexp A 7/2\n#!defexps B 1 + 1\nA B") == '3 "2"'


# ---- substitutions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("/a/b/", "aaa", "baa"),
        ("/a/b/g", "aaa", "bbb"),
        ("/A/b/gi", "aaa", "bbb"),
        ("!(x)(y)?!<\\1\\2>!g", "xyx", "<xy><x>"),
        ("/a/\\t\\n\\\\\\//", "a", "\t\n\\/"),
        ("/[[:digit:]]+/N/g", "a12b3", "aNbN"),
        ("/x*/y/g", "aaa", "aaa"),
        ("/^a/b/g", "aa\na", "ba\nb"),
        ("/a.b/c/", "a\nb", "a\nb"),
        ("/a.b/c/s", "a\nb", "c"),
        ("/a/\\9/", "a", ""),
    ],
)
def test_substitution(rule: str, text: str, expected: str) -> None:
    assert parse_substitution(rule, lambda text: None).apply(text) == expected


@pytest.mark.parametrize("rule", ["", "/a", "/a/", "/a/b", "\\a\\b\\", "/a/b/x", "/(/b/", "/a/$/"])
def test_bad_substitution(rule: str) -> None:
    with pytest.raises(SubstError):
        parse_substitution(rule, lambda text: None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('#!subst "/x/y/g"\n; "xx" \'x\' $var(x) x', '"yy" "y" $var(y) x'),
        ('#!substdef "!A!b!g"\n; "A" A', '"b" b'),
        ('#!substdefs "!A!b!g"\n; "A" A', '"b" "b"'),
        ('#!substdef "!A!$env(E)!g"\n; "A" A', '"5" 5'),
        ('#!substdef "!A!$env(NONE)!g"\n; "A" A', '"" < null >'),
        ('#!define N 7\n#!subst "/A/$def(N)/"\n; #!redef N 8\n"A"', '"8"'),
        ('#!subst "/a/b/"\n; #!subst "/b/c/"\n; "a"', '"c"'),
        ('#!subst "/a/b/" "g"\n; "aa"', '"bb"'),
    ],
)
def test_subst_directives(text: str, expected: str) -> None:
    assert words(text, E="5").rpartition("; ")[2] == expected


# ---- included files --------------------------------------------------------------------------------------------


def test_include_and_import() -> None:
    files = {"a.cfg": "1\n#!define X 9\n", "sub/b.cfg": '2 include_file "c.cfg"\n4', "sub/c.cfg": "3 X"}
    assert words('0 include_file "a.cfg"\n#!include_file "sub/b.cfg"\n5', files) == "0 1 2 3 9 4 5"
    found, preprocessor = scan('import_file "none.cfg"\n1', files)
    assert found == ["1"] and not preprocessor.diagnostics


def test_conditions_reach_over_files() -> None:
    files = {"a.cfg": "1\n#!ifdef NONE\n2\n"}
    found, preprocessor = scan('include_file "a.cfg"\n3\n#!endif\n4', files)
    assert found == ["1", "4"]
    assert not preprocessor.diagnostics


def including(text: str, files: Mapping[str, str]) -> Parsed:
    return parse_text(text, "root.cfg", read=files.__getitem__, environ={})


def test_a_file_that_includes_itself_is_read_once() -> None:
    files = {"a.cfg": 'route[A] { exit; }\n#!define X\ninclude_file "b.cfg"\n', "b.cfg": 'include_file "a.cfg"\n'}
    parsed = including('include_file "a.cfg"\nroute { exit; }\n', files)
    assert [item.code.name for item in parsed.diagnostics] == ["included-too-deep"]
    assert len(parsed.config.items) == 2


def test_a_guard_ends_the_rounds() -> None:
    files = {"a.cfg": '#!ifndef A\n#!define A\nroute[G] { exit; }\ninclude_file "a.cfg"\n#!endif\n'}
    parsed = including('include_file "a.cfg"\ninclude_file "a.cfg"\n', files)
    assert not parsed.diagnostics and len(parsed.config.items) == 1


def test_eleven_files_within_one_another_are_too_many() -> None:
    files = {f"{number}.cfg": f'debug={number}\ninclude_file "{number + 1}.cfg"\n' for number in range(1, 20)}
    parsed = including('include_file "1.cfg"\n', files)
    assert [item.code.name for item in parsed.diagnostics] == ["included-too-deep"]
    assert len(parsed.config.items) == 10
