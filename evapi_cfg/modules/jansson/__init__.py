"""jansson: values out of JSON documents, changes in them, and XAVPs of them (modules/jansson/jansson_funcs.c,
jansson_path.c, jansson_utils.c)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import World
from evapi_cfg.modules.jansson import functions, xavps
from evapi_cfg.modules.jansson.documents import parse
from evapi_cfg.modules.json_reading import Documents
from evapi_cfg.modules.spec import ModuleSpec


def _init(world: World) -> Documents:
    return Documents(parse)


MODULE: Final = ModuleSpec(
    "jansson",
    functions=(*functions.FUNCTIONS, *xavps.FUNCTIONS),
    kemi=functions.KEMI,
    init=_init,
    doc="values out of JSON documents, and changes in them",
)
