"""What the declarations of functions in several modules have in common: one function under several names, and one that
assigns a variable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from evapi_cfg.modules.spec import Arg, FixupError, Function, Variable

Arguments: TypeAlias = "tuple[object | None, ...]"


def under_names(names: str, call: Callable[..., int], args: tuple[Arg, ...] = ()) -> tuple[Function, ...]:
    """One function under all its names, which are words of one text."""
    return tuple(Function(name, call, args) for name in names.split())


def assigns(index: int) -> Callable[[Arguments], Arguments]:
    """A fixup that refuses a variable that cannot be assigned; `index` is its place, -1 the last."""

    def check(arguments: Arguments) -> Arguments:
        target = arguments[index]
        if isinstance(target, Variable) and target.set is None:
            raise FixupError(index % len(arguments), "the variable cannot be assigned")
        return arguments

    return check
