"""Parsing that goes on behind a fault of the author.

One fault gives one diagnostic. First the repairs that an author would make are tried: a `;`, a closing bracket or a
comma is put in, a bracket too many is taken out, `=` in a condition is read as `==`. Where none makes the text fit, the
rest of the statement is left out, or the rest of the block. What is left out is the parser's loss, not the author's:
faults that follow from it are not reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Code, Diagnostic, Fix, Related
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax import explain
from evapi_cfg.syntax.faults import is_open_string
from evapi_cfg.syntax.grammar import END, Tables
from evapi_cfg.syntax.keywords import PARAMETERS
from evapi_cfg.syntax.lalr import MAX_STACK, Automaton
from evapi_cfg.syntax.reading import LOOK, OPENINGS, Reading, indent, is_first, line_start
from evapi_cfg.syntax.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Collection

    from evapi_cfg.syntax.ast import Item
    from evapi_cfg.syntax.build_top import Builder

REFUSED: Final = ("Kamailio refuses to start",)


class Parser:
    """Reads the tokens of one configuration."""

    def __init__(
        self,
        tables: Tables,
        builder: Builder,
        tokens: list[Token],
        file: SourceFile,
        faulty: Collection[tuple[SourceFile, int]] = (),
    ) -> None:
        """`faulty`: lines for which the scanner has reported an error; no further one is reported there."""
        self.reading = Reading(Automaton(tables, builder.actions(tables)), tokens, file)
        self._builder = builder
        self.diagnostics: list[Diagnostic] = []
        self.ends_early = False  # the file ends in the middle of something
        self.suspect: Token | None = None  # a string that runs over lines and probably lacks its quote
        self._suspicious = True
        self._faulty = faulty
        self._silent_to = -1  # faults up to this token follow from one that has been reported

    def parse(self, suspicious: bool = True) -> list[Item]:
        """All items that could be read. Where `suspect` is set afterwards, reading stopped there; it never is where
        not `suspicious`."""
        at = 0
        self._suspicious = suspicious
        tokens, states = self.reading.tokens, self.reading.states
        last = (-1, -1)
        while tokens:
            at = self.reading.read(at)
            if at > len(tokens):
                break
            if (at, len(states)) == last:  # nothing has changed since the last fault
                self.reading.cut_to_top()
                at += 1
            last = (at, len(states))
            at = self._recover(at)
            if at < 0 or at > len(tokens):
                break
        return cast("list[Item]", self.reading.list())

    # ---- what it is --------------------------------------------------------------------------------------------

    def _recover(self, at: int) -> int:
        """Deals with the token that does not fit. Gives the token to go on with, or -1 at the end."""
        reading = self.reading
        if len(reading.states) > MAX_STACK:
            return self._too_deep(at)
        at = self._back_to_beginning(at)
        if at >= len(reading.tokens):
            self.ends_early = True
        if self._suspicious and self._is_suspect(at):
            return -1
        for repair in (
            self._foreign_word,
            self._comparison,
            self._empty_block,
            self._semicolon,
            self._open_blocks,
            self._else_after_open,
            self._closing,
            self._comma,
            self._colon,
            self._too_many,
            self._bare_block,
        ):
            new = repair(at)
            if new is not None:
                return new
        if not reading.depth():
            return self._outside(at)
        return self._inside(at)

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
        tokens = self.reading.tokens
        token = self.reading.token(at) or tokens[-1]
        line = token.file.line_number(token.start)
        known = (token.file, line) in self._faulty or self._is_bad_variable(token.file, line)
        if at > self._silent_to and not known:
            self.diagnostics.append(Diagnostic(code, message, span, help, REFUSED, related, fix))
        self._silent_to = max(self._silent_to, at)

    def _is_bad_variable(self, file: SourceFile, line: int) -> bool:
        """Whether a variable on that line is broken: its parentheses may have swallowed what is missing now."""
        return any(
            item.span.file is file and file.line_number(item.span.start) == line
            for item in self._builder.diagnostics
            if item.code is codes.BAD_VARIABLE
        )

    def _insert(self, at: int, *terminals: str) -> int:
        self.reading.place_tokens(at, terminals)
        self._silent_to += len(terminals)
        return at

    def _where(self) -> str:
        where = explain.place(self.reading.values)
        return where if where.startswith(" in ") else ""

    # ---- repairs: each gives the token to go on with, or None where it is none ---------------------------------

    def _back_to_beginning(self, at: int) -> int:
        """`route` is read as a command inside a block, also where a new block begins: gives it back."""
        reading = self.reading
        last = reading.values[-1] if reading.values else None
        if (
            reading.terminal(at) in ("[", "{")
            and isinstance(last, Token)
            and last.terminal == "ROUTE"
            and last is reading.tokens[at - 1]
            and reading.depth()
        ):
            reading.pop()
            return at - 1
        return at

    def _is_suspect(self, at: int) -> bool:
        """Whether a string before or at the fault is none: one that runs over lines although its first line looks like
        the end of a statement, or that ends right before a word."""
        for number in (at - 1, at):
            token = self.reading.token(number) if number >= 0 else None
            if token is None or token.terminal != "STRING" or at <= self._silent_to:
                continue
            text = token.file.text
            suspect = is_open_string(token.span)
            if "\n" not in token.span.text and text[token.end : token.end + 1].isalnum():
                line = text[line_start(token) : (text + "\n").index("\n", token.start)]
                suspect = (line.count('"') - line.count('\\"')) % 2 == 1
            if suspect:
                self.suspect = token
                return True
        return False

    def _comparison(self, at: int) -> int | None:
        token = self.reading.token(at)
        if token is None or token.terminal != "=" or not self.reading.fits(("EQUALS",), at + 1, 1):
            return None
        message = f"`=` where a comparison is meant{self._where()}"
        fix = Fix(token.span, "==")
        self._report(at, codes.ASSIGNMENT_IN_CONDITION, message, token.span, "write `==`", fix=fix)
        self.reading.tokens[at] = token._replace(terminal="EQUALS", value="==")
        return at

    def _empty_block(self, at: int) -> int | None:
        reading = self.reading
        if at == 0 or reading.terminal(at) != "}" or reading.terminal(at - 1) != "{" or not reading.fits((";",), at, 1):
            return None
        if reading.surplus(at) < 0:
            self._report(at, codes.STRAY_BRACE, "this `}` closes the block too early", reading.span(at), "remove it")
            del reading.tokens[at]
            return at
        self._report(
            at,
            codes.EMPTY_BLOCK,
            f"the block{explain.block(reading.values)} is empty",
            reading.span(at - 1).to(reading.span(at)),
            "write at least a `;`",
        )
        return self._insert(at, ";")

    def _semicolon(self, at: int) -> int | None:
        reading = self.reading
        terminal = reading.terminal(at)
        if terminal == END or (terminal == "ROUTE" and reading.begins(at)) or not reading.depth():
            return None
        if not reading.fits((";",), at, 1 if terminal == "}" else 2):
            return None
        span = reading.behind(at)
        self._report(
            at,
            codes.MISSING_SEMICOLON,
            f"`;` is missing behind {explain.token_name(reading.tokens[at - 1])}",
            span,
            "write `;` at the end of the statement",
            fix=Fix(span, ";"),
        )
        return self._insert(at, ";")

    def _closing(self, at: int) -> int | None:
        """`)` or `]` is missing."""
        reading = self.reading
        opened = reading.opened()
        closing: tuple[str, ...] = ()
        while opened and opened[-1].terminal != "{" and len(closing) < 3:
            opening = opened.pop()
            closing = (*closing, OPENINGS[opening.terminal])
            inserted = closing
            alone = reading.terminal(at) in ("{", "}", ";", ",", ":")
            if not reading.fits(inserted, at, 1 if alone else 2):
                inserted = (*inserted, ";")
                if not reading.depth() or not reading.fits(inserted, at, 2):
                    continue
            self._report(
                at,
                codes.UNCLOSED_PARENTHESIS,
                f"`{closing[-1]}` is missing behind {explain.token_name(reading.tokens[at - 1])}{self._where()}",
                reading.behind(at),
                f"close the `{opening.terminal}`",
                (Related(f"this `{opening.terminal}` is open", opening.span),),
            )
            return self._insert(at, *inserted)
        return None

    def _comma(self, at: int) -> int | None:
        reading = self.reading
        if not reading.fits((",",), at, 2) or not reading.opened():
            return None
        self._report(
            at,
            codes.SYNTAX_ERROR,
            f"`,` is missing before {explain.token_name(reading.token(at))}{self._where()}",
            reading.behind(at),
            "write a `,` between two arguments",
        )
        return self._insert(at, ",")

    def _colon(self, at: int) -> int | None:
        reading = self.reading
        if not reading.fits((":",), at, 2) or not reading.depth():
            return None
        self._report(
            at,
            codes.SYNTAX_ERROR,
            f"`:` is missing behind {explain.token_name(reading.tokens[at - 1])}",
            reading.behind(at),
            "write `:` behind the label of a case",
            fix=Fix(reading.behind(at), ":"),
        )
        return self._insert(at, ":")

    def _too_many(self, at: int) -> int | None:
        reading = self.reading
        terminal = reading.terminal(at)
        if terminal in ("{", "}"):
            opened = reading.opened()
            look = LOOK if opened and opened[-1].terminal != "{" else 0
        else:
            look = {")": 2, "]": 2, ",": 4}.get(terminal, 0)
        if not look or not reading.fits((), at + 1, look):
            return None
        if terminal == ",":
            double = reading.terminal(at - 1) == ","
            message = f"a value is missing behind `,`{self._where()}" if double else f"a `,` too many{self._where()}"
            self._report(at, codes.SYNTAX_ERROR, message, reading.span(at), "remove it")
        else:
            span = reading.span(at)
            code = codes.STRAY_BRACE if terminal in ("{", "}") else codes.STRAY_PARENTHESIS
            self._report(at, code, f"this `{terminal}` closes nothing", span, "remove it", fix=Fix(span, ""))
        del reading.tokens[at]
        return at

    def _bare_block(self, at: int) -> int | None:
        """A `{` where a statement is due: one too many, or a block of its own."""
        reading = self.reading
        if reading.terminal(at) != "{" or not reading.is_list():
            return None
        span = reading.span(at)
        if reading.surplus(at) == 1:
            self._report(at, codes.STRAY_BRACE, "this `{` opens nothing", span, "remove it")
        else:
            self._report(
                at,
                codes.SYNTAX_ERROR,
                f"a block cannot stand for itself{self._where()}",
                span,
                "remove the braces; only if, else, while and switch take a block",
            )
            closing = reading.brace_closed_at(at)
            if closing < len(reading.tokens):
                del reading.tokens[closing]
        del reading.tokens[at]
        return at

    def _open_blocks(self, at: int) -> int | None:
        """The end of the file, or the beginning of a new block, while blocks are open."""
        reading = self.reading
        if not reading.depth() or not (reading.terminal(at) == END or reading.begins(at)):
            return None
        what = "the file ends" if reading.terminal(at) == END else f"{self._heading(at)} begins"
        self._report(
            at,
            codes.UNCLOSED_BLOCK,
            f"this `{{` is not closed before {what}",
            self._unclosed_brace(at).span,
            "write the missing `}`",
            (Related(what, reading.span(at)),),
        )
        reading.close_blocks()
        return at

    def _else_after_open(self, at: int) -> int | None:
        """The `}` before an `else` is missing."""
        reading = self.reading
        if reading.terminal(at) != "ELSE" or reading.surplus(at) < 1 or not reading.fits(("}",), at, 2):
            return None
        span = reading.behind(at)
        opening = reading.opened()[-1]
        self._report(
            at,
            codes.UNCLOSED_BLOCK,
            "`}` is missing before this `else`",
            reading.span(at),
            "write `}` before it",
            (Related("the block begins here", opening.span),),
            Fix(span, " }"),
        )
        return self._insert(at, "}")

    def _heading(self, at: int) -> str:
        reading = self.reading
        word = reading.tokens[at].value
        if reading.terminal(at + 1) == "[" and at + 2 < len(reading.tokens):
            return f"`{word}[{explain.spelling(reading.tokens[at + 2])}]`"
        return f"`{word}`"

    def _unclosed_brace(self, at: int) -> Token:
        """The `{` without a partner: the first whose `}` stands further left than its own line begins, or the
        innermost open one."""
        tokens = self.reading.tokens
        opened = [token for token in self.reading.opened() if token.terminal == "{"]
        begin = at - 1
        while begin > 0 and tokens[begin] is not opened[0]:
            begin -= 1
        stack: list[Token] = []
        for token in tokens[begin:at]:
            if token.terminal == "{":
                stack.append(token)
            elif token.terminal == "}" and stack:
                opening = stack.pop()
                if is_first(token) and indent(token) < indent(opening) and opening.file is token.file:
                    return opening
        return opened[-1]

    # ---- leaving out -------------------------------------------------------------------------------------------

    def _skip_statement(self, at: int) -> int:
        """Leaves the rest of a statement out, with the blocks that belong to it."""
        reading = self.reading
        if not reading.feed(";"):  # else what was read before is whole
            reading.cut()
        in_cases = reading.is_cases() and not reading.is_list()
        depth = 0
        while at < len(reading.tokens):
            terminal = reading.terminal(at)
            if depth == 0 and (terminal == "}" or reading.begins(at)):
                break
            if in_cases and depth == 0 and terminal in ("CASE", "DEFAULT"):
                break
            at += 1
            if terminal == "{":
                depth += 1
            elif terminal == "}":
                depth -= 1
                if depth == 0 and reading.terminal(at) != "ELSE" and not in_cases:
                    break
            elif terminal == ";" and depth == 0 and reading.terminal(at) != "ELSE" and not in_cases:
                break
        self._silent_to = max(self._silent_to, at - 1)
        if reading.is_list():
            self._insert(at, ";")
        return at

    def _skip_to_top(self, at: int) -> int:
        """Leaves all out up to something that can only stand outside of blocks."""
        reading = self.reading
        depth = reading.depth()
        inside = depth > 0
        reading.cut_to_top()
        while at < len(reading.tokens):
            token = reading.tokens[at]
            if reading.begins(at) and (depth == 0 or (indent(token) == 0 and is_first(token))):
                break
            if depth == 0 and is_first(token) and reading.is_top_word(at):
                break
            at += 1
            if token.terminal == "{":
                depth += 1
            elif token.terminal == "}":
                depth -= 1
                if depth == 0 and inside:
                    break
                if depth < 0:
                    depth = 0
                    if is_first(token):
                        break
        self._silent_to = max(self._silent_to, at - 1)
        return at if at < len(reading.tokens) or len(reading.states) > 1 else -1

    # ---- faults without a repair -------------------------------------------------------------------------------

    def _too_deep(self, at: int) -> int:
        self._report(
            at,
            codes.NESTED_TOO_DEEP,
            "blocks or parentheses are nested too deep here",
            self.reading.span(at - 1),
            "put inner blocks into routes of their own, and parts of an expression into variables",
        )
        return self._skip_to_top(at)

    def _inside(self, at: int) -> int:
        """A fault inside a block."""
        reading = self.reading
        fault = explain.fault(reading, at)
        self._report(at, codes.SYNTAX_ERROR, fault.message, fault.span, fault.help)
        if at and reading.terminal(at) == "{" and explain.is_glued(reading.tokens[at - 1], reading.token(at)):
            at = min(reading.brace_closed_at(at) + 1, len(reading.tokens))
        return self._skip_statement(at)

    def _foreign_word(self, at: int) -> int | None:
        """A word of another language."""
        reading = self.reading
        habit = self._habit(at) if reading.depth() else None
        if habit is None:
            return None
        word = reading.tokens[habit]
        text = str(word.value)
        self._report(at, codes.SYNTAX_ERROR, f"`{text}` is no word of the language", word.span, explain.HABITS[text])
        return self._skip_statement(reading.closed_at(habit + 1) if reading.terminal(habit + 1) == "(" else at)

    def _habit(self, at: int) -> int | None:
        """A word of another language, at the fault or where the half statement begins."""
        for number in range(at, max(-1, at - 60), -1):
            token = self.reading.token(number)
            if token is None:
                continue
            if token.terminal == "ID" and token.value in explain.HABITS:
                return number
            if token.terminal in (";", "}", "{") and number < at:
                break
        return None

    def _outside(self, at: int) -> int:
        """A fault outside of all blocks."""
        reading = self.reading
        if not reading.is_top() and reading.feed(";"):
            reading.cut_to_top()  # what was read before is whole
        first = self._statement_start(at)
        start, following = reading.token(first), reading.terminal(first + 1)
        if start is None:
            return -1
        if start.terminal == "}":
            help = "remove it, or look for a missing `{`"
            self._report(at, codes.STRAY_BRACE, "this `}` closes nothing", start.span, help)
            return at + 1 if at + 1 < len(reading.tokens) or len(reading.states) > 1 else -1
        if start.terminal in PARAMETERS and at > first and start.terminal not in ("COREPARAM", "KEMI"):
            self._parameter(at, start)
        elif start.terminal == "ID" and following == "=":
            names = [word for words in PARAMETERS.values() for entry in words.split() for word in entry.split("/")]
            self._report(
                at,
                codes.UNKNOWN_CORE_PARAMETER,
                f"the core has no parameter `{start.value}`",
                start.span,
                did_you_mean(str(start.value), names),
            )
        elif explain.begins_statement(start.terminal) and following not in (".", "[") and not reading.begins(first):
            return self._statement_outside(first)
        else:
            fault = explain.fault(reading, at)
            self._report(at, codes.SYNTAX_ERROR, fault.message, fault.span, fault.help)
        return self._skip_to_top(at)

    def _statement_start(self, at: int) -> int:
        """The number of the token with which the half-read statement begins."""
        tokens = self.reading.tokens
        for value in self.reading.values:
            if isinstance(value, Token):
                number = at - 1
                while number > 0 and tokens[number] is not value:
                    number -= 1
                return number
        return at

    def _parameter(self, at: int, start: Token) -> None:
        reading = self.reading
        form = explain.VALUE_FORMS.get(start.terminal, "")
        token = explain.token_name(reading.token(at))
        if reading.tokens[at - 1] is start:
            message = f"`=` is missing behind `{start.value}`"
            self._report(at, codes.SYNTAX_ERROR, message, reading.behind(at), f"`{start.value}` takes `=` and {form}")
            return
        first = reading.terminal(at - 1) == "="
        self._report(
            at,
            codes.BAD_CORE_PARAMETER_VALUE,
            f"{token} is no value for `{start.value}`"
            if first
            else f"{token} does not fit in the value of `{start.value}`",
            reading.span(at),
            f"`{start.value}` takes {form}",
        )

    def _statement_outside(self, first: int) -> int:
        reading = self.reading
        start = reading.tokens[first]
        closed = next((reading.tokens[n] for n in range(first - 1, -1, -1) if reading.terminal(n) == "}"), None)
        silent = self._silent_to
        at = self._skip_to_top(first)
        end = len(reading.tokens) if at < 0 else at
        self._silent_to = silent
        early = closed is not None and end > first and reading.terminal(end - 1) == "}"
        self._report(
            first,
            codes.STATEMENT_OUTSIDE_ROUTE,
            f"{explain.token_name(start)} begins a statement outside of all route blocks",
            start.span,
            "a `}` before it is too many" if early else "put it into a route block, such as `request_route { ... }`",
            (Related("the block before ends here", closed.span),) if early and closed else (),
        )
        self._silent_to = max(self._silent_to, end - 1)
        return at
