"""SARIF 2.1.0 (OASIS): one run, its rules and its results. Columns count in characters."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from typing import Any
from urllib.parse import quote

from evapi_cfg.diagnostics.json_format import place
from evapi_cfg.diagnostics.model import Code, Diagnostic, Edit
from evapi_cfg.source import Span, show

_VERSION = "2.1.0"
_TOOL = "evapi-cfg"


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """The log file and a line end."""
    rules: dict[Code, int] = {}
    for found in diagnostics:
        rules.setdefault(found.code, len(rules))
    run = {
        "tool": {"driver": {"name": _TOOL, "rules": [_rule(code) for code in rules]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(found, rules[found.code]) for found in diagnostics],
    }
    return dumps({"version": _VERSION, "runs": [run]}, ensure_ascii=False) + "\n"


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.name,
        "shortDescription": {"text": code.summary},
        "defaultConfiguration": {"level": code.severity.value},
    }


def _result(found: Diagnostic, rule: int) -> dict[str, Any]:
    text = [show(found.message), *([f"help: {show(found.help)}"] if found.help else [])]
    result: dict[str, Any] = {
        "ruleId": found.code.name,
        "ruleIndex": rule,
        "level": found.severity.value,
        "message": {"text": "\n".join([*text, *(f"note: {show(note)}" for note in found.notes)])},
        "locations": [_location(found.span)],
    }
    if found.related:
        result["relatedLocations"] = [
            {**_location(related.span), "message": {"text": show(related.message)}} for related in found.related
        ]
    if found.fix is not None:
        result["fixes"] = [{"artifactChanges": _changes(found.fix.edits)}]
    return result


def _changes(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    """One for each file."""
    changes: dict[str, dict[str, Any]] = {}
    for edit in edits:
        file = {"artifactLocation": _artifact(edit.span), "replacements": []}
        replacement = {"deletedRegion": _region(edit.span), "insertedContent": {"text": show(edit.text)}}
        changes.setdefault(edit.span.file.name, file)["replacements"].append(replacement)
    return list(changes.values())


def _location(span: Span) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": _artifact(span), "region": _region(span)}}


def _artifact(span: Span) -> dict[str, str]:
    return {"uri": quote(show(span.file.name))}


def _region(span: Span) -> dict[str, Any]:
    at = place(span)
    return {
        "startLine": at["line"],
        "startColumn": at["column"],
        "endLine": at["end_line"],
        "endColumn": at["end_column"],
    }
