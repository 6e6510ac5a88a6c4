"""`evapi-cfg check`."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from evapi_cfg.cli.output import coloured, fail, write
from evapi_cfg.cli.reading import Defines, report
from evapi_cfg.source import show

if TYPE_CHECKING:
    from evapi_cfg.checking import Outcome


class CheckFormat(StrEnum):
    full = "full"
    concise = "concise"
    json = "json"
    jsonl = "jsonl"
    github = "github"
    gitlab = "gitlab"
    sarif = "sarif"
    junit = "junit"
    kamailio = "kamailio"


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Configurations; - is standard input.")],
    define: Defines = [],  # noqa: B006
    format: Annotated[CheckFormat, typer.Option(help="How to print what was found.")] = CheckFormat.full,
    target: Annotated[
        str, typer.Option(metavar="VERSION", help="Whose functions and rules count: 5.6 to 6.2; otherwise 6.1.")
    ] = "",
    select: Annotated[
        list[str], typer.Option(metavar="CODE", help="Only these; unused-* takes all that begin so.")
    ] = [],  # noqa: B006
    ignore: Annotated[list[str], typer.Option(metavar="CODE", help="Not these.")] = [],  # noqa: B006
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as well: --fail-on warning.")] = False,
    fail_on: Annotated[str, typer.Option(metavar="LEVEL", help="Exit status 1 from: error, warning, never.")] = "",
    fix: Annotated[
        bool, typer.Option("--fix", help="Write the safe fixes into the files; standard input is printed with them.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would change, and change nothing.")] = False,
    all_ifdefs: Annotated[
        bool, typer.Option("--all-ifdefs", help="Check the text under every #!ifdef, not only the chosen one.")
    ] = False,
    include_root: Annotated[
        str, typer.Option(metavar="FOLDER", help="Read no included file that lies outside of it.")
    ] = "",
) -> None:
    """Says what is wrong with a kamailio.cfg: all errors, each with its place and a way out.

    A file .evapi-cfg.toml beside it can hold target, select, ignore, fail-on, defines and levels; a comment
    # evapi-cfg: ignore[CODE] in it takes back what is said about its line.

    Nothing of what the file says is done: no code is loaded, no name is resolved, nothing is written without --fix.
    """
    from evapi_cfg import checking

    if fix and diff:
        fail("--fix and --diff: one of them")
    if include_root and not os.path.isdir(include_root):
        fail(f"--include-root {include_root}: there is no such folder")
    wishes = checking.Wishes(
        target,
        tuple(select),
        tuple(ignore),
        "warning" if strict else fail_on,
        "fix" if fix else "diff" if diff else "",
        coloured(),
    )
    read = partial(report, include_root=include_root, all_ifdefs=all_ifdefs)
    try:
        outcome = checking.check(files, read, define, wishes)
    except checking.BadWish as err:
        fail(str(err))
    if outcome.read:
        _say(outcome, format)
    raise typer.Exit(outcome.status)


def _say(outcome: Outcome, format: CheckFormat) -> None:
    """Prints what `check` has found and done."""
    from evapi_cfg import checking
    from evapi_cfg.diagnostics.terminal import clean

    for line in outcome.remarks:
        print(f"evapi-cfg: {clean(show(line))}", file=sys.stderr)
    report = "" if outcome.is_diff else checking.rendered(outcome, format.value, coloured() and not outcome.text)
    if outcome.summary and (outcome.is_diff or format in (CheckFormat.full, CheckFormat.concise)):
        report += f"{outcome.summary}\n"
    if outcome.text is None:
        write(report)
        return
    print(report, end="", file=sys.stderr)
    write(outcome.text, "utf-8" if outcome.is_diff and coloured() else "latin-1")
