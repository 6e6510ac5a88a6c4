"""Contacts that are hidden behind this server's address and brought back (modules/siputils/contact_ops.c)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.core_uri import MAX_URI
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.siputils.state import NAME, state_of
from evapi_cfg.modules.siputils.uris import params_of, without_param
from evapi_cfg.modules.spec import Arg, Function, NoValue
from evapi_cfg.modules.transformations.encodings import decode_base64url, encode_base64url, padded, trimmed
from evapi_cfg.modules.transformations.params import named
from evapi_cfg.sip.contact import parse_contacts
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.soundness import sound
from evapi_cfg.sip.uri import parse_uri
from evapi_cfg.source import show

_BAD_URI: Final = -479  # core/error.h: E_BAD_URI
_SHORTEST: Final = 5  # of a URI that parse_uri looks at
_KIND: Final = "contact"

Place = tuple[str, int]  # a URI and where it stands in the message


def _first_header(run: Run, message: Message) -> list[Place] | int:
    """The addresses of the first Contact header; else the code that the function gives."""
    header = message.first(_KIND)
    if header is None or not sound(message, (_KIND,)):
        run.log(Level.ERROR, NAME, "the message has no Contact")
        return -1
    contacts = parse_contacts(header.body)
    if contacts is None:
        run.log(Level.ERROR, NAME, f"Contact cannot be read: {show(header.body)!r}")
        return -4
    return [(contact.uri, header.body_at + contact.at) for contact in contacts]


def _all_headers(message: Message) -> list[Place] | None:
    """The addresses of all Contact headers; None where there is none, or where one cannot be read."""
    headers = message.all(_KIND)
    if not headers or not sound(message):
        return None
    places: list[Place] = []
    for header in headers:
        contacts = parse_contacts(header.body)
        if contacts is None:
            return None
        places += [(contact.uri, header.body_at + contact.at) for contact in contacts]
    return places


# ---- sip:prefix*user*password*host*port*transport@address -----------------------------------------------------------


def _encoded(uri: str, prefix: str, address: str, separator: str) -> str | int:
    """The URI with all that matters of it in its user; a negative code where that cannot be."""
    colon = uri.find(":")
    if colon < 0:
        return -25
    if colon < 3:
        return -26
    scheme = uri[: colon + 1]
    parsed = parse_uri(uri[colon - 3 :])
    if parsed is None:
        return (-1 if len(uri) - colon + 3 < _SHORTEST else _BAD_URI) - 30
    fields = (prefix, parsed.user, parsed.password, parsed.host, parsed.port or "", parsed.transport or "")
    return f"{scheme}{separator.join(fields)}@{address}"


def _decoded(uri: str, separator: str) -> str | int:
    """What `_encoded` was given."""
    if not uri:
        return -1
    scheme, colon, rest = uri.partition(":")
    if not colon:
        return -22
    user, at, host = rest.partition("@")
    if not at:
        return -23
    fields = user.split(separator)
    if len(fields) != 6:
        return -26 if len(fields) < 6 else -24
    _, name, password, address, port, transport = fields
    if not address:
        return -2
    if password and not name:
        return -3
    if name:
        name = f"{name}:{password}@" if password else f"{name}@"
    end = min((place for char in ";>" if (place := host.find(char)) >= 0), default=len(host))
    port = f":{port}" if port else ""
    transport = f";transport={transport}" if transport else ""
    return f"{scheme}:{name}{address}{port}{transport}{host[end:]}"


def _rewrite(run: Run, change: Callable[[str], str | int], done: str) -> int:
    """Puts another URI in the place of each of the first Contact header; a number is the code of what cannot be."""
    message = current_message(run)
    places = _first_header(run, message)
    if isinstance(places, int):
        return places
    for uri, at in places:
        new = change(uri)
        if isinstance(new, int):
            run.log(Level.ERROR, NAME, f"the contact cannot be {done}: {show(uri)!r}")
            return new
        message.edit(at, len(uri), new)
    return 1


def _encode_contact(run: Run, prefix: str, address: str) -> int:
    separator = state_of(run).separator
    return _rewrite(run, lambda uri: _encoded(uri, prefix, address, separator), "encoded")


def _decode_contact_header(run: Run) -> int:
    separator = state_of(run).separator
    return _rewrite(run, lambda uri: _decoded(uri, separator), "decoded")


def _decode_contact(run: Run) -> int:
    """The request URI becomes the contact that it hides."""
    message = current_message(run)
    new = _decoded(message.request_uri, state_of(run).separator)
    if isinstance(new, int):
        run.log(Level.ERROR, NAME, f"the request URI cannot be decoded: {show(message.request_uri)!r}")
        return new
    message.new_uri = new
    return 1


# ---- address;name=encoded -------------------------------------------------------------------------------------------


def _param_encode(run: Run, name: str, address: str) -> int:
    return _encode_into(run, name, address, "")


def _param_encode_alias(run: Run, name: str, address: str) -> int:
    """The hidden URI also gets an alias parameter with where the message came from."""
    received = current_message(run).received
    source = f"[{received.source}]" if ":" in received.source else received.source
    return _encode_into(run, name, address, f";alias={source}~{received.source_port}~{received.protocol}")


def _encode_into(run: Run, name: str, address: str, more: str) -> int:
    message = current_message(run)
    if message.first(_KIND) is None:
        return 1
    places = _first_header(run, message)
    if isinstance(places, int):
        return places
    for uri, at in places:
        if len(uri) <= 4:
            continue
        value = trimmed(encode_base64url(uri + more)) if len(uri) < MAX_URI else ""
        if not 0 < len(value) < MAX_URI:
            run.log(Level.ERROR, NAME, f"the contact is too long to be encoded: {show(uri)!r}")
            return -1
        new = f"{address};{name}={value}"
        if message.text[at - 1] != "<":
            new = f"<{new}>"
        if len(new) >= MAX_URI:
            run.log(Level.ERROR, NAME, f"the new contact is of {len(new)} bytes; below {MAX_URI} are the limit")
            return -2
        message.edit(at, len(uri), new)
    return 1


def _hidden(run: Run, text: str, name: str) -> str | int | None:
    """The URI that a parameter hides; None where there is no such parameter, -1 where it cannot be read."""
    uri = parse_uri(text)
    if uri is None:
        run.log(Level.ERROR, NAME, f"{show(text)!r} is no URI")
        return -1
    params, _ = params_of(text, uri)
    param = named(params, name) if params else None
    if param is None or not param.body:
        return None
    try:
        hidden = decode_base64url(padded(param.body)) if len(param.body) < MAX_URI else ""
    except NoValue:
        hidden = ""
    if not hidden:
        run.log(Level.ERROR, NAME, f"the parameter {show(name)} hides nothing that can be read: {show(text)!r}")
    return hidden or -1


def _long_enough(places: list[Place]) -> Iterator[Place]:
    return (place for place in places if len(place[0]) >= 4)


def _param_decode(run: Run, name: str) -> int:
    message = current_message(run)
    for uri, at in _long_enough(_all_headers(message) or []):
        hidden = _hidden(run, uri, name)
        if isinstance(hidden, int):
            return hidden
        if hidden is not None:
            message.edit(at, len(uri), hidden)
    return 1


def _param_decode_ruri(run: Run, name: str) -> int:
    message = current_message(run)
    hidden = _hidden(run, message.request_uri, name)
    if isinstance(hidden, int):
        return hidden
    if hidden is not None:
        message.new_uri = hidden
    return 1


def _param_rm(run: Run, name: str) -> int:
    message = current_message(run)
    for uri, at in _long_enough(_all_headers(message) or []):
        if parse_uri(uri) is None:
            run.log(Level.ERROR, NAME, f"{show(uri)!r} is no URI")
            return -1
        place = without_param(uri, name)
        if isinstance(place, bool):
            run.log(Level.ERROR, NAME, f"the URI's parameters cannot be read: {show(uri)!r}")
        elif place is not None and place[0] >= 0:
            message.edit(at + place[0], place[1] - place[0], "")
    return 1


def _param_check(run: Run, name: str) -> int:
    """Whether one of the contacts has the parameter; a message without contacts passes."""
    places = _all_headers(current_message(run))
    if places is None:
        return 1
    for uri, _ in _long_enough(places):
        parsed = parse_uri(uri)
        if parsed is None:
            run.log(Level.ERROR, NAME, f"{show(uri)!r} is no URI")
            return -1
        params, _begin = params_of(uri, parsed)
        if params and named(params, name) is not None:
            return 1
    return -1


_TEXT: Final = (Arg.TEXT,)
_TEXTS: Final = (Arg.TEXT, Arg.TEXT)
_ROUTES: Final = Routes.REQUEST | Routes.ONREPLY

FUNCTIONS: Final = (
    Function("encode_contact", _encode_contact, (Arg.STRING, Arg.STRING), _ROUTES),
    Function("decode_contact", _decode_contact, (), Routes.REQUEST),
    Function("decode_contact_header", _decode_contact_header, (), _ROUTES | Routes.FAILURE),
    Function("contact_param_encode", _param_encode, _TEXTS, _ROUTES),
    Function("contact_param_encode_alias", _param_encode_alias, _TEXTS, _ROUTES),
    Function("contact_param_decode", _param_decode, _TEXT, _ROUTES),
    Function("contact_param_decode_ruri", _param_decode_ruri, _TEXT, Routes.REQUEST),
    Function("contact_param_rm", _param_rm, _TEXT, _ROUTES),
    Function("contact_param_check", _param_check, _TEXT),
)

_same: Final = same(FUNCTIONS)

KEMI: Final = (
    *(_same(name, str, str) for name in ("encode_contact", "contact_param_encode", "contact_param_encode_alias")),
    *(_same(name) for name in ("decode_contact", "decode_contact_header")),
    *(
        _same(name, str)
        for name in ("contact_param_decode", "contact_param_decode_ruri", "contact_param_rm", "contact_param_check")
    ),
)
