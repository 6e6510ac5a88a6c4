"""A second, slow way to run a program: a walk over the same tree, against which the compiled routes are held.

Written from core/action.c (run_actions, do_action), core/rvalue.c and core/switch.c, and on purpose not from
`evapi_cfg.compile` or `evapi_cfg.values`: operators, conversions and the ways out of a block are here once more, the
first two in `rvalue`. Names are resolved by `modules.resolve`, and functions and variables are the modules' own.

An expression becomes a small tree of `Rve` nodes, is optimized as Kamailio does it at start, where that shows, and is
evaluated in one of three ways, as there: to an integer, to a string or value, or to whichever of the two it is.
Left out: joining of constants over two equal operators (`$x + 1 + 2`), and routes that wait. One rule is evapi-cfg's
own: an operand that ends the script ends it there and then. Kamailio goes on to the end of the statement, and goes on
with the script if something else is called on the way (`forgetful`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Flag, auto
from typing import cast

from evapi_cfg import regex
from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_myself import MYSELF, myself_test
from evapi_cfg.modules.core_operand import comparison
from evapi_cfg.modules.spec import Arg, NameRefused, Variable
from evapi_cfg.modules.transformations.substitution import parse_substitution
from evapi_cfg.runtime.app import App
from evapi_cfg.syntax import ast
from evapi_cfg.values import EvaluationError, number_as_text
from tests.rvalue import (
    LONGS,
    UNARY,
    Failed,
    Rve,
    Value,
    cint,
    compute,
    constant,
    guess,
    leaf,
    long,
    matched,
    matches,
    number_of,
    simpler,
    text_of,
)

sys.setrecursionlimit(max(sys.getrecursionlimit(), 20000))  # 256 action lists inside each other

E_UNSPEC, E_BUG, E_SCRIPT = -1, -5, -10


class Jump(Exception):
    """The script ends: action.c leaves all action lists of one context at once."""


class Flags(Flag):
    RETURN = auto()
    BREAK = auto()
    EXIT = auto()
    DROP = auto()


NONE = Flags(0)


@dataclass
class Context:
    """What action.c calls run_act_ctx."""

    flags: Flags = NONE
    level: int = 0
    code: int = 0


@dataclass
class Reading:
    """Where an expression is evaluated: the run, and the context of its action list."""

    run: Run
    context: Context


class Reference:
    """The routes of one program. `route` gives what an engine calls; it is kept by `by_reference` below."""

    def __init__(self, app: App, *, forgetful: bool = False) -> None:
        self.forgetful = forgetful
        self.names = app.program.names
        self.world = app.program.world
        self.raw = self.world.core.get("return_mode", 0) == 1
        limit = self.world.core.get("max_while_loops", 100)
        self.loops = limit if isinstance(limit, int) else 100
        self.bodies: dict[str, tuple[ast.Statement, ...]] = {}
        for item in app.program.config.items:
            if isinstance(item, ast.RouteBlock):
                self.bodies[item.title] = self.bodies.get(item.title, ()) + item.body
        self.trees: dict[int, Rve] = {}

    def route(self, title: str) -> Callable[[Run], int]:
        def run_route(run: Run) -> int:
            context = Context()
            code = self.run_block(context, title, run)
            run.over = Flags.EXIT in context.flags
            return code

        return run_route

    # ---- action lists

    def run_block(self, context: Context, title: str, run: Run) -> int:
        around, self.names.route = self.names.route, title  # some variables ask where they stand
        try:
            return self.run_actions(context, self.bodies[title], run)
        finally:
            self.names.route = around

    def run_actions(self, context: Context, body: tuple[ast.Statement, ...], run: Run) -> int:
        context.level += 1
        if context.level > self.world.max_recursive_level:
            run.log(Level.ERROR, "core", "too many recursive routing table lookups")
            context.level -= 1
            return E_UNSPEC
        top = context.level == 1
        if top:
            context.flags, context.code, run.rc = NONE, 0, 0
        code = E_UNSPEC if body else 1
        try:
            for statement in body:
                code = self.action(context, statement, run)
                if context.flags & (Flags.BREAK | Flags.RETURN | Flags.EXIT):
                    if Flags.EXIT in context.flags:
                        context.code = run.rc = code
                        raise Jump
                    break
        except Jump:
            if not top:
                raise
            context.level = 0
            return context.code
        context.level -= 1
        return code

    def run_safely(self, at: Reading, body: tuple[ast.Statement, ...]) -> int:
        """run_actions_safe, and what all its callers do next: an operand's `return` and `break` end there."""
        inner = Context()
        code = self.run_actions(inner, body, at.run)
        if Flags.EXIT in inner.flags and not self.forgetful:
            at.context.code, at.context.flags = code, inner.flags
            raise Jump
        at.context.code, at.context.flags = inner.code, inner.flags & ~(Flags.RETURN | Flags.BREAK)
        return code

    def action(self, context: Context, node: ast.Statement, run: Run) -> int:
        at = Reading(run, context)
        match node:
            case ast.Assign():
                return self.assign(at, node)
            case ast.ExprStatement(expr=ast.Call() as call):
                return self.call(at, call)
            case ast.ExprStatement(expr=ast.RouteCall() as call):
                return self.route_call(at, call)
            case ast.Leave():
                return self.leave(at, node)
            case ast.If():
                return self.if_(at, node)
            case ast.While():
                return self.while_(at, node)
            case ast.Switch():
                return self.switch(at, node)
        raise AssertionError(node)

    def assign(self, at: Reading, node: ast.Assign) -> int:
        target = self.names.resolve(node.target)
        assert target.set is not None
        code = 1
        try:
            source = self.evaluate(at, self.tree(node.value))
            if source.op == "action":
                body = cast("tuple[ast.Statement, ...]", source.leaf)
                value: Value = self.run_safely(at, body) if body else 0
            else:
                value = self.read(at, source)
                steps = isinstance(node.value, ast.PVar) and bool(node.value.transformations)
                if steps and value is None and has_failed(at.run, cast(Variable, source.leaf)):
                    code = E_UNSPEC
            if source.op == "select" and value is None:
                value = ""
            if target.takes_text and source.op == "pvar":
                value = number_as_text(value)
            target.set(at.run, value)
        except (Failed, EvaluationError):
            return E_UNSPEC
        return code

    def leave(self, at: Reading, node: ast.Leave) -> int:
        code = 0 if node.how in ("drop", "break") else 1
        if node.value is not None:
            try:
                code = cint(self.to_long(at, self.tree(node.value)))
            except Failed:
                code = 0
        name = {"return": Flags.RETURN, "break": Flags.BREAK, "exit": Flags.EXIT, "drop": Flags.EXIT | Flags.DROP}
        at.context.flags |= name[node.how]
        if node.how == "return" and code == 0:
            at.context.flags |= Flags.EXIT
        return code

    def holds(self, number: int) -> bool:
        return number != 0 if self.raw else number > 0

    def if_(self, at: Reading, node: ast.If) -> int:
        try:
            number = self.to_long(at, self.tree(node.condition))
        except Failed:
            number = 0
        if Flags.EXIT in at.context.flags:
            return 0
        at.context.flags &= ~(Flags.RETURN | Flags.BREAK)
        body = node.then if self.holds(number) else node.otherwise
        return self.run_actions(at.context, body, at.run) if body else 1

    def while_(self, at: Reading, node: ast.While) -> int:
        code, rounds, seen = 1, 0, NONE
        while not seen & (Flags.BREAK | Flags.RETURN | Flags.EXIT):
            try:
                if not self.holds(self.to_long(at, self.tree(node.condition))):
                    break
            except Failed:
                break
            rounds += self.loops > 0
            if rounds > self.loops:
                at.run.log(Level.ERROR, "core", "runaway while")
                return -1
            if node.body:
                code = self.run_actions(at.context, node.body, at.run)
                seen |= at.context.flags
                at.context.flags &= ~Flags.BREAK
        return code

    def switch(self, at: Reading, node: ast.Switch) -> int:
        subject = self.tree(node.subject)
        labels = [None if case.label is None else self.tree(case.label) for case in node.cases]
        pairs = list(zip(node.cases, labels, strict=True))
        textual = any(case.regex or (label is not None and guess(label) == "str") for case, label in pairs)
        default = next((index for index, label in enumerate(labels) if label is None), None)
        code, chosen = 1, default
        try:
            value = self.either(at, subject) if textual else self.to_long(at, subject)
        except Failed:
            code = -1
        else:
            if Flags.EXIT in at.context.flags:
                return 0
            at.context.flags &= ~(Flags.RETURN | Flags.BREAK)
            for index, (case, label) in enumerate(pairs):
                if label is not None and matches(value, self.read(at, label), case.regex, textual):
                    chosen = index
                    break
        if not node.cases and not constant(subject):
            return 1
        body = () if chosen is None else tuple(s for case in node.cases[chosen:] for s in case.body)
        if not body:  # a switch over a constant has become a block, and an empty block keeps do_action's first code
            return E_BUG if constant(subject) else code
        code = self.run_actions(at.context, body, at.run)
        at.context.flags &= ~Flags.BREAK
        return code

    # ---- calls

    def call(self, at: Reading, node: ast.Call) -> int:
        found = self.names.functions.get((node.name, len(node.args)))
        assert found is not None, f"{node.name}() does not run here"
        function = found[1]
        trees = [self.tree(arg) for arg in node.args]
        pairs = list(zip(node.args, trees, strict=True))
        texts = [ast.Text(arg.span, text_of(self.read(at, tree))) if constant(tree) else None for arg, tree in pairs]
        fixed: tuple[object | None, ...] = (None,) * len(trees)
        if function.fixup is not None:
            fixed = function.fixup(tuple(None if text is None or "$" in text.value else text.value for text in texts))
        arguments: list[object] = []
        try:
            for kind, arg, tree, text, ready in zip(function.args, node.args, trees, texts, fixed, strict=True):
                if ready is not None:
                    arguments.append(ready)
                elif text is not None and isinstance(arg, ast.String):
                    arguments.append(self.argument(at.run, kind, arg.text, function.lazy))
                elif text is not None:
                    arguments.append(self.argument(at.run, kind, text, function.lazy))
                elif kind is Arg.PVAR and isinstance(arg, ast.PVar):
                    arguments.append(self.names.resolve(arg))
                else:
                    moment = ast.Text(arg.span, text_of(self.read(at, self.evaluate(at, tree))))
                    arguments.append(self.argument(at.run, kind, moment, function.lazy))
        except (Failed, NameRefused):
            return E_BUG
        code = function.call(at.run, *arguments, **({"at": node.span} if function.at else {}))
        assert isinstance(code, int), "the reference does not wait"
        if not node.core:
            at.context.code = at.run.rc = code
            if code == 0:
                at.context.flags |= Flags.EXIT
        return code

    def argument(self, run: Run, kind: Arg, text: ast.Text, lazy: bool) -> object:
        match kind:
            case Arg.STRING | Arg.LITERAL | Arg.PATTERN:
                return text.value
            case Arg.NUMBER:
                return self.own_number(run, text)
            case Arg.VAR_TEXT:
                return self.own_text(run, text)
            case Arg.SUBSTITUTION:
                return parse_substitution(text, self.names)
            case Arg.INT | Arg.CONST_INT:
                return number_of(self.names.variable(text).get(run) if "$" in text.value else text.value)
            case Arg.PVAR:
                return self.names.variable(text)
            case Arg.REGEX:
                return regex.compile(text.value, regex.ICASE)
        parts = self.names.format(text)
        if kind is Arg.VALUE and len(parts) == 1 and isinstance(parts[0], ast.PVar):
            made: object = self.names.resolve(parts[0]).get
        else:
            made = self.names.text(text)
        return made(run) if callable(made) and not lazy else made

    def own_number(self, run: Run, text: ast.Text) -> int | None:
        """core/mod_fix.c: fixup_get_ivalue: a variable counts if its value says itself that it is a number."""
        if "$" not in text.value:
            return number_of(text.value)
        variable = self.names.variable(text)
        if variable.number is not None:
            return variable.number(run)
        value = variable.get(run)
        return value if isinstance(value, int) else None

    def own_text(self, run: Run, text: ast.Text) -> str | None:
        """core/sr_module.c: get_str_fparam of a FPARAM_PVS or FPARAM_STRING."""
        if text.value[:1] != "$":
            return text.value
        first = self.names.format(text)[0]
        if not isinstance(first, ast.PVar):
            return text.value
        value = self.names.resolve(first).get(run)
        return None if value is None else str(value)

    def route_call(self, at: Reading, node: ast.RouteCall) -> int:
        target = node.target
        try:
            if isinstance(target, ast.Text):
                name = target.value
            else:
                name = text_of(self.read(at, self.evaluate(at, self.tree(target))))
        except Failed:
            return E_UNSPEC
        if f"route[{name}]" not in self.bodies:
            return E_SCRIPT
        code = self.run_block(at.context, f"route[{name}]", at.run)
        at.context.code = at.run.rc = code
        at.context.flags &= ~(Flags.RETURN | Flags.BREAK)
        return code

    # ---- expressions: fix_rval_expr, then one of the three evaluations

    def tree(self, node: ast.Expression) -> Rve:
        made = self.trees.get(id(node))
        if made is None:
            made = self.trees[id(node)] = self.fix(self.build(node))
        return made

    def build(self, node: ast.Expression) -> Rve:
        match node:
            case ast.Number(value=number):
                return leaf(number)
            case ast.String() | ast.Word():
                return leaf(node.value)
            case ast.PVar():
                return Rve("pvar", leaf=self.names.resolve(node))
            case ast.Select():
                return Rve("select", leaf=self.names.select(node))
            case ast.Call() | ast.RouteCall():
                return Rve("action", leaf=(ast.ExprStatement(node.span, node),))
            case ast.BlockExpr(body=body):
                return Rve("action", leaf=body)
            case ast.AssignExpr(assign=assign):
                return Rve("action", leaf=(assign,))
            case ast.Unary(op=op):
                return Rve("neg" if op == "-" else op, self.build(node.operand))
            case ast.Cast(to=to):
                return Rve(f"({to})", self.build(node.operand))
            case ast.Test(op=op):
                return Rve(op, self.build(node.operand))
            case ast.SelVal():
                arms = self.build(node.then), self.build(node.otherwise)
                return Rve("selval", self.build(node.condition), arms=arms)
            case ast.Binary(left=ast.CoreTest() as test, op="==" | "!=" as op, right=ast.CoreTest() as other):
                ask = myself_test(other.name if test.name == MYSELF else test.name, op)
                return Rve("bexpr", right=self.build(other), leaf=lambda run, value: ask(run))
            case ast.CoreTest():
                return Rve("pvar", leaf=self.names.core_operand(node))
            case ast.Binary(left=ast.CoreTest() as test, op="==" | "!=" as op):
                compared = comparison(test.name, op, self.names.core_operand(test).get)
                return Rve("bexpr", right=self.build(node.right), leaf=compared)
            case ast.Binary(op=op):
                right = node.right
                if op in ("==", "!=", "eq", "ne", "ieq", "ine", "=~") and is_null(right):
                    return Rve("defined" if op in ("!=", "ne", "ine") else "undefined", self.build(node.left))
                return Rve(op, self.build(node.left), self.build(right))
        raise NotImplementedError(type(node).__name__)

    def fix(self, node: Rve) -> Rve:
        if node.leaf is not None or node.op == "bexpr":
            return node
        node.left = self.fix(cast(Rve, node.left))
        node.right = None if node.right is None else self.fix(node.right)
        node.arms = None if node.arms is None else (self.fix(node.arms[0]), self.fix(node.arms[1]))
        return self.optimize(node)

    def optimize(self, node: Rve) -> Rve:
        nothing = Reading(cast(Run, None), Context())
        if node.leaf is not None or node.op == "bexpr":
            return node
        if constant(node):
            try:
                return leaf(cast("int | str", self.evaluate(nothing, node).leaf))
            except Failed:
                return node
        node.left = self.optimize(cast(Rve, node.left))
        if node.op in UNARY or node.op == "selval":
            return node
        node.right = self.optimize(cast(Rve, node.right))
        kind = guess(node.left)
        if kind != "none" and node.op in ("+", "==", "!="):
            typed = {"+": ("+i", "concat"), "==": ("ieq", "eq"), "!=": ("ine", "ne")}
            node.op = typed[node.op][kind == "str"]
        if constant(node.right):  # without a leaf it has no value: `1 / 0`
            return node if node.right.leaf is None else simpler(node, node.left, node.right, behind=True)
        return simpler(node, node.right, node.left, behind=False) if node.left.op in ("long", "str") else node

    def read(self, at: Reading, node: Rve) -> Value:
        """The value of a leaf, an action as 1 or 0."""
        match node.op:
            case "pvar" | "select":
                return cast(Variable, node.leaf).get(at.run)
            case "action":
                body = cast("tuple[ast.Statement, ...]", node.leaf)
                code = self.run_safely(at, body) if body else 0
                return code if self.raw else int(code > 0)
            case "bexpr":
                test = cast("Callable[[Run, Value], bool]", node.leaf)
                return int(test(at.run, self.read(at, cast(Rve, node.right))))
        return cast("int | str", node.leaf)

    def either(self, at: Reading, node: Rve) -> Value:
        """rval_expr_eval_rvlong."""
        if node.leaf is not None:
            return self.read(at, node)
        if node.op == "selval":
            raise Failed("selval where an integer is asked for")
        if node.op in LONGS:
            return self.to_long(at, node)
        if node.op == "+":
            left = self.either(at, cast(Rve, node.left))
            return self.add(at, left, cast(Rve, node.right))
        return self.read(at, self.evaluate(at, node))

    def add(self, at: Reading, left: Value, right: Rve) -> int | str:
        if isinstance(left, int):
            return long(left + self.to_long(at, right))
        return text_of(left) + text_of(self.read(at, self.evaluate(at, right)))

    def evaluate(self, at: Reading, node: Rve) -> Rve:
        """rval_expr_eval: a leaf stands for itself and is read later."""
        if node.leaf is not None:
            return node
        left, right = cast(Rve, node.left), cast(Rve, node.right)
        if node.op in LONGS:
            return leaf(self.to_long(at, node))
        if node.op == "(str)":
            return leaf(text_of(self.read(at, self.evaluate(at, left))))
        if node.op == "selval":
            assert node.arms is not None
            arm = self.evaluate(at, node.arms[0 if self.to_long(at, left) > 0 else 1])
            value = self.read(at, arm)
            return leaf(value if isinstance(value, int) else text_of(value))
        first = self.evaluate(at, left)
        if node.op == "+":
            return leaf(self.add(at, self.read(at, first), right))
        second = self.evaluate(at, right)  # concat
        return leaf(text_of(self.read(at, first)) + text_of(self.read(at, second)))

    def to_long(self, at: Reading, node: Rve) -> int:
        """rval_expr_eval_long."""
        if node.leaf is not None:
            if node.op == "pvar" and (number := cast(Variable, node.leaf).number) is not None:
                return number(at.run)
            return number_of(self.read(at, node))
        left, right = cast(Rve, node.left), cast(Rve, node.right)
        match node.op:
            case "neg" | "not" | "~":
                value = self.to_long(at, left)
                return long(-value if node.op == "neg" else ~value) if node.op != "not" else int(not value)
            case "(int)":
                return self.to_long(at, left)
            case "+":
                return compute("+i", self.to_long(at, left), self.to_long(at, right))
            case "and":
                return int(bool(self.to_long(at, left) and self.to_long(at, right)))
            case "or":
                return int(bool(self.to_long(at, left) or self.to_long(at, right)))
            case "==" | "!=":
                return int(self.equal(at, left, right) == (node.op == "=="))
            case "eq" | "ne" | "=~":
                first, second = self.evaluate(at, left), self.evaluate(at, right)
                one, other = text_of(self.read(at, first)), text_of(self.read(at, second))
                return matched(one, other) if node.op == "=~" else int((one == other) == (node.op == "eq"))
            case "strlen" | "strempty":
                length = len(text_of(self.read(at, self.evaluate(at, left))))
                return length if node.op == "strlen" else int(length == 0)
            case "defined" | "undefined":
                bare = left.op in ("pvar", "select") and self.read(at, left) is None
                return int(bare == (node.op == "undefined"))
            case "concat":
                return number_of(self.read(at, self.evaluate(at, node)))
            case "(str)":
                return number_of(self.either(at, left))
            case "selval":
                raise Failed("selval where an integer is asked for")
        return compute(node.op, self.to_long(at, left), self.to_long(at, right))

    def equal(self, at: Reading, left: Rve, right: Rve) -> bool:
        one = self.either(at, left)
        if isinstance(one, int):
            return one == self.to_long(at, right)
        if one is None:
            other = self.either(at, right)
            return other == 0 if isinstance(other, int) else not other
        return one == text_of(self.read(at, self.evaluate(at, right)))


def is_null(node: ast.Expression) -> bool:
    return isinstance(node, ast.PVar) and node.name == "null"


def has_failed(run: Run, variable: Variable) -> bool:
    """Whether a variable is $null because one of its transformations failed: it prints nothing then."""
    return variable.text is not None and variable.text(run) == ""


def by_reference(app: App, *, forgetful: bool = False) -> App:
    """The same program, hub and world, with every route run by a walk over its tree."""
    assert not app.program.waiting, "the reference does not wait"
    reference = Reference(app, forgetful=forgetful)
    program = app.program
    events = {name: reference.route(f"event_route[{name}]") for name in program.events}
    routes = {name: reference.route(f"route[{name}]") for name in program.routes}
    main = {name: reference.route(name) for name in program.main}
    world = program.world
    world.routes, world.events = dict(routes), dict(events)
    world.failure_routes = {name: reference.route(f"failure_route[{name}]") for name in world.failure_routes}
    return App(replace(program, events=events, routes=routes, main=main), app.engine.hub, app.report)
