"""Pass: `@select` whose first name nothing that is loaded gives (core/select.c: resolve_select)."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.verdicts import LOGGED_AT_START
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.diagnostics.suggest import did_you_mean


def check(context: Context) -> Iterator[Diagnostic]:
    if not context.index.selects or context.scope.incomplete:
        return
    known = set(context.catalog.core.selects)
    for module in context.scope.loaded:
        exports = context.scope.module(module)
        if exports:
            known.update(exports.selects)
    for select in context.index.selects:
        name = select.path.lstrip("@").partition(".")[0].partition("[")[0]
        if name not in known:
            yield Diagnostic(
                codes.UNKNOWN_SELECT,
                f"there is no select `@{name}`",
                select.span,
                did_you_mean(name, known, "@{}"),
                ("it gives an empty string when it is read", LOGGED_AT_START),
            )
