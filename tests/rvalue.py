"""What expressions of the reference are made of: nodes, values, and what is joined before anything runs.

From core/rvalue.c (rval_get_long, long_longop2, rve_guess_type, rve_opt_01), and on purpose not from
`evapi_cfg.values` or `evapi_cfg.syntax.fold`: an error there has to show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from evapi_cfg import regex

Value = int | str | None
ARITHMETIC = {"+i", "-", "*", "/", "mod", "|", "&", "^", "<<", ">>", "<", ">", "<=", ">=", "ieq", "ine"}
LONGS = ARITHMETIC | {"neg", "not", "~", "and", "or", "==", "!=", "eq", "ne", "=~", "strlen", "strempty", "defined"}
LONGS |= {"undefined", "(int)"}
UNARY = {"neg", "not", "~", "strlen", "strempty", "defined", "undefined", "(int)", "(str)"}


class Failed(Exception):
    """An expression has no value."""


@dataclass
class Rve:
    """One node: an operator with its sides, or a leaf, whose `op` is long, str, pvar, action or bexpr."""

    op: str
    left: Rve | None = None
    right: Rve | None = None
    leaf: object = None
    arms: tuple[Rve, Rve] | None = None  # of selval


# ---- values: rval_get_long, rval_get_tmp_str, long_longop1, long_longop2 -----------------------------------------


def long(number: int) -> int:
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


def cint(number: int) -> int:
    number &= (1 << 32) - 1
    return number - (1 << 32) if number >> 31 else number


def number_of(value: Value) -> int:
    if value is None or isinstance(value, int):
        return value or 0
    sign = value[:1] in ("+", "-")
    digits = value[1:] if sign else value
    if all(c in "0123456789" for c in digits):
        number = int(digits[:400] or "0") * (-1 if value[0:1] == "-" else 1)
        if long(number) == number and len(digits.lstrip("0")) < 400:
            return number
    if len(value) > 2 and value[:2] in ("0x", "0X") and all(c in "0123456789abcdefABCDEF" for c in value[2:]):
        return int(value[2:], 16) & 0xFFFFFFFF
    raise Failed(f"{value!r} is no number")


def text_of(value: Value) -> str:
    return "" if value is None else value if isinstance(value, str) else str(int(value))


def compute(op: str, a: int, b: int) -> int:
    if op in ("/", "mod"):
        if b == 0:
            raise Failed(f"{op} by 0")
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return long(quotient if op == "/" else a - quotient * b)
    if op in ("<<", ">>"):
        return long(a << (b & 63) if op == "<<" else a >> (b & 63))
    table: dict[str, Callable[[], int]] = {
        "+i": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "|": lambda: a | b,
        "&": lambda: a & b,
        "^": lambda: a ^ b,
        "<": lambda: a < b,
        ">": lambda: a > b,
        "<=": lambda: a <= b,
        ">=": lambda: a >= b,
        "ieq": lambda: a == b,
        "ine": lambda: a != b,
    }
    return long(int(table[op]()))


# ---- optimizing at start: rve_optimize, rve_opt_01 -----------------------------------------------------------------


def guess(node: Rve) -> str:
    """rve_guess_type: long, str or none."""
    if node.op in ("long", "action", "bexpr") or node.op in LONGS:
        return "long"
    if node.op in ("str", "select", "concat", "(str)"):
        return "str"
    return guess(cast(Rve, node.left)) if node.op == "+" else "none"


def constant(node: Rve) -> bool:
    if node.op in ("long", "str"):
        return True
    if node.op in ("pvar", "select", "action", "bexpr"):
        return False
    sides = [node.left, *(node.arms or (node.right,))]
    return all(constant(side) for side in sides if side is not None)


def leaf(value: int | str) -> Rve:
    return Rve("long" if isinstance(value, int) else "str", leaf=value)


def matches(value: Value, label: Value, pattern: bool, textual: bool) -> bool:
    if not textual:
        return value == cint(number_of(label))
    if pattern:
        return regex.compile(text_of(label), 0).matches(text_of(value))
    return text_of(value) == text_of(label)


def matched(text: str, pattern: str) -> int:
    try:
        return int(regex.compile(pattern, regex.ICASE).matches(text))
    except regex.RegexError as error:
        raise Failed(str(error)) from None


def simpler(node: Rve, other: Rve, fixed: Rve, *, behind: bool) -> Rve:
    """rve_opt_01: an operator with one constant side, which stands `behind` or in front. The constant is looked at as
    a C int."""

    def cast_to(type_: str) -> Rve:
        return other if guess(other) == type_ else Rve("(int)" if type_ == "long" else "(str)", other)

    value = fixed.leaf
    if isinstance(value, str):
        if value == "" and node.op == "concat":
            return cast_to("str")
        if value == "" and node.op in ("==", "eq"):
            return Rve("strempty", other)
        return node
    number = cint(cast(int, value))
    # `/` and `mod` vanish only with the 0 in front, `/` by 1 and `-` by 0 only with the constant behind.
    vanishing = {("*", 0), ("&", 0), ("and", 0), ("or", 1)} | (set() if behind else {("/", 0), ("mod", 0)})
    neutral = {("*", 1), ("|", 0), ("and", 1), ("or", 0), ("+i", 0)} | ({("/", 1), ("-", 0)} if behind else set())
    if (node.op, number) in vanishing:
        return fixed
    return cast_to("long") if (node.op, number) in neutral else node
