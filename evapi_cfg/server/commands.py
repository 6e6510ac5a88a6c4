"""Commands of this machine: each a shell of its own, while the loop goes on.

The loop's own way to begin a process copies this one first, which with uvloop takes longer than a message may wait;
`subprocess` does without (vfork) where nothing is asked of it that needs a copy.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.outside import Command, Finished

AT_ONCE: Final = 64  # commands that run at the same time; others wait
WAITING: Final = 8192  # further ones that may wait
OUTPUT: Final = 1 << 20  # bytes that one may print
GRACE: Final = 1.0  # seconds from SIGTERM to SIGKILL
_PART: Final = 1 << 16

Done = Callable[[Finished], None]


class Commands:
    """Runs commands; `go_on` is called when one has ended and its `done` has been told."""

    def __init__(self, go_on: Callable[[], None]) -> None:
        self._go_on = go_on
        self._loop = asyncio.get_running_loop()
        self._running: set[_Shell] = set()
        self._waiting: deque[tuple[Command, Done]] = deque()

    @property
    def idle(self) -> bool:
        return not self._running

    def execute(self, command: Command, done: Done) -> None:
        if len(self._waiting) >= WAITING:
            done(Finished(None, "", f"it is not run, for {WAITING:,} others wait"))
            return
        if len(self._running) >= AT_ONCE:
            self._waiting.append((command, done))
            return
        shell = _Shell(command, done, self._ended)
        self._running.add(shell)
        self._loop.call_soon(shell.start)

    def _ended(self, shell: _Shell, finished: Finished) -> None:
        self._running.discard(shell)
        if self._waiting:
            self.execute(*self._waiting.popleft())
        shell.done(finished)
        self._go_on()

    async def close(self) -> None:
        """Ends all that still runs; nobody is told what came of it."""
        self._waiting.clear()
        for shell in self._running:
            shell.done = _nobody_asks
        for shell in list(self._running):
            shell.stop("the server ends")
        while self._running:
            await asyncio.sleep(0.005)


class _Shell:
    """One command. It has ended when its shell has and, if its output is wanted, nobody prints any more: what it leaves
    running in the background is not waited for otherwise (popen, pclose)."""

    def __init__(self, command: Command, done: Done, ended: Callable[[_Shell, Finished], None]) -> None:
        self.command = command
        self.done = done
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._output = bytearray()
        self._unread = memoryview(command.input.encode("latin-1"))
        self._fault = ""  # why it has been told to end
        self._timer: asyncio.TimerHandle | None = None
        self._pidfd = -1
        self._finished = False

    def start(self) -> None:
        command = self.command
        environment = {**os.environ, **{name: _text(value) for name, value in command.environment.items()}}
        try:
            self._process = process = subprocess.Popen(
                ["/bin/sh", "-c", _text(command.line)],
                bufsize=0,
                stdin=subprocess.PIPE if command.input else subprocess.DEVNULL,
                stdout=subprocess.PIPE if command.output else None,
                env=environment,
                start_new_session=True,
            )
        except OSError as err:
            self._finish(Finished(None, "", f"it cannot be started: {(err.strerror or str(err)).lower()}"))
            return
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)
            self._loop.add_reader(process.stdout.fileno(), self._read)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self._loop.add_writer(process.stdin.fileno(), self._write)
        self._watch(process)
        if self._fault:  # before it began
            self.stop(self._fault)
        elif command.seconds:
            why = f"it was told to end after {command.seconds:g} s (time_to_kill)"
            self._timer = self._loop.call_later(command.seconds, self.stop, why)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        try:
            self._pidfd = os.pidfd_open(process.pid)
        except (AttributeError, OSError):  # not Linux, or an old one
            future = self._loop.run_in_executor(None, process.wait)
            future.add_done_callback(lambda _future: self._look())
        else:
            self._loop.add_reader(self._pidfd, self._look)

    def _write(self) -> None:
        """The input, as far as it is taken: a command need not read it."""
        assert self._process is not None
        stdin = self._process.stdin
        assert stdin is not None
        try:
            self._unread = self._unread[os.write(stdin.fileno(), self._unread[:_PART]) :]
        except BlockingIOError:
            return
        except OSError:
            self._unread = self._unread[:0]
        if not self._unread:
            self._shut_input()

    def _shut_input(self) -> None:
        stdin = self._process.stdin if self._process is not None else None
        if stdin is not None and not stdin.closed:
            self._loop.remove_writer(stdin.fileno())
            stdin.close()

    def _read(self) -> None:
        assert self._process is not None
        stdout = self._process.stdout
        assert stdout is not None
        try:
            data = os.read(stdout.fileno(), _PART)
        except BlockingIOError:
            return
        self._output += data
        if not data:
            self._shut_output()
            self._look()
        elif len(self._output) > OUTPUT and not self._fault:
            self.stop(f"it was told to end, for it has printed more than {OUTPUT:,} bytes")

    def _shut_output(self) -> None:
        stdout = self._process.stdout if self._process is not None else None
        if stdout is not None and not stdout.closed:
            self._loop.remove_reader(stdout.fileno())
            stdout.close()

    def stop(self, why: str) -> None:
        """Tells it to end, and all that it has started; a little later it has no choice. Nothing more is read of it."""
        self._fault = self._fault or why
        if self._process is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._signal(signal.SIGTERM)
        self._timer = self._loop.call_later(GRACE, self._signal, signal.SIGKILL)
        self._shut_output()
        self._look()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, number)

    def _look(self) -> None:
        """Whether that was all."""
        process = self._process
        if self._finished or process is None:
            return
        status = process.poll()
        if status is None:
            return
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if process.stdout is not None and not process.stdout.closed:
            return
        output = self._output[:OUTPUT].decode("latin-1")
        fault = self._fault or (f"it was ended by signal {-status}" if status < 0 else "")
        self._finish(Finished(None if fault else status, output, fault))

    def _finish(self, finished: Finished) -> None:
        self._finished = True
        if self._timer is not None:
            self._timer.cancel()
        self._shut_input()
        self._ended(self, finished)


def _text(stored: str) -> str:
    """Bytes as the operating system wants to have them named, up to where a text of C ends."""
    return os.fsdecode(stored.partition("\0")[0].encode("latin-1"))


def _nobody_asks(finished: Finished) -> None:
    """The server ends."""
