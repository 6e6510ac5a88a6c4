"""Pseudo-variables and the strings that hold them: does the class exist, does it take this name, this index, these
transformations (core/pvapi.c: pv_parse_spec2, pv_parse_index, pv_parse_format).

`Variables` answers for one use. What was right once is remembered, so a file that uses `$var(x)` a thousand times pays
once.
"""

from __future__ import annotations

from collections.abc import Callable

from evapi_cfg.catalog import PseudoVariable as CataloguedVariable
from evapi_cfg.catalog import history
from evapi_cfg.check import groups, transformations
from evapi_cfg.check.faults import Refusal, module_loaded_later, module_not_loaded
from evapi_cfg.check.scope import Scope, VariableClass
from evapi_cfg.check.substitutions import VARIABLE
from evapi_cfg.check.tables import Tables
from evapi_cfg.check.targets import exists
from evapi_cfg.check.verdicts import FAILS_AT_START, REFUSED
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.fixes import respelling
from evapi_cfg.diagnostics.model import Code, Diagnostic
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.modules.context import Run
from evapi_cfg.modules.spec import NameRefused, Select, Variable
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Format, PVar, Text
from evapi_cfg.syntax.pvar import PvarError, parse_format, parse_pvar
from evapi_cfg.values import Value

AT_START = 1 << 30  # the order of what is looked up when the whole file has been read
_SHARED = "shv"  # its names are made in shared memory while the file is parsed


