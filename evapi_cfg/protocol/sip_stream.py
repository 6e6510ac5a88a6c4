"""SIP over a stream: bytes as they come, cut anywhere, become messages.

A message ends where its Content-Length says; empty lines between messages are keep-alives (core/tcp_read.c:
tcp_read_headers; RFC 3261 18.3, RFC 5626 3.5.1).
"""

from __future__ import annotations

import re
from typing import Final

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*:[ \t\r\n]*([0-9]{1,9})[ \t]*(?=\r?\n)", re.IGNORECASE)
_PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"


class SipStreamDecoder:
    """Bytes in, whole messages out. After `fault` is set the stream cannot be followed any more: it must be closed.

    `limit`: bytes of the longest message.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.fault = ""
        self._buffer = b""
        self._searched = 0  # no end of the headers stands before this

    def feed(self, data: bytes) -> list[str]:
        """The messages that are whole now, with one character per byte; an empty one stands for a keep-alive that
        wants its answer."""
        if self.fault:
            return []
        self._buffer = buffer = self._buffer + data if self._buffer else data
        messages: list[str] = []
        at = 0
        while at < len(buffer) and not self.fault:
            if buffer[at] in b"\r\n":
                if buffer.startswith(_PING, at):
                    messages.append("")
                    at += len(_PING)
                elif _PING.startswith(buffer[at : at + len(_PING)]):
                    break  # half of a keep-alive
                else:
                    at += 1
                continue
            end = self._message_end(buffer, at)
            if end is None:
                break
            messages.append(str(buffer[at:end], "latin-1"))
            at = end
            self._searched = 0
        self._buffer = buffer[at:] if at else buffer
        return messages

    def _message_end(self, buffer: bytes, at: int) -> int | None:
        """Where the message that begins at `at` ends; None where that is not known yet, or where `fault` was set."""
        head = _HEAD_END.search(buffer, at + max(self._searched - 3, 0))
        if head is None:
            self._searched = len(buffer) - at
            if self._searched > self.limit:
                self.fault = f"a message of more than {self.limit} bytes"
            return None
        self._searched = head.start() - at
        lengths = set(_LENGTH.findall(buffer, at, head.end()))
        if len(lengths) != 1:
            self.fault = (
                "a message with two lengths" if lengths else "a message without a Content-Length that can be read"
            )
            return None
        end = head.end() + int(lengths.pop())
        if end - at > self.limit:
            self.fault = f"a message of {end - at} bytes, at most {self.limit} are taken"
            return None
        return end if end <= len(buffer) else None
