"""Questions about the message: what it is, who sent it, what it supports; and about numbers and words
(modules/siputils/checks.c, sipops.c, siputils.c)."""

from __future__ import annotations

import re
from calendar import timegm
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.core_myself import is_myself
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.siputils.state import NAME, rpid_of, state_of
from evapi_cfg.modules.spec import Arg, FixupError, Function, Variable
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.soundness import sound
from evapi_cfg.sip.uri import DEFAULT_PORT, NONE, UDP, Uri, parse_address, parse_uri
from evapi_cfg.source import show
from evapi_cfg.values import Value

_OPTIONS: Final = ("path", "100rel", "timer", "eventlist", "gruu", "outbound")  # core/parser/parse_option_tags.h
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE: Final = re.compile(
    r"(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat), ([0-9]{1,2}) ("
    + "|".join(_MONTHS)
    + r") ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) [Gg][Mm][Tt]"
)
_DATE_LENGTH: Final = 29
_TEL: Final = re.compile(r"[0-9]+|\+[1-9][0-9]*")
_DIGITS: Final = re.compile("[0-9]+")
_ALPHANUM: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_HOST: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]+\]")

# ---- what the message is ----------------------------------------------------------------------------------------


def _is_request(run: Run) -> int:
    return 1 if current_message(run).is_request else -1


def _is_reply(run: Run) -> int:
    return -1 if current_message(run).is_request else 1


def _is_sip(run: Run) -> int:
    """Every message here is one of SIP."""
    return 1


def _is_http(run: Run) -> int:
    return -1


def _has_totag(run: Run) -> int:
    message = current_message(run)
    if message.to_tag:
        return 1
    if message.body_of("to") is None:
        run.log(Level.ERROR, NAME, "the message has no To")
    return -1


def _sip_parse_headers(run: Run) -> int:
    return 1 if sound(current_message(run)) else -1


def _is_first_hop(run: Run, mode: int | None = 0) -> int:
    """A request with one Via. A reply whose topmost Record-Route is this server, if it did not come from here; with a
    mode other than 0 that is not asked, and names pass as addresses do."""
    if mode is None:
        run.log(Level.ERROR, NAME, "the mode is no number")
        return -1
    message = current_message(run)
    if message.is_request:
        return 1 if len(message.vias) < 2 else -1
    if not sound(message):
        return -1
    routes = message.values("record-route")
    if not routes:
        return 1
    address = parse_address(routes[0])
    uri = parse_uri(address.uri) if address is not None else None
    if uri is None or (mode == 0 and not _HOST.fullmatch(uri.host)):
        return -1
    if not is_myself(run.world, uri.host, uri.port_number, uri.protocol):
        return -1
    return -1 if mode == 0 and _is_source(message, uri) else 1


def _is_source(message: Message, uri: Uri) -> bool:
    received = message.received
    return (
        uri.host.strip("[]") == received.source
        and received.source_port == (uri.port_number or DEFAULT_PORT)
        and (uri.protocol == received.protocol or (uri.protocol == NONE and received.protocol == UDP))
    )


def _is_supported(run: Run, option: str) -> int:
    message = current_message(run)
    if not sound(message):
        return -1
    tags = re.split("[ \t\r\n,]+", ",".join(message.bodies("supported")).lower())
    return 1 if option in tags else -1


