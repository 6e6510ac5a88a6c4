"""Pass: variables that are read and that nothing sets.

Most files have none, so texts are looked through by an expression first; only one that holds such a variable is cut
into its parts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from evapi_cfg.check.arguments import how_read
from evapi_cfg.check.context import Context
from evapi_cfg.check.fixups import Reading
from evapi_cfg.check.functions import find
from evapi_cfg.check.sense.arguments import parts
from evapi_cfg.check.sense.unseen import has_other_scripts, is_part, outside_comments
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.diagnostics.suggest import distance, near, question
from evapi_cfg.syntax.ast import Call, ModParam, PVar, String, Text
from evapi_cfg.syntax.walk import walk

_SAME: Final = {"vz": "var"}  # another class for the same variables
_KEPT: Final = ("var", "shv", "avp", "xavp", "xavu", "xavi")
_CLASSES: Final = frozenset((*_KEPT, *_SAME))
_WRITTEN: Final = re.compile(rf"\$\(?({'|'.join(_CLASSES)})\(([^()$]*)(\$?)")
_TYPED: Final = re.compile(r"^[si]:(?=.)")  # $avp(s:name) is $avp(name)
_FIELD: Final = re.compile(r"[=\[]")
_SET_AT_START: Final = re.compile(r"\s*(\w+)=")
_WORDS: Final = re.compile(r"\w+")
_DIGITS: Final = re.compile(r"\d+")
# Modules that do not run here, and the core: they set no AVP of their own, as those that run here do not.
_SETTING_NONE: Final = frozenset(("core", "htable", "rtimer", "rr", "ctl", "jsonrpcs", "mqueue", "statistics", "pike"))
# What a module sets under a name that it has of its own.
_OF_MODULES: Final = {"janssonrpcc": ("var", "jsrpc_result")}
_NAMING: Final = ("xav", "pv_", "jansson_x")  # functions with these names take names of variables as plain texts


class _Name(NamedTuple):
    cls: str
    name: str


class _Set:
    """The variables that something sets. `any`: classes of which one is set whose name is put together."""

    def __init__(self) -> None:
        self.names: set[_Name] = set()
        self.any: set[str] = set()

    def pvar(self, pvar: PVar) -> None:
        if pvar.inner is not None:
            if "$" in pvar.inner.value:
                self.any.add(_SAME.get(pvar.name, pvar.name))
            else:
                self.names.add(_named(pvar.name, pvar.inner.value))

    def text(self, text: str) -> None:
        """All variables that stand in a text."""
        for cls, inner, dollar in _WRITTEN.findall(text):
            if dollar:
                self.any.add(_SAME.get(cls, cls))
            else:
                self.names.add(_named(cls, inner))

    def words(self, text: str) -> None:
        """A text whose words may be names that a module sets."""
        self.names |= {_Name(cls, word) for word in _WORDS.findall(text) for cls in ("avp", "xavp", "xavu", "xavi")}


def check(context: Context) -> Iterator[Diagnostic]:
    if is_part(context) or has_other_scripts(context):
        return
    given, texts = _given(context)
    unknown = _unknown(context, given, texts)
    if not unknown:
        return
    written = Counter(_named(found[1], found[2]) for found in _WRITTEN.finditer(outside_comments(context)))
    closed = all(module in context.scope.specs or module in _SETTING_NONE for module in context.scope.loaded)
    for name, pvars in unknown.items():
        if written[name] > len(pvars):
            continue  # in a part that is skipped
        same_class = [other.name for other in given.names if other.cls == name.cls]
        # From outside one can set a $shv by RPC, and many modules set AVPs of their own: then only a name that is
        # nearly that of another is sure to be a slip.
        if name.cls != "var" and not (closed and name.cls != "shv") and not _is_slip(name.name, same_class):
            continue
        first = pvars[0]
        yield Diagnostic(
            codes.NEVER_SET_VARIABLE,
            f"nothing sets `${first.name}({_FIELD.split(first.inner.value)[0].strip() if first.inner else ''})`",
            first.span,
            _help(first.name, name.name, same_class, given.names),
            (f"{SILENT}; the variable is {'0' if name.cls in ('var', 'shv') else '$null'}",),
        )


def _help(written: str, name: str, same_class: list[str], everything: Iterable[_Name]) -> str:
    meant = [f"${written}({other})" for other in near(name, same_class)]
    return question(meant or [f"${cls}({name})" for cls, other in sorted(everything) if other == name])


def _is_slip(name: str, others: Iterable[str]) -> bool:
    """Whether a name can hardly be anything but another one with a letter wrong."""
    limit = 0 if len(name) < 6 or "." in name else 1 if len(name) < 10 else 2
    return any(
        other.lower() == name.lower()
        or (
            limit
            and not name.startswith(other)
            and not other.startswith(name)
            and _DIGITS.sub("", name) != _DIGITS.sub("", other)  # `try1` beside `try2` is another
            and distance(name.lower(), other.lower(), limit) <= limit
        )
        for other in others
    )


# ---- what sets --------------------------------------------------------------------------------------------------


def _given(context: Context) -> tuple[_Set, list[Text]]:
    """What is set, and the texts whose variables are read."""
    given = _Set()
    read: list[Text] = []
    for assign, _ in context.index.assigns:
        given.pvar(assign.target)
    for call, site in context.index.calls:
        texts = [(number, text) for number, text in _texts(call) if "$" in text.value]
        export = find(context.scope, call, site) if texts else None
        for number, text in texts:
            if export is None or how_read(export, number) in (Reading.VARIABLE, Reading.PLAIN):
                given.text(text.value)  # it may be where the function puts its result
            read.append(text)
        if call.name.startswith(_NAMING):
            for _, text in _texts(call):
                given.words(text.value)
    for item in context.config.items:
        if isinstance(item, ModParam) and isinstance(item.value, String):
            _in_modparam(item, item.value, given)
    for module in context.scope.loaded:
        _by_itself(context, module, given)
    return given, read


def _texts(call: Call) -> Iterator[tuple[int, Text]]:
    """The strings in a call's arguments, each with the number of its argument."""
    for number, argument in enumerate(call.args):
        if isinstance(argument, String):
            yield number, argument.text
        elif not isinstance(argument, PVar):
            for node in walk(argument):
                if isinstance(node, String):
                    yield number, node.text


