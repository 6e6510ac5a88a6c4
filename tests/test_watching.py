"""`evapi-cfg top` and `tap`: what they show, and how they leave the terminal behind."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import signal
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from evapi_cfg.watching import tap as following
from evapi_cfg.watching import text
from evapi_cfg.watching.screen import Sample, lines
from tests.driven import frames

DEADLINE = 60.0
CFG = """#!KAMAILIO
loadmodule "pv.so"
loadmodule "evapi.so"
event_route[evapi:connection-new] { evapi_set_tag("billing"); }
event_route[evapi:message-received] { route(ANSWER); }
route[ANSWER] { evapi_relay("$evapi(msg)"); }
"""


# ---- numbers and texts


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (0.25, "0.2"), (7, "7"), (7.5, "7.5"), (12.4, "12"), (9999, "9,999"), (10_000, "10.0k"),
     (999_949, "999.9k"), (999_951, "1.0M"), (4_560_000_000, "4.6G"), (1e21, "1000000.0P")],
)  # fmt: skip
def test_counts(number: float, shown: str) -> None:
    assert text.count(number) == shown


def test_times() -> None:
    assert [text.seconds(number) for number in (12.34, 0.0456, 0.0000123)] == ["12.3 s", "45.6 ms", "12.3 us"]
    assert [text.duration(number) for number in (5, 65, 3700, 200_000)] == ["5 s", "1 min 5 s", "1 h 1 min", "2 d 7 h"]
    assert text.size(1500) == "1,500 B"


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ("abc", "abc  "), ("abcdefg", "abcde"), ("日本語", "日本 "), ("a\x1b[2J", "a\\x1b"),
        ("e\u0301bc", "e\u0301bc  "), ("a\tb", "a b  "),
    ],
)  # fmt: skip
def test_texts_of_others_have_so_many_columns(given: str, fits: str) -> None:
    assert text.fitted(given, 5) == fits


# ---- the screen


def metrics(**changed: object) -> dict[str, Any]:
    found: dict[str, Any] = {
        "uptime": 100.0, "clients": 2, "max_clients": 8, "received_messages": 1000, "received_bytes": 100_000,
        "sent_messages": 2000, "sent_bytes": 200_000, "queued_bytes": 5000, "waiting_messages": 3, "cut": 1,
        "refused": {"max_clients": 2, "tls": 0}, "log_lines": {"ERROR": 4, "BUG": 1, "WARNING": 7},
        "reloads": {"done": 1, "failed": 0}, "loop_lag": 0.002, "timed": True,
        "routes": [
            {"route": "route[A]", "runs": 10, "seconds": 0.5, "slowest": 0.1, "errors": 0},
            {"route": "route[B]", "runs": 1000, "seconds": 0.1, "slowest": 0.001, "errors": 2},
        ],
    }  # fmt: skip
    return found | changed


def client(conidx: int, **changed: object) -> dict[str, Any]:
    return {
        "conidx": conidx, "address": "10.0.0.1", "port": 5000 + conidx, "tag": "t", "received_messages": 100,
        "sent_messages": 200, "received_bytes": 1000, "sent_bytes": 2000, "queued_bytes": 0,
    } | changed  # fmt: skip


def test_a_single_sample_shows_means() -> None:
    made = lines(Sample(5.0, metrics(), [client(0), client(1, sent_bytes=9_000, tag=None)]), None, width=100)
    assert made[0] == "evapi-cfg, up 1 min 40 s (all rates since then), 2 of 8 clients, loop lag 2.0 ms"
    assert made[1] == "in        10 messages   1,000 B a second; 1,000 messages, 100.0 kB in all"
    assert made[3] == "5,000 B not taken by clients, 3 messages wait for their turn"
    assert made[4] == "refused 2 (max_clients 2), cut 1, errors 5, warnings 7, reloads 1 (failed 0)"
    assert [line.split()[:2] for line in made[6:9]] == [
        ["client", "address"], ["1", "10.0.0.1:5001"], ["0", "10.0.0.1:5000"],
    ]  # fmt: skip
    assert [line.split()[0] for line in made[10:]] == ["route", "route[A]", "route[B]"]
    assert "50.0 ms" in made[11] and "<100.0 ms" in made[11] and "0.5%" in made[11]
    assert max(map(len, made)) <= 100


def test_two_samples_show_rates() -> None:
    before = Sample(10.0, metrics(), [client(0), client(1)])
    now = metrics(
        uptime=102.0, received_messages=1500, received_bytes=150_000, sip_messages=20, parked=4,
        parked_in_all=9, resumed=6,
        routes=[
            {"route": "route[A]", "runs": 10, "seconds": 0.5, "slowest": 0.1, "errors": 0},
            {"route": "route[B]", "runs": 1200, "seconds": 1.1, "slowest": 0.001, "errors": 2},
            {"route": "route[C]", "runs": 4, "seconds": 0.1, "slowest": 0.1, "errors": 0},
        ],
    )  # fmt: skip
    gone_and_come = [client(0, port=6000, received_messages=50), client(1, received_messages=300, received_bytes=8000)]
    made = lines(Sample(12.0, now, gone_and_come), before, width=120)
    assert made[1].startswith("in       250 messages   25.0 kB a second; 1,500 messages")
    assert made[2].startswith("out        0 messages       0 B a second;")
    assert made[4] == "SIP 10 messages a second; 4 parked, 3 resumed and 0 expired a second"
    assert [line.split()[:5] for line in made[8:10]] == [
        ["1", "10.0.0.1:5001", "t", "100", "0"],
        ["0", "10.0.0.1:6000", "t", "25", "100"],
    ]
    assert [line.split()[:2] for line in made[12:]] == [["route[B]", "100"], ["route[C]", "2"], ["route[A]", "0"]]
    assert "5.0 ms" in made[12] and "50.0%" in made[12]


def test_a_server_that_has_started_again_is_a_new_one() -> None:
    before = Sample(10.0, metrics(), [])
    made = lines(Sample(12.0, metrics(uptime=1.0, received_messages=10), []), before, width=100)
    assert made[1].startswith("in        10 messages") and "since then" in made[0]


def test_what_does_not_fit_is_counted() -> None:
    many = Sample(5.0, metrics(routes=[{"route": f"route[{n}]", "errors": 0} for n in range(50)]),
                  [client(n) for n in range(50)])  # fmt: skip
    for height in range(5, 60):
        made = lines(many, None, width=80, height=height)
        assert len(made) <= max(height, 12)
        assert max(map(len, made)) <= 80
    made = lines(many, None, width=80, height=30)
    assert sum("... and" in line for line in made) == 2
    assert len(lines(many, None, width=80)) > 100


@pytest.mark.parametrize("width", [1, 20, 40, 80, 300])
def test_any_width(width: int) -> None:
    made = lines(Sample(5.0, metrics(), [client(0, tag="x\x1b[2J\u202e", address="::1")]), None, width=width, height=20)
    assert all(len(line) <= max(width, 80) for line in made)
    assert not any("\x1b" in line or "\u202e" in line for line in made)


def test_where_clients_cannot_be_told_and_nothing_is_timed() -> None:
    made = lines(Sample(5.0, metrics(timed=False, routes=[]), None, "clients: too many"), None, width=100)
    assert "clients: too many" in made
    assert made[-1] == "route: times are there with run --metrics HOST:PORT"
    assert not any(line.startswith("client ") for line in made)


# ---- lines of a tap


def test_lines_of_a_tap() -> None:
    now = time.mktime((2026, 1, 2, 12, 34, 56, 0, 0, -1)) + 0.789
    stamp = "12:34:56.789"

    def shown(**record: object) -> str:
        return following.shown({"time": now, **record}, colour=False)

    assert shown(kind="message", client=3, size=2, text='{"a":\x1b"\u202e"}') == (
        f'{stamp} client 3 -> {{"a":\\x1b"\\u202e"}}'
    )
    assert (
        shown(kind="message", client=3, size=70000, text="x", cut=True) == f"{stamp} client 3 -> x ... (70,000 bytes)"
    )
    relay = {"kind": "relay", "text": "a\nb", "size": 3, "block": "route[A]"}
    assert shown(clients=8, **relay) == f"{stamp} relay -> 8 clients a\\nb  (route[A])"
    assert shown(clients=1, **relay) == f"{stamp} relay -> 1 client a\\nb  (route[A])"
    assert shown(clients=0, **relay) == f"{stamp} relay -> nobody a\\nb  (route[A])"
    assert shown(kind="unicast", tag="x\ty", client=5, clients=1, text="a") == f"{stamp} unicast x\ty -> client 5 a"
    assert shown(kind="left out", count=12345) == "(12,345 left out)"
    coloured = following.shown({"time": now, **relay, "clients": 2}, colour=True)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == f"{stamp} relay -> 2 clients a\\nb  (route[A])"
    assert coloured != re.sub(r"\x1b\[\d+m", "", coloured)


# ---- the commands


BOTH = pytest.mark.parametrize("server", ["unix", "unix-stream"], indirect=True)


@pytest.fixture
def server(command: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """A server with its socket rpc.sock in the test's folder; its port."""
    (tmp_path / "my.cfg").write_text(CFG)
    flags = ["--no-sip", "--set", "evapi.bind_addr=127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    with subprocess.Popen(
        [*shlex.split(command), "run", *flags, "--rpc", f"{getattr(request, 'param', 'unix')}:rpc.sock", "my.cfg"],
        stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    ) as process:  # fmt: skip
        assert process.stderr
        for line in process.stderr:
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                break
        assert found
        yield int(found[1])
        process.terminate()
        assert process.wait(DEADLINE) == 0


