"""The form in which a module declares the commands that it answers from outside the script: JSON-RPC over a socket, and
`jsonrpc_exec` in a route (core/rpc.h).

A command is a Python function that gets an `RpcCall` and gives the `result` of JSON-RPC's answer; it raises RpcFault
where the answer is an `error`. Texts are ordinary characters here, not bytes: `source.store` makes what variables hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from evapi_cfg.modules.context import World
from evapi_cfg.modules.json_type import Json

if TYPE_CHECKING:
    from evapi_cfg.modules.spec import ModuleSpec

_INT: Final = 1 << 31
_LONG: Final = 1 << 63

Answer: TypeAlias = "Mapping[str, Answer] | Sequence[Answer] | Repeated | str | int | float | bool | None"
"""What a command gives. One that has nothing to say gives {}."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """In the place of a member's value: the member stands there once for each of these, as many of Kamailio's answers
    have it. Readers of JSON mostly keep the last one."""

    values: Sequence[Answer]


class RpcFault(Exception):
    """The answer is an error: `code`, `message` and `data` of JSON-RPC's error object; Kamailio's have no `data`."""

    def __init__(self, code: int, message: str, data: Answer = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Later:
    """In the place of an answer that is not there yet. `meanwhile` is the answer where nobody can wait for it: in a
    route."""

    def __init__(self, meanwhile: Answer) -> None:
        self.meanwhile = meanwhile
        self._known: Callable[[], Answer] | None = None
        self._told: Callable[[Callable[[], Answer]], None] | None = None

    def give(self, answer: Answer | RpcFault) -> None:
        """The answer is there."""

        def known() -> Answer:
            if isinstance(answer, RpcFault):
                raise answer
            return answer

        self._known = known
        if self._told is not None:
            self._told(known)

    def then(self, tell: Callable[[Callable[[], Answer]], None]) -> None:
        """`tell` gets, now or later, a function that gives the answer or raises RpcFault."""
        self._told = tell
        if self._known is not None:
            tell(self._known)


class RpcCall:
    """One call of a command: the world, and its parameters, which are read one after the other.

    The readers take a parameter as Kamailio's kinds do (jsonrpcs_mod.c: jsonrpc_scan). One that cannot be taken is
    still the next one.
    """

    def __init__(self, world: World, method: str, params: Sequence[Json] = ()) -> None:
        self.world = world
        self.method = method
        self.params = params
        self._next = 0

    @property
    def left(self) -> int:
        """How many parameters have not been read."""
        return len(self.params) - self._next

    def value(self) -> Json:
        """The next parameter as it was given; None where there is none left."""
        if self._next >= len(self.params):
            return None
        self._next += 1
        return self.params[self._next - 1]

    def string(self) -> str | None:
        """The next parameter, which must be a text (kind `S`); None where it is none, or where there is none left."""
        if self.left and isinstance(text := self.params[self._next], str):
            self._next += 1
            return text
        return None

    def text(self) -> str | None:
        """As `string`, but a number is taken as well (kind `.S`): its digits, without sign and fraction."""
        if self.left and isinstance(number := self.params[self._next], (int, float)) and not isinstance(number, bool):
            self._next += 1
            return str(_bounded(number, _LONG) % (2 * _LONG))
        return self.string()

    def number(self) -> int | None:
        """The next parameter as a number of 64 bit (kind `l`): what is no number is 0, true is 1; None where there is
        none left."""
        return _bounded(_side(self.value()), _LONG) if self.left else None

    def integer(self) -> int | None:
        """As `number`, of 32 bit (kind `d`)."""
        return _bounded(_side(self.value()), _INT) if self.left else None


def _side(value: Json) -> int | float:
    return value if isinstance(value, (int, float)) else 0


def _bounded(number: int | float, limit: int) -> int:
    """A number of C's `double` as the integer that it becomes: what does not fit is the least one."""
    cut = int(number)
    return cut if -limit <= cut < limit else -limit


@dataclass(frozen=True, slots=True)
class RpcCommand:
    """One command by its name, such as `htable.get`. `array`: its result is one even where it is not run at all, which
    happens when `params` is neither an array nor an object."""

    name: str
    call: Callable[[RpcCall], Answer | Later]
    doc: str = ""
    array: bool = False


def commands_of(modules: Iterable[ModuleSpec]) -> dict[str, RpcCommand]:
    """All commands of these modules by name; the first one of a name counts (core/rpc_lookup.c: rpc_register)."""
    found: dict[str, RpcCommand] = {}
    for module in modules:
        for command in module.rpc:
            found.setdefault(command.name, command)
    return found
