"""cfgutils: chance, locks, waiting, routes by their names (modules/cfgutils/cfgutils.c)."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core.kemi import run_route
from evapi_cfg.modules.core_hash import core_hash
from evapi_cfg.modules.forms import plain
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.kemi_forms import not_run, same
from evapi_cfg.modules.locks import Held, Locks
from evapi_cfg.modules.rpc import RpcCall, RpcCommand, RpcFault
from evapi_cfg.modules.spec import Arg, FixupError, Function, KemiFunction, ModuleSpec, Param
from evapi_cfg.source import Span, show
from evapi_cfg.values import Value

_RAND_MAX: Final = 0x7FFFFFFF  # core/rand/kam_rand.h: KAM_RAND_MAX


@dataclass(slots=True)
class _State:
    initial: int
    probability: int
    gflags: int
    has_locks: bool
    locks: Locks[tuple[str, str]] = field(default_factory=Locks)


def _init(world: World) -> _State:
    initial = world.int_param("cfgutils", "initial_probability", 10)
    return _State(
        initial,
        initial,
        world.int_param("cfgutils", "initial_gflags", 0) & 0xFFFFFFFF,
        world.int_param("cfgutils", "lock_set_size", 0) > 0,
    )


def _reload(world: World, before: World) -> None:
    """Locks, flags and the probability live on, unless the file says another initial probability."""
    new, state = _of(world), _of(before)
    if new.initial != state.initial:
        state.initial = state.probability = new.initial
    state.has_locks = new.has_locks
    world.state["cfgutils"] = state


def _of(world: World) -> _State:
    state = world.state["cfgutils"]
    assert isinstance(state, _State)
    return state


def _state(run: Run) -> _State:
    return _of(run.world)


# ---- chance ---------------------------------------------------------------------------------------------------------


def _rand_set_prob(run: Run, percent: int) -> int:
    _state(run).probability = percent
    return 1


def _rand_reset_prob(run: Run) -> int:
    state = _state(run)
    state.probability = state.initial
    return 1


def _rand_get_prob(run: Run) -> int:
    """The probability itself: at 0 percent it ends the script, as any function that gives 0."""
    return _state(run).probability


def _rand_event(run: Run) -> int:
    probability = _state(run).probability
    if probability in (0, 100):
        return 1 if probability else -1
    return 1 if run.world.random.random() < probability / 100 else -1


def _random(run: Run) -> Value:
    return run.world.random.randint(0, _RAND_MAX)


def _fixup_probability(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    text = arguments[0]
    if not isinstance(text, (str, int)):
        return arguments
    percent = int(text) if str(text).isascii() and str(text).isdecimal() else 101
    if percent > 100:
        raise FixupError(0, f"`{show(str(text))}` is no probability", "a number from 0 to 100, in percent")
    return (percent,)


# ---- global flags ---------------------------------------------------------------------------------------------------


def _fixup_gflag(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    text = arguments[0]
    if not isinstance(text, (str, int)):
        return arguments
    number = int(text) if str(text).isascii() and str(text).isdecimal() else 32
    if number > 31:
        raise FixupError(0, f"no flag `{show(str(text))}`", "the global flags are 0 to 31")
    return (number,)


def _set_gflag(run: Run, flag: int) -> int:
    _state(run).gflags |= 1 << flag
    return 1


def _reset_gflag(run: Run, flag: int) -> int:
    _state(run).gflags &= ~(1 << flag)
    return 1


def _is_gflag(run: Run, flag: int) -> int:
    return 1 if _state(run).gflags >> flag & 1 else -1


# ---- locks ----------------------------------------------------------------------------------------------------------


def _no_locks(run: Run, key: str, at: Span) -> bool:
    if _state(run).has_locks:
        return False
    run.log(Level.ERROR, "cfgutils", f"there are no locks for {show(key)!r}: modparam lock_set_size is 0", at)
    return True


async def _lock(run: Run, key: str, second: str = "", *, at: Span) -> int:
    """Waits while another run holds the lock. A run that locks twice would stand still for ever in Kamailio: here it
    goes on, with an error; so does one that waits for a run that has ended without unlocking."""
    if _no_locks(run, key, at):
        return -1
    locks = _state(run).locks
    pair = (key, second)
    held = await locks.wait(pair, run)
    if held is not Held.NOBODY:
        who = "this run" if held is Held.OWN else "a run that has ended"
        message = f"the lock {show(key)!r} is held by {who} already: Kamailio would wait for ever"
        run.log(Level.ERROR, "cfgutils", message, at)
    locks.take(pair, run)
    return 1


async def _lock2(run: Run, key: str, second: str, at: Span) -> int:
    return await _lock(run, key, second, at=at)


def _trylock(run: Run, key: str, at: Span) -> int:
    return _trylock2(run, key, "", at)


def _trylock2(run: Run, key: str, second: str, at: Span) -> int:
    if _no_locks(run, key, at):
        return -1
    locks = _state(run).locks
    if locks.held((key, second), run) is not Held.NOBODY:
        return -1
    locks.take((key, second), run)
    return 1


def _unlock(run: Run, key: str, at: Span) -> int:
    return _unlock2(run, key, "", at)


def _unlock2(run: Run, key: str, second: str, at: Span) -> int:
    if _no_locks(run, key, at):
        return -1
    _state(run).locks.free((key, second))
    return 1


# ---- waiting, the process -------------------------------------------------------------------------------------------


async def _sleep(run: Run, seconds: int) -> int:
    await run.pause(max(seconds, 0))
    return 1


async def _usleep(run: Run, microseconds: int) -> int:
    await run.pause(max(microseconds, 0) / 1_000_000)
    return 1


def _abort(run: Run, at: Span) -> int:
    run.log(Level.ERROR, "cfgutils", "abort() would end Kamailio's process; here the script goes on", at)
    return -1


def _memory(run: Run, at: Span) -> int:
    run.log(Level.INFO, "cfgutils", "there is no memory of Kamailio's own here to report on", at)
    return 1


# ---- routes ---------------------------------------------------------------------------------------------------------


def _check_route_exists(run: Run, name: str) -> int:
    return 1 if name in run.world.routes else -1


def _route_if_exists(run: Run, name: str) -> int | Awaitable[int]:
    route = run.world.routes.get(name)
    if route is None:
        return -1
    limit = run.world.max_recursive_level
    if run.depth >= limit:
        run.log(Level.ERROR, "cfgutils", f"routes call each other more than {limit} deep: given up")
        return -1
    run.depth += 1
    outcome = route(run)
    if not isinstance(outcome, int):
        return _finish(run, outcome)
    run.depth -= 1
    return 0 if run.over else outcome


async def _finish(run: Run, outcome: Awaitable[int]) -> int:
    code = await outcome
    run.depth -= 1
    return 0 if run.over else code


def _core_hash(run: Run, one: str, other: str, size: int) -> int:
    """A number from 1 to 2**size."""
    return core_hash(one, other or None, 2 if size <= 0 else 1 << (size & 31)) + 1


def _check_probability(value: int | str) -> str | None:
    return None if isinstance(value, int) and value <= 100 else "a probability is 0 to 100"


# ---- JSON-RPC -------------------------------------------------------------------------------------------------------


def _bits(call: RpcCall) -> int:
    """A parameter that is a number; any other value that is there is 0."""
    number = call.integer()
    if number is None:
        raise RpcFault(500, "Invalid Parameters")
    return number & 0xFFFFFFFF


def _rpc_set_gflag(call: RpcCall) -> Json:
    _of(call.world).gflags |= _bits(call)
    return {}


def _rpc_reset_gflag(call: RpcCall) -> Json:
    _of(call.world).gflags &= ~_bits(call)
    return {}


def _rpc_is_gflag(call: RpcCall) -> Json:
    bits = _bits(call)
    return "TRUE" if _of(call.world).gflags & bits == bits else "FALSE"


def _rpc_get_gflags(call: RpcCall) -> Json:
    flags = _of(call.world).gflags
    return f"0x{flags:X} ({flags})"


def _rpc_set_prob(call: RpcCall) -> Json:
    percent = _bits(call)
    if percent > 100:
        raise RpcFault(500, "Invalid Percent")
    _of(call.world).probability = percent
    return {}


def _rpc_reset_prob(call: RpcCall) -> Json:
    state = _of(call.world)
    state.probability = state.initial
    return {}


def _rpc_get_prob(call: RpcCall) -> Json:
    return f"actual probability: {_of(call.world).probability} percent"


_TEXT: Final = (Arg.TEXT,)
_TEXTS: Final = (Arg.TEXT, Arg.TEXT)

FUNCTIONS: Final = (
    Function("rand_set_prob", _rand_set_prob, (Arg.CONST_INT,), fixup=_fixup_probability),
    Function("rand_reset_prob", _rand_reset_prob),
    Function("rand_get_prob", _rand_get_prob),
    Function("rand_event", _rand_event),
    Function("sleep", _sleep, (Arg.INT,), waits=True),
    Function("usleep", _usleep, (Arg.INT,), waits=True),
    Function("abort", _abort, at=True),
    Function("pkg_status", _memory, at=True),
    Function("shm_status", _memory, at=True),
    Function("pkg_summary", _memory, at=True),
    Function("shm_summary", _memory, at=True),
    Function("set_gflag", _set_gflag, (Arg.CONST_INT,), fixup=_fixup_gflag),
    Function("reset_gflag", _reset_gflag, (Arg.CONST_INT,), fixup=_fixup_gflag),
    Function("is_gflag", _is_gflag, (Arg.CONST_INT,), fixup=_fixup_gflag),
    Function("lock", _lock, _TEXT, at=True, waits=True),
    Function("lock", _lock2, _TEXTS, at=True, waits=True),
    Function("unlock", _unlock, _TEXT, at=True),
    Function("unlock", _unlock2, _TEXTS, at=True),
    Function("trylock", _trylock, _TEXT, at=True),
    Function("trylock", _trylock2, _TEXTS, at=True),
    Function("core_hash", _core_hash, (Arg.CONST_TEXT, Arg.CONST_TEXT, Arg.INT)),
    Function("check_route_exists", _check_route_exists, _TEXT),
    Function("route_if_exists", _route_if_exists, _TEXT, calls_route=True),
)


# ---- for scripts in other languages -------------------------------------------------------------------------------


def _lock_now(run: Run, key: str, at: Span) -> int:
    return _lock_now2(run, key, "", at)


def _lock_now2(run: Run, key: str, second: str, at: Span) -> int:
    """A script cannot wait: -1 where another run holds the lock."""
    if _no_locks(run, key, at):
        return -1
    locks = _state(run).locks
    if locks.held((key, second), run) is not Held.OTHER:
        locks.take((key, second), run)
        return 1
    run.log(Level.ERROR, "cfgutils", f"the lock {show(key)!r} is held, and a script cannot wait for it", at)
    return -1


_same: Final = same(FUNCTIONS)

KEMI: Final = (
    KemiFunction("lock", _lock_now, (str,), at=True),
    KemiFunction("lock_key2", _lock_now2, (str, str), at=True),
    _same("unlock", str),
    _same("unlock", str, str, name="unlock_key2"),
    _same("trylock", str),
    _same("trylock", str, str, name="trylock_key2"),
    _same("rand_set_prob", int),
    _same("rand_reset_prob"),
    _same("rand_get_prob"),
    _same("rand_event"),
    _same("abort"),
    *(_same(name) for name in ("pkg_status", "shm_status", "pkg_summary", "shm_summary")),
    _same("core_hash", str, str, int),
    not_run("sleep", "cfgutils", "a script cannot wait", int),
    not_run("usleep", "cfgutils", "a script cannot wait", int),
    _same("check_route_exists", str),
    KemiFunction("route_if_exists", run_route, (str,), at=True),
)

MODULE = ModuleSpec(
    "cfgutils",
    functions=FUNCTIONS,
    params=(
        Param("initial_probability", int, 10, check=_check_probability),
        Param("initial_gflags", int, 0),
        Param("hash_file", str),
        Param("lock_set_size", int, 0),
    ),
    pvs=(plain("RANDOM", _random, nullable=False),),
    kemi=KEMI,
    rpc=(
        RpcCommand("cfgutils.is_gflag", _rpc_is_gflag, "whether all bits of a number are set"),
        RpcCommand("cfgutils.set_gflag", _rpc_set_gflag, "sets the bits of a number"),
        RpcCommand("cfgutils.get_gflags", _rpc_get_gflags, "the global flags"),
        RpcCommand("cfgutils.reset_gflag", _rpc_reset_gflag, "resets the bits of a number"),
        RpcCommand("cfgutils.rand_set_prob", _rpc_set_prob, "sets the probability in percent"),
        RpcCommand("cfgutils.rand_reset_prob", _rpc_reset_prob, "sets the probability to what it began with"),
        RpcCommand("cfgutils.rand_get_prob", _rpc_get_prob, "the probability"),
    ),
    init=_init,
    reload=_reload,
    doc="chance, locks, sleeping, routes by their names",
)
