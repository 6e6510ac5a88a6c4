"""`{val.*}` and `{num.*}`: $null made into something, JSON, digits (pv_trans.c: tr_eval_val, tr_eval_num)."""

from __future__ import annotations

import re
from typing import Final

from evapi_cfg.modules.spec import NoValue, Transformation
from evapi_cfg.modules.transformations.arguments import on_value
from evapi_cfg.modules.transformations.chain import int_with_text
from evapi_cfg.modules.transformations.strings import BUFFER
from evapi_cfg.values import Value

_SPECIAL: Final = re.compile(r'["\\\x00-\x1f]')
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def zero_for_null(value: Value) -> Value:
    return 0 if value is None else value


def empty_for_null(value: Value) -> Value:
    return "" if value is None else value


def json_text(value: Value) -> Value:
    """What can stand between the quotes of a JSON string; $null is empty. An integer stays one."""
    if value is None:
        return ""
    return _escaped(value, 2) if isinstance(value, str) and _SPECIAL.search(value) else value


def json_quoted(value: Value) -> Value:
    """A JSON string, but without quotes where the text needs no escapes, as in Kamailio 6.1. $null is `""`."""
    if value is None:
        return '""'
    return f'"{_escaped(value, 4)}"' if isinstance(value, str) and _SPECIAL.search(value) else value


def _escaped(text: str, reserve: int) -> str:
    escaped = _SPECIAL.sub(lambda found: _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}", text)
    if len(escaped) > BUFFER - reserve:
        raise NoValue
    return escaped


def first_digit(value: Value) -> Value:
    return int(str(abs(value))[0]) if isinstance(value, int) else 0


def last_digit(value: Value) -> Value:
    """The remainder by 10. A negative one prints as the character that stands as far in front of `0`."""
    if not isinstance(value, int):
        return 0
    digit = abs(value) % 10
    return digit if value >= 0 else int_with_text(-digit, chr(ord("0") - digit))


PLAIN_VALUES: Final[tuple[Transformation, ...]] = (
    on_value("val", "n0", "", zero_for_null),
    on_value("val", "ne", "", empty_for_null),
    on_value("val", "json", "", json_text),
    on_value("val", "jsonqe", "", json_quoted),
    on_value("num", "fdigit", "", first_digit),
    on_value("num", "ldigit", "", last_digit),
)
