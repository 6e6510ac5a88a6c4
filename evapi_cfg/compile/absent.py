"""What a file uses of Kamailio's modules that do not run here: each use says so once in the log and does nothing.

Uses are recorded as the compiler comes across them, so the list that is shown at start is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.spec import Variable
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Call, PVar, Select, Transformation
from evapi_cfg.values import Value


@dataclass(frozen=True, slots=True)
class Use:
    """One use of something that does not run here."""

    name: str  # as a person writes it: `jansson_get()`, `$sht`, `{json.parse}`
    module: str  # the module that has it; "" where that is not known
    span: Span
    route: str  # title of the block that it stands in
    unless: str = ""  # what would make it run


class Absent:
    """Stands in for functions, variables and transformations. `modules` gives the module of a name as `Use` has it."""

    def __init__(self, module_of: Callable[[str], str], route: Callable[[], str]) -> None:
        self._module_of = module_of
        self._route = route
        self.uses: dict[tuple[str, Span], Use] = {}

    def _use(self, name: str, span: Span) -> Callable[[Run], None]:
        """Records a use; gives what is to be called each time it is reached."""
        use = self.named(name, span)
        told = False
        of = f" (module {use.module})" if use.module else ""

        def tell(run: Run) -> None:
            nonlocal told
            if not told:
                told = True
                run.log(Level.ERROR, "core", f"`{name}`{of} does not run here", span)

        return tell

    def named(self, name: str, span: Span, unless: str = "") -> Use:
        """A use that is listed at start."""
        use = Use(name, self._module_of(name), span, self._route(), unless)
        return self.uses.setdefault((name, span), use)

    def param(self, module: str, name: str, span: Span) -> None:
        """A modparam that asks for what does not run here."""
        self.uses.setdefault((name, span), Use(f"modparam {name}", module, span, ""))

    def function(self, node: Call) -> Callable[[Run], int]:
        tell = self._use(f"{node.name}()", node.span)

        def absent_function(run: Run) -> int:
            tell(run)
            return -1

        return absent_function

    def variable(self, pvar: PVar) -> Variable:
        tell = self._use(f"${pvar.name}", pvar.span)

        def get(run: Run) -> Value:
            tell(run)
            return None

        def put(run: Run, value: Value) -> None:
            tell(run)

        return Variable(get, put)

    def select(self, node: Select) -> Variable:
        tell = self._use("@" + node.path.removeprefix("@"), node.span)

        def get(run: Run) -> Value:
            tell(run)
            return None

        return Variable(get)

    def step(self, node: Transformation) -> Callable[[Run, Value], Value]:
        tell = self._use(f"{{{node.cls}.{node.op}}}", node.span)

        def apply(run: Run, value: Value) -> Value:
            tell(run)
            return None

        return apply


def reaching(calls: Mapping[str, set[str]], title: str) -> tuple[str, ...]:
    """The blocks that are run by themselves (not route[NAME]) and from which `title` can be reached."""
    if not title:
        return ()
    found = {title}
    changed = True
    while changed:
        changed = False
        for caller, reached in calls.items():
            if caller not in found and reached & found:
                found.add(caller)
                changed = True
    return tuple(sorted(block for block in found if block and not block.startswith("route[")))
