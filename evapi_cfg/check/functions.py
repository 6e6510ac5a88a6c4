"""Pass: is each function that is called there, with this number of arguments, in this block, and may its arguments
vary (core/sr_module.c: find_mod_export_record; core/cfg.y: mod_f_params_pre_fixup)."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.catalog import history
from evapi_cfg.check.context import Context
from evapi_cfg.check.faults import module_loaded_later, module_not_loaded
from evapi_cfg.check.index import ROUTE_BITS, Site
from evapi_cfg.check.loading import loading
from evapi_cfg.check.scope import Export, Scope
from evapi_cfg.check.targets import exists, numbers
from evapi_cfg.check.types import is_constant
from evapi_cfg.check.verdicts import FAILS_AT_RUN, REFUSED
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.fixes import respelling
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.syntax.ast import Call, RouteKind

MOST_ARGUMENTS = 6
_ASYNC = "evapi_async_"
_NO_REQUEST = ("evapi:", "htable:", "core:worker-one-init", "core:tkv")  # event routes that no SIP request comes with
_ONSEND = frozenset(
    (
        "log",
        "setflag",
        "resetflag",
        "isflagset",
        "set_forward_no_connect",
        "set_forward_close",
        "set_reply_no_connect",
        "set_reply_close",
    )
)  # core commands that an onsend_route takes, besides drop, if and route (core/cfg.y: fcmd)

_ROUTES_IN_ONSEND = (5, 7)  # the version from which on it takes route() as well


def find(scope: Scope, call: Call, site: Site) -> Export | None:
    """The function that Kamailio takes for a call, or None."""
    arguments = len(call.args)
    for export in scope.functions(call.name):
        if export.takes(arguments) and export.bits & site.bits and export.order < site.order:
            return export
    return None


def check(context: Context) -> Iterator[Diagnostic]:
    scope = context.scope
    for call, site in context.index.calls:
        export = find(scope, call, site)
        if export is None:
            fault = _missing(call, site, scope)
            if fault is not None:
                yield fault
            continue
        if export.const:
            fault = _constants(call)
            if fault is not None:
                yield fault
        if call.name.startswith(_ASYNC) and export.module == "evapi":
            yield from _async(call, site, scope)
    for around, inner in context.index.inner_calls:
        yield Diagnostic(
            codes.CALL_IN_ARGUMENT,
            f"`{inner.name}` is called inside the arguments of `{around.name}`",
            inner.name_span,
            "call it first, keep what it gives in a variable, and pass the variable",
            (REFUSED,),
        )
    for call, site in context.index.core_calls:
        if site.block.kind is RouteKind.ONSEND and call.name not in _ONSEND:
            yield Diagnostic(
                codes.ROUTE_NOT_ALLOWED,
                f"`{call.name}` may not stand in an onsend_route",
                call.name_span,
                "",
                (REFUSED,),
            )
    if numbers(context.catalog.version) < _ROUTES_IN_ONSEND:
        for route, site in context.index.route_calls:
            if site.block.kind is RouteKind.ONSEND:
                yield Diagnostic(
                    codes.ROUTE_NOT_ALLOWED,
                    "`route` may not stand in an onsend_route",
                    route.span,
                    "later versions of Kamailio take it there",
                    (REFUSED,),
                )


def _missing(call: Call, site: Site, scope: Scope) -> Diagnostic | None:
    """Why no function was found: the nearest miss is reported."""
    name, span, arguments = call.name, call.name_span, len(call.args)
    exports = scope.functions(name)
    there = [export for export in exports if export.order < site.order]
    if arguments > MOST_ARGUMENTS and (not there or not any(e.arity == -128 for e in there)):
        return Diagnostic(
            codes.WRONG_ARGUMENT_COUNT,
            f"`{name}` gets {arguments} arguments, no function takes more than {MOST_ARGUMENTS}",
            span,
            "",
            (REFUSED,),
        )
    same_arity = [export for export in there if export.takes(arguments)]
    if same_arity:
        return Diagnostic(
            codes.ROUTE_NOT_ALLOWED,
            f"`{name}` may not be called in {_block(site)}",
            span,
            f"it may be called in {_blocks(same_arity)}",
            (REFUSED,),
        )
    if there:
        owners = history.of_function(name, arguments, there[0].module)
        return Diagnostic(
            codes.WRONG_ARGUMENT_COUNT,
            f"`{name}` takes {_arities(there)}, not {arguments}",
            span,
            exists(f"`{name}` with {_arguments(arguments)}", owners, scope.catalog, scope.loaded),
            (REFUSED,),
        )
    if exports:
        module = exports[0].module
        return module_loaded_later(f"`{name}`", module, span, scope.load_span(module), REFUSED)
    modules = scope.catalog.function_modules.get(name)
    if modules:
        return module_not_loaded(f"`{name}`", modules, span, scope, REFUSED)
    if scope.incomplete:
        return None
    other = exists(f"`{name}`", history.of_function(name), scope.catalog, scope.loaded)
    help = (
        other
        or (f"write `route({name})` to run that block" if name in scope.routes and not arguments else "")
        or did_you_mean(name, scope.function_names())
        or did_you_mean(name, scope.catalog.function_modules)
    )
    fix = None if other else respelling(span, name, scope.function_names())
    return Diagnostic(codes.UNKNOWN_FUNCTION, f"there is no function `{name}`", span, help, (REFUSED,), fix=fix)


def _constants(call: Call) -> Diagnostic | None:
    for number, argument in enumerate(call.args, 1):
        if not is_constant(argument):
            text = argument.span.text
            help = "it is read once, when Kamailio starts"
            if text.startswith("$") and "\n" not in text and len(text) < 60:
                help = f'write the variable inside a string: `"{text}"`'
            return Diagnostic(
                codes.NON_CONSTANT_ARGUMENT,
                f"argument {number} of `{call.name}` is not constant",
                argument.span,
                help,
                (REFUSED,),
            )
    return None


def _async(call: Call, site: Site, scope: Scope) -> Iterator[Diagnostic]:
    if "tm" not in scope.loaded:
        yield Diagnostic(
            codes.EVAPI_ASYNC_WITHOUT_TM,
            f"`{call.name}` needs module `tm`, which is not loaded",
            call.name_span,
            'add `loadmodule "tm.so"`',
            (FAILS_AT_RUN,),
            fix=loading(("tm",), scope),
        )
    elif site.block.kind is RouteKind.EVENT and (site.block.name or "").startswith(_NO_REQUEST):
        yield Diagnostic(
            codes.ASYNC_WITHOUT_REQUEST,
            f"`{call.name}` has no SIP request to suspend in {site.block.title}",
            call.name_span,
            f"`{call.name.replace('_async', '')}` sends without suspending anything",
            ("Kamailio makes up a request, parks that, and sends: an answer resumes nothing that anybody waits for",),
        )


_BLOCK_NAMES = {
    "REQUEST": "request_route and route[...]",
    "FAILURE": "failure_route",
    "TM_ONREPLY": "onreply_route[...]",
    "CORE_ONREPLY": "reply_route",
    "BRANCH": "branch_route",
    "ONSEND": "onsend_route",
    "EVENT": "event_route",
}


def _block(site: Site) -> str:
    return site.block.title


def _blocks(exports: list[Export]) -> str:
    bits = 0
    for export in exports:
        bits |= export.bits
    return blocks(bits)


def blocks(bits: int) -> str:
    """The kinds of blocks that a function with these `ROUTE_BITS` may stand in, in words; at least one bit is set."""
    if bits & ROUTE_BITS["REQUEST"]:
        bits |= ROUTE_BITS["EVENT"]
    names = [text for name, text in _BLOCK_NAMES.items() if bits & ROUTE_BITS[name]]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _arguments(number: int) -> str:
    return "no argument" if not number else "1 argument" if number == 1 else f"{number} arguments"


def _arities(exports: list[Export]) -> str:
    numbers = sorted({export.arity for export in exports if export.arity >= 0})
    if len(numbers) == 1:
        return _arguments(numbers[0])
    return f"{', '.join(map(str, numbers[:-1]))} or {numbers[-1]} arguments"
