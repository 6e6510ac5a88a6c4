"""A SIP message: its text, read when it is asked for, and what scripts change on it.

Text has one character per byte, so offsets and lengths are those of the wire. No sockets, no clock: who received the
message and when is told by `Received` and `time`. Rules: core/parser/msg_parser.c, parse_fline.c; RFC 3261 7 and 20.
"""

from __future__ import annotations

import re
from typing import Final

from evapi_cfg.sip.edits import boundary_of, updated
from evapi_cfg.sip.ends import FROM_HERE, NOWHERE, Branch, Received, Socket, Way
from evapi_cfg.sip.head import Head, Layouts, careful_head, cseq_words
from evapi_cfg.sip.headers import BLANK, Header, body_text
from evapi_cfg.sip.uri import Address, Uri, parse_address, parse_uri, split_quoted
from evapi_cfg.sip.via import Via, parse_vias

__all__ = ["Branch", "Message", "MessageError", "Received", "Socket", "Way"]

_METHODS: Final = (
    "INVITE CANCEL ACK BYE INFO REGISTER SUBSCRIBE NOTIFY MESSAGE OPTIONS PRACK UPDATE REFER PUBLISH KDMQ GET POST PUT "
    "DELETE"
)
METHODS: Final = {name: 1 << bit for bit, name in enumerate(_METHODS.split())}  # core/parser/msg_parser.h
OTHER_METHOD: Final = 1 << 19

# Marks of the message itself, core/parser/msg_parser.h: FL_*
FORCE_RPORT: Final = 1 << 0
TIMED_OUT: Final = 1 << 5
REPLIED: Final = 1 << 6
BODY_MULTIPART: Final = 1 << 17
NO_REPLY: Final = 1 << 23
FINAL_REPLY: Final = 1 << 32
DELAYED_REPLY: Final = 1 << 33
NO_RECEIVED: Final = 1 << 34


# One text for all messages that have it.
_ONE: Final = {text: text for text in (*METHODS, "SIP/2.0")}


class MessageError(Exception):
    """The text is no SIP message."""


_NEEDED: Final = (("via", "Via"), ("call-id", "Call-ID"), ("from", "From"), ("to", "To"), ("cseq", "CSeq"))
_SHORTEST: Final = 17  # parse_first_line: anything shorter is no message
_LEADING: Final = "\n\r\0\t "
_LAYOUTS: Final = Layouts()
_FIRST_LINE: Final = re.compile(r"([^ \t\r\n]+) ([^ \t\r\n]*)[ \t]+([^ \t\r\n]+)[ \t]*(?:\r[^\n]*)?\n")
_STATUS_LINE: Final = re.compile(r"(sip/2\.0) ([0-9]{3})[ \t]+([^\r\n]*)\r?\n", re.IGNORECASE)


