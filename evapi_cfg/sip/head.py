"""What is read of a message's header lines, and how far: Kamailio's parser stops for good at the first header that it
cannot read (core/parser/msg_parser.c: get_hdr_field, parse_headers; parse_cseq.c, parse_content.c).

Most messages are as `plain_head` expects them, which costs a fraction of `careful_head`; where it finds something, the
other one finds the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from evapi_cfg.sip.headers import BLANK, KINDS, Header, body_text
from evapi_cfg.sip.uri import PLAIN_ADDRESS, parse_address
from evapi_cfg.sip.via import PLAIN_VIA, Via, parse_vias, plain_via

ONCE: Final = ("from", "to", "call-id", "cseq", "content-length", "max-forwards")  # a second one cannot be read
_TO_THE_END: Final = ("cseq", "content-length")  # behind what is read of them only blanks may stand, no further CR
_MAX_LENGTH: Final = 2**31 // 10 * 10

_PLAIN: Final = {
    "via": PLAIN_VIA,
    "from": PLAIN_ADDRESS,
    "to": PLAIN_ADDRESS,
    "cseq": "([0-9]+) ([A-Za-z]+)",
    "content-length": "[0-9]{1,9}",
}
_PLAIN_VIA, _PLAIN_FROM, _PLAIN_TO, _PLAIN_CSEQ, _PLAIN_LENGTH = (
    re.compile(rf"[^:]*:[ \t]*{body}") for body in _PLAIN.values()
)
_BODIES: Final = {kind: (body, re.compile(body).groups) for kind, body in _PLAIN.items()}
_RECENT: Final = 4  # layouts that are tried
_KNOWN: Final = 64  # layouts that there may be
_OFTEN: Final = 8  # times that one must have come
_COUNTED: Final = 1024  # others of which that is known
_LONGEST: Final = 40  # lines of a head: an expression with very many groups costs more than it saves
_CSEQ: Final = re.compile(r"([^ \t\r\n]+)[ \t]+([^ \t\r\n]+)(?:[ \t]|(?:\r\n?|\n)[ \t])*")
_LENGTH: Final = re.compile(r"([0-9]+)(?:[ \t]|\r?\n[ \t])*")
_RETRY: Final = re.compile(r"[0-9]{1,10}(?=[ \t;\r\n(]|$)")

PlainHead: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], int, Via, tuple[str, str], str]


class Layouts:
    """Remembers which headers messages have, in which order: those of one sender hardly ever change, and one expression
    for all of its lines reads them in half the time. What fits none that was used lately is read line by line.

    Making an expression costs as much as reading a few hundred messages. So it is made for what comes often, and not
    for more than so many: who sends whatever there is costs nobody anything.
    """

    def __init__(self) -> None:
        self._recent: list[_Layout] = []
        self._known: dict[tuple[str, ...], _Layout] = {}  # by the names as they are written
        self._counted: dict[tuple[str, ...], int] = {}  # how often others have come

    def read(self, text: str, at: int) -> PlainHead | None:
        """As `plain_head`."""
        recent = self._recent
        for layout in recent:
            found = layout.match(text, at)
            if found is not None:
                if layout is not recent[0]:
                    recent.remove(layout)
                    recent.insert(0, layout)
                via = plain_via(found, layout.via)
                cseq = found[layout.cseq], found[layout.cseq + 1]
                tag = found[layout.to + 2]
                return found.group(*layout.lines), layout.kinds, found.end() - 2, via, cseq, tag[4:] if tag else ""
        plain = plain_head(text, at)
        if plain is not None:
            self._remember(plain[0], plain[1])
        return plain

    def _remember(self, lines: tuple[str, ...], kinds: tuple[str, ...]) -> None:
        names = tuple(line.partition(":")[0] for line in lines)
        layout = self._known.get(names)
        if layout is None:
            if len(self._known) >= _KNOWN or len(lines) > _LONGEST:
                return
            count = self._counted.pop(names, 0) + 1
            if count < _OFTEN:
                if len(self._counted) >= _COUNTED:
                    self._counted.clear()
                self._counted[names] = count
                return
            layout = self._known[names] = _Layout(names, kinds)
        self._recent.insert(0, layout)
        del self._recent[_RECENT:]


class _Layout:
    """Header names in an order, as an expression for whole heads. It takes nothing that `plain_head` would not."""

    def __init__(self, names: tuple[str, ...], kinds: tuple[str, ...]) -> None:
        self.kinds = kinds
        numbers, pattern = [], []
        begins: dict[str, int] = {}
        group = 1
        for name, kind in zip(names, kinds, strict=True):
            body, groups = _BODIES.get(kind, (r"[^\r\n]*+", 0))
            pattern.append(rf"({re.escape(name)}:[ \t]*+{body})\r\n")
            numbers.append(group)
            begins.setdefault(kind, group + 1)
            group += 1 + groups
        self.lines = tuple(numbers)
        self.via, self.cseq, self.to = begins["via"], begins["cseq"], begins["to"]
        self.match = re.compile("".join(pattern) + "\r\n").match


def plain_head(text: str, at: int) -> PlainHead | None:
    """The header lines from offset `at` on where they are as most are: each on one line that ends with CR LF, an empty
    line behind them, all headers there that must be, and none that cannot be read. Their lines, their kinds, where the
    empty line begins, the topmost Via, the words of CSeq and the tag in To. None where they are not so.
    """
    end = text.find("\r\n\r\n", at - 2)
    if end < at:
        return None
    head = text[at:end]
    lines = head.split("\r\n")
    if head.count("\n") != len(lines) - 1:
        return None
    kinds = [KINDS[name] if colon else "" for name, colon, _ in [line.partition(":") for line in lines]]
    first = dict(zip(reversed(kinds), reversed(lines), strict=True))
    if "" in first or "call-id" not in first or "retry-after" in first:
        return None
    try:
        via = _PLAIN_VIA.fullmatch(first["via"])
        cseq = _PLAIN_CSEQ.fullmatch(first["cseq"])
        sender, target = _PLAIN_FROM.fullmatch(first["from"]), _PLAIN_TO.fullmatch(first["to"])
    except KeyError:
        return None
    if via is None or cseq is None or sender is None or target is None:
        return None
    length = first.get("content-length")
    if length is not None and _PLAIN_LENGTH.fullmatch(length) is None:
        return None
    if len(first) != len(kinds) and not _sound_repeats(lines, kinds):
        return None
    tag = target[3]
    return tuple(lines), tuple(kinds), end + 2, plain_via(via), (cseq[1], cseq[2]), tag[4:] if tag else ""


def _sound_repeats(lines: Sequence[str], kinds: Sequence[str]) -> bool:
    """Whether none of the headers is there twice that must not be, and all Vias are plain."""
    if any(kinds.count(kind) > 1 for kind in ONCE):
        return False
    return all(_PLAIN_VIA.fullmatch(line) for line, kind in zip(lines, kinds, strict=True) if kind == "via")


class Head(NamedTuple):
    """The headers that can be read. `end` is where the line begins behind them; `fault` says why that one cannot be
    read, and is empty where the headers have been read to their end: an empty line, or the end of the text."""

    headers: tuple[Header, ...]
    end: int
    fault: str


def careful_head(text: str, at: int) -> Head:
    """The headers from offset `at` on. Every line end counts, and a line that begins with a blank goes on with the one
    before it."""
    found: list[Header] = []
    seen: set[str] = set()
    size = len(text)
    while at < size and text[at] not in "\r\n":
        end = text.find("\n", at)
        while 0 <= end < size - 1 and text[end + 1] in " \t":
            end = text.find("\n", end + 1)
        if end < 0:
            return Head(tuple(found), at, "its last line has no end")
        end += 1
        colon = text.find(":", at, end)
        spelling = text[at:colon] if colon > at else ""
        kind = KINDS[spelling]
        if not kind:
            return Head(tuple(found), at, "it has a line that is no header")
        name = spelling.rstrip(" \t")
        if kind in seen and kind in ONCE:
            return Head(tuple(found), at, f"it has a second {name}")
        seen.add(kind)
        body = text[colon + 1 : end]
        stripped = body_text(body)
        check = _CHECKS.get(kind)
        if check is not None and not check(_without_line_end(body) if kind in _TO_THE_END else stripped):
            return Head(tuple(found), at, f"its {name} cannot be read")
        body_at = colon + 1 + len(body) - len(body.lstrip(BLANK)) if stripped else colon + 1
        found.append(Header(name, kind, stripped, at, body_at, end))
        at = end
    return Head(tuple(found), at, "")


def _without_line_end(body: str) -> str:
    return body[:-1].removesuffix("\r").lstrip(BLANK)


def cseq_words(body: str) -> tuple[str, str] | None:
    """Number and method of a CSeq, whatever the first one is (parse_cseq); None where it cannot be read."""
    found = _CSEQ.fullmatch(body)
    return None if found is None else (found[1], found[2])


def _sound_length(body: str) -> bool:
    found = _LENGTH.fullmatch(body)
    return found is not None and len(found[1].lstrip("0")) <= 10 and int(found[1]) < _MAX_LENGTH


_CHECKS: Final[dict[str, Callable[[str], object]]] = {
    "via": parse_vias,
    "cseq": cseq_words,
    "from": parse_address,
    "to": parse_address,
    "content-length": _sound_length,
    "retry-after": _RETRY.match,
}
