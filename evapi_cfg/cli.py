"""The command line: commands and flags. No decision about the language or the server is made here."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from evapi_cfg import __version__
from evapi_cfg.source import show, store

# What a command needs it imports itself: `explain` has no use for a parser, nor `check` for a server.
if TYPE_CHECKING:
    from evapi_cfg.check.report import Report
    from evapi_cfg.checking import Outcome
    from evapi_cfg.server import MetricsAddress, RpcPath, TlsFiles

WIDTH, WIDEST = 80, 110  # columns of text that is wrapped: not on a terminal, and on a wide one

app = typer.Typer(
    name="evapi-cfg",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="""Checks a kamailio.cfg and runs it as the TCP event server that Kamailio's EVAPI module would be.

    \b
    evapi-cfg check kamailio.cfg             what is wrong with the file, and where
    evapi-cfg run kamailio.cfg               serve it, at its own bind_addr
    evapi-cfg run --set evapi.bind_addr=127.0.0.1:0 kamailio.cfg
                                             the same, at any free port
    evapi-cfg run -A WITH_DEBUG kamailio.cfg as kamailio -A: with a #!define
    evapi-cfg explain unknown-function       what a code in the checker's brackets means
    evapi-cfg explain evapi_relay '$evapi'   what a function, a variable, a modparam ... is
    evapi-cfg run --watch kamailio.cfg       the same, and it is read again when it changes
    evapi-cfg run --rpc unix:./rpc.sock kamailio.cfg
                                             the same, and it answers JSON-RPC there
    evapi-cfg rpc --socket ./rpc.sock core.uptime
                                             which this asks for
    evapi-cfg top --socket ./rpc.sock        what the server does, live; tap: the messages as they pass

    evapi-cfg -c -f FILE answers as kamailio -c does, for programs that call that.

    Exit status: 0 all is well, 1 the file has errors, there is nothing to explain, or the answer is an error,
    2 it could not be done, 3 the server cannot listen.
    """,
)


class CheckFormat(StrEnum):
    full = "full"
    concise = "concise"
    json = "json"
    jsonl = "jsonl"
    github = "github"
    gitlab = "gitlab"
    sarif = "sarif"
    junit = "junit"
    kamailio = "kamailio"


class LogForm(StrEnum):
    text = "text"
    json = "json"
    kamailio = "kamailio"


def _fail(message: str, status: int = 2) -> NoReturn:
    print(f"evapi-cfg: {message}", file=sys.stderr)
    raise SystemExit(status)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"evapi-cfg {__version__}")
        raise typer.Exit


def _defines(values: Sequence[str]) -> dict[str, str | None]:
    made: dict[str, str | None] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            _fail(f"-A {value}: a name is letters, digits and underscores, as in -A WITH_X or -A PORT=5060")
        made[name] = store(text) if equals else None
    return made


def _params(values: list[str]) -> list[tuple[str, str, int | str]]:
    made: list[tuple[str, str, int | str]] = []
    for value in values:
        where, equals, text = value.partition("=")
        module, dot, name = where.partition(".")
        if not (equals and dot and module and name):
            _fail(f"--set {value}: write MODULE.PARAM=VALUE, as in --set evapi.workers=2")
        made.append((module, name, store(text)))
    return made


Defines = Annotated[list[str], typer.Option("-A", metavar="NAME[=VALUE]", help="A #!define, as with kamailio -A.")]


@app.callback()
def main_options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")] = False,
) -> None:
    pass


def _read(
    path: str,
    define: Sequence[str],
    version: str = "",
    instead: Mapping[str, str] | None = None,
    *,
    include_root: str = "",
    all_ifdefs: bool = False,
) -> Report:
    """What the checker finds. `instead`: texts that stand for those of files. Raises SourceError where the file cannot
    be read."""
    from evapi_cfg.catalog import TARGET
    from evapi_cfg.check.report import check_file, check_text
    from evapi_cfg.syntax.files import STDIN, Files

    texts = instead or {}
    version = version or TARGET

    def once(defines: Mapping[str, str | None], forced: Mapping[str, bool]) -> Report:
        files = Files(include_root, texts)
        if text is not None:
            return check_text(text, STDIN, defines=defines, version=version, files=files, forced=forced)
        return check_file(path, defines=defines, version=version, files=files, forced=forced)

    defines = _defines(define)
    text = None
    if path == "-":
        text = texts[STDIN] if STDIN in texts else _standard_input()
    if not all_ifdefs:
        return once(defines, {})
    from evapi_cfg.check.every_branch import check_every_branch

    return check_every_branch(once, defines)


def _report(
    path: str,
    define: Sequence[str],
    version: str,
    instead: Mapping[str, str],
    *,
    include_root: str = "",
    all_ifdefs: bool = False,
) -> Report | None:
    """The same; None where the file cannot be read, which is said here."""
    from evapi_cfg.syntax.parse import SourceError

    try:
        return _read(path, define, version, instead, include_root=include_root, all_ifdefs=all_ifdefs)
    except SourceError as err:
        print(f"evapi-cfg: {err}", file=sys.stderr)
        return None


def _standard_input() -> str:
    from evapi_cfg.syntax.files import read_all
    from evapi_cfg.syntax.parse import SourceError, reason

    try:
        return read_all(sys.stdin.buffer)
    except AttributeError:
        raise SourceError("cannot read standard input: it is closed") from None
    except OSError as err:
        raise SourceError(f"cannot read standard input: {reason(err)}") from None


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Configurations; - is standard input.")],
    define: Defines = [],  # noqa: B006
    format: Annotated[CheckFormat, typer.Option(help="How to print what was found.")] = CheckFormat.full,
    target: Annotated[
        str, typer.Option(metavar="VERSION", help="Whose functions and rules count: 5.6 to 6.2; otherwise 6.1.")
    ] = "",
    select: Annotated[
        list[str], typer.Option(metavar="CODE", help="Only these; unused-* takes all that begin so.")
    ] = [],  # noqa: B006
    ignore: Annotated[list[str], typer.Option(metavar="CODE", help="Not these.")] = [],  # noqa: B006
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as well: --fail-on warning.")] = False,
    fail_on: Annotated[str, typer.Option(metavar="LEVEL", help="Exit status 1 from: error, warning, never.")] = "",
    fix: Annotated[
        bool, typer.Option("--fix", help="Write the safe fixes into the files; standard input is printed with them.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would change, and change nothing.")] = False,
    all_ifdefs: Annotated[
        bool, typer.Option("--all-ifdefs", help="Check the text under every #!ifdef, not only the chosen one.")
    ] = False,
    include_root: Annotated[
        str, typer.Option(metavar="FOLDER", help="Read no included file that lies outside of it.")
    ] = "",
) -> None:
    """Says what is wrong with a kamailio.cfg: all errors, each with its place and a way out.

    A file .evapi-cfg.toml beside it can hold target, select, ignore, fail-on, defines and levels; a comment
    # evapi-cfg: ignore[CODE] in it takes back what is said about its line.

    Nothing of what the file says is done: no code is loaded, no name is resolved, nothing is written without --fix.
    """
    from evapi_cfg import checking

    if fix and diff:
        _fail("--fix and --diff: one of them")
    if include_root and not os.path.isdir(include_root):
        _fail(f"--include-root {include_root}: there is no such folder")
    wishes = checking.Wishes(
        target,
        tuple(select),
        tuple(ignore),
        "warning" if strict else fail_on,
        "fix" if fix else "diff" if diff else "",
        _coloured(),
    )
    read = partial(_report, include_root=include_root, all_ifdefs=all_ifdefs)
    try:
        outcome = checking.check(files, read, define, wishes)
    except checking.BadWish as err:
        _fail(str(err))
    if outcome.read:
        _say(outcome, format)
    raise typer.Exit(outcome.status)


def _say(outcome: Outcome, format: CheckFormat) -> None:
    """Prints what `check` has found and done."""
    from evapi_cfg import checking
    from evapi_cfg.diagnostics.terminal import clean

    for line in outcome.remarks:
        print(f"evapi-cfg: {clean(show(line))}", file=sys.stderr)
    report = "" if outcome.is_diff else checking.rendered(outcome, format.value, _coloured() and not outcome.text)
    if outcome.summary and (outcome.is_diff or format in (CheckFormat.full, CheckFormat.concise)):
        report += f"{outcome.summary}\n"
    if outcome.text is None:
        _print(report)
        return
    print(report, end="", file=sys.stderr)
    _print(outcome.text, "utf-8" if outcome.is_diff and _coloured() else "latin-1")


@app.command()
def run(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The configuration; - is standard input.")],
    strict: Annotated[bool, typer.Option(help="Refuse to start where the file uses what does not run here.")] = False,
    set_: Annotated[
        list[str], typer.Option("--set", metavar="MODULE.PARAM=VALUE", help="A modparam, after those of the file.")
    ] = [],  # noqa: B006
    define: Defines = [],  # noqa: B006
    log_level: Annotated[
        str, typer.Option(metavar="LEVEL", help="ERROR, WARNING, NOTICE, INFO, DEBUG; default: the file's debug=.")
    ] = "",
    log_format: Annotated[LogForm, typer.Option(help="The form of log lines.")] = LogForm.text,
    max_queue: Annotated[int, typer.Option(metavar="BYTES", help="What may wait for one client.")] = 8 << 20,
    max_total_queue: Annotated[int, typer.Option(metavar="BYTES", help="What may wait for all clients.")] = 256 << 20,
    send_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="Time in which a client must take some of what waits for it.")
    ] = 5.0,
    rate: Annotated[
        float, typer.Option(metavar="MESSAGES", help="Messages that one client may send a second; 0: no bound.")
    ] = 0.0,
    keepalive: Annotated[
        float, typer.Option(metavar="SECONDS", help="Time in which a client that is gone without a word is found.")
    ] = 60.0,
    max_frame: Annotated[int, typer.Option(metavar="BYTES", help="The longest frame.")] = 32767,
    drain: Annotated[float, typer.Option(metavar="SECONDS", help="Time for clients to read what is left.")] = 5.0,
    callback_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="Time for a function of a script in Python or Lua; 0: any.")
    ] = 5.0,
    sip: Annotated[bool, typer.Option("--sip/--no-sip", help="Listen for SIP where the file says.")] = True,
    allow_exec: Annotated[bool, typer.Option("--allow-exec", help="Let the file's exec_* run commands.")] = False,
    rpc: Annotated[
        list[str], typer.Option(metavar="unix:PATH", help="Answer JSON-RPC there, as kamcli asks; or unix-stream:PATH.")
    ] = [],  # noqa: B006
    allow: Annotated[
        list[str], typer.Option(metavar="CIDR", help="Who may connect, such as 10.0.0.0/8; otherwise everybody.")
    ] = [],  # noqa: B006
    tls_cert: Annotated[str, typer.Option(metavar="FILE", help="Speak TLS, with this certificate (PEM).")] = "",
    tls_key: Annotated[str, typer.Option(metavar="FILE", help="Its key, where that is not in the same file.")] = "",
    tls_client_ca: Annotated[
        str, typer.Option(metavar="FILE", help="Clients must show a certificate of these authorities.")
    ] = "",
    metrics: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Answer Prometheus there; also /healthz and /readyz.")
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Read the file again whenever it has changed.")] = False,
) -> None:
    """Serves a kamailio.cfg: the TCP event server that Kamailio's EVAPI module would be."""
    from evapi_cfg import service
    from evapi_cfg.check.elsewhere import Wanted
    from evapi_cfg.server import Limits

    _within("--max-queue", max_queue, 1, 1 << 40)
    _within("--max-total-queue", max_total_queue, 1, 1 << 50)
    _within("--send-timeout", send_timeout, 0.1, 86400)
    _within("--rate", rate, 0, 1e9)
    _within("--keepalive", keepalive, 4, 86400)
    _within("--max-frame", max_frame, 4, (1 << 31) - 1)
    _within("--drain", drain, 0, 86400)
    defines = _defines(define)
    _within("--callback-timeout", callback_timeout, 0, 86400)
    if watch and file == "-":
        _fail("--watch: standard input cannot be watched")
    status = service.run(
        lambda: _read(file, define),
        service.Options(
            strict=strict,
            params=tuple(_params(set_)),
            log_level=log_level,
            log_format=log_format.value,
            limits=Limits(
                max_queue=max_queue,
                drain=drain,
                send_timeout=send_timeout,
                max_total_queue=max_total_queue,
                rate=rate,
                keepalive=keepalive,
            ),
            max_frame=max_frame,
            callback_timeout=callback_timeout,
            sip=sip,
            allow_exec=allow_exec,
            rpc=tuple(_rpc_path(value) for value in rpc),
            allow=tuple(allow),
            tls=_tls_files(tls_cert, tls_key, tls_client_ca),
            metrics=_metrics_address(metrics) if metrics else None,
            watch=watch,
        ),
        None if file == "-" else Wanted(file, defines),
    )
    raise typer.Exit(status)


