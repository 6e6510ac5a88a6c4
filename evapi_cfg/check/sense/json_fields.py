"""Pass: fields that json_get_field takes out of JSON: their quotes, and that they may be missing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense.arguments import literal, one_variable
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.syntax.ast import (
    Assign,
    Binary,
    Call,
    Expression,
    ExprStatement,
    If,
    PVar,
    RouteBlock,
    Statement,
    String,
    Switch,
    While,
)
from evapi_cfg.syntax.walk import walk

_FUNCTION: Final = "json_get_field"
_LASTING: Final = frozenset(("var", "vn", "vz", "shv"))  # they outlive the message


def check(context: Context) -> Iterator[Diagnostic]:
    blocks = {id(site.block): site.block for call, site in context.index.calls if call.name == _FUNCTION}
    for block in blocks.values():
        yield from _compared(block)
        yield from _unchecked(block.body)


def _target(call: Call) -> PVar | None:
    text = literal(call, 2)
    return one_variable(text) if text is not None else None


# ---- with their quotes ------------------------------------------------------------------------------------------


def _compared(block: RouteBlock) -> Iterator[Diagnostic]:
    quoted: dict[PVar, Call] = {}
    for node in walk(block):
        if isinstance(node, Call) and node.name == _FUNCTION and (target := _target(node)) is not None:
            quoted.setdefault(target, node)
    for node in walk(block):
        if isinstance(node, Assign):
            quoted.pop(node.target, None)  # it may have lost its quotes
    for node in walk(block) if quoted else ():
        if isinstance(node, Switch):
            labels = [case.label for case in node.cases if case.label is not None and not case.regex]
            subject: Expression = node.subject
        elif isinstance(node, Binary) and node.op in ("==", "!=", "eq", "ne"):
            labels, subject = [node.right], node.left
        else:
            continue
        call = quoted.get(subject) if isinstance(subject, PVar) else None
        if call is None or not labels or not all(isinstance(label, String) and label.value for label in labels):
            continue
        if any(isinstance(label, String) and label.value.startswith('"') for label in labels):
            continue
        yield Diagnostic(
            codes.QUOTED_JSON_FIELD,
            f"`{subject.span.text}` still has its quotes, so that it equals none of these",
            subject.span,
            "use jansson_get, or take them off with `{s.unquote}`",
            ("json_get_field gives a text as it is written in JSON, with its quotes",),
            (Related("where it comes from", call.span),),
        )


# ---- missing ----------------------------------------------------------------------------------------------------


def _unchecked(body: tuple[Statement, ...]) -> Iterator[Diagnostic]:
    waiting = [body]
    while waiting:
        statements = waiting.pop()
        cleared: set[PVar] = set()
        for statement, following in pairwise((*statements, None)):
            if isinstance(statement, Assign):
                cleared.add(statement.target)
            elif isinstance(statement, If):
                waiting += (statement.then, statement.otherwise)
            elif isinstance(statement, While):
                waiting.append(statement.body)
            elif isinstance(statement, Switch):
                waiting += (case.body for case in statement.cases)
            elif isinstance(statement, ExprStatement) and isinstance(statement.expr, Call):
                call = statement.expr
                target = _target(call) if call.name == _FUNCTION else None
                if target is None or target.name not in _LASTING or target in cleared or _is_constant(call):
                    continue
                if not _asks_for_code(following):
                    yield Diagnostic(
                        codes.UNCHECKED_JSON_FIELD,
                        f"where the field is missing, `{target.span.text}` keeps what it had from an earlier message",
                        call.name_span,
                        "call it in an `if`, or assign the variable before",
                        (f"{SILENT}: the call gives -1, and a `null` counts as missing",),
                    )


def _is_constant(call: Call) -> bool:
    """Whether the JSON text is a literal."""
    text = literal(call, 0)
    return text is not None and "$" not in text.value


def _asks_for_code(statement: Statement | None) -> bool:
    """Whether the next statement asks for the return code."""
    return isinstance(statement, (If, Switch, Assign)) and any(
        isinstance(node, PVar) and node.name in ("rc", "retcode") for node in walk(statement)
    )
