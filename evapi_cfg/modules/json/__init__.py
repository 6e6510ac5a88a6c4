"""json: fields of JSON documents as json-c reads and writes them (modules/json/json_funcs.c, json_trans.c)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import World
from evapi_cfg.modules.json.documents import parse
from evapi_cfg.modules.json.functions import FUNCTIONS
from evapi_cfg.modules.json.transformations import ESCAPE, TRANSFORMATIONS
from evapi_cfg.modules.json_reading import Documents
from evapi_cfg.modules.spec import ModuleSpec, Param


def _init(world: World) -> Documents:
    return Documents(parse)


MODULE: Final = ModuleSpec(
    "json",
    functions=FUNCTIONS,
    params=(Param("json_escape_char", str, ESCAPE),),
    transformations=TRANSFORMATIONS,
    init=_init,
    doc="fields of JSON documents",
)
