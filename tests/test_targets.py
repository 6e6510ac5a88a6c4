"""Checking for a version of Kamailio: what it says of each sample and each one-fault file is what that version does."""

from __future__ import annotations

from pathlib import Path

import pytest

from evapi_cfg.catalog import Catalog, history, versions
from evapi_cfg.check.report import check_text
from evapi_cfg.check.targets import TARGETS, exists, narrowed, numbers, span_of
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.modules import by_name
from evapi_cfg.source import store
from tests.check.faults import Fault, faults
from tests.check.samples import Sample, samples
from tests.test_faults import LATER

ALL: list[Sample | Fault] = [*samples(), *(fault for fault in faults() if fault.name not in LATER)]
# What another package of the distribution has, so that its recorded verdict says nothing about the file.
NOT_INSTALLED = {
    "modules: a module of another version",
    "names: a route that an answer is for",
    "sense_flow: functions of other modules take names of routes",
    "versions: modules",
}
OPEN = {
    # An address that the machine does not have, which the checker cannot know.
    "applications: an address of the local network",
    # Kamailio reads such a string on to the next quote: what it says then depends on what stands there.
    "syntax: a string is not closed",
    "syntax: a quote is missing at the start",
    "syntax: a quote is missing at the end of an argument",
    "syntax: a quote is missing at the end of a loadmodule",
    "syntax: a quote is missing in a modparam",
    "syntax: a string in JavaScript's quotes",
    "syntax: a double quote closes a single one",
    # And so with a define whose value is cut.
    "preprocessor: a comment behind the value of a define",
    # `kamailio -c` crashes, where a start would say what is wrong.
    "scripts: a module for scripts without one, at which kamailio -c crashes",
}


def judged(diagnostics: tuple[Diagnostic, ...]) -> str:
    """What the notes of the errors say that Kamailio does."""
    notes = [note for found in diagnostics if found.severity is Severity.ERROR for note in found.notes]
    if any("refuses" in note for note in notes):
        return "refuses"
    return "fails" if any("fails at start" in note for note in notes) else "accepts"


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_verdict_of_each_version(file: Sample | Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, script in (file.scripts if isinstance(file, Sample) else {}).items():
        Path(name).write_text(script)
    text = store(file.text)
    if file.name not in OPEN:
        assert judged(check_text(text, "file.cfg").diagnostics) == file.verdict
    if file.name not in OPEN | NOT_INSTALLED:
        assert judged(check_text(text, "file.cfg", version=TARGETS["5.6"]).diagnostics) == file.verdict_5_6


def test_a_module_that_runs_here_gives_a_version_only_what_it_has() -> None:
    for version in versions():
        catalog = Catalog(version)
        for name, spec in by_name.items():
            module = catalog.module(name)
            narrow = narrowed(spec, catalog)
            if module is None or narrow is None:
                continue
            for function in narrow.functions:
                arities = {found.arity for found in module.functions.get(function.name, ())}
                assert arities & {len(function.args), -128}, (version, name, function.name)
            operations = {(cls, op) for cls, ops in module.transformations.items() for op in ops}
            assert {(t.cls, t.op.lower()) for t in narrow.transformations} <= operations, (version, name)
            assert {pv.name for pv in narrow.pvs} <= set(module.pvs), (version, name)
            if version != TARGETS["6.1"]:  # that one may know what is to come
                assert {param.name for param in narrow.params} <= set(module.params), (version, name)


def test_how_a_span_of_versions_is_said() -> None:
    known = versions()
    assert span_of(known[2:]) == "from Kamailio 5.8 on"
    assert span_of(known[:2]) == "up to Kamailio 5.7"
    assert span_of(known[1:2]) == "in Kamailio 5.7"
    assert span_of(known[1:4]) == "in Kamailio 5.7, 5.8 and 6.0"
    assert numbers("6.2") == (6, 2, 0) and numbers("5.6.3") == (5, 6, 3)


def test_who_had_a_name() -> None:
    assert history.of_module("app_java")[0] == "5.6.3" and "6.1.4" not in history.of_module("app_java")
    assert history.of_function("evapi_relay", 1)[0].versions == versions()
    assert history.of_function("evapi_relay", 2) == ()
    assert history.of_transformation("json", "parsex")[0].module == "json"
    assert history.of_core_param("dns_rev_via")[0] == "5.7.7"
    assert history.of_function("load_tm") == ()  # no configuration can call it
    (owner,) = history.of_variable("rcv", "evtype")
    catalog = Catalog("5.6.3")
    assert exists("`$rcv(evtype)`", [owner], catalog, ["pv"]) == "`$rcv(evtype)` exists from Kamailio 5.8 on"
    assert exists("`x`", [owner], catalog) == "`x` exists from Kamailio 5.8 on, in module `pv`"
    assert exists("`x`", [owner], Catalog("6.0.7")) == ""


@pytest.mark.parametrize(
    ("version", "expected"),
    [("5.6", {"newer-directive"}), ("6.1", {"newer-directive"}), ("6.2", {"not-defined"})],
)
def test_a_directive_that_undefines(version: str, expected: set[str]) -> None:
    text = "#!KAMAILIO\n#!undef NOTHING\nrequest_route { exit; }\n"
    found = check_text(text, version=TARGETS[version]).diagnostics
    assert {diagnostic.code.name for diagnostic in found} == expected


def test_routes_that_functions_of_other_modules_name() -> None:
    text = '#!KAMAILIO\nloadmodule "tm.so"\nloadmodule "async.so"\nrequest_route {{ {}; }}\nroute[LATER] {{ exit; }}\n'
    for call in ('async_route("LATR", "1")', 'async_ms_route("LATR", "1")', 'async_task_route("LATR")'):
        found = [d for d in check_text(text.format(call)).diagnostics if d.severity is Severity.ERROR]
        assert [(d.code, d.help) for d in found] == [(codes.UNDEFINED_ROUTE, "did you mean `route[LATER]`?")]
        assert not check_text(text.format(call.replace("LATR", "LATER"))).errors


def test_a_version_may_be_named_either_way() -> None:
    for version in ("5.6", TARGETS["5.6"]):
        assert [found.code.name for found in check_text("route { exit; }\n", version=version).diagnostics] == []
    with pytest.raises(ValueError, match=r"no version 4\.4 of Kamailio is known here: they are 5\.6, "):
        check_text("", version="4.4")
