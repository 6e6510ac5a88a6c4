"""Text of others as a person may see it: on a terminal, in a log file, in a document that somebody prints.

What clients and SIP peers send ends up in log lines. Nothing of it may begin a line of its own, steer a terminal, or
turn the rest of the line around. Letters of all scripts stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

_CONTROLS: Final = range(32)
# What ASCII's controls are not: those of the second range, that some terminals obey; what ends lines elsewhere; what
# changes the direction of writing, or cannot be seen at all. The joiners U+200C and U+200D stay: scripts use them.
_HIDDEN: Final = tuple(
    code
    for first, last in (
        (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200B), (0x200E, 0x200F),
        (0x2028, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xE0000, 0xE007F),
    )
    for code in range(first, last + 1)
)  # fmt: skip


def _escape(code: int) -> str:
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_in_json(code: int) -> str:
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _rewriter(table: Mapping[int, str]) -> Callable[[str], str]:
    """`str.translate` takes its time for each character, also where there is nothing to do."""
    return lambda text: text if text.isprintable() else text.translate(table)


_IN_LINES: Final = {code: _escape(code) for code in (*_CONTROLS, *_HIDDEN) if chr(code) not in "\n\t"}

one_line: Final = _rewriter(_IN_LINES | {10: "\\n"})
"""The text with each control and each character that cannot be seen written as an escape; a tab stays a tab."""

lines: Final = _rewriter(_IN_LINES)
"""As `one_line`, but line feeds stay as well."""

in_json: Final = _rewriter({code: _escape_in_json(code) for code in _HIDDEN})
"""A JSON document, which means the same, with what JSON itself lets through written as JSON's escapes. Outside of its
texts there is nothing of the kind."""
