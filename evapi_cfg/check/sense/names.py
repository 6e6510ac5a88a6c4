"""Pass: names that nobody uses, and variables that nobody sets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evapi_cfg.check.arguments import how_read
from evapi_cfg.check.context import Context
from evapi_cfg.check.fixups import Reading
from evapi_cfg.check.functions import find
from evapi_cfg.check.sense.arguments import one_variable, parts
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.diagnostics.suggest import did_you_mean, near
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Call, CfgEngine, ModParam, PVar, String, Text
from evapi_cfg.syntax.walk import walk

_DEFINE = re.compile(r"^[ \t]*[#!]!(?:define|trydefine|def|trydef|redefine|redef)[ \t]+(\w+)", re.MULTILINE)
_WORD = re.compile(r"\w+")
_KEPT = ("var", "shv", "avp", "xavp", "xavu", "xavi")
_SET_AT_START = re.compile(r"\s*(\w+)=")


def check(context: Context) -> Iterator[Diagnostic]:
    yield from _defines(context)
    yield from _variables(context)


def _defines(context: Context) -> Iterator[Diagnostic]:
    """A define whose name stands nowhere else: not in an #!ifdef, not in a comment, not in a text."""
    found: dict[str, Span] = {}
    seen: dict[str, int] = {}
    for file in dict.fromkeys(context.config.files):
        defines = list(_DEFINE.finditer(file.text))
        for define in defines:
            found.setdefault(define[1], Span(file, *define.span(1)))
        if defines or found:
            for word in _WORD.findall(file.text):
                seen[word] = seen.get(word, 0) + 1
    if not found or len(set(context.config.files)) > 1:
        return  # the files that are included may be others another time
    for name, span in found.items():
        if seen.get(name, 0) == 1 and name in context.config.defines:
            yield Diagnostic(
                codes.UNUSED_DEFINE,
                f"nothing uses `{name}`",
                span,
                did_you_mean(name, [word for word in seen if word not in found and word.isupper()]) or "remove it",
                (SILENT,),
            )


# ---- variables --------------------------------------------------------------------------------------------------


def _variables(context: Context) -> Iterator[Diagnostic]:
    """Reads of $var(x) and its like where nothing in the file sets x."""
    if any(isinstance(item, CfgEngine) for item in context.config.items):
        return
    given: dict[str, set[str]] = {cls: set() for cls in _KEPT}
    any_name: set[str] = set()
    reads: list[PVar] = []

    def give(pvar: PVar) -> None:
        name = _name(pvar)
        if name is None:
            any_name.add(pvar.name)
        else:
            given[pvar.name].add(name)

    for assign, _ in context.index.assigns:
        if assign.target.name in _KEPT:
            give(assign.target)
    for pvar, _ in context.index.variables:
        reads += _in_variable(pvar)
    for call, site in context.index.calls:
        export = find(context.scope, call, site)
        for number, text in _texts(call):
            alone = one_variable(text)
            to_variable = export is None or how_read(export, number) in (Reading.VARIABLE, Reading.PLAIN)
            if to_variable and alone is not None and alone.name in _KEPT and not alone.transformations:
                give(alone)  # it may be where the function puts its result
            elif "$" in text.value:
                for part in parts(text):
                    if isinstance(part, PVar):
                        reads += _in_variable(part)
    for item in context.config.items:
        if isinstance(item, ModParam) and isinstance(item.value, String):
            _in_modparam(item, item.value, given)
    everything = set().union(*given.values())
    told: set[tuple[str, str]] = set()
    for pvar in reads:
        name = _name(pvar)
        if name is None or pvar.name not in _KEPT or pvar.name in any_name or name in given[pvar.name]:
            continue
        # From outside one can set a $shv by RPC, and modules set AVPs of their own: only a name that is nearly right
        # is sure to be a slip.
        if pvar.name != "var" and not near(name, given[pvar.name]):
            continue
        if (pvar.name, name) in told:
            continue
        told.add((pvar.name, name))
        yield Diagnostic(
            codes.NEVER_SET_VARIABLE,
            f"nothing sets `${pvar.name}({name})`",
            pvar.span,
            did_you_mean(name, given[pvar.name] or everything, f"${pvar.name}({{}})"),
            (SILENT,),
        )


def _texts(call: Call) -> Iterator[tuple[int, Text]]:
    """The strings in a call's arguments, each with the number of its argument."""
    for number, argument in enumerate(call.args):
        for node in walk(argument):
            if isinstance(node, String):
                yield number, node.text


def _in_variable(pvar: PVar) -> Iterator[PVar]:
    """A variable that is read, and those in its name, its index and its arguments."""
    yield pvar
    inside = [pvar.inner, pvar.index, *(step.args for step in pvar.transformations)]
    for text in inside:
        if text is not None and "$" in text.value:
            for part in parts(text):
                if isinstance(part, PVar):
                    yield from _in_variable(part)


def _name(pvar: PVar) -> str | None:
    """Its name; None where that is put together while a route runs."""
    if pvar.inner is None or "$" in pvar.inner.value:
        return None
    return re.split(r"[=\[]", pvar.inner.value)[0].strip()


def _in_modparam(item: ModParam, value: String, given: dict[str, set[str]]) -> None:
    if item.name.value in ("shvset", "varset"):
        found = _SET_AT_START.match(value.value)
        if found is not None:
            given["shv" if item.name.value == "shvset" else "var"].add(found[1])
    elif "$" in value.value:
        for part in parts(value.text):
            if isinstance(part, PVar) and part.name in _KEPT and (name := _name(part)) is not None:
                given[part.name].add(name)
