"""Pass: regular expressions that compile and mean something else than their author had in mind: the language of Perl
and JavaScript in an engine that reads POSIX's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from evapi_cfg.check.arguments import how_read
from evapi_cfg.check.context import Context
from evapi_cfg.check.fixups import Reading
from evapi_cfg.check.functions import find
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.syntax.ast import Binary, String, Text

_CLASS: Final = r"\[\^?\]?(?:\[:\w*:\]|\[\..\.\]|\[=.=\]|[^\]])*\]"
_FOREIGN: Final = re.compile(
    rf"(?P<class>{_CLASS})|(?P<letter>\\[acdeDfGhHKnNpPQrRtuvVxXzZAE])|(?P<escape>\\.)|(?P<lazy>(?:[*+?]|\{{[\d,]+\}})[?+])",
    re.DOTALL,
)
_SUSPECT: Final = re.compile(r"\\|[?+]")  # without one of these there is nothing to find
_IN_CLASS: Final = re.compile(r"\\\\|(\\[dDwWsS])")
_INSTEAD: Final = {
    "\\d": "[0-9]", "\\D": "[^0-9]", "\\h": "[ \\t]", "\\A": "^", "\\z": "$", "\\Z": "$",
}  # fmt: skip
_INSTEAD_IN_CLASS: Final = {"\\d": "0-9", "\\w": "[:alnum:]_", "\\s": "[:space:]"}
_POSIX: Final = "Kamailio uses POSIX extended expressions"


def check(context: Context) -> Iterator[Diagnostic]:
    for operator in context.index.operators:
        if isinstance(operator, Binary) and operator.op == "=~" and isinstance(operator.right, String):
            yield from _expression(operator.right.text)
    for switch in context.index.switches:
        for case in switch.cases:
            if case.regex and isinstance(case.label, String):
                yield from _expression(case.label.text)
    for call, site in context.index.calls:
        if not any(isinstance(argument, String) and _SUSPECT.search(argument.value) for argument in call.args):
            continue
        export = find(context.scope, call, site)
        for number, argument in enumerate(call.args):
            if export is not None and isinstance(argument, String):
                how = how_read(export, number)
                if how is Reading.REGEX:
                    yield from _expression(argument.text)
                elif how is Reading.SUBSTITUTION:
                    yield from _substitution(argument.text)
    for pvar, _ in context.index.variables:
        for step in pvar.transformations:
            if step.cls == "re" and step.op == "subst" and step.args is not None:
                yield from _substitution(step.args)


def _substitution(text: Text) -> Iterator[Diagnostic]:
    """The expression in `/expression/replacement/flags`."""
    found = re.match(r"\s*(.)((?:\\.|(?!\1).)*)\1", text.value, re.DOTALL)
    if found is not None:
        yield from _expression(text.part(*found.span(2)))


def _expression(text: Text) -> Iterator[Diagnostic]:
    """What is found, each kind once."""
    told: set[str] = set()
    for found in _FOREIGN.finditer(text.value):
        fault = None
        if found["class"]:
            fault = _class(found["class"], text, found.start())
        elif found["letter"]:
            fault = _letter(found["letter"], text, found.start())
        elif found["lazy"]:
            fault = _lazy(found["lazy"], text, found.start())
        if fault is not None and fault.message not in told:
            told.add(fault.message)
            yield fault


def _letter(letter: str, text: Text, at: int) -> Diagnostic:
    instead = _INSTEAD.get(letter)
    if letter in ("\\n", "\\r", "\\t"):
        help = f'write it with one backslash in double quotes: `"{letter}"`'
    else:
        help = f"write `{instead}`" if instead else "POSIX has nothing of that kind"
    return Diagnostic(
        codes.FOREIGN_REGEX,
        f"`{letter}` has no meaning of its own to Kamailio",
        text.at(at, at + len(letter)),
        help,
        (f"{_POSIX}: such a letter stands for itself, and matches nothing at all where case is ignored", SILENT),
    )


def _class(value: str, text: Text, at: int) -> Diagnostic | None:
    for found in _IN_CLASS.finditer(value):
        if found[1]:
            instead = _INSTEAD_IN_CLASS.get(found[1])
            return Diagnostic(
                codes.FOREIGN_REGEX,
                f"`{found[1]}` between brackets is a backslash and the letter `{found[1][1]}`",
                text.at(at + found.start(), at + found.end()),
                f"write `{instead}` there" if instead else "list the characters",
                (_POSIX, SILENT),
            )
    body = value[:-1]
    slashes = len(body) - len(body.rstrip("\\"))
    if slashes % 2 and re.match(r"[^\[\]]*\]", text.value[at + len(value) :]):
        return Diagnostic(
            codes.FOREIGN_REGEX,
            "this `]` ends the brackets: a backslash does not change that",
            text.at(at + len(value) - 2, at + len(value)),
            "write `]` first: `[]...]` or `[^]...]`",
            (_POSIX, SILENT),
        )
    return None


def _lazy(what: str, text: Text, at: int) -> Diagnostic:
    kind = "lazy" if what.endswith("?") else "possessive"
    if what == "+?":
        comes_to = "it reads `*`"
    elif what.endswith("}?"):
        comes_to = "it takes all of it for optional"
    else:
        comes_to = "it always takes the longest match"
    return Diagnostic(
        codes.FOREIGN_REGEX,
        f"`{what}` is not {kind} to Kamailio: {comes_to}",
        text.at(at, at + len(what)),
        "leave the `?` out" if what.endswith("}?") else "say what may stand in between, such as `[^;]*`",
        (_POSIX, SILENT),
    )
