"""Starts servers for cases by forking a process that has read evapi-cfg's modules already.

A start from nothing takes most of the processor's time that a case costs, and there are hundreds of cases. What a user
starts is a process of its own all the same: tests/test_process.py and tests/test_cli.py start it so.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent.parent
# Each line of standard input is a wish. The answer is the new process's id; who wished waits for its end by that.
PARENT = f"""
import json, os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
import evapi_cfg.checking, evapi_cfg.service, evapi_cfg.modules
from evapi_cfg.cli import main
from evapi_cfg.modules import by_name
for name in by_name:
    by_name[name]
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while line := sys.stdin.readline():
    argv, work, log = json.loads(line)
    pid = os.fork()
    if pid == 0:
        break
    print(pid, flush=True)
else:
    sys.exit()
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
os.setsid()
os.chdir(work)
for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY), (2, log, os.O_WRONLY)):
    opened = os.open(name, flags | os.O_APPEND)
    os.dup2(opened, number)
    os.close(opened)
sys.argv = ["evapi-cfg", *argv]
main()
"""


class Started:
    """What `subprocess.Popen` tells of a process, as far as a case asks; how it ended is not known."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:  # it has ended already
            self._descriptor = -1

    def poll(self) -> int | None:
        return 0 if self._has_ended(0) else None

    def wait(self, timeout: float | None = None) -> int:
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired("evapi-cfg", timeout or 0)
        return 0

    def _has_ended(self, timeout: float | None) -> bool:
        if self._descriptor >= 0 and select.select([self._descriptor], [], [], timeout)[0]:
            os.close(self._descriptor)
            self._descriptor = -1
        return self._descriptor < 0


class Warm:
    """The process that has everything read. `close` ends it."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lock = threading.Lock()

    def start(self, argv: list[str], log: IO[bytes], work: Path) -> Started:
        """Runs `evapi-cfg` with `argv[1:]` in a session of its own; from any thread."""
        assert self._parent.stdin is not None and self._parent.stdout is not None
        with self._lock:
            print(json.dumps([argv[1:], str(work), log.name]), file=self._parent.stdin, flush=True)
            return Started(int(self._parent.stdout.readline()))

    def close(self) -> None:
        self._parent.communicate()
