"""POSIX extended regular expressions as Kamailio compiles them: regcomp with REG_EXTENDED, in the C locale.

A pattern is read by glibc's rules (`tree`), run by Python's `re` (`translate`), and where one place allows matches of
different lengths, the longest is taken (`longest`). One character is one byte; case is ignored for ASCII letters only;
a text ends at its first NUL.

A pattern that sends `re` into exponential backtracking, such as `(a*)*b`, does so here, except in `search_bounded`;
glibc is slow with other ones.
This package knows nothing of cfg files.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Final

from evapi_cfg.regex.longest import Longest, TooSlow
from evapi_cfg.regex.translate import write
from evapi_cfg.regex.tree import ICASE, NEWLINE, Alternatives, Chars, Concat, Group, Node, RegexError, Repeat, parse

__all__ = ["ICASE", "NEWLINE", "Match", "Regex", "RegexError", "TooSlow", "compile", "translate"]

LONGEST_UP_TO: Final = 20_000  # characters of text; in a longer one the first match is taken

MOST_STEPS: Final = 10_000_000  # of a search that is bounded
MOST_TRIED: Final = 100_000_000  # ways of matching that `re` may have to try


class Match:
    """Where a match and its groups stand in the text: `spans[0]` is the whole; None for a group that took no part."""

    __slots__ = ("spans", "text")

    def __init__(self, text: str, spans: tuple[tuple[int, int] | None, ...]) -> None:
        self.text = text
        self.spans = spans

    def span(self, group: int = 0) -> tuple[int, int] | None:
        return self.spans[group] if group < len(self.spans) else None

    def group(self, group: int = 0) -> str | None:
        span = self.span(group)
        return None if span is None else self.text[span[0] : span[1]]


class Regex:
    """A compiled expression."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern = pattern
        self.flags = flags
        self._tree = tree = parse(pattern, flags)
        self.groups = tree.groups
        self._find = self._compiled(groups=tree.refers_back).search
        self._searchers: dict[bool, Callable[[str], re.Match[str] | None]] = {}
        self._unambiguous = _one_variable_part(tree.root)

    def _compiled(self, *, groups: bool, not_bol: bool = False) -> re.Pattern[str]:
        return re.compile(write(self._tree.root, self.flags, groups=groups, not_bol=not_bol), re.ASCII)

    def matches(self, text: str) -> bool:
        """Whether the pattern stands anywhere in the text (regexec)."""
        if "\0" in text:
            text = text.partition("\0")[0]
        return self._find(text) is not None

    def search(self, text: str, start: int = 0, *, not_bol: bool = False) -> Match | None:
        """The first and there the longest match in what stands from `start` on; nothing in front of that is seen.

        `not_bol`: `^` does not match at `start` (REG_NOTBOL).
        """
        rest = text[start:].partition("\0")[0]
        searcher = self._searchers.get(not_bol)
        if searcher is None:
            searcher = self._searchers[not_bol] = self._compiled(groups=True, not_bol=not_bol).search
        found = searcher(rest)
        if found is None:
            return None
        whole = not self._tree.choices and found.end() == len(rest)
        if whole or self._unambiguous or self._tree.refers_back or len(rest) > LONGEST_UP_TO:
            spans = [found.span(number) for number in range(self.groups + 1)]
            return Match(text, tuple((low + start, high + start) if low >= 0 else None for low, high in spans))
        longest = Longest(self._tree.root, self.groups, self.flags, rest, not_bol).spans(found.start())
        assert longest is not None
        return Match(text, tuple(span and (span[0] + start, span[1] + start) for span in longest))

    def search_bounded(self, text: str, start: int = 0, *, not_bol: bool = False) -> Match | None:
        """The same for patterns and texts that nobody trusts: raises TooSlow instead of taking long."""
        size = len(text) - start
        repeats = self._repeats
        if repeats == 0 or (repeats is not None and size ** (repeats + 1) <= MOST_TRIED):
            return self.search(text, start, not_bol=not_bol)
        if self._tree.refers_back:
            raise TooSlow
        rest = text[start:].partition("\0")[0]
        longest = Longest(self._tree.root, self.groups, self.flags, rest, not_bol, MOST_STEPS)
        for at in range(len(rest) + 1):
            spans = longest.spans(at)
            if spans is not None:
                return Match(text, tuple(span and (span[0] + start, span[1] + start) for span in spans))
        return None

    @cached_property
    def _repeats(self) -> int | None:
        """How many parts may be of any length; None where one is inside another, so that there may be a way of matching
        for each way of cutting the text."""
        number = 0
        waiting = [(self._tree.root, False)]
        while waiting:
            node, repeated = waiting.pop()
            match node:
                case Repeat(body, low, high):
                    varies = high is None or high - low > 1
                    if repeated and varies:
                        return None
                    number += varies
                    waiting.append((body, repeated or high is None or high > 1))
                case Alternatives(parts):
                    if repeated:
                        return None
                    waiting += ((part, repeated) for part in parts)
                case Concat(parts):
                    waiting += ((part, repeated) for part in parts)
                case Group(_, body):
                    waiting.append((body, repeated))
        return number


def _one_variable_part(node: Node) -> bool:
    """Whether all matches at one place have one length but for a single repetition of characters."""
    parts = node.parts if isinstance(node, Concat) else (node,)
    flat = [part.body if isinstance(part, Group) else part for part in parts]
    if any(isinstance(part, Alternatives | Concat | Group) for part in flat):
        return False
    repeats = [part for part in flat if isinstance(part, Repeat)]
    return all(isinstance(part.body, Chars) for part in repeats) and len(repeats) <= 1


def compile(pattern: str, flags: int = 0) -> Regex:
    """Raises RegexError."""
    return Regex(pattern, flags)


def translate(pattern: str, flags: int = 0) -> str:
    """The pattern as Python's `re` takes it, with its groups, under the flag ASCII; raises RegexError."""
    return write(parse(pattern, flags).root, flags, groups=True)
