"""What routes may ask of the world outside: a command of this machine, an HTTP server. Who does it is handed in as
`World.outside`; here is only how it is asked, what comes back, and how a run waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Outcome(Generic[T]):
    """What a run waits for: `await outcome` stops it until somebody calls `give`, once; nobody else waits.

    `go_on` is for whoever runs the route.
    """

    __slots__ = ("_value", "given", "go_on")

    def __init__(self) -> None:
        self.given = False
        self.go_on: Callable[[], None] | None = None
        self._value: T | None = None

    def give(self, value: T) -> None:
        """Goes on with the run that waits."""
        if self.given:
            raise RuntimeError("an outcome is given once")
        self.given = True
        self._value = value
        if self.go_on is not None:
            self.go_on()

    def __await__(self) -> Generator[Outcome[T], None, T]:
        if not self.given:
            yield self
        return self._value  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Command:
    """A line for the shell. Texts have one character per byte.

    `input` is what it may read; `environment` is added to the server's own. `output`: what it prints is wanted.
    `seconds`: how long it may take, 0 without end.
    """

    line: str
    input: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    output: bool = False
    seconds: float = 0.0


class Finished(NamedTuple):
    """How a command ended: its exit status, or None with what happened instead; and what it printed."""

    status: int | None
    output: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A request to an HTTP server, as libcurl would be asked for it. Texts have one character per byte.

    `method` "" is what goes with the body: POST where there is one, else GET. `headers` are lines. `timeout`: seconds
    in which something must happen, each time. `authmethod`: 1 Basic, 2 Digest, 3 either. `follow`: goes where answers
    point to. Of TLS, `version` is CURLOPT_SSLVERSION's number; paths are of files, `ca_path` of a folder.
    """

    url: str
    method: str = ""
    headers: tuple[str, ...] = ()
    body: str = ""
    timeout: float = 0.5
    follow: bool = False
    authmethod: int = 3
    username: str | None = None
    password: str = ""
    verify_peer: bool = True
    verify_host: bool = True
    version: int = 0
    client_cert: str = ""
    client_key: str = ""
    ca_path: str = ""


class Times(NamedTuple):
    """When something had been done, in microseconds from the query on (curl_easy_getinfo: CURLINFO_*_TIME)."""

    total: int = 0
    lookup: int = 0
    connect: int = 0
    redirect: int = 0
    appconnect: int = 0
    pretransfer: int = 0
    starttransfer: int = 0


class Answer(NamedTuple):
    """What came of a query: the last answer's status line, headers and body as one text, or None with what happened
    instead. `hops` is how many other answers preceded it: redirections, and requests for credentials."""

    text: str | None
    error: str = ""
    times: Times = Times()
    hops: int = 0


class Outside(Protocol):
    """Does what routes ask for, and calls `done` with what came of it: once, at once or later, from the thread that
    drives the app. Where it is later, the app has then something to do: see `App.advance`."""

    def execute(self, command: Command, done: Callable[[Finished], None]) -> None: ...

    def fetch(self, query: Query, done: Callable[[Answer], None]) -> bool:
        """False: there are too many under way already, and `done` is not called."""
        ...
