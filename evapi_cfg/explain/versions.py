"""Which versions of Kamailio have something, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from evapi_cfg.catalog import TARGET, Catalog, Module, versions
from evapi_cfg.check.targets import short

NEVER_IN: Final = f"not in {TARGET}, which files are checked for"


@cache
def catalog(version: str = TARGET) -> Catalog:
    return Catalog(version)


def having(there: Callable[[Catalog], object]) -> list[str]:
    """The versions, oldest first, for which `there` gives something."""
    return [version for version in versions() if there(catalog(version))]


def newest_first() -> tuple[str, ...]:
    """The target version, then all others from the newest on."""
    return (TARGET, *(version for version in reversed(versions()) if version != TARGET))


def newest(module: str, has: Callable[[Module], object]) -> Module | None:
    """A module as the target version has it, or else the newest one in which it has something."""
    for version in newest_first():
        found = catalog(version).module(module)
        if found is not None and has(found):
            return found
    return None


def in_words(found: Sequence[str]) -> str:
    """`5.6 to 6.2`, `from 5.8 on`, `up to 6.0`; with a remark where the target version is not among them."""
    known = versions()
    first, last = known.index(found[0]), known.index(found[-1])
    if len(found) != last - first + 1:
        text = ", ".join(map(short, found))
    elif found[0] == known[0] and found[-1] == known[-1]:
        text = f"{short(found[0])} to {short(found[-1])}"
    elif found[-1] == known[-1]:
        text = f"from {short(found[0])} on"
    elif found[0] == known[0]:
        text = f"up to {short(found[-1])}"
    else:
        text = f"{short(found[0])} to {short(found[-1])}" if len(found) > 1 else short(found[0])
    return text if TARGET in found else f"{text}; {NEVER_IN}"
