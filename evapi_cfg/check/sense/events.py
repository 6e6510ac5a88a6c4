"""Pass: how evapi is set up and what is sent through it: who may come in, in which order and how late messages are
run, messages that are too long or whose end nobody finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense.arguments import modparams, parts, sent
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.modules import evapi
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Number, String, Text

_LARGEST: Final = 32767  # bytes of a frame with its length and comma, evapi_dispatch.c: CLIENT_BUFFER_SIZE
_FRAME: Final = 7  # bytes of `32767:` and `,`
_POLLING: Final = 10_000  # microseconds of wait_idle from which on an application notices
_STEPS: Final = 3  # default of wait_increase


def check(context: Context) -> Iterator[Diagnostic]:
    if "evapi" not in context.scope.loaded:
        return
    yield from _bind_addr(context)
    yield from _workers(context)
    yield from _data(context)


# ---- modparams --------------------------------------------------------------------------------------------------


def _bind_addr(context: Context) -> Iterator[Diagnostic]:
    for item in modparams(context, "evapi", "bind_addr"):
        if isinstance(item.value, String) and not _is_loopback(item.value.value):
            yield Diagnostic(
                codes.OPEN_BIND_ADDR,
                "applications may come from beyond this machine, and evapi has neither password nor encryption",
                item.value.span,
                "bind to 127.0.0.1, or let a firewall say who may connect, and look at $evapi(srcaddr)",
                (SILENT,),
            )


def _is_loopback(bind_addr: str) -> bool:
    try:
        host, _ = evapi.parse_bind_addr(bind_addr)
    except ValueError:
        return True  # another pass reports it
    return host.startswith("127.") or host in ("localhost", "::1")


def _workers(context: Context) -> Iterator[Diagnostic]:
    workers = 1
    for item in modparams(context, "evapi", "workers"):
        if isinstance(item.value, Number):
            workers = item.value.value
            if workers > 1:
                yield Diagnostic(
                    codes.UNORDERED_WORKERS,
                    f"{workers} workers may run one client's messages in another order than they came",
                    item.value.span,
                    "write 1, or 0 to run them where they are read, unless their order does not matter",
                    (SILENT,),
                )
    exports = context.scope.module("evapi")
    if workers < 1 or exports is None or "wait_idle" not in exports.params:
        return  # nobody polls: not where messages are run as they are read, and not in 5.6
    steps = _STEPS
    for item in modparams(context, "evapi", "wait_increase"):
        if isinstance(item.value, Number):
            steps = max(item.value.value, 1)
    for item in modparams(context, "evapi", "wait_idle"):
        if isinstance(item.value, Number) and item.value.value > _POLLING:
            yield Diagnostic(
                codes.POLLING_WAIT_IDLE,
                f"a message waits up to {item.value.value * steps / 1000:,g} ms before a worker looks for it",
                item.value.span,
                "write 1000 or less, or set `workers` to 0",
                (
                    "from 5.7 on Kamailio's workers poll; where there is nothing to do they sleep for `wait_idle`, then"
                    f" longer, up to {steps} times that (`wait_increase`)",
                ),
            )


# ---- what is sent -----------------------------------------------------------------------------------------------


def _data(context: Context) -> Iterator[Diagnostic]:
    framing_said = any(True for _ in modparams(context, "evapi", "netstring_format"))
    for call, text in sent(context):
        least = _least(text)
        if least > _LARGEST - _FRAME:
            yield Diagnostic(
                codes.FRAME_TOO_LONG,
                f"these {least:,} bytes make a frame of more than {_LARGEST:,}, the longest that evapi itself takes",
                call.args[0].span,
                "send it in parts, or see to it that the application has room for it",
                ("Kamailio sends it, and closes the connection of an application that sends back as much",),
            )
        if not framing_said and text.value.endswith("\n"):
            yield Diagnostic(
                codes.UNFRAMED_NEWLINE,
                "a line end in a message, and nothing says how messages are framed",
                _last_character(call.args[0].span, text),
                'say `modparam("evapi", "netstring_format", 0)` for lines, or 1 and leave the line end out',
                ("the default is netstrings: the client gets `6:hello\\n,`",),
            )


def _least(text: Text) -> int:
    """The bytes of a message whose variables are empty; where the text is short, at most as many as that."""
    if len(text.value) <= _LARGEST - _FRAME or "$" not in text.value:
        return len(text.value)
    return sum(len(part) for part in parts(text) if isinstance(part, str))


def _last_character(literal: Span, text: Text) -> Span:
    """As it is written, up to the closing quote."""
    end = len(text.value)
    found = text.at(end - 1, end)
    return Span(found.file, found.start, literal.end - 1) if found.file is literal.file else found
