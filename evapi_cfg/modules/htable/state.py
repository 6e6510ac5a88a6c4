"""What the module keeps for a world: the tables, who holds which lock, the iterators, the timer."""

from __future__ import annotations

from collections.abc import Callable

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.htable.definition import BadDefinition, Definition, parse
from evapi_cfg.modules.htable.expiry import MOD_INIT, Expiry, process_run
from evapi_cfg.modules.htable.iterators import Iterators
from evapi_cfg.modules.htable.table import Table
from evapi_cfg.modules.locks import Locks
from evapi_cfg.modules.routes import Routes

_INTERVAL = 20  # seconds


class State:
    """`tables` are those that the file defines, in its order, and `definitions` what it says of them.

    `kept` are all that were defined since the server began: one that the file has no more still loses what expires,
    and is there again with its items when the file has it again. Programs that come one after the other have the same
    tables."""

    def __init__(self, world: World) -> None:
        found = None if world.before is None else world.before.state.get("htable")
        before = found if isinstance(found, State) else None
        self.kept: dict[str, Table] = {} if before is None else dict(before.kept)
        self.tables: dict[str, Table] = {}
        self.definitions: dict[str, Definition] = {}
        self.now: Callable[[], float] = _steady(world) if before is None else before.now
        for value in world.params.get(("htable", "htable"), ()):
            try:
                definition = parse(str(value))
            except BadDefinition as error:  # a file with it is refused, so it has come from elsewhere
                world.log(Level.ERROR, "htable", str(error))
                continue
            table = self.kept.get(definition.name) or Table(definition, self.now)
            self.tables[definition.name] = self.kept[definition.name] = table
            self.definitions[definition.name] = definition
        interval = world.int_param("htable", "timer_interval", _INTERVAL)
        self._interval = interval if interval > 0 else _INTERVAL
        self.expiry: Expiry = Expiry(world, self.tables, self._interval) if before is None else before.expiry
        self.locks: Locks[tuple[str, int]] = Locks()  # of slots, by the names of their tables
        self._iterators: dict[int, Iterators] = {}

    def iterators(self, run: Run) -> Iterators:
        """Those of the run's process: the runs of one process of Kamailio are those with one space of $var."""
        return self._iterators.setdefault(id(run.vars), Iterators())

    def take_over(self, world: World, before: State) -> None:
        """The tables are from now on as they are defined here."""
        for name, definition in self.definitions.items():
            table = self.tables[name]
            if table.definition != definition:
                table.redefine(definition)
        self.locks, self._iterators = before.locks, before._iterators
        self.expiry.take_over(world, self.kept, self._interval)


def _steady(world: World) -> Callable[[], float]:
    """The time of day as it was at the start and goes on: items live as long as they should although the machine's
    clock is set in the meantime."""
    monotonic = world.clock.monotonic
    start = world.clock.now() - monotonic()
    return lambda: start + monotonic()


def state_of(world: World) -> State:
    state = world.state["htable"]
    assert isinstance(state, State)
    return state


def table_of(run: Run, name: str) -> Table | None:
    return state_of(run.world).tables.get(name)


def start(world: World) -> None:
    """Runs event_route[htable:mod-init] and starts the timer. Where `event_callback_mode` is 0 the event belongs to the
    process that becomes all others, so that they begin with the $var that it leaves (htable.c: child_init)."""
    state_of(world).expiry.start()
    route = world.events.get(MOD_INIT)
    if route is None:
        return
    mode = world.int_param("htable", "event_callback_mode", 0)
    if mode in (0, 1):
        vars = world.request_vars if mode else world.vars
        run = process_run(world, vars, f"event_route[{MOD_INIT}]", Routes.REQUEST)
        world.perform(route, run, _begun)


def reload(world: World, before: World) -> None:
    state_of(world).take_over(world, state_of(before))


def stop(world: World) -> None:
    state_of(world).expiry.stop()


def _begun(run: Run) -> None:
    if run.dropped:
        run.log(Level.ERROR, "htable", f"`drop` in {run.route}: Kamailio does not start with this")
