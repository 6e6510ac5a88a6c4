"""The Kamailio modules that run here, by name. Each is a file or a folder of this one, with its `MODULE`."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from threading import RLock
from typing import Final

from evapi_cfg.modules.spec import ModuleSpec

_NAMES: Final = (
    "core",
    "pv",
    "xlog",
    "cfgutils",
    "corex",
    "tm",
    "tmx",
    "sl",
    "textops",
    "textopsx",
    "siputils",
    "maxfwd",
    "sanity",
    "kex",
    "kemix",
    "evapi",
    "jansson",
    "json",
    "htable",
    "mqueue",
    "rtimer",
    "timer",
    "uuid",
    "rtjson",
    "exec",
    "http_async_client",
    "jsonrpcs",
    "cfg_rpc",
    "app_python3",
    "app_lua",
)


class _Modules(MutableMapping[str, ModuleSpec]):
    """Imports a module when it is first asked for: most files load a few, and importing all takes longer than checking
    a file."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._specs: dict[str, ModuleSpec | None] = dict.fromkeys(names)
        # The files of core know each other: two threads that begin at two ends would find one of them by half.
        self._importing = RLock()

    def __getitem__(self, name: str) -> ModuleSpec:
        spec = self._specs[name]
        if spec is None:
            with self._importing:
                spec = self._specs[name] = import_module(f"{__name__}.{name}").MODULE
        return spec

    def __setitem__(self, name: str, spec: ModuleSpec) -> None:
        self._specs[name] = spec

    def __delitem__(self, name: str) -> None:
        del self._specs[name]

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)


by_name: Final = _Modules(_NAMES)
