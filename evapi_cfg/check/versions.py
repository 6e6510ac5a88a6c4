"""Pass: what the target version of Kamailio cannot read, although the parser can, which reads the language of all of
them: parameters of the core, and forms that came later (core/cfg.y of each)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from evapi_cfg.catalog import Catalog, history
from evapi_cfg.check.context import Context
from evapi_cfg.check.targets import numbers, span_of
from evapi_cfg.check.verdicts import REFUSED
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import CoreParam, KemiParam, Listen, LoadModule

_CALLED, _SOCKET, _ADVERTISED = (5, 7), (5, 7), (5, 8)  # the versions from which on the forms below are read


def check(context: Context) -> Iterator[Diagnostic]:
    catalog = context.catalog
    version = numbers(catalog.version)
    params = catalog.core.params
    for item in context.config.items:
        if isinstance(item, (CoreParam, KemiParam)):
            name_span = item.name_span if isinstance(item, CoreParam) else _name_of(item)
            written = name_span.text
            having = () if written in params else history.of_core_param(written)
            if having and catalog.version not in having:
                yield Diagnostic(
                    codes.UNKNOWN_CORE_PARAMETER,
                    f"the core has no parameter `{written}`",
                    name_span,
                    f"`{written}` exists {span_of(having)}",
                    (REFUSED,),
                )
        elif isinstance(item, LoadModule):
            if version < _CALLED and "(" in item.span.text[: item.name.span.start - item.span.start]:
                yield _newer("a `loadmodule` with parentheses", item.span, _CALLED, "write it without the parentheses")
        elif isinstance(item, Listen):
            if version < _SOCKET and item.span.text.startswith("socket"):
                yield _newer("`socket = {...}`", item.span, _SOCKET, "write `listen=...`")
            elif version < _ADVERTISED and item.advertise is not None and item.advertise.proto is not None:
                yield _newer("an `advertise` with a protocol", item.advertise.span, _ADVERTISED, "leave it out")


def _name_of(param: KemiParam) -> Span:
    """`kemi.name` alone."""
    span = param.span
    return Span(span.file, span.start, span.start + len(f"kemi.{param.name}"))


def _newer(what: str, span: Span, since: tuple[int, int], help: str) -> Diagnostic:
    return Diagnostic(
        codes.NEWER_SYNTAX, f"{what} is read from Kamailio {since[0]}.{since[1]} on", span, help, (REFUSED,)
    )


def of_parsed(diagnostics: Iterable[Diagnostic], catalog: Catalog) -> list[Diagnostic]:
    """What the parser says, as it is for a version: it knows the parameters of the core of one version only."""
    said: list[Diagnostic] = []
    for found in diagnostics:
        if found.code is codes.UNKNOWN_CORE_PARAMETER:
            having = history.of_core_param(found.span.text)
            if catalog.version in having:
                continue
            if having:
                found = replace(found, help=f"`{found.span.text}` exists {span_of(having)}")
        said.append(found)
    return said
