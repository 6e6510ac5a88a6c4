"""Fixes that put a misspelt name right: only where a single name can be meant.

`suggest.near` asks the author, so it may be wrong now and then; what is here is written into a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from evapi_cfg.diagnostics.model import Fix
from evapi_cfg.diagnostics.suggest import MOST_NAMES, distance
from evapi_cfg.source import Span

SHORTEST: Final = 4  # a shorter name is near too many others
OWN: Final = 6  # the same for names that the author has made up: two of them may well be alike
LONG: Final = 9  # from here on two edits are still few
_DIGITS: Final = re.compile("[^0-9]+")


def respelling(span: Span, wrong: str, candidates: Iterable[str], shortest: int = SHORTEST) -> Fix | None:
    """Puts the one name that can be meant in the place of `wrong` inside of `span`. None where there is none, or where
    the name does not stand there as it was read, as in the value of a define."""
    text = span.text
    at = text.find(wrong)
    if not wrong or at < 0 or text.find(wrong, at + 1) >= 0:
        return None
    right = meant(wrong, candidates, shortest)
    return Fix(Span(span.file, span.start + at, span.start + at + len(wrong)), right) if right else None


def meant(wrong: str, candidates: Iterable[str], shortest: int = SHORTEST) -> str:
    """The name that a misspelt one stands for, "" where that is not sure: it differs in case alone, or by one edit (two
    in a long name), and all others are further away. Names that differ in a number are two names, not one."""
    lower = wrong.lower()
    names = set(candidates)
    if len(names) > MOST_NAMES:
        return ""
    same = [name for name in names if name.lower() == lower]
    if same or len(wrong) < shortest:
        return same[0] if len(same) == 1 else ""
    most = 2 if len(wrong) >= LONG else 1
    letters = set(lower)
    distances = [
        (distance(lower, name.lower(), most), name)
        for name in names
        if abs(len(name) - len(wrong)) <= most and len(letters.difference(name.lower())) <= most
    ]
    least = min((far for far, _ in distances), default=most + 1)
    nearest = [name for far, name in distances if far == least]
    return nearest[0] if least <= most and len(nearest) == 1 and _number(nearest[0]) == _number(wrong) else ""


def _number(name: str) -> str:
    return _DIGITS.sub(" ", name)
