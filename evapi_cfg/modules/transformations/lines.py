"""`{line.*}`: lines of a text (modules/pv/pv_trans.c: tr_eval_line)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.spec import Transformation
from evapi_cfg.modules.transformations.arguments import on_words
from evapi_cfg.values import int32


def line_at(text: str, index: int) -> str:
    """The line at `index`, from the end where it is negative; a `\\r` at its end is taken off."""
    index = int32(index)
    return _from_end(text, -index) if index < 0 else _from_start(text, index)


def _from_start(text: str, index: int) -> str:
    at = 0
    for _ in range(index):
        at = text.find("\n", at) + 1
        if not at:
            return ""
    end = text.find("\n", at)
    return (text[at:end] if end >= 0 else text[at:]).removesuffix("\r")


def _from_end(text: str, number: int) -> str:
    """Line `number` from the end. In front of an empty line Kamailio steps over two line ends at once."""
    last = len(text) - 1
    if text[last] == "\n":
        last -= 1
    found = 1
    newline = text.rfind("\n", 0, max(last, 0))
    while found < number and newline >= 0:
        last = newline - 1
        newline = text.rfind("\n", 0, max(last, 0))
        found += 1
    if found != number:
        return ""
    return text[newline + 1 : last + 1].removesuffix("\r")


def line_starting_with(text: str, start: str) -> str:
    """The first line that begins so; it goes on behind line ends that are part of `start`."""
    at = 0
    while not text.startswith(start, at):
        at = text.find("\n", at) + 1
        if not at or at > len(text) - len(start):
            return ""
    end = text.find("\n", at + len(start))
    return (text[at:end] if end >= 0 else text[at:]).removesuffix("\r")


def line_count(text: str) -> str:
    """The number of lines, as a text."""
    return str(text.count("\n") + (text[-1] != "\n"))


LINES: Final[tuple[Transformation, ...]] = (
    on_words("line", "at", "(n)", line_at),
    on_words("line", "sw", "(s)", line_starting_with),
    on_words("line", "count", "", line_count),
)
