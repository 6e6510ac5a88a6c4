"""A kamailio.cfg, loaded and ready to be driven: by sockets (`server`) or by hand, in an application's own tests.

Nothing here does I/O but for reading the configuration and the scripts that it names, which run when they are loaded.
"""

from __future__ import annotations

import random as _random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evapi_cfg.check.report import Report, check_file, check_text
from evapi_cfg.compile.program import NotRun, Program
from evapi_cfg.kemi import CALLBACK_TIMEOUT
from evapi_cfg.modules.context import Clock, Level, Log, Reload, World
from evapi_cfg.modules.outside import Outside
from evapi_cfg.protocol import netstring
from evapi_cfg.runtime.engine import MAX_FRAME, Engine, make_hub
from evapi_cfg.runtime.hub import EventClient, EventHub
from evapi_cfg.runtime.loading import ConfigError as ConfigError
from evapi_cfg.runtime.loading import Loading, routes_at
from evapi_cfg.runtime.log import LogWriter
from evapi_cfg.runtime.measures import Measures
from evapi_cfg.runtime.overrides import Override
from evapi_cfg.runtime.reload import Prepared, prepare, take_over
from evapi_cfg.sip.message import Received, Socket
from evapi_cfg.sip.uri import DEFAULT_PORT, UDP
from evapi_cfg.source import Span, store
from evapi_cfg.steps import at_once


@dataclass(frozen=True, slots=True)
class Record:
    """One log line: `level` is Kamailio's (-1 ERROR, 0 WARNING, 2 INFO ...), `source` is `script` for xlog's."""

    level: int
    source: str
    message: str
    line: int = 0
    route: str = ""


class Records:
    """A log that keeps its lines: the default of an `App` that is driven by hand."""

    def __init__(self, threshold: int = Level.INFO) -> None:
        self.threshold = threshold
        self.lines: list[Record] = []

    def __call__(self, level: int, source: str, message: str, at: Span | None = None, route: str = "") -> None:
        if level <= self.threshold:
            line = at.file.line_number(at.start) if at is not None and at.file.text else 0
            self.lines.append(Record(level, source, message, line, route))


class Peer:
    """A client that is connected without a socket."""

    def __init__(self, app: App, client: EventClient | None) -> None:
        self._app = app
        self._client = client
        self._received = bytearray()

    @property
    def connected(self) -> bool:
        """Whether the server still has the connection open."""
        return self._client is not None and self._client.connected

    def send(self, data: bytes) -> None:
        """Hands the server bytes, as a socket would bring them: cut anywhere."""
        if self._client is not None and self._client.connected:
            self._app.engine.receive(self._client, data)
            self._app.deliver()

    def send_message(self, message: bytes | str) -> None:
        """Hands the server one message, framed as the configuration asks."""
        body = message.encode() if isinstance(message, str) else message
        self.send(netstring.encode(body) if self._app.engine.netstrings else body)

    def receive(self) -> bytes:
        """All bytes that the server has sent since the last call."""
        data = bytes(self._received)
        self._received.clear()
        return data

    def close(self) -> None:
        """Closes this side."""
        if self._client is not None:
            self._app.engine.gone(self._client)
            self._app.deliver()

    def _take(self, data: bytes) -> None:
        self._received += data


class SipPeer:
    """Somebody who sends SIP requests without a socket, from one address."""

    def __init__(self, app: App, address: str, port: int) -> None:
        usual = Socket(UDP, "127.0.0.1", DEFAULT_PORT)
        socket = next((socket for socket in app.program.world.sockets if socket.protocol == UDP), usual)
        self._app = app
        self._received = Received(UDP, address, port, socket.address, socket.port, socket, _Inbox(self))
        self._replies: list[bytes] = []

    def send(self, message: bytes | str) -> None:
        """Hands the server one datagram."""
        text = message if isinstance(message, str) else message.decode("latin-1")
        self._app.engine.requests.receive(text, self._received)
        self._app.deliver()

    def receive(self) -> list[bytes]:
        """The replies that have come since the last call, wherever the request's Via sent them."""
        replies, self._replies = self._replies, []
        return replies

    def _take(self, data: bytes) -> None:
        self._replies.append(data)


class _Inbox:
    """Brings replies to a SipPeer."""

    def __init__(self, peer: SipPeer) -> None:
        self._peer = peer

    def send(self, received: Received, port: int, text: str) -> None:
        self._peer._take(text.encode("latin-1"))


