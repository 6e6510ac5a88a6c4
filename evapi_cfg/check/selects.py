"""Pass: `@select` that nothing which is loaded gives (core/select.c: resolve_select)."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.check import groups
from evapi_cfg.check.context import Context
from evapi_cfg.check.verdicts import LOGGED_AT_START
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.modules.core_select import path_of
from evapi_cfg.modules.spec import NameRefused, Select
from evapi_cfg.syntax.ast import Select as Use
from evapi_cfg.syntax.ast import Text


def check(context: Context) -> Iterator[Diagnostic]:
    if not context.index.selects or context.scope.incomplete:
        return
    known = set(context.catalog.core.selects)
    for module in context.scope.loaded:
        exports = context.scope.module(module)
        if exports:
            known.update(exports.selects)
    for use in context.index.selects:
        path = use.path.removeprefix("@")
        if path.startswith(groups.SELECT) and "[" not in path:
            fault = groups.unknown(path, use.span, context.scope)
            if fault is not None:
                yield fault
                continue
        name = use.path.lstrip("@").partition(".")[0].partition("[")[0]
        if name.lower() not in known:
            yield Diagnostic(
                codes.UNKNOWN_SELECT,
                f"there is no select `@{name}`",
                use.span,
                did_you_mean(name, known, "@{}"),
                (_EMPTY, LOGGED_AT_START),
            )
        elif (declared := context.scope.declared_select(name.lower())) and (note := _unresolved(use, declared)):
            yield Diagnostic(
                codes.UNKNOWN_SELECT, f"there is no select `@{path}`", use.span, "", (note, LOGGED_AT_START)
            )


_EMPTY = "it gives an empty string when it is read"
_PART = "it gives what is found without the end of its path"


def _unresolved(use: Use, declared: Select) -> str:
    """What a select gives whose path goes on with what Kamailio does not know; empty where it knows it."""
    try:
        selected = declared.make(path_of(Text(use.span, use.path))[1:])
    except NameRefused:
        return ""
    if selected is None:
        return _EMPTY
    return "" if selected.resolved else _PART
