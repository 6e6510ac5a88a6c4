"""$xavp, $xavi, $xavu: lists of named values, which may hold such lists themselves (core/xavp.c; modules/pv/pv_xavp.c).

A list is held newest first and may hold several values of one name. $xavi takes names without regard to case; $xavu
holds one value for each name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from evapi_cfg.modules.context import Getter, Run
from evapi_cfg.modules.forms import ALL, Index, index_of, named
from evapi_cfg.modules.spec import NameRefused, PseudoVariable, Resolver, Variable
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import EvaluationError, Value

Kind: TypeAlias = Literal["xavp", "xavi", "xavu"]
DELIMITER: Final = ", "
_BLANK: Final = " \t\r\n"


class Xavp:
    """One named value. `value` None is $null; a list holds children, newest first."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: int | str | list[Xavp] | None) -> None:
        self.name = name
        self.value = value


def roots(run: Run, kind: Kind) -> list[Xavp]:
    """The outer list of one kind, which the caller may change."""
    found: list[Xavp] | None = getattr(run, kind)
    if found is None:
        found = []
        setattr(run, kind, found)
    return found


def same(kind: Kind) -> Callable[[str, str], bool]:
    """How names of a kind are compared."""
    return _same_in_any_case if kind == "xavi" else str.__eq__


