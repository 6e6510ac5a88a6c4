"""`{param.*}` and the parameters of URIs: `name=value` between separators (core/parser/parse_param.c)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from evapi_cfg.modules.spec import NoValue, Transformation
from evapi_cfg.modules.transformations.arguments import number, on_words, separator, separator_or_comma, text
from evapi_cfg.values import int32

WHITE: Final = " \t\r\n"


class Param(NamedTuple):
    """One parameter. `start` is where its name stands; `end` is behind its value, or behind its name without one."""

    name: str
    body: str
    start: int
    end: int


@lru_cache(64)
def parse_params(value: str, separator: str = ";") -> tuple[Param, ...] | None:
    """The parameters in their order; None where the text is not of the form (core/parser/parse_param.c).

    White space may stand around names and values; a value may be in quotes. A `,` or `>` ends the list.
    """
    found: list[Param] = []
    stops = WHITE + ",=" + separator
    at, size = 0, len(value)
    while True:
        start = at
        while at < size and value[at] not in stops:
            at += 1
        name, body, end = value[start:at], "", at
        at = _skip_white(value, at)
        if value[at : at + 1] == "=":
            at = _skip_white(value, at + 1)
            if at < size:
                quote = value[at]
                if quote in "\"'":
                    closing = value.find(quote, at + 1)
                    if closing < 0:
                        return None
                    body, end, at = value[at + 1 : closing], closing, closing + 1
                else:
                    begin = at
                    while at < size and value[at] not in WHITE + "," + separator:
                        at += 1
                    if at == begin:
                        return None
                    body, end = value[begin:at], at
            at = _skip_white(value, at)
        found.append(Param(name, body, start, end))
        if at >= size:
            return tuple(found)
        stop = value[at]
        if (stop == "," and separator != ",") or (stop == ">" and separator != ">"):
            return tuple(found)
        if stop != separator:
            return None
        at = _skip_white(value, at + 1)
        if at >= size:
            return None


def _skip_white(value: str, at: int) -> int:
    while at < len(value) and value[at] in WHITE:
        at += 1
    return at


def named(params: tuple[Param, ...], name: str) -> Param | None:
    """The last parameter of that name, whose case does not matter: Kamailio keeps them in reverse order."""
    name = folded(name)
    return next((param for param in reversed(params) if folded(param.name) == name), None)


def folded(name: str) -> str:
    """The text with ASCII letters in lower case."""
    return name.lower() if name.isascii() else re.sub("[A-Z]", lambda found: found[0].lower(), name)


def _params(value: str, separator: str) -> tuple[Param, ...]:
    if len(separator) != 1:
        raise NoValue
    if len(value) > 1 and value[-1] == separator:
        value = value[:-1]
    params = parse_params(value, separator)
    if params is None:
        raise NoValue
    return params


def value_of(value: str, name: str, separator: str = ";") -> str:
    param = named(_params(value, separator), name)
    return param.body if param else ""


def is_in(value: str, name: str, separator: str = ";") -> int:
    return 1 if named(_params(value, separator), name) else 0


def value_at(value: str, index: int, separator: str = ";") -> str:
    param = _at(_params(value, separator), index)
    return param.body if param else ""


def name_at(value: str, index: int, separator: str = ";") -> str:
    param = _at(_params(value, separator), index)
    return param.name if param else ""


def _at(params: tuple[Param, ...], index: int) -> Param | None:
    index = int32(index)
    return params[index] if -len(params) <= index < len(params) else None


def number_of(value: str, separator: str = ";") -> int:
    return len(_params(value, separator[:1]))


PARAMS: Final[tuple[Transformation, ...]] = (
    on_words("param", "value", "(s,c?)", value_of, text, separator),
    on_words("param", "in", "(s,c?)", is_in, text, separator),
    on_words("param", "valueat", "(n,c?)", value_at, number, separator),
    on_words("param", "name", "(n,c?)", name_at, number, separator),
    on_words("param", "count", "(c?)", number_of, separator_or_comma),
)
