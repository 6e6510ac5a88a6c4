"""Pass: which route blocks reach which: those that nobody names, and those that come back to themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.routes import MAIN
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.syntax.ast import CfgEngine, RouteBlock, RouteCall, RouteKind, String, Text
from evapi_cfg.syntax.walk import walk

_NAMED = (RouteKind.REQUEST, RouteKind.FAILURE, RouteKind.BRANCH, RouteKind.ONREPLY)
_WORDS = re.compile(r"[A-Za-z0-9_:-]+")
# What takes a route's name that may be put together while a route runs.
_BY_NAME = frozenset(("t_on_failure", "t_on_branch", "t_on_reply", "t_continue", "route_if_exists"))


def unused(context: Context) -> Iterator[Diagnostic]:
    if any(not isinstance(call.target, Text) and not isinstance(call.target, String) for call in _calls(context)):
        return  # a name that is put together may be any
    named: set[str] = {call.target.value for call in _calls(context) if isinstance(call.target, (Text, String))}
    for item in context.config.items:
        if isinstance(item, CfgEngine):
            return
        for node in walk(item):
            if isinstance(node, String):
                named.update(_WORDS.findall(node.value))
                named.add(node.value)
    for call, _ in context.index.calls:
        last = call.args[-1] if call.args else None
        if call.name in _BY_NAME and not (isinstance(last, String) and "$" not in last.value):
            return
    for block in _named_blocks(context):
        if block.name is not None and block.name not in named:
            how = {
                RouteKind.REQUEST: f"`route({block.name})`",
                RouteKind.FAILURE: f'`t_on_failure("{block.name}")`',
                RouteKind.BRANCH: f'`t_on_branch("{block.name}")`',
                RouteKind.ONREPLY: f'`t_on_reply("{block.name}")`',
            }[block.kind]
            yield Diagnostic(
                codes.UNUSED_ROUTE,
                f"nothing runs `{block.title}`",
                block.name_span,
                f"call it with {how}, or remove it",
                (SILENT,),
            )


def _calls(context: Context) -> Iterator[RouteCall]:
    for call, _ in context.index.route_calls:
        yield call


def _named_blocks(context: Context) -> Iterator[RouteBlock]:
    for site in context.index.sites:
        if site.block.kind in _NAMED and site.block.name not in (None, MAIN) and site.block.body:
            yield site.block


def recursive(context: Context) -> Iterator[Diagnostic]:
    """The call that closes a circle, once for each circle that is found."""
    graph: dict[str, list[tuple[str, RouteCall]]] = {}
    for call, site in context.index.route_calls:
        block = site.block
        if block.kind is RouteKind.REQUEST and block.name is not None and isinstance(call.target, Text):
            graph.setdefault(block.name, []).append((call.target.value, call))
    done: set[str] = set()
    for start in graph:
        if start in done:
            continue
        path: list[str] = [start]
        waiting = [iter(graph[start])]
        while waiting:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
                done.add(path.pop())
                continue
            name, call = step
            if name in path:
                circle = [*path[path.index(name) :], name]
                way = " -> ".join(f"route[{part}]" for part in circle)
                yield Diagnostic(
                    codes.RECURSIVE_ROUTE,
                    f"this comes back to `route[{name}]`",
                    call.span,
                    "use `while`, unless a condition ends it for sure",
                    (way, "Kamailio gives up after 256 routes inside each other (`max_recursive_level`)"),
                )
            elif name in graph and name not in done:
                path.append(name)
                waiting.append(iter(graph[name]))
