"""Finds what a name can be, by the form in which it was written; and names that are near, where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from evapi_cfg.catalog import holders, in_family, versions
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.suggest import did_you_mean, near, question
from evapi_cfg.explain import exports, language
from evapi_cfg.explain.entry import Entry
from evapi_cfg.explain.versions import catalog
from evapi_cfg.modules import by_name as specs

_VARIABLE: Final = re.compile(r"\$\(?(?P<name>[A-Za-z_][\w.]*|\?)")
_TRANSFORMATION: Final = re.compile(r"\{(?P<cls>\w+)(?:\.(?P<op>[\w.]+|\*))?")
_EVENT: Final = re.compile(r"event_route\s*\[(?P<name>[^\]]*)\]?.*", re.DOTALL)
_MODPARAM: Final = re.compile(
    r"modparamx?\s*\(\s*[\"']?(?P<module>[^\"',]+)[\"']?\s*,\s*[\"']?(?P<name>[^\"',)]+).*", re.DOTALL
)
_MODULE: Final = re.compile(r"(?:loadmodulex?\s*\(?\s*)?[\"']?(?:[^\"'\s]*/)?(?P<name>\w+)(?P<end>\.so)?[\"']?\)?")
_KEMI: Final = re.compile(r"KSR(?:\.(?P<room>\w+))?\.(?P<name>\w+)(?:\(.*)?", re.DOTALL)


class LookedUp(NamedTuple):
    """`help`: where nothing was found, what is near."""

    entries: tuple[Entry, ...]
    help: str


def lookup(name: str) -> LookedUp:
    """All that a name stands for. Its form narrows it down: `$x` is a variable, `{x}` a transformation; a bare name may
    be anything."""
    found = list(_entries(name))
    return LookedUp(tuple(found), "" if found else _near(name))


def _entries(name: str) -> Iterator[Entry]:
    if name[0] == "$":
        variable = _VARIABLE.match(name)
        if variable:
            dotted = list(_each(variable["name"], exports.variables, "core"))
            yield from dotted or _each(variable["name"].partition(".")[0], exports.variables, "core")
        for use in _TRANSFORMATION.finditer(name):
            yield from _transformations(use["cls"], use["op"] or "")
    elif name[0] == "{":
        use_ = _TRANSFORMATION.match(name)
        if use_:
            yield from _transformations(use_["cls"], use_["op"] or "")
    elif name[0] == "@":
        yield from language.selects(name[1:])
    elif name[:2] in ("#!", "!!"):
        yield from language.directives(name[2:].split(None, 1)[0] if name[2:].strip() else "")
    elif event := _EVENT.fullmatch(name):
        yield from _events(event["name"].strip())
        if not event["name"].strip():
            yield from language.words("event_route")
    elif param := _MODPARAM.fullmatch(name):
        yield from exports.modparams(param["module"].strip(), param["name"].strip())
    elif name.startswith("KSR."):
        yield from _kemi(name)
    else:
        yield from _bare(name)


def _bare(name: str) -> Iterator[Entry]:
    module = _MODULE.fullmatch(name)
    if module and (module["end"] or not name.isidentifier()):
        yield from exports.modules(module["name"])
        return
    word = re.split(r"[\s(=]", name, maxsplit=1)[0]
    if ":" in word:
        yield from language.words(word)
        yield from _events(word)
        return
    front, dot, back = word.partition(".")
    if dot:
        yield from language.words(word)
        yield from exports.modparams(front, back)
        yield from exports.functions(front, back)
        yield from _transformations(front, back.partition(",")[0])
        yield from _rpc(word)
        return
    yield from exports.modules(word)
    yield from language.words(word)
    yield from _each(word, exports.functions)
    yield from _modparams(word)
    yield from _each(word, exports.variables, "core")
    yield from _transformations(word, "")
    yield from language.directives(word)
    yield from language.selects(word)


def _each(name: str, entries: Callable[[str, str], Iterable[Entry]], *more: str) -> Iterator[Entry]:
    for module in _modules(name, *more):
        yield from entries(module, name)


def _modules(word: str, *more: str) -> list[str]:
    """Modules that may export a name, those that run here first."""
    found = dict.fromkeys((*more, *holders(word)))
    for module, spec in specs.items():
        exported = {f.name for f in spec.functions} | {p.name for p in spec.params} | {pv.name for pv in spec.pvs}
        if module != "core" and (word in exported or any(route.name == word for route in spec.event_routes)):
            found[module] = None
    return sorted(found, key=lambda module: (module not in specs, module))


def _modparams(name: str) -> Iterator[Entry]:
    """Where many modules have one, the names of the modules are enough."""
    found = [(module, entries) for module in _modules(name) if (entries := list(exports.modparams(module, name)))]
    if len(found) <= exports.MOST:
        for _, entries in found:
            yield from entries
        return
    listed = ", ".join(f"{module}.{name}" for module, _ in found)
    yield Entry(f"modparam {name}, of {len(found)} modules", (), (("explain", listed),))


def _transformations(cls: str, op: str) -> Iterator[Entry]:
    for module in _modules(cls):
        yield from exports.transformations(module, cls, "" if op == "*" else op)


def _events(name: str) -> Iterator[Entry]:
    known = _modules(name, "core")
    families = [
        module
        for module in catalog().names
        if any(in_family(name, family) for family in catalog().module(module).event_families)  # type: ignore[union-attr]
    ]
    for module in dict.fromkeys((*known, *families)):
        yield from exports.event_routes(module, name)


def _kemi(name: str) -> Iterator[Entry]:
    use = _KEMI.fullmatch(name)
    if use is None:
        return
    for spec in specs.values():
        for function in spec.kemi:
            room = spec.name if function.room is None else function.room
            if (room, function.name) == (use["room"] or "", use["name"]):
                kinds = ", ".join("number" if kind is int else "text" for kind in function.params)
                form = ".".join(part for part in ("KSR", room, f"{function.name}({kinds})") if part)
                rows = (("module", spec.name), ("here", exports.RUNS))
                yield Entry(f"KEMI function {form.partition('(')[0]}", (form,), rows)


def _rpc(name: str) -> Iterator[Entry]:
    for spec in specs.values():
        for command in spec.rpc:
            if command.name == name:
                rows = (("does", command.doc),) if command.doc else ()
                yield Entry(f"RPC command {name}", (), (*rows, ("module", spec.name), ("here", exports.RUNS)))


def _near(name: str) -> str:
    """A question that names what is near."""
    known: list[str] = [*codes.by_name(), *language.names()]
    for version in (catalog(), catalog(versions()[-1])):
        known += version.names
        known += version.function_modules
        known += (f"${n}" for n in (*version.pv_modules, *version.core.pvs))
        known += (f"event_route[{n}]" for n in (*version.event_route_modules, *version.core.event_routes))
        for module in version.names:
            exported = version.module(module)
            assert exported is not None
            known += exported.params
            known += (f"{{{cls}.{op}}}" for cls, ops in exported.transformations.items() for op in ops)
    front, dot, back = name.partition(".")
    if dot and (module_ := catalog().module(front)) is not None:
        return did_you_mean(back, module_.params, front + ".{}")
    if dot:
        return did_you_mean(f"{{{name}}}", known)
    if not dot and name.isidentifier():
        written = {n.lstrip("$"): n for n in known}
        return question([written[n] for n in near(name, written)])
    if name[0] == "$":
        variable = _VARIABLE.match(name)
        return did_you_mean(f"${variable['name']}" if variable else name, known)
    return did_you_mean(name, known) or (did_you_mean(f"event_route[{name}]", known) if ":" in name else "")
