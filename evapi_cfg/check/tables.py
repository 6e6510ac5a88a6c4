"""Pass: the tables of module htable: defined once, and used by names that are defined (htable/ht_api.c: ht_add_table,
ht_var.c: pv_parse_ht_name). Definitions themselves are the module's to refuse."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final

from evapi_cfg.check.scope import Scope
from evapi_cfg.check.verdicts import FAILS_AT_START, NO_ITEM_AT_RUN, REFUSED, SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.modules.htable import key
from evapi_cfg.modules.htable.definition import BadDefinition, Definition, parse
from evapi_cfg.source import Span, show
from evapi_cfg.syntax.ast import Call, ModParam, PVar, RouteBlock, RouteKind, String, Text

if TYPE_CHECKING:
    from evapi_cfg.check.context import Context

HTABLE: Final = "htable"
_EXPIRED: Final = "htable:expired:"


class Tables:
    """The tables that a configuration defines, and what there is to say about names of tables."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @property
    def loaded(self) -> bool:
        return HTABLE in self._scope.loaded

    @cached_property
    def given(self) -> list[tuple[Definition, Span]]:
        """All definitions that can be read, in the order of the file, with the places of their values."""
        found = []
        for item in self._values:
            try:
                found.append((parse(item.value), item.span))
            except BadDefinition:
                continue
        return found

    @cached_property
    def _values(self) -> list[String]:
        loaded = [HTABLE] if self.loaded else []
        return [
            item.value
            for item in self._scope.config.items
            if isinstance(item, ModParam)
            and item.name.value == HTABLE
            and isinstance(item.value, String)
            and not (item.expand and "$" in item.value.value)
            and self._scope.meant_by(item.modules.value, loaded)
        ]

    @cached_property
    def defined(self) -> dict[str, Definition] | None:
        """By their names; None where some may be defined in ways that are not seen here."""
        if self._scope.incomplete or len(self.given) < len(self._values) or self._hidden:
            return None
        return {definition.name: definition for definition, _ in self.given}

    @cached_property
    def _hidden(self) -> bool:
        """Whether a definition is known only when Kamailio starts, or is no string."""
        return any(
            isinstance(item, ModParam)
            and item.name.value == HTABLE
            and (not isinstance(item.value, String) or (item.expand and "$" in item.value.value))
            for item in self._scope.config.items
        )

    def variable_fault(self, pvar: PVar) -> Diagnostic | None:
        """`$sht(table=>key)` and its like, which are right but for their tables."""
        if pvar.name not in key.VARIABLES or pvar.inner is None:
            return None
        found = key.split(pvar.inner.value)
        return None if found is None else self._undefined(found[0], pvar.inner)

    def argument_fault(self, call: Call, number: int, text: Text) -> Diagnostic | None:
        """A constant argument of one of the module's functions."""
        if call.name in key.WITH_KEY:
            found = key.split(text.value)
            if found is None:
                return Diagnostic(codes.BAD_ARGUMENT, key.wrong_form(text.value), text.span, "", (FAILS_AT_START,))
            return self._undefined(found[0], text)
        if key.WITH_NAME.get(call.name) == number and text.value and "$" not in text.value:
            return self._undefined(text.value, text)
        return None

    def _undefined(self, name: str, text: Text) -> Diagnostic | None:
        """`text` begins with the name, perhaps behind blanks."""
        tables = self.defined
        if tables is None or name in tables:
            return None
        start = text.value.find(name)
        span = text.part(start, start + len(name)).span if name else text.span
        help = (
            did_you_mean(show(name), map(show, tables))
            or f'define it: `modparam("htable", "htable", "{name}=>size=8")`'
        )
        return Diagnostic(codes.UNDEFINED_TABLE, f"there is no table `{show(name)}`", span, help, (NO_ITEM_AT_RUN,))


def check(context: Context) -> Iterator[Diagnostic]:
    tables = context.tables
    first: dict[str, Span] = {}
    for definition, span in tables.given:
        if first.setdefault(definition.name, span) is not span:
            yield Diagnostic(
                codes.BAD_MODPARAM_VALUE,
                f"the table `{show(definition.name)}` is defined twice",
                span,
                "",
                (REFUSED,),
                (Related("first defined here", first[definition.name]),),
            )
        elif definition.ignored:
            yield Diagnostic(
                codes.IGNORED_SETTING,
                f"`{show(definition.ignored)}` in the definition of table `{show(definition.name)}` is passed over",
                span,
                "settings are separated by `;`",
                (SILENT,),
            )
    for item in context.config.items:
        if isinstance(item, RouteBlock) and item.kind is RouteKind.EVENT and (item.name or "").startswith(_EXPIRED):
            fault = _event(item, tables)
            if fault is not None:
                yield fault


def _event(block: RouteBlock, tables: Tables) -> Diagnostic | None:
    """An event route about items that nothing expires."""
    defined = tables.defined
    if defined is None or not tables.loaded:
        return None
    name = (block.name or "").removeprefix(_EXPIRED)
    definition = defined.get(name)
    if definition is None:
        message, help = f"there is no table `{name}` for `{block.title}`", did_you_mean(name, defined, "{}")
    elif not definition.autoexpire:
        message, help = f"`{block.title}` never runs: table `{name}` has no `autoexpire`", ""
    else:
        return None
    return Diagnostic(codes.UNKNOWN_EVENT_ROUTE, message, block.name_span, help, (SILENT,))
