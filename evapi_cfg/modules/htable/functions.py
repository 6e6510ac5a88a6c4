"""The functions of scripts (htable/htable.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.htable import key as keys
from evapi_cfg.modules.htable import matching
from evapi_cfg.modules.htable.iterators import Iterators, NoIterator
from evapi_cfg.modules.htable.state import state_of, table_of
from evapi_cfg.modules.htable.table import Table
from evapi_cfg.modules.locks import Held
from evapi_cfg.modules.spec import Arg, Function
from evapi_cfg.regex import RegexError
from evapi_cfg.source import Span, show
from evapi_cfg.values import EvaluationError, int32

_NO_SUCH_TABLE: Final = -11


def refuse(run: Run, message: str, at: Span | None) -> int:
    run.log(Level.ERROR, "htable", message, at)
    return -1


def find_table(run: Run, name: str, at: Span | None) -> Table | None:
    table = table_of(run, name)
    if table is None:
        refuse(run, f"there is no table {show(name)!r}", at)
    return table


# ---- items ----------------------------------------------------------------------------------------------------------


def remove_item(run: Run, name: str, key: str, at: Span | None) -> int:
    table = find_table(run, name, at)
    if table is None:
        return -1
    table.remove(key)
    return 1


def set_item(run: Run, name: str, key: str, value: int | str, seconds: int, at: Span | None) -> int:
    table = find_table(run, name, at)
    if table is None:
        return -1
    table.set(key, value, seconds)
    return 1


def is_null(run: Run, name: str, key: str) -> int:
    """1 where the item reads as $null, 2 where there is no table; -1 where there is an item, -2 where the table has a
    value for those that are missing."""
    table = table_of(run, name)
    if table is None:
        return 2
    if table.initial is not None:
        return -2
    return 1 if table.find(key) is None else -1


def reset(run: Run, name: str, at: Span | None) -> int:
    table = find_table(run, name, at)
    if table is None:
        return -1
    table.clear()
    return 1


def _rm(run: Run, htname: str, itname: str, at: Span) -> int:
    if not htname or not itname:
        return refuse(run, f"sht_rm: no {'key' if htname else 'table'} is given", at)
    return remove_item(run, htname, itname, at)


def _setxs(run: Run, htname: str, itname: str, itval: str, exval: int | None, at: Span) -> int:
    return _setx(run, "sht_setxs", htname, itname, itval, exval, at)


def _setxi(run: Run, htname: str, itname: str, itval: int | None, exval: int | None, at: Span) -> int:
    return _setx(run, "sht_setxi", htname, itname, itval, exval, at)


def _setx(
    run: Run, function: str, htname: str, itname: str, itval: int | str | None, exval: int | None, at: Span
) -> int:
    if not htname or not itname:
        return refuse(run, f"{function}: no {'key' if htname else 'table'} is given", at)
    if itval is None or exval is None:
        return refuse(run, f"{function}: the {'value' if itval is None else 'time'} is not a number", at)
    value = int32(itval) if isinstance(itval, int) else itval
    return set_item(run, htname, itname, value, int32(exval), at)


def _is_null(run: Run, htname: str, itname: str, at: Span) -> int:
    if not htname or not itname:
        refuse(run, f"sht_is_null: no {'key' if htname else 'table'} is given", at)
        return 3
    return is_null(run, htname, itname)


def _inc(run: Run, htname: str, itname: str, at: Span) -> int:
    return _change(run, "sht_inc", htname, itname, 1, at)


def _dec(run: Run, htname: str, itname: str, at: Span) -> int:
    return _change(run, "sht_dec", htname, itname, -1, at)


def _change(run: Run, function: str, htname: str, itname: str, number: int, at: Span) -> int:
    if not htname or not itname:
        return refuse(run, f"{function}: no {'key' if htname else 'table'} is given", at)
    table = find_table(run, htname, at)
    if table is None:
        return -1
    if table.add(itname, number) is None:
        return refuse(run, f"{function}: {show(itname)!r} of table {show(htname)!r} is no number", at)
    return 1


def _reset(run: Run, htname: str, at: Span) -> int:
    return reset(run, htname, at) if htname else refuse(run, "sht_reset: no table is given", at)


def _print(run: Run, at: Span) -> int:
    """Writes all tables to the log."""
    for table in reversed(state_of(run.world).tables.values()):
        definition = table.definition
        head = f"table {show(table.name)!r}: {len(table.items)} items in {definition.slots} slots"
        run.log(Level.ERROR, "htable", f"{head}, autoexpire {table.autoexpire}", at)
        for slot, items in table.slots():
            for item in items:
                text = f"slot {slot}: {show(item.key)!r} = {show(str(item.value))!r}"
                kind = "text" if isinstance(item.value, str) else "number"
                run.log(Level.ERROR, "htable", f"{text} ({kind}), expires {item.expire or 'never'}", at)
    return 1


# ---- items by what they look like -----------------------------------------------------------------------------------


def remove_fitting(run: Run, table: Table, operator: str, text: str, at: Span | None, *, values: bool) -> int:
    if not text:
        return -1
    try:
        matching.remove(table, operator, text, values=values)
    except RegexError as error:
        return refuse(run, f"not a regular expression: {show(text)!r}: {error}", at)
    return 1


def remove_by(run: Run, name: str, operator: str, text: str, at: Span | None, *, values: bool) -> int:
    table = find_table(run, name, at)
    if table is None:
        return -1
    if operator not in matching.REMOVED_BY:
        run.log(Level.WARNING, "htable", _no_operator(operator, matching.REMOVED_BY), at)
        return -1
    return remove_fitting(run, table, operator, text, at, values=values)


def has(run: Run, name: str, operator: str, text: str, at: Span | None, *, values: bool) -> int:
    table = find_table(run, name, at)
    if table is None:
        return -1
    if operator not in matching.FOUND_BY:
        run.log(Level.WARNING, "htable", _no_operator(operator, matching.FOUND_BY), at)
        return -1
    if not text:
        return -1
    try:
        return 1 if matching.has(table, operator, text, values=values) else -1
    except RegexError as error:
        return refuse(run, f"not a regular expression: {show(text)!r}: {error}", at)


def _no_operator(operator: str, operators: tuple[str, ...]) -> str:
    return f"there is no operator {show(operator)!r} here: {', '.join(operators)} are there"


def _name_and_key(argument: str) -> tuple[str, str]:
    """`table=>key`. The checker refuses a constant of another form; any other one leaves the call out."""
    found = keys.split(argument)
    if found is None:
        raise EvaluationError(keys.wrong_form(argument))
    return found[0], argument[found[1] :]


Compared = Callable[[Run, str, str, str, Span], int]


def _comparing(function: str, compare: Callable[..., int], *, values: bool) -> Compared:
    """A function of a table, an operator and a text, none of which may be empty."""

    def call(run: Run, hname: str, op: str, val: str, at: Span) -> int:
        if not (hname and op and val):
            missing = "table" if not hname else "operator" if not op else "value"
            return refuse(run, f"{function}: no {missing} is given", at)
        return compare(run, hname, op, val, at, values=values)

    return call


def _removing(*, values: bool) -> Callable[[Run, str, Span], int]:
    def call(run: Run, key: str, at: Span) -> int:
        name, text = _name_and_key(key)
        table = table_of(run, name)
        return 1 if table is None else remove_fitting(run, table, "re", text, at, values=values)

    return call


# ---- locks ----------------------------------------------------------------------------------------------------------


def take_lock(run: Run, table: Table, key: str, at: Span | None) -> bool:
    """Locks the slot that the key belongs to; False where a run holds it that will go on."""
    locks = state_of(run.world).locks
    slot = table.name, table.slot_of(key)
    held = locks.held(slot, run)
    if held is Held.OTHER:
        return False
    if held is Held.OWN:
        locks.deepen(slot)
        return True
    if held is Held.ENDED:
        message = "was left locked by a run that has ended: another process of Kamailio would wait for ever"
        run.log(Level.WARNING, "htable", f"slot {slot[1]} of table {show(table.name)!r} {message}", at)
    locks.take(slot, run)
    return True


def free_lock(run: Run, table: Table, key: str) -> None:
    state_of(run.world).locks.free((table.name, table.slot_of(key)))


async def _lock(run: Run, key: str, at: Span) -> int:
    """Waits while another run holds the slot. Reading and writing items does not."""
    name, text = _name_and_key(key)
    table = find_table(run, name, at)
    if table is None:
        return _NO_SUCH_TABLE
    await state_of(run.world).locks.wait((table.name, table.slot_of(text)), run)
    take_lock(run, table, text, at)
    return 1


def _unlock(run: Run, key: str, at: Span) -> int:
    name, text = _name_and_key(key)
    table = find_table(run, name, at)
    if table is None:
        return _NO_SUCH_TABLE
    free_lock(run, table, text)
    return 1


# ---- iterators ------------------------------------------------------------------------------------------------------


def iterate(run: Run, act: Callable[[Iterators], bool | None], at: Span | None, *, at_end: int = -1) -> int:
    """`act` gives False where it has come to the end."""
    try:
        return at_end if act(state_of(run.world).iterators(run)) is False else 1
    except NoIterator as error:
        return refuse(run, str(error), at)


def _start(run: Run, iname: str, hname: str, at: Span) -> int:
    if not iname or not hname:
        return refuse(run, f"sht_iterator_start: no {'table' if iname else 'name'} is given", at)
    return iterator_start(run, iname, hname, at)


def iterator_start(run: Run, iname: str, hname: str, at: Span | None) -> int:
    table = table_of(run, hname)
    code = iterate(run, lambda iterators: iterators.start(iname, table), at)
    return code if code < 0 or table is not None else refuse(run, f"there is no table {show(hname)!r}", at)


def iterator_next(run: Run, iname: str, at: Span | None) -> int:
    return iterate(run, lambda iterators: iterators.next(iname), at)


def iterator_end(run: Run, iname: str, at: Span | None) -> int:
    return iterate(run, lambda iterators: iterators.end(iname), at)


def iterator_rm(run: Run, iname: str, at: Span | None) -> int:
    return iterate(run, lambda iterators: iterators.remove(iname), at, at_end=-2)


def iterator_set(run: Run, iname: str, value: int | str | None, at: Span | None) -> int:
    if value is None:
        return refuse(run, "sht_iterator_seti: the value is not a number", at)
    return iterate(run, lambda iterators: iterators.set(iname, int32(value) if isinstance(value, int) else value), at)


def iterator_setex(run: Run, iname: str, seconds: int | None, at: Span | None) -> int:
    if seconds is None:
        return refuse(run, "sht_iterator_setex: the time is not a number", at)
    return iterate(run, lambda iterators: iterators.live(iname, int32(seconds)), at)


def _with_key(name: str, call: Callable[[Run, str, Span], object], *, waits: bool = False) -> Function:
    return Function(name, call, (Arg.TEXT,), at=True, waits=waits)  # type: ignore[arg-type]


def _comparison(name: str, compare: Callable[..., int], *, values: bool) -> Function:
    return Function(name, _comparing(name, compare, values=values), (Arg.TEXT,) * 3, at=True)


_TEXT: Final = (Arg.TEXT,)
_TEXTS: Final = (Arg.TEXT, Arg.TEXT)
_TEXT_NUMBER: Final = (Arg.TEXT, Arg.NUMBER)

FUNCTIONS: Final = (
    Function("sht_print", _print, at=True),
    Function("sht_rm", _rm, _TEXTS, at=True),
    _with_key("sht_rm_name_re", _removing(values=False)),
    _with_key("sht_rm_value_re", _removing(values=True)),
    _comparison("sht_rm_name", remove_by, values=False),
    _comparison("sht_rm_value", remove_by, values=True),
    _comparison("sht_match_name", has, values=False),
    _comparison("sht_has_name", has, values=False),
    _comparison("sht_match_str_value", has, values=True),
    _comparison("sht_has_str_value", has, values=True),
    _with_key("sht_lock", _lock, waits=True),
    _with_key("sht_unlock", _unlock),
    Function("sht_reset", _reset, _TEXT, at=True),
    Function("sht_iterator_start", _start, _TEXTS, at=True),
    Function("sht_iterator_next", iterator_next, _TEXT, at=True),
    Function("sht_iterator_end", iterator_end, _TEXT, at=True),
    Function("sht_iterator_rm", iterator_rm, _TEXT, at=True),
    Function("sht_iterator_sets", iterator_set, _TEXTS, at=True),
    Function("sht_iterator_seti", iterator_set, _TEXT_NUMBER, at=True),
    Function("sht_iterator_setex", iterator_setex, _TEXT_NUMBER, at=True),
    Function("sht_setxs", _setxs, (Arg.TEXT, Arg.TEXT, Arg.TEXT, Arg.NUMBER), at=True),
    Function("sht_setxi", _setxi, (Arg.TEXT, Arg.TEXT, Arg.NUMBER, Arg.NUMBER), at=True),
    Function("sht_is_null", _is_null, _TEXTS, at=True),
    Function("sht_inc", _inc, _TEXTS, at=True),
    Function("sht_dec", _dec, _TEXTS, at=True),
)
