"""From productions to nodes: statements and expressions. Each method is an action of grammar/kamailio.lark and gets
the values of the production's symbols, a `Token` for each terminal.

`build_top.py` has what stands outside of route blocks. Nothing here decides what is allowed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.source import Span
from evapi_cfg.syntax import ast
from evapi_cfg.syntax.ast import Expression, Number, PVar, Statement, String, Text, Word
from evapi_cfg.syntax.keywords import CANONICAL, NUMBER_WORDS
from evapi_cfg.syntax.pvar import PvarError, parse_pvar
from evapi_cfg.syntax.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_HEIGHT: Final = 300  # levels of blocks and operators: what a pass with three Python frames a level can walk

_SIMPLE: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)(?:\(([A-Za-z0-9_]+)\))?")
_OPERATORS: Final = {"||": "or", "&&": "and"}
_INT: Final = 1 << 31


class Block(NamedTuple):
    """`{ ... }`, or the one statement where braces are left out."""

    span: Span
    body: tuple[Statement, ...]


def integer(word: str) -> int:
    """The value of a NUMBER as Kamailio's scanner computes it: strtol, cut to 32 bits."""
    value = NUMBER_WORDS.get(word)
    if value is not None:
        return value
    if word[-1] == "b" and not word.startswith("0x"):
        value = int(word[:-1], 2)
    elif word[0] == "0" and len(word) > 1:
        value = int(word, 16) if word[1] == "x" else int(word, 8)
    elif len(word) > 18:
        value = min(int(word) if len(word) < 4000 else _INT << 40, (1 << 63) - 1)
    else:
        value = int(word)
    if value < _INT:
        return value
    return ((min(value, (1 << 63) - 1) + _INT) & 0xFFFFFFFF) - _INT


def between(first: Token, last: Token) -> Span:
    """From one token to another; only the first where they are of different files."""
    if first[4] is last[4]:
        return Span(first[4], first[2], max(first[3], last[3]))
    return Span(first[4], first[2], first[3])


def text_of(token: Token) -> Text:
    """A token as `Text`: strings and variables are, of words it is the spelling."""
    value = token[1]
    if isinstance(value, Text):
        return value
    return Text(token.span, value, ((0, token[2]),))


def word_of(token: Token) -> Word:
    return Word(token.span, CANONICAL.get(str(token[1]), str(token[1])))


