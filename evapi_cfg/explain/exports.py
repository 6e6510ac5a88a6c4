"""What modules export, as entries: the catalogue says what there is in which version, the spec of a module that runs
here how arguments are read, and whether something runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from evapi_cfg.catalog import ANY_NUMBER, TARGET, Catalog, Function, Module, in_family
from evapi_cfg.catalog import PseudoVariable as Catalogued
from evapi_cfg.catalog import Transformation as CataloguedTransformation
from evapi_cfg.check.fixups import Reading, reading
from evapi_cfg.check.functions import blocks
from evapi_cfg.check.index import ROUTE_BITS
from evapi_cfg.check.scope import route_bits, spec_bits
from evapi_cfg.check.targets import short
from evapi_cfg.explain.entry import Entry
from evapi_cfg.explain.versions import catalog, having, in_words, newest, newest_first
from evapi_cfg.modules import by_name as specs
from evapi_cfg.modules.spec import Arg
from evapi_cfg.modules.spec import Function as FunctionSpec

DOCS: Final = "https://www.kamailio.org/docs/modules/stable/modules/{}.html"
COOKBOOK: Final = "https://www.kamailio.org/wikidocs/cookbooks/devel/{}/"
MOST: Final = 4  # modules that are shown in full where many have a name
RUNS: Final = "runs"
_NO_MODULE: Final = "module {} does not run: {}"
_NO_CALL: Final = "a call logs an error and gives -1"
_FILLED: Final = "text, whose variables are filled in"
_ARGUMENTS: Final = {
    Arg.TEXT: _FILLED,
    Arg.CONST_TEXT: f"constant {_FILLED}",
    Arg.STRING: "text as it is, or a variable",
    Arg.LITERAL: "constant text",
    Arg.INT: "number, or one variable",
    Arg.NUMBER: "number, or one variable",
    Arg.CONST_INT: "constant number",
    Arg.PVAR: 'one variable in quotes, such as `"$var(x)"`',
    Arg.REGEX: "constant regular expression",
    Arg.PATTERN: "regular expression",
    Arg.SUBSTITUTION: "constant `/expression/replacement/flags`",
    Arg.ROUTE: "name of a `route[...]` block",
    Arg.VALUE: f"one variable, or constant {_FILLED}",
    Arg.VAR_TEXT: "text, or one variable",
}
_KINDS: Final = {
    Arg.INT: "number",
    Arg.NUMBER: "number",
    Arg.CONST_INT: "number",
    Arg.PVAR: "variable",
    Arg.REGEX: "expression",
    Arg.PATTERN: "expression",
    Arg.SUBSTITUTION: "substitution",
    Arg.ROUTE: "route",
}  # what an argument is called where its name is not known; the others are called text
_READINGS: Final = {
    Reading.FORMAT: ("text", _FILLED),
    Reading.INT: ("number", "number, or one variable"),
    Reading.NUMBER: ("number", "constant number"),
    Reading.VARIABLE: ("variable", 'one variable in quotes, such as `"$var(x)"`'),
    Reading.REGEX: ("expression", "regular expression"),
    Reading.SUBSTITUTION: ("substitution", "constant `/expression/replacement/flags`"),
    Reading.PLAIN: ("value", ""),
}
_PARAMETERS: Final = {"n": "number", "s": "text", "c": "character"}


# ---- functions -------------------------------------------------------------------------------------------------------


def functions(module: str, name: str) -> Iterator[Entry]:
    """One entry for all forms that share everything but their arguments."""
    spec = specs.get(module)
    specified = {len(f.args): f for f in spec.functions if f.name == name} if spec else {}
    arities: dict[int, Function] = {}
    for version in newest_first():
        exports = catalog(version).module(module)
        for function in _callable(exports, name) if exports else ():
            arities.setdefault(function.arity, function)
    entries: dict[tuple[tuple[str, str], ...], tuple[list[str], dict[str, str]]] = {}
    for arity in sorted({*arities, *specified}):
        known, runs = arities.get(arity), specified.get(arity)
        arguments = _arguments(known, runs)
        rows = [("module", module)]
        bits = route_bits(known.routes) if known else spec_bits(specified[arity].routes)
        rows.append(("stands in", "any block" if bits == ROUTE_BITS["ANY"] else blocks(bits)))
        if known:
            rows.append(("Kamailio", _function_versions(module, name, arity)))
        rows.append(("here", _function_here(module, runs)))
        forms, explained = entries.setdefault(tuple(rows), ([], {}))
        forms.append(f"{name}({', '.join(argument for argument, _ in arguments)})")
        explained.update({argument: words for argument, words in arguments if words})
    for rows_, (forms, explained) in entries.items():
        yield Entry(f"function {name}", tuple(forms), (*explained.items(), *rows_, _docs(module)))


def _callable(module: Module, name: str) -> list[Function]:
    return [f for f in module.functions.get(name, ()) if f.arity != -1 and f.routes]


def _arguments(known: Function | None, spec: FunctionSpec | None) -> list[tuple[str, str]]:
    """Each argument's name and what it may be."""
    if spec is not None:
        names = _names(spec) or [_KINDS.get(kind, "text") for kind in spec.args]
        return [(name, _ARGUMENTS[kind]) for name, kind in zip(_apart(names), spec.args, strict=True)]
    assert known is not None
    if known.arity == ANY_NUMBER:
        return [("...", "")]
    kinds = [_READINGS[reading(known.fixup, known.reads, number)] for number in range(known.arity)]
    return list(zip(_apart([kind for kind, _ in kinds]), [words for _, words in kinds], strict=True))


