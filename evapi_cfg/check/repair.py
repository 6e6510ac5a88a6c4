"""Applies fixes to texts, never for the worse: what comes out is checked again before anybody gets it.

A fix is taken if it brings no new error, and together they must leave fewer errors, or as many and fewer warnings. Of
fixes that touch the same text the first wins; the others have their turn in the next round. Nothing is written here.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from evapi_cfg.check.report import Report
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.source import SourceFile

ROUNDS: Final = 20
CHECKS: Final = 60  # more are made only where fixes do harm, to find out which

Texts: TypeAlias = "Mapping[str, str]"  # by key: what stands for the files
Check: TypeAlias = "Callable[[Texts], Report | None]"
Wanted: TypeAlias = "Callable[[Iterable[Diagnostic]], Sequence[Diagnostic]]"
Key: TypeAlias = "Callable[[SourceFile], str]"
"""What two names of one file have in common."""


class LeftOut(NamedTuple):
    """A fix that was not made, and why: the new error, None where it is of no use."""

    diagnostic: Diagnostic
    instead: Diagnostic | None


class Change(NamedTuple):
    """One file's text before and after."""

    name: str
    old: str
    new: str


@dataclass(slots=True)
class Repaired:
    """`report` is that of the new texts; `fixed` counts diagnostics."""

    report: Report
    changes: dict[str, Change] = field(default_factory=dict)  # by key
    fixed: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


class _Edit(NamedTuple):
    key: str
    start: int
    end: int
    text: str


class _Fix(NamedTuple):
    diagnostic: Diagnostic
    edits: tuple[_Edit, ...]


def repair(report: Report, check: Check, wanted: Wanted, key: Key) -> Repaired:
    """Applies the fixes of the diagnostics that are wanted, until none is left. `check` gives the report for texts that
    stand for those of the files."""
    made = _in_rounds(report, check, wanted, key, bold=False)
    for _ in range(ROUNDS):
        # What did harm may do none any more, now that others have been made.
        more = _in_rounds(made.report, check, wanted, key, bold=False) if made.left_out and made.changes else None
        if more is None or not more.changes:
            break
        made = _behind(made, more)
    there = {_same(found) for found in made.report.diagnostics}
    made.left_out = [left for left in made.left_out if _same(left.diagnostic) in there]
    if made.left_out:
        # A fix may bring to light what can be fixed, too, such as the text behind an #!endif that was none.
        bold = _in_rounds(report, check, wanted, key, bold=True)
        if _harm(report, bold.report) is None and _weight(bold.report) < _weight(made.report):
            return bold
    return made


def _behind(first: Repaired, then: Repaired) -> Repaired:
    """Both, one behind the other."""
    changes = dict(first.changes)
    for where, change in then.changes.items():
        changes[where] = change._replace(old=changes[where].old) if where in changes else change
    changes = {where: change for where, change in changes.items() if change.new != change.old}
    return Repaired(then.report, changes, first.fixed + then.fixed, then.left_out)


def _in_rounds(report: Report, check: Check, wanted: Wanted, key: Key, *, bold: bool) -> Repaired:
    made = Repaired(report)
    tries = _Tries(check, bold)
    hopeless: set[tuple[str, str]] = set()
    for _ in range(ROUNDS):
        fixes = [
            _Fix(d, tuple(_Edit(key(e.span.file), e.span.start, e.span.end, e.text) for e in d.fix.edits))
            for d in wanted(made.report.diagnostics)
            if d.fix is not None and _same(d) not in hopeless
        ]
        texts = {key(file): file for file in made.report.files}
        chosen = _without_overlap(fixes)
        if not chosen:
            break
        good = tries.best_of(chosen, made.report, {where: file.text for where, file in texts.items()})
        hopeless.update(_same(left.diagnostic) for left in good.left_out)
        made.left_out += good.left_out
        for where, text in good.texts.items():
            first = made.changes.get(where)
            made.changes[where] = Change(texts[where].name, first.old if first else texts[where].text, text)
        made.report = good.report
        made.fixed += len(good.fixes)
    made.changes = {where: change for where, change in made.changes.items() if change.new != change.old}
    return made


def _without_overlap(fixes: Iterable[_Fix]) -> list[_Fix]:
    """Those that can be made together, the first of each few that touch the same text."""
    taken: dict[str, list[tuple[int, int]]] = {}
    known: set[_Edit] = set()
    chosen: list[_Fix] = []
    for fix in fixes:
        new = [edit for edit in fix.edits if edit not in known]
        if any(_touches(edit, taken.get(edit.key, [])) for edit in new):
            continue
        chosen.append(fix)
        known.update(new)
        for edit in new:
            insort(taken.setdefault(edit.key, []), (edit.start, edit.end))
    return chosen


def _touches(edit: _Edit, taken: list[tuple[int, int]]) -> bool:
    """Whether an edit shares a place with another. Whole lines that are put in at one place do not."""
    at = bisect_left(taken, (edit.start, edit.end))
    near = taken[max(at - 1, 0) : at + 1]
    if edit.start == edit.end and edit.text.endswith("\n"):
        return any(start < edit.start < end for start, end in near)
    return any(edit.start <= end and start <= edit.end for start, end in near)


class _Good(NamedTuple):
    fixes: list[_Fix]
    texts: dict[str, str]
    report: Report
    left_out: list[LeftOut]


class _Tries:
    """Finds the fixes that do no harm, with a bounded number of checks. `bold`: all are taken."""

    def __init__(self, check: Check, bold: bool) -> None:
        self._check = check
        self._bold = bold
        self._left = CHECKS

    def best_of(self, fixes: list[_Fix], report: Report, texts: dict[str, str]) -> _Good:
        good = _Good([], {}, report, [])
        waiting = [fixes]
        while waiting:
            some = waiting.pop()
            new = _edited(texts, [*good.fixes, *some])
            after = self._check({**texts, **new}) if self._left else None
            self._left -= 1
            harm = _harm(good.report, after) if after else None
            if after is not None and (self._bold or (harm is None and _weight(after) < _weight(good.report))):
                good = _Good([*good.fixes, *some], new, after, good.left_out)
            elif len(some) > 1 and self._left > 0:
                half = len(some) // 2
                waiting += [some[half:], some[:half]]
            else:
                good.left_out.extend(LeftOut(fix.diagnostic, harm) for fix in some)
        return good


def _edited(texts: Mapping[str, str], fixes: Iterable[_Fix]) -> dict[str, str]:
    """The texts that the fixes change, changed."""
    edits: dict[str, dict[_Edit, None]] = {}
    for fix in fixes:
        for edit in fix.edits:
            edits.setdefault(edit.key, {})[edit] = None
    new: dict[str, str] = {}
    for key, here in edits.items():
        parts: list[str] = []
        at = 0
        for edit in sorted(here, key=lambda edit: (edit.start, edit.end)):
            parts += (texts[key][at : edit.start], edit.text)
            at = edit.end
        new[key] = "".join(parts) + texts[key][at:]
    return new


def _same(diagnostic: Diagnostic) -> tuple[str, str]:
    """What a diagnostic is known by where lines have moved."""
    return diagnostic.code.name, diagnostic.message


def _harm(before: Report, after: Report) -> Diagnostic | None:
    """The first error that is new."""
    left = Counter(_same(found) for found in before.diagnostics if found.severity is Severity.ERROR)
    for found in after.diagnostics:
        if found.severity is Severity.ERROR:
            left[_same(found)] -= 1
            if left[_same(found)] < 0:
                return found
    return None


def _weight(report: Report) -> tuple[int, int]:
    return report.errors, report.warnings
