"""Repairs of signs: a `;`, a bracket, a comma, an operand that is missing, too many, or another one.

Each method gets the token that does not fit, and gives the token to go on with, or None where it is no such fault.
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Fix, Related
from evapi_cfg.source import Span
from evapi_cfg.syntax import explain
from evapi_cfg.syntax.braces import Braces
from evapi_cfg.syntax.grammar import END
from evapi_cfg.syntax.reading import BEGINNINGS, LOOK, OPENINGS, ROUTES, indent, is_first, line_start
from evapi_cfg.syntax.tokens import Token

LOOK_APART: Final = 6  # tokens that must fit behind two that are on different lines and change places
_MOVABLE: Final = BEGINNINGS | {"(", ")", "[", "]", "{", "}", "="}  # what is known to be misplaced at top level
_ENDS: Final = frozenset((")", "]", "}", "{", ";", ",", ":", END)) | explain.BINARY
_VALUES: Final = frozenset(("STRING", "NUMBER", "VARIABLE", "AVP_OR_VARIABLE", "ID"))
_NOT_COMMAS: Final = frozenset((".", ";", ":", "=", "|", "-"))


class Repairs(Braces):
    """What an author would put in, take out, or write otherwise."""

    def _comparison(self, at: int) -> int | None:
        token = self.reading.token(at)
        if token is None or token.terminal != "=" or not self.reading.fits(("EQUALS",), at + 1, 1):
            return None
        message = f"`=` where a comparison is meant{self._where()}"
        fix = Fix(token.span, "==")
        self._report(at, codes.ASSIGNMENT_IN_CONDITION, message, token.span, "write `==`", fix=fix)
        self.reading.tokens[at] = token._replace(terminal="EQUALS", value="==")
        return at

    def _assignment(self, at: int) -> int | None:
        """`==` where a value is assigned."""
        token = self.reading.token(at)
        if token is None or token.value != "==" or not self.reading.fits(("=",), at + 1, 2):
            return None
        fix = Fix(token.span, "=")
        what = f"`=` is meant behind {explain.token_name(self.reading.token(at - 1))}"
        self._report(at, codes.SYNTAX_ERROR, f"`==` only compares: {what}", token.span, "write `=`", fix=fix)
        self.reading.tokens[at] = token._replace(terminal="=", value="=")
        return at

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

    def _doubled(self, at: int) -> int | None:
        """A word that stands twice."""
        reading = self.reading
        token = reading.token(at)
        last = reading.token(at - 1)
        if token is None or last is None or (token.terminal, token.value) != (last.terminal, last.value):
            return None
        if not isinstance(token.value, str) or not token.value[0].isalnum() or is_first(token):
            return None
        if not reading.fits((), at + 1, LOOK):
            return None
        span = token.span
        self._report(at, codes.SYNTAX_ERROR, f"{explain.token_name(token)} stands twice", span, "remove one of them")
        self._remove(at, at + 1)
        return at

    def _swapped(self, at: int, apart: bool = False) -> int | None:
        """Two neighbours the wrong way round, on one line or `apart`."""
        reading = self.reading
        if reading.terminal(at) == ";" and reading.fits((), at + 1, 2):
            return None
        for first in (at - 1, at):
            one, two = reading.token(first), reading.token(first + 1)
            if one is None or two is None or one.file is not two.file or one.terminal == two.terminal:
                continue
            if (one.terminal in explain.BINARY or two.terminal in explain.BINARY) and not _VALUES & {
                one.terminal,
                two.terminal,
            }:
                continue
            if not reading.depth() and {one.terminal, two.terminal}.isdisjoint(_MOVABLE):
                continue
            if not apart and "\n" in one.file.text[one.end : two.start]:
                continue
            if not self._helps(at, first, first + 2, (two.terminal, one.terminal), LOOK_APART if apart else LOOK):
                continue
            names = f"{explain.token_name(one)} and {explain.token_name(two)}"
            span = one.span.to(two.span)
            self._report(at, codes.SYNTAX_ERROR, f"{names} are the wrong way round", span, "change the two")
            return self._replace(at, first, first + 2, (two, one))
        return None

    def _swapped_apart(self, at: int) -> int | None:
        return self._swapped(at, True)

    # ---- operands ----------------------------------------------------------------------------------------------

    def _operand(self, at: int) -> int | None:
        """An operator without a value behind it; a condition without anything in it."""
        reading = self.reading
        last = reading.token(at - 1) if at else None
        if last is None or reading.terminal(at) not in _ENDS:
            return None
        empty = last.terminal == "(" and at > 1 and reading.terminal(at - 2) in ("IF", "WHILE", "SWITCH")
        if not empty and last.terminal not in explain.BINARY | {"NOT", "~", "="}:
            return None
        if last.terminal == "=" and not reading.depth():
            return None
        made = "STRING" if last.terminal == "=~" else "NUMBER"
        look = 1 if reading.terminal(at) == "}" else 2
        if not reading.fits((made,), at, look) and not reading.fits((made, ";"), at, 1):
            return None
        message = (
            f"the condition of `{reading.tokens[at - 2].value}` is empty"
            if empty
            else f"a value is missing behind `{last.value}`{self._where()}"
        )
        help = "write what is to hold" if empty else "write it, or remove the operator"
        self._report(at, codes.SYNTAX_ERROR, message, reading.span(at), help)
        return self._insert(at, made)

    def _operator(self, at: int) -> int | None:
        """Two conditions side by side."""
        reading = self.reading
        before = reading.before_open()
        if before is None or before.terminal not in ("IF", "WHILE") or not self._closes(at):
            return None
        fitting = [terminal for terminal in ("AND", "OR") if reading.fits((terminal,), at, LOOK)]
        if not fitting:
            return None
        self._report(
            at,
            codes.SYNTAX_ERROR,
            f"an operator is missing before {explain.token_name(reading.token(at))}",
            reading.behind(at),
            "write `&&` or `||` between two conditions",
        )
        return self._insert(at, fitting[0])

    # ---- brackets ----------------------------------------------------------------------------------------------

    def _wrong_closing(self, at: int) -> int | None:
        """A bracket closes one of another kind."""
        reading = self.reading
        opened = reading.opened()
        terminal = reading.terminal(at)
        if terminal not in (")", "]", "}") or not opened or terminal == OPENINGS[opened[-1].terminal]:
            return None
        right = OPENINGS[opened[-1].terminal]
        if not reading.fits((right,), at + 1, LOOK):
            return None
        if terminal == "}" and reading.surplus(at + 1) != reading.depth():
            return None
        if right == "}" and reading.surplus(at) < 1:
            return None
        span = reading.span(at)
        self._report(
            at,
            codes.SYNTAX_ERROR,
            f"`{terminal}` stands where a `{right}` belongs",
            span,
            f"write `{right}`",
            (Related(f"this `{opened[-1].terminal}` is open", opened[-1].span),),
            Fix(span, right),
        )
        reading.tokens[at] = reading.tokens[at]._replace(terminal=right, value=right)
        return at

    def _wrong_opening(self, at: int) -> int | None:
        """A bracket of another kind where one is due."""
        reading = self.reading
        terminal = reading.terminal(at)
        if terminal not in OPENINGS or not at:
            return None
        tokens = reading.tokens
        for right in ("(", "["):
            if right == terminal or not reading.fits((right,), at + 1, 1):
                continue
            last = reading.terminal(at - 1)
            if right == "(" and last != "ID" and last != "ROUTE" and last not in ("MODPARAM", "MODPARAMX"):
                continue
            if right == "[" and last not in ROUTES:
                continue
            closing = at + 1
            while closing < len(tokens) and reading.terminal(closing) not in (OPENINGS[terminal], OPENINGS[right], ";"):
                closing += 1
            if closing >= len(tokens) or reading.terminal(closing) == ";":
                continue
            made = [reading.tokens[at]._replace(terminal=right, value=right)]
            row = [token.terminal for token in tokens[at + 1 : closing]]
            if not reading.fit((right, *row, OPENINGS[right])):
                continue
            what = f"`{tokens[at - 1].value}`"
            self._report(
                at,
                codes.SYNTAX_ERROR,
                f"`{terminal}` stands where a `{right}` belongs behind {what}",
                reading.span(at),
                f"write `{right}` and `{OPENINGS[right]}`",
            )
            tokens[closing] = tokens[closing]._replace(terminal=OPENINGS[right], value=OPENINGS[right])
            tokens[at : at + 1] = made
            return at
        return None

    def _brackets(self, at: int) -> int | None:
        """The name of a route block without its brackets; arguments without their parentheses."""
        reading = self.reading
        tokens = reading.tokens
        last = reading.terminal(at - 1) if at else ""
        if last in ROUTES and reading.terminal(at + 1) == "{" and reading.fit(("[", reading.terminal(at), "]", "{")):
            span = reading.span(at)
            text = span.file.text
            whole = Span(
                span.file, span.start - text.endswith("(", 0, span.start), span.end + text.startswith(")", span.end)
            )
            self._report(
                at,
                codes.SYNTAX_ERROR,
                f"the name of a route block stands in brackets: {explain.token_name(tokens[at])}",
                span,
                f"write `{tokens[at - 1].value}[{span.text}]`",
                fix=Fix(whole, f"[{span.text}]"),
            )
            reading.place_tokens(at + 1, ("]",))
            return self._insert(at, "[")
        if last not in ("ID", "ROUTE", "MODPARAM", "MODPARAMX", "LOG") or reading.expected()[:1] not in (["("], ["["]):
            return None
        if reading.terminal(at) not in _VALUES or not reading.fits(("(",), at, 1):
            return None
        end, depth = at, 0
        line = tokens[at - 1].file.line_number(tokens[at - 1].start)
        while end < len(tokens) and tokens[end].file is tokens[at - 1].file:
            if tokens[end].file.line_number(tokens[end].start) != line:
                break
            terminal = tokens[end].terminal
            depth += (terminal == "(") - (terminal == ")")
            if depth < 0 or terminal in (";", "{", "}"):
                break
            end += 1
        row = [token.terminal for token in tokens[at:end]]
        if end == at or not reading.fit(("(", *row, ")")):
            return None
        word = tokens[at - 1]
        self._report(
            at,
            codes.UNCLOSED_PARENTHESIS if depth < 0 else codes.SYNTAX_ERROR,
            f"`(` is missing behind `{word.value}`",
            reading.behind(at),
            f"write `{word.value}({word.file.text[tokens[at].start : tokens[end - 1].end]})`",
        )
        if depth >= 0:
            reading.place_tokens(end, (")",))
        return self._insert(at, "(")

    def _closing(self, at: int) -> int | None:
        """`)` or `]` is missing."""
        reading = self.reading
        opened = reading.opened()
        closing: tuple[str, ...] = ()
        broken = self._broken_off(at)
        if broken is not None:
            return broken
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

    def _broken_off(self, at: int) -> int | None:
        """`)` is missing at the end of a line: the next line is not indented further than the one before."""
        reading = self.reading
        opened = reading.opened()
        if not opened or opened[-1].terminal != "(":
            return None
        opening = opened[-1]
        tokens = reading.tokens
        first = at
        while first and tokens[first - 1] is not opening:
            first -= 1
        for number in range(first, at):
            token = tokens[number]
            if token.file is not opening.file or line_start(token) == line_start(opening) or not is_first(token):
                continue
            if indent(token) > indent(opening):
                continue
            start = number - 1 if reading.terminal(number - 1) == "," else number
            if not self._helps(at, start, number, (")", ";"), 0):
                return None
            span = reading.behind(number)
            self._report(
                at,
                codes.UNCLOSED_PARENTHESIS,
                f"the line ends before `)`{self._where()}",
                span,
                "close the `(`",
                (Related("this `(` is open", opening.span),),
            )
            end = tokens[number - 1]
            made = [Token(sign, sign, end.end, end.end, end.file) for sign in ");"]
            return self._replace(at, start, number, made)
        return None

    # ---- what divides ------------------------------------------------------------------------------------------

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

    def _trailing_comma(self, at: int) -> int | None:
        reading = self.reading
        if reading.terminal(at) != ")" or reading.terminal(at - 1) != "," or not self._helps(at, at - 1, at, (), 1):
            return None
        message = f"a value is missing behind `,`{self._where()}"
        self._report(at, codes.SYNTAX_ERROR, message, reading.span(at), "write it, or remove the `,`")
        return self._replace(at, at - 1, at, ())

    def _instead_of_comma(self, at: int) -> int | None:
        """Another sign where a comma is due."""
        reading = self.reading
        opened = reading.opened()
        terminal = reading.terminal(at)
        if terminal not in _NOT_COMMAS or not opened or opened[-1].terminal != "(":
            return None
        if not reading.fits((",",), at + 1, 2):
            return None
        if terminal == ";" and not self._closes(at + 1):
            return None
        span = reading.span(at)
        message = f"`{terminal}` stands where a `,` belongs{self._where()}"
        fix = None if terminal == "." else Fix(span, ",")  # two strings are joined with `+`
        self._report(at, codes.SYNTAX_ERROR, message, span, "write `,` between two arguments", fix=fix)
        reading.tokens[at] = reading.tokens[at]._replace(terminal=",", value=",")
        return at

    def _closes(self, at: int) -> bool:
        """Whether the parenthesis in which the token stands is closed further on in its statement."""
        return self.reading.terminal(self.reading.closed_at_depth(at)) == ")"

    def _is_in_parentheses(self) -> bool:
        opened = self.reading.opened()
        return bool(opened) and opened[-1].terminal == "("

    def _colon(self, at: int) -> int | None:
        reading = self.reading
        if not reading.fits((":",), at, 2) or not reading.depth():
            return None
        terminal = reading.terminal(at)
        if terminal in (";", "{") and reading.fits((":",), at + 1, 1):
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

    def _instead_of_colon(self, at: int) -> int | None:
        """`case "x";` or `case "x" {`."""
        reading = self.reading
        terminal = reading.terminal(at)
        if terminal not in (";", "{", "=", ".", ",") or not reading.depth() or not reading.fits((":",), at + 1, 1):
            return None
        span = reading.span(at)
        message = f"`{terminal}` stands where the `:` of a case belongs"
        if terminal == "{":
            closing = reading.brace_closed_at(at)
            if closing >= len(reading.tokens):
                return None
            del reading.tokens[closing]
            self._report(at, codes.SYNTAX_ERROR, message, span, "write `:`; a case takes no braces")
        else:
            self._report(at, codes.SYNTAX_ERROR, message, span, "write `:`", fix=Fix(span, ":"))
        reading.tokens[at] = reading.tokens[at]._replace(terminal=":", value=":")
        return at

    def _too_many(self, at: int) -> int | None:
        reading = self.reading
        terminal = reading.terminal(at)
        if terminal in ("{", "}"):
            opened = reading.opened()
            twice = terminal == "{" and reading.terminal(at - 1) == "{" and reading.is_cases()
            look = LOOK if twice or (opened and opened[-1].terminal != "{") else 0
        else:
            look = {")": 2, "]": 2, ",": 4, ";": 2, "(": LOOK}.get(terminal, 0)
        if (
            not look
            or not reading.fits((), at + 1, look)
            or (terminal == ";" and self._is_in_parentheses() and not self._closes(at + 1))
        ):
            return None
        span = reading.span(at)
        fix = Fix(span, "")
        if terminal in (",", ";"):
            double = reading.terminal(at - 1) == ","
            message = "a value is missing behind `,`" if double else f"a `{terminal}` too many"
            fixed = None if double else fix
            self._report(at, codes.SYNTAX_ERROR, f"{message}{self._where()}", span, "remove it", fix=fixed)
        else:
            code = codes.STRAY_BRACE if terminal in ("{", "}") else codes.STRAY_PARENTHESIS
            self._report(at, code, f"this `{terminal}` closes nothing", span, "remove it", fix=fix)
        del reading.tokens[at]
        return at
