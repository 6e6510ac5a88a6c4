"""Keccak with the padding that SHA-3 changed: what `{s.keccak}` gives and hashlib does not have (FIPS 202; the
submission's padding is 1 and zeros, SHA-3's 01 and 1)."""

from __future__ import annotations

from typing import Final

_MASK: Final = 2**64 - 1
_ROUNDS: Final = 24


def _constants() -> tuple[int, ...]:
    """The round constants from their shift register (FIPS 202 3.2.5)."""
    found = []
    register = 1
    for _ in range(_ROUNDS):
        constant = 0
        for step in range(7):
            if register & 1:
                constant |= 1 << (2**step - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        found.append(constant)
    return tuple(found)


def _rotations() -> tuple[tuple[int, int, int], ...]:
    """The way of rho and pi through the lanes: from, to, rotation (FIPS 202 3.2.2, 3.2.3)."""
    way = []
    x, y = 1, 0
    for step in range(24):
        to = y, (2 * x + 3 * y) % 5
        way.append((x + 5 * y, to[0] + 5 * to[1], (step + 1) * (step + 2) // 2 % 64))
        x, y = to
    return tuple(way)


_CONSTANTS: Final = _constants()
_WAY: Final = _rotations()


def _rotated(lane: int, by: int) -> int:
    return (lane << by | lane >> (64 - by)) & _MASK


def _permute(state: list[int]) -> list[int]:
    for constant in _CONSTANTS:
        columns = [state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20] for x in range(5)]
        mixed = [columns[x - 1] ^ _rotated(columns[(x + 1) % 5], 1) for x in range(5)]
        state = [lane ^ mixed[at % 5] for at, lane in enumerate(state)]
        moved = state[:]
        for source, target, by in _WAY:
            moved[target] = _rotated(state[source], by)
        state = [
            moved[at] ^ (~moved[at - at % 5 + (at + 1) % 5] & moved[at - at % 5 + (at + 2) % 5] & _MASK)
            for at in range(25)
        ]
        state[0] ^= constant
    return state


def keccak(data: bytes, bits: int) -> bytes:
    """The digest of `bits` bits."""
    rate = 200 - bits // 4
    padding = bytearray(rate - len(data) % rate)
    padding[0] |= 0x01
    padding[-1] |= 0x80
    padded = data + padding
    state = [0] * 25
    for block in range(0, len(padded), rate):
        for lane in range(rate // 8):
            state[lane] ^= int.from_bytes(padded[block + 8 * lane : block + 8 * lane + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state)[: bits // 8]
