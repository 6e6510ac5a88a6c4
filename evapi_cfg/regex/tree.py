"""A POSIX extended regular expression as a tree, read by the rules of glibc's regcomp in the C locale.

Source: POSIX.1-2017 XBD 9.4 (REG_EXTENDED). Where that leaves room, what glibc 2.36 was seen to do: the escapes
`\\w \\W \\s \\S \\b \\B \\< \\> \\` \\'` exist, any other letter behind a backslash is itself; an anchor cannot be
repeated; a `)` too many is a character; `{,m}` is `{0,m}`; a bracket expression knows no backslash.

Here nothing is matched and nothing is written for another engine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

ICASE: Final = 1  # REG_ICASE
NEWLINE: Final = 2  # REG_NEWLINE: `.` and `[^...]` do not match a newline, `^` and `$` are lines

MAX_REPEAT: Final = 32767  # RE_DUP_MAX
MAX_LENGTH: Final = 100_000  # characters of a pattern; each takes hundreds of bytes of memory
MAX_DEPTH: Final = 80  # parentheses inside each other, repetitions behind each other


class RegexError(Exception):
    """The pattern is none; `offset` is where in it."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True, eq=False)
class Chars:
    """One of these characters."""

    chars: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """A test of the place: `^ $ b B < > ` '` by its character."""

    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class BackReference:
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    number: int
    body: Node


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    body: Node
    low: int
    high: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Concat:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Alternatives:
    parts: tuple[Node, ...]


