"""`evapi-cfg run` as a process with clients: signals, descriptors that run out, many that go at once."""

from __future__ import annotations

import re
import resource
import shlex
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trustme import CA

from tests.driven import frames
from tests.test_server import HEAD as HEAD

DEADLINE = 30.0
NEW, CLOSED, MESSAGE = (
    f"event_route[evapi:{name}]" for name in ("connection-new", "connection-closed", "message-received")
)
ECHO = f'{MESSAGE} {{ evapi_relay("$evapi(msg)"); }}\n'
# Answers go to the one who asked.
OWN = (
    f'{NEW} {{ evapi_set_tag("c$evapi(conidx)"); }}\n{MESSAGE} {{ evapi_unicast("$evapi(msg)", "c$evapi(conidx)"); }}\n'
)


class Process:
    """`evapi-cfg run` with its log, listening."""

    def __init__(self, command: str, path: Path, *flags: str, files: int | None = None) -> None:
        def limit() -> None:
            if files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.process = subprocess.Popen(
            [*shlex.split(command), "run", "--no-sip", "--set", "evapi.bind_addr=127.0.0.1:0", *flags, str(path)],
            stderr=subprocess.PIPE,
            preexec_fn=limit,
            text=True,
        )
        self.lines: list[str] = []
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)", self.wait_for("listening on"))
        assert found
        self.port = int(found[1])

    def wait_for(self, text: str) -> str:
        """The next log line with a text."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError("no such line in the log:\n" + "".join(self.lines))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)

    def refuses(self) -> bool:
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # just as it stops to listen
            return False
        return False

    def end(self) -> tuple[int, str]:
        """The exit status, and the whole log."""
        _out, rest = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, "".join(self.lines) + rest


@pytest.fixture
def start(command: str, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def begin(cfg: str, *flags: str, files: int | None = None) -> Process:
        path = tmp_path / "my.cfg"
        path.write_text(HEAD + cfg)
        started.append(Process(command, path, *flags, files=files))
        return started[-1]

    yield begin
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
        process.process.wait()
        if process.process.stderr:
            process.process.stderr.close()


def read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := client.recv(size - len(data))):
        data += more
    return data


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(start: Callable[..., Process], number: signal.Signals) -> None:
    process = start(OWN)
    with process.connect() as client:
        client.sendall(frames("first"))
        assert read(client, 8) == frames("first")
        client.sendall(frames(*["x"] * 500))
        process.process.send_signal(number)
        assert read(client, 1 << 20) == frames(*["x"] * 500)
    status, log = process.end()
    assert status == 0, log
    assert len(log.splitlines()) == 1


def test_a_signal_as_soon_as_it_listens(start: Callable[..., Process]) -> None:
    process = start(ECHO)
    process.process.send_signal(signal.SIGTERM)
    assert process.end()[0] == 0


def test_a_second_signal_ends_it_at_once(start: Callable[..., Process]) -> None:
    process = start(
        f'{MESSAGE} {{ xlog("L_INFO", "begun\\n"); sleep("1000"); }}', "--drain", "1000", "--log-level", "INFO"
    )
    with process.connect() as client:
        client.sendall(frames("x"))
        process.wait_for("begun")
        process.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + DEADLINE
        while not process.refuses():
            assert time.monotonic() < deadline
        assert process.process.poll() is None
        process.process.send_signal(signal.SIGINT)
        status, log = process.end()
    assert status == 0, log
    assert "Traceback" not in log


def test_hanging_up_reads_the_certificates_again(
    start: Callable[..., Process], tmp_path: Path, authority: CA
) -> None:  # fmt: skip
    path = tmp_path / "cert.pem"

    def issue() -> None:
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)

    issue()
    process = start(ECHO, "--tls-cert", str(path), "--log-level", "INFO")
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def serial() -> object:
        with context.wrap_socket(process.connect(), server_hostname="127.0.0.1") as client:
            client.sendall(frames("x"))
            assert client.recv(4) == frames("x")
            shown = client.getpeercert()
            assert shown
            return shown["serialNumber"]

    before = serial()
    issue()
    process.process.send_signal(signal.SIGHUP)
    process.wait_for("are in force")
    assert serial() != before
    process.process.send_signal(signal.SIGTERM)
    status, log = process.end()
    assert status == 0
    assert "Traceback" not in log


def test_hanging_up_without_certificates_is_nothing(start: Callable[..., Process]) -> None:
    process = start(ECHO)
    process.process.send_signal(signal.SIGHUP)
    with process.connect() as client:
        client.sendall(frames("x"))
        assert read(client, 4) == frames("x")
    process.process.send_signal(signal.SIGTERM)
    assert process.end()[0] == 0


def test_running_out_of_descriptors(start: Callable[..., Process]) -> None:
    process = start(OWN, files=48)
    clients = [process.connect() for _ in range(60)]
    try:
        assert "tried again" in process.wait_for("cannot accept")
        served = clients[0]
        served.sendall(frames("x"))
        assert read(served, 4) == frames("x")
        last = clients.pop()
        last.sendall(frames("late"))
        for client in clients:
            client.close()
        assert read(last, 7) == frames("late")
        last.close()
    finally:
        for client in clients:
            client.close()
    process.process.send_signal(signal.SIGTERM)
    status, log = process.end()
    assert status == 0
    assert "Traceback" not in log
    assert log.count("cannot accept") < 20


def test_a_port_in_use_has_its_own_exit_status(start: Callable[..., Process], command: str, tmp_path: Path) -> None:
    process = start(ECHO)
    flags = ["--set", f"evapi.bind_addr=127.0.0.1:{process.port}"]
    done = subprocess.run(
        [*shlex.split(command), "run", "--no-sip", *flags, str(tmp_path / "my.cfg")],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 3
    assert f"127.0.0.1:{process.port}: the address is in use" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_many_that_go_at_once_leave_no_noise(start: Callable[..., Process]) -> None:
    """What is written to a connection that has just broken is lost without a word."""
    goodbye = f'{CLOSED} {{ evapi_relay("$evapi(conidx) has gone"); }}\n'
    process = start(ECHO + goodbye)
    with process.connect() as stays:
        clients = [process.connect() for _ in range(60)]
        for client in clients:
            client.sendall(frames("x" * 100) * 20)
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        gone = 0
        seen = b""
        while gone < 60:
            data = stays.recv(1 << 20)
            assert data
            seen = seen[-20:] + data
            gone = gone + seen.count(b" has gone,")
            seen = seen[seen.rfind(b" has gone,") + 1 :]
        more = [process.connect() for _ in range(20)]
        for client in more:
            client.sendall(frames("y"))
            assert client.recv(1)
        process.process.send_signal(signal.SIGTERM)
        status, log = process.end()
        for client in more:
            client.close()
    assert status == 0
    assert len(log.splitlines()) == 1, log
