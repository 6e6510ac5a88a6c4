"""Valid configurations with one token left out, doubled, or changed with its neighbour.

What a token is, is said here once more and roughly, so that the scanner is not held against itself: strings, words,
directives, signs. Comments are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.check.faults import FOLDER

SAMPLES: Final = Path(__file__).parents[2] / "samples"
KINDS: Final = ("deleted", "doubled", "swapped")
_TOKEN: Final = re.compile(
    r"""(?P<comment>\#(?!!)[^\n]*|//[^\n]*|/\*.*?\*/)
      | "(?:[^"\\]|\\.)*" | '[^']*' | \#!\w+ | \$\w+ | \w+ | == | != | =~ | && | \|\| | [<>]= | \S""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Mutation:
    """`name` says what has been done, and where: `echo.cfg:5:3 deleted {`."""

    name: str
    text: str


def sources() -> dict[str, str]:
    """The configurations by their names, but those that load a script from beside them."""
    paths = [*sorted(SAMPLES.glob("*.cfg")), FOLDER / "base.cfg"]
    texts = {path.name: path.read_text("utf-8") for path in paths}
    return {name: text for name, text in texts.items() if "cfgengine" not in text}


def tokens(text: str) -> list[tuple[int, int]]:
    """Offsets of what can be changed."""
    return [found.span() for found in _TOKEN.finditer(text) if found["comment"] is None]


def mutation(name: str, text: str, places: list[tuple[int, int]], number: int, kind: str) -> Mutation:
    """One change of the token with that number; the last one has no neighbour, and is swapped with the one before."""
    if kind == "swapped":
        number = min(number, len(places) - 2)
    start, end = places[number]
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    what = text[start:end]
    if kind == "deleted":
        changed = text[:start] + text[end:]
    elif kind == "doubled":
        glue = " " if what[-1].isalnum() or what[-1] in "_\"'" else ""
        changed = text[:end] + glue + text[start:]
    else:
        other_start, other_end = places[number + 1]
        other = text[other_start:other_end]
        changed = text[:start] + other + text[end:other_start] + what + text[other_end:]
        what = f"{what} {other}"
    return Mutation(f"{name}:{line}:{column} {kind} {what}", changed)


def all_mutations() -> Iterator[Mutation]:
    for name, text in sources().items():
        places = tokens(text)
        for number in range(len(places)):
            for kind in KINDS:
                yield mutation(name, text, places, number, kind)
