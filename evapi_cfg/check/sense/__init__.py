"""Passes over what Kamailio takes and what makes no sense all the same. Their codes are warnings.

They run where a whole file could be read: what is left of a broken one tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense import flow, reach
from evapi_cfg.diagnostics.model import Diagnostic

PASSES: Final[tuple[Callable[[Context], Iterable[Diagnostic]], ...]] = (
    flow.check,
    reach.check,
)
