"""Kamailio's EVAPI: events to applications over TCP and their answers. Functions, modparams, $evapi and event routes.

Facts from evapi_mod.c and evapi_dispatch.c. Sockets are elsewhere: a client is reached through `World.hub`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from evapi_cfg.modules import own_rpc
from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.evapi import rpc
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.ranges import within
from evapi_cfg.modules.spec import (
    Arg,
    EventRoute,
    Function,
    KemiFunction,
    ModuleSpec,
    NameRefused,
    Param,
    PseudoVariable,
    Resolver,
    Routes,
    Variable,
)
from evapi_cfg.modules.tm.core import tm_of
from evapi_cfg.modules.tm.suspend import suspend
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import PVar
from evapi_cfg.values import Value

TAG_SIZE = 64  # a tag is shorter than this (EVAPI_TAG_SIZE)
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8448
CONNECTION_NEW = "evapi:connection-new"
CONNECTION_CLOSED = "evapi:connection-closed"
MESSAGE_RECEIVED = "evapi:message-received"
EVENTS = (CONNECTION_NEW, CONNECTION_CLOSED, MESSAGE_RECEIVED)
LazyText: TypeAlias = "str | Callable[[Run], str]"


def _nobody(run: Run) -> int:
    """The return code of a relay that reached nobody: only the dispatcher process knows (evapi_dispatch.c:
    _evapi_relay)."""
    return -1 if run.dispatcher else 1


def _refuse(run: Run, what: str, at: Span) -> int:
    run.log(Level.ERROR, "evapi", what, at)
    return -1


def evapi_relay(run: Run, evdata: str, at: Span) -> int:
    """To every client."""
    if not evdata:
        return _refuse(run, "evapi_relay: no data to relay", at)
    return 1 if run.world.hub.relay(evdata) else _nobody(run)


def evapi_multicast(run: Run, evdata: str, etag: str, at: Span) -> int:
    """To every client with the tag."""
    if not evdata or not etag:
        return _refuse(run, f"evapi_multicast: no {'data to relay' if etag else 'tag'}", at)
    return 1 if run.world.hub.multicast(evdata, etag) else _nobody(run)


def evapi_unicast(run: Run, evdata: str, etag: str, at: Span) -> int:
    """To the first client with the tag."""
    if not evdata or not etag:
        return _refuse(run, f"evapi_unicast: no {'data to relay' if etag else 'tag'}", at)
    return 1 if run.world.hub.unicast(evdata, etag) else _nobody(run)


# ---- with the request suspended: what is sent is put together afterwards, so that it can name the transaction


def _text_of(text: LazyText, run: Run) -> str:
    return text if isinstance(text, str) else text(run)


def _suspended(run: Run, name: str, at: Span) -> bool:
    tm = tm_of(run)
    if tm is None:
        _refuse(run, f"{name}: module tm is not loaded, so that nothing can be suspended", at)
        return False
    return suspend(tm, run, "evapi")


def _not_relayed(run: Run) -> int:
    return -2 if run.dispatcher else 1


def evapi_async_relay(run: Run, evdata: LazyText, at: Span) -> int:
    """Suspends the request, then sends to every client."""
    if not _suspended(run, "evapi_async_relay", at):
        return -1
    data = _text_of(evdata, run)
    if not data:
        return _refuse(run, "evapi_async_relay: no data to relay", at)
    return 1 if run.world.hub.relay(data) else _not_relayed(run)


def evapi_async_multicast(run: Run, evdata: LazyText, etag: LazyText, at: Span) -> int:
    if not _suspended(run, "evapi_async_multicast", at):
        return -1
    data, tag = _text_of(evdata, run), _text_of(etag, run)
    if not data or not tag:
        return _refuse(run, f"evapi_async_multicast: no {'data to relay' if tag else 'tag'}", at)
    return 1 if run.world.hub.multicast(data, tag) else _not_relayed(run)


def evapi_async_unicast(run: Run, evdata: LazyText, etag: LazyText, at: Span) -> int:
    if not _suspended(run, "evapi_async_unicast", at):
        return -1
    data, tag = _text_of(evdata, run), _text_of(etag, run)
    if not data or not tag:
        return _refuse(run, f"evapi_async_unicast: no {'data to relay' if tag else 'tag'}", at)
    return 1 if run.world.hub.unicast(data, tag) else _not_relayed(run)


def evapi_close(run: Run) -> int:
    """Closes the connection that the event is of; afterwards $evapi(*) is $null. -1 outside evapi's events, -2 where
    the connection has been closed already (evapi_dispatch.c: evapi_cfg_close, evapi_close_connection)."""
    client = run.client
    if client is None:
        return -2 if run.closed else -1
    run.closed = True
    run.world.hub.close(client)
    run.client = None
    run.text = None
    return 1


def evapi_close_arg(run: Run, _unused: str) -> int:
    return evapi_close(run)


def evapi_set_tag(run: Run, tname: str, at: Span) -> int:
    """Gives the connection its one tag; an empty one takes it away, as nothing can be sent to it."""
    if run.client is None:
        return -1
    if len(tname) >= TAG_SIZE:
        return _refuse(run, f"evapi_set_tag: the tag has {len(tname)} bytes, at most {TAG_SIZE - 1} are allowed", at)
    run.world.hub.set_tag(run.client, tname)
    return 1


def _srcaddr(run: Run) -> Value:
    return None if run.client is None else run.client.address


def _srcport(run: Run) -> Value:
    return None if run.client is None else run.client.port


def _conidx(run: Run) -> Value:
    return None if run.client is None else run.client.conidx


def _msg(run: Run) -> Value:
    return run.text


def _keep(run: Run, value: Value) -> None:
    """An assignment, which Kamailio takes and which changes nothing (evapi_dispatch.c: pv_set_evapi)."""


_VARIABLES = {
    "msg": Variable(_msg, _keep, attribute="text"),
    "conidx": Variable(_conidx, _keep, client="conidx"),
    "srcaddr": Variable(_srcaddr, _keep, client="address"),
    "srcport": Variable(_srcport, _keep, client="port"),
}


def _make(pvar: PVar, resolver: Resolver) -> Variable:
    assert pvar.inner is not None
    found = _VARIABLES.get(pvar.inner.value)
    if found is None:
        raise NameRefused(f"`$evapi({pvar.inner.value})` does not exist", pvar.inner.span, tuple(_VARIABLES))
    return found


def parse_bind_addr(value: str) -> tuple[str, int]:
    """`host`, `host:port`, `[v6]:port` or a bare IPv6 address; raises ValueError with what is wrong.

    Kamailio cuts at the last colon and so misreads IPv6 (evapi_mod.c: mod_init); here they work.
    """
    host, port = value, str(DEFAULT_PORT)
    if value.startswith("["):
        host, bracket, rest = value[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address is written `[address]:port`")
        port = rest[1:] if rest else port
    elif value.count(":") == 1:
        host, _, port = value.partition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"`{port}` is no port: a number from 1 to 65535 is")
    if not host:
        raise ValueError("the address is missing in front of the colon")
    if any(c.isspace() or c in "/,;" for c in host):
        raise ValueError(f"`{host}` is no address and no host name")
    return host, int(port)


def _check_bind_addr(value: int | str) -> str | None:
    try:
        _host, port = parse_bind_addr(str(value))
    except ValueError as err:
        return str(err)
    return None if port else "`0` is no port: a number from 1 to 65535 is"


def _check_event_callback(value: int | str) -> str | None:
    """The name of a function in a KEMI script: of Lua, Python, JavaScript or Ruby."""
    parts = str(value).split(".")
    if all(part.isascii() and part.isidentifier() for part in parts):
        return None
    return f"`{value}` is no name of a function"


def _suspending(name: str, call: Callable[..., int], arguments: int) -> Function:
    return Function(name, call, (Arg.TEXT,) * arguments, Routes.REQUEST, at=True, lazy=True)


FUNCTIONS: Final = (
    Function("evapi_relay", evapi_relay, (Arg.TEXT,), at=True),
    Function("evapi_multicast", evapi_multicast, (Arg.TEXT, Arg.TEXT), at=True),
    Function("evapi_unicast", evapi_unicast, (Arg.TEXT, Arg.TEXT), at=True),
    _suspending("evapi_async_relay", evapi_async_relay, 1),
    _suspending("evapi_async_multicast", evapi_async_multicast, 2),
    _suspending("evapi_async_unicast", evapi_async_unicast, 2),
    Function("evapi_close", evapi_close),
    Function("evapi_close", evapi_close_arg, (Arg.STRING,)),
    Function("evapi_set_tag", evapi_set_tag, (Arg.TEXT,), at=True),
)


def _ki_close(run: Run) -> int:
    """0 where the cfg's function gives 1: it is the C function itself (evapi_mod.c: sr_kemi_evapi_exports)."""
    code = evapi_close(run)
    return 0 if code > 0 else code


