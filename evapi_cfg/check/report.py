"""Check a file or a text: parse it, run the passes, and give one report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from evapi_cfg.catalog import TARGET, Catalog
from evapi_cfg.check import check, in_order, versions
from evapi_cfg.check.targets import label_of, numbers
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.modules import by_name
from evapi_cfg.source import SourceFile
from evapi_cfg.syntax.ast import Config
from evapi_cfg.syntax.branches import Branch, Branches
from evapi_cfg.syntax.files import Files
from evapi_cfg.syntax.lost import without_lost
from evapi_cfg.syntax.parse import Parsed, parse_file, parse_text


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. `config` holds what could be read, even where there are errors; `files` are the file itself
    and what it included. `branches`: what its conditions have asked; `unread`: those whose text was to be read as well,
    and could not."""

    diagnostics: tuple[Diagnostic, ...]
    config: Config
    files: tuple[SourceFile, ...]
    branches: Branches = field(default_factory=Branches)
    unread: tuple[Branch, ...] = ()

    @property
    def errors(self) -> int:
        return sum(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)

    @property
    def faults(self) -> tuple[str, ...]:
        """Each error in one line."""
        errors = (found for found in self.diagnostics if found.severity is Severity.ERROR)
        return tuple(f"{found.span}: {found.message}" for found in errors)

    @property
    def warnings(self) -> int:
        return len(self.diagnostics) - self.errors


def check_file(
    path: str,
    *,
    defines: Mapping[str, str | None] | None = None,
    version: str = TARGET,
    files: Files | None = None,
    forced: Mapping[str, bool] | None = None,
) -> Report:
    """Checks a file with what it includes. `defines` are those of the command line; `version` is one of Kamailio, such
    as "6.1" or "6.1.4" (ValueError where it is not known); `files` reads them; `forced`: what comes out of conditions,
    see `Branches`. Raises `SourceError` where the file itself cannot be read."""
    version = label_of(version)
    parsed = parse_file(path, defines=defines or {}, version=numbers(version), files=files, forced=forced or {})
    return _report(parsed, version)


def check_text(
    text: str,
    name: str = "<text>",
    *,
    defines: Mapping[str, str | None] | None = None,
    version: str = TARGET,
    files: Files | None = None,
    forced: Mapping[str, bool] | None = None,
) -> Report:
    """Checks a text with one character per byte (see `source.store`); `name` stands for the file in messages."""
    version = label_of(version)
    read = files.included if files else None
    parsed = parse_text(text, name, defines=defines or {}, version=numbers(version), read=read, forced=forced or {})
    return _report(parsed, version)


@cache
def _catalog(version: str) -> Catalog:
    """What it has read once it knows: a process may check many files, or one many times over."""
    return Catalog(version)


def _report(parsed: Parsed, version: str) -> Report:
    catalog = _catalog(version)
    said = versions.of_parsed(parsed.diagnostics, catalog)
    whole = all(item.severity is not Severity.ERROR for item in said)
    found = check(parsed.config, by_name, catalog, whole=whole)
    if any(item.code is codes.COMMENT_TO_THE_END for item in parsed.diagnostics):
        # What is missing may stand in the comment.
        found = [item for item in found if item.code not in (codes.UNDEFINED_ROUTE, codes.MISSING_ROUTE)]
    # What the parser could not read is no second fault because the checker does not know it either.
    unread = {_line(item) for item in said if item.severity is Severity.ERROR}
    read = [item for item in said if not _is_explained(item, found)]
    places = {(item.span.file, item.span.start) for item in read}
    rest = [item for item in found if _line(item) not in unread and (item.span.file, item.span.start) not in places]
    files = parsed.config.files
    told = in_order(without_lost([*read, *rest], files), parsed.config)
    return Report(tuple(told), parsed.config, files, parsed.branches)


def _line(item: Diagnostic) -> tuple[SourceFile, int]:
    return item.span.file, item.span.file.line_number(item.span.start)


def _is_explained(item: Diagnostic, found: list[Diagnostic]) -> bool:
    """Whether the checker says why something is ignored that the parser ignores."""
    span = item.span
    if item.code is codes.DROPPED_CHARACTER:
        return any(
            other.code in (codes.BIDI_CONTROL, codes.NUL_CHARACTER)
            and (other.span.file, other.span.start) == (span.file, span.start)
            for other in found
        )
    if item.code is codes.IGNORED_DIRECTIVE and span.file.text.startswith("\r", span.end):
        return any(other.code is codes.CARRIAGE_RETURN and other.span.file is span.file for other in found)
    return False
