"""$mf, $sf, $bf and their forms: 32 flags of the message, of the script, of the first branch
(modules/pv/pv_core.c: pv_get_flags and what follows)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import named, plain
from evapi_cfg.modules.pv.readers import reader, refuse
from evapi_cfg.modules.spec import NameRefused, PseudoVariable, Resolver, Variable
from evapi_cfg.sip.message import Message
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value, parse_int

FlagWord = tuple[Callable[[Message], int], Callable[[Message, int], None]]


def _set_flags(message: Message, word: int) -> None:
    message.flags = word


def _set_script_flags(message: Message, word: int) -> None:
    message.script_flags = word


def _set_branch_flags(message: Message, word: int) -> None:
    message.branch_flags = word


def _flag_class(name: str, word: FlagWord) -> tuple[PseudoVariable, ...]:
    """$mf the flags as a number, $mF in hexadecimal, $Mf(n) one of them."""
    read, write = word

    def set_(run: Run, value: Value) -> None:
        if isinstance(value, str):
            raise refuse(run, f"${name}f takes a number")
        write(current_message(run), (value or 0) & 0xFFFFFFFF)

    def one(inner: Text, resolver: Resolver) -> Variable:
        number = parse_int(inner.value) if inner.value.lstrip("+-").isdecimal() else None
        world = resolver.world
        if number is None and world is not None:
            number = world.flags.get(inner.value)
            if number is None:
                raise NameRefused(f"the flag `{show(inner.value)}` is not declared", inner.span, tuple(world.flags))
        if number is not None and not 0 <= number <= 31:
            raise NameRefused(f"no flag `{show(inner.value)}`: the flags are 0 to 31", inner.span)
        bit = 1 << (number or 0)

        def set_bit(run: Run, value: Value) -> None:
            message = current_message(run)
            if value is None:
                write(message, 0)
            elif isinstance(value, str):
                raise refuse(run, f"${name.upper()}f takes a number")
            else:
                write(message, read(message) | bit if value else read(message) & ~bit)

        return Variable(lambda run: 1 if read(current_message(run)) & bit else 0, set_bit, nullable=False)

    return (
        plain(f"{name}f", reader(read), set_, nullable=False),
        plain(f"{name}F", lambda run: f"{read(current_message(run)):08x}", set_, nullable=False,
              number=lambda run: read(current_message(run))),
        named(f"{name.upper()}f", one, writable=True),
    )  # fmt: skip


VARIABLES: Final = (
    *_flag_class("m", (lambda m: m.flags, _set_flags)),
    *_flag_class("s", (lambda m: m.script_flags, _set_script_flags)),
    *_flag_class("b", (lambda m: m.branch_flags, _set_branch_flags)),
)