def _in_modparam(item: ModParam, value: String, given: _Set) -> None:
    if item.name.value in ("shvset", "varset"):
        found = _SET_AT_START.match(value.value)
        if found is not None:
            given.names.add(_Name("shv" if item.name.value == "shvset" else "var", found[1]))
    elif "$" in value.value:
        given.text(value.value)
    else:
        given.words(value.value)


def _by_itself(context: Context, module: str, given: _Set) -> None:
    """What a module sets where no modparam says otherwise."""
    if module in _OF_MODULES:
        given.names.add(_Name(*_OF_MODULES[module]))
    exports = context.scope.module(module) if module != "core" else None
    for params in exports.params.values() if exports else ():
        for param in params:
            if isinstance(param.default, str):
                if "$" in param.default:
                    given.text(param.default)
                elif "avp" in param.name:
                    given.words(param.default)


# ---- what reads -------------------------------------------------------------------------------------------------


def _unknown(context: Context, given: _Set, texts: list[Text]) -> dict[_Name, list[PVar]]:
    """The variables that are read and not set, each with all places where it is read."""
    found: dict[_Name, list[PVar]] = {}
    suspects = list(texts)
    for pvar, _ in context.index.variables:
        if pvar.name in _CLASSES:
            _add(pvar, given, found)
        for text in (pvar.inner, pvar.index, *(step.args for step in pvar.transformations)):
            if text is not None and "$" in text.value:
                suspects.append(text)
    while suspects:
        text = suspects.pop()
        found_in = _WRITTEN.findall(text.value)
        if all(not dollar and _is_known(_named(cls, inner), given) for cls, inner, dollar in found_in):
            continue
        for part in parts(text):
            if isinstance(part, PVar):
                if part.name in _CLASSES:
                    _add(part, given, found)
                inside = (part.inner, part.index, *(step.args for step in part.transformations))
                suspects += (text for text in inside if text is not None and "$" in text.value)
    for pvars in found.values():
        pvars.sort(key=lambda pvar: pvar.span.start)
    return found


def _add(pvar: PVar, given: _Set, found: dict[_Name, list[PVar]]) -> None:
    if pvar.inner is not None and "$" not in pvar.inner.value:
        name = _named(pvar.name, pvar.inner.value)
        if not _is_known(name, given):
            found.setdefault(name, []).append(pvar)


def _is_known(name: _Name, given: _Set) -> bool:
    return name in given.names or name.cls in given.any


def _named(cls: str, inner: str) -> _Name:
    name = inner if inner.isidentifier() else _FIELD.split(inner)[0].strip()
    if cls == "avp":
        name = _TYPED.sub("", name)
    return _Name(_SAME.get(cls, cls), name.lower() if cls == "xavi" else name)