_same: Final = same(FUNCTIONS)

KEMI: Final = (
    _same("evapi_relay", str, name="relay"),
    _same("evapi_multicast", str, str, name="relay_multicast"),
    _same("evapi_unicast", str, str, name="relay_unicast"),
    _same("evapi_async_relay", str, name="async_relay"),
    _same("evapi_async_multicast", str, str, name="async_multicast"),
    _same("evapi_async_unicast", str, str, name="async_unicast"),
    KemiFunction("close", _ki_close),
    _same("evapi_set_tag", str, name="set_tag"),
)

MODULE = ModuleSpec(
    name="evapi",
    functions=FUNCTIONS,
    params=(
        Param("workers", int, 1, check=within(0)),
        Param("bind_addr", str, f"{DEFAULT_HOST}:{DEFAULT_PORT}", check=_check_bind_addr),
        Param("netstring_format", int, 1),
        Param("event_callback", str, check=_check_event_callback, taken=True),
        Param("max_clients", int, 8, check=within(0)),
        Param("wait_idle", int, 500000),
        Param("wait_increase", int, 3),
        Param("send_task_timeout", int, 0),
        Param("send_data_timeout", int, 0),
        Param("context_mlimit", int, 0),
    ),
    pvs=(PseudoVariable("evapi", _make, inner="required", writable=True, names=tuple(_VARIABLES)),),
    event_routes=tuple(EventRoute(name, "event_callback") for name in EVENTS),
    kemi=KEMI,
    rpc=(*rpc.COMMANDS, *own_rpc.COMMANDS),
    doc="events to applications over TCP, and their answers",
)
