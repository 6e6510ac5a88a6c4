"""What `check --fix` and `check --diff` do with one file: the safe fixes are made, and written or shown."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from evapi_cfg.check.choice import Choice
from evapi_cfg.check.repair import LeftOut, repair
from evapi_cfg.check.report import Report
from evapi_cfg.diagnostics.diff import unified
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.rewriting import CannotWrite, Rewrite, rewrite
from evapi_cfg.source import SourceFile
from evapi_cfg.syntax.files import STDIN

Again: TypeAlias = "Callable[[Mapping[str, str]], Report | None]"
"""Checks the file with texts that stand for those of files, by real path, or `STDIN`."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """`left`: the diagnostics that are wanted and still there. `text`: what goes to standard output, one character per
    byte. `failed`: why a file could not be written; then nothing has been fixed."""

    fixed: int
    left: tuple[Diagnostic, ...]
    text: str
    left_out: tuple[LeftOut, ...]
    failed: str = ""


def fix(report: Report, again: Again, choice: Choice) -> Fixed:
    """Writes the files; a text from standard input is given back with the fixes."""
    repaired = repair(report, again, choice.of, _key)
    text = next((file.text for file in repaired.report.files if file.name == STDIN), "")
    try:
        rewrite(Rewrite(c.name, key, c.old, c.new) for key, c in repaired.changes.items() if key != STDIN)
    except CannotWrite as error:
        return Fixed(0, choice.of(report.diagnostics), text, (), str(error))
    return Fixed(repaired.fixed, choice.of(repaired.report.diagnostics), text, tuple(repaired.left_out))


def show(report: Report, again: Again, choice: Choice, *, colour: bool) -> Fixed:
    """Gives the changes as a diff, in colours for people where `colour`, and writes nothing."""
    repaired = repair(report, again, choice.of, _key)
    text = "".join(unified(c.name, c.old, c.new, colour=colour) for c in repaired.changes.values())
    return Fixed(repaired.fixed, choice.of(repaired.report.diagnostics), text, tuple(repaired.left_out))


def _key(file: SourceFile) -> str:
    return file.name if file.name == STDIN else os.path.realpath(file.name)


def remarks(fixes: Sequence[LeftOut]) -> list[str]:
    """A line for each fix that was not made."""
    lines = []
    for found, instead in fixes:
        why = "it does not help"
        if instead is not None:
            why = f"with it there is another error, {instead.message} [{instead.code.name}]"
        lines.append(f"{found.span}: the fix for {found.code.name} is left out: {why}")
    return lines
