"""What a command learns of the request: one environment variable for each kind of header, and a few fixed ones
(modules/exec/exec_hf.c)."""

from __future__ import annotations

import hashlib
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.uri import parse_uri
from evapi_cfg.source import show

# Of these also the compact form has this name; of all others the name is as written.
_NAMED: Final = {
    "via": "VIA", "content-type": "CONTENT_TYPE", "from": "FROM", "call-id": "CALLID", "supported": "SUPPORTED",
    "content-length": "CONTENT_LENGTH", "contact": "CONTACT", "to": "TO", "event": "EVENT",
}  # fmt: skip
_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_FUNCTION: Final = "() {"  # how a function begins that old versions of bash take out of the environment


def environment(run: Run, bash_safety: bool) -> dict[str, str] | None:
    """The variables for the run's message; None where its headers cannot be read, with a line in the log."""
    message = current_message(run)
    if not message.complete:
        run.log(Level.ERROR, "exec", "the headers of the message cannot be read")
        return None
    made: dict[str, str] = {}
    for kind, bodies in _bodies(message).items():
        texts = [body[2:] if bash_safety and body.startswith(_FUNCTION) else body for body in bodies]
        made[f"SIP_HF_{kind}"] = ",".join(texts)
    made["SIP_SRCIP"] = message.received.source
    made["SIP_RURI"] = message.request_uri
    made["SIP_USER"] = _user(run, message.request_uri)
    made["SIP_ORUI"] = message.uri
    made["SIP_OUSER"] = _user(run, message.uri)
    made["SIP_TID"] = _transaction(message)
    made["SIP_DID"] = message.to_tag
    return made


def _bodies(message: Message) -> dict[str, list[str]]:
    """The bodies by name. A third one of a kind goes behind the first, as does each that follows."""
    found: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for header in message.headers:
        name = names.setdefault(header.kind, _NAMED.get(header.kind) or _name(header.name))
        bodies = found.setdefault(name, [])
        bodies.insert(1, header.body)
    return found


def _name(written: str) -> str:
    return "".join(c if c in _LETTERS else "_" for c in written.upper())


def _user(run: Run, text: str) -> str:
    uri = parse_uri(text)
    if uri is None:
        run.log(Level.WARNING, "exec", f"{show(text)!r} is no URI")
    return "" if uri is None else uri.user


def _transaction(message: Message) -> str:
    """What tells requests apart that are not the same one sent again (core/char_msg_val.h)."""
    via, sender = message.via, message.address("from")
    if via is None or sender is None:
        return ""
    parts = (
        sender.param("tag") or "",
        "" if message.method in ("INVITE", "ACK", "CANCEL") else message.to_tag,
        message.body_of("call-id") or "",
        message.uri,
        message.cseq[0],
        via.host,
        "" if via.port is None else str(via.port),
        via.branch,
    )
    return hashlib.md5("".join(parts).encode("latin-1"), usedforsecurity=False).hexdigest()
