"""`evapi-cfg top`: asks a server once a second, and shows what it says until somebody has seen enough."""

from __future__ import annotations

import json
import os
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn

from evapi_cfg.server.rpc_client import Unreachable, ask
from evapi_cfg.watching.screen import Sample, lines
from evapi_cfg.watching.text import fitted

INTERVAL: Final = 1.0  # seconds
_WIDTH, _HEIGHT = 100, 30  # where nobody says
_BEGIN: Final = "\033[?1049h\033[?25l\033[2J"  # another screen, no cursor
_END: Final = "\033[?25h\033[?1049l"


class NoAnswer(Exception):
    """The server does not know what it is asked; the message says so."""


def sample(path: str) -> Sample:
    """Asks a server. Raises Unreachable or NoAnswer."""
    moment = time.monotonic()
    metrics = _result(path, "evapi-cfg.metrics")
    if not isinstance(metrics, dict):
        raise NoAnswer("the server does not know evapi-cfg.metrics: is it an evapi-cfg of this version?")
    try:
        clients, note = _result(path, "evapi.clients"), ""
    except NoAnswer as error:
        clients, note = None, f"clients: {error}; unix-stream: has room for more"
    return Sample(moment, metrics, clients if isinstance(clients, list) else None, note)


def _result(path: str, method: str) -> object:
    answer: object = None
    with suppress(ValueError, RecursionError):
        answer = json.loads(ask(path, json.dumps({"jsonrpc": "2.0", "method": method, "id": 1})))
    if not isinstance(answer, dict) or "result" not in answer:
        fault = answer.get("error") if isinstance(answer, dict) else None
        raise NoAnswer(str(fault.get("message")) if isinstance(fault, dict) else f"{method} has no answer")
    return answer["result"]


def once(path: str, width: int) -> str:
    """One snapshot as text. Raises Unreachable or NoAnswer."""
    return "\n".join(lines(sample(path), None, width=width)) + "\n"


def watch(path: str, *, colour: bool) -> None:
    """Shows a live screen on standard output until `q` or Ctrl-C comes. Raises Unreachable or NoAnswer where the
    server does not answer at the start; one that goes away later is waited for."""
    screen = _Screen(sample(path), colour=colour)
    with _terminal() as keys:
        signal.signal(signal.SIGWINCH, lambda _number, _frame: screen.draw())
        screen.draw()
        while not _quits(keys):
            try:
                screen.show(sample(path))
            except (Unreachable, NoAnswer) as error:
                screen.complain(str(error))
            screen.draw()


class _Screen:
    def __init__(self, first: Sample, *, colour: bool) -> None:
        self._now = first
        self._before: Sample | None = None
        self._colour = colour
        self._complaint = ""

    def show(self, found: Sample) -> None:
        self._before, self._now, self._complaint = self._now, found, ""

    def complain(self, text: str) -> None:
        self._complaint = f"{text}; this is what it said last"

    def draw(self) -> None:
        try:
            width, height = os.get_terminal_size(1)
        except OSError:
            width, height = _WIDTH, _HEIGHT
        room = height - 1 - bool(self._complaint)
        made = lines(self._now, self._before, width=width, height=room, colour=self._colour)
        if self._complaint:
            made.insert(0, fitted(self._complaint, width))
        made = [*made[: height - 1], fitted("q ends this", width).rstrip()]
        _write("\033[H" + "\033[K\n".join(made) + "\033[K\033[J")


def _write(text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(1, data) :]


@contextmanager
def _terminal() -> Iterator[int | None]:
    """The terminal as a screen, and as it was when that is over, whatever ends it. Gives the descriptor that keys come
    from, None where there is none."""
    keys = 0 if sys.stdin is not None and sys.stdin.isatty() else None
    before = None if keys is None else termios.tcgetattr(keys)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)}
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    try:
        if keys is not None:
            tty.setcbreak(keys)
            settings = termios.tcgetattr(keys)
            # A read gives what has come within the interval, which is nothing at all mostly.
            settings[6][termios.VMIN], settings[6][termios.VTIME] = 0, int(INTERVAL * 10)
            settings[6][termios.VSUSP] = b"\0"
            termios.tcsetattr(keys, termios.TCSANOW, settings)
        _write(_BEGIN)
        yield keys
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _write(_END)
        if keys is not None and before is not None:
            termios.tcsetattr(keys, termios.TCSADRAIN, before)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _quits(keys: int | None) -> bool:
    """Waits for the interval to pass; True where a key says that this is enough, or no more can come."""
    if keys is None:
        time.sleep(INTERVAL)
        return False
    end = time.monotonic() + INTERVAL
    while True:
        try:
            pressed = os.read(keys, 64)
        except OSError:  # the terminal has gone
            return True
        if b"q" in pressed or b"Q" in pressed or b"\x04" in pressed:
            return True
        if not pressed or time.monotonic() >= end:
            return False
