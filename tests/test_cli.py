"""The command line: flags, exit statuses, what is printed where; bad input ends in a message, never in a traceback."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from trustme import CA

from evapi_cfg import __version__
from evapi_cfg.cli import main

HEAD = '#!KAMAILIO\nloadmodule "pv"\nloadmodule "xlog"\nloadmodule "evapi"\nrequest_route { exit; }\n'
GOOD = HEAD + 'event_route[evapi:message-received] { evapi_relay("$evapi(msg)"); }\n'
BAD = HEAD + 'event_route[evapi:message-received] {\n  evapi_rely("$evapi(msg)");\n}\n'
WARNED = HEAD + "event_route[evapi:message-received] { route($var(x)); }\nroute[A] { exit; }\n#!ifdeff X\n"
NOT_RUN = 'loadmodule "ldap"\n' + HEAD + 'event_route[evapi:message-received] { ldap_search("$evapi(msg)"); }\n'
ANY_PORT = ("--no-sip", "--set", "evapi.bind_addr=127.0.0.1:0")
DEADLINE = 60


@dataclass(frozen=True, slots=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


Command = Callable[..., Done]


@pytest.fixture
def evapi_cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs evapi-cfg in this process and in an empty folder. An exception that a user would see as a traceback ends
    the test."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["evapi-cfg", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        made = Done(int(caught.value.code or 0), *capfd.readouterr())
        assert "Traceback" not in made.all
        return made

    return call


@pytest.fixture
def serve(command: str, tmp_path: Path) -> Callable[..., Done]:
    """Runs `evapi-cfg run` on a text until it listens, then ends it with SIGTERM."""

    def call(cfg: str, *flags: str, stdin: bool = False) -> Done:
        path = tmp_path / "my.cfg"
        path.write_text(cfg)
        with (
            path.open("rb") as text,
            subprocess.Popen(
                [*shlex.split(command), "run", *ANY_PORT, *flags, "-" if stdin else "my.cfg"],
                stdin=text,
                stderr=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
            ) as process,
        ):
            assert process.stderr
            lines: list[str] = []
            for line in process.stderr:
                lines.append(line)
                if "listening on" in line:
                    process.send_signal(signal.SIGTERM)
        assert "Traceback" not in "".join(lines)
        return Done(process.returncode, "", "".join(lines))

    return call


# ---- the command itself


def test_version(evapi_cfg: Command) -> None:
    assert evapi_cfg("--version") == Done(0, f"evapi-cfg {__version__}\n", "")


def test_help_begins_with_examples(evapi_cfg: Command) -> None:
    done = evapi_cfg("--help")
    assert done.status == 0
    assert done.err == ""
    assert done.out.index("evapi-cfg check kamailio.cfg") < done.out.index("Options:") < done.out.index("Commands:")
    assert "evapi-cfg run kamailio.cfg" in done.out
    assert "Exit status" in done.out


@pytest.mark.parametrize(("name", "argument"), [("check", "FILE"), ("run", "FILE"), ("explain", "NAME")])
def test_help_of_a_command(evapi_cfg: Command, name: str, argument: str) -> None:
    done = evapi_cfg(name, "--help")
    assert done.status == 0
    assert argument in done.out


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["check"], ["run"], ["--frob"], ["run", "a.cfg", "b.cfg"]])
def test_bad_usage(evapi_cfg: Command, arguments: list[str]) -> None:
    done = evapi_cfg(*arguments)
    assert done.status == 2
    assert "Usage: evapi-cfg" in done.all


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(evapi_cfg: Command, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    # Else typer looks for the shell that the tests run in, which may be none at all.
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    done = evapi_cfg("--show-completion", shell)
    assert done.status == 0
    assert "evapi-cfg" in done.out


# ---- check


@pytest.mark.parametrize(
    ("cfg", "status", "says"), [(GOOD, 0, "no errors"), (WARNED, 0, "warning"), (BAD, 1, "evapi_rely")]
)
def test_check(evapi_cfg: Command, tmp_path: Path, cfg: str, status: int, says: str) -> None:
    (tmp_path / "my.cfg").write_text(cfg)
    done = evapi_cfg("check", "my.cfg")
    assert (done.status, done.err) == (status, "")
    assert says in done.out
    assert "\033[" not in done.out


def test_formats(evapi_cfg: Command, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text(BAD)
    full, concise, as_json = (evapi_cfg("check", "--format", form, "my.cfg") for form in ("full", "concise", "json"))
    assert [done.status for done in (full, concise, as_json)] == [1, 1, 1]
    assert "did you mean" in full.out
    assert "^^^^" in full.out
    assert concise.out.startswith("my.cfg:7:3: error[unknown-function] ")
    document = json.loads(as_json.out)
    assert (document["version"], document["errors"], document["warnings"]) == (1, 1, 0)
    [diagnostic] = document["diagnostics"]
    assert set(diagnostic) == {
        "code", "severity", "message", "file", "line", "column", "end_line", "end_column", "help", "notes", "related",
        "fix",
    }  # fmt: skip
    assert [diagnostic[key] for key in ("code", "file", "line", "column")] == ["unknown-function", "my.cfg", 7, 3]
    assert evapi_cfg("check", "--format", "xml", "my.cfg").status == 2


def test_several_files(evapi_cfg: Command, tmp_path: Path) -> None:
    for name, cfg in (("a.cfg", BAD), ("b.cfg", GOOD), ("c.cfg", BAD)):
        (tmp_path / name).write_text(cfg)
    done = evapi_cfg("check", "--format", "concise", "a.cfg", "b.cfg", "c.cfg")
    assert done.status == 1
    assert [line.partition(":")[0] for line in done.out.splitlines()[:2]] == ["a.cfg", "c.cfg"]
    assert "2 errors in 2 files" in done.out


def test_one_file_that_is_missing_does_not_hide_what_is_wrong_with_the_others(
    evapi_cfg: Command, tmp_path: Path
) -> None:
    (tmp_path / "my.cfg").write_text(BAD)
    done = evapi_cfg("check", "--format", "json", "none.cfg", "my.cfg")
    assert done.status == 2
    assert done.err == "evapi-cfg: cannot read none.cfg: no such file or directory\n"
    assert json.loads(done.out)["errors"] == 1


def test_standard_input(evapi_cfg: Command) -> None:
    done = evapi_cfg("check", "--format", "concise", "-", stdin=BAD.encode())
    assert done.status == 1
    assert done.out.startswith("<stdin>:7:3: ")


def test_defines(evapi_cfg: Command, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text(GOOD + "#!ifdef A\nroute[X] { route(B); }\n#!endif\n")
    assert evapi_cfg("check", "my.cfg").status == 0
    assert evapi_cfg("check", "-A", "A", "my.cfg").status == 1
    assert evapi_cfg("check", "-A", "A", "-A", "B=C", "-A", "route=x", "my.cfg").status == 1


@pytest.mark.parametrize("name", ["", "=x", "1x", "a-b", "\u00e9", "a b=c", "\u0661"])
def test_a_define_that_is_no_name(evapi_cfg: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "my.cfg").write_text(GOOD)
    for command in ("check", "run"):
        done = evapi_cfg(command, "-A", name, "my.cfg")
        assert done.status == 2
        assert "letters, digits and underscores" in done.err


@pytest.mark.parametrize(("redirection", "status"), [(">&-", 1), (">/dev/full", 2), ("| true", 0)])
def test_output_that_cannot_be_written(command: str, tmp_path: Path, redirection: str, status: int) -> None:
    (tmp_path / "my.cfg").write_text(BAD)
    done = subprocess.run(
        ["sh", "-c", f"{command} check my.cfg {redirection}"], capture_output=True, cwd=tmp_path, timeout=DEADLINE
    )
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    assert done.returncode == status
    if "full" in redirection:
        assert b"cannot write to standard output: no space left" in done.stderr


def test_standard_input_that_is_closed(command: str) -> None:
    done = subprocess.run(["sh", "-c", f"{command} check - <&-"], capture_output=True, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (2, b"evapi-cfg: cannot read standard input: it is closed\n")


def test_colours_are_for_terminals(command: str, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    (tmp_path / "my.cfg").write_text(BAD)

    def on_a_terminal(name: str, **environ: str) -> bytes:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [*shlex.split(command), name, "my.cfg"],
            stdout=theirs, stderr=theirs, cwd=tmp_path, env={**os.environ, "NO_COLOR": "", **environ},
        ) as process:  # fmt: skip
            os.close(theirs)
            data = b""
            try:
                while more := os.read(ours, 1 << 16):
                    data += more
            except OSError:  # how a terminal without writers ends
                pass
        os.close(ours)
        assert process.returncode == 1
        return data

    for name in ("check", "run"):
        assert b"\033[" in on_a_terminal(name)
    assert b"\033[" not in on_a_terminal("run", NO_COLOR="1")


# ---- explain


def test_explain(evapi_cfg: Command) -> None:
    done = evapi_cfg("explain", "unknown-function")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("error[unknown-function]\n\n")
    assert "\033[" not in done.out
    assert "evapi_multicast(evdata, etag)" in evapi_cfg("explain", "evapi_multicast").out


def test_explain_several_names_one_of_which_is_none(evapi_cfg: Command) -> None:
    done = evapi_cfg("explain", "$evapi", "evapi_rely", "unknown-function")
    assert done.status == 1
    assert done.out.index("pseudo-variable $evapi\n") < done.out.index("\n\nerror[unknown-function]\n")
    assert done.err == "evapi-cfg: nothing is called `evapi_rely`: did you mean `evapi_relay`?\n"


def test_explain_all(evapi_cfg: Command) -> None:
    done = evapi_cfg("explain", "--all")
    assert (done.status, done.err) == (0, "")
    assert "\n  unknown-function " in done.out
    nothing = evapi_cfg("explain")
    assert (nothing.status, nothing.out) == (2, "")
    assert "--all" in nothing.err


@pytest.mark.parametrize("columns", [60, 300])
def test_explain_on_a_terminal(command: str, columns: int) -> None:
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with subprocess.Popen(
        [*shlex.split(command), "explain", "unknown-function"], stdout=theirs, env={**os.environ, "NO_COLOR": ""}
    ) as process:
        os.close(theirs)
        data = b""
        try:
            while more := os.read(ours, 1 << 16):
                data += more
        except OSError:  # how a terminal without writers ends
            pass
    os.close(ours)
    assert process.returncode == 0
    assert b"\033[1;31merror[unknown-function]\033[0m" in data
    longest = max(len(re.sub(rb"\x1b\[[0-9;]*m", b"", line)) for line in data.split(b"\r\n"))
    assert (50 < longest <= 60) if columns == 60 else (80 < longest <= 110)


# ---- run


@pytest.mark.parametrize("stdin", [False, True], ids=["file", "standard input"])
def test_run_until_sigterm(serve: Callable[..., Done], stdin: bool) -> None:
    done = serve(GOOD, "--strict", stdin=stdin)
    assert done.status == 0
    assert len(done.err.splitlines()) == 1


def test_run_what_is_wrong(evapi_cfg: Command, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text(BAD)
    done = evapi_cfg("run", *ANY_PORT, "my.cfg")
    assert (done.status, done.out) == (1, "")
    assert "my.cfg:7:3" in done.err
    done = evapi_cfg("run", *ANY_PORT, "--log-format", "json", "my.cfg")
    assert done.status == 1
    [record] = map(json.loads, done.err.splitlines())
    assert (record["level"], record["file"], record["line"]) == ("ERROR", "my.cfg", 7)


@pytest.mark.parametrize("cfg", ["request_route { exit; }\n", 'loadmodule "pv"\nroute[A] { exit; }\n'])
def test_run_without_evapi(evapi_cfg: Command, tmp_path: Path, cfg: str) -> None:
    (tmp_path / "my.cfg").write_text(cfg)
    done = evapi_cfg("run", "--no-sip", "my.cfg")
    assert done.status == 1
    assert "nothing to serve" in done.err
    assert "my.cfg" in done.err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--set", "evapi"], "write MODULE.PARAM=VALUE"),
        (["--set", "evapi.workers"], "write MODULE.PARAM=VALUE"),
        (["--set", "=1"], "write MODULE.PARAM=VALUE"),
        (["--set", ".workers=1"], "write MODULE.PARAM=VALUE"),
        (["--set", "evapi.=1"], "write MODULE.PARAM=VALUE"),
        (["--set", "evapi.wokers=1"], "did you mean `workers`?"),
        (["--set", "evap.workers=1"], "did you mean `evapi`?"),
        (["--set", "evapi.workers=many"], "takes a number"),
        (["--set", "evapi.workers=--5"], "takes a number"),
        (["--set", "evapi.workers=" + "9" * 5000], "takes a number"),
        (["--set", "evapi.workers=9999999999"], "2147483647"),
        (["--set", "evapi.bind_addr=1.2.3.4:99999"], "`99999` is no port"),
        (["--log-level", "loud"], "write ERROR, WARNING, NOTICE, INFO or DEBUG"),
        (["--log-level=--5"], "write ERROR, WARNING, NOTICE, INFO or DEBUG"),
        (["--log-format", "xml"], "--log-format"),
        (["--max-queue", "-1"], "--max-queue -1: from 1 to"),
        (["--max-queue", "0"], "--max-queue 0: from 1 to"),
        (["--max-queue", "9" * 30], "--max-queue"),
        (["--max-queue", "8M"], "--max-queue"),
        (["--max-frame", "0"], "--max-frame 0: from 4 to"),
        (["--max-frame", "-5"], "--max-frame -5: from 4 to"),
        (["--drain", "-1"], "--drain -1.0: from 0 to"),
        (["--drain", "nan"], "--drain nan: from 0 to"),
        (["--drain", "inf"], "--drain inf: from 0 to"),
        (["--drain", "soon"], "--drain"),
        (["--allow", "10.0.0.0/40"], "--allow 10.0.0.0/40: write a network or an address"),
        (["--tls-key", "key.pem"], "--tls-key: TLS needs a certificate: --tls-cert FILE"),
        (["--tls-client-ca", "ca.pem"], "--tls-client-ca: TLS needs a certificate: --tls-cert FILE"),
        (["--tls-cert", "no.pem"], "--tls-cert no.pem: it cannot be read: no such file or directory"),
        (["--tls-cert", "my.cfg"], "--tls-cert my.cfg: there is no certificate with its key in it (PEM)"),
        (["--metrics", "9448"], "--metrics 9448: write HOST:PORT"),
        (["--metrics", ":9448"], "--metrics :9448: write HOST:PORT"),
        (["--metrics", "::1:9448"], "write HOST:PORT, as in 127.0.0.1:9448 or [::1]:9448"),
        (["--metrics", "127.0.0.1:99999"], "write HOST:PORT"),
    ],
)
def test_run_with_a_bad_flag(evapi_cfg: Command, tmp_path: Path, flags: list[str], says: str) -> None:
    (tmp_path / "my.cfg").write_text(GOOD)
    done = evapi_cfg("run", *ANY_PORT, *flags, "my.cfg")
    assert done.status == 2, done.err
    assert says in done.err


@pytest.mark.parametrize(
    ("address", "says"),
    [("192.0.2.1:1", "this machine has no such address"), ("no-such-host.invalid:1", "cannot resolve")],
)
def test_run_where_it_cannot_listen(evapi_cfg: Command, tmp_path: Path, address: str, says: str) -> None:
    (tmp_path / "my.cfg").write_text(GOOD)
    done = evapi_cfg("run", "--no-sip", "--set", f"evapi.bind_addr={address}", "--log-level", "ALERT", "my.cfg")
    assert done.status == 3
    assert says in done.err
    assert len(done.err.splitlines()) == 1


def test_what_does_not_run_here_is_listed_at_start(serve: Callable[..., Done]) -> None:
    done = serve(NOT_RUN)
    assert done.status == 0
    for text in ("my.cfg:7:", "`ldap_search()` of module ldap", "event_route[evapi:message-received]"):
        assert text in done.err


def test_strict_refuses_what_does_not_run_here(evapi_cfg: Command, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text(NOT_RUN)
    done = evapi_cfg("run", "--strict", *ANY_PORT, "my.cfg")
    assert done.status == 1
    assert "ldap_search" in done.err
    assert "--strict: refused to start" in done.err
    assert "listening" not in done.err


EXEC = HEAD.replace("request_route", 'loadmodule "exec"\nrequest_route') + (
    'event_route[evapi:message-received] { exec_cmd("true"); }\n'
)


def test_commands_are_named_at_start_unless_they_are_allowed(serve: Callable[..., Done]) -> None:
    done = serve(EXEC)
    assert "`exec_cmd()` of module exec (only with --allow-exec), reached from event_route" in done.err
    assert "--allow-exec" not in serve(EXEC, "--allow-exec").err


def test_commands_that_are_not_allowed_are_not_strict(evapi_cfg: Command, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text(EXEC)
    done = evapi_cfg("run", "--strict", *ANY_PORT, "my.cfg")
    assert done.status == 1
    assert "--strict: refused to start" in done.err


def test_without_the_http_client_a_cfg_that_asks_http_servers_does_not_start(
    evapi_cfg: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)  # as if it were not installed
    asks = HEAD.replace("request_route", 'loadmodule "tm"\nloadmodule "http_async_client"\nrequest_route')
    (tmp_path / "my.cfg").write_text(asks)
    done = evapi_cfg("run", *ANY_PORT, "--log-level", "ALERT", "my.cfg")
    assert done.status == 2
    assert done.err == (
        "ERROR    http_async_client: http_async_query needs aiohttp, which is not installed: "
        "pip install 'evapi-cfg[http]'\n"
    )


def test_without_prometheus_client_there_are_no_metrics(
    evapi_cfg: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)  # as if it were not installed
    (tmp_path / "my.cfg").write_text(GOOD)
    done = evapi_cfg("run", *ANY_PORT, "--metrics", "127.0.0.1:0", "--log-level", "ALERT", "my.cfg")
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert "--metrics needs prometheus-client, which is not installed: pip install 'evapi-cfg[metrics]'" in done.err


def test_run_cannot_listen_for_metrics(evapi_cfg: Command, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text(GOOD)
    done = evapi_cfg("run", *ANY_PORT, "--metrics", "192.0.2.1:9448", "my.cfg")
    assert done.status == 3
    assert "metrics: cannot listen on 192.0.2.1:9448: this machine has no such address" in done.err


EVERYWHERE = ("--set", "evapi.bind_addr=0.0.0.0:0")


@pytest.mark.parametrize(
    ("flags", "warned"),
    [([], False), (EVERYWHERE, True), ([*EVERYWHERE, "--allow", "10.0.0.0/8"], False), ([*EVERYWHERE, "TLS"], True),
     ([*EVERYWHERE, "TLS", "--tls-client-ca", "ca.pem"], False)],
)  # fmt: skip
def test_who_may_connect_is_asked_for_beyond_the_loopback(
    evapi_cfg: Command, serve: Callable[..., Done], tmp_path: Path, authority: CA, flags: list[str], warned: bool
) -> None:
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    flags = [part for flag in flags for part in (["--tls-cert", "cert.pem"] if flag == "TLS" else [flag])]
    done = serve(GOOD, *flags)
    assert done.status == 0
    assert ("anybody who reaches bind_addr may connect" in done.err) == warned
    assert ("TLS without --tls-client-ca keeps nobody out" in done.err) == (warned and "--tls-cert" in flags)
    if warned:
        done = evapi_cfg("run", *ANY_PORT, *flags, "--strict", "my.cfg")
        assert done.status == 1
        assert "--strict: refused to start: anybody who reaches bind_addr may connect" in done.err


LOGGING = HEAD + 'event_route[core:worker-one-init] {\n  xlog("L_NOTICE", "n\\n");\n  xlog("L_INFO", "i\\n");\n}\n'


@pytest.mark.parametrize("form", ["text", "json", "kamailio"])
def test_log_formats(serve: Callable[..., Done], form: str) -> None:
    done = serve(LOGGING, "--log-format", form, "--log-level", "NOTICE")
    assert done.status == 0
    notice, listening = done.err.splitlines()
    match form:
        case "text":
            assert notice == "NOTICE   n  (my.cfg:7 event_route[core:worker-one-init])"
        case "kamailio":
            assert notice.endswith(" NOTICE: <script>: n")
        case "json":
            record = json.loads(notice)
            assert set(record) == {"time", "level", "source", "msg", "file", "line", "route"}
            del record["time"]
            route = "event_route[core:worker-one-init]"
            assert list(record.values()) == ["NOTICE", "script", "n\n", "my.cfg", 7, route]
            assert [json.loads(listening)[key] for key in ("level", "source")] == ["INFO", "evapi"]


@pytest.mark.parametrize(
    ("cfg", "flags", "seen"),
    [
        (LOGGING, (), ""),
        ("debug=1\n" + LOGGING, (), "n"),
        ("debug=2\n" + LOGGING, ("--log-level=-5",), ""),
        (LOGGING, ("--log-level", "L_INFO"), "ni"),
    ],
)
def test_the_level_is_the_files_or_the_flags(
    serve: Callable[..., Done], cfg: str, flags: tuple[str], seen: str
) -> None:
    done = serve(cfg, *flags)
    assert done.status == 0
    assert "".join(line.split()[1] for line in done.err.splitlines() if "listening" not in line) == seen


# ---- bad input: what a file can be, and what both commands say of it

DEEP = 5000
INPUTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty-file"),
    "blank": (b"\n \t\r\n", "empty-file"),
    "comments": (b"#!KAMAILIO\n# one\n/* two\n */ // three\n", "empty-file"),
    "nul": (GOOD.replace("exit;", "ex\0it;").encode(), "my.cfg:5:"),
    "nul alone": (b"\0", "my.cfg:1:1"),
    "random": (bytes(range(256)) * 4, "my.cfg:1:"),
    "include missing": (GOOD.encode() + b'include_file "nowhere.cfg"\n', "my.cfg:7:"),
    "include of a directory": (GOOD.encode() + b'include_file "."\n', "my.cfg:7:"),
    "include of itself": (b'#!KAMAILIO\ninclude_file "my.cfg"\n', "my.cfg:2:"),
    "parentheses": (HEAD.encode() + b"route[A] { if(" + b"(" * DEEP + b"1" + b")" * DEEP + b") exit; }\n", "my.cfg:6:"),
    "open parentheses": (HEAD.encode() + b"route[A] { if(" + b"(" * DEEP, "my.cfg:6:"),
    "blocks": (HEAD.encode() + b"route[A] {" + b"if(1) {" * DEEP + b"exit;" + b"}" * DEEP + b"}\n", "my.cfg:6:"),
    "open blocks": (HEAD.encode() + b"route[A] {" + b"if(1) {" * DEEP, "my.cfg:6:"),
    "open string": (HEAD.encode() + b'route[A] { xlog("abc); }\n', "my.cfg:6:"),
    "open comment": (HEAD.encode() + b"route[A] { /* exit; }\n", "my.cfg:6:"),
    "nested variables": (
        HEAD.encode() + b'route[A] { xlog("' + b"$(var(a){s.substr,0," * 500 + b'"); }\n',
        "my.cfg:6:",
    ),
    "loops": (HEAD.encode() + b"route[A] {" + b"while(1) {" * 60 + b"exit;" + b"}" * 60 + b"}\n", "my.cfg:6:"),
}
# What Kamailio takes, though it looks odd.
TAKEN: dict[str, bytes] = {
    "byte-order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "CRLF": GOOD.removeprefix("#!KAMAILIO\n").replace("\n", "\r\n").encode(),
    "Latin-1": GOOD.encode() + b'route[A] { xlog("caf\xe9 \xff\n"); } # \xe9\n',
    "UTF-8": GOOD.encode() + 'route[A] { xlog("caf\u00e9\n"); }\n'.encode(),
    "no line end": GOOD.strip().encode(),
}


@pytest.mark.parametrize("name", INPUTS)
def test_bad_input(evapi_cfg: Command, tmp_path: Path, name: str) -> None:
    data, says = INPUTS[name]
    (tmp_path / "my.cfg").write_bytes(data)
    checked = evapi_cfg("check", "--format", "concise", "my.cfg")
    run = evapi_cfg("run", *ANY_PORT, "my.cfg")
    piped = evapi_cfg("check", "-", stdin=data)
    assert (checked.status, run.status, piped.status) == (1, 1, 1)
    assert says in checked.out
    assert "error" in checked.out
    assert len(checked.out) < 20_000
    assert run.err
    assert "listening" not in run.err


@pytest.mark.parametrize("name", TAKEN)
def test_odd_input_that_is_taken(evapi_cfg: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "my.cfg").write_bytes(TAKEN[name])
    assert evapi_cfg("check", "my.cfg").status == 0


@pytest.mark.parametrize("command_name", ["check", "run"])
def test_what_is_no_readable_file(evapi_cfg: Command, tmp_path: Path, command_name: str) -> None:
    (tmp_path / "file.cfg").write_text(GOOD)
    (tmp_path / "loop.cfg").symlink_to("loop.cfg")
    cases = {
        "none.cfg": "no such file or directory",
        ".": "it is a directory",
        "": "no such file or directory",
        "file.cfg/x": "not a directory",
        "loop.cfg": "too many levels of symbolic links",
        "x" * 300: "file name too long",
    }
    for name, says in cases.items():
        done = evapi_cfg(command_name, name)
        assert (done.status, done.out) == (2, "")
        assert done.err == f"evapi-cfg: cannot read {name}: {says}\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(evapi_cfg: Command, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text(GOOD)
    (tmp_path / "my.cfg").chmod(0)
    assert evapi_cfg("check", "my.cfg") == Done(2, "", "evapi-cfg: cannot read my.cfg: permission denied\n")


def test_check_does_not_load_the_server() -> None:
    """What a check has no use for costs every editor and every commit its time."""
    program = (
        "import sys; from evapi_cfg.cli import app\n"
        "try: app(['check', 'samples/echo.cfg'])\n"
        "except SystemExit: print(*sorted(sys.modules))"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, timeout=DEADLINE)
    loaded = done.stdout.splitlines()[-1].split()
    assert "evapi_cfg.check" in loaded
    assert not {"asyncio", "uvloop", "rich", "evapi_cfg.server", "evapi_cfg.compile"} & set(loaded)


@pytest.mark.parametrize(
    ("flags", "cfg", "status", "last"),
    [
        (["-c", "-f"], GOOD, 0, "config file ok, exiting..."),
        (["-E", "-e", "-L", "/usr/lib/modules", "-A", "X=1", "-cf"], GOOD, 0, "config file ok, exiting..."),
        (["-c", "-f"], WARNED, 0, "config file ok, exiting..."),
        (["-c", "-f"], BAD, 255, "ERROR: bad config file (1 errors)"),
    ],
)
def test_in_the_place_of_kamailio(flags: list[str], cfg: str, status: int, last: str, evapi_cfg: Command) -> None:
    Path("my.cfg").write_text(cfg)
    done = evapi_cfg(*flags, "my.cfg")
    assert (done.status, done.out) == (status, "")
    assert done.err.splitlines()[-1] == last
    assert evapi_cfg("-c", "-f", "nosuch.cfg").status == 255


# ---- rpc


@pytest.fixture
def rpc_server(command: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A server that answers JSON-RPC on rpc.sock in the test's folder."""
    shared = "".join(f'modparam("pv", "shvset", "{name}=i:1")\n' for name in ("one", "two"))
    cfg = 'my.n = 5\nloadmodule "cfg_rpc"\nloadmodule "jsonrpcs"\n' + GOOD + shared
    (tmp_path / "my.cfg").write_text(cfg)
    with subprocess.Popen(
        [*shlex.split(command), "run", *ANY_PORT, "--rpc", "unix:rpc.sock", "my.cfg"],
        stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    ) as process:  # fmt: skip
        assert process.stderr
        for line in process.stderr:
            if "listening on" in line:
                break
        yield process
        process.terminate()
        assert process.wait(DEADLINE) == 0
    assert not (tmp_path / "rpc.sock").exists()


