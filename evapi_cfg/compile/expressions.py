"""Expressions of a cfg as Python expressions. Meaning is in `values`; here it is only chosen which rule applies.

Static types follow core/rvalue.c: rve_guess_type: numbers, comparisons and calls are integers, strings and selects
strings, variables are known only at run time.
"""

from __future__ import annotations

import ast
from typing import Literal, TypeAlias, assert_never

from evapi_cfg import regex, values
from evapi_cfg.compile import support
from evapi_cfg.compile.emit import RUN, VARS, Emitter, as_number, call, compare, literal, name, run_attribute
from evapi_cfg.modules.core_myself import MYSELF, myself_test
from evapi_cfg.modules.core_operand import comparison
from evapi_cfg.modules.resolve import Names, printed
from evapi_cfg.modules.spec import Variable
from evapi_cfg.syntax.ast import (
    AssignExpr,
    Binary,
    BlockExpr,
    Call,
    Cast,
    CoreTest,
    Expression,
    Format,
    Number,
    PVar,
    RouteCall,
    Select,
    SelVal,
    String,
    Test,
    Text,
    Unary,
    Word,
)
from evapi_cfg.syntax.fold import fold, simplified, static_type
from evapi_cfg.values import NULL_TEXT

Type: TypeAlias = Literal["int", "str", "any"]  # any: known at run time only, $null among the possibilities

_COMPARISONS: dict[str, type[ast.cmpop]] = {
    "<": ast.Lt,
    ">": ast.Gt,
    "<=": ast.LtE,
    ">=": ast.GtE,
    "ieq": ast.Eq,
    "ine": ast.NotEq,
}
_ARITHMETIC = {
    "-": values.sub,
    "*": values.mul,
    "/": values.div,
    "mod": values.mod,
    "|": values.bit_or,
    "&": values.bit_and,
    "^": values.bit_xor,
    "<<": values.shift_left,
    ">>": values.shift_right,
}


# A comparison with a bare $null asks whether the left side is defined: True, or not: False (core/cfg.y: rval_expr).
_NULL_TESTS = {"==": False, "eq": False, "ieq": False, "=~": False, "!=": True, "ne": True, "ine": True}


def _is_null(node: Expression) -> bool:
    return isinstance(node, PVar) and node.name == "null"


def _chooses(node: Expression) -> bool:
    """Whether the value is that of a selval(), or of a sum that begins with one."""
    node = simplified(node)
    while isinstance(node, Binary) and node.op == "+":
        node = simplified(node.left)
    return isinstance(node, SelVal) and fold(node) is None


