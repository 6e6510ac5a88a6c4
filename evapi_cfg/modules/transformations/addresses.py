"""`{nameaddr.*}` and `{tobody.*}`: what From, To and Contact hold (core/parser/parse_nameaddr.c: parse_nameaddr;
core/parser/parse_addr_spec.c: parse_addr_spec, parse_to_param)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from evapi_cfg.modules.spec import NoValue, Transformation
from evapi_cfg.modules.transformations.arguments import on_words
from evapi_cfg.sip.uri import Uri, parse_uri

# ---- nameaddr --------------------------------------------------------------------------------------------------------


class NameAddr(NamedTuple):
    name: str  # as it stands in front of the `<`, blanks and quotes included
    uri: str
    length: int  # up to and with the `>`


def name_addr(text: str) -> NameAddr:
    """A text without a `<` is a URI."""
    opening = _unquoted(text, "<", 0)
    if opening < 0:
        return NameAddr("", text, len(text))
    closing = _unquoted(text, ">", opening + 1)
    if closing < 0:
        raise NoValue
    return NameAddr(text[:opening], text[opening + 1 : closing], closing + 1)


def _unquoted(text: str, char: str, start: int) -> int:
    """Where `char` stands outside of double quotes; -1 if nowhere (core/parser/parser_f.h: find_not_quoted)."""
    if '"' not in text:
        return text.find(char, start)
    quoted = False
    for at in range(start, len(text)):
        if text[at] == '"' and not (quoted and text[at - 1] == "\\"):
            quoted = not quoted
        elif not quoted and text[at] == char:
            return at
    return -1


# ---- tobody ----------------------------------------------------------------------------------------------------------


class ToBody(NamedTuple):
    display: str
    uri: str
    tag: str
    params: str
    parsed: Uri


@lru_cache(64)
def to_body(text: str) -> ToBody | None:
    """A To header's body taken apart; None where Kamailio refuses it."""
    scan = _ToBody(text)
    if not scan.run():
        return None
    uri = parse_uri(scan.uri)
    if uri is None:
        return None
    params = text[scan.first_param :] if scan.first_param >= 0 else ""
    return ToBody(scan.display, scan.uri, scan.tag, params, uri)


