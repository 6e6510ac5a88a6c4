"""The form in which `kamailio -c` speaks of faults, for programs that read it (core/cfg.y: yyerror_at; main.c)."""

from __future__ import annotations

import os
from collections.abc import Sequence

from evapi_cfg.diagnostics.json_format import place
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.diagnostics.terminal import clean
from evapi_cfg.source import show


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """A line for each, and Kamailio's last word: the number of errors, or that the file is all right."""
    pid = os.getpid()
    lines = [_line(found, pid) for found in diagnostics]
    errors = sum(found.severity is Severity.ERROR for found in diagnostics)
    last = f"ERROR: bad config file ({errors} errors)" if errors else "config file ok, exiting..."
    return "\n".join([*lines, last]) + "\n"


def _line(found: Diagnostic, pid: int) -> str:
    at = place(found.span)
    name, line, column, end_line = at["file"], at["line"], at["column"], at["end_line"]
    last = max(int(at["end_column"]) - 1, 1)
    if line != end_line:
        where = f"from line {line}, column {column} to line {end_line}, column {last}"
    elif last > int(column):
        where = f"line {line}, column {column}-{last}"
    else:
        where = f"line {line}, column {column}"
    error = found.severity is Severity.ERROR
    level, what = ("CRITICAL", "parse error") if error else ("WARNING", "warning")
    text = f"{clean(show(found.message))} [{found.code.name}]"
    return f" 0({pid}) {level}: <core> [core/cfg.y]: {what} in config file {name}, {where}: {text}"
