"""The functions: reading values out of a document, and changing the document that a variable holds
(jansson_funcs.c)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final, TypeAlias

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.jansson.documents import DEPTH, compact, parse, to_value
from evapi_cfg.modules.jansson.paths import MISSING, Finder, PathRefused, field_finder, finder, put
from evapi_cfg.modules.json_reading import Documents, before_nul, may_be_deeper
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.resolve import NOWHERE
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, NameRefused, Variable
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import INT_MAX, INT_MIN, LONG_MAX, LONG_MIN, EvaluationError

_SHOWN: Final = 200  # characters of a text that is no JSON in the log
Path: TypeAlias = "str | Finder"
"""Text of a path, or what a constant one has become when the cfg was loaded."""


def _refuse(run: Run, message: str) -> int:
    run.log(Level.ERROR, "jansson", message)
    return -1


def no_json(run: Run, name: str, text: str, error: ValueError) -> int:
    return _refuse(run, f"{name}: this is no JSON: {show(text[:_SHOWN])!r}: {error}")


def documents(run: Run) -> Documents:
    return run.world.state["jansson"]  # type: ignore[return-value]


# ---- reading --------------------------------------------------------------------------------------------------------


def _get(run: Run, path: Path, text: str, target: Variable, name: str = "jansson_get") -> int:
    # The way of each message: what is asked for most is asked first.
    find = finder(path) if isinstance(path, str) else path
    try:
        found = find(run.world.state["jansson"].of(text))  # type: ignore[attr-defined]
    except ValueError as error:
        return no_json(run, name, text, error)
    if found.__class__ is not str and (found.__class__ is not int or not INT_MIN <= found <= INT_MAX):
        if found is MISSING:
            return -1
        found = to_value(found)  # type: ignore[arg-type]
    put = target.set
    if put is None:
        return _refuse(run, f"{name}: the variable cannot be assigned: Kamailio's process would crash here")
    try:
        put(run, found)
    except EvaluationError as error:
        _refuse(run, f"{name}: {error}")
    return 1


def _get_field(run: Run, field: Path, text: str, target: Variable) -> int:
    find = field_finder(field) if isinstance(field, str) else field
    return _get(run, find, text, target, "jansson_get_field")


def _pv_get(run: Run, path: Path, source: Variable, target: Variable) -> int:
    text = source.get(run)
    if not isinstance(text, str):
        return _refuse(run, "jansson_pv_get: the variable holds no text")
    return _get(run, path, text, target, "jansson_pv_get")


def _array_size(run: Run, path: Path, text: str, target: Variable) -> int:
    find = finder(path) if isinstance(path, str) else path
    try:
        found = find(documents(run).of(text))
    except ValueError as error:
        return no_json(run, "jansson_array_size", text, error)
    if not isinstance(found, list):
        return _refuse(run, "jansson_array_size: there is no array at the path")
    return set_variable(run, target, len(found))


# ---- changing -------------------------------------------------------------------------------------------------------

_LONG: Final = re.compile(r"[ \t\n\v\f\r]*([+-]?)0*([0-9]+)")
_DOUBLE: Final = re.compile(
    r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]*\.?[0-9a-fA-F]*)(?:[pP]([+-]?[0-9]+))?"
    r"|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))"
)


def _integer(text: str) -> Json:
    """As C's strtoll reads it, which cuts a number that is too large; nothing is 0."""
    found = _LONG.fullmatch(text)
    if found is None and text:
        raise ValueError("this is no number")
    number = 0 if found is None else int(found[1] + found[2][:20])
    return min(max(number, LONG_MIN), LONG_MAX)


def _real(text: str) -> Json:
    """As C's strtod reads it; nothing is 0."""
    found = _DOUBLE.fullmatch(text)
    if found is None and text:
        raise ValueError("this is no number, or none that JSON can write")
    number = 0.0
    if found is not None:
        sign, hexadecimal, exponent, decimal = found.groups()
        number = float(decimal) if decimal else float.fromhex(f"0x{hexadecimal}p{exponent or 0}")
        number = -number if sign == "-" else number
    if math.isinf(number):
        raise ValueError("the number is too large")
    return number


