"""Pass: the labels of switch (core/cfg.y: mk_case_stm, case_check_type, case_check_default; core/switch.c)."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.check.context import LOOP_LIMIT, Context
from evapi_cfg.check.targets import numbers
from evapi_cfg.check.types import is_constant
from evapi_cfg.check.verdicts import FAILS_AT_START, OURS, REFUSED
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.syntax.ast import Case, Switch
from evapi_cfg.syntax.fold import fold
from evapi_cfg.values import parse_int

_COMPARED = (5, 7)  # the version from which on a constant subject is compared at start


def check(context: Context) -> Iterator[Diagnostic]:
    compared = numbers(context.catalog.version) >= _COMPARED
    for switch in context.index.switches:
        yield from _labels(switch)
        fault = _subject(switch) if compared else None
        if fault is not None:
            yield fault
    for loop in context.index.deep:
        yield Diagnostic(
            codes.LOOPS_TOO_DEEP,
            f"more than {LOOP_LIMIT} loops and switches stand inside each other",
            loop.span,
            "move the inner ones into a route",
            (OURS,),
        )


def _labels(switch: Switch) -> Iterator[Diagnostic]:
    first: Case | None = None  # the first label, which decides between numbers and strings
    numeric = False
    default: Case | None = None
    seen: dict[int | str, Case] = {}
    for case in switch.cases:
        label = case.label
        if label is None:
            if default is not None:
                yield Diagnostic(
                    codes.DUPLICATE_DEFAULT,
                    "this switch has a second `default`",
                    case.span,
                    "",
                    (REFUSED,),
                    (Related("the first one", default.span),),
                )
            default = default or case
            continue
        if not is_constant(label):
            yield Diagnostic(
                codes.NON_CONSTANT_CASE,
                "a case label must be constant",
                label.span,
                "compare with `if` instead",
                (REFUSED,),
            )
            continue
        value = fold(label)
        is_number = not case.regex and isinstance(value, int)
        if first is None:
            first, numeric = case, is_number
        elif is_number != numeric:
            assert first.label is not None
            here, there = ("number", "string") if is_number else ("string", "number")
            yield Diagnostic(
                codes.MIXED_CASES,
                f"this label is a {here}, the first one of this switch is a {there}",
                label.span,
                "write all labels as numbers or all as strings",
                (REFUSED,),
                (Related("the first label", first.label.span),),
            )
            continue
        if case.regex or value is None:
            continue
        same = seen.setdefault(value, case)
        if same is not case:
            assert same.label is not None
            yield Diagnostic(
                codes.DUPLICATE_CASE,
                f"the label `{_written(value)}` stands twice in this switch",
                label.span,
                "",
                (FAILS_AT_START,),
                (Related("first here", same.label.span),),
            )


def _subject(switch: Switch) -> Diagnostic | None:
    """A constant subject is compared at start, as a number where the labels are numbers."""
    subject = switch.subject
    label = next((case for case in switch.cases if case.label is not None), None)
    if not switch.cases or not is_constant(subject):
        return None
    if label is not None and (label.regex or not isinstance(fold(label.label), int)):  # type: ignore[arg-type]
        return None
    value = fold(subject)
    if not isinstance(value, str) or parse_int(value) is not None:
        return None
    return Diagnostic(
        codes.NON_INTEGER_CONDITION,
        "the labels of this `switch` are numbers, its subject is a string",
        subject.span,
        "",
        (FAILS_AT_START,),
    )


def _written(value: int | str) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'
