"""Diagnostics of the scanner: what it drops, and what is never closed.

Words and spans only; where such a thing is found the scanner knows.
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.fixes import respelling
from evapi_cfg.diagnostics.model import Diagnostic, Fix, Related
from evapi_cfg.diagnostics.suggest import near
from evapi_cfg.source import SourceFile, Span, show
from evapi_cfg.syntax.keywords import DIRECTIVE_WORDS

MODES: Final = ("KAMAILIO", "OPENSER", "SER", "MAXCOMPAT", "ALL")
INSTEAD: Final = {"include": ("include_file",), "import": ("import_file",), "if": ("ifdef",), "end": ("endif",)}
LONGEST: Final = 60  # bytes of what is dropped that a message shows
_LIKE_BLANKS: Final = "\u00a0\u1680\u202f\u205f\u3000\u200b\u200c\u200d\u2060\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)  # they look like a blank, or like nothing
REFUSED: Final = ("Kamailio refuses to start",)


def unclosed_string(span: Span) -> Diagnostic:
    quote = span.text
    return Diagnostic(
        codes.UNCLOSED_STRING,
        "the string that starts here is not closed",
        span,
        f"write the missing {quote} at its end",
        ("Kamailio reads the string on, over the ends of lines, to the next quote or the end of the file",),
    )


def odd_quotes(span: Span) -> Diagnostic:
    return Diagnostic(
        codes.UNCLOSED_STRING,
        "the quotes on this line do not come in pairs",
        span,
        "write the missing quote, or remove the one too many",
        ("Kamailio reads a string on, over the ends of lines, to the next quote or the end of the file",),
    )


def bare_quote(span: Span) -> Diagnostic:
    single = span.file.text[span.start - 1] == "'"
    return Diagnostic(
        codes.SYNTAX_ERROR,
        "the string ends before this word: a quote inside it is not escaped",
        span,
        "write the text in double quotes: nothing can be escaped in single ones"
        if single
        else 'write `\\"` for a quote inside a string',
        REFUSED,
    )


TYPOGRAPHIC: Final = tuple(f"\xe2\x80{last}" for last in "\x9c\x9d\x9e\x9f\x98\x99\x9a\x9b")  # double, then single
_CLOSING: Final = (
    {"`": ("`",)}
    | dict.fromkeys(TYPOGRAPHIC[:4], (*TYPOGRAPHIC[:4], '"'))
    | dict.fromkeys(TYPOGRAPHIC[4:], (*TYPOGRAPHIC[4:], "'"))
)


def typographic_quote(span: Span) -> Diagnostic:
    return Diagnostic(
        codes.TYPOGRAPHIC_QUOTE,
        f"{'a backquote' if span.text == '`' else f'`{show(span.text)}`'} is no quotation mark of the language",
        span,
        'write a plain `"`',
        ("Kamailio ignores it, and reads what stands behind it as words of the language", *REFUSED),
    )


def typographic_string(text: str, start: int) -> int:
    """Where a text in typographic quotes that starts there is closed on the same line; -1 where it is not."""
    mark = next((mark for mark in _CLOSING if text.startswith(mark, start)), "")
    if not mark:
        return -1
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    places = (text.find(end, start + len(mark), line_end) for end in _CLOSING[mark])
    return min((place for place in places if place >= 0), default=-1)


def typographic_end(text: str, end: int) -> int:
    """Where the typographic quote starts that ends at `end`; `end` where there is none."""
    return next((end - len(mark) for mark in TYPOGRAPHIC if text.endswith(mark, 0, end)), end)


def conflict_marker(span: Span) -> Diagnostic:
    return Diagnostic(
        codes.SYNTAX_ERROR,
        "a conflict marker of a version control",
        span,
        "resolve the conflict: keep one of the two sides and remove the three markers",
        REFUSED,
    )


def foreign_comment(span: Span) -> Diagnostic:
    return Diagnostic(
        codes.SYNTAX_ERROR,
        f"`{span.text}` begins no comment",
        span,
        "a comment begins with `#` or `//`, or stands between `/*` and `*/`",
        REFUSED,
    )


def defined_equals(span: Span) -> Diagnostic:
    return Diagnostic(
        codes.SYNTAX_ERROR,
        "the value of this define begins with `=`",
        span,
        "remove it: the value stands right behind the name",
        ("Kamailio puts all behind the name in its place, and refuses to start",),
    )


def defined_semicolon(span: Span) -> Diagnostic:
    return Diagnostic(
        codes.SYNTAX_ERROR,
        "the value of this define ends with `;`",
        span,
        "remove it: the value is all up to the end of the line",
        ("Kamailio puts all behind the name in its place, and refuses to start",),
    )


def is_open_string(span: Span) -> bool:
    """Whether a string that runs over lines probably lacks its quote: its first line looks like the end of a statement,
    or a word is glued to its end."""
    first, newline, _ = span.text.partition("\n")
    if not newline:
        return False
    return span.file.text[span.end : span.end + 1].isalnum() or first.rstrip().endswith((";", ")", "{", "}", ","))


def end_of_open_string(span: Span) -> int:
    """Where a string that lacks its closing quote is taken to end: on its first line, before the marks that end a
    statement or a block's head."""
    text = span.file.text
    line_end = text.find("\n", span.start)
    line = text[span.start + 1 : len(text) if line_end < 0 else line_end]
    return span.start + 1 + len(line.rstrip().rstrip(");{},").rstrip())


