"""The variables of the message as a whole: its first line, its text, its body (modules/pv/pv_core.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import closed, constant, named, plain
from evapi_cfg.modules.pv.readers import reader, refuse
from evapi_cfg.modules.spec import NameRefused, Resolver, Variable
from evapi_cfg.sip.message import Message
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value, parse_int


def _status(message: Message) -> Value:
    return None if message.is_request else message.status


def _body(message: Message) -> Value:
    return message.body


def _body_size(message: Message) -> Value:
    return len(message.body or "")


def _whole(message: Message) -> str:
    return message.leading + message.text


def _of_all(read: Callable[[Message], Value]) -> Variable:
    """What is $null where not all headers can be read (pv_get_msg_attrs)."""
    return Variable(reader(lambda message: read(message) if message.complete else None))


def _header_text(message: Message) -> str:
    return message.text[message.headers_at : message.headers_end].strip(" \t\r\n")


def _first_part(message: Message) -> str:
    return message.text[: message.headers_end].strip(" \t\r\n")


def _last_part(message: Message) -> Value:
    return message.text[message.headers[0].start :] if message.headers else None


def _byte(inner: Text, resolver: Resolver) -> Variable:
    """$msgbuf(n): one byte of the text as received, and a NUL behind it."""
    get_index: Callable[[Run], Value]
    if inner.value[:1] == "$":
        get_index = resolver.variable(inner).get
    else:
        number = parse_int(inner.value)
        if number is None:
            raise NameRefused(f"`{show(inner.value)}` is neither a number nor a variable", inner.span)
        get_index = constant(number).get

    def place(run: Run) -> int | None:
        value = get_index(run)
        index = value if isinstance(value, int) else 0
        if 0 <= index < len(current_message(run).text):
            return index
        run.log(Level.ERROR, "pv", f"the message has no byte {index}")
        return None

    def get(run: Run) -> Value:
        index = place(run)
        return None if index is None else current_message(run).text[index] + "\0"

    def set_(run: Run, value: Value) -> None:
        index = place(run)
        if index is None or not isinstance(value, str) or not value:
            raise refuse(run, "$msgbuf(n) takes a string and a place inside the message")
        message = current_message(run)
        message.replace_text(message.text[:index] + value[0] + message.text[index + 1 :])

    return Variable(get, set_)


VARIABLES: Final = (
    plain("rm", reader(lambda m: m.method if m.is_request else m.cseq[1]),
          number=lambda run: current_message(run).method_id),
    plain("rmid", reader(lambda m: m.method_id)),
    plain("mt", reader(lambda m: 1 if m.is_request else 2)),
    plain("mts", reader(lambda m: "rq" if m.is_request else "rp")),
    plain("rv", reader(lambda m: m.version)),
    plain("rs", reader(_status)),
    plain("rsi", reader(lambda m: m.status)),
    plain("rr", reader(lambda m: None if m.is_request else m.reason)),
    plain("mi", reader(lambda m: m.number)),
    plain("ml", reader(lambda m: len(_whole(m)))),
    plain("mb", reader(_whole)),
    plain("mbu", reader(lambda m: m.updated())),
    plain("rb", reader(_body)),
    plain("bs", reader(_body_size)),
    named("msgbuf", _byte, writable=True),
    closed(
        "msg",
        {
            "len": _of_all(lambda m: len(_whole(m))),
            "buf": _of_all(_whole),
            "body": _of_all(_body),
            "hdrs": _of_all(_header_text),
            "hdrc": _of_all(lambda m: len(m.headers)),
            "fline": _of_all(lambda m: m.text.partition("\n")[0].strip(" \t\r")),
            "fpart": _of_all(_first_part),
            "lpart": _of_all(_last_part),
            "body_len": _of_all(_body_size),
            "hdrs_len": _of_all(lambda m: len(_header_text(m))),
        },
    ),
    plain("ruid", lambda run: None),
    plain("location_ua", lambda run: None),
    *(plain(f"err.{name}", lambda run: None) for name in ("class", "level", "info", "rcode", "rreason")),
)  # fmt: skip
