"""`KSR.pvx`: $var, $shv, $avp and the xavps by their names alone, for scripts in other languages (modules/pv/pv.c:
sr_kemi_pvx_exports; pv_svar.c, pv_shv.c).

Not here: xavp_getd, xavp_get_keys and their like, which give tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.kemi_forms import assigns, getters, same, word
from evapi_cfg.modules.pv import branch, functions, xavp_functions
from evapi_cfg.modules.pv.avp import drop, put, values_of
from evapi_cfg.modules.pv.xavp import Kind, Xavp, assign_unique, first, printed, remove, roots
from evapi_cfg.modules.spec import KemiFunction
from evapi_cfg.source import show
from evapi_cfg.values import Value

_ROOM: Final = "pvx"
_TEXT: Final = (str,)
_TEXTS: Final = (str, str)

# ---- $var, $shv -----------------------------------------------------------------------------------------------------


def _set_var(run: Run, name: str, value: int | str) -> int:
    run.vars[name] = value
    return 1


def _get_var(run: Run, name: str) -> Value:
    value = run.vars.get(name)
    return _undefined(run, f"$var({show(name)})") if value is None else word(value)


def _set_shared(run: Run, name: str, value: int | str) -> int:
    """Only of one that kamailio.cfg names, or that has been read as a variable before."""
    if name not in run.world.shv:
        run.log(Level.ERROR, "pv", f"there is no $shv({show(name)})")
        return -1
    run.world.shv[name] = value
    return 1


def _get_shared(run: Run, name: str) -> Value:
    value = run.world.shv.get(name)
    return _undefined(run, f"$shv({show(name)})") if value is None else word(value)


def _increment_shared(run: Run, name: str) -> Value:
    space = run.world.shv
    value = space.get(name)
    if value is None:
        return _undefined(run, f"$shv({show(name)})")
    if isinstance(value, str):
        return 0
    space[name] = value = value + 1
    return word(value)


def _undefined(run: Run, what: str) -> int:
    run.log(Level.WARNING, "pv", f"there is no {what}: 0 is given")
    return 0


# ---- $avp -----------------------------------------------------------------------------------------------------------


def _add_avp(run: Run, name: str, value: int | str) -> int:
    """In front of those that are there."""
    put(run, name, value)
    return 1


def _get_avp(run: Run, name: str) -> Value:
    values = values_of(run, name)
    return word(values[0]) if values else None


def _remove_avp(run: Run, name: str) -> int:
    drop(run, name, False)
    return 1


def _is_avp_null(run: Run, name: str) -> int:
    if not values_of(run, name):
        return 1
    run.log(Level.WARNING, "pv", f"avp_is_null: Kamailio takes the value of $avp({show(name)}) away when asked this")
    return -1


# ---- $xavp, $xavi, $xavu --------------------------------------------------------------------------------------------


def _found(run: Run, kind: Kind, name: str) -> Xavp | None:
    return first(getattr(run, kind), name, kind)


def _child(item: Xavp | None, kind: Kind, name: str) -> Xavp | None:
    return first(item.value, name, kind) if item is not None and isinstance(item.value, list) else None


def _shown(item: Xavp | None) -> Value:
    return None if item is None else word(printed(item))


def _is_null(item: Xavp | None) -> int:
    return 1 if item is None or item.value is None else -1


def _getter(kind: Kind) -> Callable[[Run, str], Value]:
    return lambda run, name: _shown(_found(run, kind, name))


def _child_getter(kind: Kind) -> Callable[[Run, str, str], Value]:
    return lambda run, name, child: _shown(_child(_found(run, kind, name), kind, child))


def _null_test(kind: Kind) -> Callable[[Run, str], int]:
    return lambda run, name: _is_null(_found(run, kind, name))


def _child_null_test(kind: Kind) -> Callable[[Run, str, str], int]:
    return lambda run, name, child: _is_null(_child(_found(run, kind, name), kind, child))


def _adder(kind: Kind) -> Callable[[Run, str, int | str], int]:
    def add(run: Run, name: str, value: int | str) -> int:
        roots(run, kind).insert(0, Xavp(name, value))
        return 1

    return add


def _set_unique(run: Run, name: str, value: int | str) -> int:
    assign_unique(roots(run, "xavu"), name, None, value)
    return 1


def _set_unique_child(run: Run, name: str, child: str, value: int | str) -> int:
    assign_unique(roots(run, "xavu"), name, child, value)
    return 1


def _remove_unique(run: Run, name: str) -> int:
    if not name:
        return -1
    remove(roots(run, "xavu"), name, None)
    return 1


def _remove_unique_child(run: Run, name: str, child: str) -> int:
    item = _found(run, "xavu", name)
    if item is not None and isinstance(item.value, list):
        if not child:
            return -1
        remove(item.value, child, None)
    return 1


def _copy_to(run: Run, source: str, index: int, target: str, _place: int) -> int:
    """As xavp_copy: for scripts Kamailio does not look at the place."""
    code = _XAVP_COPY.call(run, source, index, target)
    assert isinstance(code, int)
    return code


def _of_kind(kind: Kind) -> tuple[KemiFunction, ...]:
    """What there is of each kind."""
    add = _set_unique if kind == "xavu" else _adder(kind)
    # Kamailio looks for the children of $xavu among those of $xavp.
    null_kind: Kind = "xavp" if kind == "xavu" else kind
    return (
        KemiFunction(f"{kind}_seti", add, (str, int), _ROOM),
        KemiFunction(f"{kind}_sets", add, _TEXTS, _ROOM),
        *getters(_getter(kind), f"{kind}_{{}}", _TEXT, _ROOM),
        *getters(_child_getter(kind), f"{kind}_child_{{}}", _TEXTS, _ROOM),
        KemiFunction(f"{kind}_is_null", _null_test(kind), _TEXT, _ROOM),
        KemiFunction(f"{kind}_child_is_null", _child_null_test(null_kind), _TEXTS, _ROOM),
    )


_of_branch: Final = same(branch.FUNCTIONS, _ROOM)
_of_functions: Final = same(functions.FUNCTIONS, _ROOM)
_of_xavp: Final = same(xavp_functions.FUNCTIONS, _ROOM)
_into: Final = assigns(xavp_functions.FUNCTIONS, 1, "pv", _ROOM)
_XAVP_COPY: Final = next(f for f in xavp_functions.FUNCTIONS if f.name == "xavp_copy" and len(f.args) == 3)

KEMI: Final = (
    *(_of_branch(name) for name in ("sbranch_set_ruri", "sbranch_append", "sbranch_reset")),
    KemiFunction("var_seti", _set_var, (str, int), _ROOM),
    KemiFunction("var_sets", _set_var, _TEXTS, _ROOM),
    KemiFunction("var_get", _get_var, _TEXT, _ROOM),
    KemiFunction("shv_seti", _set_shared, (str, int), _ROOM),
    KemiFunction("shv_sets", _set_shared, _TEXTS, _ROOM),
    KemiFunction("shv_get", _get_shared, _TEXT, _ROOM),
    KemiFunction("shvinc_get", _increment_shared, _TEXT, _ROOM),
    KemiFunction("avp_seti", _add_avp, (str, int), _ROOM),
    KemiFunction("avp_sets", _add_avp, _TEXTS, _ROOM),
    *getters(_get_avp, "avp_{}", _TEXT, _ROOM),
    KemiFunction("avp_rm", _remove_avp, _TEXT, _ROOM),
    KemiFunction("avp_is_null", _is_avp_null, _TEXT, _ROOM),
    *_of_kind("xavp"),
    *_of_kind("xavi"),
    *_of_kind("xavu"),
    *(
        _of_xavp(f"{kind}_{name}", *params)
        for kind in ("xavp", "xavi")
        for name, params in (
            ("rm", _TEXT), ("rm_all", _TEXT), ("child_seti", (str, str, int)), ("child_sets", (str, str, str)),
            ("child_rm", _TEXTS),
        )
    ),
    KemiFunction("xavu_rm", _remove_unique, _TEXT, _ROOM),
    KemiFunction("xavu_child_seti", _set_unique_child, (str, str, int), _ROOM),
    KemiFunction("xavu_child_sets", _set_unique_child, (str, str, str), _ROOM),
    KemiFunction("xavu_child_rm", _remove_unique_child, _TEXTS, _ROOM),
    *(_of_functions(f"pv_{kind}_print") for kind in ("xavp", "xavi", "xavu")),
    _of_xavp("pv_var_to_xavp", *_TEXTS),
    _of_xavp("pv_xavp_to_var", *_TEXT),
    _of_xavp("xavp_params_explode", *_TEXTS),
    _of_xavp("xavp_xparams_explode", str, str, str),
    _of_xavp("xavu_params_explode", *_TEXTS),
    _of_xavp("xavp_slist_explode", str, str, str, str),
    *(_into(name, *_TEXTS) for name in ("xavp_params_implode", "xavp_params_implode_qval", "xavu_params_implode")),
    _of_xavp("xavp_lshift", str, int),
    _of_xavp("xavp_push_dst", *_TEXT),
    _of_xavp("xavp_copy", str, int, str),
    KemiFunction("xavp_copy_dst", _copy_to, (str, int, str, int), _ROOM),
    assigns(functions.FUNCTIONS, 0, "pv", _ROOM)("pv_evalx", *_TEXTS, name="evalx"),
)  # fmt: skip
