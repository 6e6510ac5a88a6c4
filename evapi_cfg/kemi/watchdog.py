"""Ends a function of a Python script that does not come to its end.

A thread looks, a few times a second, whether one call has been running for too long. It raises nothing itself: it sends
the main thread a signal, and the handler, which runs there between two steps of Python, looks where the main thread is.
Only where that is the script, or something of Python's own that the script has called, does it raise; where it is code
of this package, be it on behalf of the script, the thread tries again in a moment. So no list of clients and no
transaction is ever left half changed, whatever the moment. A signal also ends a call that waits, such as time.sleep.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Final
from weakref import ReferenceType, ref

LOOK: Final = 0.05  # seconds between two looks
AGAIN: Final = 0.002  # and where a call is to be ended
PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_SIGNAL: Final = signal.SIGVTALRM  # nothing else here uses it, and nobody sends it


class CallbackTimeout(BaseException):
    """Raised in a script; no `except Exception` of the script's own holds it up."""


class Watch:
    """One script's calls. `calls` counts those that have begun, `running` says how many are inside each other."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: how long a call may take; 0 for any time. Where this is not the main thread nothing is watched:
        handlers of signals run there only."""
        self.calls = 0
        self.running = 0
        self.seconds = seconds
        self._overdue = 0  # the number of the call that is to be ended
        if seconds > 0 and threading.current_thread() is threading.main_thread():
            signal.signal(_SIGNAL, _Handler(self, signal.getsignal(_SIGNAL)))
            threading.Thread(target=_look_after, args=(ref(self),), name="callback-timeout", daemon=True).start()

    def begin(self) -> None:
        """A function of the script is about to be called."""
        if not self.running:
            self.calls += 1
        self.running += 1

    def end(self) -> None:
        self.running -= 1

    def is_overdue(self) -> bool:
        return self.running > 0 and self._overdue == self.calls

    def look(self, seen: int, since: float) -> tuple[int, float, float]:
        """One look of the thread: the call that it sees, since when, and how long until the next look."""
        if not self.running:
            return 0, 0.0, LOOK
        now = time.monotonic()
        if self.calls != seen:
            return self.calls, now, min(LOOK, self.seconds)
        left = since + self.seconds - now
        if left > 0:
            return seen, since, min(left, LOOK)
        self._overdue = seen
        signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)
        return seen, since, AGAIN


class _Handler:
    """The handler of the signal, for the watches of all scripts in this process: each knows the one before it."""

    def __init__(self, watch: Watch, before: object) -> None:
        self._watch: ReferenceType[Watch] = ref(watch)
        self._before: _Handler | None = None
        while isinstance(before, _Handler) and before._watch() is None:
            before = before._before
        self._before = before if isinstance(before, _Handler) else None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if frame is None or frame.f_code.co_filename.startswith(PACKAGE):
            return
        handler: _Handler | None = self
        while handler is not None:
            watch = handler._watch()
            if watch is not None and watch.is_overdue() and _in_script(frame):
                raise CallbackTimeout
            handler = handler._before


def _in_script(frame: FrameType | None) -> bool:
    """Whether the first code of this package that is around a frame is what calls scripts."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE):
            return code.co_name in (CALLER, DESCRIBES, LOADS)
        frame = frame.f_back
    return False


CALLER: Final = "call_script"  # the one function that calls functions of scripts
DESCRIBES: Final = "described"  # and the one that shows what they have raised, which may run code of theirs
LOADS: Final = "_loading"  # and the one that runs the steps of loading, which are watched where one is loaded again


def _look_after(watched: ReferenceType[Watch]) -> None:
    seen, since, pause = 0, 0.0, LOOK
    while True:
        time.sleep(pause)
        watch = watched()
        if watch is None:
            return
        seen, since, pause = watch.look(seen, since)
        del watch
