"""Pass: strings that are not what their quotes look like: two that stand side by side are one, and single quotes take a
backslash as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import String
from evapi_cfg.syntax.walk import walk

_LITERAL = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", re.DOTALL)
_ESCAPE = re.compile(r"\\[nrt]")


def check(context: Context) -> Iterator[Diagnostic]:
    for call, _ in context.index.calls:
        for argument in call.args:
            for node in walk(argument):
                if isinstance(node, String):
                    yield from _joined(node)
                    yield from _escapes(node)


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


def _escapes(string: String) -> Iterator[Diagnostic]:
    source = string.span.text
    if not source.startswith("'"):
        return
    found = _ESCAPE.search(source)
    if found is not None:
        start = string.span.start
        yield Diagnostic(
            codes.ESCAPE_IN_SINGLE_QUOTES,
            f"`{found[0]}` is a backslash and a letter inside single quotes",
            Span(string.span.file, start + found.start(), start + found.end()),
            "use double quotes",
            (SILENT,),
        )
