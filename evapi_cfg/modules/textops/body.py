"""Bodies set whole: that of the message and that of its replies (textops.c: ki_set_body, ki_set_rpl_body)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.spec import Arg, Function, Routes
from evapi_cfg.sip.message import Message
from evapi_cfg.source import show

_HEX: Final = frozenset("0123456789abcdefABCDEF")


def given(run: Run, name: str, text: str, content_type: str) -> bool:
    """Whether there are a body and a type; an error in the log where not."""
    if text and content_type:
        return True
    run.log(Level.ERROR, "textops", f"{name}: {'the type of the body' if text else 'the body'} is empty")
    return False


def from_hex(run: Run, name: str, digits: str) -> str:
    """Bytes from pairs of hexadecimal digits with blanks between them; empty, and an error in the log, where they are
    none."""
    text = digits.replace("\t", " ")
    whole = all(len(word) % 2 == 0 and _HEX.issuperset(word) for word in text.split(" "))
    if not text.strip(" ") or not whole:
        run.log(Level.ERROR, "textops", f"{name}: {show(digits)!r} are no pairs of hexadecimal digits")
        return ""
    return bytes.fromhex(text).decode("latin-1")


def clear_body(run: Run) -> bool:
    """Takes the body out, and with it all that has been changed in it; False where the message has no place for one."""
    message = current_message(run)
    found = message.body
    if found is None:
        run.log(Level.ERROR, "textops", "no empty line ends the headers of the message")
        return False
    message.edits = tuple(edit for edit in message.edits if edit[0] <= message.headers_end)
    if found:
        message.edit(message.body_at, len(found), "")
    return True


def length_header(message: Message, length: int) -> str:
    """A line for Content-Length where the message has none; one that is there follows the body by itself."""
    return "" if message.count("content-length") else f"Content-Length: {length}\r\n"


def remove_type(message: Message) -> None:
    header = message.first("content-type")
    if header is not None:
        message.edit(header.start, header.end - header.start, "")


def _set_body(run: Run, text: str, content_type: str) -> int:
    if not given(run, "set_body", text, content_type) or not clear_body(run):
        return -1
    message = current_message(run)
    lines = length_header(message, len(text))
    if message.body_of("content-type") != content_type:
        remove_type(message)
        lines = f"Content-Type: {content_type}\r\n{lines}"
    if lines:
        message.edit(message.headers_end, 0, lines)
    message.edit(message.body_at, 0, text)
    return 1


def _set_body_hex(run: Run, digits: str, content_type: str) -> int:
    text = from_hex(run, "set_body_hex", digits)
    return _set_body(run, text, content_type) if text else -1


def _set_reply_body(run: Run, text: str, content_type: str) -> int:
    """The first body that is set stays; each call adds its Content-Type."""
    if not given(run, "set_reply_body", text, content_type):
        return -1
    message = current_message(run)
    message.reply_headers = (*message.reply_headers, f"Content-Type: {content_type}\r\n")
    if message.reply_body is not None:
        run.log(Level.ERROR, "textops", "set_reply_body: the replies have a body already, which stays")
        return -1
    message.reply_body = text
    return 1


def _set_reply_body_hex(run: Run, digits: str, content_type: str) -> int:
    text = from_hex(run, "set_reply_body_hex", digits)
    return _set_reply_body(run, text, content_type) if text else -1


_TEXTS: Final = (Arg.TEXT, Arg.TEXT)
_REPLYING: Final = Routes.REQUEST | Routes.FAILURE | Routes.BRANCH

FUNCTIONS: Final = (
    Function("set_body", _set_body, _TEXTS, _REPLYING | Routes.ONREPLY),
    Function("set_body_hex", _set_body_hex, _TEXTS),
    Function("set_reply_body", _set_reply_body, _TEXTS, _REPLYING),
    Function("set_reply_body_hex", _set_reply_body_hex, _TEXTS, _REPLYING),
)

_same: Final = same(FUNCTIONS)

KEMI: Final = tuple(
    _same(name, str, str) for name in ("set_body", "set_body_hex", "set_reply_body", "set_reply_body_hex")
)
