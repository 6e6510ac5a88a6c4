"""What the core and every module of Kamailio export: functions, modparams, pseudo-variables, transformations, routes.

The data is `modules.json`, one entry a line, for several versions of Kamailio; `Catalog` shows one of them. A whole
parse of it costs more than the check of a small file, so the text is cut at its lines: only the modules that are asked
for are parsed, all of them only where a name is searched for in every module (an error is about to be reported).
The file stays one valid JSON document; a test holds both ways of reading it against each other.

Nothing here knows of configurations, diagnostics or of the modules that run in this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from json import loads
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

TARGET = "6.1.4"  # the version of Kamailio whose exports count
ANY_NUMBER = -128  # Function.arity of a function that takes any number of arguments

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Function(NamedTuple):
    """One function by name and number of arguments.

    `routes`: names of the blocks that may call it, as in core/route.h; empty: none may.
    `fixup`: name of the C function that prepares the arguments, or "". `const`: every argument must be constant
    (cfg.y: mod_f_params_pre_fixup). `reads`: for a module's own fixup one letter for each argument, `f` where it is a
    string whose variables are filled in; "" where nothing is known.
    """

    module: str
    name: str
    arity: int
    routes: tuple[str, ...]
    fixup: str = ""
    const: bool = False
    reads: str = ""


class Param(NamedTuple):
    """A modparam. `type` is "int", "str" or "string"; the last two take the same values. `callback`: the C function
    that is handed the value and may refuse it."""

    module: str
    name: str
    type: str
    default: int | str | None = None
    callback: str = ""


@dataclass(frozen=True, slots=True)
class PseudoVariable:
    """A class of pseudo-variables. `inner`: `(name)` is required, else refused; `index`: `[index]` is taken.
    `names`: the inner names that the C source compares with; `closed`: no other is accepted.
    `form`: "=>" where the name has the form `a=>b`, "$" where it is a variable, else "".
    `elsewhere`: inner names that only other versions of Kamailio know."""

    module: str
    name: str
    writable: bool
    inner: bool
    index: bool
    names: tuple[str, ...] = ()
    closed: bool = False
    form: str = ""
    elsewhere: frozenset[str] = frozenset()


class Transformation(NamedTuple):
    """`{cls.op,...}`. `params`: one letter for each parameter, `n` number, `s` string, `c` one character, with `?`
    behind those that may be left out."""

    module: str
    cls: str
    op: str
    params: tuple[str, ...]


class CoreParam(NamedTuple):
    """A global parameter. `forms` are the value forms of core/cfg.y, such as `NUMBER` or `STRING`."""

    name: str
    aliases: tuple[str, ...]
    forms: tuple[str, ...]


class Module(NamedTuple):
    """One module's exports. `exported_name` is what modparam calls it; nearly always `name`, as in loadmodule.
    `event_families` are event route names made at run time, `*` stands for anything."""

    name: str
    exported_name: str
    functions: Mapping[str, tuple[Function, ...]]
    params: Mapping[str, tuple[Param, ...]]
    pvs: Mapping[str, PseudoVariable]
    transformations: Mapping[str, Mapping[str, Transformation]]
    event_routes: tuple[str, ...]
    event_families: tuple[str, ...]
    selects: tuple[str, ...]
    deps: tuple[str, ...]


class Core(NamedTuple):
    """What the core itself exports."""

    params: Mapping[str, CoreParam]  # by name and by alias
    pvs: Mapping[str, PseudoVariable]
    event_routes: tuple[str, ...]
    selects: tuple[str, ...]
    statements: tuple[str, ...]
    forms: Mapping[str, tuple[str, ...]]  # of statements by name: what follows the word, in the symbols of core/cfg.y
    keywords: frozenset[str]
    directives: tuple[str, ...]


class Catalog:
    """The exports of one version of Kamailio. `version` is one of `versions()`."""

    def __init__(self, version: str = TARGET) -> None:
        self.version = version
        self._loaded: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """A module by the name that loadmodule takes, without `.so`; None where this version has none such."""
        if name not in self._loaded:
            text = _sections().get(name)
            self._loaded[name] = self._module(name, _object(loads(text))) if text else None
        return self._loaded[name]

    @cached_property
    def core(self) -> Core:
        data = _object(loads(_core_text()))
        params: dict[str, CoreParam] = {}
        for entry in self._entries(data, "params"):
            param = CoreParam(_str(entry, "n"), _strings(entry, "aliases"), _strings(entry, "forms"))
            for name in (param.name, *param.aliases):
                params[name] = param
        return Core(
            params,
            {pv.name: pv for pv in self._pvs("core", data)},
            tuple(_str(entry, "n") for entry in self._entries(data, "event_routes")),
            tuple(_str(entry, "n") for entry in self._entries(data, "selects")),
            tuple(
                n
                for entry in self._entries(data, "statements")
                for n in (_str(entry, "n"), *_strings(entry, "aliases"))
            ),
            {_str(entry, "n"): _strings(entry, "forms") for entry in self._entries(data, "statements")},
            frozenset(_str(entry, "n") for entry in self._entries(data, "keywords")),
            tuple(_str(entry, "n") for entry in self._entries(data, "directives")),
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all modules of this version."""
        return tuple(name for name in _sections() if self.module(name))

    def known(self, name: str) -> bool:
        """Whether any version has a module of this name."""
        return name in _sections()

    @cached_property
    def function_modules(self) -> Mapping[str, tuple[str, ...]]:
        """Which modules export a function that a configuration may call, by the function's name."""
        return self._index((name, m.name) for m in self._all() for name, fs in m.functions.items() if _callable(fs))

    @cached_property
    def pv_modules(self) -> Mapping[str, tuple[str, ...]]:
        return self._index((name, m.name) for m in self._all() for name in m.pvs)

    @cached_property
    def transformation_modules(self) -> Mapping[str, tuple[str, ...]]:
        """Which modules give a class of transformations, by the class's name."""
        return self._index((name, m.name) for m in self._all() for name in m.transformations)

    @cached_property
    def event_route_modules(self) -> Mapping[str, tuple[str, ...]]:
        return self._index((name, m.name) for m in self._all() for name in m.event_routes)

    @cached_property
    def event_families(self) -> tuple[str, ...]:
        return tuple(family for module in self._all() for family in module.event_families)

    def _all(self) -> list[Module]:
        return [module for name in self.names if (module := self.module(name))]

    @staticmethod
    def _index(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
        index: dict[str, tuple[str, ...]] = {}
        for name, module in pairs:
            index[name] = (*index.get(name, ()), module)
        return index

    def _entries(self, data: dict[str, Json], key: str) -> list[dict[str, Json]]:
        """The entries under `key` that exist in this version."""
        version = self.version
        entries = cast("list[dict[str, Json]]", data.get(key) or [])
        return [e for e in entries if (v := e["v"]) == "*" or version in cast("list[str]", v)]

    def _pvs(self, module: str, data: dict[str, Json]) -> list[PseudoVariable]:
        names: dict[str, list[str]] = {}
        for e in cast("list[dict[str, Json]]", data.get("pvs") or []):
            if e["v"] != "*":
                names.setdefault(_str(e, "n"), []).extend(_strings(e, "names"))
        return [
            PseudoVariable(
                module,
                _str(e, "n"),
                bool(e["w"]),
                bool(e["inner"]),
                bool(e["index"]),
                _strings(e, "names"),
                bool(e.get("closed")),
                cast("str", e.get("form") or ""),
                frozenset(names.get(_str(e, "n"), ()) if e.get("names") else ()).difference(_strings(e, "names")),
            )
            for e in self._entries(data, "pvs")
        ]

    def _module(self, name: str, data: dict[str, Json]) -> Module | None:
        if data["v"] != "*" and self.version not in cast("list[str]", data["v"]):
            return None
        functions: dict[str, tuple[Function, ...]] = {}
        for e in self._entries(data, "functions"):
            function = Function(
                name,
                _str(e, "n"),
                cast("int", e["args"]),
                _strings(e, "routes"),
                cast("str", e.get("fixup") or ""),
                bool(e.get("const")),
                cast("str", e.get("reads") or ""),
            )
            functions[function.name] = (*functions.get(function.name, ()), function)
        params: dict[str, tuple[Param, ...]] = {}
        for e in self._entries(data, "params"):
            default = cast("int | str | None", e.get("d"))
            param = Param(name, _str(e, "n"), _str(e, "t"), default, cast("str", e.get("func") or ""))
            params[param.name] = (*params.get(param.name, ()), param)
        transformations: dict[str, dict[str, Transformation]] = {}
        for e in self._entries(data, "transformations"):
            ops = transformations.setdefault(_str(e, "n"), {})
            for signature in _strings(e, "ops"):
                op, _, rest = signature.partition("(")
                ops[op] = Transformation(name, _str(e, "n"), op, tuple(rest.rstrip(")").split(",")) if rest else ())
        return Module(
            name,
            cast("str", data.get("exported_name") or name),
            functions,
            params,
            {pv.name: pv for pv in self._pvs(name, data)},
            transformations,
            tuple(_str(e, "n") for e in self._entries(data, "event_routes")),
            _strings(data, "event_families"),
            _strings(data, "selects"),
            _strings(data, "deps"),
        )


@cache
def versions() -> tuple[str, ...]:
    """The versions of Kamailio that the data knows, oldest first."""
    meta = _object(loads(_text()[: _text().index('\n"core": {')].rstrip(",") + "}"))["meta"]
    return tuple(_object(_object(meta)["versions"]))


def data_text() -> str:
    """The whole of the data, as JSON."""
    return _text()


@cache
def _text() -> str:
    return (Path(__file__).parent / "modules.json").read_text("ascii")


def in_family(name: str, family: str) -> bool:
    """Whether a name is one of `Module.event_families`, such as `htable:expired:*`. `*` alone has no members: nobody
    knows what it stands for."""
    front, star, _ = family.partition("*")
    return bool(front) and name.startswith(front) if star else name == family


def holders(word: str) -> tuple[str, ...]:
    """The modules whose data holds a word, in whatever version and place: few enough to look at each."""
    quoted = f'"{word}"'
    return tuple(name for name, text in _sections().items() if quoted in text)


def _core_text() -> str:
    text = _text()
    start = text.index('\n"core": {') + len('\n"core": ')
    return text[start : text.index('\n"modules": {', start)].rstrip(",\n")


@cache
def _sections() -> dict[str, str]:
    """The JSON text of each module by its name."""
    text = _text()
    body = text[text.index('\n"modules": {') + len('\n"modules": {') : text.rindex("\n}\n}")]
    sections: dict[str, str] = {}
    for section in body.split('\n"')[1:]:
        name, _, rest = section.partition('": ')
        sections[name] = rest.rstrip(",\n")
    return sections


def _callable(functions: tuple[Function, ...]) -> bool:
    return any(function.arity != -1 and function.routes for function in functions)


def _object(value: Json) -> dict[str, Json]:
    return cast("dict[str, Json]", value)


def _str(entry: dict[str, Json], key: str) -> str:
    return cast("str", entry[key])


def _strings(entry: dict[str, Json], key: str) -> tuple[str, ...]:
    return tuple(cast("list[str]", entry.get(key) or ()))
