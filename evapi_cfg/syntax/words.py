"""Repairs of words and operators: those of another language, misspelt ones, names that lack their quotes.

Each method of a repair gets the token that does not fit, and gives the token to go on with, or None where it is no such
fault.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Fix
from evapi_cfg.diagnostics.suggest import near
from evapi_cfg.source import Span
from evapi_cfg.syntax import corrections, faults, habits
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.keywords import TERMINALS
from evapi_cfg.syntax.mending import Mending
from evapi_cfg.syntax.reading import is_first, line_start
from evapi_cfg.syntax.tokens import Token

_OPERATOR: Final = re.compile(r"[-+*/%=<>!~&|^.:]+")
_PART: Final = re.compile(r"[A-Za-z0-9_]+|-")
_LIBRARY: Final = re.compile(r"[A-Za-z0-9_./-]+")
_QUOTED_WORDS: Final = frozenset(("LOADMODULE", "LOADPATH", "CFGENGINE"))
_PROTOCOLS: Final = ("udp", "tcp", "tls", "sctp")
MOST_BEHIND: Final = 60  # tokens before the fault in which a foreign word is looked for


class Words(Mending):
    """What is no word of the language."""

    # ---- operators ---------------------------------------------------------------------------------------------

    def _foreign_operator(self, at: int) -> int | None:
        token = self.reading.token(at)
        if token is None or not self._is_operator(at):
            return None
        first, behind = self._run(at)
        text = "".join(str(item.value) for item in self.reading.tokens[first:behind])
        if self._is_comment(text, first):
            return -1
        habit = habits.OPERATORS.get(text)
        if habit is None:
            return None
        tokens = self.reading.tokens
        span = Span(token.file, tokens[first].start, tokens[behind - 1].end)
        message = "this `*/` closes no comment" if text == "*/" else f"there is no `{text}`"
        self._report(at, codes.SYNTAX_ERROR, message, span, habit.help)
        for instead in (habit.instead or (), ()):
            if self._helps(at, first, behind, [terminal for terminal, _ in instead]):
                return self._replace(at, first, behind, [self._made(first, *pair) for pair in instead])
        return self._skip_statement(at)

    def _is_operator(self, at: int) -> bool:
        value = self.reading.tokens[at].value
        return isinstance(value, str) and _OPERATOR.fullmatch(value) is not None

    def _run(self, at: int) -> tuple[int, int]:
        """The signs that stand side by side there: tokens[first:behind]."""
        tokens = self.reading.tokens
        first, behind = at, at + 1
        while first and self._is_operator(first - 1) and _is_beside(tokens[first - 1], tokens[first]):
            first -= 1
        while behind < len(tokens) and self._is_operator(behind) and _is_beside(tokens[behind - 1], tokens[behind]):
            behind += 1
        return first, behind

    def _is_comment(self, text: str, first: int) -> bool:
        """Whether the signs begin what is a comment elsewhere; then the text is to be read once more without it."""
        size = habits.COMMENTS.get(text)
        token = self.reading.tokens[first]
        whole = token.file.text
        line_end = whole.find("\n", token.start)
        line_end = len(whole) if line_end < 0 else line_end
        if size is None or token.span.text[:1] != text[:1] or not self._may_correct(first):
            return False
        if text == "--" and (
            not (is_first(token) or self.reading.terminal(first - 1) in (";", "{", "}"))
            or not whole[token.start + size : token.start + size + 1].isspace()
        ):
            return False
        if text[0] == "<":
            closed = whole.find("-->", token.start)
            line_end = closed + 3 if closed >= 0 else line_end
        self.correction = corrections.of_comment(token.file, token.start, line_end, size, faults.foreign_comment)
        return True

    def _conflict(self, at: int) -> int | None:
        token = self.reading.token(at)
        if token is None or not self._may_correct(at) or token.span.text[:1] not in ("<", "=", ">", "|"):
            return None
        found = corrections.of_conflict(token.file, line_start(token))
        if not found:
            return None
        self.correction, *self.more_corrections = found
        return -1

    # ---- words of other languages ------------------------------------------------------------------------------

    def _foreign_word(self, at: int) -> int | None:
        number = self._habit(at)
        tokens = self.reading.tokens
        if number is None or (tokens[number].file, tokens[number].start) in self._told_words:
            return None
        word = tokens[number]
        self._told_words.add((word.file, word.start))
        text = str(word.value)
        habit = habits.WORDS[text]
        self._report(at, codes.SYNTAX_ERROR, f"`{text}` is no word of the language", word.span, habit.help)
        if habit.instead is not None:
            instead = [self._made(number, *pair) for pair in habit.instead]
            if instead and instead[0].terminal == "VARIABLE":
                instead = [instead[0]._replace(value=Text(word.span, str(instead[0].value)))]
            behind = (number + 1, number + 2) if not instead and number + 1 < len(tokens) else (number + 1,)
            for end in behind:
                if self._helps(at, number, end, [token.terminal for token in instead]):
                    return self._replace(at, number, end, instead)
        if not self.reading.depth():
            return self._skip_to_top(at)
        return self._skip_statement(
            self.reading.closed_at(number + 1) if self.reading.terminal(number + 1) == "(" else at
        )

    def _habit(self, at: int) -> int | None:
        """A word of another language: where the text does not fit, right before it, or at the beginning of the half
        statement."""
        reading = self.reading
        for number in range(at, max(-1, at - MOST_BEHIND), -1):
            token = reading.token(number)
            if token is None:
                continue
            begins = number == 0 or reading.terminal(number - 1) in (";", "{", "}", ")", ":")
            if token.terminal == "ID" and token.value in habits.WORDS and (number >= at - 1 or begins):
                return number
            if token.terminal in (";", "}", "{") and number < at:
                break
        return None

    def _else(self, at: int) -> int | None:
        """`else-if(...)`, `else(...)`."""
        reading = self.reading
        terminal = reading.terminal(at)
        if not at or reading.terminal(at - 1) != "ELSE" or terminal not in ("-", "("):
            return None
        span = reading.span(at)
        if terminal == "-" and reading.fits((), at + 1, 1):
            self._report(at, codes.SYNTAX_ERROR, "`else-if` is no word of the language", span, "write `else if`")
            self._remove(at, at + 1)
            return at
        if terminal == "(" and reading.fits(("IF",), at, 1):
            self._report(at, codes.SYNTAX_ERROR, "an `else` takes no condition", span, "write `else if`")
            return self._insert(at, "IF")
        return None

    # ---- misspelt words ----------------------------------------------------------------------------------------

    def _misspelt(self, at: int) -> int | None:
        """A reserved word with a slip in it, or in capitals."""
        for number in self._suspects(at):
            text, behind = self._name(number)
            if text in TERMINALS:
                continue
            words = habits.STATEMENT_WORDS if self.reading.depth() else habits.TOP_WORDS
            plain = text.replace("-", "_").lower()
            for word in (plain,) if plain in words else near(plain, words):
                tokens, end = self._word(number, behind, word)
                if not self._helps(at, number, end, [token.terminal for token in tokens], 4):
                    continue
                first = self.reading.tokens[number]
                span = Span(first.file, first.start, self.reading.tokens[behind - 1].end)
                self._report(
                    at,
                    codes.SYNTAX_ERROR,
                    f"`{text}` is no word of the language",
                    span,
                    f"did you mean `{word}`?",
                    fix=Fix(span, word),
                )
                return self._replace(at, number, end, tokens)
        return None

    def _suspects(self, at: int) -> list[int]:
        """Where a misspelt word may stand: at the fault, before it, at the beginning of the statement."""
        reading = self.reading
        found = [number for number in (at, at - 1, at - 2) if 0 <= number < len(reading.tokens)]
        number = at - 1
        while number > max(0, at - MOST_BEHIND) and reading.terminal(number - 1) not in (";", "{", "}"):
            number -= 1
        if number >= 0:
            found.append(number)
        return [n for n in dict.fromkeys(found) if reading.terminal(n) == "ID" and self._define_at(n) is None]

    def _name(self, number: int) -> tuple[str, int]:
        """A name with the hyphens in it, and the number of the token behind it."""
        tokens = self.reading.tokens
        behind = number + 1
        while behind < len(tokens) and _is_beside(tokens[behind - 1], tokens[behind]):
            if not _PART.fullmatch(str(tokens[behind].value)):
                break
            behind += 1
        if self.reading.terminal(behind - 1) == "-":
            behind = number + 1
        return tokens[number].file.text[tokens[number].start : tokens[behind - 1].end], behind

    def _word(self, number: int, behind: int, word: str) -> tuple[list[Token], int]:
        """The tokens that a reserved word makes of those from `number` on, and where they end."""
        terminal = TERMINALS[word]
        made = [self._made(number, terminal, word)]
        if terminal != "EVENT_ROUTE" or self.reading.terminal(behind) != "[":
            return made, behind
        tokens = self.reading.tokens
        end = behind + 1
        while end < len(tokens) and end < behind + 12 and tokens[end].terminal not in ("]", "{", ";"):
            end += 1
        if self.reading.terminal(end) != "]" or end == behind + 1:
            return made, behind
        first = tokens[behind + 1]
        name = Token("EVENT_NAME", first.file.text[first.start : tokens[end - 1].end], first.start, tokens[end - 1].end,
                     first.file)  # fmt: skip
        return [*made, tokens[behind], name], end

    # ---- quotes that are missing -------------------------------------------------------------------------------

    def _unquoted(self, at: int) -> int | None:
        """A name without the quotes that belong around it."""
        reading = self.reading
        tokens = reading.tokens
        for number in (at, at - 1):
            word = reading.terminal(number - 1) if number else ""
            if word == "(" and number > 1 and reading.terminal(number - 2) == "LOADMODULE":
                word = "LOADMODULE"
            if not 0 < number < len(tokens) or word not in _QUOTED_WORDS:
                continue
            first = tokens[number]
            found = _LIBRARY.match(first.file.text, first.start)
            between = first.file.text[tokens[number - 1].end : first.start]
            if found is None or first.terminal == "STRING" or str(first.value) in TERMINALS or "\n" in between:
                continue
            end = number
            while end < len(tokens) and tokens[end].start < found.end() and tokens[end].file is first.file:
                end += 1
            span = Span(first.file, first.start, found.end())
            name = found[0] if word != "LOADMODULE" or found[0].endswith(".so") else f"{found[0]}.so"
            self._report(
                at,
                codes.SYNTAX_ERROR,
                f"`{found[0]}` stands without quotes",
                span if first.terminal != "ID" or word != "LOADMODULE" else first.span,
                f'write {reading.tokens[number - 1].value if word != "LOADMODULE" else "loadmodule"} "{name}": '
                "the quotes belong to it",
            )
            made = Token("STRING", Text(span, found[0], ((0, span.start),)), span.start, span.end, span.file)
            return self._replace(at, number, end, [made])
        return None

    def _bare_word(self, at: int) -> int | None:
        """A name where only a call, a string or a variable can stand."""
        reading = self.reading
        number = at - 1
        if number < 1 or reading.terminal(number) != "ID" or reading.expected() != ["("]:
            return None
        word = reading.tokens[number]
        before = reading.terminal(number - 1)
        value = before in ("EQUALS", "INTEGER_EQUALS", "=~", ",", "=", "CASE", "COMPARE") or (
            before == "(" and reading.terminal(number - 2) not in ("IF", "WHILE", "SWITCH")
        )
        if before == "(" and reading.terminal(number - 2) == "ID" and reading.terminal(at) == ")":
            name = reading.tokens[number - 2]
            if name.value in habits.VARIABLES and self._is_plain(number - 2, at):
                span = Span(name.file, name.start, reading.tokens[at].end)
                spelling = f"${span.text}"
                variable = name._replace(terminal="VARIABLE", value=Text(span, spelling), end=span.end)
                if self._helps(at, number - 2, at + 1, ["VARIABLE"], 1):
                    message = f"`{name.value}` is a variable, and lacks its `$`"
                    self._report(at, codes.SYNTAX_ERROR, message, name.span, f"write `{spelling}`")
                    return self._replace(at, number - 2, at + 1, [variable])
        help = "write `()` behind the name of a function, quotes around a string, `$` before a variable"
        made = (
            [word._replace(terminal="STRING", value=Text(word.span, str(word.value), ((0, word.start),)))]
            if value
            else [word, *(word._replace(terminal=sign, value=sign, start=word.end) for sign in "()")]
        )
        if not self._helps(at, number, at, [token.terminal for token in made], 2):
            return None
        self._report(at, codes.SYNTAX_ERROR, f"`{word.value}` is not called: `(` is missing behind it", word.span, help)
        return self._replace(at, number, at, made)

    def _is_plain(self, first: int, last: int) -> bool:
        """Whether the tokens stand side by side on one line of one file."""
        tokens = self.reading.tokens[first : last + 1]
        return all(_is_beside(one, two) for one, two in pairwise(tokens))

    # ---- sockets -----------------------------------------------------------------------------------------------

    def _protocol(self, at: int) -> int | None:
        """A word that is no protocol, before an address."""
        reading = self.reading
        tokens = reading.tokens
        if reading.depth() or at >= len(tokens):
            return None
        start = reading.item_start(at)
        if reading.terminal(start) not in ("LISTEN", "ALIAS", "SOCKET"):
            return None
        for number in range(at - 1, start, -1):
            if reading.terminal(number) != "ID" or reading.terminal(number + 1) != ":":
                continue
            if not self._helps(at, number, number + 1, ("PROTOCOL",)):
                continue
            word = tokens[number]
            names = near(str(word.value), _PROTOCOLS, 1)
            help = f"did you mean `{names[0]}`?" if names else "write udp, tcp, tls or sctp"
            self._report(at, codes.SYNTAX_ERROR, f"`{word.value}` is no protocol", word.span, help)
            return self._replace(at, number, number + 1, [self._made(number, "PROTOCOL", names[0] if names else "udp")])
        return None

    # ---- defines -----------------------------------------------------------------------------------------------

    def _define(self, at: int) -> int | None:
        """What does not belong into the value of a define: `=` before it, `;` behind it."""
        define = self._define_at(at)
        token = self.reading.token(at)
        if define is None or token is None or not self._may_correct(at):
            return None
        value = define.value.strip()
        if token.value == "=" and value.startswith("=") and not value.startswith("=="):
            self.define_correction = (define.name, value[1:].lstrip(), faults.defined_equals)
        elif token.value == ";" and value.endswith(";"):
            self.define_correction = (define.name, value[:-1].rstrip(), faults.defined_semicolon)
        else:
            return None
        return -1

    # ---- what the others give ----------------------------------------------------------------------------------

    def _may_correct(self, at: int) -> bool:
        """Whether the text may be read once more; never for a fault that follows from another one."""
        return self._corrects and at > self._silent_to

    def _skip_statement(self, at: int) -> int:
        """Leaves a statement out."""
        raise NotImplementedError

    def _skip_to_top(self, at: int) -> int:
        """Leaves an item out."""
        raise NotImplementedError


def _is_beside(one: Token, two: Token) -> bool:
    return one.end == two.start and one.file is two.file
