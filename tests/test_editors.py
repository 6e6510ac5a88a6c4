"""What the README shows for CI and editors fits what evapi-cfg prints, and is well formed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evapi_cfg.cli import app
from tests.test_readme import BLOCKS, ROOT

HOOKS = (ROOT / ".pre-commit-hooks.yaml").read_text()
YAML = [HOOKS, *(text for kind, _, text in BLOCKS if kind == "yaml")]
(VIM,) = [text for kind, _, text in BLOCKS if kind == "vim"]
(TASKS,) = [json.loads(text) for kind, _, text in BLOCKS if kind == "json"]
NAME = "a b.cfg"
CFG = "#!KAMAILIO\nloadmodule 'pv.so'\nrequest_route {\n  nosuch(\"[a] b: c\");\n}\nroute[A] {\n  break;\n}\n"
FOUND = [
    (NAME, 4, 3, "error", "unknown-function", "there is no function `nosuch`"),
    (NAME, 7, 3, "warning", "stray-break", "`break` stands in no loop and no switch"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path(NAME).write_text(CFG)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout


def test_the_problem_matcher_of_vs_code(folder: Path) -> None:
    (task,) = TASKS["tasks"]
    assert task["command"] == "evapi-cfg"
    status, out = run(*(part.replace("${file}", NAME) for part in task["args"]))
    pattern = task["problemMatcher"]["pattern"]
    groups = [pattern[name] for name in ("file", "line", "column", "severity", "code", "message")]
    lines = [found for line in out.splitlines() if (found := re.search(pattern["regexp"], line))]
    assert status == 1
    assert [tuple(line[group] for group in groups) for line in lines] == [tuple(map(str, found)) for found in FOUND]


def test_the_errorformat_of_vim(folder: Path) -> None:
    """By Vim itself where it is there, else by what its items stand for (`:help errorformat`)."""
    makeprg, errorformat = (
        re.findall(rf"^setlocal {option}=(.*)$", VIM, re.MULTILINE)[0] for option in ("makeprg", "errorformat")
    )
    command = shlex.split(makeprg.replace("\\ ", " ").replace("%:S", shlex.quote(NAME)))
    assert command[0] == "evapi-cfg"
    status, out = run(*command[1:])
    assert status == 1
    listed = _by_vim(out, errorformat) if shutil.which("vim") else _by_items(out, errorformat.replace("\\ ", " "))
    assert listed == [
        (name, line, column, severity[0], f"[{code}] {message}")
        for name, line, column, severity, code, message in FOUND
    ]


def _by_vim(out: str, errorformat: str) -> list[tuple[str, int, int, str, str]]:
    Path("out").write_text(out)
    Path("script.vim").write_text(
        f"set nocp\nset errorformat={errorformat}\ncgetfile out\n"
        "call writefile([json_encode(map(getqflist(), {_, q -> "
        "[bufname(q.bufnr), q.lnum, q.col, tolower(q.type), q.text]}))], 'listed')\nqall!\n"
    )
    command = ["vim", "-u", "NONE", "-i", "NONE", "-es", "-S", "script.vim"]
    subprocess.run(command, stdin=subprocess.DEVNULL, timeout=60, check=False)
    listed = json.loads(Path("listed").read_text())
    return [(name, line, column, kind, text.strip()) for name, line, column, kind, text in listed]


def _by_items(out: str, errorformat: str) -> list[tuple[str, int, int, str, str]]:
    items = {"%f": "(.+?)", "%l": r"(\d+)", "%c": r"(\d+)", "%t": "(.)", "%m": "(.+)"}
    forms = [
        re.sub("%[flctm]", lambda item: items[item[0]], form) for form in errorformat.split(",") if form[:2] != "%-"
    ]
    found = [match for line in out.splitlines() for form in forms if (match := re.fullmatch(form, line))]
    return [(m[1], int(m[2]), int(m[3]), m[4], m[5]) for m in found]


@pytest.mark.parametrize("text", YAML, ids=range(len(YAML)))
def test_yaml(text: str) -> None:
    """No more than the part of YAML that is used: mappings and lists, two columns deeper each, plain scalars."""
    depths = [0]
    before = ""
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#\s.*$", "", line).rstrip()
        if not line:
            continue
        blanks, dash, key, value = re.fullmatch(r"( *)(- )?(?:([\w.-]+):(?: |$))?(.*)", line).groups()  # type: ignore[union-attr]
        depth = len(blanks)
        if depth > depths[-1]:
            assert depth == depths[-1] + 2 and (before.endswith(":") or "- " in before), line
            depths.append(depth)
        while depths[-1] > depth:
            depths.pop()
        assert depth == depths[-1], line
        assert key or dash, line
        assert not re.search(r": |^[&*!|>%@`\"'{]", value), f"not plain: {line}"
        before = line


def test_the_hooks(folder: Path) -> None:
    entries = re.split(r"^(?=- )", HOOKS, flags=re.MULTILINE)[1:]
    hooks = [dict(re.findall(r"^[- ] (\w+): (.+)$", entry, re.MULTILINE)) for entry in entries]
    assert [hook["id"] for hook in hooks] == ["evapi-cfg", "evapi-cfg-fix"]
    for hook in hooks:
        assert {"name", "description", "entry", "language", "files"} <= hook.keys()
        program, *arguments = hook["entry"].split()
        assert (program, run(*arguments, NAME)[0]) == ("evapi-cfg", 1)
        for name in ("kamailio.cfg", "etc/kamailio.cfg", "kamailio-local.cfg"):
            assert re.search(hook["files"], name)
        for name in ("my.cfg", "etc/notkamailio.cfg", "kamailio.cfg.j2"):
            assert not re.search(hook["files"], name)


def test_the_commands(folder: Path) -> None:
    """Each that is shown is one, and gives what the system reads that it is shown for."""
    commands = [line for text in YAML[1:] for line in re.findall(r"(evapi-cfg (?:check|-c) .*)$", text, re.MULTILINE)]
    forms = [match[1] for command in commands if (match := re.search(r"--format (\w+)", command))]
    assert len(commands) == 4 and sorted(forms) == ["github", "gitlab", "sarif"]
    for command in commands:
        if "-c -f" in command:
            continue
        arguments = shlex.split(command.partition(">")[0].replace("etc/kamailio.cfg", shlex.quote(NAME)))[1:]
        status, out = run(*arguments)
        assert status == (0 if "never" in command else 1)
        assert "unknown-function" in out
