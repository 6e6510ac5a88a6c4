"""Server transactions: their state, and which one a request belongs to.

Nothing here sends, waits or runs a script. Rules: modules/tm/h_table.h: cell, t_lookup.c: matching_3261,
t_lookup_request, t_lookupOriginalT; RFC 3261 17.2.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from evapi_cfg.sip.message import Message, Socket
from evapi_cfg.sip.via import COOKIE, Via

ENTRIES: Final = 1 << 16  # modules/tm/config.h: TABLE_ENTRIES
_LATEST: Final = 64  # transactions of one Call-ID and CSeq number that are looked through
LABELS: Final = 1 << 31  # so that a label is a number everywhere: jansson makes a text of larger ones


class Changes(NamedTuple):
    """What a script had made of a request when its transaction began. Its flags are the transaction's own: they go on
    changing."""

    new_uri: str | None
    dst_uri: str | None
    path: str | None
    send_socket: Socket | None
    internal_flags: int


_NO_URIS: Final = (None, None, None)
UNCHANGED: Final = Changes(None, None, None, None, 0)


class Outgoing:
    """One branch of a transaction. Nothing is forwarded here: it is what a suspension waits on (tm's blind UAC)."""

    __slots__ = ("fr", "last_received", "on_failure", "timed_out", "transaction")

    def __init__(self, transaction: Transaction, on_failure: str | None) -> None:
        self.transaction = transaction
        self.on_failure = on_failure  # the failure_route for when nobody resumes
        self.last_received = 0
        self.timed_out = False
        self.fr: object = None  # the queue that it waits in


class Transaction:
    """A server transaction.

    Very many may be alive, most of them over and only waiting for what still comes. So what each of them needs has a
    slot, and class attributes stand for what few of them ever get.
    """

    __slots__ = (
        "__dict__", "branches", "call", "continuing", "end_of_life", "fr", "index", "label", "local", "next",
        "on_failure", "on_wait", "owner", "previous", "reply", "request", "sender", "status", "suspended",
    )  # fmt: skip

    changes: Changes = UNCHANGED
    flags: int = 0
    extra_flags: int = 0
    virtual_flags: int = 0
    edits: tuple[tuple[int, int, str], ...] = ()  # those of headers, from the first suspension on
    reply_headers: tuple[str, ...] = ()
    reply_body: str | None = None
    local_tag: str = ""
    canceled: bool = False
    on_reply: str | None = None
    on_branch: str | None = None
    auto_100: bool | None = None  # None, and 0 in the next two: as the modparams say
    t1: float = 0.0  # seconds
    t2: float = 0.0
    retransmit: object = None  # the queue in which the reply waits to be sent again
    retransmit_until: float = 0.0

    def __init__(self, request: Message, label: int) -> None:
        self.request = request
        self.call = request.call
        self.sender = ""  # the key in the table by sender, if it is there
        self.index = zlib.crc32(self.call.encode("latin-1")) % ENTRIES
        self.label = label
        self.next: Transaction | None = None  # an earlier one of the same Call-ID and CSeq number
        self.previous: Transaction | None = None  # a later one
        self.status = 0  # that of the last reply, 0 before there is one
        self.reply: str | None = None  # the text of the last reply
        self.local = False  # the last reply was one of the script's
        self.suspended = False
        self.continuing = False
        self.on_wait = False  # it is over, and stays for a while to know what still comes for it
        self.on_failure: str | None = None
        self.branches: tuple[Outgoing, ...] = ()
        self.owner: object = None  # the run whose AVPs are the transaction's
        self.fr = 0.0  # seconds
        self.end_of_life = 0.0  # on the monotonic clock
        if request.flags or request.extra_flags:
            self.flags, self.extra_flags = request.flags, request.extra_flags
        uris = request.new_uri, request.dst_uri, request.path
        if uris != _NO_URIS or request.send_socket is not None or request.internal_flags:
            self.changes = Changes(*uris, request.send_socket, request.internal_flags)

    def __repr__(self) -> str:
        return f"<transaction {self.index}:{self.label} {self.request.method} {self.status}>"

    @property
    def is_invite(self) -> bool:
        return self.request.method == "INVITE"


class TransactionTable:
    """All transactions there are.

    They are found by Call-ID and CSeq number, and where several have these in common by all that RFC 3261 compares, so
    that a sender of very many alike requests costs nobody anything. Only requests of RFC 2543, ACKs of a 200 and calls
    by name are looked for among the latest of one Call-ID and CSeq number.
    """

    def __init__(self, first_label: int) -> None:
        self._next_label = first_label % LABELS
        self._by_label: dict[int, Transaction] = {}
        self._by_sender: dict[str, Transaction] = {}
        self._by_call: dict[str, Transaction] = {}  # the latest one: see Transaction.next

    def __len__(self) -> int:
        return len(self._by_label)

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._by_label.values())

    def add(self, request: Message) -> Transaction:
        label = self._next_label
        while label in self._by_label:  # nobody lives for four thousand million others
            label = (label + 1) % LABELS
        self._next_label = (label + 1) % LABELS
        made = Transaction(request, label)
        other = self._by_call.get(made.call)
        if other is not None:
            made.next, other.previous = other, made
            if other.next is None:
                self._index(other)
            self._index(made)
        self._by_call[made.call] = self._by_label[label] = made
        return made

    def _index(self, transaction: Transaction) -> None:
        """Hardly any transaction shares its Call-ID and CSeq number with another one: only those need the key."""
        via = transaction.request.via
        if via is not None and _is_modern(via) and not transaction.sender:
            transaction.sender = _sender(transaction.call, transaction.request.method, via)
            self._by_sender[transaction.sender] = transaction

    def _sent_by(self, via: Via, call: str, method: str) -> Transaction | None:
        """The one of a method, by what RFC 3261 17.2.3 compares."""
        latest = self._by_call.get(call)
        if latest is None or latest.next is not None:
            return self._by_sender.get(_sender(call, method, via))
        return latest if latest.request.method == method and same_sender(latest.request, via) else None

    def remove(self, transaction: Transaction) -> None:
        if self._by_label.pop(transaction.label, None) is None:
            return
        if self._by_sender.get(transaction.sender) is transaction:
            del self._by_sender[transaction.sender]
        before, behind = transaction.previous, transaction.next
        if behind is not None:
            behind.previous = before
        if before is not None:
            before.next = behind
        elif behind is not None:
            self._by_call[transaction.call] = behind
        else:
            del self._by_call[transaction.call]
        transaction.previous = transaction.next = None

    def by_id(self, index: int, label: int) -> Transaction | None:
        """The transaction that $T(id_index) and $T(id_label) name."""
        found = self._by_label.get(label)
        return found if found is not None and found.index == index else None

    def _latest(self, call: str) -> Iterator[Transaction]:
        found = self._by_call.get(call)
        for _ in range(_LATEST):
            if found is None:
                return
            yield found
            found = found.next

    def of_call(self, call_id: str, cseq: str) -> Transaction | None:
        """The transaction of an INVITE by its Call-ID and CSeq number (t_lookup.c: t_lookup_callid)."""
        return next((found for found in self._latest(f"{call_id}\n{cseq}") if found.is_invite), None)

    def find(self, message: Message) -> tuple[Transaction | None, bool]:
        """The transaction that a request belongs to, and whether the request had been cancelled before it came."""
        via, method, call = message.via, message.method, message.call
        if call not in self._by_call or via is None:
            return None, False
        wanted = "INVITE" if method == "ACK" else method
        if _is_modern(via):
            found = self._sent_by(via, call, wanted)
            if method != "ACK":
                return found, found is None and self._sent_by(via, call, "CANCEL") is not None
            if found is not None and found.status >= 300:
                return found, False
            for found in self._latest(call):
                if found.is_invite and found.status < 300 and _acknowledges(found, message, via):
                    return found, False
            return None, False
        for found in self._latest(call):
            if found.request.method == wanted and (
                _acknowledges(found, message, via)
                if method == "ACK"
                else _same_old_request(found.request, message, exact=True)
            ):
                return found, False
        return None, False

    def original(self, cancel: Message) -> Transaction | None:
        """The transaction that a CANCEL is about."""
        via = cancel.via
        if via is None:
            return None
        modern = _is_modern(via)
        if modern:
            found = self._sent_by(via, cancel.call, "INVITE")
            if found is not None:
                return found
        for found in self._latest(cancel.call):
            request = found.request
            if request.method != "CANCEL" and (
                same_sender(request, via) if modern else _same_old_request(request, cancel, exact=False)
            ):
                return found
        return None