class App:
    """A loaded configuration with its engine. `report` has the checker's warnings."""

    def __init__(
        self,
        program: Program,
        hub: EventHub,
        report: Report,
        *,
        loading: Loading | None = None,
        max_frame: int = MAX_FRAME,
        measures: Measures | None = None,
    ) -> None:
        self.report = report
        self.loading = loading or Loading()
        self.engine = Engine(program, hub, max_frame=max_frame, measures=measures)
        self.sip_addresses: tuple[Socket, ...] = ()  # what it listens on, while it is served with SIP

    @property
    def program(self) -> Program:
        """The one in force."""
        return self.engine.program

    @property
    def wants_sip(self) -> bool:
        """Whether the configuration has to do with SIP messages: it says where to listen, or has a block for them."""
        return bool(self.program.world.sockets) or not {"request_route", "onreply_route"}.isdisjoint(self.program.main)

    @property
    def log(self) -> Log:
        return self.program.world.log

    @property
    def not_run(self) -> tuple[NotRun, ...]:
        """What the configuration uses of Kamailio that does not run here."""
        return self.program.not_run

    def connect(self, address: str = "127.0.0.1", port: int = 50000) -> Peer:
        """Connects a client without a socket; `connected` is False if the server refuses it."""
        if self.engine.flush is not None:
            raise RuntimeError("this App is served on sockets: load another one to drive it by hand")
        self.engine.start()
        client = self.engine.connect(address, port)
        peer = Peer(self, client)
        if client is not None:
            client.peer = peer
        self.deliver()
        return peer

    def sip_peer(self, address: str = "127.0.0.1", port: int = 5062) -> SipPeer:
        """Somebody who sends SIP requests without a socket."""
        if self.engine.flush is not None:
            raise RuntimeError("this App is served on sockets: load another one to drive it by hand")
        self.engine.start()
        return SipPeer(self, address, port)

    def reload(self, cfg: Report | str, name: str = "", *, defines: Mapping[str, str | None] | None = None) -> Reload:
        """Lets another configuration take over: a report of the checker, or a text, with the modparams that were given
        when the app was loaded. Clients stay connected; what else lives on is in the README. Raises ConfigError, or
        ValueError as load_file, and nothing has changed then."""
        if isinstance(cfg, str):
            cfg = check_text(store(cfg), name or self.report.files[0].name, defines=defines or {})
        return self.take_over(at_once(prepare(self.engine, cfg, self.loading)))

    def take_over(self, prepared: Prepared) -> Reload:
        """The second half of `reload`."""
        made = take_over(self.engine, prepared, self.loading)
        self.report = prepared.report
        if isinstance(self.log, LogWriter):
            self.log.routes_at = routes_at(self.program.config)
        if self.engine.flush is None:
            self.deliver()
        else:
            self.engine.flush()
        return made

    def advance(self) -> None:
        """Goes on with what waits and whose time has come, by the clock that the app was loaded with; to be called as
        well when an `outside` of your own has brought something."""
        self.engine.advance()
        self.deliver()

    def deliver(self) -> None:
        for client, data in self.engine.hub.drain():
            if isinstance(client.peer, Peer):
                client.peer._take(data)
        self.engine.resumed.clear()
        outbox = self.program.world.outbox
        for received, port, text in outbox:
            if received.way is not None:
                received.way.send(received, port, text)
        outbox.clear()


def load_file(
    path: str,
    *,
    defines: Mapping[str, str | None] | None = None,
    params: Iterable[Override] = (),
    log: Log | None = None,
    clock: Clock | None = None,
    random: _random.Random | None = None,
    max_frame: int = MAX_FRAME,
    allow_exec: bool = False,
    outside: Outside | None = None,
    callback_timeout: float = CALLBACK_TIMEOUT,
) -> App:
    """Reads, checks and loads a kamailio.cfg.

    `defines` are as `-A` on the command line, `params` modparams that come after the file's: (module, name, value).
    `log` gets the log lines; by default they are kept in `app.log.lines`. `max_frame`: bytes of the longest frame.
    `allow_exec`: the functions of module exec may run commands. `outside` does what routes ask of the world outside:
    commands, and queries to HTTP servers; without one they fail until `serve` brings its own.
    `callback_timeout`: seconds that a function of a script in Python or Lua may take, 0 for any time.
    Raises ConfigError where the checker finds errors or a script does not load, SourceError where the file cannot be
    read, ValueError where `params` names what no loaded module has, or gives it a value that it does not take.
    """
    report = check_file(path, defines=defines or {})
    return load_report(
        report,
        params=params,
        log=log,
        clock=clock,
        random=random,
        max_frame=max_frame,
        allow_exec=allow_exec,
        outside=outside,
        callback_timeout=callback_timeout,
    )


def load_text(
    text: str,
    name: str = "<text>",
    *,
    defines: Mapping[str, str | None] | None = None,
    params: Iterable[Override] = (),
    log: Log | None = None,
    clock: Clock | None = None,
    random: _random.Random | None = None,
    max_frame: int = MAX_FRAME,
    allow_exec: bool = False,
    outside: Outside | None = None,
    callback_timeout: float = CALLBACK_TIMEOUT,
) -> App:
    """As load_file, for a configuration that is at hand as text."""
    report = check_text(store(text), name, defines=defines or {})
    return load_report(
        report,
        params=params,
        log=log,
        clock=clock,
        random=random,
        max_frame=max_frame,
        allow_exec=allow_exec,
        outside=outside,
        callback_timeout=callback_timeout,
    )


def load_report(
    report: Report,
    *,
    params: Iterable[Override] = (),
    log: Log | None = None,
    clock: Clock | None = None,
    random: _random.Random | None = None,
    max_frame: int = MAX_FRAME,
    allow_exec: bool = False,
    outside: Outside | None = None,
    callback_timeout: float = CALLBACK_TIMEOUT,
    measures: Measures | None = None,
) -> App:
    """Loads what has been checked already; raises ConfigError where errors were found or a script does not load,
    ValueError as load_file. `measures` counts on where another program has counted."""
    loading = Loading(tuple(params), callback_timeout)
    log = log if log is not None else Records()
    # The modparams decide what the hub is like, and they are known once the program is loaded.
    world = World(hub=EventHub(0), log=log, clock=clock, random=random)
    world.outside = outside
    world.permits = frozenset(("exec",) if allow_exec else ())
    program = at_once(loading.program(report, world))
    made = make_hub(world)
    world.hub = made
    if isinstance(log, LogWriter):
        log.routes_at = routes_at(program.config)
    program = loading.with_scripts(program, report)
    return App(program, made, report, loading=loading, max_frame=max_frame, measures=measures)
