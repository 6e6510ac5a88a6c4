"""Contact headers: the addresses in them and where their URIs stand (core/parser/contact/contact.c: parse_contacts)."""

from __future__ import annotations

from typing import Final, NamedTuple

from evapi_cfg.sip.headers import BLANK

_MAX_CONTACTS: Final = 256


class Contact(NamedTuple):
    """One address. `at` is where its URI starts in the body that was parsed."""

    uri: str
    at: int


def parse_contacts(body: str) -> tuple[Contact, ...] | None:
    """The addresses of one header's body; none for `*`, and None where the body is not of the form."""
    at = _skip_blank(body, 0)
    if at >= len(body):
        return None
    if body[at] == "*":
        return ()
    found: list[Contact] = []
    while len(found) <= _MAX_CONTACTS:
        begin = _uri_start(body, at)
        end = None if begin is None else _uri_end(body, begin)
        if begin is None or end is None:
            return None
        contact = _trimmed(body, begin, end)
        if len(contact.uri) < 3 and (contact.uri != "*" or any(one.uri == "*" for one in found)):
            return None
        found.append(contact)
        if end < len(body) and body[end] == ";":
            after = _params_end(body, end)
            if after is None:
                return None
            end = after
        if end >= len(body):
            return tuple(found)
        at = _skip_blank(body, end + 1)
        if at >= len(body):
            return None
    return None


def _uri_start(body: str, at: int) -> int | None:
    """Behind the display name: at the `<`, or at the word that the first colon stands in."""
    blank = None
    quoted = False
    for place in range(at, len(body)):
        char = body[place]
        if quoted:
            quoted = char != '"' or body[place - 1] == "\\"
        elif char in " \t":
            blank = place
        elif char == "<":
            return place
        elif char in ":;":
            return at if blank is None else blank
        elif char == '"':
            quoted = True
    return None


def _uri_end(body: str, at: int) -> int | None:
    """Where the URI ends: at a `,` or `;` outside brackets and quotes, or with the body."""
    inside = quoted = escaped = False
    for place in range(at, len(body)):
        char = body[place]
        if escaped:
            escaped = False
        elif quoted:
            quoted, escaped = char != '"', char == "\\"
        elif char == '"':
            quoted = True
        elif char == "<":
            if inside:
                return None
            inside = True
        elif char == ">":
            if not inside:
                return None
            inside = False
        elif char in ",;" and not inside:
            return place
    return None if inside or quoted else len(body)


def _trimmed(body: str, begin: int, end: int) -> Contact:
    begin, end = _without_blanks(body, begin, end)
    if end - begin >= 2 and body[begin] == "<" and body[end - 1] == ">":
        begin, end = _without_blanks(body, begin + 1, end - 1)
    return Contact(body[begin:end], begin)


def _without_blanks(body: str, begin: int, end: int) -> tuple[int, int]:
    while begin < end and body[begin] in BLANK:
        begin += 1
    while end > begin and body[end - 1] in BLANK:
        end -= 1
    return begin, end


def _params_end(body: str, at: int) -> int | None:
    """Behind the parameters that start with the `;` at `at`: at the comma, or the end of the body."""
    while True:
        at = _skip_blank(body, at + 1)
        if at >= len(body):
            return None
        while at < len(body) and body[at] not in ";,= \t\r\n":
            at += 1
        at = _skip_blank(body, at)
        if body[at : at + 1] == "=":
            at = _skip_blank(body, at + 1)
            if at < len(body):
                value_end = _value_end(body, at)
                if value_end is None:
                    return None
                at = _skip_blank(body, value_end)
        if at >= len(body) or body[at] in ",>":
            return at
        if body[at] != ";":
            return None


def _value_end(body: str, at: int) -> int | None:
    if body[at] in "\"'":
        closing = body.find(body[at], at + 1)
        return closing + 1 if closing >= 0 else None
    begin = at
    while at < len(body) and body[at] not in ";, \t\r\n":
        at += 1
    return at if at > begin else None


def _skip_blank(body: str, at: int) -> int:
    while at < len(body) and body[at] in BLANK:
        at += 1
    return at
