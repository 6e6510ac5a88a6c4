"""Log lines as text: for people, as JSON, or in Kamailio's own form. Where they are written is the caller's business.

Messages come with one character per byte, as all text of a cfg and of clients, and leave as people read them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Literal, TypeAlias

from evapi_cfg import visible
from evapi_cfg.modules.context import Clock, Level, SystemClock
from evapi_cfg.source import Span, show

LogFormat: TypeAlias = Literal["text", "json", "kamailio"]

# Kamailio's names, core/dprint.c
NAMES: dict[int, str] = {
    Level.ALERT: "ALERT",
    Level.BUG: "BUG",
    Level.CRITICAL: "CRITICAL",
    Level.ERROR: "ERROR",
    Level.WARNING: "WARNING",
    Level.NOTICE: "NOTICE",
    Level.INFO: "INFO",
    Level.DEBUG: "DEBUG",
}
LEVELS = {name: level for level, name in NAMES.items()} | {"CRIT": -2, "ERR": -1, "WARN": 0, "DBG": 3}
_COLOURS = {-5: "1;31", -4: "1;31", -3: "1;31", -2: "1;31", -1: "31", 0: "33", 1: "36", 2: "32", 3: "2"}
_ROUTES = 1024  # names of blocks that are told apart
LONGEST = 1 << 16  # characters of a message: what a client sends may be longer, and ends up in what is said of it


def level_name(level: int) -> str:
    return NAMES.get(level) or NAMES[Level.CRITICAL if level < -1 else Level.DEBUG]


def parse_level(text: str) -> int | None:
    """A level by name (`INFO`, `L_INFO`, `info`) or number; None for anything else."""
    word = text.strip().upper().removeprefix("L_")
    if re.fullmatch("-?[0-9]{1,9}", word):
        return max(min(int(word), Level.DEBUG), Level.ALERT)
    return LEVELS.get(word)


class LogWriter:
    """Makes lines and hands each to `write`. `threshold` is Kamailio's `debug`: what is above it is not written.

    `routes_at` names the block that a place in the cfg belongs to.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        form: LogFormat = "text",
        threshold: int = Level.INFO,
        colour: bool = False,
        pid: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.threshold = threshold
        self.routes_at: Callable[[Span], str] = lambda span: ""
        self._write = write
        self._colour = colour
        self._pid = pid
        self._clock: Clock = clock or SystemClock()
        self.lines: dict[int, int] = {}  # how many were written, by level
        self.errors: dict[str, int] = {}  # those that tell of errors, by the block that ran; not a script's own
        self._line = {"text": self._text, "json": self._json, "kamailio": self._kamailio}[form]

    def __call__(self, level: int, source: str, message: str, at: Span | None = None, route: str = "") -> None:
        if level <= self.threshold:
            self.lines[level] = self.lines.get(level, 0) + 1
            if route and level <= Level.ERROR and source != "script":
                self._count_error(route)
            if at is not None:
                route = self.routes_at(at) or route
            if len(message) > LONGEST:
                message = f"{message[:LONGEST]}... ({len(message) - LONGEST:,} more)"
            self._write(self._line(level, source, show(message), at, show(route)))

    def _count_error(self, route: str) -> None:
        if route in self.errors or len(self.errors) < _ROUTES:
            self.errors[route] = self.errors.get(route, 0) + 1

    def line(self, level: int, source: str, message: str) -> str:
        """The line alone, whatever the threshold is."""
        return self._line(level, source, show(message), None, "")

    def _text(self, level: int, source: str, message: str, at: Span | None, route: str) -> str:
        name = f"{level_name(level):8}"
        if self._colour:
            name = f"\033[{_COLOURS.get(level, '0')}m{name}\033[0m"
        where = ""
        if at is not None and at.file.text:
            where = f"{at.file.name}:{at.file.line_number(at.start)}"
        if route:
            where = f"{where} {route}" if where else route
        if where:
            where = visible.one_line(where)
            where = f"  \033[2m({where})\033[0m" if self._colour else f"  ({where})"
        prefix = "" if source == "script" else f"{source}: "
        # A message that ends its line itself, as scripts do, must not leave an empty one. Inner lines are set in: where
        # a level stands in the first column, the line is of this program.
        body = visible.lines(message.rstrip("\n")).replace("\n", "\n         ")
        return f"{name} {prefix}{body}{where}\n"

    def _json(self, level: int, source: str, message: str, at: Span | None, route: str) -> str:
        record: dict[str, object] = {
            "time": round(self._clock.now(), 6),
            "level": level_name(level),
            "source": source,
            "msg": message,
        }
        if at is not None and at.file.text:
            record["file"] = at.file.name
            record["line"] = at.file.line_number(at.start)
        if route:
            record["route"] = route
        return visible.in_json(json.dumps(record, ensure_ascii=False)) + "\n"

    def _kamailio(self, level: int, source: str, message: str, at: Span | None, route: str) -> str:
        # One line, where Kamailio would begin others in the middle: who reads this form would take them for its own.
        body = visible.one_line(message.rstrip("\n"))
        # core/dprint.h: the core and scripts stand in brackets, modules do not.
        name = f"<{source}>" if source in ("core", "script") else source
        if source != "script" and at is not None and at.file.text:
            name = f"{name} [{visible.one_line(at.file.name)}:{at.file.line_number(at.start)}]"
        return f" 0({self._pid}) {level_name(level)}: {name}: {body}\n"
