"""The expressions of `#!subst`, `#!substdef` and `#!substdefs`: `/regex/replacement/flags` with any separator
(core/re.c: subst_parser, parse_repl, subst_run).

This module knows nothing of the scanner; what a variable in a replacement is worth, it is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from evapi_cfg.regex import ICASE, NEWLINE, Match, Regex, RegexError, TooSlow, compile

MAX_RESULT: Final = 1 << 20  # characters of a text in which something has been replaced
LONGEST_VARIABLE: Final = 4096  # characters; what is longer is none
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}

Expand: TypeAlias = "Callable[[str], tuple[str, int] | None]"
"""From text that starts with `$`: the value that the variable there has now, and its length in the text; None where
none stands there."""


class _Variable(NamedTuple):
    """A variable in a replacement: it is evaluated each time the rule is applied."""

    text: str


class SubstError(Exception):
    """What is wrong with the expression, in words."""

    def __init__(self, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.at = at  # offset in the expression


@dataclass(frozen=True, slots=True)
class Substitution:
    """One rule. `parts` of the replacement are text or the number of a group."""

    pattern: str
    replacement: str  # as written
    regex: Regex
    parts: tuple[str | int | _Variable, ...]
    everywhere: bool
    expand: Expand

    def apply(self, value: str) -> str:
        """The text with what is to be replaced; raises TooSlow."""
        if not value:
            return value
        out: list[str] = []
        pos = size = 0
        while True:
            found = self.regex.search_bounded(value, pos, not_bol=pos > 0 and value[pos - 1] not in "\r\n")
            span = found.span() if found else None
            if found is None or span is None:
                break
            start, end = span
            if start == end:
                return value  # Kamailio logs an error and keeps the text
            new = [value[pos:start], *(self._part(part, found) for part in self.parts)]
            out += new
            size += sum(map(len, new))
            if size > MAX_RESULT:
                raise TooSlow
            pos = end
            if not self.everywhere:
                break
        return "".join(out) + value[pos:] if out else value

    def _part(self, part: str | int | _Variable, found: Match) -> str:
        if isinstance(part, str):
            return part
        if isinstance(part, int):
            return found.group(part) or ""
        value = self.expand(part.text)
        return value[0] if value else part.text


def parse_substitution(text: str, expand: Expand) -> Substitution:
    """Raises SubstError."""
    if len(text) < 3:
        raise SubstError("the expression is too short")
    separator = text[0]
    if separator == "\\":
        raise SubstError("`\\` cannot separate the parts of the expression")
    middle = _unescaped(text, separator, 1)
    if middle < 0:
        raise SubstError(f"no `{separator}` ends the pattern")
    if middle + 2 > len(text):
        raise SubstError("the replacement is missing", middle)
    parts, end = _replacement(text, middle + 1, separator, expand)
    ignore_case, newline = False, True
    for at in range(end + 1, len(text)):
        flag = text[at]
        if flag not in "gis":
            raise SubstError(f"unknown flag `{flag}`", at)
        ignore_case |= flag == "i"
        newline &= flag != "s"
    pattern = text[1:middle]
    try:
        regex = compile(pattern, (ICASE if ignore_case else 0) | (NEWLINE if newline else 0))
    except RegexError as error:
        raise SubstError(error.message, 1) from None
    groups = [part for part in parts if isinstance(part, int)]
    if groups and max(groups) > regex.groups:
        parts = tuple("" if isinstance(part, int) and part > regex.groups else part for part in parts)
    return Substitution(pattern, text[middle + 1 : end], regex, parts, "g" in text[end + 1 :], expand)


def _unescaped(text: str, separator: str, pos: int) -> int:
    while True:
        pos = text.find(separator, pos)
        if pos < 0 or text[pos - 1] != "\\":
            return pos
        pos += 1


def _replacement(text: str, pos: int, separator: str, expand: Expand) -> tuple[tuple[str | int | _Variable, ...], int]:
    parts: list[str | int | _Variable] = []
    while pos < len(text):
        char = text[pos]
        if char == "\\" and pos + 1 < len(text):
            escaped = text[pos + 1]
            if escaped.isdigit():
                parts.append(int(escaped))
            elif escaped != "u":  # the request's URI: there is none while a file is read
                parts.append(_ESCAPES.get(escaped, escaped))
            pos += 2
        elif char == "$":
            value = expand(text[pos : pos + LONGEST_VARIABLE])
            if value is None:
                raise SubstError("the replacement holds a `$` that starts no variable", pos)
            parts.append(_Variable(text[pos : pos + value[1]]))
            pos += value[1]
        elif char == separator:
            return tuple(parts), pos
        else:
            parts.append(char)
            pos += 1
    raise SubstError(f"no `{separator}` ends the replacement", len(text))
