"""The kinds of blocks that a script is made of, as far as functions ask where they stand (core/route.h)."""

from __future__ import annotations

from enum import Flag, auto


class Routes(Flag):
    """Where a function may stand, and where a run is."""

    REQUEST = auto()
    FAILURE = auto()
    TM_ONREPLY = auto()
    CORE_ONREPLY = auto()
    BRANCH = auto()
    ONSEND = auto()
    ERROR = auto()
    LOCAL = auto()
    BRANCH_FAILURE = auto()
    EVENT = auto()
    ONREPLY = TM_ONREPLY | CORE_ONREPLY
    ANY = (
        REQUEST | FAILURE | TM_ONREPLY | CORE_ONREPLY | BRANCH | ONSEND | ERROR | LOCAL | BRANCH_FAILURE | EVENT
    )  # fmt: skip
