"""Runs the automaton of `grammar.py` over tokens.

Lark's own loop is not used: here a run of productions that only pass one child on is taken in one step (an operand
climbs eleven levels of precedence), and the parser's stack is open to `recover.py`. This module knows no production.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from evapi_cfg.syntax.grammar import END, Tables
from evapi_cfg.syntax.tokens import Token

MAX_STACK: Final = 2400  # symbols; the right-recursive part of any text that is refused as nested too deep


class Automaton:
    """The tables with the actions bound, and what has been learnt about them while running."""

    def __init__(self, tables: Tables, actions: Sequence[Callable[..., object] | None]) -> None:
        self.tables = tables
        self.actions = tables.actions
        self.gotos = tables.gotos
        # for each rule: number of symbols, nonterminal, action
        self.rules = tuple(
            (len(rule.symbols), rule.origin, action) for rule, action in zip(tables.rules, actions, strict=True)
        )
        self._climbs: dict[tuple[int, int, str], int] = {}

    def run(self, states: list[int], values: list[object], tokens: Sequence[Token], at: int, ends: bool = True) -> int:
        """Reads tokens[at:] until one does not fit; gives its number. Where all were read and the end fits, too, the
        number of tokens plus one, and the only value is the result. `ends` False: the text goes on behind them."""
        actions, gotos, rules, climbs = self.actions, self.gotos, self.rules, self._climbs
        size = len(tokens)
        while True:
            if at < size:
                token = tokens[at]
                terminal = token[0]
            elif ends:
                terminal = END
            else:
                return at
            while True:
                state = states[-1]
                action = actions[state].get(terminal)
                if action is None:
                    return at
                if action >= 0:
                    states.append(action)
                    values.append(token)
                    at += 1
                    if len(states) > MAX_STACK:
                        return at
                    break
                length, origin, make = rules[~action]
                if make is None:
                    below = states[-2]
                    key = (below, state, terminal)
                    top = climbs.get(key)
                    if top is None:
                        top = climbs[key] = self._climb(below, state, terminal)
                    states[-1] = top
                elif length:
                    value = make(*values[-length:])
                    del states[-length:], values[-length:]
                    states.append(gotos[states[-1]][origin])
                    values.append(value)
                else:
                    states.append(gotos[state][origin])
                    values.append(make())
                if terminal is END and states[-1] == self.tables.accept:
                    return size + 1

    def _climb(self, below: int, state: int, terminal: str) -> int:
        """The state on top of `below` after all productions that only pass the top value on."""
        while True:
            action = self.actions[state].get(terminal)
            if action is None or action >= 0:
                return state
            length, origin, make = self.rules[~action]
            if make is not None or length != 1:
                return state
            state = self.gotos[below][origin]

    def fits(self, states: Sequence[int], terminals: Sequence[str]) -> int:
        """How many of the terminals can be read from there, without any action."""
        stack = list(states)
        for number, terminal in enumerate(terminals):
            while True:
                action = self.actions[stack[-1]].get(terminal)
                if action is None:
                    return number
                if action >= 0:
                    stack.append(action)
                    break
                length, origin, _ = self.rules[~action]
                if length:
                    del stack[-length:]
                stack.append(self.gotos[stack[-1]][origin])
                if terminal is END and stack[-1] == self.tables.accept:
                    break
        return len(terminals)

    def expected(self, states: Sequence[int]) -> list[str]:
        """The terminals that can be read next."""
        return [terminal for terminal in self.actions[states[-1]] if self.fits(states, (terminal,))]
