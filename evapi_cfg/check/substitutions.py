"""Expressions `/regex/replacement/flags`, as {re.subst} and the functions of textops take them (core/re.c:
subst_parser). The form is read by the preprocessor's parser, the expression itself by POSIX rules."""

from __future__ import annotations

import re

from evapi_cfg import regex
from evapi_cfg.check.posix import remedy
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Code, Diagnostic
from evapi_cfg.modules.spec import Resolver
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.subst import SubstError, parse_substitution

VARIABLE = re.compile(
    r"\$(?:\$|[A-Za-z0-9_.?]+(?:\([^()]*\)|(?!\())|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))"
)  # one variable in a text, found as core/pvapi.c: pv_locate_name does; what it does not match is read by the grammar


def fault(text: Text, code: Code, resolver: Resolver, verdict: str) -> Diagnostic | None:
    """What is wrong with an expression; `code` is for its form. Raises NameRefused for a variable in it."""
    value = text.value
    separator = value[:1]
    middle = value.find(separator, 1) if separator else -1
    while middle > 0 and value[middle - 1] == "\\":
        middle = value.find(separator, middle + 1)
    # A pattern of one letter stands in for the real one, so that only the form is judged.
    letter = "b" if separator == "a" else "a"
    form = value if middle < 0 or len(value) < 3 else separator + letter + value[middle:]
    moved = len(value) - len(form)

    def expand(rest: str) -> tuple[str, int] | None:
        found = VARIABLE.match(rest)
        if found is None:
            return None
        start = len(value) - len(rest)
        if found[0] != "$$":
            resolver.variable(text.part(start, start + found.end()))
        return "", found.end()

    try:
        parse_substitution(form, expand)
    except SubstError as error:
        at = min(max(error.at + moved, 0), max(len(value) - 1, 0))
        span: Span = text.at(at, at + 1) if error.at else text.span
        return Diagnostic(
            code, f"bad substitution: {error.message}", span, "write `/regex/replacement/flags`", (verdict,)
        )
    try:
        regex.compile(value[1:middle])
    except regex.RegexError as error:
        at = min(1 + error.offset, max(middle - 1, 1))
        return Diagnostic(
            codes.BAD_REGEX,
            f"bad regular expression: {error.message}",
            text.at(at, at + 1),
            remedy(value[1:middle], error.offset or 0),
            ("Kamailio uses POSIX extended expressions", verdict),
        )
    return None
