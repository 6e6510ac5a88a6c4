"""From names to what they stand for: the functions, pseudo-variables and transformations of the loaded modules.

The checker asks it what exists, the compiler what to call. It knows nothing of routes or of generated code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from weakref import proxy, ref

from evapi_cfg.modules.context import Run, World
from evapi_cfg.modules.core_operand import OPERANDS, READ_HERE
from evapi_cfg.modules.core_select import script_select
from evapi_cfg.modules.spec import Function, ModuleSpec, NameRefused, PseudoVariable, Select, Transformation, Variable
from evapi_cfg.modules.transformations.chain import chain
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax import ast
from evapi_cfg.syntax.ast import Format, PVar, Text
from evapi_cfg.syntax.pvar import PvarError, parse_format, parse_pvar
from evapi_cfg.values import NULL_TEXT, Value

NOWHERE = Span(SourceFile("<run time>", ""), 0, 0)  # the place of a format that no file holds
DEEPEST = 16  # variables inside each other, in a text that came up while routes run
RUNTIME_FORMATS = 512  # formats parsed while routes run are kept, at most this many


def printed(value: Value) -> str:
    """A value inside a format (core/pvapi.c: pv_printf)."""
    if value.__class__ is str:
        return value
    return NULL_TEXT if value is None else str(value)


def _printing(variable: Variable) -> Callable[[Run], Value]:
    return variable.text or variable.get


def _printed_alone(variable: Variable) -> Callable[[Run], str]:
    """A format that is one variable. That of $var is on the way of most messages, so it takes no further call."""
    if variable.var is None or variable.text is not None:
        get = _printing(variable)
        return lambda run: printed(get(run))
    name = variable.var

    def text(run: Run) -> str:
        value = run.vars[name]
        return value if value.__class__ is str else str(value)

    return text


def _check_form(pv: PseudoVariable, pvar: PVar) -> None:
    """Refuses a use with a name or an index that the class does not take, or without one that it needs."""
    if pvar.inner is None and pv.inner == "required":
        raise NameRefused(f"`${pv.name}` needs a name: `${pv.name}(...)`", pvar.span)
    if pvar.inner is not None and pv.inner == "no":
        raise NameRefused(f"`${pv.name}` takes no name", pvar.inner.span)
    if pvar.index is not None and not pv.index:
        raise NameRefused(f"`${pv.name}` takes no index", pvar.index.span)


_NAME = re.compile(r"\$\w*\(|\)")


def _check_depth(value: str) -> None:
    """Refuses what nobody writes: each variable inside another one is read anew, so that a format that a client has
    sent could keep everybody waiting."""
    depth = 0
    for found in _NAME.finditer(value):
        depth = max(depth - 1, 0) if found[0] == ")" else depth + 1
        if depth > DEEPEST:
            raise NameRefused(f"more than {DEEPEST} variables inside each other")


class Names:
    """What a set of modules declares, by name. Later modules win, as in Kamailio, where the list is searched from the
    module loaded last."""

    def __init__(self, modules: Iterable[ModuleSpec], world: World | None = None, *, avp_default: bool = False) -> None:
        self.modules = tuple(modules)
        self.functions: dict[tuple[str, int], tuple[ModuleSpec, Function]] = {}
        self.pvs: dict[str, PseudoVariable] = {}
        self.transformations: dict[tuple[str, str], Transformation] = {}
        self.selects: dict[str, Select] = {}
        # It must not keep its world, which keeps it: see compile/program.py: Ending.
        self._world = (lambda: None) if world is None else ref(world)
        self._avp_default = avp_default
        self.route = ""  # title of the block that is being compiled
        # What to do about a variable or a transformation that no module has: None refuses it.
        self.absent_variable: Callable[[PVar], Variable] | None = None
        self.absent_step: Callable[[ast.Transformation], Callable[[Run, Value], Value]] | None = None
        self.absent_select: Callable[[ast.Select], Variable] | None = None
        for module in self.modules:
            for function in module.functions:
                self.functions[function.name, len(function.args)] = (module, function)
            for pv in module.pvs:
                self.pvs[pv.name] = pv
            for declared in module.selects:
                self.selects[declared.name] = declared
            for transformation in module.transformations:
                self.transformations[transformation.cls, transformation.op.lower()] = transformation
        me = proxy(self)
        self.runtime_text = lru_cache(RUNTIME_FORMATS)(lambda value: me._runtime_text(value))
        self.runtime_variable = lru_cache(RUNTIME_FORMATS)(lambda value: me._runtime_variable(value))

    @property
    def world(self) -> World | None:
        return self._world()

    def resolve(self, pvar: PVar) -> Variable:
        """A parsed variable, with its transformations, ready to be read. Raises NameRefused."""
        pv = self.pvs.get(pvar.name)
        if pv is None and self._avp_default and pvar.inner is None and "avp" in self.pvs:
            pv = self.pvs["avp"]
            pvar = PVar(pvar.span, "avp", Text(pvar.span, pvar.name), pvar.index, pvar.transformations)
        if pv is None and self.absent_variable is not None:
            return self.absent_variable(pvar)
        if pv is None:
            raise NameRefused(f"unknown pseudo-variable `${pvar.name}`", pvar.span, tuple(self.pvs))
        _check_form(pv, pvar)
        variable = pv.make(pvar, self)
        if not pvar.transformations:
            return variable
        steps = [self._step(transformation) for transformation in pvar.transformations]
        value, printed_value = chain(variable.get, steps)
        return Variable(value, text=printed_value)

    def _step(self, node: ast.Transformation) -> Callable[[Run, Value], Value]:
        found = self.transformations.get((node.cls, node.op.strip().lower()))
        if found is not None:
            return found.prepare(node.args, self)
        if self.absent_step is not None:
            return self.absent_step(node)
        raise NameRefused(f"unknown transformation `{{{node.cls}.{node.op}}}`", node.span)

    def declared_select(self, name: str) -> Select | None:
        return self.selects.get(name)

    def select(self, node: ast.Select) -> Variable:
        """`@name.name`. Raises NameRefused."""
        try:
            return Variable(script_select(Text(node.span, node.path), self))
        except NameRefused:
            if self.absent_select is None:
                raise
            return self.absent_select(node)

    def core_operand(self, node: ast.CoreTest) -> Variable:
        """An old-style operand such as `method`, as a value."""
        if node.name in READ_HERE:
            return READ_HERE[node.name]
        return self.resolve(PVar(node.span, OPERANDS.get(node.name, "null")))

    def variable(self, text: Text) -> Variable:
        try:
            return self.resolve(parse_pvar(text))
        except PvarError as err:
            raise NameRefused(err.message, err.span) from None

    def format(self, text: Text) -> Format:
        try:
            return parse_format(text)
        except PvarError as err:
            raise NameRefused(err.message, err.span) from None

    def text(self, text: Text) -> Callable[[Run], str] | str:
        if "$" not in text.value:
            return text.value
        format_ = self.format(text)
        if len(format_) == 1 and isinstance(format_[0], PVar):
            return _printed_alone(self.resolve(format_[0]))
        parts: list[str | Callable[[Run], Value]] = [
            part if isinstance(part, str) else _printing(self.resolve(part)) for part in format_
        ]
        if all(isinstance(part, str) for part in parts):
            return "".join(part for part in parts if isinstance(part, str))
        return lambda run: "".join([part if isinstance(part, str) else printed(part(run)) for part in parts])

    def _runtime_text(self, value: str) -> Callable[[Run], str] | str:
        """A string that came up while a route ran, as a format: what Kamailio does with an argument that is not
        constant (core/action.c: MODF_RVE_CALL runs the fixup at each call)."""
        _check_depth(value)
        return self.text(Text(NOWHERE, value))

    def _runtime_variable(self, value: str) -> Variable:
        """The name of a variable that came up while a script in another language ran (core/pvapi.c: pv_cache_get)."""
        _check_depth(value)
        return self.variable(Text(NOWHERE, value))