def _string(text: str) -> Json:
    text.encode("latin-1").decode("utf-8")
    return text


def _object(text: str) -> Json:
    found = parse(text)
    if not isinstance(found, dict):
        raise ValueError("this is no object")
    return found


def _array(text: str) -> Json:
    found = parse(text)
    if not isinstance(found, list):
        raise ValueError("this is no array")
    return found


_MODES: Final[dict[str, Callable[[str], Json]]] = {
    "object": _object,
    "obj": _object,
    "array": _array,
    "string": _string,
    "str": _string,
    "integer": _integer,
    "int": _integer,
    "real": _real,
    "true": lambda text: True,
    "false": lambda text: False,
    "null": lambda text: None,
}


def _change(run: Run, name: str, mode: str, path: str, written: str, target: Variable) -> int:
    """A variable that holds no text is taken as an empty object."""
    held = target.get(run)
    text = held if isinstance(held, str) else "{}"
    read = _MODES.get(mode)
    if read is None:
        return _refuse(run, f"{name}: there is no type {show(mode)!r}: {', '.join(_MODES)}")
    try:
        value = read(before_nul(written))
    except (ValueError, OverflowError) as error:
        return _refuse(run, f"{name}: {show(written[:_SHOWN])!r} cannot be set as {mode}: {error}")
    kept = documents(run)
    try:
        document = kept.take(text)
    except ValueError as error:
        return no_json(run, name, text, error)
    try:
        _string(path)
        put(document, path, value, append=name == "jansson_append")
    except (PathRefused, ValueError) as error:
        return _refuse(run, f"{name}: {show(path)!r}: {show(str(error))}")
    made = compact(document)
    if not may_be_deeper(made, DEPTH):
        kept.keep(made, document)
    set_variable(run, target, made)
    return 1


def _set(run: Run, mode: str, path: str, written: str, target: Variable) -> int:
    return _change(run, "jansson_set", mode, path, written, target)


def _append(run: Run, mode: str, path: str, written: str, target: Variable) -> int:
    return _change(run, "jansson_append", mode, path, written, target)


# ---- declarations ---------------------------------------------------------------------------------------------------


def _with_path(find: Callable[[str], Finder]) -> Callable[[tuple[object | None, ...]], tuple[object | None, ...]]:
    def fixup(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
        path, *rest = arguments
        return (find(path) if isinstance(path, str) else None, *rest)

    return fixup


def _kemi_get(run: Run, path: str, text: str, name: str) -> int:
    resolver = run.world.resolver
    try:
        target = None if resolver is None else resolver.variable(Text(NOWHERE, name))
    except NameRefused as error:
        return _refuse(run, f"KSR.jansson.get: {show(name)!r}: {error.message}")
    if target is None or target.set is None:
        return _refuse(run, f"KSR.jansson.get: {show(name)!r} cannot be assigned")
    return _get(run, finder(path), text, target, "KSR.jansson.get")


_GET: Final = (Arg.TEXT, Arg.TEXT, Arg.PVAR)
_PV_GET: Final = (Arg.TEXT, Arg.PVAR, Arg.PVAR)
_SET: Final = (Arg.TEXT, Arg.TEXT, Arg.TEXT, Arg.PVAR)

FUNCTIONS: Final = (
    Function("jansson_get", _get, _GET, fixup=_with_path(finder), outputs=(2,), guard="never"),
    Function("jansson_get_field", _get_field, _GET, fixup=_with_path(field_finder), outputs=(2,), guard="never"),
    Function("jansson_pv_get", _pv_get, _PV_GET, fixup=_with_path(finder), outputs=(2,), guard="never"),
    Function("jansson_array_size", _array_size, _GET, fixup=_with_path(finder), outputs=(2,), guard="never"),
    Function("jansson_set", _set, _SET, outputs=(3,), guard="never"),
    Function("jansson_append", _append, _SET, outputs=(3,), guard="never"),
)
KEMI: Final = (KemiFunction("get", _kemi_get, (str, str, str)),)
