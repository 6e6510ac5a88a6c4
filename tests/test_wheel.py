"""The wheel holds all that the program needs: built, installed into an empty environment, and used there."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from evapi_cfg import __version__

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = sorted((ROOT / "samples").glob("*.cfg"))


def call(*argv: str | Path, cwd: Path) -> str:
    """The output of a program that must succeed, away from this source tree."""
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([*map(str, argv)], cwd=cwd, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv[0]} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    [built] = out.glob("*.whl")
    return built


def test_holds_what_the_source_tree_holds(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "evapi_cfg").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    grammar = {f"evapi_cfg/grammar/{path.name}" for path in (ROOT / "grammar").glob("*.lark")}
    assert grammar
    assert names == package | grammar


def test_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    bin = tmp_path / "env" / "bin"
    call(bin / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=tmp_path)

    assert call(bin / "evapi-cfg", "--version", cwd=tmp_path) == f"evapi-cfg {__version__}\n"
    assert SAMPLES
    for sample in SAMPLES:
        call(bin / "evapi-cfg", "check", sample, cwd=tmp_path)
