"""Accepting connections, many at a time, and resting when there are no descriptors left."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial

from evapi_cfg.modules.context import Level, Log
from evapi_cfg.server.addresses import NO_DESCRIPTORS, plain, reason
from evapi_cfg.server.doors import Door
from evapi_cfg.server.keepalive import Keepalive

AT_A_TIME = 256  # connections that are taken before connected clients get their turn
RETRY = 0.25  # seconds until accepting is tried again when there are no descriptors left
SAY = 10.0  # seconds until that is said again
# Bytes that the kernel takes for a peer and has not sent. It would take megabytes for each, and when it has no more
# memory for that it throws away what is on its way to others: each such piece comes 200 ms later.
NOT_SENT = 1 << 19


class Acceptor:
    """Accepts on one listening socket from `start` to `stop`. `protocol` gives what looks after a connection from an
    address and port, before it is made; `source` is whose log lines are written. A `door` says who comes in."""

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[str, int], asyncio.Protocol],
        keepalive: Keepalive,
        log: Log,
        source: str,
        door: Door | None = None,
    ) -> None:
        keepalive.set_on(listening)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(AttributeError, OSError):  # not on all systems
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT)
        self._socket: socket.socket | None = listening
        self._protocol = protocol
        self._log = log
        self._source = source
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._told = -SAY
        self._retry: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._retry = None
        if self._socket is not None:
            self._loop.add_reader(self._socket.fileno(), self._accept)

    def stop(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def somebody_left(self) -> None:
        """There may be a descriptor again."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
            self._loop.call_soon(self.start)

    def _accept(self) -> None:
        """Takes all connections that are waiting, up to a bound."""
        assert self._socket is not None
        door = self._door
        for _ in range(AT_A_TIME):
            if door is not None and door.is_full(self.start):
                self._loop.remove_reader(self._socket.fileno())
                return
            try:
                accepted, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as err:
                if err.errno in NO_DESCRIPTORS:
                    self._rest(err)
                return
            host, port = plain(address[0]), address[1]
            if door is not None and not door.admits(host):
                accepted.close()
                continue
            accepted.setblocking(False)
            if door is not None and door.secure:
                door.shake_hands(accepted, host, partial(self._protocol, host, port))
                continue
            # Now, not when the loop has adopted it: what comes behind it on another socket must find it there.
            protocol = self._protocol(host, port)
            task = self._loop.create_task(self._adopt(accepted, protocol))
            task.add_done_callback(_ignore_lost)

    async def _adopt(self, accepted: socket.socket, protocol: asyncio.Protocol) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, accepted)
        except OSError as err:
            accepted.close()
            protocol.connection_lost(err)

    def _rest(self, err: OSError) -> None:
        assert self._socket is not None
        self._loop.remove_reader(self._socket.fileno())
        now = self._loop.time()
        if now - self._told >= SAY:
            self._told = now
            self._log(Level.ERROR, self._source, f"cannot accept: {reason(err)}; tried again every {RETRY:g} s")
        self._retry = self._loop.call_later(RETRY, self.start)


def _ignore_lost(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
