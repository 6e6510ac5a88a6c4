"""What the functions of textops and textopsx read in a message: its headers, its body, expressions that are kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from evapi_cfg import regex
from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.spec import FixupError
from evapi_cfg.sip.headers import KINDS, Header
from evapi_cfg.sip.message import Message
from evapi_cfg.source import show

FLAGS: Final = regex.ICASE | regex.NEWLINE  # core/mod_fix.c: fixup_regexp_null
_KEPT: Final = 256  # compiled expressions
Edit = tuple[int, int, str]


def headers(run: Run) -> tuple[Header, ...] | None:
    """All headers of the run's message; None, and an error in the log, where they cannot be read to their end."""
    message = current_message(run)
    if not message.complete:
        run.log(Level.ERROR, "textops", "a line among the headers of the message is no header")
        return None
    return message.headers


def headers_of(run: Run, name: str) -> list[Header] | None:
    """Those of one name, its compact form included; None where the name or the message is not as it should be."""
    kind = kind_of(run, name)
    found = headers(run) if kind else None
    return None if found is None else [header for header in found if header.kind == kind]


def kind_of(run: Run, name: str) -> str:
    """A name as headers are found by; empty, and an error in the log, where it is none."""
    kind = KINDS[name]
    if not kind:
        run.log(Level.ERROR, "textops", f"{show(name)!r} is no name of a header")
    return kind


def body(run: Run) -> str:
    """The body of the run's message; empty, and an error in the log, where no empty line ends the headers."""
    found = current_message(run).body
    if found is None:
        run.log(Level.ERROR, "textops", "no empty line ends the headers of the message")
    return found or ""


def remove(message: Message, found: list[Header]) -> int:
    """Takes whole headers out: 1, or -1 where there are none."""
    for header in found:
        message.edit(header.start, header.end - header.start, "")
    return 1 if found else -1


# ---- expressions ------------------------------------------------------------------------------------------------


_compiled: Final = lru_cache(_KEPT)(regex.compile)


def compiled(run: Run, pattern: str, flags: int = FLAGS, module: str = "textops") -> regex.Regex | None:
    """An expression ready to be used; None, and an error in the log, where it is none."""
    try:
        return _compiled(pattern, flags)
    except regex.RegexError as error:
        run.log(Level.ERROR, module, f"{show(pattern)!r} is no regular expression: {error}")
        return None


# ---- what constant arguments have to be ---------------------------------------------------------------------------

Fixup = Callable[[tuple[object | None, ...]], tuple[object | None, ...]]


def header_name_at(index: int) -> Fixup:
    """A fixup for a header's name among the arguments (textops.c: hname_fixup); the others are left alone."""

    def fixup(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
        name = arguments[index]
        if isinstance(name, str) and not KINDS[name]:
            raise FixupError(index, f"`{show(name)}` is no name of a header" if name else "the header's name is empty")
        return (None,) * len(arguments)

    return fixup
