"""The tree of a POSIX extended regular expression as a pattern of Python's `re`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from evapi_cfg.regex.tree import ICASE, NEWLINE, Alternatives, Anchor, BackReference, Chars, Concat, Group, Node, Repeat

_WORD: Final = "[0-9A-Za-z_]"
_STARTS: Final = f"(?<!{_WORD})(?={_WORD})"
_ENDS: Final = f"(?<={_WORD})(?!{_WORD})"
_ANCHORS: Final = {
    "`": r"\A",
    "'": r"\Z",
    "<": _STARTS,
    ">": _ENDS,
    "b": f"(?:{_STARTS}|{_ENDS})",
    "B": f"(?!{_STARTS}|{_ENDS})",
}


def write(node: Node, flags: int, *, groups: bool, not_bol: bool = False) -> str:
    """`node` for `re` with the flag ASCII; without `groups` nothing is captured.

    `not_bol`: the text does not begin a line (REG_NOTBOL).
    """

    def written(node: Node) -> str:
        match node:
            case Chars(chars):
                return _chars(chars)
            case Anchor("^"):
                start = "(?!)" if not_bol else r"\A"
                return rf"(?:{start}|(?<=\n))" if flags & NEWLINE else start
            case Anchor("$"):
                return r"(?=\n|\Z)" if flags & NEWLINE else r"\Z"
            case Anchor(kind):
                return _ANCHORS[kind]
            case BackReference(number):
                return rf"(?i:\{number})" if flags & ICASE else rf"(?:\{number})"
            case Group(_, body):
                return ("(" if groups else "(?:") + written(body) + ")"
            case Repeat(body, low, high):
                single = isinstance(body, Chars | Group)
                return (written(body) if single else f"(?:{written(body)})") + _count(low, high)
            case Concat(parts):
                return "".join(map(written, parts))
            case Alternatives(parts):
                return "|".join(map(written, parts))

    return written(node)


def _count(low: int, high: int | None) -> str:
    if high is None:
        return {0: "*", 1: "+"}.get(low, f"{{{low},}}")
    if low == high:
        return f"{{{low}}}"
    return "?" if (low, high) == (0, 1) else f"{{{low},{high}}}"


@lru_cache(1024)
def _chars(chars: frozenset[str]) -> str:
    if len(chars) == 1:
        return re.escape(next(iter(chars)))
    if not chars:
        return "(?!)"
    inside = _ranges(chars)
    outside = _ranges(frozenset(map(chr, range(256))) - chars)
    return f"[{inside}]" if len(inside) <= len(outside) + 1 else f"[^{outside}]"


def _ranges(chars: frozenset[str]) -> str:
    written = ""
    codes = sorted(map(ord, chars))
    start = 0
    for index, code in enumerate(codes):
        if index + 1 < len(codes) and codes[index + 1] == code + 1:
            continue
        low, high = codes[start], code
        start = index + 1
        written += _code(low) if low == high else f"{_code(low)}{'-' if high > low + 1 else ''}{_code(high)}"
    return written


def _code(code: int) -> str:
    char = chr(code)
    return char if char.isascii() and char.isalnum() else f"\\x{code:02x}"
