"""$avp, the lists of values that live as long as the request or the event (core/usr_avp.c, modules/pv/pv_core.c).

A list is held newest first; an assignment puts its value in front.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.forms import ALL, index_of, indexed, indexed_variable
from evapi_cfg.modules.spec import NameRefused, Param, Resolver, Variable
from evapi_cfg.source import SourceFile, Span, show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value, parse_int

Name: TypeAlias = "str | Callable[[Run], str | None]"
ALIASES = "pv.avp_aliases"  # key of World.state
DELIMITER = ", "
_TRACKS = ("f", "fr", "fu", "fd", "t", "tr", "tu", "td", "g")
_NOWHERE = Span(SourceFile("<modparam>", ""), 0, 0)


def number_key(number: int) -> str:
    """The key in `Run.avps` of an AVP whose name is a number: apart from the one whose name is that number's text."""
    return f"\0{number}"


def _static_name(text: Text, aliases: dict[str, str]) -> str:
    """core/usr_avp.c: parse_avp_ident. `s:name`, `i:number`, or a name as it is."""
    value = text.value
    if ":" not in value and value in aliases:
        return aliases[value]
    if value[1:2] == ":":
        kind, rest = value[0], value[2:]
        if not rest:
            raise NameRefused(f"`{show(value)}` has no name behind the colon", text.span)
        if kind in "sS":
            return rest
        if kind in "iI":
            number = parse_int(rest)
            if number is None or not rest.isdecimal():
                raise NameRefused(f"`{show(rest)}` is not a number", text.span)
            return number_key(number)
        raise NameRefused(f"an AVP's name cannot start with `{show(kind)}:`, only with `s:` or `i:`", text.span)
    if "." in value:
        return _tracked_name(text)
    return value


def _tracked_name(text: Text) -> str:
    """`track.name`: the lists of the caller and the callee. Without a track it is the caller's."""
    track, _, name = text.value.partition(".")
    if track not in _TRACKS:
        raise NameRefused(f"`{show(track)}.` is not in front of an AVP's name", text.span, _TRACKS)
    if not name or any(c in "./[]" for c in name):
        raise NameRefused(f"`{show(name)}` is no AVP's name", text.span)
    return name if track in ("f", "fr") else f"{track[0] if track == 'tr' else track}.{name}"


def avp_name(text: Text, resolver: Resolver) -> Name:
    """The key of an AVP, or what gives it when it is used; None then means that there is none."""
    if text.value[:1] != "$":
        world = resolver.world
        aliases = world.state.get(ALIASES) if world is not None else None
        return _static_name(text, aliases if isinstance(aliases, dict) else {})
    get = resolver.variable(text).get

    def name(run: Run) -> str | None:
        value = get(run)
        if value is None:
            run.log(Level.ERROR, "pv", f"the name of $avp({show(text.value)}) is $null")
            return None
        return number_key(value) if isinstance(value, int) else value

    return name


def values_of(run: Run, name: Name) -> list[int | str] | None:
    """The values of one AVP, newest first; None where it has none."""
    avps = run.avps
    if avps is None:
        return None
    key = name if isinstance(name, str) else name(run)
    return None if key is None else avps.get(key)


def put(run: Run, key: str, value: int | str) -> None:
    avps = run.avps
    if avps is None:
        avps = run.avps = {}
    values = avps.get(key)
    if values is None:
        avps[key] = [value]
    else:
        values.insert(0, value)


def drop(run: Run, key: str, every: bool) -> None:
    avps = run.avps
    if avps is None or key not in avps:
        return
    values = avps[key]
    if every or len(values) == 1:
        del avps[key]
    else:
        del values[0]


def _avp(inner: Text, index_text: Text | None, resolver: Resolver) -> Variable:
    name = avp_name(inner, resolver)
    index = index_of(index_text, resolver)

    def first(run: Run) -> Value:
        avps = run.avps
        if avps is None:
            return None
        key = name if name.__class__ is str else name(run)  # type: ignore[operator]
        values = avps.get(key)  # type: ignore[arg-type]
        return values[0] if values else None

    def every(run: Run) -> Value:
        values = values_of(run, name)
        return DELIMITER.join(map(str, values)) if values else None

    def at(run: Run) -> Value:
        values = values_of(run, name)
        place = index if isinstance(index, int) else index(run) if callable(index) else 0
        if not values or place is None:
            return None
        if place < 0:
            # Counting from the end, Kamailio finds nothing but the first value.
            place = 0 if -place == len(values) else len(values)
        return values[place] if place < len(values) else None

    def set_(run: Run, value: Value) -> None:
        key = name if isinstance(name, str) else name(run)
        if key is None:
            return
        if value is None or index == ALL:
            drop(run, key, index == ALL)
        if value is not None:
            put(run, key, value)

    def reads(run: Run) -> list[Value]:
        return list(values_of(run, name) or ())

    get = every if index == ALL else first if index_text is None or index == 0 else at
    return indexed_variable(get, index, set_, reads)


VARIABLES = (indexed("avp", _avp, writable=True),)


def _parse_aliases(text: str) -> dict[str, str] | str:
    """`alias=name;alias=name` (core/usr_avp.c: add_avp_galias_str), or what is wrong with it."""
    aliases: dict[str, str] = {}
    for definition in text.split(";"):
        alias, equals, name = (part.strip() for part in definition.partition("="))
        if not (alias and equals and name) or " " in alias or " " in name:
            return f"`{show(definition)}` is not of the form `alias=name`"
        aliases[alias] = name
    return aliases


def _check_aliases(value: int | str) -> str | None:
    parsed = _parse_aliases(str(value)) if value else {}
    return parsed if isinstance(parsed, str) else None


def _set_aliases(world: World, value: int | str) -> None:
    parsed = _parse_aliases(str(value))
    aliases = world.state.setdefault(ALIASES, {})
    if isinstance(parsed, dict) and isinstance(aliases, dict):
        for alias, name in parsed.items():
            try:
                aliases[alias] = _static_name(Text(_NOWHERE, name), {})
            except NameRefused:
                continue


PARAMS = (Param("avp_aliases", str, check=_check_aliases, set=_set_aliases),)
