"""From a tree back to text: a kamailio.cfg in one canonical form that parses to an equal tree.

Comments, defines and the way things were spelt are gone. This module decides nothing about what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, assert_never

from evapi_cfg.syntax import ast
from evapi_cfg.syntax.ast import Config, Expression, Item, Number, PVar, RouteKind, Statement, String, Text, Word
from evapi_cfg.syntax.keywords import PARAMETERS, TERMINALS

_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a", "\0": "\\x00"}
_ESCAPED: Final = re.compile(r'[\\"\n\r\t\a\0]')
_NAME: Final = re.compile(r"(?!rc|retcode)[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_INNER: Final = re.compile(r"[^()\n]*(?:\([^()\n]*\)[^()\n]*)*")
_HOST: Final = re.compile(r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*|\[?[0-9A-Fa-f:]*:[0-9A-Fa-f:]+\]?")
_SIGNED: Final = frozenset(entry.split("/")[0] for entry in PARAMETERS["P_INTEGER"].split())
_HEADS: Final = {
    RouteKind.REQUEST: "route",
    RouteKind.FAILURE: "failure_route",
    RouteKind.BRANCH: "branch_route",
    RouteKind.ONREPLY: "onreply_route",
    RouteKind.ONSEND: "onsend_route",
    RouteKind.EVENT: "event_route",
}
INDENT: Final = "\t"


def unparse(config: Config) -> str:
    """The text of a whole configuration."""
    lines = [] if config.avp_default else ["#!KAMAILIO"]
    for item in config.items:
        lines += _item(item)
    return "\n".join(lines) + "\n" if config.items else ";\n"


# ---- top level -------------------------------------------------------------------------------------------------


def _item(item: Item) -> Iterator[str]:
    match item:
        case ast.RouteBlock():
            yield f"{_head(item)} {{"
            yield from _body(item.body, 1)
            yield "}"
        case ast.LoadModule():
            word = "loadmodulex" if "$" in item.name.value else "loadmodule"
            name = _quoted(item.name.value)
            yield f"{word}({name}, {_quoted(item.options.value)})" if item.options else f"{word} {name}"
        case ast.LoadPath():
            yield f"loadpath {_quoted(item.path.value)}"
        case ast.ModParam():
            word = "modparamx" if item.expand else "modparam"
            value = expression(item.value)
            yield f"{word}({_quoted(item.modules.value)}, {_quoted(item.name.value)}, {value})"
        case ast.CoreParam():
            yield _parameter(item)
        case ast.Listen():
            yield from _listen(item)
        case ast.Alias():
            yield "alias = " + " ".join(_endpoint(endpoint) for endpoint in item.endpoints) + ";"
        case ast.CustomVar():
            index = "" if item.index is None else f"[{_unsigned(item.index)}]"
            description = f" desc {_quoted(item.description.value)}" if item.description else ""
            yield f"{item.group}{index}.{item.name} = {_literal(item.value)}{description}"
        case ast.Flags():
            flags = (_quoted(name) + ("" if number is None else f":{_unsigned(number)}") for name, number in item.flags)
            yield f"{'avpflags' if item.avp else 'flags'} {', '.join(flags)}"
        case ast.CfgEngine():
            yield f"cfgengine {_quoted(item.name.value)}"
        case ast.KemiParam():
            yield f"kemi.{item.name} = {_quoted(item.value.value)}"
        case _:
            assert_never(item)


def _head(block: ast.RouteBlock) -> str:
    word = _HEADS[block.kind]
    if block.name is None:
        return "request_route" if block.kind is RouteKind.REQUEST else word
    return f"{word}[{block.name if block.kind is RouteKind.EVENT else _quoted(block.name)}]"


def _parameter(item: ast.CoreParam) -> str:
    if item.name == "coreparam":
        name, value = item.value
        return f"coreparam[{_literal(name)}] = {_literal(value)}"
    if item.name in _SIGNED and isinstance(item.value[0], Number):
        return f"{item.name} = {_number(item.value[0].value)}"
    return f"{item.name} = {_literal(item.value[0])}"


def _literal(value: Number | String | Word) -> str:
    if isinstance(value, Number):
        return _unsigned(value.value)
    return value.value if isinstance(value, Word) else _quoted(value.value)


def _listen(item: ast.Listen) -> Iterator[str]:
    advertise = item.advertise
    if item.options or not item.endpoint.hosts[0] or (advertise and advertise.proto and item.virtual and not item.name):
        yield from _socket(item)
        return
    parts = [f"listen = {_endpoint(item.endpoint)}"]
    if advertise is not None:
        parts.append(f"advertise {_endpoint(advertise)}")
    if item.name is not None:
        parts.append(f"name {_quoted(item.name)}")
    if item.virtual:
        parts.append("virtual")
    yield " ".join(parts) + ";"  # else a custom variable behind it would be one more address


def _socket(item: ast.Listen) -> Iterator[str]:
    options = dict(item.options)
    yield "socket = {"
    if item.endpoint.hosts[0]:
        last = f"-{options.pop('last_port')}" if "last_port" in options else ""
        yield f"{INDENT}bind = {_endpoint(item.endpoint)}{last};"
    if item.advertise is not None:
        yield f"{INDENT}advertise = {_endpoint(item.advertise)};"
    if item.name is not None:
        yield f"{INDENT}name = {_quoted(item.name)};"
    for name, value in options.items():
        yield f"{INDENT}{name} = {_quoted(value)};"
    yield f"{INDENT}virtual = {int(item.virtual)};"
    yield "}"


def _endpoint(endpoint: ast.Endpoint) -> str:
    hosts = [host if _is_bare(host) else _quoted(host) for host in endpoint.hosts]
    text = hosts[0] if len(hosts) == 1 else f"({', '.join(hosts)})"
    if endpoint.proto is not None:
        text = f"{endpoint.proto}:{text}"
    return text if endpoint.port is None else f"{text}:{_unsigned(endpoint.port)}"


def _is_bare(host: str) -> bool:
    """Whether a host may stand without quotes: no part of its name is a reserved word."""
    return bool(_HOST.fullmatch(host)) and not any(part in TERMINALS for part in re.split("[.-]", host))


# ---- statements ------------------------------------------------------------------------------------------------


def _body(statements: Iterable[Statement], depth: int) -> Iterator[str]:
    empty = True
    for statement in statements:
        empty = False
        yield from _statement(statement, depth)
    if empty:
        yield INDENT * depth + ";"


def _statement(statement: Statement, depth: int) -> Iterator[str]:
    indent = INDENT * depth
    match statement:
        case ast.Assign():
            yield f"{indent}{pvar(statement.target)} = {expression(statement.value)};"
        case ast.ExprStatement():
            yield f"{indent}{expression(statement.expr)};"
        case ast.If():
            yield from _if(statement, depth)
        case ast.While():
            yield f"{indent}while ({expression(statement.condition)}) {{"
            yield from _body(statement.body, depth + 1)
            yield f"{indent}}}"
        case ast.Switch():
            yield f"{indent}switch ({expression(statement.subject)}) {{"
            for case in statement.cases:
                label = "default" if case.label is None else f"case {'/' * case.regex}{_operand(case.label)}"
                yield f"{indent}{INDENT}{label}:"
                for inner in case.body:
                    yield from _statement(inner, depth + 2)
            yield f"{indent}}}"
        case ast.Leave():
            yield f"{indent}{statement.how}{'' if statement.value is None else ' ' + _operand(statement.value)};"
        case _:
            assert_never(statement)


def _if(statement: ast.If, depth: int) -> Iterator[str]:
    indent = INDENT * depth
    head = f"{indent}if"
    while True:
        yield f"{head} ({expression(statement.condition)}) {{"
        yield from _body(statement.then, depth + 1)
        match statement.otherwise:
            case ():
                yield f"{indent}}}"
                return
            case (ast.If() as following,):
                statement, head = following, f"{indent}}} else if"
            case otherwise:
                yield f"{indent}}} else {{"
                yield from _body(otherwise, depth + 1)
                yield f"{indent}}}"
                return


# ---- expressions -----------------------------------------------------------------------------------------------


def expression(node: Expression) -> str:
    """The text of an expression."""
    match node:
        case Number():
            return _number(node.value)
        case String():
            return _quoted(node.value)
        case PVar():
            return pvar(node)
        case ast.Select():
            return f"@{node.path}"
        case Word():
            return node.value
        case ast.Call():
            return f"{node.name}({', '.join(_arguments(node))})"
        case ast.RouteCall():
            target = node.target
            return f"route({_quoted(target.value) if isinstance(target, Text) else expression(target)})"
        case ast.CoreTest():
            return node.name
        case ast.Unary():
            return f"{'!' if node.op == 'not' else node.op}({expression(node.operand)})"
        case ast.Binary():
            return f"{_operand(node.left)} {node.op} {_operand(node.right)}"
        case ast.Cast():
            return f"({node.to})({expression(node.operand)})"
        case ast.Test():
            return f"{node.op}({expression(node.operand)})"
        case ast.SelVal():
            return f"selval({expression(node.condition)}, {expression(node.then)}, {expression(node.otherwise)})"
        case ast.BlockExpr():
            return "{ " + " ".join(line.strip() for line in _body(node.body, 0)) + " }"
        case ast.AssignExpr():
            return f"({pvar(node.assign.target)} = {expression(node.assign.value)})"
        case _:
            assert_never(node)


def _arguments(call: ast.Call) -> Iterator[str]:
    for argument in call.args:
        if call.core and isinstance(argument, PVar) and argument.name == "avp" and argument.inner is not None:
            yield f"%{argument.inner.value}"  # commands of the core take no other spelling of an AVP
        elif call.core and isinstance(argument, Number) and call.name != "remove_branch":
            yield _unsigned(argument.value)
        else:
            yield expression(argument)


def _operand(node: Expression) -> str:
    """The same, in parentheses where it is more than an operand."""
    text = expression(node)
    return f"({text})" if isinstance(node, (ast.Binary, ast.Unary, ast.Cast, ast.Test)) else text


def _number(value: int) -> str:
    if value == 1 << 31:
        return "-2147483648"  # the literal without its sign wraps, and is then negated
    return "2147483648" if value == -(1 << 31) else str(value)


def _unsigned(value: int) -> str:
    """A number where no sign may stand: it wraps to what it was."""
    return str(value & 0xFFFFFFFF)


def _quoted(value: str) -> str:
    return '"' + _ESCAPED.sub(lambda found: _ESCAPES[found[0]], value) + '"'


def pvar(node: PVar) -> str:
    """The text of a pseudo-variable."""
    inner = "" if node.inner is None else f"({node.inner.value})"
    if node.index is None and not node.transformations:
        if node.name in ("rc", "retcode", "?") and node.inner is None:
            return f"${node.name}"
        if _NAME.fullmatch(node.name) and _PLAIN_INNER.fullmatch(inner):
            return f"${node.name}{inner}"
    index = "" if node.index is None else f"[{node.index.value}]"
    rest = "".join(
        f"{{{one.cls}.{one.op}{'' if one.args is None else ',' + one.args.value}}}" for one in node.transformations
    )
    return f"$({node.name}{inner}{index}{rest})"
