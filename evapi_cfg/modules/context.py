"""What a route sees while it runs: the run itself, the world that outlives it, and the event it is about.

Module functions and pseudo-variables get a `Run`. They do no I/O: what reaches a client goes through `World.hub`, what
reaches the log through `World.log`, time and chance through `World.clock` and `World.random`.
"""

from __future__ import annotations

import random as _random
import time as _time
from collections.abc import Awaitable, Callable, Generator, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from evapi_cfg.modules.routes import Routes
from evapi_cfg.sip.message import made_here
from evapi_cfg.source import Span
from evapi_cfg.timers import Timers
from evapi_cfg.values import Value

if TYPE_CHECKING:
    from evapi_cfg.modules.outside import Outside
    from evapi_cfg.modules.pv.xavp import Xavp
    from evapi_cfg.modules.rpc import Answer, RpcCommand
    from evapi_cfg.modules.spec import Resolver
    from evapi_cfg.sip.message import Message, Received, Socket
    from evapi_cfg.sip.transaction import Outgoing, Transaction


class Level(IntEnum):
    """Kamailio's log levels, core/dprint.h. A level is written where it is not above the threshold (`debug`)."""

    ALERT = -5
    BUG = -4
    CRITICAL = -3
    ERROR = -1
    WARNING = 0
    NOTICE = 1
    INFO = 2
    DEBUG = 3


class Client(Protocol):
    """A connected application, as far as scripts can see it."""

    conidx: int
    address: str
    port: int
    tag: str | None
    connected: bool


class ClientView(NamedTuple):
    """A connected client from outside. `queued`: bytes that it has not taken yet; `waiting`: messages of its own that
    wait for their turn; `received` and `sent`: messages from it and to it so far, and their bytes with all framing."""

    conidx: int
    address: str
    port: int
    tag: str | None
    queued: int
    waiting: int
    received: int
    sent: int
    received_bytes: int
    sent_bytes: int


class Hub(Protocol):
    """The clients of the event server. Data is text with one character per byte; each call gives the number of
    clients that it reached."""

    def relay(self, data: str) -> int: ...
    def multicast(self, data: str, tag: str) -> int: ...
    def unicast(self, data: str, tag: str) -> int: ...
    def close(self, client: Client) -> None: ...
    def set_tag(self, client: Client, tag: str) -> None: ...
    def views(self) -> list[ClientView]:
        """All that are connected, by conidx."""
        ...

    def measures(self) -> Mapping[str, Answer]:
        """What is counted, of clients and of all else: see `evapi-cfg.metrics`."""
        ...


class Log(Protocol):
    """Where log lines go. `source` is `script` for what xlog and its like write, else a module's name or `core`."""

    threshold: int

    def __call__(self, level: int, source: str, message: str, at: Span | None = None, route: str = "") -> None: ...


class ScriptOver(Exception):
    """`exit`, `drop` or a return code of 0 inside an expression: nothing more of the script runs (core/action.c leaves
    with a longjmp). Where such a code comes up in a statement, routes return instead, which is faster."""


class Clock(Protocol):
    """Time, handed in so that tests own it."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never set back."""
        ...


class SystemClock:
    now = staticmethod(_time.time)
    monotonic = staticmethod(_time.monotonic)


class Pause:
    """`await run.pause(seconds)`: the run stops here and the engine goes on with it later; nobody else waits."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[Pause, None, None]:
        yield self


class Reloads(Protocol):
    """Who reads the file again, checks and compiles it, and lets the new program take over."""

    refused: int  # how many times the file was not taken
    last_refusal: tuple[str, ...]  # what was wrong with it when it was read last; nothing where it was taken

    def ask(self, done: Callable[[Reload, float], None]) -> None:
        """Begins; `done` is told what came of it, and how many seconds it has taken."""
        ...


class Reload(NamedTuple):
    """What came of reading the file again. `generation`: the number of the program in force now; `changed`: what is
    other than before, `kept`: what only a restart could change. `faults`: why the file was not taken, if it was not."""

    generation: int
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


Route = Callable[["Run"], "int | Awaitable[int]"]


class Runner(Protocol):
    """What runs a compiled block that no other block calls: it looks after waiting and after bugs."""

    def __call__(self, route: Route, run: Run, done: Callable[[Run], None]) -> None:
        """Runs it, and calls `done` with the run when it has come to its end."""
        ...


class Script(Protocol):
    """A loaded script in another language, whose functions a route can call by their names."""

    def call(self, run: Run, name: str, *texts: str) -> int:
        """Runs a function; its return code, -1 where there is none of that name or where it fails."""
        ...

    def names(self) -> list[str]:
        """The files that are loaded, as the cfg names them, in the order in which they were run."""
        ...

    def run_again(self, number: int | None = None) -> None:
        """Loads all files once more, or the one with a number from 0; what fails is logged, and the old stays."""
        ...

    def run_text(self, run: Run, what: str, text: str) -> int:
        """Runs a text of the script's language, where `what` is a function of its module that does: 1 or -1."""
        ...


