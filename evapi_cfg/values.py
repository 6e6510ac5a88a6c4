"""Kamailio's value rules: what `+`, `==`, `>`, a condition or an assignment do with integers, strings and $null.

A value is an int (64 bit, signed, as `long` since 5.7), a str (one character per byte) or None for $null.
The rules follow core/rvalue.c: rval_get_long, rval_expr_eval_long, rval_expr_eval, rval_str_lop2; core/ut.h: str2slong.

Code compiled from routes calls these functions; nothing here knows of routes, variables or messages.
"""

from __future__ import annotations

from typing import TypeAlias

Value: TypeAlias = "int | str | None"


LONG_MAX = 2**63 - 1
LONG_MIN = -(2**63)
INT_MAX = 2**31 - 1
INT_MIN = -(2**31)
NULL_TEXT = "<null>"  # how $null prints inside a string


class EvaluationError(Exception):
    """The expression has no value: a division by zero, or a text where a number is needed. The statement is skipped,
    a condition is false."""


def wrap(number: int) -> int:
    """An integer as 64-bit arithmetic leaves it."""
    if LONG_MIN <= number <= LONG_MAX:
        return number
    return (number + 2**63) % 2**64 - 2**63


def int32(number: int) -> int:
    """A number as a C int: what does not fit is cut off."""
    return number if INT_MIN <= number <= INT_MAX else (number + 2**31) % 2**32 - 2**31


def leading_number(text: str, least: int = INT_MIN, most: int = INT_MAX) -> int:
    """The number that a text begins with, 0 without any; one that does not fit is the least or the most (core/ut.h:
    str2snval, whose result counts where it fails)."""
    sign = text[:1] if text[:1] in ("+", "-") else ""
    rest = text[len(sign) :]
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    number = int(digits[:25] or 0)
    return max(-number, least) if sign == "-" else min(number, most)


def parse_int(text: str) -> int | None:
    """Decimal with an optional sign, or hexadecimal behind 0x; None where the text is no number.

    A lone sign and an empty text are 0, as in core/ut.h: str2slong; numbers beyond 64 bit are none.
    """
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits:
        return 0
    if digits.isdecimal() and digits.isascii():
        number = int(digits) if len(digits) < 4000 else LONG_MAX + 2
        if text[0] == "-":
            number = -number
        return number if LONG_MIN <= number <= LONG_MAX else None
    if len(text) > 2 and text[0] == "0" and text[1] in "xX":
        rest = text[2:]
        if rest.isalnum() and rest.isascii():
            try:
                return int(rest, 16) & 0xFFFFFFFF
            except ValueError:
                return None
    return None


def to_int(value: Value) -> int:
    """The value as an integer: $null is 0. A text that is no number has none: EvaluationError
    (rval_get_long, RV_STR2INT_ERR)."""
    if value.__class__ is int:
        return value
    if value is None:
        return 0
    number = parse_int(value)  # type: ignore[arg-type]
    if number is None:
        raise EvaluationError(f"`{value}` is no number")
    return number


def number_as_text(value: Value) -> Value:
    """A number as its text, all else as it is."""
    return str(value) if isinstance(value, int) else value


def to_str(value: Value) -> str:
    """The value as a string in an expression: $null is empty. Inside a format it prints as `<null>` instead."""
    if value.__class__ is str:
        return value
    return "" if value is None else str(value)


def truth(value: Value) -> bool:
    """Whether a condition holds: only above 0 (core/action.c: IF_T, return_mode 0)."""
    return to_int(value) > 0


def defined(value: Value) -> int:
    return 0 if value is None else 1


def not_(value: Value) -> int:
    return 0 if to_int(value) else 1


def add(left: Value, right: Value) -> int | str:
    """`+`: the left side decides; an integer adds, a string or $null joins."""
    if left.__class__ is int:
        return wrap(left + to_int(right))
    return to_str(left) + to_str(right)


def int_add(left: Value, right: Value) -> int:
    """`+` where an integer is asked for: both sides are converted (rval_expr_eval_long, RVE_PLUS_OP)."""
    return wrap(to_int(left) + to_int(right))


def sub(left: Value, right: Value) -> int:
    return wrap(to_int(left) - to_int(right))


def mul(left: Value, right: Value) -> int:
    return wrap(to_int(left) * to_int(right))


def div(left: Value, right: Value) -> int:
    """Division that cuts towards zero."""
    dividend, divisor = to_int(left), to_int(right)
    if not divisor:
        raise EvaluationError("rv div by 0")
    quotient = abs(dividend) // abs(divisor)
    return wrap(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def mod(left: Value, right: Value) -> int:
    """The remainder, with the sign of the left side."""
    dividend, divisor = to_int(left), to_int(right)
    if not divisor:
        raise EvaluationError("rv mod by 0")
    remainder = abs(dividend) % abs(divisor)
    return -remainder if dividend < 0 else remainder


def shift_left(left: Value, right: Value) -> int:
    """Shift counts are taken modulo 64, as x86-64 does with a C `long`."""
    return wrap(to_int(left) << (to_int(right) & 63))


def shift_right(left: Value, right: Value) -> int:
    return to_int(left) >> (to_int(right) & 63)


def bit_or(left: Value, right: Value) -> int:
    return to_int(left) | to_int(right)


def bit_and(left: Value, right: Value) -> int:
    return to_int(left) & to_int(right)


def bit_xor(left: Value, right: Value) -> int:
    return to_int(left) ^ to_int(right)


def bit_not(value: Value) -> int:
    return ~to_int(value)


def negate(value: Value) -> int:
    return wrap(-to_int(value))


def eq(left: Value, right: Value) -> int:
    """`==`: a left integer compares numbers, a left string compares text, a left $null takes the type of the right."""
    if left.__class__ is str:
        return 1 if left == (right if right.__class__ is str else to_str(right)) else 0
    if left is None:
        return 1 if (right == 0 if right.__class__ is int else not right) else 0
    return 1 if left == to_int(right) else 0


def ne(left: Value, right: Value) -> int:
    return 1 - eq(left, right)


def str_eq(left: Value, right: Value) -> int:
    """`eq`: both sides as text."""
    return 1 if to_str(left) == to_str(right) else 0


def str_ne(left: Value, right: Value) -> int:
    return 0 if to_str(left) == to_str(right) else 1


def int_eq(left: Value, right: Value) -> int:
    """`ieq`: both sides as numbers."""
    return 1 if to_int(left) == to_int(right) else 0


def int_ne(left: Value, right: Value) -> int:
    return 0 if to_int(left) == to_int(right) else 1


def lt(left: Value, right: Value) -> int:
    return 1 if to_int(left) < to_int(right) else 0


def gt(left: Value, right: Value) -> int:
    return 1 if to_int(left) > to_int(right) else 0


def le(left: Value, right: Value) -> int:
    return 1 if to_int(left) <= to_int(right) else 0


def ge(left: Value, right: Value) -> int:
    return 1 if to_int(left) >= to_int(right) else 0
