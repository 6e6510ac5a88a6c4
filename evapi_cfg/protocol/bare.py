"""No framing (netstring_format 0): what one read brings is one message, and a message is sent as it is."""

from __future__ import annotations

from evapi_cfg.protocol.netstring import Fault


class BareDecoder:
    """As NetstringDecoder, for bytes without frames."""

    __slots__ = ("dead", "faults", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit  # bytes of one message: what Kamailio's buffer holds
        self.dead = False
        self.faults: list[Fault] = []

    def feed(self, data: bytes) -> list[str]:
        text = data.decode("latin-1")
        return [text[at : at + self.limit] for at in range(0, len(text), self.limit)]
