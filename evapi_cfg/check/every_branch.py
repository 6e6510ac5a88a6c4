"""Checks the text under every #!ifdef, #!ifndef and #!ifexp, not only the one that is chosen: the same configuration is
checked under several choices of names, which together read each branch at least once.

A name can be chosen where the file asks for it and nothing says what it is: not the file itself, nor the command line,
nor Kamailio's version. One name at a time is defined as far as there is time for it, since names may exclude each other
(`WITH_MYSQL`, `WITH_PGSQL`); a name whose value is used as well cannot be guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from evapi_cfg.check.report import Report
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.source import SourceFile, Span, show
from evapi_cfg.syntax.branches import Asked, Branch
from evapi_cfg.syntax.ifexp import ExpressionError, evaluate, is_true

Defines: TypeAlias = "Mapping[str, str | None]"
Check: TypeAlias = "Callable[[Defines, Mapping[str, bool]], Report]"
"""Checks the configuration under some defines, and with what is to come out of some `#!ifexp`."""

MOST: Final = 32  # runs
MOST_TEXT: Final = 4 << 20  # characters that all runs together read, about; four runs are always made
EVERYWHERE: Final = frozenset(
    (
        codes.UNUSED_ROUTE,
        codes.UNUSED_DEFINE,
        codes.NEVER_SET_VARIABLE,
        codes.TAG_NEVER_SET,
        codes.UNKNOWN_TAG,
        codes.UNREACHABLE_CODE,
    )
)  # what says that something is nowhere: it counts only if no branch holds it
_LONGEST_NAME: Final = 200
_EXPRESSION: Final = "#!ifexp "
_KAMAILIO: Final = re.compile(r"KAMAILIO_[0-9_]+|KAMAILIO_VERSION|OS_NAME|MOD_\w+")
_NAME: Final = re.compile(r"(?<![\w$])[A-Za-z_]\w*")
_WORD: Final = re.compile(r"\w+")
_NO_CODE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|(?:\#|//|!!)[^\n]*', re.DOTALL)
_DEFINED: Final = re.compile(
    r"(?:\#!|!!)(?:define|def|trydefine|trydef|redefine|redef|defexps?|(?:try)?defenvs?|substdefs?)\s+\W?(\w+)"
)

_Needs: TypeAlias = dict[str, bool]  # what each name, or expression, has to be
_Place: TypeAlias = tuple[str, int]


@dataclass(slots=True)
class _Run:
    needs: _Needs
    report: Report


@dataclass(slots=True)
class _Known:
    """What the runs so far have shown."""

    given: Defines
    runs: list[_Run] = field(default_factory=list)
    branches: dict[_Place, Branch] = field(default_factory=dict)  # each that has been seen
    read: set[_Place] = field(default_factory=set)
    sites: dict[str, list[Asked | None]] = field(default_factory=dict)  # under what a name is defined
    words: set[str] = field(default_factory=set)  # that stand in code, so that a define is expanded there
    defined: set[str] = field(default_factory=set)  # what the files define anywhere
    _texts: set[str] = field(default_factory=set)

    def add(self, run: _Run) -> None:
        self.runs.append(run)
        for branch in run.report.branches.all:
            place = branch.at.file.name, branch.at.start
            self.branches.setdefault(place, branch)
            if branch.read:
                self.read.add(place)
        for name, sites in run.report.branches.definitions.items():
            known = self.sites.setdefault(name, [])
            known += (site for site in dict.fromkeys(sites) if site not in known)
        for file in run.report.files:
            if file.text not in self._texts:
                self._texts.add(file.text)
                self.defined.update(_DEFINED.findall(file.text))
                self.words.update(_WORD.findall(_NO_CODE.sub(" ", file.text)))

    def unread(self) -> Iterator[tuple[_Place, Branch]]:
        return ((place, branch) for place, branch in self.branches.items() if place not in self.read)

    # ---- what a branch needs -------------------------------------------------------------------------------------

    def needs(self, asked: Asked) -> _Needs | None:
        """The names that must be chosen for a text to be read; None where no choice is known."""
        needs: _Needs = {}
        if not all(self._one(each.what, each.wanted, needs, 0) for each in asked.chain()):
            return None
        return {what: wanted for what, wanted in needs.items() if wanted or not _is_name(what)} or None

    def choose(self, name: str, needs: _Needs) -> bool:
        """Adds to `needs` what defines a name; False where that is not known, or cannot be."""
        tried = dict(needs)
        if not self._one(name, True, tried, 0):
            return False
        needs.update((what, wanted) for what, wanted in tried.items() if wanted or not _is_name(what))
        return True

    def _one(self, what: str, wanted: bool, needs: _Needs, depth: int) -> bool:
        if not what or depth > 10:
            return False
        if what in needs:
            return needs[what] is wanted
        if what.startswith(_EXPRESSION):
            if not self._can_be_forced(what):
                return self._holds(what) is wanted
        elif what in self.given or None in self.sites.get(what, ()):
            return wanted
        elif what in self.sites:
            return self._site(what, wanted, needs, depth + 1)
        elif what in self.defined or _KAMAILIO.fullmatch(what):
            return wanted is (what in self.runs[0].report.config.defines)
        elif wanted and (what in self.words or _is_comment(what)):
            return False  # its value counts as well
        needs[what] = wanted
        return True

    def _site(self, name: str, wanted: bool, needs: _Needs, depth: int) -> bool:
        """A name that the files define under conditions; whether it was defined before is none of them."""
        sites = [[each for each in site.chain() if each.what != name] for site in self.sites[name] if site is not None]
        if wanted:
            for site in sites:
                tried = dict(needs)
                if all(self._one(each.what, each.wanted, tried, depth) for each in site):
                    needs.update(tried)
                    return True
            return False
        return all(any(self._one(each.what, not each.wanted, needs, depth) for each in site) for site in sites)

    def _can_be_forced(self, what: str) -> bool:
        """Whether an expression asks for a name that can be chosen."""
        names = _NAME.findall(_NO_CODE.sub(" ", what.removeprefix(_EXPRESSION)))
        return any(
            name not in self.given and name not in self.defined and not _KAMAILIO.fullmatch(name) for name in names
        )

    def _holds(self, what: str) -> bool:
        try:
            return is_true(evaluate(what.removeprefix(_EXPRESSION), self.runs[0].report.config.defines))
        except ExpressionError:
            return False


def check_every_branch(check: Check, given: Defines) -> Report:
    """The report of the chosen branches, and what shows in the others, with what must be defined for it."""
    first = check(given, {})
    known = _Known(given)
    known.add(_Run({}, first))
    size = sum(len(file.text) for file in first.files)
    most = min(MOST, max(4, MOST_TEXT // max(size, 1)))
    tried: list[_Needs] = []
    while len(known.runs) < most:
        wanted: list[_Needs] = []
        for _, branch in known.unread():
            needs = known.needs(branch.asked)
            if needs is not None and needs not in tried and needs not in wanted:
                wanted.append(needs)
        if not wanted:
            break
        for needs in _packed(wanted, most - len(known.runs)):
            known.add(_run(check, given, needs))
        tried += wanted
    _complete(known, lambda needs: _run(check, given, needs))
    return replace(
        first,
        diagnostics=tuple(_joined(known.runs)),
        files=tuple({file.name: file for run in known.runs for file in run.report.files}.values()),
        unread=tuple(b for _, b in known.unread() if not any(map(_is_comment, (a.what for a in b.asked.chain())))),
    )


def _run(check: Check, given: Defines, needs: _Needs) -> _Run:
    defines = {name: None for name, wanted in needs.items() if wanted and _is_name(name)}
    forced = {what: outcome for what, outcome in needs.items() if not _is_name(what)}
    return _Run(needs, check({**given, **defines}, forced))


def _complete(known: _Known, run: Callable[[_Needs], _Run]) -> None:
    """Where a branch has errors because it uses what is defined in another one, that one is chosen as well."""
    for number, made in enumerate(known.runs[1:], 1):
        needs = dict(made.needs)
        lacking = {
            word
            for found in made.report.diagnostics
            if found.severity is Severity.ERROR and len(found.span.text) < _LONGEST_NAME
            for word in _NAME.findall(found.span.text)
            if word in known.defined and word not in made.report.config.defines
        }
        for word in sorted(lacking):  # so that the same file gives the same runs
            known.choose(word, needs)
        if needs != made.needs:
            better = run(needs)
            if better.report.errors <= made.report.errors:
                known.runs[number] = better


def _is_comment(name: str) -> bool:
    """Whether an #!ifdef is there to keep a text from being read that is no configuration."""
    return "COMMENT" in name


