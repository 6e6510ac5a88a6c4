"""`evapi-cfg check`: several files, what the user wants to see of them, and what that comes to as an exit status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from evapi_cfg.check.choice import Choice, fault_of
from evapi_cfg.check.report import Report
from evapi_cfg.check.settings import FAIL_ON, Settings, SettingsError, settings_beside
from evapi_cfg.check.targets import DEFAULT, TARGETS
from evapi_cfg.diagnostics.formats import FORMATS
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.diagnostics.suggest import did_you_mean

FINE, FOUND, UNABLE = 0, 1, 2  # exit statuses
Read = Callable[[str, Sequence[str], str], Report | None]
"""Checks a file with the defines of the command line for a version; None where it cannot, and has said why."""


class BadWish(Exception):
    """A flag, or the settings beside a file, asks for what there is not."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The flags; "" and () where nothing was said. They come before what the settings beside a file say."""

    target: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`read`: whether any file could be read."""

    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...]
    status: int
    read: bool


def check(paths: Sequence[str], read: Read, defines: Sequence[str], wishes: Wishes) -> Outcome:
    """Checks files. Raises BadWish."""
    _look_at(wishes)
    found: list[Diagnostic] = []
    files: list[str] = []
    status = FINE
    for path in paths:
        try:
            settings = settings_beside(path)
        except SettingsError as error:
            raise BadWish(str(error)) from None
        target = TARGETS[wishes.target or settings.target or DEFAULT]
        report = read(path, (*settings.defines, *defines), target)
        if report is None:
            status = UNABLE
            continue
        files.append(report.files[0].name)
        chosen = _choice(wishes, settings).of(report.diagnostics)
        found += chosen
        if status == FINE and _fails(chosen, wishes.fail_on or settings.fail_on):
            status = FOUND
    return Outcome(tuple(found), tuple(files), status, bool(files))


def rendered(outcome: Outcome, form: str, colour: bool) -> str:
    """What is printed."""
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
