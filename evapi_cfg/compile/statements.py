"""Statements of a cfg as Python statements: control flow as Python has it, everything else as calls.

How Kamailio leaves a block becomes: `break` of a loop or switch is Python's; `return`, and `break` outside of both,
return from the function; `exit`, `drop` and a return code of 0 set `run.over` first, and each route called by a
statement is followed by a test of it. Inside expressions ScriptOver does the same. A route's function gives its
return code: that of `return`, or of its last statement (core/action.c: run_actions, do_action).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import assert_never

from evapi_cfg import regex, values
from evapi_cfg.compile import support
from evapi_cfg.compile.absent import Absent
from evapi_cfg.compile.arguments import Arguments
from evapi_cfg.compile.emit import (
    RUN,
    VARS,
    Emitter,
    assign,
    call,
    compare,
    if_,
    literal,
    name,
    return_,
    run_attribute,
    set_attribute,
)
from evapi_cfg.modules.resolve import Names
from evapi_cfg.modules.spec import Function
from evapi_cfg.source import Span
from evapi_cfg.steps import Steps, at_once
from evapi_cfg.syntax.ast import (
    Assign,
    AssignExpr,
    BlockExpr,
    Call,
    Case,
    Expression,
    ExprStatement,
    If,
    Leave,
    PVar,
    RouteCall,
    Select,
    Statement,
    Switch,
    Text,
    Unary,
    While,
)
from evapi_cfg.syntax.fold import fold, simplified
from evapi_cfg.values import EvaluationError

E_BUG = -5  # core/error.h: what an action comes to whose arguments could not be had
RET = "ret"  # what the last statement came to, where that is what the route gives


@dataclass(slots=True)
class Plan:
    """What is known of a program's routes before any is lowered."""

    functions: dict[str, str]  # route name -> name of its Python function
    absent: Absent  # what is used but does not run here
    waiting: set[str] = field(default_factory=set)  # names of routes that may wait; "" stands for dynamic calls
    recursive: set[str] = field(default_factory=set)  # names of routes that may reach themselves
    calls: dict[str, set[str]] = field(default_factory=dict)  # title of a block -> titles that it calls; "" any
    max_while_loops: int = 100
    raw_codes: bool = False


