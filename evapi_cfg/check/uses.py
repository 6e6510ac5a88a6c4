"""Pass: variables outside of strings, read and assigned."""

from __future__ import annotations

from collections.abc import Iterator

from evapi_cfg.check.context import Context
from evapi_cfg.check.verdicts import REFUSED
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic


def check(context: Context) -> Iterator[Diagnostic]:
    """Variables outside of strings: read, and assigned."""
    variables = context.variables
    for pvar, site in context.index.variables:
        fault = variables.fault(pvar, site.order)
        if fault is not None:
            yield fault
    for assign, site in context.index.assigns:
        target = assign.target
        fault = variables.fault(target, site.order)
        if fault is not None:
            yield fault
        elif target.transformations:
            yield Diagnostic(
                codes.TRANSFORMED_TARGET,
                "a transformation stands on the left side of an assignment",
                target.transformations[0].span,
                "transform the value on the right side instead",
                (REFUSED,),
            )
        elif not variables.writable(target):
            yield Diagnostic(
                codes.READ_ONLY_VARIABLE,
                f"`{target.span.text}` cannot be assigned",
                target.span,
                "",
                (REFUSED,),
            )
