"""Pass: strings that are not what their quotes look like: two that stand side by side are one, and single quotes take a
backslash as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from evapi_cfg.check.arguments import how_read
from evapi_cfg.check.context import Context
from evapi_cfg.check.fixups import Reading
from evapi_cfg.check.functions import find
from evapi_cfg.check.index import Site
from evapi_cfg.check.sense.arguments import SENDING
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Binary, Call, Expression, String
from evapi_cfg.syntax.walk import walk

_LITERAL: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", re.DOTALL)
_LINE_END: Final = re.compile(r"\\\\|(\\[nr])")
_ESCAPE: Final = re.compile(r"\\\\|(\\[nrt])")
_IN_JSON: Final = re.compile(r"\\\\|(\\[nrt\"])")


def check(context: Context) -> Iterator[Diagnostic]:
    for call, site in context.index.calls:
        for number, argument in enumerate(call.args):
            for string in _strings(argument):
                if string.span.end - string.span.start != len(string.value) + 2:
                    yield from _joined(string)
                if _is_single(string) and _is_text(context, call, site, number):
                    yield from _escapes(string, _IN_JSON if call.name in SENDING else _ESCAPE)
    for assign, _ in context.index.assigns:
        for string in _strings(assign.value):
            if _is_single(string):
                yield from _escapes(string, _LINE_END)  # it may be an expression


def _strings(expr: Expression) -> Iterator[String]:
    if isinstance(expr, String):
        yield expr
    elif isinstance(expr, (Binary, Call)):
        for node in walk(expr):
            if isinstance(node, String):
                yield node


def _is_single(string: String) -> bool:
    """Whether it stands in single quotes."""
    return string.span.file.text[string.span.start] == "'"


def _is_text(context: Context, call: Call, site: Site, number: int) -> bool:
    """Whether an argument is a text for people or a client. Those of an expression, a shell or another language have
    backslashes of their own."""
    export = find(context.scope, call, site)
    if export is None or export.module.startswith(("app_", "exec")):
        return False
    return how_read(export, number) is Reading.FORMAT


def _joined(string: String) -> Iterator[Diagnostic]:
    """Two literals in one line; over several lines that is how long texts are written."""
    span = string.span
    source = span.text
    first = _LITERAL.match(source)
    if first is None or first.end() == len(source):
        return
    second = _LITERAL.search(source, first.end())
    if second is None or "\n" in source[first.end() : second.start()] or source[first.end() : second.start()].strip():
        return
    yield Diagnostic(
        codes.JOINED_STRINGS,
        "this string and the one before it are one argument",
        Span(span.file, span.start + second.start(), span.start + second.end()),
        "put a comma between them, or join them",
        (SILENT,),
    )


def _escapes(string: String, escape: re.Pattern[str]) -> Iterator[Diagnostic]:
    source, start = string.span.text, string.span.start
    for found in escape.finditer(source):
        if found[1]:
            what = "a quote" if found[1] == '\\"' else "a letter"
            yield Diagnostic(
                codes.ESCAPE_IN_SINGLE_QUOTES,
                f"`{found[1]}` is a backslash and {what} inside single quotes",
                Span(string.span.file, start + found.start(), start + found.end()),
                "leave the backslash out" if what == "a quote" else "use double quotes",
                (SILENT,),
            )
            return