Node: TypeAlias = "Chars | Anchor | BackReference | Group | Repeat | Concat | Alternatives"


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole pattern. `groups` is the number of its parentheses."""

    root: Node
    groups: int
    refers_back: bool
    choices: bool  # there are alternatives, or a group is repeated: the first match need not be glibc's


_ALL: Final = frozenset(map(chr, range(1, 256)))
_DIGITS: Final = frozenset("0123456789")
_LOWER: Final = frozenset("abcdefghijklmnopqrstuvwxyz")
_UPPER: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_WORD: Final = _DIGITS | _LOWER | _UPPER | {"_"}
_SPACE: Final = frozenset(" \t\n\r\v\f")
_GRAPH: Final = frozenset(map(chr, range(33, 127)))
_CLASSES: Final = {
    "alpha": _LOWER | _UPPER,
    "digit": _DIGITS,
    "alnum": _LOWER | _UPPER | _DIGITS,
    "upper": _UPPER,
    "lower": _LOWER,
    "space": _SPACE,
    "blank": frozenset(" \t"),
    "punct": _GRAPH - _LOWER - _UPPER - _DIGITS,
    "print": _GRAPH | {" "},
    "graph": _GRAPH,
    "cntrl": frozenset(map(chr, range(1, 32))) | {"\x7f"},
    "xdigit": _DIGITS | frozenset("abcdefABCDEF"),
}
_ESCAPED_SETS: Final = {"w": _WORD, "W": _ALL - _WORD, "s": _SPACE, "S": _ALL - _SPACE}
_REPEATS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_INTERVAL: Final = re.compile(r"\{([0-9]*)(,?)([0-9]*)")


def upper(char: str) -> str:
    """toupper() of the C locale."""
    return char.upper() if "a" <= char <= "z" else char


@lru_cache(1024)
def _folded(chars: frozenset[str]) -> frozenset[str]:
    return frozenset(char for char in _ALL if upper(char) in chars)


def parse(pattern: str, flags: int = 0) -> Tree:
    """Raises RegexError. The pattern ends at its first NUL, as a C string does."""
    if len(pattern) > MAX_LENGTH:
        raise RegexError(f"it is longer than {MAX_LENGTH:,} characters", 0)
    return _Parser(pattern.partition("\0")[0], flags).parse()


class _Parser:
    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self.ignore_case = bool(flags & ICASE)
        self.newline = bool(flags & NEWLINE)
        self.at = 0
        self.groups = 0
        self.closed: set[int] = set()
        self.refers_back = False
        self.choices = False

    def parse(self) -> Tree:
        root = self.alternatives(0)
        return Tree(root, self.groups, self.refers_back, self.choices)

    def alternatives(self, depth: int) -> Node:
        branches = [self.branch(depth)]
        while self.pattern.startswith("|", self.at):
            self.at += 1
            branches.append(self.branch(depth))
        if len(branches) == 1:
            return branches[0]
        self.choices = True
        return Alternatives(tuple(branches))

    def branch(self, depth: int) -> Node:
        parts: list[Node] = []
        pattern = self.pattern
        while self.at < len(pattern) and pattern[self.at] != "|" and (not depth or pattern[self.at] != ")"):
            parts.append(self.piece(depth))
        return parts[0] if len(parts) == 1 else Concat(tuple(parts))

    def piece(self, depth: int) -> Node:
        """One expression with the repetitions behind it."""
        node = self.atom(depth)
        if isinstance(node, Anchor):
            return node
        nested = 0
        while sign := self.pattern[self.at : self.at + 1]:
            start = self.at
            if sign in _REPEATS:
                self.at += 1
                low, high = _REPEATS[sign]
            elif sign == "{":
                low, high = self.interval()
            else:
                break
            if (
                isinstance(node, Repeat)
                and (low, high) in _REPEATS.values()
                and (node.low, node.high) in _REPEATS.values()
            ):
                # `a*?` and the like: whichever of them may repeat, repeats; whichever may be left out, is
                node = Repeat(node.body, min(low, node.low), 1 if high == node.high == 1 else None)
                continue
            self.choices |= not isinstance(node, Chars)
            node = Repeat(node, low, high)
            nested += 1
            if nested > MAX_DEPTH:
                raise RegexError(f"more than {MAX_DEPTH} repetitions of repetitions", start)
        return node

    def atom(self, depth: int) -> Node:
        at = self.at
        char = self.pattern[at]
        self.at += 1
        if char in _REPEATS or char == "{":
            raise RegexError(f"`{char}` has nothing in front of it that could be repeated", at)
        if char == "(":
            return self.group(at, depth)
        if char == "[":
            return Chars(self.bracket(at))
        if char == ".":
            return Chars(_ALL - {"\n"} if self.newline else _ALL)
        if char in "^$":
            return Anchor(char)
        if char == "\\":
            return self.escape(at)
        return self.literal(char)

    def group(self, at: int, depth: int) -> Group:
        if depth >= MAX_DEPTH:
            raise RegexError(f"more than {MAX_DEPTH} parentheses inside each other", at)
        self.groups += 1
        number = self.groups
        body = self.alternatives(depth + 1)
        if not self.pattern.startswith(")", self.at):
            raise RegexError("`(` is not closed", at)
        self.at += 1
        self.closed.add(number)
        return Group(number, body)

    def literal(self, char: str) -> Node:
        return Chars(self.folded({upper(char) if self.ignore_case else char}))

    def folded(self, chars: set[str] | frozenset[str]) -> frozenset[str]:
        """The characters of a text that are in the set; if case is ignored, after they were made upper case."""
        return _folded(frozenset(chars)) if self.ignore_case else frozenset(chars)

    def escape(self, at: int) -> Node:
        char = self.pattern[self.at : self.at + 1]
        if not char:
            raise RegexError("nothing follows the last `\\`", at)
        self.at += 1
        if char in "123456789":
            if int(char) not in self.closed:
                raise RegexError(f"no group {char} ends in front of `\\{char}`", at)
            self.refers_back = True
            return BackReference(int(char))
        if char in _ESCAPED_SETS:
            return Chars(_ESCAPED_SETS[char])
        if char in "bB<>`'":
            return Anchor(char)
        return Chars(self.folded({char}))  # glibc does not make it upper case: `\\a` matches nothing with ICASE

    def interval(self) -> tuple[int, int | None]:
        """`{n}`, `{n,}`, `{,m}` or `{n,m}`."""
        at = self.at
        found = _INTERVAL.match(self.pattern, at)
        assert found is not None
        end = found.end()
        if end >= len(self.pattern):
            raise RegexError("`{` is not closed", at)
        low, comma, high = found.groups()
        if self.pattern[end] != "}" or not (low or comma):
            raise RegexError("between `{` and `}` stands no number of repetitions", at)
        first = _count(low, at) if low else 0
        last = first if not comma else _count(high, at) if high else None
        if last is not None and first > last:
            raise RegexError("the smaller number of repetitions stands first", at)
        self.at = end + 1
        return first, last

    # ---- bracket expressions

    def bracket(self, opening: int) -> frozenset[str]:
        """The characters of `[...]`; `self.at` is behind the opening bracket."""
        pattern = self.pattern
        negated = pattern.startswith("^", self.at)
        self.at += negated
        chars: set[str] = set()
        first = True
        while first or not pattern.startswith("]", self.at):
            start = self.at
            element = self.element(opening, hyphen=first)
            first = False
            if isinstance(element, frozenset):
                chars |= element
            elif not pattern.startswith("-", self.at):
                chars.add(element)
            elif pattern.startswith("]", self.at + 1):
                self.at += 1
                chars |= {element, "-"}
            else:
                self.at += 1
                last = self.element(opening, hyphen=True)
                if isinstance(last, frozenset):
                    raise RegexError("a class of characters ends no range", start)
                if element > last:
                    raise RegexError(f"the range `{pattern[start : self.at]}` ends before it begins", start)
                chars.update(map(chr, range(ord(element), ord(last) + 1)))
        self.at += 1
        found = self.folded(chars)
        if negated:
            found = _ALL - found
            if self.newline:
                found -= {"\n"}
        return found

    def element(self, opening: int, *, hyphen: bool) -> str | frozenset[str]:
        """One character of a bracket expression, or a class of them. `hyphen`: a `-` may stand for itself."""
        pattern, at = self.pattern, self.at
        char = pattern[at : at + 1]
        if not char:
            raise RegexError("`[` is not closed", opening)
        kind = pattern[at + 1 : at + 2]
        if char == "[" and kind and kind in ".=:":
            return self.named(opening, kind)
        if char == "-" and not hyphen and not pattern.startswith("]", at + 1):
            raise RegexError("a `-` inside brackets stands first, last or between two characters", at)
        self.at += 1
        return upper(char) if self.ignore_case else char

    def named(self, opening: int, kind: str) -> str | frozenset[str]:
        """`[:class:]`, `[.x.]` or `[=x=]`."""
        at = self.at
        end = self.pattern.find(kind + "]", at + 2)
        if end < 0:
            raise RegexError("`[` is not closed", opening)
        name = self.pattern[at + 2 : end]
        self.at = end + 2
        if kind == ":":
            if name not in _CLASSES:
                raise RegexError(f"there is no class of characters `[:{name}:]`", at)
            return _CLASSES["alpha" if self.ignore_case and name in ("upper", "lower") else name]
        if len(name) != 1:
            raise RegexError(f"`{name}` is not one character", at)
        name = upper(name) if self.ignore_case else name
        return name if kind == "." else frozenset(name)


def _count(digits: str, at: int) -> int:
    digits = digits.lstrip("0")
    if len(digits) > 5 or int(digits or 0) > MAX_REPEAT:
        raise RegexError(f"more than {MAX_REPEAT} repetitions", at)
    return int(digits or 0)