class _ToBody:
    """One pass over the body; `step` and `param_step` give the next state from a state and a character.

    States of the address: "start", "quoted" (display name), "quoted end", "bare" (a URI, or the first word of a display
    name), "bare end", "word", "word end" (further words), "open" (behind `<`), "uri", "uri end", "end" (behind `>`).
    States of parameters: "name start", "name", "equal", "value start", "value", "quote", "value end".
    A line end leads to "fold" and back with a blank: any other character ends the header.
    """

    def __init__(self, text: str) -> None:
        self.text = text + "\r\n"
        self.display = self.uri = self.tag = ""
        self.first_param = -1
        self.begin = 0  # of the display name or the URI, of a parameter's name or value
        self.blank = 0  # where the blank behind a word stood
        self.saved = "start"
        self.name = ""

    def run(self) -> bool:
        """Whether the body is right."""
        state, at, lines = "start", 0, ""
        while at < len(self.text):
            char = self.text[at]
            if state == "fold":
                if char in " \t":
                    state, lines = self.saved, ""
                elif char in "\r\n" and lines + char == "\r\n":
                    lines = "\r\n"
                elif char == "\0" or char == "\\":
                    return False
                else:
                    return self.finish(self.saved, at)
            elif char in "\r\n":
                folded = self.line_end(state, at)
                if folded is None:
                    return False
                self.saved, state, lines = folded, "fold", char
            elif char == "\0":
                return self.finish(self.end_of_text(state, at), at)
            elif char == "\\":
                if state != "quoted":
                    return False
                at += 1
            else:
                following = self.step(state, char, at)
                if following is None:
                    return False
                state = following
            at += 1
        return self.finish(self.saved if state == "fold" else state, at)

    def step(self, state: str, char: str, at: int) -> str | None:
        """The state behind `char`; None where it cannot stand there."""
        if state in _PARAM_STATES:
            return self.param_step(state, char, at)
        if char in " \t":
            return self.at_blank(state, at)
        if char == "<":
            return self.at_opening(state, at)
        if char == ">":
            if state == "uri":
                self.uri = self.text[self.begin : at]
            return {"quoted": "quoted", "uri": "end", "uri end": "end"}.get(state)
        if char == '"':
            if state == "start":
                self.begin = at
            elif state == "quoted":
                self.display = self.text[self.begin : at + 1]
            return {"start": "quoted", "quoted": "quoted end"}.get(state)
        if char == ";" and state not in ("quoted", "uri"):
            return self.params_begin(state, at)
        if state in ("start", "open"):
            self.begin = at
        return _ORDINARY.get(state)

    def at_blank(self, state: str, at: int) -> str:
        if state == "uri":
            self.uri = self.text[self.begin : at]
        elif state in ("bare", "word"):
            self.blank = at
        return {"uri": "uri end", "bare": "bare end", "word": "word end"}.get(state, state)

    def at_opening(self, state: str, at: int) -> str | None:
        if state in ("bare", "word"):
            self.display = self.text[self.begin : at]
        elif state in ("bare end", "word end"):
            self.display = self.text[self.begin : self.blank]
        elif state == "quoted":
            return state
        return "open" if state in ("start", "quoted end", "bare", "word", "bare end", "word end") else None

    def params_begin(self, state: str, at: int) -> str | None:
        if state == "bare":
            self.uri = self.text[self.begin : at]
        elif state == "bare end":
            self.uri = self.text[self.begin : self.blank]
        return "name start" if state in ("bare", "bare end", "end") else None

    def param_step(self, state: str, char: str, at: int) -> str | None:
        if state == "quote":
            if char == '"':
                self.add(self.text[self.begin : at])
                return "value end"
            return state
        if char in " \t":
            if state == "name":
                self.name = self.text[self.begin : at]
            elif state == "value":
                self.add(self.text[self.begin : at])
            return {"name": "equal", "value": "value end"}.get(state, state)
        if char == ";":
            return self.param_end(state, at)
        if char == "=":
            if state == "name":
                self.name = self.text[self.begin : at]
            return "value start" if state in ("name", "equal") else None
        if char == '"':
            self.begin = at + 1
            return "quote" if state == "value start" else None
        if char == ",":
            return state if state in ("value start", "value") and self.name.lower() == "tag" else None
        if state == "name start":
            self.begin = at
            if self.first_param < 0:
                self.first_param = at
        elif state == "value start":
            self.begin = at
        return {"name start": "name", "name": "name", "value start": "value", "value": "value"}.get(state)

    def param_end(self, state: str, at: int) -> str | None:
        """What a `;` between parameters, or the end, does."""
        if state == "name":
            self.name = self.text[self.begin : at]
        if state in ("name", "equal", "value start"):
            self.add("")
        elif state == "value":
            self.add(self.text[self.begin : at])
        elif state != "value end":
            return None
        return "name start"

    def add(self, value: str) -> None:
        if self.name.lower() == "tag":
            self.tag = value
        self.name = ""

    def line_end(self, state: str, at: int) -> str | None:
        """The state that a line end leads to behind the fold."""
        if state in ("bare", "word"):
            self.blank = at
        elif state == "name":
            self.name = self.text[self.begin : at]
        elif state == "value":
            self.add(self.text[self.begin : at])
        return _BEHIND_LINE.get(state)

    def end_of_text(self, state: str, at: int) -> str:
        """The state that a NUL leaves."""
        if state in ("bare", "bare end"):
            self.uri = self.text[self.begin : at]
            return "end"
        if state in ("value", "name"):
            return self.line_end(state, at) or state
        return state if state in ("end", "equal", "value start", "value end") else "start"

    def finish(self, state: str, at: int) -> bool:
        if state in _PARAM_STATES:
            return self.param_end(state, at) is not None
        if state == "bare end":
            self.uri = self.text[self.begin : self.blank]
        elif state == "bare":
            self.uri = self.text[self.begin : at]
        return state in ("bare", "bare end", "end")


_PARAM_STATES: Final = frozenset(("name start", "name", "equal", "value start", "value", "quote", "value end"))
_ORDINARY: Final = {
    "start": "bare", "open": "uri", "bare end": "word", "word end": "word",
    "quoted": "quoted", "word": "word", "uri": "uri", "bare": "bare",
}  # fmt: skip
_BEHIND_LINE: Final = {
    "bare": "bare end", "bare end": "bare end", "word": "word end", "word end": "word end", "quoted end": "quoted end",
    "end": "end", "name start": "name start", "name": "equal", "equal": "equal", "value start": "value start",
    "value": "value end", "value end": "value end",
}  # fmt: skip


def _body(text: str) -> ToBody:
    found = to_body(text)
    if found is None:
        raise NoValue
    return found


ADDRESSES: Final[tuple[Transformation, ...]] = (
    on_words("nameaddr", "uri", "", lambda text: name_addr(text).uri),
    on_words("nameaddr", "len", "", lambda text: name_addr(text).length),
    on_words("nameaddr", "name", "", lambda text: name_addr(text).name),
    on_words("tobody", "uri", "", lambda text: _body(text).uri),
    on_words("tobody", "tag", "", lambda text: _body(text).tag),
    on_words("tobody", "user", "", lambda text: _body(text).parsed.user),
    on_words("tobody", "host", "", lambda text: _body(text).parsed.host),
    on_words("tobody", "params", "", lambda text: _body(text).params),
    on_words("tobody", "display", "", lambda text: _body(text).display),
)
