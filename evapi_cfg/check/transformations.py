"""Transformations: does `{class.op}` exist, and does it get the parameters that it takes (core/pvapi.c: tr_lookup; each
module's own parser for the parameters)."""

from __future__ import annotations

from evapi_cfg.catalog import Transformation as Catalogued
from evapi_cfg.catalog import history
from evapi_cfg.check import substitutions
from evapi_cfg.check.faults import Refusal, module_loaded_later, module_not_loaded
from evapi_cfg.check.scope import Scope
from evapi_cfg.check.targets import exists
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.fixes import respelling
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.modules.spec import NameRefused, Resolver
from evapi_cfg.syntax.ast import Text, Transformation

ALWAYS_RIGHT = -1
_BLANK = " \t\r\n"
_SUBSTITUTIONS = frozenset((("re", "subst"),))  # the one parameter is `/regex/replacement/flags`


def fault(use: Transformation, resolver: Resolver, scope: Scope, order: int, verdict: str) -> Diagnostic | int:
    """What is wrong with one transformation, or the order of the module that gives it."""
    found = scope.transformation(use.cls, use.op)
    if found is None:
        return ALWAYS_RIGHT if scope.incomplete else _unknown(use, scope, verdict)
    if found.order > order:
        load = scope.load_span(found.module)
        return module_loaded_later(f"`{{{use.cls}.{use.op}}}`", found.module, use.name_span, load, verdict)
    if found.spec is not None:
        try:
            if (use.cls, use.op.lower()) in _SUBSTITUTIONS and use.args is not None and use.args.value[:1] != "$":
                bad = substitutions.fault(use.args, codes.BAD_TRANSFORMATION_ARGUMENT, resolver, verdict)
                if bad is not None:
                    return bad
            found.spec.prepare(use.args, resolver)
        except Refusal as nested:
            return nested.diagnostic
        except NameRefused as refused:
            help = did_you_mean(use.args.value if use.args else "", refused.candidates) or _signature(found.catalogued)
            return Diagnostic(
                codes.BAD_TRANSFORMATION_ARGUMENT, refused.message, refused.span or use.name_span, help, (verdict,)
            )
        return found.order
    assert found.catalogued is not None
    try:
        wrong = _parameters(use.args, found.catalogued, resolver)
    except Refusal as nested:
        return nested.diagnostic
    except NameRefused as refused:
        wrong = f"has a bad variable: {refused.message}"
    if wrong:
        return Diagnostic(
            codes.BAD_TRANSFORMATION_ARGUMENT,
            f"`{{{use.cls}.{use.op}}}` {wrong}",
            use.name_span,
            _signature(found.catalogued),
            (verdict,),
        )
    return found.order


def _unknown(use: Transformation, scope: Scope, verdict: str) -> Diagnostic:
    operations = scope.operations(use.cls)
    modules = scope.catalog.transformation_modules.get(use.cls, ())
    other = exists(f"`{{{use.cls}.{use.op}}}`", history.of_transformation(use.cls, use.op), scope.catalog, scope.loaded)
    if operations:
        message = f"there is no transformation `{{{use.cls}.{use.op}}}`"
        help = other or did_you_mean(use.op, operations, "{{" + use.cls + ".{}}}")
        fix = None if other else respelling(use.name_span, use.op, operations)
    elif modules:
        return module_not_loaded(f"`{{{use.cls}.{use.op}}}`", modules, use.name_span, scope, verdict)
    else:
        message = f"there is no class of transformations `{{{use.cls}.*}}`"
        help = other or did_you_mean(use.cls, scope.transformation_classes(), "{{{}.*}}")
        fix = None if other else respelling(use.name_span, use.cls, scope.transformation_classes())
    return Diagnostic(codes.UNKNOWN_TRANSFORMATION, message, use.name_span, help, (verdict,), fix=fix)


def _parameters(args: Text | None, catalogued: Catalogued, resolver: Resolver) -> str:
    """What is wrong with the parameters of a transformation that only the catalogue knows; they are cut at commas
    outside of nested variables. Raises NameRefused for those variables."""
    params = catalogued.params
    required = sum(not param.endswith("?") for param in params)
    if args is None:
        return f"lacks {'a parameter' if required == 1 else f'{required} parameters'}" if required else ""
    if not params:
        return "takes no parameter"
    if any(param.startswith("c") for param in params):
        return ""
    at = 0
    pieces = cut(args.value)
    for piece, param in zip(pieces, params, strict=False):
        bare = piece.strip(_BLANK)
        if bare.startswith("$"):
            start = at + piece.index("$")
            resolver.variable(args.part(start, start + len(bare)))
        elif param.startswith("n") and not bare.lstrip("+-").isdecimal():
            return f"needs a number, `{bare}` is none" if bare else "has an empty parameter"
        at += len(piece) + 1
    if len(pieces) < required:
        return f"has {_count(len(pieces))}, {required} are needed"
    if len(pieces) > len(params):
        return f"has {_count(len(pieces))}, {len(params)} {'is' if len(params) == 1 else 'are'} taken"
    return ""


def _count(number: int) -> str:
    return "1 parameter" if number == 1 else f"{number} parameters"


def cut(args: str) -> list[str]:
    """Parameters, cut at the commas that are not inside a nested variable."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(args):
        if char in "({[":
            depth += 1
        elif char in ")}]":
            depth -= 1
        elif char == "," and depth <= 0:
            parts.append(args[start:at])
            start = at + 1
    return [*parts, args[start:]]


def _signature(catalogued: Catalogued | None) -> str:
    if catalogued is None or not catalogued.params:
        return ""
    words = {"n": "number", "s": "text", "c": "character"}
    shown = "".join(
        f",[{words.get(p[0], p)}]" if p.endswith("?") else f",{words.get(p[0], p)}" for p in catalogued.params
    )
    return f"write `{{{catalogued.cls}.{catalogued.op}{shown}}}`"
