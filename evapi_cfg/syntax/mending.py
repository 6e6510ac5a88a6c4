"""What the repairs in `words.py`, `braces.py` and `repairs.py` are made of: a fault is told, tokens are put in, taken
out or replaced, and the item that holds them is read again.

Which change mends which fault is said there, and in which order they are tried in `recover.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import MOST, Code, Diagnostic, Fix, Related
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax import explain
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.faults import REFUSED
from evapi_cfg.syntax.grammar import Tables
from evapi_cfg.syntax.lalr import Automaton
from evapi_cfg.syntax.reading import LOOK, Reading
from evapi_cfg.syntax.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from evapi_cfg.syntax.build_top import Builder
    from evapi_cfg.syntax.corrections import Correction, Fault

REREAD_TOKENS: Final = 1_000_000  # that may be read once more in one file to mend it; then statements are left out


class Define(NamedTuple):
    """A name that the preprocessor replaces: its value, and where it stands."""

    name: str
    value: str
    at: Span


class Mending:
    """The tokens of one configuration, and what has been found wrong with them."""

    def __init__(
        self,
        tables: Tables,
        builder: Builder,
        tokens: list[Token],
        file: SourceFile,
        faulty: Collection[tuple[SourceFile, int]] = (),
        defines: Sequence[Define] = (),
    ) -> None:
        """`faulty`: lines for which the scanner has reported an error; no further one is reported there. `defines`:
        those of the files."""
        self.reading = Reading(Automaton(tables, builder.actions(tables)), tokens, file)
        self._builder = builder
        self.diagnostics: list[Diagnostic] = []
        self.ends_early = False  # the file ends in the middle of something
        self.correction: Correction | None = None  # how the text is to be read once more
        self.more_corrections: list[Correction] = []  # what belongs to that
        self.define_correction: tuple[str, str, Fault] | None = None  # name, value, and what is said of it
        self._corrects = True
        self._faulty = faulty
        self._defines = {define.name: define for define in defines}
        self._silent_to = -1  # faults up to this token follow from one that has been reported
        self._told_words: set[tuple[SourceFile, int]] = set()
        self._left = REREAD_TOKENS
        self._told_in = -1  # the number of the item in which the last fault was
        self._resumed = -1  # the token behind what has been left out

    # ---- telling -----------------------------------------------------------------------------------------------

    def _report(
        self,
        at: int,
        code: Code,
        message: str,
        span: Span,
        help: str = "",
        related: tuple[Related, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        """Reports a fault, unless it follows from one that has been."""
        if at > self._silent_to and not self._is_known(at) and len(self.diagnostics) <= MOST:
            define = self._define_at(at)
            if define is not None:
                fix = None
                related = (*related, Related(f"`{define.name}` gets its value here", define.at))
            self.diagnostics.append(Diagnostic(code, message, span, help, REFUSED, related, fix))
            self._told_in = len(self.reading.list())
        self._silent_to = max(self._silent_to, at)

    def _is_known(self, at: int) -> bool:
        """Whether there is an error already on the line of the token, or on that of the token before where the line
        begins with it: what is missing now may have been swallowed there."""
        tokens = self.reading.tokens
        token = self.reading.token(at)
        near = [item for item in (token, tokens[at - 1] if 0 < at <= len(tokens) else None) if item is not None]
        for number, item in enumerate(near):
            line = item.file.line_number(item.start), item.file.line_number(item.end)
            if number and token is not None and token.file is item.file and token.file.line_number(token.start) in line:
                continue
            if any((item.file, one) in self._faulty for one in line) or self._is_bad_variable(item.file, line[1]):
                return True
        return False

    def _is_bad_variable(self, file: SourceFile, line: int) -> bool:
        """Whether a variable on that line is broken: its parentheses may have swallowed what is missing now."""
        return any(
            item.span.file is file and file.line_number(item.span.start) == line
            for item in self._builder.diagnostics
            if item.code is codes.BAD_VARIABLE
        )

    def _define_at(self, at: int) -> Define | None:
        """The define from whose value a token comes."""
        token = self.reading.token(at)
        if token is None:
            return None
        name = token.span.text
        value = token.value.value if isinstance(token.value, Text) else token.value
        return self._defines.get(name) if value != name else None

    def _where(self) -> str:
        where = explain.place(self.reading.values)
        return where if where.startswith(" in ") else ""

    # ---- changing ----------------------------------------------------------------------------------------------

    def _insert(self, at: int, *terminals: str) -> int:
        self.reading.place_tokens(at, terminals)
        self._silent_to += len(terminals)
        return at

    def _remove(self, first: int, behind: int) -> None:
        """Takes tokens out whose fault has been reported."""
        del self.reading.tokens[first:behind]
        if self._silent_to >= first:
            self._silent_to = max(first - 1, self._silent_to - (behind - first))

    def _helps(self, at: int, first: int, behind: int, terminals: Sequence[str], look: int = LOOK) -> bool:
        """Whether the half-read item could be read up to `look` tokens behind `at` if tokens[first:behind] were
        these. It costs as much as reading them."""
        reading = self.reading
        if self._left < 0:
            return False
        start = reading.item_start(at)
        if start > first or not self._may_look(at - start):
            return False
        row = [token.terminal for token in reading.tokens[start:first]]
        row += terminals
        row += (token.terminal for token in reading.tokens[behind : max(at, behind) + look])
        return reading.automaton.fits(reading.top_states(), row) == len(row)

    def _may_look(self, tokens: int) -> bool:
        """Whether so many tokens may be looked at once more."""
        self._left -= tokens
        return self._left >= 0

    def _replace(self, at: int, first: int, behind: int, tokens: Sequence[Token]) -> int:
        """Puts other tokens in the place of tokens[first:behind], and goes back to the beginning of the item. Gives
        where to go on."""
        reading = self.reading
        start = reading.item_start(at)
        reading.tokens[first:behind] = tokens
        if self._silent_to >= behind:
            self._silent_to += len(tokens) - (behind - first)
        else:
            self._silent_to = max(self._silent_to, first + len(tokens) - 1)
        reading.cut_to_top()
        self._builder.forget_heights()
        return start

    def _made(self, at: int, terminal: str, value: str | None = None) -> Token:
        """A token that stands for the one at `at`."""
        token = self.reading.tokens[at]
        return token._replace(terminal=terminal, value=terminal if value is None else value)
