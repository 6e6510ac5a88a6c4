"""Which versions of Kamailio have a name, and in which module. Asked only where an error is about to be reported: the
whole of the data is read then, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from json import loads
from typing import NamedTuple, cast

from evapi_cfg.catalog import ANY_NUMBER, Json, data_text, versions

CORE = "core"
_Entry = dict[str, Json]


class Owner(NamedTuple):
    """A module that has a name, or `CORE`, and the versions in which it has it, oldest first."""

    module: str
    versions: tuple[str, ...]


def of_module(name: str) -> tuple[str, ...]:
    """The versions that have a module."""
    module = _modules().get(name)
    return _versions(module) if module else ()


def of_function(name: str, arguments: int | None = None, module: str = "") -> tuple[Owner, ...]:
    """Who has a function that a configuration may call; `arguments` None: with any number of them."""
    return _owners(
        "functions",
        lambda e: (
            e["n"] == name
            and bool(e.get("routes"))
            and e["args"] != -1
            and (arguments is None or e["args"] in (arguments, ANY_NUMBER))
        ),
        module,
    )


def of_param(module: str, name: str) -> tuple[Owner, ...]:
    """Who has a modparam, among the modules of this name."""
    return _owners("params", lambda e: e["n"] == name, module)


def of_variable(name: str, inner: str = "", module: str = "") -> tuple[Owner, ...]:
    """Who has a class of pseudo-variables, and with an inner name in it."""
    return _owners(
        "pvs", lambda e: e["n"] == name and (not inner or inner in cast("list[str]", e.get("names") or ())), module
    )


def of_transformation(cls: str, op: str) -> tuple[Owner, ...]:
    def has(entry: _Entry) -> bool:
        names = (signature.partition("(")[0] for signature in cast("list[str]", entry["ops"]))
        return entry["n"] == cls and op.lower() in names

    return _owners("transformations", has)


def of_event_route(name: str) -> tuple[Owner, ...]:
    return _owners("event_routes", lambda e: e["n"] == name)


def of_core_param(name: str) -> tuple[str, ...]:
    """The versions that have a parameter of the core, by its name or an alias of it."""
    found = _owners("params", lambda e: name in (e["n"], *cast("list[str]", e.get("aliases") or ())), CORE)
    return found[0].versions if found else ()


def _owners(kind: str, has: Callable[[_Entry], bool], module: str = "") -> tuple[Owner, ...]:
    found: list[Owner] = []
    for name, exports in _searched(kind, module):
        entries = cast("list[_Entry]", exports.get(kind) or ())
        having = {version for entry in entries if has(entry) for version in _versions(entry)}
        there = tuple(version for version in _versions(exports) if version in having)
        if there:
            found.append(Owner(name, there))
    return tuple(found)


def _searched(kind: str, module: str) -> Iterator[tuple[str, _Entry]]:
    if module != CORE:
        yield from ((name, data) for name, data in _modules().items() if not module or name == module)
    if module == CORE or (not module and kind != "params"):
        yield CORE, {**cast("_Entry", _data()["core"]), "v": "*"}


def _versions(entry: _Entry) -> tuple[str, ...]:
    listed = entry["v"]
    return versions() if listed == "*" else tuple(v for v in versions() if v in cast("list[str]", listed))


def _modules() -> dict[str, _Entry]:
    return cast("dict[str, _Entry]", _data()["modules"])


@cache
def _data() -> _Entry:
    return cast("_Entry", loads(data_text()))
