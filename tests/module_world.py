"""A world for the tests of modules: a log that is read back, a clock that stands still, formats read on their own."""

from __future__ import annotations

import random
from collections.abc import Awaitable
from dataclasses import dataclass, field

from evapi_cfg.modules import by_name
from evapi_cfg.modules.context import Client, ClientView, Pause, Run, World
from evapi_cfg.modules.resolve import Names, printed
from evapi_cfg.modules.rpc import Answer, commands_of
from evapi_cfg.modules.spec import Function, Variable
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value


@dataclass
class Line:
    level: int
    source: str
    message: str


@dataclass
class Log:
    threshold: int = 3
    lines: list[Line] = field(default_factory=list)

    def __call__(self, level: int, source: str, message: str, at: Span | None = None, route: str = "") -> None:
        self.lines.append(Line(level, source, message))

    def script(self) -> list[str]:
        return [line.message for line in self.lines if line.source == "script"]


class StillClock:
    """Stands still at a moment with microseconds, until it is moved."""

    def __init__(self) -> None:
        self.moment = 1_700_000_000.25

    def now(self) -> float:
        return self.moment

    def monotonic(self) -> float:
        return self.moment - 1_600_000_000


class NoHub:
    def relay(self, data: str) -> int:
        return 0

    def multicast(self, data: str, tag: str) -> int:
        return 0

    def unicast(self, data: str, tag: str) -> int:
        return 0

    def close(self, client: Client) -> None: ...

    def set_tag(self, client: Client, tag: str) -> None: ...

    def measures(self) -> dict[str, Answer]:
        return {}

    def views(self) -> list[ClientView]:
        return []


HERE = Span(SourceFile("test.cfg", "line one\nline two\n"), 9, 17)


def text(value: str) -> Text:
    return Text(HERE, value)


class Bench:
    """All modules that run, in one world; `params` are modparams as (module, name, value)."""

    def __init__(self, *params: tuple[str, str, int | str]) -> None:
        self.log = Log()
        self.clock = StillClock()
        self.world = World(hub=NoHub(), log=self.log, clock=self.clock, random=random.Random(7))
        self.names = Names(tuple(by_name.values()), self.world)
        self.world.resolver = self.names
        self.world.commands = commands_of(by_name.values())
        for module, name, value in params:
            self.world.params.setdefault((module, name), []).append(value)
        for spec in by_name.values():
            for param in spec.params:
                for module, name, value in params:
                    if (module, name) == (spec.name, param.name) and param.set is not None:
                        param.set(self.world, value)
        for spec in by_name.values():
            if spec.init is not None:
                self.world.state[spec.name] = spec.init(self.world)
        self.space: dict[str, int | str] = {}
        self.run = self.new_run()

    def new_run(self) -> Run:
        return Run(self.world, self.space, None, None)

    def variable(self, name: str) -> Variable:
        return self.names.variable(text(name))

    def get(self, name: str) -> Value:
        return self.variable(name).get(self.run)

    def set(self, name: str, value: Value) -> None:
        variable = self.variable(name)
        assert variable.set is not None
        variable.set(self.run, value)

    def print(self, format: str) -> str:
        made = self.names.text(text(format))
        return made if isinstance(made, str) else printed(made(self.run))

    def function(self, name: str, arity: int) -> Function:
        return self.names.functions[name, arity][1]

    def call(self, name: str, *arguments: object, run: Run | None = None) -> int:
        """A call with arguments as the function gets them; one that waits is driven to its end."""
        function = self.function(name, len(arguments))
        more = {"at": HERE} if function.at else {}
        outcome = function.call(run or self.run, *arguments, **more)
        return outcome if isinstance(outcome, int) else finish(outcome)


def steps(waiting: Awaitable[int]) -> tuple[list[float], int | None]:
    """The seconds that something wants to wait, up to three times, and what it gives if it comes to its end."""
    waits: list[float] = []
    iterator = waiting.__await__()
    try:
        while len(waits) < 3:
            pause: Pause = next(iterator)
            waits.append(pause.seconds)
    except StopIteration as end:
        return waits, end.value
    return waits, None


def finish(waiting: Awaitable[int]) -> int:
    code = steps(waiting)[1]
    assert code is not None
    return code
