"""What to write instead of what POSIX's regular expressions do not take."""

from __future__ import annotations


def remedy(pattern: str, offset: int) -> str:
    """What to write instead of what stands at an offset; "" where that cannot be told."""
    if pattern.startswith("(?", offset - 1):
        return next(help for front, help in _OF_PERL if pattern.startswith(front, offset - 1))
    char = pattern[offset : offset + 1]
    if char in ("*", "+", "?", "{"):
        return f"write `\\{char}` for the character itself" if not pattern.startswith("{,", offset) else ""
    if char == "[":
        return "write `\\[` for the character itself, or close it"
    if char == "(":
        return "write `\\(` for the character itself, or close it"
    return ""


_OF_PERL = (
    ("(?:", "POSIX has no `(?:`: write `(`"),
    ("(?=", "POSIX cannot look ahead: compare twice, or capture what stands in front"),
    ("(?!", "POSIX cannot look ahead: compare once more with `!(... =~ ...)`"),
    ("(?<=", "POSIX cannot look behind: capture what stands in front"),
    ("(?<!", "POSIX cannot look behind: compare once more with `!(... =~ ...)`"),
    ("(?<", "POSIX has no names for groups: write `(`"),
    ("(?P<", "POSIX has no names for groups: write `(`"),
    ("(?i", "POSIX has no `(?i)`: leave it out, `=~` does not mind the case"),
    ("(?", "POSIX has nothing that begins with `(?`: write `(`, or `\\?` for the character itself"),
)
