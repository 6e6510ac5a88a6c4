"""Scripts in Python and Lua in the place of blocks of the cfg: Kamailio's KEMI (core/kemi.c).

`attach` loads the scripts that a program's file names and puts their functions where the engine looks for routes. It
runs code of the user's: only what runs a file calls it, never what checks one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeAlias

from evapi_cfg.check.scripts import engine_of, script_params, script_path
from evapi_cfg.compile.absent import Use
from evapi_cfg.compile.program import NotRun, Program, loaded_modules
from evapi_cfg.compile.setup import matched_modules
from evapi_cfg.kemi.ksr import Modf, rooms
from evapi_cfg.kemi.lua_scripts import LuaScript
from evapi_cfg.kemi.python_scripts import PythonScript
from evapi_cfg.kemi.script_error import ScriptError as ScriptError
from evapi_cfg.kemi.script_error import read_script
from evapi_cfg.modules import app_lua, app_python3, by_name
from evapi_cfg.modules.context import Route
from evapi_cfg.modules.core import WORKER_ONE_INIT
from evapi_cfg.source import Span, show
from evapi_cfg.syntax.ast import Config, KemiParam, LoadModule

CALLBACK_TIMEOUT: Final = 5.0  # seconds
Engine: TypeAlias = "PythonScript | LuaScript"


def attach(program: Program, callback_timeout: float = CALLBACK_TIMEOUT) -> Program:
    """The program with the functions of its scripts in the places that its file gives them.

    `callback_timeout`: seconds that a function of a script may take, 0 for any time. Raises ScriptError, with a place
    in the script or in the cfg.
    """
    config, world = program.config, program.world
    loads = {item.module: item for item in config.items if isinstance(item, LoadModule)}
    parts = rooms(loaded_modules(config, by_name)), Modf(program), tuple(loads), callback_timeout
    engines: dict[str, Engine] = {}
    if app_python3.NAME in loads:
        before = None if world.before is None else world.before.scripts.get(app_python3.NAME)
        python = engines["python"] = world.scripts[app_python3.NAME] = PythonScript(world, *parts, before)
        path = world.str_param(app_python3.NAME, "load", "") or world.str_param(app_python3.NAME, "script_name", "")
        at = _param_span(config, app_python3.NAME, path) or loads[app_python3.NAME].span
        names = (
            world.str_param(app_python3.NAME, "mod_init_function", "mod_init"),
            world.str_param(app_python3.NAME, "child_init_method", "child_init"),
        )
        path, text = _read(path or app_python3.DEFAULT_SCRIPT, config, at)
        python.load(path, text, *names)
    if app_lua.NAME in loads:
        try:
            lua = engines["lua"] = world.scripts[app_lua.NAME] = LuaScript(world, *parts)
        except ScriptError as error:
            raise ScriptError(error.message, loads[app_lua.NAME].span, error.help) from None
        # The one that the file names last is run first (app_lua_api.c: sr_lua_load_script).
        for name in reversed(world.params.get((app_lua.NAME, "load"), [])):
            at = _param_span(config, app_lua.NAME, str(name)) or loads[app_lua.NAME].span
            path, text = _read(str(name), config, at)
            lua.load(path, show(str(name)), text)
    engine = engine_of(config)
    if engine is None:
        return program
    script = engines.get(engine.name.value.lower())
    if script is None:
        name = engine.name.value
        use = Use(f'cfgengine "{name}"', "", engine.span, "")
        return replace(program, not_run=(*program.not_run, NotRun(use, ())))
    return _with_engine(program, script)


def _read(name: str, config: Config, at: Span) -> tuple[str, bytes]:
    path = script_path(name, config)
    return path, read_script(path, at)


def _param_span(config: Config, module: str, name: str) -> Span | None:
    """Where the file names a script; None where the name comes from elsewhere."""
    values = script_params(config, module, lambda item, module: bool(matched_modules(item.modules.value, (module,))))
    return next((value.span for value in reversed(values) if value.value == name), None)


# ---- where the engine looks for routes ------------------------------------------------------------------------------


def _with_engine(program: Program, script: Engine) -> Program:
    """A block of the file comes before a function in its place, but for replies (core/receive.c: receive_msg;
    evapi_dispatch.c: evapi_run_cfg_route)."""
    config, world = program.config, program.world
    callbacks = {item.name: item.value.value for item in config.items if isinstance(item, KemiParam)}
    main = dict(program.main)
    requests = callbacks.get("request_route_callback", "ksr_request_route")
    # Where there is no such function, only a file that asks for SIP gets to know so.
    if "request_route" not in main and (script.has(requests) or world.sockets):
        main["request_route"] = script.route(requests)
    replies = callbacks.get("reply_route_callback", "ksr_reply_route")
    if replies.lower() not in ("", "none") and script.has(replies):
        main["onreply_route"] = script.route(replies, required=False)
    events = dict(program.events)
    for module in loaded_modules(config, by_name):
        for event in module.event_routes:
            name = world.str_param(module.name, event.callback, "") if event.callback else ""
            if name and event.name not in events:
                events[event.name] = script.route(name, event.told or event.name, required=False)
                world.script_events.add(event.name)
    started = callbacks.get("event_route_callback", "")
    if started.lower() not in ("", "none"):
        events[WORKER_ONE_INIT] = script.route(started, WORKER_ONE_INIT, required=False)
    world.events = dict(events)
    known: dict[tuple[str, str], Route] = {}

    def by_its_name(name: str, event: str) -> Route:
        route = known.get((name, event))
        if route is None:
            route = script.route(name, event) if event else script.route(name)
            if len(known) < _ROUTES_KEPT:
                known[name, event] = route
        return route

    world.script_route = by_its_name
    world.script_has = script.has
    waiting = program.waiting - {f"event_route[{name}]" for name in events if name not in program.events}
    return replace(program, main=main, events=events, waiting=waiting)


_ROUTES_KEPT: Final = 256  # core/kemi.c: KEMI_CBNAME_LIST_SIZE
