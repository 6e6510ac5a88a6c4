"""sanity: whether a message is as RFC 3261 wants it, and what to answer where it is not (modules/sanity/sanity.c,
sanity_mod.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.sl import send_stateless
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, ModuleSpec, Param
from evapi_cfg.sip.contact import parse_contacts
from evapi_cfg.sip.head import cseq_words
from evapi_cfg.sip.headers import BLANK
from evapi_cfg.sip.message import NO_REPLY, Message
from evapi_cfg.sip.soundness import sound
from evapi_cfg.sip.uri import UDP, parse_uri, split_quoted
from evapi_cfg.source import show

_PASSED: Final = 1
_FAILED: Final = 0
_NOT_APPLICABLE: Final = -2
_DEFAULT_CHECKS: Final = 3047
_DEFAULT_URI_CHECKS: Final = 7
_CHECK_LIMIT: Final = 1 << 15
_URI_CHECK_LIMIT: Final = 1 << 4
_QUADRUPLE: Final = ("from", "to", "call-id", "cseq")
_MAX_NUMBER: Final = 4294967296  # sanity.c: str2valid_uint lets this one pass, too
_DIGITS: Final = re.compile("[0-9]*")
_NO_NUMBER: Final = re.compile("[^0-9]")
_CREDENTIAL: Final = re.compile(r"([^=]*)=[ \t\r\n]*(?:\"([^\"]*)\"|([^ \t\r\n,\"][^ \t\r\n,]*))")
_NEEDED: Final = ("username", "realm", "nonce", "uri", "response")


@dataclass(slots=True)
class _State:
    """`found` is what the last check would have answered, and for which message, where checks do not answer
    themselves."""

    checks: int
    uri_checks: int
    extensions: frozenset[str]
    drops: bool
    silent: bool
    found: tuple[int, str, Message] | None = None


def _init(world: World) -> _State:
    return _State(
        world.int_param("sanity", "default_checks", _DEFAULT_CHECKS),
        world.int_param("sanity", "uri_checks", _DEFAULT_URI_CHECKS),
        frozenset(_words(world.str_param("sanity", "proxy_require", ""))),
        world.int_param("sanity", "autodrop", 1) != 0,
        world.int_param("sanity", "noreply", 0) != 0,
    )


def _state(run: Run) -> _State:
    state = run.world.state["sanity"]
    assert isinstance(state, _State)
    return state


def _words(text: str) -> list[str]:
    """The parts between commas; none of a blank text."""
    text = text.strip(BLANK)
    return [word.strip(BLANK) for word in text.split(",")] if text else []


# ---- answers --------------------------------------------------------------------------------------------------------


def _answer(run: Run, message: Message, code: int, reason: str) -> int:
    """Replies, or keeps the reply for sanity_reply: the check has failed."""
    state = _state(run)
    if message.is_request and message.method != "ACK":
        if state.silent:
            state.found = (code, reason, message)
        elif not message.internal_flags & NO_REPLY and not _send(run, message, code, reason):
            run.log(Level.WARNING, "sanity", f"{code} {reason} could not be sent")
    return _FAILED


def _send(run: Run, message: Message, code: int, reason: str) -> bool:
    """A reply repeats headers, so there is none where they cannot all be read."""
    return sound(message) and send_stateless(run, code, reason) >= 0


def _unanswerable(run: Run, message: Message, what: str) -> int:
    """Without what a reply is made of there will be none, not even one of the script's own."""
    message.internal_flags |= NO_REPLY
    run.log(Level.WARNING, "sanity", what)
    return _FAILED


def _sanity_reply(run: Run) -> int:
    message = current_message(run)
    state = _state(run)
    if not message.is_request or message.method == "ACK" or not state.silent or message.internal_flags & NO_REPLY:
        return 1
    found = state.found
    code, reason = (500, "Server Sanity Failure") if found is None or found[2] is not message else found[:2]
    return 1 if _send(run, message, code, reason) else -1


