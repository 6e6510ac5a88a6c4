"""The checker: passes over a configuration, each of which returns what is wrong in its own field.

`check` runs them all. The set of passes is the tuples `PASSES` and `sense.PASSES`; their order does not matter, the
diagnostics are sorted by their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from evapi_cfg.catalog import Catalog
from evapi_cfg.check import (
    arguments,
    declarations,
    declared,
    functions,
    modules,
    regexes,
    routes,
    selects,
    sense,
    switches,
    types,
    uses,
)
from evapi_cfg.check.context import Context
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.modules.spec import ModuleSpec
from evapi_cfg.source import SourceFile
from evapi_cfg.syntax.ast import Config

Pass: TypeAlias = Callable[[Context], Iterable[Diagnostic]]

PASSES: tuple[Pass, ...] = (
    modules.check,
    declarations.check,
    declared.check,
    routes.check,
    functions.check,
    arguments.check,
    uses.check,
    selects.check,
    types.check,
    switches.check,
    regexes.check,
)


def check(config: Config, specs: Mapping[str, ModuleSpec], catalog: Catalog, *, whole: bool = True) -> list[Diagnostic]:
    """What is wrong with a parsed configuration, in the order of its files and lines.

    `specs`: the modules that run here, by name. `catalog`: what Kamailio's modules export. `whole`: all of it could be
    read.
    """
    context = Context(config, specs, catalog)
    found = [diagnostic for run in PASSES for diagnostic in run(context)]
    if whole:
        known = {(fault.span.file, fault.span.start) for fault in found}
        sound = all(fault.severity is not Severity.ERROR for fault in found)
        for look in (*sense.PASSES, *sense.ABSENCES) if sound else sense.PASSES:
            found += (fault for fault in look(context) if (fault.span.file, fault.span.start) not in known)
    return _once_per_module(_without_consequences(in_order(found, config)))


def _without_consequences(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Nothing runs a route because its name is misspelt where it is called: that is one fault."""
    helps = [found.help for found in diagnostics if found.code in (codes.UNDEFINED_ROUTE, codes.MISSING_ROUTE)]
    if not helps:
        return diagnostics
    return [
        found
        for found in diagnostics
        if found.code is not codes.UNUSED_ROUTE or not any(f"[{found.span.text}]" in help for help in helps)
    ]


def _once_per_module(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """A module that is missing is one fault, however often its names are used: the first use stays, with the number of
    the others."""
    more: dict[str, int] = {}
    for diagnostic in diagnostics:
        if diagnostic.code is codes.MODULE_NOT_LOADED:
            more[diagnostic.help] = more.get(diagnostic.help, -1) + 1
    kept: list[Diagnostic] = []
    for diagnostic in diagnostics:
        if diagnostic.code is codes.MODULE_NOT_LOADED:
            others = more.pop(diagnostic.help, None)
            if others is None:
                continue
            if others:
                places = "1 more place" if others == 1 else f"{others} more places"
                diagnostic = replace(diagnostic, notes=(f"{places} need this module, too", *diagnostic.notes))
        kept.append(diagnostic)
    return kept


def in_order(diagnostics: Iterable[Diagnostic], config: Config) -> list[Diagnostic]:
    """Sorted by file (in the order in which they were opened), line and column."""
    order: dict[SourceFile, int] = {file: number for number, file in enumerate(config.files)}
    return sorted(diagnostics, key=lambda d: (order.get(d.span.file, len(order)), d.span.start, d.span.end))
