"""Pass: requests that evapi_async_* parks: what a script does with one that is parked, and one that has been answered
before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias, TypeGuard

from evapi_cfg.check.context import Context
from evapi_cfg.check.endings import ON, Endings
from evapi_cfg.check.types import is_constant
from evapi_cfg.check.verdicts import FAILS_AT_RUN
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.syntax.ast import (
    Assign,
    Binary,
    Call,
    Expression,
    ExprStatement,
    If,
    Leave,
    Number,
    PVar,
    RouteBlock,
    RouteCall,
    RouteKind,
    Statement,
    String,
    Switch,
    Text,
    Unary,
    While,
)
from evapi_cfg.syntax.fold import fold
from evapi_cfg.syntax.walk import walk

_LOGS: Final = frozenset(("xlog", "xdbg", "xinfo", "xnotice", "xwarn", "xerr", "xlogl", "xlogm", "log", "dbg", "info"))
_IN_TRANSACTION: Final = frozenset(("t_reply", "t_send_reply"))
_STATELESS: Final = frozenset(("sl_send_reply", "sl_reply"))
_EITHER: Final = frozenset(("send_reply", "send_reply_mode"))
_CODE_FIRST: Final = _IN_TRANSACTION | _STATELESS | _EITHER
_DEPTH: Final = 10  # routes inside each other that are looked into

Body: TypeAlias = "tuple[Statement, ...]"


class _Rest(NamedTuple):
    """What runs behind a list of statements: the rest of the list around it, and so on. `leaves`: a `break` in the
    list goes there."""

    statements: Body
    start: int
    around: _Rest | None
    leaves: bool


class _Place(NamedTuple):
    """An evapi_async_*, with what runs behind it if it parks."""

    call: Call
    rest: _Rest | None
    replied: Call | None
    kept: PVar | None  # what its return code is kept in


def check(context: Context) -> Iterator[Diagnostic]:
    if not any(call.name.startswith("evapi_async_") for call, _ in context.index.calls):
        return
    found = _Places(context)
    for block, place in found.parking:
        if place.replied is not None:
            yield _after_reply(place.call, place.replied)
        following = found.goes_on(place, block)
        if following is not None:
            yield _not_ended(place.call, following)


class _Places:
    """Where requests are parked, and what follows."""

    def __init__(self, context: Context) -> None:
        self.parking: list[tuple[RouteBlock, _Place]] = []
        self._endings: Endings = context.endings
        self._routes = context.scope.routes
        self._callers: dict[str, list[tuple[RouteBlock, _Rest]]] = {}
        for site in context.index.sites:
            self._see(site.block)

    def _see(self, block: RouteBlock) -> None:
        waiting: list[tuple[Body, _Rest | None, bool, Call | None]] = [(block.body, None, False, None)]
        while waiting:
            statements, around, leaves, replied = waiting.pop()
            for number, statement in enumerate(statements):
                rest = _Rest(statements, number + 1, around, leaves)
                call, branch = _async_in(statement)
                if call is not None:
                    kept = statement.target if isinstance(statement, Assign) else None
                    self.parking.append((block, _Place(call, _Rest(branch, 0, rest, False), replied, kept)))
                if isinstance(statement, ExprStatement):
                    expr = statement.expr
                    if isinstance(expr, RouteCall) and isinstance(expr.target, Text):
                        self._callers.setdefault(expr.target.value, []).append((block, rest))
                    replied = _final_reply(expr) or replied
                elif isinstance(statement, If):
                    waiting.append((statement.then, rest, False, replied))
                    waiting.append((statement.otherwise, rest, False, replied))
                elif isinstance(statement, While):
                    waiting.append((statement.body, rest, True, replied))
                elif isinstance(statement, Switch):
                    waiting += ((case.body, rest, True, replied) for case in statement.cases)

    # ---- what is done behind it

    def goes_on(self, place: _Place, block: RouteBlock) -> Statement | None:
        """The first statement that does something with a request that is parked, behind the call or behind a call of
        its route."""
        seen: set[str] = set()
        waiting: list[tuple[RouteBlock, _Rest | None]] = [(block, place.rest)]
        while waiting:
            here, rest = waiting.pop()
            comes_back, following = self._along(rest, place.kept)
            if following is not None:
                return following
            name = here.name
            if comes_back and here.kind is RouteKind.REQUEST and name is not None and name not in seen:
                seen.add(name)
                waiting += self._callers.get(name, ())
        return None

    def _along(self, rest: _Rest | None, kept: PVar | None) -> tuple[bool, Statement | None]:
        """Whether the end of the block is reached, and the first statement on the way that does something."""
        while rest is not None:
            if rest.start == len(rest.statements):
                rest = rest.around
                continue
            statement = rest.statements[rest.start]
            rest = rest._replace(start=rest.start + 1)
            if isinstance(statement, Leave):
                if statement.how != "break":
                    return statement.how == "return", None
                while rest is not None and not rest.leaves:
                    rest = rest.around
                rest = rest.around if rest is not None else None
            elif isinstance(statement, If) and _asks_for_code(statement.condition, kept):
                branch = _taken(statement, lambda node: _is_code(node, kept))
                if branch is None:
                    return False, None
                rest = _Rest(branch, 0, rest, False)
            elif self._does_something(statement, kept, 0):
                return False, statement
            elif not self._endings.leads(statement) & ON:
                return False, None
        return True, None

    def _does_something(self, statement: Statement, kept: PVar | None, depth: int) -> bool:
        """Whether it is more than a line in the log, or what is done where the parking failed."""
        if isinstance(statement, (Assign, Leave)):
            return False
        if isinstance(statement, ExprStatement):
            expr = statement.expr
            if isinstance(expr, Call):
                return expr.name not in _LOGS
            block = self._routes.get(expr.target.value) if isinstance(expr.target, Text) else None
            if block is None or depth > _DEPTH:
                return True
            return any(self._does_something(inner, kept, depth + 1) for inner in block.body)
        if isinstance(statement, If):
            if _asks_for_code(statement.condition, kept):
                return False
            bodies = [statement.then, statement.otherwise]
        elif isinstance(statement, While):
            bodies = [statement.body]
        else:
            if _asks_for_code(statement.subject, kept):
                return False
            bodies = [case.body for case in statement.cases]
        if depth > _DEPTH:
            return False
        return any(self._does_something(inner, kept, depth + 1) for body in bodies for inner in body)


def _async_in(statement: Statement) -> tuple[Call | None, Body]:
    """The evapi_async_* that a statement runs, be it in its condition, and the branch that is taken if it parks."""
    if isinstance(statement, ExprStatement):
        found = statement.expr
        return (found if _parks(found) else None), ()
    if isinstance(statement, Assign):
        return next((node for node in walk(statement.value) if _parks(node)), None), ()
    if isinstance(statement, If):
        call = next((node for node in walk(statement.condition) if _parks(node)), None)
        return call, (_taken(statement, _parks) or ()) if call is not None else ()
    return None, ()


def _parks(node: object) -> TypeGuard[Call]:
    return isinstance(node, Call) and node.name.startswith("evapi_async_")


def _taken(statement: If, code: Callable[[object], bool]) -> Body | None:
    """The branch that runs where what `code` tells is above 0; None where nobody can say."""
    if _holds(statement.condition, code):
        return statement.then
    return statement.otherwise if _fails(statement.condition, code) else None


def _holds(condition: Expression, code: Callable[[object], bool]) -> bool:
    """Whether a condition holds where a code is above 0."""
    if code(condition):
        return True
    if isinstance(condition, Unary) and condition.op == "not":
        return _fails(condition.operand, code)
    if isinstance(condition, Binary):
        if condition.op == "and":
            return _holds(condition.left, code) or _holds(condition.right, code)
        return code(condition.left) and (condition.op, _number(condition.right)) in ((">", 0), ("==", 1), (">=", 1))
    return False


def _fails(condition: Expression, code: Callable[[object], bool]) -> bool:
    """Whether a condition does not hold where a code is above 0."""
    if isinstance(condition, Unary) and condition.op == "not":
        return _holds(condition.operand, code)
    if isinstance(condition, Binary):
        if condition.op == "or":
            return _fails(condition.left, code) and _fails(condition.right, code)
        number = _number(condition.right)
        return code(condition.left) and (
            (condition.op, number) in (("<", 0), ("!=", 1), ("<", 1), ("<=", 0))
            or (condition.op == "==" and number is not None and number <= 0)
        )
    return False


def _number(expr: Expression) -> int | None:
    value = fold(expr) if is_constant(expr) else None
    return value if isinstance(value, int) else None


def _asks_for_code(condition: Expression, kept: PVar | None) -> bool:
    return any(_is_code(node, kept) for node in walk(condition))


def _is_code(node: object, kept: PVar | None) -> bool:
    return isinstance(node, PVar) and (node.name in ("rc", "retcode", "?") or node == kept)


def _not_ended(call: Call, following: Statement) -> Diagnostic:
    return Diagnostic(
        codes.ASYNC_NOT_ENDED,
        f"the script goes on behind `{call.name}` with a request that is parked by then",
        call.name_span,
        "write `exit;` behind it",
        ("the application may resume the request at the same time, in another process",),
        (Related("this runs as well", following.span),),
    )


# ---- what has been done before ----------------------------------------------------------------------------------


def _final_reply(expr: Call | RouteCall) -> Call | None:
    if not isinstance(expr, Call) or expr.name not in _CODE_FIRST or not expr.args:
        return None
    argument = expr.args[0]
    text = str(argument.value) if isinstance(argument, (String, Number)) else ""
    return expr if len(text) == 3 and text.isascii() and text.isdecimal() and text >= "200" else None


def _after_reply(call: Call, reply: Call) -> Diagnostic:
    if reply.name in _IN_TRANSACTION:
        note = FAILS_AT_RUN
    else:
        note = "Kamailio parks it all the same, and what the application decides goes out as a second answer"
        if reply.name in _EITHER:
            note += "; where the request has a transaction already, the call gives -1"
    return Diagnostic(
        codes.ASYNC_AFTER_REPLY,
        "the request has been answered by then, so there is nothing to wait for",
        call.name_span,
        "answer in the route that `t_continue` names",
        (note,),
        (Related("answered here", reply.span),),
    )
