"""Pass: which route blocks reach which: those that nobody names, and those that come back to themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from evapi_cfg.check.context import Context
from evapi_cfg.check.endings import ON
from evapi_cfg.check.routes import MAIN
from evapi_cfg.check.sense.unseen import has_other_scripts, is_part, outside_comments
from evapi_cfg.check.types import is_constant
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.syntax.ast import (
    Assign,
    AssignExpr,
    BlockExpr,
    Call,
    CoreTest,
    Expression,
    If,
    PVar,
    RouteBlock,
    RouteCall,
    RouteKind,
    Statement,
    String,
    Switch,
    Text,
    While,
)
from evapi_cfg.syntax.walk import walk

_NAMED: Final = (RouteKind.REQUEST, RouteKind.FAILURE, RouteKind.BRANCH, RouteKind.ONREPLY)
_WORDS: Final = re.compile(r"[A-Za-z0-9_:-]+")
# What takes a route's name that may be put together while a route runs.
_BY_NAME: Final = frozenset(
    ("t_on_failure", "t_on_branch", "t_on_reply", "t_continue", "route_if_exists", "async_route", "async_ms_route")
) | {"async_task_route", "async_task_group_route", "http_async_query", "sworker_task", "t_on_branch_failure"}
# What a message holds all the time: a circle that it opens it opens again.
_FIXED_TESTS: Final = frozenset(("is_method", "has_body", "is_request", "is_reply", "has_totag"))
_FIXED: Final = frozenset(("rm", "fu", "fU", "fd", "fn", "tu", "tU", "td", "ci", "cs", "si", "sp", "ua", "proto", "ou"))


# ---- nobody names it --------------------------------------------------------------------------------------------


def unused(context: Context) -> Iterator[Diagnostic]:
    if is_part(context) or has_other_scripts(context):
        return
    named: set[str] = set()
    for call, _ in context.index.route_calls:
        if not isinstance(call.target, (Text, String)):
            return  # a name that is put together may be any
        named.add(call.target.value)
    for function, _ in context.index.calls:
        if function.name in _BY_NAME and not all(_is_plain(argument) for argument in function.args[-1:]):
            return
    blocks = [block for block in _blocks(context) if block.name not in named]
    if blocks:
        named |= _words(context)
    blocks = [block for block in blocks if block.name not in named]
    written = Counter(_WORDS.findall(outside_comments(context))) if blocks else Counter()
    defined = Counter(block.name for block in blocks)
    for block in blocks:
        if written[block.name or ""] > defined[block.name]:
            continue  # in a part that is skipped
        yield Diagnostic(
            codes.UNUSED_ROUTE,
            f"nothing runs `{block.title}`",
            block.name_span,
            f"call it with {_how(block)}, or remove it",
            (SILENT,),
        )


def _words(context: Context) -> set[str]:
    """The words of all texts that may name a route: of modparams, arguments, and what is assigned."""
    texts = [node.value for item in context.config.items if not isinstance(item, RouteBlock) for node in _strings(item)]
    for call, _ in context.index.calls:
        texts += (argument.value for argument in call.args if isinstance(argument, String))
    for assign, _ in context.index.assigns:
        texts += (string.value for string in _strings(assign.value))
    return {word for text in texts for word in (text, *_WORDS.findall(text))}


def _strings(node: object) -> Iterator[String]:
    if isinstance(node, String):
        yield node
    elif not isinstance(node, PVar):
        yield from (inner for inner in walk(node) if isinstance(inner, String))


def _blocks(context: Context) -> Iterator[RouteBlock]:
    for site in context.index.sites:
        if site.block.kind in _NAMED and site.block.name not in (None, MAIN) and site.block.body:
            yield site.block


def _is_plain(argument: Expression) -> bool:
    return isinstance(argument, String) and "$" not in argument.value


def _how(block: RouteBlock) -> str:
    if block.kind is RouteKind.REQUEST:
        return f"`route({block.name})`"
    setter = {RouteKind.FAILURE: "t_on_failure", RouteKind.BRANCH: "t_on_branch", RouteKind.ONREPLY: "t_on_reply"}
    return f'`{setter[block.kind]}("{block.name}")`'


# ---- it comes back ----------------------------------------------------------------------------------------------


def recursive(context: Context) -> Iterator[Diagnostic]:
    """The call that closes a circle, once for each circle that nothing opens."""
    calls: dict[str, list[tuple[str, RouteCall]]] = {}
    for call, site in context.index.route_calls:
        block = site.block
        if block.kind is RouteKind.REQUEST and block.name is not None and isinstance(call.target, Text):
            calls.setdefault(block.name, []).append((call.target.value, call))
    if not calls:
        return
    guarded: set[int] | None = None
    done: set[str] = set()
    for start in calls:
        if start in done:
            continue
        path: list[str] = [start]
        taken: list[RouteCall] = []  # those that lead from one of `path` to the next
        waiting = [iter(calls[start])]
        while waiting:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
                done.add(path.pop())
                if taken:
                    taken.pop()
                continue
            name, call = step
            if name in path:
                first = path.index(name)
                guarded = _guarded(context) if guarded is None else guarded
                if not any(id(part) in guarded for part in (*taken[first:], call)):
                    yield _circle(call, [*path[first:], name])
            elif name in calls and name not in done:
                path.append(name)
                taken.append(call)
                waiting.append(iter(calls[name]))


def _circle(call: RouteCall, names: list[str]) -> Diagnostic:
    return Diagnostic(
        codes.RECURSIVE_ROUTE,
        f"this comes back to `route[{names[-1]}]`",
        call.span,
        "use `while`, or let a condition end it that changes on the way",
        (
            " -> ".join(f"route[{name}]" for name in names),
            "Kamailio gives up, with an error, when more than 256 routes are inside each other (`max_recursive_level`)",
        ),
    )


def _guarded(context: Context) -> set[int]:
    """The calls of routes that a condition can keep from being reached the next time, by id."""
    guarded: set[int] = set()
    leads = context.endings.leads
    for site in context.index.sites:
        waiting: list[tuple[tuple[Statement, ...], bool, frozenset[PVar]]] = [(site.block.body, False, frozenset())]
        while waiting:
            statements, held, fresh = waiting.pop()
            for statement in statements:
                asked, below = _parts(statement)
                if held:
                    guarded.update(id(node) for node in walk(asked) if isinstance(node, RouteCall))
                if below:
                    inside = held or _may_change(asked, fresh)
                    waiting += ((body, inside, fresh) for body in below if body)
                    held = held or (inside and leads(statement) != ON)  # it may have left
                elif isinstance(statement, Assign) and is_constant(statement.value):
                    fresh |= {statement.target}  # it is the same each time
    return guarded


def _parts(statement: Statement) -> tuple[Statement | Expression, list[tuple[Statement, ...]]]:
    """What a statement asks or does by itself, and the lists of statements in it."""
    if isinstance(statement, If):
        return statement.condition, [statement.then, statement.otherwise]
    if isinstance(statement, While):
        return statement.condition, [statement.body]
    if isinstance(statement, Switch):
        return statement.subject, [case.body for case in statement.cases]
    return statement, []


def _may_change(asked: Statement | Expression, fresh: frozenset[PVar]) -> bool:
    """Whether a condition may come out otherwise the next time: it asks for more than what stays in a message, and
    what the route itself has just set."""
    for node in walk(asked):
        if isinstance(node, PVar):
            if node.name not in _FIXED and node not in fresh:
                return True
        elif isinstance(node, Call):
            if node.name not in _FIXED_TESTS:
                return True
        elif isinstance(node, CoreTest):
            if node.name == "uri":
                return True
        elif isinstance(node, (RouteCall, AssignExpr, BlockExpr)):
            return True
    return False
