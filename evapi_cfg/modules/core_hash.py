"""The hashes of core/hashes.h: core_hash over one string or two, core_case_hash over one."""

from __future__ import annotations

from struct import Struct
from typing import Final

_MASK: Final = 0xFFFFFFFF
_WORDS: Final = tuple(Struct(f">{count}I") for count in range(33))  # by the number of whole words
_SIGN: Final = 0x80


def _mix(h: int, text: str) -> int:
    """Four bytes at a time, the rest as one number, even where there is none."""
    data = text.encode("latin-1")
    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        v = int.from_bytes(data[at : at + 4], "big")
        h = (h + (v ^ (v >> 3))) & _MASK
    v = int.from_bytes(data[whole:], "big")
    return (h + (v ^ (v >> 3))) & _MASK


def core_hash(one: str, other: str | None = None, size: int = 0) -> int:
    """32 bit; with a size, a power of two, below it."""
    h = _mix(0, one)
    if other is not None:
        h = _mix(h, other)
    h = (h + (h >> 11) + (h >> 13) + (h >> 23)) & _MASK
    return h & (size - 1) if size else h


def core_case_hash(text: str) -> int:
    """32 bit, the same for ASCII letters of either case."""
    data = text.encode("latin-1").lower()
    whole = len(data) >> 2
    if data.isascii() and whole < len(_WORDS):
        h = 0
        for v in _WORDS[whole].unpack_from(data):
            h += v ^ (v >> 3)
        v = int.from_bytes(data[whole << 2 :], "big")
        h += v ^ (v >> 3)
    else:
        h = sum(v ^ (v >> 3) for v in _signed_words(data))
    h &= _MASK
    return (h + (h >> 11) + (h >> 13) + (h >> 23)) & _MASK


def _signed_words(data: bytes) -> list[int]:
    """Four bytes each, and the rest. A byte of C's `char` has a sign, which reaches into those in front of it."""
    words = []
    for at in range(0, len(data) + 1, 4):
        v = 0
        for byte in data[at : at + 4]:
            v = ((v << 8) + byte - ((byte & _SIGN) << 1)) & _MASK
        words.append(v)
    return words
