"""Strings with pseudo-variables: the parts, their places, and what is refused as Kamailio refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax import format_grammar, pvar
from evapi_cfg.syntax.ast import PVar, Text
from evapi_cfg.syntax.pvar import PvarError, parse_format, parse_pvar

BEFORE = 'xlog("'


def text_of(value: str) -> Text:
    """`value` as the literal of a call, at column 7 of a file."""
    file = SourceFile("a.cfg", BEFORE + value + '");')
    return Text(Span(file, len(BEFORE), len(BEFORE) + len(value)), value, ((0, len(BEFORE)),))


def show(pvar: PVar) -> str:
    """One line for a variable: name|inner|index|class.op|args..."""
    fields = [
        pvar.name,
        "-" if pvar.inner is None else pvar.inner.value,
        "-" if pvar.index is None else pvar.index.value,
    ]
    for step in pvar.transformations:
        fields += [f"{step.cls}.{step.op}", "-" if step.args is None else step.args.value]
    return "|".join(fields)


def parts(value: str) -> list[str]:
    return [part if isinstance(part, str) else f"<{show(part)}>" for part in parse_format(text_of(value))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("plain", ["plain"]),
        ("$ru", ["<ru|-|->"]),
        ("a $ru b", ["a ", "<ru|-|->", " b"]),
        ("$rU.txt", ["<rU.txt|-|->"]),  # the name runs over the dot
        ("$(rU).txt", ["<rU|-|->", ".txt"]),
        ("$?", ["<?|-|->"]),
        ("$rU@$rd", ["<rU|-|->", "@", "<rd|-|->"]),
        ("$$", ["$"]),
        ("a$$b", ["a$b"]),
        ("$$ru", ["$ru"]),
        ("$$$ru", ["$", "<ru|-|->"]),
        ("$($)ru", ["$ru"]),
        ("$var(x)$var(y)", ["<var|x|->", "<var|y|->"]),
        ("$var( x y )", ["<var| x y |->"]),
        ('$var("x")', ['<var|"x"|->']),
        ("$sht(a=>$var(k))", ["<sht|a=>$var(k)|->"]),
        ("$sht(a=>$(var(k){s.len}))", ["<sht|a=>$(var(k){s.len})|->"]),
        ("$xavp(a[0]=>b[1])", ["<xavp|a[0]=>b[1]|->"]),
        ("$var(x)[0]", ["<var|x|->", "[0]"]),
        ("$var(x){s.len}", ["<var|x|->", "{s.len}"]),
        ("$(avp(x)[0])", ["<avp|x|0>"]),
        ("$(avp(x)[$var(i)])", ["<avp|x|$var(i)>"]),
        ("$(avp(x)[$(avp(y)[1])])", ["<avp|x|$(avp(y)[1])>"]),
        ("$(hdr(x)[-1]{s.len})", ["<hdr|x|-1|s.len|->"]),
        ("$(ua{s.len})", ["<ua|-|-|s.len|->"]),
        ("$(var(x){s.len}{s.substr,0,1})", ["<var|x|-|s.len|-|s.substr|0,1>"]),
        ("$(var(x){s.len} \t{s.md5} )", ["<var|x|-|s.len|-|s.md5|->"]),
        ("$(var(x){s. len })", ["<var|x|-|s.len|->"]),
        ("$(var(x){s.encode.hexa})", ["<var|x|-|s.encode.hexa|->"]),
        ("$(var(x){s.select,1,,})", ["<var|x|-|s.select|1,,>"]),
        ("$(var(x){s.select,0,}})", ["<var|x|-|s.select|0,}>"]),
        ("$(var(x){s.len}{S.select,0,\\t})", ["<var|x|-|s.len|-|S.select|0,\\t>"]),
        ("$(var(x){s.len}{s.SELECT , $var(n),}})", ["<var|x|-|s.len|-|s.SELECT| $var(n),}>"]),
        ("$(var(x){s.rm,})", ["<var|x|-|s.rm|>"]),
        ("$(var(x){s.substr,0,$(var(y){s.len})})", ["<var|x|-|s.substr|0,$(var(y){s.len})>"]),
        ("$(var(x){re.subst,/a{2}(b)/\\1/g})", ["<var|x|-|re.subst|/a{2}(b)/\\1/g>"]),
        ("$(var(x){s.len})}", ["<var|x|-|s.len|->", "}"]),
        ('{"n":"$var(x)","t":$Ts}', ['{"n":"', "<var|x|->", '","t":', "<Ts|-|->", "}"]),
    ],
)
def test_parts(value: str, expected: list[str]) -> None:
    assert parts(value) == expected


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        ("$", "^", "no name follows the `$`"),
        ("5 $ x", "  ^", "written `$$`"),
        ("costs $", "      ^", "no name"),
        ("$-x", "^", "no name"),
        ("$(", "^^", "no name follows `$(`"),
        ("$()", "^^^", "no name follows `$(`"),
        ("$( ru)", "^^^", "no name follows `$(`"),
        ("a$(ru", " ^^", "`)` is missing"),
        ("a$var(x", " ^^^^^", "`)` is missing: `$var(` is not closed"),
        ("$var((x)", "^^^^^", "`)` is missing"),
        ("$var()", "^^^^^^", "no name between"),
        ("$(var())", "     ^^", "no name between"),
        ("$(avp(x)[])", "        ^^", "no index"),
        ("$(avp(x)[0)", "          ^", "`]` is missing in front of `)`"),
        ("$(ru x)", "    ^", "cannot stand behind `$(ru`"),
        ("$(ru.)x$(rd])", "           ^", "`)` is missing in front of `]`"),
        ("$(var(x) {s.len})", "        ^", "cannot stand"),
        ("$(var(x){len})", "        ^", "`{len}` is no transformation"),
        ("$(var(x){s.len)", "              ^", "`}` is missing"),
        ("$(var(x){s.len}", "^^", "`)` is missing"),
        ("$(var(x){s.len}{s.md5)", "                     ^", "`}` is missing"),
        ("$(var(x){s.len}}", "               ^", "`)` is missing in front of `}`"),
        ("$(var(x){s.select,0,}}{s.len})", "                     ^", "`)` is missing in front of `}`"),
        ("$(var(x){s.len}[0])", "               ^", "cannot stand"),
        ("$(var(x){s.rm,(})", "               ^", "`)` is missing in front of `}`"),
    ],
)
def test_refused(value: str, place: str, words: str) -> None:
    with pytest.raises(PvarError) as caught:
        parse_format(text_of(value))
    span = caught.value.span
    assert " " * (span.start - len(BEFORE)) + "^" * (span.end - span.start) == place
    assert words in caught.value.message


def test_one_variable() -> None:
    assert show(parse_pvar(text_of("$(avp(x)[1]{s.len})"))) == "avp|x|1|s.len|-"
    assert show(parse_pvar(text_of("$$"))) == "$|-|-"
    for value in ("", "ru", "$ru ", "$(ru)x", " $ru", "$ru$rd"):
        with pytest.raises(PvarError):
            parse_pvar(text_of(value))


def test_what_stands_behind_can_be_passed_over() -> None:
    for value in ("$var(x) y", "$var(x)$", "$var(x))", "$(var(x))[0]"):
        assert show(parse_pvar(text_of(value), rest=True)) == "var|x|-"
    assert show(parse_pvar(text_of("$ru-"), rest=True)) == "ru|-|-"
    with pytest.raises(PvarError):
        parse_pvar(text_of("$var(x"), rest=True)


def test_places_of_the_pieces() -> None:
    ((before, pvar),) = [parse_format(text_of("ab $(avp(nm)[12]{s.substr,0,$var(n)})"))]
    assert before == "ab "
    assert isinstance(pvar, PVar) and pvar.inner and pvar.index
    assert pvar.span.text == "$(avp(nm)[12]{s.substr,0,$var(n)})"
    assert pvar.inner.span.text == "nm"
    assert pvar.index.span.text == "12"
    (step,) = pvar.transformations
    assert step.span.text == "{s.substr,0,$var(n)}"
    assert step.args is not None and step.args.span.text == "0,$var(n)"
    assert step.args.part(2, 9).span.text == "$var(n)"


def test_places_behind_an_escape() -> None:
    source = r'"a\t$var(x)"'
    file = SourceFile("a.cfg", source)
    text = Text(Span(file, 0, len(source)), "a\t$var(x)", ((0, 1), (2, 4)))
    _, pvar = parse_format(text)
    assert isinstance(pvar, PVar) and pvar.span.text == "$var(x)"


def test_a_text_that_stands_nowhere_has_the_span_of_its_use() -> None:
    file = SourceFile("a.cfg", "MYDEFINE")
    text = Text(Span(file, 0, 8), "x $var( y")
    with pytest.raises(PvarError) as caught:
        parse_format(text)
    assert caught.value.span == text.span


def test_deep_nesting_ends() -> None:
    depth = 20_000
    value = "$var(" + "(" * depth + "x" + ")" * depth + ")"
    assert show(parse_pvar(text_of(value))) == "var|" + value[5:-1] + "|-"
    with pytest.raises(PvarError):
        parse_format(text_of("$(x{s.rm," * depth))


def parse_with_new_tables() -> None:
    for cached in (format_grammar.tables, pvar._parser, pvar._format_shapes):
        cached.cache_clear()
    assert parts("a $(avp(x)[0]{s.rm,$(var(y){s.len})} ) $$") == ["a ", "<avp|x|0|s.rm|$(var(y){s.len})>", " $"]


@pytest.mark.parametrize("stored", ["", "{", "[1]", "[{}, [[1]], [], [], {}, {}]", "null", "\0"])
def test_tables_are_stored_and_built_anew_where_that_fails(
    stored: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    parse_with_new_tables()
    (path,) = (tmp_path / "evapi-cfg").iterdir()
    written = path.read_bytes()
    parse_with_new_tables()
    assert path.read_bytes() == written
    path.write_text(stored)
    parse_with_new_tables()
    assert len(path.read_bytes()) > 1000
    assert not list(path.parent.glob("*.tmp"))


def test_tables_are_built_where_nothing_can_be_stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    parse_with_new_tables()


PIECES = [
    "$",
    "$$",
    "$(",
    "$(x",
    "$x",
    "$x(",
    "(",
    ")",
    "[",
    "]",
    "[0]",
    "{",
    "}",
    "{s.len}",
    "{s.rm,",
    ",",
    ".",
    " ",
    "a",
    "\0",
    "\xff",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_text_is_cut_or_refused(value: str) -> None:
    text = text_of(value)
    try:
        found = parse_format(text)
    except PvarError as error:
        assert text.span.start <= error.span.start <= error.span.end <= text.span.end + 1
        return
    rebuilt = ""
    for part in found:
        if isinstance(part, str):
            assert part
            rebuilt += part.replace("$", "$$")
        else:
            rebuilt += part.span.text
            assert parse_pvar(text_of(part.span.text)) == part
    assert rebuilt == value.replace("$($)", "$$")
