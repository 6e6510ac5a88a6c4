"""The event server without sockets: connections, messages and time go in, bytes for clients come out of the hub.

Whoever owns the sockets calls `connect`, `receive` and `gone`, then writes what `hub.drain()` gives. `advance` goes on
with what waits for its time: runs that sleep, and timers of SIP. What SIP brings goes to `requests`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast
from weakref import proxy

from evapi_cfg.compile.program import Program, Route, loaded_modules
from evapi_cfg.modules import by_name, evapi
from evapi_cfg.modules.context import Level, Run, ScriptOver, World
from evapi_cfg.modules.core import WORKER_ONE_INIT
from evapi_cfg.protocol.bare import BareDecoder
from evapi_cfg.protocol.netstring import FaultKind, NetstringDecoder
from evapi_cfg.runtime.hub import EventClient, EventHub
from evapi_cfg.runtime.measures import InRow, Measures, TimedTasks, count_relays, snapshot
from evapi_cfg.runtime.rate import WAIT, Rate
from evapi_cfg.runtime.requests import Requests
from evapi_cfg.runtime.tasks import Tasks
from evapi_cfg.source import Span

MAX_FRAME = 32767  # Kamailio reads frames up to this, header and comma included (CLIENT_BUFFER_SIZE - 1)
WAITING_MOST = 256  # messages of one client that wait for their turn before its socket is no longer read
WAITING_FEW = 64  # and how few there are before it is read again
PENDING_MOST = 1 << 20  # characters for one client that may pile up before the sockets get their turn; see EventHub

_HINTS = {
    FaultKind.EMPTY: "an empty frame `0:,` was skipped; Kamailio drops everything behind it in the same read",
    FaultKind.CUT_LENGTH: "a frame's length came in two reads and was put together; Kamailio loses such a frame",
}


class Engine:
    """Runs a program's event routes. `hub` must be the one that the program's world was made with."""

    def __init__(
        self, program: Program, hub: EventHub, *, max_frame: int = MAX_FRAME, measures: Measures | None = None
    ) -> None:  # fmt: skip
        self.hub = hub
        self.max_frame = max_frame
        self.measures = measures or Measures()
        self.looked_on: Callable[[EventClient, list[str]], None] | None = None  # is told what clients send
        hub.measure = partial(snapshot, self)
        self.flush: Callable[[], None] | None = None  # called in the middle of much output, to keep memory bounded
        self.pending_most = PENDING_MOST
        self.hold = False  # messages that wait for their turn go on waiting: the sockets cannot keep up
        self.resumed: list[EventClient] = []  # clients whose sockets may be read again
        world = program.world
        self.netstrings = world.int_param("evapi", "netstring_format", 1) != 0
        workers = world.int_param("evapi", "workers", 1)
        self._slots = workers if workers > 0 else 1 << 30
        self._in_dispatcher = workers <= 0
        self._vars = world.new_space()  # $var of the evapi routes
        world.request_vars = world.new_space()
        world.timer_vars = world.new_space()
        self._tasks = TimedTasks(world, self.measures) if self.measures.timed else Tasks(world)
        self.requests = Requests(program, self._tasks)
        self._ready: list[tuple[int, EventClient]] = []  # a heap: who may begin, by the number of its next message
        self._received = 0  # messages that had to be numbered
        self._in_work = 0
        self._held = False  # messages wait only until what was sent for the last ones has gone out
        self._rate: Rate | None = None
        self._slowed = 0  # clients whose next message waits because of their rate
        self._started = False
        self.sip_unasked = False  # there would be SIP, but when the server began the file did not ask for it
        self.prints: Mapping[str, bytes] | None = None  # what runtime/reload.py compares programs by
        self._busy = 0  # clients one of whose runs is in work
        self._waiting: set[Run] = set()  # runs of events that are in work
        if self.measures.timed:
            count_relays(hub, self.measures)
        self._take(program)

    def _take(self, program: Program) -> None:
        self.program = program
        self.world = world = program.world
        self._on_new = program.events.get(evapi.CONNECTION_NEW)
        self._on_closed = program.events.get(evapi.CONNECTION_CLOSED)
        self._on_message = program.events.get(evapi.MESSAGE_RECEIVED)
        self._in_row: InRow | None = None  # the same route, timed
        if self.measures.timed and self._on_message is not None:
            self._in_row = InRow(self._on_message, self.measures.of_route(self._title(evapi.MESSAGE_RECEIVED)))
        self.measures.watch(world)
        waiting = program.waiting
        # A client's messages also wait for its connection-new, which may close it or give it a tag.
        self._may_wait = not waiting.isdisjoint(map(self._title, (evapi.MESSAGE_RECEIVED, evapi.CONNECTION_NEW)))
        self._message_waits = self._may_wait or self._busy > 0
        self._new_run = _run_class(self._title(evapi.CONNECTION_NEW), True, world, self._vars)
        self._closed_run = _run_class(self._title(evapi.CONNECTION_CLOSED), True, world, self._vars)
        self._message_run = _run_class(self._title(evapi.MESSAGE_RECEIVED), self._in_dispatcher, world, self._vars)
        self._missing_told = False

    def take_over(self, program: Program) -> None:
        """From now on this program runs what happens, with the clients and all that waits for its turn. Runs that are
        in work come to their end as they began; a client's next message waits for them."""
        world, old = program.world, self.world
        for run in self._waiting:
            run.world = old
        for kind in (self._new_run, self._closed_run, self._message_run):
            kind.world = proxy(old)  # it must not keep it
        self.hub.limit = most_clients(world)
        self._tasks.belong_to(world)
        self.requests.take(program)
        self._take(program)

    @staticmethod
    def _title(event: str) -> str:
        return f"event_route[{event}]"

    @property
    def idle(self) -> bool:
        """Nothing is in work and nothing waits for its turn."""
        return not self._in_work and not self._ready and not self._tasks.waiting and not self._slowed

    def limit_rate(self, per_second: float) -> None:
        """From now on no client's messages begin faster than that; 0: as fast as they come."""
        self._rate = Rate(per_second, self.world.clock.monotonic) if per_second else None

    def start(self) -> None:
        """The modules begin their work and event_route[core:worker-one-init] runs, once, before any client is there.
        What the modules' routes leave in `World.vars` is what each space of $var begins with, as where a process
        becomes others. A second call does nothing."""
        if self._started:
            return
        self._started = True
        before = dict(self.world.vars)
        for module in loaded_modules(self.program.config, by_name):
            if module.start is not None:
                module.start(self.world)
        left = {name: value for name, value in self.world.vars.items() if before.get(name) != value}
        for space in (self._vars, self.world.request_vars, self.world.timer_vars):
            space.update(left)
        route = self.program.events.get(WORKER_ONE_INIT)
        if route is not None:
            run = _run_class(self._title(WORKER_ONE_INIT), False, self.world, self.world.request_vars)(None, None)
            self._begin(route, run, None)

    # ---- what happens to a connection

    def connect(self, address: str, port: int) -> EventClient | None:
        """A new connection; None if there are too many: it must be closed, no event runs."""
        client = self.hub.join(address, port)
        if client is None:
            self.measures.refused["max_clients"] += 1
            self._log(
                Level.ERROR,
                f"too many clients: {address}:{port} is refused, max_clients is {self.hub.limit}",
            )
            return None
        self.measures.connections += 1
        client.decoder = NetstringDecoder(self.max_frame) if self.netstrings else BareDecoder(self.max_frame)
        if self._on_new is not None:
            self._begin(self._on_new, self._new_run(client, None), client)
        return client

    def receive(self, client: EventClient, data: bytes) -> None:
        """Bytes of a client. Afterwards `client.connected` is False if it must be closed, `client.full` True if it
        should not be read for now."""
        decoder = client.decoder
        messages = decoder.feed(data)
        client.bytes_received += len(data)
        if messages:
            client.received += len(messages)
            if self.looked_on is not None:
                self.looked_on(client, messages)
            route = self._on_message
            if route is None:
                self._tell_missing()
            elif self._message_waits or client.waiting or self._rate is not None:
                self._wait_for_turn(client, messages)
                self._take_turns()
                few = WAITING_MOST if self._rate is None else 0
                if client.waiting and (self._held or len(client.waiting) > few):
                    client.full = True
            else:
                new, hub, world, most = self._message_run, self.hub, self.world, self.pending_most
                if self._in_row is not None:
                    route = self._in_row.route
                    self._in_row.begin()
                rest = iter(messages)
                for text in rest:
                    if not client.connected:
                        break
                    world.runs += 1
                    run = new(client, text)
                    try:
                        route(run)
                    except ScriptOver:
                        pass
                    except Exception as error:
                        self._tasks.crashed(run, error)
                    if hub.pending > most and self.flush is not None:
                        # So much output for one read: those who read it must get a chance to before there is more.
                        self.flush()
                        self._wait_for_turn(client, list(rest))
                        client.full = bool(client.waiting)
                        self._held = self._held or client.full
                        break
        if decoder.faults:
            self._faults(client)

    def gone(self, client: EventClient, *, reads: bool = True) -> None:
        """The client has closed its side, or its connection broke. What connection-closed relays still goes to it,
        since it may have closed one direction only; not so if it `reads` no more."""
        if not client.connected:
            return
        if reads and self._in_dispatcher and (client.busy or client.waiting):
            # Without workers Kamailio looks at nothing else until what this client sent has been worked off.
            client.leaving = True
            return
        if self._on_closed is not None:
            self._begin(self._on_closed, self._closed_run(client, None), None)
        if reads:
            self.hub.close(client)
        else:
            self.hub.leave(client)

    def cut(self, client: EventClient, reason: str, *, reads: bool) -> None:
        """Ends a connection from this side for a reason that the log tells."""
        self.measures.cut += 1
        self._log(Level.ERROR, f"client {client.conidx} ({client.address}:{client.port}) is cut: {reason}")
        self.gone(client, reads=reads)

    # ---- runs that wait

    def next_time(self) -> float | None:
        """When `advance` has something to do, on the monotonic clock; None: never."""
        if self._held:
            return 0.0
        return self.world.timers.next_time()

    def advance(self) -> None:
        """Goes on with what is due, and with messages that were held back."""
        self._held = False
        self.world.timers.advance()
        self._take_turns()

    def _begin(self, route: Route, run: Run, client: EventClient | None, slots: int = 0) -> None:
        """Runs a block. `client`: whose messages wait until it ends; `slots`: workers that it takes, 1 for a
        message."""
        self.world.runs += 1
        coroutine = self._tasks.start(route, run)
        if coroutine is None:
            if client is not None:
                self._next_of(client, run)
            return
        self._in_work += slots
        self._waiting.add(run)
        if client is not None:
            client.busy = True
            self._busy += 1

        def done(run: Run) -> None:
            self._in_work -= slots
            self._waiting.discard(run)
            if client is not None:
                client.busy = False
                self._busy -= 1
                if not self._busy:
                    self._message_waits = self._may_wait
                self._next_of(client, run)

        self._tasks.go_on_later(run, coroutine, done)

    # ---- messages that wait for their turn

    def _wait_for_turn(self, client: EventClient, messages: list[str]) -> None:
        if not client.connected:
            return
        waiting = client.waiting
        if waiting is None:
            waiting = client.waiting = deque()
        first = self._received
        waiting.extend(enumerate(messages, first))
        self._received += len(messages)
        if not client.busy and waiting and waiting[0][0] == first:
            self._line_up(client)

    def _line_up(self, client: EventClient) -> None:
        """The client's next message begins as soon as a worker is free, but not before its rate allows that."""
        if self._rate is None or self._rate.take(client):
            heapq.heappush(self._ready, (cast("deque[tuple[int, str]]", client.waiting)[0][0], client))
        else:
            self._slowed += 1
            self.world.timers.queue(WAIT, self._no_longer_slowed).start(client)

    def _no_longer_slowed(self, client: EventClient) -> None:
        self._slowed -= 1
        self._line_up(client)

    def _take_turns(self) -> None:
        """Begins waiting messages while there is a worker for them; a client's next waits for its last."""
        if self.hold:
            self._held = bool(self._ready)
            return
        while self._ready and self._in_work < self._slots:
            if self.hub.pending > self.pending_most and self.flush is not None:
                self.flush()
                self._held = True
                return
            client = heapq.heappop(self._ready)[1]
            waiting = cast("deque[tuple[int, str]]", client.waiting)
            text = waiting.popleft()[1]
            route = self._on_message or self._drop  # the program that has taken over may have no such route
            if client.full and len(waiting) < WAITING_FEW:
                client.full = False
                self.resumed.append(client)
            self._begin(route, self._message_run(client, text), client, 1)

    def _next_of(self, client: EventClient, last: Run) -> None:
        """The client's next message may begin. There is none behind one that closed the connection."""
        if client.waiting:
            if last.closed:
                client.waiting.clear()
            else:
                self._line_up(client)
        elif client.leaving:
            client.leaving = False
            self.gone(client)

    # ---- log

    def _log(self, level: Level, message: str, at: Span | None = None, route: str = "") -> None:
        if level <= self.world.log.threshold:
            self.world.log(level, "evapi", message, at, route)

    def _drop(self, run: Run) -> int:
        self._tell_missing()
        return 1

    def _tell_missing(self) -> None:
        if not self._missing_told:
            self._missing_told = True
            self._log(Level.WARNING, f"messages are dropped: there is no {self._title(evapi.MESSAGE_RECEIVED)}")

    def _faults(self, client: EventClient) -> None:
        faults, client.decoder.faults = client.decoder.faults, []
        who = f"client {client.conidx} ({client.address}:{client.port})"
        for fault in faults:
            hint = _HINTS.get(fault.kind)
            if hint is not None:
                if fault.kind not in client.hinted:
                    client.hinted.add(fault.kind)
                    self._log(Level.NOTICE, f"{who}: {hint}")
            elif fault.kind is FaultKind.TOO_LONG:
                size = f"{fault.size} bytes" if fault.size else "an impossible length"
                if client.connected:
                    self.cut(client, f"a frame of {size}, at most {self.max_frame} are taken (--max-frame)", reads=True)
            else:
                self._log(
                    Level.WARNING,
                    f"{who}: {fault.kind.value} at {_quoted(fault.shown)}: {fault.size} bytes are dropped"
                    f"{_likely_cause(fault.shown)}",
                )


def make_hub(world: World) -> EventHub:
    """The hub that the modparams ask for."""
    netstrings = world.int_param("evapi", "netstring_format", 1) != 0
    return EventHub(most_clients(world), netstrings=netstrings)


def most_clients(world: World) -> int:
    return max(world.int_param("evapi", "max_clients", 8), 0)


class _EventRun(Run):
    """A run of one event. What is the same for all runs of that event stands in a class of its own (see
    `_run_class`), so that making one costs two assignments."""

    def __init__(self, client: EventClient | None, text: str | None) -> None:
        self.client = client
        self.text = text


def _run_class(title: str, in_dispatcher: bool, world: World, vars: dict[str, int | str]) -> type[_EventRun]:
    return type("Run", (_EventRun,), {"route": title, "dispatcher": in_dispatcher, "world": world, "vars": vars})


def _quoted(text: str) -> str:
    return repr(text)


def _likely_cause(shown: str) -> str:
    start = shown.lstrip(" \t\r\n")[:1]
    if start in ("{", "["):
        return "; does the client send JSON without a netstring around it?"
    if start.isalpha():
        return "; does the client send bare text? `netstring_format` 0 takes it"
    return ""
