"""jansson: reading values out of JSON documents (modules/jansson/jansson_funcs.c, jansson_path.c, jansson_utils.c).

A library parses; what the C library refuses beyond that is refused here as well: names that come twice, NaN, numbers
of more than 64 bit, NULs, halves of characters. Changing documents is not here yet.
"""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.spec import Arg, FixupError, Function, ModuleSpec, Variable
from evapi_cfg.source import show, store
from evapi_cfg.values import Value

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1
_MISSING: Final = object()


class _Refused(ValueError):
    """The document is not one that jansson reads."""


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Refused("a name comes twice in an object")
    return made


def _no_constant(text: str) -> float:
    raise _Refused(f"{text} is no JSON")


def _integer(text: str) -> int:
    number = int(text) if len(text) < 21 else _LONG_MAX + 1
    if not _LONG_MIN <= number <= _LONG_MAX:
        raise _Refused("a number of more than 64 bit")
    return number


def _real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused("a number that is too large")
    return number


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
# What calls Python for each number costs much more, so only documents that look like it are read a second time.
_SUSPICIOUS: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])|[0-9]{19}|[eE]\+?[0-9]{3}")
_CAREFUL: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer, parse_float=_real
)
_SHOWN: Final = 200  # characters of a text that is no JSON in the log
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")


class _State:
    """The document that was read last: several calls of one run mostly read the same."""

    def __init__(self, world: World) -> None:
        self.text = ""
        self.document: object = _MISSING


def parse(text: str) -> Json:
    """A document of one character per byte. Raises ValueError where jansson refuses it."""
    try:
        characters = text if text.isascii() else text.encode("latin-1").decode("utf-8")
        document: Json
        document, end = _DECODER.raw_decode(characters) if characters[:1] in ("{", "[") else (None, 0)
        if end != len(characters):  # with blanks around it, or none
            document = _DECODER.decode(characters)
        if _SUSPICIOUS.search(characters):
            _CAREFUL.decode(characters)
            _check_texts(document)
    except RecursionError:
        raise _Refused("the document is too deep") from None
    if not isinstance(document, (dict, list)):
        raise _Refused("neither an object nor an array")
    return document


def _check_texts(document: Json) -> None:
    """Raises where a string, or a name, has a NUL or half of a character in it."""
    left = [document]
    while left:
        found = left.pop()
        if isinstance(found, str):
            if _NO_TEXT.search(found):
                raise _Refused("a NUL or half of a character in a string")
        elif isinstance(found, list):
            left += found
        elif isinstance(found, dict):
            left += found
            left += found.values()


@lru_cache(256)
def _steps(path: str) -> tuple[str | int, ...] | None:
    """`a.b[2]` as names and places; None where it is no path."""
    steps: list[str | int] = []
    rest = path
    in_brackets = rest.startswith("[")
    named = not in_brackets
    if in_brackets:
        rest = rest[1:]
    while rest:
        if in_brackets:
            inside, closing, rest = rest.partition("]")
            place = _place(inside)
            if not closing or place is None:
                return None
            steps.append(place)
            in_brackets = named = False
            continue
        end = min((at for at in (rest.find("."), rest.find("[")) if at >= 0), default=-1)
        if end < 0:
            return (*steps, rest) if named else None
        if named:
            steps.append(rest[:end])
        elif end:
            return None
        in_brackets = rest[end] == "["
        named = not in_brackets
        rest = rest[end + 1 :]
    return None if in_brackets and not steps else tuple(steps)


_NUMBER: Final = re.compile(r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))")


def _place(text: str) -> int | None:
    """A number as C's strtol reads it: decimal, hexadecimal or octal; nothing at all is 0."""
    if not text:
        return 0
    found = _NUMBER.fullmatch(text)
    if found is None or len(text) > 40:
        return None
    sign, hexadecimal, octal, decimal = found.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(decimal) if decimal else int(octal or "0", 8)
    return -number if sign == "-" else number


def _at(document: Json, steps: tuple[str | int, ...]) -> Json | object:
    found: Json = document
    for step in steps:
        if isinstance(step, str):
            name = step if step.isascii() else show(step)
            if not isinstance(found, dict) or name not in found:
                return _MISSING
            found = found[name]
        elif isinstance(found, list) and 0 <= step < len(found):
            found = found[step]
        else:
            return _MISSING
    return found


