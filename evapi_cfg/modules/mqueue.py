"""mqueue: queues of keys and values, from one process of Kamailio to another (modules/mqueue: mqueue_mod.c,
mqueue_api.c).

A queue is everybody's; what was fetched from it last is that of the process that fetched it, as $var is.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.forms import inner_of, refuse_index
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.parameters import parse_parameters
from evapi_cfg.modules.ranges import readable
from evapi_cfg.modules.rpc import RpcCall, RpcCommand, RpcFault
from evapi_cfg.modules.spec import (
    Arg,
    Function,
    KemiFunction,
    ModuleSpec,
    NameRefused,
    Param,
    PseudoVariable,
    Resolver,
    Variable,
)
from evapi_cfg.source import Span, show, store
from evapi_cfg.syntax.ast import PVar
from evapi_cfg.values import NULL_TEXT, Value, leading_number

_MEMORY: Final = 64 << 20  # bytes of Kamailio's shared memory, which all queues have to do with
_OVERHEAD: Final = 64  # bytes of it that an item takes besides its key and value
_OLDEST, _NEWEST = 1, 2  # addmode: which of two items with one key stays
_NO_QUEUE: Final = -1
_EMPTY: Final = -2

Item = tuple[str, str]


class Queue:
    """One queue, the oldest item first. `limit`: how many items it holds at most; 0: any number."""

    __slots__ = ("addmode", "dbmode", "items", "keyed", "limit", "name")

    def __init__(self, name: str, limit: int = 0, addmode: int = 0, dbmode: int = 0) -> None:
        self.name = name
        self.limit = limit
        self.addmode = addmode
        self.dbmode = dbmode
        self.items: deque[Item] = deque()
        self.keyed: OrderedDict[str, str] | None = OrderedDict() if addmode in (_OLDEST, _NEWEST) else None

    def take(self, other: Queue) -> list[Item]:
        """Takes over what is in a queue of the same name, which is empty then; gives what has no place here: one of
        two items with one key, and the oldest where there are too many."""
        gone: list[Item] = []
        if self.keyed is None:
            self.items.extend(other.items if other.keyed is None else other.keyed.items())
        elif other.keyed is not None:
            self.keyed.update(other.keyed)
        else:
            for key, value in other.items:
                if key not in self.keyed:
                    self.keyed[key] = value
                elif self.addmode == _OLDEST:
                    gone.append((key, value))
                else:
                    gone.append((key, self.keyed.pop(key)))
                    self.keyed[key] = value
        while 0 < self.limit < len(self):
            gone.append(self.first())
        other.items.clear()
        if other.keyed is not None:
            other.keyed.clear()
        return gone

    def __len__(self) -> int:
        return len(self.items if self.keyed is None else self.keyed)

    def first(self) -> Item:
        """Takes the oldest item; there must be one."""
        return self.items.popleft() if self.keyed is None else self.keyed.popitem(last=False)


class Queues:
    """The state of module mqueue. `fetched` has what each process fetched last: by the place of its $var, by queue.
    `kept` are queues that the file has no more: what is in them is there again when it has."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.kept: dict[str, Queue] = {}
        self.fetched: dict[int, dict[str, Item]] = {}
        self.used = 0

    def add(self, name: str, key: str, value: str) -> str:
        """Appends an item; what went wrong, or nothing."""
        queue = self.queues.get(name)
        if queue is None:
            return f"there is no queue {show(name)!r}"
        keyed = queue.keyed
        if keyed is not None and key in keyed:
            if queue.addmode == _OLDEST:
                return ""
            self._gone((key, keyed.pop(key)))
        size = len(key) + len(value) + _OVERHEAD
        if self.used + size > _MEMORY:
            return f"the queues are full: all that is in them would take more than {_MEMORY >> 20} MiB"
        self.used += size
        if keyed is None:
            queue.items.append((key, value))
        else:
            keyed[key] = value
        if 0 < queue.limit < len(queue):
            self._gone(queue.first())
        return ""

    def fetch(self, name: str, process: int) -> int:
        """Takes the oldest item out for a process: 1, or what is wrong."""
        queue = self.queues.get(name)
        if queue is None:
            return _NO_QUEUE
        fetched = self.fetched.setdefault(process, {})
        fetched.pop(name, None)
        if not len(queue):
            return _EMPTY
        fetched[name] = item = queue.first()
        self._gone(item)
        return 1

    def of(self, name: str, process: int) -> Item | None:
        """What a process has fetched last."""
        fetched = self.fetched.get(process)
        return None if fetched is None else fetched.get(name)

    def declare_anew(self, queues: dict[str, Queue]) -> None:
        """The queues are these from now on, with what is in those of their names. One that is declared as before stays
        the same."""
        known = self.kept | self.queues
        for name, queue in queues.items():
            old = known.pop(name, None)
            if old is not None and (old.limit, old.addmode) == (queue.limit, queue.addmode):
                queues[name] = old
            elif old is not None:
                for item in queue.take(old):
                    self._gone(item)
        self.queues, self.kept = queues, known

    def _gone(self, item: Item) -> None:
        self.used -= len(item[0]) + len(item[1]) + _OVERHEAD


