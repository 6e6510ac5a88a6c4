"""Functions about $xavp, $xavi and $xavu (modules/pv/pv.c, pv_xavp.c; core/xavp.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.pv.sockets import find_socket
from evapi_cfg.modules.pv.xavp import Kind, Xavp, first, places, remove, roots, set_child
from evapi_cfg.modules.spec import Arg, Function, Routes, Variable
from evapi_cfg.source import show

_BLANK: Final = " \t\r\n"


def _error(run: Run, message: str) -> int:
    run.log(Level.ERROR, "pv", message)
    return -1


# ---- name=value lists ----------------------------------------------------------------------------------------------


class _Scan(NamedTuple):
    """A piece of a parameter list and where the rest begins."""

    text: str
    at: int


def _word(text: str, at: int, stops: str) -> _Scan:
    end = next((place for place in range(at, len(text)) if text[place] in stops), len(text))
    return _Scan(text[at:end], end)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def parse_params(text: str, separator: str = ";") -> list[tuple[str, str]] | None:
    """`a=1;b="x y";c` as pairs; None where it is malformed (core/parser/parse_param.c: parse_params2).

    A value in quotes, single or double, may hold anything but its quote; others end at blanks and commas.
    """
    pairs = []
    at = 0
    while True:
        name, at = _word(text, at, _BLANK + ",=" + separator)
        at = _skip(text, at)
        value = ""
        if text[at : at + 1] == "=":
            at = _skip(text, at + 1)
            if text[at : at + 1] in ('"', "'"):
                end = text.find(text[at], at + 1)
                if end < 0:
                    return None
                value, at = text[at + 1 : end], end + 1
            elif at < len(text):
                value, at = _word(text, at, _BLANK + "," + separator)
                if not value:
                    return None
            at = _skip(text, at)
        pairs.append((name, value))
        if at >= len(text) or (text[at] in ",>" and text[at] != separator):
            return pairs
        if text[at] != separator:
            return None
        at = _skip(text, at + 1)
        if at >= len(text):
            return None


def _pairs(run: Run, text: str, name: str, separator: str) -> list[Xavp] | None:
    if not text or not name:
        _error(run, "neither the parameters nor the name may be empty")
        return None
    pairs = parse_params(text.removesuffix(";"), separator)
    if pairs is None or not all(key for key, _ in pairs):
        return None
    return [Xavp(key, value) for key, value in pairs]


def _explode(run: Run, text: str, name: str) -> int:
    return _explode_by(run, text, ";", name)


def _explode_by(run: Run, text: str, separator: str, name: str) -> int:
    children = _pairs(run, text, name, separator[:1] or ";")
    if children is None:
        return -1
    roots(run, "xavp").insert(0, Xavp(name, children))
    return 1


def _explode_unique(run: Run, text: str, name: str) -> int:
    pairs = _pairs(run, text, name, ";")
    if pairs is None:
        return -1
    children: list[Xavp] = []
    for pair in pairs:
        remove(children, pair.name, None)
        children.append(pair)
    items = roots(run, "xavu")
    remove(items, name, None)
    items.insert(0, Xavp(name, children))
    return 1


def _explode_list(run: Run, text: str, separators: str, mode: str, name: str) -> int:
    """`a,b;c` cut at any of the separators into $(xavp(name=>v[i])); mode "t" takes the blanks off."""
    if not text or not separators or not name:
        return _error(run, "neither the list nor its separators nor the name may be empty")
    for separator in separators[1:]:
        text = text.replace(separator, separators[0])
    words = text.split(separators[0])
    if mode[:1] == "t":
        words = [word.strip(_BLANK) for word in words]
    roots(run, "xavp").insert(0, Xavp(name, [Xavp("v", word) for word in words if word]))
    return 1


def _implode(run: Run, kind: Kind, name: str, target: Variable, quote: str) -> int:
    if not name:
        return _error(run, "the name may not be empty")
    item = first(getattr(run, kind), name)
    if item is None or not isinstance(item.value, list):
        return -1
    text = ""
    for child in item.value:
        if isinstance(child.value, int):
            text += f"{child.name}={child.value & 0xFFFFFFFFFFFFFFFF};"
        elif isinstance(child.value, str):
            text += f"{child.name}={quote}{child.value}{quote};" if child.value else f"{child.name};"
    return set_variable(run, target, text) if text else -1


def _implode_plain(run: Run, name: str, target: Variable) -> int:
    return _implode(run, "xavp", name, target, "")


def _implode_quoted(run: Run, name: str, target: Variable) -> int:
    return _implode(run, "xavp", name, target, '"')


def _implode_unique(run: Run, name: str, target: Variable) -> int:
    return _implode(run, "xavu", name, target, "")


# ---- children, removal, order ---------------------------------------------------------------------------------------


def _child_setter(kind: Kind) -> Callable[[Run, str, str, int | str], int]:
    def set_(run: Run, root: str, name: str, value: int | str) -> int:
        set_child(roots(run, kind), root, name, value, kind)
        return 1

    return set_


def _child_remover(kind: Kind) -> Callable[[Run, str, str], int]:
    def remove_(run: Run, root: str, name: str) -> int:
        item = first(getattr(run, kind), root, kind)
        if item is not None and isinstance(item.value, list):
            remove(item.value, name, 0, kind)
        return 1

    return remove_


def _remover(kind: Kind, index: int | None) -> Callable[[Run, str], int]:
    """How many were removed, as the return code; 1 where there was none."""
    return lambda run, name: remove(roots(run, kind), name, index, kind) or 1


def _shift(run: Run, name: str, count: int) -> int:
    """Turn the values of a name by `count` places to the left. They come to stand in front of all others."""
    items = roots(run, "xavp")
    found = places(items, name)
    if not name or not count:
        return 1
    if not found:
        return -2
    turn = count % len(found)
    if turn:
        moved = [items[at] for at in found]
        remove(items, name, None)
        items[:0] = moved[turn:] + moved[:turn]
    return 1


def _clone(item: Xavp, name: str) -> Xavp | None:
    """A copy one level deep; None where the item holds nothing but further lists."""
    if not isinstance(item.value, list):
        return Xavp(name, item.value)
    children = [Xavp(child.name, child.value) for child in item.value if not isinstance(child.value, list)]
    return Xavp(name, children) if children else None


def _source(run: Run, name: str, index: int) -> Xavp | None:
    items = roots(run, "xavp")
    found = places(items, name)
    if not 0 <= index < len(found):
        _error(run, f"xavp_copy: there is no $xavp({show(name)}[{index}])")
        return None
    return items[found[index]]


def _copy(run: Run, source: str, index: int, target: str) -> int:
    """A copy behind the last value of `target`, or in front of all where it has none."""
    item = _source(run, source, index)
    new = None if item is None else _clone(item, target)
    if new is None:
        return -1
    items = roots(run, "xavp")
    found = places(items, target)
    items.insert(found[-1] + 1 if found else 0, new)
    return 1


def _copy_to(run: Run, source: str, index: int, target: str, place: int) -> int:
    """A copy in the place of a value of `target` that exists."""
    item = _source(run, source, index)
    new = None if item is None else _clone(item, target)
    if new is None:
        return -1
    items = roots(run, "xavp")
    found = places(items, target)
    if not 0 <= place < len(found):
        return _error(run, f"xavp_copy: there is no $xavp({show(target)}[{place}]) to replace")
    del items[found[place]]
    items.insert(found[place - 1] + 1 if place else 0, new)
    return 1


# ---- to and from $var, to the destination ---------------------------------------------------------------------------


def _var_to_xavp(run: Run, variable: str, name: str) -> int:
    """$var(x) as $xavp(name=>x); `*` takes all that are numbers or not empty."""
    items = roots(run, "xavp")
    remove(items, name, None)
    if variable == "*":
        children = [Xavp(key, value) for key, value in run.vars.items() if value != "" and not key.startswith("\0")]
        if children:
            items.insert(0, Xavp(name, list(children)))
        return 1
    value = run.vars.get(variable)
    if value is None:
        return _error(run, f"there is no $var({show(variable)})")
    items.insert(0, Xavp(name, [Xavp(variable, value)]))
    return 1


def _xavp_to_var(run: Run, name: str) -> int:
    """Each child of $xavp(name) becomes a $var of its name."""
    items = roots(run, "xavp")
    found = [items[at] for at in places(items, name)]
    if not found:
        return _error(run, f"there is no $xavp({show(name)})")
    for item in found:
        if not isinstance(item.value, list):
            return _error(run, f"$xavp({show(name)}) has no children")
        for child in item.value:
            if not isinstance(child.value, (int, str)):
                return _error(run, f"$xavp({show(name)}=>{show(child.name)}) is neither a number nor a string")
            run.vars[child.name] = child.value
    return 1


def _push_destination(run: Run, name: str) -> int:
    """The request goes where $xavp(name=>uri), =>dsturi and =>socket say."""
    item = first(run.xavp, name)
    if item is None or not isinstance(item.value, list):
        return -1
    message = current_message(run)
    uri, dst_uri, socket = (first(item.value, key) for key in ("uri", "dsturi", "socket"))
    if uri is not None and isinstance(uri.value, str):
        message.new_uri = uri.value
    if dst_uri is not None and isinstance(dst_uri.value, str):
        message.dst_uri = dst_uri.value
    if socket is not None and isinstance(socket.value, str):
        message.send_socket = find_socket(run, socket.value) or message.send_socket
    return 1


_T: Final = Arg.TEXT
_ROUTES: Final = Routes.REQUEST | Routes.FAILURE | Routes.BRANCH

FUNCTIONS: Final = (
    Function("xavp_params_explode", _explode, (_T, _T)),
    Function("xavp_xparams_explode", _explode_by, (_T, _T, _T)),
    Function("xavu_params_explode", _explode_unique, (_T, _T)),
    Function("xavp_slist_explode", _explode_list, (_T, _T, _T, _T)),
    Function("xavp_params_implode", _implode_plain, (_T, Arg.PVAR), outputs=(1,), guard="run"),
    Function("xavp_params_implode_qval", _implode_quoted, (_T, Arg.PVAR), outputs=(1,), guard="run"),
    Function("xavu_params_implode", _implode_unique, (_T, Arg.PVAR), outputs=(1,), guard="run"),
    Function("xavp_child_seti", _child_setter("xavp"), (_T, _T, Arg.INT)),
    Function("xavp_child_sets", _child_setter("xavp"), (_T, _T, _T)),
    Function("xavi_child_seti", _child_setter("xavi"), (_T, _T, Arg.INT)),
    Function("xavi_child_sets", _child_setter("xavi"), (_T, _T, _T)),
    Function("xavp_child_rm", _child_remover("xavp"), (_T, _T)),
    Function("xavi_child_rm", _child_remover("xavi"), (_T, _T)),
    Function("xavp_rm", _remover("xavp", 0), (_T,)),
    Function("xavi_rm", _remover("xavi", 0), (_T,)),
    Function("xavp_rm_all", _remover("xavp", None), (_T,)),
    Function("xavi_rm_all", _remover("xavi", None), (_T,)),
    Function("xavp_lshift", _shift, (_T, Arg.INT)),
    Function("xavp_copy", _copy, (Arg.STRING, Arg.INT, Arg.STRING)),
    Function("xavp_copy", _copy_to, (Arg.STRING, Arg.INT, Arg.STRING, Arg.INT)),
    Function("pv_var_to_xavp", _var_to_xavp, (_T, _T)),
    Function("pv_xavp_to_var", _xavp_to_var, (_T,)),
    Function("xavp_push_dst", _push_destination, (_T,), _ROUTES),
)
