"""`evapi-cfg check --fix` and `--diff`: which files are written and how, what is printed, the exit status."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evapi_cfg.cli import app
from evapi_cfg.rewriting import CannotWrite, Rewrite, rewrite

HEAD = b'#!KAMAILIO\nloadmodule "pv.so"\nloadmodule "xlog.so"\n'
WRONG = HEAD + b'request_route {\n  xlgo("\xff\xc3\xa9");\n  exit\n}\n'
RIGHT = HEAD + b'request_route {\n  xlog("\xff\xc3\xa9");\n  exit;\n}\n'
HOPELESS = HEAD + b'request_route {\n  xlgo("a");\n  no_such_function();\n}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
    result = CliRunner().invoke(app, ["check", *arguments], input=stdin)
    return result.exit_code, result.stdout_bytes, result.stderr


def test_a_file_is_put_right(folder: Path) -> None:
    file = folder / "a.cfg"
    file.write_bytes(WRONG)
    file.chmod(0o640)
    assert run("--fix", "a.cfg") == (0, b"no errors\n2 fixed, 0 left\n", "")
    assert file.read_bytes() == RIGHT
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert os.listdir(folder) == ["a.cfg"]
    changed = file.stat()
    assert run("--fix", "a.cfg") == (0, b"no errors\n0 fixed, 0 left\n", "")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (changed.st_ino, changed.st_mtime_ns)


def test_what_is_left(folder: Path) -> None:
    (folder / "a.cfg").write_bytes(HOPELESS)
    status, out, err = run("--fix", "--format", "concise", "a.cfg")
    assert (status, err) == (1, "")
    assert out.decode().splitlines() == [
        "a.cfg:6:3: error[unknown-function] there is no function `no_such_function`",
        "1 error in 1 file",
        "1 fixed, 1 left",
    ]


def test_forms_for_programs_are_not_disturbed(folder: Path) -> None:
    (folder / "a.cfg").write_bytes(HOPELESS)
    status, out, _ = run("--fix", "--format", "json", "a.cfg")
    assert status == 1
    assert [found["code"] for found in json.loads(out)["diagnostics"]] == ["unknown-function"]


def test_a_fix_in_json(folder: Path) -> None:
    (folder / "a.cfg").write_bytes(WRONG)
    _, out, _ = run("--format", "json", "a.cfg")
    name, semicolon = [found["fix"] for found in json.loads(out)["diagnostics"]]
    assert name == [{"text": "xlog", "file": "a.cfg", "line": 5, "end_line": 5, "column": 3, "end_column": 7}]
    assert semicolon == [{"text": ";", "file": "a.cfg", "line": 6, "end_line": 6, "column": 7, "end_column": 7}]


def test_a_hint(folder: Path) -> None:
    (folder / "a.cfg").write_bytes(HOPELESS)
    assert b"2 errors in 1 file\n1 of them can be fixed with evapi-cfg check --fix\n" in run("a.cfg")[1]


def test_what_is_ignored_is_not_fixed(folder: Path) -> None:
    (folder / "a.cfg").write_bytes(WRONG)
    run("--fix", "--ignore", "unknown-function", "a.cfg")
    assert (folder / "a.cfg").read_bytes() == RIGHT.replace(b"xlog(", b"xlgo(")


def test_included_files_and_links(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "part.cfg").write_bytes(b'route[A] { xlgo("x"); }\n')
    (folder / "part.cfg").symlink_to("real/part.cfg")
    (folder / "a.cfg").write_bytes(HEAD + b'include_file "part.cfg"\nrequest_route {\n  route(A)\n}\n')
    assert run("--fix", "a.cfg")[:2] == (0, b"no errors\n2 fixed, 0 left\n")
    assert (folder / "part.cfg").is_symlink()
    assert (folder / "real" / "part.cfg").read_bytes() == b'route[A] { xlog("x"); }\n'
    assert os.listdir(folder / "real") == ["part.cfg"]


def test_a_file_that_two_configurations_include(folder: Path) -> None:
    (folder / "part.cfg").write_bytes(b'route[A] { xlgo("x"); }\n')
    for name in ("a.cfg", "b.cfg"):
        (folder / name).write_bytes(HEAD + b'include_file "part.cfg"\nrequest_route { route(A); }\n')
    assert run("--fix", "a.cfg", "b.cfg")[:2] == (0, b"no errors\n1 fixed, 0 left\n")


def test_standard_input() -> None:
    assert run("--fix", "-", stdin=WRONG) == (0, RIGHT, "no errors\n2 fixed, 0 left\n")
    status, out, err = run("--fix", "-", stdin=HOPELESS)
    assert (status, out) == (1, HOPELESS.replace(b"xlgo", b"xlog"))
    assert "no_such_function" in err


def test_a_diff(folder: Path) -> None:
    (folder / "a.cfg").write_bytes(WRONG)
    status, out, err = run("--diff", "a.cfg")
    assert (status, err) == (1, "2 can be fixed, 0 left\n")
    assert (folder / "a.cfg").read_bytes() == WRONG
    assert out.startswith(b"--- a.cfg\n+++ a.cfg\n@@ -2,6 +2,6 @@\n")
    assert b'-  xlgo("\xff\xc3\xa9");\n-  exit\n+  xlog("\xff\xc3\xa9");\n+  exit;\n' in out
    (folder / "a.cfg").write_bytes(RIGHT)
    assert run("--diff", "a.cfg") == (0, b"", "0 can be fixed, 0 left\n")


def test_a_fix_that_would_make_it_worse(folder: Path) -> None:
    text = HEAD + b"#!ifdef A\n#!endif A\nrequest_route { no_such_function(); }\n"
    (folder / "a.cfg").write_bytes(text)
    status, _, err = run("--fix", "a.cfg")
    assert (status, (folder / "a.cfg").read_bytes()) == (1, text)
    assert err == (
        "evapi-cfg: a.cfg:5:1: the fix for unbalanced-condition is left out: with it there is another error, "
        "there is no function `no_such_function` [unknown-function]\n"
    )


def test_both_flags(folder: Path) -> None:
    (folder / "a.cfg").write_bytes(WRONG)
    status, _, err = run("--fix", "--diff", "a.cfg")
    assert status == 2 and "--fix and --diff" in err


@pytest.fixture
def somebody() -> Iterator[Path]:
    """A folder in which this process writes as somebody who is not root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "b.cfg").write_bytes(WRONG)
        run("--fix", str(folder / "b.cfg"))  # all that it imports is there now
        (folder / "b.cfg").unlink()
        was = os.geteuid()
        if was == 0:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield folder
        finally:
            folder.chmod(0o755)
            os.seteuid(was)


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o444, 0o755), (0o644, 0o555)])
def test_what_cannot_be_written(somebody: Path, file_mode: int, folder_mode: int) -> None:
    file = somebody / "a.cfg"
    file.write_bytes(WRONG)
    file.chmod(file_mode)
    somebody.chmod(folder_mode)
    status, out, err = run("--fix", "--format", "concise", str(file))
    assert (status, err) == (2, f"evapi-cfg: cannot write {file}: permission denied\n")
    assert out.endswith(b"2 errors in 1 file\n0 fixed, 2 left\n")
    assert (file.read_bytes(), os.listdir(somebody)) == (WRONG, ["a.cfg"])


def test_a_file_that_changes_meanwhile(folder: Path) -> None:
    (folder / "a").write_text("new")
    (folder / "b").write_text("old")
    with pytest.raises(CannotWrite, match="a has been changed by somebody else"):
        rewrite([Rewrite("a", "a", "old", "mine"), Rewrite("b", "b", "old", "mine")])
    assert ((folder / "a").read_text(), (folder / "b").read_text()) == ("new", "old")
    assert sorted(os.listdir(folder)) == ["a", "b"]
