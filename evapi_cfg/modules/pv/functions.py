"""Functions about single variables: what a value is, unsetting, evaluating twice (modules/pv/pv.c)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.function_forms import assigns
from evapi_cfg.modules.pv.xavp import Kind, Xavp, printed
from evapi_cfg.modules.spec import Arg, Function, NameRefused, Variable
from evapi_cfg.source import show
from evapi_cfg.values import EvaluationError, Value


def _is_int(run: Run, variable: Variable) -> int:
    value = variable.get(run)
    return 1 if isinstance(value, int) or (value is not None and variable.number is not None) else -1


def _not_empty(run: Run, variable: Variable) -> int:
    value = variable.get(run)
    return 1 if isinstance(value, str) and value else -1


def _isset(run: Run, variable: Variable) -> int:
    return -1 if variable.get(run) is None else 1


def _unset(run: Run, variable: Variable) -> int:
    """A variable that cannot be assigned stays, and that is no error."""
    if variable.unset is not None:
        variable.unset(run)
        return 1
    return 1 if variable.set is None else set_variable(run, variable, None)


def set_variable(run: Run, variable: Variable, value: Value) -> int:
    """An assignment from a function: 1, or -1 where the variable refuses the value."""
    if variable.set is None:
        run.log(Level.ERROR, "pv", "the variable cannot be assigned")
        return -1
    try:
        variable.set(run, value)
    except EvaluationError as err:
        run.log(Level.ERROR, "pv", str(err))
        return -1
    return 1


def _typeof(run: Run, variable: Variable, kind: str) -> int:
    value = variable.get(run)
    match kind[:1].lower():
        case "i":
            return 1 if isinstance(value, int) else -1
        case "s":
            return 1 if isinstance(value, str) else -1
        case "n":
            return 1 if value is None else -1
    return -1


def _evalx(run: Run, target: Variable, text: str) -> int:
    """The text, whose variables are filled in already, is read as a format once more."""
    resolver = run.world.resolver
    if resolver is None:
        return -1
    try:
        filled = resolver.runtime_text(text)
    except NameRefused as err:
        run.log(Level.ERROR, "pv", f"pv_evalx: {show(text)!r} cannot be evaluated: {err.message}")
        return -1
    return set_variable(run, target, filled if isinstance(filled, str) else filled(run))


def _lines(items: list[Xavp], level: int) -> list[str]:
    found = []
    for item in items:
        if isinstance(item.value, list):
            found.append(f"{'  ' * level}{show(item.name)}:")
            found += _lines(item.value, level + 1)
        else:
            value = printed(item)
            text = "<null>" if value is None else repr(show(value)) if isinstance(value, str) else str(value)
            found.append(f"{'  ' * level}{show(item.name)} = {text}")
    return found


def _print(run: Run, kind: Kind) -> int:
    items: list[Xavp] = getattr(run, kind) or []
    for line in _lines(items, 0) or ["(none)"]:
        run.log(Level.INFO, "pv", f"{kind} {line}")
    return 1


def _print_xavp(run: Run) -> int:
    return _print(run, "xavp")


def _print_xavi(run: Run) -> int:
    return _print(run, "xavi")


def _print_xavu(run: Run) -> int:
    return _print(run, "xavu")


_ONE: Final = (Arg.PVAR,)

FUNCTIONS: Final = (
    Function("is_int", _is_int, _ONE),
    Function("not_empty", _not_empty, _ONE),
    Function("pv_isset", _isset, _ONE),
    Function("pv_unset", _unset, _ONE),
    Function("typeof", _typeof, (Arg.PVAR, Arg.STRING)),
    Function("pv_evalx", _evalx, (Arg.PVAR, Arg.CONST_TEXT), fixup=assigns(0), outputs=(0,)),
    Function("pv_xavp_print", _print_xavp),
    Function("pv_xavi_print", _print_xavi),
    Function("pv_xavu_print", _print_xavu),
)
