"""The variables of time: now, the message's time, the start (modules/pv/pv_time.c)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Run, World
from evapi_cfg.modules.core_message import message_time
from evapi_cfg.modules.forms import closed, named, plain
from evapi_cfg.modules.spec import PseudoVariable, Resolver, Variable
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value

_STRFTIME_SIZE: Final = 64  # modules/pv/pv_time.c: PV_STRFTIME_BUF_SIZE, with the NUL
_TIMEVAL: Final = "pv.timeval"  # key of World.state: what $TV(un) reads and $TV(sn) sets
_ASCII: Final = re.compile(r"[\x01-\x7f]+")
Broken = Callable[[float], time.struct_time]

_FIELDS: Final[dict[str, Callable[[time.struct_time], int]]] = {
    "sec": lambda t: t.tm_sec,
    "min": lambda t: t.tm_min,
    "hour": lambda t: t.tm_hour,
    "mday": lambda t: t.tm_mday,
    "mon": lambda t: t.tm_mon,
    "year": lambda t: t.tm_year,
    "wday": lambda t: (t.tm_wday + 1) % 7 + 1,  # Sunday is 1
    "yday": lambda t: t.tm_yday,
    "isdst": lambda t: t.tm_isdst,
}


def _field(read: Callable[[time.struct_time], int], broken: Broken) -> Variable:
    return Variable(lambda run: read(broken(message_time(run))), nullable=False)


def _time_class(name: str, broken: Broken) -> PseudoVariable:
    return closed(name, {field: _field(read, broken) for field, read in _FIELDS.items()})


def _formatted(name: str, broken: Broken) -> PseudoVariable:
    def make(inner: Text, resolver: Resolver) -> Variable:
        layout = inner.value.partition("\0")[0]

        def get(run: Run) -> Value:
            moment = broken(message_time(run))
            # Only ASCII goes through the C library: other bytes stay as they are, whatever the locale.
            text = _ASCII.sub(lambda part: time.strftime(part[0], moment), layout)
            return text if 0 < len(text) < _STRFTIME_SIZE else None

        return Variable(get)

    return named(name, make)


def _micros(moment: float) -> tuple[int, int]:
    """Seconds and microseconds."""
    return divmod(round(moment * 1_000_000), 1_000_000)


def _now(run: Run) -> Value:
    return int(run.world.clock.now())


def _now_text(run: Run) -> Value:
    return time.asctime(time.localtime(run.world.clock.now()))


def _message_text(run: Run) -> Value:
    return time.asctime(time.localtime(message_time(run)))


def _timeval(world: World) -> tuple[int, int]:
    pair = world.state.get(_TIMEVAL)
    return pair if isinstance(pair, tuple) else (0, 0)


def _set_timeval(run: Run) -> Value:
    pair = run.world.state[_TIMEVAL] = _micros(run.world.clock.now())
    return pair[0]


def _precise(run: Run) -> Value:
    seconds, micros = _micros(run.world.clock.now())
    return f"{seconds}.{micros:06}"


def _precise_text(run: Run) -> Value:
    seconds, micros = _micros(run.world.clock.now())
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) + f".{micros:06}"


def _monotonic(run: Run) -> Value:
    return str(int(run.world.clock.monotonic() * 1_000_000_000))


def _message_seconds(run: Run) -> Value:
    return int(message_time(run))


VARIABLES: Final = (
    plain("TS", _now, nullable=False),
    plain("TF", _now_text, nullable=False, number=lambda run: int(run.world.clock.now())),
    plain("Ts", _message_seconds, nullable=False),
    plain("Tf", _message_text, nullable=False, number=lambda run: int(message_time(run))),
    plain("Tb", lambda run: int(run.world.started), nullable=False),
    closed(
        "TV",
        {
            "s": Variable(_message_seconds, nullable=False),
            "u": Variable(lambda run: _micros(message_time(run))[1], nullable=False),
            "sn": Variable(_set_timeval, nullable=False),
            "un": Variable(lambda run: _timeval(run.world)[1], nullable=False),
            "Sn": Variable(_precise, nullable=False),
            "Fn": Variable(_precise_text, nullable=False),
            "Sm": Variable(_monotonic, nullable=False),
        },
    ),
    _time_class("time", time.localtime),
    _time_class("utime", time.gmtime),
    _formatted("timef", time.localtime),
    _formatted("utimef", time.gmtime),
)
