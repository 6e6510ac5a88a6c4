"""The tables of grammar/kamailio.lark, built by Lark and kept in the user's cache.

Lark compiles the grammar to an LALR(1) automaton; that takes a few tenths of a second, so the result is stored as JSON
under the user's cache directory, by the hash of all that it depends on. Where nothing can be stored it is built anew
each time. `lalr.py` runs the automaton.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lark.lexer import LexerState, Token
    from lark.parsers.lalr_parser_state import ParserState

FORMAT: Final = 2  # of the stored tables
END: Final = "$END"


@dataclass(frozen=True, slots=True)
class Rule:
    """One production: how many symbols it has, and the action that makes a node of them; "" passes one child on."""

    origin: str
    symbols: tuple[str, ...]
    action: str


@dataclass(frozen=True, slots=True)
class Tables:
    """The automaton. `actions[state][terminal]`: a state to shift to, or ~rule to reduce by."""

    rules: tuple[Rule, ...]
    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    start: int
    accept: int


def find(name: str) -> Path:
    """A grammar file: in the installed package, or at the top of a source checkout."""
    package = Path(__file__).resolve().parent.parent
    for directory in (package / "grammar", package.parent / "grammar"):
        if (directory / name).is_file():
            return directory / name
    raise FileNotFoundError(f"grammar/{name} is missing from this installation of evapi-cfg")


@cache
def tables() -> Tables:
    text = find("kamailio.lark").read_text("utf-8")
    path = _cache_path(text)
    stored = _load(path)
    if stored is None:
        stored = compile_tables(text)
        _store(path, stored)
    return stored


def compile_tables(text: str) -> Tables:
    """Grammar text to tables, by Lark."""
    from lark import Lark
    from lark.lexer import Lexer, PatternStr
    from lark.parsers.lalr_analysis import Shift

    class NoLexer(Lexer):
        """The tokens come from the scanner, which Lark never sees."""

        def __init__(self, conf: object) -> None:
            pass

        def lex(self, lexer_state: LexerState, parser_state: ParserState[object]) -> Iterator[Token]:
            return iter(())

    lark = Lark(text, parser="lalr", lexer=NoLexer)
    spelling = {item.name: item.pattern.value for item in lark.terminals if isinstance(item.pattern, PatternStr)}
    table = lark.parse_interactive("").parser_state.parse_conf.parse_table
    numbers = {rule: number for number, rule in enumerate(lark.rules)}
    rules = []
    for rule in lark.rules:
        symbols = tuple(spelling.get(symbol.name, symbol.name) for symbol in rule.expansion)
        plain = rule.options.expand1 and len(symbols) == 1 and rule.alias is None
        rules.append(Rule(str(rule.origin.name), symbols, "" if plain else rule.alias or str(rule.origin.name)))
    order = {table.start_states["start"]: 0}  # Lark's states come in another order each time: as they are reached
    waiting = list(order)
    for state in waiting:
        for _, (action, target) in sorted(table.states[state].items(), key=lambda item: item[0]):
            if action is Shift and target not in order:
                order[target] = len(order)
                waiting.append(target)
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    nonterminals = {rule.origin.name for rule in lark.rules}
    for state in order:
        here: dict[str, int] = {}
        there: dict[str, int] = {}
        for symbol, (action, argument) in sorted(table.states[state].items(), key=lambda item: item[0]):
            if symbol in nonterminals:
                there[symbol] = order[argument]
            elif action is Shift:
                here[spelling.get(symbol, symbol)] = order[argument]
            else:
                here[spelling.get(symbol, symbol)] = ~numbers[argument]
        actions.append(here)
        gotos.append(there)
    return Tables(
        tuple(rules), tuple(actions), tuple(gotos), order[table.start_states["start"]], order[table.end_states["start"]]
    )


# ---- the cache -------------------------------------------------------------------------------------------------


def _cache_path(text: str) -> Path | None:
    return cache_path("kamailio", FORMAT, text)


def cache_path(name: str, form: int, text: str) -> Path | None:
    """Where the tables of a grammar are stored, if anywhere; `form` numbers the form of the file."""
    directory = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(directory):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            return None
        directory = os.path.join(home, ".cache")
    key = f"{form} {sys.version_info[:2]} {_lark_version()} {text}"
    return Path(directory, "evapi-cfg", f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.json")


def _lark_version() -> str:
    """Lark's version as its source says it, without importing it: where the tables are stored it is not needed."""
    spec = importlib.util.find_spec("lark")
    if spec is None or spec.origin is None:
        return ""
    for line in Path(spec.origin).read_text("utf-8").splitlines():
        if line.startswith("__version__"):
            return line
    return ""


def _load(path: Path | None) -> Tables | None:
    if path is None:
        return None
    try:
        data = json.loads(path.read_bytes())
        rules = tuple(Rule(sys.intern(origin), tuple(symbols), action) for origin, symbols, action in data["rules"])
        actions = tuple(_interned(state) for state in data["actions"])
        gotos = tuple(_interned(state) for state in data["gotos"])
        return Tables(rules, actions, gotos, int(data["start"]), int(data["accept"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _interned(state: dict[str, int]) -> dict[str, int]:
    return {sys.intern(symbol): int(target) for symbol, target in state.items()}


def _store(path: Path | None, stored: Tables) -> None:
    data = {
        "rules": [[rule.origin, rule.symbols, rule.action] for rule in stored.rules],
        "actions": stored.actions,
        "gotos": stored.gotos,
        "start": stored.start,
        "accept": stored.accept,
    }
    write_json(path, data)


def write_json(path: Path | None, data: object) -> None:
    """Writes beside and renames, so that a reader never sees half a file; failing to is no fault."""
    if path is None:
        return
    import tempfile  # rarely needed, and it brings much with it

    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(data, file)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
