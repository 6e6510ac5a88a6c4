"""Netstrings, `LENGTH:PAYLOAD,`: bytes of one connection to messages, messages to frames. No I/O.

What is a frame follows evapi_dispatch.c: evapi_recv_client. Where that loses frames (a length cut between two reads,
an empty frame) this does not; where it drops what it cannot read, this drops the same and says so as a `Fault`.
Text is one character per byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

BLANK = " \t\r\n"
DIGITS_MAX = 10  # no length that an int holds has more, but for leading zeros
SIZES_KEPT = 4096  # lengths remembered for one connection
SHOWN = 40  # characters of bad input that a message quotes


class FaultKind(Enum):
    """What was wrong with bytes of a client."""

    EMPTY = "empty frame"  # skipped; Kamailio drops all that it has read
    CUT_LENGTH = "length cut between two reads"  # nothing lost; Kamailio drops the frame
    BAD_LENGTH = "no length where a frame should begin"  # what was read is dropped
    BAD_END = "no comma at the end of a frame"  # what was read is dropped
    TOO_LONG = "frame too long"  # the connection must be closed


@dataclass(frozen=True, slots=True)
class Fault:
    kind: FaultKind
    shown: str  # the first characters of what was wrong
    size: int  # characters dropped, or the announced size of a frame that is too long


class NetstringDecoder:
    """Cuts one connection's bytes into messages. `limit`: the longest frame, with its length and comma, in bytes."""

    __slots__ = ("_head", "_size", "_sizes", "_tail", "_want", "dead", "faults", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.dead = False  # after TOO_LONG: what follows is not read
        self.faults: list[Fault] = []
        self._tail: list[str] = []  # an unfinished frame, in the pieces in which it came
        self._want = 0  # characters that the unfinished frame still lacks, as far as that is known
        self._sizes: dict[str, int] = {}  # lengths seen before, as written, with their colon
        self._head = "\u0100"  # the last of them; at first what no byte is
        self._size = 0

    @property
    def pending(self) -> int:
        """Characters of an unfinished frame."""
        return sum(map(len, self._tail))

    def feed(self, data: bytes) -> list[str]:
        """The messages that `data` completes, in order. Look at `faults` and `dead` afterwards."""
        text = data.decode("latin-1")
        if self._tail:
            self._want -= len(text)
            self._tail.append(text)
            if self._want > 0:
                return []
            text = "".join(self._tail)
            self._tail = []
        if self.dead:
            return []
        messages: list[str] = []
        push = messages.append
        head, width, size = self._head, len(self._head), self._size
        starts, find, sizes = text.startswith, text.find, self._sizes
        end = len(text)
        at = 0
        while at < end:
            # Applications tend to send frames of one length in a row: try the last one's before anything else.
            if not starts(head, at):
                head = text[at : find(":", at, at + DIGITS_MAX + 2) + 1]
                known = sizes.get(head)
                if known is None:
                    # Off the fast path: blanks, a new length, an unfinished one or none at all.
                    while at < end and text[at] in BLANK:
                        at += 1
                    if at == end:
                        break
                    start = self._length_end(text, at)
                    if not start:
                        break
                    head = text[at:start]
                    known = int(head[:-1].lstrip("0") or 0)
                    if len(head) <= DIGITS_MAX + 2 and len(sizes) < SIZES_KEPT:
                        sizes[head] = known
                size, width = known, len(head)
            start = at + width
            stop = start + size
            if stop >= end:
                self._keep(text, at, stop + 1 - end)
                break
            if text[stop] != ",":
                self._drop(FaultKind.BAD_END, text, at)
                break
            if size:
                push(text[start:stop])
            else:
                self.faults.append(Fault(FaultKind.EMPTY, text[at : stop + 1], 0))
            at = stop + 1
        if head in sizes:
            self._head, self._size = head, size
        return messages

    def _length_end(self, text: str, at: int) -> int:
        """Where the payload of the frame at `at` begins; 0 if there is none, which is dealt with here."""
        end = len(text)
        colon = at
        while colon < end and text[colon] in "0123456789" and colon - at <= self.limit:
            colon += 1
        digits = text[at:colon].lstrip("0")
        size = int(digits[: DIGITS_MAX + 1] or 0)
        if size + colon - at + 2 > self.limit:
            self.dead = True
            self.faults.append(Fault(FaultKind.TOO_LONG, text[at : at + SHOWN], size))
        elif colon == end:
            self.faults.append(Fault(FaultKind.CUT_LENGTH, text[at : at + SHOWN], 0))
            self._keep(text, at, 1)
        elif colon == at or text[colon] != ":":
            self._drop(FaultKind.BAD_LENGTH, text, at)
        else:
            return colon + 1
        return 0

    def _keep(self, text: str, at: int, want: int) -> None:
        self._tail = [text[at:]]
        self._want = want

    def _drop(self, kind: FaultKind, text: str, at: int) -> None:
        self.faults.append(Fault(kind, text[at : at + SHOWN], len(text) - at))


def encode(message: bytes) -> bytes:
    """One frame."""
    return b"%d:%b," % (len(message), message)
