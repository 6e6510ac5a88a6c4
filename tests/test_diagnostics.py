"""Diagnostics: their codes, near names, and the three forms in which they are written."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from evapi_cfg.diagnostics import codes, concise, full, json_format
from evapi_cfg.diagnostics.model import Code, Diagnostic, Related, Severity
from evapi_cfg.diagnostics.suggest import did_you_mean, distance, near
from evapi_cfg.diagnostics.terminal import clean, visible, width
from evapi_cfg.source import SourceFile, Span, store

BAD = Code("bad-thing", Severity.ERROR, "something is bad")
ODD = Code("odd-thing", Severity.WARNING, "something is odd")


def at(text: str, part: str, name: str = "a.cfg", included_at: Span | None = None) -> Span:
    """The span of `part` in a file with this text."""
    raw = store(text)
    start = raw.index(store(part))
    return Span(SourceFile(name, raw, included_at), start, start + len(store(part)))


def block(diagnostic: Diagnostic) -> str:
    """What `full` writes, without the summary."""
    return full.render([diagnostic]).rpartition("\n\n")[0]


# ---- codes ---------------------------------------------------------------------------------------------------


def test_every_code_is_in_a_group() -> None:
    members = [code.name for group in codes.groups().values() for code in group]
    assert sorted(members) == sorted(codes.by_name())
    assert all(codes.groups().values())


def test_codes_are_kebab_case_and_named_like_their_constants() -> None:
    declared = {name: value for name, value in vars(codes).items() if isinstance(value, Code)}
    assert len({code.name for code in declared.values()}) == len(declared) == len(codes.by_name())
    for name, code in declared.items():
        assert code.name == name.lower().replace("_", "-")
        assert code.summary and not code.summary[0].isupper() and not code.summary.endswith(".")


# ---- near names ----------------------------------------------------------------------------------------------


def test_near_names() -> None:
    names = ["evapi_relay", "evapi_multicast", "evapi_unicast", "xlog", "xdbg"]
    assert near("evapi_rely", names) == ("evapi_relay",)
    assert near("evapi_realy", names) == ("evapi_relay",)  # neighbours swapped
    assert near("XLOG", names) == ("xlog",)
    assert near("nothing_like_it", names) == ()
    assert near("xlog", names) == ()
    assert did_you_mean("vra", ["var", "avp"], "${}") == "did you mean `$var`?"
    assert did_you_mean("ab", ["ac", "ad"]) == "did you mean `ac` or `ad`?"
    assert did_you_mean("abc", ["abd", "abe", "abf", "abg"]) == "did you mean `abd`, `abe` or `abf`?"
    assert did_you_mean("zzzz", names) == ""


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_distance_is_that_of_the_definition(one: str, two: str) -> None:
    def slow(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        best = min(slow(i - 1, j) + 1, slow(i, j - 1) + 1, slow(i - 1, j - 1) + (one[i - 1] != two[j - 1]))
        if i > 1 and j > 1 and one[i - 1] == two[j - 2] and one[i - 2] == two[j - 1]:
            best = min(best, slow(i - 2, j - 2) + 1)
        return best

    if len(one) + len(two) > 9:
        one, two = one[:4], two[:4]
    assert distance(one, two, 20) == slow(len(one), len(two))
    assert distance(one, two, 1) == min(slow(len(one), len(two)), 2)


# ---- text on a terminal --------------------------------------------------------------------------------------


def test_what_does_harm_is_made_visible() -> None:
    assert clean("a\x00b\x1b[31m\n") == "a␀b␛[31m␊"
    assert clean("a\u202eb\x9bc\x7f\xa0") == "a\\u202eb\\x9bc␡\\xa0"
    assert visible("\t") == "    "
    assert width("aé漢") == 4 and width("e\u0301") == 1


# ---- full ----------------------------------------------------------------------------------------------------


def test_full() -> None:
    span = at('route[A] {\n  evapi_rely("x");\n}\n', "evapi_rely")
    diagnostic = Diagnostic(BAD, "there is no `evapi_rely`", span, "write `evapi_relay`", ("Kamailio refuses it",))
    assert (
        full.render([diagnostic])
        == """\
error[bad-thing]: there is no `evapi_rely`
 --> a.cfg:2:3
  |
2 |   evapi_rely("x");
  |   ^^^^^^^^^^
  |
  = help: write `evapi_relay`
  = note: Kamailio refuses it

1 error in 1 file
more: evapi-cfg explain bad-thing
"""
    )


def test_full_tells_where_to_read_more() -> None:
    """Of the first error, or of the first warning where there is no error."""
    warning, error = Diagnostic(ODD, "odd", at("x", "x")), Diagnostic(BAD, "bad", at("x", "x"))
    assert full.render([warning, error]).endswith("\nmore: evapi-cfg explain bad-thing\n")
    assert full.render([warning]).endswith("\nmore: evapi-cfg explain odd-thing\n")
    assert full.render([]) == "no errors\n"


def test_full_related() -> None:
    text = "route[A] { exit; }\n" + "\n" * 9 + "route[A] { drop; }\n"
    file = SourceFile("a.cfg", text)
    first, second = Span(file, 6, 7), Span(file, text.rindex("A"), text.rindex("A") + 1)
    diagnostic = Diagnostic(ODD, "twice", second, related=(Related("first here", first),))
    assert (
        block(diagnostic)
        == """\
warning[odd-thing]: twice
  --> a.cfg:11:7
   |
