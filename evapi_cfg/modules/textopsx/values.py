"""Values inside headers, `Name[index].param`: added, changed, taken out (textopsx.c: insupddel_hf_value_f,
incexc_hf_value_f and what they call).

A header has one value or several with commas between them; a value has parameters behind semicolons. The functions
whose names end with 2 take the whole header for one value whose parameters have commas between them, such as
Authorization. Places are offsets in the message's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Final, NamedTuple, cast

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.spec import Arg, FixupError, Function, KemiFunction, NameRefused, Routes
from evapi_cfg.modules.textops.reading import headers, remove
from evapi_cfg.modules.textops.strings import lower
from evapi_cfg.modules.textopsx.params import Found, find_comma_param, find_param
from evapi_cfg.sip.headers import KINDS, Header
from evapi_cfg.sip.message import Message
from evapi_cfg.source import show
from evapi_cfg.values import INT_MAX, INT_MIN

FARTHEST: Final = 10  # counted backwards: textopsx.c: MAX_HF_VALUE_STACK
_BLANKS: Final = " \t\r\n"
_EXPRESSION: Final = re.compile(
    r"[ \t\r\n]*([A-Za-z0-9_-]*)[ \t\r\n]*(\[[ \t\r\n]*(\*|[+-]?[0-9]+)?[ \t\r\n]*\])?[ \t\r\n]*"
    r"(?:\.[ \t\r\n]*([A-Za-z0-9_-]+))?"
)


class Place(NamedTuple):
    """`Name[index].param` as it is written: `number` is 0 for `[]` and where there is none, `every` for `[*]`."""

    name: str
    kind: str
    indexed: bool
    every: bool
    number: int
    param: str


class _Value(NamedTuple):
    """One value: from `start` to `end` without the blanks around it, from `low` to `high` with them and with the comma
    behind it."""

    header: Header
    start: int
    end: int
    low: int
    high: int


@lru_cache(256)
def parse_place(text: str) -> Place | None:
    """None where it is not of that form."""
    found = _EXPRESSION.fullmatch(text)
    kind = KINDS[found[1]] if found is not None else ""
    if found is None or not kind:
        return None
    every = found[3] == "*"
    number = 0 if every else max(min(int(found[3] or 0), INT_MAX), INT_MIN)
    return Place(found[1], kind, found[2] is not None, every, number, found[4] or "")


# ---- finding ----------------------------------------------------------------------------------------------------


def _headers(run: Run, place: Place) -> list[Header] | None:
    found = headers(run)
    return None if found is None else [header for header in found if header.kind == place.kind]


def _values(text: str, header: Header) -> Iterator[_Value]:
    """The values of one header; a comma inside quotes is none."""
    at = header.body_at
    body_end = at + len(header.body)
    while True:
        low = at
        while at < body_end and text[at] in _BLANKS:
            at += 1
        start = at
        quoted = False
        while at < body_end and (quoted or text[at] != ","):
            if text[at] == '"' and (not quoted or text[at - 1] != "\\"):
                quoted = not quoted
            at += 1
        end = start + len(text[start:at].rstrip(_BLANKS))
        at = min(at + 1, body_end)
        yield _Value(header, start, end, low, at)
        if at >= body_end:
            return


def _whole(header: Header) -> _Value:
    end = header.body_at + len(header.body)
    return _Value(header, header.body_at, end, header.body_at, end)


def _value(run: Run, place: Place, index: int, *, whole: bool = False) -> _Value | None:
    """The value with a number, from 1 on, or from -1 backwards."""
    text = current_message(run).text
    found = [
        value
        for header in _headers(run, place) or ()
        for value in ([_whole(header)] if whole else _values(text, header))
    ]
    if index > 0:
        return found[index - 1] if index <= len(found) else None
    return found[index] if -min(len(found), FARTHEST) <= index < 0 else None


def value_span(run: Run, place: Place, *, whole: bool = False) -> tuple[int, int] | None:
    """Where the value with the place's number stands, without the blanks around it."""
    value = _value(run, place, place.number, whole=whole)
    return None if value is None else (value.start, value.end)


def value_spans(run: Run, place: Place) -> list[tuple[int, int]]:
    """Where all values stand."""
    text = current_message(run).text
    return [(value.start, value.end) for header in _headers(run, place) or () for value in _values(text, header)]


# ---- changing ---------------------------------------------------------------------------------------------------


def _new_header(message: Message, at: int, place: Place, text: str) -> int:
    message.edit(at, 0, f"{place.name}: {text}\r\n")
    return 1


