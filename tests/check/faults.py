"""One-fault files: an ordinary configuration, `faults/base.cfg`, with one mistake in each.

`faults/*.txt` hold them, cut by lines `---`. Each begins with a title, then says which lines of base.cfg (`- `, whole,
and there once) become which others (`+ `). What is expected stands on the line that it is about, behind `# error:` or
`# warning:`, as a code and perhaps a part of the message or the help in quotes; `«` and `»` stand around its place.
`{BOM}`, `{CR}`, `{NUL}` and `{RLO}` stand for characters that an editor does not show.
A line `# kamailio: accepts|refuses|fails` behind the title is what Kamailio 6.1 does with it, `# 5.6:` what 5.6 does
where that differs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.check.pages import UNSEEN

FOLDER = Path(__file__).parent / "faults"
BASE = (FOLDER / "base.cfg").read_text("utf-8")
_EXPECTED = re.compile(r'  # (?P<severity>error|warning): (?P<code>[a-z-]+)(?: "(?P<text>[^"]*)")?$')


@dataclass(frozen=True)
class Fault:
    """`code` "" says that nothing is to be found. Lines and columns count from 1, the
    second column is the one behind the place."""

    name: str
    text: str
    severity: str
    code: str
    hint: str
    line: int
    columns: tuple[int, int]
    verdict: str
    verdict_5_6: str


def faults() -> list[Fault]:
    return [
        _fault(path.stem, chunk)
        for path in sorted(FOLDER.glob("*.txt"))
        for chunk in path.read_text("utf-8").split("\n---\n")
    ]


def _fault(file: str, chunk: str) -> Fault:
    lines = chunk.strip("\n").split("\n")
    name = f"{file}: {lines[0].removeprefix('# ')}"
    keys = dict(re.findall(r"^# (kamailio|5\.6): (\w+)$", chunk, re.M))
    made = BASE.split("\n")
    old: list[str] = []
    new: list[str] = []
    for line in [*lines[1:], "- "]:
        if line[:2] == "- " and new:
            at = _place(made, old, name)
            made[at : at + len(old)] = new
            old, new = [], []
        if line[:2] == "- ":
            old.append(line[2:])
        elif line[:2] == "+ ":
            new.append(line[2:])
    found = ("", "", "", 0, (0, 0))
    for number, line in enumerate(made):
        expected = _EXPECTED.search(line)
        if expected is not None:
            line = line[: expected.start()]
        for seen, unseen in UNSEEN.items():
            line = line.replace(seen, unseen)
        if "«" in line:
            start, end = line.index("«"), line.index("»") - 1
            if expected is not None:
                columns = (start + 1, end + 1)
                found = (expected["severity"], expected["code"], expected["text"] or "", number + 1, columns)
        elif expected is not None:
            raise ValueError(f"{name}: no place is marked")
        made[number] = line.replace("«", "").replace("»", "")
    verdict = keys.get("kamailio", "")
    return Fault(name, "\n".join(made), *found, verdict, keys.get("5.6", verdict))


def _place(lines: list[str], old: list[str], name: str) -> int:
    places = [at for at in range(len(lines)) if lines[at : at + len(old)] == old]
    if len(places) != 1:
        raise ValueError(f"{name}: {len(places)} places for {old}")
    return places[0]
