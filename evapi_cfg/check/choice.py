"""Which diagnostics a user wants to see, and how much each weighs: by code, and by comments in the file itself.

    evapi_relay("x");  # evapi-cfg: ignore[unframed-newline] the client reads lines

A comment counts for its line; one that has the line to itself, for the next line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Final

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.source import SourceFile

_MARK: Final = "evapi-cfg:"
_COMMENT: Final = re.compile(r"(?:#|//|/\*)[ \t]*evapi-cfg:[ \t]*ignore(?:\[([a-z*?, -]*)\])?", re.ASCII)
LEVELS: Final = {"error": Severity.ERROR, "warning": Severity.WARNING}


@dataclass(frozen=True, slots=True)
class Choice:
    """`select` and `ignore`: patterns of codes, such as `unused-*`; `levels`: another severity for a code."""

    select: tuple[str, ...] = ("*",)
    ignore: tuple[str, ...] = ()
    levels: Mapping[str, Severity] = field(default_factory=dict)

    def of(self, diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Those that are wanted, with the severity that is wanted."""
        ignored: dict[SourceFile, dict[int, tuple[str, ...]]] = {}
        kept = []
        for found in diagnostics:
            name = found.code.name
            if not _any(name, self.select) or _any(name, self.ignore):
                continue
            file = found.span.file
            if file not in ignored:
                ignored[file] = _comments(file)
            if _any(name, ignored[file].get(file.line_number(found.span.start), ())):
                continue
            level = self.levels.get(name)
            kept.append(found if level is None else replace(found, level=level))
        return tuple(kept)


def fault_of(pattern: str) -> str:
    """What is wrong with a pattern of codes: it fits none; "" where it fits."""
    names = codes.by_name()
    if any(fnmatchcase(name, pattern) for name in names):
        return ""
    help = did_you_mean(pattern, names)
    return f"there is no code `{pattern}`" + (f": {help}" if help else "")


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _comments(file: SourceFile) -> dict[int, tuple[str, ...]]:
    """Patterns of codes that are not wanted, by line."""
    if _MARK not in file.text:
        return {}
    found: dict[int, tuple[str, ...]] = {}
    for number, line in enumerate(file.text.split("\n"), 1):
        comment = _COMMENT.search(line)
        if comment is not None:
            patterns = tuple(part.strip() for part in comment[1].split(",")) if comment[1] else ("*",)
            at = number if line[: comment.start()].strip() else number + 1
            found[at] = (*found.get(at, ()), *patterns)
    return found
