"""The variables of headers: $hdr and $hfl with any name, those of single headers, and $via0, $expires
(modules/pv/pv_core.c)."""

from __future__ import annotations

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
from evapi_cfg.sip.message import NAME_CHARACTERS, Message, Via, header_kind
from evapi_cfg.sip.uri import DEFAULT_PORT, Address, parse_address, parse_uri, split_quoted
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import PVar, Text
from evapi_cfg.values import Value, parse_int

_LISTS: Final = frozenset(
    ("via", "route", "record-route", "contact", "diversion", "p-preferred-identity", "p-asserted-identity")
)  # headers whose bodies $hfl takes apart at their commas
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


def _bodies(message: Message, kind: str) -> list[str]:
    if kind == "*":
        return [header.body for header in message.headers]
    return [header.body for header in message.headers if header.kind == kind]


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
        return None if kind is None else _at(_bodies(current_message(run), kind), index, run)

    if index == 0 and inner.value != "*" and inner.value[:1] != "$":
        return Variable(_first(header_kind(inner.value.rstrip(" \t"))))
    return indexed_variable(get, index)


def _hfl(inner: Text, index_text: Text | None, resolver: Resolver) -> Variable:
    kind_of, index = _kind_of(inner, resolver), index_of(index_text, resolver)

    def get(run: Run) -> Value:
        kind = kind_of(run)
        if kind is None:
            return None
        message = current_message(run)
        apart = kind in _LISTS and index != ALL
        return _at(message.values(kind) if apart else _bodies(message, kind), index, run)

    return indexed_variable(get, index)


def _hdrc(inner: Text, resolver: Resolver) -> Variable:
    kind_of = _kind_of(inner, resolver)

    def get(run: Run) -> Value:
        kind = kind_of(run)
        return 0 if kind is None else sum(header.kind == kind for header in current_message(run).headers)

    return Variable(get, nullable=False)


def _hflc(inner: Text, resolver: Resolver) -> Variable:
    kind_of = _kind_of(inner, resolver)

    def get(run: Run) -> Value:
        kind = kind_of(run)
        if kind is None:
            return 0
        message = current_message(run)
        return len(message.values(kind)) if kind in _LISTS else len(_bodies(message, kind))

    return Variable(get, nullable=False)


# ---- single headers ---------------------------------------------------------------------------------------------


def _first(kind: str) -> Callable[[Run], Value]:
    return reader(lambda message: header.body if (header := message.first(kind)) else None)


def _content_length(message: Message) -> Value:
    header = message.first("content-length")
    return None if header is None else parse_int(header.body) or 0


def _address_uri(kind: str) -> Callable[[Run], Value]:
    return reader(lambda message: address.uri if (address := message.address(kind)) else None)


def _contact_uri(message: Message) -> Value:
    values = message.values("contact")
    address = parse_address(values[0]) if values and values[0] != "*" else None
    return None if address is None else address.uri


def _contact_star(message: Message) -> Value:
    header = message.first("contact")
    return None if header is None else int(header.body == "*")


def _diversion(name: str) -> Callable[[Run], Value]:
    def read(message: Message) -> Value:
        address = message.address("diversion")
        return None if address is None else address.param(name)

    return reader(read)


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


# ---- credentials --------------------------------------------------------------------------------------------------


def _credentials(message: Message) -> dict[str, str] | None:
    """The parameters of a Digest Proxy-Authorization or Authorization header; None without one."""
    if message.method in ("ACK", "CANCEL"):
        return None
    header = message.first("proxy-authorization") or message.first("authorization")
    if header is None:
        return None
    scheme, _, rest = header.body.partition(" ")
    if scheme.lower() != "digest":
        return None
    found = {}
    for part in split_quoted(rest, ","):
        key, _, value = part.partition("=")
        found[key.strip().lower()] = value.strip().strip('"')
    return found


def _credential(name: str, *, empty_is_null: bool = False) -> Callable[[Run], Value]:
    def read(message: Message) -> Value:
        found = _credentials(message)
        value = None if found is None else found.get(name, "")
        return value or None if empty_is_null else value

    return reader(read)


def _credential_user(part: int) -> Callable[[Run], Value]:
    """The user in front of the `@` of the username, or the domain behind it."""

    def read(message: Message) -> Value:
        found = _credentials(message)
        return None if found is None else found.get("username", "").partition("@")[part]

    return reader(read)


def _account_user(message: Message) -> Value:
    found = _credentials(message)
    user = found.get("username", "").partition("@")[0] if found else ""
    if user:
        return user
    address = message.address("from")
    uri = parse_uri(address.uri) if address else None
    return uri.user if uri else None


def _account_name(message: Message) -> Value:
    found = _credentials(message)
    user = found.get("username", "").partition("@")[0] if found else ""
    if found and user:
        realm = found.get("realm", "")
        return f"{user}@{realm}" if realm else user
    address = message.address("from")
    uri = parse_uri(address.uri) if address else None
    return f"{uri.user}@{uri.host}" if uri else None


