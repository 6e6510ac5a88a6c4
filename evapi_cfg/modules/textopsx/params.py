"""Where a parameter of a header's value stands (textopsx.c: get_uri_and_skip_until_params, find_hf_value_param,
find_hf_value2_param). Places are offsets in a text of which only what lies between `start` and `end` is looked at."""

from __future__ import annotations

from typing import Final, NamedTuple

from evapi_cfg.modules.textops.strings import lower

_BLANKS: Final = " \t\r\n"
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Found(NamedTuple):
    """A parameter: from `low` to `high` with the separator that goes with it, its value from the end of its name,
    `name_end`, to `value_end`. Where it is not there, `low` is where it would be put, behind `separator`."""

    is_there: bool
    low: int
    high: int = 0
    name_end: int = 0
    value_end: int = 0
    separator: str = ""


def _skip(text: str, at: int, end: int) -> int:
    while at < end and text[at] in _BLANKS:
        at += 1
    return at


def _until(text: str, at: int, end: int, stops: str) -> int:
    while at < end and text[at] not in stops:
        at += 1
    return at


def _value_end(text: str, at: int, end: int, separator: str) -> int:
    """The end of a value that begins at `at`, its closing quote included."""
    if text[at : at + 1] == '"' and at < end:
        return min(_until(text, at + 1, end, '"') + 1, end)
    return _until(text, at, end, _BLANKS + separator)


class Parts(NamedTuple):
    """A display name and an address, with its angle brackets, each from one offset to another; `params_at` is behind
    them."""

    name: tuple[int, int]
    uri: tuple[int, int]
    params_at: int


def _behind_quotes(text: str, at: int, end: int, stops: str) -> int:
    """Where the first of some characters stands outside of quotes."""
    quoted = False
    while at < end and (quoted or text[at] not in stops):
        if text[at] == '"' and (not quoted or text[at - 1] != "\\"):
            quoted = not quoted
        at += 1
    return at


def parts_of(text: str, start: int, end: int) -> Parts:
    """What stands in front of the parameters: `name <uri>` or `uri`, of whatever form it is. Of several words without
    brackets the first one is the name and the last one the address."""
    at = start
    name_end, uri, enclosed = start, (end, end), False
    while at < end and text[at] != ";":
        word = at
        at = _behind_quotes(text, at, end, "<;" + _BLANKS)
        if name_end == start:
            name_end = at
        if not enclosed and '"' not in text[word:at]:
            uri = (word, at)
        at = _skip(text, at, end)
        if at < end and text[at] == "<":
            begin, at = at, _behind_quotes(text, at, end, ">")
            uri = (begin, at + 1) if at < end else (begin, begin)
            enclosed = enclosed or at < end
            at += at < end
    return Parts((start, start if uri[0] == start else name_end), uri, at)


def param_value(text: str, found: Found) -> str:
    """The value of a parameter that is there, without its quotes; empty where it has none."""
    value = text[found.name_end : found.value_end].lstrip(_BLANKS).removeprefix("=").lstrip(_BLANKS)
    return value[1:].partition('"')[0] if value[:1] == '"' else value


def find_param(text: str, start: int, end: int, name: str, behind: int | None = None) -> Found:
    """A parameter behind a semicolon. `behind`: where to go on after an earlier one."""
    at = parts_of(text, start, end).params_at if behind is None else behind
    while True:
        low = at
        at = _skip(text, at, end)
        if at >= end or text[at] != ";":
            return Found(False, low, separator=";")
        begin = _skip(text, at + 1, end)
        name_end = at = _until(text, begin, end, "=;" + _BLANKS)
        at = _skip(text, at, end)
        if at < end and text[at] == "=":
            at = _value_end(text, _skip(text, at + 1, end), end, ";")
        if lower(text[begin:name_end]) == lower(name):
            return Found(True, low, at, name_end, at)


def find_comma_param(text: str, start: int, end: int, name: str, behind: int | None = None) -> Found:
    """A parameter among others with commas between them, which a word may stand in front of."""
    at = start if behind is None else behind
    separator = ""
    while at < end:
        low = at
        at = _skip(text, at, end)
        comma = at < end and text[at] == ","
        at = _skip(text, at + comma, end)
        if at >= end or text[at] not in _NAME:
            at = _until(text, at, end, "," + _BLANKS)
            at += at < end and text[at] == ","
            continue
        begin = at
        separator = separator or " "
        while at < end and text[at] in _NAME:
            at += 1
        word = text[begin:at]
        name_end = at = _skip(text, at, end)
        if at < end and text[at] == "=":
            separator = ","
            value_end = high = at = _value_end(text, _skip(text, at + 1, end), end, ",")
            if lower(word) == lower(name):
                after = _skip(text, at, end)
                if not comma and after < end and text[after] == ",":
                    high = after + 1
                return Found(True, low, high, name_end, value_end)
        at = _skip(text, at, end)
    return Found(False, at, separator=separator)
