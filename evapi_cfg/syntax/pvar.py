"""Pseudo-variables: from text to `PVar` and `Format`, by grammar/format.lark.

Only the form is read here. Which names exist, what an inner name, an index or an argument may be, is the business of
the module that has the class. Rules: core/pvapi.c: pv_locate_name, pv_parse_spec2, pv_parse_format, tr_lookup.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from evapi_cfg.source import Span, show
from evapi_cfg.syntax.ast import Format, PVar, Text, Transformation
from evapi_cfg.syntax.format_grammar import Parser, Stuck, Token, tables

BLANK: Final = " \t\r\n"  # what core/trim.h takes off


class PvarError(Exception):
    """The text is no pseudo-variable, or no string with pseudo-variables: what is wrong, and where."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


def parse_pvar(text: Text, *, rest: bool = False) -> PVar:
    """The one pseudo-variable that `text` is; raises PvarError.

    `rest`: what stands behind the variable is passed over, as core/pvapi.c: pv_cache_get does.
    `$$` gives a variable with the name `$`; its value is a dollar sign.
    """
    value = text.value
    end = end_of_pvar(value) if rest else len(value)
    try:
        return _pvar(text, _pvar_shape(value[:end]))
    except Stuck as error:
        raise _explain(error, text) from None


def parse_format(text: Text) -> Format:
    """A string with variables in it, cut into text and variables; raises PvarError. An empty string has no parts."""
    value = text.value
    if "$" not in value:
        return (value,) if value else ()
    try:
        shapes = _format_shapes(value)
    except Stuck as error:
        raise _explain(error, text) from None
    return tuple(shape if isinstance(shape, str) else _pvar(text, shape) for shape in shapes)


# ---- shapes: what was found, by offsets only, so that equal strings at different places are parsed once -----------


class _Range(NamedTuple):
    start: int
    end: int


class _Step(NamedTuple):
    """One transformation."""

    start: int
    end: int
    name: _Range
    cls: str
    op: str
    args: _Range | None


class _Shape(NamedTuple):
    """One pseudo-variable."""

    start: int
    end: int
    name: str
    inner: _Range | None = None
    place: _Range | None = None
    steps: tuple[_Step, ...] = ()


_Shapes: TypeAlias = "tuple[str | _Shape, ...]"


def _pvar(text: Text, shape: _Shape) -> PVar:
    inner, index = shape.inner, shape.place
    return PVar(
        text.at(shape.start, shape.end),
        shape.name,
        None if inner is None else text.part(inner.start, inner.end),
        None if index is None else text.part(index.start, index.end),
        tuple(
            Transformation(
                text.at(step.start, step.end),
                text.at(step.name.start, step.name.end),
                step.cls,
                step.op,
                None if step.args is None else text.part(step.args.start, step.args.end),
            )
            for step in shape.steps
        ),
    )


# ---- what the rules of format.lark make of the tokens that they keep -----------------------------------------------


def _marker(children: list[object]) -> _Shape:
    (token,) = _tokens(children)
    return _Shape(token.start, token.end, "$")


def _simple(children: list[object]) -> _Shape:
    (token,) = _tokens(children)
    return _Shape(token.start, token.end, token.text[1:])


def _simple_inner(children: list[object]) -> _Shape:
    opening, closing = _tokens(children)
    return _Shape(opening.start, closing.end, opening.text[1:-1], _Range(opening.end, closing.start))


def _full(children: list[object]) -> _Shape:
    steps = tuple(child for child in children if isinstance(child, _Step))
    tokens = _tokens(children)
    inside = {token.kind: _Range(token.end, after.start) for token, after in pairwise(tokens[2:])}
    return _Shape(
        tokens[0].start, tokens[-1].end, tokens[1].text, inside.get("LPAR"), inside.get("LSQB"), steps
    )  # fmt: skip


def _transformation(children: list[object]) -> _Step:
    head, *comma, closing = _tokens(children)
    args = _Range(comma[0].end, closing.start) if comma else None
    return _step(head.start, closing.end, head.text, args)


def _cut_at_brace(children: list[object]) -> _Step:
    (token,) = _tokens(children)
    head = token.text.partition(",")[0]
    return _step(token.start, token.end, head, _Range(token.start + len(head) + 1, token.end - 1))


def _step(start: int, end: int, head: str, args: _Range | None) -> _Step:
    cls, _, op = head[1:].partition(".")
    return _Step(start, end, _Range(start + 1, start + len(head.rstrip(BLANK))), cls, op.strip(BLANK), args)