def _reload(world: World, before: World) -> None:
    state = _state(before)
    state.declare_anew(_state(world).queues)
    world.state["mqueue"] = state


def _state(world: World) -> Queues:
    found = world.state.get("mqueue")
    if not isinstance(found, Queues):
        found = world.state["mqueue"] = Queues()
    return found


# ---- modparams ------------------------------------------------------------------------------------------------------

_NAMES: Final = ("name", "size", "dbmode", "addmode")


def declared(value: str) -> Queue:
    """The queue that `name=...;size=...;addmode=...` declares. Raises ValueError where Kamailio refuses it."""
    given: dict[str, str] = {}
    for parameter in parse_parameters(value):
        name = parameter.name.lower()
        if name not in _NAMES:
            raise ValueError(f"`{parameter.name}` is none of {', '.join(_NAMES)}")
        given[name] = parameter.value
    if not given.get("name"):
        raise ValueError("the queue's `name` is missing")
    size, addmode, dbmode = (leading_number(given.get(name, "")) for name in ("size", "addmode", "dbmode"))
    return Queue(given["name"], size, addmode, dbmode)


def _declare(world: World, queue: Queue) -> None:
    queues = _state(world).queues
    if queue.name in queues:
        world.log(Level.ERROR, "mqueue", f"the queue {show(queue.name)!r} is declared twice")
    else:
        queues[queue.name] = queue
    if queue.dbmode:
        message = f"the queue {show(queue.name)!r} is not kept in a database: dbmode does not run here"
        world.log(Level.WARNING, "mqueue", message)


def _set_queue(world: World, value: int | str) -> None:
    _declare(world, declared(str(value)))


def _set_name(world: World, value: int | str) -> None:
    size, addmode = world.int_param("mqueue", "mqueue_size", 0), world.int_param("mqueue", "mqueue_addmode", 0)
    _declare(world, Queue(str(value), size, addmode))


def _start(world: World) -> None:
    if not _state(world).queues and world.log.threshold >= Level.WARNING:
        world.log(Level.WARNING, "mqueue", "no queue is declared")


# ---- functions ------------------------------------------------------------------------------------------------------


def _add(run: Run, name: str, key: str, value: str, at: Span | None = None) -> int:
    fault = _state(run.world).add(name, key, value)
    if fault:
        run.log(Level.ERROR, "mqueue", f"mq_add: {fault}", at)
        return -1
    return 1


def _fetch(run: Run, name: str) -> int:
    """-1 where there is no such queue, -2 where nothing is in it."""
    return _state(run.world).fetch(name, id(run.vars))


def _free(run: Run, name: str) -> int:
    fetched = _state(run.world).fetched.get(id(run.vars))
    if fetched is not None:
        fetched.pop(name, None)
    return 1


def _size(run: Run, name: str, at: Span | None = None) -> int:
    """How many items there are; -1 for none, -2 where there is no such queue."""
    size = _count(run, name, at)
    return size if size > 0 else size - 1


def _count(run: Run, name: str, at: Span | None = None) -> int:
    queue = _state(run.world).queues.get(name)
    if queue is None:
        _not_there(run, name, at)
        return -1
    return len(queue)


def _not_there(run: Run, name: str, at: Span | None = None) -> None:
    run.log(Level.ERROR, "mqueue", f"there is no queue {show(name)!r}", at)


# ---- $mqk, $mqv, $mq_size -------------------------------------------------------------------------------------------


def _named(read: Callable[[Run, str], Value]) -> Callable[[PVar, Resolver], Variable]:
    """`$mqk(name)`, where the name may be one variable. Reading fails where there is no such queue."""

    def make(pvar: PVar, resolver: Resolver) -> Variable:
        inner = inner_of(pvar)
        refuse_index(pvar)
        name_of = None
        if inner.value[:1] == "$":
            try:
                name_of = resolver.variable(inner).get
            except NameRefused:
                name_of = _nothing
        text = inner.value

        def queue(run: Run) -> str | None:
            name = text if name_of is None else name_of(run)
            name = "" if name is None else str(name)
            if name in _state(run.world).queues:
                return name
            _not_there(run, name, pvar.span)
            return None

        def get(run: Run) -> Value:
            name = queue(run)
            return None if name is None else read(run, name)

        def printed(run: Run) -> str:
            name = queue(run)
            if name is None:
                return ""
            value = read(run, name)
            return NULL_TEXT if value is None else str(value)

        return Variable(get, text=printed)

    return make


