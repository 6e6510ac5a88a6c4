"""Writing JSON as C libraries do it, which differ in blanks and in how numbers and strings look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from evapi_cfg.modules.json_type import Json


@dataclass(frozen=True, slots=True)
class Layout:
    """`scalar` writes a number, a string or a literal, `text` a string. `blank` stands inside brackets that hold
    something or nothing, `comma` between two values, `colon` behind a name."""

    scalar: Callable[[Json], str]
    text: Callable[[str], str]
    blank: str
    comma: str
    colon: str


def write(value: Json, layout: Layout) -> str:
    """It needs no stack, however deep the document is."""
    out: list[str] = []
    left: list[tuple[Iterator[tuple[str, Json]], str]] = []  # the values still to come, and what ends them
    blank, comma, colon, text = layout.blank, layout.comma, layout.colon, layout.text
    while True:
        if isinstance(value, (dict, list)):
            ends = ("{", "}") if isinstance(value, dict) else ("[", "]")
            out.append(ends[0])
            left.append((_named(value, comma, colon, blank, text), blank + ends[1]))
        else:
            out.append(layout.scalar(value))
        while left:
            following = next(left[-1][0], None)
            if following is not None:
                break
            out.append(left.pop()[1])
        else:
            return "".join(out)
        out.append(following[0])
        value = following[1]


def _named(
    holder: dict[str, Json] | list[Json], comma: str, colon: str, blank: str, text: Callable[[str], str]
) -> Iterator[tuple[str, Json]]:
    """Each value with what stands in front of it."""
    front = blank
    if isinstance(holder, list):
        for value in holder:
            yield front, value
            front = comma
        return
    for name, value in holder.items():
        yield f"{front}{text(name)}{colon}", value
        front = comma
