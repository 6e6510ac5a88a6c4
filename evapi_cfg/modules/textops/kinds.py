"""Questions about the kind of the message: its method, its body's type, the privacy that it asks for (textops.c:
is_method_f, has_body_helper, is_privacy_f; core/parser/parse_content.c: decode_mime_type; parse_privacy.c)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.spec import Arg, FixupError, Function
from evapi_cfg.modules.textops.strings import lower
from evapi_cfg.sip.message import METHODS, Message
from evapi_cfg.source import show

# ---- methods ----------------------------------------------------------------------------------------------------

_TOKEN: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")


@lru_cache(256)
def _methods(text: str) -> tuple[str, ...] | None:
    """The methods of `INVITE|ACK`; None where Kamailio refuses the text."""
    names = tuple(name.strip(" \t\r\n") for name in re.split(r"[|,]", text))
    if not all(_TOKEN.fullmatch(name) for name in names):
        return None
    if "|" in text and not all(name.upper() in METHODS for name in names):
        return None
    return tuple(name.upper() if name.upper() in METHODS else lower(name) for name in names)


def _is_method(run: Run, text: str) -> int:
    message = current_message(run)
    method = message.method if message.is_request else message.cseq[1]
    if method not in METHODS:
        method = method.upper() if method.upper() in METHODS else lower(method)
    return 1 if method in (_methods(text) or ()) else -1


def _check_methods(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    text = arguments[0]
    if isinstance(text, str) and _methods(text) is None:
        help = "names of methods with `|` between them; where there are several, all must be known to Kamailio"
        raise FixupError(0, f"`{show(text)}` is no list of methods" if text else "the method's name is empty", help)
    return (None,)


# ---- types of bodies ----------------------------------------------------------------------------------------------

_TYPES: Final = frozenset(("text", "message", "multipart", "application"))
_SUBTYPES: Final = frozenset((
    "plain", "pidf+xml", "sdp", "cpim", "cpim-pidf+xml", "cpl+xml", "rlmi+xml", "related", "lpidf+xml",
    "watcherinfo+xml", "xpidf+xml", "xml+msrtc.pidf", "external-body", "mixed", "isup",
))  # fmt: skip
_ANY: Final = "*"
_OTHER: Final = ""
_BLANK: Final = r"(?:[ \t]|\n[ \t])*"
_MIME: Final = re.compile(
    rf"{_BLANK}([A-Za-z0-9.+_!%*'`~-]+){_BLANK}/{_BLANK}([A-Za-z0-9.+_!%*'`~-]+){_BLANK}(?:;[^,]*)?(,.*)?", re.DOTALL
)


def mime_of(text: str) -> tuple[str, str] | None:
    """Type and subtype; those that Kamailio does not know are all the same to it. None where it is not of that form."""
    found = _MIME.fullmatch(text)
    if found is None or found[3] is not None:
        return None
    major, minor = lower(found[1]), lower(found[2])
    if major == _ANY and minor != _ANY:
        return None
    return (
        major if major in _TYPES or major == _ANY else _OTHER,
        minor if minor in _SUBTYPES or minor == _ANY else _OTHER,
    )


def content_type(run: Run, message: Message) -> tuple[str, str] | None:
    """What the message says of its body: SDP where it says nothing, None where it cannot be read."""
    text = message.body_of("content-type")
    if text is None:
        return ("application", "sdp")
    mime = mime_of(text)
    if mime is None or _ANY in mime:
        run.log(Level.ERROR, "textops", f"{show(text)!r} is no type of a body")
        return None
    return mime


def has_body(run: Run, wanted: str = "") -> int:
    """Whether Content-Length tells of a body, and if asked for, of which type."""
    message = current_message(run)
    if not message.content_length:
        return -1
    if not wanted:
        return 1
    mime = mime_of(wanted)
    return 1 if mime is not None and content_type(run, message) == mime else -1


def _check_type(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    text = arguments[0]
    if isinstance(text, str) and text and mime_of(text) is None:
        raise FixupError(0, f"`{show(text)}` is no type of a body", "one type and subtype, such as `application/sdp`")
    return (None,)


# ---- privacy --------------------------------------------------------------------------------------------------------

_PRIVACY: Final = frozenset(("header", "session", "user", "none", "critical", "id", "history"))


def _privacy(run: Run, message: Message) -> set[str]:
    """The values of the Privacy header; none where one of them is not known, or where `none` is not alone."""
    text = message.body_of("privacy")
    if text is None or not message.complete:
        return set()
    values = {lower(value.strip(" \t\r\n")) for value in text.split(";")}
    if not values <= _PRIVACY or ("none" in values and len(values) > 1):
        run.log(Level.ERROR, "textops", f"{show(text)!r} is no Privacy header")
        return set()
    return values


def _is_privacy(run: Run, value: str) -> int:
    return 1 if lower(value) in _privacy(run, current_message(run)) else -1


def _check_privacy(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    text = arguments[0]
    if isinstance(text, str) and lower(text) not in _PRIVACY:
        raise FixupError(0, f"`{show(text)}` is no value of Privacy", "one of " + ", ".join(sorted(_PRIVACY)))
    return (None,)


def _is_audio_on_hold(run: Run) -> int:
    return -1


_LITERAL: Final = (Arg.LITERAL,)

FUNCTIONS: Final = (
    Function("is_method", _is_method, _LITERAL, fixup=_check_methods),
    Function("has_body", has_body),
    Function("has_body", has_body, _LITERAL, fixup=_check_type),
    Function("is_privacy", _is_privacy, _LITERAL, fixup=_check_privacy),
    Function("is_audio_on_hold", _is_audio_on_hold, runs=False),
)

_same: Final = same(FUNCTIONS)

KEMI: Final = (
    _same("has_body"),
    _same("has_body", str, name="has_body_type"),
    _same("is_privacy", str),
    _same("is_audio_on_hold"),
)
