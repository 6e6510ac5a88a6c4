"""Documents as jansson reads and writes them (jansson 2.14: load.c, dump.c, strconv.c, utf.c).

A library parses; what the C library refuses beyond that is refused here as well: names that come twice, NaN, numbers
of more than 64 bit, NULs, halves of characters. Strings are kept as one character per byte.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from json.scanner import make_scanner
from typing import Any, Final, cast

from evapi_cfg.modules.json_reading import Grammar, Refused, before_nul, deeper, may_be_deeper, read, with_bytes
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.json_writing import Layout, write
from evapi_cfg.values import INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, Value

DEPTH: Final = 2048  # load.c, JSON_PARSER_MAX_DEPTH


# ---- reading --------------------------------------------------------------------------------------------------------


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Refused("a name comes twice in an object")
    return made


def _no_constant(text: str) -> float:
    raise Refused(f"{text} is no JSON")


def _integer(text: str) -> int:
    number = int(text) if len(text) < 21 else LONG_MAX + 1
    if not LONG_MIN <= number <= LONG_MAX:
        raise Refused("a number of more than 64 bit")
    return number


def _real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise Refused("a number that is too large")
    return number


def _half() -> str:
    raise Refused("half of a character in a string")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
# What calls Python for each number costs much more, so only documents that look like it are read that way.
_LARGE: Final = re.compile(r"[:,\[][ \t\n\r]*-?(?:[0-9]{19}|[0-9.]+[eE]\+?[0-9]{3})")
_CAREFUL: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer, parse_float=_real
)
_PLAIN: Final[Callable[[str, int], tuple[Json, int]]] = make_scanner(
    cast(Any, json.JSONDecoder(parse_constant=_no_constant))
)
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
DEEP: Final = Grammar(
    blank=re.compile(r"[ \t\n\r]*+"),
    scalar=_CAREFUL.raw_decode,
    name=_CAREFUL.raw_decode,
    depth=DEPTH,
    comma_at_end=False,
    unique=True,
)


def parse(text: str) -> Json:
    """A document of one character per byte, up to its first NUL. Raises ValueError where jansson refuses it."""
    text = before_nul(text)
    if not text.isascii():
        text.encode("latin-1").decode("utf-8")
    if "\\u" in text:
        if _NUL.search(text):
            raise Refused("a NUL in a string")
        text = with_bytes(text, _half)
    decoder = _CAREFUL if _LARGE.search(text) else _DECODER
    document: Json
    try:
        document, end = _begun(text) if decoder is _DECODER else (None, 0)
        if end != len(text):  # with blanks around it, or none
            document = decoder.decode(text)
    except RecursionError:
        document = _deep(text)
    if not isinstance(document, (dict, list)):
        raise Refused("neither an object nor an array")
    if may_be_deeper(text, DEPTH) and deeper(document, DEPTH):
        raise Refused("the document is too deep")
    return document


def _begun(text: str) -> tuple[Json, int]:
    """A document without blanks in front, and where it ends; (None, 0) where it must be looked at more closely.

    Looking at all members for names that come twice costs as much as reading them. Each member has one colon outside of
    its strings: where there are no more colons than members, no name came twice.
    """
    if text[:1] not in ("{", "["):
        return None, 0
    try:
        document, end = _PLAIN(text, 0)
    except StopIteration:
        return None, 0
    return (document, end) if text.count(":") == _members(document) else (None, 0)


def _members(document: Json) -> int:
    """How many members the objects in a document have, its own and those inside."""
    if not isinstance(document, dict):
        return -1
    found = len(document)
    for value in document.values():
        if value.__class__ is dict:
            found += _members(value)
        elif value.__class__ is list:
            return -1  # rare in what applications send, and not worth more code
    return found


def _deep(text: str) -> Json:
    document, end = read(text, DEEP)
    if text[end:].strip(" \t\n\r"):
        raise Refused("something stands behind the document")
    return document


# ---- writing --------------------------------------------------------------------------------------------------------

_CONTROL: Final = re.compile(r"\\.(?:00[0-9a-f]{2})?")


def _upper_case(escaped: re.Match[str]) -> str:
    text = escaped[0]
    return text[:2] + text[2:].upper() if text[1] == "u" else text


def _text(value: str) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return _CONTROL.sub(_upper_case, written) if "\\u" in written else written


def _scalar(value: Json) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        number, e, exponent = f"{value:.17g}".partition("e")
        if e:
            return f"{number}e{int(exponent)}"
        return number if "." in number else f"{number}.0"
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


_COMPACT: Final = Layout(_scalar, _text, blank="", comma=",", colon=":")
_LOOSE: Final = Layout(_scalar, _text, blank="", comma=", ", colon=": ")
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))
_UNLIKE: Final = re.compile(r"[0-9][.e]|\\u")  # in numbers and escapes the library and jansson differ


def compact(value: Json) -> str:
    """As jansson writes with JSON_COMPACT."""
    try:
        written = _ENCODER.encode(value)
    except RecursionError:
        return write(value, _COMPACT)
    return write(value, _COMPACT) if _UNLIKE.search(written) else written


def loose(value: Json) -> str:
    """As jansson writes without flags."""
    return write(value, _LOOSE)


def to_value(found: Json) -> Value:
    """What a variable gets of a value (jansson_utils.c: jansson_to_val)."""
    if isinstance(found, bool):
        return int(found)
    if isinstance(found, int):
        return found if INT_MIN <= found <= INT_MAX else str(found)
    return found if found is None else to_text(found)


def to_text(found: str | float | list[Json] | dict[str, Json]) -> str:
    if isinstance(found, str):
        return found
    return f"{found:.15g}" if isinstance(found, float) else compact(found)
