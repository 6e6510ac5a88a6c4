"""Log lines in their three forms."""

from __future__ import annotations

import json
import re

import pytest

from evapi_cfg.modules.context import Level
from evapi_cfg.runtime.log import LogFormat, LogWriter, level_name, parse_level
from evapi_cfg.source import SourceFile, Span

FILE = SourceFile("my.cfg", "one\ntwo\nthree\n")
AT = Span(FILE, 5, 6)


class FixedClock:
    def now(self) -> float:
        return 1700000000.1234567

    def monotonic(self) -> float:
        return 0.0


def lines(form: LogFormat, *, colour: bool = False, threshold: int = Level.DEBUG) -> tuple[list[str], LogWriter]:
    written: list[str] = []
    return written, LogWriter(written.append, form=form, colour=colour, threshold=threshold, pid=77, clock=FixedClock())


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("ERROR", -1), ("error", -1), ("L_ERR", -1), ("ERR", -1), ("l_warn", 0), ("WARNING", 0), ("NOTICE", 1),
        ("info", 2), ("DBG", 3), ("DEBUG", 3), ("CRIT", -2), ("CRITICAL", -3), ("BUG", -4), ("ALERT", -5),
        (" 2 ", 2), ("-1", -1), ("99", 3), ("-99", -5),
        ("", None), ("loud", None), ("--5", None), ("-", None), ("5-", None), ("\u00b2", None), ("\u0663", None),
        ("1.5", None), ("9" * 5000, None), ("L_", None),
    ],
)  # fmt: skip
def test_levels_by_name_and_number(text: str, level: int | None) -> None:
    assert parse_level(text) == level


@pytest.mark.parametrize(
    ("level", "name"), [(-9, "CRITICAL"), (-2, "CRITICAL"), (-1, "ERROR"), (3, "DEBUG"), (9, "DEBUG")]
)
def test_every_level_has_a_name(level: int, name: str) -> None:
    assert level_name(level) == name


def test_text() -> None:
    written, log = lines("text")
    log(Level.INFO, "script", "hello\n", AT, "route[A]")
    log(Level.ERROR, "evapi", "bad")
    log(Level.WARNING, "core", "in a route", None, "route[B]")
    log(Level.INFO, "script", "two\nlines")
    assert written == [
        "INFO     hello  (my.cfg:2 route[A])\n",
        "ERROR    evapi: bad\n",
        "WARNING  core: in a route  (route[B])\n",
        "INFO     two\n         lines\n",
    ]


def test_colours_do_not_change_what_is_written() -> None:
    plain, log = lines("text")
    coloured, painter = lines("text", colour=True)
    for level in range(-5, 4):
        log(level, "evapi", "x", AT, "route[A]")
        painter(level, "evapi", "x", AT, "route[A]")
    assert all("\033[" in line for line in coloured)
    assert [re.sub(r"\033\[[0-9;]+m", "", line) for line in coloured] == plain


def test_json() -> None:
    written, log = lines("json")
    log(Level.INFO, "script", 'a "quoted"\nline\n', AT, "route[A]")
    log(Level.ERROR, "evapi", "no place")
    assert [json.loads(line) for line in written] == [
        {
            "time": 1700000000.123457,
            "level": "INFO",
            "source": "script",
            "msg": 'a "quoted"\nline\n',
            "file": "my.cfg",
            "line": 2,
            "route": "route[A]",
        },
        {"time": 1700000000.123457, "level": "ERROR", "source": "evapi", "msg": "no place"},
    ]
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in written)


def test_kamailio() -> None:
    written, log = lines("kamailio")
    log(Level.INFO, "script", "hello\n", AT, "route[A]")
    log(Level.ERROR, "evapi", "bad", AT)
    log(Level.ERROR, "evapi", "bad")
    assert written == [
        " 0(77) INFO: <script>: hello\n",
        " 0(77) ERROR: evapi [my.cfg:2]: bad\n",
        " 0(77) ERROR: evapi: bad\n",
    ]


def test_the_threshold() -> None:
    written, log = lines("text", threshold=Level.WARNING)
    log(Level.NOTICE, "evapi", "no")
    log(Level.WARNING, "evapi", "yes")
    assert len(written) == 1


@pytest.mark.parametrize("form", ["text", "kamailio"])
@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\x00b\rc\x7fd", "a\\x00b\\x0dc\\x7fd"),
        ("a\x9b31mb", "a\\x9b31mb"),  # the one-byte CSI, that some terminals obey
        ("tab\there", "tab\there"),
        ("h\u00c3\u00a9", "h\u00e9"),  # UTF-8, one character per byte
        ("h\u00e9", "h\u00e9"),  # Latin-1
    ],
)
def test_a_message_cannot_steer_a_terminal(form: LogFormat, message: str, shown: str) -> None:
    written, log = lines(form)
    log(Level.INFO, "script", message)
    assert shown in written[0]
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in written[0])


def test_the_block_that_a_place_belongs_to_counts_more_than_that_of_the_run() -> None:
    written, log = lines("text")
    log.routes_at = lambda span: "route[INNER]" if span is AT else ""
    log(Level.INFO, "script", "x", AT, "event_route[evapi:message-received]")
    log(Level.INFO, "script", "x", Span(FILE, 0, 1), "event_route[evapi:message-received]")
    assert written[0].endswith("(my.cfg:2 route[INNER])\n")
    assert written[1].endswith("(my.cfg:1 event_route[evapi:message-received])\n")
