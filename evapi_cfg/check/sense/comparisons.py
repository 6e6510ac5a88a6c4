"""Pass: comparisons that always come out the same, because a variable is always a number."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.syntax.ast import Binary, PVar, String
from evapi_cfg.values import parse_int

# Classes whose values are numbers, and names of classes that have others as well.
_NUMBERS = frozenset(("TS", "Ts", "sp", "Rp", "ml", "bs", "mi", "pp", "rc", "retcode", "mf", "sf", "cs", "oP"))
_NAMES = {
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
            always = "never equal" if operator.op == "==" else "always unequal"
            yield Diagnostic(
                codes.NEVER_EQUAL,
                f"`{left.span.text}` is a number, and {always} to this text",
                operator.op_span,
                "",
                ("Kamailio reads the text as a number, and gets none", SILENT),
            )


def _is_number(pvar: PVar) -> bool:
    if pvar.transformations:
        return False
    if pvar.inner is None:
        return pvar.name in _NUMBERS
    return pvar.inner.value in _NAMES.get(pvar.name, ())
