"""The scanner: text of kamailio.cfg to tokens, with the preprocessor inside it (core/cfg.lex).

Kamailio's scanner drops what it does not know, expands a define by pushing its text back into the input, and reads
other files in the middle of a line; so does this one. What a directive means stands in `preprocess.py`, which this
module asks; it knows no grammar.
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.diagnostics import codes
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax import faults
from evapi_cfg.syntax.frames import FIRST_WINDOW, MARGIN, NEVER, Frame, NeedMore
from evapi_cfg.syntax.keywords import TERMINALS
from evapi_cfg.syntax.preprocess import DIRECTIVE, IGNORED_ELSE, SKIPPED_DIRECTIVE
from evapi_cfg.syntax.states import States
from evapi_cfg.syntax.tokens import (
    BLANK,
    BLOCK_COMMENT,
    COLON,
    COLON_WORDS,
    COMMENT,
    COMMENT_ENDS,
    DOLLAR,
    IPV6,
    MARK,
    NUMBER,
    OPERAND,
    OPERATOR,
    OPERATORS,
    PLAIN_STRING,
    QUOTE,
    TOKEN,
    UNKNOWN,
    WORD,
    Token,
    Tokens,
    is_unknown,
)

MAX_EXPANSIONS: Final = 250_000  # uses of defines, those inside of values with them
MAX_EXPANDED: Final = 4 << 20  # characters that stand for them


class Scanner(States):
    """Reads one configuration with all that it includes; `tokens` holds the result."""

    _expansions = 0
    _expanded = 0

    # ---- the loop ----------------------------------------------------------------------------------------------

    def scan(self, file: SourceFile) -> Tokens:
        self.pre.enter(file)
        self._push_file(file)
        while self.frames:
            try:
                self._run()
            except NeedMore:
                self._enlarge()
        return self.tokens

    def _run(self) -> None:
        """Reads on until the top frame changes or ends."""
        frame = self.top
        text, stop = frame.text, frame.stop
        match, append, new, file = TOKEN.match, self.tokens.append, tuple.__new__, frame.file
        plain = frame.use is None
        limit = NEVER if frame.complete else len(text) - MARGIN
        terminals, operators, defines = TERMINALS, OPERATORS, self.pre.defines
        pos = frame.pos
        while True:
            begin = pos
            found = match(text, pos)
            kind = found.lastindex  # type: ignore[union-attr]
            start, pos = found.span(kind)  # type: ignore[union-attr, arg-type]
            if pos > limit:
                raise NeedMore
            if start >= stop:
                self._look_for_comment(begin)
                self._leave(start)
                return
            if kind == WORD:
                word = text[start:pos]
                if text[pos : pos + 1] == ":":
                    colon = self._colon_word(text, start, pos, word)
                    if colon:
                        pos = colon
                        continue
                terminal = terminals.get(word)
                if terminal is None:
                    if word[0] <= "9":
                        terminal = "NUMBER" if NUMBER.fullmatch(word) else "NUM_ID"
                    elif word in defines:
                        frame.pos = pos
                        if self._expand(word, start, pos):
                            return
                        terminal = "ID"
                    else:
                        terminal = "ID"
                elif terminal == "EVENT_ROUTE":
                    self.emit(terminal, word, start, pos)
                    pos = self._event_name(text, pos)
                    continue
                elif terminal == "MYSELF":
                    terminal = self._myself()
                elif terminal == "INCLUDE":
                    frame.pos = pos
                    if self._include(word, start, pos):
                        return
                    pos = frame.pos
                    continue
                if plain:
                    append(new(Token, (terminal, word, start, pos, file)))
                else:
                    self.emit(terminal, word, start, pos)
            elif kind == OPERATOR:
                word = text[start:pos]
                terminal = operators.get(word, word)
                if plain:
                    append(new(Token, (terminal, word, start, pos, file)))
                else:
                    self.emit(terminal, word, start, pos)
            elif kind == PLAIN_STRING:
                if limit != NEVER and not text[pos:].strip(BLANK):
                    raise NeedMore
                if self._strings:
                    pos = self._quoted(text, start)
                    continue
                value = self.text_value(text[start + 1 : pos - 1], start, pos, ((0, start + 1),))
                self._string(value, start, pos)
            elif kind == DOLLAR:
                pos = self._variable(text, start)
            elif kind == COMMENT:
                frame.pos = start
                pos = self._directive(text, start)
                if self.top is not frame:
                    return
            elif kind == BLOCK_COMMENT:
                pos = self._block_comment(text, pos)
            elif kind == QUOTE:
                pos = self._quoted(text, start)
            elif kind == COLON:
                pos = self._ipv6(text, start) or pos
                if pos == start + 1:
                    self.emit(":", ":", start, pos)
            elif kind == MARK:
                if text[start] == "@":
                    pos = self._select(text, start)
                elif self._is_percent(text, pos):
                    self.emit("RESERVED", "%", start, pos)
                else:
                    pos = self._attribute(text, start, pos)
            elif kind == UNKNOWN:
                pos = self._unknown(text, start)
            else:
                self._leave(pos)
                if self.frames and self.pre.skipping:  # a condition that an included file has opened
                    self.top.pos = self._skipped(self.top.text, self.top.pos)
                return

    # ---- words -------------------------------------------------------------------------------------------------

    def _colon_word(self, text: str, start: int, pos: int, word: str) -> int:
        """Words with colons: IPv6 addresses and `uri:host`. Gives the end, or 0."""
        for longer in COLON_WORDS.get(word, ()):
            if text.startswith(longer, start):
                self.emit(TERMINALS[longer], longer, start, start + len(longer))
                return start + len(longer)
        end = self._ipv6_end(text, start)
        if end <= pos:
            return 0
        self.emit("IPV6", text[start:end], start, end)
        return end

    def _ipv6(self, text: str, start: int) -> int:
        end = self._ipv6_end(text, start)
        if end:
            self.emit("IPV6", text[start:end], start, end)
        return end

    @staticmethod
    def _ipv6_end(text: str, start: int) -> int:
        return max((found.end() for form in IPV6 if (found := form.match(text, start))), default=0)

    def _myself(self) -> str:
        """`uri == myself`: the word is a value there, never the start of `myself == uri`."""
        tokens = self.tokens
        if len(tokens) > 1 and tokens[-1].terminal in ("EQUALS", "=~") and tokens[-2].terminal in ("T_URI", "T_IP"):
            return "MYSELF_VALUE"
        return "MYSELF"

    def _expand(self, name: str, start: int, end: int) -> bool:
        """Puts the value of a define in the place of its name. False: the name stays what it is."""
        value = self.pre.defines[name]
        self._expansions += 1
        self._expanded += len(value or "")
        if self._expansions > MAX_EXPANSIONS or self._expanded > MAX_EXPANDED:
            return self._stop(name, start, end)
        if any(frame.name == name and frame.use is not None for frame in self.frames):
            self.pre.report(
                codes.RECURSIVE_DEFINE,
                f"the value of `{name}` leads back to `{name}`",
                self.span(start, end),
                help=f"give `{name}` a value in which it does not occur",
                notes=("Kamailio expands it for ever and never comes to an end of the file",),
            )
            return False
        self.top.pos = end
        if not value:
            return True
        parent = self.top
        frame = Frame(value, parent.file)
        frame.use = self.place(start, end)
        frame.name = name
        frame.size = frame.stop = len(value)
        frame.parent_pos = end
        frame.window = FIRST_WINDOW
        self._fill(frame, parent)
        self._push(frame)
        return True

    def _stop(self, name: str, start: int, end: int) -> bool:
        """Gives the whole text up."""
        self.pre.diagnostics.append(faults.too_many_expansions(self.span(start, end), name))
        self.frames.clear()
        self.tokens.clear()
        return True

    # ---- comments and what nobody knows --------------------------------------------------------------------------

    def _block_comment(self, text: str, pos: int) -> int:
        start, depth = pos - 2, 1
        while depth:
            found = COMMENT_ENDS.search(text, pos)
            if found is None:
                self._need()
                self.pre.diagnostics.append(faults.unclosed_comment(self.span(start, start + 2), depth))
                return len(text)
            depth += 1 if found[0] == "/*" else -1
            pos = found.end()
        return pos

    def _is_percent(self, text: str, pos: int) -> bool:
        """Whether a `%` stands behind a value, where no attribute can stand."""
        last = self.tokens[-1].terminal if self.tokens else ""
        return last in ("VARIABLE", "AVP_OR_VARIABLE", "NUMBER") or (last == ")" and bool(OPERAND.match(text, pos)))

    def _unknown(self, text: str, start: int) -> int:
        quote = faults.typographic_string(text, start)
        if quote >= 0:
            return self._typographic(text, start, quote)
        end = start + 1
        while end < len(text) and is_unknown(text[end]):
            end += 1
        if not self.pre.full:
            self.pre.diagnostics.append(faults.dropped(self.span(start, end), text[start:end]))
        return end

    def _typographic(self, text: str, start: int, quote: int) -> int:
        """A text in typographic quotes, which is read as the string that is meant."""
        size = 1 if text[start] == "`" else len(faults.TYPOGRAPHIC[0])
        end = quote + (1 if text[quote] in "\"'`" else size)
        self.pre.diagnostics.append(faults.typographic_quote(self.span(start, start + size)))
        self._string(self.text_value(text[start + size : quote], start, end, ((0, start + size),)), start, end)
        return end

    # ---- directives --------------------------------------------------------------------------------------------

    def _directive(self, text: str, start: int) -> int:
        """A comment, or a directive that looks like one. Gives the place to go on from."""
        found = DIRECTIVE.match(text, start)
        if found is None:
            if text[start] == "!":
                self.emit("NOT", "!", start, start + 1)
                return start + 1
            end = text.find("\n", start)
            if end < 0:
                self._need()
                end = len(text)
            self._comment(self.span(start, end), text[start:end])
            return end
        matched, end = found[0], found.end()
        if end >= len(text):
            self._need()
        word = matched[2:]
        if word.startswith("subst"):
            self.emit("SUBST", word, start, end)
            return end
        if word in ("include_file", "import_file"):
            self.top.pos = end
            self._include(word, start, end)
            return self.top.pos
        line_end = text.find("\n", start)
        if line_end < 0:
            self._need()
        end, skip = self.pre.directive(matched, text, end, self.span)
        if skip:
            end = self._skipped(text, end)
        return end

    def _look_for_comment(self, begin: int) -> None:
        """A comment in the value of a define takes the rest of the line with it on which the name is used."""
        frame = self.top
        value = frame.text[begin : frame.size]
        if "#" not in value and "//" not in value:
            return
        taken = frame.text[frame.size :].partition("\n")[0].strip()
        if taken and not taken.startswith(("#", "//")):
            defined = self.pre.defined_at(frame.name)
            self.pre.diagnostics.append(faults.comment_in_define(self.span(0, 1), frame.name, taken, defined))

    def _comment(self, span: Span, text: str) -> None:
        if (text[1:2] != "!" and text[2:3] != "!") or self.pre.full:
            return
        diagnostic = faults.comment(span, text)
        if diagnostic is None:
            return
        if text[2:7] == "endif":
            self.pre.ignored_end(span)
        else:
            self.pre.diagnostics.append(diagnostic)

    def _skipped(self, text: str, pos: int) -> int:
        """Throws text away until the conditions hold again: only conditions are looked at there, wherever they are."""
        start = pos
        while True:
            found = SKIPPED_DIRECTIVE.search(text, pos)
            if found is None:
                self._need()
            else_comment = IGNORED_ELSE.search(text, pos, found.start() if found else len(text))
            if else_comment is not None:
                self._comment(self.span(*else_comment.span()), else_comment[0])
            if found is None:
                pos, skip = len(text), False
            else:
                pos, skip = self.pre.directive(found[0], text, found.end(), self.span)
            if not skip:
                self.pre.branches.skipped.append(self.span(start, pos))
                return pos

    def _include(self, word: str, start: int, pos: int) -> bool:
        """Reads the file name behind the directive and opens it. True: it is the top frame now."""
        text = self.top.text
        begin = pos
        while begin < len(text) and text[begin] in " \t\r\n":
            begin += 1
        end = begin
        while end < len(text) and text[end] not in " \t\r\n":
            end += 1
        if end >= len(text):
            self._need()
        self.top.pos = end
        span = self.span(begin, end) if end > begin else self.span(start, pos)
        file = self.pre.include(word, text[begin:end], span)
        if file is not None:
            self._push_file(file)
            return True
        last = self.pre.diagnostics[-1].code if self.pre.diagnostics else None
        if last is codes.BAD_INCLUDE_NAME:
            line_end = text.find("\n", end)
            self.top.pos = len(text) if line_end < 0 else line_end
        elif last is codes.INCLUDED_TOO_DEEP:
            return self._leave_loop()
        return False

    def _leave_loop(self) -> bool:
        """Forgets all rounds but the first of a file that includes itself. False: it is no loop."""
        names = [frame.file.name if frame.use is None else "" for frame in self.frames]
        again = next((n for n, name in enumerate(names) if name and name in names[:n]), 0)
        if not again:
            return False
        fault = self.pre.diagnostics.pop()
        tokens, diagnostics = self.frames[again].mark
        del self.tokens[tokens:], self.pre.diagnostics[diagnostics:]
        self.pre.diagnostics.append(fault)
        while len(self.frames) > again:
            if self.top.use is None:
                self.pre.leave_file()
            self._drop()
        return True
