"""Pass: what modparams declare by name, and what uses it: the timers of modules rtimer and timer, with the routes that
they run, and the queues of mqueue (rtimer_mod.c: stm_e_param; timer.c: declare_timer, timer_enable_fixup, sel_timer;
mqueue_api.c: mq_head_add)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from evapi_cfg.check.context import Context
from evapi_cfg.check.routes import MAIN
from evapi_cfg.check.types import is_constant
from evapi_cfg.check.verdicts import FAILS_AT_RUN, FAILS_AT_START, LOGGED_AT_START, REFUSED
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.modules import mqueue, rtimer, timer
from evapi_cfg.modules.core_select import path_of
from evapi_cfg.modules.spec import NameRefused
from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Call, CfgEngine, ModParam, String, Text
from evapi_cfg.syntax.fold import fold

_NOTHING_RUNS = "Kamailio says nothing about this, and the timer runs nothing"
_WARNS_EACH_TIME = "Kamailio starts with this, and logs a warning each time the timer is due"
_QUEUE_FUNCTIONS = ("mq_add", "mq_fetch", "mq_pv_free", "mq_size")
_QUEUE_VARIABLES = ("mqk", "mqv", "mq_size")


@dataclass(slots=True)
class _Names:
    """The names that one kind of modparam declares, and where. `plain` is how they are compared."""

    what: str
    plain: Callable[[str], str] = str
    places: dict[str, tuple[str, Span]] = field(default_factory=dict)

    def declare(self, name: str, span: Span) -> Diagnostic | None:
        first = self.places.setdefault(self.plain(name), (name, span))[1]
        if first is span:
            return None
        return Diagnostic(
            codes.BAD_MODPARAM_VALUE,
            f"the {self.what} `{name}` is declared twice",
            span,
            "rename one of them",
            (REFUSED,),
            (Related("first declared here", first),),
        )

    def missing(self, name: str) -> bool:
        return self.plain(name) not in self.places

    def near(self, name: str) -> str:
        return did_you_mean(name, [known for known, _ in self.places.values()])


def check(context: Context) -> Iterator[Diagnostic]:
    scope = context.scope
    if not {"rtimer", "timer", "mqueue"}.intersection(scope.loaded):
        return
    for module, checks in (("rtimer", _rtimer), ("timer", _timer), ("mqueue", _mqueue)):
        if module in scope.loaded and module in scope.specs:
            yield from checks(context)


def _params(context: Context, module: str) -> Iterator[tuple[str, Text]]:
    """The modparams of a module whose value is a text that is known now: name and value."""
    for item in context.config.items:
        if (
            isinstance(item, ModParam)
            and module in item.modules.value.lower().split("|")
            and isinstance(item.value, String)
            and not (item.expand and "$" in item.value.value)
        ):
            yield item.name.value, item.value.text


def _missing_route(context: Context, name: str, span: Span, verdict: str) -> Diagnostic | None:
    """With a script in Lua or Python the route is a function of it, which nobody knows here."""
    scope = context.scope
    scripted = any(
        isinstance(item, CfgEngine) and item.name.value not in ("native", "default") for item in context.config.items
    )
    if scripted or name == MAIN or name in scope.routes or not scope.whole:
        return None
    help = did_you_mean(name, scope.routes, "route[{}]")
    return Diagnostic(codes.MISSING_ROUTE, f"there is no `route[{name}]`", span, help, (verdict,))


def _constant(call: Call) -> Text | None:
    """A constant first argument as a text; None for any other."""
    if not call.args:
        return None
    argument = call.args[0]
    if isinstance(argument, String):
        return argument.text
    value = fold(argument) if is_constant(argument) else None
    return None if value is None else Text(argument.span, str(value))


def _named_in_calls(context: Context, functions: tuple[str, ...]) -> Iterator[Text]:
    """The first arguments of some functions' calls, where they are constant and hold no variable."""
    for call, _ in context.index.calls:
        if call.name in functions:
            name = _constant(call)
            if name is not None and "$" not in name.value:
                yield name


# ---- rtimer ---------------------------------------------------------------------------------------------------------


