"""Items by what their keys or values look like: counted, looked for, taken away (htable/ht_api.c: ht_count_cells_re,
ht_match_cell_op_str, ht_rm_cell_re, ht_rm_cell_op).

Only values that are texts are compared. Taking away and looking for see items whose time is over, counting does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from evapi_cfg import regex
from evapi_cfg.modules.htable.table import Item, Table
from evapi_cfg.values import leading_number

Test = Callable[[str], bool]
_COUNTED_BY: Final = {"~~": "re", "~%": "ew", "%~": "sw", "==": "eq"}
REMOVED_BY: Final = ("re", "sw", "ew", "in")
FOUND_BY: Final = ("eq", "ne", "re", "sw")


@lru_cache(64)
def _expression(pattern: str) -> Test:
    return regex.compile(pattern, regex.ICASE | regex.NEWLINE).matches


def test(operator: str, text: str) -> Test:
    """What compares with the text. Raises regex.RegexError."""
    match operator:
        case "re":
            return _expression(text.partition("\0")[0])
        case "sw":
            return lambda value: value.startswith(text)
        case "ew":
            return lambda value: value.endswith(text)
        case "in":
            return lambda value: text in value
        case "ne":
            return lambda value: value != text
        case _:
            return lambda value: value == text


def _fitting(table: Table, fits: Test, *, values: bool) -> Iterator[Item]:
    for item in table.items.values():
        compared = item.value if values else item.key
        if isinstance(compared, str) and fits(compared):
            yield item


def remove(table: Table, operator: str, text: str, *, values: bool) -> None:
    """Raises regex.RegexError."""
    for item in list(_fitting(table, test(operator, text), values=values)):
        table.remove(item.key)


def has(table: Table, operator: str, text: str, *, values: bool) -> bool:
    """Raises regex.RegexError."""
    return any(True for _ in _fitting(table, test(operator, text), values=values))


def count(table: Table, text: str, *, values: bool) -> int:
    """`~~expression`, `~%end`, `%~start`, `==text`, `eqnumber`, `**` for all, else an expression. Raises
    regex.RegexError."""
    operator, rest = text[:2], text[2:]
    if operator == "**":
        return len(table.items)
    if operator == "eq":
        if not rest or not values:
            return 0
        number = leading_number(rest)
        return sum(item.value == number and not table.over(item) for item in table.items.values())
    if operator in _COUNTED_BY:
        if not rest:
            return 0
        fits = test(_COUNTED_BY[operator], rest)
    elif text:
        fits = test("re", text)
    else:
        return 0
    return sum(not table.over(item) for item in _fitting(table, fits, values=values))
