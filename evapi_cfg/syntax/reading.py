"""Half-read text: the parser's stack, the tokens, and what can be tried on them.

This module decides nothing about faults: the repairs in `words.py`, `braces.py` and `repairs.py` do, which `recover.py`
tries.
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.grammar import END
from evapi_cfg.syntax.keywords import PARAMETERS
from evapi_cfg.syntax.lalr import Automaton
from evapi_cfg.syntax.tokens import Token

ROUTES: Final = frozenset(
    ("ROUTE", "REQUEST_ROUTE", "FAILURE_ROUTE", "ONREPLY_ROUTE", "REPLY_ROUTE", "BRANCH_ROUTE", "ONSEND_ROUTE",
     "EVENT_ROUTE")
)  # fmt: skip
BEGINNINGS: Final = ROUTES | {"LOADMODULE", "LOADPATH", "MODPARAM", "MODPARAMX", "CFGENGINE"}  # never inside a block
TOP_WORDS: Final = BEGINNINGS | PARAMETERS.keys() | {"FLAGS", "AVPFLAGS", "SUBST"}
OPENINGS: Final = {"(": ")", "[": "]", "{": "}"}
PLACEHOLDERS: Final = {
    "NUMBER": "0",
    "STRING": "",
    "EQUALS": "==",
    "AND": "&&",
    "OR": "||",
}  # what a token says that is put in
LOOK: Final = 3  # tokens that must fit behind a repair


class Reading:
    """The tokens of a configuration, and how far they have been read."""

    def __init__(self, automaton: Automaton, tokens: list[Token], file: SourceFile) -> None:
        self.automaton = automaton
        self.tokens = tokens
        self.file = file
        self.states = [automaton.tables.start]
        self.values: list[object] = []

    # ---- tokens ------------------------------------------------------------------------------------------------

    def token(self, at: int) -> Token | None:
        return self.tokens[at] if 0 <= at < len(self.tokens) else None

    def terminal(self, at: int) -> str:
        """The token's kind; END behind the last one, "" before the first."""
        return "" if at < 0 else self.tokens[at][0] if at < len(self.tokens) else END

    def span(self, at: int) -> Span:
        token = self.token(at)
        if token is not None:
            return token.span
        end = len(self.file.text.rstrip())
        return Span(self.file, end, end)

    def behind(self, at: int) -> Span:
        """The place right behind the token before `at`."""
        last = self.tokens[at - 1]
        return Span(last.file, last.end, last.end)

    def begins(self, at: int) -> bool:
        """Whether something begins there that never stands inside a block; `route(X)` is a command."""
        terminal = self.terminal(at)
        return terminal in BEGINNINGS and (terminal != "ROUTE" or self.terminal(at + 1) in ("[", "{"))

    def is_top_word(self, at: int) -> bool:
        """Whether the token can begin a statement outside of blocks."""
        terminal, following = self.terminal(at), self.terminal(at + 1)
        if terminal in BEGINNINGS:
            return self.begins(at)
        if terminal in TOP_WORDS:
            return terminal not in ("FORCE_RPORT", "UDP_MTU_TRY_PROTO") or following == "="
        return (following in (".", "[") and terminal in ("ID", "DEFAULT")) or (terminal == "ID" and following == "=")

    def place_tokens(self, at: int, terminals: tuple[str, ...]) -> None:
        """Puts tokens in that the author left out."""
        place = self.behind(at) if at else Span(self.file, 0, 0)
        values = ((terminal, PLACEHOLDERS.get(terminal, terminal)) for terminal in terminals)
        self.tokens[at:at] = [
            Token(terminal, Text(place, value) if terminal == "STRING" else value, place.start, place.end, place.file)
            for terminal, value in values
        ]

    def closed_at(self, at: int) -> int:
        """From an opening bracket to behind the one that closes it; or to the end of the statement."""
        depth = 0
        while at < len(self.tokens):
            terminal = self.tokens[at].terminal
            if terminal == "(":
                depth += 1
            elif terminal == ")":
                depth -= 1
                if depth == 0:
                    return at + 1
            elif terminal in ("{", "}"):
                return at
            at += 1
        return at

    def line_end(self, at: int) -> int:
        """The number of the first token behind the line on which that one stands."""
        file = self.tokens[at].file
        line_end = file.text.find("\n", self.tokens[at].start)
        end = at + 1
        while (
            end < len(self.tokens)
            and self.tokens[end].file is file
            and (line_end < 0 or self.tokens[end].start < line_end)
        ):
            end += 1
        return end

    def closed_at_depth(self, at: int) -> int:
        """The number of the `)` that closes the parenthesis in which the token stands; that of the end of the statement
        where none does."""
        depth = 1
        while at < len(self.tokens):
            terminal = self.tokens[at].terminal
            depth += (terminal == "(") - (terminal == ")")
            if depth == 0 or terminal in (";", "{", "}"):
                break
            at += 1
        return at

    def brace_closed_at(self, at: int) -> int:
        """The number of the `}` that closes the `{` there; that of the end where none does."""
        depth = 0
        while at < len(self.tokens):
            terminal = self.tokens[at].terminal
            depth += (terminal == "{") - (terminal == "}")
            if depth == 0:
                break
            at += 1
        return at

    def surplus(self, at: int) -> int:
        """How many more `{` than `}` there are before the next beginning, the open ones with them."""
        depth = self.depth()
        while at < len(self.tokens) and not self.begins(at):
            terminal = self.tokens[at].terminal
            depth += (terminal == "{") - (terminal == "}")
            at += 1
        return depth

    # ---- the stack ---------------------------------------------------------------------------------------------

    def read(self, at: int) -> int:
        return self.automaton.run(self.states, self.values, self.tokens, at)

    def feed(self, terminal: str) -> bool:
        """Reads a token that is not there. False: it does not fit."""
        if not self.fit((terminal,)):
            return False
        end = len(self.file.text)
        self.automaton.run(self.states, self.values, [Token(terminal, terminal, end, end, self.file)], 0, False)
        return True

    def fit(self, terminals: tuple[str, ...]) -> bool:
        return self.automaton.fits(self.states, terminals) == len(terminals)

    def fits(self, inserted: tuple[str, ...], at: int, look: int = LOOK) -> bool:
        """Whether these terminals and then the tokens from `at` on can be read, up to `look` of them."""
        there = [token[0] for token in self.tokens[at : at + look]]
        if len(there) < look:
            there.append(END)
        return self.fit((*inserted, *there))

    def expected(self) -> list[str]:
        return self.automaton.expected(self.states)

    def opened(self) -> list[Token]:
        """The open brackets, outermost first."""
        opened: list[Token] = []
        for value in self.values:
            if isinstance(value, Token):
                if value.terminal in OPENINGS:
                    opened.append(value)
                elif value.terminal in (")", "]", "}") and opened:
                    opened.pop()
        return opened

    def before_open(self) -> Token | None:
        """What stands before the innermost open bracket."""
        opened = self.opened()
        for number in range(len(self.values) - 1, 0, -1):
            if opened and self.values[number] is opened[-1]:
                before = self.values[number - 1]
                return before if isinstance(before, Token) else None
        return None

    def depth(self) -> int:
        """How many blocks are open."""
        return sum(token.terminal == "{" for token in self.opened())

    def is_list(self) -> bool:
        """Whether a list of statements goes on here."""
        gotos = self.automaton.gotos[self.states[-1]]
        return "action" in gotos and "body" not in gotos

    def is_cases(self) -> bool:
        """Whether a list of cases goes on here."""
        return "case" in self.automaton.gotos[self.states[-1]]

    def is_top(self) -> bool:
        return len(self.states) == 1 or (len(self.states) == 2 and isinstance(self.values[0], list))

    def pop(self) -> object:
        self.states.pop()
        return self.values.pop()

    def cut(self, at: int) -> int:
        """Takes half a statement off the stack. Gives the number of its first token; `at` is read next."""
        first: object = None
        while not (self.is_list() or self.is_cases() or self.is_top()):
            first = self.pop()
        return self._number_of(first, at)

    def _number_of(self, value: object, at: int) -> int:
        """The number of the token with which something on the stack begins; `at` where there is nothing."""
        if value is None:
            return at
        if isinstance(value, Token):
            file, start = value.file, value.start
        else:
            span = getattr(value, "span", None)
            if not isinstance(span, Span):
                return at
            file, start = span.file, span.start
        number = at - 1
        while number >= 0 and not (self.tokens[number].start == start and self.tokens[number].file is file):
            number -= 1
        if number < 0:
            return at
        if isinstance(value, Token):
            while number > 0 and self.tokens[number] is not value and self.tokens[number - 1].start == start:
                number -= 1
        return number

    def item_start(self, at: int) -> int:
        """The number of the token with which the half-read item begins."""
        for value in self.values:
            if isinstance(value, Token):
                number = at - 1
                while number > 0 and self.tokens[number] is not value:
                    number -= 1
                return number
        return at

    def top_states(self) -> list[int]:
        """The stack below the half-read item."""
        return self.states[: 2 if self.values and isinstance(self.values[0], list) else 1]

    def cut_to_top(self) -> None:
        while not self.is_top():
            self.pop()

    def close_blocks(self) -> None:
        """Closes all open blocks. Half a statement is dropped, what was whole is kept."""
        while self.depth():
            if not self.is_cases() and not self.feed(";"):
                self.cut(len(self.tokens))
                self.feed(";")
            if not self.feed("}"):
                self.cut_to_top()
                return

    def list(self) -> list[object]:
        """What has been read at the top level."""
        return self.values[0] if self.values and isinstance(self.values[0], list) else []


def line_start(token: Token) -> int:
    return token.file.text.rfind("\n", 0, token.start) + 1


def is_first(token: Token) -> bool:
    """Whether only blanks stand before it on its line."""
    text, at = token.file.text, token.start - 1
    while at >= 0 and text[at] != "\n" and text[at].isspace():
        at -= 1
    return at < 0 or text[at] == "\n"


def indent(token: Token) -> int:
    """How far its line is indented; a tab counts to the next multiple of eight."""
    start = line_start(token)
    line = token.file.text[start : start + 200].expandtabs()
    return len(line) - len(line.lstrip())
