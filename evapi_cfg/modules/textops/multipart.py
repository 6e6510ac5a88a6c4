"""Bodies of several parts (textops.c: ki_set_multibody, ki_append_multibody_cd, ki_remove_multibody, ki_filter_body,
ki_get_body_part_helper). Where the lines between the parts do not fit any more they are set right when the message is
sent, or at msg_apply_changes()."""

from __future__ import annotations

from typing import Final, NamedTuple

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import assigns, same
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.spec import Arg, FixupError, Function, Routes, Variable
from evapi_cfg.modules.textops.body import clear_body, from_hex, given, length_header, remove_type
from evapi_cfg.modules.textops.kinds import content_type
from evapi_cfg.modules.textops.reading import body
from evapi_cfg.modules.textops.strings import lower
from evapi_cfg.sip.edits import boundary_of, line_end, line_starts
from evapi_cfg.sip.headers import KINDS
from evapi_cfg.sip.message import BODY_MULTIPART, Message

_MIXED: Final = ("multipart", "mixed")
_TYPE: Final = "text/plain"
_DELIMITER: Final = "unique-boundary-1"
_LONGEST_TYPE: Final = 126  # textops.c: HBUF_SIZE
_BLANK: Final = " \t"


class _Part(NamedTuple):
    """Offsets in a body: of a part's Content-Type line, of what stands behind that line, of the next boundary and of
    what stands behind the boundary's line."""

    header: int
    content: int
    boundary: int
    end: int


def _part(run: Run, text: str, wanted: str, boundary: str) -> _Part | None:
    """The first part of a type, which its Content-Type line must name without parameters; None where there is none."""
    at = 0
    while True:
        header = next((start for start in line_starts(text, at) if _is_type(text, start)), None)
        if header is None:
            return None
        at = text.find(":", header) + 1
        while text[at : at + 1] in (" ", "\t"):
            at += 1
        if len(text) - at <= len(wanted) + 2:
            return None
        if lower(text[at : at + len(wanted)]) == lower(wanted):
            break
    content = at + len(wanted) + 2
    if not text.startswith("\r\n", content - 2):
        run.log(Level.ERROR, "textops", "something stands behind the type of a part of the body")
        return None
    found = next((start for start in line_starts(text, content) if text.startswith(boundary, start)), None)
    end = None if found is None else line_end(text, found + len(boundary))
    if found is None or end is None:
        run.log(Level.ERROR, "textops", "no boundary ends a part of the body")
        return None
    return _Part(header, content, found, end)


def _is_type(text: str, start: int) -> bool:
    colon = text.find(":", start, start + len("Content-Type: "))
    return colon > start and KINDS[text[start:colon]] == "content-type"


def _boundary(message: Message) -> str | None:
    return boundary_of(message.body_of("content-type"))


def _is_mixed(run: Run, message: Message) -> bool:
    return message.count("content-type") > 0 and content_type(run, message) == _MIXED


# ---- reading ----------------------------------------------------------------------------------------------------


def _get(run: Run, wanted: str, target: Variable, *, raw: bool) -> int:
    """The whole body where it is not of several parts."""
    text = body(run)
    if not text:
        return -1
    boundary = _boundary(current_message(run))
    if boundary is not None:
        part = _part(run, text, wanted, boundary)
        if part is None:
            return -1
        text = text[part.header : part.end] if raw else text[part.content : part.boundary]
    set_variable(run, target, text)
    return 1


def _get_body_part(run: Run, wanted: str, target: Variable) -> int:
    return _get(run, wanted, target, raw=False)


def _get_body_part_raw(run: Run, wanted: str, target: Variable) -> int:
    return _get(run, wanted, target, raw=True)


