"""What comes back from the process that checks a file is what the checker has found."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from evapi_cfg import Report, check_file, check_text
from evapi_cfg.check.elsewhere import Answer, Wanted, answer, answer_with, prints_of, request
from evapi_cfg.diagnostics import codes, full
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.steps import at_once
from evapi_cfg.syntax.build import MAX_HEIGHT

HERE = Path(__file__).parent
FILES = [
    *sorted((HERE.parent / "samples").rglob("*.cfg")),
    *sorted((HERE / "check").rglob("*.cfg")),
]


def given(data: bytes) -> Report:
    found = Answer(data)
    assert not found.faults
    return at_once(found.report())[0]


def spans(found: object) -> list[tuple[int, int]]:
    """Of all that a tree is made of, one behind the other."""
    if isinstance(found, Span):
        return [(found.start, found.end)]
    if isinstance(found, tuple):
        return [span for part in found for span in spans(part)]
    if not is_dataclass(found) or isinstance(found, SourceFile):
        return []
    return [span for field in fields(found) for span in spans(getattr(found, field.name))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_report_comes_back_as_it_was(path: Path) -> None:
    report = check_file(str(path))
    data = answer_with(report)
    if report.faults:
        assert Answer(data).faults == report.faults
        return
    back = given(data)
    assert back.config == report.config
    assert spans(back.config.items) == spans(report.config.items)
    assert full.render(back.diagnostics, colour=False) == full.render(report.diagnostics, colour=False)
    assert {code.name for code in (found.code for found in back.diagnostics)} <= set(codes.by_name())
    assert all(found.code is codes.by_name()[found.code.name] for found in back.diagnostics)
    assert [(file.name, file.text) for file in back.files] == [(file.name, file.text) for file in report.files]
    assert all(found.span.file in back.files for found in back.diagnostics)


def test_expressions_may_be_long() -> None:
    sum_ = " + ".join(["$var(y)"] * (MAX_HEIGHT - 10))
    report = check_text(f'#!KAMAILIO\nloadmodule "pv"\nrequest_route {{ $var(x) = {sum_}; }}\n')
    assert not report.faults
    assert len(spans(given(answer_with(report)).config.items)) == len(spans(report.config.items)) > MAX_HEIGHT


def test_two_blocks_that_say_the_same_have_the_same_print() -> None:
    def prints(text: str) -> dict[str, bytes]:
        return dict(at_once(prints_of(check_text(text).config)))

    first = prints("route[A] { $var(x) = 1; }\nroute[B] { $var(x) = 2; }\n")
    moved = prints("# more\nroute[B] { $var(x) = 2; } route[A] {\n $var(x)=1; }\n")
    other = prints("route[A] { $var(x) = 1; }\nroute[B] { $var(x) = 3; }\n")
    assert first == moved
    assert (first["route[A]"], first["route[B]"] == other["route[B]"]) == (other["route[A]"], False)


def test_a_request_is_answered(tmp_path: Path) -> None:
    (tmp_path / "part.cfg").write_text("#!ifdef BAD\nroute[A] { frobnicate(); }\n#!endif\n")
    path = tmp_path / "my.cfg"
    path.write_text('#!KAMAILIO\ninclude_file "part.cfg"\nrequest_route { exit; }\n')
    good, bad, gone = (
        Answer(answer(request(Wanted(str(path.with_name(name)), defines))))
        for name, defines in (("my.cfg", {}), ("my.cfg", {"BAD": None}), ("none.cfg", {}))
    )
    assert (good.faults, good.watched, good.bug) == ((), (str(path), str(tmp_path / "part.cfg")), "")
    assert (len(bad.faults), bad.watched) == (1, good.watched)
    assert "part.cfg:2:" in bad.faults[0]
    assert "no such file" in gone.faults[0]


def test_a_bug_of_the_checker_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*args: object, **more: object) -> Report:
        raise KeyError("x")

    monkeypatch.setattr("evapi_cfg.check.elsewhere.check_file", broken)
    found = Answer(answer(request(Wanted(str(tmp_path), {}))))
    assert found.faults == ("a bug in evapi-cfg: KeyError: 'x'",)
    assert found.bug.startswith("Traceback")
