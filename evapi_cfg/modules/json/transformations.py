"""`{json.parse,a.b[2]}`, and `{json.parsex,/a/b[2]}`, which names its separator (json_trans.c; json_funcs.c:
tr_json_get_field_object).

Where there is nothing at the path, or no JSON at all, the result is an empty text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.json.documents import as_text
from evapi_cfg.modules.json.functions import document
from evapi_cfg.modules.json_reading import before_nul
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.spec import NameRefused, NoValue, Resolver, Transformation
from evapi_cfg.modules.transformations.arguments import Cursor, Reading, cut, text, text_of
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value, int32

SEPARATOR: Final = "."
ESCAPE: Final = "%"  # stands for the separator's dot in a name; Kamailio never reads the modparam that would change it
_STEP: Final = re.compile(r"([^\[]+)(?:\[([^\]]+))?")
_NUMBER: Final = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")


class Step(NamedTuple):
    """A name, and the place in brackets behind it, if there is one; it counts where the value is an array."""

    name: str
    place: int | None


class Way(NamedTuple):
    """`steps` is None where nothing can be found; without any it is the whole document. `empty`: a name was empty."""

    steps: tuple[Step, ...] | None
    empty: bool


@lru_cache(256)
def way(path: str, separator: str) -> Way:
    """A path taken apart. Empty names are passed over."""
    words = before_nul(path).removesuffix(separator).split(separator)
    made: list[Step] = []
    for word in words:
        found = _STEP.match(word.replace(ESCAPE, SEPARATOR))
        if found is not None:
            made.append(Step(found[1], None if found[2] is None else _index(found[2])))
        elif word and made:
            made.append(Step(made[-1].name, None))  # `a.[2]` is `a.a`: the name in front of a bracket stays
        elif word:
            return Way(None, "" in words)
    return Way(tuple(made), "" in words)


def _index(written: str) -> int:
    """As C's atoi reads it."""
    found = _NUMBER.match(written)
    number = int(found[1]) if found and len(found[1]) < 18 else 0
    return int32(number)


def _find(found: Json, path: tuple[Step, ...]) -> Json:
    for name, place in path:
        found = found.get(name) if isinstance(found, dict) else None
        if place is not None and isinstance(found, list):
            found = found[place] if 0 <= place < len(found) else None
    return found


def _parse(run: Run, name: str, value: Value, path: str, separator: str) -> str:
    found = document(run, f"{{{name}}}", value if isinstance(value, str) else text_of(value))
    if found is None:
        return ""
    steps, empty = way(path, separator)
    if empty:
        run.log(Level.WARNING, "json", f"{{{name}}}: a name is empty; builds of Kamailio that check this end here")
    at_path = None if steps is None else _find(found, steps)
    return "" if at_path is None else as_text(at_path)


def _prepare(op: str) -> Callable[[Text | None, Resolver], Callable[[Run, Value], Value]]:
    name = f"json.{op}"
    names_separator = op == "parsex"

    def prepare(args: Text | None, resolver: Resolver) -> Callable[[Run, Value], Value]:
        if args is None:
            raise NameRefused(f"`{{{name}}}` needs 1 argument")
        read = _reader(args, name, resolver)

        def step(run: Run, value: Value) -> Value:
            if value is None:
                raise NoValue
            path = read(run)
            if not path:
                raise NoValue
            if names_separator:
                return _parse(run, name, value, path[1:], path[0])
            return _parse(run, name, value, path, SEPARATOR)

        return step

    return prepare


def _reader(args: Text, name: str, resolver: Resolver) -> Callable[[Run], str]:
    """The path: a variable, or a text with variables in it."""
    (argument,) = cut(Cursor(name, args, resolver), (text,), 1)
    if isinstance(argument, Reading):
        return argument.read  # type: ignore[return-value]
    written = str(argument)
    if "$" not in written or written == "$":
        return lambda run: written
    at = args.value.index(written)
    made = resolver.text(args.part(at, at + len(written)))
    return made if callable(made) else lambda run: written


TRANSFORMATIONS: Final = (
    Transformation("json", "parse", "(s)", _prepare("parse")),
    Transformation("json", "parsex", "(s)", _prepare("parsex")),
)
