"""`check --all-ifdefs`: the text under every condition is checked, each fault is said once and with what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evapi_cfg.check.every_branch import MOST, check_every_branch
from evapi_cfg.check.report import Report, check_text
from evapi_cfg.cli import app

HEAD = '#!KAMAILIO\nloadmodule "pv.so"\nloadmodule "xlog.so"\n'
END = "request_route { exit; }\n"


class Runs:
    """Checks a text, and keeps the choices."""

    def __init__(self, text: str, **given: str | None) -> None:
        self.text = text
        self.chosen: list[str] = []
        self.report = check_every_branch(self.check, given)
        self.found = [
            (d.span.file.line_number(d.span.start), d.code.name, d.notes[0] if "shows" in d.notes[0] else "")
            for d in self.report.diagnostics
        ]

    def check(self, defines: Mapping[str, str | None], forced: Mapping[str, bool]) -> Report:
        self.chosen.append(" ".join([*sorted(defines), *(f"{what}={holds}" for what, holds in forced.items())]))
        return check_text(self.text, "a.cfg", defines=defines, forced=forced)


def test_each_branch_once_and_its_faults_with_what_they_need() -> None:
    text = HEAD + (
        "#!ifdef WITH_A\nroute[A] { nosuch1(); }\n#!else\nroute[A] { nosuch2(); }\n#!endif\n"
        "#!ifndef WITH_B\nroute[B] { nosuch3(); }\n#!else\nroute[B] { nosuch4(); }\n#!endif\n"
        "request_route { route(A); route(B); nosuch5(); }\n"
    )
    runs = Runs(text)
    assert runs.found == [
        (5, "unknown-function", "this shows with `WITH_A` defined"),
        (7, "unknown-function", ""),
        (10, "unknown-function", ""),
        (12, "unknown-function", "this shows with `WITH_B` defined"),
        (14, "unknown-function", ""),
    ]
    assert runs.chosen == ["", "WITH_A", "WITH_B"]
    assert runs.report.unread == ()


def test_conditions_inside_each_other() -> None:
    text = HEAD + "#!ifdef A\n#!ifdef B\n#!ifndef C\nnosuch();\n#!else\nnosuch();\n#!endif\n#!endif\n#!endif\n" + END
    runs = Runs(text)
    assert runs.found == [
        (7, "statement-outside-route", "this shows with `B` and `A` defined"),
        (9, "statement-outside-route", "this shows with `C`, `B` and `A` defined"),
    ]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("#!define A\n#!ifdef A\n#!else\nx\n#!endif\n", [""]),  # the file says so
        ("#!ifdef KAMAILIO_5_6\nx\n#!endif\n#!ifdef MOD_tls\nx\n#!endif\n", [""]),  # Kamailio says so
        ("#!ifexp KAMAILIO_VERSION < 5006000\nx\n#!endif\n#!ifexp 1 > 2\nx\n#!endif\n", [""]),
        ("#!ifndef A\n#!define A\n#!endif\n", [""]),  # nothing else is there
        ("#!ifdef A\nx\n#!endif\n#!ifdef A\nx\n#!endif\n", ["", "A"]),
        ("#!ifdef A_COMMENT\nnothing of this\n#!endif\n", [""]),  # a comment
        ("#!ifdef PORT\nport=PORT\n#!endif\n", [""]),  # what is its value?
        # what defines a name is chosen for it
        ("#!ifdef A\n#!define B\n#!endif\n#!ifdef B\n#!ifdef C\nx\n#!endif\n#!endif\n", ["", "A", "A C"]),
        ("#!ifexp A && B\n#!else\n#!endif\n", ["", "#!ifexp A && B=True"]),
    ],
)
def test_which_names_are_chosen(text: str, chosen: list[str]) -> None:
    assert Runs(HEAD + text + END).chosen == chosen


def test_what_a_branch_uses_of_another_one_is_chosen_too() -> None:
    text = HEAD + (
        'loadmodule "tm.so"\n#!ifdef MYSQL\n#!ifndef URL\n#!define URL 5\n#!endif\n#!endif\n'
        '#!ifdef ACC\nmodparam("tm", "fr_timer", URL)\n#!endif\n'
    )
    assert Runs(text + END).found == []
    found = Runs(text.replace("fr_timer", "fr_time") + END).found
    assert found == [(11, "unknown-modparam", "this shows with `ACC` and `MYSQL` defined")]


def test_what_the_command_line_says_stays() -> None:
    text = HEAD + "#!ifdef A\n#!else\nx y;\n#!endif\n#!ifdef A\n#!ifdef B\nx y;\n#!endif\n#!endif\n" + END
    runs = Runs(text, A=None)
    assert runs.chosen == ["A", "A B"]
    assert [line for line, _, _ in runs.found] == [10]


def test_what_is_nowhere_is_in_no_branch() -> None:
    text = HEAD + "#!ifdef A\nroute[X] { $var(b) = $var(a); }\n#!endif\n"
    assert check_text(text + END).diagnostics == ()  # what the text under the condition does is not known
    unused = Runs(text + END).found
    assert [code for _, code, _ in unused] == ["unused-route", "never-set-variable"]
    elsewhere = HEAD + (
        'route[X] { xlog("$var(b)"); }\n#!ifdef B\nroute[Y] { $var(b) = 1; route(X); }\n#!endif\n'
        "request_route {\n#!ifdef B\nroute(Y);\n#!endif\nexit; }\n"
    )
    assert Runs(elsewhere).found == []


def test_a_missing_module_is_said_once() -> None:
    text = HEAD + '#!ifdef A\nroute[A] { is_method("INVITE"); }\n#!endif\nrequest_route { is_method("INVITE"); }\n'
    assert [code for _, code, _ in Runs(text).found].count("module-not-loaded") == 1


def test_more_names_than_runs() -> None:
    text = HEAD + "".join(f"#!ifdef N{n}\nroute[R{n}] {{ nosuch{n}(); }}\n#!endif\n" for n in range(100)) + END
    runs = Runs(text)
    assert len(runs.chosen) <= MOST
    assert sum(code == "unknown-function" for _, code, _ in runs.found) == 100


@pytest.mark.parametrize("name", ["A", "B"])
def test_included_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "part.cfg").write_text("#!ifdef B\nroute[P] { nosuch(); }\n#!endif\n")
    guard = ("#!ifdef A\n", "#!endif\n") if name == "A" else ("", "")
    main = tmp_path / "main.cfg"
    main.write_text(f'{HEAD}{guard[0]}include_file "{tmp_path}/part.cfg"\n{guard[1]}{END}')
    result = CliRunner().invoke(
        app, ["check", "--all-ifdefs", "--format", "concise", "--select", "*-function", str(main)]
    )
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{tmp_path}/part.cfg:2:12: error[unknown-function]")
    assert CliRunner().invoke(app, ["check", str(main)]).exit_code == 0


def test_what_nothing_reads_is_said(tmp_path: Path) -> None:
    main = tmp_path / "main.cfg"
    main.write_text(HEAD + "#!ifdef PORT\nport=PORT\n#!endif\n" + END)
    result = CliRunner().invoke(app, ["check", "--all-ifdefs", str(main)])
    assert result.exit_code == 0
    assert result.stderr == (
        f"evapi-cfg: {main}:4:1: the text under this condition is not checked: no choice of names reads it\n"
    )
    result = CliRunner().invoke(app, ["check", "--all-ifdefs", "-A", "PORT=x", str(main)])
    assert (result.exit_code, result.stderr) == (1, "")


def test_fixes_in_every_branch(tmp_path: Path) -> None:
    main = tmp_path / "main.cfg"
    main.write_text(HEAD + '#!ifdef A\nevent_route[core:worker-one-init] { xlgo("a"); }\n#!endif\n' + END)
    result = CliRunner().invoke(app, ["check", "--all-ifdefs", "--fix", str(main)])
    assert (result.exit_code, result.stdout) == (0, "no errors\n1 fixed, 0 left\n")
    assert 'xlog("a")' in main.read_text()
