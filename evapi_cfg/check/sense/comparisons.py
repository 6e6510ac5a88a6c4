"""Pass: comparisons of a variable that is always a number with a text that is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from evapi_cfg.check.context import Context
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.syntax.ast import Binary, PVar, String
from evapi_cfg.values import parse_int

# Classes whose values are numbers, and names of classes that have others as well.
_NUMBERS: Final = frozenset(("TS", "Ts", "sp", "Rp", "ml", "bs", "mi", "pp", "rc", "retcode", "mf", "sf", "cs", "oP"))
_NAMES: Final = {
    "T": frozenset(("id_index", "id_label", "reply_code", "branch_index")),
    "evapi": frozenset(("conidx", "srcport")),
}


def check(context: Context) -> Iterator[Diagnostic]:
    for operator in context.index.operators:
        if not isinstance(operator, Binary) or operator.op not in ("==", "!="):
            continue
        left, right = operator.left, operator.right
        if not isinstance(left, PVar) or not isinstance(right, String):
            continue
        if _is_number(left) and parse_int(right.value) is None:
            yield Diagnostic(
                codes.NEVER_EQUAL,
                f"`{left.span.text}` is a number, and this text is none",
                operator.op_span,
                "compare it with a number",
                (
                    "Kamailio logs an error each time, and the condition is false, with `!=` as well;"
                    " 5.6 takes the text for 0",
                ),
            )


def _is_number(pvar: PVar) -> bool:
    if pvar.transformations:
        return False
    if pvar.inner is None:
        return pvar.name in _NUMBERS
    return pvar.inner.value in _NAMES.get(pvar.name, ())
