"""A new program takes over from the one that runs, between two messages.

A *generation* is a program with its world: compiled routes, names, modparams and other settings of the file, scripts.
`prepare` makes the next one beside the one that runs, step by step with messages in between; it touches nothing of the
one that runs, and may be given up at any moment. `take_over` is short: it moves what lives on from the old world to the
new one, and from then on the engine runs the new routes.

What lives on is what a restart would lose: clients with their tags and half-received frames, messages that wait for
their turn, $shv, the spaces of $var, tables and queues with what is in them, locks and flags, transactions with their
timers, requests that are parked, and settings that were changed by RPC, unless the file says another value than it did.
Modparams that say what something begins with (`shvset`, `varset`, `initial_gflags`) count for what is not there yet.
Timers of rtimer and timer go on where they are declared as before; others begin, or end. event_route[htable:mod-init]
and event_route[core:worker-one-init] belong to the start, and do not run again.

Runs that are under way, because they sleep or wait for an answer, come to their end in the generation in which they
began: their `run.world` is the old one. So the old generation is there as long as something needs it, and no longer. A
parked request is resumed in the generation in force if that has the route; else in the one that has parked it. The
same goes for the failure_route of one that nobody resumes, and for the answer to an HTTP query.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from evapi_cfg.check.elsewhere import Prints, prints_of
from evapi_cfg.check.report import Report
from evapi_cfg.compile.program import Program, loaded_modules
from evapi_cfg.modules import by_name
from evapi_cfg.modules.context import Log, Reload, World
from evapi_cfg.modules.spec import ModuleSpec
from evapi_cfg.runtime.engine import Engine
from evapi_cfg.runtime.loading import ConfigError, Loading
from evapi_cfg.source import Span, show
from evapi_cfg.steps import Steps
from evapi_cfg.syntax.ast import Config, Item, Listen, RouteBlock
from evapi_cfg.timers import Timers

# What sockets, decoders and the engine's turns are made of.
_FIXED_PARAMS: Final = (("evapi", "bind_addr"), ("evapi", "netstring_format"), ("evapi", "workers"))
_FIXED_CORE: Final = (
    "port", "disable_tcp", "msg_recv_max_size", "tcp_max_connections", "tcp_connection_lifetime",
)  # fmt: skip
_NAMED: Final = 5  # routes that are named where many have changed


class _Held:
    """Log lines that a program causes while it is made; they are written when it takes over, or is given up."""

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold
        self._lines: list[tuple[int, str, str, Span | None, str]] = []

    def __call__(self, level: int, source: str, message: str, at: Span | None = None, route: str = "") -> None:
        self._lines.append((level, source, message, at, route))

    def write(self, log: Log) -> None:
        for line in self._lines:
            log(*line)
        self._lines.clear()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A program that can take over. `report` is that of its file, without the bodies of its routes."""

    program: Program
    report: Report
    changed: tuple[str, ...]
    kept: tuple[str, ...]
    prints: Prints
    timers: Timers
    held: _Held


def prepare(engine: Engine, report: Report, loading: Loading, prints: Prints | None = None) -> Steps[Prepared]:
    """Compiles a configuration beside the one that runs; `prints` are those of its blocks, if they are known. Raises
    ConfigError, and OverrideRefused for the modparams."""
    before = engine.program
    held = _Held(before.world.log.threshold)
    world = _successor(before.world, held)
    program = yield from loading.program(report, world)
    kept = list(_keep_fixed(world, before.world, report.config, before.config))
    if engine.sip_unasked and (world.sockets or "request_route" in program.main):
        kept.append("no SIP, which the file did not ask for when the server began")
    old = engine.prints if engine.prints is not None else (yield from prints_of(before.config))
    if prints is None:
        prints = yield from prints_of(report.config)
    changed = tuple(_changes(old, prints, before.config, report.config))
    # The bodies are most of what there is to a program, and nobody asks for them any more.
    slim = replace(report.config, items=tuple(map(_without_body, report.config.items)))
    report = replace(report, config=slim)
    return Prepared(replace(program, config=slim), report, changed, tuple(kept), prints, world.timers, held)


def take_over(engine: Engine, prepared: Prepared, loading: Loading) -> Reload:
    """Puts a program in force. Raises ConfigError where a script of its does not load; nothing has changed then."""
    engine.start()
    program, before = prepared.program, engine.program
    world, old = program.world, before.world
    if world.before is not old:
        raise RuntimeError("another program has taken over since this one was prepared")
    prepared.held.write(old.log)
    added = _share(world, old)
    try:
        program = loading.with_scripts(program, prepared.report)
    except ConfigError:
        for name in added:
            del old.shv[name]
        raise
    old.timers.adopt(prepared.timers)
    for space in (old.vars, *old.line.spaces.values()):
        for name, value in world.vars.items():
            space.setdefault(name, value)
    modules = _by_name(program.config)
    modules_before = _by_name(before.config)
    for name, module in modules.items():
        if name in modules_before and module.reload is not None:
            module.reload(world, old)
    engine.take_over(program)
    engine.prints = prepared.prints
    world.line.current = world
    world.before = None
    world.generation_since = world.clock.now()
    for name, module in modules_before.items():
        if name not in modules and module.stop is not None:
            module.stop(old)
    for name, module in modules.items():
        if name not in modules_before and module.start is not None:
            module.start(world)
    return Reload(world.generation, prepared.changed, prepared.kept)


