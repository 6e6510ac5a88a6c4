"""`name=value;name=value`, the form of modparams that declare something (core/parser/parse_param.c: parse_params)."""

from __future__ import annotations

from typing import Final, NamedTuple

from evapi_cfg.source import show

_BLANK: Final = " \t\r\n"


class Parameter(NamedTuple):
    """One `name=value`; `at` is where the value begins in the text. `given`: there is a `=`."""

    name: str
    value: str
    at: int
    given: bool


def parse_parameters(text: str) -> list[Parameter]:
    """The parameters in the order in which Kamailio's modules come across them: the last one first. What stands behind
    a comma is passed over. Raises ValueError with what is wrong."""
    return parse_until_comma(text)[0]


def parse_until_comma(text: str) -> tuple[list[Parameter], str]:
    """As parse_parameters, and what is passed over, its comma included."""
    end = len(text) - text.endswith(";")
    found: list[Parameter] = []
    at = 0
    while at < end:
        start = at
        at = _skip_to(text, start, end, _BLANK + ",=;")
        name = text[start:at]
        at = _skip_blanks(text, at, end)
        value, value_at = "", at
        given = at < end and text[at] == "="
        if given:
            value_at = at = _skip_blanks(text, at + 1, end)
            if at < end:
                value_at, value_end, at = _value(text, at, end)
                value = text[value_at:value_end]
                at = _skip_blanks(text, at, end)
        found.append(Parameter(name, value, value_at, given))
        if at == end or text[at] in ",>":
            break
        if text[at] != ";":
            raise ValueError(f"`;` is expected in front of `{show(text[at:end])}`")
        at = _skip_blanks(text, at + 1, end)
        if at == end:
            raise ValueError(
                "there is nothing between two `;`" if text.endswith(";") else "nothing follows the last `;`"
            )
    found.reverse()
    return found, text[at:end]


def _value(text: str, at: int, end: int) -> tuple[int, int, int]:
    """Where a value begins and ends, and where what follows it begins."""
    quote = text[at]
    if quote in "\"'":
        close = text.find(quote, at + 1, end)
        if close < 0:
            raise ValueError("a value has no closing quote")
        return at + 1, close, close + 1
    close = _skip_to(text, at, end, _BLANK + ",;")
    if close == at:
        raise ValueError(f"a value is missing in front of `{show(text[at:end])}`")
    return at, close, close


def _skip_to(text: str, at: int, end: int, stops: str) -> int:
    while at < end and text[at] not in stops:
        at += 1
    return at


def _skip_blanks(text: str, at: int, end: int) -> int:
    while at < end and text[at] in _BLANK:
        at += 1
    return at


UNSIGNED_MAX: Final = 2**32 - 1


def unsigned(text: str) -> int | None:
    """A number of digits alone, where no digit at all is 0; None for any other text (core/ut.h: str2int)."""
    digits = text.removeprefix("+")
    if digits and not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        return None
    number = int(digits or 0)
    return number if number <= UNSIGNED_MAX else None
