"""What a service manager is told, by a server that runs as its service."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from evapi_cfg.server.notify import Notifier

DEADLINE = 30.0
CFG = """#!KAMAILIO
loadmodule "evapi.so"
event_route[evapi:message-received] { evapi_relay("x"); }
"""


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd has it, and its name for the environment."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@evapi-cfg-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(name.replace("@", "\0") if name.startswith("@") else name)
        made.settimeout(DEADLINE)
        yield made, name


def test_a_service_from_start_to_end(command: str, manager: tuple[socket.socket, str], tmp_path: Path) -> None:
    listening, name = manager
    path = tmp_path / "my.cfg"
    path.write_text(CFG)
    environment = os.environ | {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"}
    flags = ["--no-sip", "--set", "evapi.bind_addr=127.0.0.1:0"]
    with subprocess.Popen([*shlex.split(command), "run", *flags, str(path)], env=environment) as process:
        try:

            def told(beginning: str) -> str:
                """The next message that is not a sign of life."""
                while True:
                    text = listening.recv(4096).decode()
                    if text != "WATCHDOG=1":
                        assert text.startswith(beginning)
                        return text

            assert told("READY=1").startswith("READY=1\nSTATUS=listening on 127.0.0.1:")
            assert [listening.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            process.send_signal(signal.SIGHUP)
            clock = told("RELOADING=1").partition("MONOTONIC_USEC=")[2]
            assert int(clock) > 0
            told("READY=1")
            process.send_signal(signal.SIGTERM)
            told("STOPPING=1")
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()


def test_commands_of_routes_do_not_speak_for_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.setenv(name, "1")
    Notifier()
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)


@pytest.mark.parametrize("name", ["", "/nowhere/notify", "@nobody-is-here", "relative", "x" * 300, "\udcff"])
def test_where_nobody_listens_nothing_is_told(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", "many")
    notifier = Notifier()
    notifier.ready("x")
    notifier.reloading()
    notifier.stopping()
    notifier.close()


def test_the_signs_of_life_are_those_of_the_process_that_is_asked(
    manager: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listening, name = manager
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    Notifier().ready("x")  # without a loop: it would need one
    assert listening.recv(100) == b"READY=1\nSTATUS=x"
