"""Following messages and relays as they pass. No sockets: what is seen becomes records, which somebody fetches.

As long as nobody follows, nothing is in the way: the hooks are there only while they are needed. A tap looks at so many
messages a second and keeps so many; all else is counted, so that a server under load waits for nobody's curiosity.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final

from evapi_cfg import regex
from evapi_cfg.modules.context import Run
from evapi_cfg.modules.rpc import Answer
from evapi_cfg.runtime.engine import Engine
from evapi_cfg.runtime.hub import EventClient
from evapi_cfg.source import show, store

KEPT: Final = 1000  # records a second, and records that wait to be fetched
LOOKED_AT: Final = 5000  # messages a second
TEXT: Final = 1000  # characters of a message that are shown, and in which an expression is looked for
MATCHING: Final = 0.01  # seconds of the processor for one text: some expressions take for ever
MESSAGE_ROUTE: Final = "event_route[evapi:message-received]"

Record = dict[str, Answer]


class TapRefused(ValueError):
    """What is asked for is not possible; the message says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to follow: `route` is a block by its title, or by the name in its brackets; `client` a place; `match` a
    regular expression as in a cfg. Empty and None are for all."""

    route: str = ""
    client: int | None = None
    match: str = ""


class _TooLong(Exception):
    pass


class _Expression:
    """A regular expression that gives up in time, where signals can be had: in the main thread."""

    def __init__(self, text: str) -> None:
        try:
            self._found = regex.compile(store(text))
        except regex.RegexError as error:
            raise TapRefused(f"--match {text}: {error}") from None
        self._matching = False

    def matching(self, texts: Iterable[str]) -> Iterator[str]:
        """Those in which it is found. Raises _TooLong."""
        if threading.current_thread() is not threading.main_thread():
            yield from (text for text in texts if self._found.matches(text[:TEXT]))
            return
        before = signal.signal(signal.SIGPROF, self._give_up)
        try:
            for text in texts:
                if self._matches(text[:TEXT]):
                    yield text
        finally:
            signal.signal(signal.SIGPROF, signal.SIG_DFL if before is None else before)

    def _matches(self, text: str) -> bool:
        self._matching = True
        try:
            signal.setitimer(signal.ITIMER_PROF, MATCHING)
            return self._found.matches(text)
        finally:
            self._matching = False
            signal.setitimer(signal.ITIMER_PROF, 0)

    def _give_up(self, number: int, frame: FrameType | None) -> None:
        if self._matching:  # it may have come too late
            self._matching = False
            raise _TooLong


class Tap:
    """One who follows. `records` wait to be fetched; `left_out` counts what has not become one, though it might have;
    `fault` is why it sees nothing any more."""

    def __init__(self, wanted: Wanted, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        """`wake` is called when there is something to be fetched, and was nothing before."""
        self.records: list[Record] = []
        self.left_out = 0
        self.fault = ""
        self.over = False  # and that has been fetched
        self._wanted = wanted
        self._clock = clock
        self._wake = wake
        self._since = clock()
        self._looked_at = self._made = 0
        self._expression = _Expression(wanted.match) if wanted.match else None

    def fetch(self) -> list[Record]:
        """What there is, with the number of what was left out behind it."""
        records, self.records = self.records, []
        if self.left_out:
            records.append({"kind": "left out", "count": self.left_out})
            self.left_out = 0
        if self.fault:
            records.append({"kind": "fault", "text": self.fault})
            self.over = True
        return records

    def _may_look(self, messages: int) -> int:
        """How many of so many messages may be looked at; the others are left out."""
        now = self._clock()
        if now - self._since >= 1.0:
            self._since = now
            self._looked_at = self._made = 0
        room = 0 if self._made >= KEPT or len(self.records) >= KEPT else LOOKED_AT - self._looked_at
        taken = min(messages, max(room, 0))
        self._looked_at += taken
        self._leave_out(messages - taken)
        return taken

    def _leave_out(self, messages: int) -> None:
        if messages:
            if not self.left_out and not self.records:
                self._wake()
            self.left_out += messages

    def _matching(self, texts: Sequence[str]) -> Iterable[str]:
        if self._expression is None:
            return texts
        try:
            return list(self._expression.matching(texts))
        except _TooLong:
            self.fault = f"--match {self._wanted.match}: it takes too long to find out whether a text matches"
            self._wake()
            return ()

    def _add(self, now: float, record: Record, text: str) -> None:
        if self._made >= KEPT or len(self.records) >= KEPT:
            self._leave_out(1)
            return
        if not self.records and not self.left_out:
            self._wake()
        self._made += 1
        record = {"time": round(now, 6), **record, "size": len(text), "text": show(text[:TEXT])}
        if len(text) > TEXT:
            record["cut"] = True
        self.records.append(record)

    def messages(self, now: float, client: EventClient, texts: Sequence[str]) -> None:
        wanted = self._wanted
        if self.fault or (wanted.client is not None and wanted.client != client.conidx):
            return
        if wanted.route and not _is_named(MESSAGE_ROUTE, wanted.route):
            return
        for text in self._matching(texts[: self._may_look(len(texts))]):
            self._add(now, {"kind": "message", "client": client.conidx}, text)

    def relay(self, now: float, seen: Relay) -> None:
        wanted = self._wanted
        if self.fault or (wanted.client is not None and wanted.client not in seen.places()):
            return
        if not self._may_look(1):
            return
        title, block = seen.routes() if wanted.route else ("", "")
        if wanted.route and not _is_named(title, wanted.route) and not _is_named(block, wanted.route):
            return
        for text in self._matching((seen.data,)):
            self._add(now, seen.record(), text)


def _is_named(title: str, name: str) -> bool:
    return title == name or title.endswith(f"[{name}]")


class Relay:
    """One call that sends something. What only some taps want to know is found when the first one asks."""

    def __init__(self, kind: str, data: str, tag: str | None, clients: Sequence[EventClient]) -> None:
        self.kind = kind
        self.data = data
        self._tag = tag
        self._clients = clients
        self._frame: FrameType | None = sys._getframe(2)
        self._routes: tuple[str, str] | None = None

    def places(self) -> set[int]:
        return {client.conidx for client in self._clients}

    def routes(self) -> tuple[str, str]:
        """The block that began the run, and the one in which the call stands: their titles."""
        if self._routes is None:
            self._routes = _routes_around(self._frame)
            self._frame = None
        return self._routes

    def record(self) -> Record:
        title, block = self.routes()
        made: Record = {"kind": self.kind, "clients": len(self._clients), "route": show(title), "block": show(block)}
        if self._tag is not None:
            made["tag"] = show(self._tag)
        if self.kind == "unicast" and self._clients:
            made["client"] = self._clients[0].conidx
        return made


def _routes_around(frame: FrameType | None) -> tuple[str, str]:
    """From the stack: routes are Python functions by their titles, in a namespace that is no module's."""
    title = block = ""
    while frame is not None:
        if "__name__" not in frame.f_globals:
            name = frame.f_code.co_name
            if getattr(frame.f_globals.get(name), "__code__", None) is frame.f_code:
                block = block or name
        elif not title and isinstance(run := frame.f_locals.get("run"), Run):
            title = run.route
        if title and block:
            break
        frame = frame.f_back
    return title or block, block or title


