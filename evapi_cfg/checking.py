"""`evapi-cfg check`: several files, what the user wants to see of them, what is to be put right in them, and what that
comes to as an exit status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from evapi_cfg.check.choice import Choice, fault_of
from evapi_cfg.check.report import Report
from evapi_cfg.check.settings import FAIL_ON, Settings, SettingsError, settings_beside
from evapi_cfg.check.targets import DEFAULT, TARGETS
from evapi_cfg.diagnostics.formats import FORMATS
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.diagnostics.suggest import did_you_mean

if TYPE_CHECKING:
    from evapi_cfg.fixing import Fixed

FINE, FOUND, UNABLE = 0, 1, 2  # exit statuses
MOST_REMARKS: Final = 5  # of a kind
Read = Callable[[str, Sequence[str], str, Mapping[str, str]], Report | None]
"""Checks a file with the defines of the command line for a version, with texts that stand for those of files (by real
path; `STDIN`); None where it cannot, and has said why."""
_Again = Callable[[Mapping[str, str]], Report | None]
Fixes: TypeAlias = 'Literal["", "fix", "diff"]'


class BadWish(Exception):
    """A flag, or the settings beside a file, asks for what there is not."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The flags; "" and () where nothing was said. They come before what the settings beside a file say. `fixes`: safe
    fixes are written, or shown as a diff, in colours where `colour`."""

    target: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str = ""
    fixes: Fixes = ""
    colour: bool = False


@dataclass(slots=True)
class Outcome:
    """`read`: whether any file could be read. `text`: what goes to standard output instead of the diagnostics, one
    character per byte: a diff, or standard input with the fixes; None for the diagnostics. `remarks` are lines for
    people; `summary` is the one about fixes."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    status: int = FINE
    text: str | None = None
    remarks: list[str] = field(default_factory=list)
    summary: str = ""
    is_diff: bool = False

    @property
    def read(self) -> bool:
        return bool(self.files)


def check(paths: Sequence[str], read: Read, defines: Sequence[str], wishes: Wishes) -> Outcome:
    """Checks files. Raises BadWish."""
    _look_at(wishes)
    is_diff = wishes.fixes == "diff"
    made = Outcome(text="" if is_diff else None, is_diff=is_diff)
    fixed = left = 0
    for path in paths:
        try:
            settings = settings_beside(path)
        except SettingsError as error:
            raise BadWish(str(error)) from None
        choice = _choice(wishes, settings)
        target = TARGETS[wishes.target or settings.target or DEFAULT]
        again = partial(read, path, (*settings.defines, *defines), target)
        report = again({})
        if report is None:
            made.status = UNABLE
            continue
        made.files.append(report.files[0].name)
        made.remarks += _few(_unread(report), "conditions are like this")
        chosen = choice.of(report.diagnostics)
        if wishes.fixes:
            done = _fixed(path, report, again, choice, wishes, made)
            fixed, left = fixed + done.fixed, left + len(done.left)
            chosen = chosen if is_diff else done.left
        made.diagnostics += chosen
        if made.status == FINE and _fails(chosen, wishes.fail_on or settings.fail_on):
            made.status = FOUND
    if wishes.fixes:
        made.summary = f"{fixed} {'can be fixed' if is_diff else 'fixed'}, {left} left"
    return made


def _fixed(path: str, report: Report, again: _Again, choice: Choice, wishes: Wishes, made: Outcome) -> Fixed:
    from evapi_cfg import fixing

    if wishes.fixes == "diff":
        done = fixing.show(report, again, choice, colour=wishes.colour)
    else:
        done = fixing.fix(report, again, choice)
    if path == "-" or wishes.fixes == "diff":
        made.text = (made.text or "") + done.text
    made.remarks += _few(fixing.remarks(done.left_out), "fixes are left out")
    if done.failed:
        made.status = UNABLE
        made.remarks.append(done.failed)
    return done


def _unread(report: Report) -> list[str]:
    return [
        f"{branch.at}: the text under this condition is not checked: no choice of names reads it"
        for branch in report.unread
    ]


def _few(lines: list[str], what: str) -> list[str]:
    more = len(lines) - MOST_REMARKS
    return [*lines[:MOST_REMARKS], f"{more} more {what}"] if more > 0 else lines


def rendered(outcome: Outcome, form: str, colour: bool) -> str:
    """The diagnostics as they are printed."""
    return FORMATS[form](outcome.diagnostics, outcome.files, colour)


def _look_at(wishes: Wishes) -> None:
    if wishes.target and wishes.target not in TARGETS:
        raise BadWish(f"--target {wishes.target}: the versions are {', '.join(TARGETS)}")
    for flag, patterns in (("--select", wishes.select), ("--ignore", wishes.ignore)):
        for pattern in patterns:
            if fault := fault_of(pattern):
                raise BadWish(f"{flag}: {fault}")
    if wishes.fail_on and wishes.fail_on not in FAIL_ON:
        help = did_you_mean(wishes.fail_on, FAIL_ON) or f"it is one of {', '.join(FAIL_ON)}"
        raise BadWish(f"--fail-on {wishes.fail_on}: {help}")


def _choice(wishes: Wishes, settings: Settings) -> Choice:
    theirs = settings.choice
    return Choice(wishes.select or theirs.select, (*theirs.ignore, *wishes.ignore), theirs.levels)


_LEAST: Final = {"": (Severity.ERROR,), "error": (Severity.ERROR,), "warning": tuple(Severity), "never": ()}


def _fails(diagnostics: Sequence[Diagnostic], fail_on: str) -> bool:
    return any(found.severity in _LEAST[fail_on] for found in diagnostics)
