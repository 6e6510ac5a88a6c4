"""Pass: modules that are loaded without what they cannot start without, or above it (core/sr_module.c: init_mod calls
their mod_init in the order of the file)."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.catalog.needs import DATABASE, Need, needs
from evapi_cfg.check.context import Context
from evapi_cfg.check.scope import Scope
from evapi_cfg.check.verdicts import FAILS_AT_START, REFUSED
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.syntax.ast import LoadModule, ModParam, String

_DRIVERS = ("db_", "db2_")


def check(context: Context) -> Iterator[Diagnostic]:
    scope = context.scope
    if scope.incomplete:
        return
    missing: dict[str, list[tuple[LoadModule, Need]]] = {}
    late: dict[str, list[LoadModule]] = {}
    for order, load in scope.loads:
        if scope.loaded.get(load.module, order) != order:
            continue
        for need in needs(load.module):
            there = scope.loaded.get(need.module)
            if there is None:
                missing.setdefault(need.module, []).append((load, need))
            elif need.before and there > order:
                late.setdefault(need.module, []).append(load)
    for module, wanting in missing.items():
        yield _missing(module, wanting)
    for module, loads in late.items():
        yield _late(module, loads, scope)
    yield from _drivers(scope)


def _missing(module: str, wanting: list[tuple[LoadModule, Need]]) -> Diagnostic:
    load, need = wanting[0]
    return Diagnostic(
        codes.MISSING_DEPENDENCY,
        f"module `{load.module}` needs module `{module}`, which is not loaded",
        load.name.span,
        f'add `loadmodule "{module}.so"` above',
        (*_others([load for load, _ in wanting[1:]]), REFUSED if need.at_once else FAILS_AT_START),
    )


def _late(module: str, loads: list[LoadModule], scope: Scope) -> Diagnostic:
    load = loads[0]
    at_once = any(need.module == module and need.at_once for need in needs(load.module))
    span = scope.load_span(module)
    return Diagnostic(
        codes.MISSING_DEPENDENCY,
        f"module `{load.module}` is loaded above module `{module}`, which it needs",
        load.name.span,
        f"move the `loadmodule` of `{module}` above it",
        (*_others(loads[1:]), REFUSED if at_once else FAILS_AT_START),
        (Related(f"`{module}` is loaded here", span),) if span else (),
    )


def _others(loads: list[LoadModule]) -> tuple[str, ...]:
    if not loads:
        return ()
    names = [f"`{load.module}`" for load in loads]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return (f"{'module' if len(names) == 1 else 'modules'} {listed} {'needs' if len(names) == 1 else 'need'} it, too",)


def _drivers(scope: Scope) -> Iterator[Diagnostic]:
    """A database driver, which modules find by what stands in front of `:` in their `db_url`."""
    if any(module.startswith(_DRIVERS) and module not in ("db2_ops", "db_cluster") for module in scope.loaded):
        return
    wanting = [load for order, load in scope.loads if load.module in DATABASE and scope.loaded[load.module] == order]
    for number, load in enumerate(wanting):
        url = _url(load.module, scope)
        if not url:
            continue
        scheme = url.partition(":")[0]
        driver = scheme if scheme.startswith("db_") else f"db_{scheme}"
        known = scope.catalog.module(driver) is not None
        yield Diagnostic(
            codes.MISSING_DEPENDENCY,
            f"module `{load.module}` needs a database driver, and none is loaded",
            load.name.span,
            f'add `loadmodule "{driver}.so"` above' if known else "load the driver that its `db_url` names",
            (*_others(wanting[number + 1 :]), FAILS_AT_START),
        )
        return


def _url(module: str, scope: Scope) -> str:
    """The `db_url` of a module; "" where it is set to nothing, or to what is known only when Kamailio runs."""
    exports = scope.module(module)
    default = next((param.default for param in exports.params.get("db_url", ())), None) if exports else None
    url = str(default) if default else "mysql://"
    for item in scope.config.items:
        if isinstance(item, ModParam) and item.name.value == "db_url" and module in item.modules.value.split("|"):
            url = item.value.value if isinstance(item.value, String) else ""
    return url