# ---- the checks, each by its bit ------------------------------------------------------------------------------------


def _version(run: Run, message: Message) -> int:
    # Kamailio reads a reply as if it were a request: there the reason stands where the version would.
    version = message.version if message.is_request else message.reason
    if not version:
        return _PASSED
    _, slash, number = version.partition("/")
    if not slash:
        run.log(Level.WARNING, "sanity", "the first line has no version")
        return _FAILED
    return _PASSED if number == "2.0" else _answer(run, message, 505, "Version Not Supported (R-URI)")


def _scheme(run: Run, message: Message) -> int:
    if message.is_request and message.parsed_uri is not None:
        return _PASSED
    run.log(Level.WARNING, "sanity", f"the request URI is no URI: {show(message.request_uri)!r}")
    return _answer(run, message, 400, "Bad Request URI")


def _required(run: Run, message: Message) -> int:
    if not sound(message, _QUADRUPLE) or not all(message.count(kind) for kind in _QUADRUPLE):
        return _unanswerable(run, message, "From, To, Call-ID or CSeq is missing or cannot be read")
    return _PASSED if sound(message) else _answer(run, message, 400, "Bad Headers")


def _top_via(run: Run, message: Message) -> int:
    if sound(message, ("via",)) and message.via is not None:
        return _PASSED
    return _unanswerable(run, message, "the topmost Via cannot be read")


def _useless(run: Run, message: Message) -> int:
    """Kamailio's parser refuses what these checks would look for."""
    return _PASSED


def _cseq(run: Run, message: Message) -> tuple[str, str] | None:
    body = message.body_of("cseq") if sound(message, ("cseq",)) else None
    return cseq_words(body) if body is not None else None


def _cseq_method(run: Run, message: Message) -> int:
    words = _cseq(run, message)
    if words is None:
        return _unanswerable(run, message, "CSeq is missing or cannot be read")
    method = message.method if message.is_request else message.version
    return _PASSED if words[1] == method else _answer(run, message, 400, "CSeq method does not match request method")


def _cseq_value(run: Run, message: Message) -> int:
    words = _cseq(run, message)
    if words is None:
        return _unanswerable(run, message, "CSeq is missing or cannot be read")
    return _PASSED if _is_number(words[0]) else _answer(run, message, 400, "CSeq number is illegal")


def _is_number(text: str) -> bool:
    return len(text) <= 10 and _DIGITS.fullmatch(text) is not None and int(text or 0) <= _MAX_NUMBER


def _content_length(run: Run, message: Message) -> int:
    if not sound(message, ("content-length",)):
        return _answer(run, message, 400, "Content-Length Failure")
    length = message.body_of("content-length")
    if length is None:
        if message.received.protocol != UDP:
            run.log(Level.WARNING, "sanity", "the message has no Content-Length")
        return _PASSED
    body = message.body if sound(message) else None
    if body is None:
        return _answer(run, message, 400, "Content-Length Body Failure")
    return _PASSED if len(body) == int(length) else _answer(run, message, 400, "Content-Length mis-match")


def _expires(run: Run, message: Message) -> int:
    if not sound(message, ("expires",)):
        return _answer(run, message, 400, "Bad Expires Header")
    body = message.body_of("expires")
    if body is None:
        return _PASSED
    body = body.strip(BLANK)
    if not body:
        return _answer(run, message, 400, "Bad Expires Header")
    other = _NO_NUMBER.search(body) if len(body) <= 10 else None
    number = body[: other.start()] if other and other[0] in BLANK else body
    return _PASSED if _is_number(number) else _answer(run, message, 400, "Expires value is illegal")


