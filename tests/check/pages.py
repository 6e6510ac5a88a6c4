"""Reads the pages of diagnostics as tests need them: their sections, and the examples made into whole configurations.

docs/diagnostics.md says the form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import evapi_cfg.diagnostics

FOLDER = Path(evapi_cfg.diagnostics.__file__).parent / "pages"
# What stands in bold: the words of the samples. "" where a version does not know what the page is about.
VERDICTS = {"refuses": "refuses", "fails at start": "fails", "accepts": "accepts", "does not know": ""}
# Characters that an editor does not show, as examples write them.
UNSEEN = {"{BOM}": "\ufeff", "{CR}": "\r", "{NUL}": "\0", "{RLO}": "\u202e"}

_FENCE = re.compile(r"^```(?P<kind>\w*)(?P<words>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SERIES = re.compile(r"^(?P<first>.*)\n\s*# \.\.\.\n(?P<last>.*)$", re.MULTILINE)
_BOLD = re.compile(r"(?:Kamailio\s(?P<version>5\.6)\s)?\*\*(?P<words>[^*]+)\*\*")


@dataclass(frozen=True)
class Example:
    """`files` by name, the configuration itself is the first."""

    files: dict[str, str]
    environ: dict[str, str]
    target: str = ""  # the version that it is checked for; "" the usual one


@dataclass(frozen=True)
class Page:
    name: str
    title: str
    sections: dict[str, str]  # by heading; what stands above the first one by ""

    def example(self, heading: str) -> Example:
        files: dict[str, str] = {}
        environ: dict[str, str] = {}
        target = ""
        for fence in _FENCE.finditer(self.sections[heading]):
            assert fence["kind"] == "kamailio", f"{self.name}: a block of {fence['kind'] or 'no language'}"
            words = dict(word.partition("=")[::2] for word in fence["words"].split())
            name = words.pop("file", "kamailio.cfg")
            assert name not in files, f"{self.name}: two blocks of {name}"
            target = words.pop("target", target)
            if "env" in words:
                variable, _, value = words.pop("env").partition("=")
                environ[variable] = value
            text = _SERIES.sub(_series, fence["text"])
            for seen, unseen in UNSEEN.items():
                text = text.replace(seen, unseen)
            files[name] = text if name != "kamailio.cfg" or "plain" in words else _whole(text, words.pop("load", ""))
            assert not words.keys() - {"plain"}, f"{self.name}: unknown words in the info string: {words}"
        assert "kamailio.cfg" in files, f"{self.name}: no block for the configuration itself under {heading}"
        return Example({"kamailio.cfg": files["kamailio.cfg"], **files}, environ, target)

    @property
    def verdicts(self) -> dict[str, str]:
        """What Kamailio does with the wrong example, by version; 5.6 does as 6.1 where the page says nothing of it."""
        bold = [
            (m["version"] or "6.1", " ".join(m["words"].lower().split()))
            for m in _BOLD.finditer(self.sections["What Kamailio does"])
        ]
        found = {version: VERDICTS[words] for version, words in reversed(bold) if words in VERDICTS}
        return {"5.6": found["6.1"], **found}


def pages() -> list[Page]:
    return sorted((_page(path) for path in FOLDER.iterdir()), key=lambda page: page.name)


def _page(path: Path) -> Page:
    title, _, rest = path.read_bytes().decode("utf-8").partition("\n")
    parts = re.split(r"^## (.*)\n", rest, flags=re.MULTILINE)
    return Page(path.stem, title, dict(zip(["", *parts[1::2]], parts[::2], strict=True)))


def _whole(text: str, load: str) -> str:
    head = ["#!KAMAILIO", *(f'loadmodule "{module}.so"' for module in load.split(",") if module)]
    end = "" if "request_route" in text else "request_route { exit; }\n"
    return "\n".join(head) + "\n" + text + end


def _series(found: re.Match[str]) -> str:
    """Two lines that differ in a number, and all between them."""
    first, last = found["first"], found["last"]
    numbers = re.findall(r"\d+", first), re.findall(r"\d+", last)
    (low, high), *others = [pair for pair in zip(*numbers, strict=True) if pair[0] != pair[1]]
    assert not others
    before, _, after = first.rpartition(low)
    lines = [f"{before}{number}{after}" for number in range(int(low), int(high) + 1)]
    assert lines[-1] == last
    return "\n".join(lines)
