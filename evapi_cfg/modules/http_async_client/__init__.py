"""http_async_client: queries to HTTP servers, whose answers run a route (modules/http_async_client).

A request with a transaction is suspended until then, and goes on with that route; for all others the script goes on at
once, and the route has a message of its own. Who speaks HTTP is `World.outside`.
"""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

from evapi_cfg.modules.context import Level, Run, World, nothing_more
from evapi_cfg.modules.http_async_client.state import NAME, State, state_of, taken_settings
from evapi_cfg.modules.http_async_client.variables import VARIABLES, Reply
from evapi_cfg.modules.outside import Answer
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, ModuleSpec, Param
from evapi_cfg.modules.tm.core import Tm, tm_of
from evapi_cfg.modules.tm.suspend import cancel_suspension, resume, suspend
from evapi_cfg.source import Span, show

_LONGEST_ROUTE: Final = 62  # MAX_CBNAME_LEN
_EVENT: Final = f"{NAME}:callback"  # what a function of a script is told, but for a resumed request


class _Asked(NamedTuple):
    """A query that is under way: what its answer runs, and the numbers of the transaction that waits for it."""

    id: str
    route: str
    transaction: tuple[int, int] | None


def _refuse(run: Run, what: str, at: Span) -> int:
    run.log(Level.ERROR, NAME, f"http_async_query: {what}", at)
    return -1


def http_async_query(run: Run, url: str, route: str, at: Span) -> int:
    """Sends a query: 0 with the request suspended, else 1."""
    if not url or not route:
        return _refuse(run, f"there is no {'route' if url else 'URL'}", at)
    if len(route) > _LONGEST_ROUTE:
        return _refuse(run, f"the route's name {show(route)!r} is longer than {_LONGEST_ROUTE}", at)
    world = run.world
    if world.outside is None:
        return _refuse(run, "nobody is there to send it: the app is not served", at)
    settings = taken_settings(run)
    query = settings.query(world, url)
    tm, transaction = tm_of(run), run.transaction
    numbers: tuple[int, int] | None = None
    if settings.suspend and tm is not None and transaction is not None:
        if not suspend(tm, run, NAME):
            return _refuse(run, "the request cannot be suspended", at)
        numbers = transaction.index, transaction.label
    asked = _Asked(state_of(world).next_id(run), route, numbers)
    if isinstance(run.answer, Reply):
        run.answer.id = asked.id
    if not world.outside.fetch(query, partial(_answered, world, asked)):
        if tm is not None and transaction is not None and numbers is not None:
            cancel_suspension(tm, run, transaction)
        return _refuse(run, "too many queries wait for their answers", at)
    return 1 if numbers is None else 0


def _answered(asking: World, asked: _Asked, answer: Answer) -> None:
    """Runs the route that was named: that of the program in force, else of the one that has asked."""
    world = asking.line.current
    needed = (NAME,) if asked.transaction is None else (NAME, "tm")
    if not world.has_route(asked.route) or any(name not in world.state for name in needed):
        world = asking
    state = state_of(world)
    if answer.text is None:
        _log(world, Level.ERROR, f"a query has failed: {answer.error or 'this is no URL'}")
    elif answer.hops and not state.hinted:
        state.hinted = True
        hint = "Kamailio gives the first of them where they come over one connection, with the others as its body"
        _log(world, Level.NOTICE, f"a query led to {answer.hops + 1} answers, and the last one counts: {hint}")
    route = world.later_route(asked.route, _EVENT if asked.transaction is None else "")
    if route is None:
        _log(world, Level.ERROR, f"there is no route[{show(asked.route)}] for an answer")
        return
    run = Run(world, state.vars(world), None, None)
    run.dispatcher = False
    run.kind = Routes.REQUEST
    run.route = f"route[{asked.route}]" if asked.transaction is None else "http_async_query"  # which resumes that one
    run.answer = Reply(answer, asked.id)
    if asked.transaction is None:
        world.perform(route, run, nothing_more)
        return
    tm = world.state["tm"]
    assert isinstance(tm, Tm)
    index, label = asked.transaction
    if tm.table.by_id(index, label) is None:
        _log(world, Level.ERROR, f"the transaction {index}:{label} is gone, and the answer for it is dropped")
        return
    world.perform(lambda run: resume(tm, run, index, label, asked.route), run, nothing_more)


def _reload(world: World, before: World) -> None:
    state_of(world).take_over(state_of(before))


def _log(world: World, level: Level, message: str) -> None:
    if level <= world.log.threshold:
        world.log(level, NAME, message)


def _check_workers(value: int | str) -> str | None:
    return None if isinstance(value, int) and value >= 1 else "there must be at least 1 worker"


def _check_memory_manager(value: int | str) -> str | None:
    return None if str(value).startswith(("shm", "sys")) else "it is `shm` or `sys`"


MODULE = ModuleSpec(
    NAME,
    functions=(Function("http_async_query", http_async_query, (Arg.TEXT, Arg.ROUTE), Routes.ANY, at=True),),
    params=(
        Param("workers", int, 1, check=_check_workers),
        Param("connection_timeout", int, 500),
        Param("hash_size", int, 2048),
        Param("tls_version", int, 0),
        Param("tls_verify_host", int, 1),
        Param("tls_verify_peer", int, 1),
        Param("curl_verbose", int, 0),
        Param("curl_follow_redirect", int, 0),
        Param("tls_client_cert", str),
        Param("tls_client_key", str),
        Param("tls_ca_path", str),
        Param("memory_manager", str, "shm", check=_check_memory_manager),
        Param("authmethod", int, 3),
        Param("tcp_keepalive", int, 0),
        Param("tcp_ka_idle", int, 0),
        Param("tcp_ka_interval", int, 0),
    ),
    pvs=VARIABLES,
    kemi=(KemiFunction("query", http_async_query, (str, str), at=True),),
    init=State,
    reload=_reload,
    doc="queries to HTTP servers, and routes that go on with their answers",
)
