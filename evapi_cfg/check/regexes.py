"""Pass: regular expressions that are known when the file is read: right of `=~`, and in `case /"...":`
(core/rvalue.c: fix_match_rve; core/switch.c). Those in arguments are read with the arguments."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg import regex
from evapi_cfg.check.context import Context
from evapi_cfg.check.posix import remedy
from evapi_cfg.check.types import is_constant
from evapi_cfg.check.verdicts import FAILS_AT_START
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.syntax.ast import Binary, Expression, String
from evapi_cfg.syntax.fold import fold


def check(context: Context) -> Iterator[Diagnostic]:
    for operator in context.index.operators:
        if isinstance(operator, Binary) and operator.op == "=~":
            fault = _constant(operator.right)
            if fault is not None:
                yield fault
    for switch in context.index.switches:
        for case in switch.cases:
            if case.regex and case.label is not None:
                fault = _constant(case.label)
                if fault is not None:
                    yield fault


def _constant(expr: Expression) -> Diagnostic | None:
    if not is_constant(expr):
        return None
    value = fold(expr)
    return fault(value, expr) if isinstance(value, str) else None


def fault(pattern: str, expr: Expression) -> Diagnostic | None:
    """Why a pattern does not compile; the place is that of the fault where the pattern stands as one literal."""
    try:
        regex.compile(pattern)
    except regex.RegexError as error:
        span = expr.span
        if isinstance(expr, String) and error.offset is not None and expr.text.value == pattern:
            start = min(error.offset, max(len(pattern) - 1, 0))
            span = expr.text.at(start, start + 1)
        return Diagnostic(
            codes.BAD_REGEX,
            f"bad regular expression: {error.message}",
            span,
            remedy(pattern, error.offset or 0),
            ("Kamailio uses POSIX extended expressions", FAILS_AT_START),
        )
    return None
