"""What stands behind the comma in `{class.op,...}`: cutting it into arguments, and handing these to a function.

Kamailio has one reader for numbers and one for texts (modules/pv/pv_trans.c: _tr_parse_nparam, _tr_parse_sparamx); a
few operations have readers of their own. An argument is known when the cfg is loaded, or it is a variable that is read
each time; a number must then be an integer, a text must not be empty, else the transformation fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from evapi_cfg.modules.context import Getter, Run
from evapi_cfg.modules.spec import NameRefused, NoValue, Resolver, Transformation
from evapi_cfg.modules.transformations.chain import Step
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.pvar import end_of_pvar
from evapi_cfg.values import LONG_MAX, Value

BLANKS: Final = " \t\n"
DOLLAR_NUMBER: Final = 36  # `$$` is a text and a number: its code (core/pvapi.c: pv_get_marker)
MAX_NUMBER: Final = LONG_MAX // 10 - 10  # what may stand in front of the last digit

Argument: TypeAlias = "int | str | Reading"
Reader: TypeAlias = "Callable[[Cursor], Argument]"


@dataclass(frozen=True, slots=True)
class Reading:
    """An argument that is a variable."""

    read: Callable[[Run], Value]


class Cursor:
    """A place in the raw arguments of one transformation."""

    __slots__ = ("at", "name", "resolver", "text", "value")

    def __init__(self, name: str, text: Text, resolver: Resolver) -> None:
        self.name = name
        self.text = text
        self.value = text.value
        self.resolver = resolver
        self.at = 0

    def skip_blanks(self) -> None:
        while self.at < len(self.value) and self.value[self.at] in BLANKS:
            self.at += 1

    def next(self) -> str:
        return self.value[self.at : self.at + 1]

    def refused(self, message: str, start: int, end: int | None = None) -> NameRefused:
        return NameRefused(f"`{{{self.name}}}` {message}", self.text.at(start, end or start + 1))

    def variable(self, wrap: Callable[[Getter], Callable[[Run], Value]]) -> Reading:
        """The variable that begins here."""
        end = end_of_pvar(self.value, self.at)
        variable = self.resolver.variable(self.text.part(self.at, end))
        self.at = end
        return Reading(wrap(variable.get))


def number(cursor: Cursor) -> Argument:
    """`12`, `-3`, `+4` or a variable."""
    cursor.skip_blanks()
    if cursor.next() == "$":
        if cursor.value.startswith("$$", cursor.at):
            cursor.at += 2
            return DOLLAR_NUMBER
        return cursor.variable(_integer)
    start = cursor.at
    sign = cursor.next()
    if not sign or sign not in "+-0123456789":
        raise cursor.refused("needs a number here", start)
    if sign in "+-":
        cursor.at += 1
        cursor.skip_blanks()
    digits = cursor.at
    while cursor.next().isdecimal() and cursor.next().isascii():
        cursor.at += 1
    written = cursor.value[digits : cursor.at]
    written = written.lstrip("0")
    if len(written) > 19 or int(written[:-1] or 0) > MAX_NUMBER:
        raise cursor.refused("cannot take a number that large", start, cursor.at)
    found = int(written or 0)
    return -found if sign == "-" else found


def count(cursor: Cursor) -> Argument:
    """A number that is not negative, or a variable."""
    start = cursor.at
    found = number(cursor)
    if isinstance(found, int) and found < 0:
        raise cursor.refused("takes no negative number here", start, cursor.at)
    return found


def text(cursor: Cursor) -> Argument:
    """All up to a comma, a tab or a line end, or a variable. Blanks in front are passed over."""
    return _text(cursor, ends_with_comma=False)


def text_or_comma(cursor: Cursor) -> Argument:
    """As `text`, but a comma belongs to it: `{s.count,,}`."""
    return _text(cursor, ends_with_comma=True)


def text_or_none(cursor: Cursor) -> Argument:
    """As `text`, but a variable that is $null or empty does not fail at once: the function gets None."""
    cursor.skip_blanks()
    if cursor.next() == "$" and not cursor.value.startswith("$$", cursor.at):
        return cursor.variable(_words_or_none)
    return _text(cursor, ends_with_comma=False)


def _text(cursor: Cursor, *, ends_with_comma: bool) -> Argument:
    cursor.skip_blanks()
    if cursor.next() == "$":
        if cursor.value.startswith("$$", cursor.at):
            cursor.at += 2
            return "$"
        return cursor.variable(_words)
    start = cursor.at
    while cursor.next() and cursor.next() not in "\t\n,}":
        cursor.at += 1
    if ends_with_comma and cursor.next() == ",":
        cursor.at += 1
    return cursor.value[start : cursor.at]


def character(cursor: Cursor) -> Argument:
    """One character, whatever it is, or an escape (s.select)."""
    char = cursor.next()
    if not char:
        raise cursor.refused("needs a separator behind the comma", max(cursor.at - 1, 0))
    cursor.at += 1
    if char != "\\":
        return char
    escaped = cursor.next()
    if not escaped or escaped not in "\\nrt":
        raise cursor.refused("knows the escapes `\\\\`, `\\n`, `\\r` and `\\t` only", cursor.at - 1, cursor.at + 1)
    cursor.at += 1
    return {"n": "\n", "r": "\r", "t": "\t"}.get(escaped, escaped)


def separator(cursor: Cursor) -> Argument:
    """One character that is no comma (param.value and its like). A blank gives an empty text, which never works."""
    start = cursor.at
    found = "" if cursor.next() == "$" and not cursor.value.startswith("$$", start) else _text(
        cursor, ends_with_comma=False
    )  # fmt: skip
    if cursor.at - start != 1:
        raise cursor.refused("takes one character as separator", start, len(cursor.value))
    return found


def separator_or_comma(cursor: Cursor) -> Argument:
    """One character or a variable (param.count)."""
    start = cursor.at
    found = _text(cursor, ends_with_comma=True)
    if isinstance(found, str) and cursor.at - start != 1 and cursor.value[start : cursor.at] != "$$":
        raise cursor.refused("takes one character as separator", start, len(cursor.value))
    return found


def _integer(get: Getter) -> Callable[[Run], int]:
    def read(run: Run) -> int:
        value = get(run)
        if value.__class__ is int:
            return value
        raise NoValue

    return read


def _words(get: Getter) -> Callable[[Run], str]:
    def read(run: Run) -> str:
        value = get(run)
        if value is None or value == "":
            raise NoValue
        return value if isinstance(value, str) else str(value)

    return read


def _words_or_none(get: Getter) -> Callable[[Run], str | None]:
    def read(run: Run) -> str | None:
        value = get(run)
        return None if value is None or value == "" else str(value)

    return read


# ---- declaring a transformation --------------------------------------------------------------------------------------

READERS: Final[dict[str, Reader]] = {"n": number, "s": text, "c": character}


def text_of(value: Value) -> str:
    """The text of a value that is no str: of an integer its decimal form. $null has none."""
    if value is None:
        raise NoValue
    return str(value)


def words_of(value: Value) -> str:
    """As `text_of`, for what fails on an empty text, too."""
    if value is None or value == "":
        raise NoValue
    return str(value)


def on_value(cls: str, op: str, params: str, function: Callable[..., Value], *readers: Reader) -> Transformation:
    """A transformation whose function gets the value as it is.

    `params` is its signature in the catalogue's form; `readers` replace those that the letters stand for.
    """
    return _declare(cls, op, params, readers, lambda arguments: _bind_value(function, arguments))


def on_text(cls: str, op: str, params: str, function: Callable[..., Value], *readers: Reader) -> Transformation:
    """A transformation whose function gets a str; $null fails."""
    return _declare(cls, op, params, readers, lambda arguments: _bind_text(function, arguments))


def on_words(cls: str, op: str, params: str, function: Callable[..., Value], *readers: Reader) -> Transformation:
    """A transformation whose function gets a str that is not empty; $null and an empty text fail."""
    return _declare(cls, op, params, readers, lambda arguments: _bind_words(function, arguments))


def _declare(
    cls: str, op: str, params: str, readers: tuple[Reader, ...], bind: Callable[[tuple[Argument, ...]], Step]
) -> Transformation:
    kinds = params.strip("()").split(",") if params else []
    required = sum(not kind.endswith("?") for kind in kinds)
    used = readers or tuple(READERS[kind[0]] for kind in kinds)
    name = f"{cls}.{op}"

    def prepare(args: Text | None, resolver: Resolver) -> Step:
        if args is None:
            if required:
                raise NameRefused(f"`{{{name}}}` needs {required} argument{'s' * (required > 1)}")
            return bind(())
        return bind(cut(Cursor(name, args, resolver), used, required))

    return Transformation(cls, op, params, prepare)


def cut(cursor: Cursor, readers: tuple[Reader, ...], required: int) -> tuple[Argument, ...]:
    """All arguments; raises NameRefused where there are too few or too many."""
    if not readers:
        raise NameRefused(f"`{{{cursor.name}}}` takes no argument", cursor.text.span)
    found: list[Argument] = []
    for position, reader in enumerate(readers):
        if position:
            if cursor.next() != ",":
                if position < required and not cursor.next():
                    raise NameRefused(f"`{{{cursor.name}}}` needs {required} arguments", cursor.text.span)
                break
            cursor.at += 1
        found.append(reader(cursor))
        cursor.skip_blanks()
    if cursor.next():
        raise cursor.refused(f"cannot take `{show(cursor.value[cursor.at :])}`", cursor.at, len(cursor.value))
    return tuple(found)


def _bind_value(function: Callable[..., Value], arguments: tuple[Argument, ...]) -> Step:
    if not arguments:
        return lambda _run, value: function(value)
    if constant := _constants(arguments):
        return lambda _run, value: function(value, *constant)
    readings = _readings(arguments)
    return lambda run, value: function(value, *[read(run) for read in readings])


def _bind_text(function: Callable[..., Value], arguments: tuple[Argument, ...]) -> Step:
    if not arguments:
        return lambda _run, value: function(value if value.__class__ is str else text_of(value))
    constant = _constants(arguments)
    if len(constant) == 1:
        (only,) = constant
        return lambda _run, value: function(value if value.__class__ is str else text_of(value), only)
    if constant:
        return lambda _run, value: function(value if value.__class__ is str else text_of(value), *constant)
    readings = _readings(arguments)
    return lambda run, value: function(
        value if value.__class__ is str else text_of(value), *[read(run) for read in readings]
    )


def _bind_words(function: Callable[..., Value], arguments: tuple[Argument, ...]) -> Step:
    if not arguments:
        return lambda _run, value: function(value if value.__class__ is str and value else words_of(value))
    constant = _constants(arguments)
    if len(constant) == 1:
        (only,) = constant
        return lambda _run, value: function(value if value.__class__ is str and value else words_of(value), only)
    if constant:
        return lambda _run, value: function(value if value.__class__ is str and value else words_of(value), *constant)
    readings = _readings(arguments)
    return lambda run, value: function(
        value if value.__class__ is str and value else words_of(value), *[read(run) for read in readings]
    )


def _constants(arguments: tuple[Argument, ...]) -> tuple[int | str, ...]:
    """The arguments where all are known, else nothing."""
    known = tuple(argument for argument in arguments if not isinstance(argument, Reading))
    return known if len(known) == len(arguments) else ()


def _readings(arguments: tuple[Argument, ...]) -> tuple[Callable[[Run], Value], ...]:
    return tuple(argument.read if isinstance(argument, Reading) else _known(argument) for argument in arguments)


def _known(argument: int | str) -> Callable[[Run], Value]:
    return lambda _run: argument
