"""The variables of headers: $hdr and $hfl with any name, those of single headers, and $via0, $expires
(modules/pv/pv_core.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import (
    ALL,
    ITERATOR,
    Index,
    closed,
    index_of,
    indexed,
    indexed_variable,
    named,
    plain,
    refuse_inner,
)
from evapi_cfg.modules.pv.readers import reader
from evapi_cfg.modules.spec import NameRefused, PseudoVariable, Resolver, Variable
from evapi_cfg.sip.contact import Contact, parse_contacts
from evapi_cfg.sip.headers import BLANK, NAME_CHARACTERS, Header, header_kind
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.uri import Address, parse_address, parse_uri, split_quoted
from evapi_cfg.sip.via import parse_vias
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import PVar, Text
from evapi_cfg.values import Value

_LISTS: Final = frozenset(
    ("via", "route", "record-route", "contact", "diversion", "p-preferred-identity", "p-asserted-identity")
)  # headers whose bodies $hfl takes apart at their commas
_ROUTES: Final = ("route", "record-route")
_OVERWRITTEN: Final = "max-forwards"  # the header whose body is changed where it stands (maxfwd/mf_funcs.c)
_ROUTE: Final = re.compile(r"(?:\"(?:[^\"\\]|\\[\s\S])*+\"|[^\"<])*+<[^>]*+>[ \t\r\n]*+(?:;[\s\S]*)?")
_WITHOUT_PARAMS: Final = ("diversion", "p-preferred-identity", "p-asserted-identity")
Kind = Callable[[Run], str | None]


def _kind_of(inner: Text, resolver: Resolver) -> Kind:
    """What the name between the parentheses stands for when the variable is read; None where it is no name."""
    name = inner.value
    if name[:1] == "$":
        get = resolver.variable(inner).get

        def kind(run: Run) -> str | None:
            value = get(run)
            text = "" if value is None else str(value)
            if not text or text[0] not in NAME_CHARACTERS:
                run.log(Level.ERROR, "pv", f"the value of {show(name)} is no header name: {show(text)!r}")
                return None
            end = next((at for at, c in enumerate(text) if c not in NAME_CHARACTERS), len(text))
            return header_kind(text[:end])

        return kind
    if name != "*" and not NAME_CHARACTERS.issuperset(name.rstrip(" \t")):
        raise NameRefused(f"`{show(name)}` is no header name", inner.span)
    fixed = "*" if name == "*" else header_kind(name.rstrip(" \t"))
    return lambda run: fixed


def bodies(message: Message, kind: str) -> list[str]:
    """The bodies of all headers of a kind; none where not all headers can be read."""
    if not message.complete:
        return []
    if message.padding and kind in ("*", _OVERWRITTEN):
        return [_padded(message, header) for header in message.headers if kind in ("*", header.kind)]
    return [header.body for header in message.headers] if kind == "*" else message.bodies(kind)


def _padded(message: Message, header: Header) -> str:
    return message.padding + header.body if header.kind == _OVERWRITTEN else header.body


def _values(message: Message, kind: str) -> list[str]:
    """The bodies of all headers of a kind, cut at their commas; none where one of them is not of its form."""
    if not message.complete:
        return []
    if kind == "via":
        return [text for body in message.bodies(kind) for text in _via_texts(body)]
    values = message.values(kind)
    if kind == "contact":
        return values if contacts(message) else []
    if kind in _ROUTES:
        return values if all(_ROUTE.fullmatch(value) for value in values) else []
    if kind in _WITHOUT_PARAMS:
        addresses = [parse_address(value) for value in values]
        if None in addresses:
            return []
        return [_bare(value, address) for value, address in zip(values, addresses, strict=True) if address is not None]
    return values


def _first_routes(message: Message, kind: str) -> list[str]:
    """The routes in front of the first header that holds something else: where an index counts from the start, no
    header behind it is looked at."""
    found: list[str] = []
    for body in message.bodies(kind) if message.complete else ():
        values = [part.strip(BLANK) for part in split_quoted(body, ",")]
        if not all(_ROUTE.fullmatch(value) for value in values):
            break
        found += values
    return found


def _via_texts(body: str) -> list[str]:
    """Each Via of a body as $hfl shows it: up to the next one, so with the comma behind it."""
    starts: list[int] = []
    at = 0
    for via in parse_vias(body) or ():
        at = body.index(via.text, at)
        starts.append(at)
        at += len(via.text)
    return [body[start:end].strip(BLANK) for start, end in zip(starts, [*starts[1:], len(body)], strict=True)]


def _bare(value: str, address: Address) -> str:
    """An address without the parameters behind it."""
    end = address.uri_at + len(address.uri)
    return value[: value.index(">", end) + 1 if address.enclosed else end]


def contacts(message: Message) -> tuple[Contact, ...]:
    """The addresses of all Contact headers; none where one of them is not of the form (parse_contact_headers)."""
    if not message.complete:
        return ()
    found: list[Contact] = []
    for body in message.bodies("contact"):
        parsed = parse_contacts(body)
        if parsed is None:
            return ()
        found += parsed
    return tuple(found)


def _at(values: list[str], index: Index, run: Run) -> Value:
    """The value at an index."""
    if index == ALL:
        return ",".join(values) if values else None
    if index == ITERATOR:
        return None
    place = index(run) if callable(index) else index
    if not isinstance(place, int):
        return None
    return values[place] if -len(values) <= place < len(values) else None


def _hdr(inner: Text, index_text: Text | None, resolver: Resolver) -> Variable:
    kind_of, index = _kind_of(inner, resolver), index_of(index_text, resolver)

    def get(run: Run) -> Value:
        kind = kind_of(run)
        return None if kind is None else _at(bodies(current_message(run), kind), index, run)

    if index == 0 and inner.value != "*" and inner.value[:1] != "$":
        return Variable(_first_of_all(header_kind(inner.value.rstrip(" \t"))))
    return indexed_variable(get, index)


def _hfl(inner: Text, index_text: Text | None, resolver: Resolver) -> Variable:
    kind_of, index = _kind_of(inner, resolver), index_of(index_text, resolver)

    def get(run: Run) -> Value:
        kind = kind_of(run)
        if kind is None:
            return None
        message = current_message(run)
        if kind in _ROUTES and isinstance(index, int) and index >= 0:
            return _at(_first_routes(message, kind), index, run)
        apart = kind in _LISTS and index != ALL
        return _at(_values(message, kind) if apart else bodies(message, kind), index, run)

    return indexed_variable(get, index)


def _hdrc(inner: Text, resolver: Resolver) -> Variable:
    kind_of = _kind_of(inner, resolver)

    def get(run: Run) -> Value:
        kind = kind_of(run)
        return 0 if kind is None else len(bodies(current_message(run), kind))

    return Variable(get, nullable=False)


def _hflc(inner: Text, resolver: Resolver) -> Variable:
    kind_of = _kind_of(inner, resolver)

    def get(run: Run) -> Value:
        kind = kind_of(run)
        if kind is None:
            return 0
        message = current_message(run)
        return len(_values(message, kind)) if kind in _LISTS else len(bodies(message, kind))

    return Variable(get, nullable=False)


# ---- single headers ---------------------------------------------------------------------------------------------


def _first(kind: str) -> Callable[[Run], Value]:
    return reader(lambda message: message.body_of(kind))


def _first_of_all(kind: str) -> Callable[[Run], Value]:
    """As `_first`, but all headers are read for it."""
    if kind == _OVERWRITTEN:
        return reader(lambda message: next(iter(bodies(message, kind)), None))
    return reader(lambda message: message.body_of(kind) if message.complete else None)


def _length(run: Run) -> int:
    """The integer side of $cl."""
    return current_message(run).content_length or 0


def _address_uri(kind: str) -> Callable[[Run], Value]:
    return reader(lambda message: address.uri if (address := message.address(kind)) else None)


def _contact_uri(message: Message) -> Value:
    found = contacts(message)
    return found[0].uri if found else None


def _contact_star(message: Message) -> Value:
    bodies = message.bodies("contact")
    if not bodies or not message.complete or any(parse_contacts(body) is None for body in bodies):
        return None
    return int(not parse_contacts(bodies[0]))


def _diversion(read: Callable[[Address], Value]) -> Callable[[Run], Value]:
    """Of the first address in Diversion."""

    def get(message: Message) -> Value:
        values = message.values("diversion")
        address = parse_address(values[0]) if values else None
        return None if address is None else read(address)

    return reader(get)


def _identity(name: str, kind: str, read: Callable[[Address], Value]) -> PseudoVariable:
    """$pu, $ai and the like: one part of the address at an index of a header that may hold several."""

    def make(pvar: PVar, resolver: Resolver) -> Variable:
        refuse_inner(pvar)
        index = index_of(pvar.index, resolver)

        def get(run: Run) -> Value:
            place = index(run) if callable(index) else 0 if index == ITERATOR else index
            if not isinstance(place, int):
                run.log(Level.ERROR, "pv", f"${name} has no value at all indexes at once")
                return None
            values = current_message(run).values(kind)
            address = parse_address(values[max(place, 0)]) if place < len(values) else None
            return None if address is None else read(address)

        return Variable(get)

    return PseudoVariable(name, make, index=True)


def _user(address: Address) -> Value:
    uri = parse_uri(address.uri)
    return (uri.user or None) if uri else None


def _host(address: Address) -> Value:
    uri = parse_uri(address.uri)
    return (uri.host or None) if uri else None


# ---- Expires ----------------------------------------------------------------------------------------------------


_UNSIGNED: Final = 0xFFFFFFFF


def _seconds(text: str) -> int:
    """The digits in front of an Expires header, which may be anything (parse_expires.c)."""
    text = text.strip(BLANK)
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    return int(digits) & _UNSIGNED if digits and len(text) <= 10 else 0


def _param(contact: str, name: str) -> str | None:
    """The value of a parameter behind a contact's URI, which may be of any form."""
    for param in split_quoted(contact, ";")[1:]:
        key, _, value = param.partition("=")
        if key.strip(BLANK).lower() == name:
            return value.strip(BLANK).strip('"')
    return None


