"""Pages and entries as text: wrapped, in colours or plain.

Of Markdown it reads what the pages use: headings, paragraphs, lists of one level, fences, `code` and **strong** words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Final

from evapi_cfg.diagnostics.model import Code, Severity
from evapi_cfg.diagnostics.terminal import BLUE, BOLD, CYAN, RED, YELLOW, Paint, painter
from evapi_cfg.explain.entry import Entry
from evapi_cfg.explain.pages import Page

INDENT: Final = "    "
_FENCE: Final = re.compile(r"^```(?:\w+ ?)?(?P<words>.*)$")
_INLINE: Final = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*")
_KEPT: Final = "\0"  # a blank that no line may be broken at


def page(shown: Page, width: int, *, colour: bool = False) -> str:
    """A page under the headline of its diagnostics."""
    paint = painter(colour)
    return _headline(shown.code, paint) + "\n\n" + markdown(shown.text, width, paint)


def _headline(code: Code, paint: Paint) -> str:
    return paint(_level(code), f"{code.severity.value}[{code.name}]")


def _level(code: Code) -> str:
    return RED if code.severity is Severity.ERROR else YELLOW


def listing(groups: Mapping[str, Sequence[Code]], *, colour: bool = False) -> str:
    """A paragraph for each group, a line for each code, however long."""
    paint = painter(colour)
    longest = max(len(code.name) for members in groups.values() for code in members)
    lines: list[str] = []
    for title, members in groups.items():
        lines += ["", paint(BOLD, title)] if lines else [paint(BOLD, title)]
        for code in members:
            name = code.name.ljust(longest)
            level = code.severity.value.ljust(len("warning"))
            lines.append(f"  {paint(CYAN, name)}  {paint(_level(code), level)}  {_inline(code.summary, paint)}")
    return "\n".join(lines) + "\n"


def entries(found: Iterable[Entry], width: int, *, colour: bool = False) -> str:
    """Entries one below the other."""
    paint = painter(colour)
    return "\n".join("".join(line + "\n" for line in _entry(entry, width, paint)) for entry in found)


def _entry(entry: Entry, width: int, paint: Paint) -> Iterator[str]:
    yield paint(BOLD, entry.title)
    yield ""
    for form in entry.forms:
        yield from (INDENT + paint(CYAN, line) for line in form.split("\n"))
    if entry.forms:
        yield ""
    column = max((len(key) for key, _ in entry.rows), default=0) + 2
    for key, value in entry.rows:
        first, *rest = _wrapped(value, width - column - len(INDENT)) or [""]
        yield f"{INDENT}{paint(BLUE, key)}{' ' * (column - len(key))}{_inline(first, paint)}"
        yield from (f"{INDENT}{' ' * column}{_inline(line, paint)}" for line in rest)


def markdown(text: str, width: int, paint: Paint) -> str:
    """Markdown as text for a terminal."""
    made: list[str] = []
    paragraph: list[str] = []
    fence = False

    def flush() -> None:
        if paragraph:
            joined = " ".join(paragraph)
            hanging = "  " if joined.startswith("- ") else ""
            made.extend(_inline(line, paint) for line in _wrapped(joined, width, hanging))
            paragraph.clear()

    for line in text.strip("\n").split("\n"):
        start = _FENCE.match(line)
        if start:
            flush()
            fence = not fence
            name = next((word[5:] for word in start["words"].split() if word.startswith("file=")), "")
            if name and fence:
                made.append(f"{name}:")
        elif fence:
            made.append((INDENT + line).rstrip())
        elif line.startswith("## "):
            flush()
            made.append(paint(BOLD, line[3:]))
        elif not line:
            flush()
            made.append("")
        else:
            if line.startswith("- "):
                flush()
            paragraph.append(line.strip())
    flush()
    return "\n".join(made) + "\n"


def _wrapped(text: str, width: int, hanging: str = "") -> list[str]:
    """Lines of at most `width` columns; what stands between backquotes stays in one line."""
    kept = _INLINE.sub(lambda found: found[0].replace(" ", _KEPT), text)
    lines = wrap(kept, max(width, 30), break_long_words=False, break_on_hyphens=False, subsequent_indent=hanging)
    return [line.replace(_KEPT, " ") for line in lines]


def _inline(line: str, paint: Paint) -> str:
    return _INLINE.sub(lambda found: paint(CYAN, found[0]) if found["code"] else paint(BOLD, found["strong"]), line)