def _codes(beginning: str) -> list[str]:
    """For the shell to complete."""
    from evapi_cfg.diagnostics import codes

    return [name for name in sorted(codes.by_name()) if name.startswith(beginning)]


@app.command()
def explain(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="A code such as unknown-function; a function, module, modparam, '$variable', '{transformation}', "
            "event_route[...], core parameter, #!directive.",
            autocompletion=_codes,
        ),
    ] = [],  # noqa: B006
    all_: Annotated[bool, typer.Option("--all", help="All codes, with what each is about.")] = False,
    modules: Annotated[bool, typer.Option("--modules", help="The modules that run here, as a table.")] = False,
) -> None:
    """Says what a code of the checker means, or what a name in a kamailio.cfg is."""
    from evapi_cfg import explain as room

    if modules:
        from evapi_cfg.explain import running

        _print(running.table())
    elif not names and not all_:
        _fail("explain what? Name a code, a function, a variable ..., or list all codes with --all")
    colour, width = _coloured(), _width()
    texts = [room.listing(colour=colour)] if all_ else []
    missing: list[str] = []
    for name in names:
        answer = room.explain(name, width=width, colour=colour)
        (texts if answer.found else missing).append(answer.text)
    _print("\n".join(texts))
    for text in missing:
        print(f"evapi-cfg: {text}", file=sys.stderr)
    raise typer.Exit(1 if missing else 0)


