"""kex: flags of the script and of branches, the destination URI, what is myself, variables put together
(modules/kex/kex_mod.c, flags.c, km_core.c).

Its statistics are Kamailio's own processes and memory, which are not here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core_message import MAX_FLAG, current_message
from evapi_cfg.modules.core_myself import names_myself
from evapi_cfg.modules.forms import plain
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.spec import Arg, FixupError, Function, ModuleSpec, Variable, keeps_state
from evapi_cfg.source import show
from evapi_cfg.values import Value

_WORD: Final = 0xFFFFFFFF


@dataclass(slots=True)
class _State:
    """`prefix` is what all identifiers of this process begin with, `threshold` what setdebug has covered."""

    prefix: str = ""
    counter: int = 0
    threshold: int | None = None


def _init(world: World) -> _State:
    return _State()


def _prefix(world: World) -> str:
    """core/utils/sruid.c: sruid_init."""
    server = world.core.get("server_id")
    number = f"{server & _WORD:x}-" if isinstance(server, int) and server else ""
    return f"srid-{number}{int(world.started):x}-{world.pid:x}-"


def _state(run: Run) -> _State:
    state = run.world.state["kex"]
    assert isinstance(state, _State)
    return state


# ---- flags ----------------------------------------------------------------------------------------------------------


def _is_flag(run: Run, flag: int | None) -> bool:
    if flag is None:
        run.log(Level.ERROR, "kex", "the flag is no number")
    return flag is not None and 0 <= flag <= MAX_FLAG


def _setsflag(run: Run, flag: int | None) -> int:
    if flag is None or not _is_flag(run, flag):
        return -1
    current_message(run).script_flags |= 1 << flag
    return 1


def _resetsflag(run: Run, flag: int | None) -> int:
    if flag is None or not _is_flag(run, flag):
        return -1
    current_message(run).script_flags &= ~(1 << flag)
    return 1


def _issflagset(run: Run, flag: int | None) -> int:
    if flag is None or not _is_flag(run, flag):
        return -1
    return 1 if current_message(run).script_flags >> flag & 1 else -1


def _branch_flag(change: Callable[[int, int], int]) -> Callable[..., int]:
    """A function of a flag and of a branch, 0 being the message itself: it makes new flags of the old ones and a
    bit."""

    def call(run: Run, flag: int | None, branch: int | None = 0) -> int:
        if flag is None or not _is_flag(run, flag):
            return -1
        if branch is None:
            run.log(Level.ERROR, "kex", "the branch is no number")
            return -1
        message = current_message(run)
        if branch == 0:
            message.branch_flags = change(message.branch_flags, 1 << flag)
            return 1
        branches = message.branches
        if not 0 < branch <= len(branches):
            return -1
        branches[branch - 1].flags = change(branches[branch - 1].flags, 1 << flag)
        return 1

    return call


_set_bit: Final = _branch_flag(lambda flags, bit: flags | bit)
_reset_bit: Final = _branch_flag(lambda flags, bit: flags & ~bit)


def _setbflag(run: Run, flag: int | None, branch: int | None = 0) -> int:
    return _set_bit(run, flag, branch)


def _resetbflag(run: Run, flag: int | None, branch: int | None = 0) -> int:
    return _reset_bit(run, flag, branch)


def _isbflagset(run: Run, flag: int | None, branch: int | None = 0) -> int:
    if flag is None or branch is None or not _is_flag(run, flag):
        return -1
    message = current_message(run)
    if branch == 0:
        return 1 if message.branch_flags >> flag & 1 else -1
    branches = message.branches
    return 1 if 0 < branch <= len(branches) and branches[branch - 1].flags >> flag & 1 else -1


# ---- the destination URI --------------------------------------------------------------------------------------------


def _setdsturi(run: Run, uri: str) -> int:
    """Whatever it is: nothing looks at it before the message is sent on."""
    current_message(run).dst_uri = uri or None
    return 1


def _resetdsturi(run: Run) -> int:
    current_message(run).dst_uri = None
    return 1


def _isdsturiset(run: Run) -> int:
    return 1 if current_message(run).dst_uri else -1


# ---- myself ---------------------------------------------------------------------------------------------------------


def _is_own(run: Run, text: str, whole: bool) -> int:
    own = names_myself(run.world, text, whole=whole)
    if own is None:
        run.log(Level.ERROR, "kex", f"{show(text)!r} is no URI")
    return 1 if own else -1


def _is_myself(run: Run, text: str) -> int:
    return _is_own(run, text, True)


def _is_myhost(run: Run, text: str) -> int:
    return _is_own(run, text, False)


# ---- variables, the log ---------------------------------------------------------------------------------------------


def _pv_printf(run: Run, target: Variable, text: str) -> int:
    return set_variable(run, target, text)


def _check_target(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    target = arguments[0]
    if isinstance(target, Variable) and target.set is None:
        raise FixupError(0, "the variable cannot be assigned")
    return (None, None)


def _setdebug(run: Run, level: int | None) -> int:
    """Holds for the whole process until resetdebug, and this is one process: events of evapi are logged by it, too."""
    if level is None:
        run.log(Level.ERROR, "kex", "the level is no number")
        return -1
    state, log = _state(run), run.world.log
    if state.threshold is None:
        state.threshold = log.threshold
    log.threshold = level
    return 1


def _resetdebug(run: Run) -> int:
    state = _state(run)
    if state.threshold is not None:
        run.world.log.threshold = state.threshold
        state.threshold = None
    return 1


def _sruid(run: Run) -> Value:
    """An identifier that no other use gives; the counter's digits come last one first (sruid_nextx)."""
    state = _state(run)
    if not state.prefix:
        state.prefix = _prefix(run.world)
    state.counter = (state.counter + 1) & _WORD or 1
    return state.prefix + f"{state.counter:x}"[::-1]


_TEXT: Final = (Arg.TEXT,)
_ONE: Final = (Arg.NUMBER,)
_TWO: Final = (Arg.NUMBER, Arg.NUMBER)
_PRINT: Final = (Arg.PVAR, Arg.CONST_TEXT)

FUNCTIONS: Final = (
    Function("setsflag", _setsflag, _ONE),
    Function("resetsflag", _resetsflag, _ONE),
    Function("issflagset", _issflagset, _ONE),
    Function("setbflag", _setbflag, _ONE),
    Function("setbflag", _setbflag, _TWO),
    Function("resetbflag", _resetbflag, _ONE),
    Function("resetbflag", _resetbflag, _TWO),
    Function("isbflagset", _isbflagset, _ONE),
    Function("isbflagset", _isbflagset, _TWO),
    Function("setdsturi", _setdsturi, _TEXT),
    Function("resetdsturi", _resetdsturi),
    Function("isdsturiset", _isdsturiset),
    Function("pv_printf", _pv_printf, _PRINT, fixup=_check_target, outputs=(0,)),
    Function("avp_printf", _pv_printf, _PRINT, fixup=_check_target, outputs=(0,)),
    Function("is_myself", _is_myself, _TEXT),
    Function("is_myhost", _is_myhost, _TEXT),
    Function("setdebug", _setdebug, _ONE),
    Function("resetdebug", _resetdebug),
)
_same: Final = same(FUNCTIONS)

KEMI: Final = (_same("setdebug", int), _same("resetdebug"))

MODULE = ModuleSpec(
    "kex",
    functions=FUNCTIONS,
    pvs=(plain("sruid", _sruid, nullable=False),),
    kemi=KEMI,
    init=_init,
    reload=keeps_state("kex"),
    doc="flags of the script and of branches, the destination URI, what is myself",
)
