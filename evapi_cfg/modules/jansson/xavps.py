"""XAVPs of objects, and objects of XAVPs (jansson_funcs.c: jansson_xdecode, jansson_xencode)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.jansson.documents import loose, to_text
from evapi_cfg.modules.jansson.functions import documents, no_json
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.pv.xavp import Xavp, first, roots
from evapi_cfg.modules.spec import Arg, Function, Variable
from evapi_cfg.source import show


def _decode(run: Run, text: str, name: str) -> int:
    """`$xavp(name)` of an object; of an array one of each of its objects, the last of them in front."""
    try:
        document = documents(run).of(text)
    except ValueError as error:
        return no_json(run, "jansson_xdecode", text, error)
    rows = document if isinstance(document, list) else [document]
    if name:
        roots(run, "xavp")[:0] = [Xavp(name, _members(value)) for value in reversed(rows)]
    return 1


def _members(value: Json) -> list[Xavp]:
    """What is no object has none, but is a list all the same. A member without a name is left out."""
    pairs = list(value.items()) if isinstance(value, dict) else []
    return [Xavp(name, _held(member)) for name, member in reversed(pairs) if name]


def _held(value: Json) -> int | str | None:
    """Numbers that are no integers, arrays and objects are texts."""
    return int(value) if isinstance(value, int) else value if value is None else to_text(value)


def _encode(run: Run, name: str, target: Variable) -> int:
    """The members of `$xavp(name)` as an object, newest first. Lists in lists are not written."""
    item = first(run.xavp, name)
    if item is None or not isinstance(item.value, list):
        return -1
    made: dict[str, Json] = {}
    for child in item.value:
        value = "<<xavp>>" if isinstance(child.value, list) else child.value
        try:
            for text in (child.name, value):
                if isinstance(text, str) and not text.isascii():
                    text.encode("latin-1").decode("utf-8")
        except ValueError as error:
            run.log(Level.ERROR, "jansson", f"jansson_xencode: {show(child.name)!r} cannot be written: {error}")
            return -1
        made[child.name] = value
    return set_variable(run, target, loose(made))


FUNCTIONS: Final = (
    Function("jansson_xdecode", _decode, (Arg.TEXT, Arg.TEXT)),
    Function("jansson_xencode", _encode, (Arg.TEXT, Arg.PVAR), outputs=(1,), guard="never"),
)