class StatementBuilder:
    """The actions of statements and expressions."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._heights: dict[int, int] = {}  # of composite nodes of the block that is being read, by id
        self._too_deep = False

    # ---- depth -------------------------------------------------------------------------------------------------

    def forget_heights(self) -> None:
        """At the end of a top-level item."""
        self._heights.clear()
        self._too_deep = False

    def _height(self, node: Expression | Statement, children: Sequence[Expression | Statement]) -> bool:
        """Notes how deep the tree is there. False: too deep; the caller must put something flat in its place."""
        heights = self._heights
        height = 1
        for child in children:
            below = heights.get(id(child))
            if below is not None and below >= height:
                height = below + 1
        heights[id(node)] = height
        if height <= MAX_HEIGHT:
            return True
        if not self._too_deep:
            self._too_deep = True
            self.diagnostics.append(
                Diagnostic(
                    codes.NESTED_TOO_DEEP,
                    f"more than {MAX_HEIGHT} levels of blocks and operators within one another",
                    node.span,
                    "divide it: a variable for a part of the expression, a route for a part of the block",
                    ("the limit is that of evapi-cfg; Kamailio's own is higher",),
                )
            )
        return False

    def _made(self, node: Expression, *children: Expression) -> Expression:
        return node if self._height(node, children) else Number(node.span, 0)

    # ---- lists -------------------------------------------------------------------------------------------------

    def nothing(self, *_: object) -> None:
        return None

    def absent(self) -> bool:
        return False

    def present(self, _: Token) -> bool:
        return True

    def empty(self) -> list[object]:
        return []

    def first(self, value: object, *_: object) -> object:
        return value

    def second(self, _: object, value: object, *__: object) -> object:
        return value

    def list_of_one(self, value: object) -> list[object]:
        return [] if value is None else value if isinstance(value, list) else [value]

    def listed(self, *values: object) -> list[object]:
        return list(values[::2])

    def list_and_one(self, values: list[object], value: object) -> list[object]:
        if isinstance(value, list):
            values += value
        elif value is not None:
            values.append(value)
        return values

    def list_and_next(self, values: list[object], _: Token, value: object) -> list[object]:
        values.append(value)
        return values

    # ---- statements --------------------------------------------------------------------------------------------

    def block(self, opening: Token, statements: list[Statement], closing: Token) -> Block:
        return Block(between(opening, closing), tuple(statements))

    def body(self, statement: Statement | None) -> Block | None:
        return None if statement is None else Block(statement.span, (statement,))

    def command_statement(self, command: ast.Call | ast.RouteCall, _: Token) -> ast.ExprStatement:
        return ast.ExprStatement(command.span, command)

    def assignment(self, target: PVar, _: Token, value: Expression) -> ast.Assign:
        return ast.Assign(target.span.to(value.span), target, value)

    def if_(
        self,
        word: Token,
        condition: Expression,
        then: Block | None,
        otherwise_word: Token | None = None,
        otherwise: Block | None = None,
    ) -> ast.If:
        first = then.body if then else ()
        second = otherwise.body if otherwise else ()
        last = otherwise or then
        node = ast.If(word.span.to(last.span if last else condition.span), condition, first, second)
        if self._height(node, (condition, *first, *second)):
            return node
        return ast.If(node.span, Number(node.span, 0), ())

    def while_(self, word: Token, condition: Expression, body: Block | None) -> ast.While:
        inside = body.body if body else ()
        node = ast.While(word.span.to(body.span if body else condition.span), condition, inside)
        return node if self._height(node, (condition, *inside)) else ast.While(node.span, Number(node.span, 0), ())

    def switch(self, word: Token, subject: Expression, *rest: object) -> ast.Switch:
        cases = cast("list[ast.Case]", rest[1]) if len(rest) == 3 else []
        closing = cast("Token", rest[-1])
        node = ast.Switch(word.span.to(closing.span), subject, tuple(cases))
        inside = [statement for case in cases for statement in case.body]
        if self._height(node, (subject, *inside)):
            return node
        return ast.Switch(node.span, Number(node.span, 0), ())

    def case(self, word: Token, label: Expression, colon: Token, body: list[Statement] | None = None) -> ast.Case:
        return ast.Case(between(word, colon), label, False, tuple(body or ()))

    def case_regex(
        self, word: Token, _: Token, label: Expression, colon: Token, body: list[Statement] | None = None
    ) -> ast.Case:
        return ast.Case(between(word, colon), label, True, tuple(body or ()))

    def case_default(self, word: Token, colon: Token, body: list[Statement] | None = None) -> ast.Case:
        return ast.Case(between(word, colon), None, False, tuple(body or ()))

    def leave(self, word: Token, *rest: Expression | Token) -> ast.Leave:
        how = cast("Literal['return', 'exit', 'drop', 'break']", word[1])
        if not rest:
            return ast.Leave(word.span, how)
        if len(rest) == 2:
            return ast.Leave(between(word, cast("Token", rest[1])), how)
        value = cast("Expression", rest[0])
        return ast.Leave(word.span.to(value.span), how, value)

    # ---- commands ----------------------------------------------------------------------------------------------

    def call(self, word: Token, _: Token, arguments: list[Expression], closing: Token) -> Expression:
        at = word.span
        node = ast.Call(between(word, closing), str(word[1]), at, tuple(arguments))
        return node if self._height(node, arguments) else ast.Call(node.span, node.name, at)

    def core(self, word: Token, *rest: object) -> ast.Call:
        last = rest[-1] if rest else word
        parts = rest[1] if len(rest) == 3 and isinstance(rest[1], list) else rest[1:-1]
        arguments = [self._argument(part) for part in parts if not self._is_punctuation(part)]
        name = CANONICAL.get(str(word[1]), str(word[1]))
        node = ast.Call(between(word, cast("Token", last)), name, word.span, tuple(arguments), True)
        return node if self._height(node, arguments) else ast.Call(node.span, name, word.span, (), True)

    @staticmethod
    def _is_punctuation(part: object) -> bool:
        return isinstance(part, Token) and part[0] in (",", "(", ")")

    def _argument(self, part: object) -> Expression:
        if not isinstance(part, Token):
            return cast("Expression", part)
        if part[0] == "STRING":
            return self.string(part)
        if part[0] == "NUMBER":
            return Number(part.span, integer(str(part[1])))
        return word_of(part)

    def route_call(self, word: Token, _: Token, target: Expression | Token, closing: Token) -> ast.RouteCall:
        span = between(word, closing)
        if isinstance(target, Token):
            return ast.RouteCall(span, text_of(target))
        if isinstance(target, String):
            return ast.RouteCall(span, target.text)
        if isinstance(target, Number):
            return ast.RouteCall(span, Text(target.span, str(target.value)))
        node = ast.RouteCall(span, target)
        return node if self._height(node, (target,)) else ast.RouteCall(span, Text(target.span, ""))

    # ---- expressions -------------------------------------------------------------------------------------------

    def integer(self, word: Token) -> Number:
        return Number(Span(word[4], word[2], word[3]), integer(str(word[1])))

    def negative(self, minus: Token, word: Token) -> Number:
        return Number(between(minus, word), -integer(str(word[1])))

    def string(self, token: Token) -> String:
        value = cast("Text", token[1])
        return String(value.span, value)

    def binary(self, left: Expression, operator: Token, right: Expression) -> Expression:
        word = str(operator[1])
        op = cast("ast.BinaryOp", _OPERATORS.get(word, word))
        node = ast.Binary(left.span.to(right.span), op, left, right, Span(operator[4], operator[2], operator[3]))
        return self._made(node, left, right)

    def unary(self, operator: Token, operand: Expression) -> Expression:
        op = cast("Literal['not', '~', '-']", "not" if operator[0] == "NOT" else operator[1])
        return self._made(ast.Unary(operator.span.to(operand.span), op, operand), operand)

    def defined(self, word: Token, operand: Expression) -> Expression:
        return self._made(ast.Test(word.span.to(operand.span), "defined", operand), operand)

    def cast(self, word: Token, operand: Expression) -> Expression:
        to = cast("Literal['int', 'str']", str(word[1])[1:-1])
        return self._made(ast.Cast(word.span.to(operand.span), to, operand), operand)

    def length(self, word: Token, _: Token, operand: Expression, closing: Token) -> Expression:
        op = cast("Literal['strlen', 'strempty']", word[1])
        return self._made(ast.Test(between(word, closing), op, operand), operand)

    def selval(
        self,
        word: Token,
        _: Token,
        condition: Expression,
        __: Token,
        then: Expression,
        ___: Token,
        otherwise: Expression,
        closing: Token,
    ) -> Expression:
        node = ast.SelVal(between(word, closing), condition, then, otherwise)
        return self._made(node, condition, then, otherwise)

    def block_expr(self, block: Block) -> Expression:
        node = ast.BlockExpr(block.span, block.body)
        return node if self._height(node, block.body) else Number(block.span, 0)

    def assign_expr(self, opening: Token, assign: ast.Assign, closing: Token) -> Expression:
        return self._made(ast.AssignExpr(between(opening, closing), assign), assign.value)

    def variable(self, token: Token) -> PVar:
        text = cast("Text", token[1])
        value = text.value
        simple = _SIMPLE.fullmatch(value)
        if simple and text.marks:
            span = text.span
            inner = simple[2]
            if inner is None:
                return PVar(span, simple[1])
            begin, end = span.start + simple.start(2), span.start + simple.end(2)
            return PVar(span, simple[1], Text(Span(span.file, begin, end), inner, ((0, begin),)))
        if value and value[0] != "$" and token[0] == "AVP_OR_VARIABLE":
            return PVar(text.span, "avp", Text(text.span, value[1:]))  # core/cfg.y: avp_pvar cuts the first character
        try:
            return parse_pvar(text, rest=True)
        except PvarError as error:
            if value and value != "$":  # else the scanner has said so
                self.diagnostics.append(
                    Diagnostic(codes.BAD_VARIABLE, error.message, error.span, notes=("Kamailio refuses to start",))
                )
            return PVar(text.span, "null")

    def avp(self, mark: Token, name: Word | Token) -> PVar:
        if isinstance(name, Word):
            return PVar(mark.span.to(name.span), "avp", Text(name.span, name.value, ((0, name.span.start),)))
        return PVar(between(mark, name), "avp", text_of(name))

    def avp_all(self, avp: PVar, _: Token, closing: Token) -> PVar:
        return PVar(avp.span.to(closing.span), avp.name, avp.inner, Text(closing.span, "*"))

    def avp_indexed(self, avp: PVar, _: Token, index: Number, closing: Token) -> PVar:
        return PVar(avp.span.to(closing.span), avp.name, avp.inner, Text(index.span, str(index.value)))

    def joined(self, *parts: Token | Word | Number) -> Word:
        """Words with marks between them, as one word: a host, a select, an AVP's class and name."""
        first, last = parts[0], parts[-1]
        return Word(first.span.to(last.span), "".join(self._spelling(part) for part in parts))

    @staticmethod
    def _spelling(part: Token | Word | Number) -> str:
        if isinstance(part, Number):
            return str(part.value)
        if isinstance(part, Word):
            return part.value
        if isinstance(part[1], Text):
            return '"' + part[1].value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return part[1]

    def select(self, mark: Token, parts: list[Word]) -> ast.Select:
        return ast.Select(mark.span.to(parts[-1].span), ".".join(part.value for part in parts))

    def test(self, left: Token, operator: Token, right: Token | Expression) -> Expression:
        """An old-style operand with its comparison."""
        test = ast.CoreTest(left.span, CANONICAL.get(str(left[1]), str(left[1])))
        other: Expression
        if not isinstance(right, Token):
            other = right
        elif right[0] in ("MYSELF_VALUE", "T_URI", "T_IP"):
            other = ast.CoreTest(right.span, CANONICAL.get(str(right[1]), str(right[1])))
        else:
            other = word_of(right)
        return self.binary(test, operator, other)

    def network(self, address: Word, slash: Token | None = None, mask: Word | Token | None = None) -> Word:
        if mask is None:
            return address
        spelling = str(integer(str(mask[1]))) if isinstance(mask, Token) else mask.value
        return Word(address.span.to(mask.span), f"{address.value}/{spelling}")
