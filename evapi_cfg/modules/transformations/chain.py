"""Running prepared transformations one after the other, and what their results may be.

Kamailio's value has a text and a number side by side (core/pvar.h: pv_value_t), ours is an int, a str or None. The two
agree but for results such as `$(var(x){s.int})` of "0x10", which is 16 and prints `0x10`: an IntText stands for
these inside a chain. In a format it prints its text; in an expression it is the number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from evapi_cfg.modules.context import Getter, Run
from evapi_cfg.modules.spec import NoValue
from evapi_cfg.values import NULL_TEXT, Value

Step: TypeAlias = Callable[[Run, Value], Value]


class IntText(int):
    """An integer whose text is not its decimal form."""

    text: str

    def __new__(cls, number: int, text: str) -> IntText:
        self = super().__new__(cls, number)
        self.text = text
        return self

    def __str__(self) -> str:
        return self.text


def int_with_text(number: int, text: str) -> int:
    """`number`, which prints as `text`."""
    return number if str(number) == text else IntText(number, text)


def chain(get: Getter, steps: Sequence[Step]) -> tuple[Getter, Callable[[Run], str]]:
    """Two readers of a variable with transformations: its value for expressions, its text for formats.

    Where a step fails the value is $null and the text empty; a result of $null prints as `<null>`
    (core/pvapi.c: tr_exec, pv_printf_mode).
    """
    if len(steps) == 1:
        (only,) = steps

        def last(run: Run) -> Value:
            return only(run, get(run))

    else:
        fixed = tuple(steps)

        def last(run: Run) -> Value:
            value = get(run)
            for step in fixed:
                value = step(run, value)
            return value

    def value(run: Run) -> Value:
        try:
            result = last(run)
        except NoValue:
            return None
        return int(result) if isinstance(result, IntText) else result

    def text(run: Run) -> str:
        try:
            result = last(run)
        except NoValue:
            return ""
        return NULL_TEXT if result is None else str(result)

    return value, text
