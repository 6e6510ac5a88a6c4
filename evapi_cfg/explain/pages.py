"""The pages of diagnostics: one Markdown file for each code, beside the codes."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import evapi_cfg.diagnostics
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Code

FOLDER: Final = Path(evapi_cfg.diagnostics.__file__).parent / "pages"


class Page(NamedTuple):
    """`text`: the Markdown, without its title line."""

    code: Code
    text: str


def find(name: str) -> Page | None:
    """The page of a code; None where there is no code of this name."""
    code = codes.by_name().get(name)
    if code is None:
        return None
    _title, _, text = (FOLDER / f"{name}.md").read_text("utf-8").partition("\n")
    return Page(code, text)
