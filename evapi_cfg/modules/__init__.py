"""The Kamailio modules that run here, as one explicit tuple."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules import cfgutils, core, corex, evapi, pv, xlog
from evapi_cfg.modules.spec import ModuleSpec

MODULES: Final[tuple[ModuleSpec, ...]] = (
    core.MODULE,
    pv.MODULE,
    xlog.MODULE,
    cfgutils.MODULE,
    corex.MODULE,
    evapi.MODULE,
)
by_name: Final[dict[str, ModuleSpec]] = {module.name: module for module in MODULES}
