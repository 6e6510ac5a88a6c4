"""Parsing that goes on behind a fault of the author.

One fault gives one diagnostic. First the repairs that an author would make are tried: a `;`, a closing bracket or a
comma is put in, a bracket too many is taken out, `=` in a condition is read as `==`, a word of another language as the
one that is meant. Where none makes the text fit, the rest of the statement is left out, or the rest of the block. What
is left out is the parser's loss, not the author's: faults that follow from it are not reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.fixes import respelling
from evapi_cfg.diagnostics.model import Related
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.syntax import corrections, explain
from evapi_cfg.syntax.faults import is_open_string
from evapi_cfg.syntax.keywords import PARAMETERS
from evapi_cfg.syntax.lalr import MAX_STACK
from evapi_cfg.syntax.reading import indent, is_first, line_start
from evapi_cfg.syntax.repairs import Repairs
from evapi_cfg.syntax.tokens import Token

if TYPE_CHECKING:
    from evapi_cfg.syntax.ast import Item


class Parser(Repairs):
    """Reads the tokens of one configuration."""

    def parse(self, corrects: bool = True) -> list[Item]:
        """All items that could be read. Where there is a correction afterwards, reading stopped there; there never is
        where not `corrects`."""
        at = 0
        self._corrects = corrects
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
            new = self._recover(at)
            if new < 0 or new > len(tokens):
                break
            if new < at:  # what has been read is read again, otherwise
                last = (-1, -1)
            at = new
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
        if self._corrects and self._is_suspect(at):
            return -1
        if at == self._resumed and reading.depth():  # what is left of something that has been left out
            self._silent_to = max(self._silent_to, at)
            return self._skip_statement(at)
        for repair in (
            self._conflict,
            self._define,
            self._foreign_operator,
            self._foreign_word,
            self._else,
            self._comparison,
            self._empty_block,
            self._ended_early,
            self._nested,
            self._unquoted,
            self._protocol,
            self._opening,
            self._assignment,
            self._doubled,
            self._swapped,
            self._operand,
            self._trailing_comma,
            self._instead_of_comma,
            self._instead_of_colon,
            self._wrong_closing,
            self._semicolon,
            self._open_blocks,
            self._before_word,
            self._case_outside,
            self._brackets,
            self._misspelt,
            self._wrong_opening,
            self._bare_word,
            self._too_many,
            self._operator,
            self._closing,
            self._comma,
            self._colon,
            self._swapped_apart,
            self._bare_block,
        ):
            new = repair(at)
            if new is not None:
                return new
        if not reading.depth():
            return self._outside(at)
        return self._inside(at)

    def _is_suspect(self, at: int) -> bool:
        """Whether a string before or at the fault is none: one that runs over lines although its first line looks like
        the end of a statement, or that stands right beside a word."""
        for number in (at - 2, at - 1, at):
            token = self.reading.token(number) if number >= 0 else None
            if token is None or token.terminal != "STRING" or not self._may_correct(at):
                continue
            self.correction = self._of_string(token) if number > at - 2 or is_open_string(token.span) else None
            if self.correction is not None:
                return True
        return False

    def _of_string(self, token: Token) -> corrections.Correction | None:
        """How a string is to be read that is probably none."""
        text = token.file.text
        if is_open_string(token.span):
            return corrections.of_string(token.span)
        if "\n" in token.span.text or token.span.text[:1] not in ("'", '"'):
            return None
        quote = token.span.text[0]
        line_end = text.find("\n", token.start)
        line_end = len(text) if line_end < 0 else line_end
        line = text[line_start(token) : line_end]
        odd = (line.count(quote) - line.count(f"\\{quote}")) % 2 == 1
        glued = text[token.end : token.end + 1]
        comma = token.span.text.rstrip(f"{quote} \t")
        if odd and comma.endswith(",") and glued.isalnum():  # the quote is missing in front of the comma
            return corrections.of_string(token.span)._replace(end=token.start + len(comma.rstrip(", \t")))
        if glued.isalnum() or (glued and glued in "_$\\"):
            end = corrections.end_of_quoted(text, token.end, line_end, quote)
            if end:
                inner = corrections.word_at(text, token.end)
                return corrections.of_bare_quote(token.span, end, inner)
        if odd and glued.isalnum():
            return corrections.of_odd_quote(token.span)
        return None

    # ---- leaving out -------------------------------------------------------------------------------------------

    def _skip_statement(self, at: int) -> int:
        """Leaves the rest of a statement out, with the blocks that belong to it; its tokens are gone then, so that the
        block could be read once more."""
        reading = self.reading
        if reading.feed(";"):  # what was read before is whole
            reading.place_tokens(at, (";",))
            first = at = at + 1
        else:
            first = reading.cut(at)
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
        self._remove(first, at)
        if reading.is_list():
            self._insert(first, ";")
            self._resumed = first + 1
        return first

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
        if reading.terminal(at) in ("CASE", "DEFAULT") and self._told_in == len(reading.list()):
            self._silent_to = max(self._silent_to, at)
        self._report(at, codes.SYNTAX_ERROR, fault.message, fault.span, fault.help)
        if at and reading.terminal(at) == "{" and explain.is_glued(reading.tokens[at - 1], reading.token(at)):
            at = min(reading.brace_closed_at(at) + 1, len(reading.tokens))
        return self._skip_statement(at)

    def _outside(self, at: int) -> int:
        """A fault outside of all blocks."""
        reading = self.reading
        if not reading.is_top() and reading.feed(";"):
            reading.cut_to_top()  # what was read before is whole
        first = reading.item_start(at)
        early = self._closed_early(at, first)
        if early is not None:
            return early
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
                fix=respelling(start.span, str(start.value), names),
            )
        elif explain.begins_statement(start.terminal) and following not in (".", "[") and not reading.begins(first):
            return self._statement_outside(first)
        else:
            fault = explain.fault(reading, at)
            self._report(at, codes.SYNTAX_ERROR, fault.message, fault.span, fault.help)
        return self._skip_to_top(at)

    def _parameter(self, at: int, start: Token) -> None:
        reading = self.reading
        form = explain.VALUE_FORMS.get(start.terminal, "")
        comment = explain.comment_behind(reading.tokens[at - 1])
        if comment is not None and reading.tokens[at - 1] is not start and comment.text[:2] == "//":
            self._report(
                at,
                codes.BAD_CORE_PARAMETER_VALUE,
                f"`//` begins a comment: the value of `{start.value}` ends before it",
                comment,
                f"`{start.value}` takes {form}",
            )
            return
        token = explain.token_name(reading.token(at))
        if reading.tokens[at - 1] is start:
            message = f"`=` is missing behind `{start.value}`"
            colon = reading.terminal(at) == ":"
            message = f"`:` stands where the `=` of `{start.value}` belongs" if colon else message
            span = reading.span(at) if colon else reading.behind(at)
            self._report(at, codes.SYNTAX_ERROR, message, span, f"`{start.value}` takes `=` and {form}")
            return
        first = reading.terminal(at - 1) == "="
        self._report(
            at,
            codes.BAD_CORE_PARAMETER_VALUE,
            f"{token} is no value for `{start.value}`"
            if first
            else f"{token} does not fit in the value of `{start.value}`",
            reading.span(at),
            self._near_define(at) or f"`{start.value}` takes {form}",
        )

    def _near_define(self, at: int) -> str:
        token = self.reading.token(at)
        return did_you_mean(str(token.value), self._defines) if token is not None and token.terminal == "ID" else ""

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