def empty_file(file: SourceFile) -> Diagnostic:
    return Diagnostic(
        codes.EMPTY_FILE,
        "the file holds no statement" if file.text.strip() else "the file is empty",
        Span(file, 0, 0),
        "write at least one route block, such as `request_route { exit; }`",
        REFUSED,
    )


def unclosed_variable(span: Span, what: str) -> Diagnostic:
    return Diagnostic(
        codes.UNCLOSED_VARIABLE,
        f"the variable that starts here is not closed before the {what}",
        span,
        "close its parentheses on the same line",
        ("Kamailio reads a variable within one line only, and refuses to start",),
    )


def lone_dollar(span: Span) -> Diagnostic:
    return Diagnostic(
        codes.LONE_DOLLAR, "no name of a variable behind `$`", span, "write the name right behind `$`", REFUSED
    )


def detached_dollar(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        codes.DETACHED_DOLLAR,
        "no name of a variable behind `$`",
        span,
        "write the name right behind `$`",
        (f"Kamailio drops what stands between and takes the next name for that of an AVP, cut to `{name[1:]}`",),
    )


def dropped_in_event_name(span: Span, dropped: str, name: str) -> Diagnostic:
    return Diagnostic(
        codes.BAD_EVENT_NAME_CHARACTER,
        f"`{show(dropped)}` in the name of an event route is ignored"
        + (f": the block's name is `{name}`" if name else ""),
        span,
        "an event's name is `module:event`, of letters, digits and `-`, the event with `_` too",
        ("Kamailio ignores such characters without a word, and the block may never run",),
    )


def comment_in_define(span: Span, name: str, taken: str, defined: Span | None) -> Diagnostic:
    return Diagnostic(
        codes.COMMENT_IN_DEFINE,
        f"the value of `{name}` ends with a comment, which takes `{show(taken.strip())}` with it",
        span,
        "put the comment on a line of its own, above the define",
        ("Kamailio takes all up to the end of the line as the define's value",),
        (Related("defined here", defined),) if defined else (),
    )


def too_many_expansions(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        codes.TOO_MANY_EXPANSIONS,
        f"with `{name}`, the values of defines come to more text than is read",
        span,
        "look for defines whose values use others many times over",
        ("this is a limit of evapi-cfg; Kamailio goes on as long as its memory lasts",),
    )


def unclosed_comment(span: Span, depth: int) -> Diagnostic:
    return Diagnostic(
        codes.UNCLOSED_COMMENT,
        "the comment that starts here is not closed" + (f": {depth} `*/` are missing" if depth > 1 else ""),
        span,
        "close it with `*/`; comments nest, so each `/*` in it needs one of its own",
        ("Kamailio logs an error, and takes the rest of the file as comment",),
    )


