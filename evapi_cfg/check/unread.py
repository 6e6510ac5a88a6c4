"""What stands in a file that could not be read as a whole: the modules that it probably loads and the route blocks that
it probably has. Nothing is missed that may be there."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from evapi_cfg.syntax.ast import Config, LoadModule, RouteBlock

_MODULE: Final = re.compile(r"^[^#\n]*?\b(\w+)\.so\b", re.MULTILINE)
_BARE_MODULE: Final = re.compile(r"^[^#\n]*?\bload\w*[ \t(\"]+(\w+)", re.MULTILINE)
_BLOCK: Final = re.compile(r"\[\s*\"?([\w:-]+)|([\w:-]+)\"?\s*\]|route[^\w(\n]{0,3}([\w:-]+)|route\(([\w:-]+)\)?\s*\{")
_NAMELESS: Final = re.compile(r"^[ \t]*loadmodule\w*[ \t]*$", re.MULTILINE)


class Unread(NamedTuple):
    """Names that stand in the text and are in no item."""

    modules: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    nameless: bool = False  # a loadmodule without a name: it may be any


NOTHING: Final = Unread()


def unread(config: Config) -> Unread:
    modules: set[str] = set()
    routes: set[str] = set()
    nameless = False
    for file in config.files:
        modules.update(found[1] for form in (_MODULE, _BARE_MODULE) for found in form.finditer(file.text))
        for block in _BLOCK.finditer(file.text):
            name = next(group for group in block.groups() if group)
            routes.update((name, name.removeprefix("route")))
        nameless = nameless or _NAMELESS.search(file.text) is not None
    loaded = {item.module for item in config.items if isinstance(item, LoadModule)}
    named = {item.name for item in config.items if isinstance(item, RouteBlock)}
    return Unread(frozenset(modules - loaded), frozenset(routes - named), nameless)
