"""From a checked configuration to a program: modules set up, routes compiled, ready for an engine.

Loading does no I/O. What a file uses of modules that do not run here is listed in `Program.not_run`.
"""

from __future__ import annotations

import ast
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from evapi_cfg.compile.absent import Absent, Use, reaching
from evapi_cfg.compile.emit import Emitter
from evapi_cfg.compile.setup import matched_modules, set_up
from evapi_cfg.compile.statements import Plan, Statements, function_definition
from evapi_cfg.modules.context import Run, World
from evapi_cfg.modules.resolve import NOWHERE, Names
from evapi_cfg.modules.spec import ModuleSpec
from evapi_cfg.steps import Steps, at_once
from evapi_cfg.syntax.ast import (
    Call,
    Config,
    ExprStatement,
    LoadModule,
    ModParam,
    Number,
    RouteBlock,
    RouteCall,
    RouteKind,
    Statement,
    String,
    Text,
)
from evapi_cfg.syntax.walk import walk

Route: TypeAlias = "Callable[[Run], int | Awaitable[int]]"
FILES: Final = "cfg files"  # in the globals of generated code: the files that it was made from


@dataclass(frozen=True, slots=True)
class NotRun:
    """A use of something of Kamailio that does not run here, and the blocks that reach it."""

    use: Use
    blocks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A loaded configuration. `events` are the event_route blocks by name, `routes` the route[NAME] ones, `main` those
    without a name by what they are called: `request_route`, `onreply_route` (written
    reply_route as well) ..."""

    config: Config
    world: World
    names: Names
    events: Mapping[str, Route]
    routes: Mapping[str, Route]
    main: Mapping[str, Route]
    waiting: frozenset[str]  # titles of blocks that may wait: their functions are coroutine functions
    not_run: tuple[NotRun, ...]
    namespace: Mapping[str, object]  # globals of the generated code


class Ending:
    """What a world has of its program's routes besides them: when the world goes, for nobody runs in it any more, the
    routes let go of each other. All of a program goes then without the garbage collector, which would stop the server
    for longer than a message may wait. So nothing that a world keeps may keep the world."""

    def __init__(self, namespace: dict[str, object]) -> None:
        self._namespace = namespace

    def __del__(self) -> None:
        # A run that waits may go together with its world, and still asks what it would have caught.
        for name in [name for name, value in self._namespace.items() if not isinstance(value, type)]:
            del self._namespace[name]


def loaded_modules(config: Config, specs: Mapping[str, ModuleSpec]) -> list[ModuleSpec]:
    """The modules of a file that run here, the core first, in the order of loading."""
    names = ["core", *(item.module for item in config.items if isinstance(item, LoadModule))]
    return [specs[name] for name in dict.fromkeys(names) if name in specs]


def load(
    config: Config,
    world: World,
    specs: Mapping[str, ModuleSpec],
    *,
    overrides: Iterable[tuple[str, str, int | str]] = (),
    module_of: Callable[[str], str] = lambda name: "",
) -> Program:
    """Sets the world up as the configuration says and compiles its routes.

    The configuration must be one that the checker found no errors in. `overrides` are modparams (module, name, value)
    that come after the file's. `module_of` tells which module of Kamailio has a function, variable or transformation.
    """
    return at_once(load_in_steps(config, world, specs, overrides=overrides, module_of=module_of))


def load_in_steps(
    config: Config,
    world: World,
    specs: Mapping[str, ModuleSpec],
    *,
    overrides: Iterable[tuple[str, str, int | str]] = (),
    module_of: Callable[[str], str] = lambda name: "",
) -> Steps[Program]:
    """As `load`, with a stop behind each statement of a block."""
    modules = loaded_modules(config, specs)
    names = Names(modules, world, avp_default=config.avp_default)
    world.resolver = names
    world.defines = config.defines
    set_up(config, world, modules, overrides)
    absent = Absent(module_of, lambda: names.route)
    for item in config.items:
        if isinstance(item, ModParam):
            _note_param(item, modules, absent)
    names.absent_variable = absent.variable
    names.absent_step = absent.step
    names.absent_select = absent.select
    namespace, blocks, plan = yield from _compile(config, world, names, absent)
    names.absent_variable = names.absent_step = names.absent_select = None
    world.ending = Ending(namespace)
    routes = {
        block.name: cast(Route, namespace[title])
        for title, block in blocks.items()
        if block.kind is RouteKind.REQUEST and block.name is not None
    }
    world.routes = dict(routes)
    world.failure_routes = {
        block.name: cast(Route, namespace[title])
        for title, block in blocks.items()
        if block.kind is RouteKind.FAILURE and block.name is not None
    }
    events = {
        block.name: cast(Route, namespace[title])
        for title, block in blocks.items()
        if block.kind is RouteKind.EVENT and block.name is not None
    }
    world.events = dict(events)
    main = {title: cast(Route, namespace[title]) for title, block in blocks.items() if block.name is None}
    not_run = tuple(NotRun(use, reaching(plan.calls, use.route)) for use in absent.uses.values())
    return Program(config, world, names, events, routes, main, frozenset(plan.waiting), not_run, namespace)


def _note_param(item: ModParam, modules: list[ModuleSpec], absent: Absent) -> None:
    """Records what a modparam asks for and what does not run here."""
    by_name = {module.name: module for module in modules}
    for name in matched_modules(item.modules.value, by_name):
        for param in by_name[name].params:
            if param.name != item.name.value:
                continue
            if not param.runs:
                absent.param(name, param.name, item.name.span)
            elif param.absent is not None and isinstance(item.value, (String, Number)):
                part = param.absent(item.value.value)
                if part:
                    absent.param(name, f"{param.name}: {part}", item.name.span)


def call_route(program: Program, name: str, texts: tuple[str, ...]) -> Route:
    """A call of a module's function as a route of its own, with arguments that stand in quotes, for what calls one by
    its name while routes run. Raises FixupError or NameRefused where the function refuses an argument."""
    span = NOWHERE
    arguments = tuple(String(span, Text(span, text)) for text in texts)
    statement = ExprStatement(span, Call(span, name, span, arguments))
    plan = Plan({}, Absent(lambda name: "", lambda: ""))
    if any(title.startswith("route[") for title in program.waiting):
        plan.waiting = {""}
    found = program.names.functions[name, len(texts)][1]
    waits = found.waits or (found.calls_route and bool(plan.waiting))
    namespace: dict[str, object] = {"__builtins__": {"len": len}}
    emit = Emitter(namespace)
    body = Statements(emit, program.names, plan, waits=waits).function_body((statement,))
    function = emit.place(function_definition("call", body, waits=waits), span)
    module = ast.fix_missing_locations(ast.Module([function], []))
    exec(compile(module, span.file.name, "exec"), namespace)
    return cast(Route, namespace["call"])


# ---- compiling -------------------------------------------------------------------------------------------------


def _compile(
    config: Config, world: World, names: Names, absent: Absent
) -> Steps[tuple[dict[str, object], dict[str, RouteBlock], Plan]]:
    blocks: dict[str, RouteBlock] = {}
    bodies: dict[str, tuple[Statement, ...]] = {}
    for item in config.items:
        if isinstance(item, RouteBlock):
            # A repeated request_route goes on with the first one.
            bodies[item.title] = (*bodies.get(item.title, ()), *item.body)
            blocks.setdefault(item.title, item)
    plan = yield from _plan(bodies, names, world, absent)
    namespace: dict[str, object] = {"__builtins__": {"len": len}, FILES: config.files}
    emit = Emitter(namespace)
    for title, body in bodies.items():
        names.route = title
        waits = title in plan.waiting
        block = blocks[title]
        statements = Statements(emit, names, plan, waits=waits)
        made = yield from statements.body_in_steps(body, gives_code=block.kind is not RouteKind.EVENT)
        function = emit.place(function_definition(title, made, waits=waits), block.span)
        module = ast.fix_missing_locations(ast.Module([function], []))
        yield
        exec(compile(module, block.span.file.name, "exec"), namespace)
        yield
    names.route = ""
    return namespace, blocks, plan


def _plan(bodies: Mapping[str, tuple[Statement, ...]], names: Names, world: World, absent: Absent) -> Steps[Plan]:
    """Which routes call which, and so which wait and which may reach themselves."""
    plan = Plan({title[6:-1]: title for title in bodies if title.startswith("route[")}, absent)
    limit = world.core.get("max_while_loops", 100)
    plan.max_while_loops = limit if isinstance(limit, int) else 100
    plan.raw_codes = world.core.get("return_mode", 0) == 1
    calls = plan.calls
    waiting: set[str] = set()
    for title, body in bodies.items():
        reached = calls.setdefault(title, set())
        for statement in body:
            for node in walk(statement):
                if isinstance(node, RouteCall):
                    reached.add(f"route[{node.target.value}]" if isinstance(node.target, Text) else "")
                elif isinstance(node, Call):
                    found = names.functions.get((node.name, len(node.args)))
                    if found is not None and found[1].waits:
                        waiting.add(title)
                    if found is not None and found[1].calls_route:
                        reached.add("")
            yield
    named = [title for title in bodies if title.startswith("route[")]
    calls[""] = set(named)
    changed = True
    while changed:
        changed = False
        for title, reached in calls.items():
            if title not in waiting and reached & waiting:
                waiting.add(title)
                changed = True
    plan.waiting = waiting | {title[6:-1] for title in waiting if title.startswith("route[")}
    cyclic = _reaching_a_cycle(calls)
    plan.recursive = {title[6:-1] for title in cyclic if title.startswith("route[")}
    return plan


def _reaching_a_cycle(calls: Mapping[str, set[str]]) -> set[str]:
    """The routes from which some route can be reached twice in a row; "" stands for a call by a run-time name."""
    safe: set[str] = set()
    changed = True
    while changed:
        changed = False
        for title, reached in calls.items():
            if title not in safe and all(other in safe or other not in calls for other in reached):
                safe.add(title)
                changed = True
    return set(calls) - safe
