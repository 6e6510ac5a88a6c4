"""Pass: loadmodule and modparam. Kamailio reads from top to bottom: a modparam sees the modules loaded above it
(core/sr_module.c: ksr_load_module; core/modparam.c: set_mod_param_regex)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from evapi_cfg.catalog import history
from evapi_cfg.check.context import Context
from evapi_cfg.check.faults import module_loaded_later
from evapi_cfg.check.loading import loading
from evapi_cfg.check.scope import ALWAYS, CORE, Scope
from evapi_cfg.check.targets import exists, span_of
from evapi_cfg.check.verdicts import FAILS_AT_START, REFUSED, SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.fixes import respelling
from evapi_cfg.diagnostics.model import Diagnostic, Fix, Related
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.modules.spec import Param
from evapi_cfg.syntax.ast import CfgEngine, LoadModule, ModParam, Number, PVar, String
from evapi_cfg.values import parse_int

_ENGINES = {
    "lua": ("app_lua",),
    "jsdt": ("app_jsdt",),
    "python": ("app_python3", "app_python3s", "app_python"),
    "ruby": ("app_ruby",),
    "sqlang": ("app_sqlang",),
}  # which module gives a config engine; native and default are the core's


MAX_PORT = 65535


class _Known(NamedTuple):
    """A parameter of one module, from both sources."""

    types: frozenset[str]  # "int", "str"
    spec: Param | None
    callback: bool  # the module is handed the value while the file is read


def check(context: Context) -> Iterator[Diagnostic]:
    scope = context.scope
    loads: dict[str, LoadModule] = {}
    for order, item in enumerate(context.config.items):
        if isinstance(item, LoadModule):
            yield from _load(item, loads, scope)
        elif isinstance(item, ModParam):
            yield from _modparam(item, order, loads, scope)
        elif isinstance(item, CfgEngine):
            yield from _engine(item, loads)


def _load(load: LoadModule, loads: dict[str, LoadModule], scope: Scope) -> Iterator[Diagnostic]:
    name = load.module
    first = loads.setdefault(name, load)
    if first is not load:
        yield Diagnostic(
            codes.MODULE_LOADED_TWICE,
            f"module `{name}` is loaded twice",
            load.name.span,
            "remove one of the lines",
            (REFUSED,),
            (Related("first loaded here", first.name.span),),
        )
    elif name not in scope.specs and scope.module(name) is None:
        version = scope.catalog.version
        if scope.catalog.known(name):
            yield Diagnostic(
                codes.UNKNOWN_MODULE,
                f"there is no module `{name}` in Kamailio {version}",
                load.name.span,
                f"module `{name}` exists {span_of(history.of_module(name))}",
                (REFUSED,),
            )
        else:
            yield Diagnostic(
                codes.UNKNOWN_MODULE,
                f"there is no module `{name}`",
                load.name.span,
                did_you_mean(name, scope.catalog.names),
                (REFUSED,),
                fix=respelling(load.name.span, name, scope.catalog.names),
            )


def _modparam(item: ModParam, order: int, loads: dict[str, LoadModule], scope: Scope) -> Iterator[Diagnostic]:
    pattern = item.modules.value
    matched = scope.meant_by(pattern, loads)
    if matched is None:
        yield Diagnostic(
            codes.BAD_REGEX,
            "the modules of a modparam are a regular expression, and this one does not compile",
            item.modules.span,
            "write one name, or several like `tm|sl`",
            (REFUSED,),
        )
        return
    if not matched:
        unread = any(scope.loaded.get(name) == ALWAYS for name in pattern.split("|"))
        if not unread and all(name in scope.specs or scope.module(name) for name in loads):
            yield _no_module(item, order, scope)
        return
    for module in matched:
        fault = _param(item, module, scope)
        if fault is not None:
            yield fault
            return


def _no_module(item: ModParam, order: int, scope: Scope) -> Diagnostic:
    span = item.modules.span
    for name in item.modules.value.split("|"):
        if scope.loaded.get(name, order) > order:
            return module_loaded_later(f"modparam `{item.name.value}`", name, span, scope.load_span(name), REFUSED)
    for name in item.modules.value.split("|"):
        if name in scope.specs or scope.catalog.known(name):
            return Diagnostic(
                codes.MODULE_NOT_LOADED,
                f"module `{name}` is not loaded",
                span,
                f'add `loadmodule "{name}.so"` above',
                (REFUSED,),
                fix=loading((name,), scope) if scope.module(name) else None,
            )
    loaded = [name for name in scope.loaded if name != CORE]
    help = did_you_mean(item.modules.value, loaded) or did_you_mean(item.modules.value, scope.catalog.names)
    message = f"no loaded module matches `{item.modules.value}`"
    fix = respelling(span, item.modules.value, loaded)
    return Diagnostic(codes.UNKNOWN_MODULE, message, span, help, (REFUSED,), fix=fix)


def _param(item: ModParam, module: str, scope: Scope) -> Diagnostic | None:
    name = item.name.value
    known = _known(module, name, scope)
    if known is None:
        exports, spec = scope.module(module), scope.specs.get(module)
        if exports is None and spec is None:
            return None
        names = [*(exports.params if exports else ()), *((p.name for p in spec.params) if spec else ())]
        return Diagnostic(
            codes.UNKNOWN_MODPARAM,
            f"module `{module}` has no parameter `{name}`",
            item.name.span,
            exists(f"`{name}`", history.of_param(module, name), scope.catalog, (module,))
            or did_you_mean(name, names)
            or ("" if names else f"module `{module}` has no parameters"),
            (REFUSED,),
            fix=respelling(item.name.span, name, names),
        )
    if isinstance(item.value, PVar):
        return None
    given = "int" if isinstance(item.value, Number) else "str"
    if given not in known.types:
        return _wrong_type(item, module, given)
    value = item.value.value
    if known.spec is None or known.spec.check is None or (item.expand and "$" in str(value)):
        return None
    refused = known.spec.check(value)
    if refused is None:
        return None
    return Diagnostic(
        codes.BAD_BIND_ADDR if name == "bind_addr" else codes.BAD_MODPARAM_VALUE,
        f"bad value for `{name}`: {refused}",
        item.value.span,
        "",
        (_verdict(known, value),),
    )


def _verdict(known: _Known, value: int | str) -> str:
    if known.spec is not None and known.spec.taken:
        return SILENT
    if known.callback or (known.spec is not None and (known.spec.parsed or known.spec.set is not None)):
        return REFUSED  # what a callback is given it looks at while the file is read
    port = str(value).rpartition(":")[2]
    if known.spec is not None and known.spec.name == "bind_addr" and port.isdecimal() and int(port) > MAX_PORT:
        return f"Kamailio starts, and listens on port {int(port) & MAX_PORT}"
    return FAILS_AT_START


def _known(module: str, name: str, scope: Scope) -> _Known | None:
    exports, spec = scope.module(module), scope.specs.get(module)
    found = next((param for param in spec.params if param.name == name), None) if spec else None
    types = {"int" if param.type == "int" else "str" for param in exports.params.get(name, ())} if exports else set()
    if found is not None and not types:
        types.add("int" if found.type is int else "str")
    callback = any(param.callback for param in exports.params.get(name, ())) if exports else False
    return _Known(frozenset(types), found, callback) if types else None


def _wrong_type(item: ModParam, module: str, given: str) -> Diagnostic:
    value = item.value
    help, fix = "", None
    if isinstance(value, String):
        text = value.value
        if text.isascii() and text.removeprefix("-").isdecimal():
            help = f"write `{text}` without the quotes"
            if parse_int(text) is not None and value.span.text == f'"{text}"':
                fix = Fix(value.span, text)
        message = f"`{item.name.value}` of module `{module}` takes a number, this is a string"
    else:
        assert isinstance(value, Number)
        help = f'write `"{value.value}"`'
        message = f"`{item.name.value}` of module `{module}` takes a string, this is a number"
    return Diagnostic(codes.WRONG_MODPARAM_TYPE, message, value.span, help, (REFUSED,), fix=fix)


def _engine(item: CfgEngine, loads: dict[str, LoadModule]) -> Iterator[Diagnostic]:
    name = item.name.value
    modules = _ENGINES.get(name.lower())
    if name.lower() in ("native", "default") or (modules and any(module in loads for module in modules)):
        return
    help = did_you_mean(name, ("native", *_ENGINES))
    if modules:
        help = f'add `loadmodule "{modules[0]}.so"` above'
    yield Diagnostic(
        codes.BAD_CFGENGINE, f"no loaded module gives the config engine `{name}`", item.name.span, help, (REFUSED,)
    )
