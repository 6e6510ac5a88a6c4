"""What is read otherwise than it is written: a string that lacks its quote, a comment of another language, a define
whose value holds what does not belong to it.

Such a slip swallows or scatters what stands behind it, so the text is read once more with the correction; the scanner
applies it and reports it. Words of the reports stand in `faults.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax import faults

Fault: TypeAlias = "Callable[[Span], Diagnostic]"

_VISIBLE: Final = re.compile(r"[^\n]")
_QUOTED_END: Final = re.compile(r"""(?<!\\)(["'])(?=[ \t]*(?:[,;)]|$))""", re.MULTILINE)
_WORD: Final = re.compile(r"\$?\w+")
_MARKER: Final = re.compile(r"^(<{7}|\|{7}|={7}|>{7})(?:[ \t][^\n]*)?$", re.MULTILINE)


class Correction(NamedTuple):
    """A stretch of a file, by the file's name and offsets. `blank`: nothing stands there; else it is a string whose
    text ends with it. `place`: where the fault is told, which is made for the file as it is read then."""

    name: str
    start: int
    end: int
    fault: Fault
    place: tuple[int, int]
    blank: bool = False
    told: bool = True  # False: another correction tells it


class Corrections:
    """All corrections of one reading."""

    def __init__(self) -> None:
        self._strings: dict[tuple[str, int], Correction] = {}
        self._blanks: dict[str, list[Correction]] = {}
        self.defines: dict[str, tuple[str, Fault]] = {}  # name -> its value, and what is said of the written one
        self.count = 0

    def add(self, correction: Correction) -> bool:
        """False: it has been added before."""
        if correction.blank:
            known = self._blanks.setdefault(correction.name, [])
            if any(other.start == correction.start for other in known):
                return False
            known.append(correction)
        else:
            key = correction.name, correction.start
            if key in self._strings:
                return False
            self._strings[key] = correction
        self.count += 1
        return True

    def add_define(self, name: str, value: str, fault: Fault) -> bool:
        if name in self.defines:
            return False
        self.defines[name] = value, fault
        self.count += 1
        return True

    @property
    def has_strings(self) -> bool:
        return bool(self._strings)

    def string(self, file: SourceFile, start: int) -> tuple[int, Diagnostic] | None:
        """Where the string that starts there ends, and what is said of it."""
        correction = self._strings.get((file.name, start))
        if correction is None:
            return None
        return correction.end, correction.fault(Span(file, *correction.place))

    def text(self, file: SourceFile) -> tuple[str, list[Diagnostic]]:
        """The text of a file with blanks where nothing is to be read, and what is said of them."""
        text, said = file.text, []
        for correction in self._blanks.get(file.name, ()):
            blank = _VISIBLE.sub(" ", text[correction.start : correction.end])
            text = text[: correction.start] + blank + text[correction.end :]
            if correction.told:
                said.append(correction.fault(Span(file, *correction.place)))
        return text, said


NO_CORRECTIONS: Final = Corrections()


def of_string(span: Span) -> Correction:
    """A string that runs over lines and probably lacks its quote: it ends on its first line."""
    end = faults.end_of_open_string(span)
    mark = faults.typographic_end(span.file.text, end)
    if mark < end:
        return Correction(span.file.name, span.start, mark, faults.typographic_quote, (mark, mark + 3))
    return Correction(span.file.name, span.start, end, faults.unclosed_string, (span.start, span.start + 1))


def of_odd_quote(span: Span) -> Correction:
    """A quote on a line where they do not come in pairs: it starts no string."""
    return Correction(span.file.name, span.start, span.start + 1, faults.odd_quotes, (span.start, span.start + 1))


def of_bare_quote(span: Span, end: int, inner: tuple[int, int]) -> Correction:
    """A string whose inner quotes are not escaped; it ends at `end`."""
    return Correction(span.file.name, span.start, end, faults.bare_quote, inner)


def end_of_quoted(text: str, start: int, line_end: int, quote: str) -> int:
    """Where a string whose inner quotes are not escaped ends on its line: behind the first quote that something
    follows which can follow a string. 0 where there is none."""
    for found in _QUOTED_END.finditer(text, start, line_end):
        if found[1] == quote:
            return found.end(1)
    return 0


def word_at(text: str, start: int) -> tuple[int, int]:
    """The word that starts there, or the one character."""
    found = _WORD.match(text, start)
    return start, found.end() if found else start + 1


def of_comment(file: SourceFile, start: int, end: int, size: int, fault: Fault) -> Correction:
    """Something that is no comment here; its mark is `size` characters long."""
    return Correction(file.name, start, end, fault, (start, start + size), blank=True)


def of_conflict(file: SourceFile, start: int) -> list[Correction]:
    """What a version control has left where it could not merge, from the marker at `start` on: the first of the two
    sides is kept. Nothing where no marker stands there."""
    text = file.text
    first = _MARKER.match(text, start)
    if first is None:
        return []
    found = [of_comment(file, start, first.end(), 7, faults.conflict_marker)]
    if text[start] == "<":
        marks = _MARKER.finditer(text, first.end())
        second = next((mark for mark in marks if mark[1][0] in "|="), None)
        last = next((mark for mark in marks if mark[1][0] == ">"), None)
        if second and last:
            found.append(of_comment(file, second.start(), last.end(), 7, faults.conflict_marker)._replace(told=False))
    return found
