"""A server from its start to its end: what it listens on, the signals that end it, and the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import signal
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from evapi_cfg.modules import evapi
from evapi_cfg.modules.context import Level, Log
from evapi_cfg.modules.http_async_client.state import NAME as HTTP_ASYNC_CLIENT
from evapi_cfg.runtime.app import App
from evapi_cfg.server.addresses import CannotListen, shown
from evapi_cfg.server.doors import Door
from evapi_cfg.server.events import EventServer, Limits
from evapi_cfg.server.http_client import check_installed
from evapi_cfg.server.log_stream import LogStream
from evapi_cfg.server.metrics import MetricsAddress, MetricsServer
from evapi_cfg.server.notify import Notifier
from evapi_cfg.server.reload import Reloader, Reloading
from evapi_cfg.server.rpc import RpcPath, RpcServer
from evapi_cfg.server.sip import SipServer

# When the collector looks for cycles. What a message or a transaction makes goes without it, so that looking often only
# costs: with tens of thousands of transactions alive, a third of all time with Python's own figures.
COLLECT: Final = (20_000, 500, 20)


async def serve(
    app: App,
    host: str | None = None,
    port: int | None = None,
    *,
    limits: Limits | None = None,
    sip: bool = False,
    rpc: Iterable[RpcPath] = (),
    door: Door | None = None,
    metrics: MetricsAddress | None = None,
) -> EventServer:
    """Serves a loaded configuration inside the running event loop, at its bind_addr if no other address is given.
    `sip`: also on the SIP sockets that it asks for; `app.sip_addresses` tells which they are. `rpc`: UNIX sockets on
    which JSON-RPC is answered. `door`: who may connect. `metrics`: where HTTP is answered for Prometheus; routes are
    timed where the app was loaded with Measures(timed=True).

    Port 0 is any free port; the server's `address` tells. End it with `await server.close()`.
    Raises CannotListen, and ImportError where the cfg asks HTTP servers and aiohttp is not installed, or for `metrics`
    where prometheus-client is not.
    """
    if app.engine.flush is not None or app.engine.hub.clients:
        raise RuntimeError("this App is served already, or has been connected to by hand: load another one")
    if HTTP_ASYNC_CLIENT in app.program.world.state and app.program.world.outside is None:
        check_installed()
    bound_host, bound_port = configured_address(app)
    server = EventServer(app.engine, limits, door)
    metrics_server = None if metrics is None else MetricsServer(server)
    sip_server = SipServer(server) if sip and app.wants_sip else None
    app.engine.sip_unasked = sip and sip_server is None
    rpc_server = RpcServer(server, rpc)
    rpc_server.bind()
    try:
        if metrics is not None and metrics_server is not None:
            await metrics_server.listen(*metrics)
        if sip_server is not None:
            app.sip_addresses = await sip_server.listen()
        await server.listen(bound_host if host is None else host, bound_port if port is None else port)
    except BaseException:
        server.end_sip()
        server.end_rpc()
        server.end_metrics()
        raise
    await rpc_server.start()
    if sip_server is not None:
        sip_server.start()  # behind event_route[core:worker-one-init]
    return server


def run_until_told(
    app: App,
    limits: Limits,
    stream: LogStream,
    ready: Callable[[EventServer], None],
    *,
    sip: bool = True,
    rpc: Iterable[RpcPath] = (),
    door: Door | None = None,
    metrics: MetricsAddress | None = None,
    reloading: Reloading | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT comes, then ends in order; a second signal ends at once. Raises CannotListen.
    `ready` is called once the server listens. `reloading` is how the file is read again when SIGHUP comes; certificates
    are read again with it."""
    import uvloop

    _raise_descriptor_limit()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_reporter(app.log))
        told, again = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: (again if told.is_set() else told).set())
        notifier = Notifier()
        reloader = None if reloading is None else Reloader(app, reloading)
        # Without a handler the signal would end a server that has just begun.
        loop.add_signal_handler(signal.SIGHUP, _nothing if reloader is None else reloader.begin)
        server = await serve(app, limits=limits, sip=sip, rpc=rpc, door=door, metrics=metrics)
        stream.attach(loop)
        ready(server)
        status = f"listening on {shown(*server.address)}"

        def begins() -> None:
            notifier.reloading()
            server.reload_certificates()

        if reloader is not None:
            reloader.begins, reloader.has_ended = begins, partial(notifier.ready, status)
        notifier.ready(status)
        # What is loaded by now stays: the collector need not look at it again.
        gc.enable()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT)
        try:
            await told.wait()
            if reloader is not None:
                reloader.close()
            notifier.stopping()
            closing = asyncio.ensure_future(server.close())
            at_once = asyncio.ensure_future(again.wait())
            await asyncio.wait({closing, at_once}, return_when=asyncio.FIRST_COMPLETED)
            for task in (closing, at_once):
                task.cancel()
            await asyncio.gather(closing, at_once, return_exceptions=True)
        finally:
            server.end_rpc()
            server.end_metrics()
            notifier.close()
            stream.attach(None)

    uvloop.run(main())


def _nothing() -> None:
    """There is nothing to read again."""


def _raise_descriptor_limit() -> None:
    """As many descriptors as this process may have: each client takes one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _reporter(log: Log) -> Callable[[asyncio.AbstractEventLoop, dict[str, object]], None]:
    """What the loop has to say goes to the log as one line, and its complaint about writing to what has just broken
    nowhere."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        log(Level.CRITICAL, "evapi", f"a bug in evapi-cfg: {context.get('message')}: {context.get('exception')!r}")

    return report


def configured_address(app: App) -> tuple[str, int]:
    """The address of modparam bind_addr; raises CannotListen where it is none."""
    bind_addr = app.program.world.str_param("evapi", "bind_addr", f"{evapi.DEFAULT_HOST}:{evapi.DEFAULT_PORT}")
    try:
        return evapi.parse_bind_addr(bind_addr)
    except ValueError as err:
        raise CannotListen(f"bind_addr `{bind_addr}`: {err}") from None
