"""The variables of digest credentials, $au, $ar and the like, and of who is to be charged, $Au and $AU
(modules/pv/pv_core.c: pv_get_authattr, pv_get_acc_user; core/parser/digest/digest_parser.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Run
from evapi_cfg.modules.forms import plain
from evapi_cfg.modules.pv.readers import reader
from evapi_cfg.sip.headers import BLANK
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.uri import Uri, parse_uri
from evapi_cfg.values import Value

_SCHEME: Final = re.compile(r"[ \t\r\n]*+digest[ \t\r\n,][ \t\r\n]*+", re.IGNORECASE)
_PARAM: Final = re.compile(r"([^ \t\r\n=,]++)[ \t\r\n]*+=[ \t\r\n]*+(?:\"([^\"]*+)\"|([^ \t\r\n,\"][^ \t\r\n,]*+))")


def credentials(message: Message) -> dict[str, str] | None:
    """The parameters of the Proxy-Authorization, or else the Authorization header, by names in lower case; None where
    there is none of scheme Digest that can be read."""
    if message.method in ("ACK", "CANCEL"):
        return None
    kinds = message.lines[1]
    if not message.complete and not ("proxy-authorization" in kinds and "authorization" in kinds):
        return None
    body = message.body_of("proxy-authorization")
    if body is None:
        body = message.body_of("authorization")
    scheme = None if body is None else _SCHEME.match(body)
    if body is None or scheme is None:
        return None
    found: dict[str, str] = {}
    at = scheme.end()
    while True:
        param = _PARAM.match(body, at)
        if param is None:
            return None
        name, quoted, word = param.groups()
        found[name.lower()] = word if quoted is None else quoted
        at = body.find(",", param.end()) + 1
        if not at:
            return found
        while at < len(body) and body[at] in BLANK:
            at += 1


def _credential(name: str, *, empty_is_null: bool = False) -> Callable[[Run], Value]:
    def read(message: Message) -> Value:
        found = credentials(message)
        value = None if found is None else found.get(name, "")
        return value or None if empty_is_null else value

    return reader(read)


def _user(message: Message) -> Value:
    """What stands in front of the `@` of the username, without a scheme."""
    found = credentials(message)
    if found is None:
        return None
    name = found.get("username", "")
    return name if len(name) <= 2 else name.partition("@")[0].rpartition(":")[2]


def _domain(message: Message) -> Value:
    found = credentials(message)
    if found is None:
        return None
    name = found.get("username", "")
    return "" if len(name) <= 2 else name.partition("@")[2]


def _sender(message: Message) -> Uri | None:
    """Credentials would come first, but only those that a module has checked."""
    address = message.address("from")
    return parse_uri(address.uri) if address else None


def _account_user(message: Message) -> Value:
    uri = _sender(message)
    return uri.user if uri else None


def _account_name(message: Message) -> Value:
    uri = _sender(message)
    return f"{uri.user}@{uri.host}" if uri else None


VARIABLES: Final = (
    plain("au", reader(_user)),
    plain("ad", reader(_domain)),
    plain("aU", _credential("username")),
    plain("ar", _credential("realm")),
    plain("adu", _credential("uri", empty_is_null=True)),
    plain("aa", _credential("algorithm")),
    plain("adn", _credential("nonce")),
    plain("adc", _credential("cnonce")),
    plain("adr", _credential("response")),
    plain("ado", _credential("opaque")),
    plain("Au", reader(_account_name)),
    plain("AU", reader(_account_user)),
)