class Line:
    """The worlds of programs that come one after the other. `current` is that of the one in force; `spaces` are all
    spaces of $var, each of which has every name that one of the programs uses."""

    def __init__(self, current: World) -> None:
        self.current = current
        self.spaces: dict[int, dict[str, int | str]] = {}  # by their places


class World:
    """All that outlives one run: shared variables, modparams, the hub, the log, the clock.

    Each program has one of its own. Where a program takes over from another, what lives on moves from world to world:
    see runtime/reload.py. `before` is the world that it will take over from, until it does.

    `state` holds one object for each module that needs one, by the module's name, made by its spec's `init`.
    `routes` are the compiled route[NAME] blocks by name, `failure_routes` and `events` those of their kinds.
    `scripts` are what app_python3 and app_lua have loaded, by their names. `script_route` is there where one of them is
    the file's cfgengine: it gives a function of that script as a route, by its name and that of the event that it is
    told; `script_events` are the events that run one.
    `outbox` has the SIP messages that are to be sent: to where a request came from, at this port, and the text.
    """

    def __init__(self, *, hub: Hub, log: Log, clock: Clock | None = None, random: _random.Random | None = None) -> None:
        self.hub = hub
        self.log = log
        self.clock: Clock = clock or SystemClock()
        self.random = random or _random.Random()
        self.shv: dict[str, int | str] = {}
        self.params: dict[tuple[str, str], list[int | str]] = {}  # (module, modparam) -> values in the file's order
        self.core: dict[str, int | str] = {}  # core parameters that were set
        self.defines: dict[str, str | None] = {}
        self.custom: dict[tuple[str, str], int | str] = {}  # cfg_get group, name
        self.custom_instances: dict[tuple[str, int], dict[str, int | str]] = {}  # group[N].name
        # What the file has given these two, whatever they have become since then.
        self.given: dict[tuple[str, str], int | str] = {}
        self.given_instances: dict[tuple[str, int], dict[str, int | str]] = {}
        self.custom_texts: dict[tuple[str, str], str] = {}  # what the file says that they are
        self.selected: dict[str, int] = {}  # cfg_select: the instance in force of a group
        self.flags: dict[str, int] = {}  # declared flag names
        self.sockets: list[Socket] = []  # the listening sockets for SIP, as the file names them
        self.aliases: list[tuple[int, str, int]] = []  # protocol, host, port; 0 as one of the numbers is any
        self.state: dict[str, object] = {}
        self.loaded: list[str] = []  # the modules that the file loads
        self.commands: dict[str, RpcCommand] = {}  # what can be called from outside, by name
        self.routes: dict[str, Route] = {}
        self.failure_routes: dict[str, Route] = {}
        self.events: dict[str, Route] = {}
        self.scripts: dict[str, Script] = {}
        self.script_has: Callable[[str], bool] | None = None  # whether the script that is the cfgengine has a function
        self.script_route: Callable[[str, str], Route] | None = None
        self.script_events: set[str] = set()
        self.perform: Runner = _perform
        self.before_request: list[Callable[[Run], bool]] = []  # what modules do with each request: see ModuleSpec
        self.after_request: list[Callable[[Run], None]] = []
        self.timers = Timers(self.clock.monotonic)
        self.outside: Outside | None = None  # None: nobody is there who could do it
        self.permits: frozenset[str] = frozenset()  # what `evapi-cfg run --allow-...` allows, such as `exec`
        self.outbox: list[tuple[Received, int, str]] = []
        self.server_header = ""  # the header line of that name in replies, with its end
        self.request_vars: dict[str, int | str] = {}  # $var of the blocks that SIP requests run
        self.timer_vars: dict[str, int | str] = {}  # $var of those that run because time has passed
        self.vars: dict[str, int | str] = {}  # what each space of $var starts with: every name in use is in it
        self.resolver: Resolver | None = None  # for strings that become variables only while a route runs (pv_evalx)
        self.started: float = self.clock.now()
        self.line = Line(self)
        self.before: World | None = None
        self.generation = 1  # of the program: each that takes over is one more
        self.generation_since = self.started
        self.ending: object = None  # what is to go with the world
        self.reloads: Reloads | None = None  # None: nobody is there who could read the file again
        self.runs = 1  # counts runs: the number of a run's made-up message, $mi; Kamailio has used up 1 at its start
        self.max_recursive_level = 256  # action lists inside each other, core/config.h: ROUTE_MAX_REC_LEV
        self.pid = 0
        self.version = "6.1.4"

    def new_space(self) -> dict[str, int | str]:
        """One more space of $var, as a process has it."""
        made = dict(self.vars)
        self.line.spaces[id(made)] = made
        return made

    def end_space(self, space: dict[str, int | str]) -> None:
        """The process is gone."""
        self.line.spaces.pop(id(space), None)

    def has_route(self, name: str) -> bool:
        """Whether `later_route` finds something that runs."""
        return name in self.routes if self.script_has is None else self.script_has(name)

    def has_failure_route(self, name: str) -> bool:
        return name in self.failure_routes if self.script_has is None else self.script_has(name)

    def later_route(self, name: str, event: str = "") -> Route | None:
        """What t_continue and its like, and timers, run by a name: a route[NAME] block, or a function where a script is
        the cfgengine, which gets the name of the event if there is one; a function that the script does not have says
        so when it is run (core/kemi.c: sr_kemi_route)."""
        return self.routes.get(name) if self.script_route is None else self.script_route(name, event)

    def resumed_route(self, name: str) -> Route | None:
        """What t_continue and its like run, inside of the block that resumes."""
        return self.later_route(name)

    def failure_route(self, name: str) -> Route | None:
        """What t_on_failure has named: a failure_route[NAME] block, or a function as in `later_route`."""
        return self.failure_routes.get(name) if self.script_route is None else self.script_route(name, "")

    def param(self, module: str, name: str, default: int | str) -> int | str:
        """The last value that the file gives to a modparam."""
        values = self.params.get((module, name))
        return values[-1] if values else default

    def int_param(self, module: str, name: str, default: int) -> int:
        value = self.param(module, name, default)
        return value if isinstance(value, int) else default

    def str_param(self, module: str, name: str, default: str) -> str:
        value = self.param(module, name, default)
        return value if isinstance(value, str) else default


