"""Pass: scripts in Python and Lua: whether they can be read, and whether what the file wants of them is there
(modules/app_python3, modules/app_lua; core/kemi.c). Their text is read; nothing of it is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from evapi_cfg.check.context import Context
from evapi_cfg.check.script_text import NotPython, Outline, lua_outline, python_outline
from evapi_cfg.check.verdicts import FAILS_AT_START, LOGGED_AT_RUN, SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.modules import app_lua, app_python3
from evapi_cfg.source import SourceFile, Span, show
from evapi_cfg.syntax.ast import CfgEngine, Config, KemiParam, LoadModule, ModParam, RouteBlock, RouteKind, String
from evapi_cfg.syntax.files import read_file

ENGINES: Final = {"python": app_python3.NAME, "lua": app_lua.NAME}
_OUTLINES: Final[dict[str, Callable[[SourceFile], Outline]]] = {
    app_python3.NAME: python_outline,
    app_lua.NAME: lua_outline,
}
_PARAMS: Final = {app_python3.NAME: ("load", "script_name"), app_lua.NAME: ("load",)}


@dataclass(frozen=True, slots=True)
class _Script:
    at: Span  # where the cfg names it
    file: SourceFile
    outline: Outline


@dataclass(frozen=True, slots=True)
class _Callback:
    """A function that the file names, and the events that it is called for; none for SIP requests."""

    name: str
    at: Span
    events: tuple[str, ...] = ()


def engine_of(config: Config) -> CfgEngine | None:
    """What sets the file's engine; None where that is the language of the cfg itself."""
    items = [item for item in config.items if isinstance(item, CfgEngine)]
    return next((item for item in reversed(items) if item.name.value.lower() not in ("native", "default")), None)


def script_path(name: str, config: Config) -> str:
    """Where the script is that a modparam names: a relative name is one beside the file itself. In Kamailio it is one
    in its working directory, which is / unless -w names another."""
    name = show(name)
    return name if os.path.isabs(name) else os.path.join(os.path.dirname(config.files[0].name), name)


def script_params(config: Config, module: str, matches: Callable[[ModParam, str], bool]) -> list[String]:
    """The values that name scripts of a module, in the order of the file."""
    return [
        item.value
        for item in config.items
        if isinstance(item, ModParam)
        and item.name.value in _PARAMS[module]
        and isinstance(item.value, String)
        and not (item.expand and "$" in item.value.value)
        and matches(item, module)
    ]


def scripts_of(config: Config) -> list[str]:
    """Where the scripts are that a file names."""
    loaded = {item.module for item in config.items if isinstance(item, LoadModule)}
    named = [
        value.value
        for module in ENGINES.values()
        if module in loaded
        for value in script_params(config, module, _is_for)
    ]
    return [script_path(name, config) for name in named]


def check(context: Context) -> Iterator[Diagnostic]:
    config = context.config
    loads = {item.module: item for item in config.items if isinstance(item, LoadModule)}
    callbacks = _callbacks(context)
    engine = engine_of(config)
    if engine is None:
        yield from map(_not_called, (callback for callback in callbacks if callback.events))
    scripts: dict[str, list[_Script]] = {}
    complete = True
    for module in ENGINES.values():
        if module not in loads:
            continue
        for item, name in _named(config, module, loads[module]):
            found = _read(item, name, config, module)
            if isinstance(found, Diagnostic):
                yield found
                complete = False
            elif found is not None:
                scripts.setdefault(module, []).append(found)
    module = ENGINES.get(engine.name.value.lower(), "") if engine is not None else ""
    if module and complete and module in scripts:
        for callback in callbacks:
            yield from _judge(callback, scripts[module], module)


def _named(config: Config, module: str, load: LoadModule) -> Iterator[tuple[Span, str]]:
    """The places and the names of a module's scripts. Python has one: the last name counts."""
    params = script_params(config, module, _is_for)
    if module == app_python3.NAME:
        params = params[-1:]
        if not params and not any(isinstance(item, ModParam) and item.expand for item in config.items):
            yield load.name.span, app_python3.DEFAULT_SCRIPT
    for value in params:
        yield value.span, value.value


def _is_for(item: ModParam, module: str) -> bool:
    return module in item.modules.value.lower().split("|")