class Expressions:
    """Lowers expressions of one route. `Statements` adds calls, blocks and assignments, which are statements too.

    While an expression is lowered, `risky` says that it may raise EvaluationError; the statement around it looks at it.
    """

    def __init__(self, emit: Emitter, names: Names, *, raw_codes: bool) -> None:
        self.emit = emit
        self.names = names
        self.raw_codes = raw_codes  # core parameter return_mode=1: a code is itself as a value, and truth is not 0
        self.risky = False
        self.uses_vars = False
        self._kept = 0  # names given to values that are needed twice

    # ---- what Statements provides

    def lower_call(self, node: Call) -> ast.expr:
        raise NotImplementedError

    def lower_route_call(self, node: RouteCall) -> ast.expr:
        raise NotImplementedError

    def fresh(self) -> ast.expr:
        """The run, with $rc set back: what an expression calls begins with 0 there (core/action.c:
        run_actions_safe)."""
        return call(self.function(support.fresh), name(RUN))

    def as_operand(self, node: Call | RouteCall | AssignExpr | BlockExpr, *, raw: bool) -> ast.expr:
        raise NotImplementedError

    def called(self, node: Call, *, raw: bool) -> ast.expr:
        """A function's code as an operand; `raw`: itself, not whether it is above 0."""
        before, self.risky = self.risky, False
        made = self.lower_call(node)
        risky, self.risky = self.risky, before
        if risky:  # without its arguments the call has a code all the same
            return self.as_operand(node, raw=raw)
        if node.core:
            outcome = support.gone_on if raw else support.block
        else:
            outcome = support.called_raw if raw else support.called
        return call(self.function(outcome), self.fresh(), made)

    def routed(self, node: RouteCall, *, raw: bool) -> ast.expr:
        """A route's code as an operand; `raw`: itself, not whether it is above 0."""
        before, self.risky = self.risky, False
        made = self.lower_route_call(node)
        risky, self.risky = self.risky, before
        if risky:
            return self.as_operand(node, raw=raw)
        if isinstance(node.target, Text):
            outcome = support.routed_raw if raw else support.routed
        else:
            # run_dynamic has set $rc already, unless there is no such route
            outcome = support.gone_on if raw else support.block
        return call(self.function(outcome), self.fresh(), made)

    def lower_assignment(self, node: AssignExpr) -> ast.expr:
        raise NotImplementedError

    # ---- values

    def function(self, function: object) -> ast.expr:
        return self.emit.constant(function, getattr(function, "__name__", "k") + "_")

    def value(self, node: Expression) -> tuple[ast.expr, Type]:
        """The expression's value and static type."""
        constant = fold(node)
        if constant is not None:
            return literal(constant), "str" if isinstance(constant, str) else "int"
        expr, type_ = self._value(simplified(node))
        return self.emit.place(expr, node.span), type_

    def _value(self, node: Expression) -> tuple[ast.expr, Type]:
        match node:
            case PVar():
                return self.read(self.names.resolve(node)), "any"
            case Binary(op="+"):
                return self._add(node)
            case Cast(to="str"):
                return self.text(node.operand), "str"
            case Select():
                return self.read(self.names.select(node)), "any"
            case SelVal():
                test = self.test(node.condition)
                if test is None:  # whatever return_mode is
                    test = compare(self.integer(node.condition), ast.Gt(), literal(0))
                chosen = ast.IfExp(test, self.value(node.then)[0], self.value(node.otherwise)[0])
                return call(self.function(support.null_to_empty), chosen), "any"
            case Call():
                return self.called(node, raw=self.raw_codes), "int"
            case RouteCall():
                return self.routed(node, raw=self.raw_codes), "int"
            case BlockExpr():
                return self.as_operand(node, raw=self.raw_codes), "int"
            case AssignExpr():
                return self.lower_assignment(node), "int"
            case CoreTest():
                return self.read(self.names.core_operand(node)), "any"
            case Word():
                return literal(node.value), "str"
            case Number() | String():  # folded, but for what cannot be
                raise AssertionError(node)
            case Unary(op="~"):
                return call(self.function(values.bit_not), self.integer(node.operand)), "int"
            case Unary(op="-"):
                return call(self.function(values.negate), self.integer(node.operand)), "int"
            case Binary(op=op) if op in _ARITHMETIC:
                if op in ("/", "mod") and not fold(node.right):
                    self.risky = True
                rule = self.function(_ARITHMETIC[op])
                return call(rule, self.integer(node.left), self.integer(node.right)), "int"
            case Cast():
                return self.integer(node.operand), "int"
            case Test(op="strlen"):
                return call(name("len"), self.text(node.operand)), "int"
            case Unary() | Binary() | Test():
                test = self.test(node)
                assert test is not None
                return as_number(test), "int"
            case _:
                assert_never(node)

    def _add(self, node: Binary) -> tuple[ast.expr, Type]:
        left, type_ = self.value(node.left)
        if type_ == "int":
            return call(self.function(values.int_add), left, self.integer(node.right)), "int"
        if type_ == "str":
            return ast.BinOp(left, ast.Add(), self.text(node.right)), "str"
        self.risky = True
        return self._by_left(values.int_add, values.add, left, node.right), "any"

    def _by_left(self, with_int: object, rule: object, left: ast.expr, right: Expression) -> ast.expr:
        """A rule for a left side whose type is known only when it runs, and which decides how the right side is
        evaluated: behind an integer as one (`integer`), which matters where the right side has to choose as well."""
        right = simplified(right)
        if not isinstance(right, (Binary, SelVal)) or static_type(right) != "any" or fold(right) is not None:
            return call(self.function(rule), left, self.value(right)[0])
        self._kept += 1
        kept = f"left{self._kept}"
        class_ = ast.Attribute(ast.NamedExpr(ast.Name(kept, ast.Store()), left), "__class__", ast.Load())
        with_other = call(self.function(rule), name(kept), self.value(right)[0])
        if rule is not values.add and _chooses(right):  # behind $null, `==` asks for the type as well
            return ast.IfExp(compare(class_, ast.Is(), self.function(str)), with_other, self.either(right)[0])
        as_int = call(self.function(with_int), name(kept), self.integer(right))
        return ast.IfExp(compare(class_, ast.Is(), self.function(int)), as_int, with_other)

    def either(self, node: Expression) -> tuple[ast.expr, Type]:
        """The value where Kamailio asks whether it is a number or a string (core/rvalue.c: rval_expr_eval_rvlong)."""
        if _chooses(node):
            self.risky = True
            return call(self.function(support.no_choice)), "any"
        return self.value(node)

    def integer(self, node: Expression) -> ast.expr:
        """The value where Kamailio asks for an integer: `+` adds there, whatever its sides are."""
        node = simplified(node)
        if isinstance(node, SelVal) and fold(node) is None:
            self.risky = True
            return call(self.function(support.no_choice))
        if isinstance(node, Binary) and node.op == "+" and fold(node) is None and static_type(node.left) == "any":
            sides = self.integer(node.left), self.integer(node.right)
            return self.emit.place(call(self.function(values.int_add), *sides), node.span)
        if isinstance(node, PVar):
            number = self.names.resolve(node).number
            if number is not None:
                return call(self.function(number), name(RUN))
        expr, type_ = self.value(node)
        if type_ == "int":
            return expr
        if isinstance(expr, ast.Constant) and isinstance(expr.value, str):
            parsed = values.parse_int(expr.value)
            if parsed is not None:
                return literal(parsed)
        self.risky = True
        return call(self.function(values.to_int), expr)

    def text(self, node: Expression) -> ast.expr:
        """The value where Kamailio asks for a string."""
        expr, type_ = self.value(node)
        if type_ == "str":
            return expr
        if isinstance(expr, ast.Constant):
            return literal(values.to_str(expr.value))  # type: ignore[arg-type]
        return call(self.function(values.to_str), expr)

    def chosen_text(self, node: Expression) -> ast.expr:
        """The subject of a switch over strings."""
        return self.either(node)[0] if _chooses(node) else self.text(node)

    # ---- truth

    def condition(self, node: Expression) -> ast.expr:
        """A Python expression that is true where an `if` takes its first branch."""
        test = self.test(node)
        if test is not None:
            return self.emit.place(test, node.span)
        number = self.integer(node)
        if self.raw_codes:
            return compare(number, ast.NotEq(), literal(0))
        return compare(number, ast.Gt(), literal(0))

    def nonzero(self, node: Expression) -> ast.expr:
        """A Python expression that is true where the value is not 0: what `&&`, `||` and `!` look at."""
        test = self.test(node)
        return self.emit.place(test, node.span) if test is not None else self.integer(node)

    def test(self, node: Expression) -> ast.expr | None:
        """Expressions that are 0 or 1, as a Python truth; None for all others."""
        if fold(node) is not None:
            return None
        node = simplified(node)
        if isinstance(node, Binary) and node.op in _NULL_TESTS and _is_null(node.right):
            defined = self._defined(node.left)
            return defined if _NULL_TESTS[node.op] else ast.UnaryOp(ast.Not(), defined)
        match node:
            case Unary(op="not"):
                return ast.UnaryOp(ast.Not(), self.nonzero(node.operand))
            case Binary(op="and"):
                return ast.BoolOp(ast.And(), [self.nonzero(node.left), self.nonzero(node.right)])
            case Binary(op="or"):
                return ast.BoolOp(ast.Or(), [self.nonzero(node.left), self.nonzero(node.right)])
            case Binary(op="=="):
                return self._equal(node, values.eq, ast.Eq())
            case Binary(op="!="):
                return self._equal(node, values.ne, ast.NotEq())
            case Binary(op="eq"):
                return compare(self.text(node.left), ast.Eq(), self.text(node.right))
            case Binary(op="ne"):
                return compare(self.text(node.left), ast.NotEq(), self.text(node.right))
            case Binary(op="=~"):
                return self._match(node)
            case Binary(op=op) if op in _COMPARISONS:
                return compare(self.integer(node.left), _COMPARISONS[op](), self.integer(node.right))
            case Test(op="defined"):
                return self._defined(node.operand)
            case Test(op="strempty"):
                return ast.UnaryOp(ast.Not(), self.text(node.operand))
            case _:
                return None

    def _defined(self, node: Expression) -> ast.expr:
        # Only a bare variable or select can be undefined (core/rvalue.c: long_rve_defined).
        if isinstance(node, (PVar, Select)):
            return call(self.function(values.defined), self.value(node)[0])
        return literal(True)

    def _equal(self, node: Binary, rule: object, op: ast.cmpop) -> ast.expr:
        if isinstance(node.left, CoreTest):
            return self._core_test(node.left, node.op, node.right)
        type_ = static_type(node.left)
        if type_ == "int":
            return compare(self.integer(node.left), op, self.integer(node.right))
        if type_ == "str":
            return compare(self.text(node.left), op, self.text(node.right))
        self.risky = True
        left = self.either(node.left)[0]
        with_int = values.int_eq if node.op == "==" else values.int_ne
        return self._by_left(with_int, rule, left, node.right)

    def _core_test(self, left: CoreTest, op: str, right: Expression) -> ast.expr:
        if isinstance(right, CoreTest) and MYSELF in (left.name, right.name):
            other = right if left.name == MYSELF else left
            return call(self.function(myself_test(other.name, op)), name(RUN))
        operand = fold(right)
        if isinstance(right, Word):
            operand = right.value
        test = comparison(left.name, op, self.names.core_operand(left).get)
        if operand is None:
            return call(self.function(test), name(RUN), self.value(right)[0])
        return call(self.function(test), name(RUN), literal(operand))

    def _match(self, node: Binary) -> ast.expr:
        pattern = fold(node.right)
        if pattern is not None:
            compiled = regex.compile(values.to_str(pattern), regex.ICASE)
            return call(self.function(compiled.matches), self.text(node.left))
        self.risky = True
        left, right = self.value(node.left)[0], self.value(node.right)[0]
        return call(self.function(support.match), name(RUN), left, right)

    # ---- variables and formats

    def read(self, variable: Variable) -> ast.expr:
        """A variable's value, without a call where that can be."""
        if variable.var is not None:
            self.uses_vars = True
            return ast.Subscript(name(VARS), literal(variable.var), ast.Load())
        if variable.attribute is not None:
            return run_attribute(variable.attribute)
        if variable.client is not None:
            return self._of_client(variable.client, None)
        return call(self.function(variable.get), name(RUN))

    def _of_client(self, attribute: str, without: str | None) -> ast.expr:
        client = run_attribute("client")
        return ast.IfExp(
            compare(client, ast.Is(), literal(None)), literal(without), ast.Attribute(client, attribute, ast.Load())
        )

    def formatted(self, format_: Format) -> ast.expr:
        """A string with its variables filled in."""
        parts = [part if isinstance(part, str) else self._printed(self.names.resolve(part)) for part in format_]
        if all(isinstance(part, str) for part in parts):
            return literal("".join(part for part in parts if isinstance(part, str)))
        if len(parts) == 1:
            pvar = format_[0]
            assert isinstance(pvar, PVar)
            return self._alone(self.names.resolve(pvar))
        return ast.JoinedStr(
            [literal(part) if isinstance(part, str) else ast.FormattedValue(part, -1, None) for part in parts]
        )

    def _alone(self, variable: Variable) -> ast.expr:
        if variable.text is not None:
            return call(self.function(variable.text), name(RUN))
        # Mostly it is a text already, which is seen faster than a function is called.
        kept = ast.NamedExpr(ast.Name("t", ast.Store()), self.read(variable))
        is_text = compare(ast.Attribute(kept, "__class__", ast.Load()), ast.Is(), self.function(str))
        return ast.IfExp(is_text, name("t"), call(self.function(printed), name("t")))

    def _printed(self, variable: Variable) -> ast.expr:
        """A value inside an f-string: an integer prints by itself, $null as `<null>`."""
        if variable.text is not None:
            return call(self.function(variable.text), name(RUN))
        if variable.client is not None:
            return self._of_client(variable.client, NULL_TEXT)
        value = self.read(variable)
        if variable.var is not None or not variable.nullable:
            return value
        kept = ast.NamedExpr(ast.Name("t", ast.Store()), value)
        return ast.IfExp(compare(kept, ast.Is(), literal(None)), literal(NULL_TEXT), name("t"))

    def format_text(self, text: Text) -> ast.expr:
        return self.formatted(self.names.format(text))
