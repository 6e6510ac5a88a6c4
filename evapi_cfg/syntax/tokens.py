"""What the scanner looks for: tokens, and the patterns of core/cfg.lex that find them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, TypeAlias

from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax.ast import Text


class Token(NamedTuple):
    """One word of the language. The value of STRING and of the variables is a `Text`, of all others the spelling."""

    terminal: str
    value: str | Text
    start: int
    end: int
    file: SourceFile

    @property
    def span(self) -> Span:
        return Span(self.file, self.start, self.end)


Tokens: TypeAlias = "list[Token]"

BLANK: Final = " \t\b\r\n"
TOKEN: Final = re.compile(
    r"""
    (?: [\ \t\b\r\n]++ | \\\n | \#(?!!)[^\n]*+\n | //(?!!)[^\n]*+\n )*+
    (?: ([A-Za-z0-9_]++)                                                        # 1 word
      | ("[^"\\]*+")(?![\ \t\b\r\n]*+")                                         # 2 string, no escapes
      | (\((?:int|str)\)|==|=~|!=|<<|<=|>>|>=|&&|\|\||\+=|!(?!!)                # 3 operator
          |[;,(){}\[\]=<>+\-*.&|^~]|/(?![/*]))
      | (\$)                                                                    # 4 variable
      | (\#|//|!!)                                                              # 5 comment or directive
      | (/\*)                                                                   # 6 comment
      | (["'])                                                                  # 7 other strings
      | (:)                                                                     # 8 colon, or an IPv6 address
      | ([@%])                                                                  # 9 select, attribute
      | (.)                                                                     # 10 what nobody knows
      | (\Z)                                                                    # 11
    )""",
    re.VERBOSE | re.DOTALL,
)
WORD, PLAIN_STRING, OPERATOR, DOLLAR, COMMENT, BLOCK_COMMENT, QUOTE, COLON, MARK, UNKNOWN, END = range(1, 12)

OPERATORS: Final = {  # what is not here is its own terminal
    "(int)": "CAST",
    "(str)": "CAST",
    "==": "EQUALS",
    "!=": "EQUALS",
    "<": "COMPARE",
    ">": "COMPARE",
    "<=": "COMPARE",
    ">=": "COMPARE",
    "&&": "AND",
    "||": "OR",
    "!": "NOT",
    "+=": "RESERVED",
}
NUMBER: Final = re.compile(r"0|[1-9][0-9]*|0x[0-9a-fA-F]+|0[0-7]+|[01]+b")
OPERAND: Final = re.compile(r"[ \t]*[0-9$(]")
SELECT_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]+|[01]+b|0[0-7]+|0|[1-9][0-9]*")
IPV6: Final = tuple(
    re.compile(form)
    for form in (
        r"(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}",
        r"(?:[0-9a-fA-F]{1,4}:){1,7}(?::[0-9a-fA-F]{1,4}){1,7}",
        r":(?::[0-9a-fA-F]{1,4}){1,7}",
        r"(?:[0-9a-fA-F]{1,4}:){1,7}:",
        r"::",
    )
)
COLON_WORDS: Final = {"uri": ("uri:host", "uri:port"), "msg": ("msg:len",)}
ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EVENT: Final = re.compile(r"[\[\]]|[a-zA-Z][0-9a-zA-Z-]*(?::[a-zA-Z][0-9a-zA-Z_-]*)+")
ATTRIBUTE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[.\[\]*]|0|[1-9][0-9]*")
ATTRIBUTE_CLASSES: Final = frozenset(("f", "t", "fr", "tr", "fu", "tu", "fd", "td", "g"))
RETURN_CODE: Final = re.compile(r"\$(?:\?|retcode|rc)")
SIMPLE_VARIABLE: Final = re.compile(
    r"\$(?!rc|retcode)[A-Za-z_][A-Za-z0-9_]*(?:\([^()\n]*\)|(?![A-Za-z0-9_('\[.]))"
    r"|\$\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)"
)
AVP: Final = re.compile(r"(?:[ft][rud]?|g)\.|[A-Za-z_][A-Za-z0-9_]*[\[(]?")
PV_NAME: Final = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*|'\.')*")
PARENTHESES: Final = re.compile(r"[()\n]")
ESCAPE: Final = re.compile(r"[^\"\\]+|\\x[0-9a-fA-F]{1,2}|\\[0-7]{2,3}|\\[\s\S]|\"|\\")
ESCAPES: Final = {"n": "\n", "r": "\r", "a": "\a", "t": "\t", '"': '"', "\\": "\\"}
BETWEEN: Final = re.compile(r"[ \t\b\r\n]*")
COMMENT_ENDS: Final = re.compile(r"/\*|\*/")


def unescape(piece: str) -> str:
    if piece[0] != "\\" or len(piece) == 1:
        return piece
    char = piece[1]
    if char == "\n":
        return ""
    if char == "x" and len(piece) > 2:
        return chr(int(piece[2:], 16))
    if char in "01234567" and len(piece) > 2:
        return chr(int(piece[1:], 8) & 255)
    return ESCAPES.get(char, piece)


def is_unknown(char: str) -> bool:
    return char >= "\x80" or char in "?`" or (char < " " and char not in BLANK)
