"""Pass: constant arguments, which Kamailio reads once when it starts: strings with variables, numbers, variables in
quotes, regular expressions, names of routes, and what a module's own fixup refuses (core/route.c: fix_actions)."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.check import regexes, routes, substitutions, tables
from evapi_cfg.check.context import Context
from evapi_cfg.check.faults import Refusal
from evapi_cfg.check.fixups import Reading, output, reading
from evapi_cfg.check.functions import find
from evapi_cfg.check.scope import Export
from evapi_cfg.check.types import is_constant
from evapi_cfg.check.variables import Variables
from evapi_cfg.check.verdicts import FAILS_AT_RUN, FAILS_AT_START
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.modules.context import Run
from evapi_cfg.modules.spec import Arg, FixupError
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Call, Expression, String, Text
from evapi_cfg.syntax.fold import fold
from evapi_cfg.syntax.pvar import PvarError, parse_pvar
from evapi_cfg.values import parse_int

_READINGS = {
    Arg.TEXT: Reading.FORMAT,
    Arg.CONST_TEXT: Reading.FORMAT,
    Arg.ROUTE: Reading.FORMAT,
    Arg.VALUE: Reading.FORMAT,
    Arg.INT: Reading.INT,
    Arg.NUMBER: Reading.INT,
    Arg.CONST_INT: Reading.NUMBER,
    Arg.PVAR: Reading.VARIABLE,
    Arg.REGEX: Reading.REGEX,
    Arg.PATTERN: Reading.REGEX,
    Arg.SUBSTITUTION: Reading.SUBSTITUTION,
    Arg.STRING: Reading.PLAIN,
    Arg.LITERAL: Reading.PLAIN,
    Arg.VAR_TEXT: Reading.PLAIN,
}
_ROUTE_ARGUMENTS = {
    ("tmx", "t_continue"): 2,
    ("async", "async_route"): 0,
    ("async", "async_ms_route"): 0,
    ("async", "async_task_route"): 0,
    ("async", "async_task_group_route"): 0,
    ("async", "async_task_data"): 0,
    ("async", "async_task_group_data"): 0,
    ("http_async_client", "http_async_query"): 1,
}  # of modules that do not run here: which argument names a route[...] block


_AT_ANSWER = "Kamailio starts with this, and logs an error when the answer has come"


def check(context: Context) -> Iterator[Diagnostic]:
    variables = context.variables
    scope = context.scope
    for call, site in context.index.calls:
        if not call.args:
            continue
        export = find(scope, call, site)
        if export is None:
            continue
        clean = True
        for number, argument in enumerate(call.args):
            text = argument.text if isinstance(argument, String) else _constant(argument)
            if text is None:
                continue
            for fault in _faults(text, argument, number, call, export, variables):
                clean = False
                yield fault
            if export.module == tables.HTABLE and (fault_ := context.tables.argument_fault(call, number, text)):
                clean = False
                yield fault_
            fault_ = _output(text, number, call, export, variables) if clean else None
            if fault_ is not None:
                yield fault_
            if _names_route(export, number) and "$" not in text.value and text.value:
                later = export.module == "http_async_client"
                fault_ = routes.undefined(text.value, text.span, scope, _AT_ANSWER if later else FAILS_AT_RUN)
                if fault_ is not None:
                    yield fault_
        if clean and export.spec is not None and export.spec.fixup is not None:
            fault_ = _fixup(call, export)
            if fault_ is not None:
                yield fault_


def how_read(export: Export, number: int) -> Reading:
    """How a function reads one of its arguments."""
    spec = export.spec
    if spec is not None and number < len(spec.args):
        return _READINGS[spec.args[number]]
    return reading(export.fixup, export.reads, number)


def _faults(
    text: Text, argument: Expression, number: int, call: Call, export: Export, variables: Variables
) -> Iterator[Diagnostic]:
    how = how_read(export, number)
    if how is Reading.FORMAT:
        if "$" in text.value:
            yield from variables.format_faults(text)
    elif how is Reading.INT or how is Reading.NUMBER:
        value = text.value
        if _integer(value) is None:
            if how is Reading.INT and value.strip().startswith("$"):
                fault = variables.text_fault(_trimmed(text), rest=True)
                if fault is not None:
                    yield fault
            else:
                wanted = "a number" if how is Reading.NUMBER else "a number or one variable"
                yield _bad(call, number, f"must be {wanted}", text.span)
    elif how is Reading.VARIABLE:
        trimmed = _trimmed(text)
        if not trimmed.value.startswith("$"):
            yield _bad(call, number, 'must be one variable in quotes, such as `"$var(x)"`', text.span)
        else:
            fault = variables.text_fault(trimmed, rest=True)
            if fault is not None:
                yield fault
    elif how is Reading.SUBSTITUTION:
        try:
            fault = substitutions.fault(text, codes.BAD_ARGUMENT, variables, FAILS_AT_START)
        except Refusal as nested:
            fault = nested.diagnostic
        if fault is not None:
            yield fault
    elif how is Reading.REGEX:
        fault = regexes.fault(text.value, argument)
        if fault is not None:
            yield fault


_GUARDED = {
    "start": FAILS_AT_START,
    "run": FAILS_AT_RUN,
    "never": "Kamailio starts with this; when the line runs, its process crashes",
}


def _output(text: Text, number: int, call: Call, export: Export, variables: Variables) -> Diagnostic | None:
    """A diagnostic where a function writes into a variable that cannot be assigned."""
    spec = export.spec
    if spec is not None:
        guard = spec.guard if number in spec.outputs else ""
    else:
        found = output(export.fixup)
        guard = "" if found is None or found[0] != number else "start" if found[1] else "run"
    trimmed = _trimmed(text)
    if not guard or not trimmed.value.startswith("$"):
        return None
    try:
        pvar = parse_pvar(trimmed, rest=True)
    except PvarError:
        return None
    if variables.writable(pvar):
        return None
    return Diagnostic(
        codes.BAD_ARGUMENT if guard == "start" else codes.READ_ONLY_OUTPUT,
        f"`{call.name}` writes into argument {number + 1}, and `${pvar.name}` cannot be assigned",
        text.span,
        "such as `$var(x)`",
        (_GUARDED[guard],),
    )


def _fixup(call: Call, export: Export) -> Diagnostic | None:
    """Asks the module that runs here."""
    assert export.spec is not None and export.spec.fixup is not None
    values: list[object | None] = []
    for kind, argument in zip(export.spec.args, call.args, strict=False):
        text = argument.text if isinstance(argument, String) else _constant(argument)
        if text is None:
            values.append(None)
        elif kind in (Arg.INT, Arg.NUMBER, Arg.CONST_INT):
            values.append(_integer(text.value))
        elif kind in (Arg.STRING, Arg.LITERAL, Arg.VAR_TEXT):
            values.append(text.value)
        elif kind in (Arg.PVAR, Arg.REGEX, Arg.PATTERN, Arg.SUBSTITUTION):
            values.append(None)
        else:
            values.append(text.value if "$" not in text.value else _filled_in)
    try:
        export.spec.fixup(tuple(values))
    except FixupError as error:
        return Diagnostic(codes.BAD_ARGUMENT, error.message, call.args[error.index].span, error.help, (FAILS_AT_START,))
    return None


def _filled_in(run: Run) -> str:
    """Stands for a string whose variables are known only when it is read."""
    raise NotImplementedError("nothing runs while a file is only checked")


def _constant(argument: Expression) -> Text | None:
    """A constant argument as the text that Kamailio makes of it."""
    if not is_constant(argument):
        return None
    value = fold(argument)
    return None if value is None else Text(argument.span, str(value))


def _integer(value: str) -> int | None:
    """A 32-bit number as core/ut.h: str2sint reads it: no hexadecimal digits, no blanks; nothing at all is 0."""
    digits = value[1:] if value[:1] in ("+", "-") else value
    if not digits:
        return 0
    if not (digits.isascii() and digits.isdecimal()):
        return None
    number = parse_int(value)
    return number if number is not None and -(2**31) <= number < 2**31 else None


def _trimmed(text: Text) -> Text:
    value = text.value
    start = len(value) - len(value.lstrip(" \t\r\n"))
    return text if not start and value == value.rstrip(" \t\r\n") else text.part(start, len(value.rstrip(" \t\r\n")))


def _names_route(export: Export, number: int) -> bool:
    if export.spec is not None:
        return number < len(export.spec.args) and export.spec.args[number] is Arg.ROUTE
    return _ROUTE_ARGUMENTS.get((export.module, export.name)) == number


def _bad(call: Call, number: int, message: str, span: Span) -> Diagnostic:
    return Diagnostic(
        codes.BAD_ARGUMENT, f"argument {number + 1} of `{call.name}` {message}", span, "", (FAILS_AT_START,)
    )
