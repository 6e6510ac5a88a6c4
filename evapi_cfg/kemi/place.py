"""Which run a script is in, and where in it: `Here` is both, for one script.

A function that a script calls gets a place without anybody having looked for it; it is looked for when a log line names
it. So a call costs nothing for a line that is not written.
"""

from __future__ import annotations

from collections.abc import Callable

from evapi_cfg.modules.context import Run, World, new_run
from evapi_cfg.modules.core_message import FAKED_REQUEST
from evapi_cfg.modules.routes import Routes
from evapi_cfg.sip.message import Message
from evapi_cfg.source import Position, SourceFile, Span, store


class Files:
    """The files of scripts that have been read, by the names under which they run."""

    def __init__(self) -> None:
        self._files: dict[str, SourceFile] = {}

    def add(self, name: str, text: str) -> SourceFile:
        file = self._files[name] = SourceFile(store(name), text)
        return file

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def span(self, name: str, line: int) -> Span | None:
        """A line of a script, from 1; None for a file that is none of its."""
        file = self._files.get(name)
        return None if file is None else line_span(file, line)


def line_span(file: SourceFile, line: int) -> Span:
    """A whole line, from 1, without what it is set in by; the end of the file where it has fewer."""
    start = file.line_start(line)
    end = file.text.find("\n", start)
    text = file.text[start : end if end >= 0 else None]
    return Span(file, start + len(text) - len(text.lstrip()), start + len(text.rstrip()))


class _CallSite(SourceFile):
    """Stands for the file that the script is in just now. `find` looks."""

    def __init__(self, find: Callable[[], Span | None]) -> None:
        self._find = find
        self.included_at = None

    @property
    def name(self) -> str:  # type: ignore[override]
        found = self._find()
        return "" if found is None else found.file.name

    @property
    def text(self) -> str:  # type: ignore[override]
        return "" if self._find() is None else "\n"

    def line_number(self, offset: int) -> int:
        return self.position(offset).line

    def position(self, offset: int) -> Position:
        found = self._find()
        return Position(0, 0) if found is None else found.file.position(found.start)


class Here:
    """`run` is the one that the script's function was called for; None while the script is loaded."""

    def __init__(self, world: World, find: Callable[[], Span | None]) -> None:
        self.world = world
        self.run: Run | None = None
        self.span = Span(_CallSite(find), 0, 0)
        self._outside: Run | None = None

    def outside(self) -> Run:
        """A run for what a script does while it is loaded, with the made-up request."""
        run = self._outside
        if run is None:
            message = Message(FAKED_REQUEST)
            run = self._outside = new_run(self.world, self.world.request_vars, message, "", Routes.REQUEST)
        return run
