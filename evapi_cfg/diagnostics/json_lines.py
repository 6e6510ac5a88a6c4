"""Diagnostics for programs that read line by line: one JSON object a line, of the form that `json_format` has."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps

from evapi_cfg.diagnostics.json_format import entry
from evapi_cfg.diagnostics.model import Diagnostic


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """One line for each; nothing where there is none."""
    return "".join(dumps(entry(found), ensure_ascii=False) + "\n" for found in diagnostics)
