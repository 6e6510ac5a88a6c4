"""What modules declare for scripts in other languages, against what Kamailio exports to them."""

from __future__ import annotations

import inspect

import pytest

from evapi_cfg.catalog import kemi
from evapi_cfg.modules import by_name
from evapi_cfg.modules.spec import KemiFunction, Long, ModuleSpec

DECLARING = [module for module in by_name.values() if module.kemi]
LETTERS = {int: "i", str: "s", Long: "l"}
TABLES = "it gives a table, which app_python3 does not hand on"
NOT_DECLARED = {
    f"pvx.{kind}_{name}": TABLES for kind in ("xavp", "xavi") for name in ("getd", "getd_p1", "get_keys")
} | {"ktest": "a test of app_python3's own"}  # fmt: skip


def path_of(module: ModuleSpec, function: KemiFunction) -> str:
    room = module.name if function.room is None else function.room
    return f"{room}.{function.name}" if room else function.name


def test_the_data_names_each_export_once_in_a_module() -> None:
    assert len({(export.module, export.path) for export in kemi.exports()}) == len(kemi.exports()) > 1300
    assert {letter for export in kemi.exports() for letter in export.params} == {"i", "s", "l"}
    assert {export.returns for export in kemi.exports()} == {"int", "bool", "xval", "none"}
    assert kemi.rooms()["kx"] == ("kemix",)
    assert kemi.by_path()["dialog.dlg_manage"][0].module == "dialog"
    assert [export.name for export in kemi.of_module("maxfwd")] == ["is_maxfwd_lt", "process_maxfwd"]


@pytest.mark.parametrize("module", DECLARING, ids=lambda module: module.name)
def test_declarations_are_those_of_kamailio(module: ModuleSpec) -> None:
    declared = {path_of(module, f): "".join(LETTERS[kind] for kind in f.params) for f in module.kemi}
    assert len(declared) == len(module.kemi), "declared twice"
    known = {export.path: export.params for export in kemi.of_module(module.name)}
    assert {path: params for path, params in known.items() if path not in NOT_DECLARED} == declared


def test_what_is_not_declared_exists() -> None:
    assert set(NOT_DECLARED) <= set(kemi.by_path())


@pytest.mark.parametrize("module", DECLARING, ids=lambda module: module.name)
def test_functions_take_their_arguments_and_do_not_wait(module: ModuleSpec) -> None:
    for function in module.kemi:
        signature = inspect.signature(function.call)
        signature.bind(object(), *function.params, **({"at": None} if function.at else {}))
        assert not inspect.iscoroutinefunction(function.call), function.name


def test_kemix_has_nothing_for_a_cfg() -> None:
    assert by_name["kemix"].kemi
    assert not by_name["kemix"].functions