def _proxy_require(run: Run, message: Message) -> int:
    if not sound(message, ("proxy-require",)):
        return _answer(run, message, 400, "Bad Proxy Require Header")
    body = message.body_of("proxy-require")
    if body is None:
        return _PASSED
    words = _words(body)
    if not words:
        return _answer(run, message, 400, "Bad Proxy Require Header")
    unknown = next((word for word in words if word not in _state(run).extensions), None)
    if unknown is None:
        return _PASSED
    message.reply_headers = (*message.reply_headers, f"Unsupported: {unknown}\r\n")
    return _answer(run, message, 420, "Bad Proxy Require Extension")


def _uris(run: Run, message: Message, checks: int) -> int:
    if checks & 1 and (not message.is_request or message.parsed_uri is None):
        return _answer(run, message, 400, "Bad Request URI")
    for bit, kind, name in ((2, "from", "From"), (4, "to", "To")):
        if not checks & bit:
            continue
        if not sound(message, (kind,)) or not message.count(kind):
            return _unanswerable(run, message, f"{name} is missing or cannot be read")
        address = message.address(kind)
        if address is None or parse_uri(address.uri) is None:
            return _answer(run, message, 400, f"Invalid {name} Header")
    return _contact(run, message) if checks & 8 else _PASSED


def _contact(run: Run, message: Message) -> int:
    """All must be of the form, but only the first URI is looked at."""
    lists = [parse_contacts(body) for body in message.bodies("contact")]
    if not sound(message) or None in lists:
        return _answer(run, message, 400, "Bad Contact Header")
    first = lists[0] if lists else None
    if first and parse_uri(first[0].uri) is None:
        return _answer(run, message, 400, "Bad Contact URI")
    return _PASSED


def _credentials(body: str) -> dict[str, str] | None:
    """The parameters of Digest credentials by their names in lower case; None where they are not of the form
    (core/parser/digest/digest_parser.c: parse_digest_params)."""
    found: dict[str, str] = {}
    rest: str | None = body
    while rest is not None:
        rest = rest.lstrip(BLANK)
        param = _CREDENTIAL.match(rest)
        if param is None:
            return None
        found[param[1].strip(BLANK).lower()] = param[2] if param[2] is not None else param[3]
        _, comma, behind = rest[param.end() :].partition(",")
        rest = behind if comma else None
    return found


def _credentials_of_all(run: Run, message: Message) -> int:
    """Digest credentials that lack nothing; _NOT_APPLICABLE where some are of another scheme."""
    if not sound(message):
        return _answer(run, message, 400, "Bad Headers")
    for body in (*message.bodies("authorization"), *message.bodies("proxy-authorization")):
        if body[:6].lower() != "digest" or body[6:7] not in (" ", "\t", "\r", "\n", ","):
            return _NOT_APPLICABLE
        params = _credentials(body[7:])
        if params is None:
            return _answer(run, message, 400, "Bad Auth Header")
        guarded = params.get("qop", "").strip(BLANK).lower() in ("auth", "auth-int")
        if not all(name in params for name in (*_NEEDED, *(("cnonce", "nc") if guarded else ()))):
            return _answer(run, message, 400, "Bad Auth Credentials")
        for name, reason in (("username", "User"), ("nonce", "Nonce"), ("response", "Response")):
            if not params[name]:
                return _answer(run, message, 400, f"Auth Empty {reason}")
    return _PASSED


def _digest(run: Run, message: Message) -> int:
    """Credentials of another scheme fail, without a reply."""
    return _PASSED if _credentials_of_all(run, message) == _PASSED else _FAILED


def _authorization(run: Run, message: Message) -> int:
    return _FAILED if _credentials_of_all(run, message) == _FAILED else _PASSED


def _tags(run: Run, message: Message) -> int:
    for kind, name in (("from", "From"), ("to", "To")):
        address = message.address(kind) if sound(message, (kind,)) else None
        if address is None:
            return _unanswerable(run, message, f"{name} is missing or cannot be read")
        names = [param.partition("=")[0].strip(BLANK).lower() for param in split_quoted(address.params, ";")]
        if names.count("tag") > 1:
            return _answer(run, message, 400, f"Many {name} Tag Params")
    return _PASSED


