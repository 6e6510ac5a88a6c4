"""How text of a cfg appears on a terminal: every character takes a known number of columns and none does harm.

Tabs become blanks; control characters, foreign blanks and what turns the direction of writing are made visible; wide
characters count two columns, combining ones none. Colours are put around text that is ready.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias
from unicodedata import combining, east_asian_width

TAB = "    "

Paint: TypeAlias = Callable[[str, str], str]  # a style and a text -> the text as it is written
BOLD, RED, YELLOW, BLUE, CYAN = "1", "1;31", "1;33", "1;34", "1;36"


def painter(colour: bool) -> Paint:
    """What writes text in colours, with ANSI escape sequences, or leaves it as it is."""
    return _paint if colour else _plain


def _plain(style: str, text: str) -> str:
    return text


def _paint(style: str, text: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if text else text


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