def _perform(route: Route, run: Run, done: Callable[[Run], None]) -> None:
    """For a world without an engine."""
    assert isinstance(route(run), int)
    done(run)


class Run:
    """One run of a route for one event or request.

    `rc` is $rc, `over` is set by exit and drop, `depth` is the number of action lists inside each other.
    `client` and `text` are the event's: $evapi(*) is $null without a client, $evapi(msg) without text.
    `vars` is $var's space, which outlives the run; `avps` and the three `xav*` are the run's own, newest first.
    Containers that most runs never need are made on first use: see `avp_list` and its like.
    """

    # Class attributes stand for what most runs never change: making a run must cost next to nothing.
    rc: int = 0
    over: bool = False
    dropped: bool = False
    closed: bool = False  # the event's connection has been closed by this run
    crashed: bool = False  # a bug of this side has ended it
    depth: int = 1
    dispatcher: bool = True  # whether Kamailio would run this in evapi's dispatcher process
    route: str = ""  # title of the outermost block, for log lines
    kind: Routes = Routes.EVENT  # of the outermost block
    message: Message | None = None  # made on first use: `current_message`
    transaction: Transaction | None = None  # that the message belongs to, once it is `sought` or made
    sought: bool = False
    sending: Received | None = None  # in an event about a reply of this side: where it goes, from which socket
    picked: Outgoing | None = None  # the branch whose failure a failure_route is about
    outcome: int = 0  # what the script has done with its transaction: see modules/tm/core.py
    nested: int = 0  # how many resumed runs are around it
    answer: object | None = None  # from outside, that the run is about; the module that asked knows what it is
    avps: dict[str, list[int | str]] | None = None
    xavp: list[Xavp] | None = None
    xavu: list[Xavp] | None = None
    xavi: list[Xavp] | None = None
    extra: dict[str, object] | None = None  # per-run state of modules, by module name

    def __init__(self, world: World, vars: dict[str, int | str], client: Client | None, text: str | None) -> None:
        world.runs += 1
        self.world = world
        self.vars = vars
        self.client = client
        self.text = text

    def log(self, level: int, source: str, message: str, at: Span | None = None) -> None:
        if level <= self.world.log.threshold:
            self.world.log(level, source, message, at, self.route)

    def pause(self, seconds: float) -> Pause:
        return Pause(seconds)

    def inner(self, message: Message, title: str, kind: Routes) -> Run:
        """A run that this one causes, about another message; it belongs to the same process of Kamailio."""
        made = new_run(self.world, self.vars, message, title, kind)
        made.dispatcher = self.dispatcher
        made.nested = self.nested + 1
        if self.answer is not None:
            made.answer = self.answer
        return made


def run_sent_event(
    run: Run, event: str, text: str, received: Received, port: int, seen: Message | None = None
) -> None:  # fmt: skip
    """Runs the event route that sees a reply which this side sends, if the file has one. It has the AVPs of what
    caused it (sl_funcs.c: sl_reply_helper, t_reply.c: _reply_light). `seen`: what it sees in place of the reply."""
    route = run.world.events.get(event)
    if route is None:
        return
    if run.avps is None:
        run.avps = {}
    inner = run.inner(seen or made_here(text), f"event_route[{event}]", Routes.LOCAL)
    inner.avps, inner.xavp, inner.xavu, inner.xavi = run.avps, run.xavp, run.xavu, run.xavi
    inner.sending = received._replace(source_port=port)
    run.world.perform(route, inner, nothing_more)


def nothing_more(run: Run) -> None:
    """Nothing depends on what it came to."""


def new_run(world: World, vars: dict[str, int | str], message: Message, title: str, kind: Routes) -> Run:
    """A run about a message that no client of evapi has to do with."""
    run = Run.__new__(Run)
    run.world = world
    run.vars = vars
    run.client = run.text = None
    run.dispatcher = False
    run.message = message
    run.route = title
    run.kind = kind
    return run


Getter = Callable[[Run], Value]
Setter = Callable[[Run, Value], None]
