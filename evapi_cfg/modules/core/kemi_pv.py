"""`KSR.pv`: any pseudo-variable by its name, for scripts in other languages (core/kemi.c: _sr_kemi_pv).

Names are read once and kept, since scripts give the same ones over and over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.kemi_forms import MODES
from evapi_cfg.modules.spec import KemiFunction, Long, NameRefused, Variable
from evapi_cfg.source import Span, show
from evapi_cfg.values import INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, EvaluationError, Value, int32, leading_number


def _variable(run: Run, name: str, at: Span, level: Level = Level.ERROR) -> Variable | None:
    resolver = run.world.resolver
    assert resolver is not None
    try:
        return resolver.runtime_variable(name)
    except NameRefused as error:
        run.log(level, "core", f"{show(name)!r} is no variable: {error.message}", at)
        return None


def _value(run: Run, name: str, at: Span, level: Level = Level.ERROR) -> Value:
    """The value of a variable; $null, and a line in the log, where it cannot be had."""
    variable = _variable(run, name, at, level)
    if variable is None:
        return None
    try:
        return variable.get(run)
    except EvaluationError as error:
        run.log(level, "core", f"{show(name)} cannot be read: {error}", at)
        return None


def _reader(null: Value) -> Callable[[Run, str, Span], Value]:
    """get and its like, which differ in what $null is."""

    def get(run: Run, name: str, at: Span) -> Value:
        value = _value(run, name, at)
        if value is None:
            return null
        return int32(value) if isinstance(value, int) else value

    return get


def _or(run: Run, name: str, default: Value, at: Span) -> Value:
    value = _value(run, name, at)
    if value is None:
        return default
    return int32(value) if isinstance(value, int) else value


def _number(run: Run, name: str, at: Span, range: tuple[int, int]) -> int:
    """The integer side of a variable; of a text the digits that it begins with. 0 without any."""
    variable = _variable(run, name, at, Level.WARNING)
    if variable is None:
        return 0
    if variable.number is not None:
        return 0 if variable.get(run) is None else variable.number(run)
    value = _value(run, name, at, Level.WARNING)
    return leading_number(value, *range) if isinstance(value, str) else value or 0


def _geti(run: Run, name: str, at: Span) -> int:
    return int32(_number(run, name, at, (INT_MIN, INT_MAX)))


def _getl(run: Run, name: str, at: Span) -> int:
    return _number(run, name, at, (LONG_MIN, LONG_MAX))


def _set(run: Run, name: str, value: Value, at: Span) -> bool:
    """One that cannot be assigned stays as it is, and that is no error to Kamailio."""
    variable = _variable(run, name, at)
    if variable is None:
        return False
    if variable.set is None:
        run.log(Level.WARNING, "core", f"{show(name)} cannot be assigned: it stays as it is", at)
        return True
    try:
        variable.set(run, value)
    except EvaluationError as error:
        run.log(Level.ERROR, "core", f"{show(name)} cannot be set: {error}", at)
        return False
    return True


def _unset(run: Run, name: str, at: Span) -> bool:
    return _set(run, name, None, at)


def _is_null(run: Run, name: str, at: Span) -> bool:
    return _value(run, name, at) is None


def _function(name: str, call: Callable[..., Value | bool], *params: type[int] | type[str]) -> KemiFunction:
    return KemiFunction(name, call, (str, *params), "pv", at=True)


KEMI: Final = (
    *(_function(mode, _reader(null)) for mode, null in MODES.items()),
    _function("getvn", _or, int),
    _function("getvs", _or, str),
    _function("geti", _geti),
    _function("getl", _getl),
    _function("seti", _set, int),
    _function("setl", _set, Long),
    _function("sets", _set, str),
    _function("unset", _unset),
    _function("is_null", _is_null),
)
