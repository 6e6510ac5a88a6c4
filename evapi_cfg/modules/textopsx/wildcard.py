"""File name patterns: `*`, `?`, `[a-z]`, as POSIX fnmatch() takes them without flags. Text has one character per
byte; a text or a pattern ends at its first NUL."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_CLASSES: Final = {
    "alnum": "A-Za-z0-9", "alpha": "A-Za-z", "blank": " \\t", "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\t-\\r ", "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_KEPT: Final = 256


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches the whole text."""
    compiled = _compiled(pattern.partition("\0")[0])
    return compiled is not None and compiled.fullmatch(text.partition("\0")[0]) is not None


@lru_cache(_KEPT)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """None for a pattern that matches nothing."""
    out: list[str] = []
    at = 0
    unclosed = False  # a bracket had no end, so that none behind it has one
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            if out[-1:] != [".*"]:
                out.append(".*")
        elif char == "?":
            out.append(".")
        elif char == "[":
            bracket = None if unclosed else _bracket(pattern, at)
            unclosed = bracket is None
            at, expression = bracket or (at, r"\[")
            out.append(expression)
        elif char == "\\":
            if at == len(pattern):
                return None
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(char))
    return re.compile("".join(out), re.DOTALL | re.ASCII)


def _bracket(pattern: str, at: int) -> tuple[int, str] | None:
    """What `[` begins, and where it ends; None where no `]` follows, so that the `[` stands for itself."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    parts: list[str] = []
    first = True
    while at < len(pattern) and (first or pattern[at] != "]"):
        first = False
        if pattern.startswith("[:", at) and (end := pattern.find(":]", at + 2)) > 0:
            name = pattern[at + 2 : end]
            if name not in _CLASSES:
                return end + 2, "(?!)"
            parts.append(_CLASSES[name])
            at = end + 2
            continue
        at, low = _member(pattern, at)
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
            at, high = _member(pattern, at + 1)
            if low <= high:
                parts.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            parts.append(re.escape(low))
    if at >= len(pattern):
        return None
    if not parts:
        return at + 1, "." if negated else "(?!)"
    return at + 1, f"[{'^' if negated else ''}{''.join(parts)}]"


def _member(pattern: str, at: int) -> tuple[int, str]:
    if pattern[at] == "\\" and at + 1 < len(pattern):
        at += 1
    return at + 1, pattern[at]
