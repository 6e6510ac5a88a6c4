"""A SIP message: its text, read when it is asked for, and what scripts change on it.

Text has one character per byte, so offsets and lengths are those of the wire. No sockets, no clock: who received the
message and when is told by `Received` and `time`. Rules: core/parser/msg_parser.c, parse_fline.c, parse_hname2.c,
parse_via.c; RFC 3261 7 and 20.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from evapi_cfg.sip.uri import PROTOCOLS, UDP, Address, Uri, parse_address, parse_uri, split_quoted

METHODS: Final = {
    name: 1 << bit
    for bit, name in enumerate(
        [
            "INVITE",
            "CANCEL",
            "ACK",
            "BYE",
            "INFO",
            "REGISTER",
            "SUBSCRIBE",
            "NOTIFY",
            "MESSAGE",
            "OPTIONS",
            "PRACK",
            "UPDATE",
            "REFER",
            "PUBLISH",
            "KDMQ",
            "GET",
            "POST",
            "PUT",
            "DELETE",
        ]
    )
}  # core/parser/msg_parser.h: request_method
OTHER_METHOD: Final = 1 << 19

COMPACT: Final = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition", "e": "content-encoding",
    "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported", "l": "content-length", "m": "contact",
    "o": "event", "r": "refer-to", "s": "subject", "t": "to", "u": "allow-events", "v": "via", "x": "session-expires",
    "y": "identity",
}  # fmt: skip
NAME_CHARACTERS: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._+~")
_BLANK: Final = " \t\r\n"


def header_kind(name: str) -> str:
    """The name by which headers are found: lower case, compact forms written out."""
    kind = name.lower()
    return COMPACT.get(kind, kind) if len(kind) == 1 else kind


class MessageError(Exception):
    """The text is no SIP message."""


class Header(NamedTuple):
    """One header line: `name` as written, `kind` for comparing, `body` without the blanks around it; `start` is where
    the line starts, `body_at` where the body does, `end` behind the line end."""

    name: str
    kind: str
    body: str
    start: int
    body_at: int
    end: int


class Via(NamedTuple):
    """One Via body. `port` 0: none was written. `text` is the whole body, `params` what stands behind the first `;`."""

    text: str
    transport: str
    host: str
    port: int
    params: str

    @property
    def protocol(self) -> int:
        return PROTOCOLS.get(self.transport.lower(), 0)

    def param(self, name: str) -> str | None:
        """The value of a parameter by its name in lower case; an empty string where it has none."""
        for param in split_quoted(self.params, ";"):
            key, _, value = param.partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"')
        return None


class Socket(NamedTuple):
    """A listening socket, as scripts name it."""

    protocol: int
    address: str
    port: int
    name: str | None = None
    advertised: tuple[str, int] | None = None


class Received(NamedTuple):
    """Where a message came from and where it arrived. `socket` is None for a message that no socket has seen."""

    protocol: int = UDP
    source: str = "127.0.0.1"
    source_port: int = 5060
    destination: str = "127.0.0.1"
    destination_port: int = 5060
    socket: Socket | None = None


class Branch:
    """A further destination (core/dset.c: branch_t)."""

    __slots__ = ("dst_uri", "flags", "instance", "location_ua", "otcpid", "path", "q", "ruid", "send_socket", "uri")

    def __init__(self, uri: str = "", q: int | None = None) -> None:
        self.uri = uri
        self.dst_uri = ""
        self.path = ""
        self.q = q  # thousandths
        self.flags = 0
        self.ruid = ""
        self.location_ua = ""
        self.instance = ""
        self.otcpid = 0
        self.send_socket: Socket | None = None


class Message:
    """One request or reply. Raises MessageError where the first line is not of SIP.

    What a script changes in headers is kept as `edits` (offset, length, new text) beside the text that was received, as
    Kamailio's lumps are: headers still read as received, `updated` gives the text with the changes.
    """

    __slots__ = (
        "_addresses",
        "_body_at",
        "_headers",
        "_vias",
        "branch_flags",
        "branches",
        "dst_uri",
        "edits",
        "extra_flags",
        "flags",
        "internal_flags",
        "is_request",
        "method",
        "new_uri",
        "number",
        "path",
        "reason",
        "received",
        "script_flags",
        "send_socket",
        "status",
        "text",
        "time",
        "uri",
        "version",
    )  # fmt: skip

    def __init__(self, text: str, received: Received | None = None) -> None:
        self.text = text
        self.received = received or Received()
        line_end = text.find("\n")
        words = text[: line_end if line_end >= 0 else len(text)].rstrip("\r").split(" ", 2)
        if len(words) < 3 or line_end < 0:
            raise MessageError("the first line is not of three words")
        self.is_request = words[0].upper() != "SIP/2.0"
        self.method = self.uri = self.reason = ""
        self.status = 0
        if self.is_request:
            self.method, self.uri, self.version = words
            if self.version.upper() != "SIP/2.0":
                raise MessageError("the first line does not end with SIP/2.0")
        else:
            self.version, status, self.reason = words
            if not (len(status) == 3 and status.isascii() and status.isdecimal()):
                raise MessageError("the status code is not of three digits")
            self.status = int(status)
        self._body_at = 0
        self._headers: tuple[Header, ...] | None = None
        self._addresses: dict[str, Address | None] = {}
        self._vias: tuple[Via, ...] | None = None
        self._begin()

    def _begin(self) -> None:
        """What scripts can change, and what is told of the message, as it is at first."""
        self.number = 0  # its number among the messages of this process, $mi
        self.time: float | None = None  # seconds since 1970, when it was first asked for
        self.new_uri: str | None = None
        self.dst_uri: str | None = None
        self.path: str | None = None
        self.send_socket: Socket | None = None
        self.flags = 0
        self.script_flags = 0
        self.extra_flags = 0
        self.internal_flags = 0
        self.branch_flags = 0  # of the first branch, which is the message itself
        self.branches: list[Branch] = []
        self.edits: list[tuple[int, int, str]] = []

    def fresh(self) -> Message:
        """Another message of the same text, without what scripts have changed; what has been read of it is shared."""
        other = Message.__new__(Message)
        other.text, other.received = self.text, self.received
        other.is_request, other.method, other.uri, other.version = self.is_request, self.method, self.uri, self.version
        other.status, other.reason = self.status, self.reason
        other._body_at, other._headers = self._body_at, self._headers
        other._addresses, other._vias = self._addresses, self._vias
        other._begin()
        return other

    # ---- the first line

    @property
    def method_id(self) -> int:
        """The method as a bit; of a reply that of its CSeq."""
        method = self.method if self.is_request else self.cseq[1]
        return METHODS.get(method, OTHER_METHOD)

    @property
    def request_uri(self) -> str:
        """The request URI with what the script made of it."""
        return self.uri if self.new_uri is None else self.new_uri

    @property
    def parsed_uri(self) -> Uri | None:
        return parse_uri(self.request_uri)

    # ---- headers and body

    @property
    def headers(self) -> tuple[Header, ...]:
        if self._headers is None:
            self._headers = tuple(self._read_headers())
        return self._headers

    def _read_headers(self) -> Iterator[Header]:
        """Up to the empty line, or to the first line that is no header."""
        text = self.text
        at = text.find("\n") + 1
        size = len(text)
        while at < size and text[at] not in "\r\n":
            end = text.find("\n", at)
            while 0 <= end < size - 1 and text[end + 1] in " \t":
                end = text.find("\n", end + 1)
            end = size if end < 0 else end + 1
            colon = text.find(":", at, end)
            name = text[at:colon].rstrip(" \t") if colon > at else ""
            if not name or not NAME_CHARACTERS.issuperset(name):
                break
            body = text[colon + 1 : end]
            stripped = body.strip(_BLANK)
            body_at = colon + 1 + len(body) - len(body.lstrip(_BLANK)) if stripped else colon + 1
            yield Header(name, header_kind(name), stripped, at, body_at, end)
            at = end
        self._body_at = at

    def all(self, kind: str) -> list[Header]:
        """The headers of one kind, in their order."""
        return [header for header in self.headers if header.kind == kind]

    def first(self, kind: str) -> Header | None:
        for header in self.headers:
            if header.kind == kind:
                return header
        return None

    @property
    def headers_end(self) -> int:
        """Offset of the line end behind the last header."""
        if self._headers is None:
            self._headers = tuple(self._read_headers())
        return self._body_at

    @property
    def body(self) -> str | None:
        """What stands behind the empty line; None where there is no such line."""
        at = self.headers_end
        if self.text.startswith("\r\n", at):
            return self.text[at + 2 :]
        return self.text[at + 1 :] if self.text[at : at + 1] in ("\r", "\n") else None

    def values(self, kind: str) -> list[str]:
        """The bodies of one kind of header cut at their commas."""
        return [part.strip(_BLANK) for header in self.all(kind) for part in split_quoted(header.body, ",")]

    def address(self, kind: str) -> Address | None:
        """The address in the first header of one kind: From, To, Refer-To and the like."""
        if kind not in self._addresses:
            header = self.first(kind)
            self._addresses[kind] = parse_address(header.body) if header is not None else None
        return self._addresses[kind]

    @property
    def cseq(self) -> tuple[str, str]:
        """Number and method; empty where there is none."""
        header = self.first("cseq")
        words = header.body.split() if header is not None else []
        return (words[0], words[1]) if len(words) == 2 else ("", "")

    @property
    def vias(self) -> tuple[Via, ...]:
        if self._vias is None:
            self._vias = tuple(via for text in self.values("via") if (via := _parse_via(text)) is not None)
        return self._vias

    # ---- changes

    def edit(self, at: int, length: int, text: str) -> None:
        """Put `text` in the place of `length` characters from `at` on, when the message is sent."""
        self.edits.append((at, length, text))

    def updated(self) -> str:
        """The text with all changes made."""
        text = self.text
        start = 0
        parts: list[str] = []
        edits = sorted(self.edits, key=lambda edit: edit[0])
        if self.is_request and self.new_uri is not None:
            edits.insert(0, (len(self.method) + 1, len(self.uri), self.new_uri))
        for at, length, new in edits:
            if at < start:
                continue
            parts += (text[start:at], new)
            start = at + length
        parts.append(text[start:])
        return "".join(parts)


def _parse_via(text: str) -> Via | None:
    """`SIP/2.0/UDP host:port;params` (RFC 3261 20.42)."""
    sent, _, params = text.partition(";")
    protocol, _, sent_by = sent.strip(_BLANK).partition(" ")
    words = protocol.split("/")
    host, colon, port = (
        sent_by.strip(_BLANK).rpartition(":") if not sent_by.rstrip().endswith("]") else (sent_by, "", "")
    )
    if not colon:
        host, port = sent_by.strip(_BLANK), ""
    port = port.strip(_BLANK)
    if len(words) != 3 or not host or (port and not (port.isascii() and port.isdecimal())):
        return None
    return Via(text, words[2].strip(_BLANK), host.strip(_BLANK), int(port or 0), params.strip(_BLANK))
