"""siputils: questions about messages, URIs and numbers, contacts that are hidden, answering OPTIONS
(modules/siputils/siputils.c)."""

from __future__ import annotations

from evapi_cfg.modules.siputils import answers, charging, checks, contacts, uris
from evapi_cfg.modules.siputils.state import NAME, PARAMS, init, reload
from evapi_cfg.modules.spec import ModuleSpec

MODULE = ModuleSpec(
    NAME,
    functions=(
        *checks.FUNCTIONS,
        *uris.FUNCTIONS,
        *contacts.FUNCTIONS,
        *answers.FUNCTIONS,
        *charging.FUNCTIONS,
    ),
    params=PARAMS,
    pvs=charging.VARIABLES,
    kemi=(*checks.KEMI, *uris.KEMI, *contacts.KEMI, *answers.KEMI),
    init=init,
    reload=reload,
    doc="questions about messages, URIs and numbers; answering OPTIONS",
)
