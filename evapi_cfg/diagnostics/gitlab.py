"""The code quality report of GitLab: one JSON array (Code Climate's issue form, as far as GitLab reads it)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from json import dumps
from typing import Final

from evapi_cfg.diagnostics.json_format import place
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.source import show

_SEVERITY: Final = {Severity.ERROR: "major", Severity.WARNING: "minor"}


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """The array and a line end. A fingerprint stays the same while the line moves."""
    seen: dict[str, int] = {}
    issues = []
    for found in diagnostics:
        at = place(found.span)
        same = f"{at['file']}\0{found.code.name}\0{found.message}"
        seen[same] = seen.get(same, 0) + 1
        issues.append(
            {
                "description": show(found.message),
                "check_name": found.code.name,
                "fingerprint": sha256(f"{same}\0{seen[same]}".encode()).hexdigest(),
                "severity": _SEVERITY[found.severity],
                "location": {"path": at["file"], "lines": {"begin": at["line"], "end": at["end_line"]}},
            }
        )
    return dumps(issues, ensure_ascii=False) + "\n"
