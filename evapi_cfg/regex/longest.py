"""The longest match at a place, as POSIX asks for it, where `re` takes the first one that it finds.

`a|ab` on "ab" is "a" for `re` and "ab" here. Once the end is known, the groups are filled as glibc does it: the first
alternative and the most repetitions that lead to that end. Back references are not known here.
"""

from __future__ import annotations

from typing import TypeAlias

from evapi_cfg.regex.tree import NEWLINE, Alternatives, Anchor, BackReference, Chars, Concat, Group, Node, Repeat

Spans: TypeAlias = "list[tuple[int, int] | None]"
Places: TypeAlias = "tuple[int, ...]"  # offsets in the text, the preferred one first, none twice

_WORD = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")


class TooSlow(Exception):
    """A search that would take too long."""


class Longest:
    """Matches of one pattern in one text."""

    def __init__(self, root: Node, groups: int, flags: int, text: str, not_bol: bool, most: int | None = None) -> None:
        """`most`: steps after which it gives up with TooSlow."""
        self.left = most
        self.root = root
        self.groups = groups
        self.newline = bool(flags & NEWLINE)
        self.text = text
        self.not_bol = not_bol
        self.known: dict[tuple[int, int], Places] = {}

    def spans(self, start: int) -> Spans | None:
        """Where the longest match that starts at `start` and its groups stand; None without a match."""
        ends = self.ends(self.root, start)
        if not ends:
            return None
        end = max(ends)
        spans: Spans = [None] * (self.groups + 1)
        spans[0] = (start, end)
        self.fill(self.root, start, end, spans)
        return spans

    def ends(self, node: Node, at: int) -> Places:
        """Where matches of `node` that start at `at` can end."""
        key = (id(node), at)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self.find(node, at)
        if self.left is not None:
            self.left -= 1 + len(found)
            if self.left < 0:
                raise TooSlow
        return found

    def find(self, node: Node, at: int) -> Places:
        match node:
            case Chars(chars):
                return (at + 1,) if self.text[at : at + 1] in chars else ()
            case Anchor(kind):
                return (at,) if self.holds(kind, at) else ()
            case Group(_, body):
                return self.ends(body, at)
            case Alternatives(parts):
                return tuple(dict.fromkeys([end for part in parts for end in self.ends(part, at)]))
            case Concat(parts):
                places: Places = (at,)
                for part in parts:
                    places = self.after(part, places)
                return places
            case Repeat(Chars(chars), low, high):
                text = self.text
                last = len(text) if high is None else min(len(text), at + high)
                end = at
                while end < last and text[end] in chars:
                    end += 1
                return tuple(range(end, at + low - 1, -1))
            case Repeat(body, low, high):
                rounds = self.rounds(body, low, high, at)
                return tuple(dict.fromkeys([end for round_ in reversed(rounds[low:]) for end in round_]))
            case BackReference():
                raise AssertionError("a back reference in a search for the longest match")

    def after(self, node: Node, places: Places) -> Places:
        return tuple(dict.fromkeys([end for place in places for end in self.ends(node, place)]))

    def rounds(self, body: Node, low: int, high: int | None, at: int) -> list[Places]:
        """Where 0, 1, 2 ... repetitions of `body` can end. Beyond `low` each must take something."""
        rounds: list[Places] = [(at,)]
        while high is None or len(rounds) <= high:
            before = rounds[-1]
            if len(rounds) <= low:
                places = self.after(body, before)
            else:
                places = tuple(
                    dict.fromkeys([end for place in before for end in self.ends(body, place) if end > place])
                )
            if not places:
                break
            rounds.append(places)
        return rounds

    def holds(self, kind: str, at: int) -> bool:
        text = self.text
        if kind == "^":
            return (at == 0 and not self.not_bol) or (self.newline and at > 0 and text[at - 1] == "\n")
        if kind == "$":
            return at == len(text) or (self.newline and text[at] == "\n")
        if kind == "`":
            return at == 0
        if kind == "'":
            return at == len(text)
        before, behind = at > 0 and text[at - 1] in _WORD, text[at : at + 1] in _WORD
        if kind == "<":
            return behind and not before
        if kind == ">":
            return before and not behind
        return (before != behind) == (kind == "b")

    def fill(self, node: Node, start: int, end: int, spans: Spans) -> None:
        """The groups inside `node`, which matches from `start` to `end`."""
        match node:
            case Group(number, body):
                spans[number] = (start, end)
                self.fill(body, start, end, spans)
            case Alternatives(parts):
                self.fill(next(part for part in parts if end in self.ends(part, start)), start, end, spans)
            case Concat(parts):
                reached: list[Places] = [(start,)]
                for part in parts:
                    reached.append(self.after(part, reached[-1]))
                leading: list[frozenset[int]] = [frozenset((end,))]
                for part, starts in zip(reversed(parts), reversed(reached[:-1]), strict=True):
                    wanted = leading[-1]
                    leading.append(frozenset(at for at in starts if not wanted.isdisjoint(self.ends(part, at))))
                leading.reverse()
                for part, wanted in zip(parts, leading[1:], strict=True):
                    stop = next(place for place in self.ends(part, start) if place in wanted)
                    self.fill(part, start, stop, spans)
                    start = stop
            case Repeat(body, low, high):
                if not isinstance(body, Chars):
                    self.fill_repeat(body, low, high, start, end, spans)
            case _:
                pass

    def fill_repeat(self, body: Node, low: int, high: int | None, start: int, end: int, spans: Spans) -> None:
        if start == end and high != 0 and start in self.ends(body, start):
            self.fill(body, start, end, spans)  # once, though it could be left out
            return
        rounds = self.rounds(body, low, high, start)
        leading: list[frozenset[int]] = [frozenset()]
        for number in range(len(rounds) - 1, -1, -1):
            wanted = leading[-1]
            places = {at for at in rounds[number] if not wanted.isdisjoint(self.ends(body, at))}
            if number >= low and end in rounds[number]:
                places.add(end)
            leading.append(frozenset(places))
        leading.reverse()
        for number in range(len(rounds) - 1):
            wanted = leading[number + 1]
            ends = [place for place in self.ends(body, start) if place in wanted and (place > start or number < low)]
            if not ends:
                break
            self.fill(body, start, ends[0], spans)
            start = ends[0]
