"""Documents as json-c reads and writes them (json-c 0.16: json_tokener.c, json_object.c).

It takes more than JSON is: single quotes, comments, commas at the end, literals in any case, numbers such as `01`, `1.`
and `1e`, and whatever stands behind the document. The library parses what is valid; a reader of our own does the rest.
Strings are kept as one character per byte, which need not be UTF-8.
"""

from __future__ import annotations

import json
import re
from typing import Final

from evapi_cfg.modules.json_reading import Grammar, Refused, before_nul, deeper, may_be_deeper, read, with_bytes
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.json_writing import Layout, write
from evapi_cfg.values import LONG_MIN

DEPTH: Final = 32  # json_tokener.h: JSON_TOKENER_DEFAULT_DEPTH
_UNSIGNED_MAX: Final = 2**64 - 1
_REPLACEMENT: Final = "\xef\xbf\xbd"  # U+FFFD


class Real(float):
    """A number that is no integer. It is written as it was read."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Real:
        made = super().__new__(cls, text)
        made.text = text
        return made


# ---- reading --------------------------------------------------------------------------------------------------------


def _integer(text: str) -> int:
    """Cut to what 64 bit can hold: with a sign from below, without one from above."""
    digits = text.lstrip("-0")
    number = int(digits[:21] or "0")
    return max(-number, LONG_MIN) if text.startswith("-") else min(number, _UNSIGNED_MAX)


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    return {before_nul(name): value for name, value in pairs}


# Control characters may stand in strings.
_DECODER: Final = json.JSONDecoder(strict=False, parse_float=Real, parse_constant=Real)
# What calls Python for each number and each object costs more, so only documents that look like it are read that way.
_CAREFUL: Final = json.JSONDecoder(
    strict=False, parse_float=Real, parse_constant=Real, parse_int=_integer, object_pairs_hook=_object
)
_LARGE: Final = re.compile(r"[:,\[][ \t\n\r]*-?[0-9]{19}")
# A comment ends at a star with a slash behind it; of two stars side by side the second is not looked at.
_BLANK: Final = re.compile(r"(?:[ \t\n\r]++|/\*[^*]*+\*(?:[^/][^*]*+\*)*+/|//[^\n]*+\n)*+")


def _half() -> str:
    return _REPLACEMENT


def parse(text: str) -> Json:
    """A document of one character per byte, up to its first NUL. Raises ValueError where json-c refuses it."""
    text = with_bytes(before_nul(text), _half)
    is_object = text[:1] == "{"
    decoder = _CAREFUL if not is_object or _LARGE.search(text) or "\\u0000" in text else _DECODER
    document: Json
    try:
        document, end = decoder.raw_decode(text, 0 if is_object else _after_blank(text, 0))
    except RecursionError:
        raise Refused("the document is too deep") from None
    except ValueError:
        document, end = read(text, GRAMMAR)
    if end < len(text):
        _check_rest(text, end)
    if may_be_deeper(text, DEPTH) and deeper(document, DEPTH):
        raise Refused("the document is too deep")
    return document


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def _check_rest(text: str, end: int) -> None:
    """Anything may stand behind a document but half of a comment's beginning."""
    at = _after_blank(text, end)
    if text.startswith("/", at) and not text.startswith(("//", "/*"), at):
        raise Refused("a slash behind the document begins no comment")


_ENDS: Final = r"(?=[,\]}/Ii \t\n\r]|\Z)"
_INTEGER: Final = re.compile(r"-?[0-9]+" + _ENDS)
# A sign behind the point and an exponent without digits are cut off. Nothing may stand behind a whole exponent.
_REAL: Final = re.compile(
    r"(-?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][-+]?[0-9]+)|(?:(?<=\.)[-+])?(?:[eE][-+]?)?)" + _ENDS
)
_LITERAL: Final = re.compile(r"true|false|null|nan|-?infinity", re.IGNORECASE)
_LITERALS: Final[dict[str, Json]] = {
    "true": True, "false": False, "null": None, "nan": Real("NaN"), "infinity": Real("Infinity"),
    "-infinity": Real("-Infinity"),
}  # fmt: skip
_QUOTE: Final = re.compile(r"['\\]")
_DOUBLE_QUOTE: Final = re.compile(r'\\.|"', re.DOTALL)


def _scalar(text: str, at: int) -> tuple[Json, int]:
    first = text[at : at + 1]
    if first in ('"', "'"):
        return _string(text, at)
    integer = _INTEGER.match(text, at)
    if integer is not None:
        return _integer(integer[0]), integer.end()
    real = None if first == "." else _REAL.match(text, at)
    if real is not None:
        return Real(real[1] + (real[2] or "")), real.end()
    literal = _LITERAL.match(text, at)
    if literal is None:
        raise Refused(f"a value is expected at {at}")
    return _LITERALS[literal[0].lower()], literal.end()


def _string(text: str, at: int) -> tuple[Json, int]:
    """A string in double or single quotes; in these a double quote is a character like others."""
    if text.startswith('"', at):
        return _CAREFUL.raw_decode(text, at)
    if not text.startswith("'", at):
        raise Refused(f"a name in quotes is expected at {at}")
    end = at + 1
    while (found := _QUOTE.search(text, end)) is not None and found[0] == "\\":
        end = found.end() + 1
    if found is None:
        raise Refused(f"the string at {at} does not end")
    inside = _DOUBLE_QUOTE.sub(lambda part: '\\"' if part[0] == '"' else part[0], text[at + 1 : found.start()])
    value, _ = _CAREFUL.raw_decode(f'"{inside}"')
    return value, found.end()


def _name(text: str, at: int) -> tuple[Json, int]:
    name, end = _string(text, at)
    return before_nul(str(name)), end


GRAMMAR: Final = Grammar(_BLANK, _scalar, _name, DEPTH, comma_at_end=True, unique=False)


# ---- writing --------------------------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("/", "\\/")


def _written(value: Json) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Real):
        return value.text
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


_SPACED: Final = Layout(_written, _quoted, blank=" ", comma=", ", colon=": ")


def as_json(value: Json) -> str:
    """As json-c writes with JSON_C_TO_STRING_SPACED."""
    return write(value, _SPACED)


def as_text(value: Json) -> str:
    """The characters of a string up to a NUL, anything else as JSON (json_object_get_string)."""
    return before_nul(value) if isinstance(value, str) else as_json(value)
