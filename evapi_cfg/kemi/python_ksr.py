"""KSR as Python sees it: a module with a module for each room, and functions that take what a script gives them
(app_python3: apy_kemi.c: sr_apy_kemi_exec_func_ex).

A text is UTF-8 on the script's side, one character per byte on the other; a value that is no UTF-8 raises
UnicodeDecodeError in the script, as in Kamailio. An argument of a wrong kind, or one that is missing, is logged and
gives False; what is too many is passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Final, TypeAlias

from evapi_cfg.kemi.ksr import Modf, NoSuchFunction, Room, why_missing
from evapi_cfg.kemi.place import Here
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.spec import KemiFunction, Long
from evapi_cfg.values import Value, int32

Given: TypeAlias = "Value | bool"
VERSION: Final = 1003  # KSR.__version__
_MISSING: Final = object()
_MODF_MOST: Final = 3  # the name and two arguments


def inner(text: str) -> str:
    """A script's text with one character per byte of its UTF-8 form. Raises UnicodeEncodeError, and TypeError where it
    is no text."""
    if text.__class__ is not str:
        text = str.__str__(text)  # of a class of the script's own, such as an enum's: what is kept is the text alone
    return text if text.isascii() else text.encode().decode("latin-1")


def outer(text: str) -> str:
    """The reverse. Raises UnicodeDecodeError."""
    return text if text.isascii() else text.encode("latin-1").decode()


def module(rooms: dict[str, Room], modf: Modf, here: Here, loaded: tuple[str, ...]) -> ModuleType:
    """The module KSR."""
    ksr = _room("KSR", "", rooms[""], here, loaded)
    vars(ksr)["__version__"] = VERSION
    for name, functions in rooms.items():
        if name:
            setattr(ksr, name, _room(f"KSR.{name}", name, functions, here, loaded))
    ksr.x.modf = _modf(modf, here)
    return ksr


def _room(title: str, room: str, functions: Room, here: Here, loaded: tuple[str, ...]) -> ModuleType:
    made = ModuleType(title)
    for name, function in functions.items():
        setattr(made, name, _bound(function, f"{title}.{name}", here))

    def __getattr__(name: str) -> object:
        why = why_missing(room, name, loaded)
        if room == "x" and name in ("exit", "drop"):
            why = f"KSR.x.{name} is there for Lua only: in Python exit() ends the run"
        error = AttributeError(f"module {title!r} has no attribute {name!r}: {why}")
        if name.startswith("__"):  # what Python itself asks modules for
            error = AttributeError(name)
        raise error

    vars(made)["__getattr__"] = __getattr__
    return made


def _bound(function: KemiFunction, title: str, here: Here) -> Callable[..., Given]:
    """The function as a script calls it. The forms that nearly all have are written out: each costs less than one loop
    over its arguments."""
    call = partial(function.call, at=here.span) if function.at else function.call
    wrong = _wrong(title, here)
    made: Callable[..., Given]
    match function.params:
        case ():

            def made(*_: object) -> Given:
                value = call(here.run or here.outside())
                return outer(value) if value.__class__ is str else value

        case (first,) if first is str:

            def made(text: object = _MISSING, /, *_: object) -> Given:
                if not isinstance(text, str):
                    return wrong(0, "text", text)
                value = call(
                    here.run or here.outside(), text if text.__class__ is str and text.isascii() else inner(text)
                )
                return outer(value) if value.__class__ is str else value

        case (first, second) if first is str and second is str:

            def made(text: object = _MISSING, other: object = _MISSING, /, *_: object) -> Given:
                if not isinstance(text, str):
                    return wrong(0, "text", text)
                if not isinstance(other, str):
                    return wrong(1, "text", other)
                value = call(here.run or here.outside(), inner(text), inner(other))
                return outer(value) if value.__class__ is str else value

        case params:
            kinds = tuple(enumerate(params))

            def made(*arguments: object) -> Given:
                taken: list[int | str] = []
                for index, kind in kinds:
                    value = arguments[index] if index < len(arguments) else _MISSING
                    if kind is str:
                        if not isinstance(value, str):
                            return wrong(index, "text", value)
                        taken.append(inner(value))
                    elif isinstance(value, int):
                        taken.append(_number(value, kind))
                    else:
                        return wrong(index, "number", value)
                given = call(here.run or here.outside(), *taken)
                return outer(given) if given.__class__ is str else given

    made.__name__ = function.name
    made.__qualname__ = title
    return made


def _number(value: int, kind: type) -> int:
    if not -(2**63) <= value < 2**63:
        raise OverflowError(f"{value} has more than 64 bit")
    return int(value) if kind is Long else int32(int(value))


def _wrong(title: str, here: Here) -> Callable[[int, str, object], bool]:
    def complain(index: int, wanted: str, value: object) -> bool:
        what = "is missing" if value is _MISSING else f"is no {wanted} but of type {type(value).__name__}"
        run = here.run or here.outside()
        run.log(Level.ERROR, "app_python3", f"{title}: argument {index + 1} {what}: nothing is done", here.span)
        return False

    return complain


def _modf(modf: Modf, here: Here) -> Callable[..., int]:
    told = False

    def call_function(*arguments: object) -> int:
        nonlocal told
        if not 1 <= len(arguments) <= _MODF_MOST:
            raise RuntimeError(f"KSR.x.modf takes a name and up to {_MODF_MOST - 1} arguments")
        texts: list[str] = []
        for number, value in enumerate(arguments, 1):
            if not isinstance(value, str):
                raise TypeError(f"KSR.x.modf: argument {number} must be str, not {type(value).__name__}")
            if "\0" in value:
                raise ValueError(f"KSR.x.modf: argument {number} holds a null character")
            texts.append(inner(value))
        if not told:
            told = True
            hint = "KSR.x.modf of Python: Kamailio runs the function with memory that is no message, and may crash"
            (here.run or here.outside()).log(Level.NOTICE, "app_python3", hint, here.span)
        try:
            return modf(here.run or here.outside(), *texts)
        except NoSuchFunction as error:
            raise RuntimeError(f"KSR.x.modf: {error}") from None

    call_function.__name__ = "modf"
    return call_function