def test_rpc(evapi_cfg: Command, rpc_server: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    done = evapi_cfg(
        "rpc", "--socket", "rpc.sock", "core.echo", "a b", "5", "s:6", "i:7", "007", "é", "+49301234", "1.5"
    )
    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out) == ["a b", "5", "6", "7", "007", "é", "+49301234", "1"]
    monkeypatch.setenv("EVAPI_CFG_RPC", "unix:rpc.sock")
    assert evapi_cfg("rpc", "cfg.seti", "my", "n", "-3") == Done(0, "{}\n", "")
    assert evapi_cfg("rpc", "cfg.get", "my", "n") == Done(0, "-3\n", "")
    assert evapi_cfg("rpc", "cfg.get", "my") == Done(0, '{\n  "n": -3\n}\n', "")
    assert evapi_cfg("rpc", "nope") == Done(1, "", "evapi-cfg: 500 Method Not Found\n")
    assert evapi_cfg("rpc", "core.echo", "--socket") == Done(0, '[\n  "--socket"\n]\n', "")
    done = evapi_cfg("rpc", "core.echo", "i:x")
    assert (done.status, done.out) == (2, "")
    assert "a number is expected behind i:" in done.err


def test_rpc_prints_all_members_of_one_name(evapi_cfg: Command, rpc_server: subprocess.Popen[str]) -> None:
    out = evapi_cfg("rpc", "--socket", "rpc.sock", "pv.shvGet").out
    assert out.index('"name": "two"') < out.index('"name": "one"')


def test_rpc_where_nobody_listens(evapi_cfg: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("EVAPI_CFG_RPC", raising=False)
    done = evapi_cfg("rpc", "core.uptime")
    assert (done.status, done.out) == (2, "")
    assert f"nobody listens on {tmp_path}/evapi-cfg.sock" in done.err
    assert f"run --rpc unix:{tmp_path}/evapi-cfg.sock" in done.err


def test_run_cannot_listen_for_rpc(evapi_cfg: Command, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text(GOOD)
    done = evapi_cfg("run", *ANY_PORT, "--rpc", "unix:my.cfg", "my.cfg")
    assert done.status == 3
    assert "cannot listen on my.cfg: it is there already, and is no socket" in done.err
    assert (tmp_path / "my.cfg").read_text() == GOOD
    done = evapi_cfg("run", *ANY_PORT, "--rpc", "tcp:127.0.0.1:5", "my.cfg")
    assert done.status == 2
    assert "--rpc tcp:127.0.0.1:5: write unix:PATH, or unix-stream:PATH" in done.err
