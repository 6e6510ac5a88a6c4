"""Files that nobody trusts: checking one runs nothing of it, reads nothing that it should not, and comes to an end.

Each hostile file ends in a diagnostic, and soon: a test that hangs fails by the bound that `DEADLINE` sets, far above
what any of them takes.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evapi_cfg.check.report import check_file, check_text
from evapi_cfg.cli import app
from evapi_cfg.diagnostics.model import MOST
from evapi_cfg.syntax.files import MAX_SIZE
from evapi_cfg.syntax.parse import SourceError

HEAD = '#!KAMAILIO\nloadmodule "pv.so"\nloadmodule "xlog.so"\n'
END = "request_route { exit; }\n"
DEADLINE = 120
MIB = 1 << 20


def codes_of(text: str) -> list[str]:
    return [found.code.name for found in check_text(text, "a.cfg").diagnostics]


def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["check", "--format", "concise", *arguments], input=stdin)
    return result.exit_code, result.stdout, result.stderr


# ---- what is opened ---------------------------------------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A pipe with nobody at its other end. Whoever opens it and waits is let go in the end, so that the test fails."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    release = threading.Timer(DEADLINE / 4, lambda: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK)))
    release.start()
    yield path
    release.cancel()


def test_a_pipe(pipe: Path) -> None:
    assert run(str(pipe)) == (2, "", f"evapi-cfg: cannot read {pipe}: it is a pipe and no file\n")


@pytest.mark.parametrize("word", ["include_file", "import_file", "#!include_file", "!!import_file"])
def test_a_pipe_that_is_included(pipe: Path, word: str) -> None:
    main = pipe.parent / "main.cfg"
    main.write_text(f'{HEAD}{word} "{pipe}"\n{END}')
    [found] = check_file(str(main)).diagnostics
    assert found.code.name == "include-not-read" and "it is a pipe and no file" in found.message
    assert found.notes == ("evapi-cfg does not read it; Kamailio would",)


def test_settings_that_are_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".evapi-cfg.toml")
    (tmp_path / "main.cfg").write_text(HEAD + END)
    status, _, err = run(str(tmp_path / "main.cfg"))
    assert status == 2 and "it is a pipe and no file" in err


def test_nothing(tmp_path: Path) -> None:
    main = tmp_path / "main.cfg"
    main.write_text(f'{HEAD}include_file "/dev/null"\n{END}')
    assert run(str(main))[0] == 0


def test_what_a_shell_has_opened(tmp_path: Path) -> None:
    """`evapi-cfg check <(cpp kamailio.cfg)`"""
    reading, writing = os.pipe()
    os.write(writing, f"{HEAD}{END}".encode())
    os.close(writing)
    with open(reading):
        assert run(f"/dev/fd/{reading}")[0] == 0


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/tty"])
def test_a_device(tmp_path: Path, device: str) -> None:
    if not os.path.exists(device):
        pytest.skip("there is none")
    assert run(device) == (2, "", f"evapi-cfg: cannot read {device}: it is a device and no file\n")
    main = tmp_path / "main.cfg"
    main.write_text(f'{HEAD}include_file "{device}"\n{END}')
    (tmp_path / "link.cfg").symlink_to(device)
    assert [found.code.name for found in check_file(str(main)).diagnostics] == ["include-not-read"]
    with pytest.raises(SourceError, match="it is a device"):
        check_file(str(tmp_path / "link.cfg"))


def test_a_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(SourceError, match="it is a socket"):
            check_file(str(tmp_path / "s"))


@pytest.mark.parametrize("piece", ["a", "(", "{", '"', "'", "$", "#", "/*", "\0", "\xff", "\n"])
def test_ten_mebibytes(tmp_path: Path, piece: str) -> None:
    data = (piece * (10 * MIB // len(piece))).encode("latin-1")
    (tmp_path / "main.cfg").write_bytes(data)
    says = "it is larger than 5 MiB\n"
    assert run(str(tmp_path / "main.cfg")) == (2, "", f"evapi-cfg: cannot read {tmp_path}/main.cfg: {says}")
    assert run("-", stdin=data) == (2, "", f"evapi-cfg: cannot read standard input: {says}")
    (tmp_path / "small.cfg").write_text(f'{HEAD}include_file "{tmp_path}/main.cfg"\n{END}')
    [found] = check_file(str(tmp_path / "small.cfg")).diagnostics
    assert found.code.name == "include-not-read" and says.strip() in found.message


def test_files_that_are_large_together(tmp_path: Path) -> None:
    (tmp_path / "part.cfg").write_text("#" * MIB + "\n")
    main = tmp_path / "main.cfg"
    main.write_text(HEAD + f'include_file "{tmp_path}/part.cfg"\n' * 10 + END)
    found = check_file(str(main)).diagnostics
    assert [d.code.name for d in found] == ["include-not-read"]
    assert found[0].span.file.line_number(found[0].span.start) == 4 + MAX_SIZE // MIB - 1


# ---- includes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `inside`, which is the current one, and a file that lies outside of it."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside2").mkdir()
    for name in ("outside.cfg", "inside/part.cfg", "inside2/part.cfg"):
        (tmp_path / name).write_text("route[A] { exit; }\n")
    (tmp_path / "inside" / "link.cfg").symlink_to("../outside.cfg")
    (tmp_path / "inside" / "folder").symlink_to("..")
    (tmp_path / "inside" / "good.cfg").symlink_to("part.cfg")
    monkeypatch.chdir(tmp_path / "inside")
    return tmp_path


@pytest.mark.parametrize("word", ["include_file", "import_file"])
@pytest.mark.parametrize(
    "name", ["../outside.cfg", "{}/outside.cfg", "link.cfg", "folder/outside.cfg", "../inside2/part.cfg", "/etc/passwd"]
)
def test_includes_stay_inside_their_root(tree: Path, name: str, word: str) -> None:
    Path("main.cfg").write_text(f'{HEAD}{word} "{name.format(tree)}"\n{END}')
    status, out, _ = run("--include-root", ".", "main.cfg")
    assert status == 1
    assert out.splitlines()[0].startswith("main.cfg:4:14: error[include-not-read]".replace("14", str(len(word) + 2)))
    assert out.splitlines()[0].endswith(f"is not read: it lies outside of {tree}/inside")
    assert "include-not-read" not in run("main.cfg")[1] or name == "/etc/passwd"


@pytest.mark.parametrize("name", ["part.cfg", "good.cfg", "./folder/inside/part.cfg", "../inside/part.cfg"])
def test_what_lies_inside_is_read(tree: Path, name: str) -> None:
    Path("main.cfg").write_text(f'{HEAD}include_file "{name}"\nrequest_route {{ route(A); }}\n')
    assert run("--include-root", str(tree / "inside"), "main.cfg")[0] == 0


def test_a_root_that_is_not_there() -> None:
    status, _, err = run("--include-root", "/nosuch", "main.cfg")
    assert status == 2 and "/nosuch" in err


def test_a_file_name_that_is_not_ascii(tmp_path: Path) -> None:
    (tmp_path / "t\u00e9l.cfg").write_text("route[A] { nosuch(); }\n")
    main = tmp_path / "main.cfg"
    main.write_text(f'{HEAD}include_file "t\u00e9l.cfg"\nrequest_route {{ route(A); }}\n')
    [found] = check_file(str(main)).diagnostics
    assert str(found.span) == f"{tmp_path}/t\u00e9l.cfg:1:12"


@pytest.mark.parametrize(("times", "most"), [(1, 1), (50, MOST)])
def test_a_loop_of_three(tmp_path: Path, times: int, most: int) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.cfg").write_text(f'include_file "{tmp_path}/{other}.cfg"\n' * times)
    found = check_file(str(tmp_path / "a.cfg")).diagnostics
    assert found[0].code.name == "included-too-deep" and "again and again" in found[0].message
    assert len(found) <= most


def test_two_thousand_includes(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"{number}.cfg").write_text(f"route[R{number}] {{ exit; }}\n")
    main = tmp_path / "main.cfg"
    includes = "".join(f'include_file "{tmp_path}/{number}.cfg"\n' for number in range(2000))
    calls = "".join(f"route(R{number});\n" for number in range(2000))
    main.write_text(f"{HEAD}{includes}request_route {{ {calls} }}\n")
    report = check_file(str(main))
    assert report.diagnostics == () and len(report.files) == 2001


def test_files_that_include_many_that_include_many(tmp_path: Path) -> None:
    for depth in range(9):
        (tmp_path / f"{depth}.cfg").write_text(f'include_file "{tmp_path}/{depth + 1}.cfg"\n' * 100)
    (tmp_path / "9.cfg").write_text("")
    found = check_file(str(tmp_path / "0.cfg")).diagnostics
    assert "all files together are larger" in found[0].message and len(found) == 1


# ---- texts ------------------------------------------------------------------------------------------------------

DEEP = 5000
LETTERS = "a" * 60
HOSTILE: dict[str, tuple[str, str]] = {
    "parentheses": (HEAD + "route[A] { if(" + "(" * DEEP + "1" + ")" * DEEP + ") exit; }\n" + END, "nested-too-deep"),
    "conditions inside each other": ("#!ifdef A\n" * 20000, "nested-too-deep"),
    "conditions that hold": ("#!ifndef A\n" * 20000, "nested-too-deep"),
    "ends without a condition": (END + "#!endif\n" * 50000, "unbalanced-condition"),
    "ends that are comments": (END + "#!ifdef A\n" * 2000 + "#!endif A\n" * 50000, "unbalanced-condition"),
    "misspelt conditions": (END + "#!ifdeff\n" * 20000 + "#!endif\n", "unbalanced-condition"),
    "parentheses on one line": ("(" * 200_000, "syntax-error"),
    "braces on one line": ("{" * 200_000, "syntax-error"),
    "a million uses of a define": (
        HEAD + "#!define X ;\nroute[A] { " + "X " * 1_000_000 + "}\n",
        "too-many-expansions",
    ),
    "a define of a mebibyte": (HEAD + f"#!define X {'a ' * MIB}\nroute[A] {{ {'X ' * 9} }}\n", "too-many-expansions"),
    "defines within defines": (
        HEAD + "".join(f"#!define A{n} A{n + 1} A{n + 1}\n" for n in range(60)) + "route[A] { A0; }\n",
        "too-many-expansions",
    ),
    "strings that double": (
        HEAD + f"#!define A0 {LETTERS}\n" + "".join(f"#!defexps A{n + 1} A{n} + A{n}\n" for n in range(99)) + END,
        "too-many-expansions",
    ),
    "substitutions that grow": (
        HEAD + f"#!subst \"/a/{LETTERS}/g\"\n" * 40 + f'route[A] {{ xlog("{LETTERS}"); }}\n',
        "too-many-expansions",
    ),
    "a substitution that never ends": (
        HEAD + '#!subst "/(a|aa)*b/x/"\n' + f'route[A] {{ xlog("{"a" * 9000}"); }}\n',
        "too-many-expansions",
    ),
    "an index of many digits": (HEAD + f"route[A] {{ $(var(x)[{'9' * 9000}]) = 1; }}\n", "bad-variable-index"),
    "many unknown names": (
        HEAD + "route[A] {\n" + "".join(f"nosuch{n}();\n" for n in range(3000)) + "}\n",
        "unknown-function",
    ),
    "many routes": (
        "route[A] {\n" + "".join(f"route(X{n});\n" for n in range(5000)) + "}\n"
        + "".join(f"route[R{n}] {{ route(R{n + 1}); }}\n" for n in range(5000)),
        "undefined-route",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text(name: str) -> None:
    text, code = HOSTILE[name]
    found = codes_of(text)
    assert code in found
    assert len(found) <= 2 * MOST


@pytest.mark.parametrize(
    "text",
    [
        f'route[A] {{ xlog("{"x" * MIB}"); }} request_route {{ route(A); }}\n',
        # A regular expression is compiled, and never run on anything that it would not come back from.
        'request_route { if($ua =~ "(a*)*b") exit; if($ua =~ "(((a{1,255}){1,255}){1,255}){1,255}") exit; }\n',
        f'request_route {{ switch("{LETTERS}") {{ case /"(a*)*b": exit; }} }}\n',
        f'#!subst "/(a*)*b/x/"\nrequest_route {{ xlog("{LETTERS}"); }}\n',
        "#!ifexp 9**9**9**9**9\n#!endif\n#!ifexp " + "(" * DEEP + "1" + ")" * DEEP + f"\n{END}#!endif\n",
        f"request_route {{ if($(hdr(a){{s.substr,{'0' * 9000},1}}) == 1) exit; }}\n",
        f'request_route {{ if($ua =~ "a{{{"0" * 9000}1}}") exit; }}\n',
    ],
)
def test_what_is_odd_and_right(text: str) -> None:
    assert not {"error"} & {found.severity.value for found in check_text(HEAD + text, "a.cfg").diagnostics}


def test_expressions_that_would_run_for_ever() -> None:
    """Those that the checker would run by itself: on constants, and on the names of modules."""
    codes_of(HEAD + f'request_route {{ if("{LETTERS}" =~ "(a*)*b") exit; }}\n')
    assert "unknown-module" in codes_of(f'loadmodule "{LETTERS}"\nmodparam("(a*)*b", "x", 1)\n{END}')


def test_the_last_of_many_says_so() -> None:
    found = check_text(HEAD + "request_route {\n" + "nosuch();\n" * (MOST + 5) + "}\n").diagnostics
    assert len(found) == MOST
    assert "there are more" in found[-1].notes[0] and "there are more" not in found[-2].notes[0]


# ---- what a check does to the machine ------------------------------------------------------------------------------

# Runs evapi-cfg with a hook that sees every socket, process, import and file.
WATCHED = """
import json, os, sys

