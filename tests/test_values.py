"""Value rules: what Kamailio 6.1 was seen to do, and the same rules as `rvalue` has them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg import values
from evapi_cfg.values import LONG_MAX, LONG_MIN, EvaluationError, Value
from tests import rvalue

NUMBERS = [
    ("", 0),
    ("5", 5),
    ("+5", 5),
    ("-5", -5),
    ("-", 0),
    ("+", 0),
    ("05", 5),
    ("010", 10),
    ("0x1F", 31),
    ("0X1f", 31),
    ("0xffffffffff", 0xFFFFFFFF),
    ("99999999999", 99999999999),
    ("9223372036854775807", LONG_MAX),
    ("-9223372036854775808", LONG_MIN),
]
NO_NUMBERS = [
    " 5", "5 ", "5x", "x5", "abc", "0x", "0xg", "-0x10", "--5", "1_000", "1.5", "٣", "²", "9223372036854775808",
    "-9223372036854775809", "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_texts_that_are_numbers(text: str, number: int) -> None:
    assert values.parse_int(text) == number
    assert values.to_int(text) == number


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_texts_that_are_no_numbers(text: str) -> None:
    assert values.parse_int(text) is None
    with pytest.raises(EvaluationError):
        values.to_int(text)


def test_conversions_of_null() -> None:
    assert values.to_int(None) == 0
    assert values.to_str(None) == ""
    assert values.defined(None) == 0
    assert values.defined("") == values.defined(0) == 1


Case = tuple[Callable[[Value, Value], int | str], Value, Value, "int | str"]
RESULTS: list[Case] = [
    # the left side of `+` decides
    (values.add, "5", 3, "53"),
    (values.add, 5, "3", 8),
    (values.add, None, 3, "3"),
    (values.add, 5, None, 5),
    (values.add, None, None, ""),
    (values.int_add, "5", "3", 8),
    (values.int_add, None, "3", 3),
    # so does that of `==`, and $null takes the type of the right
    (values.eq, 5, "05", 1),
    (values.eq, "05", 5, 0),
    (values.eq, "5", 5, 1),
    (values.eq, "abc", 0, 0),
    (values.eq, None, 0, 1),
    (values.eq, None, "", 1),
    (values.eq, None, "0", 0),
    (values.eq, None, "x", 0),
    (values.eq, None, 5, 0),
    (values.eq, None, None, 1),
    (values.eq, 0, None, 1),
    (values.eq, "", None, 1),
    (values.eq, "x", None, 0),
    (values.eq, "abc", "ABC", 0),
    (values.ne, 5, "5", 0),
    (values.ne, None, 5, 1),
    (values.str_eq, 5, "05", 0),
    (values.str_eq, None, "", 1),
    (values.str_ne, "a", "b", 1),
    (values.int_eq, "5", "05", 1),
    (values.int_ne, None, 0, 0),
    # division cuts towards zero, and the remainder has the sign of the left side
    (values.div, 7, 2, 3),
    (values.div, -7, 2, -3),
    (values.div, 7, -2, -3),
    (values.mod, -7, 2, -1),
    (values.mod, 7, -2, 1),
    # 64 bits
    (values.int_add, LONG_MAX, 1, LONG_MIN),
    (values.sub, LONG_MIN, 1, LONG_MAX),
    (values.mul, 2**62, 2, LONG_MIN),
    (values.mul, 2**62, 4, 0),
    (values.shift_left, 5, 62, 2**62),
    (values.shift_left, 5, 65, 10),
    (values.shift_right, -5, 1, -3),
    (values.bit_xor, -1, 1, -2),
    (values.lt, "10", "9", 0),
    (values.gt, "10", 9, 1),
    (values.le, None, 0, 1),
    (values.ge, None, 1, 0),
]


@pytest.mark.parametrize(("rule", "left", "right", "result"), RESULTS)
def test_operators(rule: Callable[[Value, Value], int | str], left: Value, right: Value, result: int | str) -> None:
    made = rule(left, right)
    assert (made, type(made)) == (result, type(result))


def test_operators_of_one_side() -> None:
    assert values.negate(LONG_MIN) == LONG_MIN
    assert values.negate("5") == -5
    assert values.bit_not(5) == -6
    assert values.not_("") == values.not_(None) == values.not_("0") == 1
    assert values.not_(-1) == 0


@pytest.mark.parametrize(
    ("value", "holds"), [(1, True), (0, False), (-1, False), ("5", True), ("-5", False), ("", False), (None, False)]
)
def test_only_what_is_above_zero_holds(value: Value, holds: bool) -> None:
    assert values.truth(value) is holds


@pytest.mark.parametrize("rule", [values.div, values.mod])
@pytest.mark.parametrize("right", [0, None, "", "0x0"])
def test_no_value_divided_by_zero(rule: Callable[[Value, Value], int], right: Value) -> None:
    with pytest.raises(EvaluationError):
        rule(5, right)


@pytest.mark.parametrize("number", [LONG_MAX + 1, LONG_MIN - 1, 2**64, 2**64 + 5, -(2**64) - 5, 3**100])
def test_wrapping(number: int) -> None:
    assert values.wrap(number) == rvalue.long(number)


LONGS = st.one_of(st.integers(-9, 9), st.integers(LONG_MIN, LONG_MAX), st.sampled_from([LONG_MIN, LONG_MAX, 2**31]))
TEXTS = st.one_of(st.text("+-0123456789xXafgAF ", max_size=8), LONGS.map(str), st.text("ab\0\xff", max_size=3))
ANY = st.one_of(LONGS, TEXTS, st.none())
INTEGER_RULES = {
    "+i": values.int_add,
    "-": values.sub,
    "*": values.mul,
    "/": values.div,
    "mod": values.mod,
    "|": values.bit_or,
    "&": values.bit_and,
    "^": values.bit_xor,
    "<<": values.shift_left,
    ">>": values.shift_right,
    "<": values.lt,
    ">": values.gt,
    "<=": values.le,
    ">=": values.ge,
    "ieq": values.int_eq,
    "ine": values.int_ne,
}


def outcome(make: Callable[[], Value]) -> Value:
    try:
        return make()
    except (EvaluationError, rvalue.Failed):
        return "no value"


@settings(max_examples=300, derandomize=True, database=None)
@given(st.sampled_from(sorted(INTEGER_RULES)), ANY, ANY)
def test_rules_over_integers_are_those_of_the_reference(op: str, left: Value, right: Value) -> None:
    expected = outcome(lambda: rvalue.compute(op, rvalue.number_of(left), rvalue.number_of(right)))
    assert outcome(lambda: INTEGER_RULES[op](left, right)) == expected


@settings(max_examples=200, derandomize=True, database=None)
@given(TEXTS)
def test_texts_are_numbers_as_in_the_reference(text: str) -> None:
    assert outcome(lambda: values.to_int(text)) == outcome(lambda: rvalue.number_of(text))


@settings(max_examples=200, derandomize=True, database=None)
@given(ANY)
def test_texts_of_values_are_those_of_the_reference(value: Value) -> None:
    assert values.to_str(value) == rvalue.text_of(value)
