"""Diagnostics for people: headline, place, the lines themselves with carets, what to do, what else is known.

error[unknown-function]: there is no function `evapi_rely`
 --> chat.cfg:12:3
   |
12 |   evapi_rely("hello");
   |   ^^^^^^^^^^
   |
   = help: did you mean `evapi_relay`?
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evapi_cfg.diagnostics.concise import summary
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.diagnostics.terminal import BLUE, BOLD, CYAN, RED, YELLOW, Paint, clean, painter, visible, width
from evapi_cfg.source import Span, show

LONGEST = 140  # columns of a source line that are shown; longer ones are cut around the place in question
BEFORE = 40  # columns that stay in front of the place when a line is cut


def render(diagnostics: Sequence[Diagnostic], *, colour: bool = False) -> str:
    """All diagnostics, the summary, and where to read more. `colour`: with ANSI escape sequences."""
    paint = painter(colour)
    blocks = ["".join(line + "\n" for line in _diagnostic(d, paint)) for d in diagnostics]
    return "\n".join([*blocks, paint(BOLD, summary(diagnostics)) + "\n" + _fixable(diagnostics) + _more(diagnostics)])


def _fixable(diagnostics: Sequence[Diagnostic]) -> str:
    number = sum(d.fix is not None for d in diagnostics)
    if not number:
        return ""
    which = "it" if len(diagnostics) == 1 else "all of them" if number == len(diagnostics) else f"{number} of them"
    return f"{which} can be fixed with evapi-cfg check --fix\n"


def _more(diagnostics: Sequence[Diagnostic]) -> str:
    """A line that makes the pages known, with a code to try: that of the first error."""
    first = next((d for d in diagnostics if d.severity is Severity.ERROR), diagnostics[0] if diagnostics else None)
    return f"more: evapi-cfg explain {first.code.name}\n" if first else ""


def _diagnostic(d: Diagnostic, paint: Paint) -> Iterator[str]:
    error = d.severity is Severity.ERROR
    headline = f"{d.severity.value}[{d.code.name}]"
    yield paint(RED if error else YELLOW, headline) + paint(BOLD, f": {clean(show(d.message))}")
    spans = (d.span, *(related.span for related in d.related))
    margin = max(len(str(span.file.line_number(max(span.start, span.end - 1)))) for span in spans)
    yield from _snippet(d.span, "-->", "^", "", RED if error else YELLOW, margin, paint)
    for related in d.related:
        yield from _snippet(related.span, ":::", "-", clean(show(related.message)), BLUE, margin, paint)
    if d.help or d.notes:
        yield paint(BLUE, f"{' ' * margin} |")
    for what, text in (("help", d.help), *(("note", note) for note in d.notes)):
        if text:
            yield (
                paint(BLUE, f"{' ' * margin} = ")
                + paint(CYAN if what == "help" else BOLD, what + ": ")
                + clean(show(text))
            )


def _snippet(span: Span, arrow: str, caret: str, label: str, style: str, margin: int, paint: Paint) -> Iterator[str]:
    """The place, the chain of includes, the first line of the span and, where it has more, its last one."""
    blank = " " * margin
    yield f"{blank}{paint(BLUE, arrow)} {clean(show(str(span)))}"
    at = span.file.included_at
    while at is not None:
        yield f"{blank}    included from {clean(show(f'{at.file.name}:{at.file.line_number(at.start)}'))}"
        at = at.file.included_at
    yield paint(BLUE, f"{blank} |")
    text = span.file.text
    first = span.file.line_number(span.start)
    last = span.file.line_number(max(span.start, span.end - 1))
    for number in (first,) if first == last else (first, last):
        if number != first and number > first + 1:
            yield paint(BLUE, "...")
        line_start = text.rfind("\n", 0, span.start if number == first else span.end - 1) + 1
        line_end = text.find("\n", line_start)
        raw = text[line_start : len(text) if line_end < 0 else line_end].rstrip("\r")
        start = max(span.start - line_start, 0)
        end = min(span.end - line_start, len(raw))
        if number != first:
            start = len(raw) - len(raw.lstrip())
        shown, before, marked = _cut(raw, start, end)
        yield f"{paint(BLUE, f'{number:>{margin}} |')} {shown}".rstrip()
        marks = " " * before + paint(style, caret * max(marked, 1) + (f" {label}" if label and number == last else ""))
        yield f"{paint(BLUE, f'{blank} |')} {marks}"


def _cut(raw: str, start: int, end: int) -> tuple[str, int, int]:
    """A line as it is shown, the columns in front of raw[start:end], and the columns of that part."""
    end = max(start, end)
    whole = show(raw)
    if len(whole) == len(raw):  # each byte is a character
        parts = [raw[:start], raw[start:end], raw[end:]]
    else:
        parts = [show(raw[:start]), show(raw[start:end]), show(raw[end:])]
    front, middle, back = ("".join(map(visible, part)) for part in parts)
    if width(front) + width(middle) + width(back) > LONGEST:
        if width(front) > BEFORE:
            front = "..." + front[-BEFORE:]
        middle = middle[: LONGEST - BEFORE]
        room = LONGEST - width(front) - width(middle)
        if width(back) > room:
            back = back[: max(room, 0)] + "..."
    return front + middle + back, width(front), width(middle)
