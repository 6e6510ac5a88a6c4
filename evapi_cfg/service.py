"""`evapi-cfg run`: from a checked configuration to a server that runs until it is told to stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from evapi_cfg.check.elsewhere import Answer, Wanted, watched_of
from evapi_cfg.check.report import Report
from evapi_cfg.compile.program import NotRun
from evapi_cfg.diagnostics import full
from evapi_cfg.diagnostics.model import Severity
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.http_async_client.state import NAME as HTTP_ASYNC_CLIENT
from evapi_cfg.runtime.app import App, ConfigError, load_report
from evapi_cfg.runtime.log import LogFormat, LogWriter, parse_level
from evapi_cfg.runtime.measures import Measures
from evapi_cfg.runtime.overrides import Override, OverrideRefused
from evapi_cfg.runtime.reload import Prepared, prepare
from evapi_cfg.server import (
    CannotListen,
    Door,
    DoorRefused,
    EventServer,
    HttpClientMissing,
    Limits,
    LogStream,
    MetricsAddress,
    MetricsMissing,
    NotReloaded,
    Reloading,
    RpcPath,
    TlsFiles,
    check_installed,
    configured_address,
    is_terminal,
    reaches_beyond_loopback,
    run_until_told,
    shown,
)
from evapi_cfg.sip.uri import PROTOCOL_NAMES
from evapi_cfg.steps import Steps
from evapi_cfg.syntax.ast import CoreParam, LoadModule
from evapi_cfg.syntax.parse import SourceError

DONE, FAULTY, UNABLE, CANNOT_LISTEN = 0, 1, 2, 3  # exit statuses


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of `evapi-cfg run`."""

    strict: bool
    params: tuple[Override, ...]
    log_level: str  # "" takes the file's `debug`
    log_format: LogFormat
    limits: Limits
    max_frame: int  # bytes
    callback_timeout: float  # seconds
    sip: bool  # whether to listen for SIP where the file says
    allow_exec: bool  # whether the file may run commands
    rpc: tuple[RpcPath, ...] = ()
    allow: tuple[str, ...] = ()  # networks whose clients are let in
    tls: TlsFiles | None = None
    metrics: MetricsAddress | None = None
    watch: bool = False  # whether to read the file again when it changes


def run(read: Callable[[], Report], options: Options, again: Wanted | None = None) -> int:
    """Serves until a signal comes; gives the exit status. `read` reads and checks the file, and raises SourceError;
    `again` is the file to be read once more while the server runs; None: it cannot be."""
    stream = LogStream()
    colour = is_terminal(2)
    level = parse_level(options.log_level)
    if options.log_level and level is None:
        stream(f"evapi-cfg: --log-level {options.log_level}: write ERROR, WARNING, NOTICE, INFO or DEBUG\n")
        return UNABLE
    door: Door | None = None
    try:
        if options.allow or options.tls is not None:
            door = Door(options.allow, options.tls)
    except DoorRefused as err:
        stream(f"evapi-cfg: {err}\n")
        return UNABLE
    try:
        report = read()
    except SourceError as err:
        stream(f"evapi-cfg: {err}\n")
        return UNABLE
    log = LogWriter(stream, form=options.log_format, colour=colour and options.log_format == "text", pid=os.getpid())
    stream.report = partial(_lost_lines, log)
    if report.errors:
        return _faulty(report, options, stream, log)
    if not _loads_evapi(report):
        log(Level.ERROR, "evapi", f"nothing to serve: {report.files[0].name} does not load module evapi")
        return FAULTY
    log.threshold = _own_level(report) if level is None else level
    try:
        app = load_report(
            report,
            params=options.params,
            log=log,
            max_frame=options.max_frame,
            callback_timeout=options.callback_timeout,
            allow_exec=options.allow_exec,
            measures=Measures(timed=options.metrics is not None),
        )
    except OverrideRefused as err:
        stream(f"evapi-cfg: --set {err}\n")
        return UNABLE
    except ConfigError as err:
        return _faulty(err.report, options, stream, log)
    app.program.world.pid = os.getpid()
    _log_diagnostics(report, log)
    if app.not_run:
        _tell_not_run(app, log)
        if options.strict:
            _say(log, Level.ERROR, "core", "--strict: refused to start, since the above does not run here")
            return FAULTY
    if not _is_guarded(app, door) and not _tell_unguarded(log, door, strict=options.strict):
        return FAULTY

    def ready(server: EventServer) -> None:
        for socket in app.sip_addresses:
            protocol = PROTOCOL_NAMES[socket.protocol].upper()
            _say(log, Level.INFO, "core", f"SIP over {protocol} on {shown(socket.address, socket.port)}")
        for place in options.rpc:
            _say(log, Level.INFO, "jsonrpcs", f"JSON-RPC on {place.path}")
        if server.metrics_address is not None:
            _say(log, Level.INFO, "core", f"metrics on http://{shown(*server.metrics_address)}/metrics")
        _say(log, Level.INFO, "evapi", f"listening on {shown(*server.address)}")

    readings = _Readings(app, again, options, log)
    reloading = Reloading(
        readings.wanted, readings.prepare, readings.took_over, readings.files if options.watch else None
    )
    try:
        run_until_told(
            app,
            options.limits,
            stream,
            ready,
            sip=options.sip,
            rpc=options.rpc,
            door=door,
            metrics=options.metrics,
            reloading=reloading,
        )
    except (HttpClientMissing, MetricsMissing) as err:
        _say(log, Level.ERROR, "http_async_client" if isinstance(err, HttpClientMissing) else "core", str(err))
        return UNABLE
    except CannotListen as err:
        _say(log, Level.ERROR, "evapi", str(err))
        if str(err).startswith("SIP"):
            _say(log, Level.ERROR, "evapi", "--no-sip leaves the SIP ports closed")
        return CANNOT_LISTEN
    finally:
        stream.close()
    return DONE


