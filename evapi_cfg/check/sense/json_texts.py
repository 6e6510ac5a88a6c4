"""Pass: JSON that a script puts together and takes apart: literals that are none, values that break out of their
quotes, fields whose absence nobody notices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense.arguments import literal, one_variable, parts, sent
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import (
    Assign,
    Binary,
    Call,
    Case,
    Expression,
    ExprStatement,
    If,
    PVar,
    RouteBlock,
    Statement,
    String,
    Switch,
    Text,
    While,
)
from evapi_cfg.syntax.walk import walk

# What a caller may write as he likes.
_FROM_OUTSIDE = frozenset(
    ("fu", "fU", "fn", "fd", "ft", "tu", "tU", "tn", "td", "tt", "ru", "rU", "rd", "ou", "oU", "od", "ua", "ci", "ct")
) | {"cT", "hdr", "rb", "mb", "msg", "ai", "pu", "pU", "pd", "pn", "re", "au", "ar", "ad", "aU"}
_SAFE_CLASSES = frozenset(("json", "jansson", "num", "nameaddr.len"))
_SAFE = frozenset(("s.md5", "s.sha256", "s.sha384", "s.sha512", "s.len", "s.int", "s.numeric", "s.corehash"))
_STANDINS = ("1", '"a":1', "")  # a value, a member, nothing


def check(context: Context) -> Iterator[Diagnostic]:
    for call, text in sent(context):
        if _is_meant_as_json(text.value) and not (text.span.text.startswith("'") and "\\" in text.value):
            yield from _literal(call, text)
    for site in context.index.sites:
        yield from _fields(site.block)


# ---- written ----------------------------------------------------------------------------------------------------


def _is_meant_as_json(value: str) -> bool:
    start = value.lstrip()
    return start.startswith(("{", "[")) and start[1:].lstrip()[:1] in ('"', "}", "]", "{", "[", "'", "\xe2")


def _literal(call: Call, text: Text) -> Iterator[Diagnostic]:
    cut = parts(text)
    if not cut:
        return
    fault = _fault(cut)
    if fault:
        yield Diagnostic(
            codes.BAD_JSON_LITERAL,
            f"this is no JSON, whatever the variables hold: {fault}",
            call.args[0].span,
            "",
            (SILENT,),
        )
        return
    quoted = False
    for part in cut:
        if isinstance(part, str):
            quoted = _in_quotes(part, quoted)
        elif quoted and part.name in _FROM_OUTSIDE and not _is_escaped(part):
            yield Diagnostic(
                codes.UNESCAPED_JSON_VALUE,
                f"`{part.span.text}` comes from outside, and a quote in it ends the JSON text",
                part.span,
                f"write `{_escaped(part)}`",
                (SILENT,),
            )


def _fault(cut: tuple[str | PVar, ...]) -> str:
    """Why no way of filling in the variables makes JSON of it; "" where one does."""
    first = ""
    for standin in _STANDINS:
        quoted = False
        made = []
        for part in cut:
            if isinstance(part, str):
                made.append(part)
                quoted = _in_quotes(part, quoted)
            else:
                made.append("1" if quoted else standin)
        try:
            json.loads(show("".join(made)), strict=False)
        except json.JSONDecodeError as error:
            first = first or error.msg[:1].lower() + error.msg[1:]
        except RecursionError:
            return ""
        else:
            return ""
    return first


def _in_quotes(part: str, quoted: bool) -> bool:
    """Whether a JSON string is open behind a piece of text."""
    escaped = False
    for character in part:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = quoted
        elif character == '"':
            quoted = not quoted
    return quoted


def _is_escaped(pvar: PVar) -> bool:
    return any(
        step.cls in _SAFE_CLASSES
        or f"{step.cls}.{step.op}" in _SAFE
        or (step.cls == "s" and step.op.startswith(("escape.", "encode.")))
        for step in pvar.transformations
    )


def _escaped(pvar: PVar) -> str:
    text = pvar.span.text
    inside = text[2:-1] if text.startswith("$(") else text[1:]
    return f"$({inside}{{s.escape.common}})"


# ---- read -------------------------------------------------------------------------------------------------------


def _fields(block: RouteBlock) -> Iterator[Diagnostic]:
    """What becomes of json_get_field in one block."""
    quoted: dict[PVar, Call] = {}
    for node in walk(block):
        if isinstance(node, Call) and node.name == "json_get_field" and (target := _target(node)) is not None:
            quoted.setdefault(target, node)
    if not quoted:
        return
    for node in walk(block):
        if isinstance(node, Assign):
            quoted.pop(node.target, None)  # it may have lost its quotes
    yield from _compared(block, quoted)
    yield from _unchecked(block.body)


def _target(call: Call) -> PVar | None:
    text = literal(call, 2)
    return one_variable(text) if text is not None else None


def _compared(block: RouteBlock, quoted: dict[PVar, Call]) -> Iterator[Diagnostic]:
    for node in walk(block):
        if isinstance(node, Switch):
            labels = [case.label for case in node.cases if case.label is not None and not case.regex]
            subject: Expression = node.subject
        elif isinstance(node, Binary) and node.op in ("==", "!=", "eq", "ne"):
            labels, subject = [node.right], node.left
        else:
            continue
        call = quoted.get(subject) if isinstance(subject, PVar) else None
        if call is None or not labels or not all(isinstance(label, String) for label in labels):
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
                target = _target(call) if call.name == "json_get_field" else None
                if target is not None and target not in cleared and not _looks_at_code(following):
                    yield Diagnostic(
                        codes.UNCHECKED_JSON_FIELD,
                        f"where the field is missing, `{target.span.text}` keeps what it had from an earlier message",
                        call.name_span,
                        "call it in an `if`, or assign the variable before",
                        (SILENT,),
                    )


def _looks_at_code(statement: object) -> bool:
    """Whether the next statement asks for the return code."""
    return isinstance(statement, (If, Switch, Assign, Case)) and any(
        isinstance(node, PVar) and node.name in ("rc", "retcode") for node in walk(statement)
    )