def _nothing(run: Run) -> Value:
    return None


def _key(run: Run, name: str) -> Value:
    item = _state(run.world).of(name, id(run.vars))
    return None if item is None else item[0] or None


def _value(run: Run, name: str) -> Value:
    item = _state(run.world).of(name, id(run.vars))
    return None if item is None else item[1] or None


def _length(run: Run, name: str) -> Value:
    return len(_state(run.world).queues[name])


# ---- JSON-RPC -------------------------------------------------------------------------------------------------------

_OF_RPC: Final = 0  # the process that answers, in `Queues.fetched`


def _queue_of(call: RpcCall, code: int, missing: int) -> tuple[Queues, Queue]:
    """The queue that the first parameter names. `code`: of the fault where there is none, `missing`: where the queue
    does not exist."""
    name = call.value()
    if not isinstance(name, str):
        raise RpcFault(code, "No queue name")
    if not name:
        raise RpcFault(code, "Invalid queue name")
    state = _state(call.world)
    queue = state.queues.get(store(name))
    if queue is None:
        raise RpcFault(missing, "No such queue")
    return state, queue


def _described(queue: Queue) -> Json:
    return {"name": show(queue.name), "size": len(queue)}


def _rpc_size(call: RpcCall) -> Json:
    return _described(_queue_of(call, 400, 404)[1])


def _rpc_sizes(call: RpcCall) -> Json:
    return [_described(queue) for queue in reversed(_state(call.world).queues.values())]


def _rpc_fetch(call: RpcCall) -> Json:
    state, queue = _queue_of(call, 500, 500)
    if state.fetch(queue.name, _OF_RPC) == _EMPTY:
        raise RpcFault(404, "Empty queue")
    item = state.of(queue.name, _OF_RPC)
    if item is None or not all(item):  # an empty text is none
        raise RpcFault(500, "Unexpected error (result)")
    return {"key": show(item[0]), "val": show(item[1])}


# ---- KEMI -----------------------------------------------------------------------------------------------------------


def _kemi_item(place: int) -> Callable[[Run, str], Value]:
    def get(run: Run, name: str) -> Value:
        item = _state(run.world).of(name, id(run.vars))
        return None if item is None else item[place]

    return get


_TEXT: Final = (Arg.TEXT,)

MODULE = ModuleSpec(
    "mqueue",
    functions=(
        Function("mq_add", _add, (Arg.TEXT, Arg.TEXT, Arg.TEXT), at=True),
        Function("mq_fetch", _fetch, _TEXT),
        Function("mq_pv_free", _free, _TEXT),
        Function("mq_size", _size, _TEXT, at=True),
    ),
    params=(
        Param("db_url", str, runs=False),
        Param("mqueue", str, check=readable(declared), set=_set_queue),
        Param("mqueue_name", str, check=lambda value: None if value else "the queue's name is missing", set=_set_name),
        Param("mqueue_size", int, 0),
        Param("mqueue_addmode", int, 0),
    ),
    pvs=tuple(
        PseudoVariable(name, _named(read), inner="required")
        for name, read in (("mqk", _key), ("mqv", _value), ("mq_size", _length))
    ),
    kemi=(
        KemiFunction("mq_add", _add, (str, str, str), at=True),
        KemiFunction("mq_fetch", _fetch, (str,)),
        KemiFunction("mq_size", _count, (str,), at=True),
        KemiFunction("mq_pv_free", _free, (str,)),
        *(KemiFunction(f"mqk_{get}", _kemi_item(0), (str,)) for get in ("get", "gete", "getw")),
        *(KemiFunction(f"mqv_{get}", _kemi_item(1), (str,)) for get in ("get", "gete", "getw")),
    ),
    rpc=(
        RpcCommand("mqueue.get_size", _rpc_size, "how many items are in a queue"),
        RpcCommand("mqueue.get_sizes", _rpc_sizes, "how many items are in each queue"),
        RpcCommand("mqueue.fetch", _rpc_fetch, "takes the oldest item out of a queue"),
    ),
    init=_state,
    start=_start,
    reload=_reload,
    doc="queues of keys and values",
)
