"""How many messages a second each client may send: what comes above that waits, and nothing is dropped.

A client's next message is due one interval behind its last, not behind the moment at which that began (the generic cell
rate algorithm): a timer that rings late costs nobody any of its rate.
"""

from __future__ import annotations

from collections.abc import Callable

from evapi_cfg.runtime.hub import EventClient

BURST = 0.03  # seconds of its rate that a client who was silent may send at once
WAIT = 0.01  # seconds until a client that has used up its rate is looked at again: less than BURST, or some is lost


class Rate:
    """`per_second`: messages of each client. `now`: a monotonic clock in seconds."""

    def __init__(self, per_second: float, now: Callable[[], float]) -> None:
        self._interval = 1.0 / per_second
        self._now = now

    def take(self, client: EventClient) -> bool:
        """Whether the client's next message may begin; then it counts."""
        now = self._now()
        if client.due > now:
            return False
        client.due = max(client.due, now - BURST) + self._interval
        return True