def _is_guarded(app: App, door: Door | None) -> bool:
    """Whether not just anybody can reach the clients' port. Where it cannot be told which port that is, listening will
    say so."""
    try:
        host, _port = configured_address(app)
    except CannotListen:
        return True
    return (door is not None and door.names_who) or not reaches_beyond_loopback(host)


def _tell_unguarded(log: LogWriter, door: Door | None, *, strict: bool) -> bool:
    """Says that everybody may connect; False where that is not to be."""
    encrypted = " (TLS without --tls-client-ca keeps nobody out)" if door is not None and door.secure else ""
    text = (
        f"anybody who reaches bind_addr may connect and send: --allow CIDR or --tls-client-ca FILE say who{encrypted}"
    )
    if strict:
        _say(log, Level.ERROR, "evapi", f"--strict: refused to start: {text}")
    else:
        log(Level.WARNING, "evapi", text)
    return not strict


class _Readings:
    """How the file is read again while the server runs: what would keep the server from starting keeps it from taking
    over."""

    def __init__(self, app: App, again: Wanted | None, options: Options, log: LogWriter) -> None:
        self._app = app
        self._again = again
        self._options = options
        self._log = log
        self._level = _own_level(app.report)
        self._watched = watched_of(app.report)

    def wanted(self) -> Wanted:
        """Raises NotReloaded."""
        if self._again is None:
            raise NotReloaded("standard input cannot be read a second time")
        return self._again

    def prepare(self, data: bytes) -> Steps[Prepared]:
        """Raises NotReloaded."""
        app = self._app
        answer = Answer(data)
        self._watched = answer.watched or self._watched
        if answer.bug:
            _say(self._log, Level.CRITICAL, "evapi", answer.bug)
        if answer.faults:
            raise NotReloaded(*answer.faults)
        report, prints = yield from answer.report()
        if not _loads_evapi(report):
            raise NotReloaded(f"{report.files[0].name} does not load module evapi")
        try:
            made = yield from prepare(app.engine, report, app.loading, prints)
            if HTTP_ASYNC_CLIENT in made.program.world.state:
                check_installed()
        except OverrideRefused as err:
            raise NotReloaded(f"--set {err}") from None
        except HttpClientMissing as err:
            raise NotReloaded(str(err)) from None
        if self._options.strict and made.program.not_run:
            raise NotReloaded(*(f"{_described(entry)} does not run here (--strict)" for entry in made.program.not_run))
        return made

    def took_over(self, made: Prepared) -> None:
        _log_diagnostics(made.report, self._log)
        if self._app.not_run:
            _tell_not_run(self._app, self._log)
        level = _own_level(made.report)
        if not self._options.log_level and level != self._level:
            self._log.threshold = level
        self._level = level

    def files(self) -> tuple[str, ...]:
        """The file, with what it includes and what scripts it names, as it was when it was read last."""
        return self._watched


def _loads_evapi(report: Report) -> bool:
    return any(isinstance(item, LoadModule) and item.module == "evapi" for item in report.config.items)


def _faulty(report: Report, options: Options, stream: LogStream, log: LogWriter) -> int:
    if options.log_format == "text":
        stream(full.render(report.diagnostics, colour=is_terminal(2)))
    else:
        _log_diagnostics(report, log)
    return FAULTY


def _own_level(report: Report) -> int:
    """What the file's `debug` says."""
    given = [item for item in report.config.items if isinstance(item, CoreParam) and item.name == "debug"]
    level = parse_level(str(given[-1].value[0].value)) if given and len(given[-1].value) == 1 else None
    return Level.WARNING if level is None else level


def _lost_lines(log: LogWriter, lost: int, why: str) -> str:
    return log.line(Level.ERROR, "core", f"{lost:,} log lines were lost: {why}")


def _say(log: LogWriter, level: Level, source: str, message: str) -> None:
    """Whatever the threshold is: why it does not start, and the line that everybody waits for."""
    before, log.threshold = log.threshold, max(log.threshold, level)
    log(level, source, message)
    log.threshold = before


def _log_diagnostics(report: Report, log: LogWriter) -> None:
    for diagnostic in report.diagnostics:
        level = Level.ERROR if diagnostic.severity is Severity.ERROR else Level.WARNING
        log(level, "check", f"{diagnostic.message} [{diagnostic.code.name}]", diagnostic.span)


def _reached_by_events(entry: NotRun) -> bool:
    return any(block.startswith("event_route[evapi:") for block in entry.blocks)


def _described(entry: NotRun) -> str:
    use = entry.use
    of = f" of module {use.module}" if use.module else ""
    return f"{use.span}: `{use.name}`{of}" + (f" ({use.unless})" if use.unless else "")


def _tell_not_run(app: App, log: LogWriter) -> None:
    lines = [
        f"  {_described(entry)}" + (f", reached from {', '.join(entry.blocks)}" if entry.blocks else "")
        for entry in sorted(app.not_run, key=lambda entry: not _reached_by_events(entry))
    ]
    log(Level.WARNING, "core", "\n".join(["this does not run here, and gives -1 or $null when it is reached:", *lines]))
