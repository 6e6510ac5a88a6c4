"""One walk over a configuration that sorts its nodes by what the passes ask for.

Each list is in the order of the file. The walk keeps its own stack: chains of a thousand operators are legal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from evapi_cfg.syntax.ast import (
    Assign,
    AssignExpr,
    Binary,
    BlockExpr,
    Call,
    Case,
    Cast,
    Config,
    Expression,
    ExprStatement,
    If,
    Leave,
    PVar,
    RouteBlock,
    RouteCall,
    RouteKind,
    Select,
    SelVal,
    Statement,
    Switch,
    Test,
    Text,
    Unary,
    While,
)

Operator: TypeAlias = "Binary | Unary | Cast | Test | SelVal"
Node: TypeAlias = "Statement | Expression | Case"

_REQUEST, _FAILURE, _TM_ONREPLY, _CORE_ONREPLY, _BRANCH, _ONSEND, _EVENT = (1 << bit for bit in range(7))
ROUTE_BITS = {
    "REQUEST": _REQUEST,
    "FAILURE": _FAILURE,
    "TM_ONREPLY": _TM_ONREPLY,
    "CORE_ONREPLY": _CORE_ONREPLY,
    "ONREPLY": _TM_ONREPLY | _CORE_ONREPLY,
    "BRANCH": _BRANCH,
    "ONSEND": _ONSEND,
    "EVENT": _EVENT,
    "ANY": (1 << 7) - 1,
}  # bits for the names of core/route.h; blocks that no file can hold (ERROR, LOCAL ...) have none

_KIND_BITS = {
    RouteKind.REQUEST: _REQUEST,
    RouteKind.FAILURE: _FAILURE,
    RouteKind.ONREPLY: _TM_ONREPLY,
    RouteKind.BRANCH: _BRANCH,
    RouteKind.ONSEND: _ONSEND,
    RouteKind.EVENT: _EVENT | _REQUEST,
}


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A route block as a place for code. `order`: its index among the file's items; `bits`: a function may stand here
    if it has one of them (core/sr_module.c: sr_cmd_flags_match)."""

    order: int
    block: RouteBlock
    bits: int


def site_of(order: int, block: RouteBlock) -> Site:
    bits = _KIND_BITS[block.kind]
    if block.kind is RouteKind.ONREPLY and block.name in (None, "0"):
        bits = _CORE_ONREPLY
    return Site(order, block, bits)


@dataclass(slots=True)
class Index:
    """The nodes of all route blocks. Expressions are listed in pre-order: an operand stands behind its operator."""

    sites: list[Site] = field(default_factory=list)
    calls: list[tuple[Call, Site]] = field(default_factory=list)
    inner_calls: list[tuple[Call, Call]] = field(default_factory=list)  # (inside the arguments of, call)
    core_calls: list[tuple[Call, Site]] = field(default_factory=list)
    route_calls: list[tuple[RouteCall, Site]] = field(default_factory=list)
    variables: list[tuple[PVar, Site]] = field(default_factory=list)
    assigns: list[tuple[Assign, Site]] = field(default_factory=list)
    selects: list[Select] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    whiles: list[While] = field(default_factory=list)
    leaves: list[Leave] = field(default_factory=list)
    deep: list[While | Switch] = field(default_factory=list)  # the first of each nest that is past the limit


def build(config: Config, loop_limit: int) -> Index:
    """Lists the nodes of `config`. `loop_limit`: how many loops and switches may stand inside each other."""
    index = Index()
    for order, item in enumerate(config.items):
        if isinstance(item, RouteBlock):
            site = site_of(order, item)
            index.sites.append(site)
            _walk(item.body, site, index, loop_limit)
    return index


def _walk(body: tuple[Statement, ...], site: Site, index: Index, loop_limit: int) -> None:
    # An entry: the node, the module function in whose arguments it stands, the number of loops around it.
    stack: list[tuple[Node, Call | None, int]] = [(node, None, 0) for node in reversed(body)]
    pop, push = stack.pop, stack.append
    while stack:
        node, around, depth = pop()
        kind = node.__class__
        if kind is PVar:
            index.variables.append((node, site))  # type: ignore[arg-type]
        elif isinstance(node, Call):
            if node.core:
                index.core_calls.append((node, site))
            else:
                index.calls.append((node, site))
                if around is not None:
                    index.inner_calls.append((around, node))
                around = node
            for argument in reversed(node.args):
                push((argument, around, depth))
        elif isinstance(node, ExprStatement):
            push((node.expr, around, depth))
        elif isinstance(node, Binary):
            index.operators.append(node)
            push((node.right, around, depth))
            push((node.left, around, depth))
        elif isinstance(node, If):
            for statement in reversed(node.otherwise):
                push((statement, around, depth))
            for statement in reversed(node.then):
                push((statement, around, depth))
            push((node.condition, around, depth))
        elif isinstance(node, Assign):
            index.assigns.append((node, site))
            push((node.value, around, depth))
        elif isinstance(node, RouteCall):
            index.route_calls.append((node, site))
            if not isinstance(node.target, Text):
                push((node.target, around, depth))
        elif isinstance(node, Leave):
            if node.value is not None:
                index.leaves.append(node)
                push((node.value, around, depth))
        elif isinstance(node, Unary | Cast | Test):
            index.operators.append(node)
            push((node.operand, around, depth))
        elif isinstance(node, While):
            index.whiles.append(node)
            if depth == loop_limit:
                index.deep.append(node)
            for statement in reversed(node.body):
                push((statement, around, depth + 1))
            push((node.condition, around, depth))
        elif isinstance(node, Switch):
            index.switches.append(node)
            if depth == loop_limit:
                index.deep.append(node)
            for case in reversed(node.cases):
                push((case, around, depth + 1))
            push((node.subject, around, depth))
        elif isinstance(node, Case):
            for statement in reversed(node.body):
                push((statement, around, depth))
            if node.label is not None:
                push((node.label, around, depth))
        elif isinstance(node, SelVal):
            index.operators.append(node)
            for operand in (node.otherwise, node.then, node.condition):
                push((operand, around, depth))
        elif isinstance(node, BlockExpr):
            for statement in reversed(node.body):
                push((statement, around, depth))
        elif isinstance(node, AssignExpr):
            push((node.assign, around, depth))
        elif isinstance(node, Select):
            index.selects.append(node)
