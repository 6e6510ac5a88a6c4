"""What the names of a configuration mean: the modules it loads, in their order, and what each of them exports.

Two sources are laid over each other. The catalogue knows every module of Kamailio; a `ModuleSpec` exists for those
that run here and knows how arguments, inner names and transformation parameters are read. Kamailio looks names up while
it parses, so an export also carries the place from which on it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from evapi_cfg import regex
from evapi_cfg.catalog import ANY_NUMBER, TARGET, Catalog, Module
from evapi_cfg.catalog import PseudoVariable as CataloguedVariable
from evapi_cfg.catalog import Transformation as CataloguedTransformation
from evapi_cfg.check.index import ROUTE_BITS
from evapi_cfg.check.targets import narrowing
from evapi_cfg.check.unread import NOTHING, Unread
from evapi_cfg.diagnostics.suggest import near
from evapi_cfg.modules.spec import Function, ModuleSpec, PseudoVariable, Routes, Select, Transformation
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Config, CustomVar, LoadModule, ModParam, RouteBlock, RouteKind

CORE = "core"
ALWAYS = -1  # the order of what the core gives: it is there from the first line on


class Export(NamedTuple):
    """A function as a loaded module offers it. `order`: index of the loadmodule among the file's items."""

    module: str
    name: str
    arity: int  # ANY_NUMBER: any
    bits: int  # blocks that may call it, see index.ROUTE_BITS
    const: bool
    fixup: str
    reads: str  # catalog.Function.reads
    order: int
    spec: Function | None

    def takes(self, arguments: int) -> bool:
        return self.arity in (arguments, ANY_NUMBER)


class VariableClass(NamedTuple):
    """A class of pseudo-variables that is there; at least one of the two sources is set."""

    module: str
    order: int
    catalogued: CataloguedVariable | None
    spec: PseudoVariable | None


class TransformationOp(NamedTuple):
    module: str
    order: int
    catalogued: CataloguedTransformation | None
    spec: Transformation | None


