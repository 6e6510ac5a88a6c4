"""Closing connections without losing what is on its way.

A socket that is closed while the peer's bytes lie in it unread makes the kernel reset the connection and throw away
what the peer has not yet got. So only our direction is closed at first; what still comes is read and dropped until the
peer closes its own, or has everything and shows no sign of closing.
"""

from __future__ import annotations

import asyncio
from typing import Final

from evapi_cfg.server.keepalive import arrived

LOOK: Final = 0.02  # seconds between two looks at those who are leaving
GRACE: Final = 0.25  # seconds to close for a peer that has all that was sent


class Parting:
    """The connections that are being closed. `linger`: seconds after which a peer that does not read is given up."""

    def __init__(self, linger: float) -> None:
        self._linger = linger
        self._loop = asyncio.get_running_loop()
        self._leaving: dict[asyncio.Transport, list[float]] = {}  # when given up, and when it had all
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, transport: asyncio.Transport) -> None:
        """Closes a connection behind what was written. Whoever gets its bytes must drop them from now on."""
        if transport in self._leaving or transport.is_closing():
            return
        if not transport.can_write_eof():
            transport.close()
        else:
            try:
                transport.write_eof()
                transport.resume_reading()
            except (OSError, RuntimeError):  # broken; connection_lost will tell
                transport.abort()
                return
        self._leaving[transport] = [self._loop.time() + self._linger, 0.0]
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK, self._look)

    def left(self, transport: asyncio.Transport) -> None:
        self._leaving.pop(transport, None)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        for transport, times in list(self._leaving.items()):
            given_up, complete = times
            if now >= given_up:
                self.left(transport)
                transport.abort()
            elif complete:
                if now >= complete + GRACE:
                    self.left(transport)
                    if transport.is_closing():  # TLS: the peer does not say that it closes as well
                        transport.abort()
                    else:
                        transport.close()
            elif not transport.get_write_buffer_size() and arrived(transport.get_extra_info("socket")):
                times[1] = now
        if self._leaving:
            self._timer = self._loop.call_later(LOOK, self._look)
