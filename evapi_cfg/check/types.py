"""Pass: static types. Kamailio knows of some operands that they are numbers or strings and refuses what cannot fit
(core/rvalue.c: rve_guess_type, rve_check_type; core/route.c: fix_actions for while and return).

Literals, operators, calls and casts have a type; variables have none until they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from evapi_cfg.check.context import Context
from evapi_cfg.check.index import Operator
from evapi_cfg.check.verdicts import FAILS_AT_START, REFUSED
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.syntax.ast import (
    Binary,
    Cast,
    CoreTest,
    Expression,
    Number,
    PVar,
    Select,
    SelVal,
    String,
    Test,
    Unary,
    Word,
)

Type: TypeAlias = Literal["int", "str"] | None  # None: known only when it is read

_INTEGER = frozenset(("-", "*", "/", "mod", "|", "&", "^", "<<", ">>", "and", "or", "<", ">", "<=", ">=", "ieq", "ine"))
_EQUALITY = frozenset(("==", "!=", "eq", "ne", "ieq", "ine", "=~"))
_TEXTUAL = frozenset(("eq", "ne", "=~"))
_NAMES = {"int": "a number", "str": "a string"}


class Types:
    """The types of one configuration's expressions, from the operands up."""

    def __init__(self) -> None:
        self._operators: dict[int, Type] = {}

    def of(self, expr: Expression) -> Type:
        """The type of an expression whose operators have been seen."""
        if isinstance(expr, String | Select):
            return "str"
        if isinstance(expr, PVar):
            return None
        if isinstance(expr, Binary | Unary | Cast | Test | SelVal):
            return self._operators.get(id(expr))
        return "int"

    def see(self, operator: Operator) -> Diagnostic | None:
        """Gives an operator its type; what is wrong with its operands."""
        fault: Diagnostic | None = None
        result: Type = "int"
        match operator:
            case Binary(left=CoreTest()) | Binary(right=CoreTest()) | Binary(right=Word()):
                pass
            case Binary(op=op, left=left, right=right):
                if op in _EQUALITY and _is_null(right):
                    fault = self._not_int(left, operator, "is compared with $null, which a number never is")
                else:
                    if op == "+":
                        result = self.of(left)
                    fault = self._binary(operator, self.of(left), self.of(right))
            case Unary(op=op, operand=operand):
                if self.of(operand) == "str":
                    fault = _mismatch(operand, f"`{'!' if op == 'not' else op}` needs a number, this is a string")
                    if op == "not":
                        fault = _mismatch(
                            operand,
                            "`!` needs a number, this is a string",
                            "`!` binds tighter than `==`: add parentheses",
                        )
            case Test(op=op, operand=operand):
                fault = self._not_int(operand, operator, f"`{op}` needs a string or a variable, this is a number")
            case Cast(to=to):
                result = to
            case SelVal():
                result = None
        self._operators[id(operator)] = result
        return fault

    def _binary(self, operator: Binary, left: Type, right: Type) -> Diagnostic | None:
        op = operator.op
        if op in _INTEGER:
            for operand, type in ((operator.left, left), (operator.right, right)):
                if type == "str":
                    return _mismatch(
                        operand, f"`{_shown(operator)}` needs numbers, this is a string", _cast_help(operator)
                    )
            return None
        if left is not None and right is not None and left != right and left == "int":
            return _mismatch(
                operator.right,
                f"`{_shown(operator)}` has a number on its left, so this must be no string",
                _equality_help(operator),
            )
        if op in _TEXTUAL and left == "int":
            return _mismatch(operator.left, f"`{_shown(operator)}` needs a string on its left, this is a number")
        if op == "=~" and right == "int":
            return _mismatch(
                operator.right, "`=~` needs a regular expression on its right, this is a number", verdict=FAILS_AT_START
            )
        return None

    def _not_int(self, operand: Expression, operator: Operator, message: str) -> Diagnostic | None:
        if self.of(operand) != "int":
            return None
        if isinstance(operator, Binary):
            message = "this is a number, and a number is never $null"
        return _mismatch(operand, message)


def is_constant(expr: Expression) -> bool:
    """Whether an expression is made of literals alone (core/rvalue.c: rve_is_constant)."""
    stack: list[Expression] = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, Number | String):
            continue
        if isinstance(node, Binary):
            stack += (node.left, node.right)
        elif isinstance(node, Unary | Cast | Test):
            stack.append(node.operand)
        elif isinstance(node, SelVal):
            stack += (node.condition, node.then, node.otherwise)
        else:
            return False
    return True


def check(context: Context) -> Iterator[Diagnostic]:
    types = Types()
    for operator in reversed(context.index.operators):
        fault = types.see(operator)
        if fault is not None:
            yield fault
    for loop in context.index.whiles:
        if types.of(loop.condition) == "str":
            yield _no_integer(loop.condition, "a `while` condition")
    for leave in context.index.leaves:
        if leave.value is not None and types.of(leave.value) == "str":
            yield _no_integer(leave.value, f"the value of `{leave.how}`")


def _no_integer(expr: Expression, what: str) -> Diagnostic:
    return Diagnostic(
        codes.NON_INTEGER_CONDITION,
        f"{what} must be a number, this is a string",
        expr.span,
        "cast it with `(int)`, or compare it with something",
        (FAILS_AT_START,),
    )


def _mismatch(expr: Expression, message: str, help: str = "", verdict: str = REFUSED) -> Diagnostic:
    return Diagnostic(codes.TYPE_MISMATCH, message, expr.span, help, (verdict,))


def _is_null(expr: Expression) -> bool:
    return isinstance(expr, PVar) and expr.name == "null" and not expr.transformations


def _shown(operator: Binary) -> str:
    text = operator.op_span.text
    return text if text and len(text) < 5 else operator.op


def _cast_help(operator: Binary) -> str:
    if operator.op in ("and", "or"):
        return 'compare the string with something, as in `$x == "a" or $x == "b"`'
    return "cast it with `(int)`"


def _equality_help(operator: Binary) -> str:
    left = operator.left
    if isinstance(left, Unary) and left.op == "not":
        return "`!` binds tighter than the comparison: write `!(a == b)` or `a != b`"
    return "swap the sides, or cast the left one with `(str)`"
