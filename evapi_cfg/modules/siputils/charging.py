"""P-Charging-Vector: read, taken away, made (modules/siputils/chargingvector.c; RFC 7315 4.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import closed
from evapi_cfg.modules.siputils.state import NAME, state_of
from evapi_cfg.modules.spec import Arg, Function, Variable
from evapi_cfg.sip.headers import Header
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.soundness import sound
from evapi_cfg.source import show
from evapi_cfg.values import Value

_HEADER: Final = "P-Charging-Vector"
_KIND: Final = "p-charging-vector"
_BUFFER: Final = 256  # PCV_BUF_SIZE
_FIELDS: Final = {"value": "icid-value=", "genaddr": "icid-generated-at=", "orig": "orig-ioi=", "term": "term-ioi="}
_END: Final = re.compile("[\0 ;,\r\n]")
_COUNTER: Final = 0xFFFFFFFF


class _Status(IntEnum):
    NONE = 0
    PARSED = 1
    ICID_MISSING = 2
    GENERATED = 3
    DELETED = 4
    REPLACED = 5


_NOTHING_DONE: Final = int(_Status.PARSED)


@dataclass(slots=True)
class _Vector:
    """What is known of a message's vector. `text` is the header's body."""

    message: Message
    status: _Status = _Status.NONE
    header: Header | None = None
    text: str = ""


def _field(text: str, name: str) -> str | None:
    """What stands behind `name=` anywhere in the body; None where it does not stand there."""
    key = _FIELDS[name]
    begin = text.find(key)
    if begin < 0:
        return None
    begin += len(key)
    end = _END.search(text, begin)
    return text[begin : end.start() if end else len(text)]


def _vector(run: Run) -> _Vector:
    """The vector of this run's message, read when it is first asked for, and again for as long as there is none."""
    message = current_message(run)
    extra = run.extra
    if extra is None:
        extra = run.extra = {}
    found = extra.get(NAME)
    if isinstance(found, _Vector) and found.message is message and found.status is not _Status.NONE:
        return found
    vector = extra[NAME] = _Vector(message)
    if not sound(message):
        run.log(Level.ERROR, NAME, "the headers cannot be read to their end")
        return vector
    vector.header = next(
        (header for header in message.headers if header.kind == _KIND and header.name[0] == "P"), None
    )  # fmt: skip
    if vector.header is not None:
        vector.text = vector.header.body[:_BUFFER]
        readable = _field(vector.text, "value") is not None
        vector.status = _Status.PARSED if readable else _Status.ICID_MISSING
        if not readable:
            run.log(Level.ERROR, NAME, f"the {_HEADER} has no icid-value: {show(vector.text)!r}")
    return vector


def _new_icid(run: Run) -> str:
    """32 hexadecimal digits: a mark, an address of this server, process, time, a counter."""
    state = state_of(run)
    address = bytes(4)
    for socket in run.world.sockets:
        try:
            address = IPv4Address(socket.address).packed
        except ValueError:
            continue
        break
    count, state.charging_vectors = state.charging_vectors, (state.charging_vectors + 1) & _COUNTER
    process = (run.world.pid & _COUNTER).to_bytes(4, "little")
    moment = bytes((int(run.world.clock.now()) & 0xFF,))
    return (b"IVS" + address + process + moment + count.to_bytes(4, "little")).hex().upper()


def _handle(run: Run, flags: str) -> int:
    """`r` takes the vector away, `g` makes one where there is none, `f` makes one in any case. What was done: 1
    nothing, 3 made, 4 taken away, 5 replaced."""
    wanted = set(flags.lower())
    replace, remove = "f" in wanted, "r" in wanted
    vector = _vector(run)
    message = vector.message
    if vector.status is _Status.GENERATED:
        run.log(Level.WARNING, NAME, f"a new {_HEADER} stays as it is: {show(flags)!r} is not done")
        return _NOTHING_DONE
    if vector.status is _Status.DELETED and remove:
        return _NOTHING_DONE
    action = _NOTHING_DONE
    at = message.headers_end
    if (vector.status is _Status.PARSED and (replace or remove)) or vector.status is _Status.ICID_MISSING:
        header = vector.header
        if header is not None:
            at = header.start
            message.edit(at, header.end - at, "")
        vector.text = ""
        vector.status = _Status.DELETED
        action = _Status.DELETED
    if replace or ("g" in wanted and vector.status is not _Status.PARSED):
        vector.text = f"icid-value={_new_icid(run)};icid-generated-at="
        message.edit(at, 0, f"{_HEADER}: {vector.text}{message.received.destination}\r\n")
        action = _Status.REPLACED if vector.status is _Status.DELETED else _Status.GENERATED
        vector.status = _Status.GENERATED
    return int(action)


def _status(run: Run) -> Value:
    return int(_vector(run).status)


def _all(run: Run) -> Value:
    return _vector(run).text or None


def _reader(name: str) -> Variable:
    def get(run: Run) -> Value:
        vector = _vector(run)
        known = vector.status in (_Status.PARSED, _Status.GENERATED)
        return (_field(vector.text, name) or None) if known else None

    return Variable(get)


VARIABLES: Final = (
    closed("pcv", {
        "all": Variable(_all),
        "orig": _reader("orig"),
        "term": _reader("term"),
        "value": _reader("value"),
        "status": Variable(_status, nullable=False),
        "genaddr": _reader("genaddr"),
    }),
)  # fmt: skip

FUNCTIONS: Final = (Function("sip_p_charging_vector", _handle, (Arg.TEXT,)),)
