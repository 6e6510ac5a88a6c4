"""`name=value;name=value`, the form of modparams that declare something (core/parser/parse_param.c: parse_params)."""

from __future__ import annotations

from typing import Final, NamedTuple

_BLANK: Final = " \t\r\n"


class Parameter(NamedTuple):
    """One `name=value`; `at` is where the value begins in the text."""

    name: str
    value: str
    at: int


def parse_parameters(text: str) -> list[Parameter]:
    """The parameters in the order in which Kamailio's modules come across them: the last one first. What stands behind
    a comma is passed over. Raises ValueError with what is wrong."""
    end = len(text) - text.endswith(";")
    found: list[Parameter] = []
    at = 0
    while at < end:
        start = at
        at = _skip_to(text, start, end, _BLANK + ",=;")
        name = text[start:at]
        at = _skip_blanks(text, at, end)
        value, value_at = "", at
        if at < end and text[at] == "=":
            value_at = at = _skip_blanks(text, at + 1, end)
            if at < end:
                value_at, value_end, at = _value(text, at, end)
                value = text[value_at:value_end]
                at = _skip_blanks(text, at, end)
        found.append(Parameter(name, value, value_at))
        if at == end or text[at] in ",>":
            break
        if text[at] != ";":
            raise ValueError(f"`;` is expected in front of `{text[at:end]}`")
        at = _skip_blanks(text, at + 1, end)
        if at == end:
            raise ValueError(
                "there is nothing between two `;`" if text.endswith(";") else "nothing follows the last `;`"
            )
    found.reverse()
    return found


def _value(text: str, at: int, end: int) -> tuple[int, int, int]:
    """Where a value begins and ends, and where what follows it begins."""
    quote = text[at]
    if quote in "\"'":
        close = text.find(quote, at + 1, end)
        if close < 0:
            raise ValueError(f"a {quote} has no partner")
        return at + 1, close, close + 1
    close = _skip_to(text, at, end, _BLANK + ",;")
    if close == at:
        raise ValueError(f"a value is missing in front of `{text[at:end]}`")
    return at, close, close


def _skip_to(text: str, at: int, end: int, stops: str) -> int:
    while at < end and text[at] not in stops:
        at += 1
    return at


def _skip_blanks(text: str, at: int, end: int) -> int:
    while at < end and text[at] in _BLANK:
        at += 1
    return at


_INT_MAX: Final = 2**31 - 1


def leading_number(text: str) -> int:
    """The number that a text begins with, 0 where there is none (core/ut.h: str2sint, whose failure is not noticed)."""
    sign = text[:1] in ("+", "-")
    end = int(sign)
    while "0" <= text[end : end + 1] <= "9" and end < 12:
        end += 1
    number = int(text[:end]) if end > sign else 0
    return max(-_INT_MAX - 1, min(number, _INT_MAX))


def unsigned(text: str) -> int | None:
    """A number of digits alone, where no digit at all is 0; None for any other text (core/ut.h: str2int)."""
    digits = text.removeprefix("+")
    if digits and not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        return None
    number = int(digits or 0)
    return number if number < 2**32 else None
