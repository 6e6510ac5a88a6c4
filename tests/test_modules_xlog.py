"""xlog: what is written, and what is not even put together."""

from __future__ import annotations

import pytest

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.spec import FixupError, NameRefused
from tests.module_world import Bench


def explode(run: Run) -> str:
    raise AssertionError("the text was put together")


def test_below_the_threshold_nothing_is_put_together() -> None:
    bench = Bench()
    bench.log.threshold = Level.NOTICE
    assert bench.call("xdbg", explode) == 1
    assert bench.call("xinfo", explode) == 1
    assert bench.call("xlog", Level.INFO, explode) == 1
    assert bench.call("xlogl", "LOG_USER", Level.INFO, explode) == 1
    assert not bench.log.lines
    assert bench.call("xnotice", lambda run: "seen") == 1
    assert bench.log.script() == ["seen"]


@pytest.mark.parametrize(
    "function,level",
    [("xalert", Level.ALERT), ("xbug", Level.BUG), ("xcrit", Level.CRITICAL), ("xerr", Level.ERROR),
     ("xlog", Level.ERROR), ("xwarn", Level.WARNING), ("xnotice", Level.NOTICE), ("xinfo", Level.INFO),
     ("xdbg", Level.DEBUG)],
)  # fmt: skip
def test_levels_of_functions(function: str, level: Level) -> None:
    bench = Bench()
    assert bench.call(function, "text") == 1
    assert [(line.level, line.source, line.message) for line in bench.log.lines] == [(level, "script", "text")]


@pytest.mark.parametrize("value,level", [(0, Level.WARNING), (-2, Level.CRITICAL), (-99, Level.ALERT)])
def test_a_level_by_variable(value: int, level: Level) -> None:
    bench = Bench()
    assert bench.call("xlog", lambda run: value, "text") == 1
    assert bench.log.lines[0].level == level


@pytest.mark.parametrize("value", ["2", None, "L_INFO"])
def test_a_level_that_is_no_number(value: str | None) -> None:
    bench = Bench()
    assert bench.call("xlog", lambda run: value, explode) == -1
    assert bench.log.script() == []


def test_fixups() -> None:
    bench = Bench()
    level = bench.function("xlog", 2).fixup
    facility = bench.function("xlog", 3).fixup
    assert level is not None
    assert facility is not None
    assert level(("L_WARN", "x")) == (Level.WARNING, "x")
    assert level(("xxD", None)) == (Level.DEBUG, None)
    assert level((None, "x")) == (None, "x")
    assert facility(("log_local3", "L_INFO", "x")) == ("log_local3", Level.INFO, "x")
    for wrong in ("INFO", "L_X", "3", ""):
        with pytest.raises(FixupError) as refused:
            level((wrong, "x"))
        assert refused.value.index == 0
    with pytest.raises(FixupError):
        facility(("LOG_NOWHERE", "L_INFO", "x"))
    with pytest.raises(FixupError) as refused:
        facility(("LOG_USER", "?", "x"))
    assert refused.value.index == 1


def test_lines_and_files() -> None:
    bench = Bench()
    bench.call("xlogl", Level.INFO, "text")
    assert bench.log.script() == ["2:text"]
    long = Bench(("xlog", "long_format", 1))
    long.call("xlogl", "text")
    assert long.log.script() == ["test.cfg:2:text"]


def test_prefix() -> None:
    bench = Bench(("xlog", "prefix", "app: "))
    bench.call("xinfo", "text")
    assert bench.log.script() == ["app: text"]
    bench = Bench(("xlog", "prefix", "$rm: "), ("xlog", "prefix_mode", 1))
    bench.call("xinfo", "text")
    assert bench.log.script() == ["OPTIONS: text"]


def test_the_buffer_has_a_size() -> None:
    bench = Bench(("xlog", "buf_size", 10))
    assert bench.call("xinfo", "123456789") == 1
    assert bench.call("xinfo", "1234567890") == -1
    assert bench.log.script() == ["123456789"]


@pytest.mark.parametrize("method_filter,written", [(-1, False), (0, True), (512, False), (511, True)])
def test_methods_filter(method_filter: int, written: bool) -> None:
    bench = Bench(("xlog", "methods_filter", method_filter))
    assert bench.call("xlogm", Level.INFO, "text") == 1
    assert bool(bench.log.lines) == written


def test_colours() -> None:
    bench = Bench()
    assert bench.print("[$C(rx)]") == "[]"
    bench.world.core["log_stderror"] = 1
    assert bench.print("$C(rx)|$C(Bw)|$C(xx)") == "\x1b[0;31;49m|\x1b[1;34;47m|\x1b[0;39;49m"
    for wrong in ("r", "rxx", "qx", "xR"):
        with pytest.raises(NameRefused):
            bench.variable(f"$C({wrong})")
