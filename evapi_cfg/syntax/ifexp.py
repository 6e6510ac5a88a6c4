"""The expressions of `#!ifexp`, `#!defexp` and `#!defexps` (core/utils/snexpr.h, core/ppcfg.c: pp_snexpr_defval).

A small language of its own: numbers are 32 bit floats, names are defines, and a define's value is always a string, so
`#!define N 5` followed by `#!ifexp N - 1 > 3` fails while `N == 5` compares. This module knows nothing of the scanner.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

Result: TypeAlias = "float | str"

_TOKEN: Final = re.compile(
    r"""\s*+(?:
        ([0-9][0-9.]*)                                                          # 1 number
      | ("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')                                   # 2 string
      | ([@-\]_-{}~\x7f-\xff$][@-\]_-{}~\x7f-\xff$#0-9]*)                       # 3 name
      | (\*\*|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%<>&|^!(),])                       # 4 operator
      | (\Z|\#)                                                                 # 5 end
    )""",
    re.VERBOSE | re.DOTALL,
)
_BINDS: Final = {
    "u-": 1, "u!": 1, "u^": 1, "**": 2, "*": 2, "/": 2, "%": 2, "+": 3, "-": 3, "<<": 4, ">>": 4, "<": 5, "<=": 5,
    ">": 5, ">=": 5, "==": 5, "!=": 5, "&": 6, "|": 7, "^": 8, "&&": 9, "||": 10, ",": 12,
}  # fmt: skip
_RIGHT: Final = ("u-", "u!", "u^", "**", ",")  # what binds to the right
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


class ExpressionError(Exception):
    """The expression has no value: why, in words, and where in its text."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


def evaluate(text: str, defines: Mapping[str, str | None]) -> Result:
    """The value of an expression; raises ExpressionError."""
    values: list[Result] = []
    operators: list[tuple[str, int]] = []
    operand = True  # an operand is due
    pos = 0
    while True:
        found = _TOKEN.match(text, pos)
        if found is None:
            raise ExpressionError("nothing that an expression can hold", pos)
        kind = found.lastindex or 5
        start, pos = found.span(kind)
        word = found[kind]
        if kind == 5:
            break
        if kind < 4:
            if not operand:
                raise ExpressionError("an operator is missing", start)
            values.append(_operand(kind, word, defines, start))
            operand = False
        elif word == "(":
            if not operand:
                raise ExpressionError("a function is called, and there are none here", start)
            operators.append(("(", start))
        elif word == ")":
            while operators and operators[-1][0] != "(":
                _apply(values, *operators.pop())
            if not operators or operand:
                raise ExpressionError("`)` without an expression before it", start)
            operators.pop()
        elif operand:
            if word not in ("-", "!", "^"):
                raise ExpressionError("an operand is missing", start)
            operators.append(("u" + word, start))
        else:
            if word == "!":
                raise ExpressionError("an operator is missing", start)
            while operators and operators[-1][0] != "(" and _first(operators[-1][0], word):
                _apply(values, *operators.pop())
            operators.append((word, start))
            operand = True
    if operand and (values or operators):
        raise ExpressionError("an operand is missing", len(text.rstrip()))
    while operators:
        operator, at = operators.pop()
        if operator == "(":
            raise ExpressionError("`(` is not closed", at)
        _apply(values, operator, at)
    return values[0] if values else 0.0


def is_true(value: Result) -> bool:
    """What `#!ifexp` makes of a value: not 0, not empty."""
    return bool(value)


def as_text(value: Result) -> str:
    """What `#!defexp` makes of a value: numbers are cut, and negative ones wrap (ut.h: int2str takes no sign)."""
    if isinstance(value, str):
        return value
    whole = int(value) if math.isfinite(value) else -(1 << 63)
    return str(whole & (1 << 64) - 1)


def _first(left: str, right: str) -> bool:
    """Whether the operator on the left is carried out before the one on the right."""
    if right in _RIGHT:
        return _BINDS[left] < _BINDS[right]
    return _BINDS[left] <= _BINDS[right]


def _operand(kind: int, word: str, defines: Mapping[str, str | None], at: int) -> Result:
    if kind == 1:
        number = _number(word)
        if math.isnan(number):
            raise ExpressionError(f"`{word}` is no number", at)
        return number
    if kind == 2:
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), word[1:-1], flags=re.DOTALL)
    if word not in defines:
        return 0.0
    value = defines[word]
    if value is None:
        return 1.0
    if len(value) > 1 and value[0] in "\"'" and value[0] == value[-1]:
        return value[1:-1]
    return value


def _number(text: str) -> float:
    return _single(float(text)) if re.fullmatch(r"[0-9]+\.?[0-9]*|\.[0-9]+", text) else math.nan


def _single(value: float) -> float:
    """Rounded to a C float."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _integer(value: float) -> int:
    if math.isnan(value):
        return 0
    return max(-(1 << 31), min((1 << 31) - 1, int(max(-1e10, min(1e10, value)))))


def _printed(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else f"{value:.4g}"


def _apply(values: list[Result], operator: str, at: int) -> None:
    right = values.pop()
    if operator[0] == "u" and len(operator) == 2:
        if isinstance(right, str):
            raise ExpressionError(f"`{operator[1]}` before a string", at)
        values.append({"u-": -right, "u!": float(not right), "u^": float(~_integer(right))}[operator])
        return
    left = values.pop()
    if operator in _COMPARE:
        values.append(float(_compare(operator, left, right)))
    elif operator == "+":
        if isinstance(left, str):
            values.append(left + (right if isinstance(right, str) else _printed(right)))
        else:
            values.append(_single(left + (_number(right) if isinstance(right, str) else right)))
    elif operator == "&&":
        values.append(_truth(right) if _truth(left) else 0.0)
    elif operator == "||":
        values.append(_truth(left) or _truth(right))
    elif operator == ",":
        values.append(right)
    elif isinstance(left, str) or isinstance(right, str):
        raise ExpressionError(f"`{operator}` with a string", at)
    else:
        try:
            values.append(_single(_ARITHMETIC[operator](left, right)))
        except (ArithmeticError, ValueError):
            raise ExpressionError(f"`{operator}` has no value here", at) from None


def _truth(value: Result) -> float:
    return 1.0 if isinstance(value, str) else value


def _compare(operator: str, left: Result, right: Result) -> bool:
    if isinstance(left, str):
        return _COMPARE[operator](left, right if isinstance(right, str) else _printed(right))
    return _COMPARE[operator](left, _number(right) if isinstance(right, str) else right)


_COMPARE: Final[dict[str, Callable[[Result, Result], bool]]] = {
    "<": lambda a, b: a < b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
_ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "**": lambda a, b: math.pow(a, b),
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": lambda a, b: math.fmod(a, b),
    "-": lambda a, b: a - b,
    "<<": lambda a, b: float(_integer(a) << (_integer(b) & 31)),
    ">>": lambda a, b: float(_integer(a) >> (_integer(b) & 31)),
    "&": lambda a, b: float(_integer(a) & _integer(b)),
    "|": lambda a, b: float(_integer(a) | _integer(b)),
    "^": lambda a, b: float(_integer(a) ^ _integer(b)),
}
