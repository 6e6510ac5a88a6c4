"""The catalogue: the quick way of reading it against a full parse, and what it says of some names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evapi_cfg.catalog
from evapi_cfg.catalog import ANY_NUMBER, Catalog, versions
from evapi_cfg.catalog.needs import DATABASE, Need, needs

DATA = json.loads((Path(evapi_cfg.catalog.__file__).parent / "modules.json").read_text("ascii"))


def in_version(entry: dict[str, object], version: str) -> bool:
    return entry["v"] == "*" or version in entry["v"]  # type: ignore[operator]


def test_the_versions_are_those_of_the_data() -> None:
    assert versions() == tuple(DATA["meta"]["versions"])
    assert evapi_cfg.catalog.TARGET in versions()


@pytest.mark.parametrize("version", versions())
def test_every_module_is_found_by_the_quick_way(version: str) -> None:
    catalog = Catalog(version)
    assert set(catalog.names) == {name for name, data in DATA["modules"].items() if in_version(data, version)}
    for name in catalog.names:
        module, data = catalog.module(name), DATA["modules"][name]
        assert module is not None
        functions = {(f.name, f.arity) for fs in module.functions.values() for f in fs}
        assert functions == {(e["n"], e["args"]) for e in data.get("functions", ()) if in_version(e, version)}
        params = {(p.name, p.type) for ps in module.params.values() for p in ps}
        assert params == {(e["n"], e["t"]) for e in data.get("params", ()) if in_version(e, version)}
        assert set(module.pvs) == {e["n"] for e in data.get("pvs", ()) if in_version(e, version)}
        operations = {(cls, op) for cls, ops in module.transformations.items() for op in ops}
        assert operations == {
            (e["n"], signature.partition("(")[0])
            for e in data.get("transformations", ())
            if in_version(e, version)
            for signature in e["ops"]
        }


def test_the_core_is_that_of_the_data() -> None:
    core = Catalog().core
    names = {e["n"] for e in DATA["core"]["params"] if in_version(e, "6.1.4")}
    assert names <= set(core.params)
    assert core.params["shm_mem_size"] is core.params["shm"]
    assert core.pvs["null"].inner is False
    assert "core:worker-one-init" in core.event_routes
    assert {"if", "route", "force_rport", "add_rport"} <= set(core.statements)
    assert "from" in core.selects and "and" in core.keywords and "ifdef" in core.directives


def test_evapi() -> None:
    module = Catalog().module("evapi")
    assert module is not None
    (relay,) = module.functions["evapi_relay"]
    assert (relay.arity, relay.routes, relay.fixup, relay.const) == (1, ("ANY",), "fixup_vstr_all", False)
    assert sorted(f.arity for f in module.functions["evapi_close"]) == [0, 1]
    assert "send_data_timeout" not in module.params
    assert module.params["workers"][0].type == "int" and module.params["workers"][0].default == 1
    assert module.pvs["evapi"].closed and set(module.pvs["evapi"].names) == {"msg", "conidx", "srcaddr", "srcport"}
    assert "evapi:connection-new" in module.event_routes


def test_versions_differ() -> None:
    old, new, newest = Catalog("5.6.3"), Catalog("6.1.4"), Catalog("6.2")
    assert old.module("app_java") is not None and new.module("app_java") is None and new.known("app_java")
    (relay,) = old.module("evapi").functions["evapi_relay"]  # type: ignore[union-attr]
    assert relay.const
    assert "send_data_timeout" in newest.module("evapi").params  # type: ignore[union-attr]


def test_who_has_a_name() -> None:
    catalog = Catalog()
    assert catalog.function_modules["xlog"] == ("xlog",)
    assert set(catalog.function_modules["is_in_profile"]) == {"dialog", "ims_dialog"}
    assert "load_tm" not in catalog.function_modules  # no configuration can call it
    assert "pv" in catalog.pv_modules["avp"]
    assert "json" in catalog.transformation_modules["json"]
    assert catalog.event_route_modules["evapi:message-received"] == ("evapi",)
    assert "htable:expired:*" in catalog.event_families
    assert catalog.module("nosuch") is None and not catalog.known("nosuch")


def test_signatures_of_transformations() -> None:
    pv = Catalog().module("pv")
    assert pv is not None
    assert pv.transformations["s"]["substr"].params == ("n", "n")
    assert pv.transformations["s"]["prefixes"].params == ("n?",)
    assert pv.transformations["s"]["len"].params == ()


def test_any_number_of_arguments_is_told_apart() -> None:
    catalog = Catalog()
    arities = {f.arity for n in catalog.names for fs in catalog.module(n).functions.values() for f in fs}  # type: ignore[union-attr]
    assert ANY_NUMBER in arities
    assert min(arities - {ANY_NUMBER}) == -1 and max(arities) == 6


def test_what_modules_cannot_start_without() -> None:
    catalog = Catalog()
    needing = [name for name in catalog.names if needs(name)]
    assert len(needing) > 35 and all(catalog.known(name) for name in DATABASE)
    assert all(catalog.module(need.module) for name in needing for need in needs(name))
    assert needs("tmx") == (Need("tm", before=True),)
    assert needs("http_async_client")[0] == Need("pv", before=True, at_once=True)
    assert needs("siputils") == (Need("sl"), Need("pv"))
    assert needs("evapi") == () and needs("nosuch") == ()
