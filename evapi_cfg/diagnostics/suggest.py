"""Names that are near a wrong one: the candidates for "did you mean".

The distance is Damerau and Levenshtein's (optimal string alignment): insert, drop, replace a character, or swap two
neighbours. Differences in case alone count least.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST = 3  # names in one suggestion
MOST_NAMES = 15_000  # candidates; to search among more of them takes longer than it is worth


def near(name: str, candidates: Iterable[str], most: int = MOST) -> tuple[str, ...]:
    """At most `most` candidates within a third of the name's length, nearest first."""
    limit = max(1, (len(name) + 1) // 3)
    lower = name.lower()
    letters = set(lower)
    found: list[tuple[float, str]] = []
    names = set(candidates)
    if len(names) > MOST_NAMES:
        return ()
    for candidate in names:
        if candidate == name or abs(len(candidate) - len(name)) > limit:
            continue
        other = candidate.lower()
        if len(letters.difference(other)) > limit:  # each letter that is missing there is one edit at least
            continue
        far = 0.5 if other == lower else distance(lower, other, limit) + (0 if candidate[:1] == name[:1] else 0.25)
        if far <= limit:
            found.append((far, candidate))
    found.sort()
    return tuple(candidate for far, candidate in found[:most] if far <= found[0][0] + 0.5)


def did_you_mean(name: str, candidates: Iterable[str], mark: str = "{}") -> str:
    """A sentence for `Diagnostic.help`, or "" where nothing is near. `mark` shows how such a name is written, as in
    `${}`."""
    return question([mark.format(candidate) for candidate in near(name, candidates)])


def question(candidates: Sequence[str]) -> str:
    """Whether one of these is meant; "" for none."""
    if not candidates:
        return ""
    *others, last = (f"`{candidate}`" for candidate in candidates)
    front = ", ".join(others) + " or " if others else ""
    return f"did you mean {front}{last}?"


def distance(one: str, two: str, limit: int) -> int:
    """The number of edits between two texts, or limit + 1 where it is above `limit`."""
    width = len(two) + 1
    before_last: list[int] = []
    last = list(range(width))
    for i, char in enumerate(one, 1):
        row = [i] * width
        for j in range(1, width):
            cost = last[j - 1] + (char != two[j - 1])
            if cost > last[j] + 1:
                cost = last[j] + 1
            if cost > row[j - 1] + 1:
                cost = row[j - 1] + 1
            if i > 1 and j > 1 and char == two[j - 2] and one[i - 2] == two[j - 1] and cost > before_last[j - 2] + 1:
                cost = before_last[j - 2] + 1
            row[j] = cost
        if min(row) > limit:
            return limit + 1
        before_last, last = last, row
    return min(last[-1], limit + 1)
