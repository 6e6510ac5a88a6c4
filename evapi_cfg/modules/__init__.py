"""The Kamailio modules that run here, as one explicit tuple."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules import (
    cfg_rpc,
    cfgutils,
    core,
    corex,
    evapi,
    exec,
    htable,
    http_async_client,
    jansson,
    json,
    jsonrpcs,
    kex,
    maxfwd,
    mqueue,
    pv,
    rtimer,
    rtjson,
    sanity,
    siputils,
    sl,
    textops,
    textopsx,
    timer,
    tm,
    tmx,
    uuid,
    xlog,
)
from evapi_cfg.modules.spec import ModuleSpec

MODULES: Final[tuple[ModuleSpec, ...]] = (
    core.MODULE,
    pv.MODULE,
    xlog.MODULE,
    cfgutils.MODULE,
    corex.MODULE,
    tm.MODULE,
    tmx.MODULE,
    sl.MODULE,
    textops.MODULE,
    textopsx.MODULE,
    siputils.MODULE,
    maxfwd.MODULE,
    sanity.MODULE,
    kex.MODULE,
    evapi.MODULE,
    jansson.MODULE,
    htable.MODULE,
    json.MODULE,
    mqueue.MODULE,
    rtimer.MODULE,
    timer.MODULE,
    uuid.MODULE,
    rtjson.MODULE,
    exec.MODULE,
    http_async_client.MODULE,
    jsonrpcs.MODULE,
    cfg_rpc.MODULE,
)
by_name: Final[dict[str, ModuleSpec]] = {module.name: module for module in MODULES}
