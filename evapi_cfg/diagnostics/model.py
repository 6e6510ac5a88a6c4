"""What a diagnostic is: data. Renderers (`formats.py` lists them) make text of it; passes make it.

There is no diagnostic without a code declared in `codes.py` and none without a span.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from evapi_cfg.source import Span


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
class Fix:
    """A replacement that is safe to make: the text of `span` becomes `text`."""

    span: Span
    text: str


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
