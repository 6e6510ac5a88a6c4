"""Going through a tree without knowing its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Final

from evapi_cfg.source import Span
from evapi_cfg.syntax.ast import Node, Text

_NO_NODES: Final = (
    "span", "name_span", "op_span", "files", "defines", "avp_default", "conditional", "virtual", "expand", "core",
)  # fmt: skip
_fields: dict[str, tuple[str, ...]] = {}  # by class: the fields that may hold nodes


def _inner(node: object) -> tuple[str, ...]:
    name = node.__class__.__name__
    known = _fields.get(name)
    if known is None:
        if not is_dataclass(node) or isinstance(node, (Text, Span)):
            known = ()
        else:
            known = tuple(field.name for field in fields(node) if field.name not in _NO_NODES)
        _fields[name] = known
    return known


def children(node: object) -> list[object]:
    """The nodes right below a node, in the order of the source. Text counts as a leaf of its node, not as a node."""
    found: list[object] = []
    for name in _inner(node):
        value = getattr(node, name)
        if value.__class__ is tuple:
            found += [item for item in value if item.__class__ not in _LEAVES and isinstance(item, Node)]
        elif value.__class__ not in _LEAVES and isinstance(value, Node):
            found.append(value)
    return found


_LEAVES: Final = frozenset((str, int, bool, type(None), Text, Span))


def walk(node: object) -> Iterator[object]:
    """The node and all below it, a node before what is below it. Deep trees do not exhaust the stack."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        below = children(current)
        below.reverse()
        waiting += below
