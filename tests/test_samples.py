"""The samples: each is free of diagnostics and does what its conversation says; so does the README's first one."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import run

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = sorted((ROOT / "samples").glob("*.cfg"))
CONVERSATIONS = Path(__file__).resolve().parent / "samples"
README = (ROOT / "README.md").read_text()

SHOWN = re.compile(
    r"^(?:#   )?\$ printf '(?P<sent>[^']*)' \| nc -q 1 127\.0\.0\.1 8448\n(?:#   )?(?P<answer>.*)$", re.MULTILINE
)
PYTHON = re.compile(r'^\$ python3 -c "\n(?P<code>[^"]*8448[^"]*)"\n(?P<printed>.*?)^```$', re.MULTILINE | re.DOTALL)


def named(path: Path) -> str:
    return path.stem


@pytest.mark.xdist_group("servers")
@pytest.mark.parametrize("case", [CONVERSATIONS / f"{path.stem}.case" for path in SAMPLES], ids=named)
def test_conversation(case: Path, outcome_of: Callable[[Path], run.Outcome]) -> None:
    outcome = outcome_of(case)
    assert outcome.state == "same", outcome.report


@pytest.mark.parametrize("sample", SAMPLES, ids=named)
def test_has_no_diagnostics(sample: Path, command: str) -> None:
    done = subprocess.run(
        [*shlex.split(command), "check", "--format", "concise", str(sample)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout + done.stderr


@pytest.mark.parametrize("sample", SAMPLES, ids=named)
def test_what_its_comment_shows_is_in_its_conversation(sample: Path) -> None:
    assert sample.read_text().count("printf ") == len(SHOWN.findall(sample.read_text()))
    transcript = (CONVERSATIONS / f"{sample.stem}.6.1.golden").read_text()
    for shown in SHOWN.finditer(sample.read_text()):
        assert f"> raw a {shown['sent']}\na < {shown['answer']}\n" in transcript


@pytest.mark.xdist_group("servers")
def test_first_conversation_of_the_readme(command: str, tmp_path: Path) -> None:
    shown = PYTHON.search(README)
    assert shown, "the README shows no conversation in Python"
    cfg = (ROOT / "samples" / "echo.cfg").read_text()
    server = run.Server("evapi-cfg", command, cfg.replace("127.0.0.1:8448", "127.0.0.1:@PORT@"), tmp_path)
    try:
        code = shown["code"].replace("8448", str(server.port))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    finally:
        server.stop()
    assert done.stdout == shown["printed"], done.stderr


def test_the_readme_shows_what_echo_shows() -> None:
    assert [shown.groups() for shown in SHOWN.finditer(README)] == [
        shown.groups() for shown in SHOWN.finditer((ROOT / "samples" / "echo.cfg").read_text())
    ]
