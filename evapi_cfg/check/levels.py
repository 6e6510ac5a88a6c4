"""Pass: texts that xlog takes for a log level, although it has another name: its third character decides
(modules/xlog/xlog.c: xlog_fixup_helper)."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.functions import find
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Fix
from evapi_cfg.modules.xlog import LEVEL_FUNCTIONS, misread_level
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import String


def check(context: Context) -> Iterator[Diagnostic]:
    for call, site in context.index.calls:
        if call.name not in LEVEL_FUNCTIONS or len(call.args) < 2:
            continue
        level = call.args[-2]
        if not isinstance(level, String) or level.value.startswith("$"):
            continue
        taken = misread_level(level.value)
        export = find(context.scope, call, site) if taken else None
        if taken and export is not None and export.module == "xlog":
            yield Diagnostic(
                codes.UNKNOWN_LOG_LEVEL,
                f"there is no log level `{show(level.value)}`",
                level.span,
                f"write `{taken}`",
                (f"Kamailio looks at the third character only, and takes it for `{taken}`",),
                fix=Fix(level.span, f'"{taken}"'),
            )
