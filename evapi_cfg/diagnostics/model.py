"""What a diagnostic is: data. Renderers (`formats.py` lists them) make text of it; passes make it.

There is no diagnostic without a code declared in `codes.py` and none without a span.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from evapi_cfg.source import Span

MOST = 1000  # diagnostics that one part of the checker gives: who has more has another fault, such as the wrong file


class Severity(Enum):
    """Whether a fault is an error or a warning."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of fault, declared once in `codes.py`: kebab-case words for the bad thing."""

    name: str
    severity: Severity
    summary: str  # one line: what this code is about; its page begins with the same sentence


@dataclass(frozen=True, slots=True)
class Group:
    """A heading in `codes.py`: what is declared below it, up to the next one, belongs to it."""

    title: str


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that explains the fault, such as the first of two routes with one name."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Edit:
    """The text of `span` becomes `text`, one character per byte as in the file."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that is safe to make: the text of `span` becomes `text`, and what else belongs to it (`more`). It does
    not guess what is meant; docs/diagnostics.md says when one is."""

    span: Span
    text: str
    more: tuple[Edit, ...] = ()

    @property
    def edits(self) -> tuple[Edit, ...]:
        return (Edit(self.span, self.text), *self.more)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault. `message` stands alone in one line, lowercase, without a full stop, and does not say what to do:
    that is `help`. `notes` are facts, among them what Kamailio itself does with the fault."""

    code: Code
    message: str
    span: Span
    help: str = ""
    notes: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    level: Severity | None = None  # where the user has chosen another one than the code's

    @property
    def severity(self) -> Severity:
        return self.level or self.code.severity


def at_most(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The first `MOST`, with a note on the last one where there are more. Where there is an error, one is among them:
    the verdict stays."""
    kept: list[Diagnostic] = []
    wrong = False
    for found in diagnostics:
        error = found.severity is Severity.ERROR
        if len(kept) < MOST:
            kept.append(found)
            wrong = wrong or error
            continue
        if error and not wrong:
            kept[-1] = found
        if error or wrong:
            return [*kept[:-1], _last_of_many(kept[-1])]
    return kept


def _last_of_many(found: Diagnostic) -> Diagnostic:
    return replace(found, notes=(f"this is the last of {MOST:,} that are listed; there are more", *found.notes))
