"""KSR.htable (htable/htable.c: sr_kemi_htable_exports)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.htable import functions, matching
from evapi_cfg.modules.htable.state import table_of
from evapi_cfg.modules.spec import KemiFunction
from evapi_cfg.regex import RegexError
from evapi_cfg.source import Span, show
from evapi_cfg.values import NULL_TEXT, Value, int32

_NO_NUMBER: Final = -255  # htable.c: KSR_HT_KEMI_NOINTVAL


def _get(missing: Value) -> Callable[[Run, str, str, Span], Value]:
    """`missing`: what an item that is not there gives, where its table has no value for it."""

    def get(run: Run, htname: str, itname: str, at: Span) -> Value:
        table = functions.find_table(run, htname, at)
        value = None if table is None else table.get(itname)
        return missing if value is None else value

    return get


def _set(run: Run, htname: str, itname: str, itval: int | str, at: Span) -> int:
    return functions.set_item(run, htname, itname, itval, 0, at)


def _setx(run: Run, htname: str, itname: str, itval: int | str, exval: int, at: Span) -> int:
    return functions.set_item(run, htname, itname, itval, exval, at)


def _setex(run: Run, htname: str, itname: str, itval: int, at: Span) -> int:
    table = functions.find_table(run, htname, at)
    if table is None:
        return -1
    table.live(itname, itval)
    return 1


def _changed(number: int) -> Callable[[Run, str, str], int]:
    def change(run: Run, htname: str, itname: str) -> int:
        table = table_of(run, htname)
        value = None if table is None else table.add(itname, number)
        return _NO_NUMBER if value is None else int32(value)

    return change


def _reset(run: Run, hname: str, at: Span) -> int:
    """0 where it is done, unlike the function of scripts."""
    return -1 if functions.reset(run, hname, at) < 0 else 0


def _removing(*, values: bool) -> Callable[[Run, str, str, Span], int]:
    def remove(run: Run, htname: str, rexp: str, at: Span) -> int:
        table = table_of(run, htname)
        return 1 if table is None else functions.remove_fitting(run, table, "re", rexp, at, values=values)

    return remove


def _comparing(compare: Callable[..., int], *, values: bool) -> Callable[[Run, str, str, str, Span], int]:
    def call(run: Run, sname: str, sop: str, sval: str, at: Span) -> int:
        return compare(run, sname, sop, sval, at, values=values)

    return call


def _count(run: Run, table: str, op: str, pattern: str, at: Span) -> int:
    found = functions.find_table(run, table, at)
    if found is None:
        return -1
    if len(op) not in (0, 2):
        return functions.refuse(run, f"sht_cn: there is no operator {show(op)!r}", at)
    try:
        return matching.count(found, (op or "~~") + pattern, values=False)
    except RegexError as error:
        functions.refuse(run, f"not a regular expression: {show(pattern)!r}: {error}", at)
        return 0


def _lock(run: Run, htname: str, skey: str, at: Span) -> int:
    """A function of such a script cannot wait: -1 where another run holds the slot."""
    table = functions.find_table(run, htname, at)
    if table is None:
        return -1
    if functions.take_lock(run, table, skey, at):
        return 1
    run.log(Level.ERROR, "htable", f"sht_lock: another run holds the slot of {show(skey)!r}: Kamailio would wait", at)
    return -1


def _unlock(run: Run, htname: str, skey: str, at: Span) -> int:
    table = functions.find_table(run, htname, at)
    if table is None:
        return -1
    functions.free_lock(run, table, skey)
    return 1


def _iterating(act: Callable[..., int]) -> Callable[..., int]:
    """A function of an iterator, which has a name."""

    def call(run: Run, iname: str, *more: int | str, at: Span) -> int:
        if not iname:
            return functions.refuse(run, "the iterator has no name", at)
        return act(run, iname, *more, at)

    return call


def _iterator_start(run: Run, iname: str, hname: str, at: Span) -> int:
    if not hname:
        return functions.refuse(run, "sht_iterator_start: no table is given", at)
    return functions.iterator_start(run, iname, hname, at)


def _function(name: str, call: Callable[..., Value], *params: type[int] | type[str]) -> KemiFunction:
    return KemiFunction(name, call, params, at=True)


FUNCTIONS: Final = (
    _function("sht_lock", _lock, str, str),
    _function("sht_unlock", _unlock, str, str),
    _function("sht_reset", _reset, str),
    _function("sht_iterator_start", _iterating(_iterator_start), str, str),
    _function("sht_iterator_next", _iterating(functions.iterator_next), str),
    _function("sht_iterator_end", _iterating(functions.iterator_end), str),
    _function("sht_iterator_rm", _iterating(functions.iterator_rm), str),
    _function("sht_iterator_sets", _iterating(functions.iterator_set), str, str),
    _function("sht_iterator_seti", _iterating(functions.iterator_set), str, int),
    _function("sht_iterator_setex", _iterating(functions.iterator_setex), str, int),
    _function("sht_rm", functions.remove_item, str, str),
    _function("sht_rm_name_re", _removing(values=False), str, str),
    _function("sht_rm_value_re", _removing(values=True), str, str),
    _function("sht_rm_name", _comparing(functions.remove_by, values=False), str, str, str),
    _function("sht_rm_value", _comparing(functions.remove_by, values=True), str, str, str),
    _function("sht_match_name", _comparing(functions.has, values=False), str, str, str),
    _function("sht_match_str_value", _comparing(functions.has, values=True), str, str, str),
    _function("sht_get", _get(None), str, str),
    _function("sht_gete", _get(""), str, str),
    _function("sht_getw", _get(NULL_TEXT), str, str),
    _function("sht_sets", _set, str, str, str),
    _function("sht_seti", _set, str, str, int),
    _function("sht_setex", _setex, str, str, int),
    _function("sht_setxs", _setx, str, str, str, int),
    _function("sht_setxi", _setx, str, str, int, int),
    KemiFunction("sht_is_null", functions.is_null, (str, str)),
    KemiFunction("sht_inc", _changed(1), (str, str)),
    KemiFunction("sht_dec", _changed(-1), (str, str)),
    _function("sht_cn", _count, str, str, str),
)
