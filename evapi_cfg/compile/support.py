"""What generated code calls that is neither a value rule (`values`) nor a module's function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import cast

from evapi_cfg import regex
from evapi_cfg.modules.context import Level, Run, ScriptOver
from evapi_cfg.modules.resolve import Names
from evapi_cfg.modules.spec import NameRefused, Variable
from evapi_cfg.source import Span
from evapi_cfg.values import EvaluationError, Value, int32, parse_int, to_int, to_str

E_SCRIPT = -10  # core/error.h

REGEXES_KEPT = 256  # expressions compiled while routes run are kept, at most this many


def fresh(run: Run) -> Run:
    run.rc = 0
    return run


def called(run: Run, rc: int) -> int:
    """A function's return code as an operand: 1 above 0, else 0; 0 itself ends the script (core/action.c:
    MODF_HANDLE_RETCODE, core/rvalue.c: rval_get_long)."""
    return 1 if called_raw(run, rc) > 0 else 0


def called_raw(run: Run, rc: int) -> int:
    """As `called`, with the code itself as the value: an assignment, and operands where return_mode is 1."""
    run.rc = rc
    if not rc:
        run.over = True
        raise ScriptOver
    return rc


def routed(run: Run, rc: int) -> int:
    """A route's return code as an operand."""
    return 1 if routed_raw(run, rc) > 0 else 0


def routed_raw(run: Run, rc: int) -> int:
    if run.over:
        raise ScriptOver
    run.rc = rc
    return rc


def block(run: Run, rc: int) -> int:
    """`{ actions }` as an operand."""
    return 1 if gone_on(run, rc) > 0 else 0


def gone_on(run: Run, rc: int) -> int:
    """`rc`, if the script goes on."""
    if run.over:
        raise ScriptOver
    return rc


def return_code(value: Value) -> int:
    """`return`'s value: a C int."""
    return int32(to_int(value))


def null_to_empty(value: Value) -> int | str:
    """What selval() makes of the chosen side."""
    return value if value.__class__ is int else to_str(value)


def code_of_reading(run: Run, variable: Variable) -> int:
    """What an assignment of a variable with transformations comes to: -1 where one failed. A format tells that from
    $null: it prints nothing then."""
    failed = variable.text is not None and variable.get(run) is None and not variable.text(run)
    return -1 if failed else 1


def number_or_none(value: Value) -> int | None:
    return value if value.__class__ is int else None


def parsed_number(value: Value) -> int | None:
    """A number, or a text that is one."""
    return value if isinstance(value, int) else parse_int(value or "x")


def text_or_none(value: Value) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def no_choice() -> int:
    """selval() where its type has to be known first: core/rvalue.c: rval_expr_eval_long and rval_expr_eval_rvlong do
    not know it."""
    raise EvaluationError("selval() has no value as a number or in front of a comparison; assign it first")


@lru_cache(REGEXES_KEPT)
def _compiled(pattern: str) -> regex.Regex:
    return regex.compile(pattern, regex.ICASE)


def match(run: Run, left: Value, right: Value) -> bool:
    """`=~` with an expression that is not constant; compiled ones are kept."""
    try:
        return _compiled(to_str(right)).matches(to_str(left))
    except regex.RegexError as err:
        raise EvaluationError(f"bad regular expression `{to_str(right)}`: {err}") from None


def dynamic_text(run: Run, names: Names, value: Value) -> str:
    """An argument that is not constant: its value is read as a format at each call, as Kamailio's fixups do."""
    text = to_str(value)
    if "$" not in text:
        return text
    try:
        made = names.runtime_text(text)
    except NameRefused as err:
        raise EvaluationError(f"the argument's value is no valid format: {err.message}") from None
    return made if isinstance(made, str) else made(run)


def failed(run: Run, error: EvaluationError, at: Span) -> None:
    """A statement was given up."""
    run.log(Level.ERROR, "core", str(error), at)


def runaway(run: Run, limit: int, at: Span) -> None:
    run.log(Level.ERROR, "core", f"runaway while: more than {limit} loops (max_while_loops)", at)


def too_deep(run: Run, at: Span) -> int:
    run.log(Level.ERROR, "core", f"routes call each other more than {run.world.max_recursive_level} deep: given up", at)
    return -1


Route = Callable[[Run], "int | Awaitable[int]"]


def run_deeper(run: Run, route: Callable[[Run], int], depth: int, at: Span) -> int:
    """A route that may reach itself: `depth` action lists are around the call in its own route."""
    level = run.depth + depth
    if level > run.world.max_recursive_level:
        return too_deep(run, at)
    run.depth = level
    rc = route(run)
    run.depth = level - depth
    return rc


async def run_deeper_waiting(run: Run, route: Route, depth: int, at: Span) -> int:
    level = run.depth + depth
    if level > run.world.max_recursive_level:
        return too_deep(run, at)
    run.depth = level
    # Few Python frames for each level: `settled` would be one more.
    outcome = route(run)
    rc = outcome if isinstance(outcome, int) else await outcome
    run.depth = level - depth
    return rc


def run_dynamic(run: Run, target: Value, depth: int, at: Span) -> int:
    """A route by a name that came up at run time. Where it does not exist nothing runs, $rc stays and the script goes
    on (core/action.c: ROUTE_T)."""
    route = run.world.routes.get(to_str(target))
    if route is None:
        return unknown_route(run, to_str(target), at)
    run.rc = rc = run_deeper(run, cast("Callable[[Run], int]", route), depth, at)
    return rc


async def run_dynamic_waiting(run: Run, target: Value, depth: int, at: Span) -> int:
    route = run.world.routes.get(to_str(target))
    if route is None:
        return unknown_route(run, to_str(target), at)
    run.rc = rc = await run_deeper_waiting(run, route, depth, at)
    return rc


async def settled(outcome: int | Awaitable[int]) -> int:
    """What a route gave, waited for where it waits."""
    return outcome if isinstance(outcome, int) else await outcome


Matcher = Callable[[str], bool]


def first_match(subject: str, cases: tuple[tuple[Matcher, int], ...], default: int) -> int:
    """The number of the first case of a switch that takes the subject."""
    for matches, number in cases:
        if matches(subject):
            return number
    return default


def unknown_route(run: Run, name: str, at: Span) -> int:
    run.log(Level.WARNING, "core", f"route[{name}] does not exist: nothing runs", at)
    return E_SCRIPT


def var_value(value: Value) -> int | str:
    """What is kept of a value assigned to $var: $null becomes 0."""
    return 0 if value is None else value


def assign_var(run: Run, name: str, value: Value) -> int:
    """`($var(x) = value)` as an operand: 1, whatever the value."""
    run.vars[name] = var_value(value)
    return 1
