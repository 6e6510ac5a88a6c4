"""Texts compared with each other (textops.c: cmp_str_f, starts_with_f, str_find_f, in_list_f, ...; core/strutils.c:
cmp_str, cmpi_str; core/ut.c: str_search, str_casesearch)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.spec import Arg, FixupError, Function, NameRefused, Resolver, Routes
from evapi_cfg.modules.textops.reading import compiled
from evapi_cfg.source import SourceFile, Span, show
from evapi_cfg.syntax.ast import Text

_BLANKS: Final = " \t\r\n"
_RUN_TIME: Final = Span(SourceFile("<run time>", ""), 0, 0)
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def lower(text: str) -> str:
    """ASCII letters in lower case, all else as it is."""
    return text.translate(_LOWER)


def _compare(one: str, other: str) -> int:
    if one == other:
        return 1
    return -1 if one > other else -2


def _cmp_str(run: Run, one: str, other: str) -> int:
    """1 where they are the same, -1 where the first is the greater one, else -2."""
    return _compare(one, other)


def _cmp_istr(run: Run, one: str, other: str) -> int:
    return _compare(lower(one), lower(other))


def _starts_with(run: Run, text: str, prefix: str) -> int:
    return -1 if len(prefix) > len(text) else _compare(text[: len(prefix)], prefix)


def _ends_with(run: Run, text: str, suffix: str) -> int:
    return -1 if len(suffix) > len(text) else _compare(text[len(text) - len(suffix) :], suffix)


def _str_find(run: Run, text: str, needle: str) -> int:
    """The place of the needle, counted from 1; an empty one is found behind the text."""
    if not needle:
        return len(text) + 1
    at = text.find(needle)
    return at + 1 if at >= 0 else -1


def _str_ifind(run: Run, text: str, needle: str) -> int:
    at = lower(text).find(lower(needle))
    return at + 1 if at >= 0 else -1


def _str_any_in(run: Run, text: str, characters: str) -> int:
    return 1 if set(text) & set(characters) else -1


def _str_all_in(run: Run, text: str, characters: str) -> int:
    """Whether the text has all of the characters."""
    return 1 if text and characters and set(characters) <= set(text) else -1


def _items(listed: str, separator: str) -> list[str]:
    return [item.strip(_BLANKS) for item in listed.split(separator[:1])] if separator else []


def _in_list(run: Run, subject: str, listed: str, separator: str) -> int:
    if not subject:
        run.log(Level.ERROR, "textops", "in_list: the subject is empty")
        return -1
    return 1 if subject in _items(listed, separator) else -1


def _in_list_prefix(run: Run, subject: str, listed: str, separator: str) -> int:
    if not subject:
        run.log(Level.ERROR, "textops", "in_list_prefix: the subject is empty")
        return -1
    return 1 if any(item and subject.startswith(item) for item in _items(listed, separator)) else -1


def _check_separator(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    separator = arguments[2]
    if isinstance(separator, str) and len(separator) != 1:
        raise FixupError(2, "the separator must be one character")
    return (None, None, None)


def _search_str(run: Run, text: str, pattern: str) -> int:
    if not pattern:
        return 2
    expression = compiled(run, pattern) if text else None
    if expression is None:
        return -2
    return 1 if expression.matches(text) else -1


def _regex_substring(
    run: Run, text: str, pattern: str, group: int | None, groups: int | None, target: str
) -> int:  # fmt: skip
    """What one group of the expression has matched goes into a variable; `groups` is how many there may be, the whole
    match counted in. -2 without a match."""
    if group is None or groups is None or not 0 <= group < groups:
        run.log(Level.ERROR, "textops", "regex_substring: the group's number must be below the number of groups")
        return -1
    resolver: Resolver | None = run.world.resolver
    try:
        variable = resolver.variable(Text(_RUN_TIME, target)) if resolver is not None else None
    except NameRefused:
        variable = None
    if variable is None or variable.set is None:
        run.log(Level.ERROR, "textops", f"regex_substring: {show(target)!r} is no variable that can be assigned")
        return -1
    expression = compiled(run, pattern, 0)
    if expression is None:
        return -1
    found = expression.search(text)
    if found is None:
        return -2
    matched = found.group(group)
    if not matched:
        run.log(Level.WARNING, "textops", f"regex_substring: group {group} has matched nothing")
        return -1
    set_variable(run, variable, matched)
    return 1


_TEXTS: Final = (Arg.TEXT, Arg.TEXT)
_LIST: Final = (Arg.TEXT, Arg.TEXT, Arg.STRING)
_SUBSTRING: Final = (Arg.CONST_TEXT, Arg.CONST_TEXT, Arg.NUMBER, Arg.NUMBER, Arg.LITERAL)

FUNCTIONS: Final = (
    Function("cmp_str", _cmp_str, _TEXTS),
    Function("cmp_istr", _cmp_istr, _TEXTS),
    Function("starts_with", _starts_with, _TEXTS),
    Function("ends_with", _ends_with, _TEXTS),
    Function("str_find", _str_find, _TEXTS),
    Function("str_ifind", _str_ifind, _TEXTS),
    Function("str_any_in", _str_any_in, _TEXTS),
    Function("str_all_in", _str_all_in, _TEXTS),
    Function("in_list", _in_list, _LIST, fixup=_check_separator),
    Function("in_list_prefix", _in_list_prefix, _LIST, fixup=_check_separator),
    Function("search_str", _search_str, _TEXTS),
    Function(
        "regex_substring",
        _regex_substring,
        _SUBSTRING,
        Routes.REQUEST | Routes.FAILURE | Routes.ONREPLY | Routes.BRANCH,
    ),
)

_same: Final = same(FUNCTIONS)

KEMI: Final = (
    *(
        _same(name, str, str)
        for name in (
            "cmp_str", "cmp_istr", "starts_with", "ends_with", "str_find", "str_ifind", "str_any_in", "str_all_in",
            "search_str",
        )
    ),
    _same("in_list", str, str, str),
    _same("in_list_prefix", str, str, str),
    _same("regex_substring", str, str, int, int, str),
)  # fmt: skip
