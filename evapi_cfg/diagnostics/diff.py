"""What fixes change, as a unified diff."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

from evapi_cfg.diagnostics.terminal import BOLD, CYAN, Paint, clean, painter
from evapi_cfg.source import show, store

REMOVED, ADDED = "31", "32"
_NO_LINE_END = "\\ No newline at end of file"


def unified(name: str, old: str, new: str, *, colour: bool = False) -> str:
    """The difference of two texts with one character per byte, itself such a text, so that `patch` can apply it. With
    `colour` it is for people: each line as they read it, with ANSI escape sequences."""
    paint = painter(colour)
    lines = _lines(store(name), old, new)
    return "".join(_coloured(line, paint) + "\n" if colour else line + "\n" for line in lines)


def _lines(name: str, old: str, new: str) -> Iterator[str]:
    difference = unified_diff(_cut(old), _cut(new), name, name, lineterm="")
    for number, line in enumerate(difference):
        if number < 2 or line.startswith("@@"):
            yield line
            continue
        yield line.removesuffix("\n")
        if not line.endswith("\n"):
            yield _NO_LINE_END


def _cut(text: str) -> list[str]:
    """Lines with their ends; only a newline ends one."""
    lines = text.split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _coloured(line: str, paint: Paint) -> str:
    style = (
        BOLD if line.startswith(("---", "+++")) else CYAN if line.startswith("@@")
        else REMOVED if line.startswith("-") else ADDED if line.startswith("+") else ""
    )  # fmt: skip
    text = clean(show(line))
    return paint(style, text) if style else text
