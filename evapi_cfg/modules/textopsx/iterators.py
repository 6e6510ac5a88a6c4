"""Iterators over the headers and over the lines of the body, and the variables that show where they are (textopsx.c:
ki_hf_iterator_start, ki_bl_iterator_start, ...).

The names that are in use belong to the world, four of each kind, and are never given back; where each iterator is
belongs to the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import named
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, Resolver, Variable
from evapi_cfg.modules.textops.reading import headers, remove
from evapi_cfg.sip.headers import Header
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value

_ITERATORS: Final = 4  # textopsx.c: HF_ITERATOR_SIZE, BL_ITERATOR_SIZE
_LONGEST_NAME: Final = 31


@dataclass(slots=True)
class _Names:
    headers: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _OfHeaders:
    """`at` and `before` count headers."""

    at: int | None = None
    before: int | None = None
    over: bool = False


@dataclass(slots=True)
class _OfLines:
    """`at` and `end` are offsets in `body`, which is the body as it was at the start; at the same offset both where no
    line has been reached yet."""

    body: str | None = None
    at: int = 0
    end: int = 0
    over: bool = False


@dataclass(slots=True)
class _Places:
    headers: dict[str, _OfHeaders] = field(default_factory=dict)
    lines: dict[str, _OfLines] = field(default_factory=dict)


def init(world: World) -> _Names:
    return _Names()


def _names(run: Run) -> _Names:
    names = run.world.state["textopsx"]
    assert isinstance(names, _Names)
    return names


def _places(run: Run) -> _Places:
    extra = run.extra
    if extra is None:
        extra = run.extra = {}
    places = extra.get("textopsx")
    if not isinstance(places, _Places):
        places = extra["textopsx"] = _Places()
    return places


def _taken(run: Run, names: list[str], name: str) -> bool:
    """Whether an iterator of this name may be started."""
    if name in names:
        return True
    if not name or len(name) > _LONGEST_NAME:
        run.log(Level.ERROR, "textopsx", f"{show(name)!r} is no name of an iterator: 1 to {_LONGEST_NAME} characters")
        return False
    if len(names) >= _ITERATORS:
        run.log(Level.ERROR, "textopsx", f"there is no room for iterator {show(name)!r}: {_ITERATORS} are the limit")
        return False
    names.append(name)
    return True


def _unknown(run: Run, name: str) -> None:
    run.log(Level.ERROR, "textopsx", f"there is no iterator {show(name)!r}")


# ---- headers ----------------------------------------------------------------------------------------------------


def _of_headers(run: Run, name: str) -> _OfHeaders | None:
    if name not in _names(run).headers:
        _unknown(run, name)
        return None
    return _places(run).headers.setdefault(name, _OfHeaders())


def _hf_start(run: Run, name: str) -> int:
    if not _taken(run, _names(run).headers, name):
        return -1
    _places(run).headers[name] = _OfHeaders()
    return 1 if headers(run) else -1


def _hf_next(run: Run, name: str) -> int:
    iterator = _of_headers(run, name)
    if iterator is None or iterator.over:
        return -1
    if iterator.at is None:
        iterator.at = 0
    else:
        iterator.before = iterator.at
        iterator.at += 1
    if iterator.at >= len(current_message(run).headers):
        iterator.at = None
        iterator.over = True
        return -1
    return 1


def _hf_prev(run: Run, name: str) -> int:
    """Back by one; from the first header, and from the second where it has gone back before, to the start."""
    iterator = _of_headers(run, name)
    if iterator is None or iterator.over:
        return -1
    at, before = iterator.at, iterator.before
    if before is None:
        return _hf_start(run, name)
    if before != at:
        iterator.at = before
        return 1
    last = len(current_message(run).headers) - 1
    if at is not None and at >= 2:
        iterator.at, iterator.before = at - 1, at - 2
        return 1
    if at == 1 and last == 1:
        iterator.at, iterator.before = 0, None
        return 1
    return _hf_start(run, name)


def _hf_end(run: Run, name: str) -> int:
    iterator = _of_headers(run, name)
    if iterator is None:
        return -1
    iterator.at = None
    iterator.over = False
    return 1


def _header(run: Run, name: str) -> Header | None:
    iterator = _of_headers(run, name)
    at = None if iterator is None else iterator.at
    found = current_message(run).headers
    return None if at is None or at >= len(found) else found[at]


def _hf_rm(run: Run, name: str) -> int:
    header = _header(run, name)
    return -1 if header is None else remove(current_message(run), [header])


def _hf_append(run: Run, name: str, text: str) -> int:
    header = _header(run, name)
    if header is None:
        return -1
    current_message(run).edit(header.end, 0, text)
    return 1


def _hf_insert(run: Run, name: str, text: str) -> int:
    header = _header(run, name)
    if header is None:
        return -1
    current_message(run).edit(header.start, 0, text)
    return 1


# ---- lines of the body ------------------------------------------------------------------------------------------


def _of_lines(run: Run, name: str) -> _OfLines | None:
    if name not in _names(run).lines:
        _unknown(run, name)
        return None
    return _places(run).lines.setdefault(name, _OfLines())


def _bl_start(run: Run, name: str) -> int:
    if not _taken(run, _names(run).lines, name):
        return -1
    body = current_message(run).body
    _places(run).lines[name] = _OfLines(body)
    return -1 if body is None else 1


def _bl_next(run: Run, name: str) -> int:
    iterator = _of_lines(run, name)
    if iterator is None or iterator.over:
        return -1
    body = iterator.body or ""
    iterator.at = iterator.end
    if iterator.at >= len(body):
        iterator.at = iterator.end = 0
        iterator.over = True
        return -1
    iterator.end = body.find("\n", iterator.at) + 1 or len(body)
    return 1


def _bl_end(run: Run, name: str) -> int:
    if _of_lines(run, name) is None:
        return -1
    _places(run).lines[name] = _OfLines()
    return 1


def _line(run: Run, name: str) -> tuple[int, str] | None:
    """Where in the message the line is, and the line with its end."""
    iterator = _of_lines(run, name)
    if iterator is None or iterator.end <= iterator.at:
        return None
    text = (iterator.body or "")[iterator.at : iterator.end]
    at = current_message(run).body_at + iterator.at
    return (at, text) if current_message(run).text.startswith(text, at) else None


def _bl_rm(run: Run, name: str) -> int:
    line = _line(run, name)
    if line is None:
        return -1
    current_message(run).edit(line[0], len(line[1]), "")
    return 1


def _bl_append(run: Run, name: str, text: str) -> int:
    line = _line(run, name)
    if line is None:
        return -1
    current_message(run).edit(line[0] + len(line[1]), 0, text)
    return 1


def _bl_insert(run: Run, name: str, text: str) -> int:
    line = _line(run, name)
    if line is None:
        return -1
    current_message(run).edit(line[0], 0, text)
    return 1


# ---- what is declared -------------------------------------------------------------------------------------------


def _variable(read: Callable[[Run, str], Value]) -> Callable[[Text, Resolver], Variable]:
    """One about the iterator that its inner name tells."""

    def make(inner: Text, resolver: Resolver) -> Variable:
        name = inner.value
        return Variable(lambda run: read(run, name))

    return make


def _hfitname(run: Run, name: str) -> Value:
    header = _header(run, name)
    return None if header is None else header.name


def _hfitbody(run: Run, name: str) -> Value:
    header = _header(run, name)
    return None if header is None else header.body


def _blitval(run: Run, name: str) -> Value:
    line = _line(run, name)
    return None if line is None else line[1]


_NAME: Final = (Arg.TEXT,)
_NAME_TEXT: Final = (Arg.TEXT, Arg.TEXT)

VARIABLES: Final = (
    named("hfitname", _variable(_hfitname)),
    named("hfitbody", _variable(_hfitbody)),
    named("blitval", _variable(_blitval)),
)
FUNCTIONS: Final = (
    Function("hf_iterator_start", _hf_start, _NAME),
    Function("hf_iterator_next", _hf_next, _NAME),
    Function("hf_iterator_prev", _hf_prev, _NAME),
    Function("hf_iterator_end", _hf_end, _NAME),
    Function("hf_iterator_rm", _hf_rm, _NAME),
    Function("hf_iterator_append", _hf_append, _NAME_TEXT),
    Function("hf_iterator_insert", _hf_insert, _NAME_TEXT),
    Function("bl_iterator_start", _bl_start, _NAME),
    Function("bl_iterator_next", _bl_next, _NAME),
    Function("bl_iterator_end", _bl_end, _NAME),
    Function("bl_iterator_rm", _bl_rm, _NAME),
    Function("bl_iterator_append", _bl_append, _NAME_TEXT),
    Function("bl_iterator_insert", _bl_insert, _NAME_TEXT),
)

_same: Final = same(FUNCTIONS)

KEMI: Final = (
    *(
        _same(f"{kind}_iterator_{name}", str)
        for kind, names in (("hf", "start next prev end rm"), ("bl", "start next end rm"))
        for name in names.split()
    ),
    *(_same(f"{kind}_iterator_{name}", str, str) for kind in ("hf", "bl") for name in ("append", "insert")),
    KemiFunction("hf_iterator_hname", _hfitname, (str,)),
    KemiFunction("hf_iterator_hbody", _hfitbody, (str,)),
    KemiFunction("bl_iterator_value", _blitval, (str,)),
)