_URIS_BIT: Final = 1 << 10
# In the order in which they are done.
_CHECKS: Final[tuple[tuple[int, Callable[[Run, Message], int]], ...]] = (
    (1 << 0, _version),
    (1 << 1, _scheme),
    (1 << 2, _required),
    (1 << 14, _top_via),
    (1 << 3, _useless),
    (1 << 4, _useless),
    (1 << 5, _cseq_method),
    (1 << 6, _cseq_value),
    (1 << 7, _content_length),
    (1 << 8, _expires),
    (1 << 9, _proxy_require),
)
_LATER_CHECKS: Final[tuple[tuple[int, Callable[[Run, Message], int]], ...]] = (
    (1 << 11, _digest),
    (1 << 13, _authorization),
    (1 << 12, _tags),
)


def _check(run: Run, message: Message, checks: int, uri_checks: int) -> int:
    for bit, check in _CHECKS:
        if checks & bit and check(run, message) != _PASSED:
            return _FAILED
    if checks & _URIS_BIT and _uris(run, message, uri_checks) != _PASSED:
        return _FAILED
    for bit, check in _LATER_CHECKS:
        if checks & bit and check(run, message) != _PASSED:
            return _FAILED
    return _PASSED


def _sanity_check(run: Run) -> int:
    state = _state(run)
    return _sanity_check_uris(run, state.checks, state.uri_checks)


def _sanity_check_only(run: Run, checks: int | None) -> int:
    return _sanity_check_uris(run, checks, _state(run).uri_checks)


def _sanity_check_uris(run: Run, checks: int | None, uri_checks: int | None) -> int:
    """1 where the message is sound. Where it is not the script ends, or with autodrop off it is -1."""
    state = _state(run)
    if checks is None or uri_checks is None:
        run.log(Level.ERROR, "sanity", "the checks are no number")
        return -1
    if not 0 < checks < _CHECK_LIMIT or not 0 < uri_checks < _URI_CHECK_LIMIT:
        run.log(Level.ERROR, "sanity", f"no such checks: {checks}, {uri_checks}")
        return -1
    state.found = None
    code = _check(run, current_message(run), checks, uri_checks)
    return code if code == _PASSED or state.drops else -1


_ROUTES: Final = Routes.REQUEST | Routes.ONREPLY

FUNCTIONS: Final = (
    Function("sanity_check", _sanity_check, (), _ROUTES),
    Function("sanity_check", _sanity_check_only, (Arg.NUMBER,), _ROUTES),
    Function("sanity_check", _sanity_check_uris, (Arg.NUMBER, Arg.NUMBER), _ROUTES),
    Function("sanity_reply", _sanity_reply, (), _ROUTES),
)


def _checked(run: Run, checks: int, uri_checks: int) -> int:
    """A script is not ended by what is not sound: -1. Checks that there are not pass."""
    _state(run).found = None
    return 1 if _check(run, current_message(run), checks, uri_checks) == _PASSED else -1


def _checked_by_default(run: Run) -> int:
    state = _state(run)
    return _checked(run, state.checks, state.uri_checks)


KEMI: Final = (
    KemiFunction("sanity_check", _checked, (int, int)),
    KemiFunction("sanity_check_defaults", _checked_by_default),
    KemiFunction("sanity_reply", _sanity_reply),
)

MODULE = ModuleSpec(
    "sanity",
    functions=FUNCTIONS,
    params=(
        Param("default_checks", int, _DEFAULT_CHECKS),
        Param("uri_checks", int, _DEFAULT_URI_CHECKS),
        Param("proxy_require", str, ""),
        Param("autodrop", int, 1),
        Param("noreply", int, 0),
    ),
    kemi=KEMI,
    init=_init,
    doc="whether a message is as it should be, and what to answer where it is not",
)
