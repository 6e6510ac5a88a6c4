"""A kamailio.cfg, read: text to `Config` and diagnostics.

Faults of the author are diagnostics, and reading goes on behind them. Only a root file that cannot be read at all is an
exception, `SourceError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Severity, at_most
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax.ast import Config
from evapi_cfg.syntax.branches import Branches
from evapi_cfg.syntax.build_top import Builder
from evapi_cfg.syntax.corrections import Corrections, of_string
from evapi_cfg.syntax.faults import empty_file, is_open_string
from evapi_cfg.syntax.files import Files
from evapi_cfg.syntax.grammar import tables
from evapi_cfg.syntax.lexer import Scanner
from evapi_cfg.syntax.mending import Define
from evapi_cfg.syntax.preprocess import VERSION, Preprocessor
from evapi_cfg.syntax.recover import Parser
from evapi_cfg.syntax.tokens import Token

NO_DEFINES: Final[Mapping[str, str | None]] = {}
NO_CHOICE: Final[Mapping[str, bool]] = {}
MAX_CORRECTIONS: Final = 20  # each costs one more reading of the whole text
DROPPING: Final = (
    codes.DROPPED_CHARACTER,
    codes.BYTE_ORDER_MARK,
    codes.BAD_EVENT_NAME_CHARACTER,
    codes.COMMENT_IN_DEFINE,
)
EARLY_END: Final = (codes.SYNTAX_ERROR, codes.UNCLOSED_BLOCK, codes.UNCLOSED_PARENTHESIS)
SWALLOWING: Final = (
    codes.UNCLOSED_COMMENT,
    codes.UNCLOSED_STRING,
    codes.UNCLOSED_VARIABLE,
    codes.UNBALANCED_CONDITION,
    codes.TOO_MANY_EXPANSIONS,
)


class SourceError(Exception):
    """The configuration cannot be read: no such file, a directory, no permission."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Parsed:
    """What could be read, also where there are errors; the diagnostics are those of syntax and preprocessor, in the
    order of their places; `branches`: what the preprocessor's conditions have asked."""

    config: Config
    diagnostics: tuple[Diagnostic, ...]
    branches: Branches


def parse_file(
    path: str,
    *,
    defines: Mapping[str, str | None] = NO_DEFINES,
    environ: Mapping[str, str] = os.environ,
    modules: Container[str] | None = None,
    version: tuple[int, int, int] = VERSION,
    files: Files | None = None,
    forced: Mapping[str, bool] = NO_CHOICE,
) -> Parsed:
    """Reads a file with all that it includes. Raises SourceError for the file itself, never for included ones.

    `defines` are those of the command line (`-A NAME=VALUE`), `modules` the names for which loadmodule defines
    `MOD_name`; without it each does. `version` is that of Kamailio whose directives and names count. `files` reads
    them; `forced`: what comes out of conditions, see `Branches`.
    """
    files = files or Files()
    try:
        text = files.main(path)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {reason(error)}") from None
    return parse_text(
        text,
        path,
        defines=defines,
        environ=environ,
        modules=modules,
        read=files.included,
        version=version,
        forced=forced,
    )