def _is_name(what: str) -> bool:
    return not what.startswith(_EXPRESSION)


def _packed(wanted: list[_Needs], room: int) -> list[_Needs]:
    """One choice for each wish; where there are too many, several in one, if they do not exclude each other."""
    if len(wanted) <= room:
        return wanted
    packed: list[_Needs] = []
    for number, needs in enumerate(wanted):
        for offset in range(len(packed)) if len(packed) == room else ():
            other = packed[(number + offset) % room]
            if all(other.get(what, outcome) is outcome for what, outcome in needs.items()):
                other.update(needs)
                break
        else:
            if len(packed) < room:
                packed.append(dict(needs))
    return packed


# ---- what all runs have found -----------------------------------------------------------------------------------


def _joined(runs: list[_Run]) -> list[Diagnostic]:
    order = {file.name: number for number, file in enumerate(_files(runs))}
    found: dict[tuple[object, ...], Diagnostic] = {}
    for run in runs:
        note = _note(run.needs)
        for diagnostic in run.report.diagnostics:
            if diagnostic.code in EVERYWHERE and not _everywhere(diagnostic, runs):
                continue
            noted = replace(diagnostic, notes=(note, *diagnostic.notes)) if note else diagnostic
            found.setdefault(_same(diagnostic), noted)
    return sorted(found.values(), key=lambda d: (order.get(d.span.file.name, 0), d.span.start, d.span.end))