def _is_modern(via: Via) -> bool:
    return via.branch.startswith(COOKIE) and len(via.branch) > len(COOKIE)


def _sender(call: str, method: str, via: Via) -> str:
    """What RFC 3261 17.2.3 compares, in one text."""
    return f"{call}\n{method} {via.branch} {via.host} {via.port or _usual_port(via)} {via.transport}"


def same_sender(request: Message, via: Via) -> bool:
    """Whether a request came with the same topmost Via: branch, host, port and transport."""
    own = request.via
    if own is via:
        return True
    return (
        own is not None
        and own.branch == via.branch
        and own.host == via.host
        and own.transport == via.transport
        and (own.port or _usual_port(own)) == (via.port or _usual_port(via))
    )


def _usual_port(via: Via) -> int:
    return 5061 if via.transport == "TLS" else 5060


def _same_old_request(request: Message, message: Message, *, exact: bool) -> bool:
    """The comparison of RFC 2543, for a branch without the magic cookie: From, To, Request-URI and Via are the same.
    A CANCEL (`exact` False) may have another tag in To."""
    own, via = request.via, message.via
    if request.body_of("from") != message.body_of("from") or request.uri != message.uri:
        return False
    if own is None or via is None or own.text != via.text:
        return False
    if exact:
        return request.body_of("to") == message.body_of("to")
    return _to_uri(request) == _to_uri(message)


def _acknowledges(transaction: Transaction, ack: Message, via: Via) -> bool:
    """Whether an ACK belongs to an INVITE's transaction: one for a final reply of this side's own has the tag that was
    sent, one for a failure the same Via. Before a final reply there is nothing to acknowledge: Kamailio takes an ACK
    without a tag behind a 100 (dlg_matching), and forgets the INVITE."""
    request = transaction.request
    if transaction.status < 200:
        return False
    if transaction.status < 300:
        return (
            transaction.local
            and _from_tag(request) == _from_tag(ack)
            and ack.to_tag == transaction.local_tag
        )  # fmt: skip
    own = request.via
    return (
        own is not None
        and own.text == via.text
        and request.body_of("from") == ack.body_of("from")
        and request.uri == ack.uri
        and _to_uri(request) == _to_uri(ack)
    )


def _to_uri(message: Message) -> str | None:
    address = message.address("to")
    return None if address is None else address.uri


def _from_tag(message: Message) -> str | None:
    address = message.address("from")
    return None if address is None else address.param("tag")