def say(port: int, *messages: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as made:
        for message in messages:
            made.sendall(frames(message))
            assert made.recv(100) == frames(message)


def run(command: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*shlex.split(command), *arguments], cwd=folder, capture_output=True, text=True, timeout=DEADLINE
    )


@BOTH
def test_top_once(command: str, server: int, tmp_path: Path) -> None:
    say(server, "a", "b")
    with socket.create_connection(("127.0.0.1", server)):
        done = run(command, tmp_path, "top", "--once", "--socket", "rpc.sock")
        piped = run(command, tmp_path, "top", "--socket", "unix:rpc.sock")
    for one in (done, piped):
        assert (one.returncode, one.stderr) == (0, "")
        assert re.search(r"^evapi-cfg, up \d+ s .all rates since then., 1 of 8 clients", one.stdout)
        assert re.search(r"2 messages, 8 B in all", one.stdout)
        assert re.search(r"^ +0  127\.0\.0\.1:\d+ +billing ", one.stdout, re.M)
        assert re.search(r"^event_route\[evapi:message-received", one.stdout, re.M)
        assert "\x1b" not in one.stdout


@pytest.mark.parametrize("name", ["top", "tap"])
def test_where_nobody_listens(command: str, tmp_path: Path, name: str) -> None:
    done = run(command, tmp_path, name, "--socket", "none.sock")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nobody listens on none.sock; a server does so with `run --rpc unix:none.sock`" in done.stderr


