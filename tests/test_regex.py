"""Regular expressions: against the C library that Kamailio uses, and the places where it is not followed."""

from __future__ import annotations

import ctypes
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from evapi_cfg import regex
from evapi_cfg.regex import ICASE, NEWLINE, RegexError, translate

# ---- glibc -----------------------------------------------------------------------------------------------------------

REG_EXTENDED, REG_ICASE, REG_NEWLINE, REG_NOTBOL = 1, 2, 4, 1
LC_ALL = 6


class RegexT(ctypes.Structure):
    """struct re_pattern_buffer of glibc's regex.h; more room than it needs."""

    _fields_ = [
        ("buffer", ctypes.c_void_p),
        ("allocated", ctypes.c_ulong),
        ("used", ctypes.c_ulong),
        ("syntax", ctypes.c_ulong),
        ("fastmap", ctypes.c_void_p),
        ("translate", ctypes.c_void_p),
        ("re_nsub", ctypes.c_size_t),
        ("rest", ctypes.c_char * 64),
    ]


class RegmatchT(ctypes.Structure):
    _fields_ = [("rm_so", ctypes.c_int), ("rm_eo", ctypes.c_int)]


Spans = list[tuple[int, int] | None]


@pytest.fixture(scope="module")
def libc() -> Any:
    """The C library with the locale that Kamailio runs in."""
    library = ctypes.CDLL("libc.so.6")
    library.setlocale.restype = ctypes.c_char_p
    before = library.setlocale(LC_ALL, None)
    library.setlocale(LC_ALL, b"C")
    yield library
    library.setlocale(LC_ALL, before)


def theirs(libc: Any, pattern: str, text: str, flags: int, not_bol: bool) -> Spans | str | None:
    """What regcomp and regexec give: the spans, None without a match, "refused" where the pattern is none."""
    compiled = RegexT()
    cflags = REG_EXTENDED | (REG_ICASE if flags & ICASE else 0) | (REG_NEWLINE if flags & NEWLINE else 0)
    if libc.regcomp(ctypes.byref(compiled), pattern.encode("latin-1"), cflags):
        return "refused"
    count = compiled.re_nsub + 1
    found = (RegmatchT * count)()
    missed = libc.regexec(
        ctypes.byref(compiled), text.encode("latin-1"), count, found, REG_NOTBOL if not_bol else 0
    )  # fmt: skip
    libc.regfree(ctypes.byref(compiled))
    if missed:
        return None
    return [(match.rm_so, match.rm_eo) if match.rm_so >= 0 else None for match in found]


def ours(pattern: str, text: str, flags: int, not_bol: bool) -> Spans | str | None:
    try:
        compiled = regex.compile(pattern, flags)
    except RegexError as error:
        assert 0 <= error.offset <= len(pattern)
        return "refused"
    found = compiled.search(text, not_bol=not_bol)
    assert compiled.matches(text) == (compiled.search(text) is not None)
    return None if found is None else list(found.spans)


GENERAL = ["a", "b", "A", "c", ".", "*", "+", "?", "(", ")", "|", "^", "$", "[ab]", "[^a]", "{2}", "{1,2}", "{,2}", "{",
           "}", "\\1", "\\w", "\\W", "\\s", "\\S", "\\b", "\\<", "\\>", "\\B", "\\`", "\\'", "[[:alpha:]]",
           "[[:upper:]x]", "[a-c]", "[", "-", "]", "_", "\\", "\\.", "\xe9", " ", "\n"]  # fmt: skip
BRACKETS = ["[", "^", "]", "a", "b", "z", "A", "Z", "-", "[:", "[:alpha:]", ":]", "[.", ".]", "[=", "=]", "\\", "_",
            "\xe9", "[.a.]", "[=b=]", "[:upper:]"]  # fmt: skip
CHOICES = ["a", "b", ".", "*", "+", "?", "(", ")", "|", "(a", "b)", "(a|ab)", "(c|bcd)", "(d*)", "c", "^", "$"]
TEXT = ["a", "b", "c", "A", "B", "\n", " ", "_", "\xe9", "d", "ab", "-", "[", "]", "Z", "\\"]

patterns = st.one_of(
    *(st.lists(st.sampled_from(pieces), min_size=1, max_size=8).map("".join) for pieces in (GENERAL, BRACKETS, CHOICES))
)
texts = st.lists(st.sampled_from(TEXT), max_size=8).map("".join)


@settings(max_examples=1500, deadline=None)
@given(patterns, texts, st.sampled_from([0, ICASE, NEWLINE, ICASE | NEWLINE]), st.booleans())
@example("(a|ab)(c|bcd)(d*)", "abcd", 0, False)
@example("a?(ab)?", "ab", 0, False)
@example("(d*)*", "x", 0, False)
@example("((a)|b)*", "ab", 0, False)
@example("(a*)(ab)*(b*)", "abb", 0, False)
@example("[^@]+@(.*)$", "x a@b@c", 0, False)
def test_as_the_c_library(libc: Any, pattern: str, text: str, flags: int, not_bol: bool) -> None:
    # Without REG_NEWLINE glibc lets `.^` match "\na" though `^a` does not: an accident of its state tables.
    assume(flags & NEWLINE or "\n" not in text)
    # Whether an empty alternative or one that can be empty was taken is of no use to anyone.
    assume("|" not in pattern or "(" not in pattern or theirs_is_not_empty(libc, pattern, text, flags, not_bol))
    assert ours(pattern, text, flags, not_bol) == theirs(libc, pattern, text, flags, not_bol)


