"""What the core and every module of Kamailio export to scripts in Python, Lua and other languages: `KSR.room.name`
(core/kemi.h: sr_kemi_t).

The data is `kemi.json`, one export a line, of the version that counts (`TARGET`). It is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from json import loads
from pathlib import Path
from typing import NamedTuple


class Export(NamedTuple):
    """One function. `room` is "" for those that are called `KSR.name`.

    `returns`: "int", "bool", "str", "xval" (a number, a text, nothing at all ...) or "none". `params`: one letter for
    each parameter, `s` a text, `i` a number of 32 bits, `l` one of 64.
    """

    module: str
    room: str
    name: str
    returns: str
    params: str

    @property
    def path(self) -> str:
        """What stands behind `KSR.`."""
        return f"{self.room}.{self.name}" if self.room else self.name


@cache
def exports() -> tuple[Export, ...]:
    """All of them, the core's first, then by module, room and name."""
    text = (Path(__file__).parent / "kemi.json").read_text("ascii")
    return tuple(Export(*entry) for entry in loads(text))


@cache
def by_path() -> Mapping[str, tuple[Export, ...]]:
    """By what stands behind `KSR.`; a few modules have functions of the same name in the same room."""
    found: dict[str, tuple[Export, ...]] = {}
    for export in exports():
        found[export.path] = (*found.get(export.path, ()), export)
    return found


@cache
def rooms() -> Mapping[str, tuple[str, ...]]:
    """The modules that have functions in a room, by the room's name."""
    found: dict[str, tuple[str, ...]] = {}
    for export in exports():
        modules = found.get(export.room, ())
        if export.module not in modules:
            found[export.room] = (*modules, export.module)
    return found


def of_module(module: str) -> tuple[Export, ...]:
    return tuple(export for export in exports() if export.module == module)
