"""How a module declares what it exports to scripts in other languages: `KSR.room.name` (core/kemi.c).

Most of it is a function of kamailio.cfg under another name. What such a function gets prepared when a file is loaded, a
variable or an expression, scripts give as text: it is read when it is first seen, and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, cast

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.spec import Function, KemiFunction, NameRefused, Variable
from evapi_cfg.source import Span, show
from evapi_cfg.values import NULL_TEXT, Value, int32

Params = type[int] | type[str]
MODES: Final[dict[str, Value]] = {"get": None, "gete": "", "getw": NULL_TEXT}  # what stands for $null in each


def same(functions: Iterable[Function], room: str | None = None) -> Callable[..., KemiFunction]:
    """Gives what declares an export by the function of kamailio.cfg that it is the same as: the function's name, the
    kinds of the parameters, and `name` where the export has another one."""
    known = {(function.name, len(function.args)): function for function in functions}

    def declare(cfg_name: str, *params: Params, name: str = "") -> KemiFunction:
        function = known[cfg_name, len(params)]
        assert not function.waits
        call = cast("Callable[..., int]", function.call)
        return KemiFunction(name or cfg_name, call, params, room, function.at)

    return declare


def variable_named(run: Run, name: str, module: str = "core") -> Variable | None:
    """The variable that a text is the whole name of, such as `$var(x)`; None, and an error in the log, where there is
    none of that name."""
    resolver = run.world.resolver
    try:
        if resolver is not None:
            return resolver.runtime_variable(name)
    except NameRefused as error:
        run.log(Level.ERROR, module, f"{show(name)!r} is no variable: {error.message}")
    return None


def assigns(
    functions: Iterable[Function], index: int, module: str, room: str | None = None
) -> Callable[..., KemiFunction]:
    """As `same`, for functions that assign a variable: scripts give its name as the argument at `index`."""
    known = {(function.name, len(function.args)): function for function in functions}

    def declare(cfg_name: str, *params: Params, name: str = "") -> KemiFunction:
        call = known[cfg_name, len(params)].call

        def named(run: Run, *arguments: int | str) -> Value:
            target = variable_named(run, str(arguments[index]), module)
            if target is None:
                return -1
            if target.set is None:
                run.log(Level.ERROR, module, f"{show(str(arguments[index]))!r} cannot be assigned")
                return -1
            code = call(run, *arguments[:index], target, *arguments[index + 1 :])
            assert isinstance(code, int)
            return code

        return KemiFunction(name or cfg_name, named, params, room)

    return declare


def getters(
    read: Callable[..., Value], form: str, params: tuple[Params, ...] = (), room: str | None = None
) -> tuple[KemiFunction, ...]:
    """Three exports for one thing that may be $null, which scripts get as nothing, as an empty text or as `<null>`.
    `form` is the name with `{}` for `get`, `gete` and `getw`."""

    def make(null: Value) -> Callable[..., Value]:
        if null is None:
            return read

        def get(*arguments: object) -> Value:
            value = read(*arguments)
            return null if value is None else value

        return get

    return tuple(KemiFunction(form.format(mode), make(null), params, room) for mode, null in MODES.items())


def not_run(name: str, module: str, why: str, *params: Params, room: str | None = None) -> KemiFunction:
    """What does not run here: it logs an error and gives -1."""

    def refuse(run: Run, *_arguments: int | str, at: Span) -> int:
        run.log(Level.ERROR, module, f"{name} does not run here: {why}", at)
        return -1

    return KemiFunction(name, refuse, params, room, at=True)


def word(value: Value) -> Value:
    """A value as scripts get it: numbers have 32 bit (core/kemi.h: sr_kemi_xval_t)."""
    return int32(value) if isinstance(value, int) else value
