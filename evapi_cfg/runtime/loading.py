"""From a report of the checker to a program in its world, which an engine can run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from evapi_cfg import modules
from evapi_cfg.catalog import Catalog
from evapi_cfg.check.report import Report
from evapi_cfg.check.verdicts import FAILS_AT_START
from evapi_cfg.compile.program import Program, load_in_steps
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.kemi import CALLBACK_TIMEOUT, ScriptError, attach
from evapi_cfg.modules.context import World
from evapi_cfg.runtime.overrides import Override, checked
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.steps import Steps
from evapi_cfg.syntax.ast import Config, LoadModule, RouteBlock


class ConfigError(Exception):
    """The configuration has errors; `report` has them all."""

    def __init__(self, report: Report) -> None:
        first = next(found for found in report.diagnostics if found.severity is Severity.ERROR)
        more = f" (and {report.errors - 1} more)" if report.errors > 1 else ""
        super().__init__(f"{first.span}: {first.message}{more}")
        self.report = report

    @property
    def faults(self) -> tuple[str, ...]:
        """Each error in one line."""
        return self.report.faults


@dataclass(frozen=True, slots=True)
class Loading:
    """What is asked of a program besides its file: modparams that come after the file's, and the seconds that a
    function of a script may take."""

    params: tuple[Override, ...] = ()
    callback_timeout: float = CALLBACK_TIMEOUT

    def program(self, report: Report, world: World) -> Steps[Program]:
        """Compiles it for a world. Raises ConfigError where errors were found, OverrideRefused for the modparams."""
        if report.errors:
            raise ConfigError(report)
        config = report.config
        overrides = list(checked(self.params, config, modules.by_name)) if self.params else []
        return (
            yield from load_in_steps(config, world, modules.by_name, overrides=overrides, module_of=_module_of(config))
        )

    def with_scripts(self, program: Program, report: Report) -> Program:
        """Loads the scripts that it names, which runs their code. Raises ConfigError where one does not load."""
        try:
            return attach(program, self.callback_timeout)
        except ScriptError as error:
            raise ConfigError(_with_fault(report, error)) from None


def _with_fault(report: Report, error: ScriptError) -> Report:
    """The report with a script that does not load."""
    span = error.at or Span(report.files[0], 0, 0)
    fault = Diagnostic(codes.SCRIPT_NOT_LOADED, error.message, span, error.help, (FAILS_AT_START,))
    return Report((*report.diagnostics, fault), report.config, report.files)


def _module_of(config: Config) -> Callable[[str], str]:
    """Which module has a name: one that the file loads, where several do."""
    catalog = Catalog()
    loaded = [item.module for item in config.items if isinstance(item, LoadModule)]

    def find(name: str) -> str:
        if name.endswith("()"):
            found = catalog.function_modules.get(name[:-2], ())
        elif name.startswith("{"):
            found = catalog.transformation_modules.get(name[1:-1].partition(".")[0], ())
        else:
            found = catalog.pv_modules.get(name[1:], ())
        return next((module for module in found if module in loaded), found[0] if found else "")

    return find


def _start(block: RouteBlock) -> int:
    return block.span.start


def routes_at(config: Config) -> Callable[[Span], str]:
    blocks: dict[SourceFile, list[RouteBlock]] = {}
    for item in config.items:
        if isinstance(item, RouteBlock):
            blocks.setdefault(item.span.file, []).append(item)
    for found in blocks.values():
        found.sort(key=_start)

    def find(span: Span) -> str:
        found = blocks.get(span.file, [])
        index = bisect_right(found, span.start, key=_start) - 1
        return found[index].title if index >= 0 and span.start < found[index].span.end else ""

    return find
