"""JSON documents out of a stream of bytes, one behind the other: where each of them ends. What is in them is not read.

A document is an object or an array here. Memory: what has come of the document that is not whole yet, at most `limit`.
"""

from __future__ import annotations

import re
from typing import Final

_SIGN: Final = re.compile(rb'[][{}"\\]')
_BLANK: Final = b" \t\r\n"


class JsonStreamDecoder:
    """`feed` takes bytes, `next` gives whole documents. With a `fault` nothing more comes."""

    def __init__(self, limit: int) -> None:
        self.fault = ""
        self._limit = limit
        self._buffer = bytearray()
        self._at = 0  # how far the document at the front has been looked at
        self._depth = 0
        self._in_text = False

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> bytes | None:
        """The next document; None where it is not whole yet."""
        if self.fault:
            return None
        buffer = self._buffer
        if not self._at:
            blank = len(buffer) - len(buffer.lstrip(_BLANK))
            del buffer[:blank]
            if buffer and buffer[0] not in b"[{":
                self.fault = "no JSON object begins there"
                return None
        end = self._end()
        if end is None:
            if len(buffer) > self._limit:
                self.fault = f"a request of more than {self._limit} bytes"
            return None
        document = bytes(buffer[:end])
        del buffer[:end]
        self._at = 0
        if len(document) > self._limit:
            self.fault = f"a request of more than {self._limit} bytes"
            return None
        return document

    def rest(self) -> bytes:
        """What is there of a document that will not be whole any more."""
        return bytes(self._buffer.strip(_BLANK))

    def _end(self) -> int | None:
        buffer = self._buffer
        while (found := _SIGN.search(buffer, self._at)) is not None:
            sign, self._at = found[0], found.end()
            if sign == b"\\":
                if self._at == len(buffer):
                    self._at = found.start()  # what it escapes has not come yet
                    return None
                self._at += 1
            elif sign == b'"':
                self._in_text = not self._in_text
            elif not self._in_text:
                self._depth += 1 if sign in b"[{" else -1
                if self._depth == 0:
                    return self._at
        self._at = len(buffer)
        return None
