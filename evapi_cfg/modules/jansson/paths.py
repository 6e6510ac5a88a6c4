"""Paths into documents, `a.b[2]`: finding a value, and putting one there (jansson_path.c).

To find and to put are not the same: what stands behind an index, empty names and a bracket that is not closed are
taken differently.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from evapi_cfg.modules.json_reading import before_nul
from evapi_cfg.modules.json_type import Json

MISSING: Final = object()
Finder: TypeAlias = "Callable[[Json], Json | object]"
"""Gives the value in a document, or MISSING."""


# ---- finding --------------------------------------------------------------------------------------------------------


@lru_cache(256)
def finder(path: str) -> Finder:
    """What a path finds."""
    return _finder(_steps(before_nul(path)))


@lru_cache(256)
def field_finder(name: str) -> Finder:
    """What one name finds, whatever is in it, but that it may not begin with a bracket. Nothing is the document."""
    name = before_nul(name)
    return _finder(None if name.startswith("[") else (name,) if name else ())


def _finder(steps: tuple[str | int, ...] | None) -> Finder:
    if steps is None:
        return lambda document: MISSING
    if len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]
        return lambda document: document.get(name, MISSING) if isinstance(document, dict) else MISSING
    if len(steps) == 2 and isinstance(steps[0], str) and isinstance(steps[1], str):
        outer, inner = steps[0], steps[1]

        def find_inner(document: Json) -> Json | object:
            found = document.get(outer) if isinstance(document, dict) else None
            return found.get(inner, MISSING) if isinstance(found, dict) else MISSING

        return find_inner
    fixed = steps

    def find(document: Json) -> Json | object:
        found = document
        for step in fixed:
            if isinstance(step, str):
                if not isinstance(found, dict) or step not in found:
                    return MISSING
                found = found[step]
            elif isinstance(found, list) and 0 <= step < len(found):
                found = found[step]
            else:
                return MISSING
        return found

    return find


def _steps(path: str) -> tuple[str | int, ...] | None:
    """`a.b[2]` as names and places; None where it is no path."""
    steps: list[str | int] = []
    rest = path
    in_brackets = rest.startswith("[")
    named = not in_brackets
    if in_brackets:
        rest = rest[1:]
    while rest:
        if in_brackets:
            inside, closing, rest = rest.partition("]")
            place = _place(inside)
            if not closing or place is None:
                return None
            steps.append(place)
            in_brackets = named = False
            continue
        end = _next_mark(rest)
        if end < 0:
            return (*steps, rest) if named else None
        if named:
            steps.append(rest[:end])
        elif end:
            return None
        in_brackets = rest[end] == "["
        named = not in_brackets
        rest = rest[end + 1 :]
    return None if in_brackets and not steps else tuple(steps)


_MARK: Final = re.compile(r"[.\[]")


def _next_mark(text: str) -> int:
    found = _MARK.search(text)
    return -1 if found is None else found.start()


_NUMBER: Final = re.compile(r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))")


def _place(text: str) -> int | None:
    """A number as C's strtol reads it: decimal, hexadecimal or octal; nothing at all is 0."""
    if not text:
        return 0
    found = _NUMBER.fullmatch(text)
    if found is None or len(text) > 40:
        return None
    sign, hexadecimal, octal, decimal = found.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(decimal) if decimal else int(octal or "0", 8)
    return -number if sign == "-" else number


# ---- putting --------------------------------------------------------------------------------------------------------


class PathRefused(Exception):
    """There is no way to put a value at the path."""


def put(document: Json, path: str, value: Json, *, append: bool) -> None:
    """Sets the value at a path, or adds it to the array or the object there. Objects on the way are made, arrays are
    not. Raises PathRefused; the document may have been changed by then."""
    path = before_nul(path)
    found, parent, place = document, document, -1
    in_brackets = path.startswith("[")
    name: str | None = None if in_brackets else ""  # what has been read since the last mark; None behind an index
    rest = path[1:] if in_brackets else path
    while rest:
        if in_brackets:
            inside, closing, rest = rest.partition("]")
            if not closing:
                raise PathRefused("`]` is missing")
            parent, place, found = found, *_element(found, inside)
            in_brackets, name = False, None
            continue
        end = _next_mark(rest)
        if end < 0:
            # Behind an index nothing more is looked at: `a[0]x` is `a[0]`.
            name = rest if name is not None else None
            break
        if name is None:
            if end:
                raise PathRefused(f"`{rest[:end]}` stands behind an index")
        else:
            parent, found = found, _member(found, rest[:end], makes=rest[end] == ".")
        in_brackets = rest[end] == "["
        name = ""
        rest = rest[end + 1 :]
    if name is not None and append:
        _append(found, name, value)
    elif name:
        _set(found, name, value)
    elif place >= 0 and isinstance(parent, list):
        parent[place] = value
    else:
        raise PathRefused("the path names nothing that can be set")


def _element(array: Json, written: str) -> tuple[int, Json]:
    if not isinstance(array, list):
        raise PathRefused("an index asks for an array")
    place = _place(written)
    if place is None or not 0 <= place < len(array):
        raise PathRefused(f"there is no element [{written}]")
    return place, array[place]


def _member(holder: Json, name: str, *, makes: bool) -> Json:
    if not name:
        raise PathRefused("a name is empty")
    if not isinstance(holder, dict):
        raise PathRefused(f"`{name}` asks for an object")
    if name not in holder:
        if not makes:
            raise PathRefused(f"there is no array `{name}`")
        holder[name] = {}
    return holder[name]


def _append(holder: Json, name: str, value: Json) -> None:
    target = holder
    if name:
        target = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(target, list):
        target.append(value)
    elif isinstance(target, dict) and isinstance(value, dict):
        target.update(value)
    else:
        raise PathRefused("there is no array, and no object to add an object to")


def _set(holder: Json, name: str, value: Json) -> None:
    if not isinstance(holder, dict):
        raise PathRefused(f"`{name}` asks for an object")
    holder[name] = value