def _new_value(message: Message, header: Header, at: int, text: str) -> int:
    """One more value, with the comma that it needs there."""
    behind = at == header.body_at + len(header.body)
    message.edit(at, 0, f",{text}" if behind else f"{text},")
    return 1


def _take_out(message: Message, value: _Value) -> int:
    """A value with the comma behind it, or in front of it where it is the last; with the whole header where it is the
    only one."""
    header = value.header
    low = value.low
    body_end = header.body_at + len(header.body)
    if value.high == body_end and low > header.body_at:
        low -= 1
    if low == header.body_at and value.high == body_end:
        return remove(message, [header])
    message.edit(low, value.high - low, "")
    return 1


def _append_hf_value(run: Run, place: Place, text: str) -> int:
    message = current_message(run)
    value = _value(run, place, place.number or -1) if place.indexed else None
    if _headers(run, place) is None:
        return -1
    if value is None:
        return _new_header(message, message.headers_end, place, text)
    return _new_value(message, value.header, value.high, text)


def _insert_hf_value(run: Run, place: Place, text: str) -> int:
    message = current_message(run)
    index = place.number if place.indexed and place.number else 1
    if _headers(run, place) is None:
        return -1
    value = _value(run, place, index)
    if value is not None and not place.indexed:
        return _new_header(message, value.header.start, place, text)
    if value is not None:
        return _new_value(message, value.header, value.low, text)
    return _new_header(message, message.headers_end, place, text) if index == 1 else -1


Params = Callable[[Message, _Value, Place, "str | None"], int]


def _change(run: Run, place: Place, text: str | None, params: Params, *, whole: bool) -> int:
    """Sets what a place names; `text` None takes it out. With `[*]` everywhere: 1 if there was one, else -1."""
    message = current_message(run)
    if not place.every:
        value = _value(run, place, place.number or 1, whole=whole)
        if value is None:
            return -1
        if place.param:
            return params(message, value, place, text)
        if text is None:
            return remove(message, [value.header]) if whole else _take_out(message, value)
        message.edit(value.start, value.end - value.start, text)
        return 1
    found = _headers(run, place) or []
    if not place.param:
        return remove(message, found)
    values = [value for header in found for value in ([_whole(header)] if whole else _values(message.text, header))]
    return max((params(message, value, place, text) for value in values), default=-1)


def _change_params(message: Message, value: _Value, place: Place, text: str | None) -> int:
    """Parameters behind semicolons."""
    return _set_params(message, partial(find_param, message.text, value.start, value.end), place, text)


def _change_comma_params(message: Message, value: _Value, place: Place, text: str | None) -> int:
    """Parameters with commas between them."""
    return _set_params(message, partial(find_comma_param, message.text, value.start, value.end), place, text)


def _set_params(message: Message, find: Callable[[str, int | None], Found], place: Place, text: str | None) -> int:
    found = find(place.param, None)
    if text is None:
        code = 1 if found.is_there else -1
        while found.is_there:
            message.edit(found.low, found.high - found.low, "")
            found = find(place.param, found.high)
        return code
    if found.is_there:
        message.edit(found.name_end, found.value_end - found.name_end, f"={text}" if text else "")
    else:
        message.edit(found.low, 0, found.separator + place.param + (f"={text}" if text else ""))
    return 1


def _include_hf_value(run: Run, place: Place, text: str) -> int:
    """Adds a value to the first header, or with a header of its own, where no header has it."""
    found = _headers(run, place)
    if found is None or not text:
        return -1
    message = current_message(run)
    if _same(run, found, text):
        return 1
    if found:
        return _new_value(message, found[0], found[0].body_at + len(found[0].body), text)
    return _new_header(message, message.headers_end, place, text)


def _exclude_hf_value(run: Run, place: Place, text: str) -> int:
    found = _headers(run, place)
    if found is None or not text:
        return -1
    for value in _same(run, found, text):
        _take_out(current_message(run), value)
    return 1


def has_value(run: Run, place: Place, text: str) -> int:
    return 1 if text and _same(run, _headers(run, place) or [], text) else -1


def _same(run: Run, found: list[Header], wanted: str) -> list[_Value]:
    """The values that are the same as a text but for the case of letters."""
    text = current_message(run).text
    return [
        value
        for header in found
        for value in _values(text, header)
        if lower(text[value.start : value.end]) == lower(wanted)
    ]


# ---- what is declared -------------------------------------------------------------------------------------------