@BOTH
def test_tap(command: str, server: int, tmp_path: Path) -> None:
    with (
        _tap(command, tmp_path) as plain,
        _tap(command, tmp_path, "--json", "--match", "^b", "--route", "ANSWER") as as_json,
    ):
        say(server, "a\x1b", "b\x9b")
        assert plain.stdout and as_json.stdout
        seen = [plain.stdout.readline() for _ in range(4)]
        assert [re.sub(r"^\d\d:\d\d:\d\d\.\d\d\d ", "", line) for line in seen] == [
            "client 0 -> a\\x1b\n", "relay -> 1 client a\\x1b  (route[ANSWER])\n",
            "client 0 -> b\\x9b\n", "relay -> 1 client b\\x9b  (route[ANSWER])\n",
        ]  # fmt: skip
        line = as_json.stdout.readline()
        assert "\x9b" not in line
        record = json.loads(line)
        assert (record["kind"], record["text"], record["block"]) == ("relay", "b\x9b", "route[ANSWER]")
        plain.send_signal(signal.SIGINT)
        assert plain.wait(DEADLINE) == 0


def test_a_tap_with_what_is_no_expression(command: str, server: int, tmp_path: Path) -> None:
    done = run(command, tmp_path, "tap", "--socket", "rpc.sock", "--match", "(")
    assert (done.returncode, done.stdout) == (1, "")
    assert "evapi-cfg: --match (: " in done.stderr


