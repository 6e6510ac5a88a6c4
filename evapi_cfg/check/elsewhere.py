"""A file is checked in a process of its own, so that nobody waits for it: what is asked, and what comes back.

An answer is a row of pickles with one memo, so that the one who gets it can take piece after piece, with others in
between. Nodes are given as calls of their classes: that is read three times as fast as what `pickle` makes of frozen
dataclasses.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from io import BytesIO
from typing import Any, Final, NamedTuple

from evapi_cfg.catalog import TARGET
from evapi_cfg.check.report import Report, check_file
from evapi_cfg.check.scripts import scripts_of
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Code
from evapi_cfg.source import show
from evapi_cfg.steps import Steps, at_once
from evapi_cfg.syntax.ast import Config, RouteBlock, Statement
from evapi_cfg.syntax.branches import Branches
from evapi_cfg.syntax.parse import SourceError

SIZE: Final = 8  # bytes before an answer that say how many it has
_POLITE: Final = 10  # how much less the process counts than the server does (nice)
_DEEPEST: Final = 10_000  # calls inside each other: several for each level of a tree (syntax/build.py: MAX_HEIGHT)

Prints = Mapping[str, bytes]
"""What blocks say, by their titles: two that say the same have the same print."""


class Wanted(NamedTuple):
    """A file to be checked, with the defines of the command line, for a version of Kamailio."""

    path: str
    defines: Mapping[str, str | None]
    version: str = TARGET


def request(wanted: Wanted) -> bytes:
    """One line."""
    return json.dumps(wanted._asdict()).encode() + b"\n"


class Answer:
    """What came of it. `faults`: what is wrong, each in one line; `watched`: the file, what it includes, the scripts
    that it names; none where it could not be read. `bug`: a traceback, where the checker itself has failed."""

    def __init__(self, data: bytes) -> None:
        self._next: Callable[[], Any] = pickle.Unpickler(BytesIO(data)).load
        self.faults: tuple[str, ...]
        self.watched: tuple[str, ...]
        self.bug: str
        self.faults, self.watched, self.bug = self._next()

    def report(self) -> Steps[tuple[Report, Prints]]:
        """What the checker says of a file without a fault; only once."""
        report, prints, count = self._next()
        items = []
        for _ in range(count):
            item, length = self._next()
            yield
            if length:
                body: list[Statement] = []
                for _ in range(length):
                    body.append(self._next())
                    yield
                item = replace(item, body=tuple(body))
            items.append(item)
        return replace(report, config=replace(report.config, items=tuple(items))), prints


def watched_of(report: Report) -> tuple[str, ...]:
    """A file, what it includes, and the scripts that it names."""
    return (*(file.name for file in report.files), *scripts_of(report.config))


def prints_of(config: Config) -> Steps[Prints]:
    found: dict[str, blake2b] = {}
    for item in config.items:
        if isinstance(item, RouteBlock):
            made = found.setdefault(item.title, blake2b(digest_size=16))
            for statement in item.body:
                made.update(repr(statement).encode("utf-8", "surrogatepass"))
                yield
    return {title: made.digest() for title, made in found.items()}


# ---- in that process ------------------------------------------------------------------------------------------------


class _Writer(pickle.Pickler):
    """Nodes, spans and diagnostics as calls of their classes; a code stays the one that is declared."""

    def reducer_override(self, made: object) -> Any:
        kind: Any = type(made)
        if kind is Code:
            return _declared, (made.name,)  # type: ignore[attr-defined]
        names = _fields(kind)
        return NotImplemented if names is None else (kind, tuple([getattr(made, name) for name in names]))


@lru_cache(None)
def _fields(kind: Any) -> tuple[str, ...] | None:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None


def _declared(name: str) -> Code:
    return _codes()[name]


@lru_cache(1)
def _codes() -> dict[str, Code]:
    return codes.by_name()


def answer_with(report: Report) -> bytes:
    """The answer where a file could be read."""
    out = BytesIO()
    writer = _Writer(out, pickle.HIGHEST_PROTOCOL)
    writer.dump((report.faults, watched_of(report), ""))
    if report.faults:
        return out.getvalue()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEEPEST)
    try:
        _write(writer, report)
    finally:
        sys.setrecursionlimit(limit)
    return out.getvalue()


def _write(writer: _Writer, report: Report) -> None:
    config = report.config
    # What the conditions of the file have asked is for who reads it once more, and that is done here.
    slim = replace(report, config=replace(config, items=()), branches=Branches())
    writer.dump((slim, at_once(prints_of(config)), len(config.items)))
    for item in config.items:
        body = item.body if isinstance(item, RouteBlock) else ()
        writer.dump((replace(item, body=()) if isinstance(item, RouteBlock) else item, len(body)))
        for statement in body:
            writer.dump(statement)


def answer(line: bytes) -> bytes:
    """What is answered to one request."""
    wanted = Wanted(**json.loads(line))
    try:
        return answer_with(check_file(wanted.path, defines=wanted.defines, version=wanted.version))
    except SourceError as error:
        return pickle.dumps(((str(error),), (), ""))
    except Exception as error:
        fault = f"a bug in evapi-cfg: {type(error).__name__}: {show(str(error))}"
        return pickle.dumps(((fault,), (), traceback.format_exc()))


def main() -> None:
    """Answers what comes on standard input, until it ends."""
    for number in (signal.SIGINT, signal.SIGHUP):  # they are for the server
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # a hardened service may not ask for that
        os.nice(_POLITE)
    gc.disable()
    for line in sys.stdin.buffer:
        made = answer(line)
        sys.stdout.buffer.write(len(made).to_bytes(SIZE, "big") + made)
        sys.stdout.buffer.flush()
        gc.collect()