def _refusal(place: Place | None, *, index: bool, every: bool, param: bool) -> str | None:
    """Why a function does not take a place; `index`, `every` and `param` are what it takes, `every` with a parameter
    only where `index` and `param` are taken and it is False."""
    if place is None:
        return "is not of the form `Name[index].param`"
    if place.indexed and not index:
        return "has an index, which the function does not take"
    if place.every and not every and not (param and place.param):
        return "has the index `*`, which the function does not take" + (" without a parameter" if param else "")
    if place.param and not param:
        return "has a parameter, which the function does not take"
    if place.number < -FARTHEST:
        return f"counts farther back than {FARTHEST}"
    return None


def _function(
    name: str, call: Callable[..., int], *, index: bool = True, every: bool = False, param: bool = False, arity: int = 2
) -> Function:
    def fixup(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
        text = arguments[0]
        if not isinstance(text, str):
            return (None,) * arity
        place = parse_place(text)
        why = _refusal(place, index=index, every=every, param=param)
        if why is not None:
            raise FixupError(0, f"`{show(text)}` {why}")
        return (place, *(None,) * (arity - 1))

    def checked(run: Run, place: Place | str, *text: str) -> int:
        """The place is a text where no fixup has seen it."""
        read = parse_place(place) if isinstance(place, str) else place
        if read is None or _refusal(read, index=index, every=every, param=param) is not None:
            run.log(Level.ERROR, "textopsx", f"{name}: {show(str(place))!r} is no place in a header")
            return -1
        return call(run, read, *text)

    return Function(name, checked, (Arg.LITERAL, Arg.CONST_TEXT)[:arity], _ROUTES, fixup=fixup)


def _remove_hf_value(run: Run, place: Place) -> int:
    return _change(run, place, None, _change_params, whole=False)


def _assign_hf_value(run: Run, place: Place, text: str) -> int:
    return _change(run, place, text, _change_params, whole=False)


def _remove_hf_value2(run: Run, place: Place) -> int:
    return _change(run, place, None, _change_comma_params, whole=True)


def _assign_hf_value2(run: Run, place: Place, text: str) -> int:
    return _change(run, place, text, _change_comma_params, whole=True)


_ROUTES: Final = Routes.REQUEST | Routes.ONREPLY | Routes.FAILURE | Routes.BRANCH

FUNCTIONS: Final = (
    _function("append_hf_value", _append_hf_value),
    _function("insert_hf_value", _insert_hf_value),
    _function("remove_hf_value", _remove_hf_value, every=True, param=True, arity=1),
    _function("assign_hf_value", _assign_hf_value, param=True),
    _function("remove_hf_value2", _remove_hf_value2, every=True, param=True, arity=1),
    _function("assign_hf_value2", _assign_hf_value2, param=True),
    _function("include_hf_value", _include_hf_value, index=False),
    _function("exclude_hf_value", _exclude_hf_value, index=False),
    _function("hf_value_exists", has_value, index=False),
)


# ---- for scripts in other languages -----------------------------------------------------------------------------


def _with_format(name: str) -> KemiFunction:
    """What scripts give as the value is a format, in Kamailio, too (ki_modify_hf)."""
    call, removing = (_CALLS.get(found) for found in (name, name.replace("assign", "remove")))
    assert call is not None

    def change(run: Run, place: str, text: str) -> int:
        if not text and removing is not call and removing is not None and "." in place:
            return removing(run, place)  # nothing at all for a parameter takes it out
        try:
            value = text if run.world.resolver is None else run.world.resolver.runtime_text(text)
        except NameRefused as error:
            run.log(Level.ERROR, "textopsx", f"{name}: {show(text)!r} is no format: {error.message}")
            return -1
        return call(run, place, value if isinstance(value, str) else value(run))

    return KemiFunction(name, change, (str, str))


def _remove_value2(run: Run, place: str, _unused: str) -> int:
    return _CALLS["remove_hf_value2"](run, place)


_CALLS: Final = {function.name: cast("Callable[..., int]", function.call) for function in FUNCTIONS}

KEMI: Final = (
    *(
        _with_format(name)
        for name in (
            "append_hf_value", "insert_hf_value", "assign_hf_value", "assign_hf_value2", "include_hf_value",
            "exclude_hf_value", "hf_value_exists",
        )
    ),
    same(FUNCTIONS)("remove_hf_value", str),
    KemiFunction("remove_hf_value2", _remove_value2, (str, str)),
)  # fmt: skip
