"""JSON as jsonrpcs reads and writes it (core/utils/srjson.c), which is more lenient than JSON's own grammar.

What stands behind the document is not looked at, a NUL ends it, numbers may begin with a zero, and unknown escapes are
the character itself. Numbers are C's `double`. Texts have one character per byte.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.rpc import Answer, Repeated
from evapi_cfg.source import show, store

_DEEPEST: Final = 100  # arrays and objects inside each other; Kamailio has its stack as the limit
_BLANK: Final = re.compile(r"[\x01-\x20]*")
_NUMBER: Final = re.compile(r"(-?)(0?(?:[1-9][0-9]*)?)(?:\.([0-9]+))?(?:[eE](\+|-)?([0-9]*))?")
_STRING: Final = re.compile(r'"((?:[^"\\]+|\\.)*+)("|\Z)', re.DOTALL)
_HEX: Final = "[0-9A-Fa-f]"
_ESCAPE: Final = re.compile(
    rf"\\u([dD][89abAB]{_HEX}{{2}})\\u({_HEX}{{4}})|\\u({_HEX}{{4}})|\\(.)",
    re.DOTALL,
)
_CONTROLS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: Final[tuple[tuple[str, bool | None], ...]] = (("null", None), ("false", False), ("true", True))
_LONG: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Members:
    """An object: its members as they stand there."""

    items: list[tuple[str, Node]] = field(default_factory=list)

    def find(self, name: str) -> Node | Missing:
        """The first one of a name, whose letters count without their case."""
        return next((value for key, value in self.items if key.lower() == name), MISSING)


class Missing:
    """There is no such member."""


MISSING: Final = Missing()
Node: TypeAlias = "Members | list[Node] | str | int | float | bool | None"


class NotRead(ValueError):
    """This is no document."""


def parse(text: str) -> Node:
    """The document at the beginning of a text; raises NotRead."""
    return _Reader(text.partition("\0")[0]).value(0)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _skip(self) -> str:
        """The next character that is not blank; "" at the end."""
        blank = _BLANK.match(self._text, self._at)
        assert blank is not None
        self._at = blank.end()
        return self._text[self._at : self._at + 1]

    def value(self, depth: int) -> Node:
        first = self._skip()
        if first == '"':
            return self._string()
        if first in ("[", "{"):
            if depth >= _DEEPEST:
                raise NotRead(f"more than {_DEEPEST} arrays and objects inside each other")
            return self._array(depth + 1) if first == "[" else self._object(depth + 1)
        for word, value in _WORDS:
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value
        if first == "-" or "0" <= first <= "9":
            return self._number()
        raise self._refused()

    def _refused(self) -> NotRead:
        return NotRead(f"character {self._at + 1} is not expected there" if self._skip() else "it ends too early")

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._refused()
        self._at = found.end()
        text = found[1]
        return _ESCAPE.sub(_unescaped, text) if "\\" in text else text

    def _number(self) -> int | float:
        found = _NUMBER.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        sign, whole, fraction, exponent_sign, exponent = found.groups()
        number = _double(whole + (fraction or ""))
        shift = int((exponent or "0")[:9]) * (-1 if exponent_sign == "-" else 1) - len(fraction or "")
        if shift:
            try:
                number *= math.pow(10.0, shift)
            except OverflowError:
                number = math.inf
        number = min(number, sys.float_info.max)
        if sign:
            number = -number
        return int(number) if number.is_integer() and abs(number) < _LONG else number

    def _array(self, depth: int) -> list[Node]:
        self._at += 1
        made: list[Node] = []
        if self._skip() != "]":
            made.append(self.value(depth))
            while self._skip() == ",":
                self._at += 1
                made.append(self.value(depth))
        self._closed("]")
        return made

    def _object(self, depth: int) -> Members:
        self._at += 1
        made: list[tuple[str, Node]] = []
        if self._skip() != "}":
            made.append(self._member(depth))
            while self._skip() == ",":
                self._at += 1
                made.append(self._member(depth))
        self._closed("}")
        return Members(made)

    def _member(self, depth: int) -> tuple[str, Node]:
        self._skip()
        name = self._string()
        if self._skip() != ":":
            raise self._refused()
        self._at += 1
        return name, self.value(depth)

    def _closed(self, bracket: str) -> None:
        if self._skip() != bracket:
            raise self._refused()
        self._at += 1


def _double(digits: str) -> float:
    """Digit by digit, with what is lost on the way, as numbers above 2^53 show it."""
    if len(digits) <= 15:
        return float(digits or 0)
    if len(digits) > 400:
        return math.inf
    number = 0.0
    for digit in digits:
        number = number * 10.0 + int(digit)
    return number


def _unescaped(escape: re.Match[str]) -> str:
    high, low, single, other = escape.groups()
    if other is not None:
        if other == "u":
            raise NotRead("an escape `\\u` without its four digits")
        return _CONTROLS.get(other, other)
    if high is not None:
        unit = int(low, 16)
        if not 0xDC00 <= unit <= 0xDFFF:
            return ""
        return store(chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (unit & 0x3FF)))
    unit = int(single, 16)
    return "" if unit == 0 or 0xD800 <= unit <= 0xDFFF else store(chr(unit))


def plain(node: Node) -> Json:
    """A parameter of a command."""
    if isinstance(node, str):
        return show(node)
    if isinstance(node, Members):
        return {show(name): plain(value) for name, value in reversed(node.items)}
    return [plain(value) for value in node] if isinstance(node, list) else node


# ---- writing --------------------------------------------------------------------------------------------------------

_SPECIAL: Final = re.compile(r'[\x00-\x1f"\\]')
_ESCAPED: Final = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(special: re.Match[str]) -> str:
    return _ESCAPED.get(special[0]) or f"\\u{ord(special[0]):04x}"


def _quoted(text: str) -> str:
    return f'"{_SPECIAL.sub(_escaped, store(text).partition(chr(0))[0])}"'


def _written_number(number: int | float) -> str:
    if isinstance(number, int) and -(1 << 31) <= number < 1 << 31:
        return str(number)
    double = float(number)
    if double.is_integer():
        return f"{double:.0f}"[:20]  # of the space that Kamailio has for it
    return f"{double:e}"[:20] if abs(double) < 1.0e-6 or abs(double) > 1.0e9 else f"{double:f}"[:20]


def write(value: Answer, *, pretty: bool, depth: int = 0) -> str:
    """A document as text, with tabs and one line for each value where it is to be `pretty`."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (int, float)):
        return _written_number(value)
    if isinstance(value, Mapping):
        colon = ":\t" if pretty else ":"
        inside = [
            f"{_quoted(name)}{colon}{write(one, pretty=pretty, depth=depth + 1)}"
            for name, item in value.items()
            for one in (item.values if isinstance(item, Repeated) else (item,))
        ]
        return _enclosed("{", inside, "}", depth if pretty else None)
    items = value.values if isinstance(value, Repeated) else value
    inside = [write(item, pretty=pretty, depth=depth + 1) for item in items]
    return _enclosed("[", inside, "]", depth if pretty else None)


def _enclosed(opening: str, inside: list[str], closing: str, depth: int | None) -> str:
    if depth is None:
        return f"{opening}{','.join(inside)}{closing}"
    tabs = "\t" * (depth + 1)
    lines = "".join([f"{tabs}{item}{',' if number < len(inside) else ''}\n" for number, item in enumerate(inside, 1)])
    return f"{opening}\n{lines}{tabs[1:]}{closing}"
