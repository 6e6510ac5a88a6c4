"""The conditions of the preprocessor: `#!ifdef`, `#!else`, `#!endif`, and what was to be one of them.

What a define is worth stands in `preprocess.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import MOST, Code, Diagnostic, Fix, Related, Severity
from evapi_cfg.diagnostics.suggest import near
from evapi_cfg.source import Span, show
from evapi_cfg.syntax import faults
from evapi_cfg.syntax.branches import Asked, Branches
from evapi_cfg.syntax.faults import REFUSED
from evapi_cfg.syntax.ifexp import ExpressionError, Result, evaluate, is_true

Place: TypeAlias = "Callable[[int, int], Span]"  # offsets in the text being read -> span

MAX_CONDITIONS: Final = 512
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IGNORED_END: Final = re.compile(r"(?:\#!|!!)endif[ \t\b\r]*(?:[^\s].*|\Z)")
_LIKE_END: Final = re.compile(r"^[ \t]*(\#[ \t]*!?[ \t]*([A-Za-z]+))[ \t\r]*$", re.MULTILINE)
_LIKE_IF: Final = re.compile(
    r"^[ \t]*(\#!?[ \t]*([A-Za-z]+)|\#[ \t]+![ \t]*([A-Za-z]+))[ \t]+\w+[ \t\r]*$", re.MULTILINE
)
_IFS: Final = ("ifdef", "ifndef", "ifexp")
_ASKED_FOR: Final = (codes.BAD_INCLUDE_NAME, codes.INCLUDED_TOO_DEEP)  # the scanner goes on by them


class _Condition(NamedTuple):
    holds: bool
    span: Span
    asked: Asked
    skipping: bool  # this one or one around it does not hold


class Conditions:
    """Which conditions are open, and what has been found wrong."""

    def __init__(self) -> None:
        self.defines: dict[str, str | None] = {}
        self.diagnostics: list[Diagnostic] = []
        self._errors = 0
        self.branches = Branches()
        self._conditions: list[_Condition] = []
        self._extra_ends: list[Span] = []
        self._ignored_ends: list[Span] = []

    def report(
        self,
        code: Code,
        message: str,
        span: Span,
        *,
        help: str = "",
        notes: tuple[str, ...] = (),
        related: tuple[Related, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        graver = code.severity is Severity.ERROR and self._errors == 0  # it decides the verdict
        if not self.full or code in _ASKED_FOR or graver:
            self._errors += code.severity is Severity.ERROR
            self.diagnostics.append(Diagnostic(code, message, span, help, notes, related, fix))

    @property
    def full(self) -> bool:
        """Whether so much has been found that no more is wanted."""
        return len(self.diagnostics) > MOST

    @property
    def skipping(self) -> bool:
        return bool(self._conditions) and self._conditions[-1].skipping

    @property
    def _asked(self) -> Asked | None:
        """What the innermost open condition has asked."""
        return self._conditions[-1].asked if self._conditions else None

    def _if_defined(self, word: str, text: str, start: int, pos: int, place: Place) -> tuple[int, bool]:
        found = NAME.search(text, pos)
        if found is None:
            self._open(True, place(start, pos), "", True)
            return len(text), self.skipping
        begin, end = found.span()
        if "\n" in text[pos:begin]:
            self.report(
                codes.DIRECTIVE_RUNS_ON,
                f"`#!{word}` takes its name from a later line",
                place(start, pos),
                help=f"write the name behind `#!{word}`",
                notes=("Kamailio looks for the name over the ends of lines",),
                related=(Related("this name", place(begin, end)),),
            )
        if text[end : end + 1] == "-":
            self._bad_name(text, begin, end, place)
        line_end = text.find("\n", end)
        self._look_behind(
            word, text[pos:begin], found[0], text[end : len(text) if line_end < 0 else line_end], place, end
        )
        wanted = word == "ifdef"
        self._open((found[0] in self.defines) == wanted, place(start, end), found[0], wanted)
        return (len(text) if line_end < 0 else line_end + 1), self.skipping

    def _look_behind(self, word: str, before: str, name: str, rest: str, place: Place, end: int) -> None:
        """What stands on the line of an `#!ifdef` besides one name means nothing."""
        notes = (f"Kamailio looks for one name and drops the rest: the line asks whether `{name}` is defined",)
        other = "ifndef" if word == "ifdef" else "ifdef"
        stripped = before.strip()
        if stripped and "\n" not in before:
            begin = end - len(name) - len(before) + before.index(stripped)
            help = f"write `#!{other} {name}`" if stripped == "!" else "write one name alone"
            span = place(begin, begin + len(stripped))
            self.report(codes.IGNORED_CONDITION, f"`{show(stripped)}` is ignored", span, help=help, notes=notes)
        stripped = rest.strip()
        if stripped and not stripped.startswith(("#", "//", "/*")):
            sign = stripped.split(None, 1)[0]
            begin = end + rest.index(sign)
            logical = stripped.startswith(("&&", "||", "==", "!=", "<", ">"))
            self.report(
                codes.IGNORED_CONDITION,
                f"`{show(stripped)}` is ignored",
                place(begin, begin + len(sign)),
                help=f"write `#!ifexp {name} {show(stripped)}`, or for Kamailio 5.6 one condition inside the other"
                if logical
                else "write one name alone",
                notes=notes,
            )

    def _if_expression(self, text: str, start: int, pos: int, place: Place) -> tuple[int, bool]:
        line_end = text.find("\n", pos)
        if line_end < 0:
            line_end = len(text)
        result = self._evaluate(text[pos:line_end], place(pos, line_end))
        expression = f"#!ifexp {text[pos:line_end].strip()}"
        holds = self.branches.forced.get(expression, result is not None and is_true(result))
        self._open(holds, place(start, line_end), expression, True)
        return min(line_end + 1, len(text)), self.skipping

    def _evaluate(self, text: str, at: Span) -> Result | None:
        try:
            return evaluate(text, self.defines)
        except ExpressionError as error:
            self.report(
                codes.BAD_EXPRESSION,
                f"the expression `{show(text.strip())}` has no value: {error.message}",
                at,
                notes=("Kamailio logs an error and goes on as if it were false",),
            )
            return None

    def _open(self, holds: bool, span: Span, what: str, wanted: bool) -> None:
        if len(self._conditions) == MAX_CONDITIONS:
            self.report(
                codes.NESTED_TOO_DEEP,
                f"more than {MAX_CONDITIONS} conditions are open",
                span,
                notes=REFUSED,
            )
        self._enter(_Condition(holds, span, Asked(what, wanted, self._asked), self.skipping or not holds), span)

    def _enter(self, condition: _Condition, at: Span) -> None:
        self._conditions.append(condition)
        self.branches.enter(at, condition.asked, condition.skipping)

    def _else(self, at: Span, pos: int) -> tuple[int, bool]:
        if self._conditions:
            holds, span, asked, _ = self._conditions.pop()
            asked = asked._replace(wanted=not asked.wanted)
            self._enter(_Condition(not holds, span, asked, self.skipping or holds), at)
        else:
            self.report(
                codes.STRAY_DIRECTIVE,
                "`#!else` without an open condition",
                at,
                notes=("Kamailio logs a warning and goes on",),
            )
        return pos, self.skipping

    def _end(self, at: Span, pos: int) -> tuple[int, bool]:
        if self._conditions:
            opened = self._conditions.pop()
            if not self._conditions:
                self.branches.close(opened.span, at)
        else:
            self._extra_ends.append(at)
        return pos, self.skipping

    def ignored_end(self, span: Span) -> None:
        """A `#!endif` that is a comment, since something stands behind it."""
        self._ignored_ends.append(span)

    def finish(self) -> None:
        """At the end of everything: as many conditions must have been closed as opened."""
        even = len(self._extra_ends) == len(self._conditions)  # Kamailio only counts
        code = codes.STRAY_DIRECTIVE if even else codes.UNBALANCED_CONDITION
        notes = ("Kamailio only logs a warning: there are as many of one as of the other",) if even else REFUSED
        for span in self._extra_ends[: MOST + 1]:
            if self._blame_comment(span):
                continue
            self._forget_consequences(span)
            self.report(
                code,
                "`#!endif` without an open condition",
                span,
                help="remove it, or write the missing `#!ifdef`",
                notes=notes,
            )
        ignored = list(self._ignored_ends)
        for condition in reversed(self._conditions[-MOST - 1 :]):
            word = condition.span.text.split(None, 1)[0] if condition.span.text else "#!ifdef"
            end = self._ignored_end_after(condition.span, ignored)
            if end is None:
                self.report(
                    code,
                    f"`{word}` is never closed",
                    condition.span,
                    help="write `#!endif` on a line of its own where the condition ends",
                    notes=notes,
                )
                continue
            tail = end.text.rstrip()
            at_end = tail in ("#!endif", "!!endif")
            misspelt = not tail.startswith(("#!endif", "!!endif"))
            self.diagnostics = [
                item for item in self.diagnostics if item.span.start != end.start or item.span.file != end.file
            ]
            self.report(
                code,
                "`#!endif` in the last line is a comment: the line has no end"
                if at_end
                else f"`{tail}` is no directive, only a comment"
                if misspelt
                else "`#!endif` with text behind it is a comment",
                end,
                help="end the line"
                if at_end
                else "write `#!endif`"
                if misspelt
                else "put the text on a line of its own",
                notes=("Kamailio sees no `#!endif` here", *notes),
                related=(Related("the condition that stays open", condition.span),),
                fix=faults.tail_below(Span(end.file, end.start, end.start + len("#!endif"))),
            )

    def _blame_comment(self, end: Span) -> bool:
        """A `#!endif` too many is no fault where a misspelt `#!ifdef` stands before it: that one is. What follows from
        reading both of its sides is none either."""
        opening = self._like_if(end)
        if opening is None:
            return False
        consequences = (codes.STRAY_DIRECTIVE, codes.ALREADY_DEFINED)
        self.diagnostics = [
            item
            for item in self.diagnostics
            if not (
                item.span.file is end.file
                and opening.span.start <= item.span.start < end.start
                and (item.span.start == opening.span.start or item.code in consequences)
            )
        ]
        self.diagnostics.append(replace(opening, related=(Related("the condition ends here", end),)))
        return True

    def _forget_consequences(self, end: Span) -> None:
        """Where an `#!ifdef` is missing, its `#!else` is no second fault, nor what has been defined on both sides."""
        before = [item for item in self.diagnostics if item.span.file is end.file and item.span.start < end.start]
        middle = [item for item in before if item.code is codes.STRAY_DIRECTIVE and item.span.text.endswith("else")]
        if middle:
            consequences = [item for item in before if item.code is codes.ALREADY_DEFINED]
            dropped = [middle[-1], *(item for item in consequences if item.span.start > middle[-1].span.start)]
            self.diagnostics = [item for item in self.diagnostics if item not in dropped]

    def _like_if(self, end: Span) -> Diagnostic | None:
        """What is no `#!ifdef`, but was to be the one that a `#!endif` closes."""
        for item in self.diagnostics:
            if (
                ((item.code is codes.IGNORED_DIRECTIVE and "`#!if" in item.help) or _is_newer_condition(item))
                and item.span.file is end.file
                and item.span.start < end.start
            ):
                return replace(item, code=codes.UNBALANCED_CONDITION, notes=(*item.notes, *REFUSED))
        last: Diagnostic | None = None
        for found in _LIKE_IF.finditer(end.file.text, 0, end.start):
            word = (found[2] or found[3]).lower()
            if found[1] in ("#!ifdef", "#!ifndef", "#!ifexp"):
                continue
            names = near(word, _IFS, 1)
            if word in (*_IFS, "if") or names:
                last = Diagnostic(
                    codes.UNBALANCED_CONDITION,
                    f"`{found[1]}` is no directive, only a comment",
                    Span(end.file, found.start(1), found.end(1)),
                    f"write `#!{word if word in _IFS else names[0] if names else 'ifdef'}`",
                    REFUSED,
                )
        return last

    def _ignored_end_after(self, opened: Span, ignored: list[Span]) -> Span | None:
        for span in ignored:
            if span.file is opened.file and span.start > opened.start:
                ignored.remove(span)
                return span
        text = opened.file.text
        for found in _LIKE_END.finditer(text, opened.end):
            word = found[2].lower()
            if found[1] not in ("#!endif", "#!else") and (word in ("endif", "end", "fi") or near(word, ("endif",), 1)):
                return Span(opened.file, found.start(1), found.end(1))
        behind = _IGNORED_END.search(text, opened.end)
        if behind is None or any(span.start == behind.start() for span in self._ignored_ends):
            return None
        return Span(opened.file, behind.start(), behind.end())

    def _bad_name(self, text: str, begin: int, end: int, place: Place) -> None:
        while end < len(text) and (text[end].isalnum() or text[end] in "_-"):
            end += 1
        self.report(
            codes.BAD_DEFINE_NAME,
            f"`{text[begin:end]}` is no name for a define: it may not hold `-`",
            place(begin, end),
            help=f"write `{text[begin:end].replace('-', '_').rstrip('_')}`",
            notes=REFUSED,
        )


def _is_newer_condition(item: Diagnostic) -> bool:
    return item.code is codes.NEWER_DIRECTIVE and "`#!if" in item.message
