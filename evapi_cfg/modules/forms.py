"""The forms that classes of pseudo-variables come in: without a name, with one of a closed set, with a free one; and
their indexes.

Nothing here knows what a variable means. Rules: core/pvapi.c: pv_parse_spec2, pv_parse_index, pv_get_spec_index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from evapi_cfg.modules.context import Getter, Level, Run, Setter
from evapi_cfg.modules.spec import NameRefused, PseudoVariable, Resolver, Variable
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import PVar, Text
from evapi_cfg.values import NULL_TEXT, Value

ALL: Final = "*"
ITERATOR: Final = "+"
Index: TypeAlias = "int | Literal['*', '+'] | Callable[[Run], int | None]"


def inner_of(pvar: PVar) -> Text:
    """The text between the parentheses of a class that asks for one."""
    if pvar.inner is None or not pvar.inner.value:
        raise NameRefused(f"`${pvar.name}` needs a name in parentheses", pvar.span)
    return pvar.inner


def refuse_inner(pvar: PVar) -> None:
    if pvar.inner is not None:
        raise NameRefused(f"`${pvar.name}` takes no name in parentheses", pvar.inner.span)


def refuse_index(pvar: PVar) -> None:
    if pvar.index is not None:
        raise NameRefused(f"`${pvar.name}` takes no index", pvar.index.span)


def index_of(text: Text | None, resolver: Resolver) -> Index:
    """`[...]` made ready: a number, `*`, `+`, or what gives the number when it is read (None where it has none).
    No index is 0."""
    if text is None:
        return 0
    value = text.value
    if value[:1] == "$":
        return _dynamic_index(resolver.variable(text))
    if value == ALL:
        return "*"
    if value == ITERATOR:
        return "+"
    digits = value[1:] if value[:1] == "-" else value
    if digits and not (digits.isascii() and digits.isdecimal()):
        raise NameRefused(f"`{show(value)}` is no index: a number, `*` or one variable is expected", text.span)
    number = int(digits[-31:] or 0) & 0x7FFFFFFF  # digits further left do not count: 2^31 divides 10^31
    return -number if value[:1] == "-" else number


def _dynamic_index(variable: Variable) -> Callable[[Run], int | None]:
    get, number = variable.get, variable.number

    def index(run: Run) -> int | None:
        value = get(run) if number is None else number(run)
        if value.__class__ is int:
            return value
        run.log(Level.ERROR, "core", "the value of an index is not a number")
        return None

    return index


def indexed_variable(
    get: Getter, index: Index, set: Setter | None = None, reads: Callable[[Run], list[Value]] | None = None
) -> Variable:
    """A variable behind an index. Where the index is a variable that holds no number it prints as nothing at all: in
    Kamailio reading it fails then, which is not the same as $null."""
    if not callable(index):
        return Variable(get, set, reads=reads)
    dynamic = index

    def text(run: Run) -> str:
        if dynamic(run) is None:
            return ""
        value = get(run)
        return NULL_TEXT if value is None else str(value)

    return Variable(get, set, reads=reads, text=text)


def plain(
    name: str,
    get: Getter,
    set: Setter | None = None,
    *,
    number: Callable[[Run], int] | None = None,
    attribute: str | None = None,
    nullable: bool = True,
    takes_text: bool = False,
    text: Callable[[Run], str] | None = None,
) -> PseudoVariable:
    """`$name` alone."""
    variable = Variable(
        get, set, attribute=attribute, nullable=nullable, number=number, takes_text=takes_text, text=text
    )  # fmt: skip

    def make(pvar: PVar, resolver: Resolver) -> Variable:
        refuse_inner(pvar)
        refuse_index(pvar)
        return variable

    return PseudoVariable(name, make, writable=set is not None)


def closed(name: str, variables: Mapping[str, Variable]) -> PseudoVariable:
    """`$name(inner)` with one variable for each inner name that exists."""

    def make(pvar: PVar, resolver: Resolver) -> Variable:
        inner = inner_of(pvar)
        refuse_index(pvar)
        variable = variables.get(inner.value)
        if variable is None:
            raise NameRefused(f"`${name}` has no name `{show(inner.value)}`", inner.span, tuple(variables))
        return variable

    writable = any(variable.set is not None for variable in variables.values())
    return PseudoVariable(name, make, inner="required", writable=writable, names=tuple(variables))


def named(name: str, make_inner: Callable[[Text, Resolver], Variable], *, writable: bool = False) -> PseudoVariable:
    """`$name(inner)` with an inner name of its own syntax."""

    def make(pvar: PVar, resolver: Resolver) -> Variable:
        inner = inner_of(pvar)
        refuse_index(pvar)
        return make_inner(inner, resolver)

    return PseudoVariable(name, make, inner="required", writable=writable)


def indexed(
    name: str, make_indexed: Callable[[Text, Text | None, Resolver], Variable], *, writable: bool = False
) -> PseudoVariable:
    """`$(name(inner)[index])`."""

    def make(pvar: PVar, resolver: Resolver) -> Variable:
        return make_indexed(inner_of(pvar), pvar.index, resolver)

    return PseudoVariable(name, make, inner="required", index=True, writable=writable)


def constant(value: Value, number: int | None = None) -> Variable:
    """A variable that never changes."""
    return Variable(lambda run: value, nullable=value is None, number=None if number is None else (lambda run: number))
