"""Diagnostics that several passes give in the same words: what belongs to a module that is not there, or not yet."""

from __future__ import annotations

from collections.abc import Sequence

from evapi_cfg.check.loading import loading
from evapi_cfg.check.scope import Scope
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.modules.spec import NameRefused
from evapi_cfg.source import Span

PREFERRED = ("pv", "tm", "sl", "xlog", "tls", "dialog", "registrar", "jwt", "textops")  # where several have a name


class Refusal(NameRefused):
    """A nested variable is wrong, and what is to be said about it is known already."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message, diagnostic.span)
        self.diagnostic = diagnostic


def module_not_loaded(what: str, modules: Sequence[str], span: Span, scope: Scope, verdict: str) -> Diagnostic:
    """`what` exists, but in modules none of which is loaded."""
    names = sorted(modules, key=lambda name: (name not in PREFERRED, len(name), name))
    listed = " or ".join(f"`{name}`" for name in names[:3])
    return Diagnostic(
        codes.MODULE_NOT_LOADED,
        f"{what} belongs to module {listed}, which is not loaded",
        span,
        f'add `loadmodule "{names[0]}.so"` above',
        (verdict,),
        fix=loading(modules, scope),
    )


def module_loaded_later(what: str, module: str, span: Span, load: Span | None, verdict: str) -> Diagnostic:
    """`what` is used above the loadmodule that brings it."""
    return Diagnostic(
        codes.MODULE_LOADED_LATER,
        f"{what} is used above the `loadmodule` of module `{module}`",
        span,
        "move the `loadmodule` above the first use",
        ("Kamailio looks names up while it reads the file", verdict),
        (Related(f"`{module}` is loaded here", load),) if load else (),
    )
