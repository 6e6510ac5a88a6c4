"""Pass: regular expressions that compile and mean something else than their author had in mind: the language of Perl
and JavaScript in an engine that reads POSIX's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.syntax.ast import Binary, Expression, String

_CLASS = r"\[\^?\]?[^\]]*\]"
_FOREIGN = re.compile(rf"(?P<skip>{_CLASS})|(?P<letter>\\[dDhHvVQEAzZpPKRN])|(?P<escape>\\.)|(?P<lazy>[*+?}}][?+])")
_INSTEAD = {"\\d": "[0-9]", "\\D": "[^0-9]", "\\h": "[ \\t]", "\\A": "^", "\\z": "$", "\\Z": "$"}


def check(context: Context) -> Iterator[Diagnostic]:
    for operator in context.index.operators:
        if isinstance(operator, Binary) and operator.op == "=~":
            yield from _expression(operator.right)
    for switch in context.index.switches:
        for case in switch.cases:
            if case.regex and case.label is not None:
                yield from _expression(case.label)


def _expression(expr: Expression) -> Iterator[Diagnostic]:
    if not isinstance(expr, String):
        return
    for found in _FOREIGN.finditer(expr.value):
        if found["skip"] or found["escape"]:
            continue
        if found["letter"]:
            letter = found["letter"]
            instead = _INSTEAD.get(letter)
            yield Diagnostic(
                codes.FOREIGN_REGEX,
                f"`{letter}` is the letter `{letter[1]}` to Kamailio",
                expr.text.at(*found.span()),
                f"write `{instead}`" if instead else "POSIX has nothing of that kind",
                ("Kamailio uses POSIX extended expressions", SILENT),
            )
        else:
            kind = "lazy" if found["lazy"][1] == "?" else "possessive"
            yield Diagnostic(
                codes.FOREIGN_REGEX,
                f"`{found['lazy']}` is not {kind} to Kamailio, which always takes the longest match",
                expr.text.at(*found.span()),
                "say what may stand in between, such as `[^;]*`",
                ("Kamailio uses POSIX extended expressions", SILENT),
            )
            return