_CONTROL: Final = re.compile(r"\\.(?:00[0-9a-f]{2})?")


def _upper_case(escaped: re.Match[str]) -> str:
    text = escaped[0]
    return text[:2] + text[2:].upper() if text[1] == "u" else text


def _written(value: Json) -> str:
    """JSON as jansson writes it, without blanks."""
    if isinstance(value, str):
        return _CONTROL.sub(_upper_case, json.dumps(value, ensure_ascii=False))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        number, e, exponent = f"{value:.17g}".partition("e")
        if e:
            return f"{number}e{int(exponent)}"
        return number if "." in number else f"{number}.0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    return "{" + ",".join(f"{_written(name)}:{_written(item)}" for name, item in value.items()) + "}"


def to_value(found: Json) -> Value:
    """What a variable gets of a value."""
    if isinstance(found, str):
        return store(found)
    if isinstance(found, bool):
        return int(found)
    if isinstance(found, int):
        return found if _INT_MIN <= found <= _INT_MAX else str(found)
    if isinstance(found, float):
        return f"{found:.15g}"
    return None if found is None else store(_written(found))


def _document(run: Run, text: str) -> Json:
    state = run.world.state["jansson"]
    assert isinstance(state, _State)
    if state.document is _MISSING or state.text != text:
        state.document = _MISSING
        state.document = parse(text)
        state.text = text
    return state.document  # type: ignore[return-value]


def _find(run: Run, name: str, steps: tuple[str | int, ...] | None, text: str) -> Json | object:
    """The value at a path; _MISSING where there is none."""
    try:
        document = _document(run, text)
    except ValueError as error:
        run.log(Level.ERROR, "jansson", f"{name}: this is no JSON: {show(text[:_SHOWN])!r}: {error}")
        return _MISSING
    return _MISSING if steps is None else _at(document, steps)


def _assign(run: Run, name: str, found: Json | object, target: Variable) -> int:
    if found is _MISSING:
        return -1
    try:
        value = to_value(found)  # type: ignore[arg-type]
    except (ValueError, RecursionError) as error:
        run.log(Level.ERROR, "jansson", f"{name}: this is no JSON: {error}")
        return -1
    set_variable(run, target, value)
    return 1


def _get(run: Run, path: str, text: str, target: Variable) -> int:
    return _assign(run, "jansson_get", _find(run, "jansson_get", _steps(path), text), target)


def _get_field(run: Run, field: str, text: str, target: Variable) -> int:
    """The name is one step, whatever is in it."""
    steps = (field,) if field else ()
    return _assign(run, "jansson_get_field", _find(run, "jansson_get_field", steps, text), target)


def _pv_get(run: Run, path: str, source: Variable, target: Variable) -> int:
    text = source.get(run)
    if not isinstance(text, str):
        run.log(Level.ERROR, "jansson", "jansson_pv_get: the variable holds no text")
        return -1
    return _get(run, path, text, target)


def _array_size(run: Run, path: str, text: str, target: Variable) -> int:
    found = _find(run, "jansson_array_size", _steps(path), text)
    if not isinstance(found, list):
        run.log(Level.ERROR, "jansson", f"jansson_array_size: there is no array at {show(path)!r}")
        return -1
    set_variable(run, target, len(found))
    return 1


def _check_target(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    target = arguments[2]
    if isinstance(target, Variable) and target.set is None:
        raise FixupError(2, "the variable cannot be assigned")
    return arguments


_GET: Final = (Arg.TEXT, Arg.TEXT, Arg.PVAR)

MODULE = ModuleSpec(
    "jansson",
    functions=(
        Function("jansson_get", _get, _GET, fixup=_check_target),
        Function("jansson_get_field", _get_field, _GET, fixup=_check_target),
        Function("jansson_pv_get", _pv_get, (Arg.TEXT, Arg.PVAR, Arg.PVAR), fixup=_check_target),
        Function("jansson_array_size", _array_size, _GET, fixup=_check_target),
    ),
    init=_State,
    doc="values out of JSON documents",
)
