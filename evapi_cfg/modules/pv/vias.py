"""The variables of Vias, $via0 and the like, and of where a reply goes, $rpl (modules/pv/pv_core.c: pv_get_via_attr,
pv_get_rpl_attrs)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.forms import closed
from evapi_cfg.modules.pv.readers import reader
from evapi_cfg.modules.spec import PseudoVariable, Variable
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.uri import DEFAULT_PORT
from evapi_cfg.sip.via import Via
from evapi_cfg.values import Value, parse_int


def _via_class(name: str, pick: Callable[[Message], Via | None]) -> PseudoVariable:
    def of(read: Callable[[Via], Value]) -> Variable:
        return Variable(reader(lambda message: read(via) if (via := pick(message)) else None))

    def param(key: str) -> Variable:
        return of(lambda via: via.param(key) or None)

    def number(key: str) -> Variable:
        return of(lambda via: parse_int(via.param(key) or "") or 0)

    algorithm, validity, sequence, value = param("oc-algo"), number("oc-validity"), number("oc-seq"), param("oc")
    return closed(
        name,
        {
            "host": of(lambda via: via.host),
            "port": of(lambda via: via.port or DEFAULT_PORT),
            "proto": of(lambda via: via.transport),
            "protoid": of(lambda via: via.protocol),
            "branch": param("branch"),
            "rport": param("rport"),
            "received": param("received"),
            "i": param("i"),
            "params": of(lambda via: via.params or None),
            "oc": number("oc"),
            "oc-algo": algorithm,
            "ocalgo": algorithm,
            "oc-validity": validity,
            "ocvalidity": validity,
            "oc-seq": sequence,
            "ocseq": sequence,
            "oc-val": value,
            "ocval": value,
        },
    )


def _via(place: int) -> Callable[[Message], Via | None]:
    def pick(message: Message) -> Via | None:
        vias = message.vias if message.complete else ()
        return vias[place] if -len(vias) <= place < len(vias) else None

    return pick


# ---- the destination of a reply -----------------------------------------------------------------------------------


def _of_reply(read: Callable[[Message, Via], Value]) -> Variable:
    """What the second Via says of where a reply goes; $null for requests."""

    def get(message: Message) -> Value:
        vias = message.vias
        return None if message.is_request or len(vias) < 2 else read(message, vias[1])

    return Variable(reader(get))


def _reply_host(via: Via) -> str:
    return via.param("received") or via.host


def _reply_port(via: Via) -> int:
    return parse_int(via.param("rport") or "") or via.port or DEFAULT_PORT


def _reply_uri(message: Message, via: Via) -> Value:
    return f"sip:{_reply_host(via)}:{_reply_port(via)};transport={via.transport.lower()}"


def _count_of_reply(kind: str) -> Variable:
    return Variable(
        reader(lambda message: None if message.is_request or not message.complete else len(message.values(kind)))
    )


VARIABLES: Final = (
    _via_class("via0", _via(0)),
    _via_class("via1", _via(1)),
    _via_class("viaZ", _via(-1)),
    closed(
        "rpl",
        {
            "duri": _of_reply(_reply_uri),
            "dhost": _of_reply(lambda message, via: _reply_host(via)),
            "dport": _of_reply(lambda message, via: _reply_port(via)),
            "dproto": _of_reply(lambda message, via: via.transport.lower()),
            "dprotoid": _of_reply(lambda message, via: via.protocol),
            "cntvia": _count_of_reply("via"),
            "cntrr": _count_of_reply("record-route"),
        },
    ),
)
