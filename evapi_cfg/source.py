"""Where text comes from: files, spans in them, and the chain of includes.

Text is kept as one character per byte (Latin-1), because Kamailio works on bytes: lengths, indexes and comparisons
of values come out as there, and no byte of the author's file is ever lost. People see characters: `show` gives the
text as UTF-8 wherever it is valid UTF-8, and columns count what an editor would count.

This module knows nothing of the language.
"""

from __future__ import annotations

import codecs
from bisect import bisect_right
from dataclasses import dataclass, field


def show(text: str) -> str:
    """One-character-per-byte text as people read it: UTF-8, with bytes that are none as Latin-1."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8", "evapi-cfg-latin-1")
    except UnicodeEncodeError:  # not one character per byte: it is for people already
        return text


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("evapi-cfg-latin-1", _as_latin_1)


def store(text: str) -> str:
    """The reverse of `show`: text of a person (a command line, JSON) as one character per byte of its UTF-8 form."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


@dataclass(frozen=True, slots=True)
class Position:
    """A place for people: line and column, both from 1; the column counts characters, a tab is one."""

    line: int
    column: int


@dataclass(eq=False, slots=True)
class SourceFile:
    """One file, as it was read. Two files are the same only if they are the same object."""

    name: str  # as the user or the include directive gave it, for messages
    text: str  # one character per byte
    included_at: Span | None = None  # the directive that brought it in
    _starts: list[int] = field(default_factory=list)

    def _line_starts(self) -> list[int]:
        if not self._starts:
            starts = [0]
            find = self.text.find
            at = find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = find("\n", at + 1)
            self._starts = starts
        return self._starts

    def line_start(self, number: int) -> int:
        """The offset at which line `number` (from 1) begins; the end of the file where it has no such line."""
        starts = self._line_starts()
        return starts[number - 1] if 1 <= number <= len(starts) else len(self.text)

    def line_number(self, offset: int) -> int:
        """Line of an offset, from 1."""
        return bisect_right(self._line_starts(), offset)

    def position(self, offset: int) -> Position:
        starts = self._line_starts()
        line = bisect_right(starts, offset)
        return Position(line, len(show(self.text[starts[line - 1] : offset])) + 1)

    def line(self, number: int) -> str:
        """The text of line `number` (from 1) without its line end, as people read it."""
        starts = self._line_starts()
        start = starts[number - 1]
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return show(self.text[start:end].rstrip("\r"))


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file: offsets into `file.text`, end exclusive."""

    file: SourceFile
    start: int
    end: int

    def to(self, other: Span) -> Span:
        """From the start of this span to the end of `other`; this one alone where the two are of different files."""
        return Span(self.file, self.start, max(self.end, other.end)) if other.file is self.file else self

    @property
    def text(self) -> str:
        return self.file.text[self.start : self.end]

    def __str__(self) -> str:
        at = self.file.position(self.start)
        return f"{self.file.name}:{at.line}:{at.column}"
