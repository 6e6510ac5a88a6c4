"""@hf_value, @hf_value2 and @hf_value_exists: values inside headers, read (textopsx.c: sel_declaration,
sel_hf_value_name and what they call).

In a path `_` stands for `-` but where a name begins. A parameter behind a name needs `p` or `param` in front of it: the
row of sel_declaration that would take its bare name is behind one that takes anything, so it is never reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Getter, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.core_select_parts import uri_part, with_nameaddr, with_params, with_part
from evapi_cfg.modules.spec import Select, Selected, SelectPath
from evapi_cfg.modules.textopsx.params import find_param, param_value, parts_of
from evapi_cfg.modules.textopsx.values import FARTHEST, Place, has_value, value_span, value_spans
from evapi_cfg.sip.headers import KINDS
from evapi_cfg.values import Value

_LONGEST_NAME: Final = 44  # sel_hf_value_name: `Name: X` and its line end go into a buffer of 50
Read = Callable[[str, int, int], str]


def _dashed(name: str) -> str:
    return name[:1] + name[1:].replace("_", "-")


def _place(path: SelectPath) -> tuple[Place, SelectPath] | None:
    """The header and the index that a path begins with, and the rest of it; None where it does not."""
    name = path[0] if path else 0
    if not isinstance(name, str):
        return None
    name = _dashed(name)
    kind = KINDS[name] if len(name) <= _LONGEST_NAME else ""
    index = path[1] if len(path) > 1 else ""
    indexed = isinstance(index, int)
    number = index if isinstance(index, int) else 1
    if not kind or number < -FARTHEST:
        return None
    return Place(name, kind, indexed, False, number or 1, ""), path[1 + indexed :]


# ---- reading ----------------------------------------------------------------------------------------------------


def _one(place: Place, read: Read, *, whole: bool = False) -> Getter:
    """What is read of the value with the place's number."""

    def get(run: Run) -> Value:
        span = value_span(run, place, whole=whole)
        return None if span is None else read(current_message(run).text, *span)

    return get


def _each(place: Place, read: Read) -> Getter:
    """What is read of all values, with commas between; of the one value with the place's number where it has one."""
    if place.indexed:
        return _one(place, read)

    def get(run: Run) -> Value:
        text = current_message(run).text
        found = ""
        spans = value_spans(run, place)
        for span in spans:
            found += f",{read(text, *span)}" if found else read(text, *span)
        return found if spans else None

    return get


def _text(text: str, start: int, end: int) -> str:
    return text[start:end]


def _uri(text: str, start: int, end: int) -> str:
    """The address without its angle brackets."""
    begin, end = parts_of(text, start, end).uri
    return text[begin + 1 : end - 1] if text[begin:end][:1] == "<" else text[begin:end]


def _name(text: str, start: int, end: int) -> str:
    """The display name without its quotes."""
    begin, end = parts_of(text, start, end).name
    name = text[begin:end]
    return name[1:-1] if len(name) >= 2 and name[0] == name[-1] == '"' else name


def _param(name: str) -> Read:
    def read(text: str, start: int, end: int) -> str:
        found = find_param(text, start, end, name)
        return param_value(text, found) if found.is_there else ""

    return read


# ---- what is declared -------------------------------------------------------------------------------------------


def _hf_value(path: SelectPath) -> Selected | None:
    begin = _place(path)
    if begin is None:
        return None
    place, rest = begin
    whole = Selected(_each(place, _text), always=True)
    if not rest:
        return whole
    name, more = str(rest[0]).lower(), rest[1:]
    if name in ("p", "param"):
        if len(more) != 1 or not isinstance(more[0], str):
            return None
        # Without an index the parameter is not looked at.
        get = _one(place, _param(_dashed(more[0]))) if place.indexed else whole.get
        return Selected(get, always=True)
    if name == "uri":
        uri = Selected(_each(place, _uri), always=True)
        return with_part(uri, uri_part(more)) if more else uri
    if name == "name":
        return None if more else Selected(_one(place, _name), always=True)
    if name == "nameaddr":
        return with_nameaddr(whole, more) if more and isinstance(more[0], str) else None
    return with_params(whole, rest)


def _hf_value2(path: SelectPath) -> Selected | None:
    """The whole header counts as one value."""
    begin = _place(path)
    if begin is None:
        return None
    place, rest = begin
    whole = Selected(_one(place, _text, whole=True), always=True)
    return with_params(whole, rest) if rest else whole


def _hf_value_exists(path: SelectPath) -> Selected | None:
    """`@hf_value_exists.Name.value`: "1" or "0"."""
    begin = _place(path)
    if begin is None or begin[0].indexed or len(begin[1]) != 1 or not isinstance(begin[1][0], str):
        return None
    place, wanted = begin[0], _dashed(begin[1][0])
    return Selected(lambda run: "1" if has_value(run, place, wanted) > 0 else "0")


SELECTS: Final = (
    Select("hf_value", _hf_value),
    Select("hf_value2", _hf_value2),
    Select("hf_value_exists", _hf_value_exists),
)