def _check_target(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    target = arguments[1]
    if isinstance(target, Variable) and target.set is None:
        raise FixupError(1, "the variable cannot be assigned")
    return (None, None)


# ---- removing ---------------------------------------------------------------------------------------------------


def _remove_body_part(run: Run, wanted: str) -> int:
    text = body(run)
    message = current_message(run)
    boundary = _boundary(message) if text else None
    if boundary is None:
        if text:
            run.log(Level.ERROR, "textops", "remove_body_part: the body is not of several parts")
        return -1
    part = _part(run, text, wanted, boundary)
    if part is None:
        return -1
    message.edit(message.body_at + part.header, part.end - part.header, "")
    message.internal_flags |= BODY_MULTIPART
    return 1


def _filter_body(run: Run, wanted: str) -> int:
    """Leaves of the body what the first part of a type holds."""
    text = body(run)
    message = current_message(run)
    boundary = _boundary(message) if text and _is_mixed(run, message) else None
    if boundary is None:
        if text:
            run.log(Level.WARNING, "textops", "filter_body: the body is not of several parts")
        return -1
    part = _part(run, text, wanted, boundary)
    if part is None:
        return -1
    start = part.content
    while text[start : start + 1] in ("\r", "\n"):
        start += 1
    message.edit(message.body_at, start, "")
    end = max(part.boundary - 2, start)
    message.edit(message.body_at + end, len(text) - end, "")
    return 1


# ---- making -----------------------------------------------------------------------------------------------------


def _made(run: Run, text: str, type: str, disposition: str, delimiter: str) -> str | None:
    """A part with its headers, and the line behind it."""
    if delimiter[:1] == "-":
        run.log(Level.ERROR, "textops", "a boundary cannot begin with a dash")
        return None
    lines = f"Content-Type: {type}\r\n"
    if disposition:
        lines += f"Content-Disposition: {disposition}\r\n"
    end = "" if text.endswith("\r\n\r\n") else "\r\n"
    return f"{lines}\r\n{text}{end}--{delimiter}\r\n"


def _set_body_multipart(run: Run, text: str = "", type: str = "", delimiter: str = "") -> int:
    """Makes the body one of several parts: of the text, or else of what it is already."""
    message = current_message(run)
    mixed = _is_mixed(run, message)
    if mixed and not text:
        return 1
    old = message.body
    if not clear_body(run):
        return -1
    if not text:
        text, type = old or "", message.body_of("content-type") or type
    if not text:
        run.log(Level.WARNING, "textops", "set_body_multipart: there is no body to be one of the parts")
        return -1
    delimiter = delimiter or _DELIMITER
    part = _made(run, text, type or _TYPE, "", delimiter)
    if part is None:
        return -1
    whole = f"--{delimiter}\r\n{part}"
    lines = length_header(message, len(whole))
    if not mixed:
        header = f'Content-Type: multipart/mixed;boundary="{delimiter}"\r\n'
        if len(header) > _LONGEST_TYPE:
            run.log(Level.ERROR, "textops", "set_body_multipart: the boundary is too long")
            return -1
        remove_type(message)
        lines = f"{header}{lines}Mime-Version: 1.0\r\n"
    if lines:
        message.edit(message.headers_end, 0, lines)
    message.edit(message.body_at, 0, whole)
    message.internal_flags |= BODY_MULTIPART
    return 1


def _set_with_boundary(run: Run, delimiter: str) -> int:
    return _set_body_multipart(run, "", "", delimiter)


def _append_body_part(run: Run, text: str, type: str, disposition: str = "") -> int:
    """One more part behind the body."""
    message = current_message(run)
    if not given(run, "append_body_part", text, type) or not body(run):
        return -1
    delimiter = (_boundary(message) or "")[2:] if _is_mixed(run, message) else ""
    if not delimiter:
        run.log(Level.ERROR, "textops", "append_body_part: the body is not of several parts")
        return -1
    part = _made(run, text, type, disposition, delimiter)
    if part is None:
        return -1
    message.edit(len(message.text), 0, part)
    message.internal_flags |= BODY_MULTIPART
    return 1


def _append_body_part_hex(run: Run, digits: str, type: str, disposition: str = "") -> int:
    text = from_hex(run, "append_body_part_hex", digits)
    return _append_body_part(run, text, type, disposition) if text else -1


_ROUTES: Final = Routes.REQUEST | Routes.FAILURE | Routes.BRANCH
_ANYWHERE: Final = _ROUTES | Routes.ONREPLY
_TEXT: Final = (Arg.TEXT,)
_TEXTS: Final = (Arg.TEXT, Arg.TEXT)
_THREE: Final = (Arg.CONST_TEXT, Arg.CONST_TEXT, Arg.CONST_TEXT)
_TARGET: Final = (Arg.CONST_TEXT, Arg.PVAR)

FUNCTIONS: Final = (
    Function("get_body_part", _get_body_part, _TARGET, _ANYWHERE, fixup=_check_target, outputs=(1,)),
    Function(
        "get_body_part_raw", _get_body_part_raw, _TARGET, _ROUTES | Routes.ONREPLY, fixup=_check_target, outputs=(1,)
    ),
    Function("remove_body_part", _remove_body_part, _TEXT, _ROUTES),
    Function("filter_body", _filter_body, (Arg.STRING,)),
    Function("set_body_multipart", _set_body_multipart, (), _ROUTES),
    Function("set_body_multipart", _set_with_boundary, _TEXT, _ROUTES),
    Function("set_body_multipart", _set_body_multipart, _TEXTS, _ROUTES),
    Function("set_body_multipart", _set_body_multipart, _THREE, _ROUTES),
    Function("append_body_part", _append_body_part, _TEXTS, _ROUTES),
    Function("append_body_part", _append_body_part, _THREE, _ROUTES),
    Function("append_body_part_hex", _append_body_part_hex, _TEXTS, _ROUTES),
    Function("append_body_part_hex", _append_body_part_hex, _THREE, _ROUTES),
)

_same: Final = same(FUNCTIONS)
_assigns: Final = assigns(FUNCTIONS, 1, "textops")

KEMI: Final = (
    _assigns("get_body_part", str, str),
    _assigns("get_body_part_raw", str, str),
    _same("remove_body_part", str),
    _same("filter_body", str),
    _same("set_body_multipart", name="set_body_multipart_mode"),
    _same("set_body_multipart", str, name="set_body_multipart_boundary"),
    _same("set_body_multipart", str, str, name="set_body_multipart_content"),
    _same("set_body_multipart", str, str, str),
    _same("append_body_part", str, str),
    _same("append_body_part", str, str, str, name="append_body_part_cd"),
    _same("append_body_part_hex", str, str),
    _same("append_body_part_hex", str, str, str, name="append_body_part_hex_cd"),
)