class Taps:
    """All who follow one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._taps: list[Tap] = []
        self._undo: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._taps)

    def begin(self, wanted: Wanted, wake: Callable[[], None]) -> Tap:
        """Raises TapRefused."""
        tap = Tap(wanted, self._engine.world.clock.monotonic, wake)
        self._taps.append(tap)
        if len(self._taps) == 1:
            self._undo = self._hook()
        return tap

    def end(self, tap: Tap) -> None:
        if tap in self._taps:
            self._taps.remove(tap)
            if not self._taps:
                self._undo()

    def _hook(self) -> Callable[[], None]:
        """Gets in the way; what it gives gets out of it again."""
        engine, hub = self._engine, self._engine.hub
        own = {name: hub.__dict__.get(name) for name in ("relay", "multicast", "unicast")}
        relay, multicast, unicast = hub.relay, hub.multicast, hub.unicast

        def tapped_relay(data: str) -> int:
            self._see(Relay("relay", data, None, hub.clients))
            return relay(data)

        def tapped_multicast(data: str, tag: str) -> int:
            self._see(Relay("multicast", data, tag, hub.tagged(tag)))
            return multicast(data, tag)

        def tapped_unicast(data: str, tag: str) -> int:
            self._see(Relay("unicast", data, tag, hub.tagged(tag)[:1]))
            return unicast(data, tag)

        hub.relay, hub.multicast, hub.unicast = tapped_relay, tapped_multicast, tapped_unicast  # type: ignore[method-assign]
        engine.looked_on = self._messages

        def undo() -> None:
            engine.looked_on = None
            for name, before in own.items():
                if before is None:
                    with contextlib.suppress(AttributeError):
                        delattr(hub, name)
                else:
                    setattr(hub, name, before)

        return undo

    def _messages(self, client: EventClient, texts: list[str]) -> None:
        now = self._engine.world.clock.now()
        for tap in tuple(self._taps):
            tap.messages(now, client, texts)

    def _see(self, seen: Relay) -> None:
        now = self._engine.world.clock.now()
        for tap in tuple(self._taps):
            tap.relay(now, seen)
