"""Reads the sample files of the checker; README.md beside it says their form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evapi_cfg.check.targets import DEFAULT

FOLDER = Path(__file__).parent

# In scripts, too: `# error:` in Python, `-- error:` in Lua.
_EXPECTATION = re.compile(
    r"""(?:\#|--)\s(?P<above>\^\s)?(?P<severity>error|warning):\s(?P<code>[a-z-]+)
        (?:\s@(?P<start>\d+)-(?P<end>\d+))?(?:\s"(?P<text>.*)")?\s*$""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Expectation:
    """A diagnostic that a sample must give: its line counts from 1 in its file, `file` "" for the configuration
    itself; no columns: anywhere."""

    file: str
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
    scripts: dict[str, str]  # further files, by name
    target: str  # the version that it is checked for


def samples() -> list[Sample]:
    found: list[Sample] = []
    for path in sorted(FOLDER.glob("*.txt")):
        found += (_sample(path.stem, chunk) for chunk in path.read_text("utf-8").split("\n---\n"))
    return found


def _sample(file: str, chunk: str) -> Sample:
    cfg, *more = re.split(r"^=== (\S+)\n", chunk, flags=re.MULTILINE)
    scripts = dict(zip(more[::2], more[1::2], strict=True))
    lines = cfg.strip("\n").split("\n")
    title = lines[0].removeprefix("# ")
    keys: dict[str, str] = {}
    for line in lines[1:]:
        key = re.match(r"# (load|mode|kamailio|5\.6|target): (.*)$", line)
        if key is None:
            break
        keys[key[1]] = key[2].strip()
    head = [] if keys.get("mode") == "max" else ["#!KAMAILIO"]
    head += (f'loadmodule "{module}.so"' for module in keys.get("load", "").split())
    # Kamailio knows the first line as the mode's only where nothing stands in front; the title stays as a comment.
    text = [*head, *lines]
    expected = [*_expectations("", text)]
    for name, script in scripts.items():
        expected += _expectations(name, script.split("\n"))
    verdict = keys["kamailio"]
    verdict_5_6, target = keys.get("5.6", verdict), keys.get("target", DEFAULT)
    return Sample(f"{file}: {title}", "\n".join(text) + "\n", tuple(expected), verdict, verdict_5_6, scripts, target)


def _expectations(file: str, lines: list[str]) -> Iterator[Expectation]:
    for number, line in enumerate(lines, 1):
        for part in re.split(r"(?= (?:#|--) (?:\^ )?(?:error|warning): )", line):
            match = _EXPECTATION.search(part)
            if match is None:
                continue
            columns = (int(match["start"]), int(match["end"])) if match["start"] else None
            at = number - 1 if match["above"] else number
            yield Expectation(file, at, match["severity"], match["code"], columns, match["text"] or "")
