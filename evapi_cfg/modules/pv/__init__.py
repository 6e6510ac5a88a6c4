"""pv: the pseudo-variables of scripts and messages, and the functions about them (modules/pv).

Transformations are a room of their own, beside this one.
"""

from __future__ import annotations

from evapi_cfg.modules.pv import (
    avp,
    branch,
    credentials,
    flags,
    functions,
    headers,
    kemi,
    message,
    misc,
    rpc,
    script,
    sockets,
    time,
    uris,
    vias,
    xavp,
    xavp_functions,
)
from evapi_cfg.modules.spec import ModuleSpec
from evapi_cfg.modules.transformations import PV

MODULE = ModuleSpec(
    "pv",
    functions=(*functions.FUNCTIONS, *xavp_functions.FUNCTIONS, *branch.FUNCTIONS),
    params=(*script.PARAMS, *avp.PARAMS),
    pvs=(
        *script.VARIABLES,
        *avp.VARIABLES,
        *xavp.VARIABLES,
        *uris.VARIABLES,
        *sockets.VARIABLES,
        *flags.VARIABLES,
        *message.VARIABLES,
        *headers.VARIABLES,
        *vias.VARIABLES,
        *credentials.VARIABLES,
        *branch.VARIABLES,
        *time.VARIABLES,
        *misc.VARIABLES,
    ),
    transformations=PV,
    rpc=rpc.COMMANDS,
    kemi=kemi.KEMI,
    doc="pseudo-variables of scripts and messages",
)
