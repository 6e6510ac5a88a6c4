"""The hash of core/hashes.h: core_hash, over one string or two."""

from __future__ import annotations

from typing import Final

_MASK: Final = 0xFFFFFFFF


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
