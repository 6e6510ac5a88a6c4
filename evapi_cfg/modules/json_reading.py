"""What the modules that read JSON share: texts of one character per byte, escapes, documents that the standard
library's parser gives up at, and the documents that were read last.

The library parses; a grammar here says what else a C library takes. What makes jansson and json-c differ is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from evapi_cfg.modules.json_type import Json


class Refused(ValueError):
    """The document is not one that the C library reads."""


# ---- escapes --------------------------------------------------------------------------------------------------------

_ESCAPE: Final = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|.)", re.DOTALL
)


def with_bytes(text: str, half: Callable[[], str]) -> str:
    """A document with the bytes of each character above 127 in place of its `\\u` escape, so that its strings are one
    character per byte, however they were written. `half` gives what stands for half of a pair, or raises."""

    def bytes_of(escape: re.Match[str]) -> str:
        high, low, unit = escape.groups()
        if high:
            return _encoded(0x10000 + ((int(high, 16) & 0x3FF) << 10 | int(low, 16) & 0x3FF))
        code = int(unit, 16) if unit else 0
        if code < 0x80:
            return escape[0]
        return half() if 0xD800 <= code < 0xE000 else _encoded(code)

    return _ESCAPE.sub(bytes_of, text) if "\\u" in text else text


def _encoded(code: int) -> str:
    return chr(code).encode().decode("latin-1")


def before_nul(text: str) -> str:
    """A text as C sees it."""
    return text.partition("\0")[0] if "\0" in text else text


# ---- depth ----------------------------------------------------------------------------------------------------------


def may_be_deeper(text: str, depth: int) -> bool:
    """Whether a document has as many brackets as something that is too deep."""
    return len(text) >= depth and text.count("[") + text.count("{") >= depth


def deeper(document: Json, depth: int) -> bool:
    """Whether there is a value inside `depth` objects and arrays."""
    level: list[Json] = [document]
    for _ in range(depth):
        inner: list[Json] = []
        for value in level:
            if isinstance(value, list):
                inner += value
            elif isinstance(value, dict):
                inner += value.values()
        if not inner:
            return False
        level = inner
    return True


# ---- a reader of our own --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a reader takes.

    `blank` matches what may stand between two words, also nothing. `scalar` reads a number, a string or a literal at a
    place and gives it with the place behind it; `name` reads the name of a member. Both raise ValueError.
    `depth`: no value stands inside that many objects and arrays. `unique`: a name comes once in an object.
    """

    blank: re.Pattern[str]
    scalar: Callable[[str, int], tuple[Json, int]]
    name: Callable[[str, int], tuple[Json, int]]
    depth: int
    comma_at_end: bool
    unique: bool


def read(text: str, grammar: Grammar) -> tuple[Json, int]:
    """A document, and the place behind it. Raises ValueError. It needs no stack, however deep the document is."""
    return _Reading(text, grammar).document()


class _Reading:
    __slots__ = ("at", "grammar", "holders", "names", "text")

    def __init__(self, text: str, grammar: Grammar) -> None:
        self.text = text
        self.grammar = grammar
        self.at = 0
        self.holders: list[dict[str, Json] | list[Json]] = []
        self.names: list[str] = []  # of the members whose values are not complete yet, one for each object

    def document(self) -> tuple[Json, int]:
        self.skip()
        while True:
            if len(self.holders) >= self.grammar.depth:
                raise Refused("the document is too deep")
            opening = self.text[self.at : self.at + 1]
            if opening in ("{", "["):
                self.holders.append({} if opening == "{" else [])
                self.at += 1
                self.skip()
                if not self.closes():
                    self.begin_member()
                    continue
                self.at += 1
                value: Json = self.holders.pop()
            else:
                value, self.at = self.grammar.scalar(self.text, self.at)
            while self.holders:
                self.add(value)
                if not self.ends():
                    break
                value = self.holders.pop()
            else:
                return value, self.at

    def skip(self) -> None:
        found = self.grammar.blank.match(self.text, self.at)
        if found is not None:
            self.at = found.end()

    def closes(self) -> bool:
        """Whether the innermost object or array ends here."""
        return self.text.startswith("]" if isinstance(self.holders[-1], list) else "}", self.at)

    def begin_member(self) -> None:
        """Reads what stands in front of a value."""
        if isinstance(self.holders[-1], list):
            return
        name, self.at = self.grammar.name(self.text, self.at)
        if not isinstance(name, str):
            raise Refused(f"the name of a member is expected at {self.at}")
        self.names.append(name)
        self.skip()
        if not self.text.startswith(":", self.at):
            raise Refused(f"`:` is expected at {self.at}")
        self.at += 1
        self.skip()

    def add(self, value: Json) -> None:
        holder = self.holders[-1]
        if isinstance(holder, list):
            holder.append(value)
            return
        name = self.names.pop()
        if self.grammar.unique and name in holder:
            raise Refused("a name comes twice in an object")
        holder[name] = value

    def ends(self) -> bool:
        """Goes on to the next value of the innermost object or array, or behind its end, which it tells."""
        self.skip()
        comma = self.text.startswith(",", self.at)
        if comma:
            self.at += 1
            self.skip()
        if self.closes() and (not comma or self.grammar.comma_at_end):
            self.at += 1
            return True
        if not comma:
            raise Refused(f"`,` or the end of an object or an array is expected at {self.at}")
        self.begin_member()
        return False


# ---- what was read last ---------------------------------------------------------------------------------------------


class Documents:
    """The two documents that were used last, by their texts: several calls of one run mostly read the same one, and
    may build another in between. What is refused is remembered as well."""

    __slots__ = ("_document", "_other", "_other_text", "_parse", "_refusal", "_refused", "_text")

    def __init__(self, parse: Callable[[str], Json]) -> None:
        self._parse = parse
        self._text: str | None = None
        self._document: Json = None
        self._other_text: str | None = None
        self._other: Json = None
        self._refused: str | None = None
        self._refusal = ""

    def of(self, text: str) -> Json:
        """The document, which nobody changes. Raises ValueError."""
        if text == self._text:
            return self._document
        document = self._other if text == self._other_text else self._parsed(text)
        self.keep(text, document)
        return document

    def keep(self, text: str, document: Json) -> None:
        self._other_text, self._other = self._text, self._document
        self._text, self._document = text, document

    def take(self, text: str) -> Json:
        """The document, which the caller will change: it is no longer kept. Raises ValueError."""
        document = self.of(text)
        self._text, self._document = None, None
        return document

    def _parsed(self, text: str) -> Json:
        if text == self._refused:
            raise Refused(self._refusal)
        try:
            return self._parse(text)
        except ValueError as error:
            self._refused, self._refusal = text, str(error)
            raise
