"""SIP messages come in, and the script's blocks for them run. Sockets are elsewhere: replies wait in `World.outbox`.

What is refused before any block runs, and in which order the modules are asked, is as in core/receive.c: receive_msg.
"""

from __future__ import annotations

from evapi_cfg.compile.program import Program, loaded_modules
from evapi_cfg.modules import by_name
from evapi_cfg.modules.context import Level, Run, World, new_run, nothing_more
from evapi_cfg.modules.routes import Routes
from evapi_cfg.runtime.tasks import Tasks
from evapi_cfg.sip.message import Message, MessageError, Received
from evapi_cfg.source import show

_SHOWN = 60  # characters of a message that cannot be read in the log


class Requests:
    """Runs request_route for each request, and reply_route for each reply. `counted` is how many messages came."""

    def __init__(self, program: Program, tasks: Tasks) -> None:
        self.counted = 0
        self._tasks = tasks
        self.take(program)

    def take(self, program: Program) -> None:
        """From now on messages run this program's blocks."""
        self.world = program.world
        self._route = program.main.get("request_route")
        self._reply_route = program.main.get("onreply_route")
        modules = loaded_modules(program.config, by_name)
        self._before = [module.before_request for module in modules if module.before_request is not None]
        self.world.before_request = self._before
        self.world.after_request = [module.after_request for module in modules if module.after_request is not None]
        self._ends = [module.end for module in modules if module.end is not None]

    def receive(self, text: str, received: Received) -> None:
        """One whole message, with one character per byte."""
        self.counted += 1
        world = self.world
        world.runs += 1
        try:
            message = Message(text, received)
        except MessageError as error:
            if text.strip("\r\n\0\t "):
                self._drop(text, received, str(error))
            return
        message.number = world.runs
        fault = message.fault()
        if fault:
            self._drop(text, received, fault)
        elif message.is_request:
            self._request(message)
        elif self._reply_route is not None:
            run = new_run(world, world.request_vars, message, "onreply_route", Routes.CORE_ONREPLY)
            self._tasks.perform(self._reply_route, run, nothing_more)

    def _request(self, message: Message) -> None:
        run = _RequestRun(self.world, message)
        for before in self._before:
            if not before(run):
                return
        route = self._route
        if route is None:
            self._after(run)
            return
        self._tasks.perform(route, run, self._after)

    def _after(self, run: Run) -> None:
        for behind in run.world.after_request:
            behind(run)

    def end(self) -> None:
        """The modules do what they have left to do; nothing runs behind it."""
        for end in self._ends:
            end(self.world)

    def _drop(self, text: str, received: Received, why: str) -> None:
        log = self.world.log
        if log.threshold >= Level.ERROR:
            start = show(text[:_SHOWN])
            log(
                Level.ERROR,
                "core",
                f"a message from {received.source}:{received.source_port} is dropped: {why}: {start!r}",
            )


class _RequestRun(Run):
    """A run of request_route."""

    route = "request_route"
    kind = Routes.REQUEST
    dispatcher = False
    client = None
    text = None

    def __init__(self, world: World, message: Message) -> None:
        self.world = world
        self.vars = world.request_vars
        self.message = message
