"""What the directives of a kamailio.cfg mean: defines, conditions, substitutions, included files (core/ppcfg.c and the
pp_* functions of core/cfg.lex).

The scanner finds directives and asks this module; nothing here reads tokens.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Container, Mapping
from time import monotonic
from typing import Final, Literal, TypeAlias

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Code, Diagnostic, Related
from evapi_cfg.regex import TooSlow
from evapi_cfg.source import SourceFile, Span, show, store
from evapi_cfg.syntax import faults
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.conditions import NAME, Conditions, Place
from evapi_cfg.syntax.corrections import NO_CORRECTIONS, Corrections
from evapi_cfg.syntax.faults import REFUSED
from evapi_cfg.syntax.files import FileRefused, TooMuch
from evapi_cfg.syntax.ifexp import as_text
from evapi_cfg.syntax.keywords import TERMINALS
from evapi_cfg.syntax.subst import SubstError, Substitution, parse_substitution
from evapi_cfg.values import NULL_TEXT

Mode: TypeAlias = Literal["max", "kamailio", "ser"]

VERSION: Final = (6, 1, 4)
FIRST_WITH_VALUES: Final = (5, 7)  # KAMAILIO_VERSION and OS_NAME
FIRST: Final[Mapping[str, tuple[int, int]]] = {
    "ifexp": (5, 7), "defexp": (5, 7), "defexps": (5, 7),
    "undef": (6, 2), "undefine": (6, 2), "tryundef": (6, 2), "tryundefine": (6, 2),
}  # fmt: skip
"""Directives that older versions read as comments, and the version from which on they work."""
MAX_DEFINES: Final = 512
MAX_VALUE: Final = 1 << 20  # characters of a define's value
MAX_INCLUDE_DEPTH: Final = 10
MAX_INCLUDE_NAME: Final = 127  # with its quotes
MAX_MODULE_NAME: Final = 59
SUBSTITUTION_SECONDS: Final = 5.0  # for all of a configuration; an ordinary one takes a thousandth of that

# What a directive looks like: some need a blank behind the word, some the end of the line, some nothing at all.
DIRECTIVE: Final = re.compile(
    r"(?:\#|//)!(?:KAMAILIO|OPENSER|SER|MAXCOMPAT|ALL)\n"
    r"|(?:\#!|!!)(?:(?:ifdef|ifndef|ifexp)[ \t\b\r]+|(?:else|endif)[ \t\b\r]*\n"
    r"|(?:define|def|trydefine|trydef|redefine|redef|defexps|defexp|undefine|undef|tryundefine|tryundef)[ \t\b\r]+"
    r"|substdefs|substdef|subst|defenvs|defenv|trydefenvs|trydefenv|include_file|import_file)"
)
SKIPPED_DIRECTIVE: Final = re.compile(r"(?:\#!|!!)(?:(?:ifdef|ifndef|ifexp)[ \t\b\r]+|(?:else|endif)[ \t\b\r]*\n)")
IGNORED_ELSE: Final = re.compile(r"(?:\#!|!!)(?:else[ \t\b\r]+[^\s]|el(?:se)?_?if).*")
_MODES: Final[dict[str, Mode]] = {
    "KAMAILIO": "kamailio", "OPENSER": "kamailio", "SER": "ser", "MAXCOMPAT": "max", "ALL": "max",
}  # fmt: skip
_CLASSES: Final = "env|envn|def|defn|defv|defs"
_VALUE_OF: Final = re.compile(rf"\$(?:({_CLASSES})\(([^()]*)\)|\(({_CLASSES})\(([^()]*)\)\))")
_VARIABLE: Final = re.compile(r"\$(?:[A-Za-z_?]\w*(?:\([^()]*\))?|\([^()]*(?:\([^()]*\)[^()]*)*\)|\$)")
_NAME_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r"}
BLANK: Final = " \t\b\r"
OURS: Final = ("evapi-cfg does not read it; Kamailio would",)


class Preprocessor(Conditions):
    """The state of the preprocessor while one configuration is read."""

    def __init__(
        self,
        defines: Mapping[str, str | None],
        environ: Mapping[str, str],
        read: Callable[[str], str],
        modules: Container[str] | None = None,
        corrections: Corrections = NO_CORRECTIONS,
        version: tuple[int, int, int] = VERSION,
    ) -> None:
        super().__init__()
        self.files: list[SourceFile] = []
        self.open_files: list[SourceFile] = []
        self.mode: Mode = "max"
        self._environ = environ
        self._read = read
        self._modules = modules
        self._corrections = corrections
        self._defined_at: dict[str, Span] = {}
        self._too_much = False  # no more files are read, and that has been said
        self._full = False  # there is no room for more defines, and that has been said
        self._rules: list[tuple[Substitution, Span]] = []
        self._time_left = SUBSTITUTION_SECONDS
        self._version = version
        self._not_undone: dict[str, Diagnostic] = {}  # what a directive would undefine that this version ignores
        major, minor, patch = version
        for name in (f"KAMAILIO_{major}", f"KAMAILIO_{major}_{minor}", f"KAMAILIO_{major}_{minor}_{patch}"):
            self.defines[name] = None
        if version >= FIRST_WITH_VALUES:
            self.defines["KAMAILIO_VERSION"] = str(major * 1_000_000 + minor * 1_000 + patch)
            self.defines["OS_NAME"] = "Linux"
        self.defines.update(defines)

    # ---- the one door for the scanner --------------------------------------------------------------------------

    def directive(self, matched: str, text: str, pos: int, place: Place) -> tuple[int, bool]:
        """Carries out the directive whose beginning `matched` ends at text[pos]. Gives where to read on, and whether
        what follows is to be skipped."""
        start = pos - len(matched)
        word = matched[2 if matched[:2] != "//" else 3 :].strip()
        if matched[:3] == "//!" or word in _MODES:
            self.mode = _MODES[word]
            return pos, False
        if self._version < FIRST.get(word, ()):
            return self._comment(word, text, start, pos, place), self.skipping
        if word in ("ifdef", "ifndef"):
            return self._if_defined(word, text, start, pos, place)
        if word == "ifexp":
            return self._if_expression(text, start, pos, place)
        if word == "else":
            return self._else(place(start, start + len(matched.rstrip())), pos)
        if word == "endif":
            return self._end(place(start, start + len(matched.rstrip())), pos)
        if "env" in word:
            return self._environment(word, text, start, pos, place), False
        if "undef" in word:
            return self._undefine(word, text, start, pos, place), False
        return self._define(word, text, start, pos, place), False

    # ---- defines -----------------------------------------------------------------------------------------------

    def _define(self, word: str, text: str, start: int, pos: int, place: Place) -> int:
        found = NAME.search(text, pos)
        if found is None:
            return len(text)
        name, begin, end = found[0], found.start(), found.end()
        if "\n" in text[pos:begin]:
            self.report(
                codes.DIRECTIVE_RUNS_ON,
                f"`#!{word}` takes its name from a later line",
                place(start, pos),
                notes=("Kamailio looks for the name over the ends of lines",),
                related=(Related("this name", place(begin, end)),),
            )
        line_end = _value_end(text, end)
        if text[end : end + 1] == "-":
            self._bad_name(text, begin, end, place)
            return line_end
        value = _value(text, end, line_end)
        if line_end >= len(text) and len(self.open_files) < 2:
            value = None  # the value is stored at the end of the line, and there is none
        at = place(begin, end)
        exists = name in self.defines
        if exists and word.startswith("try"):
            return line_end
        if exists and not word.startswith("redef"):
            self._already_defined(name, at)
            return line_end
        if not self._room(at):
            return line_end
        if word.startswith("defexp") and value is not None:
            value = self._expression_value(value, word == "defexps", place(end, line_end))
        corrected = self._corrections.defines.get(name)
        if corrected is not None and value is not None:
            first = text.index(value[0], end)
            last = len(text[:line_end].rstrip()) - 1
            value, fault = corrected
            self.diagnostics.append(fault(place(first, first + 1) if text[first] == "=" else place(last, last + 1)))
        self.set(name, value, at)
        return line_end

    def set(self, name: str, value: str | None, at: Span) -> None:
        if value and len(value) > MAX_VALUE:
            self.diagnostics.append(faults.too_many_expansions(at, name))
            value = None
        self.defines[name] = value or None
        self._defined_at[name] = at
        self.branches.define(name, self._asked)
        if name in TERMINALS:
            self.report(
                codes.DEFINED_KEYWORD,
                f"the define `{name}` has no effect: the word is reserved",
                at,
                help="give the define another name",
                notes=("Kamailio expands only names that are no words of its language",),
            )

    def defined_at(self, name: str) -> Span | None:
        """Where a define got its value; None for those of Kamailio and the command line."""
        return self._defined_at.get(name)

    def _expression_value(self, text: str, quoted: bool, at: Span) -> str | None:
        result = self._evaluate(text, at)
        if result is None:
            return None
        return f'"{as_text(result)}"' if quoted else as_text(result)

    def _undefine(self, word: str, text: str, start: int, pos: int, place: Place) -> int:
        line_end = text.find("\n", pos)
        line_end = len(text) if line_end < 0 else line_end
        found = NAME.search(text, pos, line_end)
        if found is None:
            return line_end
        name = found[0]
        if name in self.defines:
            del self.defines[name]
        elif not word.startswith("try"):
            self.report(
                codes.NOT_DEFINED,
                f"`{name}` is not defined",
                place(found.start(), found.end()),
                help=f"use `#!try{word}` where it may be missing",
                notes=REFUSED,
            )
        return line_end

    def _comment(self, word: str, text: str, start: int, pos: int, place: Place) -> int:
        """A directive that this version does not know: the line is a comment."""
        line_end = text.find("\n", pos)
        line_end = len(text) if line_end < 0 else line_end
        if not self.skipping:
            major, minor = FIRST[word]
            self.report(
                codes.NEWER_DIRECTIVE,
                f"`#!{word}` works from Kamailio {major}.{minor} on",
                place(start, start + len(word) + 2),
                notes=("earlier versions read the line as a comment",),
            )
            if "undef" in word and (found := NAME.search(text, pos, line_end)):
                self._not_undone[found[0]] = self.diagnostics[-1]
        return line_end

    def _environment(self, word: str, text: str, start: int, pos: int, place: Place) -> int:
        begin = pos
        while begin < len(text) and text[begin] in " \t\r\n":
            begin += 1
        end = begin
        while end < len(text) and text[end] not in " \t\r\n":
            end += 1
        if end == begin:
            return end
        name, equals, variable = text[begin:end].partition("=")
        at = place(begin, end)
        if equals and not variable:
            self.report(
                codes.BAD_DEFENV,
                f"`#!{word} {name}=` names no environment variable",
                at,
                help="write NAME=VARIABLE, or NAME alone where both have one name",
                notes=REFUSED,
            )
            return end
        value = self._environ.get(show(variable or name))
        if value is None:
            if not word.startswith("try"):
                self.report(
                    codes.MISSING_ENVIRONMENT_VARIABLE,
                    f"the environment variable `{show(variable or name)}` is not set",
                    at,
                    help=f"set it, or use `#!try{word}` where it may be missing",
                    notes=REFUSED,
                )
                self.defines.setdefault(name, None)
            return end
        if name in self.defines:
            self._already_defined(name, at)
        elif self._room(at):
            stored = store(value)
            self.set(name, f'"{stored}"' if word.endswith("s") else stored, at)
        return end

    def _already_defined(self, name: str, at: Span) -> None:
        first = self._defined_at.get(name)
        undone = self._not_undone.pop(name, None)
        if undone is not None and undone in self.diagnostics:
            self.diagnostics.remove(undone)
            related = (Related("this is a comment to earlier versions", undone.span),)
            self.report(
                codes.ALREADY_DEFINED,
                f"`{name}` is already defined: {undone.message}",
                at,
                help="use `#!redef` to replace the value",
                notes=REFUSED,
                related=related,
            )
            return
        self.report(
            codes.ALREADY_DEFINED,
            f"`{name}` is already defined",
            at,
            help="use `#!redef` to replace the value, or `#!trydef` to keep the first one",
            notes=REFUSED,
            related=(Related("first defined here", first),) if first else (),
        )

    def _room(self, at: Span) -> bool:
        if len(self.defines) < MAX_DEFINES:
            return True
        if not self._full:
            self._full = True
            self.report(
                codes.TOO_MANY_DEFINES,
                f"there are more than {MAX_DEFINES} defines",
                at,
                notes=("Kamailio has room for so many, its own and one for each loaded module among them", *REFUSED),
            )
        return False

    def loaded(self, path: str) -> None:
        """A loadmodule stands there: MOD_name is defined from now on."""
        name = path.rpartition("/")[2].removesuffix(".so")
        if len(name) <= MAX_MODULE_NAME and (self._modules is None or name in self._modules):
            self.defines.setdefault(f"MOD_{name}", None)
            self.branches.define(f"MOD_{name}", self._asked)

    # ---- substitutions -----------------------------------------------------------------------------------------

    def substitute(self, value: str) -> str:
        if not self._rules:
            return value
        since = monotonic()
        try:
            for rule, _ in self._rules:
                value = rule.apply(value)
        except TooSlow:
            self._time_left = 0.0
        self._time_left -= monotonic() - since
        if self._time_left < 0:
            self._stop_substituting()
        return value

    def _stop_substituting(self) -> None:
        self.report(
            codes.TOO_MANY_EXPANSIONS,
            "it would take too long to make the substitutions of this file: no more are made",
            self._rules[-1][1],
            help="look for an expression in which one repetition stands inside another one",
            notes=("this is a limit of evapi-cfg; Kamailio goes on",),
        )
        self._rules.clear()

    def substitution(self, word: str, text: Text) -> None:
        """`#!subst "..."` and its kin."""
        kind = word.lstrip("#!")
        value = text.value
        try:
            rule = parse_substitution(value, self._value_of)
        except SubstError as error:
            self.report(
                codes.BAD_SUBSTITUTION,
                f"`#!{kind}` with a bad expression: {error.message}",
                text.at(min(error.at, len(value) - 1), len(value)) if value else text.span,
                help='write "/regex/replacement/flags"; any character but `\\` may separate',
                notes=REFUSED,
            )
            return
        self._rules.append((rule, text.span))
        if kind == "subst":
            return
        name, at = rule.pattern, text.part(1, 1 + len(rule.pattern)).span
        if not name:
            self.report(codes.BAD_SUBSTITUTION, f"`#!{kind}` without a name", text.span)
        elif name in self.defines:
            self._already_defined(name, at)
        elif self._room(at):
            replacement = self._expanded(rule.replacement)
            self.set(name, f'"{replacement}"' if kind == "substdefs" else replacement, at)

    def _value_of(self, text: str) -> tuple[str, int] | None:
        """What the variable at the start of `text` is worth while the file is read, and its length. Only $env and $def
        have a value then; others stay as they are written."""
        found = _VALUE_OF.match(text)
        if found is None:
            other = _VARIABLE.match(text)
            return (other[0], other.end()) if other else None
        return self._known_value(found) or "", found.end()

    def _known_value(self, found: re.Match[str]) -> str | None:
        kind, name = found[1] or found[3], found[2] or found[4]
        if kind.startswith("env"):
            value = self._environ.get(show(name))
            return None if value is None else store(value)
        return self.defines.get(name)

    def _expanded(self, value: str) -> str:
        room = MAX_VALUE

        def known(found: re.Match[str]) -> str:
            nonlocal room
            text = self._known_value(found) or NULL_TEXT
            room -= len(text)
            return text if room > 0 else ""

        return _VALUE_OF.sub(known, value)

    # ---- included files ----------------------------------------------------------------------------------------

    def enter(self, file: SourceFile) -> None:
        self.files.append(file)
        self.open_files.append(file)

    def leave_file(self) -> None:
        self.open_files.pop()

    def include(self, word: str, written: str, at: Span) -> SourceFile | None:
        """The file that a directive names, open for reading; None with a diagnostic, or silently for import_file."""
        name = self.substitute(written)
        if len(name) > MAX_INCLUDE_NAME:
            return self._refuse(codes.BAD_INCLUDE_NAME, "the file name is longer than 125 characters", at)
        if len(name) < 2 or name[0] != '"' or name[-1] != '"':
            if name[:1] == '"' and '"' in name[1:]:
                return self._refuse(
                    codes.BAD_INCLUDE_NAME,
                    f"`{show(name[name.rindex(chr(34)) + 1 :])}` stands behind the file name",
                    at,
                    help="put a blank behind the closing quote; no `;` is needed",
                )
            return self._refuse(
                codes.BAD_INCLUDE_NAME,
                f"`{word}` needs a file name in double quotes" if name else f"`{word}` without a file name",
                at,
                help=f'write {word} "FILE"; the name may hold no blank',
            )
        path = re.sub(r"\\([\s\S])", lambda found: _NAME_ESCAPES.get(found[1], found[1]), name[1:-1])
        if not path:
            return self._refuse(codes.BAD_INCLUDE_NAME, "the file name is empty", at)
        if len(self.open_files) > MAX_INCLUDE_DEPTH:
            return self._too_deep(at)
        problem = ""
        for candidate in self._candidates(path):
            try:
                text = self._read(candidate)
            except FileRefused as error:
                if isinstance(error, TooMuch):
                    if self._too_much:
                        return None
                    self._too_much = True
                message = f"the file {show(name)} is not read: {error.strerror}"
                return self._refuse(codes.INCLUDE_NOT_READ, message, at, notes=OURS)
            except OSError as error:
                problem = problem or (error.strerror or str(error))
                if isinstance(error, IsADirectoryError):
                    problem = "it is a directory"
                    break
                continue
            file = SourceFile(show(candidate), text, at)
            self.enter(file)
            return file
        if word.endswith("import_file") and problem != "it is a directory":
            return None
        return self._refuse(
            codes.INCLUDE_NOT_READ,
            f"cannot read the file {show(name)}: {problem[:1].lower()}{problem[1:]}",
            at,
            help="a relative name is looked up from the working directory, then from the directory of this file",
        )

    def _candidates(self, path: str) -> list[str]:
        directory = os.path.dirname(store(self.open_files[-1].name))
        if path.startswith("/") or not directory:
            return [path]
        return [path, f"{directory}/{path}"]

    def _refuse(
        self, code: Code, message: str, at: Span, help: str = "", notes: tuple[str, ...] = REFUSED
    ) -> SourceFile | None:
        self.report(code, message, at, help=help, notes=notes)
        return None

    def _too_deep(self, at: Span) -> SourceFile | None:
        first = at.file.included_at
        loop = sum(file.name == at.file.name for file in self.open_files) > 1
        self.report(
            codes.INCLUDED_TOO_DEEP,
            "the file includes itself again and again" if loop else f"more than {MAX_INCLUDE_DEPTH} files are open",
            at,
            help="guard it with `#!ifdef`, or remove the directive" if loop else "",
            notes=(f"Kamailio opens at most {MAX_INCLUDE_DEPTH} files within one another, and then refuses to start",),
            related=(Related("included here", first),) if first else (),
        )
        return None


def _value_end(text: str, end: int) -> int:
    """The newline that ends a define's value: one that no backslash escapes, unless that is the value's first
    character."""
    begin = end
    while begin < len(text) and text[begin] in BLANK:
        begin += 1
    at = text.find("\n", begin)
    while at > begin + 1 and text[at - 1] == "\\":
        at = text.find("\n", at + 1)
    return len(text) if at < 0 else at


def _value(text: str, end: int, line_end: int) -> str | None:
    value = text[end:line_end].lstrip(BLANK)
    return value[:1] + value[1:].replace("\\\n", "") if value else None
