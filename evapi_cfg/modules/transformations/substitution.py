"""`{re.subst,/expression/replacement/flags}` of textops (textops/txt_var.c: tr_txt_eval_re; core/re.c: subst_parser,
parse_repl, subst_run, replace_build)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from evapi_cfg import regex
from evapi_cfg.modules.context import Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.spec import NameRefused, NoValue, Resolver, Transformation
from evapi_cfg.modules.transformations.arguments import BLANKS, Cursor
from evapi_cfg.modules.transformations.chain import Step
from evapi_cfg.source import SourceFile, Span, show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.pvar import end_of_pvar
from evapi_cfg.values import Value, to_str

VALUE_LIMIT: Final = 8192 - 2  # textops/txt_var.c: TR_TXT_BUF_SIZE
REPLACEMENT_LIMIT: Final = 1024 - 2  # core/re.c: REPLACE_BUFFER_SIZE
MAX_TOKENS: Final = 100  # core/re.c: MAX_REPLACE_WITH
KEPT: Final = 64  # expressions that came up while routes ran
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}
_RUN_TIME: Final = Span(SourceFile("<run time>", ""), 0, 0)

Part: TypeAlias = "str | int | Callable[[Run], str]"  # a text, the number of a group, or what the run has to say


@dataclass(frozen=True, slots=True)
class Substitution:
    """One expression, ready to be applied."""

    pattern: regex.Regex
    parts: tuple[Part, ...]
    everywhere: bool

    def apply(self, run: Run, text: str) -> str | None:
        """The text with the replacements made; None without a match. Raises NoValue where a match is empty."""
        text = text.partition("\0")[0]
        out: list[str] = []
        done = 0
        for start, end, new in self.replacements(run, text):
            out += (text[done:start], new)
            done = end
        return "".join(out) + text[done:] if out else None

    def replacements(self, run: Run, text: str) -> list[tuple[int, int, str]]:
        """Start, end and new text of each place that is replaced. Raises NoValue as `apply` does."""
        made: list[tuple[int, int, str]] = []
        done = 0
        not_bol = False
        while found := self.pattern.search(text, done, not_bol=not_bol):
            start, end = found.span() or (0, 0)
            if start == end:
                raise NoValue
            made.append((start, end, self._replacement(run, found)))
            done = end
            not_bol = text[end - 1] not in "\r\n"
            if not self.everywhere:
                break
        return made

    def _replacement(self, run: Run, found: regex.Match) -> str:
        made = ""
        for part in self.parts:
            if isinstance(part, str):
                made += part
            elif isinstance(part, int):
                made += found.group(part) or ""
            else:
                made += part(run)
        if len(made) > REPLACEMENT_LIMIT:
            raise NoValue
        return made


def parse_substitution(text: Text, resolver: Resolver) -> Substitution:
    """`/expression/replacement/flags` with any separator; raises NameRefused."""
    cursor = Cursor("re.subst", text, resolver)
    value = text.value
    if len(value) < 3:
        raise cursor.refused("needs `/expression/replacement/`", 0, len(value))
    separator = value[0]
    if separator == "\\":
        raise cursor.refused("cannot have `\\` between its parts", 0)
    middle = value.find(separator, 1)
    while middle > 0 and value[middle - 1] == "\\":
        middle = value.find(separator, middle + 1)
    if middle < 0 or middle + 2 > len(value):
        raise cursor.refused(f"lacks the `{show(separator)}` behind the expression", 0, len(value))
    cursor.at = middle + 1
    parts = _replacement(cursor, separator)
    flags, everywhere = regex.NEWLINE, False
    for at in range(cursor.at, len(value)):
        match value[at]:
            case "i":
                flags |= regex.ICASE
            case "s":
                flags &= ~regex.NEWLINE
            case "g":
                everywhere = True
            case other:
                raise cursor.refused(f"knows the flags `g`, `i` and `s`, not `{show(other)}`", at)
    try:
        pattern = regex.compile(value[1:middle], flags)
    except regex.RegexError as error:
        at = min(1 + error.offset, middle - 1)
        raise NameRefused(f"bad regular expression: {error.message}", text.at(at, at + 1)) from None
    return Substitution(pattern, parts, everywhere)


def _replacement(cursor: Cursor, separator: str) -> tuple[Part, ...]:
    """The parts up to the next separator; `cursor.at` is left behind it."""
    start = cursor.at
    parts: list[Part] = []
    tokens = 0
    while char := cursor.next():
        cursor.at += 1
        if char == "\\" and cursor.next():
            escaped = cursor.next()
            cursor.at += 1
            tokens += 1
            if escaped.isdecimal() and escaped.isascii():
                parts.append(int(escaped))
            elif escaped == "u":
                parts.append(_request_uri)
            else:
                parts.append(_ESCAPES.get(escaped, escaped))
        elif char == "$":
            cursor.at -= 1
            parts.append(_variable(cursor))
            tokens += 1
        elif char == separator:
            return tuple(parts)
        elif char != "\\":
            parts.append(char)
        if tokens >= MAX_TOKENS:
            raise cursor.refused(f"takes at most {MAX_TOKENS - 1} escapes and variables", start, cursor.at)
    raise cursor.refused(f"lacks the `{show(separator)}` behind the replacement", start, len(cursor.value))


def _variable(cursor: Cursor) -> Part:
    if cursor.value.startswith("$$", cursor.at):
        cursor.at += 2
        return "$"
    end = end_of_pvar(cursor.value, cursor.at)
    get = cursor.resolver.variable(cursor.text.part(cursor.at, end)).get
    cursor.at = end
    return lambda run: to_str(get(run))


def _request_uri(run: Run) -> str:
    return current_message(run).request_uri


# ---- the transformation ----------------------------------------------------------------------------------------------


def prepare(args: Text | None, resolver: Resolver) -> Step:
    if args is None or not args.value:
        raise NameRefused("`{re.subst}` needs `/expression/replacement/`")
    if not args.value.startswith("$"):
        fixed = parse_substitution(args, resolver)
        return lambda run, value: substituted(run, value, fixed)

    end = end_of_pvar(args.value)
    if args.value[end:].strip(BLANKS):
        raise NameRefused("`{re.subst}` takes one variable and nothing behind it", args.at(end, len(args.value)))
    if args.value.startswith("$$"):  # one character is no expression
        return _fails
    expression = resolver.variable(args.part(0, end)).get

    @lru_cache(KEPT)
    def parsed(text: str) -> Substitution:
        return parse_substitution(Text(_RUN_TIME, text), resolver)

    def apply(run: Run, value: Value) -> Value:
        text = to_str(expression(run))
        if value is None or value == "" or not text:
            raise NoValue
        try:
            return substituted(run, value, parsed(text))
        except NameRefused:
            raise NoValue from None

    return apply


def _fails(run: Run, value: Value) -> Value:
    raise NoValue


def substituted(run: Run, value: Value, substitution: Substitution) -> Value:
    text = to_str(value)
    if not text or len(text) > VALUE_LIMIT:
        raise NoValue
    result = substitution.apply(run, text)
    if result is None:
        return value
    if len(result) > VALUE_LIMIT:
        raise NoValue
    return result


SUBSTITUTION: Final[tuple[Transformation, ...]] = (Transformation("re", "subst", "(s)", prepare),)
