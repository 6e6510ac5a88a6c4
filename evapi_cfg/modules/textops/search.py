"""Searching and replacing in the text of the message (textops.c: search_f, replace_all_helper, ki_replace_str_helper,
...). What is replaced is seen when the message is sent, or after msg_apply_changes()."""

from __future__ import annotations

from typing import Final

from evapi_cfg import regex
from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.spec import Arg, Function, KemiFunction
from evapi_cfg.modules.textops.reading import body, compiled
from evapi_cfg.source import show

# ---- where to search ------------------------------------------------------------------------------------------


def _body_at(run: Run) -> int | None:
    """Where the body begins; None where there is none."""
    return current_message(run).body_at if body(run) else None


def _headers_at(run: Run) -> int | None:
    """Where the headers begin; None where they cannot be read to their end, or where there are none."""
    message = current_message(run)
    if not message.complete:
        run.log(Level.ERROR, "textops", "a line among the headers of the message is no header")
        return None
    return message.headers_at if message.headers else None


# ---- searching ------------------------------------------------------------------------------------------------


def _search(run: Run, pattern: str) -> int:
    """In the whole message, its first line included."""
    expression = compiled(run, pattern)
    return 1 if expression is not None and expression.matches(current_message(run).text) else -1


def _search_body(run: Run, pattern: str) -> int:
    text = body(run)
    expression = compiled(run, pattern) if text else None
    return 1 if expression is not None and expression.matches(text) else -1


# ---- replacing ------------------------------------------------------------------------------------------------


def _replace_first(run: Run, pattern: str, new: str, start: int | None, end: int | None = None) -> int:
    """The first match behind `start` and before `end`."""
    message = current_message(run)
    expression = compiled(run, pattern) if start is not None else None
    if expression is None or start is None:
        return -1
    found = expression.search(message.text[:end], start)
    if found is None:
        return -1
    low, high = found.span() or (start, start)
    message.edit(low, high - low, new)
    return 1


def _replace_each(run: Run, expression: regex.Regex | None, new: str, start: int | None, *, lines: bool = True) -> int:
    """All matches behind `start`. `lines`: behind the end of a line `^` matches again."""
    if expression is None or start is None:
        return -1
    message = current_message(run)
    text = message.text
    not_bol = False
    replaced = -1
    while start < len(text) and (found := expression.search(text, start, not_bol=not_bol)) is not None:
        low, high = found.span() or (start, start)
        if low == high:
            run.log(Level.ERROR, "textops", f"{show(expression.pattern)!r} has matched nothing at all: given up")
            return -1
        message.edit(low, high - low, new)
        start = high
        not_bol = not lines or text[high - 1] not in "\r\n"
        replaced = 1
    return replaced


def _replace(run: Run, pattern: str, new: str) -> int:
    return _replace_first(run, pattern, new, current_message(run).headers_at)


def _replace_body(run: Run, pattern: str, new: str) -> int:
    return _replace_first(run, pattern, new, _body_at(run))


def _replace_hdrs(run: Run, pattern: str, new: str) -> int:
    return _replace_first(run, pattern, new, _headers_at(run), current_message(run).headers_end)


def _replace_all(run: Run, pattern: str, new: str) -> int:
    return _replace_each(run, compiled(run, pattern), new, current_message(run).headers_at)


def _replace_body_all(run: Run, pattern: str, new: str) -> int:
    return _replace_each(run, compiled(run, pattern), new, _body_at(run))


def _replace_body_atonce(run: Run, pattern: str, new: str) -> int:
    """The body is one line to the expression: `.` matches line ends, `^` and `$` only at its ends."""
    return _replace_each(run, compiled(run, pattern, regex.ICASE), new, _body_at(run), lines=False)


def _replace_plain(run: Run, old: str, new: str, mode: str, start: int | None, end: int | None = None) -> int:
    """A text as it is, once where `mode` begins with f, else wherever it stands: behind the first place up to the end
    of the message. 1 also where it stands nowhere."""
    if start is None:
        return -1
    message = current_message(run)
    while old and (at := message.text.find(old, start, end)) >= 0:
        message.edit(at, len(old), new)
        if mode[:1] in ("f", "F"):
            break
        start, end = at + len(old), None
    return 1


def _replace_str(run: Run, old: str, new: str, mode: str) -> int:
    return _replace_plain(run, old, new, mode, current_message(run).headers_at)


def _replace_body_str(run: Run, old: str, new: str, mode: str) -> int:
    return _replace_plain(run, old, new, mode, _body_at(run))


def _replace_hdrs_str(run: Run, old: str, new: str, mode: str) -> int:
    return _replace_plain(run, old, new, mode, _headers_at(run), current_message(run).headers_end)


# ---- adding ---------------------------------------------------------------------------------------------------


def _append(run: Run, pattern: str, new: str, start: int | None) -> int:
    """Behind the first match."""
    message = current_message(run)
    expression = compiled(run, pattern) if start is not None else None
    found = None if expression is None else expression.search(message.text, start or 0)
    span = None if found is None else found.span()
    if span is None:
        return -1
    message.edit(span[1], 0, new)
    return 1


def _search_append(run: Run, pattern: str, new: str) -> int:
    return _append(run, pattern, new, current_message(run).headers_at)


def _search_append_body(run: Run, pattern: str, new: str) -> int:
    return _append(run, pattern, new, _body_at(run))


_PATTERN: Final = (Arg.PATTERN,)
_REPLACE: Final = (Arg.PATTERN, Arg.STRING)
_REPLACE_PLAIN: Final = (Arg.TEXT, Arg.TEXT, Arg.TEXT)

FUNCTIONS: Final = (
    Function("search", _search, _PATTERN),
    Function("search_body", _search_body, _PATTERN),
    Function("search_append", _search_append, _REPLACE),
    Function("search_append_body", _search_append_body, _REPLACE),
    Function("replace", _replace, _REPLACE),
    Function("replace_body", _replace_body, _REPLACE),
    Function("replace_hdrs", _replace_hdrs, _REPLACE),
    Function("replace_all", _replace_all, _REPLACE),
    Function("replace_body_all", _replace_body_all, _REPLACE),
    Function("replace_body_atonce", _replace_body_atonce, _REPLACE),
    Function("replace_str", _replace_str, _REPLACE_PLAIN),
    Function("replace_body_str", _replace_body_str, _REPLACE_PLAIN),
    Function("replace_hdrs_str", _replace_hdrs_str, _REPLACE_PLAIN),
)

_same: Final = same(FUNCTIONS)


def _search_for(run: Run, pattern: str) -> int:
    """An empty expression is found everywhere."""
    return _search(run, pattern) if pattern else 1


KEMI: Final = (
    KemiFunction("search", _search_for, (str,)),
    _same("search_body", str),
    *(
        _same(name, str, str)
        for name in (
            "search_append", "search_append_body", "replace", "replace_body", "replace_hdrs", "replace_all",
            "replace_body_all", "replace_body_atonce",
        )
    ),
    *(_same(name, str, str, str) for name in ("replace_str", "replace_body_str", "replace_hdrs_str")),
)  # fmt: skip
