"""Selects, `@a.b[1].c`: the old way to name a part of the message (core/select_core.h, select.c).

Those that exist in the core are known by name; what a select gives here is read from the same message as the
pseudo-variables. Modules declare theirs in their specs. A select that does not exist, or that is not read here, is
refused when the file is loaded.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Getter, Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.core_select_parts import uri_part
from evapi_cfg.modules.spec import NameRefused, Resolver, SelectPath
from evapi_cfg.sip.headers import header_kind
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.uri import PROTOCOL_NAMES, Address, parse_address
from evapi_cfg.sip.via import Via
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value

_STEP: Final = re.compile(r'\.?([A-Za-z_][A-Za-z0-9_-]*)(?:\[(-?\d+|%|"[^"]*")\])?')
Reader = Callable[[Message], Value]
Step = tuple[str, str | None]  # a name and what stands in brackets behind it

_HEADERS: Final = {
    "call_id": "call-id", "cseq": "cseq", "content_type": "content-type", "content_length": "content-length",
    "max_forwards": "max-forwards", "user_agent": "user-agent", "expires": "expires", "subject": "subject",
    "organization": "organization", "priority": "priority", "session_expires": "session-expires", "min_se": "min-se",
    "sip_if_match": "sip-if-match", "event": "event", "date": "date", "identity": "identity",
    "identity_info": "identity-info",
}  # fmt: skip
_ADDRESSES: Final = {
    "from": "from", "f": "from", "to": "to", "t": "to", "refer_to": "refer-to", "remote_party_id": "remote-party-id",
    "rpid": "remote-party-id", "contact": "contact", "m": "contact", "record_route": "record-route",
    "rr": "record-route",
}  # fmt: skip
NAMES: Final = (
    "cfg_get", "ruri", "request_uri", "dst_uri", "next_hop", "method", "version", "msg", "message", "via", "v", "src",
    "dst", "received", "sys", "branch", *_HEADERS, *_ADDRESSES,
)  # fmt: skip


def select(text: Text, resolver: Resolver) -> Getter:
    """What `$sel(text)` reads (pv_select.c). Raises NameRefused."""
    steps = _steps(text)
    declared = resolver.declared_select(steps[0][0].lower())
    if declared is None:
        return _of_core(steps, text)
    selected = declared.make(_path(steps)[1:])
    if selected is None or not selected.resolved:
        raise NameRefused(f"there is no select `@{show(text.value)}`", text.span)
    return selected.get


def script_select(text: Text, resolver: Resolver) -> Getter:
    """What `@text` in a script reads (core/rvalue.c: RV_SEL). Raises NameRefused."""
    steps = _steps(text)
    declared = resolver.declared_select(steps[0][0].lower())
    if declared is None:
        return _of_core(steps, text)
    selected = declared.make(_path(steps)[1:])
    if selected is None:
        return lambda run: None
    get = selected.get
    if not selected.always:
        return get
    return lambda run: "" if (value := get(run)) is None else value


def path_of(text: Text) -> SelectPath:
    """The whole path of `@text`. Raises NameRefused where it is of another form."""
    return _path(_steps(text))


def _path(steps: list[Step]) -> SelectPath:
    """Names and what stands in brackets behind them, one after the other."""
    path: list[str | int] = []
    for name, index in steps:
        path.append(name)
        if index is not None:
            path.append(int(index) if index.lstrip("-").isdigit() else index.strip('"'))
    return tuple(path)


def _of_core(steps: list[Step], text: Text) -> Getter:
    get = _find(steps, text)
    if get is None:
        first = steps[0][0]
        if first not in NAMES:
            raise NameRefused(f"unknown select `@{show(first)}`", text.span, NAMES)
        return _not_run(text)
    return get


def _not_run(text: Text) -> Getter:
    """A select of Kamailio that does not run here: it says so once, and is $null."""
    told = False

    def get(run: Run) -> Value:
        nonlocal told
        if not told:
            told = True
            run.log(Level.ERROR, "core", f"`@{show(text.value.removeprefix('@'))}` does not run here", text.span)
        return None

    return get


def _steps(text: Text) -> list[Step]:
    value = text.value.removeprefix("@")
    steps: list[Step] = []
    at = 0
    while at < len(value):
        match = _STEP.match(value, at)
        if match is None or (at == 0) == value.startswith(".", at):
            raise NameRefused(f"`@{show(value)}` is not of the form `@name.name[index]`", text.span)
        steps.append((match[1], match[2]))
        at = match.end()
    if not steps:
        raise NameRefused("a select needs a name", text.span)
    return steps


def _find(steps: list[Step], text: Text) -> Getter | None:
    (name, index), rest = steps[0], steps[1:]
    if name == "cfg_get":
        return _setting(rest)
    if name == "sys":
        return _system(rest)
    reader = _reader(name, index, rest)
    return None if reader is None else lambda run: reader(current_message(run))


def _reader(name: str, index: str | None, rest: list[Step]) -> Reader | None:
    if name in ("ruri", "request_uri"):
        return _uri(lambda message: message.request_uri, rest)
    if name == "dst_uri":
        return _uri(lambda message: message.dst_uri, rest)
    if name == "next_hop":
        return _uri(lambda message: message.dst_uri or message.request_uri, rest)
    if name in ("msg", "message"):
        return _message(rest)
    if name in ("via", "v"):
        return _via(int(index) if index and index.lstrip("-").isdigit() else 1, rest)
    if name in ("src", "dst", "received"):
        return _received(name, rest)
    if name == "branch":
        return (lambda message: str(len(message.branches))) if rest == [("count", None)] else None
    if name in _ADDRESSES:
        return _address(_ADDRESSES[name], rest)
    if name == "cseq" and len(rest) == 1 and rest[0][0] in ("num", "method"):
        part = 0 if rest[0][0] == "num" else 1
        return lambda message: message.cseq[part] or None
    if rest:
        return None
    if name == "method":
        return lambda message: message.method or None
    if name == "version":
        return lambda message: message.version
    kind = _HEADERS.get(name)
    if kind is None:
        return None
    return lambda message: header.body if (header := message.first(kind)) else None


def _uri(read: Callable[[Message], str | None], rest: list[Step]) -> Reader | None:
    if not rest:
        return read
    part = uri_part(_path(rest))
    if part is None:
        return None
    return lambda message: part(text) if (text := read(message)) else None


def _address(kind: str, rest: list[Step]) -> Reader | None:
    def address_of(message: Message) -> Address | None:
        values = message.values(kind) if kind in ("contact", "record-route") else None
        if values is None:
            return message.address(kind)
        return parse_address(values[0]) if values else None

    if not rest:
        return lambda message: header.body if (header := message.first(kind)) else None
    (part, _), more = rest[0], rest[1:]
    if part == "uri":
        return _uri(lambda message: address.uri if (address := address_of(message)) else None, more)
    if part == "name" and not more:
        return lambda message: (address.display or None) if (address := address_of(message)) else None
    if part == "params" and len(more) == 1:
        key = more[0][0].lower()
        return lambda message: address.param(key) if (address := address_of(message)) else None
    if part in ("tag", "q", "expires", "received") and not more:
        return lambda message: (address.param(part) or None) if (address := address_of(message)) else None
    return None


def _via(place: int, rest: list[Step]) -> Reader | None:
    """`@via[n]`: counted from 1; from the end where n is negative."""

    def pick(message: Message) -> Via | None:
        vias = message.vias
        at = place - 1 if place > 0 else place + len(vias)
        return vias[at] if 0 <= at < len(vias) else None

    if not rest:
        return lambda message: via.text if (via := pick(message)) else None
    parts: dict[str, Callable[[Via], Value]] = {
        "name": lambda via: "SIP",
        "version": lambda via: "2.0",
        "transport": lambda via: via.transport,
        "host": lambda via: via.host,
        "port": lambda via: str(via.port) if via.port else None,
        "branch": lambda via: via.param("branch") or None,
        "received": lambda via: via.param("received") or None,
        "rport": lambda via: via.param("rport") or None,
        "i": lambda via: via.param("i") or None,
        "alias": lambda via: via.param("alias") or None,
    }
    (part, _), more = rest[0], rest[1:]
    if part == "params" and len(more) == 1:
        key = more[0][0].lower()
        return lambda message: via.param(key) if (via := pick(message)) else None
    get = parts.get(part)
    if get is None or more:
        return None
    return lambda message: get(via) if (via := pick(message)) else None


def _message(rest: list[Step]) -> Reader | None:
    if not rest:
        return lambda message: message.text
    (part, _), more = rest[0], rest[1:]
    if part in ("header", "h") and len(more) == 1:
        kind = header_kind(more[0][0].replace("_", "-"))
        place = int(more[0][1] or 1)
        return _header(kind, place)
    if part in ("request", "req") and len(more) >= 1:
        if more[0][0] == "uri":
            return _uri(lambda message: message.uri or None, more[1:])
        if more == [("method", None)]:
            return lambda message: message.method or None
        return (lambda message: message.version) if more == [("version", None)] else None
    if more:
        return None
    parts: dict[str, Reader] = {
        "first_line": lambda message: message.text.partition("\n")[0].rstrip("\r"),
        "flags": lambda message: f"{message.flags:032b}",
        "len": lambda message: str(len(message.text)),
        "id": lambda message: str(message.number),
        "type": lambda message: "1" if message.is_request else "2",
        "body": lambda message: message.body,
        "content": lambda message: message.body,
    }
    return parts.get(part)


def _header(kind: str, place: int) -> Reader:
    def value(message: Message) -> Value:
        found = message.all(kind)
        at = place - 1 if place > 0 else place + len(found)
        return found[at].body if 0 <= at < len(found) else None

    return value


def _received(name: str, rest: list[Step]) -> Reader | None:
    """`@src.ip` and its like."""
    if len(rest) != 1 or rest[0][1] is not None:
        return None
    part = rest[0][0]

    def ends(message: Message) -> tuple[str, int]:
        received = message.received
        if name == "src":
            return received.source, received.source_port
        return received.destination, received.destination_port

    parts: dict[str, Reader] = {
        "ip": lambda message: ends(message)[0],
        "port": lambda message: str(ends(message)[1]),
        "ip_port": lambda message: "{}:{}".format(*ends(message)),
    }
    if name == "received":
        parts["proto"] = lambda message: PROTOCOL_NAMES[message.received.protocol]
        parts["proto_ip_port"] = lambda message: "{}:{}:{}".format(
            PROTOCOL_NAMES[message.received.protocol], *ends(message)
        )
    return parts.get(part)


def _setting(rest: list[Step]) -> Getter | None:
    """`@cfg_get.group.name`: a setting of the file, `group.name = value`, or of the instance that cfg_select chose."""
    if len(rest) != 2 or rest[0][1] is not None:
        return None
    group, name = rest[0][0], rest[1][0]

    def get(run: Run) -> Value:
        world = run.world
        place = world.selected.get(group)
        value = None if place is None else world.custom_instances.get((group, place), {}).get(name)
        if value is None:
            value = world.custom.get((group, name))
        if value is None and group == "core":
            value = int(world.log.threshold) if name == "debug" else world.core.get(name)
        if value is None:
            run.log(Level.ERROR, "core", f"there is no setting {show(group)}.{show(name)}")
            return None
        return str(value)

    return get


def _system(rest: list[Step]) -> Getter | None:
    names = [name for name, _ in rest]
    if names == ["pid"]:
        return lambda run: str(run.world.pid)
    if names == ["server_id"]:
        return lambda run: str(run.world.core.get("server_id", 0))
    if names == ["now"]:
        return lambda run: str(int(run.world.clock.now()))
    if names in (["now", "local"], ["now", "gmt"], ["now", "utc"]):
        broken = time.localtime if names[1] == "local" else time.gmtime
        return lambda run: time.asctime(broken(run.world.clock.now()))
    return None
