"""Workflow commands of GitHub Actions, which shows them beside the lines of a change."""

from __future__ import annotations

from collections.abc import Sequence

from evapi_cfg.diagnostics.json_format import place
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.source import show


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """`::error file=...,line=...::message` for each."""
    return "".join(_command(found) for found in diagnostics)


def _command(found: Diagnostic) -> str:
    at = place(found.span)
    fields = {
        "file": at["file"],
        "line": at["line"],
        "endLine": at["end_line"],
        "col": at["column"],
        "endColumn": at["end_column"],
        "title": found.code.name,
    }
    text = "\n".join([show(found.message), *([f"help: {show(found.help)}"] if found.help else [])])
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in fields.items())
    return f"::{found.severity.value} {listed}::{_data(text)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
