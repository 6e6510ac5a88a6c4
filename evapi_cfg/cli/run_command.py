"""`evapi-cfg run`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from evapi_cfg.cli.output import fail, within
from evapi_cfg.cli.reading import Defines, defines_of, read
from evapi_cfg.source import store

if TYPE_CHECKING:
    from evapi_cfg.server import MetricsAddress, RpcPath, TlsFiles


class LogForm(StrEnum):
    text = "text"
    json = "json"
    kamailio = "kamailio"


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

    within("--max-queue", max_queue, 1, 1 << 40)
    within("--max-total-queue", max_total_queue, 1, 1 << 50)
    within("--send-timeout", send_timeout, 0.1, 86400)
    within("--rate", rate, 0, 1e9)
    within("--keepalive", keepalive, 4, 86400)
    within("--max-frame", max_frame, 4, (1 << 31) - 1)
    within("--drain", drain, 0, 86400)
    defines = defines_of(define)
    within("--callback-timeout", callback_timeout, 0, 86400)
    if watch and file == "-":
        fail("--watch: standard input cannot be watched")
    status = service.run(
        lambda: read(file, define),
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


def _params(values: list[str]) -> list[tuple[str, str, int | str]]:
    made: list[tuple[str, str, int | str]] = []
    for value in values:
        where, equals, text = value.partition("=")
        module, dot, name = where.partition(".")
        if not (equals and dot and module and name):
            fail(f"--set {value}: write MODULE.PARAM=VALUE, as in --set evapi.workers=2")
        made.append((module, name, store(text)))
    return made


def _rpc_path(value: str) -> RpcPath:
    from evapi_cfg.server import parse_rpc

    try:
        return parse_rpc(value)
    except ValueError as err:
        fail(f"--rpc {value}: {err}")


def _tls_files(cert: str, key: str, client_ca: str) -> TlsFiles | None:
    from evapi_cfg.server import TlsFiles

    if cert:
        return TlsFiles(cert, key, client_ca)
    if key or client_ca:
        fail(f"{'--tls-key' if key else '--tls-client-ca'}: TLS needs a certificate: --tls-cert FILE")
    return None


def _metrics_address(value: str) -> MetricsAddress:
    from evapi_cfg.server import parse_metrics

    try:
        return parse_metrics(value)
    except ValueError as err:
        fail(f"--metrics {value}: {err}")
