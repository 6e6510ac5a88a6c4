"""Pass: what the order of statements comes to: code that nothing reaches, cases that run into the next one, conditions
that are always the same. Kamailio says nothing about any of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from evapi_cfg.check.context import Context
from evapi_cfg.check.types import is_constant
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import (
    AssignExpr,
    Binary,
    BlockExpr,
    Case,
    Expression,
    ExprStatement,
    If,
    Leave,
    RouteCall,
    Statement,
    Switch,
    Text,
    Unary,
    While,
)
from evapi_cfg.syntax.fold import fold
from evapi_cfg.syntax.walk import walk

_SAID = re.compile(r"(?<![-\w])fall(s|ing)?[ -]?(through|thru|on)|no break", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z_]")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_ENDS = frozenset(("exit", "drop", "return", "break"))


def check(context: Context) -> Iterator[Diagnostic]:
    ending = _ending_routes(context)
    for site in context.index.sites:
        yield from _in_block(site.block.body, ending)
    for switch in context.index.switches:
        yield from _cases(switch, ending)


def _in_block(body: tuple[Statement, ...], ending: frozenset[str]) -> Iterator[Diagnostic]:
    """Goes down the statements of a block; `loops`: whether a `break` has something to leave."""
    waiting: list[tuple[tuple[Statement, ...], bool]] = [(body, False)]
    while waiting:
        statements, loops = waiting.pop()
        yield from _unreachable(statements, _ENDS if loops else _ENDS - {"break"})
        for statement in statements:
            if isinstance(statement, Leave) and statement.how == "break" and not loops:
                yield _stray_break(statement)
            elif isinstance(statement, If):
                yield from _condition(statement.condition, "if")
                waiting += ((statement.then, loops), (statement.otherwise, loops))
            elif isinstance(statement, While):
                if not (_always_true(statement.condition) and _can_be_left(statement.body)):
                    yield from _condition(statement.condition, "while")
                waiting.append((statement.body, True))
            elif isinstance(statement, Switch):
                waiting += ((case.body, True) for case in statement.cases)


# ---- what comes behind what ends --------------------------------------------------------------------------------


def _unreachable(statements: tuple[Statement, ...], how: frozenset[str]) -> Iterator[Diagnostic]:
    for statement, following in pairwise(statements):
        if _ends(statement, frozenset(), how):
            if isinstance(following, Leave):  # `break` behind `exit` is a habit, and harmless
                return
            last = _last_of(statement)
            yield Diagnostic(
                codes.UNREACHABLE_CODE,
                "nothing reaches this statement",
                following.span,
                f"remove it, or move it in front of the `{last.how}`" if last else "remove it",
                (SILENT,),
                (Related("what stands behind this never runs", last.span if last else statement.span),),
            )
            return


def _ends(statement: Statement, ending: frozenset[str], how: frozenset[str]) -> bool:
    """Whether what stands behind a statement is never reached because of one of `how`, or of a route in `ending`."""
    if isinstance(statement, Leave):
        return statement.how in how
    if isinstance(statement, If):
        return (
            bool(statement.otherwise)
            and _any_ends(statement.then, ending, how)
            and _any_ends(statement.otherwise, ending, how)
        )
    if isinstance(statement, ExprStatement) and isinstance(statement.expr, RouteCall):
        target = statement.expr.target
        return isinstance(target, Text) and target.value in ending
    return False


def _any_ends(statements: Iterable[Statement], ending: frozenset[str], how: frozenset[str]) -> bool:
    return any(_ends(statement, ending, how) for statement in statements)


def _last_of(statement: Statement) -> Leave | None:
    return statement if isinstance(statement, Leave) else None


def _ending_routes(context: Context) -> frozenset[str]:
    """The routes that never come back to who called them."""
    routes = context.scope.routes
    ending: set[str] = set()
    changed = True
    while changed:
        changed = False
        for name, block in routes.items():
            if name not in ending and _any_ends(block.body, frozenset(ending), frozenset(("exit", "drop"))):
                ending.add(name)
                changed = True
    return frozenset(ending)


# ---- switch -----------------------------------------------------------------------------------------------------


def _cases(switch: Switch, ending: frozenset[str]) -> Iterator[Diagnostic]:
    for number, (case, following) in enumerate(pairwise(switch.cases), 1):
        if not case.body or _any_ends(case.body, ending, _ENDS):
            continue
        if not any(later.body for later in switch.cases[number:]):
            return
        last = case.body[-1]
        between = _text_between(last.span, following.span)
        if between is None or _SAID.search(between):
            continue
        yield Diagnostic(
            codes.CASE_FALLS_THROUGH,
            f"this case goes on into {_label(following)}",
            last.span,
            "end it with `break;`, or say `# falls through` in a comment if that is meant",
            (SILENT,),
            (Related("what runs next", following.span),),
        )


def _label(case: Case) -> str:
    return "`default`" if case.label is None else f"`case {case.label.span.text}`"


def _text_between(first: Span, second: Span) -> str | None:
    if first.file is not second.file or second.start < first.end:
        return None
    return first.file.text[first.end : second.start]


def _stray_break(leave: Leave) -> Diagnostic:
    return Diagnostic(
        codes.STRAY_BREAK,
        "`break` stands in no loop and no switch",
        leave.span,
        "write `return;` to end the route, or `exit;` to end the script",
        ("Kamailio takes it for a `return`",),
    )


# ---- conditions -------------------------------------------------------------------------------------------------


def _condition(condition: Expression, word: str) -> Iterator[Diagnostic]:
    waiting = [condition]
    while waiting:
        expr = waiting.pop()
        if isinstance(expr, AssignExpr):
            target = expr.assign.target
            equals = _equals_sign(expr)
            yield Diagnostic(
                codes.ASSIGNED_CONDITION,
                f"`{target.span.text}` is assigned here, not compared",
                equals,
                "write `==` to compare",
                ("Kamailio assigns the value, and the condition is true",),
            )
        elif isinstance(expr, Binary) and expr.op in ("and", "or"):
            waiting += (expr.right, expr.left)
        elif isinstance(expr, Unary) and expr.op == "not":
            waiting.append(expr.operand)
        elif is_constant(expr) and not isinstance(expr, BlockExpr) and _is_literal(expr):
            value = fold(expr)
            if value is None:
                continue
            truth = "true" if _is_true(value) else "false"
            yield Diagnostic(
                codes.CONSTANT_CONDITION,
                f"this condition is always {truth}",
                expr.span,
                "" if word == "while" else "remove the `if`, or put a variable in",
                ("Kamailio ends a loop after `max_while_loops` turns",) if word == "while" else (SILENT,),
            )


def _equals_sign(expr: AssignExpr) -> Span:
    """Between the target and the value."""
    assign = expr.assign
    file, start = assign.target.span.file, assign.target.span.end
    at = file.text.find("=", start, assign.value.span.start) if file is assign.value.span.file else -1
    return Span(file, at, at + 1) if at >= 0 else assign.span


def _is_literal(expr: Expression) -> bool:
    """Whether it is written with literals: a define's name says that it may be something else another time."""
    return not _WORD.search(_QUOTED.sub("", expr.span.text))


def _is_true(value: int | str) -> bool:
    return value != 0 if isinstance(value, int) else bool(value)


def _always_true(condition: Expression) -> bool:
    return is_constant(condition) and (value := fold(condition)) is not None and _is_true(value)


def _can_be_left(body: tuple[Statement, ...]) -> bool:
    """Whether something in a loop's body leaves it."""
    return any(isinstance(node, Leave) for statement in body for node in walk(statement))
