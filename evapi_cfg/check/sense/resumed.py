"""Pass: the numbers of a parked request, which t_continue takes as numbers and an application sends as a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense.arguments import literal, one_variable
from evapi_cfg.check.verdicts import FAILS_AT_RUN
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Expression, PVar, String, Text

_GIVING_TEXT: Final = frozenset(("json_get_field", "json_get_string"))  # in their third argument
# Transformations whose outcome is a text, whatever digits stand in it, by class.
_TEXTUAL: Final = {
    "s": frozenset(
        ("select", "selectsw", "substr", "strip", "striptail", "trim", "rtrim", "ltrim", "tolower", "toupper")
    )
    | {"before", "after", "rbefore", "rafter", "prefixes", "unquote", "rm", "replace", "numeric"},
    "param": frozenset(("value", "valueat")),
    "line": frozenset(("at",)),
    "re": frozenset(("subst",)),
    "uri": frozenset(("user", "param")),
}


def check(context: Context) -> Iterator[Diagnostic]:
    taken = [
        (call, number, pvar)
        for call, _ in context.index.calls
        if call.name == "t_continue"
        for number in (0, 1)
        if (text := literal(call, number)) is not None and (pvar := one_variable(text)) is not None
    ]
    sources = _sources(context, {pvar.span.text for _, _, pvar in taken}) if taken else {}
    for call, number, pvar in taken:
        source = pvar.span if _is_text(pvar) else sources.get(pvar.span.text)
        if source is not None:
            yield Diagnostic(
                codes.TEXT_TRANSACTION_ID,
                f"`{call.name}` takes numbers, and `{pvar.span.text}` holds a text",
                call.args[number].span,
                "turn it into a number: `{s.int}` behind the variable that it comes from",
                (FAILS_AT_RUN,),
                (Related("where it comes from", source),) if source != pvar.span else (),
            )


def _sources(context: Context, pvars: set[str]) -> dict[str, Span]:
    """Where each variable, as it is written, gets its text, of those that can have nothing else."""
    found: dict[str, Span] = {}
    others: set[str] = set()
    for assign, _ in context.index.assigns:
        pvar = assign.target.span.text
        if pvar in pvars:
            if _is_text(assign.value):
                found.setdefault(pvar, assign.span)
            else:
                others.add(pvar)
    for call, _ in context.index.calls:
        if call.name == "t_continue":
            continue
        for number, argument in enumerate(call.args):
            if not isinstance(argument, String) or argument.text.value not in pvars:
                continue
            if call.name not in _GIVING_TEXT:
                others.add(argument.text.value)
            elif number == 2:
                found.setdefault(argument.text.value, call.span)
    return {pvar: span for pvar, span in found.items() if pvar not in others}


def _is_text(value: Expression) -> bool:
    if isinstance(value, PVar):
        if value.transformations:
            last = value.transformations[-1]
            return last.op in _TEXTUAL.get(last.cls, ())
        return value.name == "evapi" and isinstance(value.inner, Text) and value.inner.value == "msg"
    return isinstance(value, String)
