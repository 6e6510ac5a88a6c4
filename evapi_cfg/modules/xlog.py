"""xlog: log lines from scripts (modules/xlog/xlog.c).

The text of a line is put together only when the line is written: what stands below the threshold costs a comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import named
from evapi_cfg.modules.spec import (
    Arg,
    FixupError,
    Function,
    KemiFunction,
    ModuleSpec,
    NameRefused,
    Param,
    Resolver,
    Variable,
)
from evapi_cfg.source import Span, show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value

_PREFIX: Final = "<script>: "
_BUFFER: Final = 4096  # bytes of one line's text, modparam buf_size
_LEVELS: Final = {
    "A": Level.ALERT,
    "B": Level.BUG,
    "C": Level.CRITICAL,
    "E": Level.ERROR,
    "W": Level.WARNING,
    "N": Level.NOTICE,
    "I": Level.INFO,
    "D": Level.DEBUG,
}
_LEVEL_NAMES: Final = (
    "L_ALERT", "L_BUG", "L_CRIT2", "L_CRIT", "L_ERR", "L_WARN", "L_NOTICE", "L_INFO", "L_DBG",
)  # fmt: skip
_FACILITIES: Final = frozenset(
    [
        "LOG_AUTH",
        "LOG_CRON",
        "LOG_DAEMON",
        "LOG_KERN",
        "LOG_LOCAL0",
        "LOG_LOCAL1",
        "LOG_LOCAL2",
        "LOG_LOCAL3",
        "LOG_LOCAL4",
        "LOG_LOCAL5",
        "LOG_LOCAL6",
        "LOG_LOCAL7",
        "LOG_LPR",
        "LOG_MAIL",
        "LOG_NEWS",
        "LOG_USER",
        "LOG_UUCP",
        "LOG_AUTHPRIV",
        "LOG_FTP",
        "LOG_SYSLOG",
    ]
)

LEVEL_FUNCTIONS: Final = frozenset(("xlog", "xlogl", "xlogm"))  # the level stands in front of the format


def misread_level(text: str) -> str | None:
    """The level that Kamailio takes a text for, where it has another name; None where it is one, or refused."""
    if text in _LEVEL_NAMES or text[2:3] not in _LEVELS:
        return None
    return next(name for name in reversed(_LEVEL_NAMES) if name[2] == text[2])


Format = str | Callable[[Run], str]
LevelArgument = Level | str | Callable[[Run], Value]


@dataclass(slots=True)
class _State:
    """The modparams, read once."""

    size: int
    prefix: str | Callable[[Run], str]
    long_format: bool
    filter: int


def _init(world: World) -> _State:
    prefix: str | Callable[[Run], str] = world.str_param("xlog", "prefix", _PREFIX)
    if world.int_param("xlog", "prefix_mode", 0) and world.resolver is not None and isinstance(prefix, str):
        prefix = world.resolver.runtime_text(prefix)
    return _State(
        world.int_param("xlog", "buf_size", _BUFFER),
        prefix,
        world.int_param("xlog", "long_format", 0) == 1,
        world.int_param("xlog", "methods_filter", -1),
    )


def _state(run: Run) -> _State:
    state = run.world.state["xlog"]
    assert isinstance(state, _State)
    return state


def _write(run: Run, level: Level, text: Format, at: Span, with_line: bool) -> int:
    """One line into the log; its level is known to be enabled."""
    state = _state(run)
    line = text if text.__class__ is str else text(run)  # type: ignore[operator]
    if len(line) >= state.size:
        run.log(Level.ERROR, "xlog", f"{len(line)} bytes do not fit into buf_size ({state.size}): not written", at)
        return -1
    if with_line:
        number = at.file.line_number(max(at.end - 1, at.start))
        line = f"{at.file.name}:{number}:{line}" if state.long_format else f"{number}:{line}"
    if state.prefix != _PREFIX:
        line = (state.prefix if isinstance(state.prefix, str) else state.prefix(run)) + line
    run.world.log(level, "script", line, at, run.route)
    return 1


def _fixed(level: Level, with_line: bool = False) -> Callable[[Run, Format, Span], int]:
    """A function whose name says its level."""

    def write(run: Run, text: Format, at: Span) -> int:
        if level > run.world.log.threshold:
            return 1
        return _write(run, level, text, at, with_line)

    return write


def _level(run: Run, argument: LevelArgument, at: Span) -> Level | None:
    """The level of a call. A variable must hold a number; those beyond the scale count as its ends."""
    if argument.__class__ is Level:
        return argument
    value = argument(run) if callable(argument) else argument
    if not isinstance(value, int):
        run.log(Level.ERROR, "xlog", "the value of the log level is not a number", at)
        return None
    clamped = min(max(value, Level.ALERT), Level.DEBUG)
    return Level.CRITICAL if clamped == -2 else Level(clamped)


def _xlog(run: Run, argument: LevelArgument, text: Format, at: Span) -> int:
    level = _level(run, argument, at)
    if level is None:
        return -1
    if level > run.world.log.threshold:
        return 1
    return _write(run, level, text, at, False)


def _xlogl(run: Run, argument: LevelArgument, text: Format, at: Span) -> int:
    level = _level(run, argument, at)
    if level is None:
        return -1
    if level > run.world.log.threshold:
        return 1
    return _write(run, level, text, at, True)


def _xlog_facility(run: Run, facility: str, argument: LevelArgument, text: Format, at: Span) -> int:
    return _xlog(run, argument, text, at)


def _xlogl_facility(run: Run, facility: str, argument: LevelArgument, text: Format, at: Span) -> int:
    return _xlogl(run, argument, text, at)


def _xlogm(run: Run, argument: LevelArgument, text: Format, at: Span) -> int:
    """Writes for those methods only that modparam methods_filter does not name; with -1 for none."""
    method_filter = _state(run).filter
    if method_filter == -1 or current_message(run).method_id & method_filter:
        return 1
    return _xlog(run, argument, text, at)


def _level_of(index: int, argument: object | None) -> object | None:
    """The level of a constant argument (xlog.c: xlog_fixup_helper): its third character decides."""
    if not isinstance(argument, str) or argument[:1] == "$":
        return argument
    level = _LEVELS.get(argument[2:3])
    if level is None:
        raise FixupError(
            index,
            f"unknown log level `{show(argument)}`",
            "the levels are " + ", ".join(f"`{n}`" for n in _LEVEL_NAMES),
        )
    return level


def _fixup_level(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    return (_level_of(0, arguments[0]), *arguments[1:])


def _fixup_facility(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    facility = arguments[0]
    if isinstance(facility, str) and facility.upper() not in _FACILITIES:
        raise FixupError(
            0, f"unknown log facility `{show(facility)}`", "such as `LOG_LOCAL0`, `LOG_DAEMON`, `LOG_USER`"
        )
    return (facility, _level_of(1, arguments[1]), *arguments[2:])


# ---- $C ---------------------------------------------------------------------------------------------------------

_COLOURS: Final = {"x": 9, "s": 0, "r": 1, "g": 2, "y": 3, "b": 4, "p": 5, "c": 6, "w": 7}


def _colour(inner: Text, resolver: Resolver) -> Variable:
    """`$C(fb)`: foreground and background, a capital foreground is bold (core/dprint.c: dprint_term_color).

    Without a terminal to write to (log_stderror) it is empty, unless modparam force_color is set.
    """
    name = inner.value
    foreground, background = name[:1], name[1:]
    if len(name) != 2 or foreground not in "xsrgybpcwSRGYBPCW" or background not in _COLOURS:
        raise NameRefused(
            f"`{show(name)}` is no pair of colours: two of `xsrgybpcw`, the first may be a capital", inner.span
        )
    font = 0 if foreground.islower() else 1
    code = f"\x1b[{font};3{_COLOURS.get(foreground.lower(), 9)};4{_COLOURS[background]}m"

    def get(run: Run) -> Value:
        world = run.world
        if world.core.get("log_stderror") or world.int_param("xlog", "force_color", 0):
            return code
        return ""

    return Variable(get, nullable=False)


# ---- modparams ----------------------------------------------------------------------------------------------------


def _check_colours(value: int | str) -> str | None:
    for pair in str(value).rstrip(";").split(";"):
        name, _, colours = pair.partition("=")
        if name.strip().lower() not in {level.lower() for level in _LEVEL_NAMES}:
            return f"unknown log level `{show(name.strip())}`"
        if len(colours.strip()) != 2:
            return f"`{show(colours.strip())}` is no pair of colours"
    return None


def _check_facility(value: int | str) -> str | None:
    return None if str(value).upper() in _FACILITIES else f"unknown log facility `{show(str(value))}`"


_TEXT = (Arg.CONST_TEXT,)
_LEVEL = (Arg.VALUE, Arg.CONST_TEXT)
_FACILITY = (Arg.LITERAL, Arg.VALUE, Arg.CONST_TEXT)


def _one(name: str, level: Level, with_line: bool = False) -> Function:
    return Function(name, _fixed(level, with_line), _TEXT, at=True, lazy=True)


FUNCTIONS: Final = (
    _one("xlog", Level.ERROR),
    Function("xlog", _xlog, _LEVEL, fixup=_fixup_level, at=True, lazy=True),
    Function("xlog", _xlog_facility, _FACILITY, fixup=_fixup_facility, at=True, lazy=True),
    _one("xdbg", Level.DEBUG),
    _one("xinfo", Level.INFO),
    _one("xnotice", Level.NOTICE),
    _one("xwarn", Level.WARNING),
    _one("xerr", Level.ERROR),
    _one("xbug", Level.BUG),
    _one("xcrit", Level.CRITICAL),
    _one("xalert", Level.ALERT),
    _one("xlogl", Level.ERROR, True),
    Function("xlogl", _xlogl, _LEVEL, fixup=_fixup_level, at=True, lazy=True),
    Function("xlogl", _xlogl_facility, _FACILITY, fixup=_fixup_facility, at=True, lazy=True),
    _one("xdbgl", Level.DEBUG, True),
    Function("xlogm", _xlogm, _LEVEL, fixup=_fixup_level, at=True, lazy=True),
)


# ---- for scripts in other languages -------------------------------------------------------------------------------

_KEMI_LEVELS: Final = {
    "l_alert": Level.ALERT, "l_bug": Level.BUG, "l_crit0": Level.CRITICAL, "l_crit2": Level.CRITICAL,
    "l_crit": Level.CRITICAL, "l_err": Level.ERROR, "l_warn": Level.WARNING, "l_notice": Level.NOTICE,
    "l_info": Level.INFO, "l_dbg": Level.DEBUG,
}  # fmt: skip


def _write_format(run: Run, level: Level, text: str, at: Span) -> int:
    """A text that came up while a script ran, as a format."""
    if level > run.world.log.threshold:
        return 1
    resolver = run.world.resolver
    try:
        line = text if resolver is None else resolver.runtime_text(text)
    except NameRefused as error:
        run.log(Level.ERROR, "xlog", f"{show(text)!r} cannot be written: {error.message}", at)
        return -1
    return _write(run, level, line, at, False)


def _at_level(level: Level) -> Callable[[Run, str, Span], int]:
    return lambda run, text, at: _write_format(run, level, text, at)


def _at_named(run: Run, level: str, text: str, at: Span) -> int:
    """A level that is none counts as an error."""
    return _write_format(run, _KEMI_LEVELS.get(level.lower(), Level.ERROR), text, at)


def _with_facility(run: Run, facility: str, level: str, text: str, at: Span) -> int:
    return _at_named(run, level, text, at)


KEMI: Final = (
    *(
        KemiFunction(name, _at_level(level), (str,), at=True)
        for name, level in (
            ("xdbg", Level.DEBUG), ("xinfo", Level.INFO), ("xnotice", Level.NOTICE), ("xwarn", Level.WARNING),
            ("xerr", Level.ERROR), ("xcrit", Level.CRITICAL), ("xalert", Level.ALERT),
        )
    ),
    KemiFunction("xlog", _at_named, (str, str), at=True),
    KemiFunction("xlog_facility", _with_facility, (str, str, str), at=True),
)  # fmt: skip

MODULE = ModuleSpec(
    "xlog",
    functions=FUNCTIONS,
    params=(
        Param("buf_size", int, _BUFFER),
        Param("force_color", int, 0),
        Param("long_format", int, 0),
        Param("prefix", str, _PREFIX),
        Param("log_facility", str, check=_check_facility),
        Param("log_colors", str, check=_check_colours),
        Param("methods_filter", int, -1),
        Param("prefix_mode", int, 0),
    ),
    pvs=(named("C", _colour),),
    kemi=KEMI,
    init=_init,
    doc="log lines with pseudo-variables",
)
