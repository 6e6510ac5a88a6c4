"""maxfwd: the count of hops that a request may still take (modules/maxfwd/maxfwd.c, mf_funcs.c)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.spec import Arg, Function, ModuleSpec, Param
from evapi_cfg.sip.headers import BLANK
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.soundness import sound
from evapi_cfg.source import show

_KIND: Final = "max-forwards"
_HIGHEST: Final = 255
_MAX_DIGITS: Final = 5  # core/ut.h: str2s
_WORD: Final = 0xFFFF  # a value is a short there, and turns over
_ABSENT: Final = -1
_UNREADABLE: Final = -2


def _init(world: World) -> int:
    return world.int_param("maxfwd", "max_limit", 70)


def _value(run: Run, message: Message) -> int:
    """The value of the header, _ABSENT or _UNREADABLE. An empty one counts as 0."""
    body = message.body_of(_KIND)
    if body is None:
        return _ABSENT if sound(message, (_KIND,)) else _UNREADABLE
    digits = body.strip(BLANK)
    if len(digits) > _MAX_DIGITS or (digits and not (digits.isascii() and digits.isdecimal())):
        run.log(Level.ERROR, "maxfwd", f"Max-Forwards is no number: {show(digits)!r}")
        return _UNREADABLE
    return int(digits or 0) & _WORD


def _is_limit(run: Run, limit: int | None) -> bool:
    if limit is not None and 0 <= limit <= _HIGHEST:
        return True
    what = "the limit is no number" if limit is None else f"{limit} is no limit: from 0 to {_HIGHEST}"
    run.log(Level.ERROR, "maxfwd", what)
    return False


def _process(run: Run, limit: int | None) -> int:
    """Counts down by one: 1, 2 where the header had to be added, -1 where it was 0 already, -2 where it is no number.

    As in Kamailio the digits change in the received text itself, so variables show the new value at once.
    """
    message = current_message(run)
    if limit is None or not _is_limit(run, limit):
        return -1
    value = _value(run, message)
    if value == _ABSENT:
        message.edit(message.headers_at, 0, f"Max-Forwards: {limit}\r\n")
        return 2
    if value == _UNREADABLE:
        return -2
    if value == 0:
        return -1
    most = run.world.state["maxfwd"]
    assert isinstance(most, int)
    digits = (message.body_of(_KIND) or "").strip(BLANK)
    value = min(value - 1, max(most, 0))
    message.overwrite_body(_KIND, str(value).rjust(len(digits))[: len(digits)])
    return 1


def _is_below(run: Run, limit: int | None) -> int:
    """1 where the value is below the limit, -1 where it is not, -2 without the header, -3 where it is no number."""
    if limit is None or not _is_limit(run, limit):
        return -1
    value = _value(run, current_message(run))
    if value < 0:
        return value - 1
    return 1 if value < limit else -1


_LIMIT: Final = (Arg.NUMBER,)
_BELOW: Final = Routes.REQUEST | Routes.FAILURE | Routes.BRANCH

FUNCTIONS: Final = (
    Function("mf_process_maxfwd_header", _process, _LIMIT, Routes.REQUEST),
    Function("process_maxfwd", _process, _LIMIT, Routes.REQUEST),
    Function("maxfwd_process", _process, _LIMIT, Routes.REQUEST),
    Function("is_maxfwd_lt", _is_below, _LIMIT, _BELOW),
    Function("maxfwd_at_least", _is_below, _LIMIT, _BELOW),
    Function("mf_lowlimit", _is_below, _LIMIT, _BELOW),
)
_same: Final = same(FUNCTIONS)

KEMI: Final = (_same("process_maxfwd", int), _same("is_maxfwd_lt", int))

MODULE = ModuleSpec(
    "maxfwd",
    functions=FUNCTIONS,
    params=(Param("max_limit", int, 70),),
    kemi=KEMI,
    init=_init,
    doc="the count of hops that a request may still take",
)
