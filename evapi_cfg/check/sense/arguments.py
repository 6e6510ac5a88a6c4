"""What the passes of this folder ask of a call: its arguments as texts, and the variables that stand in a text."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.syntax.ast import Call, Format, ModParam, PVar, String, Text
from evapi_cfg.syntax.pvar import PvarError, end_of_pvar, parse_format

# The evapi functions that send: which argument is the data, which the tag.
SENDING = {
    "evapi_relay": (0, None),
    "evapi_multicast": (0, 1),
    "evapi_unicast": (0, 1),
    "evapi_async_relay": (0, None),
    "evapi_async_multicast": (0, 1),
    "evapi_async_unicast": (0, 1),
}


def literal(call: Call, number: int | None) -> Text | None:
    """An argument that stands as one string literal."""
    if number is None or number >= len(call.args):
        return None
    argument = call.args[number]
    return argument.text if isinstance(argument, String) else None


def parts(text: Text) -> Format:
    """A string, cut into text and variables; nothing where it is none, which another pass reports."""
    try:
        return parse_format(text)
    except PvarError:
        return ()


def one_variable(text: Text) -> PVar | None:
    """The variable that a text is and nothing else."""
    value = text.value
    cut = parts(text) if value.startswith("$") and end_of_pvar(value) == len(value) else ()
    return cut[0] if len(cut) == 1 and isinstance(cut[0], PVar) else None


def sent(context: Context) -> Iterator[tuple[Call, Text]]:
    """The calls that send a literal to clients, and the literal."""
    for call, _ in context.index.calls:
        if call.name in SENDING:
            text = literal(call, SENDING[call.name][0])
            if text is not None:
                yield call, text


def modparams(context: Context, module: str, name: str) -> Iterator[ModParam]:
    """What a file gives to a modparam, in its order."""
    for item in context.config.items:
        if isinstance(item, ModParam) and item.name.value == name and module in item.modules.value.split("|"):
            yield item