def _rtimer(context: Context) -> Iterator[Diagnostic]:
    timers = _Names("timer", str.lower)
    later = [value for name, value in _params(context, "rtimer") if name == "timer"]
    for name, value in _params(context, "rtimer"):
        try:
            if name == "timer":
                fault = timers.declare(rtimer.declared(value.value).name, value.span)
            elif name == "exec":
                fault = _exec(context, rtimer.asked(value.value), value, timers, later)
            else:
                continue
        except ValueError:
            continue  # the pass over modparams tells
        if fault is not None:
            yield fault


def _exec(
    context: Context, exec: rtimer.Exec, value: Text, timers: _Names, declarations: list[Text]
) -> Diagnostic | None:
    name = exec.timer
    if timers.missing(name):
        for declaration in declarations:
            if _is_timer(declaration.value, name):
                return Diagnostic(
                    codes.UNDEFINED_TIMER,
                    f"the timer `{name}` is declared below",
                    value.at(exec.timer_at, exec.timer_at + len(name)),
                    "declare it above the line that says what it runs",
                    (REFUSED,),
                    (Related("declared here", declaration.span),),
                )
        span = value.at(exec.timer_at, exec.timer_at + len(name))
        return Diagnostic(codes.UNDEFINED_TIMER, f"there is no timer `{name}`", span, timers.near(name), (REFUSED,))
    span = value.at(exec.route_at, exec.route_at + len(exec.route))
    return _missing_route(context, exec.route, span, _NOTHING_RUNS)


def _is_timer(value: str, name: str) -> bool:
    try:
        return rtimer.declared(value).name.lower() == name.lower()
    except ValueError:
        return False


# ---- timer ----------------------------------------------------------------------------------------------------------


def _timer(context: Context) -> Iterator[Diagnostic]:
    timers = _Names("timer")
    for param, value in _params(context, "timer"):
        if param != "declare_timer":
            continue
        try:
            declared = timer.Declared(value.value)
        except ValueError:
            continue
        span = value.at(declared.route_at, declared.route_at + len(declared.route))
        for fault in (
            timers.declare(declared.name, value.span),
            _missing_route(context, declared.route, span, _WARNS_EACH_TIME),
        ):
            if fault is not None:
                yield fault
    for name in _named_in_calls(context, ("timer_enable",)):
        if timers.missing(name.value):
            message = f"there is no timer `{name.value}`"
            yield Diagnostic(codes.UNDEFINED_TIMER, message, name.span, timers.near(name.value), (FAILS_AT_START,))
    for select in context.index.selects:
        try:
            path = path_of(Text(select.span, select.path))
        except NameRefused:
            continue
        if len(path) > 2 and path[:2] == ("timer", "timer") and timers.missing(str(path[2])):
            message = f"there is no timer `{path[2]}`"
            notes = ("it gives an empty string when it is read", LOGGED_AT_START)
            yield Diagnostic(codes.UNKNOWN_SELECT, message, select.span, timers.near(str(path[2])), notes)


# ---- mqueue ---------------------------------------------------------------------------------------------------------


def _mqueue(context: Context) -> Iterator[Diagnostic]:
    queues = _Names("queue")
    for param, value in _params(context, "mqueue"):
        try:
            if param == "mqueue":
                name = mqueue.declared(value.value).name
            elif param == "mqueue_name" and value.value:
                name = value.value
            else:
                continue
        except ValueError:
            continue
        fault = queues.declare(name, value.span)
        if fault is not None:
            yield fault
    uses = list(_named_in_calls(context, _QUEUE_FUNCTIONS))
    uses += [
        pvar.inner
        for pvar, _ in context.index.variables
        if pvar.name in _QUEUE_VARIABLES and pvar.inner is not None and "$" not in pvar.inner.value
    ]
    for use in uses:
        if use.value and queues.missing(use.value):
            yield Diagnostic(
                codes.UNDEFINED_QUEUE,
                f"there is no queue `{use.value}`",
                use.span,
                queues.near(use.value) or 'declare it with modparam("mqueue", "mqueue", "name=...")',
                (FAILS_AT_RUN,),
            )
