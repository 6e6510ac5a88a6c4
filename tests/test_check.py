"""The checker against its samples: each fault at its place, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import evapi_cfg.check
from evapi_cfg.check.report import check_file, check_text
from evapi_cfg.check.targets import TARGETS
from evapi_cfg.diagnostics import codes, full
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.source import show, store
from evapi_cfg.syntax.parse import SourceError
from tests.check.faults import faults
from tests.check.samples import Expectation, Sample, samples

SAMPLES = samples()
FOLDER = Path(evapi_cfg.check.__file__).parent


def _used(folder: Path, pattern: str) -> set[str]:
    text = "".join(path.read_text("utf-8") for path in folder.glob(pattern))
    return {getattr(codes, name).name for name in re.findall(r"\bcodes\.([A-Z_]+)", text)}


SENSE = _used(FOLDER / "sense", "*.py")  # looked at in the samples that are about it: most others make no sense


def _fits(expected: Expectation, found: Diagnostic) -> bool:
    start, end = (found.span.file.position(at) for at in (found.span.start, found.span.end))
    name = found.span.file.name
    return (
        expected.file == ("" if name == "sample.cfg" else Path(name).name)
        and expected.line == start.line
        and expected.severity == found.severity.value
        and expected.code == found.code.name
        and expected.columns in (None, (start.column, end.column))
        and (expected.text in show(found.message) or expected.text in show(found.help))
    )


def _line(found: Diagnostic) -> str:
    start, end = (found.span.file.position(at) for at in (found.span.start, found.span.end))
    return (
        f'line {start.line}: {found.severity.value}: {found.code.name} @{start.column}-{end.column} "{found.message}"'
        f" (help: {found.help})"
    )


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_sample(sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, script in sample.scripts.items():
        Path(name).write_text(script)
    left = list(check_text(store(sample.text), "sample.cfg", version=TARGETS[sample.target]).diagnostics)
    if not sample.name.startswith("sense"):
        left = [found for found in left if found.code.name not in SENSE]
    missing = []
    for expected in sample.expected:
        found = next((d for d in left if _fits(expected, d)), None)
        if found is None:
            missing.append(expected)
        else:
            left.remove(found)
    assert not missing and not left, "\n".join(
        [sample.text, "missing:", *map(str, missing), "not expected:", *map(_line, left)]
    )


def test_every_code_of_the_checker_fires_in_a_sample() -> None:
    fired = {expected.code for sample in SAMPLES for expected in sample.expected} | {fault.code for fault in faults()}
    elsewhere = {"frame-too-long"}  # in a test of its own
    assert _used(FOLDER, "**/*.py") - fired == elsewhere


def test_each_diagnostic_can_be_shown_and_says_what_kamailio_does() -> None:
    for sample in SAMPLES:
        for diagnostic in check_text(store(sample.text), "sample.cfg", version=TARGETS[sample.target]).diagnostics:
            assert diagnostic.notes and not diagnostic.message[0].isupper(), diagnostic
            assert not diagnostic.message.endswith("."), diagnostic
            assert "sample.cfg" in full.render([diagnostic])


@pytest.mark.parametrize(("size", "expected"), [(32760, []), (32761, ["frame-too-long"])])
def test_a_message_longer_than_a_frame(size: int, expected: list[str]) -> None:
    text = f'#!KAMAILIO\nloadmodule "evapi.so"\nrequest_route {{ evapi_relay("{"x" * size}"); }}\n'
    assert [found.code.name for found in check_text(text).diagnostics] == expected


def test_places_in_included_files(tmp_path: Path) -> None:
    (tmp_path / "part.cfg").write_text("route[B] {\n  nosuch();\n}\n")
    main = tmp_path / "main.cfg"
    main.write_text(
        '#!KAMAILIO\nrequest_route { route(A); route(B); }\ninclude_file "part.cfg"\nroute[A] { nosuch2(); }\n'
    )
    report = check_file(str(main))
    assert [(Path(d.span.file.name).name, d.span.file.line_number(d.span.start)) for d in report.diagnostics] == [
        ("main.cfg", 4),
        ("part.cfg", 2),
    ]
    assert report.errors == 2 and report.warnings == 0
    assert [Path(file.name).name for file in report.files] == ["main.cfg", "part.cfg"]
    assert f"included from {main}:3" in full.render(report.diagnostics)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(SourceError):
        check_file("/nosuch/file.cfg")


def test_defines_of_the_command_line() -> None:
    text = "#!KAMAILIO\n#!ifdef WITH_X\nrequest_route { nosuch(); }\n#!else\nrequest_route { exit; }\n#!endif\n"
    assert check_text(text).errors == 0
    assert check_text(text, defines={"WITH_X": None}).errors == 1


def test_another_version_of_kamailio() -> None:
    text = '#!KAMAILIO\nloadmodule "pv.so"\nloadmodule "app_java.so"\nrequest_route { exit; }\n'
    assert [d.code for d in check_text(text).diagnostics] == [codes.UNKNOWN_MODULE]
    assert check_text(text, version="5.6.3").diagnostics == ()


def test_a_module_that_is_missing_is_reported_once() -> None:
    text = "#!KAMAILIO\nrequest_route {\n" + '  xlog("x");\n' * 5 + "  $var(x) = 1;\n}\n"
    diagnostics = check_text(text).diagnostics
    assert [d.code for d in diagnostics] == [codes.MODULE_NOT_LOADED] * 2
    assert diagnostics[0].notes[0] == "4 more places need this module, too"


def test_names_of_an_unknown_module_are_not_held_against_the_file() -> None:
    text = '#!KAMAILIO\nloadmodule "my_own.so"\nrequest_route { my_function("$myvar(x)"); $my(x) = $(my(y){my.op}); }\n'
    assert [d.code for d in check_text(text).diagnostics] == [codes.UNKNOWN_MODULE]


def test_files_without_the_header_may_use_avps_by_name() -> None:
    text = 'loadmodule "pv.so"\nrequest_route { $foo = 1; if ($bar == 1) exit; $(baz) = 2; }\n'
    assert [d.message for d in check_text(text).diagnostics] == ["there is no pseudo-variable `$baz`"]
    assert check_text("#!KAMAILIO\n" + text).errors == 3


def test_long_chains_do_not_exhaust_the_stack() -> None:
    text = '#!KAMAILIO\nloadmodule "pv.so"\nrequest_route { $var(x) = ' + "$var(y) + " * 300 + '"a" - 1; }\n'
    assert {d.code for d in check_text(text).diagnostics} <= {codes.TYPE_MISMATCH, codes.NESTED_TOO_DEEP}
