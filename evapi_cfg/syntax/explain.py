"""What the parser says: terminals and half-read text in the words of people who write kamailio.cfg."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from evapi_cfg.source import Span, show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.grammar import END
from evapi_cfg.syntax.keywords import PARAMETERS, TERMINALS
from evapi_cfg.syntax.tokens import Token

if TYPE_CHECKING:
    from evapi_cfg.syntax.reading import Reading

VALUE_FORMS: Final = {
    "P_NUMBER": "a number, or yes or no",
    "P_INTEGER": "a number",
    "P_STRING": "a string in quotes",
    "P_WORD": "a word without quotes",
    "P_STRING_WORD": "a string in quotes, or a word",
    "P_NUMBER_WORD": "a number or a word",
    "P_NUMBER_STRING": "a number or a string in quotes",
    "P_IPV4": "an IPv4 address without quotes",
    "P_IPV6": "an IPv6 address without quotes",
    "P_HOST": "an address or a host name",
    "P_TLS_METHOD": "SSLv23, SSLv2, SSLv3 or TLSv1",
    "UDP_MTU_TRY_PROTO": "udp, tcp, tls or sctp",
    "FORCE_RPORT": "a number, or yes or no",
    "COREPARAM": "a number or a string in quotes",
    "ALIAS": "addresses, each as [proto:]host[:port]",
    "LISTEN": "addresses, each as [proto:]host[:port]",
    "SOCKET": "attributes in braces",
    "KEMI": "a string in quotes",
}
_NAMES: Final = {
    "ID": "a name",
    "NUMBER": "a number",
    "STRING": "a string",
    "VARIABLE": "a variable",
    "EVENT_NAME": "a name such as `module:event`",
    "PROTOCOL": "a protocol",
    "IPV6": "an address",
    "EQUALS": "`==` or `!=`",
    "COMPARE": "`<` or `>`",
    "CASE": "`case`",
    "DEFAULT": "`default`",
    "ELSE": "`else`",
    "DESCRIPTION": "`desc`",
    "KEMI_CALLBACK": "the name of a callback",
    "ATTRIBUTE_CLASS": "the class of an AVP",
    END: "the end of the file",
}
_STATEMENTS: Final = frozenset(
    ("ID", "IF", "WHILE", "SWITCH", "LEAVE", "BREAK", "VARIABLE", "AVP_OR_VARIABLE", "ATTRIBUTE", "ROUTE", ";")
)
BINARY: Final = frozenset(
    ("OR", "AND", "|", "&", "^", "<<", ">>", "EQUALS", "INTEGER_EQUALS", "=~", "COMPARE", "+", "-", "*", "/", "MOD")
)
_COMMANDS: Final = frozenset(("IF", "WHILE", "SWITCH", "CASE", "LEAVE"))


def token_name(token: Token | None) -> str:
    """A token as it is shown in a message."""
    if token is None:
        return "the end of the file"
    if token.terminal == "STRING":
        return "a string"
    if isinstance(token.value, Text):
        spelling = token.value.value or token.span.text
        return f"the variable `{show(spelling[:40])}`"
    if token.terminal == "ID":
        return f"`{token.value}`"
    if token.terminal == "NUMBER" and token.value[0].isdigit():
        return f"the number `{token.value[:20]}`"
    if token.value in TERMINALS and token.terminal not in ("IF", "ELSE"):
        return f"the reserved word `{token.value}`"
    return f"`{token.value}`"


def expected(terminals: Iterable[str]) -> str:
    """What would have fitted, in words; "" where that would be no help."""
    left = set(terminals)
    found: list[str] = []
    if "LOADMODULE" in left:
        return "a parameter, loadmodule, modparam or a route block"
    if "LEAVE" in left:
        found.append("a statement")
        left = {terminal for terminal in left if terminal in ("}", "CASE", "DEFAULT", "ELSE")}
    elif {"NUMBER", "STRING", "NOT"} <= left:
        found.append("a value")
        left &= {")", "EQUALS"}
    if "OR" in left:
        found.append("an operator")
        left -= BINARY
    if {"ID", "NUMBER", "IPV6"} <= left:
        found.append("an address or a host name")
        left -= {"ID", "NUMBER", "IPV6", "NUM_ID", "STRING", "["}
    order = sorted(left, key=lambda terminal: (terminal not in (";", ")", ",", "{", "}"), terminal))
    found += [_NAMES.get(terminal, f"`{terminal}`") for terminal in order if terminal in _NAMES or len(terminal) < 3]
    if not found or len(found) > 5:
        return ""
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"


def place(values: Sequence[object]) -> str:
    """Where on the way the parser is: "in the arguments of `xlog`", "in route[A]"."""
    for number in range(len(values) - 1, -1, -1):
        value = values[number]
        if not isinstance(value, Token):
            continue
        before = values[number - 1] if number else None
        if value.terminal == "(":
            if isinstance(before, Token) and before.terminal in _COMMANDS and before.terminal != "CASE":
                return f" in the condition of `{before.value}`" if before.terminal != "LEAVE" else ""
            if isinstance(before, Token) and isinstance(before.value, str) and before.value[:1].isalpha():
                return f" in the arguments of `{before.value}`"
            continue
        if value.terminal == "[" and isinstance(before, Token) and before.terminal.endswith("ROUTE"):
            return " as the name of a block"
        if value.terminal in ("IF", "WHILE", "SWITCH") and number > len(values) - 3:
            return f" behind `{value.value}`"
        if value.terminal == "{":
            return block(values)
        if value.terminal in PARAMETERS:
            return f" in the value of `{value.value}`"
        if number == len(values) - 1 and isinstance(value.value, str) and value.value[:1].isalpha():
            return f" behind `{value.value}`"
    return ""


def block(values: Sequence[object]) -> str:
    """The route block that is open."""
    name = title(values)
    return f" in {name}" if name else ""


def title(values: Sequence[object]) -> str:
    for number, value in enumerate(values):
        if isinstance(value, Token) and value.terminal.endswith("ROUTE"):
            rest = values[number + 1 : number + 3]
            if len(rest) == 2 and isinstance(rest[0], Token) and rest[0].terminal == "[" and isinstance(rest[1], Token):
                return f"`{value.value}[{spelling(rest[1])}]`"
            return f"`{value.value}`"
    return ""


def heading(tokens: Sequence[Token]) -> str:
    """The head of a block as it is written: `route[A]`."""
    word = str(tokens[0].value)
    if len(tokens) > 2 and tokens[1].terminal == "[":
        return f"{word}[{spelling(tokens[2])}]"
    return word


def head(values: Sequence[object]) -> str:
    """What a `{` is missing behind."""
    for value in reversed(values):
        if isinstance(value, Token) and value.terminal in _COMMANDS:
            return f"the `{value.value}`"
        if isinstance(value, Token) and value.terminal.endswith("ROUTE"):
            return title(values) or f"`{value.value}`"
    return "the head of the block"


def spelling(token: Token) -> str:
    return show(token.value.value if isinstance(token.value, Text) else token.value)


def begins_statement(terminal: str) -> bool:
    return terminal in _STATEMENTS or terminal in ("LOG", "ERROR", "FORWARD", "FORWARD_TO") or terminal[:2] == "C_"


def is_glued(last: Token | None, token: Token | None) -> bool:
    """Whether `{` or `[` stands right behind a variable."""
    if last is None or token is None or token.terminal not in ("{", "["):
        return False
    return last.terminal in ("VARIABLE", "AVP_OR_VARIABLE") and last.end == token.start


def _tail(token: Token) -> str:
    """An index or a transformation up to its closing bracket, on its line."""
    line = token.file.text[token.start : token.start + 80].partition("\n")[0]
    end = line.find("]" if token.terminal == "[" else "}")
    return show(line[: end + 1])


def comment_behind(token: Token) -> Span | None:
    """A comment right behind a token on its line."""
    text = token.file.text
    if text[token.end : token.end + 1] not in ("#", "/"):
        return None
    line_end = text.find("\n", token.end)
    line_end = len(text) if line_end < 0 else line_end
    return Span(token.file, token.end, token.end + len(text[token.end : line_end].rstrip()))


class Fault(NamedTuple):
    message: str
    span: Span
    help: str


def fault(reading: Reading, at: int) -> Fault:
    """What to say where no repair is known."""
    token = reading.token(at)
    last = reading.tokens[at - 1] if at else None
    before = reading.tokens[at - 2] if at > 1 else None
    could = reading.expected()
    where = place(reading.values) or ("" if token is None else " outside of all blocks")
    if token is not None and token.terminal == "ELSE":
        semicolon = last is not None and last.terminal == ";"
        return Fault("this `else` belongs to no `if`", token.span, "remove the `;` before it" if semicolon else "")
    if last is not None and last.terminal == "ID" and could == ["("]:
        return Fault(
            f"`{last.value}` is not called: `(` is missing behind it",
            last.span,
            "write `()` behind the name of a function, quotes around a string, `$` before a variable",
        )
    if last is not None and (last.terminal == "EVENT_ROUTE" or (before and before.terminal == "EVENT_ROUTE")):
        span = last.span if last.terminal == "EVENT_ROUTE" or token is None else last.span.to(token.span)
        return Fault("event_route needs the name of an event", span, "write `event_route[module:event]`")
    if (
        last is not None
        and last.terminal == "LOADMODULE"
        and (token is None or "\n" in token.file.text[last.end : token.start])
    ):
        return Fault("loadmodule needs the name of a module", last.span, 'write loadmodule "NAME.so"')
    span = reading.span(at)
    if is_glued(last, token) and last is not None and token is not None:
        name = spelling(last)[1:]
        tail = _tail(token) or ("[0]" if token.terminal == "[" else "{s.len}")
        inner = reading.terminal(at + 1) == "ID" and name.isidentifier()
        return Fault(
            "an index or a transformation needs parentheses around the variable",
            last.span.to(span),
            f"write ${name}({tail[1:-1]})" if inner and token.terminal == "[" else f"write $({name}{tail})",
        )
    if last is not None and token is not None and "?" in token.file.text[last.end : token.start]:
        question = token.file.text.index("?", last.end)
        span = Span(token.file, question, question + 1)
        return Fault("there is no `? :`", span, "write selval(condition, value, other value)")
    words = expected(could)
    help = f"{words} can stand here" if words else ""
    reserved = token is not None and token.value in TERMINALS and token.terminal != "NUMBER"
    if token is not None and reserved and "STRING" in could and "ID" in could:
        help = f'put it in quotes: "{token.value}"'
    if any(isinstance(value, Token) and value.terminal in ("MODPARAM", "MODPARAMX") for value in reading.values):
        help = 'write modparam("module", "name", value); the value is a string or a number'
    if token is None:
        return Fault(f"the file ends{where} too early", span, help)
    return Fault(f"{token_name(token)} does not fit{where}", span, help)
