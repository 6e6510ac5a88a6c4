"""json_get_field, json_get_string (json_funcs.c: _json_get_field)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.function_forms import assigns
from evapi_cfg.modules.json.documents import as_json, as_text
from evapi_cfg.modules.json_reading import Documents, before_nul
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.spec import Arg, Function, Variable
from evapi_cfg.source import show

_SHOWN: Final = 200  # characters of a text that is no JSON in the log


def document(run: Run, name: str, text: str) -> Json:
    """What a text holds; None, with an error, where that is no JSON."""
    documents: Documents = run.world.state["json"]  # type: ignore[assignment]
    try:
        return documents.of(text)
    except ValueError as error:
        run.log(Level.ERROR, "json", f"{name}: this is no JSON: {show(text[:_SHOWN])!r}: {error}")
        return None


def _field(run: Run, name: str, text: str, field: str, target: Variable, write: Callable[[Json], str]) -> int:
    """A member of the outermost object. One that is null is none."""
    found = document(run, name, text)
    value = found.get(before_nul(field)) if isinstance(found, dict) else None
    if value is None:
        return -1
    set_variable(run, target, write(value))
    return 1


def _get_field(run: Run, text: str, field: str, target: Variable) -> int:
    """The value as JSON: a string keeps its quotes."""
    return _field(run, "json_get_field", text, field, target, as_json)


def _get_string(run: Run, text: str, field: str, target: Variable) -> int:
    return _field(run, "json_get_string", text, field, target, as_text)


_GET: Final = (Arg.TEXT, Arg.TEXT, Arg.PVAR)

FUNCTIONS: Final = (
    Function("json_get_field", _get_field, _GET, fixup=assigns(2), outputs=(2,)),
    Function("json_get_string", _get_string, _GET, fixup=assigns(2), outputs=(2,)),
)
