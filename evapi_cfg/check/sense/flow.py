"""Pass: what the order of statements comes to: statements that nothing reaches, cases that run into the next one, a
`break` that leaves no loop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from evapi_cfg.check.context import Context
from evapi_cfg.check.endings import BREAK, ON, Endings, has_toggle
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.syntax.ast import Case, If, Leave, RouteCall, Statement, Switch, Text, While
from evapi_cfg.syntax.walk import walk

_SAID = re.compile(r"(?<![-\w])fall(s|ing)?[ -]?(through|thru|on)|no break", re.IGNORECASE)


def check(context: Context) -> Iterator[Diagnostic]:
    endings = context.endings
    for site in context.index.sites:
        yield from _in_block(site.block.body, endings)
    for switch in context.index.switches:
        yield from _cases(switch, endings)


def _in_block(body: tuple[Statement, ...], endings: Endings) -> Iterator[Diagnostic]:
    """Goes down the statements of a block; `loops`: whether a `break` has something to leave."""
    waiting: list[tuple[tuple[Statement, ...], bool]] = [(body, False)]
    while waiting:
        statements, loops = waiting.pop()
        if len(statements) > 1:
            yield from _unreachable(statements, loops, endings)
        for statement in statements:
            if isinstance(statement, Leave):
                if statement.how == "break" and not loops:
                    yield _stray_break(statement)
            elif isinstance(statement, If):
                waiting.append((statement.then, loops))
                if statement.otherwise:
                    waiting.append((statement.otherwise, loops))
            elif isinstance(statement, While):
                waiting.append((statement.body, True))
            elif isinstance(statement, Switch):
                waiting += ((case.body, True) for case in statement.cases)


# ---- what stands behind what ends -------------------------------------------------------------------------------


def _unreachable(statements: tuple[Statement, ...], loops: bool, endings: Endings) -> Iterator[Diagnostic]:
    for statement, following in pairwise(statements):
        ways = endings.leads(statement)
        if ways & ON or (ways & BREAK and not loops) or _by_routes(statement, endings):
            continue
        if isinstance(following, Leave):  # `break` behind `exit` is a habit, and harmless
            return
        if has_toggle(statement.span, following.span):
            continue
        elsewhere = f", or move it in front of the `{statement.how}`" if isinstance(statement, Leave) else ""
        yield Diagnostic(
            codes.UNREACHABLE_CODE,
            "nothing reaches this statement",
            following.span,
            f"remove it{elsewhere}",
            (SILENT,),
            (Related("what stands behind this never runs", statement.span),),
        )
        return


def _by_routes(statement: Statement, endings: Endings) -> bool:
    """Whether a route that is called here has to do with it: what stands behind that is there for the day when it comes
    back."""
    return not isinstance(statement, Leave) and any(
        isinstance(node, RouteCall) and isinstance(node.target, Text) and node.target.value in endings.ending
        for node in walk(statement)
    )


def _stray_break(leave: Leave) -> Diagnostic:
    return Diagnostic(
        codes.STRAY_BREAK,
        "`break` stands in no loop and no switch",
        leave.span,
        "write `return;` to end the route, or `exit;` to end the script",
        ("Kamailio ends the route there; its return code is 0, which is false where `return;` would be true",),
    )


# ---- switch -----------------------------------------------------------------------------------------------------


def _cases(switch: Switch, endings: Endings) -> Iterator[Diagnostic]:
    for number, (case, following) in enumerate(pairwise(switch.cases), 1):
        if not case.body or not endings.of(case.body) & ON:
            continue
        if not any(later.body for later in switch.cases[number:]):
            return
        if has_toggle(case.span, following.span):
            continue
        last = case.body[-1]
        if _SAID.search(last.span.file.text, last.span.end, following.span.start):
            continue
        yield Diagnostic(
            codes.CASE_FALLS_THROUGH,
            f"this case goes on into {_label(following)}",
            last.span,
            "end it with `break;`, or say `# falls through` in a comment if that is meant",
            (SILENT,),
            (Related("what runs next", following.span),),
        )


def _label(case: Case) -> str:
    return "`default`" if case.label is None else f"`case {case.label.span.text}`"
