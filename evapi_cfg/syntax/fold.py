"""Constant expressions, and what constants do to the expressions around them (core/rvalue.c: rve_optimize).

What Kamailio's optimiser leaves out is not evaluated at all, which a script can see: in `route(X) && 0` the route does
not run, and `route(X) && 1` is the route's own return code.
"""

from __future__ import annotations

from collections.abc import Callable

from evapi_cfg import regex, values
from evapi_cfg.syntax.ast import (
    Binary,
    BlockExpr,
    Call,
    Cast,
    Expression,
    Number,
    PVar,
    RouteCall,
    Select,
    SelVal,
    String,
    Test,
    Unary,
)
from evapi_cfg.values import EvaluationError, Value

_BINARY: dict[str, Callable[[Value, Value], int | str]] = {
    "|": values.bit_or,
    "&": values.bit_and,
    "^": values.bit_xor,
    "<<": values.shift_left,
    ">>": values.shift_right,
    "==": values.eq,
    "!=": values.ne,
    "eq": values.str_eq,
    "ne": values.str_ne,
    "ieq": values.int_eq,
    "ine": values.int_ne,
    "<": values.lt,
    ">": values.gt,
    "<=": values.le,
    ">=": values.ge,
    "+": values.add,
    "-": values.sub,
    "*": values.mul,
    "/": values.div,
    "mod": values.mod,
    "=~": lambda a, b: 1 if regex.compile(values.to_str(b), regex.ICASE).search_bounded(values.to_str(a)) else 0,
    "and": lambda a, b: 1 if values.to_int(a) and values.to_int(b) else 0,
    "or": lambda a, b: 1 if values.to_int(a) or values.to_int(b) else 0,
}
_C_INT = 0xFFFFFFFF  # the optimiser looks at these bits of a constant only (rve_opt_01: `int i`)
# One side that decides the value, on either side and on the left only.
_ABSORBING = {("*", 0), ("&", 0), ("and", 0), ("or", 1)}
_ABSORBING_LEFT = {("/", 0), ("mod", 0)}
# One side that leaves the other as it is, on either side and on the right only.
_NEUTRAL = {("*", 1), ("|", 0), ("and", 1), ("or", 0)}
_NEUTRAL_RIGHT = {("/", 1), ("-", 0)}


def fold(expr: Expression) -> int | str | None:
    """The value of a constant expression; None where it is not constant or has no value (a division by zero)."""
    match expr:
        case Number():
            return values.wrap(expr.value)
        case String():
            return expr.text.value
        case Binary():
            return _fold_binary(expr)
        case Unary() | Cast() | Test():
            inner = fold(expr.operand)
            try:
                return None if inner is None else _fold_unary(expr, inner)
            except EvaluationError:
                return None
        case SelVal():
            condition, then, otherwise = fold(expr.condition), fold(expr.then), fold(expr.otherwise)
            if condition is None or then is None or otherwise is None:
                return None
            try:
                return then if values.truth(condition) else otherwise
            except EvaluationError:
                return None
        case _:
            return None


def _fold_binary(expr: Binary) -> int | str | None:
    left, right = fold(expr.left), fold(expr.right)
    if left is None and right is None:
        return None
    if left is not None and right is not None:
        compute = _BINARY.get(expr.op)
        try:
            return None if compute is None else compute(left, right)
        except (EvaluationError, regex.RegexError, regex.TooSlow):
            return None
    if isinstance(right, int):
        return right if (expr.op, right & _C_INT) in _ABSORBING else None
    if isinstance(left, int):
        return left if (expr.op, left & _C_INT) in _ABSORBING | _ABSORBING_LEFT else None
    return None


def _fold_unary(expr: Unary | Cast | Test, inner: int | str) -> int | str:
    match expr:
        case Unary(op="not"):
            return values.not_(inner)
        case Unary(op="~"):
            return values.bit_not(inner)
        case Unary():
            return values.negate(inner)
        case Cast(to="int"):
            return values.to_int(inner)
        case Cast():
            return values.to_str(inner)
        case Test(op="strlen"):
            return len(values.to_str(inner))
        case Test(op="strempty"):
            return 0 if values.to_str(inner) else 1
        case _:
            return 1


def simplified(expr: Expression) -> Expression:
    """An expression with a constant side as the optimiser leaves it: the other side alone, where the constant does
    nothing; `strempty` for a comparison with an empty string. Anything else comes back as it is."""
    if not isinstance(expr, Binary):
        return expr
    left, right = fold(expr.left), fold(expr.right)
    if (left is None) == (right is None):
        return expr
    constant = right if left is None else left
    other = expr.left if left is None else expr.right
    if constant == "":
        if expr.op in ("==", "eq"):
            return Test(expr.span, "strempty", other)
        if expr.op == "+" and (left == "" or static_type(other) == "str"):
            return _as(expr, "str", other)
    elif isinstance(constant, int):
        key = (expr.op, constant & _C_INT)
        adds = key == ("+", 0) and static_type(expr.left) == "int"
        if key in _NEUTRAL or adds or (left is None and key in _NEUTRAL_RIGHT):
            return _as(expr, "int", other)
    return expr


def _as(expr: Binary, kind: str, other: Expression) -> Expression:
    if static_type(other) == kind:
        return simplified(other)
    return Cast(expr.span, "int" if kind == "int" else "str", other)


def static_type(expr: Expression) -> str:
    """What is known of a value before anything runs: "int", "str" or "any" (core/rvalue.c: rve_guess_type)."""
    match expr:
        case String() | Select() | Cast(to="str"):
            return "str"
        case PVar() | SelVal():
            return "any"
        case Binary(op="+"):
            return static_type(expr.left)
        case Call() | RouteCall() | BlockExpr():
            return "int"
        case _:
            return "int"
