"""What routes ask of the world outside, done while the loop goes on; then the server goes on with their runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from evapi_cfg.modules.outside import Answer, Command, Finished, Outside, Query
from evapi_cfg.server.commands import Commands
from evapi_cfg.server.http_client import HttpClient


class ServedOutside:
    """`World.outside` of a server. `go_on` is called after each answer."""

    def __init__(self, go_on: Callable[[], None]) -> None:
        self._commands = Commands(go_on)
        self._http = HttpClient(go_on)

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        return self._commands.idle and self._http.idle

    def execute(self, command: Command, done: Callable[[Finished], None]) -> None:
        self._commands.execute(command, done)

    def fetch(self, query: Query, done: Callable[[Answer], None]) -> bool:
        return self._http.fetch(query, done)

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._commands.close()
        await self._http.close()


class OthersOutside:
    """One that an application brings to the server: the server goes on after its answers as well."""

    def __init__(self, outside: Outside, go_on: Callable[[], None]) -> None:
        self._outside = outside
        self._go_on = go_on
        self._loop = asyncio.get_running_loop()

    def execute(self, command: Command, done: Callable[[Finished], None]) -> None:
        def told(finished: Finished) -> None:
            done(finished)
            self._loop.call_soon(self._go_on)  # it may answer at once, in the middle of a run

        self._outside.execute(command, told)

    def fetch(self, query: Query, done: Callable[[Answer], None]) -> bool:
        def told(answer: Answer) -> None:
            done(answer)
            self._loop.call_soon(self._go_on)

        return self._outside.fetch(query, told)
