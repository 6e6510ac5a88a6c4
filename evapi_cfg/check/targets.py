"""The versions of Kamailio that a file can be checked for: by the names that people use, what of the modules that run
here each of them has, and how a version that has a name is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from evapi_cfg.catalog import ANY_NUMBER, TARGET, Catalog, PseudoVariable, history, versions
from evapi_cfg.modules import spec as declared
from evapi_cfg.modules.spec import ModuleSpec, NameRefused, Resolver, Variable
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import PVar

TARGETS: Final[dict[str, str]] = {".".join(version.split(".")[:2]): version for version in versions()}
"""The catalogue's label of each, such as "6.1.4" for "6.1"."""
DEFAULT: Final = next(name for name, version in TARGETS.items() if version == TARGET)


def label_of(version: str) -> str:
    """The catalogue's label of a version, given as "6.1" or as "6.1.4". Raises ValueError where there is none."""
    label = TARGETS.get(version, version)
    if label not in TARGETS.values():
        raise ValueError(f"no version {version} of Kamailio is known here: they are {', '.join(TARGETS)}")
    return label


def numbers(version: str) -> tuple[int, int, int]:
    """A label as numbers: 6.2, which is not released yet, is 6.2.0."""
    major, minor, patch = [*map(int, version.split(".")), 0][:3]
    return major, minor, patch


def short(version: str) -> str:
    """A label as people say it: 5.8 for 5.8.8."""
    return ".".join(version.split(".")[:2])


# ---- saying which versions have a name -----------------------------------------------------------------------------


def span_of(having: Iterable[str]) -> str:
    """`from Kamailio 5.8 on`, `up to Kamailio 6.0`, `in Kamailio 5.7 and 5.8`."""
    known = versions()
    found = [known.index(version) for version in having]
    if found == list(range(found[0], len(known))):
        return f"from Kamailio {short(known[found[0]])} on"
    if found == list(range(found[-1] + 1)):
        return f"up to Kamailio {short(known[found[-1]])}"
    names = [short(known[number]) for number in found]
    return f"in Kamailio {names[0]}" if len(names) == 1 else f"in Kamailio {', '.join(names[:-1])} and {names[-1]}"


def exists(what: str, owners: Iterable[history.Owner], catalog: Catalog, prefer: Iterable[str] = ()) -> str:
    """A sentence for a name that the target lacks: which versions have it, and in which module; "" where none does.
    Modules in `prefer` come first."""
    others = [owner for owner in owners if catalog.version not in owner.versions]
    if not others:
        return ""
    liked = set(prefer)
    owner = min(others, key=lambda owner: owner.module not in liked)
    where = "" if owner.module in liked or owner.module == history.CORE else f", in module `{owner.module}`"
    return f"{what} exists {span_of(owner.versions)}{where}"


# ---- the modules that run here, as a version has them --------------------------------------------------------------


def narrowed(spec: ModuleSpec, catalog: Catalog) -> ModuleSpec | None:
    """What a version of Kamailio has of a module that runs here, which is the default version's: without what only
    other versions have. What no version's catalogue lists, it cannot know, and stays. None: it lacks the module."""
    if catalog.version == TARGET:
        return spec
    core = spec.name == history.CORE
    module = catalog.module(spec.name)
    if module is None and not core:
        return None if history.of_module(spec.name) else spec
    functions = module.functions if module else {}
    params = module.params if module else {}
    operations = module.transformations if module else {}
    pvs = catalog.core.pvs if module is None else module.pvs

    def has_function(function: declared.Function) -> bool:
        arity = len(function.args)
        if any(found.arity in (arity, ANY_NUMBER) for found in functions.get(function.name, ())):
            return True
        return not history.of_function(function.name, arity, spec.name)

    def has_operation(operation: declared.Transformation) -> bool:
        if operation.op.lower() in operations.get(operation.cls, ()):
            return True
        owners = history.of_transformation(operation.cls, operation.op)
        return all(owner.module != spec.name for owner in owners)

    def has_event_route(route: declared.EventRoute) -> bool:
        owners = [owner for owner in history.of_event_route(route.name) if owner.module == spec.name]
        return not owners or catalog.version in owners[0].versions

    return replace(
        spec,
        functions=tuple(function for function in spec.functions if core or has_function(function)),
        params=tuple(p for p in spec.params if core or p.name in params or not history.of_param(spec.name, p.name)),
        pvs=tuple(
            _with_names(pv, pvs.get(pv.name))
            for pv in spec.pvs
            if pv.name in pvs or not history.of_variable(pv.name, module=spec.name)
        ),
        transformations=tuple(operation for operation in spec.transformations if core or has_operation(operation)),
        event_routes=tuple(route for route in spec.event_routes if has_event_route(route)),
    )


def _with_names(pv: declared.PseudoVariable, catalogued: PseudoVariable | None) -> declared.PseudoVariable:
    """A class without the inner names that the version does not know."""
    if catalogued is None or not catalogued.elsewhere:
        return pv
    elsewhere, make = catalogued.elsewhere, pv.make

    def narrow(pvar: PVar, resolver: Resolver) -> Variable:
        if pvar.inner is not None and pvar.inner.value in elsewhere:
            raise NameRefused(f"`${pv.name}` has no name `{show(pvar.inner.value)}`", pvar.inner.span)
        return make(pvar, resolver)

    return replace(pv, make=narrow, names=tuple(name for name in pv.names if name not in elsewhere))


def narrowing(specs: Iterable[ModuleSpec], catalog: Catalog) -> dict[str, ModuleSpec]:
    """All modules that run here as a version has them, by name."""
    found = ((spec.name, narrowed(spec, catalog)) for spec in specs)
    return {name: spec for name, spec in found if spec is not None}
