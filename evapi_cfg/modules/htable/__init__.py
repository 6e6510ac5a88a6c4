"""htable: tables in memory that all routes share, whose items expire (modules/htable).

`definition` reads modparams, `table` keeps items, `matching` compares them, `expiry` takes them away; none of these
knows of variables. `variables`, `functions`, `rpc` and `kemi` are the ways to them. There is no database and no DMQ.
"""

from __future__ import annotations

from evapi_cfg.modules.htable import definition
from evapi_cfg.modules.htable.expiry import MOD_INIT
from evapi_cfg.modules.htable.functions import FUNCTIONS
from evapi_cfg.modules.htable.kemi import FUNCTIONS as KEMI_FUNCTIONS
from evapi_cfg.modules.htable.rpc import COMMANDS
from evapi_cfg.modules.htable.state import State, reload, start, stop
from evapi_cfg.modules.htable.variables import VARIABLES
from evapi_cfg.modules.ranges import readable
from evapi_cfg.modules.spec import EventRoute, ModuleSpec, Param

MODULE = ModuleSpec(
    "htable",
    functions=FUNCTIONS,
    params=(
        Param("htable", str, check=readable(definition.parse), parsed=True, absent=definition.not_run),
        Param("timer_interval", int, 20),
        Param("timer_procs", int, 0),
        Param("db_url", str, runs=False),
        Param("key_name_column", str, "key_name"),
        Param("key_type_column", str, "key_type"),
        Param("value_type_column", str, "value_type"),
        Param("key_value_column", str, "key_value"),
        Param("expires_column", str, "expires"),
        Param("array_size_suffix", str, "::size"),
        Param("fetch_rows", int, 100),
        Param("db_expires", int, 0),
        Param("enable_dmq", int, 0, absent=lambda value: "DMQ" if value else ""),
        Param("dmq_init_sync", int, 0),
        Param("event_callback", str, runs=False),
        Param("event_callback_mode", int, 0),
    ),
    pvs=VARIABLES,
    event_routes=(EventRoute(MOD_INIT),),
    kemi=KEMI_FUNCTIONS,
    rpc=COMMANDS,
    init=State,
    start=start,
    reload=reload,
    stop=stop,
    doc="tables that all routes share, whose items expire",
)
