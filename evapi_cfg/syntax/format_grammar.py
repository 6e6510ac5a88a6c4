"""Runs grammar/format.lark over a string, without Lark once its tables are stored (see `grammar.py`).

Which terminal comes next depends on the place: each state of the automaton has a pattern of the terminals that it
takes. Names that begin with `_`, and literals, leave no token; rules with such names give what they hold to the rule
that they stand in. This module knows no production.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from evapi_cfg.syntax.grammar import END, cache_path, find, write_json

FORMAT: Final = 1  # of the stored tables
STARTS: Final = ("format", "pvar")


class Token(NamedTuple):
    """A terminal with its place in the string."""

    kind: str
    start: int
    end: int
    text: str


class Stuck(Exception):
    """The string does not go on as the grammar wants it. `tokens` are those that stand in unfinished productions."""

    def __init__(self, at: int, tokens: list[Token]) -> None:
        super().__init__(at)
        self.at = at
        self.tokens = tokens


class Rule(NamedTuple):
    """A production: `kept` says for each symbol whether it leaves something; `action` is "" for an inlined rule."""

    origin: str
    kept: tuple[bool, ...]
    action: str


@dataclass(frozen=True, slots=True)
class Tables:
    """`actions[state][terminal]`: a state to shift to, or ~rule to reduce by. `terminals` by rank: the first counts."""

    terminals: dict[str, str]
    rules: tuple[Rule, ...]
    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    starts: dict[str, int]
    accepts: dict[str, int]


Action = Callable[[list[object]], object]


class Parser:
    """The automaton with an action for each rule that has a name of its own."""

    def __init__(self, tables: Tables, actions: Mapping[str, Action]) -> None:
        self.tables = tables
        self.rules = tuple((rule.origin, rule.kept, actions.get(rule.action)) for rule in tables.rules)
        self.patterns: list[Callable[[str, int], re.Match[str] | None] | None] = [None] * len(tables.actions)
        self.compiled: dict[frozenset[str], re.Pattern[str]] = {}

    def parse(self, value: str, start: str) -> object:
        """What the actions make of the string; raises Stuck."""
        actions, gotos, rules, patterns = self.tables.actions, self.tables.gotos, self.rules, self.patterns
        accept = self.tables.accepts[start]
        states = [self.tables.starts[start]]
        values: list[object] = []
        at, size = 0, len(value)
        while True:
            here = actions[states[-1]]
            token = None
            kind = END
            if at < size:
                pattern = patterns[states[-1]] or self._pattern(states[-1])
                found = pattern(value, at)
                if found is None:
                    raise self._stuck(at, values)
                kind = found.lastgroup or ""
                token = Token(kind, at, found.end(), found[0])
            elif END not in here:
                raise self._stuck(at, values)
            while (action := here[kind]) < 0:
                origin, kept, make = rules[~action]
                children: list[object] = []
                if kept:
                    for keep, child in zip(kept, values[-len(kept) :], strict=True):
                        if isinstance(child, list):
                            # A long list grows where it is: copied for each item it would take a square of the time.
                            children = children + child if children else child
                        elif keep:
                            children.append(child)
                    del states[-len(kept) :], values[-len(kept) :]
                values.append(children if make is None else make(children))
                states.append(gotos[states[-1]][origin])
                if states[-1] == accept and token is None:
                    return values[0]
                here = actions[states[-1]]
                if kind not in here:
                    raise self._stuck(at, values)
            states.append(action)
            values.append(token)
            at = token.end if token else at

    def _pattern(self, state: int) -> Callable[[str, int], re.Match[str] | None]:
        """What can be read in a state."""
        wanted = frozenset(self.tables.actions[state]) - {END}
        compiled = self.compiled.get(wanted)
        if compiled is None:
            parts = [f"(?P<{name}>{regex})" for name, regex in self.tables.terminals.items() if name in wanted]
            compiled = self.compiled[wanted] = re.compile("|".join(parts) or "(?!)")
        match = self.patterns[state] = compiled.match
        return match

    @staticmethod
    def _stuck(at: int, values: list[object]) -> Stuck:
        tokens: list[Token] = []
        for value in values:
            tokens += [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, Token)]
        return Stuck(at, tokens)


@cache
def tables() -> Tables:
    text = find("format.lark").read_text("utf-8")
    path = cache_path("format", FORMAT, text)
    stored = _load(path)
    if stored is None:
        stored = _built(text)
        write_json(path, _stored(stored))
    return stored


def _stored(tables: Tables) -> list[object]:
    rules = [list(rule) for rule in tables.rules]
    return [tables.terminals, rules, tables.actions, tables.gotos, tables.starts, tables.accepts]


def _load(path: Path | None) -> Tables | None:
    if path is None:
        return None
    try:
        terminals, rules, actions, gotos, starts, accepts = json.loads(path.read_bytes())
        return Tables(
            dict(terminals),
            tuple(Rule(str(origin), tuple(kept), str(action)) for origin, kept, action in rules),
            tuple(map(dict, actions)),
            tuple(map(dict, gotos)),
            dict(starts),
            dict(accepts),
        )
    except (OSError, ValueError, TypeError):
        return None


def _built(text: str) -> Tables:
    """The tables from the grammar's text, by Lark."""
    from lark import Lark
    from lark.parsers.lalr_analysis import Shift

    lark = Lark(text, parser="lalr", start=list(STARTS), maybe_placeholders=False)
    start = {name: lark.parse_interactive("", start=name).parser_state.parse_conf for name in STARTS}
    table = start["format"].parse_table
    ranked = sorted(lark.terminals, key=lambda item: (-item.priority, -item.pattern.max_width, item.name))
    rules = [
        Rule(
            str(rule.origin.name),
            tuple(not getattr(symbol, "filter_out", False) for symbol in rule.expansion),
            "" if rule.origin.name.startswith("_") else str(rule.alias or rule.origin.name),
        )
        for rule in lark.rules
    ]
    numbers = {rule: number for number, rule in enumerate(lark.rules)}
    order = {state: number for number, state in enumerate(table.states)}
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    nonterminals = {rule.origin.name for rule in lark.rules}
    for state in table.states:
        moves = table.states[state].items()
        gotos.append({symbol: order[to] for symbol, (_, to) in moves if symbol in nonterminals})
        actions.append(
            {
                symbol: order[to] if action is Shift else ~numbers[to]
                for symbol, (action, to) in moves
                if symbol not in nonterminals
            }
        )
    return Tables(
        {item.name: item.pattern.to_regexp() for item in ranked},
        tuple(rules),
        tuple(actions),
        tuple(gotos),
        {name: order[table.start_states[name]] for name in STARTS},
        {name: order[table.end_states[name]] for name in STARTS},
    )