class Message:
    """One request or reply. Raises MessageError where the first line is not of SIP.

    What a script changes in headers is kept as `edits` (offset, length, new text) beside the text that was received, as
    Kamailio's lumps are: headers still read as received, `updated` gives the text with the changes. `reply_headers` and
    `reply_body` are what a script put into replies that are still to come.

    Very many may be kept: what each of them needs has a slot, and class attributes stand for what few ever get.
    """

    __slots__ = (
        "__dict__", "_body_at", "_call", "_cseq", "_kinds", "_line_end", "_lines", "_plain", "_to_tag", "_via",
        "internal_flags", "is_request", "method", "number", "received", "text", "uri", "version",
    )  # fmt: skip

    leading: str = ""  # blanks and empty lines that stood in front of the text
    time: float | None = None  # seconds since 1970, when it was first asked for
    status: int = 0
    reason: str = ""
    new_uri: str | None = None
    uri_q: int | None = None  # in thousandths, where one was set for the request's own destination
    dst_uri: str | None = None
    path: str | None = None
    send_socket: Socket | None = None
    flags: int = 0
    script_flags: int = 0
    extra_flags: int = 0
    branch_flags: int = 0  # of the first branch, which is the message itself
    edits: tuple[tuple[int, int, str], ...] = ()
    reply_headers: tuple[str, ...] = ()
    reply_body: str | None = None
    padding: str = ""  # blanks that `overwrite_body` has left in front of a body, which count as part of it
    _branches: list[Branch] | None = None
    _head: Head | None = None  # all headers with their places, and how far they can be read
    _addresses: dict[str, Address | None] | None = None
    _vias: tuple[Via, ...] | None = None

    def __init__(self, text: str, received: Received | None = None) -> None:
        if text[:1] in _LEADING:
            stripped = text.lstrip(_LEADING)
            self.leading, text = text[: len(text) - len(stripped)], stripped
        self.text = text
        self.received = received or NOWHERE
        self.number = 0  # its number among the messages of this process, $mi
        self.internal_flags = 0
        self._plain = False  # there is nothing in the headers that is out of the ordinary
        self._lines: tuple[str, ...] | None = None
        self._kinds: tuple[str, ...] | None = None
        self._via: Via | None = None
        self._cseq: tuple[str, str] | None = None
        self._call: str | None = None
        self._to_tag: str | None = None
        self._body_at = 0
        first = _FIRST_LINE.match(text)
        if first is None or (text[0] in "sS" and text[:8].upper() == "SIP/2.0 "):
            self._begin_reply(text)
        else:
            self.is_request = True
            method, self.uri, version = first.groups()
            self.method = _ONE.get(method, method)
            self.version = _ONE.get(version, version)
            if len(text) < _SHORTEST or (version[:7].upper() != "SIP/2.0" and received is not FROM_HERE):
                raise MessageError("the first line does not end with SIP/2.0")
            self._line_end = first.end()

    def _begin_reply(self, text: str) -> None:
        first = _STATUS_LINE.match(text)
        if first is None or len(text) < _SHORTEST:
            raise MessageError("the first line is neither that of a request nor that of a reply")
        self.is_request = False
        self.method = self.uri = ""
        self.version, status, self.reason = first.groups()
        self.status = int(status)
        self._line_end = first.end()

    def fresh(self) -> Message:
        """Another message of the same text, without what scripts have changed; what has been read of it is shared."""
        other = Message.__new__(Message)
        other.text, other.received, other._line_end = self.text, self.received, self._line_end
        if self.leading:
            other.leading = self.leading
        if self.padding:
            other.padding = self.padding
        other.is_request, other.version = self.is_request, self.version
        other.method, other.uri = self.method, self.uri
        other.number = other.internal_flags = 0
        if not self.is_request:
            other.status, other.reason = self.status, self.reason
        other._plain, other._body_at = self._plain, self._body_at
        other._lines, other._kinds = self._lines, self._kinds
        other._via, other._cseq, other._call, other._to_tag = self._via, self._cseq, self._call, self._to_tag
        if self._head is not None:
            other._head = self._head
        return other

    def forget_read(self, lines: bool = False) -> None:
        """Forgets what has been read of the text, for a message that is kept for long; its lines only where nobody is
        going to ask for them: reading them again costs more than they take."""
        if self.__dict__:
            self._head = self._addresses = self._vias = None
        if lines:
            self._lines = self._kinds = None

    # ---- the first line

    @property
    def method_id(self) -> int:
        """The method as a bit, whatever the case of its letters; of a reply that of its CSeq."""
        method = self.method if self.is_request else self.cseq[1]
        return METHODS.get(method) or METHODS.get(method.upper(), OTHER_METHOD)

    @property
    def request_uri(self) -> str:
        """The request URI with what the script made of it."""
        return self.uri if self.new_uri is None else self.new_uri

    @property
    def parsed_uri(self) -> Uri | None:
        return parse_uri(self.request_uri)

    # ---- headers and body

    def _read(self) -> None:
        """Reads the header lines."""
        plain = _LAYOUTS.read(self.text, self._line_end)
        if plain is not None:
            self._plain = True
            self._lines, self._kinds, self._body_at, self._via, self._cseq, self._to_tag = plain
            return
        head = self.head
        text = self.text
        self._plain = False
        self._lines = tuple(text[header.start : header.end - 1].removesuffix("\r") for header in head.headers)
        self._kinds = tuple(header.kind for header in head.headers)
        self._body_at = head.end

    @property
    def head(self) -> Head:
        """The headers that can be read, with their places, and what is wrong behind them."""
        head = self._head
        if head is None:
            head = self._head = careful_head(self.text, self._line_end)
        return head

    @property
    def headers(self) -> tuple[Header, ...]:
        return self.head.headers

    @property
    def lines(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The header lines without their ends, and the kind of each."""
        if self._lines is None or self._kinds is None:
            self._read()
        assert self._lines is not None
        assert self._kinds is not None
        return self._lines, self._kinds

    def body_of(self, kind: str) -> str | None:
        """The body of the first header of a kind, without the blanks in front of it."""
        lines, kinds = self.lines
        if kind not in kinds:
            return None
        return body_text(lines[kinds.index(kind)].partition(":")[2])

    @property
    def content_length(self) -> int | None:
        """The number in Content-Length; None without one that can be read."""
        body = self.body_of("content-length")
        return None if body is None else int(body.split()[0])

    @property
    def complete(self) -> bool:
        """Whether the headers can be read to their end, which is an empty line or the end of the text (parse_headers
        with HDR_EOH_F). Where they cannot, those behind the bad one are not known."""
        if self._lines is None:
            self._read()
        return self._plain or not self.head.fault

    def fault(self) -> str:
        """What every message must have and this one has not; empty where it is all there (receive_msg)."""
        if self._lines is None:
            self._read()
        if self._plain:
            return ""
        kinds = self.lines[1]
        for kind, name in _NEEDED:
            if kind not in kinds:
                return self.head.fault or f"it has no {name}"
        return ""

    def all(self, kind: str) -> list[Header]:
        """The headers of one kind, in their order."""
        return [header for header in self.headers if header.kind == kind]

    def first(self, kind: str) -> Header | None:
        for header in self.headers:
            if header.kind == kind:
                return header
        return None

    def count(self, kind: str) -> int:
        """How many headers of a kind there are."""
        return self.lines[1].count(kind)

    @property
    def headers_end(self) -> int:
        """Offset of the line end behind the last header that can be read."""
        if self._lines is None:
            self._read()
        return self._body_at

    @property
    def headers_at(self) -> int:
        """Offset of the first header."""
        return self._line_end

    @property
    def body(self) -> str | None:
        """What stands behind the empty line; None where there is no such line."""
        at = self.headers_end
        if self.text.startswith("\r\n", at):
            return self.text[at + 2 :]
        return self.text[at + 1 :] if self.text[at : at + 1] in ("\r", "\n") else None

    @property
    def body_at(self) -> int:
        """Offset of the body; the end of the text where there is none."""
        body = self.body
        return len(self.text) - len(body or "")

    def bodies(self, kind: str) -> list[str]:
        """The bodies of all headers of one kind."""
        lines, kinds = self.lines
        return [
            body_text(line.partition(":")[2]) for line, found in zip(lines, kinds, strict=True) if found == kind
        ]  # fmt: skip

    def values(self, kind: str) -> list[str]:
        """The bodies of one kind of header cut at their commas."""
        return [part.strip(BLANK) for body in self.bodies(kind) for part in split_quoted(body, ",")]

    def address(self, kind: str) -> Address | None:
        """The address in the first header of one kind: From, To, Refer-To and the like."""
        addresses = self._addresses
        if addresses is None:
            addresses = self._addresses = {}
        if kind not in addresses:
            body = self.body_of(kind)
            addresses[kind] = parse_address(body) if body is not None else None
        return addresses[kind]

    @property
    def cseq(self) -> tuple[str, str]:
        """Number and method; empty where there is none."""
        cseq = self._cseq
        if cseq is None:
            body = self.body_of("cseq")
            cseq = self._cseq = (None if body is None else cseq_words(body)) or ("", "")
        return cseq

    @property
    def call(self) -> str:
        """Call-ID and the number in CSeq: what a request has in common with its retransmissions, CANCEL and ACK."""
        call = self._call
        if call is None:
            call = self._call = f"{self.body_of('call-id')}\n{self.cseq[0]}"
        return call

    @property
    def to_tag(self) -> str:
        """The tag in To, empty where there is none."""
        tag = self._to_tag
        if tag is None:
            address = self.address("to")
            tag = self._to_tag = (address.param("tag") or "") if address is not None else ""
        return tag

    @property
    def via(self) -> Via | None:
        """The topmost Via; None where there is none that can be read."""
        via = self._via
        if via is None:
            body = self.body_of("via")
            vias = None if body is None else parse_vias(body)
            if vias:
                via = self._via = vias[0]
        return via

    @property
    def vias(self) -> tuple[Via, ...]:
        if self._vias is None:
            self._vias = tuple(via for body in self.bodies("via") for via in parse_vias(body) or ())
        return self._vias

    # ---- changes

    @property
    def branches(self) -> list[Branch]:
        """Further destinations."""
        branches = self._branches
        if branches is None:
            branches = self._branches = []
        return branches

    def edit(self, at: int, length: int, text: str) -> None:
        """Put `text` in the place of `length` characters from `at` on, when the message is sent."""
        self.edits = (*self.edits, (at, length, text))

    def overwrite_body(self, kind: str, body: str) -> None:
        """Puts another body of the same length into the first header of a kind, in the text itself. Blanks that it
        begins with are part of it for Kamailio until the text is read again: they are kept as `padding`."""
        lines, kinds = self.lines
        index = kinds.index(kind)
        line = lines[index]
        old = line.partition(":")[2]
        begin = len(line) - len(old.lstrip(BLANK))
        end = begin + len(old.strip(BLANK))
        assert end - begin == len(body)
        self.padding += body[: len(body) - len(body.lstrip(BLANK))]
        at = self.text.index("\n" + line, self._line_end - 1) + 1
        self.text = self.text[: at + begin] + body + self.text[at + end :]
        self._lines = (*lines[:index], line[:begin] + body + line[end:], *lines[index + 1 :])
        self._head = None

    def replace_text(self, text: str) -> None:
        """Another text in the place of the one that was received, with the same first line; edits are gone."""
        self.text = text
        self.edits = ()
        self.padding = ""
        self.forget_read(lines=True)
        self._via = self._cseq = self._call = self._to_tag = None

    def updated(self) -> str:
        """The text with all changes made."""
        edits = self.edits
        if self.is_request and self.new_uri is not None:
            edits = ((len(self.method) + 1, len(self.uri), self.new_uri), *edits)
        if not edits:
            return self.text
        boundary = boundary_of(self.body_of("content-type")) if self.internal_flags & BODY_MULTIPART else None
        return updated(self.text, edits, self.body_at, self.first("content-length"), boundary)

    def become(self, text: str) -> None:
        """Reads another text in the place of its own, the first line, too. What the script has changed in the old one,
        and what it has put into replies, is gone. Raises MessageError, and stays as it is then."""
        other = Message(text, self.received)
        self.is_request, self.method, self.uri, self.version = other.is_request, other.method, other.uri, other.version
        self.status, self.reason, self._line_end = other.status, other.reason, other._line_end
        self.replace_text(other.text)
        self.new_uri = self.time = self.reply_body = None
        self.reply_headers = ()


def made_here(text: str) -> Message:
    """A message that this side has made, and that has come from nowhere."""
    return Message(text, FROM_HERE)
