"""What systemd wants to know of a service: that it is ready, reloads, stops, and still lives (sd_notify(3)).

A datagram to the socket that the environment names; where it names none, nothing happens.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time


class Notifier:
    """Tells the service manager. It takes its variables out of the environment: commands that routes run are not to
    speak for the server."""

    def __init__(self) -> None:
        path = os.environ.pop("NOTIFY_SOCKET", "")
        period = os.environ.pop("WATCHDOG_USEC", "")
        process = os.environ.pop("WATCHDOG_PID", "")
        # One that begins with @ is an abstract one: its first byte is NUL.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        for_this = not process or process == str(os.getpid())
        self._period = int(period) / 2e6 if path and for_this and period.isdecimal() else 0.0  # seconds
        self._timer: asyncio.TimerHandle | None = None

    def ready(self, status: str) -> None:
        """It serves, or serves again behind `reloading`; from now on it says in time that it lives."""
        self._tell("READY=1", f"STATUS={status}")
        if self._timer is None and self._period:
            self._live()

    def reloading(self) -> None:
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1", "STATUS=what has been received is run and delivered")

    def _live(self) -> None:
        self._tell("WATCHDOG=1")
        self._timer = asyncio.get_running_loop().call_later(self._period, self._live)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as made:
                made.setblocking(False)
                made.sendto("\n".join(lines).encode(), self._address)
        except (OSError, ValueError):  # nobody is there: then nobody waits for it either
            pass
