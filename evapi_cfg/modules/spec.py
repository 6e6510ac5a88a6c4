"""The form in which a Kamailio module declares itself: the one declaration that checker, compiler, `explain` and
documentation read. Field names follow Kamailio's `module_exports` (core/sr_module.h).

A function is a plain Python function `(run, *arguments) -> int`; its return code means what it means in Kamailio:
above 0 true, below 0 false, 0 ends the script. Arguments arrive prepared as `Arg` says, so a function that takes
TEXT gets a str with its variables filled in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal, NamedTuple, Protocol, TypeAlias

from evapi_cfg.modules.context import Getter, Run, Setter, World
from evapi_cfg.modules.routes import Routes as Routes
from evapi_cfg.modules.rpc import RpcCommand
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import PVar, Text
from evapi_cfg.values import Value


class Arg(Enum):
    """How an argument is read before the function sees it (Kamailio's fixups, core/mod_fix.c, core/sr_module.c)."""

    TEXT = auto()  # str: variables inside the string are filled in (fixup_spve, fixup_vstr)
    CONST_TEXT = auto()  # as TEXT, but the expression must be constant (fixups that parse a format once)
    STRING = auto()  # str: the value as it is, literals are not expanded (no fixup; fixup_var_str)
    LITERAL = auto()  # str known when the cfg is loaded (fixup_str)
    INT = auto()  # int: a number, or a string that is a number or one variable (fixup_igp, fixup_var_int)
    NUMBER = auto()  # int | None: as INT, and None where the variable's value is not a number by its kind
    CONST_INT = auto()  # int known when the cfg is loaded (fixup_uint)
    PVAR = auto()  # Variable: one pseudo-variable in quotes (fixup_pvar)
    REGEX = auto()  # evapi_cfg.regex.Regex known when the cfg is loaded (fixup_regexp)
    PATTERN = (
        auto()
    )  # str: a POSIX expression, as STRING; a constant one is looked at when the cfg is loaded (fixup_regexp)
    SUBSTITUTION = auto()  # substitution.Substitution known when the cfg is loaded (fixup_substre)
    ROUTE = auto()  # str as TEXT, and a constant one must name a route[...] block
    VALUE = auto()  # Value: of one variable alone; any other string as CONST_TEXT
    VAR_TEXT = auto()  # str | None: of one variable alone its value; any other string is itself (fixup_var_str)


class FixupError(Exception):
    """A `fixup` refuses an argument; `index` counts arguments from 0."""

    def __init__(self, index: int, message: str, help: str = "") -> None:
        super().__init__(message)
        self.index = index
        self.message = message
        self.help = help


class NameRefused(Exception):
    """A pseudo-variable's inner name or index, or a transformation's argument, is not one that Kamailio takes."""

    def __init__(self, message: str, span: Span | None = None, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.candidates = candidates  # names that exist, for "did you mean"


class NoValue(Exception):
    """A transformation failed while a route runs: core/pvapi.c: tr_exec gives -1, which is not the same as $null."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One pseudo-variable, ready to be read and written.

    `attribute` says that reading it is `run.<attribute>` and nothing else; `client` that it is
    `run.client.<client>`, or $null without a client;
    `var` that it is `run.vars[var]`, whose entry always exists: compiled code then reads without a call.
    `nullable`: may be $null.
    `number` is the integer side of a variable that is a string and a number at once ($rm is "OPTIONS" and 8): where
    Kamailio asks a value for its integer it takes that side without looking at the text (core/rvalue.c: rval_get_long).
    `takes_text`: the assignment wants a text; of another variable it takes a number, too, whose text Kamailio has at
    hand (pv_get_sintval), but none that is written in the script.
    `set` raises values.EvaluationError where Kamailio's assignment fails: the value stays, the statement's code is -1.
    """

    get: Getter
    set: Setter | None = None
    attribute: str | None = None
    client: str | None = None
    var: str | None = None
    nullable: bool = True
    reads: Callable[[Run], list[Value]] | None = None  # all values, newest first, for iterators
    text: Callable[[Run], str] | None = None  # how it prints in a format, where that is not its value's text
    number: Callable[[Run], int] | None = None
    takes_text: bool = False
    unset: Callable[[Run], None] | None = None  # what pv_unset does, where that is not an assignment of $null


class Resolver(Protocol):
    """What a pseudo-variable's `make` may ask for while it prepares itself: nested variables and formats."""

    def variable(self, text: Text) -> Variable:
        """One variable with its transformations; raises NameRefused."""
        ...

    def text(self, text: Text) -> Callable[[Run], str] | str:
        """A format: a str where it holds no variable, else a function that fills it in; raises NameRefused."""
        ...

    def runtime_text(self, value: str) -> Callable[[Run], str] | str:
        """As `text`, for a string that came up while a route ran; raises NameRefused."""
        ...

    def runtime_variable(self, value: str) -> Variable:
        """As `variable`, for a name that came up while a route or a script ran; raises NameRefused."""
        ...

    def declared_select(self, name: str) -> Select | None:
        """The selects that a loaded module declares under a name; None where none does."""
        ...

    @property
    def world(self) -> World | None:
        """The world that the program is loaded into; None while a file is only checked."""
        ...

    @property
    def route(self) -> str:
        """Title of the block that the variable stands in, such as `event_route[evapi:message-received]`; else ""."""
        ...


@dataclass(frozen=True, slots=True)
class PseudoVariable:
    """One class: `$name`. `make` prepares a use of it and raises NameRefused where Kamailio does.

    `inner`: "no" (a `(name)` is refused), "optional" or "required". `index`: whether `[...]` is taken.
    `names`: the inner names where they are a closed set, for messages and completion.
    """

    name: str
    make: Callable[[PVar, Resolver], Variable]
    inner: str = "no"
    index: bool = False
    writable: bool = False
    names: tuple[str, ...] = ()


SelectPath: TypeAlias = "tuple[str | int, ...]"
"""The names of a select and what stands in brackets behind them: `@a.b[1].c["d"]` is ("a", "b", 1, "c", "d")."""


class Selected(NamedTuple):
    """What a select comes to. `get` gives None where it finds nothing: `$sel` is $null then, and `@` is undefined.

    `always`: it is an empty text for `@` where it finds nothing (core/select.c: run_select gives 0 with no string).
    `resolved` False: the path goes on with a name that Kamailio does not know there. It refuses `$sel` with it; `@` is
    logged at start and gives what is found with the path up to there, as what precedes is called all the same.
    """

    get: Getter
    always: bool = False
    resolved: bool = True


@dataclass(frozen=True, slots=True)
class Select:
    """The selects that begin with one name, `@name...` (core/select.h: register_select_table). `make` gets the path
    behind the name; None where nothing of it can be read, which is undefined at each use."""

    name: str
    make: Callable[[SelectPath], Selected | None]


Guard: TypeAlias = Literal["start", "run", "never"]


@dataclass(frozen=True, slots=True)
class Function:
    """One function by name and number of arguments; Kamailio's key.

    `fixup` gets the constant arguments (None for those that are not constant) once when the cfg is loaded and may give
    replacements; it raises FixupError. `at` True: the function also gets `at=Span` of the call, for its log lines.
    `waits`: it is `async def`, and so is each route that reaches it.
    `lazy`: TEXT, CONST_TEXT and VALUE arguments arrive unread, as a plain str or as a function of the run, so that what
    nobody will see is never put together.
    `calls_route`: it may run a route by its name: it gives what the route gives, an int or an awaitable of one, and the
    compiler treats it as `route($var(x))`.
    `const`: all arguments must be constant, whatever their kinds.
    `outputs`: the arguments, counted from 0, that it writes into. `guard`: when Kamailio finds out that one of them
    cannot be assigned: at start, when the line runs (it gives -1 then), or never, and its process crashes.
    `runs` False: it is listed at start as what does not run here, and its call says so where that is so.
    `permit`: it runs only with `evapi-cfg run --allow-<permit>`; without that it is listed as well.
    """

    name: str
    call: Callable[..., int | Awaitable[int]]
    args: tuple[Arg, ...] = ()
    routes: Routes = Routes.ANY
    fixup: Callable[[tuple[object | None, ...]], tuple[object | None, ...]] | None = None
    at: bool = False
    waits: bool = False
    lazy: bool = False
    calls_route: bool = False
    const: bool = False
    runs: bool = True
    permit: str = ""
    outputs: tuple[int, ...] = ()
    guard: Guard = "start"


@dataclass(frozen=True, slots=True)
class Param:
    """A modparam. `check` gives a message where the value is refused, else None. `default` None: none. `runs` False:
    it is checked, but what it asks for does not run here, which is said at start; `absent` gives what of a value that
    is, such as `dbtable`, or "". `parsed`: Kamailio looks at the value while it reads the file, not when it starts.
    `taken`: Kamailio takes what `check` refuses, and says nothing."""

    name: str
    type: type[int] | type[str]
    default: int | str | None = None
    check: Callable[[int | str], str | None] | None = None
    set: Callable[[World, int | str], None] | None = None  # for modparams that are a callback in Kamailio
    runs: bool = True
    absent: Callable[[int | str], str] | None = None
    parsed: bool = False
    taken: bool = False


@dataclass(frozen=True, slots=True)
class EventRoute:
    """An event_route that this module runs. `callback`: the modparam that names a script's function for it, which runs
    where the file has no such block; `told`: what that function is told the event is, where that is not its name."""

    name: str
    callback: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class Transformation:
    """`{cls.op,...}`. `params` is the signature in the catalogue's form, such as `(n,n)`, `(s)`, `(c)`, `(n?)` or "".

    `prepare` gets the raw arguments and the resolver and gives the function that runs: value -> value.
    Where all arguments are constant the result is `apply` with them bound. Raises NameRefused.

    The function raises NoValue where the transformation fails. The rest of the chain is then not run; the variable is
    $null in an expression and prints nothing (not `<null>`) in a format: see transformations.chain.
    """

    cls: str
    op: str
    params: str
    prepare: Callable[[Text | None, Resolver], Callable[[Run, Value], Value]]


class Long(int):
    """The kind of a KEMI parameter that keeps 64 bit; others are cut to 32 (core/kemi.h: SR_KEMIP_LONG)."""


@dataclass(frozen=True, slots=True)
class KemiFunction:
    """`KSR.<room>.<name>` of scripts in Python and Lua; `KSR.<name>` where the room is "" (core/kemi.h: sr_kemi_t).

    `call` gets the run, then what the script gives, each of its kind in `params`: an int of 32 bit (64 for Long), or a
    str with one character per byte. What it gives back is what the script gets: an int, a bool, a str of the same form,
    or None. It must be done when it returns: nothing can wait in a script.
    `room` None: the module's own name. `at` True: the function also gets `at=Span`, by that name: the place of the call
    in the script, which is looked for when it is asked, so it must not be kept.
    """

    name: str
    call: Callable[..., Value | bool]
    params: tuple[type[int] | type[str], ...] = ()
    room: str | None = None
    at: bool = False


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """A module. `init` runs once when a program is loaded and gives the module's state (`World.state[name]`).

    `start` is called once when the server begins to work, before event_route[core:worker-one-init], or when a program
    takes over that has the module from one that has not; `stop` the other way round. Where both have it `reload` is
    called in place of `start`, with the world and the one before it, whose state it takes over as far as it lives on;
    without it the module goes on with what `init` has made of the modparams. All three come between two messages.
    `before_request` is called with the run of each SIP request before request_route, and gives False where the request
    goes no further; `after_request` when the run is over (core/script_cb.h: PRE_SCRIPT_CB, POST_SCRIPT_CB). `end` is
    called once, before the sockets are closed.
    """

    name: str
    functions: tuple[Function, ...] = ()
    params: tuple[Param, ...] = ()
    pvs: tuple[PseudoVariable, ...] = ()
    transformations: tuple[Transformation, ...] = ()
    selects: tuple[Select, ...] = ()
    event_routes: tuple[EventRoute, ...] = ()
    kemi: tuple[KemiFunction, ...] = ()
    rpc: tuple[RpcCommand, ...] = ()
    init: Callable[[World], object] | None = None
    start: Callable[[World], None] | None = None
    reload: Callable[[World, World], None] | None = None
    stop: Callable[[World], None] | None = None
    before_request: Callable[[Run], bool] | None = None
    after_request: Callable[[Run], None] | None = None
    end: Callable[[World], None] | None = None
    doc: str = ""


def keeps_state(name: str) -> Callable[[World, World], None]:
    """A `reload` for a module whose state lives on as it is."""

    def keep(world: World, before: World) -> None:
        world.state[name] = before.state[name]

    return keep
