"""The connected clients: their places, tags and out-buffers. No sockets: `drain` hands out what is to be written.

Frames are kept as text and become bytes once, when they are handed out. What goes to everybody is kept once, in a log
that all clients share, so a relay costs the same for one client as for a thousand until it is handed out.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from operator import attrgetter
from typing import NamedTuple, TypeAlias, cast

from evapi_cfg.modules.context import Client, ClientView
from evapi_cfg.modules.rpc import Answer
from evapi_cfg.protocol.bare import BareDecoder
from evapi_cfg.protocol.netstring import FaultKind, NetstringDecoder

Decoder: TypeAlias = "NetstringDecoder | BareDecoder"
NOTHING = BareDecoder(1)  # until the engine gives a client its own
CONIDX = attrgetter("conidx")
FEW = (
    8  # clients; what goes to more of them counts as more, so that a relay to hundreds does not keep the loop for long
)


class EventClient:
    """One connected application. `conidx` is its place, from 0, and free again as soon as it leaves."""

    __slots__ = (
        "address", "busy", "bytes_received", "bytes_sent", "conidx", "connected", "decoder", "due", "frames", "full",
        "hinted", "leaving", "peer", "port", "received", "seen", "sent", "tag", "waiting",
    )  # fmt: skip

    def __init__(self, conidx: int, address: str, port: int, seen: int) -> None:
        self.conidx = conidx
        self.address = address
        self.port = port
        self.tag: str | None = None
        self.connected = True
        self.frames: list[str] = []  # waiting to be handed out, without the tail of the shared log
        self.seen = seen  # how much of the shared log is behind this client
        self.decoder: Decoder = NOTHING
        self.hinted: set[FaultKind] = set()  # hints that this client's log lines have given
        self.waiting: deque[tuple[int, str]] | None = None  # numbered messages that wait for their turn
        self.busy = False  # one of its messages, or its connection-new, is in work
        self.leaving = False  # it has gone, and connection-closed waits until its messages are done
        self.full = False  # so many wait that it should not be read
        self.due = 0.0  # when its next message may begin, on the monotonic clock; see rate.py
        self.received = 0  # messages that it has sent, and below those that were handed out for it
        self.sent = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self.peer: object = None  # whatever the owner of the sockets wants to find here

    def __repr__(self) -> str:
        return f"<client {self.conidx} {self.address}:{self.port}>"


class Traffic(NamedTuple):
    """Messages and bytes from clients, and to them."""

    received: int
    received_bytes: int
    sent: int
    sent_bytes: int


class EventHub:
    """All clients. `limit` is the number of places; `netstrings` False sends messages as they are."""

    def __init__(self, limit: int, *, netstrings: bool = True) -> None:
        self.limit = limit
        self.clients: list[EventClient] = []  # connected, by conidx
        self.pending = 0  # characters kept since the last drain; those for many clients count more, see FEW
        self._few: list[EventClient] = []  # all clients, unless they are many
        self._netstrings = netstrings
        self._log: list[str] = []
        self._free: list[int] = []  # places that were used before, a heap
        self._next = 0  # the first place never used
        self._tags: dict[str, list[EventClient]] = {}  # by conidx
        self._touched: list[EventClient] = []  # with frames of their own
        self._leaving: list[EventClient] = []  # closed by the script, not yet handed out
        self.gone = Traffic(0, 0, 0, 0)  # of those that have left
        self.measure: Callable[[], dict[str, Answer]] = dict  # whoever runs routes tells here what it has counted
        self.unsent: Callable[[EventClient], int] = _nothing  # bytes handed out that a client has not taken

    def join(self, address: str, port: int) -> EventClient | None:
        """A new client in the lowest free place; None if all are taken."""
        if len(self.clients) >= self.limit:
            return None
        if self._free:
            place = heappop(self._free)
        else:
            place = self._next
            self._next += 1
        client = EventClient(place, address, port, len(self._log))
        if not self.clients or self.clients[-1].conidx < place:
            self.clients.append(client)
        else:
            insort(self.clients, client, key=CONIDX)
        self._few = self.clients if len(self.clients) < 2 * FEW else []
        return client

    def leave(self, client: EventClient) -> None:
        """The client has gone: nothing more is sent, its place is free."""
        if client.connected:
            self._forget(client)
            client.frames.clear()

    def close(self, client: Client) -> None:
        """The script closes the client: what was sent before still reaches it, and its place is free at once."""
        client = cast(EventClient, client)
        if client.connected:
            self._catch_up(client)
            self._forget(client)
            self._leaving.append(client)

    def _forget(self, client: EventClient) -> None:
        client.connected = False
        self.clients.remove(client)
        self._few = self.clients if len(self.clients) < 2 * FEW else []
        gone = self.gone
        self.gone = Traffic(
            gone.received + client.received,
            gone.received_bytes + client.bytes_received,
            gone.sent + client.sent,
            gone.sent_bytes + client.bytes_sent,
        )
        self._untag(client)
        heappush(self._free, client.conidx)

    def _untag(self, client: EventClient) -> None:
        if client.tag is not None:
            tagged = self._tags[client.tag]
            tagged.remove(client)
            if not tagged:
                del self._tags[client.tag]
            client.tag = None

    def set_tag(self, client: Client, tag: str) -> None:
        client = cast(EventClient, client)
        if client.connected and client.tag != tag:
            self._untag(client)
            client.tag = tag
            insort(self._tags.setdefault(tag, []), client, key=CONIDX)

    def tagged(self, tag: str) -> Sequence[EventClient]:
        """The clients with a tag, by conidx."""
        return self._tags.get(tag, ())

    def relay(self, data: str) -> int:
        """To every client; how many there are."""
        few = self._few
        if not few:
            return self._relay_to_many(data)
        frame = f"{len(data)}:{data}," if self._netstrings else data
        self._log.append(frame)
        self.pending += len(frame)
        return len(few)

    def _relay_to_many(self, data: str) -> int:
        """As `relay`, or to nobody at all."""
        count = len(self.clients)
        if count:
            frame = f"{len(data)}:{data}," if self._netstrings else data
            self._log.append(frame)
            self.pending += len(frame) * (count // FEW or 1)
        return count

    def unicast(self, data: str, tag: str) -> int:
        """To the client with the tag in the lowest place."""
        tagged = self._tags.get(tag)
        if tagged is None:
            return 0
        client = tagged[0]
        frame = f"{len(data)}:{data}," if self._netstrings else data
        self.pending += len(frame)
        if client.seen != len(self._log):
            self._catch_up(client)
        if not client.frames:
            self._touched.append(client)
        client.frames.append(frame)
        return 1

    def multicast(self, data: str, tag: str) -> int:
        """To all clients with the tag."""
        tagged = self._tags.get(tag)
        if tagged is None:
            return 0
        frame = f"{len(data)}:{data}," if self._netstrings else data
        self.pending += len(frame) * (len(tagged) // FEW or 1)
        for client in tagged:
            if client.seen != len(self._log):
                self._catch_up(client)
            if not client.frames:
                self._touched.append(client)
            client.frames.append(frame)
        return len(tagged)

    def _catch_up(self, client: EventClient) -> None:
        """Takes what the client has not seen of the shared log into its own frames, to keep the order."""
        if client.seen < len(self._log):
            if not client.frames:
                self._touched.append(client)
            client.frames.extend(self._log[client.seen :])
            client.seen = len(self._log)

    def views(self) -> list[ClientView]:
        """What is told of the clients outside."""
        kept = self._kept()
        return [
            ClientView(
                client.conidx,
                client.address,
                client.port,
                client.tag,
                kept(client) + self.unsent(client),
                len(client.waiting or ()),
                client.received,
                client.sent,
                client.bytes_received,
                client.bytes_sent,
            )
            for client in self.clients
        ]

    def _kept(self) -> Callable[[EventClient], int]:
        """What there is for a client since the last drain, in characters."""
        log = self._log
        shared = sum(map(len, log))

        def kept(client: EventClient) -> int:
            unseen = sum(map(len, log[client.seen :])) if client.seen else shared
            return sum(map(len, client.frames)) + unseen

        return kept

    def traffic(self) -> Traffic:
        """Of all clients since the start."""
        received, received_bytes, sent, sent_bytes = self.gone
        for client in self.clients:
            received += client.received
            received_bytes += client.bytes_received
            sent += client.sent
            sent_bytes += client.bytes_sent
        return Traffic(received, received_bytes, sent, sent_bytes)

    def waiting(self) -> tuple[int, int]:
        """Bytes that clients have not taken yet, and messages that wait for their turn."""
        kept, unsent = self._kept(), self.unsent
        return (
            sum([kept(client) + unsent(client) for client in self.clients]),
            sum([len(client.waiting) for client in self.clients if client.waiting]),
        )

    def measures(self) -> dict[str, Answer]:
        """All that is counted, not only here."""
        return self.measure()

    def drain(self) -> list[tuple[EventClient, bytes]]:
        """All that is to be written, and to whom; nothing is kept. Clients that the script closed are among them with
        `connected` False, even if there is nothing to write to them."""
        out: list[tuple[EventClient, bytes]] = []
        log = self._log
        if log:
            shared = "".join(log).encode("latin-1")
            end = len(log)
            for client in self.clients:
                data = shared
                if client.frames:
                    client.frames.extend(log[client.seen :])
                    client.sent += len(client.frames)
                    data = "".join(client.frames).encode("latin-1")
                    client.frames = []
                elif client.seen == 0:
                    client.sent += end
                elif client.seen < end:
                    client.sent += end - client.seen
                    data = "".join(log[client.seen :]).encode("latin-1")
                else:
                    client.seen = 0
                    continue
                client.bytes_sent += len(data)
                out.append((client, data))
                client.seen = 0
            self._log = []
        else:
            for client in self._touched:
                if client.connected and client.frames:
                    client.sent += len(client.frames)
                    data = "".join(client.frames).encode("latin-1")
                    client.bytes_sent += len(data)
                    out.append((client, data))
                    client.frames = []
        for client in self._leaving:
            data = "".join(client.frames).encode("latin-1")
            out.append((client, data))
            gone = self.gone
            self.gone = gone._replace(sent=gone.sent + len(client.frames), sent_bytes=gone.sent_bytes + len(data))
            client.frames = []
        self._touched = []
        self._leaving = []
        self.pending = 0
        return out


def _nothing(client: EventClient) -> int:
    return 0