def _fixup_option(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    option = arguments[0]
    if not isinstance(option, str):
        return arguments
    if option.lower() not in _OPTIONS:
        raise FixupError(0, f"unknown option `{show(option)}`", "those that are known: " + ", ".join(_OPTIONS))
    return (option.lower(),)


def _is_user(run: Run, user: str) -> int:
    """Asks for the credentials that an auth module has found to be right: none runs here."""
    run.log(Level.ERROR, NAME, "no credentials have been checked in this request: is_user says no")
    return -1


def _hdr_date_check(run: Run, seconds: int | None) -> int:
    """1 where Date is not older than that, -4 where it is, -1 without a Date that can be read."""
    if seconds is None:
        run.log(Level.ERROR, NAME, "the difference is no number")
        return -1
    message = current_message(run)
    date = message.body_of("date") if sound(message, ("date",)) else None
    if date is None:
        run.log(Level.ERROR, NAME, "the message has no Date")
        return -1
    moment = _moment(date)
    if moment is None:
        run.log(Level.ERROR, NAME, f"Date cannot be read: {show(date)!r}")
        return -1
    if moment < 0:
        return -2
    if int(run.world.clock.now()) > moment + seconds:
        run.log(Level.ERROR, NAME, f"Date is outdated: {show(date)!r}")
        return -4
    return 1


def _moment(date: str) -> int | None:
    """Seconds since 1970 (core/parser/parse_date.c: rfc1123totm)."""
    found = _DATE.match(date)
    if found is None or len(date) < _DATE_LENGTH - 1:
        return None
    day, year, hour, minute, second = (int(found[group]) for group in (1, 3, 4, 5, 6))
    if day > 31 or hour > 23 or minute > 59 or second > 59 or not year:
        return None
    return timegm((year, _MONTHS.index(found[2]) + 1, day, hour, minute, second))


# ---- numbers and words ----------------------------------------------------------------------------------------------


def _is_tel_number(run: Run, text: str) -> int:
    return 1 if _TEL.fullmatch(text) else -2


def _is_numeric(run: Run, text: str) -> int:
    return 1 if _DIGITS.fullmatch(text) else -2


def _is_alphanum(run: Run, text: str) -> int:
    return -2 if not text else 1 if _ALPHANUM.issuperset(text) else -3


def _is_alphanumex(run: Run, text: str, more: str) -> int:
    return -2 if not text else 1 if (_ALPHANUM | set(more)).issuperset(text) else -3


def _e164(run: Run, user: str) -> int:
    """A `+` and at least two digits."""
    ok = 2 < len(user) <= state_of(run).e164_max_len and user[0] == "+" and _DIGITS.fullmatch(user, 1)
    return 1 if ok else -1


def _text_of(run: Run, variable: Variable) -> str | None:
    value: Value = variable.get(run)
    if value is None:
        run.log(Level.ERROR, NAME, "the variable has no value")
        return None
    return str(value)


def _is_e164(run: Run, variable: Variable) -> int:
    text = _text_of(run, variable)
    return _e164(run, text) if text else -1


def _is_uri_user_e164(run: Run, variable: Variable) -> int:
    text = _text_of(run, variable)
    if not text:
        return -1
    _, colon, rest = text.partition(":")
    if not colon:
        run.log(Level.ERROR, NAME, f"{show(text)!r} is no URI")
        return -1
    user, at, _ = rest.partition("@")
    return _e164(run, user) if at else -1


def _is_rpid_user_e164(run: Run) -> int:
    variable = rpid_of(run)
    if variable is None:
        run.log(Level.ERROR, NAME, "the modparam rpid_avp names no AVP")
        return -1
    rpid = variable.get(run)
    if not rpid or not isinstance(rpid, str):
        return -1
    address = parse_address(rpid) if "<" in rpid else None
    uri = parse_uri(address.uri if address is not None else rpid)
    if uri is None:
        run.log(Level.ERROR, NAME, f"the Remote-Party-ID has no URI: {show(rpid)!r}")
        return -1
    return _e164(run, uri.user)


_TEXT: Final = (Arg.TEXT,)
_VARIABLE: Final = (Arg.PVAR,)


FUNCTIONS: Final = (
    Function("is_request", _is_request),
    Function("is_reply", _is_reply),
    Function("is_sip", _is_sip),
    Function("is_http", _is_http),
    Function("has_totag", _has_totag),
    Function("sip_parse_headers", _sip_parse_headers),
    Function("is_first_hop", _is_first_hop),
    Function("is_first_hop", _is_first_hop, (Arg.NUMBER,)),
    Function("is_supported", _is_supported, (Arg.LITERAL,), fixup=_fixup_option),
    Function("is_user", _is_user, _TEXT, Routes.REQUEST | Routes.LOCAL),
    Function("hdr_date_check", _hdr_date_check, (Arg.NUMBER,)),
    Function("is_tel_number", _is_tel_number, _TEXT),
    Function("is_numeric", _is_numeric, _TEXT),
    Function("is_alphanum", _is_alphanum, _TEXT),
    Function("is_alphanumex", _is_alphanumex, (Arg.TEXT, Arg.TEXT)),
    Function("is_e164", _is_e164, _VARIABLE, Routes.REQUEST | Routes.FAILURE | Routes.LOCAL),
    Function("is_uri_user_e164", _is_uri_user_e164, _VARIABLE),
    Function("is_rpid_user_e164", _is_rpid_user_e164, (), Routes.REQUEST),
)

_same: Final = same(FUNCTIONS)

KEMI: Final = (
    *(_same(name) for name in ("is_request", "is_reply", "is_sip", "is_http", "has_totag", "sip_parse_headers")),
    _same("is_first_hop"),
    _same("is_first_hop", int, name="is_first_hop_mode"),
    _same("is_user", str),
    _same("hdr_date_check", int),
    *(_same(name, str) for name in ("is_tel_number", "is_numeric", "is_alphanum")),
    _same("is_alphanumex", str, str),
)
