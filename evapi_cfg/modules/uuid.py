"""uuid: $uuid(g) and its like, universally unique identifiers (modules/uuid/uuid_mod.c; RFC 9562).

They come from the world's clock and its random numbers. $uuid(s) asks for one that no other process can have made at
the same time: here one process makes them all, so that it is as $uuid(t). Kamailio gives $null where no uuidd runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from evapi_cfg.modules.context import Run, World
from evapi_cfg.modules.forms import named
from evapi_cfg.modules.spec import KemiFunction, ModuleSpec, Resolver, Variable, keeps_state
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value

_EPOCH: Final = 0x01B21DD213814000  # from 15 October 1582 to 1970, in units of 100 nanoseconds
_MULTICAST: Final = 1 << 40  # set in a node that is no network card's address


class _State:
    """What all identifiers with a time in them share, and the time of the last one."""

    def __init__(self, world: World) -> None:
        self._chance, self._clock = world.random, world.clock
        self._node = world.random.getrandbits(48) | _MULTICAST
        self._sequence = world.random.getrandbits(14)
        self._last = 0

    def random(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def of_now(self) -> str:
        time = int(self._clock.now() * 10_000_000) + _EPOCH
        time = self._last = max(time, self._last + 1)
        low, middle, high = time & 0xFFFFFFFF, time >> 32 & 0xFFFF, time >> 48 & 0xFFF
        sequence = self._sequence
        return str(UUID(fields=(low, middle, high, sequence >> 8, sequence & 0xFF, self._node), version=1))


def _state(run: Run) -> _State:
    found = run.world.state["uuid"]
    assert isinstance(found, _State)
    return found


def _random(run: Run) -> Value:
    return _state(run).random()


def _of_now(run: Run) -> Value:
    return _state(run).of_now()


_KINDS: Final[dict[str, Callable[[Run], Value]]] = {"t": _of_now, "s": _of_now}


def _make(inner: Text, resolver: Resolver) -> Variable:
    """The first letter counts, in small or capital letters; one that means nothing gives a random identifier."""
    return Variable(_KINDS.get(inner.value[0].lower(), _random), nullable=False)


MODULE = ModuleSpec(
    "uuid",
    pvs=(named("uuid", _make),),
    kemi=(KemiFunction("get", _random), KemiFunction("rget", _random), KemiFunction("tget", _of_now)),
    init=_State,
    reload=keeps_state("uuid"),
    doc="universally unique identifiers",
)
