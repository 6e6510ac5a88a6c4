"""Diagnostics for programs: one JSON document, version 1. Lines and columns count from 1, columns in characters."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from typing import Any

from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.source import Span, show


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """`{"version": 1, "diagnostics": [...], "errors": N, "warnings": N}` and a line end."""
    errors = sum(d.severity is Severity.ERROR for d in diagnostics)
    document = {
        "version": 1,
        "diagnostics": [entry(d) for d in diagnostics],
        "errors": errors,
        "warnings": len(diagnostics) - errors,
    }
    return dumps(document, ensure_ascii=False) + "\n"


def entry(d: Diagnostic) -> dict[str, Any]:
    """One diagnostic as a JSON object; `fix` is there only where a fix is: the edits that belong to it."""
    made: dict[str, Any] = {
        "code": d.code.name,
        "severity": d.severity.value,
        "message": show(d.message),
        **place(d.span),
        "help": show(d.help),
        "notes": [show(note) for note in d.notes],
        "related": [{"message": show(r.message), **place(r.span)} for r in d.related],
    }
    if d.fix is not None:
        made["fix"] = [{"text": show(edit.text), **place(edit.span)} for edit in d.fix.edits]
    return made


def place(span: Span) -> dict[str, str | int]:
    """File, line and column of a span's start, and of the character behind its end."""
    start, end = span.file.position(span.start), span.file.position(max(span.start, span.end))
    return {
        "file": show(span.file.name),
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
    }
