"""Replies to a request: their text, where they go, and the tag that they put into To.

Rules: core/msg_translator.c: build_res_buf_from_sip_req, received_test, rport_test; core/forward.h:
update_sock_struct_from_ip; core/tags.h; RFC 3261 8.2.6, RFC 3581.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import Final

from evapi_cfg.sip.message import FORCE_RPORT, NO_RECEIVED, Message
from evapi_cfg.sip.uri import DEFAULT_PORT
from evapi_cfg.sip.via import Via

_COPIED: Final = frozenset(("via", "from", "to", "call-id", "cseq", "record-route"))
_RECEIVED_OR_RPORT: Final = re.compile(r"r(?:port|eceived)", re.IGNORECASE)
_RPORT: Final = re.compile(r";\s*rport(?:\s*=\s*[^\s;,(]*)?(?=\s*(?:[;(]|$))", re.IGNORECASE)
_TO_BRANCH: Final = re.compile(r";\s*branch\s*=\s*[^\s;,(]*", re.IGNORECASE)

REASONS: Final = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
    380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
    408: "Request Timeout", 410: "Gone", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 417: "Bad Extension", 421: "Extension Required",
    423: "Interval Too Brief", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-Out",
    505: "Version Not Supported", 513: "Message Too Large", 600: "Busy Everywhere", 603: "Decline",
    604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip
_CLASSES: Final = ("Unspecified", "Provisional", "Successful", "Redirection", "Request Failure", "Server Failure",
                   "Global Failure")  # fmt: skip


def reason_of(code: int) -> str:
    """The usual words for a code (core/error.c: error_text)."""
    return REASONS.get(code) or _CLASSES[code // 100 if 0 < code < 700 else 0]


def own_tag(prefix: str, message: Message) -> str:
    """The tag that a reply to this request gets: the same each time that the request comes, and no other request's."""
    via = message.via
    source = message.call if via is None else f"{via.text}{message.call}"
    return f"{prefix}{zlib.crc32(source.encode('latin-1')):08x}"


def reply_port(message: Message, via: Via) -> int:
    """The port that a reply goes to over UDP, at the address that the request came from."""
    if message.internal_flags & FORCE_RPORT or ("rport" in via.params.lower() and via.param("rport") is not None):
        return message.received.source_port
    return via.port or DEFAULT_PORT


def _via_with_source(line: str, message: Message, via: Via) -> str:
    """The topmost Via's line with where the request really came from."""
    received = message.received
    forced = bool(message.internal_flags & FORCE_RPORT)
    params = via.params
    has_rport = "rport" in params.lower() and via.param("rport") is not None
    told = has_rport or ("received" in params.lower() and via.param("received") is not None)
    if message.internal_flags & NO_RECEIVED or not (told or forced or via.host.strip("[]") != received.source):
        return line
    added = f";received={received.source}"
    if forced or has_rport:
        added = f";rport={received.source_port}{added}"
    text = via.text
    place = _RPORT.search(text) if has_rport else None
    if place is not None:
        text = text[: place.start()] + added + text[place.end() :]
    elif (branch := _TO_BRANCH.search(text)) is not None:
        text = text[: branch.end()] + added + text[branch.end() :]
    else:
        text += added
    return line.replace(via.text, text, 1)


@lru_cache(256)
def _copied(kinds: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """The headers that a reply may have from the request, and their places there."""
    return tuple((kind, place) for place, kind in enumerate(kinds) if kind in _COPIED)


def build_reply(message: Message, code: int, reason: str, tag: str, server: str) -> str:
    """The text of a reply. `tag` goes into To where it is not empty; `server` is a header line with its end, or
    nothing."""
    out = [f"{message.version} {code % 1000:03} {reason}"]
    lines, kinds = message.lines
    topmost = message.via
    for kind, place in _copied(kinds):
        line = lines[place]
        if kind == "via":
            if topmost is not None:
                via, topmost = topmost, None
                if (
                    via.host != message.received.source
                    or message.internal_flags
                    or _RECEIVED_OR_RPORT.search(via.params)
                ):
                    line = _via_with_source(line, message, via)
        elif kind == "to":
            if tag:
                line = f"{line.rstrip()};tag={tag}"
                tag = ""
        elif kind == "record-route" and not 180 <= code < 300:
            continue
        out.append(line)
    body = message.reply_body or ""
    head = "\r\n".join(out)
    if message.reply_headers:
        server = "".join(message.reply_headers) + server
    return f"{head}\r\n{server}Content-Length: {len(body)}\r\n\r\n{body}"
