"""How far Kamailio's parser gets through the headers of a message: it stops for good at the first one that it cannot
read (core/parser/msg_parser.c: parse_headers).

Headers that nobody asks for are not looked at, so a fault behind the wanted ones does no harm.
"""

from __future__ import annotations

from collections.abc import Collection

from evapi_cfg.sip.message import Message


def sound(message: Message, wanted: Collection[str] = ()) -> bool:
    """Whether the headers can be read up to where all `wanted` kinds have been found; to their end where there are
    none. That a wanted header is there is not said by that."""
    if message.complete:
        return True
    return bool(wanted) and all(kind in message.lines[1] for kind in wanted)
