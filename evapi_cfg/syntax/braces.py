"""Repairs of blocks: braces too many and too few, blocks inside others. Where the braces alone do not say which one is
wrong, the indentation of the lines does.

Each method of a repair gets the token that does not fit, and gives the token to go on with, or None where it is no such
fault.
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Fix, Related
from evapi_cfg.syntax import explain
from evapi_cfg.syntax.ast import RouteBlock
from evapi_cfg.syntax.grammar import END
from evapi_cfg.syntax.reading import ROUTES, indent, is_first, line_start
from evapi_cfg.syntax.tokens import Token
from evapi_cfg.syntax.words import Words

_CLOSING_WORDS: Final = {"ELSE": "else", "CASE": "case", "DEFAULT": "default"}
_HEADS: Final = ("IF", "WHILE", "SWITCH", "ELSE")


class Braces(Words):
    """What is wrong with blocks."""

    # ---- inside blocks -----------------------------------------------------------------------------------------

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
            fix=Fix(reading.behind(at), ";"),
        )
        return self._insert(at, ";")

    def _nested(self, at: int) -> int | None:
        """A route block inside another one, or a loadmodule. It is moved behind that."""
        reading = self.reading
        tokens = reading.tokens
        if (
            self._left < 0
            or not reading.depth()
            or not reading.begins(at)
            or indent(tokens[at]) <= indent(reading.opened()[0])
        ):
            return None
        opening = at
        if reading.terminal(at) in ROUTES:
            while opening < min(at + 6, len(tokens)) and reading.terminal(opening) != "{":
                opening += 1
            behind = reading.brace_closed_at(opening) + 1
        else:
            behind = opening = reading.line_end(at)
        if behind > len(tokens):
            return None
        end, depth = behind, reading.depth()
        while end < len(tokens) and depth and (indent(tokens[end]) > 0 or not reading.begins(end)):
            depth += (reading.terminal(end) == "{") - (reading.terminal(end) == "}")
            end += 1
        if depth or not self._may_look(end - at):
            return None
        name = explain.heading(tokens[at:opening])
        block = reading.terminal(at) in ROUTES
        self._report(
            at,
            codes.SYNTAX_ERROR,
            f"a route block stands inside another one{explain.block(reading.values)}"
            if block
            else f"`{name}` stands inside a block{explain.block(reading.values)}",
            tokens[at].span.to(tokens[opening - 1].span) if block else tokens[at].span,
            f"move {f'`{name}`' if block else 'it'} out of the block",
        )
        moved = tokens[at:behind]
        tokens[end:end] = moved
        self._remove(at, behind)
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

    def _ended_early(self, at: int) -> int | None:
        """`if(...);` before the block that belongs to it."""
        reading = self.reading
        if not at or reading.terminal(at) != "{" or reading.terminal(at - 1) != ";":
            return None
        number = at - 2
        if reading.terminal(number) == ")":
            depth = 0
            while number >= 0:
                depth += (reading.terminal(number) == ")") - (reading.terminal(number) == "(")
                if not depth:
                    break
                number -= 1
            number -= 1
        word = reading.token(number)
        if word is None or word.terminal not in _HEADS or not self._helps(at, at - 1, at, ()):
            return None
        span = reading.span(at - 1)
        message = f"this `;` ends the `{word.value}` before its block"
        self._report(at, codes.SYNTAX_ERROR, message, span, "remove it", fix=Fix(span, ""))
        return self._replace(at, at - 1, at, ())

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

    def _before_word(self, at: int) -> int | None:
        """The `}` before an `else` or a `case` is missing."""
        reading = self.reading
        word = _CLOSING_WORDS.get(reading.terminal(at))
        if word is None:
            return None
        number = 1
        while number < reading.depth() and not reading.fits(("}",) * number, at, 2):
            number += 1
        if not reading.fits(("}",) * number, at, 2) or reading.surplus(at) < 1:
            return None
        opening = reading.opened()[-1]
        if word == "else":
            span = reading.behind(at)
            self._report(
                at,
                codes.UNCLOSED_BLOCK,
                "`}` is missing before this `else`",
                reading.span(at),
                "write `}` before it",
                (Related("the block begins here", opening.span),),
                Fix(span, " }"),
            )
        else:
            self._report(
                at,
                codes.UNCLOSED_BLOCK,
                f"this `{{` is not closed before the next `{word}`",
                opening.span,
                "write the missing `}`",
                (Related(f"`{word}` stands here", reading.span(at)),),
            )
        return self._insert(at, *("}",) * number)

    def _case_outside(self, at: int) -> int | None:
        """A case in a block whose switch has been closed too early."""
        reading = self.reading
        tokens = reading.tokens
        if reading.terminal(at) not in ("CASE", "DEFAULT") or not reading.is_list() or self._left < 0:
            return None
        start = reading.item_start(at)
        if not self._may_look(at - start) or reading.surplus(at) != -1:
            return None
        stray = self._stray_brace(start, at)
        if stray is None:
            return None
        head = self._open_head(start, stray)
        first, behind, made = (stray, stray + 1, ()) if head is None else (head, head, ("{",))
        if not self._helps(at, first, behind, made, 2):
            return None
        self._tell_stray(at, start, stray, head)
        end = tokens[first - 1]
        return self._replace(at, first, behind, [Token(sign, sign, end.end, end.end, end.file) for sign in made])

    def _heading(self, at: int) -> str:
        return f"`{explain.heading(self.reading.tokens[at : at + 4])}`"

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

    # ---- outside of blocks -------------------------------------------------------------------------------------

    def _opening(self, at: int) -> int | None:
        """The `{` behind the head of a block is missing."""
        reading = self.reading
        expected = reading.expected()
        last = reading.terminal(at - 1) if at else ""
        head = expected == ["{"] or (last == ")" and "{" in expected and reading.terminal(at) in ("CASE", "DEFAULT"))
        if not at or not head or reading.terminal(at) in ("(", "[", ")", "]") or reading.terminal(at + 1) == "{":
            return None
        if not reading.fits(("{",), at, 1) or reading.surplus(at) >= 0:
            return None
        span = reading.behind(at)
        self._report(
            at,
            codes.SYNTAX_ERROR,
            f"`{{` is missing behind {explain.head(reading.values)}",
            span,
            "write `{` before the statements of the block",
            fix=Fix(span, " {"),
        )
        return self._insert(at, "{")

    def _closed_early(self, at: int, first: int) -> int | None:
        """Statements or a `}` outside of all blocks, where the block before has been closed too early: a `}` in it is
        too many, or a `{` is missing. `first`: where they begin."""
        reading = self.reading
        tokens = reading.tokens
        items = reading.list()
        if not first or reading.terminal(first - 1) != "}" or not items:
            return None
        item = items[-1]
        closing = tokens[first - 1]
        if not isinstance(item, RouteBlock) or item.span.end != closing.end or item.span.file is not closing.file:
            return None
        start = first - 1
        while start >= 0 and not (tokens[start].start == item.span.start and tokens[start].file is closing.file):
            start -= 1
        reading.cut_to_top()
        if start < 0 or reading.surplus(first) != -1:
            return None
        stray = self._stray_brace(start, first)
        if stray is None or not self._may_look(first - start):
            return None
        head = self._open_head(start, stray)
        self._tell_stray(at, start, stray, head)
        if head is None:
            del tokens[stray]
        else:
            reading.place_tokens(head, ("{",))
        items.pop()
        self._builder.forget_heights()
        return start

    def _tell_stray(self, at: int, start: int, stray: int, head: int | None) -> None:
        """`head`: before which token the `{` is missing that would make it fit."""
        reading = self.reading
        tokens = reading.tokens
        if head is None:
            span = tokens[stray].span
            message = f"this `}}` closes `{explain.heading(tokens[start : start + 4])}` too early"
            if reading.terminal(at) in ("CASE", "DEFAULT"):
                message = "this `}` closes the `switch` too early"
            self._report(at, codes.STRAY_BRACE, message, span, "remove it", fix=Fix(span, ""))
            return
        span = reading.behind(head)
        self._report(
            at,
            codes.SYNTAX_ERROR,
            f"`{{` is missing behind {explain.token_name(tokens[head - 1])}",
            span,
            "write `{` before the statements of the block",
            (Related("so this `}` closes too much", tokens[stray].span),),
            Fix(span, " {"),
        )

    def _stray_brace(self, start: int, end: int) -> int | None:
        """The number of the first `}` of tokens[start:end] whose line is indented further than that of its `{`."""
        tokens = self.reading.tokens
        stack: list[Token] = []
        for number in range(start, end):
            token = tokens[number]
            if token.terminal == "{":
                stack.append(token)
            elif token.terminal == "}" and stack:
                opening = stack.pop()
                if opening.file is not token.file:
                    return None
                if indent(token) > indent(opening) and line_start(token) != line_start(opening):
                    return number
        return None

    def _open_head(self, start: int, stray: int) -> int | None:
        """The number of the token before which the `{` is missing that a `}` was to close: a line above it that is
        indented as far, and is an `if` or its like without `{`."""
        tokens = self.reading.tokens
        wanted = indent(tokens[stray])
        end = stray
        for number in range(stray - 1, start, -1):
            token = tokens[number]
            if not is_first(token):
                continue
            if indent(token) == wanted:
                word = tokens[number + 1].terminal if token.terminal == "}" else token.terminal
                last = tokens[end - 1].terminal
                return end if word in _HEADS and last in (")", "ELSE") else None
            if indent(token) < wanted:
                return None
            end = number
        return None
