"""Pass: what goes wrong between a script and the applications that evapi serves, though Kamailio starts: who may come
in, in which order they are heard, and what becomes of a request that has been parked."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense.arguments import literal, modparams, one_variable, parts, sent
from evapi_cfg.check.targets import numbers
from evapi_cfg.check.verdicts import FAILS_AT_RUN, SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.modules import evapi
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import (
    Assign,
    Call,
    Expression,
    ExprStatement,
    If,
    Leave,
    Number,
    PVar,
    Statement,
    String,
    Switch,
    Text,
    While,
)
from evapi_cfg.syntax.walk import walk

_LARGEST = 32767  # bytes of a frame with its length and comma, evapi_dispatch.c: CLIENT_BUFFER_SIZE
_POLLS = (5, 7)  # the version from which on workers look for messages in intervals
_POLLING = 10_000  # microseconds of wait_idle from which on an application notices
_REPLIES = frozenset(("t_reply", "sl_send_reply", "send_reply", "sl_reply", "send_reply_mode", "t_send_reply"))
_HARMLESS = frozenset(("xlog", "xdbg", "xinfo", "xnotice", "xwarn", "xerr", "xlogl", "xlogm", "log", "dbg", "info"))
# Operations whose outcome is a text, whatever digits stand in it.
_TEXTUAL = frozenset(
    f"s.{op}"
    for op in [
        "select",
        "substr",
        "strip",
        "striptail",
        "trim",
        "rtrim",
        "ltrim",
        "tolower",
        "toupper",
        "before",
        "after",
        "prefixes",
    ]
) | {"param.value", "line.at", "re.subst", "uri.user", "uri.param"}


def check(context: Context) -> Iterator[Diagnostic]:
    if "evapi" not in context.scope.loaded:
        return
    yield from _parameters(context)
    yield from _data(context)
    yield from _resumed(context)
    for site in context.index.sites:
        yield from _parked(site.block.body)


# ---- modparams --------------------------------------------------------------------------------------------------


def _parameters(context: Context) -> Iterator[Diagnostic]:
    for item in modparams(context, "evapi", "bind_addr"):
        if isinstance(item.value, String) and not _is_loopback(item.value.value):
            yield Diagnostic(
                codes.OPEN_BIND_ADDR,
                "applications may come from beyond this machine, and evapi has neither password nor encryption",
                item.value.span,
                "bind to 127.0.0.1, or let a firewall say who may connect, and look at $evapi(srcaddr)",
                (SILENT,),
            )
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
    polls = workers > 0 and numbers(context.catalog.version) >= _POLLS
    for item in modparams(context, "evapi", "wait_idle"):
        if polls and isinstance(item.value, Number) and item.value.value > _POLLING:
            yield Diagnostic(
                codes.POLLING_WAIT_IDLE,
                f"a message waits up to {item.value.value / 1000:g} ms before a worker looks for it",
                item.value.span,
                "write 1000 or less, or set `workers` to 0",
                ("Kamailio 5.7 and later poll for messages in this interval; 5.6 does not",),
            )


def _is_loopback(bind_addr: str) -> bool:
    try:
        host, _ = evapi.parse_bind_addr(bind_addr)
    except ValueError:
        return True  # another pass reports it
    return host.startswith("127.") or host in ("localhost", "::1")


# ---- what is sent -----------------------------------------------------------------------------------------------


def _data(context: Context) -> Iterator[Diagnostic]:
    framing_said = any(True for _ in modparams(context, "evapi", "netstring_format"))
    for call, text in sent(context):
        least = sum(len(part) for part in parts(text) if isinstance(part, str))
        if least > _LARGEST - 7:
            yield Diagnostic(
                codes.FRAME_TOO_LONG,
                f"these {least:,} bytes and their frame are more than {_LARGEST:,}, which is all that evapi takes",
                call.args[0].span,
                "send it in parts",
                (FAILS_AT_RUN,),
            )
        if not framing_said and text.value.endswith("\n"):
            yield Diagnostic(
                codes.UNFRAMED_NEWLINE,
                "a line end in a message, and nothing says how messages are framed",
                _last_character(call.args[0].span, text),
                'say `modparam("evapi", "netstring_format", 0)` for lines, or 1 and leave the line end out',
                ("the default is netstrings: the client gets `6:hello\\n,`",),
            )


def _last_character(literal: Span, text: Text) -> Span:
    """As it is written, up to the closing quote."""
    end = len(text.value)
    found = text.at(end - 1, end)
    return Span(found.file, found.start, literal.end - 1) if found.file is literal.file else found


# ---- requests that are parked -----------------------------------------------------------------------------------


def _parked(body: tuple[Statement, ...]) -> Iterator[Diagnostic]:
    """The statements around an evapi_async_*: a final reply before it, something else than the end behind it."""
    waiting: list[tuple[tuple[Statement, ...], Call | None, bool]] = [(body, None, True)]
    while waiting:
        statements, replied, ends = waiting.pop()
        for number, statement in enumerate(statements):
            call = _async_in(statement)
            rest = statements[number + 1 :]
            if call is not None:
                if replied is not None:
                    yield _after_reply(call, replied)
                following = _goes_on(rest)
                if following is not None:
                    yield _not_ended(call, following)
            reply = _final_reply(statement)
            if reply is not None:
                replied = reply
            if isinstance(statement, If):
                waiting.append((statement.then, replied, ends))
                waiting.append((statement.otherwise, replied, ends))
            elif isinstance(statement, While):
                waiting.append((statement.body, replied, ends))
            elif isinstance(statement, Switch):
                waiting += ((case.body, replied, ends) for case in statement.cases)


def _async_in(statement: Statement) -> Call | None:
    """The evapi_async_* that a statement runs, be it as its condition."""
    if isinstance(statement, If):
        nodes = walk(statement.condition)
    elif isinstance(statement, ExprStatement):
        nodes = walk(statement.expr)
    elif isinstance(statement, Assign):
        nodes = walk(statement.value)
    else:
        return None
    for node in nodes:
        if isinstance(node, Call) and node.name.startswith("evapi_async_"):
            return node
    return None


def _goes_on(rest: tuple[Statement, ...]) -> Statement | None:
    """What is done with a request behind its suspension, if it is more than a line in the log."""
    for statement in rest:
        if isinstance(statement, Leave):
            return None
        if not isinstance(statement, (Assign, If)) and not _only_logs(statement):
            return statement
    return None


def _only_logs(statement: Statement) -> bool:
    if not isinstance(statement, ExprStatement) or not isinstance(statement.expr, Call):
        return False
    return statement.expr.name in _HARMLESS


def _not_ended(call: Call, following: Statement) -> Diagnostic:
    return Diagnostic(
        codes.ASYNC_NOT_ENDED,
        f"the script goes on behind `{call.name}` with a request that is parked by then",
        call.name_span,
        "write `exit;` behind it",
        ("the application may resume the request at the same time",),
        (Related("this runs as well", following.span),),
    )


def _final_reply(statement: Statement) -> Call | None:
    if not isinstance(statement, ExprStatement) or not isinstance(statement.expr, Call):
        return None
    call = statement.expr
    if call.name not in _REPLIES or not call.args:
        return None
    code = _code(call.args[0])
    return call if code is None or code >= 200 else None


def _code(argument: Expression) -> int | None:
    text = str(argument.value) if isinstance(argument, (String, Number)) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else None


def _after_reply(call: Call, reply: Call) -> Diagnostic:
    return Diagnostic(
        codes.ASYNC_AFTER_REPLY,
        "the request has been answered by then, so there is nothing to wait for",
        call.name_span,
        "answer in the route that `t_continue` names",
        (FAILS_AT_RUN,),
        (Related("answered here", reply.span),),
    )


# ---- requests that are resumed ----------------------------------------------------------------------------------


def _resumed(context: Context) -> Iterator[Diagnostic]:
    for call, _ in context.index.calls:
        if call.name != "t_continue":
            continue
        for number in (0, 1):
            text = literal(call, number)
            pvar = one_variable(text) if text is not None else None
            if pvar is None or pvar.transformations:
                continue
            source = _textual_source(pvar, context)
            if source is not None:
                yield Diagnostic(
                    codes.TEXT_TRANSACTION_ID,
                    f"`{call.name}` takes numbers, and `{pvar.span.text}` holds a text",
                    call.args[number].span,
                    "turn it into a number: `{s.int}` behind the variable that it comes from",
                    (FAILS_AT_RUN,),
                    (Related("where it comes from", source.span),),
                )


def _textual_source(pvar: PVar, context: Context) -> Assign | Call | None:
    """The assignment that gives a variable its text, if all that there are do."""
    found: Assign | Call | None = None
    for assign, _ in context.index.assigns:
        if assign.target == pvar:
            if not _is_text(assign.value):
                return None
            found = found or assign
    for call, _ in context.index.calls:
        for number, argument in enumerate(call.args):
            if isinstance(argument, String) and argument.value == pvar.span.text and call.name != "t_continue":
                if call.name != "json_get_field" or number != 2:
                    return None
                found = found or call
    return found


def _is_text(value: Expression) -> bool:
    if isinstance(value, PVar):
        if value.transformations:
            last = value.transformations[-1]
            return f"{last.cls}.{last.op}" in _TEXTUAL
        return value.name == "evapi" and isinstance(value.inner, Text) and value.inner.value == "msg"
    return isinstance(value, String)
