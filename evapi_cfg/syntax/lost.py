"""Names that have no value because the directive that was to give it is none: one fault, which is told where the
directive stands, and not where the name is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.diagnostics.suggest import near
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax.keywords import DIRECTIVE_WORDS

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE: Final = r"^[ \t]*((?:#[ \t]*!?[ \t]*)?([A-Za-z]+))[ \t]+{}\b"
_DEFINE: Final = r"^[ \t]*(?:#!|!!)\w*def\w*[ \t]+{}\b"
_END: Final = re.compile(r"^[ \t]*(?:#!|!!)endif", re.MULTILINE)
_DEFINES: Final = ("define", "def")
REFUSED: Final = ("Kamailio takes the line as a comment without a word, and refuses to start where the name is used",)


class _Cause(NamedTuple):
    span: Span
    diagnostic: Diagnostic


def without_lost(diagnostics: Sequence[Diagnostic], files: Iterable[SourceFile]) -> list[Diagnostic]:
    """The diagnostics without those of names that have no value since a directive is none; that is told instead."""
    causes: dict[str, _Cause | None] = {}
    found: dict[tuple[SourceFile, int], Diagnostic] = {}
    kept: list[Diagnostic] = []
    for item in diagnostics:
        name = item.span.text
        if item.severity is Severity.ERROR and _NAME.fullmatch(name):
            if name not in causes:
                causes[name] = _cause(name, item, diagnostics, list(files))
            cause = causes[name]
            if cause is not None and cause.span != item.span:
                found[cause.span.file, cause.span.start] = cause.diagnostic
                continue
        kept.append(item)
    rest = [item for item in kept if (item.span.file, item.span.start) not in found]
    return [*found.values(), *rest]


def _cause(name: str, use: Diagnostic, diagnostics: Sequence[Diagnostic], files: list[SourceFile]) -> _Cause | None:
    line = re.compile(_LINE.format(name), re.MULTILINE)
    for file in files:
        for match in line.finditer(file.text):
            word = match[2].lower()
            if (match[1][:2] == "#!" and match[1][2:] in DIRECTIVE_WORDS) or not (
                word in _DEFINES or near(word, _DEFINES, 1)
            ):
                continue
            span = Span(file, match.start(1), match.end(1))
            told = next(
                (item for item in diagnostics if item.span.file is file and item.span.start == span.start), None
            )
            if told is not None and told.severity is Severity.ERROR:
                return _Cause(told.span, told)
            return _Cause(
                span,
                Diagnostic(
                    codes.SYNTAX_ERROR,
                    f"`{span.text}` is no directive, so `{name}` has no value",
                    span,
                    "write `#!define`",
                    REFUSED,
                ),
            )
    for other in _ignored(diagnostics):
        end = _END.search(other.span.file.text, other.span.end)
        define = re.compile(_DEFINE.format(name), re.MULTILINE)
        if end is not None and define.search(other.span.file.text, other.span.end, end.start()):
            error = Diagnostic(codes.SYNTAX_ERROR, f"{other.message}, so `{name}` has no value", other.span, other.help,
                               REFUSED)  # fmt: skip
            return _Cause(other.span, error)
    return None


def _ignored(diagnostics: Sequence[Diagnostic]) -> Iterator[Diagnostic]:
    """What looks like a directive between the two parts of a condition."""
    return (
        item for item in diagnostics if item.code is codes.IGNORED_DIRECTIVE and item.span.text[:4] in ("#!el", "!!el")
    )
