"""Where the `loadmodule` of a module that is missing can stand: behind the others, above all that uses it, and under no
condition of the preprocessor."""

from __future__ import annotations

from collections.abc import Sequence

from evapi_cfg.check.scope import Scope
from evapi_cfg.diagnostics.model import Fix
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import LoadModule, ModParam, RouteBlock

_WORDS = ("loadmodule", "loadmodulex")


def loading(modules: Sequence[str], scope: Scope) -> Fix | None:
    """Loads the one module that has a name; None where several have it, or where no place is sure to be right."""
    if len(modules) != 1 or modules[0] in scope.loaded:
        return None
    [module] = modules
    loads: list[LoadModule] = []
    first: ModParam | RouteBlock | None = None
    for item in scope.config.items:
        if isinstance(item, LoadModule):
            loads.append(item)
        elif isinstance(item, ModParam | RouteBlock):
            first = first or item
            if isinstance(item, RouteBlock) or module in item.modules.value.lower().split("|"):
                break
    for load in reversed(loads):
        fix = _behind(load, module, scope)
        if fix is not None:
            return fix
    return _before(first, module, scope) if first is not None else None


def _behind(load: LoadModule, module: str, scope: Scope) -> Fix | None:
    """A line below that of another loadmodule, and like it."""
    span, text = load.span, load.span.file.text
    end = text.find("\n", span.end)
    rest = text[span.end : end].strip()
    if end < 0 or (rest and not rest.startswith(("#", "//", ";"))) or not span.text.startswith(_WORDS):
        return None
    line = text[text.rfind("\n", 0, span.start) + 1 : span.start]
    name = load.name.span.text
    if line.strip() or load.options is not None or name.count(load.module) != 1:
        return None
    at = Span(span.file, end + 1, end + 1)
    ended = "\r\n" if text[end - 1] == "\r" else "\n"
    return Fix(at, f"{line}loadmodule {name.replace(load.module, module)}{ended}") if _is_sure(at, scope) else None


def _before(item: ModParam | RouteBlock, module: str, scope: Scope) -> Fix | None:
    """A line of its own above something else."""
    text = item.span.file.text
    start = text.rfind("\n", 0, item.span.start) + 1
    at = Span(item.span.file, start, start)
    if text[start : item.span.start].strip() or not _is_sure(at, scope):
        return None
    return Fix(at, f'loadmodule "{module}.so"\n')


def _is_sure(at: Span, scope: Scope) -> bool:
    """Whether a place is read once, and always."""
    place: Span | None = at
    while place is not None:
        file, offset = place.file, place.start
        if any(span.file is file and span.start < offset < span.end for span in scope.config.conditional):
            return False
        if sum(other.name == file.name for other in scope.config.files) > 1:
            return False
        place = file.included_at
    return True