def _format(children: list[object]) -> _Shapes:
    joined: list[str | _Shape] = []
    for child in children:
        if isinstance(child, _Shape) and child.name != "$":
            joined.append(child)
            continue
        plain = child.text if isinstance(child, Token) else "$"
        if joined and isinstance(joined[-1], str):
            joined[-1] += plain
        else:
            joined.append(plain)
    return tuple(joined)


def _tokens(children: list[object]) -> list[Token]:
    return [child for child in children if isinstance(child, Token)]


@cache
def _parser() -> Parser:
    return Parser(
        tables(),
        {
            "marker": _marker,
            "simple": _simple,
            "simple_inner": _simple_inner,
            "full": _full,
            "transformation": _transformation,
            "cut_at_brace": _cut_at_brace,
            "format": _format,
        },
    )


@lru_cache(maxsize=4096)
def _format_shapes(value: str) -> _Shapes:
    shapes = _parser().parse(value, "format")
    assert isinstance(shapes, tuple)
    return shapes


@lru_cache(maxsize=4096)
def _pvar_shape(value: str) -> _Shape:
    shape = _parser().parse(value, "pvar")
    assert isinstance(shape, _Shape)
    return shape


# ---- where a variable ends, and what is wrong -----------------------------------------------------------------------

_NAME: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz.?")


def end_of_pvar(value: str, start: int = 0) -> int:
    """Where the variable ends that begins with the `$` at `start`; the end of `value` where it does not
    (core/pvapi.c: pv_locate_name)."""
    if value.startswith("$$", start):
        return start + 2
    at = start + 1
    while at < len(value) and value[at] in _NAME:
        at += 1
    if value[at : at + 1] != "(":
        return at
    depth = 0
    for index in range(at, len(value)):
        if value[index] == "(":
            depth += 1
        elif value[index] == ")":
            depth -= 1
            if not depth:
                return index + 1
    return len(value)


_CLOSED_BY: Final = {
    "SIMPLE_OPEN": ")", "OPEN": ")", "LPAR": ")", "LSQB": "]", "LBRACE": "}", "TRANSFORMATION": "}",
}  # fmt: skip
_CLOSING: Final = {"RPAR", "RSQB", "RBRACE"}
_EMPTY: Final = {
    "SIMPLE_OPEN": "there is no name between `{0}` and `)`",
    "LPAR": "there is no name between the parentheses",
    "LSQB": "there is no index between `[` and `]`",
}


def _explain(error: Stuck, text: Text) -> PvarError:
    """What is wrong in words, at the smallest place that shows it."""
    value, at = text.value, error.at
    opening = _open(error.tokens)
    found = value[at : at + 1]
    here = text.at(at, at + 1)

    if opening is None:
        if found == "$" and value[at + 1 : at + 2] not in _NAME:
            return PvarError("no name follows the `$`; a dollar sign is written `$$`", here)
        if at == 0:
            return PvarError(f"`{show(value)}` is no pseudo-variable", text.span)
        return PvarError(f"`{show(value[:at])}` ends before `{show(value[at:])}`", text.at(at, len(value)))

    start, end = opening.start, opening.end
    closed_by = _CLOSED_BY[opening.kind]
    if opening.kind == "OPEN" and end == at:
        return PvarError("no name follows `$(`", text.at(start, min(at + 1, len(value))))
    if not found:
        return PvarError(f"`{closed_by}` is missing: `{show(opening.text)}` is not closed", text.at(start, end))
    if end == at and found == closed_by:
        return PvarError(_EMPTY[opening.kind].format(show(opening.text)), text.at(start, at + 1))
    if found in ")]}":
        return PvarError(f"`{closed_by}` is missing in front of `{found}`", here)
    if opening.kind == "OPEN" and found == "{":
        return PvarError(f"`{show(_braced(value, at))}` is no transformation; the form is `{{class.name,...}}`", here)
    wanted = "`,` or `}`" if opening.kind == "TRANSFORMATION" else "`(name)`, `[index]`, `{class.name}` or `)`"
    return PvarError(f"`{show(found)}` cannot stand behind `{show(value[start:at])}`: {wanted} is expected", here)


def _open(tokens: list[Token]) -> Token | None:
    """The last bracket that nothing has closed yet."""
    closed = 0
    for token in reversed(tokens):
        if token.kind in _CLOSING:
            closed += 1
        elif token.kind in _CLOSED_BY:
            if not closed:
                return token
            closed -= 1
    return None


def _braced(value: str, at: int) -> str:
    end = value.find("}", at)
    return value[at : end + 1] if end >= 0 else value[at:]
