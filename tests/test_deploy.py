"""The files under samples/deploy: what they call is there, and systemd reads the unit."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from evapi_cfg.cli import app

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "samples" / "deploy"
UNIT = (DEPLOY / "evapi-cfg.service").read_text()
CONTAINER = (DEPLOY / "Containerfile").read_text()
README = (DEPLOY / "README.md").read_text()


def flags_of(name: str) -> set[str]:
    command = typer.main.get_command(app)
    found = command.commands[name]  # type: ignore[attr-defined]
    return {flag for param in found.params for flag in (*param.opts, *param.secondary_opts) if flag.startswith("-")}


def calls(text: str) -> list[list[str]]:
    """The command lines of evapi-cfg in a text, with what stands behind them up to the end of the line."""
    found = re.findall(r"evapi-cfg (?:run|check|top|tap|rpc)\b[^`\n]*", text.replace("\\\n", " "))
    return [shlex.split(line) for line in found]


def directives(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT, re.M)


def seconds(name: str) -> int:
    (value,) = directives(name)
    return int(value)


@pytest.mark.parametrize("text", [UNIT, README], ids=["unit", "README"])
def test_what_is_called_exists(text: str) -> None:
    lines = calls(text)
    assert lines
    for _program, command, *arguments in lines:
        for argument in arguments:
            assert not argument.startswith("--") or argument in flags_of(command), argument


def test_the_flags_that_stand_alone_exist() -> None:
    others = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README + CONTAINER))
    others -= {"--rm", "--now"} | {
        "--no-cache-dir",
        "--interval",
        "--timeout",
        "--system",
        "--no-create-home",
        "--home-dir",
        "--from",
    }
    assert others <= flags_of("run") | flags_of("top")


def test_the_container_runs_what_there_is() -> None:
    (entry,) = [json.loads(line) for line in re.findall(r"^ENTRYPOINT (.*)$", CONTAINER, re.M)]
    (command,) = [json.loads(line) for line in re.findall(r"^CMD (.*)$", CONTAINER, re.M)]
    assert entry[:2] == ["evapi-cfg", "run"]
    for argument in (*entry[2:], *command):
        assert not argument.startswith("--") or argument in flags_of("run"), argument
    for line in re.findall(r"^COPY (?!--from)(.*)$", CONTAINER, re.M):
        *sources, _target = line.split()
        assert all((ROOT / source).exists() for source in sources)
    assert command[-1] in CONTAINER.partition("ENTRYPOINT")[0]


def test_the_unit_leaves_time() -> None:
    (start,) = directives("ExecStart")
    arguments = shlex.split(start)
    drain = float(arguments[arguments.index("--drain") + 1])
    assert drain < seconds("TimeoutStopSec")
    assert seconds("WatchdogSec") >= 10
    assert directives("Type") == ["notify"]
    (check,) = directives("ExecStartPre")
    assert shlex.split(check)[-1] == arguments[-1]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "evapi-cfg"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "evapi-cfg.service"
    unit.write_text(UNIT.replace("/opt/evapi-cfg/bin/evapi-cfg", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    about = [line for line in done.stderr.splitlines() if "evapi-cfg" in line]
    assert (done.returncode, about) == (0, [])