class Statements(Arguments):
    """Lowers the body of one route to the body of one Python function."""

    def __init__(self, emit: Emitter, names: Names, plan: Plan, *, waits: bool) -> None:
        super().__init__(emit, names, raw_codes=plan.raw_codes)
        self.plan = plan
        self.waits = waits
        self.blocks: list[ast.stmt] = []  # functions of `{ actions }` operands
        self._depth = 1  # action lists around the current statement, as Kamailio counts them
        self._loops: list[bool] = []  # loops and switches around it: whether the route's code is what they come to
        self._counter = 0

    def function_body(self, body: tuple[Statement, ...]) -> list[ast.stmt]:
        return at_once(self.body_in_steps(body))

    def body_in_steps(self, body: tuple[Statement, ...], *, gives_code: bool = True) -> Steps[list[ast.stmt]]:
        """`gives_code` False: nobody looks at what the last statement came to, as for event_route."""
        made: list[ast.stmt] = []
        for index, node in enumerate(body):
            made.extend(self.statement(node, tail=gives_code and index == len(body) - 1))
            yield
        if not body or not _ends(body[-1]):
            made.append(return_(name(RET) if gives_code else literal(1)))
        if RET in _names_read(made):
            made.insert(0, assign(RET, literal(1)))
        if self.uses_vars:
            made.insert(0, assign(VARS, run_attribute("vars")))
        return [*self.blocks, *made]

    # ---- lists

    def statements(self, body: tuple[Statement, ...], *, tail: bool) -> list[ast.stmt]:
        """`tail`: the last statement's outcome is the route's (kept in `ret`)."""
        made: list[ast.stmt] = []
        for index, node in enumerate(body):
            made.extend(self.statement(node, tail=tail and index == len(body) - 1))
        return made

    def nested(self, body: tuple[Statement, ...], *, tail: bool) -> list[ast.stmt]:
        self._depth += 1
        made = self.statements(body, tail=tail)
        self._depth -= 1
        return made

    def statement(self, node: Statement, *, tail: bool) -> list[ast.stmt]:
        match node:
            case ExprStatement(expr=Call() as expr):
                made = self.call_statement(expr, tail=tail)
            case ExprStatement(expr=RouteCall() as expr):
                made = self.route_statement(expr, tail=tail)
            case Assign():
                made = self.assign_statement(node, tail=tail)
            case If():
                made = self.if_statement(node, tail=tail)
            case While():
                made = self.while_statement(node, tail=tail)
            case Switch():
                made = self.switch_statement(node, tail=tail)
            case Leave():
                made = self.leave_statement(node)
            case ExprStatement():
                raise AssertionError(node)
            case _:
                assert_never(node)
        for statement in made:
            if not hasattr(statement, "lineno"):
                self.emit.place(statement, node.span)
        return made

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Sets `risky` afresh for one expression and restores what was known before."""
        before = self.risky
        self.risky = False
        yield
        self.risky = before

    def guarded(self, made: list[ast.stmt], span: Span, otherwise: list[ast.stmt] | None = None) -> list[ast.stmt]:
        """`made`, given up with an error line where its expression has no value."""
        error = self.function(EvaluationError)
        report = ast.Expr(call(self.function(support.failed), name(RUN), name("err"), self.emit.constant(span)))
        handler = ast.ExceptHandler(error, "err", [report, *(otherwise or [])])
        return [ast.Try(made, [handler], [], [])]

    def leave_if_over(self) -> ast.stmt:
        return if_(run_attribute("over"), [return_(literal(0))])

    # ---- calls

    def call_statement(self, node: Call, *, tail: bool) -> list[ast.stmt]:
        with self.watched():
            value = self.lower_call(node)
            risky = self.risky
        if node.core:
            # Only functions of modules and routes set $rc, and only their 0 ends the script.
            made: list[ast.stmt] = [assign(RET, value) if tail else ast.Expr(value)]
            return self.guarded(made, node.span, [assign(RET, literal(E_BUG))] if tail else None) if risky else made
        kept = ast.Assign([ast.Attribute(name(RUN), "rc", ast.Store()), ast.Name("rc", ast.Store())], value)
        leave = if_(ast.UnaryOp(ast.Not(), name("rc")), [set_attribute("over", literal(True)), return_(literal(0))])
        made = [self.emit.place(kept, node.span), leave]
        if tail:
            made.append(assign(RET, name("rc")))
        if risky:
            return self.guarded(made, node.span, [assign(RET, literal(E_BUG))] if tail else None)
        return made

    def awaited(self, made: ast.expr, function: Function) -> ast.expr:
        if function.waits:
            return ast.Await(made)
        if function.calls_route:
            return self._dynamic(made)
        return made

    def _dynamic(self, made: ast.expr) -> ast.expr:
        """A call of a route that is known only at run time: awaited where any route of the program may wait."""
        if "" in self.plan.waiting:
            return ast.Await(call(self.function(support.settled), made))
        return made

    def note_not_run(self, node: Call, unless: str = "") -> None:
        self.plan.absent.named(f"{node.name}()", node.span, unless)

    def not_run(self, node: Call) -> ast.expr:
        return call(self.function(self.plan.absent.function(node)), name(RUN))

    # ---- routes

    def route_statement(self, node: RouteCall, *, tail: bool) -> list[ast.stmt]:
        with self.watched():
            value = self.lower_route_call(node)
            risky = self.risky
        if isinstance(node.target, Text):
            kept: ast.stmt = ast.Assign([ast.Attribute(name(RUN), "rc", ast.Store()), *self._ret(tail)], value)
        else:
            # A name that turns out not to exist leaves $rc alone; `run_dynamic` sets it otherwise.
            kept = assign(RET, value) if tail else ast.Expr(value)
        made = [self.emit.place(kept, node.span), self.leave_if_over()]
        return self.guarded(made, node.span, [assign(RET, literal(-1))] if tail else None) if risky else made

    def _ret(self, tail: bool) -> list[ast.expr]:
        return [ast.Name(RET, ast.Store())] if tail else []

    def lower_route_call(self, node: RouteCall) -> ast.expr:
        at = self.emit.constant(node.span)
        if isinstance(node.target, Text):
            route = node.target.value
            function = name(self.plan.functions[route])
            if route in self.plan.recursive:
                made: ast.expr = call(
                    self.function(support.run_deeper_waiting if route in self.plan.waiting else support.run_deeper),
                    name(RUN),
                    function,
                    literal(self._depth),
                    at,
                )
            else:
                made = call(function, name(RUN))
            return ast.Await(made) if route in self.plan.waiting else made
        target, _type = self.value(node.target)
        runner = support.run_dynamic_waiting if "" in self.plan.waiting else support.run_dynamic
        made = call(self.function(runner), name(RUN), target, literal(self._depth), at)
        return ast.Await(made) if "" in self.plan.waiting else made

    def lower_block(self, node: BlockExpr) -> ast.expr:
        if not node.body:
            return literal(0)
        self._counter += 1
        identifier = f"block_{self._counter}_{len(self.emit.constants)}"
        inner = Statements(self.emit, self.names, self.plan, waits=self.waits)
        inner._depth = self._depth + 1
        body = inner.function_body(node.body)
        self.blocks.append(self.emit.place(function_definition(identifier, body, waits=self.waits), node.span))
        made: ast.expr = call(name(identifier), name(RUN))
        return ast.Await(made) if self.waits else made

    # ---- assignments

    def lower_assignment(self, node: AssignExpr) -> ast.expr:
        """1 where nothing can go wrong with the assignment; else it is a block of its own, which gives its code."""
        variable = self.names.resolve(node.assign.target)
        with self.watched():
            value = self._assigned(node.assign.value)
            risky = self.risky or variable.var is None or _may_fail(node.assign.value)
        if risky:
            return self.as_operand(node, raw=self.raw_codes)
        return call(self.function(support.assign_var), self.fresh(), literal(variable.var), value)

    def as_operand(self, node: Call | RouteCall | AssignExpr | BlockExpr, *, raw: bool) -> ast.expr:
        """Statements as an operand: whether their code is above 0, or the code itself (`raw`)."""
        match node:
            case BlockExpr():
                block = node
            case AssignExpr():
                block = BlockExpr(node.span, (node.assign,))
            case _:
                block = BlockExpr(node.span, (ExprStatement(node.span, node),))
        outcome = support.gone_on if raw else support.block
        return call(self.function(outcome), self.fresh() if block.body else name(RUN), self.lower_block(block))

    def _assigned(self, node: Expression) -> ast.expr:
        """The right side: a bare call gives its code itself (core/lvalue.c: lval_pvar_assign)."""
        node = simplified(node) if fold(node) is None else node
        if isinstance(node, Call):
            return self.called(node, raw=True)
        if isinstance(node, RouteCall):
            return self.routed(node, raw=True)
        if isinstance(node, (AssignExpr, BlockExpr)):
            return self.as_operand(node, raw=True)
        value = self.value(node)[0]
        return call(self.function(support.null_to_empty), value) if isinstance(node, Select) else value

    def assign_statement(self, node: Assign, *, tail: bool) -> list[ast.stmt]:
        variable = self.names.resolve(node.target)
        with self.watched():
            value = self._assigned(node.value)
            risky = self.risky
        if variable.var is not None:
            self.uses_vars = True
            if not self._never_null(node.value):
                value = call(self.function(support.var_value), value)
            slot = ast.Subscript(name(VARS), literal(variable.var), ast.Store())
            made: list[ast.stmt] = [ast.Assign([slot], value)]
        else:
            if variable.takes_text and isinstance(simplified(node.value), PVar):
                value = call(self.function(values.number_as_text), value)
            made = [ast.Expr(call(self.function(variable.set), name(RUN), value))]
            risky = True  # `set` may refuse the value
        self.emit.place(made[0], node.span)
        if tail and _may_fail(node.value):
            assert isinstance(node.value, PVar)
            source = self.emit.constant(self.names.resolve(node.value))
            made.insert(0, assign(RET, call(self.function(support.code_of_reading), name(RUN), source)))
        elif tail:
            made.append(assign(RET, literal(1)))
        if risky:
            made = self.guarded(made, node.span, [assign(RET, literal(-1))] if tail else None)
        return made

    def _never_null(self, node: Expression) -> bool:
        return not isinstance(node, PVar) or self.names.resolve(node).var is not None

    # ---- control flow

    def _test(self, node: Expression) -> tuple[list[ast.stmt], ast.expr]:
        """Statements that come first, and the truth of a condition."""
        negated = isinstance(node, Unary) and node.op == "not"
        asked = node.operand if isinstance(node, Unary) and negated else node
        if isinstance(asked, Call) and not asked.core:
            # The most common conditions: no need for a function that tells what the code comes to.
            made = self.call_statement(asked, tail=False)
            yes, no = (ast.NotEq(), ast.Eq()) if self.raw_codes else (ast.Gt(), ast.LtE())
            op = no if negated else yes
            if not isinstance(made[0], ast.Try):
                return [set_attribute("rc", literal(0)), *made], compare(name("rc"), op, literal(0))
        with self.watched():
            test = self.condition(node)
            risky = self.risky
        if not risky:
            return [], test
        first: list[ast.stmt] = [self.emit.place(assign("test", test), node.span)]
        return self.guarded(first, node.span, [assign("test", literal(False))]), name("test")

    def if_statement(self, node: If, *, tail: bool) -> list[ast.stmt]:
        first, test = self._test(node.condition)
        then = self.nested(node.then, tail=tail)
        otherwise = self.nested(node.otherwise, tail=tail) if node.otherwise else []
        if tail:
            first.insert(0, assign(RET, literal(1)))
        return [*first, if_(test, then, otherwise)]

    def while_statement(self, node: While, *, tail: bool) -> list[ast.stmt]:
        first, test = self._test(node.condition)
        counter = f"n{len(self._loops)}"
        self._loops.append(tail)
        body = self.nested(node.body, tail=tail)
        self._loops.pop()
        before: list[ast.stmt] = [assign(RET, literal(1))] if tail else []
        limit = self.plan.max_while_loops
        if limit > 0:
            before.append(assign(counter, literal(0)))
            stop: list[ast.stmt] = [
                ast.Expr(
                    call(self.function(support.runaway), name(RUN), literal(limit), self.emit.constant(node.span))
                ),
                *([assign(RET, literal(-1))] if tail else []),
                ast.Break(),
            ]
            body = [
                ast.AugAssign(ast.Name(counter, ast.Store()), ast.Add(), literal(1)),
                if_(compare(name(counter), ast.Gt(), literal(limit)), stop),
                *body,
            ]
        if first:
            body = [*first, if_(ast.UnaryOp(ast.Not(), test), [ast.Break()]), *body]
            test = literal(True)
        return [*before, ast.While(test, body, [])]

    def switch_statement(self, node: Switch, *, tail: bool) -> list[ast.stmt]:
        """`at` is the number of the case to begin with; each case runs if it is reached, and goes on to the next."""
        cases = node.cases
        labels = [case.label for case in cases]
        textual = any(case.regex or isinstance(fold(case.label), str) for case in cases if case.label is not None)
        with self.watched():
            subject = self.chosen_text(node.subject) if textual else self.integer(node.subject)
            risky = self.risky
        at = f"at{len(self._loops)}"
        default = next((index for index, label in enumerate(labels) if label is None), len(cases))
        chosen = self._chosen(cases, default, textual)
        made: list[ast.stmt] = [self.emit.place(assign("subject", subject), node.subject.span), assign(at, chosen)]
        if risky:
            failed = [assign(RET, literal(-1))] if tail and cases else []
            made = self.guarded(made, node.span, [*failed, assign(at, literal(default))])
        if tail:
            made.insert(0, assign(RET, literal(1 if fold(node.subject) is None else E_BUG)))
        return [*made, *self._cases(cases, at, tail=tail)]

    def _chosen(self, cases: tuple[Case, ...], default: int, textual: bool) -> ast.expr:
        """The number of the case that the subject means."""
        if any(case.regex for case in cases):
            tests: list[tuple[support.Matcher, int]] = []
            for index, case in enumerate(cases):
                if case.label is not None:
                    label = values.to_str(fold(case.label))
                    tests.append((regex.compile(label).matches if case.regex else label.__eq__, index))
            table = self.emit.constant(tuple(tests))
            return call(self.function(support.first_match), name("subject"), table, literal(default))
        table_of: dict[int | str, int] = {}
        for index, case in enumerate(cases):
            if case.label is not None:
                value = fold(case.label)
                table_of.setdefault(values.to_str(value) if textual else support.return_code(value), index)
        get = ast.Attribute(self.emit.constant(table_of), "get", ast.Load())
        return call(get, name("subject"), literal(default))

    def _cases(self, cases: tuple[Case, ...], at: str, *, tail: bool) -> list[ast.stmt]:
        if all(_closed(case.body) for case in cases[:-1]) and not any(_inner_break(case.body) for case in cases):
            # No case runs into the next and none is left early.
            bodies: list[list[ast.stmt]] = []
            for case in cases:
                body = self.nested(_without_break(case.body), tail=tail)
                if tail and case.body and _is_break(case.body[-1]):
                    body.append(assign(RET, literal(0)))
                bodies.append(body)
            return _halved(bodies, at, 0, len(bodies))
        self._loops.append(tail)
        made: list[ast.stmt] = []
        for index, case in enumerate(cases):
            inner = self.nested(case.body, tail=tail)
            if index + 1 < len(cases) and not (case.body and _ends(case.body[-1])):
                inner.append(assign(at, literal(index + 1)))
            made.append(if_(compare(name(at), ast.Eq(), literal(index)), inner))
        self._loops.pop()
        return [ast.While(literal(True), [*made, ast.Break()], [])]

    def leave_statement(self, node: Leave) -> list[ast.stmt]:
        if node.how == "break":
            if not self._loops:
                return [return_(literal(0))]
            return [assign(RET, literal(0)), ast.Break()] if self._loops[-1] else [ast.Break()]
        if node.how != "return":
            made = [set_attribute("over", literal(True)), return_(literal(0))]
            if node.how == "drop":
                made.insert(0, set_attribute("dropped", literal(True)))
            return made
        if node.value is None:
            return [return_(literal(1))]
        code = fold(node.value)
        if code is not None:
            code = support.return_code(code)
            return [set_attribute("over", literal(True)), return_(literal(0))] if not code else [return_(literal(code))]
        with self.watched():
            value = self.integer(node.value)
            risky = self.risky
        first: list[ast.stmt] = [assign("rc", call(self.function(support.return_code), value))]
        if risky:
            first = self.guarded(first, node.span, [assign("rc", literal(0))])
        return [
            *first,
            if_(ast.UnaryOp(ast.Not(), name("rc")), [set_attribute("over", literal(True))]),
            return_(name("rc")),
        ]


def function_definition(identifier: str, body: list[ast.stmt], *, waits: bool) -> ast.stmt:
    parameters = ast.arguments([], [ast.arg(RUN)], None, [], [], None, [])
    kind = ast.AsyncFunctionDef if waits else ast.FunctionDef
    return kind(identifier, parameters, body or [ast.Pass()], [], None)


def _halved(bodies: list[list[ast.stmt]], at: str, first: int, end: int) -> list[ast.stmt]:
    """Runs the body with the number `at`: by halves, so that many cases are neither deep nor slow."""
    if end - first == 0:
        return []
    if end - first == 1:
        return [if_(compare(name(at), ast.Eq(), literal(first)), bodies[first])]
    middle = (first + end) // 2
    lower, upper = _halved(bodies, at, first, middle), _halved(bodies, at, middle, end)
    return [if_(compare(name(at), ast.Lt(), literal(middle)), lower, upper)]


def _ends(node: Statement) -> bool:
    return isinstance(node, Leave)


def _closed(body: tuple[Statement, ...]) -> bool:
    return bool(body) and _ends(body[-1])


def _without_break(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    return body[:-1] if body and _is_break(body[-1]) else body


def _may_fail(node: Expression) -> bool:
    """Whether a transformation may fail, which leaves $null and the code -1 (core/lvalue.c: lval_pvar_assign)."""
    return isinstance(node, PVar) and bool(node.transformations)


def _is_break(node: Statement) -> bool:
    return isinstance(node, Leave) and node.how == "break"


def _inner_break(body: tuple[Statement, ...]) -> bool:
    """Whether a `break` other than the last statement leaves the switch that `body` is a case of."""

    def breaks(nodes: tuple[Statement, ...]) -> bool:
        return any(
            _is_break(node) or (isinstance(node, If) and (breaks(node.then) or breaks(node.otherwise)))
            for node in nodes
        )

    return breaks(_without_break(body))


def _names_read(statements: list[ast.stmt]) -> set[str]:
    return {
        node.id
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
