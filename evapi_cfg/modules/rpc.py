"""The form in which a module declares the commands that it answers from outside the script: JSON-RPC over a socket, and
`jsonrpc_exec` in a route (core/rpc.h).

A command is a Python function that gets an `RpcCall` and gives the `result` of JSON-RPC's answer; it raises RpcFault
where the answer is an `error`. Texts are ordinary characters here, not bytes: `source.store` makes what variables hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evapi_cfg.modules.context import World
from evapi_cfg.modules.json_type import Json


class RpcFault(Exception):
    """The answer is an error: `code` and `message` of JSON-RPC's error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class RpcCall:
    """One call of a command: the world, and its parameters, which are read one after the other."""

    def __init__(self, world: World, method: str, params: Sequence[Json] = ()) -> None:
        self.world = world
        self.method = method
        self.params = params
        self._next = 0

    def value(self) -> Json:
        """The next parameter as it was given; None where there is none left."""
        if self._next >= len(self.params):
            return None
        self._next += 1
        return self.params[self._next - 1]

    def text(self) -> str | None:
        """The next parameter as a text; None where there is none left."""
        value = self.value()
        return value if value is None or isinstance(value, str) else str(value)

    def number(self) -> int | None:
        """The next parameter as a number; None where there is none left. Raises RpcFault where it is no number."""
        value = self.value()
        if value is None or isinstance(value, int):
            return value
        try:
            return int(str(value), 0)
        except ValueError:
            raise RpcFault(500, f"parameter {self._next} is not a number") from None


@dataclass(frozen=True, slots=True)
class RpcCommand:
    """One command by its name, such as `htable.get`."""

    name: str
    call: Callable[[RpcCall], Json]
    doc: str = ""
