"""What the modules declare of themselves, against the catalogue of Kamailio and against their own functions."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from evapi_cfg.catalog import Catalog
from evapi_cfg.catalog import Function as Exported
from evapi_cfg.modules import by_name
from evapi_cfg.modules.spec import Arg, Function, ModuleSpec, NameRefused, PseudoVariable, Routes
from evapi_cfg.syntax.ast import PVar
from tests.module_world import HERE, Bench, text

CATALOG = Catalog()
CONSTANT = {Arg.CONST_TEXT, Arg.LITERAL, Arg.CONST_INT, Arg.REGEX, Arg.SUBSTITUTION}
REAL = [module for module in by_name.values() if module.name != "core"]
FUNCTIONS = [(module, function) for module in by_name.values() for function in module.functions]
BENCH = Bench()
VARIABLES = [(module, pv) for module in by_name.values() for pv in module.pvs]
# Parameters that a later version of Kamailio than the catalogue's target has; the documentation of evapi names them.
LATER_PARAMS = {("evapi", "send_task_timeout"), ("evapi", "send_data_timeout"), ("evapi", "context_mlimit")}


def name_of(value: object) -> str:
    if isinstance(value, Function):
        return f"{value.name}-{len(value.args)}"
    return str(getattr(value, "name", value))


def bits(names: tuple[str, ...]) -> Routes:
    found = Routes(0)
    for name in names:
        found |= Routes[name]
    return found


@pytest.mark.parametrize("module,function", [pair for pair in FUNCTIONS if pair[0].name != "core"], ids=name_of)
def test_function_is_in_the_catalogue(module: ModuleSpec, function: Function) -> None:
    known = CATALOG.module(module.name)
    assert known is not None
    exports: dict[int, Exported] = {export.arity: export for export in known.functions.get(function.name, ())}
    assert len(function.args) in exports, f"{function.name} with {len(function.args)} arguments"
    export = exports[len(function.args)]
    assert bits(export.routes) == function.routes
    assert (function.const or any(kind in CONSTANT for kind in function.args)) == export.const


def test_core_commands_are_in_the_catalogue() -> None:
    for function in by_name["core"].functions:
        assert function.name in CATALOG.core.statements, function.name


@pytest.mark.parametrize("module,function", FUNCTIONS, ids=name_of)
def test_function_takes_its_arguments(module: ModuleSpec, function: Function) -> None:
    signature = inspect.signature(function.call)
    signature.bind(object(), *function.args, **({"at": None} if function.at else {}))
    assert inspect.iscoroutinefunction(function.call) == function.waits


@pytest.mark.parametrize("module", REAL, ids=name_of)
def test_params_are_in_the_catalogue(module: ModuleSpec) -> None:
    known = CATALOG.module(module.name)
    assert known is not None
    for param in module.params:
        if (module.name, param.name) in LATER_PARAMS:
            continue
        types = {int if export.type == "int" else str for export in known.params[param.name]}
        assert param.type in types, param.name
    assert {param.name for param in module.params} >= set(known.params), "a modparam is missing"


@pytest.mark.parametrize("module,pv", VARIABLES, ids=name_of)
def test_variable_is_in_the_catalogue(module: ModuleSpec, pv: PseudoVariable) -> None:
    known = CATALOG.core.pvs if module.name == "core" else CATALOG.module(module.name).pvs  # type: ignore[union-attr]
    export = known[pv.name]
    assert pv.writable == export.writable
    assert (pv.inner == "required") == export.inner
    assert pv.index == export.index


def test_all_variables_of_these_modules_are_here() -> None:
    for module in by_name.values():
        known = CATALOG.core.pvs if module.name == "core" else CATALOG.module(module.name).pvs  # type: ignore[union-attr]
        assert set(known) == {pv.name for pv in module.pvs}, module.name


@pytest.mark.parametrize("pv", [pv for _, pv in VARIABLES if pv.names], ids=name_of)
def test_each_name_of_a_closed_class_can_be_read(pv: PseudoVariable) -> None:
    bench = BENCH
    for name in pv.names:
        bench.print(f"${pv.name}({name})" if "." not in pv.name else f"$({pv.name}({name}))")
    with pytest.raises(NameRefused):
        pv.make(PVar(HERE, pv.name, text("no such name")), bench.names)


@pytest.mark.parametrize("pv", [pv for _, pv in VARIABLES if pv.inner == "no"], ids=name_of)
def test_a_class_without_names_refuses_one(pv: PseudoVariable) -> None:
    bench = BENCH
    bench.print(f"$({pv.name})")
    with pytest.raises(NameRefused):
        pv.make(PVar(HERE, pv.name, text("x")), bench.names)
    if not pv.index:
        with pytest.raises(NameRefused):
            pv.make(PVar(HERE, pv.name, None, text("0")), bench.names)


OF_OTHERS = {"evapi"}  # its own tests say how it refuses


@pytest.mark.parametrize(
    "pv", [pv for _, pv in VARIABLES if pv.inner == "required" and pv.name not in OF_OTHERS], ids=name_of
)
def test_a_class_with_names_asks_for_one(pv: PseudoVariable) -> None:
    with pytest.raises(NameRefused):
        pv.make(PVar(HERE, pv.name), BENCH.names)


@pytest.mark.parametrize("module", REAL, ids=name_of)
def test_selects_are_in_the_catalogue(module: ModuleSpec) -> None:
    known = CATALOG.module(module.name)
    assert known is not None
    assert {select.name for select in module.selects} <= set(known.selects)


def test_names_are_declared_once() -> None:
    keys = [(module.name, function.name, len(function.args)) for module, function in FUNCTIONS]
    assert len(keys) == len(set(keys))
    names = [pv.name for _, pv in VARIABLES]
    assert len(names) == len(set(names))


RACE = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
sys.setswitchinterval(1e-6)
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from evapi_cfg.modules import by_name
gate = Barrier(len(by_name))
def load(name):
    gate.wait()
    return by_name[name].name
with ThreadPoolExecutor(len(by_name)) as pool:
    assert list(pool.map(load, by_name)) == list(by_name)
"""


def test_threads_may_load_modules_at_once() -> None:
    assert subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True).stderr == ""
