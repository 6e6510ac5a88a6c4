"""Via: who sent a request, and where its replies go (core/parser/parse_via.c; RFC 3261 20.42, RFC 3581)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from evapi_cfg.sip.uri import PROTOCOLS, split_quoted

COOKIE: Final = "z9hG4bK"  # what a branch of RFC 3261 begins with
# The form that nearly all Vias have; what does not fit is read step by step. Where two parameters are a branch, the
# last one counts.
PLAIN_VIA: Final = (
    r"(SIP/2\.0/([A-Z]+) ([A-Za-z0-9][A-Za-z0-9.-]*)(?::([0-9]{1,5}))?"
    r"(?:;((?:branch=([^;,\"=()<> \t\r\n\0]+)|rport|(?!alias=|hidden=|branch=)[a-z-]+=[^;,\"=()<> \t\r\n\0]+)"
    r"(?:;(?:branch=([^;,\"=()<> \t\r\n\0]+)|rport|(?!alias=|hidden=|branch=)[a-z-]+=[^;,\"=()<> \t\r\n\0]+))*))?)"
)
_PLAIN: Final = re.compile(PLAIN_VIA)
# Possessive: what a sender makes of it must not cost more than its length.
_GAP: Final = r"(?:[ \t]|(?:\r\n?|\n)[ \t])*+"
_SENT: Final = re.compile(
    rf"(?i:sip){_GAP}/{_GAP}2\.0{_GAP}/{_GAP}([^ \t\r\n/IiPpDdCcLl20.\0][^ \t\r\n/\0]*+)(?=[ \t\r\n]){_GAP}"
    rf"(\[[^ \t\r\n;,()\[\]\0]++\]|[^ \t\r\n:;,()\[\]\0]++){_GAP}(?::{_GAP}([^ \t\r\n:;,()\0]++){_GAP})?+"
)
_PARAM: Final = re.compile(rf";{_GAP}([^ \t\r\n;,=\0]++){_GAP}(=)?+{_GAP}(\"[^\"\0]*+\"|[^ \t\r\n;,=\"\0]*+)")
_COMMENT: Final = re.compile(rf"{_GAP}\([^()\0]*+\){_GAP}")
_AFTER: Final = re.compile(_GAP)
_COMMAS: Final = re.compile(rf",(?:{_GAP},)*+{_GAP}")
_VALUED: Final = frozenset(("branch", "ttl", "maddr", "received", "i"))  # parameters that must have a value
_BARE: Final = frozenset(("hidden", "alias"))  # those that must have none


class Via(NamedTuple):
    """One Via body. `port` 0: none was written. `text` is the whole body, `params` what stands behind the first `;`;
    `branch` is empty where there is none."""

    text: str
    transport: str
    host: str
    port: int
    params: str
    branch: str

    @property
    def protocol(self) -> int:
        return PROTOCOLS.get(self.transport.lower(), 0)

    def param(self, name: str) -> str | None:
        """The value of a parameter by its name in lower case; an empty string where it has none."""
        params = self.params
        if name not in params.lower():
            return None
        for param in split_quoted(params, ";"):
            key, _, value = param.partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"')
        return None


def plain_via(found: re.Match[str], first: int = 1) -> Via:
    """The Via in a match of PLAIN_VIA, whose groups begin with the one of that number."""
    text, transport, host, port, params, branch, later = found.group(
        first, first + 1, first + 2, first + 3, first + 4, first + 5, first + 6
    )
    return Via(text, transport, host, int(port) & 0xFFFF if port else 0, params or "", later or branch or "")


def parse_via(text: str) -> Via | None:
    """`SIP/2.0/UDP host:port;params`, with blanks where they may stand; None where it is not one Via."""
    vias = parse_vias(text)
    return vias[0] if vias is not None and len(vias) == 1 else None


def parse_vias(text: str) -> tuple[Via, ...] | None:
    """All Vias of one header's body; None where one of them is none: then Kamailio reads no further."""
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        return (plain_via(plain),)
    vias: list[Via] = []
    at = 0
    while True:
        read = _read(text, at)
        if read is None:
            return None
        via, at = read
        vias.append(via)
        if at >= len(text):
            return tuple(vias)
        comma = _COMMAS.match(text, at)
        if comma is None or comma.end() >= len(text):
            return None
        at = comma.end()


def _read(text: str, begin: int) -> tuple[Via, int] | None:
    """The Via that begins at an offset, and where it ends: at a comma or with the text."""
    sent = _SENT.match(text, begin)
    if sent is None:
        return None
    transport, host, port = sent.groups()
    if port is not None and not (port.isascii() and port.isdecimal() and len(port) <= 5):
        return None
    at = end = sent.end()
    branch = ""
    params_at = params_end = at
    while text.startswith(";", at):
        param = _PARAM.match(text, at)
        if param is None:
            return None
        name, equals, value = param[1].lower(), param[2], param[3]
        if value and not equals:
            return None
        after = _AFTER.match(text, param.end())
        assert after is not None
        following = text[after.end() : after.end() + 1]
        if equals and (name in _BARE or (not value and following == ",")):
            return None
        if name in _VALUED and (not value if following != ";" else not equals):
            return None
        if params_at == sent.end():
            params_at = at + 1
        if name == "branch":
            branch = value.strip('"')
        params_end = param.end() if value else param.end(2) if equals else param.end(1)
        at = end = after.end()
    comment = _COMMENT.match(text, at)
    if comment is not None:
        at = end = comment.end()
    if at < len(text) and text[at] != ",":
        return None
    body = text[begin:end].rstrip(" \t\r\n")
    port_number = int(port) & 0xFFFF if port else 0  # str2s: 99999 wraps
    return Via(body, transport, host, port_number, text[params_at:params_end], branch), at
