"""Pass: route blocks and the calls of them: names that stand twice, that nobody defines, that nobody runs
(core/cfg.y: route_stm and its like; core/route.c: fix_actions)."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.catalog import history, in_family
from evapi_cfg.check.context import Context
from evapi_cfg.check.loading import loading
from evapi_cfg.check.scope import Scope
from evapi_cfg.check.targets import exists
from evapi_cfg.check.types import is_constant
from evapi_cfg.check.verdicts import FAILS_AT_START, LOGGED_AT_START, REFUSED, SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.fixes import OWN, respelling
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.diagnostics.suggest import did_you_mean, distance, near
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Expression, ModParam, RouteBlock, RouteKind, String, Text
from evapi_cfg.syntax.fold import fold

_SET_BY = {
    "t_on_failure": RouteKind.FAILURE,
    "t_on_reply": RouteKind.ONREPLY,
    "t_on_branch": RouteKind.BRANCH,
    "t_on_branch_failure": RouteKind.EVENT,
}
_SET_BY_PARAM = {("tm", "on_sl_reply"): RouteKind.ONREPLY}
_BRANCH_FAILURE = "tm:branch-failure:"
MAIN = "0"  # the name by which route() reaches request_route


def check(context: Context) -> Iterator[Diagnostic]:
    scope = context.scope
    yield from _blocks(context)
    for call, _ in context.index.route_calls:
        target = call.target
        if isinstance(target, Text):
            fault = undefined(target.value, target.span, scope)
        elif is_constant(target) and (value := fold(target)) is not None:
            fault = undefined(str(value), target.span, scope)
        else:
            continue
        if fault is not None:
            yield fault
    for setting, _ in context.index.calls:
        kind = _SET_BY.get(setting.name)
        if kind is not None and setting.args:
            fault = _missing(setting.args[0], kind, scope, LOGGED_AT_START)
            if fault is not None:
                yield fault
    for item in context.config.items:
        if isinstance(item, ModParam) and isinstance(item.value, String) and not item.expand:
            kind = _SET_BY_PARAM.get((item.modules.value, item.name.value))
            fault = _missing(item.value, kind, scope, SILENT) if kind else None
            if fault is not None:
                yield fault


def _missing(argument: Expression, kind: RouteKind, scope: Scope, verdict: str) -> Diagnostic | None:
    """A diagnostic where t_on_failure and its like name a block that does not exist (tm.c: fixup_routes)."""
    value = argument.text.value if isinstance(argument, String) else fold(argument) if is_constant(argument) else None
    if value is None or value in ("", MAIN) or "$" in (name := str(value)):
        return None
    front = _BRANCH_FAILURE if kind is RouteKind.EVENT else ""
    names = [
        item.name.removeprefix(front)
        for item in scope.config.items
        if isinstance(item, RouteBlock) and item.kind is kind and item.name is not None and item.name.startswith(front)
    ]
    if name in names or name in scope.unread_routes:
        return None
    help = did_you_mean(name, names, f"{kind.value}[{front}{{}}]")
    if name.removeprefix(front) in names:
        help = f"write `{name.removeprefix(front)}`: Kamailio puts `{front}` in front"
    fix = respelling(argument.span, name, names, OWN)
    message = f"there is no `{kind.value}[{front}{name}]`"
    return Diagnostic(codes.MISSING_ROUTE, message, argument.span, help, (verdict,), fix=fix)


def undefined(name: str, span: Span, scope: Scope, verdict: str = FAILS_AT_START) -> Diagnostic | None:
    """A diagnostic where no route[name] block exists."""
    routes = scope.routes
    if name in routes or name == MAIN or name in scope.unread_routes:
        return None
    help = did_you_mean(name, routes, "route[{}]")
    fix = respelling(span, name, routes, OWN)
    if "$" in name:
        fix = None
        help = f"a string here is a literal name; write `route({name})` without quotes to call by a variable"
    else:
        other = next(
            (
                item
                for item in scope.config.items
                if isinstance(item, RouteBlock) and item.name == name and item.kind is not RouteKind.REQUEST
            ),
            None,
        )
        if other is not None:
            help = f"there is a {other.title}, but `route()` reaches route[...] blocks only"
            fix = None
    return Diagnostic(codes.UNDEFINED_ROUTE, f"there is no `route[{name}]`", span, help, (verdict,), fix=fix)


def _blocks(context: Context) -> Iterator[Diagnostic]:
    first: dict[tuple[RouteKind, str], RouteBlock] = {}
    for item in context.config.items:
        if not isinstance(item, RouteBlock):
            continue
        if item.kind is RouteKind.EVENT:
            yield from _event(item, context.scope)
        if item.name is None:
            if item.body:
                first.setdefault((item.kind, MAIN), item)
            continue
        if not item.body:  # an empty block defines nothing, so another may follow
            continue
        same = first.setdefault((item.kind, item.name), item)
        if same is not item:
            yield Diagnostic(
                codes.DUPLICATE_ROUTE,
                f"`{item.title}` is defined twice",
                item.name_span,
                "rename one of them, or join them",
                (REFUSED,),
                (Related("first defined here", same.name_span),),
            )


def _event(block: RouteBlock, scope: Scope) -> Iterator[Diagnostic]:
    """An error where the name of an event route is nearly one that something runs, a warning where nothing that is
    loaded runs it: modules run routes by name and tell nobody."""
    name = block.name or ""
    if scope.incomplete:
        return
    known, families = _event_routes(scope)
    if name in known or any(in_family(name, family) for family in families):
        return
    owners = history.of_event_route(name)
    others = [] if owners else [*near(name, known), *_near_families(name, families)]
    if others and "*" in families and distance(name, others[0], 2) > 2:
        return  # the file says elsewhere what such a name stands for
    if others:
        yield Diagnostic(
            codes.MISSPELT_EVENT_ROUTE,
            f"nothing runs `event_route[{name}]`",
            block.name_span,
            did_you_mean(name, others, "event_route[{}]"),
            (SILENT,),
            fix=respelling(block.name_span, name, others),
        )
    elif "*" not in families or owners:
        yield Diagnostic(
            codes.UNKNOWN_EVENT_ROUTE,
            f"nothing runs `event_route[{name}]`",
            block.name_span,
            _who_runs(name, known, scope),
            (SILENT,),
            fix=loading(scope.catalog.event_route_modules.get(name, ()), scope),
        )


def _event_routes(scope: Scope) -> tuple[list[str], list[str]]:
    """The names of event routes that something which is loaded runs, and the families of such names. The family `*`
    says that the file gives the names."""
    known, families = [*scope.catalog.core.event_routes], list[str]()
    for module in scope.loaded:
        exports = scope.module(module)
        if exports:
            known += exports.event_routes
            families += exports.event_families
        if module in scope.specs:
            known += (route.name for route in scope.specs[module].event_routes)
    return known, families


def _who_runs(name: str, known: list[str], scope: Scope) -> str:
    modules = scope.catalog.event_route_modules.get(name)
    if modules:
        return f'module `{modules[0]}` runs it: add `loadmodule "{modules[0]}.so"`'
    prefix = name.partition(":")[0]
    of_module = sorted({route for route in known if route.startswith(prefix + ":")})
    listed = f"module `{prefix}` runs {', '.join(f'`{route}`' for route in of_module)}" if of_module else ""
    return exists(f"`event_route[{name}]`", history.of_event_route(name), scope.catalog, scope.loaded) or listed


def _near_families(name: str, families: list[str]) -> list[str]:
    """The name as families of names would have it."""
    front, _, last = name.rpartition(":")
    fronts = [family.removesuffix(":*") for family in families if family.endswith(":*")]
    return [f"{right}:{last}" for right in near(front, fronts)] if front else []
