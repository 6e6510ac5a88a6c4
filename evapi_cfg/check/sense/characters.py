"""Pass: characters that an editor does not show, or shows as others: they change what a file means to Kamailio."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Fix
from evapi_cfg.source import SourceFile, Span

_ODD = re.compile("[\\r\\0\\xe2]")  # most files have none, which is seen at once
# U+202A to U+202E and U+2066 to U+2069 in UTF-8, one character per byte.
_LINE_END = re.compile("\\r+\\n")
_TURNING = re.compile("\xe2(?:\x80[\xaa-\xae]|\x81[\xa6-\xa9])")


def check(context: Context) -> Iterator[Diagnostic]:
    for file in dict.fromkeys(context.config.files):
        if _ODD.search(file.text):
            yield from _in_file(file)


def _in_file(file: SourceFile) -> Iterator[Diagnostic]:
    text = file.text
    returns = text.count("\r")
    if returns:
        at = text.index("\r")
        lines = "1 line ends" if returns == 1 else f"{returns:,} lines end"
        yield Diagnostic(
            codes.CARRIAGE_RETURN,
            f"{lines} as on Windows",
            Span(file, at, at + 1),
            "save the file with line ends of Unix",
            (
                "Kamailio knows neither `#!KAMAILIO` nor `\\` at the end of a line with it, and keeps it in what `$def`"
                " gives and in texts that go over a line",
            ),
            fix=_with_plain_ends(file, at),
        )
    at = text.find("\0")
    if at >= 0:
        yield Diagnostic(
            codes.NUL_CHARACTER,
            "a NUL stands in the file",
            Span(file, at, at + 1),
            "remove it",
            ("for Kamailio a string ends there; between words it is ignored",),
        )
    for found in _TURNING.finditer(text):
        yield Diagnostic(
            codes.BIDI_CONTROL,
            "a character that nobody sees turns the direction in which the text is shown",
            Span(file, *found.span()),
            "remove it: what follows may not be what it looks like",
            (SILENT,),
        )


def _with_plain_ends(file: SourceFile, first: int) -> Fix | None:
    """The file with line ends of Unix; None where a carriage return stands anywhere else, too."""
    text = file.text
    last = text.rindex("\r")
    whole = Span(file, first, last + 2)
    plain = _LINE_END.sub("\n", whole.text)
    return None if "\r" in plain else Fix(whole, plain)
