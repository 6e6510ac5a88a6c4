"""Diagnostics for programs: one JSON document, version 1. Lines and columns count from 1, columns in characters."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps

from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.source import Span, show


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """`{"version": 1, "diagnostics": [...], "errors": N, "warnings": N}` and a line end."""
    errors = sum(d.severity is Severity.ERROR for d in diagnostics)
    document = {
        "version": 1,
        "diagnostics": [
            {
                "code": d.code.name,
                "severity": d.severity.value,
                "message": show(d.message),
                **_place(d.span),
                "help": show(d.help),
                "notes": [show(note) for note in d.notes],
                "related": [{"message": show(r.message), **_place(r.span)} for r in d.related],
            }
            for d in diagnostics
        ],
        "errors": errors,
        "warnings": len(diagnostics) - errors,
    }
    return dumps(document, ensure_ascii=False) + "\n"


def _place(span: Span) -> dict[str, str | int]:
    start, end = span.file.position(span.start), span.file.position(max(span.start, span.end))
    return {
        "file": show(span.file.name),
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
    }
