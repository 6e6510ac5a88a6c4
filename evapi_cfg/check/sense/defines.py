"""Pass: defines that nobody uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense.unseen import is_part
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.source import SourceFile, Span

_DEFINE: Final = re.compile(r"^[ \t]*[#!]!(?:define|trydefine|def|trydef|redefine|redef)[ \t]+(\w+)", re.MULTILINE)
_INCLUDE: Final = re.compile(r"^[ \t]*(?:[#!]!)?(?:include|import)_file\b", re.MULTILINE)
_WORD: Final = re.compile(r"\w+")


def check(context: Context) -> Iterator[Diagnostic]:
    """A define of the file itself whose name stands nowhere else: in no #!ifdef, no comment, no text. What is included
    may be for others as well."""
    files = list(dict.fromkeys(context.config.files))
    if not files or is_part(context):
        return
    found: dict[str, Span] = {}
    for define in _DEFINE.finditer(files[0].text):
        if define[1] in context.config.defines:
            found.setdefault(define[1], Span(files[0], *define.span(1)))
    if not found or (len(files) > 1 and sum(len(_INCLUDE.findall(file.text)) for file in files) >= len(files)):
        return  # a file that was not read may use it
    for name, span in found.items():
        if not _stands_elsewhere(name, files):
            words = {word for file in files for word in _WORD.findall(file.text) if word.isupper()}
            yield Diagnostic(
                codes.UNUSED_DEFINE,
                f"nothing uses `{name}`",
                span,
                did_you_mean(name, words - found.keys()) or "remove it",
                (SILENT,),
            )


def _stands_elsewhere(name: str, files: list[SourceFile]) -> bool:
    word = re.compile(rf"\b{name}\b")
    return len(list(islice((place for file in files for place in word.finditer(file.text)), 2))) > 1
