"""What a configuration's tree does not show, so that a pass does not take it for absent: what a condition of the
preprocessor leaves out, the files that include this one, scripts in another language."""

from __future__ import annotations

import re
from typing import Final

from evapi_cfg.check.context import Context
from evapi_cfg.syntax.ast import CfgEngine, RouteBlock, RouteKind

_TEXT_OR_COMMENT: Final = re.compile(
    r"(\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^']*')|/\*.*?\*/|#(?!!)[^\n]*|(?<!:)//[^\n]*", re.DOTALL
)  # a text, which stays, or a comment


def is_part(context: Context) -> bool:
    """Whether the file looks like one that others include: nothing that comes in from outside runs any of it."""
    return not any(
        isinstance(item, RouteBlock)
        and item.body
        and ((item.kind is RouteKind.REQUEST and item.name is None) or (item.name or "").startswith("evapi:"))
        for item in context.config.items
    )


def has_other_scripts(context: Context) -> bool:
    """Whether a script in Lua, Python or the like is there: it may set what this file reads."""
    return any(module.startswith("app_") for module in context.scope.loaded) or any(
        isinstance(item, CfgEngine) for item in context.config.items
    )


def outside_comments(context: Context) -> str:
    """All that is written in the files, what is skipped as well, but for comments."""
    return "\n".join(
        _TEXT_OR_COMMENT.sub(lambda found: found[1] or " ", file.text) for file in dict.fromkeys(context.config.files)
    )