def _expires(choose: Callable[[list[int]], int]) -> Variable:
    """The least or the greatest lifetime among Contact's `expires` parameters and the Expires header."""

    def read(message: Message) -> Value:
        if not message.complete:
            return None
        body = message.body_of("expires")
        if body is not None and not body.strip(BLANK):
            return None
        general = None if body is None else _seconds(body)
        found: list[int] = []
        for text in message.bodies("contact"):
            if parse_contacts(text) is None:
                return None
        for text in message.values("contact"):
            own = _param(text, "expires")
            if own:
                if not (own.isascii() and own.isdecimal()):
                    return None
                found.append(int(own[:20]) & _UNSIGNED)
            elif general is not None and text != "*":
                found.append(general)
        if not found and general is not None:
            found = [general]
        return choose(found) if found else None

    return Variable(reader(read))


VARIABLES: Final = (
    indexed("hdr", _hdr),
    indexed("hfl", _hfl),
    named("hdrc", _hdrc),
    named("hflc", _hflc),
    plain("ci", _first("call-id")),
    plain("cs", reader(lambda message: message.cseq[0] or None)),
    plain("csb", _first("cseq")),
    plain("ct", reader(lambda message: message.body_of("contact") or None)),
    plain("ctu", reader(_contact_uri)),
    plain("cts", reader(_contact_star)),
    plain("cT", _first("content-type")),
    plain("cl", _first("content-length"), number=_length),
    plain("ua", _first("user-agent")),
    plain("rt", _address_uri("refer-to")),
    plain("re", _address_uri("remote-party-id")),
    plain("di", _diversion(lambda address: address.uri)),
    plain("dir", _diversion(lambda address: address.param("reason"))),
    plain("dip", _diversion(lambda address: address.param("privacy"))),
    plain("dic", _diversion(lambda address: address.param("counter"))),
    _identity("ai", "p-asserted-identity", lambda address: address.uri),
    _identity("pu", "p-preferred-identity", lambda address: address.uri),
    _identity("pU", "p-preferred-identity", _user),
    _identity("pd", "p-preferred-identity", _host),
    _identity("pn", "p-preferred-identity", lambda address: address.display or None),
    closed("expires", {"min": _expires(min), "max": _expires(max)}),
)
