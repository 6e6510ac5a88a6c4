"""Pass: JSON that a script puts together and sends: texts that are none, and values that break out of their quotes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

from evapi_cfg.check.context import Context
from evapi_cfg.check.sense.arguments import one_variable, parts, sent
from evapi_cfg.check.verdicts import SILENT
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Related
from evapi_cfg.source import Span, show
from evapi_cfg.syntax.ast import Binary, Cast, Expression, Format, Number, PVar, String, Text, Transformation

# What a caller may write as he likes. Kamailio refuses a From or To with a quote or a backslash in its address
# (core/parser/parse_addr_spec.c), but takes control characters there.
_ANYTHING: Final = (
    frozenset(("ru", "rU", "ou", "oU", "ua", "ci", "ct", "cT", "hdr", "hdrc", "fn", "tn", "rb", "mb"))
    | frozenset(("pu", "pU", "pn", "re", "ai", "au", "aU", "ar", "ad", "Au"))
)  # fmt: skip
_ADDRESSES: Final = frozenset(("fu", "fU", "fd", "ft", "tu", "tU", "td", "tt", "rd", "od", "pd"))
# Transformations whose outcome breaks no JSON text, by class; all of a class where none is named.
_SAFE: Final[dict[str, frozenset[str]]] = {
    "s": frozenset(("md5", "sha256", "sha384", "sha512", "len", "int", "numeric", "corehash", "crc32"))
    | {"escape.common", "escape.user", "escape.param", "encode.hexa", "encode.base58", "encode.base64"}
    | {"encode.base64t", "encode.base64url", "encode.base64urlt", "urlencode.param"},
    "val": frozenset(("json", "jsonqe")),
    "uri": frozenset(("port",)),
    "nameaddr": frozenset(("len",)),
    "json": frozenset(),
    "jansson": frozenset(),
    "num": frozenset(),
}
_REMOVING: Final = frozenset(("rm", "replace"))
_STANDINS: Final = ("1", '"a":1', "")  # a value, a member, nothing
_DECODER: Final = json.JSONDecoder()
_MOST_OPEN: Final = 4  # variables that are tried in all ways
_SOURCES: Final = 8  # assignments to one variable that are looked at


class _Made(NamedTuple):
    """A text that is sent: its pieces, the place that holds all of them, and where it is sent if that is elsewhere."""

    cut: Format
    span: Span
    sent_at: Span | None


def check(context: Context) -> Iterator[Diagnostic]:
    values = _Values(context)
    told: set[Span] = set()
    for call, text in sent(context):
        if _is_meant_as_json(text.value):
            if text.span.text.startswith("'") and "\\" in text.value:
                continue  # the backslashes are what is wrong, and another pass says so
            made = [_Made(parts(text), call.args[0].span, None)]
        elif (pvar := one_variable(text)) is not None and not pvar.transformations:
            made = [
                _Made(cut, value.span, call.args[0].span)
                for value in values.of(pvar)
                if (cut := _composed(value)) and isinstance(cut[0], str) and _is_meant_as_json(cut[0])
            ]
        else:
            continue
        for one in made:
            if one.cut and one.span not in told:
                told.add(one.span)
                yield from _faults(one, values, context)


def _is_meant_as_json(value: str) -> bool:
    start = value.lstrip()
    return start.startswith(("{", "[")) and start[1:].lstrip()[:1] in ('"', "}", "]", "{", "[", "'", "\xe2")


# ---- texts that are put together before they are sent -----------------------------------------------------------


class _Values:
    """What is assigned to each variable. It is gathered when it is first asked for."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._found: dict[str, list[Expression]] | None = None  # by the variable as it is written

    def of(self, pvar: PVar) -> list[Expression]:
        """Nothing for a variable that grows bit by bit, and for one that has many values."""
        if self._found is None:
            self._found = {}
            for assign, _ in self._context.index.assigns:
                self._found.setdefault(assign.target.span.text, []).append(assign.value)
        values = self._found.get(pvar.span.text, [])
        if len(values) > _SOURCES or any(piece == pvar for value in values for piece in _composed(value)):
            return []
        return values


def _composed(value: Expression) -> Format:
    """A text that is joined with `+`, in pieces; nothing where it is no text. Literals stay as they are: an assignment
    does not fill in variables."""
    cut: list[str | PVar] = []
    waiting = [value]
    while waiting:
        expr = waiting.pop()
        if isinstance(expr, Binary) and expr.op == "+":
            waiting += (expr.right, expr.left)
        elif isinstance(expr, String):
            cut.append(expr.value)
        elif isinstance(expr, Number) and cut:
            cut.append(str(expr.value))
        elif isinstance(expr, Cast) and expr.to == "str":
            waiting.append(expr.operand)
        elif isinstance(expr, PVar):
            if expr.name == "_s" and expr.inner is not None:
                cut += parts(expr.inner)
            else:
                cut.append(expr)
        else:
            return ()
    return tuple(cut)