def _names(spec: FunctionSpec) -> list[str]:
    """What the function that runs calls its arguments, where it names each of them."""
    code = getattr(spec.call, "__code__", None)
    if code is None or code.co_flags & 4:  # *arguments
        return []
    names = list(code.co_varnames[1 : code.co_argcount])[: len(spec.args)]  # the first one is the run
    return names if len(names) == len(spec.args) and all(name[:1] != "_" for name in names) else []


def _apart(names: Sequence[str]) -> list[str]:
    """Names that occur twice get numbers."""
    return [f"{name}{names[: at + 1].count(name)}" if names.count(name) > 1 else name for at, name in enumerate(names)]


def _function_versions(module: str, name: str, arity: int) -> str:
    def of(version: Catalog) -> list[Function]:
        exports = version.module(module)
        return [f for f in _callable(exports, name) if f.arity == arity] if exports else []

    found = having(of)
    text = in_words(found)
    constant = [version for version in found if any(f.const for f in of(catalog(version)))]
    if constant and arity:
        text += "; constant arguments only"
        if constant != found:
            text += f" up to {short(constant[-1])}" if constant[0] == found[0] else f" from {short(constant[0])} on"
    return text


def _function_here(module: str, spec: FunctionSpec | None) -> str:
    if module not in specs:
        return _NO_MODULE.format(module, _NO_CALL)
    return RUNS if spec is not None and spec.runs else f"does not run: {_NO_CALL}"


# ---- modparams -------------------------------------------------------------------------------------------------------


def modparams(module: str, name: str) -> Iterator[Entry]:
    exports = newest(module, lambda m: m.params.get(name))
    spec = specs.get(module)
    specified = next((p for p in spec.params if p.name == name), None) if spec else None
    known = exports.params.get(name, ()) if exports else ()
    if not known and specified is None:
        return
    types = {"number" if p.type == "int" else "string" for p in known}
    if specified is not None:
        types.add("number" if specified.type is int else "string")
    default = specified.default if specified else None
    if default is None:
        default = next((p.default for p in known if p.default is not None), None)
    called = exports.exported_name if exports else module
    value = "..." if default is None or default == "" else str(default)
    shown = value if types == {"number"} else f'"{value}"'
    rows = [("module", module), ("value", " or ".join(sorted(types)))]
    if default is not None:
        rows.append(("default", f"`{default}`" if isinstance(default, int) else f'`"{default}"`'))
    if known:
        there = having(lambda c: (m := c.module(module)) and m.params.get(name))
        rows.append(("Kamailio", in_words(there)))
    if specified is None:
        here = _NO_MODULE.format(module, "it has no effect") if module not in specs else "has no effect"
    else:
        here = "is set" if specified.runs else "is checked, and has no effect"
    yield Entry(
        f"modparam {module}.{name}",
        (f'modparam("{called}", "{name}", {shown})',),
        (*rows, ("here", here), _docs(module)),
    )