def dropped(span: Span, characters: str) -> Diagnostic:
    if characters.startswith("\xef\xbb\xbf"):
        return Diagnostic(
            codes.BYTE_ORDER_MARK,
            "the file starts with a byte-order mark",
            span,
            "save the file without one",
            ("Kamailio ignores it, and writes it to its standard output",),
            fix=Fix(Span(span.file, span.start, span.start + 3), ""),
        )
    shown = show(characters[:LONGEST])
    blank = all(char in _LIKE_BLANKS for char in shown)
    name = f"`{shown}`" if shown.isprintable() else "a control character" if len(shown) == 1 else "control characters"
    return Diagnostic(
        codes.DROPPED_CHARACTER,
        f"{name} means nothing here and is ignored",
        span,
        "remove it",
        ("Kamailio ignores it, and writes it to its standard output",),
        fix=Fix(span, " ") if blank and span.text == characters else None,
    )


def comment(span: Span, text: str) -> Diagnostic | None:
    """A comment that looks like a directive, or like the line that says for whom the file is written."""
    word = ""
    for char in text[2:]:
        if not (char.isalpha() or char == "_"):
            break
        word += char
    if not word:
        return None
    at = Span(span.file, span.start, min(span.end, span.start + 2 + len(word)))
    if word in MODES:
        rest = text[2 + len(word) :]
        if text[0] == "!":
            return None
        return Diagnostic(
            codes.IGNORED_DIRECTIVE,
            f"`#!{word}` is only a comment: "
            + (
                "the line ends with a carriage return"
                if rest == "\r"
                else "something stands behind it"
                if rest
                else "its line has no end"
            ),
            at,
            "save the file with plain line ends" if rest == "\r" else "let the line end right behind it",
            ("Kamailio reads the file in its default mode, where an unknown variable is an AVP",),
        )
    if word in ("else", "endif"):
        return Diagnostic(
            codes.IGNORED_DIRECTIVE,
            f"`#!{word}` with text behind it is only a comment",
            span,
            "put the text on a line of its own",
            ("Kamailio takes the line as a comment without a word",),
            fix=tail_below(at),
        )
    if word in DIRECTIVE_WORDS:
        return Diagnostic(
            codes.IGNORED_DIRECTIVE,
            f"`#!{word}` without a name is only a comment",
            at,
            f"write a name behind `#!{word}`",
            ("Kamailio takes the line as a comment without a word",),
        )
    if word.replace("_", "") in ("elif", "elseif", "elsif"):
        return Diagnostic(
            codes.IGNORED_DIRECTIVE,
            f"`#!{word}` is no directive, only a comment",
            at,
            "close the condition with `#!endif` and open another one, or nest it behind `#!else`",
            ("Kamailio takes the line as a comment without a word",),
        )
    known = (*DIRECTIVE_WORDS, *MODES)
    names = INSTEAD.get(word) or near(word, known)
    names = tuple(name for name in names if name[:2] == "if") or names
    glued = [name for name in ("ifdef", "ifndef", "ifexp", "define") if word.startswith(name)]
    fix = respelling(at, word, known)
    if fix is None and glued and not text[2 + len(glued[0])].islower():
        behind = Span(at.file, at.start + 2 + len(glued[0]), at.start + 2 + len(glued[0]))
        fix = Fix(behind, " ")
    return Diagnostic(
        codes.IGNORED_DIRECTIVE,
        f"`#!{word}` is no directive, only a comment",
        at,
        f"write a blank behind `#!{glued[0]}`"
        if glued
        else f"did you mean `#!{names[0]}`?"
        if names
        else "write a blank behind `#` if a comment is meant",
        ("Kamailio takes the line as a comment without a word",),
        fix=fix,
    )


def tail_below(directive: Span) -> Fix | None:
    """Puts what stands behind `#!else` or `#!endif`, which is a comment now, into one on the next line."""
    text = directive.file.text
    end = text.find("\n", directive.end)
    tail = Span(directive.file, directive.end, len(text) if end < 0 else end)
    words = tail.text.strip()
    if directive.text[2:] not in ("else", "endif"):
        return None
    if not words:  # the last line, without its end
        return Fix(Span(tail.file, tail.start, len(text)), "\n") if end < 0 else None
    indent = text[text.rfind("\n", 0, directive.start) + 1 : directive.start]
    comment = words if words.startswith(("#", "//")) else f"# {words}"
    ended = "" if end >= 0 else "\n"
    return Fix(tail, f"\n{indent if indent.isspace() else ''}{comment}{ended}")