seen = {"bad": [], "imports": [], "written": []}


def hook(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "os.spawn",
                         "ctypes.", "urllib.", "ftplib.", "http.", "os.remove", "os.rename", "os.mkdir", "os.rmdir",
                         "os.chmod", "os.link", "os.symlink", "os.truncate", "shutil.", "tempfile.", "pty.")):
        seen["bad"].append(event)
    elif event == "import":
        seen["imports"].append(arguments[0])
    elif event == "open":
        path, mode, flags = arguments
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            seen["written"] += [] if isinstance(path, int) else [str(path)]


from evapi_cfg.__main__ import main

sys.addaudithook(hook)
sys.argv = ["evapi-cfg", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    sys.stderr.write(json.dumps({**seen, "status": end.code, "modules": [
        getattr(module, "__file__", None) or "" for module in sys.modules.values()]}))
"""

EVERYTHING = """#!KAMAILIO
#!define WITH_A
#!substdef "!HOST!example.com!g"
listen=udp:sip.example.com:5060
alias="other.example.com"
loadpath "."
loadmodule "./evil.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "evapi.so"
loadmodule "json.so"
loadmodule "app_python3.so"
loadmodule "exec.so"
loadmodule "http_client.so"
modparam("app_python3", "load", "evil.py")
modparam("evapi", "bind_addr", "evapi.example.com:8448")
include_file "part.cfg"
request_route {
  exec_msg("touch hacked");
  http_client_query("http://example.com/", "$var(result)");
  python_exec("evil");
  if(src_ip == sip.example.com || $ua =~ "(a*)*b") exit;
  xlog("$def(HOST) $env(HOME) $(ru{uri.host}{dns.ip})\\n");
  $var(x) = $(hdr(a){json.parse,x});
  route(PART);
}
"""


@pytest.mark.parametrize("flags", [(), ("--all-ifdefs",), ("--diff",), ("--format", "sarif")])
def test_a_check_touches_nothing(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """No socket, no process, nothing written, and no module from beside the file, though there are some of the names
    that Python and evapi-cfg import."""
    folder, outside = tmp_path / "cfg", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    for name in ("json", "lark", "evil", "uuid", "random", "evapi", "tomllib", "difflib", "typer", "socket"):
        (folder / f"{name}.py").write_text(f"open('hacked by {name}', 'w')\n")
    (folder / "main.cfg").write_text(EVERYTHING)
    (folder / "part.cfg").write_text('route[PART] { xlgo("a")\n}\n')
    (outside / "watched.py").write_text(WATCHED)
    before = sorted(os.listdir(folder))
    cache = tmp_path / "cache"
    command = [sys.executable, "-B", "-P", str(outside / "watched.py"), "check"]
    environ = {**os.environ, "XDG_CACHE_HOME": str(cache), "HOME": str(tmp_path)}
    # The first run fills the cache of the grammar's tables, which is the one thing that a check may write.
    first, second = (
        subprocess.run(
            [*command, *flags, "main.cfg"], cwd=folder, env=environ, capture_output=True, text=True, timeout=DEADLINE
        )
        for _ in range(2)
    )
    filled, seen = (json.loads(done.stderr.splitlines()[-1]) for done in (first, second))
    assert {Path(path).parent for path in filled["written"]} <= {cache / "evapi-cfg"}
    assert (seen["bad"], seen["written"], seen["status"]) == ([], [], 1)
    here = [path for path in seen["modules"] if path.startswith(str(tmp_path))]
    assert here == [str(outside / "watched.py")]
    assert "evapi_cfg.check" in seen["imports"]
    assert sorted(os.listdir(folder)) == before


def test_a_cache_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder belongs")
    (tmp_path / "main.cfg").write_text(HEAD + END)
    done = subprocess.run(
        [sys.executable, "-m", "evapi_cfg", "check", str(tmp_path / "main.cfg")],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        cwd=Path(__file__).parent.parent, capture_output=True, text=True, timeout=DEADLINE,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "no errors\n", "")