class Variables:
    """Checks uses of variables in one configuration. Also the `Resolver` that specs ask about nested variables."""

    def __init__(self, scope: Scope, tables: Tables, *, avp_default: bool) -> None:
        self._scope = scope
        self._tables = tables
        self._avp_default = avp_default  # an unknown `$name` is an AVP, as in files without `#!KAMAILIO`
        self._needs: dict[PVar, int] = {}  # right ones: order of the last module that they need
        self._right: set[str] = {"$$"}  # texts of variables in strings that are right
        self._made: dict[PVar, Variable] = {}
        self._order = AT_START  # of the use that is being checked, for the variables inside it
        self._inside = -1  # order of the last module that those need

    @property
    def world(self) -> None:
        """There is none while a file is only checked."""
        return None

    @property
    def route(self) -> str:
        """What a variable is does not depend on its block."""
        return ""

    # ---- one use ---------------------------------------------------------------------------------------------------

    def fault(self, pvar: PVar, order: int) -> Diagnostic | None:
        """What is wrong with a variable at a place. `order`: the item it stands in; AT_START inside of strings."""
        needs = self._needs.get(pvar)
        if needs is not None and needs < order:
            return None
        verdict = FAILS_AT_START if order == AT_START else REFUSED
        found = self._scope.variable_class(pvar.name)
        if found is None:
            return self._unknown(pvar, order, verdict)
        if found.order > order:
            load = self._scope.load_span(found.module)
            return module_loaded_later(f"`${pvar.name}`", found.module, pvar.span, load, verdict)
        if pvar.name == _SHARED and order < self._scope.shared_memory_from:
            return Diagnostic(
                codes.SHV_TOO_EARLY,
                f"`$shv{_inner(pvar)}` is used before there is shared memory",
                pvar.span,
                "put any `modparam` above the first route block, or use the variable in a later block",
                (f"shared memory begins at the first `modparam` or at the end of the first route block; {REFUSED}",),
            )
        outer = self._order, self._inside
        self._order, self._inside = order, -1
        try:
            fault = self._form(pvar, found, order, verdict) or self._tables.variable_fault(pvar)
            if fault is not None:
                return fault
            needs = found.order
            for transformation in pvar.transformations:
                result = transformations.fault(transformation, self, self._scope, order, verdict)
                if isinstance(result, Diagnostic):
                    return result
                needs = max(needs, result)
            needs = max(needs, self._inside)
        finally:
            self._order, self._inside = outer
        if pvar.name == _SHARED:
            needs = max(needs, self._scope.shared_memory_from - 1)
        self._needs[pvar] = needs
        return None

    def _unknown(self, pvar: PVar, order: int, verdict: str) -> Diagnostic | None:
        scope = self._scope
        if pvar.name == "$" or scope.incomplete:
            return None
        if self._avp_default and order != AT_START and _may_be_avp(pvar):
            return None
        modules = scope.catalog.pv_modules.get(pvar.name)
        if modules:
            return module_not_loaded(f"`${pvar.name}`", modules, pvar.span, scope, verdict)
        notes: tuple[str, ...]
        fix = None
        first, dot, rest = pvar.name.partition(".")
        if dot and scope.variable_class(first):
            inner = pvar.inner.value if pvar.inner else ""
            help = f"write `$({first}).{rest}`" + (f" or `$({first}){inner}`" if inner else "") + " to end the name"
            notes = ("inside a string the name of a variable runs on over dots",)
        else:
            other = exists(f"`${pvar.name}`", history.of_variable(pvar.name), scope.catalog, scope.loaded)
            help = (
                other
                or did_you_mean(pvar.name, scope.variable_names(), "${}")
                or did_you_mean(pvar.name, scope.catalog.pv_modules, "${}")
            )
            if not help and order == AT_START:
                help = "a dollar sign itself is written `$$`"
            fix = None if other else respelling(_name_span(pvar), pvar.name, scope.variable_names())
            notes = ()
        return Diagnostic(
            codes.UNKNOWN_VARIABLE,
            f"there is no pseudo-variable `${pvar.name}`",
            _name_span(pvar),
            help,
            (*notes, verdict),
            fix=fix,
        )

    def _form(self, pvar: PVar, found: VariableClass, order: int, verdict: str) -> Diagnostic | None:
        """The name in parentheses and the index."""
        fault = self._shape(pvar, found, verdict)
        if fault is not None:
            return fault
        if found.spec is not None:
            try:
                self._made[pvar] = found.spec.make(pvar, self)
            except Refusal as nested:
                return nested.diagnostic
            except NameRefused as refused:
                return self._refused(pvar, refused, verdict)
            if pvar.name == "sel" and pvar.inner is not None and pvar.inner.value.startswith(groups.SELECT):
                return groups.unknown(pvar.inner.value, pvar.inner.span, self._scope)
        elif pvar.index is not None and pvar.index.value.startswith("$"):
            return self.text_fault(pvar.index, order)
        elif found.catalogued is not None and found.catalogued.form and pvar.inner is not None:
            return self._own_form(pvar.inner, found.catalogued.form, pvar.name, order, verdict)
        return None

    def _own_form(self, inner: Text, form: str, name: str, order: int, verdict: str) -> Diagnostic | None:
        """A name in a syntax of its own, of a module that only the catalogue knows."""
        if form == "$":
            if inner.value.startswith("$"):
                return self.text_fault(inner, order)
            message, help = f"`${name}` needs a variable in its parentheses", f"such as `${name}($ru)`"
        elif form in inner.value:
            return None
        else:
            message, help = f"`${name}` needs a name of the form `a{form}b`", ""
        return Diagnostic(codes.BAD_VARIABLE_NAME, message, inner.span, help, (verdict,))

    def _shape(self, pvar: PVar, found: VariableClass, verdict: str) -> Diagnostic | None:
        """Whether there is a name and an index where the class takes them, and whether they can be right."""
        inner, index, spec, catalogued = pvar.inner, pvar.index, found.spec, found.catalogued
        if spec is not None:
            wants, takes, indexed, names = spec.inner == "required", spec.inner != "no", spec.index, spec.names
        else:
            assert catalogued is not None
            wants = takes = catalogued.inner
            indexed, names = catalogued.index, catalogued.names if catalogued.closed else ()
        listed = f"the names are {', '.join(f'`{name}`' for name in sorted(names))}" if names else ""
        code, span = codes.BAD_VARIABLE_NAME, pvar.span
        fix = None
        if inner is None and wants:
            message, help = f"`${pvar.name}` needs a name in parentheses", listed
        elif inner is not None and not takes:
            message, span, help = f"`${pvar.name}` takes no name in parentheses", inner.span, ""
        elif inner is not None and spec is None and catalogued is not None and _lacks(catalogued, inner.value):
            message, span = f"`${pvar.name}` has no name `{inner.value}`", inner.span
            other = self._other_versions(pvar, inner)
            help = other or did_you_mean(inner.value, names) or listed
            fix = None if other else respelling(span, inner.value, names)
        elif index is not None and not indexed:
            code, message, span, help = codes.BAD_VARIABLE_INDEX, f"`${pvar.name}` takes no index", index.span, ""
        elif index is not None and spec is None and not _is_index(index.value):
            code, message, span = codes.BAD_VARIABLE_INDEX, f"`{index.value}` is no index", index.span
            help = "an index is a number, `*` for all, or one variable"
        else:
            return None
        return Diagnostic(code, message, span, help, (verdict,), fix=fix)

    def _refused(self, pvar: PVar, refused: NameRefused, verdict: str) -> Diagnostic:
        span = refused.span or pvar.span
        at = pvar.index.span if pvar.index else None
        in_index = at is not None and span.file is at.file and at.start <= span.start < at.end
        help, fix = "", None
        if pvar.inner is not None and not in_index:
            help = self._other_versions(pvar, pvar.inner)
        if refused.candidates and not help:
            wrong = pvar.inner.value if pvar.inner else pvar.name
            help = did_you_mean(wrong, refused.candidates) or (
                f"the names are {', '.join(f'`{name}`' for name in refused.candidates)}"
            )
            fix = respelling(span, wrong, refused.candidates)
        code: Code = codes.BAD_VARIABLE_INDEX if in_index else codes.BAD_VARIABLE_NAME
        return Diagnostic(code, refused.message, span, help, (verdict,), fix=fix)

    def _other_versions(self, pvar: PVar, inner: Text) -> str:
        found = self._scope.variable_class(pvar.name)
        module = found.module if found else ""
        owners = history.of_variable(pvar.name, inner.value, module)
        return exists(f"`${pvar.name}({inner.value})`", owners, self._scope.catalog, self._scope.loaded)

    def writable(self, pvar: PVar) -> bool:
        """Whether a right variable may stand left of `=` (core/pvar.h: pv_is_w)."""
        found = self._scope.variable_class(pvar.name)
        if found is None:
            return True
        if found.catalogued is not None:
            return found.catalogued.writable
        return found.spec is None or found.spec.writable

    # ---- texts -----------------------------------------------------------------------------------------------------

    def format_faults(self, text: Text) -> list[Diagnostic]:
        """What is wrong with a string whose variables are filled in (parsed when Kamailio starts)."""
        value = text.value
        at = value.find("$")
        right = self._right
        while at >= 0:
            token = VARIABLE.match(value, at)
            if token is None:
                return self._slow_format_faults(text)
            if token[0] not in right:
                part = text.part(at, token.end())
                if self.text_fault(part) is not None:
                    return self._slow_format_faults(text)
                right.add(token[0])
            at = value.find("$", token.end())
        return []

    def _slow_format_faults(self, text: Text) -> list[Diagnostic]:
        """The whole string by its grammar."""
        try:
            parts = parse_format(text)
        except PvarError as error:
            return [bad_variable(error)]
        return [f for part in parts if isinstance(part, PVar) and (f := self.fault(part, AT_START))]

    def text_fault(self, text: Text, order: int = AT_START, *, rest: bool = False) -> Diagnostic | None:
        """What is wrong with a text that has to be one variable. `rest`: what stands behind it is passed over."""
        try:
            pvar = parse_pvar(text, rest=rest)
        except PvarError as error:
            return bad_variable(error, FAILS_AT_START if order == AT_START else REFUSED)
        return self.fault(pvar, order)

    # ---- Resolver --------------------------------------------------------------------------------------------------

    def declared_select(self, name: str) -> Select | None:
        return self._scope.declared_select(name)

    def variable(self, text: Text) -> Variable:
        try:
            pvar = parse_pvar(text)
        except PvarError as error:
            raise NameRefused(error.message, error.span) from None
        self._nested(pvar)
        if pvar.transformations:
            return Variable(_nothing)
        return self._made.get(pvar) or Variable(_nothing)

    def format(self, text: Text) -> Format:
        try:
            parts = parse_format(text)
        except PvarError as error:
            raise NameRefused(error.message, error.span) from None
        for part in parts:
            if isinstance(part, PVar):
                self._nested(part)
        return parts

    def _nested(self, pvar: PVar) -> None:
        fault = self.fault(pvar, self._order)
        if fault is not None:
            raise Refusal(fault)
        self._inside = max(self._inside, self._needs.get(pvar, -1))

    def text(self, text: Text) -> Callable[[Run], str] | str:
        if "$" not in text.value:
            return text.value
        parts = self.format(text)
        literal = "".join(part for part in parts if isinstance(part, str))
        return literal if all(isinstance(part, str) for part in parts) else lambda run: literal

    def runtime_text(self, value: str) -> Callable[[Run], str] | str:
        """Nothing runs while a file is only checked."""
        return value

    def runtime_variable(self, value: str) -> Variable:
        return Variable(_nothing)


