"""How the kernel finds out that a peer is gone without a word: its power, its network, its half of the connection."""

from __future__ import annotations

import contextlib
import socket
import sys
from dataclasses import dataclass
from typing import Final

# Where the numbers stand in Linux's struct tcp_info (linux/tcp.h): tcpi_unacked, tcpi_bytes_acked, tcpi_notsent_bytes.
_UNACKED: Final = slice(24, 28)
_ACKED: Final = slice(120, 128)
_UNSENT: Final = slice(144, 148)
_TCP_INFO: Final = socket.TCP_INFO if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Seconds of silence before a peer is asked whether it is there, seconds between the questions, how many there are;
    and milliseconds that sent data may be without an answer."""

    idle: int
    interval: int
    count: int
    unanswered: int

    @classmethod
    def within(cls, seconds: float) -> Keepalive:
        """What finds a peer that is gone within so many seconds, at least 4.

        The kernel does not ask while sent data is without an answer, and counts for that from its sending: who is sent
        something just before the questions would end has both times. So each is half of what there is."""
        half = max(int(seconds / 2), 2)
        count = 3 if half > 3 else 1
        interval = max(half // 4, 1)
        # A little less than a whole number of intervals: at the last question the time is over for certain.
        return cls(half - count * interval, interval, count, half * 1000 - 400)

    def set_on(self, listening: socket.socket) -> None:
        """Sockets that are accepted have it from the one that listens."""
        for name, value in (
            ("TCP_KEEPIDLE", self.idle),
            ("TCP_KEEPALIVE", self.idle),  # another system's name of the same
            ("TCP_KEEPINTVL", self.interval),
            ("TCP_KEEPCNT", self.count),
            ("TCP_USER_TIMEOUT", self.unanswered),
        ):
            option = getattr(socket, name, None)
            if option is not None:
                with contextlib.suppress(OSError):
                    listening.setsockopt(socket.IPPROTO_TCP, option, value)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def taken(connected: socket.socket | None) -> int | None:
    """Bytes that the peer has acknowledged since it connected; None where the kernel does not tell."""
    known = _tcp_info(connected)
    return None if known is None else int.from_bytes(known[_ACKED], sys.byteorder)


def arrived(connected: socket.socket | None) -> bool:
    """Whether all that was sent is with the peer's kernel; True where ours does not tell."""
    known = _tcp_info(connected)
    return known is None or not (any(known[_UNACKED]) or any(known[_UNSENT]))


def _tcp_info(connected: socket.socket | None) -> bytes | None:
    """`connected`: None where a transport has lost its socket, and nobody has been told yet."""
    if _TCP_INFO is None or connected is None:
        return None
    try:
        known = connected.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _UNSENT.stop)
    except OSError:
        return None
    return known if len(known) == _UNSENT.stop else None
