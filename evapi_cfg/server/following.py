"""Who follows messages over a UNIX socket: `evapi-cfg.tap` of JSON-RPC, from a stream or from a socket for datagrams.

Behind its answer come records, as JSON, one a line; several lines may come as one datagram. Whoever does not take them
for a while is let go; nobody else notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Final

from evapi_cfg.modules.context import Level
from evapi_cfg.runtime.tap import KEPT, Tap, TapRefused, Taps, Wanted
from evapi_cfg.server.events import EventServer

METHOD: Final = "evapi-cfg.tap"
MOST: Final = 8  # at a time
PAUSE: Final = 0.1  # seconds between two deliveries
ALIVE: Final = 5.0  # seconds until it is said that nothing has happened
PATIENCE: Final = 10.0  # seconds in which some of it must be taken
PART: Final = 60_000  # bytes that are sent at once, about

Send = Callable[[bytes], bool]
"""Hands over some lines: False where they cannot be taken now. Raises OSError where nobody is there any more."""


class Followers:
    """All who follow one server."""

    def __init__(self, events: EventServer) -> None:
        self.taps = Taps(events.engine)
        self.loop = asyncio.get_running_loop()
        self.log = events.engine.world.log
        self._all: set[Follower] = set()

    def begin(self, request: bytes, send: Send, let_go: Callable[[], None]) -> tuple[bytes, Follower | None] | None:
        """The answer, and who follows from now on, where that is possible. None where the request is about something
        else. `let_go` is called at its end, whichever side it comes from."""
        document = _asked(request)
        if document is None:
            return None
        identity = document.get("id")
        try:
            if len(self._all) >= MOST:
                raise TapRefused(f"{MOST} follow already")
            wanted = _wanted(document.get("params"))
            follower = Follower(self, send, let_go)
            follower.tap = self.taps.begin(wanted, follower.wake)
        except TapRefused as error:
            let_go()
            return _document({"error": {"code": 400, "message": str(error)}, "id": identity}), None
        self._all.add(follower)
        return _document({"result": {"lines_a_second": KEPT}, "id": identity}), follower

    def end(self, follower: Follower) -> None:
        self._all.discard(follower)
        self.taps.end(follower.tap)

    def close(self) -> None:
        for follower in list(self._all):
            follower.say_goodbye()
            follower.end()


class Follower:
    """One of them. It looks for records a few times a second while there are some."""

    tap: Tap

    def __init__(self, followers: Followers, send: Send, let_go: Callable[[], None]) -> None:
        self._followers = followers
        self._send = send
        self._let_go = let_go
        self._loop = followers.loop
        self._unsent: list[bytes] = []  # what could not be taken yet
        self._taken_at = self._loop.time()
        self._soon = False
        self._timer = self._loop.call_later(ALIVE, self._say_alive)

    def wake(self) -> None:
        if not self._soon:
            self._soon = True
            self._timer.cancel()
            self._timer = self._loop.call_later(PAUSE, self._deliver)

    def _say_alive(self) -> None:
        self._unsent.append(b'{"kind":"alive"}\n')
        self._deliver()

    def _deliver(self) -> None:
        self._soon = False
        try:
            done = self._hand_over()
        except OSError:  # nobody is there any more
            self.end()
            return
        now = self._loop.time()
        if done and self.tap.over:
            self.end()
        elif done:
            self._taken_at = now
            self._timer = self._loop.call_later(ALIVE, self._say_alive)
        elif now - self._taken_at > PATIENCE:
            text = f"somebody who follows messages is let go: nothing was taken for {PATIENCE:g} s"
            self._followers.log(Level.NOTICE, "jsonrpcs", text)
            self.end()
        else:
            self.wake()

    def say_goodbye(self) -> None:
        """The server ends; whoever follows with datagrams would not notice for a while."""
        with contextlib.suppress(OSError):
            if self._hand_over():
                self._send(b'{"kind":"over"}\n')

    def _hand_over(self) -> bool:
        """Whether all was taken. What was not waits, and as long as it does the tap keeps no more than it may."""
        if not self._unsent:
            self._unsent = _parts([_document(record) for record in self.tap.fetch()])
        while self._unsent:
            if not self._send(self._unsent[0]):
                return False
            del self._unsent[0]
            self._taken_at = self._loop.time()
        return True

    def end(self) -> None:
        """Follows no more."""
        self._timer.cancel()
        self._soon = True  # a last `wake` finds nothing to do
        self._followers.end(self)
        self._let_go()


def is_asked_for(request: bytes) -> bool:
    """Whether a request of JSON-RPC is one to follow."""
    return _asked(request) is not None


def _asked(request: bytes) -> dict[str, object] | None:
    if METHOD.encode() not in request:
        return None
    try:
        document = json.loads(request)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and document.get("method") == METHOD else None


def _wanted(params: object) -> Wanted:
    found = params if isinstance(params, dict) else {}
    route, client, match = found.get("route") or "", found.get("client"), found.get("match") or ""
    if not isinstance(route, str) or not isinstance(match, str):
        raise TapRefused("route and match are texts")
    if client is not None and (not isinstance(client, int) or isinstance(client, bool)):
        raise TapRefused("client is a number, as in evapi.clients")
    return Wanted(route, client, match)


def _document(members: Mapping[str, object]) -> bytes:
    if "kind" not in members:
        members = {"jsonrpc": "2.0", **members}
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def _parts(lines: list[bytes]) -> list[bytes]:
    """The lines, as many together as are sent at once."""
    parts, part, size = [], list[bytes](), 0
    for line in lines:
        if part and size + len(line) > PART:
            parts.append(b"".join(part))
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        parts.append(b"".join(part))
    return parts