def _nothing(run: Run) -> Value:
    return None


def bad_variable(error: PvarError, verdict: str = FAILS_AT_START) -> Diagnostic:
    """The diagnostic for a text that is no variable at all."""
    help = ""
    if "dollar" in error.message or "`$`" in error.message:
        help = "a dollar sign itself is written `$$`"
    return Diagnostic(codes.BAD_VARIABLE, error.message, error.span, help, (verdict,))


def _may_be_avp(pvar: PVar) -> bool:
    """Whether the text is one of the forms that files without `#!KAMAILIO` may use for an AVP: `$name`, `$f.name`,
    `$name[1]`, `%name`. The last three come as `$avp(...)`."""
    text = pvar.span.text
    if pvar.name == "avp":
        return not text.startswith(("$avp", "$(avp"))
    return pvar.inner is None and not pvar.transformations and not text.startswith("$(")


def _is_index(value: str) -> bool:
    digits = value[1:] if value.startswith("-") else value
    return value in ("*", "+", "-") or value.startswith("$") or (digits.isascii() and digits.isdecimal())


def _lacks(catalogued: CataloguedVariable, name: str) -> bool:
    names = catalogued.names if catalogued.closed else ()
    return name in catalogued.elsewhere or (bool(names) and name not in names)


def _inner(pvar: PVar) -> str:
    return f"({pvar.inner.value})" if pvar.inner else ""


def _name_span(pvar: PVar) -> Span:
    """`$name` alone, where the variable is a long one."""
    span = pvar.span
    text = span.text
    for front in ("$(", "$"):
        if text.startswith(front + pvar.name):
            return Span(span.file, span.start, span.start + len(front) + len(pvar.name))
    return span
