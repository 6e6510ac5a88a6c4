"""Settings that are read by their group and name: custom variables, and those of the core and of modules
(core/cfg/cfg_select.c: cfg_fixup_selects)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.check.scope import CORE, Scope
from evapi_cfg.check.verdicts import FAILS_AT_START
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.source import Span

SELECT: Final = "cfg_get."
_OF_MODULES: Final = {"dbg": "debugger", "tcp": CORE}  # groups whose name is not that of their module; only these


def unknown(path: str, span: Span, scope: Scope) -> Diagnostic | None:
    """A diagnostic where nothing declares the setting that `cfg_get.group.name` reads. The names that modules and the
    core declare are not known here, so their groups are right with any name."""
    parts = path.removeprefix(SELECT).split(".")
    if len(parts) != 2:
        return None
    group, name = parts
    declared = scope.custom.get(group)
    if declared is None:
        if has_group(group, scope):
            return None
        help = did_you_mean(group, scope.custom, f"{SELECT}{{}}.{name}")
    elif name in declared:
        return None
    else:
        help = did_you_mean(name, declared, f"{SELECT}{group}.{{}}")
    if not help:
        help = f'declare it at top level: `{group}.{name} = 1 desc "..."`'
    return Diagnostic(codes.BAD_VARIABLE_NAME, f"there is no setting `{group}.{name}`", span, help, (FAILS_AT_START,))


def has_group(group: str, scope: Scope) -> bool:
    """Whether a group of settings is there."""
    return group in scope.custom or _OF_MODULES.get(group, group) in scope.loaded or scope.incomplete