def _by_name(config: Config) -> dict[str, ModuleSpec]:
    return {module.name: module for module in loaded_modules(config, by_name)}


# ---- the two worlds -------------------------------------------------------------------------------------------------


def _successor(old: World, log: Log) -> World:
    """A world for the next program. What is shared with the one before is only read until it takes over."""
    world = World(hub=old.hub, log=log, clock=old.clock, random=old.random)
    world.before, world.line = old, old.line
    world.generation = old.generation + 1
    world.started, world.pid, world.permits = old.started, old.pid, old.permits
    world.reloads = old.reloads
    return world


def _share(world: World, old: World) -> list[str]:
    """Gives the new world what lives on; the names of $shv that are new."""
    added = [name for name in world.shv if name not in old.shv]
    for name in added:
        old.shv[name] = world.shv[name]
    world.shv = old.shv
    for name in world.vars.keys() & old.vars.keys():
        world.vars[name] = old.vars[name]
    world.request_vars, world.timer_vars = old.request_vars, old.timer_vars
    world.log, world.timers, world.outbox, world.outside = old.log, old.timers, old.outbox, old.outside
    world.sockets, world.runs, world.perform = old.sockets, old.runs, old.perform
    _keep_settings(world, old)
    world.selected = {group: at for group, at in old.selected.items() if (group, at) in world.custom_instances}
    return added


def _keep_settings(world: World, old: World) -> None:
    """A setting of cfg_get that the file gives what it gave before stays what has become of it."""
    for key, value in world.given.items():
        if old.given.get(key) == value and key in old.custom:
            world.custom[key] = old.custom[key]
    groups = {group for group, _name in world.custom}
    for place in old.given_instances.keys() | old.custom_instances.keys():
        given, given_before = world.given_instances.get(place), old.given_instances.get(place)
        own = old.custom_instances.get(place)
        if place[0] not in groups or (given is None and given_before is not None):
            continue
        if own is None:
            if given == given_before:
                world.custom_instances.pop(place, None)
            continue
        new = world.custom_instances.setdefault(place, {})
        for name in own.keys() | new.keys():
            if (given or {}).get(name) != (given_before or {}).get(name):
                continue
            if name in own:
                new[name] = own[name]
            else:
                new.pop(name, None)


# ---- what cannot change ---------------------------------------------------------------------------------------------


def _keep_fixed(world: World, old: World, config: Config, config_before: Config) -> Iterable[str]:
    """Gives the new world the settings that only a restart can change, and tells which the file has otherwise."""
    for module, name in _FIXED_PARAMS:
        default = next(param.default for param in by_name[module].params if param.name == name)
        assert default is not None
        wanted, stays = (each.param(module, name, default) for each in (world, old))
        if wanted != stays:
            yield f"{name} of module {module} ({show(str(stays))} stays)"
        world.params[module, name] = [stays]
    for name in _FIXED_CORE:
        if world.core.get(name) != old.core.get(name):
            yield f"{name} ({show(str(old.core[name]))} stays)" if name in old.core else name
        world.core.pop(name, None)
        if name in old.core:
            world.core[name] = old.core[name]
    if [item for item in config.items if isinstance(item, Listen)] != [
        item for item in config_before.items if isinstance(item, Listen)
    ]:
        yield "listen"


# ---- what has changed -----------------------------------------------------------------------------------------------


def _without_body(item: Item) -> Item:
    return replace(item, body=()) if isinstance(item, RouteBlock) else item


def _changes(old: Prints, new: Prints, config_before: Config, config: Config) -> Iterable[str]:
    others = [title for title in new if title in old and old[title] != new[title]]
    yield from _counted(others, "changed")
    yield from _counted([title for title in new if title not in old], "new")
    yield from _counted([title for title in old if title not in new], "gone")
    if _settings(config_before) != _settings(config):
        yield "settings changed"


def _counted(titles: list[str], what: str) -> Iterable[str]:
    if titles:
        named = ", ".join(titles[:_NAMED]) + (", ..." if len(titles) > _NAMED else "")
        yield f"{len(titles)} {'route' if len(titles) == 1 else 'routes'} {what} ({show(named)})"


def _settings(config: Config) -> tuple[object, ...]:
    return (config.defines, *(item for item in config.items if not isinstance(item, RouteBlock)))
