"""Pass: what the core declares at top level: parameters that must stand early, custom variables, flags and their uses
(core/cfg.y: assign_stm; core/cfg/cfg_script.c: new_cfg_script_var; core/flags.c: register_flag)."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.groups import has_group
from evapi_cfg.check.verdicts import FAILS_AT_START, REFUSED
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.syntax.ast import CoreParam, CustomVar, Flags, Number, String, Word
from evapi_cfg.values import parse_int

MAX_FLAG = 31
_BEFORE_SHARED_MEMORY = frozenset(("user", "shm", "shm_force_alloc"))
_CHOOSING = frozenset(("cfg_select", "cfg_reset"))
_FLAG_COMMANDS = frozenset(("setflag", "resetflag", "isflagset"))


def check(context: Context) -> Iterator[Diagnostic]:
    shared_from = context.scope.shared_memory_from
    flags: dict[str, Flags] = {}
    for order, item in enumerate(context.config.items):
        if isinstance(item, CoreParam):
            if item.name in _BEFORE_SHARED_MEMORY and order >= shared_from:
                yield Diagnostic(
                    codes.CORE_PARAMETER_TOO_LATE,
                    f"`{item.name}` must stand above the first modparam and the first route block",
                    item.name_span,
                    "",
                    (REFUSED,),
                )
        elif isinstance(item, Flags) and not item.avp:
            yield from _declare(item, flags)
    if len(flags) > MAX_FLAG + 1:
        last = list(flags.values())[MAX_FLAG + 1]
        yield Diagnostic(
            codes.BAD_FLAG_DECLARATION,
            f"{len(flags)} flags are declared, there is room for {MAX_FLAG + 1}",
            last.span,
            "",
            (REFUSED,),
        )
    yield from _custom_variables([item for item in context.config.items if isinstance(item, CustomVar)])
    yield from _uses(context, flags)
    yield from _groups(context)


def _declare(item: Flags, flags: dict[str, Flags]) -> Iterator[Diagnostic]:
    for name, number in item.flags:
        first = flags.setdefault(name, item)
        if number is not None and number > MAX_FLAG:
            yield Diagnostic(
                codes.BAD_FLAG_DECLARATION,
                f"flag `{name}` has the number {number}, the highest is {MAX_FLAG}",
                item.span,
                "",
                (REFUSED,),
            )
        elif first is not item or [n for n, _ in item.flags].count(name) > 1:
            yield Diagnostic(
                codes.BAD_FLAG_DECLARATION,
                f"flag `{name}` is declared twice",
                item.span,
                "",
                (REFUSED,),
                (Related("first declared here", first.span),) if first is not item else (),
            )
            return


def _uses(context: Context, flags: dict[str, Flags]) -> Iterator[Diagnostic]:
    defined = [name for name, value in context.config.defines.items() if value and value.strip().isdecimal()]
    for call, _ in context.index.core_calls:
        if call.name not in _FLAG_COMMANDS or len(call.args) != 1:
            continue
        argument = call.args[0]
        if isinstance(argument, Number):
            if argument.value > MAX_FLAG:
                yield Diagnostic(
                    codes.FLAG_NOT_DECLARED,
                    f"there is no flag {argument.value}, the highest is {MAX_FLAG}",
                    argument.span,
                    "",
                    (REFUSED,),
                )
        elif isinstance(argument, Word | String) and argument.value not in flags:
            yield Diagnostic(
                codes.FLAG_NOT_DECLARED,
                f"flag `{argument.value}` is not declared",
                argument.span,
                did_you_mean(argument.value, (*flags, *defined))
                or f"declare it at top level: `flags {argument.value};`",
                (REFUSED,),
            )


def _groups(context: Context) -> Iterator[Diagnostic]:
    """The groups that cfg_select and cfg_reset name (core/route.c: fix_actions)."""
    scope = context.scope
    for call, _ in context.index.core_calls:
        argument = call.args[0] if call.args and call.name in _CHOOSING else None
        if isinstance(argument, String | Word) and not has_group(argument.value, scope):
            yield Diagnostic(
                codes.BAD_ARGUMENT,
                f"there is no group of settings `{argument.value}`",
                argument.span,
                did_you_mean(argument.value, scope.custom),
                (FAILS_AT_START,),
            )


def _custom_variables(items: list[CustomVar]) -> Iterator[Diagnostic]:
    """A variable is declared once; values of a group's further instances need the declaration."""
    declared: dict[tuple[str, str], CustomVar] = {}
    for item in items:
        if item.index is not None:
            continue
        first = declared.setdefault((item.group, item.name), item)
        if first is not item:
            yield Diagnostic(
                codes.DUPLICATE_CUSTOM_VARIABLE,
                f"`{item.group}.{item.name}` is declared twice",
                item.span,
                "",
                (REFUSED,),
                (Related("first declared here", first.span),),
            )
    for item in items:
        if item.index is None:
            continue
        declaration = declared.get((item.group, item.name))
        written = f"{item.group}[{item.index}].{item.name}"
        if declaration is None:
            yield Diagnostic(
                codes.BAD_CUSTOM_VARIABLE,
                f"`{written}` has a value, but `{item.group}.{item.name}` is not declared",
                item.span,
                f"declare `{item.group}.{item.name}` with its default value, too",
                (FAILS_AT_START,),
            )
        elif (
            isinstance(declaration.value, Number)
            and isinstance(item.value, String)
            and parse_int(item.value.value) is None
        ):
            yield Diagnostic(
                codes.BAD_CUSTOM_VARIABLE,
                f"`{written}` gets a string, but `{item.group}.{item.name}` is a number",
                item.value.span,
                "",
                (FAILS_AT_START,),
                (Related("declared here", declaration.span),),
            )
