"""Where statements lead: on to the next one, out of a loop or a switch, back to the route that called, or to the end
of the run. Passes that look at the order of statements ask this; it reports nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from evapi_cfg.check.index import Index
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import ExprStatement, If, Leave, RouteBlock, RouteCall, Statement, Switch, Text, While

ON: Final = 1
BREAK: Final = 2
RETURN: Final = 4
END: Final = 8
_LEAVING: Final = {"break": BREAK, "return": RETURN, "exit": END, "drop": END}

_TOGGLE: Final = re.compile(r"[#!]!(?:ifn?def|ifexp|else|endif)\b")


def has_toggle(first: Span, second: Span) -> bool:
    """Whether a condition of the preprocessor stands between two places, or they are of different files: then what
    stands there may be other statements another time."""
    if first.file is not second.file:
        return True
    return _TOGGLE.search(first.file.text, first.start, second.end) is not None


class Endings:
    """The ways that each statement of one configuration can take, as a sum of `ON`, `BREAK`, `RETURN` and `END`.

    `ending`: the route[...] blocks that never come back to who called them, whatever is defined.
    """

    def __init__(self, index: Index, routes: Mapping[str, RouteBlock]) -> None:
        self.ending: set[str] = set()
        self._ways: dict[int, int] = {}  # of if, while and switch, by id
        callers: dict[str, list[RouteBlock]] = {}
        for call, site in index.route_calls:
            if isinstance(call.target, Text):
                callers.setdefault(call.target.value, []).append(site.block)
        for site in index.sites:
            self._see(site.block.body)
        found = [name for name, block in routes.items() if self._never_returns(block)]
        while found:
            name = found.pop()
            self.ending.add(name)
            for block in callers.get(name, ()):
                self._see(block.body)
                known = block.name is None or block.name in self.ending or routes.get(block.name) is not block
                if block.name is not None and not known and self._never_returns(block):
                    found.append(block.name)

    def of(self, statements: tuple[Statement, ...]) -> int:
        """The ways out of a list of statements."""
        ways = 0
        for statement in statements:
            here = self.leads(statement)
            ways |= here & ~ON
            if not here & ON:
                return ways
        return ways | ON

    def leads(self, statement: Statement) -> int:
        kind = statement.__class__
        if kind is Leave:
            return _LEAVING[statement.how]  # type: ignore[union-attr]
        if kind is ExprStatement:
            expr = statement.expr  # type: ignore[union-attr]
            if expr.__class__ is RouteCall and isinstance(expr.target, Text) and expr.target.value in self.ending:
                return END
            return ON
        return self._ways.get(id(statement), ON)

    def _never_returns(self, block: RouteBlock) -> bool:
        return self.of(block.body) == END and not has_toggle(block.span, block.span)

    def _see(self, body: tuple[Statement, ...]) -> None:
        """What stands inside comes before what stands around it."""
        compound: list[If | While | Switch] = []
        waiting = [body]
        while waiting:
            for statement in waiting.pop():
                if isinstance(statement, If):
                    compound.append(statement)
                    waiting.append(statement.then)
                    if statement.otherwise:
                        waiting.append(statement.otherwise)
                elif isinstance(statement, While):
                    compound.append(statement)
                    waiting.append(statement.body)
                elif isinstance(statement, Switch):
                    compound.append(statement)
                    waiting += (case.body for case in statement.cases)
        for statement in reversed(compound):
            self._ways[id(statement)] = self._compound(statement)

    def _compound(self, statement: If | While | Switch) -> int:
        if isinstance(statement, If):
            return self.of(statement.then) | (self.of(statement.otherwise) if statement.otherwise else ON)
        if isinstance(statement, While):
            return (self.of(statement.body) & ~BREAK) | ON
        ways = 0
        for case in statement.cases:  # where it goes on it goes on into the next case
            ways |= self.of(case.body) & ~ON
        last = statement.cases[-1] if statement.cases else None
        if ways & BREAK or last is None or self.of(last.body) & ON or all(c.label is not None for c in statement.cases):
            ways |= ON
        return ways & ~BREAK
