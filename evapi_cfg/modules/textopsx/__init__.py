"""textopsx: changes made good, headers kept, values inside headers, iterators (modules/textopsx/textopsx.c).

The functions about replies look at a reply that has come in; none comes in here.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from typing import Final

from evapi_cfg.modules.context import Level, Route, Run, ScriptOver
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, ModuleSpec, Routes
from evapi_cfg.modules.textops.reading import compiled, headers, remove
from evapi_cfg.modules.textopsx import iterators, selects, values
from evapi_cfg.modules.textopsx.wildcard import matches
from evapi_cfg.sip.edits import boundary_of
from evapi_cfg.sip.message import BODY_MULTIPART, Message, MessageError
from evapi_cfg.source import show

_LARGEST: Final = 65534  # core/config.h: BUF_SIZE
_ALWAYS_KEPT: Final = frozenset((
    "from", "to", "call-id", "cseq", "via", "contact", "content-length", "content-type", "route", "record-route",
    "max-forwards",
))  # fmt: skip

# ---- the message with its changes -------------------------------------------------------------------------------


def _usable(run: Run) -> bool:
    message = current_message(run)
    if not message.is_request or run.kind is Routes.REQUEST:
        return True
    run.log(Level.ERROR, "textopsx", "a request can be changed in this way in request_route only")
    return False


def _fault(message: Message) -> str:
    """Why Kamailio cannot go on with a message: a line among its headers is none, in front of those that it needs."""
    return "" if message.complete else message.fault()


def _become(run: Run, text: str) -> int:
    """Goes on with another text: 1, or 0 where it is no message, which ends the script as in Kamailio."""
    if not 0 < len(text) <= _LARGEST:
        run.log(Level.ERROR, "textopsx", f"a message of {len(text)} bytes: 1 to {_LARGEST} are possible")
        return -1
    message = current_message(run)
    if message.reply_headers or message.reply_body is not None:
        run.log(Level.WARNING, "textopsx", "what was put into the replies so far is lost with the old message")
    try:
        message.become(text)
    except MessageError as error:
        run.log(Level.ERROR, "textopsx", f"the new text is no SIP message, and the script ends: {error}")
        return 0
    fault = _fault(message)
    if not fault:
        return 1
    run.log(Level.ERROR, "textopsx", f"the new message cannot be read, and the script ends: {fault}")
    return 0


def _msg_apply_changes(run: Run) -> int:
    """What has been changed becomes what was received."""
    if not _usable(run):
        return -1
    message = current_message(run)
    boundary = boundary_of(message.body_of("content-type"))
    code = _become(run, message.updated())
    if boundary and code > 0:
        message.internal_flags &= ~BODY_MULTIPART
    return code


def _msg_set_buffer(run: Run, text: str) -> int:
    return _become(run, text) if _usable(run) else -1


def _msg_changed_route(run: Run, name: str) -> int | Awaitable[int]:
    """Runs a route about a copy of the message with its changes made."""
    route = run.world.routes.get(name)
    if route is None:
        run.log(Level.ERROR, "textopsx", f"route[{show(name)}] does not exist")
        return -1
    limit = run.world.max_recursive_level
    if run.depth >= limit:
        run.log(Level.ERROR, "textopsx", f"routes call each other more than {limit} deep: given up")
        return -1
    kept = current_message(run)
    try:
        changed = Message(kept.updated(), kept.received)
    except MessageError as error:
        run.log(Level.ERROR, "textopsx", f"the changed message is no SIP message: {error}")
        return -1
    if fault := _fault(changed):
        run.log(Level.ERROR, "textopsx", f"the changed message cannot be read: {fault}")
        return -1
    changed.number, changed.send_socket = kept.number, kept.send_socket
    changed.flags, changed.script_flags = kept.flags, kept.script_flags
    changed.extra_flags, changed.internal_flags = kept.extra_flags, kept.internal_flags
    return _about(run, kept, changed, route)


def _about(run: Run, kept: Message, changed: Message, route: Route) -> int | Awaitable[int]:
    """`exit` and `drop` in the route end the route alone."""
    dropped, run.message = run.dropped, changed
    run.depth += 1
    try:
        outcome = route(run)
    except ScriptOver:
        outcome = 0
    if not isinstance(outcome, int):
        return _finish(run, kept, dropped, outcome)
    return _back(run, kept, dropped)


async def _finish(run: Run, kept: Message, dropped: bool, outcome: Awaitable[int]) -> int:
    with suppress(ScriptOver):
        await outcome
    return _back(run, kept, dropped)


def _back(run: Run, kept: Message, dropped: bool) -> int:
    run.message = kept
    run.depth -= 1
    run.over = False
    run.dropped = dropped
    return 1


# ---- headers, body, replies ---------------------------------------------------------------------------------------


def _keep_hf(run: Run, pattern: str | None = None) -> int:
    """Takes out the headers whose names the expression does not match, but for those that no message can be without.
    -1 in any case."""
    expression = None if pattern is None else compiled(run, pattern)
    found = headers(run)
    if found is None or (pattern is not None and expression is None):
        return -1
    gone = [
        header
        for header in found
        if header.kind not in _ALWAYS_KEPT and not (expression is not None and expression.matches(header.name))
    ]
    remove(current_message(run), gone)
    return -1


def _remove_body(run: Run) -> int:
    message = current_message(run)
    if message.body:
        message.edit(message.body_at, len(message.body), "")
    return 1


def _change_reply_status_code(run: Run, code: int | None) -> int:
    message = current_message(run)
    if message.is_request or code is None or not 100 <= code <= 699:
        run.log(Level.ERROR, "textopsx", "a reply can get a status from 100 to 699")
        return -1
    if min(code, message.status) < 300 and code // 100 != message.status // 100:
        run.log(Level.ERROR, "textopsx", f"a reply {message.status} cannot become a {code}")
        return -1
    at = len(message.version) + 1
    message.status = code
    message.text = f"{message.text[:at]}{code}{message.text[at + 3 :]}"
    return 1


def _change_reply_status(run: Run, code: int | None, reason: str) -> int:
    if not reason:
        run.log(Level.ERROR, "textopsx", "change_reply_status: the reason is empty")
        return -1
    if _change_reply_status_code(run, code) < 0:
        return -1
    message = current_message(run)
    message.edit(message.text.find(message.reason, len(message.version) + 4), len(message.reason), reason)
    return 1


def _fnmatch(run: Run, text: str, pattern: str, flags: str = "") -> int:
    """The flag i is of no use: Kamailio is built without what it asks for (FNM_CASEFOLD)."""
    if flags[:1] in ("i", "I"):
        run.log(Level.WARNING, "textopsx", "fnmatch: Kamailio does not heed the flag i, so letters keep their case")
    return 1 if matches(pattern, text) else -1


_TEXT: Final = (Arg.TEXT,)
_CHANGING: Final = Routes.REQUEST | Routes.ONREPLY

FUNCTIONS: Final = (
    Function("msg_apply_changes", _msg_apply_changes, (), _CHANGING),
    Function("msg_set_buffer", _msg_set_buffer, _TEXT, _CHANGING),
    Function("msg_changed_route", _msg_changed_route, _TEXT, calls_route=True),
    Function("change_reply_status", _change_reply_status, (Arg.NUMBER, Arg.TEXT), Routes.ONREPLY),
    Function("change_reply_status_code", _change_reply_status_code, (Arg.NUMBER,), Routes.ONREPLY),
    Function("keep_hf", _keep_hf),
    Function("keep_hf", _keep_hf, (Arg.PATTERN,)),
    Function("remove_body", _remove_body),
    Function("fnmatch", _fnmatch, (Arg.CONST_TEXT, Arg.CONST_TEXT)),
    Function("fnmatch", _fnmatch, (Arg.CONST_TEXT, Arg.CONST_TEXT, Arg.CONST_TEXT)),
)


def _fnmatch_code(run: Run, text: str, pattern: str, flags: str = "") -> int:
    """0 where it matches: scripts get what the C function gives."""
    return min(_fnmatch(run, text, pattern, flags), 0)


_same: Final = same(FUNCTIONS)

KEMI: Final = (
    _same("msg_apply_changes"),
    _same("msg_set_buffer", str),
    _same("change_reply_status", int, str),
    _same("change_reply_status_code", int),
    _same("keep_hf"),
    _same("keep_hf", str, name="keep_hf_re"),
    _same("remove_body"),
    KemiFunction("fnmatch", _fnmatch_code, (str, str)),
    KemiFunction("fnmatch_ex", _fnmatch_code, (str, str, str)),
)

MODULE = ModuleSpec(
    "textopsx",
    functions=(*FUNCTIONS, *values.FUNCTIONS, *iterators.FUNCTIONS),
    kemi=(*KEMI, *values.KEMI, *iterators.KEMI),
    pvs=iterators.VARIABLES,
    selects=selects.SELECTS,
    init=iterators.init,
    doc="changes made good, values inside headers, iterators",
)
