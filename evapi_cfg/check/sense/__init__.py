"""Passes over what Kamailio takes and what makes no sense all the same. Their codes are warnings.

They run where a whole file could be read: what is left of a broken one tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense import (
    characters,
    comparisons,
    conditions,
    defines,
    events,
    flow,
    foreign_regexes,
    json_fields,
    json_texts,
    parked,
    quotes,
    reach,
    resumed,
    tags,
    unexpanded,
    unset,
)
from evapi_cfg.diagnostics.model import Diagnostic

_Pass: TypeAlias = Callable[[Context], Iterable[Diagnostic]]

PASSES: Final[tuple[_Pass, ...]] = (
    flow.check,
    conditions.check,
    comparisons.check,
    reach.recursive,
    events.check,
    parked.check,
    resumed.check,
    json_texts.check,
    json_fields.check,
    foreign_regexes.check,
    quotes.check,
    unexpanded.check,
    characters.check,
)
# They conclude from what is nowhere in the file. Where there are errors it may be there, and misspelt.
ABSENCES: Final[tuple[_Pass, ...]] = (
    reach.unused,
    defines.check,
    unset.check,
    tags.check,
)
