"""The samples: each is free of diagnostics and does what its conversation says; so does the README's first one."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def test_first_conversation_of_the_readme(command: str, tmp_path: Path) -> None:
    shown = PYTHON.search(README)
    assert shown, "the README shows no conversation in Python"
    cfg = (ROOT / "samples" / "echo.cfg").read_text()
    cfg = cfg.replace("127.0.0.1:8448", "127.0.0.1:@PORT@").replace(":5060", ":@SIPPORT@")
    server = run.Server("evapi-cfg", command, cfg, tmp_path)
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


# What the README shows of async_auth.cfg: a direction, and what went over the wire.
WIRE = re.compile(r"^(?:caller|application) +(?:->|<-) +(.*)$", re.MULTILINE)
INTERPRETERS = {
    "async_auth.py": sys.executable,
    "async_auth.js": shutil.which("node"),
    "router.py": sys.executable,
}


@contextmanager
def application(name: str, port: int, work: Path) -> Iterator[subprocess.Popen[str]]:
    """The application beside a sample, on a server's evapi port."""
    interpreter = INTERPRETERS[name]
    if interpreter is None:
        pytest.skip("there is no node")
    (work / name).write_text((ROOT / "samples" / name).read_text().replace("8448", str(port)))
    running = subprocess.Popen([interpreter, str(work / name)], stdout=subprocess.PIPE, text=True)
    try:
        while not connected(port):
            assert running.poll() is None
            time.sleep(0.02)
        yield running
    finally:
        running.kill()
        running.communicate()


def connected(port: int) -> bool:
    """Whether somebody is connected to a local port (proc_pid_net(5): state 01)."""
    rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[3] == "01" and row[1].endswith(f":{port:04X}") for row in rows)


def answer_to_invite(port: int, caller: str, number: int, callee: str = "bob") -> str:
    """The status line of the final reply to a call, which is acknowledged, and its Contact if there is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(30)
        peer.connect(("127.0.0.1", port))
        head = (
            f"{{}} sip:{callee}@127.0.0.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{peer.getsockname()[1]};branch=z9hG4bKcall{number}\r\n"
            f"From: <sip:{caller}@example.com>;tag=from{number}\r\nTo: <sip:bob@example.com>{{}}\r\n"
            f"Call-ID: call{number}@test\r\nCSeq: 1 {{}}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        peer.send(head.format("INVITE", "", "INVITE").encode())
        while (reply := peer.recv(65536).decode()).startswith("SIP/2.0 1"):
            pass
        to = re.search(r"^To: <[^>]*>(.*)\r$", reply, re.MULTILINE)
        contact = re.search(r"^Contact: (.*)\r$", reply, re.MULTILINE)
        assert to
        peer.send(head.format("ACK", to[1], "ACK").encode())
        return reply.partition("\r\n")[0].removeprefix("SIP/2.0 ") + (f" {contact[1]}" if contact else "")


def server_of(sample: str, command: str, tmp_path: Path) -> run.Server:
    cfg = (ROOT / "samples" / sample).read_text()
    cfg = cfg.replace("127.0.0.1:8448", "127.0.0.1:@PORT@").replace("127.0.0.1:5060", "127.0.0.1:@SIPPORT@")
    return run.Server("evapi-cfg", command, cfg, tmp_path)


@pytest.fixture
def auth_server(command: str, tmp_path: Path) -> Iterator[run.Server]:
    server = server_of("async_auth.cfg", command, tmp_path)
    yield server
    server.stop()


@pytest.fixture
def router_server(command: str, tmp_path: Path) -> Iterator[run.Server]:
    server = server_of("router.cfg", command, tmp_path)
    yield server
    server.stop()


def test_the_router(router_server: run.Server, tmp_path: Path) -> None:
    with application("router.py", router_server.port, tmp_path) as app:
        assert app.stdout is not None
        port = router_server.sip_port
        answers = [answer_to_invite(port, "alice", n, to) for n, to in enumerate(["bob", "sales", "nobody"])]
        assert answers == [
            "302 Moved Temporarily <sip:bob@10.0.0.5>;q=0, <sip:bob@10.0.0.6:5080>;q=0",
            "302 Moved Temporarily <sip:carol@10.0.0.5>;q=0, <sip:dave@10.0.0.5>;q=0, <sip:sales@10.0.1.1>;q=0",
            "404 Not Found",
        ]
        assert app.stdout.readline() == "alice calls bob -> 2 routes\n"
        router_server.stop()
        assert app.stdout.read().endswith("the server has gone\n")


def test_applications_are_short() -> None:
    for name in INTERPRETERS:
        assert len((ROOT / "samples" / name).read_text().splitlines()) <= 40, name


@pytest.mark.parametrize("name", ["async_auth.py", "async_auth.js"])
def test_applications(name: str, auth_server: run.Server, tmp_path: Path) -> None:
    with application(name, auth_server.port, tmp_path) as app:
        assert app.stdout is not None
        answers = [answer_to_invite(auth_server.sip_port, caller, n) for n, caller in enumerate(["alice", "mallory"])]
        assert answers == ["302 Moved Temporarily <sip:bob@127.0.0.1:5070>", "403 Forbidden"]
        assert [app.stdout.readline() for _ in answers] == ["alice calls bob -> 302\n", "mallory calls bob -> 403\n"]
        auth_server.stop()
        assert app.stdout.read() == "the server has gone\n"


@pytest.mark.skipif(not shutil.which("sipp"), reason="there is no sipp")
@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_the_callers_scenario(transport: str, auth_server: run.Server, tmp_path: Path) -> None:
    (at,) = re.findall(r"^ +sipp (-sf .*)127\.0\.0\.1:5060", (ROOT / "samples" / "async_auth.xml").read_text(), re.M)
    argv = ["sipp", *shlex.split(at), "-t", transport, "-timeout", "30", f"127.0.0.1:{auth_server.sip_port}"]
    with application("async_auth.py", auth_server.port, tmp_path) as app:
        assert app.stdout is not None
        for caller, code in ("alice", 302), ("mallory", 403):
            done = subprocess.run(
                [word.replace("alice", caller) for word in argv],
                cwd=ROOT,
                capture_output=True,
                stdin=subprocess.DEVNULL,
            )
            assert done.returncode == 0, done.stdout
            assert app.stdout.readline() == f"{caller} calls bob -> {code}\n"


def test_the_wire_in_the_readme_is_the_recorded_one() -> None:
    def plain(line: str) -> str:
        return re.sub(r'("index"|"label"): [^,}]+\}?,', r"\1: #,", line)

    golden = (CONVERSATIONS / "async_auth.6.1.golden").read_text()
    recorded = [re.sub(r"^(?:> sip u|u <|app < N:|> send app) ", "", line) for line in golden.splitlines()]
    recorded = [plain(re.sub(r"^app < N:(.*),$", r"\1", line)) for line in recorded]
    shown = [plain(line) for line in WIRE.findall(README)]
    assert shown == [line for line in recorded if line in shown][: len(shown)]
    assert len(shown) == 6
