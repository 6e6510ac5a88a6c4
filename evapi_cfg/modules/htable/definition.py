"""Definitions of tables, `name=>size=8;autoexpire=60`, as the modparam `htable` takes them (htable/ht_api.c:
ht_table_spec, keyvalue_parse_str; core/parser/parse_param.c: parse_params)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from evapi_cfg.modules.parameters import UNSIGNED_MAX, parse_until_comma, unsigned
from evapi_cfg.source import show
from evapi_cfg.values import LONG_MAX, LONG_MIN, int32

_HEAD: Final = re.compile(r"[ \t\r\n]*([^= \t\r\n]*)[ \t\r\n]*=>[ \t\r\n]*")
_SMALLEST: Final = 3  # the exponent of what is below 2
_INSTEAD: Final = 14  # and of what is above 31
_MOST_COLUMNS: Final = 8
_NUMBERS: Final = ("size", "autoexpire", "dbmode", "updateexpire", "dmqreplicate")
_TEXTS: Final = ("dbtable", "cols", "coldelim", "colnull")
SETTINGS: Final = (*_NUMBERS, *_TEXTS, "initval")


class BadDefinition(ValueError):
    """The definition is not one that Kamailio takes."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One table. `autoexpire`: seconds that an item lives, 0 for ever. `initial`: what an item that is not there
    reads as. `ignored`: what stands behind a comma, which Kamailio passes over without a word."""

    name: str
    slots: int = 16
    autoexpire: int = 0
    initial: int | None = None
    updateexpire: int = 1
    dbtable: str = ""
    dbmode: int = 0
    dmqreplicate: int = 0
    ignored: str = ""


def parse(text: str) -> Definition:
    """Raises BadDefinition, whose message says what is wrong."""
    head = _HEAD.match(text)
    if head is None:
        raise BadDefinition(f"`{show(text)}` is not of the form `name=>setting=value;...`")
    rest = text[head.end() :]
    if not rest:
        raise BadDefinition(f"`{show(head[1])}` has no settings: at least one is needed, such as `size=8`")
    try:
        given, ignored = parse_until_comma(rest)
    except ValueError as error:
        raise BadDefinition(str(error)) from None
    numbers = dict.fromkeys(_NUMBERS, 0) | {"size": 4, "updateexpire": 1}
    texts = dict.fromkeys(_TEXTS, "")
    initial = None
    for name, value, _, has_value in given:
        if name not in SETTINGS:
            raise BadDefinition(f"there is no setting `{show(name)}`: they are {', '.join(sorted(SETTINGS))}")
        if not has_value:
            if name not in texts:
                raise BadDefinition(f"`{name}` has no value")
        elif name in numbers:
            numbers[name] = _unsigned(name, value)
        elif name == "initval":
            initial = _signed(value)
        elif name.startswith("col") and name != "cols" and len(value) > 1:
            raise BadDefinition(f"`{name}` is one character, not `{show(value)}`")
        else:
            texts[name] = value
    _check_columns(texts["cols"])
    return Definition(
        head[1],
        _slots(numbers["size"]),
        numbers["autoexpire"],
        initial,
        numbers["updateexpire"],
        texts["dbtable"],
        numbers["dbmode"],
        numbers["dmqreplicate"],
        ignored,
    )


def not_run(value: int | str) -> str:
    """What of a definition does not run here: the table itself does."""
    try:
        definition = parse(str(value))
    except BadDefinition:
        return ""
    if definition.dbtable:
        return "dbtable"
    return "dmqreplicate" if definition.dmqreplicate else ""


def _unsigned(name: str, value: str) -> int:
    number = unsigned(value)
    if number is None:
        raise BadDefinition(f"`{name}` is a number from 0 to {UNSIGNED_MAX}, not `{show(value)}`")
    return number


def _signed(value: str) -> int:
    digits = value[1:] if value[:1] in ("+", "-") else value
    if digits and not (digits.isascii() and digits.isdecimal()):
        raise BadDefinition(f"`initval` is a number, not `{show(value)}`: a text cannot be one")
    number = int(digits or 0) if len(digits) < 30 else LONG_MAX + 2
    if value.startswith("-"):
        number = -number
    if not LONG_MIN <= number <= LONG_MAX:
        raise BadDefinition("`initval` does not fit into 64 bit")
    return number


def _slots(size: int) -> int:
    """`size` is an exponent of 2, read as a C int."""
    size = int32(size)
    if size <= 1:
        return 1 << _SMALLEST
    return 1 << (_INSTEAD if size > 31 else size)


def _check_columns(columns: str) -> None:
    count = columns.count(",") + 1
    if columns and count < 2:
        raise BadDefinition("`cols` names two columns at least, such as `'prefix,value'`")
    if count > _MOST_COLUMNS:
        raise BadDefinition(f"`cols` names {count} columns, at most {_MOST_COLUMNS} are taken")