# ---- what is wrong with one -------------------------------------------------------------------------------------


def _faults(made: _Made, values: _Values, context: Context) -> Iterator[Diagnostic]:
    fault = _fault(made.cut)
    if fault:
        yield Diagnostic(
            codes.BAD_JSON_LITERAL,
            f"this is no JSON, whatever the variables hold: {fault}",
            made.span,
            "",
            (SILENT,),
            (Related("sent here", made.sent_at),) if made.sent_at is not None else (),
        )
        return
    quoted = False
    for part in made.cut:
        if isinstance(part, str):
            quoted = _in_quotes(part, quoted)
        elif quoted:
            source = _from_outside(part, values)
            if source is not None:
                yield _unescaped(part, source, context)


def _fault(cut: Format) -> str:
    """Why no way of filling in the variables makes JSON of it; "" where one does."""
    pieces: list[str | None] = []  # None: a variable that may be a value, a member or nothing
    quoted = False
    for part in cut:
        if isinstance(part, str):
            pieces.append(part)
            quoted = _in_quotes(part, quoted)
        else:
            known = quoted or "".join(piece or "" for piece in pieces).rstrip().endswith(":")
            pieces.append("1" if known else None)
    open_ = pieces.count(None)
    if open_ > _MOST_OPEN:
        return ""
    first = ""
    for standins in product(_STANDINS, repeat=open_):
        rest = iter(standins)
        text = "".join(next(rest) if piece is None else piece for piece in pieces).strip()
        fault = _not_json(show(text))
        if not fault:
            return ""
        first = first or fault
    return first


def _not_json(text: str) -> str:
    """Why a text is no JSON, and not several one behind the other; "" where it is."""
    at = 0
    while at < len(text):
        try:
            _, at = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            return error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        except RecursionError:
            return ""
        while text[at : at + 1].isspace():
            at += 1
    return ""


def _in_quotes(part: str, quoted: bool) -> bool:
    """Whether a JSON string is open behind a piece of text."""
    escaped = False
    for character in part:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = quoted
        elif character == '"':
            quoted = not quoted
    return quoted


# ---- values from outside ----------------------------------------------------------------------------------------


def _from_outside(pvar: PVar, values: _Values) -> PVar | None:
    """The variable of the message that a piece is, or that it was assigned."""
    if _is_safe(pvar):
        return None
    if _is_outside(pvar):
        return pvar
    assigned = values.of(pvar)
    outside = [value for value in assigned if isinstance(value, PVar) and _is_outside(value) and not _is_safe(value)]
    return outside[0] if outside and len(outside) == len(assigned) else None


def _is_outside(pvar: PVar) -> bool:
    if pvar.name == "evapi":
        return isinstance(pvar.inner, Text) and pvar.inner.value == "msg"
    return pvar.name in _ANYTHING or pvar.name in _ADDRESSES


def _is_safe(pvar: PVar) -> bool:
    return any(_makes_safe(step) for step in pvar.transformations)


def _makes_safe(step: Transformation) -> bool:
    if step.cls == "s" and step.op in _REMOVING:
        return step.args is not None and step.args.value.startswith('"')
    safe = _SAFE.get(step.cls)
    return safe is not None and (not safe or step.op in safe)


def _unescaped(pvar: PVar, source: PVar, context: Context) -> Diagnostic:
    if source.name in _ADDRESSES:
        what = "a control character in it breaks the JSON text"
        note = "Kamailio refuses addresses with a quote or a backslash, and takes control characters"
    else:
        what, note = "a quote in it ends the JSON text", SILENT
    return Diagnostic(
        codes.UNESCAPED_JSON_VALUE,
        f"`{pvar.span.text}` comes from outside, and {what}",
        pvar.span,
        _help(pvar, context),
        (note,),
        () if source is pvar else (Related("where it comes from", source.span),),
    )


def _help(pvar: PVar, context: Context) -> str:
    text = pvar.span.text
    inside = text[2:-1] if text.startswith("$(") else text[1:]
    exports = context.scope.module("pv")
    if exports is not None and "json" in exports.transformations.get("val", {}):
        return f"write `$({inside}{{val.json}})`"
    return "let `jansson_set` put the text together: it escapes what has to be"
