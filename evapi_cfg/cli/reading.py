"""A configuration as the command line names it: its file or standard input, and the defines of `-A`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from evapi_cfg.cli.output import fail
from evapi_cfg.source import store

if TYPE_CHECKING:
    from evapi_cfg.check.report import Report

Defines = Annotated[list[str], typer.Option("-A", metavar="NAME[=VALUE]", help="A #!define, as with kamailio -A.")]


def defines_of(values: Sequence[str]) -> dict[str, str | None]:
    made: dict[str, str | None] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            fail(f"-A {value}: a name is letters, digits and underscores, as in -A WITH_X or -A PORT=5060")
        made[name] = store(text) if equals else None
    return made


def read(
    path: str,
    define: Sequence[str],
    version: str = "",
    instead: Mapping[str, str] | None = None,
    *,
    include_root: str = "",
    all_ifdefs: bool = False,
) -> Report:
    """What the checker finds. `instead`: texts that stand for those of files. Raises SourceError where the file cannot
    be read."""
    from evapi_cfg.catalog import TARGET
    from evapi_cfg.check.report import check_file, check_text
    from evapi_cfg.syntax.files import STDIN, Files

    texts = instead or {}
    version = version or TARGET

    def once(defines: Mapping[str, str | None], forced: Mapping[str, bool]) -> Report:
        files = Files(include_root, texts)
        if text is not None:
            return check_text(text, STDIN, defines=defines, version=version, files=files, forced=forced)
        return check_file(path, defines=defines, version=version, files=files, forced=forced)

    defines = defines_of(define)
    text = None
    if path == "-":
        text = texts[STDIN] if STDIN in texts else _standard_input()
    if not all_ifdefs:
        return once(defines, {})
    from evapi_cfg.check.every_branch import check_every_branch

    return check_every_branch(once, defines)


def report(
    path: str,
    define: Sequence[str],
    version: str,
    instead: Mapping[str, str],
    *,
    include_root: str = "",
    all_ifdefs: bool = False,
) -> Report | None:
    """The same; None where the file cannot be read, which is said here."""
    from evapi_cfg.syntax.parse import SourceError

    try:
        return read(path, define, version, instead, include_root=include_root, all_ifdefs=all_ifdefs)
    except SourceError as err:
        print(f"evapi-cfg: {err}", file=sys.stderr)
        return None


def _standard_input() -> str:
    from evapi_cfg.syntax.files import read_all
    from evapi_cfg.syntax.parse import SourceError, reason

    try:
        return read_all(sys.stdin.buffer)
    except AttributeError:
        raise SourceError("cannot read standard input: it is closed") from None
    except OSError as err:
        raise SourceError(f"cannot read standard input: {reason(err)}") from None
