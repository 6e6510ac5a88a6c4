"""`evapi-cfg explain`: what a diagnostic's code means, and what a name in a kamailio.cfg is.

The page of a code is a Markdown file; what a name is comes from the specs of the modules that run here and from the
catalogue of all of Kamailio's. A code is looked up without loading either.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.terminal import clean
from evapi_cfg.explain import pages, render

_CODE = re.compile(r"(?:(?:error|warning)?\[)?([a-z]+(?:-[a-z]+)+)\]?")


class Answer(NamedTuple):
    """`found` False: the text says what there is instead."""

    text: str
    found: bool


def listing(*, colour: bool = False) -> str:
    """All codes in their groups, each with its level and what it is about."""
    return render.listing(codes.groups(), colour=colour)


def explain(name: str, *, width: int, colour: bool = False) -> Answer:
    """What a name is, in whatever form it was written; all that it is, where it is several things. `width`: columns."""
    name = name.strip().strip("`")
    code = _CODE.fullmatch(name)
    page = pages.find(code[1]) if code else None
    if page is not None:
        return Answer(render.page(page, width, colour=colour), True)
    if not name or name[0] in "()":
        return Answer(
            f"`{clean(name)}` names nothing; a name with a $ needs single quotes: evapi-cfg explain '$evapi(msg)'",
            False,
        )
    from evapi_cfg.explain.names import lookup

    looked_up = lookup(name)
    if looked_up.entries:
        return Answer(render.entries(looked_up.entries, width, colour=colour), True)
    return Answer(f"nothing is called `{clean(name)}`" + (f": {looked_up.help}" if looked_up.help else ""), False)
