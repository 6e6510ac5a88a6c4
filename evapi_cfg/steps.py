"""Work that is done by and by: a generator that stops wherever others may have their turn."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

Made = TypeVar("Made")
Steps: TypeAlias = Generator[None, None, Made]


def at_once(steps: Steps[Made]) -> Made:
    """All of it without a stop."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: Made = end.value
            return made
