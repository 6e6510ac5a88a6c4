"""The process that checks files for a server which goes on meanwhile: how it begins, is asked, and ends.

It is there from the first time that a file is read again, and goes when it has had nothing to do for a while: what it
needs to begin with costs more than the file. It ends by itself when the server does.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import evapi_cfg
from evapi_cfg.check.elsewhere import SIZE, Wanted, request

IDLE: Final = 60.0  # seconds without a file until the process ends
PATIENCE: Final = 120.0  # seconds that a file may take
_PART: Final = 1 << 18  # bytes of an answer that are read at once
_BEGIN: Final = "import sys; sys.path.append(sys.argv[1]); from evapi_cfg.check.elsewhere import main; main()"

Done = Callable[["bytes | CheckerFailed"], None]


class CheckerFailed(Exception):
    """There is no answer; the message says why."""


class Checker:
    """Checks one file after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._done: Done | None = None
        self._answer = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none."""
        return None if self._process is None else self._process.pid

    def ask(self, wanted: Wanted, done: Done) -> None:
        """`done` gets the answer, later."""
        self._done = done
        self._answer.clear()
        self._in(PATIENCE, self._give_up)
        try:
            process = self._process or self._begin()
            assert process.stdin is not None
            process.stdin.write(request(wanted))  # it is waited for, so that there is room
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self._loop.call_soon(self._end, f"the process that would check the file cannot be asked: {reason}")

    def _begin(self) -> subprocess.Popen[bytes]:
        root = str(Path(evapi_cfg.__file__).parent.parent)
        # Nothing is asked for that needs a copy of this process (see commands.py); no descriptor of it is inherited.
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BEGIN, root],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
            start_new_session=True,
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._loop.add_reader(process.stdout.fileno(), self._read)
        return process

    def _in(self, seconds: float, act: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, act)

    def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        try:
            data = os.read(self._process.stdout.fileno(), _PART)
        except BlockingIOError:
            return
        if not data:
            self._end("the process that checks the file has ended")
            return
        self._answer += data
        if len(self._answer) < SIZE or len(self._answer) < SIZE + int.from_bytes(self._answer[:SIZE], "big"):
            return
        answer, done = bytes(memoryview(self._answer)[SIZE:]), self._done
        self._answer, self._done = bytearray(), None
        self._in(IDLE, self.close)
        if done is not None:
            done(answer)

    def _give_up(self) -> None:
        self._end(f"the file is not checked within {PATIENCE:g} s")

    def _end(self, why: str) -> None:
        done = self._done
        self.close()
        if done is not None:
            done(CheckerFailed(why))

    def close(self) -> None:
        """The process ends, and nobody is told."""
        self._done = None
        if self._timer is not None:
            self._timer.cancel()
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        self._loop.remove_reader(process.stdout.fileno())
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait()
