"""What the conditions of the preprocessor have asked while a configuration was read, and which text was read for it.

Who wants to read the other branches as well finds here what they depend on. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from evapi_cfg.source import Span


class Asked(NamedTuple):
    """A condition: `what` is the name of an #!ifdef or #!ifndef, or `#!ifexp` with its expression. `wanted`: what must
    come out for the text to be read; `outer`: the condition around it."""

    what: str
    wanted: bool
    outer: Asked | None

    def chain(self) -> Iterator[Asked]:
        """This condition and all around it, innermost first."""
        asked: Asked | None = self
        while asked is not None:
            yield asked
            asked = asked.outer


class Branch(NamedTuple):
    """A text under a condition, by the directive in front of it."""

    at: Span
    asked: Asked
    read: bool


class Branches:
    """A record of one reading."""

    def __init__(self) -> None:
        self.forced: Mapping[str, bool] = {}  # what comes out of `#!ifexp ...`, whatever its value
        self.all: list[Branch] = []
        self.definitions: dict[str, list[Asked | None]] = {}  # under what the defines of each name were read
        self.conditional: list[Span] = []  # texts under any condition; the outermost ones, file by file
        self.skipped: list[Span] = []

    def enter(self, at: Span, asked: Asked, skipping: bool) -> None:
        self.all.append(Branch(at, asked, not skipping))

    def define(self, name: str, asked: Asked | None) -> None:
        self.definitions.setdefault(name, []).append(asked)

    def close(self, opened: Span, at: Span) -> None:
        """The outermost condition ends."""
        if opened.file is at.file:
            self.conditional.append(Span(at.file, opened.start, at.end))
        else:
            self.conditional += (
                Span(opened.file, opened.start, len(opened.file.text)),
                Span(at.file, 0, at.end),
            )
