"""Arguments of a function call, prepared as the function's spec says: Kamailio's fixups."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import cast

from evapi_cfg import regex, values
from evapi_cfg.compile import support
from evapi_cfg.compile.emit import RUN, call, literal, name
from evapi_cfg.compile.expressions import Expressions
from evapi_cfg.modules.spec import Arg, Function, Variable
from evapi_cfg.modules.transformations.substitution import parse_substitution
from evapi_cfg.syntax.ast import Call, Expression, PVar, String, Text, Word
from evapi_cfg.syntax.fold import fold
from evapi_cfg.values import to_int, to_str


def constant_text(node: Expression) -> Text | None:
    """A constant argument as text with its way back to the file; None where it is not constant."""
    if isinstance(node, String):
        return node.text
    if isinstance(node, Word):
        return Text(node.span, node.value)
    value = fold(node)
    return None if value is None else Text(node.span, to_str(value))


class Arguments(Expressions):
    """Adds calls to expressions."""

    def lower_call(self, node: Call) -> ast.expr:
        found = self.names.functions.get((node.name, len(node.args)))
        if found is None:
            return self.emit.place(self.not_run(node), node.span)
        _module, function = found
        if not function.runs:
            self.note_not_run(node)
        elif function.permit and (world := self.names.world) is not None and function.permit not in world.permits:
            self.note_not_run(node, f"only with --allow-{function.permit}")
        prepared = self._fixed(function, node)
        arguments = [
            self._argument(kind, arg, fixed, function.lazy)
            for kind, arg, fixed in zip(function.args, node.args, prepared, strict=True)
        ]
        made = ast.Call(self.function(function.call), [name(RUN), *arguments], [])
        if function.at:
            at = self.emit.constant(node.span)
            if _takes_at_last(function):
                made.args.append(at)
            else:
                made.keywords.append(ast.keyword("at", at))
        self.emit.place(made, node.span)
        return self.awaited(made, function)

    def awaited(self, made: ast.expr, function: Function) -> ast.expr:
        return made

    def note_not_run(self, node: Call, unless: str = "") -> None:
        """A call of a function that says itself that it does not run here."""
        raise NotImplementedError

    def not_run(self, node: Call) -> ast.expr:
        """A call of a function that exists in Kamailio but does not run here."""
        raise NotImplementedError

    def _fixed(self, function: Function, node: Call) -> tuple[object | None, ...]:
        """What the spec's fixup makes of constant arguments; None for those that it leaves alone."""
        if function.fixup is None:
            return (None,) * len(node.args)
        constants = tuple(
            text if "$" not in text.value else None
            for text in (constant_text(arg) or Text(arg.span, "$") for arg in node.args)
        )
        return function.fixup(tuple(None if text is None else text.value for text in constants))

    def _argument(self, kind: Arg, node: Expression, fixed: object | None, lazy: bool) -> ast.expr:
        if fixed is not None:
            # Exactly these: a Level is an int, but no literal of Python.
            plain = type(fixed) is int or type(fixed) is str
            return literal(fixed) if plain else self.emit.constant(fixed)  # type: ignore[arg-type]
        text = constant_text(node)
        match kind:
            case Arg.TEXT | Arg.CONST_TEXT | Arg.ROUTE | Arg.VALUE:
                return self._format(kind, node, text, lazy)
            case Arg.STRING | Arg.PATTERN:
                return self.text(node)
            case Arg.LITERAL:
                return literal("" if text is None else text.value)
            case Arg.INT | Arg.CONST_INT:
                return self._int(node, text)
            case Arg.NUMBER:
                return self._number(node, text)
            case Arg.VAR_TEXT:
                return self._var_text(node, text)
            case Arg.PVAR:
                return self.emit.constant(self._variable(node, text))
            case Arg.SUBSTITUTION:
                assert text is not None
                return self.emit.constant(parse_substitution(text, self.names))
            case Arg.REGEX:
                return self.emit.constant(regex.compile("" if text is None else text.value, regex.ICASE))

    def _format(self, kind: Arg, node: Expression, text: Text | None, lazy: bool) -> ast.expr:
        if text is None:
            self.risky = True
            names = self.emit.constant(self.names)
            made: ast.expr = call(self.function(support.dynamic_text), name(RUN), names, self.value(node)[0])
            return _lambda(made) if lazy else made
        if kind is Arg.VALUE:
            parts = self.names.format(text)
            if len(parts) == 1 and isinstance(parts[0], PVar):
                value = self.read(self.names.resolve(parts[0]))
                return _lambda(self._detached(value)) if lazy else value
        made = self.format_text(text)
        return _lambda(self._detached(made)) if lazy and not isinstance(made, ast.Constant) else made

    def _detached(self, made: ast.expr) -> ast.expr:
        """An expression that may run outside this function: `V` is read from the run."""
        return _Detach().visit(made)  # type: ignore[no-any-return]

    def _int(self, node: Expression, text: Text | None) -> ast.expr:
        if text is None:
            return self.integer(node)
        if "$" in text.value:
            self.risky = True
            return call(self.function(to_int), self.read(self.names.variable(text)))
        return literal(values.parse_int(text.value) or 0)

    def _number(self, node: Expression, text: Text | None) -> ast.expr:
        """A number, or what a variable's value says of itself: None where it is a text, whatever that text is."""
        if text is None:
            return call(self.function(support.parsed_number), self.value(node)[0])
        if "$" not in text.value:
            return literal(values.parse_int(text.value) or 0)
        variable = self.names.variable(text)
        if variable.number is not None:
            return call(self.function(variable.number), name(RUN))
        return call(self.function(support.number_or_none), self.read(variable))

    def _var_text(self, node: Expression, text: Text | None) -> ast.expr:
        """A text as it is, or the value of the variable that it begins with; None where that is $null."""
        if text is None:
            return self.text(node)
        if text.value[:1] == "$":
            first = self.names.format(text)[0]
            if isinstance(first, PVar):
                return call(self.function(support.text_or_none), self.read(self.names.resolve(first)))
        return literal(text.value)

    def _variable(self, node: Expression, text: Text | None) -> Variable:
        if isinstance(node, PVar):
            return self.names.resolve(node)
        assert text is not None
        return self.names.variable(text)


class _Detach(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id == "V":
            return ast.Attribute(name(RUN), "vars", ast.Load())
        return node


def _lambda(body: ast.expr) -> ast.expr:
    parameters = ast.arguments([], [ast.arg(RUN)], None, [], [], None, [])
    return ast.Lambda(parameters, body)


def _takes_at_last(function: Function) -> bool:
    """Whether `at` may be handed over by position, which is the faster call."""
    parameters = list(inspect.signature(cast("Callable[..., object]", function.call)).parameters.values())
    return (
        len(parameters) == len(function.args) + 2
        and parameters[-1].name == "at"
        and parameters[-1].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    )
