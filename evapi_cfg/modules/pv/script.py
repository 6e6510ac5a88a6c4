"""$var, $vz, $vn, $shv, $shvinc and the modparams that set them at start (modules/pv/pv_svar.c, pv_shv.c)."""

from __future__ import annotations

from evapi_cfg.modules.context import Run, World
from evapi_cfg.modules.forms import named
from evapi_cfg.modules.spec import Param, Resolver, Variable
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value, parse_int

_NULL_SPACE = "\0"  # in front of the names of $vn: they are apart from those of $var


def _var(inner: Text, resolver: Resolver) -> Variable:
    name = inner.value
    world = resolver.world
    if world is not None:
        world.vars.setdefault(name, 0)

    def get(run: Run) -> Value:
        return run.vars.get(name, 0)

    def set_(run: Run, value: Value) -> None:
        run.vars[name] = 0 if value is None else value

    return Variable(get, set_, var=name, nullable=False)


def _null_var(inner: Text, resolver: Resolver) -> Variable:
    name = _NULL_SPACE + inner.value

    def get(run: Run) -> Value:
        return run.vars.get(name)

    def set_(run: Run, value: Value) -> None:
        if value is None:
            run.vars.pop(name, None)
        else:
            run.vars[name] = value

    return Variable(get, set_)


def _shared(inner: Text, resolver: Resolver) -> Variable:
    name = inner.value
    world = resolver.world
    if world is not None:
        world.shv.setdefault(name, 0)

    def get(run: Run) -> Value:
        return run.world.shv.get(name, 0)

    def set_(run: Run, value: Value) -> None:
        # pv_set_shvar looks at the type only: $null, which has none, becomes an empty string.
        run.world.shv[name] = "" if value is None else value

    def unset(run: Run) -> None:
        run.world.shv[name] = 0

    return Variable(get, set_, nullable=False, unset=unset)


def _shared_increment(inner: Text, resolver: Resolver) -> Variable:
    name = inner.value
    world = resolver.world
    if world is not None:
        world.shv.setdefault(name, 0)

    def get(run: Run) -> Value:
        space = run.world.shv
        value = space.get(name, 0)
        if isinstance(value, str):
            return 0
        space[name] = value = value + 1
        return value

    return Variable(get, nullable=False)


VARIABLES = (
    named("var", _var, writable=True),
    named("vz", _var, writable=True),
    named("vn", _null_var, writable=True),
    named("shv", _shared, writable=True),
    named("shvinc", _shared_increment),
)


def _parse(text: str) -> tuple[str, int | str] | None:
    """`name=i:5` or `name=s:text` (pv_shv.c: param_set_xvar)."""
    name, equals, rest = text.partition("=")
    if not (name and equals and rest[:1] in tuple("sSiI") and rest[1:2] == ":"):
        return None
    if rest[0] in "sS":
        return name, rest[2:]
    number = parse_int(rest[2:]) if rest[2:3].isdecimal() or rest[2:3] in ("+", "-") else None
    return None if number is None else (name, number)


def _check(value: int | str) -> str | None:
    if isinstance(value, str) and _parse(value) is not None:
        return None
    return f"`{show(str(value))}` is not of the form `name=i:number` or `name=s:text`"


def _set_var(world: World, value: int | str) -> None:
    if isinstance(value, str) and (pair := _parse(value)):
        world.vars[pair[0]] = pair[1]


def _set_shared(world: World, value: int | str) -> None:
    if isinstance(value, str) and (pair := _parse(value)):
        world.shv[pair[0]] = pair[1]


PARAMS = (
    Param("varset", str, check=_check, set=_set_var),
    Param("shvset", str, check=_check, set=_set_shared),
)
