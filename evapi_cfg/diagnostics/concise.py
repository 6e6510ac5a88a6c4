"""One line for each diagnostic, as compilers write them: `file:line:column: error[code] message`."""

from __future__ import annotations

from collections.abc import Sequence

from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.diagnostics.terminal import clean
from evapi_cfg.source import show


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """All diagnostics and the summary, with a line end behind each line."""
    return "\n".join([*map(line, diagnostics), summary(diagnostics)]) + "\n"


def line(found: Diagnostic) -> str:
    """One diagnostic, without the line end."""
    return f"{clean(show(str(found.span)))}: {found.severity.value}[{found.code.name}] {clean(show(found.message))}"


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """`3 errors, 1 warning in 2 files`; the files are those that have a diagnostic."""
    errors = sum(d.severity is Severity.ERROR for d in diagnostics)
    warnings = len(diagnostics) - errors
    files = len({d.span.file.name for d in diagnostics})
    text = _count(errors, "error") if errors else "no errors"
    if warnings:
        text += f", {_count(warnings, 'warning')}"
    return f"{text} in {_count(files, 'file')}" if files else text


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