# ---- Via and Expires ------------------------------------------------------------------------------------------------


def _via_class(name: str, pick: Callable[[Message], Via | None]) -> PseudoVariable:
    def of(read: Callable[[Via], Value]) -> Variable:
        return Variable(reader(lambda message: read(via) if (via := pick(message)) else None))

    def param(key: str) -> Variable:
        return of(lambda via: via.param(key) or None)

    def number(key: str) -> Variable:
        return of(lambda via: parse_int(via.param(key) or "") or 0)

    algorithm, validity, sequence, value = param("oc-algo"), number("oc-validity"), number("oc-seq"), param("oc")
    return closed(
        name,
        {
            "host": of(lambda via: via.host),
            "port": of(lambda via: via.port or DEFAULT_PORT),
            "proto": of(lambda via: via.transport),
            "protoid": of(lambda via: via.protocol),
            "branch": param("branch"),
            "rport": param("rport"),
            "received": param("received"),
            "i": param("i"),
            "params": of(lambda via: via.params or None),
            "oc": number("oc"),
            "oc-algo": algorithm,
            "ocalgo": algorithm,
            "oc-validity": validity,
            "ocvalidity": validity,
            "oc-seq": sequence,
            "ocseq": sequence,
            "oc-val": value,
            "ocval": value,
        },
    )


def _via(place: int) -> Callable[[Message], Via | None]:
    def pick(message: Message) -> Via | None:
        vias = message.vias
        return vias[place] if -len(vias) <= place < len(vias) else None

    return pick


def _expires(choose: Callable[[list[int]], int]) -> Variable:
    """The least or the greatest lifetime among Contact's `expires` parameters and the Expires header."""

    def read(message: Message) -> Value:
        header = message.first("expires")
        general = parse_int(header.body) if header is not None else None
        found = []
        for text in message.values("contact"):
            address = parse_address(text)
            own = parse_int(address.param("expires") or "x") if address else None
            if own is not None or general is not None:
                found.append(own if own is not None else general)
        if not found and general is not None:
            found = [general]
        return choose([value for value in found if value is not None]) if found else None

    return Variable(reader(read))


# ---- the destination of a reply -----------------------------------------------------------------------------------


def _of_reply(read: Callable[[Message, Via], Value]) -> Variable:
    """What the second Via says of where a reply goes; $null for requests."""

    def get(message: Message) -> Value:
        vias = message.vias
        return None if message.is_request or len(vias) < 2 else read(message, vias[1])

    return Variable(reader(get))


def _reply_host(via: Via) -> str:
    return via.param("received") or via.host


def _reply_port(via: Via) -> int:
    return parse_int(via.param("rport") or "") or via.port or DEFAULT_PORT


def _reply_uri(message: Message, via: Via) -> Value:
    return f"sip:{_reply_host(via)}:{_reply_port(via)};transport={via.transport.lower()}"


def _count_of_reply(kind: str) -> Variable:
    return Variable(reader(lambda message: None if message.is_request else len(message.values(kind))))


VARIABLES: Final = (
    indexed("hdr", _hdr),
    indexed("hfl", _hfl),
    named("hdrc", _hdrc),
    named("hflc", _hflc),
    plain("ci", _first("call-id")),
    plain("cs", reader(lambda message: message.cseq[0] or None)),
    plain("csb", _first("cseq")),
    plain("ct", _first("contact")),
    plain("ctu", reader(_contact_uri)),
    plain("cts", reader(_contact_star)),
    plain("cT", _first("content-type")),
    plain("cl", reader(_content_length)),
    plain("ua", _first("user-agent")),
    plain("rt", _address_uri("refer-to")),
    plain("re", _address_uri("remote-party-id")),
    plain("di", _address_uri("diversion")),
    plain("dir", _diversion("reason")),
    plain("dip", _diversion("privacy")),
    plain("dic", _diversion("counter")),
    _identity("ai", "p-asserted-identity", lambda address: address.uri),
    _identity("pu", "p-preferred-identity", lambda address: address.uri),
    _identity("pU", "p-preferred-identity", _user),
    _identity("pd", "p-preferred-identity", _host),
    _identity("pn", "p-preferred-identity", lambda address: address.display or None),
    plain("au", _credential_user(0)),
    plain("ad", _credential_user(2)),
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
    _via_class("via0", _via(0)),
    _via_class("via1", _via(1)),
    _via_class("viaZ", _via(-1)),
    closed("expires", {"min": _expires(min), "max": _expires(max)}),
    closed(
        "rpl",
        {
            "duri": _of_reply(_reply_uri),
            "dhost": _of_reply(lambda message, via: _reply_host(via)),
            "dport": _of_reply(lambda message, via: _reply_port(via)),
            "dproto": _of_reply(lambda message, via: via.transport.lower()),
            "dprotoid": _of_reply(lambda message, via: via.protocol),
            "cntvia": _count_of_reply("via"),
            "cntrr": _count_of_reply("record-route"),
        },
    ),
)
