"""$sht and its like (htable/ht_var.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.forms import closed, named
from evapi_cfg.modules.htable import key as keys
from evapi_cfg.modules.htable import matching
from evapi_cfg.modules.htable.definition import Definition
from evapi_cfg.modules.htable.expiry import RECORD
from evapi_cfg.modules.htable.state import state_of
from evapi_cfg.modules.htable.table import Item, Table
from evapi_cfg.modules.spec import NameRefused, PseudoVariable, Resolver, Variable
from evapi_cfg.regex import RegexError
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import EvaluationError, Value

Key = Callable[[Run], str]
Make = Callable[[Table, Key, Definition], Variable]


def _of_table(name: str, make: Make, *, writable: bool = False) -> PseudoVariable:
    """`$name(table=>key)`."""

    def make_inner(inner: Text, resolver: Resolver) -> Variable:
        found = keys.split(inner.value)
        if found is None:
            raise NameRefused(keys.wrong_form(inner.value), inner.span)
        table_name, start = found
        text = resolver.text(inner.part(start, len(inner.value)))
        key: Key = (lambda run: text) if isinstance(text, str) else text
        world = resolver.world
        state = None if world is None else state_of(world)
        table = None if state is None else state.tables.get(table_name)
        if state is None or table is None:
            return _without_table(f"${name}", table_name)
        return make(table, key, state.definitions[table_name])

    return named(name, make_inner, writable=writable)


def _without_table(name: str, table: str) -> Variable:
    """A variable of a table that is not there: $null, and it cannot be assigned."""
    message = f"{name}: there is no table {show(table)!r}"

    def get(run: Run) -> Value:
        run.log(Level.ERROR, "htable", message)
        return None

    def put(run: Run, value: Value) -> None:
        run.log(Level.ERROR, "htable", message)
        raise EvaluationError(message)

    return Variable(get, put)


def _item(table: Table, key: Key, definition: Definition) -> Variable:
    find, initial, set_, remove = table.items.get, definition.initial, table.set, table.remove

    def get_for_ever(run: Run) -> Value:
        item = find(key(run))
        return initial if item is None else item.value

    def get(run: Run) -> Value:
        item = find(key(run))
        return initial if item is None or table.over(item) else item.value

    def put(run: Run, value: Value) -> None:
        if value is None:
            remove(key(run))
        else:
            set_(key(run), value)

    return Variable(get if definition.autoexpire else get_for_ever, put, nullable=initial is None)


def _expire(table: Table, key: Key, definition: Definition) -> Variable:
    def put(run: Run, value: Value) -> None:
        table.live(key(run), value if isinstance(value, int) else 0)

    def text(run: Run) -> str:
        """Without a sign, unlike the number."""
        return str(table.left(key(run)) & 0xFFFFFFFF)

    return Variable(lambda run: table.left(key(run)), put, nullable=False, text=text)


def _counted(*, values: bool) -> Make:
    def make(table: Table, key: Key, definition: Definition) -> Variable:
        def get(run: Run) -> Value:
            try:
                return matching.count(table, key(run), values=values)
            except RegexError as error:
                run.log(Level.ERROR, "htable", f"not a regular expression: {show(key(run))!r}: {error}")
                return 0

        return Variable(get, nullable=False)

    return make


def _changed(number: int) -> Make:
    def make(table: Table, key: Key, definition: Definition) -> Variable:
        return Variable(lambda run: table.add(key(run), number))

    return make


# ---- without a table ------------------------------------------------------------------------------------------------


def _expired_item(run: Run) -> Item | None:
    item = None if run.extra is None else run.extra.get(RECORD)
    return item if isinstance(item, Item) else None


def _record(read: Callable[[Item], Value]) -> Variable:
    """Of the item that the event is about; in other blocks reading it fails, which is not the same as $null."""

    def get(run: Run) -> Value:
        item = _expired_item(run)
        return None if item is None else read(item)

    def text(run: Run) -> str:
        item = _expired_item(run)
        return "" if item is None else str(read(item))

    return Variable(get, text=text)


def _iterated(read: Callable[[Item], Value]) -> Callable[[Text, Resolver], Variable]:
    def make(inner: Text, resolver: Resolver) -> Variable:
        name = inner.value

        def get(run: Run) -> Value:
            item = state_of(run.world).iterators(run).current(name)
            return None if item is None else read(item)

        return Variable(get)

    return make


def _key_of(item: Item) -> Value:
    return item.key


def _value_of(item: Item) -> Value:
    return item.value


VARIABLES: Final = (
    _of_table("sht", _item, writable=True),
    _of_table("shtex", _expire, writable=True),
    _of_table("shtcn", _counted(values=False)),
    _of_table("shtcv", _counted(values=True)),
    _of_table("shtinc", _changed(1)),
    _of_table("shtdec", _changed(-1)),
    closed("shtrecord", {"key": _record(_key_of), "value": _record(_value_of)}),
    named("shtitkey", _iterated(_key_of)),
    named("shtitval", _iterated(_value_of)),
)
