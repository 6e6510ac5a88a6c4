"""What a user wants to see: flags, comments in the file, settings beside it; and the exit status that comes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evapi_cfg.check.choice import Choice, fault_of
from evapi_cfg.check.report import check_text
from evapi_cfg.cli import app
from evapi_cfg.diagnostics.model import Severity

HEAD = '#!KAMAILIO\nloadmodule "pv.so"\nloadmodule "xlog.so"\nloadmodule "evapi.so"\n'
STRAY = HEAD + "request_route { exit; }\nroute[A] { break; }\nroute[B] { exit; }\n"
NEWER = HEAD + 'event_route[evapi:message-received] { xlog("$(evapi(msg){s.unbracket})"); }\nrequest_route { exit; }\n'


def codes_of(text: str, choice: Choice) -> list[str]:
    return [found.code.name for found in choice.of(check_text(text, "a.cfg").diagnostics)]


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["check", "--format", "concise", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), ["unused-route", "stray-break", "unused-route"]),
        (Choice(select=("stray-*",)), ["stray-break"]),
        (Choice(ignore=("unused-route",)), ["stray-break"]),
        (Choice(select=("unused-*",), ignore=("*-route",)), []),
    ],
)
def test_codes(choice: Choice, expected: list[str]) -> None:
    assert codes_of(STRAY, choice) == expected


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("# evapi-cfg: ignore[stray-break] as in the old file", ["unused-route", "unused-route"]),
        ("# evapi-cfg: ignore[stray-break, unused-*]", ["unused-route"]),
        ("// evapi-cfg:ignore", ["unused-route"]),
        ("# evapi-cfg: ignore[unreachable-code]", ["unused-route", "stray-break", "unused-route"]),
    ],
)
def test_comments(comment: str, expected: list[str]) -> None:
    behind = STRAY.replace("break; }\n", f"break; }}  {comment}\n")
    above = STRAY.replace("route[A]", f"  {comment}\nroute[A]")
    assert codes_of(behind, Choice()) == expected
    assert codes_of(above, Choice()) == expected


def test_a_level() -> None:
    choice = Choice(levels={"stray-break": Severity.ERROR})
    assert [found.severity.value for found in choice.of(check_text(STRAY).diagnostics)] == [
        "warning",
        "error",
        "warning",
    ]


def test_a_code_that_there_is_not() -> None:
    assert "did you mean `unused-route`" in fault_of("unused-rout")
    assert fault_of("unused-*") == ""


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ([], 0),
        (["--strict"], 1),
        (["--fail-on", "warning"], 1),
        (["--fail-on", "never"], 0),
        (["--strict", "--ignore", "*-route", "--ignore", "stray-break"], 0),
    ],
)
def test_the_exit_status(flags: list[str], status: int, tmp_path: Path) -> None:
    file = tmp_path / "a.cfg"
    file.write_text(STRAY)
    assert run(*flags, str(file))[0] == status


@pytest.mark.parametrize("flags", [["--select", "nosuch"], ["--target", "4.0"], ["--fail-on", "warnings"]])
def test_a_wish_that_there_is_not(flags: list[str], tmp_path: Path) -> None:
    file = tmp_path / "a.cfg"
    file.write_text(STRAY)
    result = CliRunner().invoke(app, ["check", *flags, str(file)])
    assert result.exit_code == 2 or isinstance(result.exception, SystemExit)
    assert flags[1] in result.stderr


SETTINGS = """
target = "5.6"
ignore = ["unused-*"]
fail-on = "warning"
defines = ["WITH_BREAK"]

[levels]
stray-break = "error"
"""


def test_settings_beside_a_file(tmp_path: Path) -> None:
    (tmp_path / ".evapi-cfg.toml").write_text(SETTINGS)
    file = tmp_path / "a.cfg"
    file.write_text(STRAY.replace("break;", "\n#!ifdef WITH_BREAK\nbreak;\n#!endif\n"))
    status, text, _ = run(str(file))
    assert status == 1
    assert text.splitlines() == [
        f"{file}:8:1: error[stray-break] `break` stands in no loop and no switch",
        "1 error in 1 file",
    ]
    assert run("--fail-on", "never", str(file))[0] == 0
    result = CliRunner().invoke(app, ["check", "--format", "json", "--select", "unused-*", str(file)])
    assert json.loads(result.stdout)["diagnostics"] == []


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("targt = '5.6'", "did you mean `target`?"),
        ("target = '5.9'", "`target` is one of"),
        ("ignore = 'unused-route'", "`ignore` is a list of strings"),
        ("ignore = ['unused-rout']", "did you mean `unused-route`?"),
        ("[levels]\nunused-route = 'fatal'", '"error" or "warning"'),
        ("ignore = [", ".evapi-cfg.toml:"),
        ("fail-on = 5", "`fail-on` is one of"),
    ],
)
def test_settings_that_say_what_they_cannot(settings: str, why: str, tmp_path: Path) -> None:
    (tmp_path / ".evapi-cfg.toml").write_text(settings)
    (tmp_path / "a.cfg").write_text(STRAY)
    result = CliRunner().invoke(app, ["check", str(tmp_path / "a.cfg")])
    assert isinstance(result.exception, SystemExit) and result.exit_code == 2
    assert why in result.stderr and str(tmp_path) in result.stderr
