"""How text of a cfg appears on a terminal: every character takes a known number of columns and none does harm.

Tabs become blanks; control characters, foreign blanks and what turns the direction of writing are made visible; wide
characters count two columns, combining ones none.
"""

from __future__ import annotations

from unicodedata import combining, east_asian_width

TAB = "    "


def visible(char: str) -> str:
    """One character as it is shown."""
    if " " <= char <= "~":
        return char
    if char == "\t":
        return TAB
    code = ord(char)
    if code < 32:
        return chr(0x2400 + code)
    if code == 127:
        return "\u2421"
    if not char.isprintable():
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    return char


def clean(text: str) -> str:
    """Text in one line, all of it visible."""
    return text if text.isascii() and text.isprintable() else "".join(map(visible, text))


def width(shown: str) -> int:
    """Columns of text that `visible` or `clean` gave."""
    if shown.isascii():
        return len(shown)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in shown)