class Scope:
    """The names that one configuration can use. `specs`: the modules that run here, by name."""

    def __init__(
        self, config: Config, specs: Mapping[str, ModuleSpec], catalog: Catalog, unread: Unread = NOTHING
    ) -> None:
        """`unread`: what is there although it could not be read."""
        self.config = config
        self.whole = unread is NOTHING
        self.unread_routes = unread.routes
        self.specs = specs if catalog.version == TARGET else narrowing(specs.values(), catalog)
        self.catalog = catalog
        self.loads: list[tuple[int, LoadModule]] = []
        self.loaded: dict[str, int] = {CORE: ALWAYS}  # module -> order of its first loadmodule
        for order, item in enumerate(config.items):
            if isinstance(item, LoadModule):
                self.loads.append((order, item))
                self.loaded.setdefault(self._meant(item.module), order)
        for module in sorted(unread.modules):
            if module in specs or self.module(module) is not None:
                self.loaded.setdefault(module, ALWAYS)
        self._newest_first = tuple(reversed(self.loaded))
        self._functions: dict[str, tuple[Export, ...]] = {}
        self._classes: dict[str, VariableClass | None] = {}
        self._operations: dict[tuple[str, str], TransformationOp | None] = {}

    def _meant(self, module: str) -> str:
        """A module's name, or the nearest one where there is no such module: the slip is one fault, and what the module
        would bring is not missed as well."""
        if module in self.specs or self.module(module) is not None:
            return module
        return next(iter(near(module, self.catalog.names, 1)), module)

    @cached_property
    def routes(self) -> Mapping[str, RouteBlock]:
        """The route[NAME] blocks; the first of each name."""
        routes: dict[str, RouteBlock] = {}
        for item in self.config.items:
            if isinstance(item, RouteBlock) and item.kind is RouteKind.REQUEST and item.name is not None:
                routes.setdefault(item.name, item)
        return routes

    @cached_property
    def custom(self) -> Mapping[str, set[str]]:
        """The custom variables that are declared: the names of each group."""
        groups: dict[str, set[str]] = {}
        for item in self.config.items:
            if isinstance(item, CustomVar) and item.index is None:
                groups.setdefault(item.group, set()).add(item.name)
        return groups

    @cached_property
    def shared_memory_from(self) -> int:
        """The order of the first item that stands below the start of shared memory: core/cfg.y calls init_shm at the
        first modparam and at the end of the first route block."""
        for order, item in enumerate(self.config.items):
            if isinstance(item, ModParam):
                return order
            if isinstance(item, RouteBlock):
                return order + 1
        return len(self.config.items)

    @cached_property
    def incomplete(self) -> bool:
        """Whether a module is loaded that neither source knows: then a name that is found nowhere may be its."""
        return any(name not in self.specs and not self.module(name) for name in self.loaded if name != CORE)

    def load_span(self, module: str) -> Span | None:
        """Where a module is loaded."""
        return next((load.span for _, load in self.loads if load.module == module), None)

    def module(self, name: str) -> Module | None:
        """A module's catalogued exports, of the target version or else of any other that has it."""
        return self.catalog.module(name)

    def meant_by(self, pattern: str, loaded: Iterable[str]) -> list[str] | None:
        """The modules of `loaded` that a modparam's first argument means; None where it does not compile."""
        names = {module: self._exported_name(module) for module in loaded}
        if pattern.replace("|", "").replace("_", "").isalnum() and pattern.isascii():
            wanted = set(pattern.lower().split("|"))
            return [module for module, name in names.items() if name.lower() in wanted]
        try:
            compiled = regex.compile(f"^({pattern})$")
        except regex.RegexError:
            return None
        try:
            return [module for module, name in names.items() if compiled.search_bounded(name) is not None]
        except regex.TooSlow:
            return list(names)

    def _exported_name(self, module: str) -> str:
        exports = self.module(module)
        return exports.exported_name if exports else module

    def functions(self, name: str) -> tuple[Export, ...]:
        """What the loaded modules export under a name, in the order in which Kamailio searches."""
        found = self._functions.get(name)
        if found is None:
            found = self._functions[name] = tuple(
                export for module in self._newest_first if module != CORE for export in self._exports(module, name)
            )
        return found

    def _exports(self, module: str, name: str) -> list[Export]:
        order = self.loaded[module]
        spec = self.specs.get(module)
        specs = {len(f.args): f for f in spec.functions if f.name == name} if spec else {}
        catalogued = self.module(module)
        exports = [
            Export(
                module, name, f.arity, route_bits(f.routes), f.const, f.fixup, f.reads, order, specs.pop(f.arity, None)
            )
            for f in (catalogued.functions.get(name, ()) if catalogued else ())
            if f.arity != -1 and f.routes
        ]
        exports += [
            Export(module, name, arity, spec_bits(f.routes), False, "", "", order, f) for arity, f in specs.items()
        ]
        return exports

    def variable_class(self, name: str) -> VariableClass | None:
        """A class of pseudo-variables of a loaded module or the core."""
        if name not in self._classes:
            self._classes[name] = self._find_class(name)
        return self._classes[name]

    def _find_class(self, name: str) -> VariableClass | None:
        for module in self._newest_first:
            spec = self.specs.get(module)
            found = next((pv for pv in spec.pvs if pv.name == name), None) if spec else None
            exports = self.catalog.core if module == CORE else self.module(module)
            catalogued = exports.pvs.get(name) if exports else None
            if found or catalogued:
                return VariableClass(module, self.loaded[module], catalogued, found)
        return None

    def variable_names(self) -> list[str]:
        """All classes that can be used."""
        names = list(self.catalog.core.pvs)
        for module in self.loaded:
            exports = self.module(module)
            names += exports.pvs if exports else ()
            names += (pv.name for pv in self.specs[module].pvs) if module in self.specs else ()
        return names

    def declared_select(self, name: str) -> Select | None:
        """The selects that a loaded module which runs here declares under a name."""
        specs = (self.specs[module] for module in self._newest_first if module in self.specs)
        return next((select for spec in specs for select in spec.selects if select.name == name), None)

    def function_names(self) -> list[str]:
        """All functions that can be called."""
        names: list[str] = []
        for module in self.loaded:
            exports = self.module(module)
            names += (n for n, fs in exports.functions.items() if any(f.routes for f in fs)) if exports else ()
            names += (f.name for f in self.specs[module].functions) if module in self.specs else ()
        return names

    def transformation(self, cls: str, op: str) -> TransformationOp | None:
        """`{cls.op}` of a loaded module. Kamailio reads the operation without regard to case."""
        key = cls, op.lower()
        if key not in self._operations:
            self._operations[key] = self._find_operation(*key)
        return self._operations[key]

    def _find_operation(self, cls: str, op: str) -> TransformationOp | None:
        for module in self._newest_first:
            spec = self.specs.get(module)
            found = (
                next((t for t in spec.transformations if t.cls == cls and t.op.lower() == op), None) if spec else None
            )
            exports = None if module == CORE else self.module(module)
            catalogued = exports.transformations.get(cls, {}).get(op) if exports else None
            if found or catalogued:
                return TransformationOp(module, self.loaded[module], catalogued, found)
        return None

    def operations(self, cls: str) -> list[str]:
        """The operations of a class of transformations that can be used; empty where the class is not there."""
        names: list[str] = []
        for module in self.loaded:
            exports = None if module == CORE else self.module(module)
            names += exports.transformations.get(cls, ()) if exports else ()
            names += (t.op for t in self.specs[module].transformations if t.cls == cls) if module in self.specs else ()
        return names

    def transformation_classes(self) -> list[str]:
        names: list[str] = []
        for module in self.loaded:
            exports = None if module == CORE else self.module(module)
            names += exports.transformations if exports else ()
            names += (t.cls for t in self.specs[module].transformations) if module in self.specs else ()
        return names


_BITS_OF: dict[tuple[str, ...], int] = {}


def route_bits(routes: tuple[str, ...]) -> int:
    bits = _BITS_OF.get(routes)
    if bits is None:
        bits = 0
        for route in routes:
            bits |= ROUTE_BITS.get(route, 0)
        _BITS_OF[routes] = bits
    return bits


def spec_bits(routes: Routes) -> int:
    return route_bits(tuple(route.name or "" for route in Routes if route in routes))
