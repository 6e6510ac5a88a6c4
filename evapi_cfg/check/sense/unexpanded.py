"""Pass: variables that stand in a text which nobody fills in: one that is assigned or compared. Only functions fill in
their arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense.arguments import parts
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.syntax.ast import Binary, Expression, PVar, String

_FILLING_IN: Final = ("pv_evalx", "kazoo_")  # what such a text can be meant for


def check(context: Context) -> Iterator[Diagnostic]:
    if any(call.name.startswith(_FILLING_IN) for call, _ in context.index.calls):
        return
    for assign, _ in context.index.assigns:
        yield from _text(assign.value, "assigned")
    for operator in context.index.operators:
        if isinstance(operator, Binary) and operator.op in ("==", "!=", "eq", "ne"):
            yield from _text(operator.right, "compared")


def _text(expr: Expression, how: str) -> Iterator[Diagnostic]:
    if not isinstance(expr, String) or "$" not in expr.value or not expr.text.marks:
        return
    found = [part for part in parts(expr.text) if isinstance(part, PVar)]
    if found:
        yield Diagnostic(
            codes.UNEXPANDED_VARIABLE,
            f"`{found[0].span.text}` stays as it is written: nobody fills in a text that is {how}",
            found[0].span,
            _instead(expr),
            (SILENT,),
        )


def _instead(string: String) -> str:
    """How the text is written so that its variables count."""
    pieces = [f'"{part}"' if isinstance(part, str) else part.span.text for part in parts(string.text)]
    joined = " + ".join(pieces)
    if len(pieces) == 1:
        return f"leave the quotes out: `{joined}`"
    if len(joined) > 80 or not joined.isprintable() or "\\" in joined or '"' in string.value:
        return "join the pieces with `+`"
    return f"write `{joined}`"
