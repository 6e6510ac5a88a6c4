"""A world outside that a test plays by hand: what routes ask of it is kept until the test answers."""

from __future__ import annotations

from collections.abc import Callable

from evapi_cfg import App
from evapi_cfg.modules.outside import Answer, Command, Finished, Query

OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class HandOutside:
    """`most`: how many queries may be under way."""

    def __init__(self, most: int = 100) -> None:
        self.most = most
        self.commands: list[tuple[Command, Callable[[Finished], None]]] = []
        self.queries: list[tuple[Query, Callable[[Answer], None]]] = []

    def execute(self, command: Command, done: Callable[[Finished], None]) -> None:
        self.commands.append((command, done))

    def fetch(self, query: Query, done: Callable[[Answer], None]) -> bool:
        if len(self.queries) >= self.most:
            return False
        self.queries.append((query, done))
        return True

    @property
    def lines(self) -> list[str]:
        """The commands that are under way."""
        return [command.line for command, _ in self.commands]

    @property
    def urls(self) -> list[str]:
        """The addresses of the queries that are under way."""
        return [query.url for query, _ in self.queries]

    def end(self, app: App, output: str = "", status: int = 0, index: int = 0) -> None:
        """A command comes to its end."""
        self.commands.pop(index)[1](Finished(status, output))
        app.advance()

    def answer(self, app: App, text: str | None = OK, error: str = "", *, index: int = 0, hops: int = 0) -> None:
        """A query is answered."""
        self.queries.pop(index)[1](Answer(text, error, hops=hops))
        app.advance()
