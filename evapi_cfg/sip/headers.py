"""Names and bodies of the header lines of a SIP message.

Text has one character per byte. Rules: core/parser/parse_hname2.c; RFC 3261 7.3 and 20.
"""

from __future__ import annotations

from typing import Final, NamedTuple

COMPACT: Final = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition", "e": "content-encoding",
    "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported", "l": "content-length", "m": "contact",
    "o": "event", "r": "refer-to", "s": "subject", "t": "to", "u": "allow-events", "v": "via", "x": "session-expires",
    "y": "identity",
}  # fmt: skip
NAME_CHARACTERS: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._+~")
BLANK: Final = " \t\r\n"
_KEPT: Final = 1024  # spellings of names that are remembered


def header_kind(name: str) -> str:
    """The name by which headers are found: lower case, compact forms written out."""
    kind = name.lower()
    return COMPACT.get(kind, kind) if len(kind) == 1 else kind


class _Kinds(dict[str, str]):
    """The kind of a header by what stands in front of its colon; an empty one where that is no name."""

    def __missing__(self, spelling: str) -> str:
        name = spelling.rstrip(" \t")
        kind = header_kind(name) if name and NAME_CHARACTERS.issuperset(name) else ""
        if len(self) < _KEPT and len(spelling) < 40:
            self[spelling] = kind
        return kind


KINDS: Final = _Kinds()


def body_text(behind_colon: str) -> str:
    """What counts of what stands behind the colon: blanks in front do not, those at the end do."""
    return behind_colon.lstrip(BLANK).rstrip("\r\n\0")


class Header(NamedTuple):
    """One header line: `name` as written, `kind` for comparing, `body` without the blanks around it; `start` is where
    the line starts, `body_at` where the body does, `end` behind the line end."""

    name: str
    kind: str
    body: str
    start: int
    body_at: int
    end: int
