"""`evapi-cfg tap`: follows messages and relays of a server, and prints each as a line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from evapi_cfg import visible
from evapi_cfg.server.rpc_client import Unreachable, follow

_DIM, _IN, _OUT, _WARN, _PLAIN = "\033[2m", "\033[32m", "\033[36m", "\033[33m", "\033[0m"


class Refused(Exception):
    """The server does not let anybody follow in this way; the message says why."""


def lines(path: str, wanted: Mapping[str, object], *, as_json: bool, colour: bool) -> Iterator[str]:
    """Lines without their ends, as long as the server goes on; the first one is empty and says that it has begun.
    Raises server.rpc_client.Unreachable at its end, and Refused."""
    request = {"jsonrpc": "2.0", "method": "evapi-cfg.tap", "params": wanted, "id": 1}
    began = False
    answer = ""  # of a server that lays it out in lines, up to here
    for line in follow(path, json.dumps(request)):
        if not began:
            answer += line
            try:
                document = json.loads(answer)
            except ValueError:
                continue
            if not isinstance(document, dict) or "result" not in document:
                raise Refused(_fault_of(document))
            began = True
            yield ""
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if not isinstance(record, dict) or record.get("kind") == "alive":
            continue
        if record.get("kind") == "over":
            raise Unreachable(f"the server on {path} has ended")
        if record.get("kind") == "fault":
            raise Refused(str(record.get("text")))
        yield visible.in_json(line) if as_json else shown(record, colour=colour)


def _fault_of(answer: object) -> str:
    fault = answer.get("error") if isinstance(answer, dict) else None
    return str(fault.get("message")) if isinstance(fault, dict) else "the answer is none of JSON-RPC"


def shown(record: Mapping[str, Any], *, colour: bool) -> str:
    """One record as a line for people."""
    kind = record.get("kind")
    if kind == "left out":
        return _painted(f"({record.get('count', 0):,} left out)", _WARN, colour)
    moment = float(record.get("time", 0))
    stamp = f"{time.strftime('%H:%M:%S', time.localtime(moment))}.{int(moment * 1000) % 1000:03d}"
    text = visible.one_line(str(record.get("text", "")))
    if record.get("cut"):
        text += f" ... ({record.get('size', 0):,} bytes)"
    if kind == "message":
        who = _painted(f"client {record.get('client')} ->", _IN, colour)
        return f"{_painted(stamp, _DIM, colour)} {who} {text}"
    if kind == "unicast":
        to = f"client {record['client']}" if "client" in record else "nobody"
    else:
        clients = record.get("clients", 0)
        to = "nobody" if not clients else f"{clients} client{'s' if clients != 1 else ''}"
    tag = f" {visible.one_line(str(record['tag']))}" if "tag" in record else ""
    head = _painted(f"{kind}{tag} -> {to}", _OUT, colour)
    block = visible.one_line(str(record.get("block") or ""))
    block = _painted(f"  ({block})", _DIM, colour) if block else ""
    return f"{_painted(stamp, _DIM, colour)} {head} {text}{block}"


def _painted(text: str, colour: str, wanted: bool) -> str:
    return f"{colour}{text}{_PLAIN}" if wanted else text
