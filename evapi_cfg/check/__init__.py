"""The checker: passes over a configuration, each of which returns what is wrong in its own field.

`check` runs them all. The set of passes is the tuples `PASSES` and `sense.PASSES`, and `sense.ABSENCES` where there is
no error; their order does not matter, the diagnostics are sorted by their place.
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
    levels,
    modules,
    needs,
    regexes,
    routes,
    scripts,
    selects,
    sense,
    switches,
    tables,
    types,
    uses,
    versions,
)
from evapi_cfg.check.context import Context
from evapi_cfg.check.unread import NOTHING, unread
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Code, Diagnostic, Fix, Severity, at_most
from evapi_cfg.modules.spec import ModuleSpec
from evapi_cfg.source import SourceFile
from evapi_cfg.syntax.ast import Config

Pass: TypeAlias = Callable[[Context], Iterable[Diagnostic]]

PASSES: tuple[Pass, ...] = (
    modules.check,
    needs.check,
    declarations.check,
    declared.check,
    tables.check,
    routes.check,
    functions.check,
    arguments.check,
    levels.check,
    uses.check,
    selects.check,
    types.check,
    switches.check,
    regexes.check,
    scripts.check,
    versions.check,
)


def check(config: Config, specs: Mapping[str, ModuleSpec], catalog: Catalog, *, whole: bool = True) -> list[Diagnostic]:
    """What is wrong with a parsed configuration, in the order of its files and lines.

    `specs`: the modules that run here, by name. `catalog`: what Kamailio's modules export. `whole`: all of it could be
    read.
    """
    missed = NOTHING if whole else unread(config)
    context = Context(config, specs, catalog, missed)
    found = [diagnostic for run in PASSES for diagnostic in at_most(run(context))]
    if missed.nameless:
        found = [fault for fault in found if fault.code not in (codes.MODULE_NOT_LOADED, codes.EVAPI_ASYNC_WITHOUT_TM)]
    if whole:
        known = {(fault.span.file, fault.span.start) for fault in found}
        sound = all(f.severity is not Severity.ERROR and f.code is not codes.READ_ONLY_OUTPUT for f in found)
        for look in (*sense.PASSES, *sense.ABSENCES) if sound else sense.PASSES:
            found += (fault for fault in at_most(look(context)) if (fault.span.file, fault.span.start) not in known)
    return _once(_without_consequences(in_order(found, config)))


def _without_consequences(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Nothing runs a route because its name is misspelt where it is called: that is one fault. So is what a condition
    assigns that cannot be assigned."""
    diagnostics = _compared(diagnostics)
    helps = [found.help for found in diagnostics if found.code in (codes.UNDEFINED_ROUTE, codes.MISSING_ROUTE)]
    if not helps:
        return diagnostics
    return [
        found
        for found in diagnostics
        if found.code is not codes.UNUSED_ROUTE or not any(f"[{found.span.text}]" in help for help in helps)
    ]


def _compared(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """A variable that cannot be assigned is meant to be compared, where a condition assigns it."""
    signs: dict[tuple[SourceFile, int], Diagnostic] = {}  # by where the target ends
    for found in diagnostics:
        if found.code is codes.ASSIGNED_CONDITION:
            text, end = found.span.file.text, found.span.start
            while end and text[end - 1].isspace():
                end -= 1
            signs[found.span.file, end] = found
    if not signs:
        return diagnostics
    kept: list[Diagnostic] = []
    meant: set[Diagnostic] = set()
    for found in diagnostics:
        sign = signs.get((found.span.file, found.span.end)) if found.code is codes.READ_ONLY_VARIABLE else None
        if sign is not None:
            meant.add(sign)
            found = replace(found, help=sign.help, fix=Fix(sign.span, "=="))
        kept.append(found)
    return [found for found in kept if found not in meant]


# Kinds of which one fault is told once, however often it shows: by what its diagnostics have in common.
_COMMON: Mapping[Code, Callable[[Diagnostic], str]] = {
    codes.MODULE_NOT_LOADED: lambda diagnostic: diagnostic.help,
    codes.UNDEFINED_TABLE: lambda diagnostic: diagnostic.message,
}
_MORE = {
    codes.MODULE_NOT_LOADED: ("needs this module", "need this module"),
    codes.UNDEFINED_TABLE: ("uses it", "use it"),
}


def _once(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """A module or a table that is missing is one fault, however often its names are used: the first use stays, with
    the number of the others. That other modules need a missing module, too, is not said."""
    wanted = {found.help for found in diagnostics if found.code is codes.MODULE_NOT_LOADED}
    diagnostics = [d for d in diagnostics if d.code is not codes.MISSING_DEPENDENCY or d.help not in wanted]
    more: dict[tuple[Code, str], int] = {}
    for diagnostic in diagnostics:
        common = _COMMON.get(diagnostic.code)
        if common is not None:
            key = diagnostic.code, common(diagnostic)
            more[key] = more.get(key, -1) + 1
    kept: list[Diagnostic] = []
    for diagnostic in diagnostics:
        common = _COMMON.get(diagnostic.code)
        if common is not None:
            others = more.pop((diagnostic.code, common(diagnostic)), None)
            if others is None:
                continue
            if others:
                one, many = _MORE[diagnostic.code]
                places = f"1 more place {one}" if others == 1 else f"{others} more places {many}"
                diagnostic = replace(diagnostic, notes=(f"{places}, too", *diagnostic.notes))
        kept.append(diagnostic)
    return kept


def in_order(diagnostics: Iterable[Diagnostic], config: Config) -> list[Diagnostic]:
    """Sorted by file (in the order in which they were opened), line and column."""
    order: dict[SourceFile, int] = {file: number for number, file in enumerate(config.files)}
    return sorted(diagnostics, key=lambda d: (order.get(d.span.file, len(order)), d.span.start, d.span.end))