# ---- pseudo-variables ------------------------------------------------------------------------------------------------


def variables(module: str, name: str) -> Iterator[Entry]:
    """`module` may be the core."""
    core = module == "core"
    known = next((pv for v in newest_first() if (pv := _variable(catalog(v), module, name))), None)
    spec = specs.get(module)
    specified = next((pv for pv in spec.pvs if pv.name == name), None) if spec else None
    if known is None and specified is None:
        return
    if specified is not None:
        inner, indexed, names = specified.inner, specified.index, specified.names
    else:
        assert known is not None
        inner, indexed, names = "required" if known.inner else "no", known.index, known.names
    written = "name" if known is None or not known.form else {"=>": "a=>b", "$": "$variable"}[known.form]
    forms = [f"${name}"] if inner != "required" else []
    if inner != "no":
        forms.append(f"${name}({written})")
    if indexed:
        forms.append(f"$({forms[-1][1:]}[index])")
    rows = [("module", "the core" if core else module)]
    if names:
        rows.append(("names", ", ".join(f"`{n}`" for n in sorted(names))))
    writable = known.writable if known is not None else specified is not None and specified.writable
    rows.append(("assigned", "yes" if writable else "no"))
    if known is not None:
        rows.append(("Kamailio", in_words(having(lambda c: _variable(c, module, name)))))
    here = RUNS if specified is not None else "is `$null`"
    if module not in specs:
        here = _NO_MODULE.format(module, "the variable is `$null`")
    docs = ("described", COOKBOOK.format("pseudovariables")) if module in ("core", "pv") else _docs(module)
    yield Entry(f"pseudo-variable ${name}", tuple(forms), (*rows, ("here", here), docs))


def _variable(version: Catalog, module: str, name: str) -> Catalogued | None:
    exports = version.core if module == "core" else version.module(module)
    return exports.pvs.get(name) if exports else None


# ---- transformations -------------------------------------------------------------------------------------------------


def transformations(module: str, cls: str, op: str) -> Iterator[Entry]:
    """One operation, or with `op` "" the whole class."""
    exports = newest(module, lambda m: m.transformations.get(cls))
    spec = specs.get(module)
    specified = {t.op.lower(): t for t in spec.transformations if t.cls == cls} if spec else {}
    known = exports.transformations.get(cls, {}) if exports else {}
    if not op and (known or specified):
        listed = [_transformation(t) for t in known.values()] or [f"{{{cls}.{t}}}" for t in specified]
        rows = (("module", module), ("has", ", ".join(f"`{form}`" for form in sorted(listed))))
        yield Entry(f"transformations {{{cls}.*}}", (), (*rows, _transformation_docs(module)))
        return
    found = known.get(op.lower())
    if found is None and exports is not None:
        older = newest(module, lambda m: m.transformations.get(cls, {}).get(op.lower()))
        found = older.transformations[cls][op.lower()] if older else None
    if found is None and op.lower() not in specified:
        return
    form = _transformation(found) if found else f"{{{cls}.{op}}}"
    rows_ = [("module", module)]
    if found and any(p.endswith("?") for p in found.params):
        rows_.append(("parameters", "those in brackets may be left out"))
    if found:
        there = having(lambda c: (m := c.module(module)) and m.transformations.get(cls, {}).get(op.lower()))
        rows_.append(("Kamailio", in_words(there)))
    here = RUNS if op.lower() in specified else "is `$null`"
    if module not in specs:
        here = _NO_MODULE.format(module, "the variable is `$null`")
    yield Entry(
        f"transformation {{{cls}.{op.lower()}}}",
        (f"$(var(x){form})",),
        (*rows_, ("here", here), _transformation_docs(module)),
    )


