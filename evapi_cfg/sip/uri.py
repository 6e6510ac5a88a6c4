"""SIP, TEL and URN addresses: URIs, and the `name <uri>;params` form of From, To, Contact and the like.

Text has one character per byte. No sockets, no name resolution. Rules: core/parser/parse_uri.c: parse_uri;
core/parser/parse_to.c; RFC 3261 19.1 and 20.10, RFC 3966.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

NONE, UDP, TCP, TLS, SCTP, WS, WSS = range(7)  # core/ip_addr.h: enum sip_protos
PROTOCOLS: Final = {"udp": UDP, "tcp": TCP, "tls": TLS, "sctp": SCTP, "ws": WS, "wss": WSS}
PROTOCOL_NAMES: Final = ("none", "udp", "tcp", "tls", "sctp", "ws", "wss")
SCHEMES: Final = ("none", "sip", "sips", "tel", "tels", "urn")  # in the order of core/parser/msg_parser.h: uri_type
DEFAULT_PORT: Final = 5060
DEFAULT_TLS_PORT: Final = 5061

_WITH_VALUE: Final = frozenset(("transport", "ttl", "user", "maddr", "method"))
_MAYBE_WITH_VALUE: Final = frozenset(("lr", "r2", "gr"))
_NO_PARAMS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Uri:
    """A parsed URI. What is not there is an empty string; `port` is None without a colon.

    `params` and `headers` are the raw text behind the first `;` and the `?`. `known` holds those parameters that the
    parser itself understands, by lower-case name: transport, ttl, user, maddr, method with their values; lr, r2, gr
    with their whole text. For `tel:` the number is the user and there is no host. A `sip:` URI with `user=phone` counts
    as `tel` (core parameter phone2tel, on by default): then `params` are those of the number, `sip_params` its own.
    """

    scheme: str
    user: str = ""
    password: str = ""
    host: str = ""
    port: str | None = None
    params: str = ""
    headers: str = ""
    sip_params: str = ""
    known: Mapping[str, str] = field(default_factory=lambda: _NO_PARAMS)

    @property
    def port_number(self) -> int:
        return int(self.port or 0)

    @property
    def scheme_number(self) -> int:
        return SCHEMES.index(self.scheme)

    @property
    def transport(self) -> str | None:
        """The value of the transport parameter, as written."""
        return self.known.get("transport")

    @property
    def protocol(self) -> int:
        """The number of the transport, 0 where the URI does not name one that is known."""
        value = self.known.get("transport", "").lower()
        return NONE if value == "wss" else PROTOCOLS.get(value, NONE)


@lru_cache(256)
def parse_uri(text: str) -> Uri | None:
    """A URI taken apart; None where Kamailio refuses it."""
    if len(text) < 5:
        return None
    head = text[:5].lower()
    if head == "sips:":
        scheme, rest = "sips", text[5:]
    elif head[:4] in ("sip:", "tel:", "urn:"):
        scheme, rest = head[:3], text[4:]
    else:
        return None
    if not rest or rest[0] in ":]":
        return None
    if scheme == "urn":
        host, rest = _until(rest, ";?")
        if not host[1:].isascii() or not host[1:2].isalnum() or any(not (c.isalnum() or c in ".-:@") for c in host[2:]):
            return None
        return _finish(scheme, "", "", host, None, rest)
    # What stands first, a character or an IPv6 address, is not looked at: a `@`, `;` or `?` there is part of the name.
    literal = rest[0] == "["
    begin = rest.find("]") + 1 if literal else 1
    at = rest.find("@", begin)
    if not begin or at < 0:
        return _without_user(scheme, rest)
    userinfo, hostport = rest[:at], rest[at + 1 :]
    plain, tail = _until(userinfo, ";?:", begin)
    if literal and (len(plain) > begin or tail[:1] not in (";", "?") or any(c in "[&@;?" for c in plain[1:])):
        return None
    if not literal and ("[" in plain or "]" in plain):
        return None
    name, _, password = tail.partition(":")
    user = plain + name
    if any(c in ":;?" for c in password):
        return None
    if tail[:1] == ":" and ("[" in password or "]" in password or _beyond_ports(password)):
        return None
    host, rest = _host(hostport)
    if not host:
        return None
    return _port(scheme, user, password, host, rest)


def _beyond_ports(password: str) -> bool:
    """Whether a password begins with a number above 65535: it is taken for a port first."""
    digits = password[: len(password) - len(password.lstrip("0123456789"))]
    return len(digits.lstrip("0")) > 5 or int(digits or 0) > 65535


def _until(text: str, stops: str, start: int = 0) -> tuple[str, str]:
    """What stands in front of the first of some characters from `start` on, and the rest from there."""
    at = min((at for c in stops if (at := text.find(c, start)) >= 0), default=len(text))
    return text[:at], text[at:]


def _without_user(scheme: str, text: str) -> Uri | None:
    """Behind the scheme stands a host at once. Almost any character passes: it could have been a user."""
    if text[0] == "[":
        host, rest = _host(text)
        return _port(scheme, "", "", host, rest) if host else None
    host, rest = _until(text, ":;?", 1)
    if "[" in host or "]" in host or host[0] == "@":
        return None
    return _port(scheme, "", "", host, rest)


def _host(text: str) -> tuple[str, str]:
    """A host and what follows it; no host where it is not one."""
    if text[:1] == "[":
        end = text.find("]")
        if end < 0 or any(c in "[&@;?" for c in text[1:end]):
            return "", ""
        host, rest = text[: end + 1], text[end + 1 :]
        return (host, rest) if not rest or rest[0] in ":;?" else ("", "")
    host, rest = _until(text, ":;?")
    if not host[:1].isalnum() or not host.isascii() or not host.replace(".", "").replace("-", "").isalnum():
        return "", ""
    return host, rest


def _port(scheme: str, user: str, password: str, host: str, rest: str) -> Uri | None:
    port = None
    if rest[:1] == ":":
        port, rest = _until(rest[1:], ";?")
        if port and not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535):
            return None
    return _finish(scheme, user, password, host, port, rest)


def _finish(scheme: str, user: str, password: str, host: str, port: str | None, rest: str) -> Uri | None:
    params, question, headers = rest.partition("?")
    params = params[1:]
    if "@" in rest or (question and ";" in headers):
        return None
    known = _known(params) if params else _NO_PARAMS
    sip_params = "" if scheme == "urn" else params
    if scheme == "tel":
        return Uri(scheme, host, password, "", port, params, headers, "", known)
    if scheme != "urn" and known.get("user") == "phone":
        scheme = "tels" if scheme == "sips" else "tel"
        user, _, params = user.partition(";")
    return Uri(scheme, user, password, host, port, params, headers, sip_params, known)


def _known(params: str) -> dict[str, str]:
    known: dict[str, str] = {}
    for param in params.split(";"):
        name, _, value = param.partition("=")
        name = name.lower()
        if value.startswith(":"):
            continue
        if name in _WITH_VALUE:
            if value:
                known[name] = value
        elif name in _MAYBE_WITH_VALUE:
            known[name] = param
    return known


# ---- name <uri>;params ------------------------------------------------------------------------------------------

# Everything here is possessive: what a sender makes of it must not cost more than its length.
_GAP: Final = r"(?:[ \t]|(?:\r\n?|\n)[ \t])*+"
_WORD: Final = r"[^ \t\r\n<>\"\\;\0]++"
_NAME: Final = r"[^ \t\r\n;=\",\\\0]"
_QUOTED: Final = r"\"[^\"\\\r\n\0]*+\""
# `;name=value`; only a tag may have commas in it, and a quoted value no backslash (parse_to_param).
_PARAM: Final = (
    rf";{_GAP}(?:(?i:tag){_GAP}={_GAP}(?:{_QUOTED}|[^ \t\r\n;=\"\\\0]*+){_GAP}"
    rf"|{_NAME}++{_GAP}(?:={_GAP}(?:{_QUOTED}|{_NAME}*+){_GAP})?+)"
)
_ADDRESS: Final = re.compile(
    rf"{_GAP}(?:(\"(?:[^\"\\\r\n\0]|\\[\s\S])*+\"|{_WORD}(?:(?:[ \t]|(?:\r\n?|\n)[ \t])++{_WORD})*+)?+{_GAP}"
    rf"<[ \t]*+([^ \t\r\n<>\"\\;\0][^ \t\r\n<>\"\\\0]*+)[ \t]*+>|({_WORD})){_GAP}((?:{_PARAM})*+)"
)
# The form that nearly all addresses have.
PLAIN_ADDRESS: Final = (
    r"(?:(\"[^\"\\\r\n\0]*\"|[A-Za-z0-9]+) )?<([^ \t\r\n<>\"\\;\0][^ \t\r\n<>\"\\\0]*)>"
    r"(?:;(tag=[^ \t\r\n;=\",\\\0]+))?"
)
_PLAIN: Final = re.compile(PLAIN_ADDRESS)


class Address(NamedTuple):
    """A name-addr or addr-spec with what follows it. `display` is as written, with its quotes; `at` tells where the
    display name and the URI start in the text that was parsed."""

    display: str
    uri: str
    params: str
    display_at: int
    uri_at: int
    enclosed: bool

    def param(self, name: str) -> str | None:
        """The value of a parameter by its name in lower case, without quotes; an empty string where it has none. Of
        several tags the last one counts, of others the first one."""
        found = None
        for param in split_quoted(self.params, ";"):
            key, _, value = param.partition("=")
            if key.strip().lower() == name:
                found = value.strip()
                if found[:1] == '"':
                    found = found[1:].partition('"')[0]
                if name != "tag":
                    break
        return found


def parse_address(text: str) -> Address | None:
    """`"Display" <uri>;a=b`, `<uri>` or `uri;a=b`; None where it is neither (core/parser/parse_addr_spec.c)."""
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        display, enclosed, params = plain.groups()
        return Address(display or "", enclosed, params or "", 0, len(display) + 2 if display else 1, True)
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    display, enclosed, uri, params = found.groups()
    if enclosed is None:
        start = found.start(3)
        return Address("", uri, params[1:].strip(), start, start, False)
    start = found.start(2)
    if display is None:
        return Address("", enclosed, params[1:].strip(), text.rfind("<", 0, start), start, True)
    return Address(display, enclosed, params[1:].strip(), found.start(1), start, True)


def split_quoted(text: str, separator: str) -> list[str]:
    """The parts between separators that stand neither inside quotes nor inside angle brackets."""
    if separator not in text:
        return [text] if text else []
    parts = []
    start = at = 0
    inside = False
    while at < len(text):
        c = text[at]
        if c == '"':
            end = _closing_quote(text, at)
            if end < 0:
                break
            at = end
        elif c == "<":
            inside = True
        elif c == ">":
            inside = False
        elif c == separator and not inside:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    parts.append(text[start:])
    return parts


def _closing_quote(text: str, opening: int) -> int:
    at = opening + 1
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == '"':
            return at
        at += 1
    return -1
