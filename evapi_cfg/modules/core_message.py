"""The SIP message that a route sees. In an event of evapi there is none: Kamailio shows a made-up request instead
(core/fmsg.c), whose values are these; it is made when a route first looks at it."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Run
from evapi_cfg.sip.message import Message

MAX_FLAG: Final = 31  # of the message, of the script, of a branch
FAKED_REQUEST: Final = "".join(
    line + "\r\n"
    for line in (
        "OPTIONS sip:kamailio.org SIP/2.0",
        "Via: SIP/2.0/UDP 127.0.0.1",
        "From: <sip:server@kamailio.org>;tag=xyz",
        "To: <sip:server@kamailio.org>",
        "Call-ID: aaa-bbb-ccc-ddd",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
        "",
    )
)
_FAKED: Final = Message(FAKED_REQUEST)  # read once: the messages of all runs share what is found in its text


def current_message(run: Run) -> Message:
    """The message of this run; the made-up one where the run has none of its own."""
    message = run.message
    if message is None:
        message = run.message = _FAKED.fresh()
        message.number = run.world.runs
    return message


def faked_request(number: int) -> Message:
    """The made-up request as another process of Kamailio numbers it."""
    message = _FAKED.fresh()
    message.number = number
    return message


def _read_ahead(message: Message) -> None:
    """So that no run is the first to read the headers of the made-up request."""
    for kind in ("from", "to"):
        message.address(kind)
    assert message.vias


_read_ahead(_FAKED)


def message_time(run: Run) -> float:
    """Seconds since 1970 when this message's time was first asked for: the same for the whole run."""
    message = current_message(run)
    if message.time is None:
        message.time = run.world.clock.now()
    return message.time