def _transformation(known: CataloguedTransformation) -> str:
    shown = "".join(
        f"[,{_PARAMETERS.get(p[0], p)}]" if p.endswith("?") else f",{_PARAMETERS.get(p[0], p)}" for p in known.params
    )
    return f"{{{known.cls}.{known.op}{shown}}}"


def _transformation_docs(module: str) -> tuple[str, str]:
    return ("described", COOKBOOK.format("transformations")) if module == "pv" else _docs(module)


# ---- event routes ----------------------------------------------------------------------------------------------------


def event_routes(module: str, name: str) -> Iterator[Entry]:
    """`module` may be the core. A name that is made at run time, `htable:expired:x`, belongs to a family."""
    core = module == "core"

    def there(version: Catalog) -> bool:
        exports = version.core if core else version.module(module)
        if exports is None:
            return False
        families = () if core else version.module(module).event_families  # type: ignore[union-attr]
        return name in exports.event_routes or any(in_family(name, family) for family in families)

    found = having(there)
    spec = specs.get(module)
    runs = spec is not None and any(route.name == name for route in spec.event_routes)
    if not found and not runs:
        return
    rows = [("module", "the core" if core else module)]
    if found:
        rows.append(("Kamailio", in_words(found)))
    rows.append(("here", RUNS if runs else "never runs"))
    yield Entry(
        f"event route {name}",
        (f"event_route[{name}] {{\n  ...\n}}",),
        (*rows, ("described", COOKBOOK.format("core")) if core else _docs(module)),
    )


# ---- modules ---------------------------------------------------------------------------------------------------------


def modules(name: str) -> Iterator[Entry]:
    exports = newest(name, lambda m: True)
    spec = specs.get(name)
    if exports is None and (spec is None or name == "core"):
        return
    lists: dict[str, list[str]] = {"functions": [], "modparams": [], "variables": [], "transformations": []}
    lists["event routes"] = []
    if exports is not None:
        lists["functions"] += [n for n in exports.functions if _callable(exports, n)]
        lists["modparams"] += exports.params
        lists["variables"] += [f"${n}" for n in exports.pvs]
        lists["transformations"] += [f"{{{n}.*}}" for n in exports.transformations]
        lists["event routes"] += (*exports.event_routes, *exports.event_families)
    if spec is not None:
        lists["functions"] += [f.name for f in spec.functions]
        lists["modparams"] += [p.name for p in spec.params]
        lists["variables"] += [f"${pv.name}" for pv in spec.pvs]
        lists["transformations"] += [f"{{{t.cls}.*}}" for t in spec.transformations]
        lists["event routes"] += [route.name for route in spec.event_routes]
        lists["RPC commands"] = [command.name for command in spec.rpc]
    rows = [(key, ", ".join(sorted(set(names)))) for key, names in lists.items() if names]
    if exports is not None and exports.deps:
        rows.append(("works with", ", ".join(exports.deps)))
    if exports is not None:
        rows.append(("Kamailio", in_words(having(lambda c: c.module(name)))))
    rows.append(("here", _module_here(name)))
    yield Entry(f"module {name}", (f'loadmodule "{name}.so"',), (*rows, _docs(name)))


def _module_here(name: str) -> str:
    spec = specs.get(name)
    if spec is None:
        return f"does not run: {_NO_CALL}, its variables are `$null`"
    missing = sorted({f.name for f in spec.functions if not f.runs})
    return f"runs, but for {', '.join(missing)}" if missing else RUNS


def _docs(module: str) -> tuple[str, str]:
    there = catalog(TARGET).module(module) is not None
    return ("described", DOCS.format(module)) if there else ("described", "with the version of Kamailio that has it")
