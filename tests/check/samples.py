"""Reads the sample files of the checker; README.md beside it says their form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent

_EXPECTATION = re.compile(
    r"""\#\s(?P<above>\^\s)?(?P<severity>error|warning):\s(?P<code>[a-z-]+)
        (?:\s@(?P<start>\d+)-(?P<end>\d+))?(?:\s"(?P<text>.*)")?\s*$""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Expectation:
    """A diagnostic that a sample must give: its line counts from 1 in `Sample.text`; no columns: anywhere."""

    line: int
    severity: str
    code: str
    columns: tuple[int, int] | None
    text: str


@dataclass(frozen=True)
class Sample:
    name: str
    text: str
    expected: tuple[Expectation, ...]
    verdict: str  # what Kamailio 6.1 does: accepts, refuses, fails
    verdict_5_6: str


def samples() -> list[Sample]:
    found: list[Sample] = []
    for path in sorted(FOLDER.glob("*.txt")):
        found += (_sample(path.stem, chunk) for chunk in path.read_text("utf-8").split("\n---\n"))
    return found


def _sample(file: str, chunk: str) -> Sample:
    lines = chunk.strip("\n").split("\n")
    title = lines[0].removeprefix("# ")
    keys: dict[str, str] = {}
    for line in lines[1:]:
        key = re.match(r"# (load|mode|kamailio|5\.6): (.*)$", line)
        if key is None:
            break
        keys[key[1]] = key[2].strip()
    head = [] if keys.get("mode") == "max" else ["#!KAMAILIO"]
    head += (f'loadmodule "{module}.so"' for module in keys.get("load", "").split())
    # Kamailio knows the first line as the mode's only where nothing stands in front; the title stays as a comment.
    text = [*head, *lines]
    expected = []
    for number, line in enumerate(text, 1):
        for part in re.split(r"(?= # (?:\^ )?(?:error|warning): )", line):
            match = _EXPECTATION.search(part)
            if match is None:
                continue
            columns = (int(match["start"]), int(match["end"])) if match["start"] else None
            at = number - 1 if match["above"] else number
            expected.append(Expectation(at, match["severity"], match["code"], columns, match["text"] or ""))
    verdict = keys["kamailio"]
    return Sample(f"{file}: {title}", "\n".join(text) + "\n", tuple(expected), verdict, keys.get("5.6", verdict))