def theirs_is_not_empty(libc: Any, pattern: str, text: str, flags: int, not_bol: bool) -> bool:
    found = theirs(libc, pattern, text, flags, not_bol)
    return not isinstance(found, list) or found[0] is None or found[0][0] < found[0][1]


# ---- by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "flags", "text", "found"),
    [
        ("", 0, "", True),
        ("abc", 0, "xabcx", True),
        ("ABC", 0, "xabcx", False),
        ("ABC", ICASE, "xabcx", True),
        ("\xc9", ICASE, "\xe9", False),  # only ASCII letters have two cases
        (r"\d", 0, "5", False),
        (r"\d", 0, "d", True),
        (r"\a", ICASE, "a", False),  # glibc keeps an escaped letter as it is and makes the text upper case
        ("a.c", 0, "a\nc", True),
        ("a.c", NEWLINE, "a\nc", False),
        ("a$", 0, "a\n", False),
        ("a$", NEWLINE, "a\nb", True),
        ("^b", 0, "a\nb", False),
        ("^b", NEWLINE, "a\nb", True),
        ("[^x]", NEWLINE, "\n", False),
        ("a+?", 0, "b", True),
        ("^[0-9]{3,}$", 0, "12", False),
        ("^(sip|sips):", ICASE, "SIPS:a", True),
        ("[]a]", 0, "]", True),
        ("[a\\]", 0, "\\", True),
        ("[[:digit:][:space:]]", 0, "\t", True),
        ("a)", 0, "a)", True),
        ("a}", 0, "a}", True),
        ("(.)\\1", ICASE, "aA", True),
        ("x", 0, "a\0x", False),  # a C string ends at its first NUL
        ("a\0(", 0, "a", True),
    ],
)
def test_matches(pattern: str, flags: int, text: str, found: bool) -> None:
    assert regex.compile(pattern, flags).matches(text) is found


@pytest.mark.parametrize(
    ("pattern", "offset", "words"),
    [
        ("*a", 0, "nothing in front"),
        ("a|*b", 2, "nothing in front"),
        ("^*", 1, "nothing in front"),
        ("(?:a)", 1, "nothing in front"),
        ("ab(c", 2, "`(` is not closed"),
        ("ab[c", 2, "`[` is not closed"),
        ("a{2", 1, "`{` is not closed"),
        ("a{x}", 1, "no number"),
        ("a{3,2}", 1, "smaller number"),
        ("a{40000}", 1, "32767"),
        ("(a)\\2", 3, "no group 2"),
        ("(a\\1)", 2, "no group 1"),
        ("a\\", 1, "nothing follows"),
        ("[z-a]", 1, "ends before it begins"),
        ("[[:word:]]", 1, "no class"),
        ("[a-[:digit:]]", 1, "ends no range"),
        ("[[.space.]]", 1, "not one character"),
        ("(" * 3000 + ")" * 3000, 80, "inside each other"),
    ],
)
def test_refused(pattern: str, offset: int, words: str) -> None:
    with pytest.raises(RegexError, match=None) as caught:
        regex.compile(pattern)
    assert caught.value.offset == offset
    assert words in caught.value.message


def test_repetitions_of_repetitions() -> None:
    assert regex.compile("a" + "*+?" * 1000).matches("")
    with pytest.raises(RegexError, match="repetitions of repetitions"):
        regex.compile("a" + "{1,2}" * 1000)


def test_search_goes_on_behind_a_match() -> None:
    compiled = regex.compile("^a|b")
    first = compiled.search("aab")
    assert first is not None and first.span() == (0, 1)
    second = compiled.search("aab", 1, not_bol=True)
    assert second is not None and second.span() == (2, 3) and second.group() == "b"


def test_a_long_text_is_searched_without_looking_for_the_longest_match() -> None:
    found = regex.compile("(a|ab)+c").search("ab" * 30_000 + "c")
    assert found is not None and found.span() == (0, 60_001)


def test_translate() -> None:
    assert regex.translate("^a[0-9]{2}$") == r"\Aa[0-9]{2}\Z"
    assert regex.translate("(a|b)?c") == "(a|b)?c"


def test_each_set_of_characters_is_worked_out_once() -> None:
    written: list[str] = []
    count = 0

    def counted(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_name == "_ranges"

    sys.setprofile(counted)
    try:
        written.append(translate("ab" * 2000, ICASE))
    finally:
        sys.setprofile(None)
    assert count <= 4 and written[0].count("[") == 4000