def _files(runs: list[_Run]) -> Iterable[SourceFile]:
    return {file.name: file for run in runs for file in run.report.files}.values()


def _same(diagnostic: Diagnostic) -> tuple[object, ...]:
    if diagnostic.code is codes.MODULE_NOT_LOADED:
        return diagnostic.code, diagnostic.help  # said at the first use, which may be another one in another branch
    span = diagnostic.span
    return diagnostic.code, span.file.name, span.start, span.end, diagnostic.message


def _everywhere(diagnostic: Diagnostic, runs: list[_Run]) -> bool:
    """Whether all runs say so that have read the place and can say so."""
    same = _same(diagnostic)
    return all(
        same in map(_same, run.report.diagnostics)
        for run in runs
        if not run.report.errors and _has_read(run.report, diagnostic.span)
    )


def _has_read(report: Report, span: Span) -> bool:
    if all(file.name != span.file.name for file in report.files):
        return False
    skipped = report.branches.skipped
    return not any(gone.file.name == span.file.name and gone.start <= span.start < gone.end for gone in skipped)


def _note(needs: _Needs) -> str:
    names = [f"`{name}`" for name, wanted in needs.items() if wanted and _is_name(name)]
    parts = [f"with {_listed(names)} defined"] if names else []
    for what, outcome in needs.items():
        if not _is_name(what):
            parts.append(f"where `{show(what)}` {'holds' if outcome else 'does not hold'}")
    return f"this shows {_listed(parts)}" if parts else ""


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