def reason(error: OSError) -> str:
    """Why a file cannot be read or written, in words that go on behind a colon."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def parse_text(
    text: str,
    name: str = "<text>",
    *,
    defines: Mapping[str, str | None] = NO_DEFINES,
    environ: Mapping[str, str] = os.environ,
    modules: Container[str] | None = None,
    read: Callable[[str], str] | None = None,
    version: tuple[int, int, int] = VERSION,
    forced: Mapping[str, bool] = NO_CHOICE,
) -> Parsed:
    """Reads a text, one character per byte. `read` opens what it includes, by name, and raises OSError; `forced`: what
    comes out of conditions, see `Branches`."""
    corrected = Corrections()
    corrects = True
    found: list[Diagnostic] = []
    while True:
        file = SourceFile(name, text)
        preprocessor = Preprocessor(defines, environ, read or Files().included, modules, corrected, version)
        preprocessor.branches.forced = forced
        tokens = Scanner(preprocessor, corrected).scan(file)
        preprocessor.finish()
        suspect = _swallowing_string(preprocessor, tokens) if corrects else None
        if suspect is not None and corrected.add(of_string(suspect)):
            corrects = corrected.count < MAX_CORRECTIONS
            continue
        builder = Builder()
        faulty = {_line(item) for item in _errors(preprocessor)}
        parser = Parser(tables(), builder, tokens, file, faulty, _defines(preprocessor))
        items = parser.parse(corrects)
        if parser.correction is None and parser.define_correction is None:
            break
        new = [corrected.add(item) for item in (parser.correction, *parser.more_corrections) if item is not None]
        if parser.define_correction is not None:
            new.append(corrected.add_define(*parser.define_correction))
        corrects = any(new) and corrected.count < MAX_CORRECTIONS
    if not tokens and not any(True for _ in _errors(preprocessor)):
        found.append(empty_file(file))
    found += _told(preprocessor.diagnostics, parser, builder.diagnostics)
    found += dict.fromkeys(builder.diagnostics)  # what has been read again would say it twice
    config = Config(
        Span(file, 0, len(text)),
        tuple(items),
        tuple(preprocessor.files),
        dict(preprocessor.defines),
        preprocessor.mode == "max",
        tuple(preprocessor.branches.conditional),
    )
    return Parsed(config, _sorted(found, preprocessor.files), preprocessor.branches)


def _swallowing_string(preprocessor: Preprocessor, tokens: Sequence[Token]) -> Span | None:
    """Where the last string of the file is not closed, an earlier one may lack its quote: the first that runs over
    lines although its first line looks like the end of a statement."""
    if not any(item.code is codes.UNCLOSED_STRING for item in preprocessor.diagnostics):
        return None
    for token in tokens:
        if token.terminal == "STRING" and is_open_string(token.span):
            return token.span
    return None


def _defines(preprocessor: Preprocessor) -> list[Define]:
    """Those of the files."""
    places = ((name, value, preprocessor.defined_at(name)) for name, value in preprocessor.defines.items())
    return [Define(name, value, at) for name, value, at in places if value is not None and at is not None]


def _errors(preprocessor: Preprocessor) -> Iterator[Diagnostic]:
    return (item for item in preprocessor.diagnostics if item.severity is Severity.ERROR)


def _told(scanned: Sequence[Diagnostic], parser: Parser, built: Sequence[Diagnostic]) -> list[Diagnostic]:
    """What the scanner and the parser found, without what follows from something else: where a comment or a string
    swallows the rest of the file, its end comes too early for the parser; and what the scanner drops is no second
    fault on a line that does not fit."""
    swallowed = any(item.code in SWALLOWING for item in scanned)
    parsed = [
        item for item in at_most(parser.diagnostics) if not (swallowed and parser.ends_early and item.code in EARLY_END)
    ]
    broken = {_line(item) for item in built if item.code is codes.BAD_VARIABLE}
    parsed = [item for item in parsed if _line(item) not in broken]  # its parentheses may have swallowed something
    comments = {_line(item): item for item in scanned if item.code is codes.COMMENT_IN_DEFINE}
    for number, item in enumerate(parsed):
        cause = comments.get(_line(item))
        if cause is not None:  # it is the fault, only graver than a warning
            parsed[number] = replace(cause, code=codes.SYNTAX_ERROR)
    lines = {_line(item) for item in parsed}
    lines |= {_line(item) for item in scanned if item.code is codes.TYPOGRAPHIC_QUOTE}
    found: list[Diagnostic] = []
    for item in at_most(scanned):
        if item.code in DROPPING and _line(item) in lines:
            continue
        if item.code is codes.UNCLOSED_COMMENT and not parser.ends_early:
            item = replace(item, code=codes.COMMENT_TO_THE_END)
        found.append(item)
    return found + parsed


def _line(item: Diagnostic) -> tuple[SourceFile, int]:
    return item.span.file, item.span.file.line_number(item.span.start)


def _sorted(found: list[Diagnostic], files: Sequence[SourceFile]) -> tuple[Diagnostic, ...]:
    order = {id(file): number for number, file in enumerate(files)}
    return tuple(sorted(found, key=lambda item: (order.get(id(item.span.file), 0), item.span.start)))