def _same_in_any_case(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def places(items: list[Xavp], name: str, kind: Kind = "xavp") -> list[int]:
    """Where in a list the values of one name are, newest first."""
    equal = same(kind)
    return [at for at, item in enumerate(items) if equal(item.name, name)]


def first(items: list[Xavp] | None, name: str, kind: Kind = "xavp") -> Xavp | None:
    equal = same(kind)
    for item in items or ():
        if equal(item.name, name):
            return item
    return None


def printed(item: Xavp) -> Value:
    """The value as a script reads it. A list has no value of its own: it reads as the place where it is."""
    if isinstance(item.value, list):
        return f"<<xavp:{id(item.value):#x}>>"
    return item.value


def remove(items: list[Xavp], name: str, index: int | None, kind: Kind = "xavp") -> int:
    """Take away one value of a name by its index, or all (None); how many went."""
    found = places(items, name, kind)
    if index is not None:
        found = found[index : index + 1] if index >= 0 else []
    for at in reversed(found):
        del items[at]
    return len(found)


def set_child(items: list[Xavp], root: str, name: str, value: int | str, kind: Kind = "xavp") -> None:
    """The first value of `root` gets a child of that name, in the place of an older one; `root` is made where it does
    not hold a list (xavp_set_child_xval)."""
    item = first(items, root, kind)
    if item is not None and not isinstance(item.value, list):
        items.remove(item)
        item = None
    if item is None:
        items.insert(0, Xavp(root, [Xavp(name, value)]))
        return
    children = item.value
    assert isinstance(children, list)
    remove(children, name, 0, kind)
    children.insert(0, Xavp(name, value))


@dataclass(frozen=True, slots=True)
class Key:
    """`name[index]`. `given`: whether there was an index."""

    name: str
    index: Index
    given: bool

    def place(self, run: Run) -> int | Literal["*"] | None:
        """The index now; None where its variable holds no number."""
        if callable(self.index):
            return self.index(run)
        if self.index == "*":
            return "*"
        return 0 if self.index == "+" else self.index


def _key(text: Text, resolver: Resolver) -> tuple[Key, Text]:
    """One `name[index]` and what stands behind it (pv_xavp_fill_ni)."""
    value = text.value
    start = len(value) - len(value.lstrip(_BLANK))
    end = next((at for at in range(start, len(value)) if value[at] in "=[" + _BLANK), len(value))
    if end == start:
        raise NameRefused(f"`{show(value)}` is no name: `name`, `name[index]`, `name=>child`", text.span)
    name = value[start:end]
    at = end + len(value[end:]) - len(value[end:].lstrip(_BLANK))
    if value[at : at + 1] != "[":
        return Key(name, 0, False), text.part(at, len(value))
    depth, close = 0, -1
    for place in range(at, len(value)):
        depth += (value[place] == "[") - (value[place] == "]")
        if not depth:
            close = place
            break
    if close < 0:
        raise NameRefused("`]` is missing", text.at(at, at + 1))
    if close == at + 1:
        raise NameRefused("there is no index between `[` and `]`", text.at(at, close + 1))
    return Key(name, index_of(text.part(at + 1, close), resolver), True), text.part(close + 1, len(value))


def parse_keys(text: Text, resolver: Resolver) -> tuple[Key, Key | None]:
    """`name`, `name[index]`, `name=>child` with an index at each."""
    outer, rest = _key(text, resolver)
    if rest.value[:1] != "=":
        return outer, None
    if rest.value[:2] != "=>":
        raise NameRefused("`=>` is expected between a name and its child", rest.at(0, 1))
    inner, _ = _key(rest.part(2, len(rest.value)), resolver)
    return outer, inner


def _from_end(place: int, count: int) -> int:
    return place + count if place < 0 else place


def _pick(items: list[Xavp], key: Key, run: Run, kind: Kind) -> Xavp | None:
    """The value that a key names, to read it."""
    place = 0 if not key.given else key.place(run)
    found = places(items, key.name, kind)
    if place is None:
        return None
    at = 0 if place == ALL else _from_end(place, len(found))
    return items[found[at]] if 0 <= at < len(found) else None


def _list_variable(kind: Kind) -> Callable[[Text, Resolver], Variable]:
    def make(inner_text: Text, resolver: Resolver) -> Variable:
        outer, inner = parse_keys(inner_text, resolver)

        def get(run: Run) -> Value:
            items: list[Xavp] | None = getattr(run, kind)
            if not items:
                return None
            item = _pick(items, outer, run, kind)
            if item is None:
                return None
            if inner is None:
                return printed(item)
            children = item.value
            if not isinstance(children, list):
                return None
            if inner.index == ALL:
                values = [printed(children[at]) for at in places(children, inner.name, kind)]
                return DELIMITER.join("" if v is None else str(v) for v in values) if values else None
            child = _pick(children, inner, run, kind)
            return None if child is None else printed(child)

        def set_(run: Run, value: Value) -> None:
            items = roots(run, kind)
            if value is None:
                _clear(run, items, outer, inner, kind)
            elif inner is None:
                _assign(run, items, outer, value, kind)
            elif not outer.given:
                items.insert(0, Xavp(outer.name, [Xavp(inner.name, value)]))
            else:
                _assign_child(run, items, outer, inner, value, kind)

        plain = not outer.given and kind == "xavp"
        if plain and inner is None:
            return Variable(_first_value(outer.name), set_)
        if plain and inner is not None and not inner.given:
            return Variable(_first_child(outer.name, inner.name), set_)
        return Variable(get, set_)

    return make


def _first_value(name: str) -> Getter:
    """$xavp(name), which needs no counting."""

    def get(run: Run) -> Value:
        for item in run.xavp or ():
            if item.name == name:
                return printed(item)
        return None

    return get


def _first_child(name: str, child_name: str) -> Getter:
    """$xavp(name=>child)."""

    def get(run: Run) -> Value:
        for item in run.xavp or ():
            if item.name == name:
                if isinstance(item.value, list):
                    for child in item.value:
                        if child.name == child_name:
                            return printed(child)
                return None
        return None

    return get


def _set_place(run: Run, items: list[Xavp], key: Key, kind: Kind) -> int | None:
    """The place in the list that an assignment means. An index from the end counts one further than in reading:
    [-1] is behind the last (pv_set_xavp)."""
    place = key.place(run)
    found = places(items, key.name, kind)
    if not isinstance(place, int):
        return None
    if place < 0:
        place += len(found) + 1
    return found[place] if 0 <= place < len(found) else None


def _assign(run: Run, items: list[Xavp], key: Key, value: int | str, kind: Kind) -> None:
    if not key.given:
        items.insert(0, Xavp(key.name, value))
        return
    at = None if key.index == ALL else _set_place(run, items, key, kind)
    if at is None:
        raise EvaluationError(f"there is no ${kind}({show(key.name)}) at that index")
    items[at] = Xavp(key.name, value)


def _assign_child(run: Run, items: list[Xavp], outer: Key, inner: Key, value: int | str, kind: Kind) -> None:
    if outer.index == ALL:
        return
    at = _set_place(run, items, outer, kind)
    if at is None:
        return
    children = items[at].value
    if not isinstance(children, list):
        raise EvaluationError(f"${kind}({show(outer.name)}) has no children")
    if not inner.given:
        children.insert(0, Xavp(inner.name, value))
    elif inner.index != ALL and (child := _set_place(run, children, inner, kind)) is not None:
        children[child] = Xavp(inner.name, value)


def _clear(run: Run, items: list[Xavp], outer: Key, inner: Key | None, kind: Kind) -> None:
    if inner is None:
        if outer.index == ALL:
            remove(items, outer.name, None, kind)
        elif (at := _set_place(run, items, outer, kind)) is not None:
            del items[at]
        return
    if outer.index == ALL:
        parents = [items[at] for at in places(items, outer.name, kind)]
    else:
        place = _set_place(run, items, outer, kind)
        parents = [] if place is None else [items[place]]
    for parent in parents:
        children = parent.value
        if not isinstance(children, list):
            continue
        if inner.index == ALL:
            remove(children, inner.name, None, kind)
        elif (at := _set_place(run, children, inner, kind)) is not None:
            del children[at]


# ---- $xavu ---------------------------------------------------------------------------------------------------------


def _unique_names(text: Text) -> tuple[str, str | None]:
    """`name` or `name=>child` (pv_parse_xavu_name)."""
    value = text.value.strip(_BLANK)
    name, equals, child = value.partition("=")
    if not equals:
        return value, None
    if child[:1] != ">" or len(child) < 2:
        raise NameRefused(f"`{show(value)}` is no name: `name` or `name=>child`", text.span)
    return name, child[1:]


def assign_unique(items: list[Xavp], name: str, child: str | None, value: int | str) -> None:
    """In the place of an older value of that name, if there is one."""
    item = first(items, name)
    if child is not None:
        set_child(items, name, child, value)
    elif item is None:
        items.insert(0, Xavp(name, value))
    else:
        item.value = value


def _unique(inner: Text, resolver: Resolver) -> Variable:
    name, child = _unique_names(inner)

    def get(run: Run) -> Value:
        item = first(run.xavu, name)
        if item is None:
            return None
        if child is None:
            return printed(item)
        found = first(item.value, child) if isinstance(item.value, list) else None
        return None if found is None else printed(found)

    def set_(run: Run, value: Value) -> None:
        items = roots(run, "xavu")
        if value is not None:
            assign_unique(items, name, child, value)
        elif child is None:
            remove(items, name, None)
        elif (item := first(items, name)) is not None and isinstance(item.value, list):
            remove(item.value, child, None)

    return Variable(get, set_)


VARIABLES: Final[tuple[PseudoVariable, ...]] = (
    named("xavp", _list_variable("xavp"), writable=True),
    named("xavi", _list_variable("xavi"), writable=True),
    named("xavu", _unique, writable=True),
)
