"""`KSR.hdr`: the headers of the message, for scripts in other languages (core/kemi.c: _sr_kemi_hdr).

All of them look at the headers as they were received; what they change is seen when the message is sent, or after
msg_apply_changes().
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import getters
from evapi_cfg.modules.pv.headers import bodies
from evapi_cfg.modules.spec import KemiFunction
from evapi_cfg.sip.headers import BLANK, KINDS, NAME_CHARACTERS, Header
from evapi_cfg.source import show
from evapi_cfg.values import Value

_LONGEST_NAME: Final = 252  # SR_KEMI_HNAME_SIZE
_MANY: Final = 256  # SR_KEMI_VHDR_SIZE: with so many of a name there is none


def _all(run: Run) -> tuple[Header, ...] | None:
    """All headers; None, and an error in the log, where they cannot be read to their end."""
    message = current_message(run)
    if message.complete:
        return message.headers
    run.log(Level.ERROR, "core", "a line among the headers of the message is no header")
    return None


def _named(run: Run, name: str) -> list[Header] | None:
    """The headers of a name; none of one that no header can have."""
    if not 0 < len(name) <= _LONGEST_NAME:
        run.log(Level.ERROR, "core", f"{show(name)!r} is no name of a header: 1 to {_LONGEST_NAME} characters")
        return None
    found = _all(run)
    if found is None or not NAME_CHARACTERS.issuperset(name):
        return None if found is None else []
    kind = KINDS[name]
    return [header for header in found if header.kind == kind]


# ---- adding, removing -----------------------------------------------------------------------------------------------


def _append(run: Run, text: str) -> int:
    """Behind all headers, as it is: it has to bring its line end."""
    if _all(run) is None:
        return -1
    message = current_message(run)
    message.edit(message.headers_end, 0, text)
    return 1


def _append_after(run: Run, text: str, name: str) -> int:
    """Behind the first header of a name, or behind all."""
    found = _named(run, name)
    if found is None:
        return -1
    message = current_message(run)
    message.edit(found[0].end if found else message.headers_end, 0, text)
    return 1


def _insert(run: Run, text: str) -> int:
    """In front of all headers."""
    found = _all(run)
    if not found:
        return -1
    current_message(run).edit(found[0].start, 0, text)
    return 1


def _insert_before(run: Run, text: str, name: str) -> int:
    """In front of the first header of a name, or in front of all."""
    found = _named(run, name)
    headers = current_message(run).headers
    if found is None or not headers:
        return -1
    current_message(run).edit((found or headers)[0].start, 0, text)
    return 1


def remove_headers(run: Run, name: str) -> int:
    """1 also where there is none of that name."""
    found = _named(run, name)
    if found is None:
        return -1
    message = current_message(run)
    for header in found:
        message.edit(header.start, header.end - header.start, "")
    return 1


def _remove_and_append(run: Run, name: str, text: str) -> int:
    code = remove_headers(run, name)
    return code if code < 0 else _append(run, text)


def _remove_and_insert(run: Run, name: str, text: str) -> int:
    code = remove_headers(run, name)
    return code if code < 0 else _insert(run, text)


def _append_to_reply(run: Run, text: str) -> int:
    """For each reply that is still to come, as it is."""
    if not text:
        return -1
    message = current_message(run)
    message.reply_headers = (*message.reply_headers, text)
    return 1


# ---- looking --------------------------------------------------------------------------------------------------------


def _is_present(run: Run, name: str) -> int:
    return 1 if _named(run, name) else -1


def _first(run: Run, name: str) -> Value:
    kind = KINDS[name]
    message = current_message(run)
    if kind and message.complete and not message.padding:
        return message.body_of(kind)
    found = _bodies(run, name)
    return found[0] if found else None


def _at(run: Run, name: str, index: int) -> Value:
    """The body of one header of a name, counted from 0, or from -1 backwards."""
    found = _bodies(run, name)
    if len(found) >= _MANY:
        found = found[:_MANY] if index >= 0 else []
    return found[index] if -len(found) <= index < len(found) else None


def _bodies(run: Run, name: str) -> list[str]:
    kind = KINDS[name]
    if not kind:
        run.log(Level.ERROR, "core", f"{show(name)!r} is no name of a header")
        return []
    message = current_message(run)
    if not message.complete:
        _all(run)
    return bodies(message, kind)


def _matches(operator: str, body: str, wanted: str) -> bool:
    match operator:
        case "eq":
            return body == wanted
        case "ne":
            return body != wanted
        case "sw":
            return body.startswith(wanted)
        case _:
            return wanted in body


def _match_content(run: Run, name: str, operator: str, text: str, which: str) -> bool:
    """Whether the bodies of a name are the text (eq), are not (ne), start with it (sw) or have it inside (in), whatever
    the case of letters. `which`: the first of them, the last, all, or one at least, by its first letter."""
    found = _named(run, name)
    operator, which = operator.lower(), which[:1].lower()
    if operator not in ("eq", "ne", "sw", "in") or which not in ("f", "l", "a", "o"):
        bad = operator if operator not in ("eq", "ne", "sw", "in") else which
        run.log(Level.ERROR, "core", f"match_content: {show(bad)!r} is none of eq, ne, sw, in, or of f, l, a, o")
        return False
    outcomes = [_matches(operator, header.body.strip(BLANK).lower(), text.lower()) for header in found or ()]
    if not outcomes:
        return False
    if which == "a":
        return all(outcomes)
    return any(outcomes) if which == "o" else outcomes[0 if which == "f" else -1]


_TEXT: Final = (str,)
_TEXTS: Final = (str, str)

KEMI: Final = (
    KemiFunction("append", _append, _TEXT, "hdr"),
    KemiFunction("append_after", _append_after, _TEXTS, "hdr"),
    KemiFunction("insert", _insert, _TEXT, "hdr"),
    KemiFunction("insert_before", _insert_before, _TEXTS, "hdr"),
    KemiFunction("remove", remove_headers, _TEXT, "hdr"),
    KemiFunction("rmappend", _remove_and_append, _TEXTS, "hdr"),
    KemiFunction("rminsert", _remove_and_insert, _TEXTS, "hdr"),
    KemiFunction("is_present", _is_present, _TEXT, "hdr"),
    KemiFunction("append_to_reply", _append_to_reply, _TEXT, "hdr"),
    *getters(_first, "{}", _TEXT, "hdr"),
    *getters(_at, "{}_idx", (str, int), "hdr"),
    KemiFunction("match_content", _match_content, (str, str, str, str), "hdr"),
)
