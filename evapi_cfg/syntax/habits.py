"""What people write who know other languages: words and operators that kamailio.cfg does not have, and what it has
instead."""

from __future__ import annotations

from typing import Final, NamedTuple

from evapi_cfg.syntax.keywords import TERMINALS


class Habit(NamedTuple):
    """`instead`: the terminals with their spellings that are read in its place; None leaves the statement out."""

    help: str
    instead: tuple[tuple[str, str], ...] | None = None


_AND_SO: Final = "write the variable again: `$var(x) = $var(x) {} 1`"
_ELSE_IF: Final = Habit("write `else if`", (("ELSE", "else"), ("IF", "if")))
_NULL: Final = Habit("write `$null`", (("VARIABLE", "$null"),))
_LOOP: Final = Habit("there is only `while`")
_END: Final = Habit("blocks end with `}`", ())

WORDS: Final = {
    "elseif": _ELSE_IF,
    "elsif": _ELSE_IF,
    "elif": _ELSE_IF,
    "else_if": _ELSE_IF,
    "for": _LOOP,
    "foreach": _LOOP,
    "do": _LOOP,
    "until": _LOOP,
    "repeat": _LOOP,
    "unless": Habit("write `if(!...)`", (("IF", "if"),)),
    "continue": Habit("there is no such word: put the rest of the loop's body into an `if`", ()),
    "function": Habit("there are only route blocks: write `route[NAME] { ... }`"),
    "def": Habit("there are only route blocks: write `route[NAME] { ... }`"),
    "then": Habit("there is no such word: leave it out", ()),
    "begin": Habit("blocks begin with `{`"),
    "endif": _END,
    "endwhile": _END,
    "end": _END,
    "fi": _END,
    "done": _END,
    "let": Habit("there is no such word: leave it out", ()),
    "local": Habit("there is no such word: leave it out", ()),
    "set": Habit("there is no such word: leave it out", ()),
    "goto": Habit("there is only `route(NAME)`, which comes back"),
    "is": Habit("write `==`", (("EQUALS", "=="),)),
    "xor": Habit("write `^`", (("^", "^"),)),
    "null": _NULL,
    "NULL": _NULL,
    "nil": _NULL,
    "None": _NULL,
    "TRUE": Habit("write `true` or 1", (("NUMBER", "1"),)),
    "True": Habit("write `true` or 1", (("NUMBER", "1"),)),
    "FALSE": Habit("write `false` or 0", (("NUMBER", "0"),)),
    "False": Habit("write `false` or 0", (("NUMBER", "0"),)),
    "call": Habit("there is no such word: `route(NAME)` alone calls", ()),
    "gosub": Habit("there is no such word: `route(NAME)` alone calls", ()),
    "define": Habit("write `#!define`"),
    "ifdef": Habit("write `#!ifdef`"),
    "include": Habit('write `include_file "FILE"`'),
}
OPERATORS: Final = {
    "!~": Habit("write `!(x =~ y)`", (("=~", "=~"),)),
    "~=": Habit("write `=~`", (("=~", "=~"),)),
    "<>": Habit("write `!=`", (("EQUALS", "!="),)),
    "===": Habit("write `==`", (("EQUALS", "=="),)),
    "!==": Habit("write `!=`", (("EQUALS", "!="),)),
    "=<": Habit("write `<=`", (("COMPARE", "<="),)),
    "=>": Habit("write `>=`", (("COMPARE", ">="),)),
    "=!": Habit("write `!=`", (("EQUALS", "!="),)),
    "%": Habit("write `mod`", (("MOD", "mod"),)),
    "**": Habit("there is no such operator: multiply in a loop", (("*", "*"),)),
    "++": Habit(_AND_SO.format("+"), (("=", "="), ("NUMBER", "0"))),
    "--": Habit(_AND_SO.format("-"), (("=", "="), ("NUMBER", "0"))),
    ":=": Habit("write `=`", (("=", "="),)),
    ".=": Habit('write the variable again: `$var(x) = $var(x) + "..."`', (("=", "="),)),
    **{f"{sign}=": Habit(_AND_SO.format(sign), (("=", "="),)) for sign in "+-*/|&^"},
    "*/": Habit("remove it", ()),
    "&&&": Habit("write `&&`", (("AND", "&&"),)),
    "|||": Habit("write `||`", (("OR", "||"),)),
}
VARIABLES: Final = frozenset(
    (
        "var",
        "avp",
        "shv",
        "xavp",
        "xavu",
        "xavi",
        "hdr",
        "hdrc",
        "sht",
        "dlg",
        "dlg_var",
        "evapi",
        "def",
        "env",
        "T",
        "sel",
    )
)  # classes that always have a name in parentheses
COMMENTS: Final = {"--": 2, "<!--": 4}  # what begins a comment elsewhere, with its length
WHERE_WORDS: Final = ("ELSE", "IF", "WHILE", "SWITCH", "CASE", "DEFAULT", "LEAVE", "BREAK", "ROUTE")
STATEMENT_WORDS: Final = tuple(word for word, terminal in TERMINALS.items() if terminal in WHERE_WORDS)
TOP_WORDS: Final = tuple(
    word
    for word, terminal in TERMINALS.items()
    if terminal.endswith("ROUTE") or terminal in ("LOADMODULE", "LOADPATH", "MODPARAM", "MODPARAMX", "CFGENGINE")
)