def _read(at: Span, name: str, config: Config, module: str) -> _Script | Diagnostic | None:
    path = script_path(name, config)
    try:
        text = read_file(path)
    except (OSError, ValueError) as error:
        reason = "it is a directory" if isinstance(error, IsADirectoryError) else _reason(error)
        help = ""
        if name == app_python3.DEFAULT_SCRIPT and at.text.strip('"') != name:
            help = 'name the script: `modparam("app_python3", "load", "FILE")`'
        elif not os.path.isabs(name):
            help = "a relative name is one beside the file itself; Kamailio looks in its working directory, see `-w`"
        message = f"the script `{path}` cannot be read: {reason}"
        return Diagnostic(codes.SCRIPT_NOT_READ, message, at, help, (FAILS_AT_START,))
    file = SourceFile(path, text)
    try:
        return _Script(at, file, _OUTLINES[module](file))
    except NotPython as error:
        related = (Related("loaded here", at),)
        message = f"this is no Python: {error.message}"
        return Diagnostic(codes.SCRIPT_SYNTAX, message, error.at, "", (FAILS_AT_START,), related)


def _reason(error: OSError | ValueError) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return f"{text[:1].lower()}{text[1:]}"


def _callbacks(context: Context) -> list[_Callback]:
    """What the file names, where no block of its own is run instead."""
    config, scope = context.config, context.scope
    blocks = [item for item in config.items if isinstance(item, RouteBlock)]
    own = {block.name for block in blocks if block.kind is RouteKind.EVENT}
    found: list[_Callback] = []
    for item in config.items:
        if isinstance(item, ModParam) and isinstance(item.value, String) and item.value.value:
            events = [
                event.told or event.name
                for module in scope.loaded
                if module in scope.specs and _is_for(item, module)
                for event in scope.specs[module].event_routes
                if event.callback == item.name.value and event.name not in own
            ]
            if events:
                found.append(_Callback(item.value.value, item.value.span, tuple(events)))
        elif isinstance(item, KemiParam) and item.value.value.lower() not in ("", "none"):
            if item.name == "event_route_callback":
                found.append(_Callback(item.value.value, item.value.span, ("core:worker-one-init",)))
            elif item.name == "request_route_callback" and not any(
                block.kind is RouteKind.REQUEST and block.name is None for block in blocks
            ):
                found.append(_Callback(item.value.value, item.value.span))
    return found


def _not_called(callback: _Callback) -> Diagnostic:
    return Diagnostic(
        codes.CALLBACK_NOT_CALLED,
        f"`{show(callback.name)}` is never called: the file has no cfgengine",
        callback.at,
        'add `cfgengine "python"` or `cfgengine "lua"` below the loadmodule of its language',
        (SILENT,),
    )


def _judge(callback: _Callback, scripts: list[_Script], module: str) -> Iterator[Diagnostic]:
    name = show(callback.name)
    if any(name in script.outline.functions for script in scripts):
        for script in scripts:
            for text, at in script.outline.compared.get(name, ()):
                if callback.events and text not in callback.events:
                    yield _unknown_event(text, at, callback)
    elif not any(script.outline.open for script in scripts):
        where = " and ".join(f"`{script.file.name}`" for script in scripts)
        other = next((script.outline.others[name] for script in scripts if name in script.outline.others), "")
        kind = "method" if module == app_python3.NAME else "global function"
        if other:
            help = f"`{name}` is {other}: {_CALLED[module]}"
        else:
            names = sorted({known for script in scripts for known in script.outline.functions})
            help = did_you_mean(name, names)
        note = SILENT if callback.events else LOGGED_AT_RUN
        message = f"there is no {kind} `{name}` in {where}"
        yield Diagnostic(codes.MISSING_CALLBACK, message, callback.at, help, (note,))


_CALLED: Final = {
    app_python3.NAME: "what is called are methods of the object that mod_init() gives",
    app_lua.NAME: "what is called are global functions",
}


def _unknown_event(text: str, at: Span, callback: _Callback) -> Diagnostic:
    names = ", ".join(f"`{event}`" for event in callback.events)
    return Diagnostic(
        codes.UNKNOWN_EVENT_NAME,
        f"no event of `{show(callback.name)}` is called `{text}`",
        at,
        did_you_mean(text, callback.events) or f"it is called for {names}",
        (SILENT,),
        (Related("named here", callback.at),),
    )