@pytest.mark.parametrize("kind", ["unix", "unix-stream"])
def test_a_tap_of_a_server_that_ends(command: str, tmp_path: Path, kind: str) -> None:
    (tmp_path / "my.cfg").write_text(CFG)
    flags = ["--no-sip", "--set", "evapi.bind_addr=127.0.0.1:0", "--rpc", f"{kind}:rpc.sock"]
    with subprocess.Popen(
        [*shlex.split(command), "run", *flags, "my.cfg"], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as server:
        assert server.stderr
        assert any("listening on" in line for line in server.stderr)
        with _tap(command, tmp_path) as following:
            server.terminate()
            assert following.wait(DEADLINE) == 1
            assert following.stderr
            assert following.stderr.read() == "evapi-cfg: the server on rpc.sock has ended\n"


class _tap:
    """`evapi-cfg tap` that has begun."""

    def __init__(self, command: str, folder: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            [*shlex.split(command), "tap", "--socket", "rpc.sock", *flags],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        )  # fmt: skip

    def __enter__(self) -> subprocess.Popen[str]:
        assert self.process.stderr
        assert "following rpc.sock; Ctrl-C ends it" in self.process.stderr.readline()
        return self.process

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()


class Terminal:
    """A terminal with a program in it."""

    def __init__(self, argv: list[str], folder: Path) -> None:
        self.primary, secondary = pty.openpty()
        self.resize(24, 80)
        self.before = termios.tcgetattr(secondary)
        self._secondary = secondary
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.process = subprocess.Popen(
            argv,
            stdin=secondary,
            stdout=secondary,
            stderr=secondary,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        self.seen = ""

    def resize(self, rows: int, columns: int) -> None:
        ioctl(self.primary, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, wanted: str) -> str:
        """What comes up to a match, which is taken away."""
        end = time.monotonic() + DEADLINE
        while (found := re.search(wanted, self.seen, re.S)) is None:
            assert time.monotonic() < end, f"{wanted!r} has not come: {self.seen!r}"
            if select.select([self.primary], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.primary, 65536).decode()
                except OSError:
                    raise AssertionError(f"{wanted!r} has not come: {self.seen!r}") from None
        text, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return text

    def press(self, keys: bytes) -> None:
        os.write(self.primary, keys)

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self._secondary)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._secondary)
        os.close(self.primary)


@pytest.fixture
def terminal(command: str, server: int, tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal([*shlex.split(command), "top", "--socket", "rpc.sock"], tmp_path)
    yield made
    made.close()


BEGIN, END = re.escape("\x1b[?1049h\x1b[?25l"), re.escape("\x1b[?25h\x1b[?1049l")


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda terminal: terminal.press(b"q"), 0),
        (lambda terminal: terminal.process.send_signal(signal.SIGINT), 0),
        (lambda terminal: terminal.process.send_signal(signal.SIGTERM), 143),
    ],
    ids=["q", "ctrl-c", "sigterm"],
)
def test_top_in_a_terminal(terminal: Terminal, server: int, end: Callable[[Terminal], None], status: int) -> None:
    terminal.wait_for(BEGIN)
    terminal.wait_for("since then.*0 of 8 clients.*q ends this")
    assert terminal.settings() != terminal.before
    with socket.create_connection(("127.0.0.1", server)):
        terminal.wait_for(r"1 of 8 clients.*a second;.*billing.*q ends this")
        terminal.resize(10, 30)
        terminal.process.send_signal(signal.SIGWINCH)
        fits = False
        while not fits:  # what was drawn before is still on its way
            drawn = terminal.wait_for("q ends this").rpartition("\x1b[H")[2].split("\r\n")
            fits = len(drawn) <= 10 and all(len(re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", line)) <= 30 for line in drawn)
        end(terminal)
        terminal.wait_for(END)
        assert terminal.process.wait(DEADLINE) == status
    assert terminal.settings() == terminal.before
    assert "Traceback" not in terminal.seen


def test_top_waits_for_a_server_that_has_gone(command: str, tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text(CFG)
    serve = [
        *shlex.split(command), "run", "--no-sip", "--set", "evapi.bind_addr=127.0.0.1:0", "--rpc",
        "unix:rpc.sock", "my.cfg",
    ]  # fmt: skip

    def started() -> subprocess.Popen[str]:
        process = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        assert process.stderr
        assert any("listening on" in line for line in process.stderr)
        return process

    first = started()
    terminal = Terminal([*shlex.split(command), "top", "--socket", "rpc.sock"], tmp_path)
    try:
        terminal.wait_for("0 of 8 clients.*route: times are there with run --metrics")
        first.terminate()
        first.communicate(timeout=DEADLINE)
        terminal.wait_for("nobody listens on rpc.sock; this is what it said last.*q ends this")
        second = started()
        terminal.wait_for("\x1b\\[H(\x1b\\[[0-9;]*m)?evapi-cfg, up .*q ends this")
        terminal.press(b"q")
        assert terminal.process.wait(DEADLINE) == 0
        second.terminate()
        second.communicate(timeout=DEADLINE)
    finally:
        terminal.close()
        first.kill()