11 | route[A] { drop; }
   |       ^
  ::: a.cfg:1:7
   |
 1 | route[A] { exit; }
   |       - first here"""
    )


def test_full_shows_who_included_the_file() -> None:
    main = at('x = 1\ninclude_file "b.cfg"\n', 'include_file "b.cfg"', "main.cfg")
    middle = at('include_file "c.cfg"\n', 'include_file "c.cfg"', "b.cfg", main)
    span = at("bad\n", "bad", "c.cfg", middle)
    assert (
        block(Diagnostic(BAD, "bad", span))
        == """\
error[bad-thing]: bad
 --> c.cfg:1:1
     included from b.cfg:1
     included from main.cfg:2
  |
1 | bad
  | ^^^"""
    )


def test_full_aligns_tabs_wide_and_control_characters() -> None:
    rows = block(Diagnostic(BAD, "bad", at('\t"漢é\x01" bad \x02\r\n', "bad"))).splitlines()
    assert rows[3] == '1 |     "漢é␁" bad ␂'
    assert width(rows[4].partition("^")[0]) == width(rows[3].partition("bad")[0])
    assert rows[4].endswith("^^^")


def test_full_bytes_that_are_no_utf_8() -> None:
    file = SourceFile("a.cfg", store("é") + "\xff bad\n")
    start = file.text.index("bad")
    rows = block(Diagnostic(BAD, "bad", Span(file, start, start + 3))).splitlines()
    assert rows[3].index("bad") == rows[4].index("^")


def test_full_of_more_than_one_line() -> None:
    span = at("x = (1 +\n  2 +\n  3);\n", "(1 +\n  2 +\n  3)")
    assert (
        block(Diagnostic(BAD, "bad", span))
        == """\
error[bad-thing]: bad
 --> a.cfg:1:5
  |
1 | x = (1 +
  |     ^^^^
...
3 |   3);
  |   ^^"""
    )


def test_full_of_a_place_behind_the_text() -> None:
    file = SourceFile("a.cfg", "route[A] {\n")
    assert block(Diagnostic(BAD, "bad", Span(file, 11, 11))).splitlines()[-2:] == ["2 |", "  | ^"]
    assert block(Diagnostic(BAD, "bad", Span(file, 10, 10))).splitlines()[-2:] == ["1 | route[A] {", "  |           ^"]
    assert block(Diagnostic(BAD, "bad", Span(SourceFile("b.cfg", ""), 0, 0))).splitlines()[-2:] == ["1 |", "  | ^"]


def test_full_cuts_long_lines_around_the_place() -> None:
    text = "a" * 5000 + "bad" + "c" * 5000
    rows = block(Diagnostic(BAD, "bad", at(text, "bad"))).splitlines()
    assert all(len(row) < 200 for row in rows)
    assert rows[3].index("bad") == rows[4].index("^")
    assert block(Diagnostic(BAD, "bad", at(text, "c" * 5000))).splitlines()[4].count("^") <= 140


def test_colours_are_the_only_difference() -> None:
    span = at("bad\n", "bad")
    diagnostics = [Diagnostic(BAD, "bad", span, "mend it", ("a fact",), (Related("see", span),))]
    coloured = full.render(diagnostics, colour=True)
    assert "\x1b[1;31merror[bad-thing]\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == full.render(diagnostics)


@given(st.binary(max_size=40), st.data())
def test_full_of_any_bytes(raw: bytes, data: st.DataObject) -> None:
    text = raw.decode("latin-1")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    rendered = full.render([Diagnostic(BAD, text, Span(SourceFile("a.cfg", text), start, end), text)])
    assert all(char == "\n" or char.isprintable() for char in rendered)


# ---- concise -------------------------------------------------------------------------------------------------


def test_concise() -> None:
    one = Diagnostic(BAD, "bad `\x01`", at("x\n y\n", "y"))
    two = Diagnostic(ODD, "odd", at("x\n", "x", "é.cfg"))
    assert concise.render([one, two]) == (
        "a.cfg:2:2: error[bad-thing] bad `␁`\né.cfg:1:1: warning[odd-thing] odd\n1 error, 1 warning in 2 files\n"
    )


def test_summary() -> None:
    one, two = Diagnostic(BAD, "bad", at("x", "x")), Diagnostic(ODD, "odd", at("x", "x"))
    assert concise.summary([]) == "no errors"
    assert concise.summary([two]) == "no errors, 1 warning in 1 file"
    assert concise.summary([one, one, two, two]) == "2 errors, 2 warnings in 1 file"


# ---- json ----------------------------------------------------------------------------------------------------


def test_json() -> None:
    span = at("é x\ny\n", "x\ny")
    diagnostic = Diagnostic(BAD, store("bad é"), span, "mend it", ("a fact",), (Related("see", at("é", "é", "b.cfg")),))
    warning = Diagnostic(ODD, "odd", span)
    document = json.loads(json_format.render([diagnostic, warning]))
    assert document == {
        "version": 1,
        "diagnostics": [
            {
                "code": "bad-thing",
                "severity": "error",
                "message": "bad é",
                "file": "a.cfg",
                "line": 1,
                "column": 3,
                "end_line": 2,
                "end_column": 2,
                "help": "mend it",
                "notes": ["a fact"],
                "related": [
                    {"message": "see", "file": "b.cfg", "line": 1, "column": 1, "end_line": 1, "end_column": 2}
                ],
            },
            {
                "code": "odd-thing",
                "severity": "warning",
                "message": "odd",
                "file": "a.cfg",
                "line": 1,
                "column": 3,
                "end_line": 2,
                "end_column": 2,
                "help": "",
                "notes": [],
                "related": [],
            },
        ],
        "errors": 1,
        "warnings": 1,
    }
    assert list(document) == ["version", "diagnostics", "errors", "warnings"]
