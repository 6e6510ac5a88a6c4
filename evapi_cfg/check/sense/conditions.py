"""Pass: conditions that cannot come out in two ways: constants, two comparisons that cover all or exclude each other,
and an assignment where a comparison is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeGuard

from evapi_cfg.check.context import Context
from evapi_cfg.check.types import is_constant
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import (
    AssignExpr,
    Binary,
    BlockExpr,
    Expression,
    If,
    Leave,
    Number,
    PVar,
    Statement,
    String,
    Switch,
    Unary,
    While,
)
from evapi_cfg.syntax.fold import fold
from evapi_cfg.syntax.walk import walk
from evapi_cfg.values import parse_int

_WORD: Final = re.compile(r"[A-Za-z_]")
_KNOWN: Final = re.compile(  # texts, and words that cannot be a define's
    r"\"[^\"]*\"|'[^']*'|\b(?:yes|true|on|enable|no|false|off|disable|and|or|not|eq|ne|ieq|ine|mod|int|str)\b"
)
_LOGGED: Final = "Kamailio logs a warning when it reads the file"
_ENDS_LOOP: Final = f"{_LOGGED}, and ends a loop after `max_while_loops` turns (100)"
_COMPARING: Final = ("==", "!=", "<", ">", "<=", ">=", "eq", "ne", "ieq", "ine")
# Other values when they are read again.
_CHANGING: Final = frozenset(("RANDOM", "TS", "Ts", "TSM", "Tsm", "TV", "rc", "retcode", "utimef", "localt", "sbranch"))


def check(context: Context) -> Iterator[Diagnostic]:
    for site in context.index.sites:
        waiting: list[tuple[Statement, ...]] = [site.block.body]
        while waiting:
            for statement in waiting.pop():
                if isinstance(statement, If):
                    yield from _condition(statement.condition, "if")
                    waiting.append(statement.then)
                    if statement.otherwise:
                        waiting.append(statement.otherwise)
                elif isinstance(statement, While):
                    if not (_always_true(statement.condition) and _can_be_left(statement.body)):
                        yield from _condition(statement.condition, "while")
                    waiting.append(statement.body)
                elif isinstance(statement, Switch):
                    waiting += (case.body for case in statement.cases)


def _condition(condition: Expression, word: str) -> Iterator[Diagnostic]:
    waiting = [condition]
    while waiting:
        expr = waiting.pop()
        if isinstance(expr, AssignExpr):
            yield _assigned(expr)
        elif isinstance(expr, Binary) and expr.op in ("and", "or"):
            operands, words = _chain(expr)
            yield from _two_comparisons(expr.op, operands, words)
            waiting += reversed(operands)
        elif isinstance(expr, Binary) and expr.op in _COMPARING and isinstance(expr.left, AssignExpr):
            yield _compared_assignment(expr.left)
        elif isinstance(expr, Unary) and expr.op == "not":
            waiting.append(expr.operand)
        elif is_constant(expr) and not isinstance(expr, BlockExpr) and _is_literal(expr):
            value = fold(expr)
            if value is not None:
                yield _constant(expr, value, word, whole=expr is condition)


def _constant(expr: Expression, value: int | str, word: str, *, whole: bool) -> Diagnostic:
    note = _ENDS_LOOP if word == "while" and _is_true(value) else _LOGGED if whole else SILENT
    return Diagnostic(
        codes.CONSTANT_CONDITION,
        f"this condition is always {'true' if _is_true(value) else 'false'}",
        expr.span,
        "leave the loop with `break`, or put a variable in" if word == "while" else "remove it, or put a variable in",
        (note,),
    )


# ---- an assignment ----------------------------------------------------------------------------------------------


def _assigned(expr: AssignExpr) -> Diagnostic:
    return Diagnostic(
        codes.ASSIGNED_CONDITION,
        f"`{expr.assign.target.span.text}` is assigned here, not compared",
        _equals_sign(expr),
        "write `==` to compare",
        ("Kamailio assigns the value, and the condition is true, whatever the value is",),
    )


def _compared_assignment(expr: AssignExpr) -> Diagnostic:
    return Diagnostic(
        codes.ASSIGNED_CONDITION,
        f"what is compared is not the value that `{expr.assign.target.span.text}` gets",
        _equals_sign(expr),
        "assign in a statement of its own, then compare the variable",
        ("an assignment inside an expression counts as 1, whatever is assigned",),
    )


def _equals_sign(expr: AssignExpr) -> Span:
    """Between the target and the value."""
    assign = expr.assign
    file, start = assign.target.span.file, assign.target.span.end
    at = file.text.find("=", start, assign.value.span.start) if file is assign.value.span.file else -1
    return Span(file, at, at + 1) if at >= 0 else assign.span


# ---- two comparisons of one variable ----------------------------------------------------------------------------


def _chain(expr: Binary) -> tuple[list[Expression], list[Span]]:
    """The operands of `a or b or c`, and the places of the words between them."""
    operands: list[Expression] = []
    words: list[Span] = []
    left: Expression = expr
    while isinstance(left, Binary) and left.op == expr.op:
        operands.append(left.right)
        words.append(left.op_span)
        left = left.left
    operands.append(left)
    operands.reverse()
    words.reverse()
    return operands, words


def _two_comparisons(op: str, operands: list[Expression], words: list[Span]) -> Iterator[Diagnostic]:
    """`$x != "a" or $x != "b"`, `$x == "a" and $x == "b"`: the first two that do so."""
    before: dict[str, Binary] = {}
    for number, second in enumerate(operands):
        if not _compares(second, "!=" if op == "or" else "=="):
            continue
        name = second.left.span.text
        first = before.setdefault(name, second)
        if first.left != second.left or not _differ(first.right, second.right):
            continue
        yield Diagnostic(
            codes.CONSTANT_CONDITION,
            f"this is always {'true' if op == 'or' else 'false'}: `{name}` has one value only",
            words[number - 1],
            f"write `{'&&' if op == 'or' else '||'}`",
            (SILENT,),
            (Related("compared here", first.span), Related("and here", second.span)),
        )
        return


def _compares(expr: Expression, op: str) -> TypeGuard[Binary]:
    return (
        isinstance(expr, Binary)
        and expr.op == op
        and isinstance(expr.left, PVar)
        and expr.left.index is None
        and expr.left.name not in _CHANGING
        and isinstance(expr.right, (String, Number))
    )


def _differ(one: Expression, two: Expression) -> bool:
    """Whether no value equals both literals."""
    if isinstance(one, Number) and isinstance(two, Number):
        return one.value != two.value
    if not isinstance(one, String) or not isinstance(two, String):
        return False
    first, second = parse_int(one.value), parse_int(two.value)
    return first != second if first is not None and second is not None else one.value != two.value


# ---- constants --------------------------------------------------------------------------------------------------


def _is_literal(expr: Expression) -> bool:
    """Whether it is written with literals: a define or a substitution may give something else another time."""
    if _WORD.search(_KNOWN.sub("", expr.span.text)):
        return False
    return all(node.text.marks or node.span.text in ('""', "''") for node in walk(expr) if isinstance(node, String))


def _is_true(value: int | str) -> bool:
    """A text that is no number is false."""
    return bool(value if isinstance(value, int) else parse_int(value))


def _always_true(condition: Expression) -> bool:
    return is_constant(condition) and (value := fold(condition)) is not None and _is_true(value)


def _can_be_left(body: tuple[Statement, ...]) -> bool:
    """Whether something in a loop's body leaves it."""
    return any(isinstance(node, Leave) for statement in body for node in walk(statement))
