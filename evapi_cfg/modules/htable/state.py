"""What the module keeps for a world: the tables, who holds which lock, the iterators, the timer."""

from __future__ import annotations

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.htable.definition import BadDefinition, parse
from evapi_cfg.modules.htable.expiry import MOD_INIT, Expiry, process_run
from evapi_cfg.modules.htable.iterators import Iterators
from evapi_cfg.modules.htable.table import Table
from evapi_cfg.modules.locks import Locks
from evapi_cfg.modules.routes import Routes

_INTERVAL = 20  # seconds


class State:
    def __init__(self, world: World) -> None:
        self.tables: dict[str, Table] = {}  # in the order of their definitions
        # Items live as long as they should although the machine's clock is set in the meantime.
        clock = world.clock
        start = clock.now() - clock.monotonic()

        def now() -> float:
            return start + clock.monotonic()

        for value in world.params.get(("htable", "htable"), ()):
            try:
                definition = parse(str(value))
            except BadDefinition as error:  # a file with it is refused, so it has come from elsewhere
                world.log(Level.ERROR, "htable", str(error))
                continue
            self.tables[definition.name] = Table(definition, now)
        interval = world.int_param("htable", "timer_interval", _INTERVAL)
        self.expiry = Expiry(world, self.tables, interval if interval > 0 else _INTERVAL)
        self.locks: Locks[tuple[str, int]] = Locks()  # of slots, by the names of their tables
        self._iterators: dict[int, Iterators] = {}

    def iterators(self, run: Run) -> Iterators:
        """Those of the run's process: the runs of one process of Kamailio are those with one space of $var."""
        return self._iterators.setdefault(id(run.vars), Iterators())


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


def _begun(run: Run) -> None:
    if run.dropped:
        run.log(Level.ERROR, "htable", f"`drop` in {run.route}: Kamailio does not start with this")
