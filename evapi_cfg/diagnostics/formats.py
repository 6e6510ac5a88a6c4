"""The output formats of `check` by their names. Each gives the text for what was found in the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from evapi_cfg.diagnostics import concise, full, github, gitlab, json_format, json_lines, junit, kamailio, sarif
from evapi_cfg.diagnostics.model import Diagnostic

Renderer: TypeAlias = Callable[[Sequence[Diagnostic], Sequence[str], bool], str]
"""Gets the diagnostics, the names of the files that were checked, and whether to use colours."""

FORMATS: Final[dict[str, Renderer]] = {
    "full": lambda found, files, colour: full.render(found, colour=colour),
    "concise": lambda found, files, colour: concise.render(found),
    "json": lambda found, files, colour: json_format.render(found),
    "jsonl": lambda found, files, colour: json_lines.render(found),
    "github": lambda found, files, colour: github.render(found),
    "gitlab": lambda found, files, colour: gitlab.render(found),
    "sarif": lambda found, files, colour: sarif.render(found),
    "junit": lambda found, files, colour: junit.render(found, files),
    "kamailio": lambda found, files, colour: kamailio.render(found),
}
