"""What the module keeps: what queries are like unless a route says otherwise, and which query was the last."""

from __future__ import annotations

from typing import Final, NamedTuple

from evapi_cfg.modules.context import Run, World
from evapi_cfg.modules.outside import Query

NAME: Final = "http_async_client"


class Settings:
    """What `$http_req(...)` asks of the next query."""

    __slots__ = (
        "authmethod", "body", "ca_path", "client_cert", "client_key", "follow", "headers", "method", "password",
        "suspend", "timeout", "username",
    )  # fmt: skip

    def __init__(self, world: World) -> None:
        def number(name: str, default: int) -> int:
            return world.int_param(NAME, name, default)

        self.headers: list[str] = []
        self.method = ""
        self.body = ""
        self.timeout = number("connection_timeout", 500)  # milliseconds
        self.suspend = True
        self.follow = number("curl_follow_redirect", 0) & 1
        self.authmethod = number("authmethod", 3)
        self.username = ""
        self.password = ""
        self.client_cert = world.str_param(NAME, "tls_client_cert", "")
        self.client_key = world.str_param(NAME, "tls_client_key", "")
        self.ca_path = world.str_param(NAME, "tls_ca_path", "")

    def query(self, world: World, url: str) -> Query:
        return Query(
            url=url,
            method=self.method,
            headers=tuple(self.headers),
            body=self.body,
            timeout=(self.timeout & 0xFFFFFFFF) / 1000,
            follow=self.follow != 0,
            authmethod=self.authmethod,
            username=self.username or None,
            password=self.password,
            verify_peer=world.int_param(NAME, "tls_verify_peer", 1) != 0,
            verify_host=world.int_param(NAME, "tls_verify_host", 1) != 0,
            version=world.int_param(NAME, "tls_version", 0),
            client_cert=self.client_cert,
            client_key=self.client_key,
            ca_path=self.ca_path,
        )


class _Process(NamedTuple):
    """A process of Kamailio's: they count their queries each by itself."""

    offset: int
    counted: int = 0
    last: str = ""


class State:
    """`vars` is $var of the routes that answers run, whose own process Kamailio has for them."""

    def __init__(self, world: World) -> None:
        self._vars: dict[str, int | str] | None = None
        self._processes: dict[int, _Process] = {}  # by their spaces of $var
        self.hinted = False  # what Kamailio makes of several answers to one query has been told

    def vars(self, world: World) -> dict[str, int | str]:
        if self._vars is None:
            self._vars = world.new_space()
        return self._vars

    def take_over(self, before: State) -> None:
        """Goes on where the one of the program before has been."""
        self._vars, self._processes, self.hinted = before._vars, before._processes, before.hinted

    def last_id(self, run: Run) -> str:
        """The last query that this process of Kamailio would have sent."""
        process = self._processes.get(id(run.vars))
        return "" if process is None else process.last

    def next_id(self, run: Run) -> str:
        """The next query's: a process, and a number that it counts."""
        key = id(run.vars)
        process = self._processes.get(key) or _Process(len(self._processes))
        counted = process.counted + 1
        # All of them are one process here, and yet no two queries may have the same.
        made = f"{run.world.pid + process.offset}-{counted}"
        self._processes[key] = process._replace(counted=counted, last=made)
        return made


def state_of(world: World) -> State:
    state = world.state[NAME]
    assert isinstance(state, State)
    return state


def settings_of(run: Run) -> Settings:
    """What the run has asked of its next query."""
    if run.extra is None:
        run.extra = {}
    found = run.extra.get(NAME)
    if not isinstance(found, Settings):
        found = run.extra[NAME] = Settings(run.world)
    return found


def taken_settings(run: Run) -> Settings:
    """The same for the query that is sent now: they are in force for it alone."""
    found = None if run.extra is None else run.extra.pop(NAME, None)
    return found if isinstance(found, Settings) else Settings(run.world)