def _rpc_path(value: str) -> RpcPath:
    from evapi_cfg.server import parse_rpc

    try:
        return parse_rpc(value)
    except ValueError as err:
        _fail(f"--rpc {value}: {err}")


def _tls_files(cert: str, key: str, client_ca: str) -> TlsFiles | None:
    from evapi_cfg.server import TlsFiles

    if cert:
        return TlsFiles(cert, key, client_ca)
    if key or client_ca:
        _fail(f"{'--tls-key' if key else '--tls-client-ca'}: TLS needs a certificate: --tls-cert FILE")
    return None


def _metrics_address(value: str) -> MetricsAddress:
    from evapi_cfg.server import parse_metrics

    try:
        return parse_metrics(value)
    except ValueError as err:
        _fail(f"--metrics {value}: {err}")


SocketPath = Annotated[
    str, typer.Option(metavar="PATH", envvar="EVAPI_CFG_RPC", help="Where it answers: run --rpc unix:PATH.")
]


@app.command("rpc", context_settings={"allow_interspersed_args": False})
def rpc_command(
    method: Annotated[str, typer.Argument(help="The command, such as core.uptime; system.listMethods tells all.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARG...", help="Numbers are numbers; s:123 is a text, i:123 a number.")
    ] = None,
    socket: SocketPath = "",
) -> None:
    """Runs a command of a server by JSON-RPC, and prints its result."""
    from evapi_cfg import visible
    from evapi_cfg.server.rpc_client import PATIENCE, Unreachable, ask

    path = _socket_path(socket)
    request = {"jsonrpc": "2.0", "method": method, "params": [_argument(text) for text in arguments or ()], "id": 1}
    try:
        # It answers when the file has been read, and that may be a long one.
        seconds = PATIENCE if method == "evapi-cfg.reload" else None
        text = ask(path, json.dumps(request, ensure_ascii=False), seconds)
    except Unreachable as err:
        _fail_to_reach(path, err)
    try:
        answer = json.loads(text, object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and "result" in answer:
        _print(visible.in_json(json.dumps(answer["result"], indent=2, ensure_ascii=False)) + "\n")
        return
    fault = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(fault, dict):
        _fail(f"the answer from {path} is none of JSON-RPC: {visible.one_line(text[:200])}")
    more = fault["data"].get("errors") if isinstance(fault.get("data"), dict) else None
    lines = more if isinstance(more, list) and len(more) > 1 else []
    said = [f"{fault.get('code')} {fault.get('message')}", *(f"  {line}" for line in lines)]
    _fail("\n".join(map(visible.one_line, said)), 1)


@app.command()
def top(
    socket: SocketPath = "",
    once: Annotated[bool, typer.Option("--once", help="Print what there is once, and end.")] = False,
) -> None:
    """Shows what a server does, live: messages, clients, queues, routes. `q` or Ctrl-C ends it."""
    from evapi_cfg import visible
    from evapi_cfg.server.rpc_client import Unreachable
    from evapi_cfg.watching import top as room

    path = _socket_path(socket)
    try:
        if once or sys.stdout is None or not sys.stdout.isatty():
            _print(room.once(path, _width()))
        else:
            room.watch(path, colour=_coloured())
    except Unreachable as err:
        _fail_to_reach(path, err)
    except room.NoAnswer as err:
        _fail(visible.one_line(str(err)), 1)


@app.command()
def tap(
    socket: SocketPath = "",
    route: Annotated[str, typer.Option(metavar="ROUTE", help="Only what this block does: route[A], or A.")] = "",
    client: Annotated[int, typer.Option(metavar="N", help="Only from and to this client: its conidx.")] = -1,
    match: Annotated[str, typer.Option(metavar="RE", help="Only where this expression is found, as in a cfg.")] = "",
    json_: Annotated[bool, typer.Option("--json", help="Each line a JSON document.")] = False,
) -> None:
    """Follows the messages of a server and what it relays. Under load it is a part of them; the rest is counted."""
    from evapi_cfg import visible
    from evapi_cfg.server.rpc_client import Unreachable
    from evapi_cfg.watching import tap as room

    path = _socket_path(socket)
    wanted = {"route": route, "match": match} | ({"client": client} if client >= 0 else {})
    began = False
    try:
        for line in room.lines(path, wanted, as_json=json_, colour=_coloured()):
            if began:
                _print(f"{line}\n")
            else:
                began = True
                print(f"evapi-cfg: following {path}; Ctrl-C ends it", file=sys.stderr)
    except room.Refused as err:
        _fail(visible.one_line(str(err)), 1)
    except Unreachable as err:
        if began:
            _fail(visible.one_line(str(err)), 1)
        _fail_to_reach(path, err)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _socket_path(given: str) -> str:
    return given.removeprefix("unix-stream:").removeprefix("unix:") or _usual_socket()


def _fail_to_reach(path: str, error: Exception) -> NoReturn:
    _fail(f"{error}; a server does so with `run --rpc unix:{path}`; --socket or EVAPI_CFG_RPC name another place")


class _Members(dict[str, object]):
    """A JSON object that is printed as it came: Kamailio has several members of one name."""

    def __init__(self, members: list[tuple[str, object]]) -> None:
        super().__init__(members)
        self._members = members

    def items(self) -> list[tuple[str, object]]:  # type: ignore[override]
        return self._members


def _usual_socket() -> str:
    return os.path.join(os.environ.get("XDG_RUNTIME_DIR") or ".", "evapi-cfg.sock")


def _argument(text: str) -> int | float | str:
    """As kamcmd reads it: what looks like a number of JSON is one."""
    kind, colon, rest = text.partition(":")
    if colon and kind == "s":
        return rest
    if colon and kind == "i":
        if not re.fullmatch("-?[0-9]{1,18}", rest):
            _fail(f"{text}: a number is expected behind i:")
        return int(rest)
    if re.fullmatch("-?(0|[1-9][0-9]{0,17})", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}", text) else text


def _within(flag: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # so that nan is refused
        _fail(f"{flag} {value:,}: from {least:,} to {most:,} is taken")


def _coloured() -> bool:
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _width() -> int:
    """Columns for text that is wrapped."""
    try:
        return min(os.get_terminal_size(1).columns, WIDEST) or WIDTH
    except OSError:
        return WIDTH


def _print(text: str, encoding: str = "utf-8") -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.buffer.write(text.encode(encoding, "backslashreplace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as err:
        _forget_output()
        _fail(f"cannot write to standard output: {(err.strerror or str(err)).lower()}")


def _forget_output() -> None:
    """Whatever is still in the buffer goes nowhere, so that the interpreter does not try again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


_KAMAILIO_VALUES = "fLAmMlTbtugwnNYPGOWsvaxX"  # flags of Kamailio that take a value


def _as_kamailio(arguments: list[str]) -> tuple[str, list[str]] | None:
    """The file and the defines of `-c -f FILE`, as programs call `kamailio -c`; None for any other command line. What
    else such a call says is about a server, and passed over."""
    file, defines, checks = "", [], False
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-") or argument.startswith("--"):
            return None
        for at, flag in enumerate(argument[1:], 2):
            checks = checks or flag == "c"
            if flag in _KAMAILIO_VALUES:
                value = argument[at:] or next(rest, "")
                file = value if flag == "f" else file
                if flag == "A":
                    defines.append(value)
                break
    return (file, defines) if file and checks else None


def _check_as_kamailio(file: str, defines: list[str]) -> NoReturn:
    """Answers in Kamailio's words, on standard error, with its exit status."""
    from evapi_cfg import checking

    outcome = checking.check([file], _report, defines, checking.Wishes())
    print(checking.rendered(outcome, "kamailio", False), end="", file=sys.stderr)
    raise SystemExit(0 if outcome.status == checking.FINE else 255)


def main() -> None:
    """The console script."""
    called = _as_kamailio(sys.argv[1:])
    try:
        if called is not None:
            _check_as_kamailio(*called)
        app()
    except BrokenPipeError:
        # The reader of a pipe has gone, as with `| head`: not worth a word.
        _forget_output()
        raise SystemExit(1) from None
