"""Nodes of Python's `ast` with the place in the cfg on them, and the table of constants that generated code uses.

Text of a cfg only ever becomes a constant here, never Python source.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeVar

from evapi_cfg.source import SourceFile, Span

Node = TypeVar("Node", ast.expr, ast.stmt)

RUN = "run"  # the parameter of each route's function
VARS = "V"  # run.vars, where a function uses it


class Emitter:
    """Makes nodes. `constants` are the globals of the generated module: everything that is not plain Python."""

    def __init__(self, constants: dict[str, object]) -> None:
        self.constants = constants
        self._names: dict[int, str] = {}
        self._kept: list[object] = []  # so that no id in _names is used twice
        self._starts: dict[int, list[int]] = {}

    def constant(self, value: object, hint: str = "k") -> ast.expr:
        """A name for an object that is no literal; the same object has one name."""
        name = self._names.get(id(value))
        if name is None:
            name = f"_{hint}{len(self._names)}"
            self._names[id(value)] = name
            self._kept.append(value)
            self.constants[name] = value
        return ast.Name(name, ast.Load())

    def position(self, span: Span) -> tuple[int, int]:
        """Line from 1 and offset in bytes in it, as Python counts."""
        starts = self._starts.get(id(span.file))
        if starts is None:
            starts = self._starts[id(span.file)] = line_starts(span.file)
        line = bisect_right(starts, span.start)
        return line, span.start - starts[line - 1]

    def place(self, node: Node, span: Span) -> Node:
        """Puts the cfg's place on a node; what is below without a place gets it from here later."""
        node.lineno, node.col_offset = self.position(span)
        end = Span(span.file, max(span.end - 1, span.start), span.end)
        node.end_lineno, node.end_col_offset = self.position(end)
        node.end_col_offset += 1
        return node


def line_starts(file: SourceFile) -> list[int]:
    starts = [0]
    at = file.text.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = file.text.find("\n", at + 1)
    return starts


def name(identifier: str) -> ast.Name:
    return ast.Name(identifier, ast.Load())


def literal(value: int | str | bool | None) -> ast.Constant:
    return ast.Constant(value)


def call(function: ast.expr, *args: ast.expr) -> ast.Call:
    return ast.Call(function, list(args), [])


def run_attribute(attribute: str) -> ast.Attribute:
    return ast.Attribute(name(RUN), attribute, ast.Load())


def set_attribute(attribute: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Attribute(name(RUN), attribute, ast.Store())], value)


def assign(identifier: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(identifier, ast.Store())], value)


def compare(left: ast.expr, op: ast.cmpop, right: ast.expr) -> ast.expr:
    return ast.Compare(left, [op], [right])


def as_number(test: ast.expr) -> ast.expr:
    """A Python truth as 1 or 0."""
    return ast.IfExp(test, literal(1), literal(0))


def if_(test: ast.expr, then: Sequence[ast.stmt], otherwise: Iterable[ast.stmt] = ()) -> ast.stmt:
    return ast.If(test, list(then) or [ast.Pass()], list(otherwise))


def return_(value: ast.expr) -> ast.stmt:
    return ast.Return(value)
