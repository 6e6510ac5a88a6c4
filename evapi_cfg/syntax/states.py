"""Parts of the text with an alphabet of their own: strings, variables, selects, attributes, the names of event routes
(the start conditions of core/cfg.lex)."""

from __future__ import annotations

from evapi_cfg.source import Span
from evapi_cfg.syntax import faults
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.corrections import of_string
from evapi_cfg.syntax.frames import Frames
from evapi_cfg.syntax.tokens import (
    ATTRIBUTE,
    ATTRIBUTE_CLASSES,
    AVP,
    BETWEEN,
    BLANK,
    ESCAPE,
    EVENT,
    ID,
    PARENTHESES,
    PV_NAME,
    RETURN_CODE,
    SELECT_NUMBER,
    SIMPLE_VARIABLE,
    unescape,
)


class States(Frames):
    """Each method reads from a place in the text of the top frame, and gives the place behind."""

    # ---- strings -----------------------------------------------------------------------------------------------

    def _string(self, value: Text, start: int, end: int) -> None:
        tokens = self.tokens
        if "\0" in value.value:
            value = value.part(0, value.value.index("\0"))  # to Kamailio, a C string ends there
        self.emit("STRING", value, start, end)
        if len(tokens) > 1:
            before = tokens[-2]
            if before.terminal == "SUBST":
                self.pre.substitution(str(before.value), value)
            elif before.terminal == "LOADMODULE" or (
                before.terminal == "(" and len(tokens) > 2 and tokens[-3].terminal == "LOADMODULE"
            ):
                self.pre.loaded(value.value)

    def _quoted(self, text: str, start: int) -> int:
        if self._strings and self.top.use is None:
            corrected = self._corrections.string(self.top.file, start)
            if corrected is not None:
                end, said = corrected
                self.pre.diagnostics.append(said)
                span = Span(self.top.file, start, end)
                self._string(Text(span, text[start + 1 : end], ((0, start + 1),)), start, end)
                return end
        if text[start] == "'":
            end = text.find("'", start + 1)
            if end < 0:
                return self._unclosed(text, start)
            self._string(self.text_value(text[start + 1 : end], start, end + 1, ((0, start + 1),)), start, end + 1)
            return end + 1
        parts: list[str] = []
        marks: list[tuple[int, int]] = []
        size = 0
        opened, pos = start, start + 1
        fresh = True  # the next part does not follow the last one in step
        while True:
            found = ESCAPE.match(text, pos)
            if found is None:
                return self._unclosed(text, opened)
            piece = found[0]
            if piece == '"':
                end = pos + 1
                between = BETWEEN.match(text, end)
                after = between.end() if between else end
                if after >= len(text):
                    self._need()
                if text[after : after + 1] != '"':
                    break
                opened, pos, fresh = after, after + 1, True
                continue
            value = unescape(piece)
            if fresh and value:
                marks.append((size, pos))
                fresh = False
            if len(value) != len(piece):
                fresh = True
            parts.append(value)
            size += len(value)
            pos = found.end()
        self._string(self.text_value("".join(parts), start, end, tuple(marks) or ((0, start + 1),)), start, end)
        return after

    def _unclosed(self, text: str, start: int) -> int:
        self._need()
        span = self.span(start, start + 1)
        if self.top.use is not None:
            self.pre.diagnostics.append(faults.unclosed_string(span))
            return len(text)
        correction = of_string(span)
        end = correction.end
        self.pre.diagnostics.append(correction.fault(Span(span.file, *correction.place)))
        self._string(Text(Span(span.file, start, end), text[start + 1 : end], ((0, start + 1),)), start, end)
        return end

    # ---- variables ---------------------------------------------------------------------------------------------

    def _variable(self, text: str, start: int) -> int:
        found = SIMPLE_VARIABLE.match(text, start)
        mode = self.pre.mode
        if found and mode != "ser":
            end = found.end()
            if end >= len(text):
                self._need()
            terminal = "VARIABLE"
            if mode == "max" and text[end - 1] != ")":
                terminal = "AVP_OR_VARIABLE"
                self.emit(terminal, Text(self.span(start, end), text[start:end], self._marks(start)), start, end)
                return end
            self.emit(terminal, self.text_value(text[start:end], start, end, ((0, start),)), start, end)
            return end
        code = RETURN_CODE.match(text, start)
        if code:
            end = code.end()
            self.emit("VARIABLE", Text(self.span(start, end), code[0], self._marks(start)), start, end)
            return end
        if mode == "ser":
            return self._attribute(text, start, start + 1)
        if text[start + 1 : start + 2] == "(":
            return self._parentheses(text, start, start + 2)
        return self._avp_or_variable(text, start) if mode == "max" else self._named(text, start)

    def _marks(self, start: int) -> tuple[tuple[int, int], ...]:
        return ((0, start),) if self.top.use is None else ()

    def _named(self, text: str, start: int) -> int:
        """`$name`, `$name(...)` in a file that says #!KAMAILIO."""
        found = PV_NAME.match(text, start + 1)
        end = found.end() if found else start + 1
        if end >= len(text):
            self._need()
            self.pre.diagnostics.append(faults.unclosed_variable(self.span(start, end), "end of file"))
            return end
        if text[end] == "(":
            return self._parentheses(text, start, end + 1)
        if end == start + 1:
            self.pre.diagnostics.append(faults.lone_dollar(self.span(start, end)))
            end = start + 1
        self.emit("VARIABLE", self.text_value(text[start:end], start, end, ((0, start),)), start, end)
        return end

    def _avp_or_variable(self, text: str, start: int) -> int:
        """The same in a file that does not: there `$name[...]` and `$f.name` are AVPs."""
        pos = start + 1
        while True:
            found = AVP.match(text, pos)
            if found:
                break
            pos += 1
            if pos >= len(text):
                self._need()
                self.pre.diagnostics.append(faults.lone_dollar(self.span(start, start + 1)))
                return pos
        if pos > start + 1:
            self.pre.diagnostics.append(faults.detached_dollar(self.span(start, start + 1), found[0]))
            start = pos
        end = found.end()
        if end >= len(text):
            self._need()
        last = text[end - 1]
        if last == "(":
            return self._parentheses(text, start, end)
        if last in ".[":
            return self._attribute(text, start, start + 1)
        span = self.span(start, end)
        self.emit("AVP_OR_VARIABLE", Text(span, text[start:end], self._marks(start)), start, end)
        return end

    def _parentheses(self, text: str, start: int, pos: int) -> int:
        """From behind an open parenthesis to the one that closes it, on the same line."""
        depth = 1
        while True:
            found = PARENTHESES.search(text, pos)
            if found is None:
                self._need()
                self.pre.diagnostics.append(faults.unclosed_variable(self.span(start, pos), "end of file"))
                return len(text)
            pos = found.end()
            if found[0] == "(":
                depth += 1
            elif found[0] == ")":
                depth -= 1
                if not depth:
                    break
            else:
                self.pre.diagnostics.append(faults.unclosed_variable(self.span(start, pos - 1), "end of the line"))
                self.emit("VARIABLE", Text(self.span(start, pos - 1), ""), start, pos - 1)
                return self._end_of_variable(text, pos, depth)
        self.emit("VARIABLE", self.text_value(text[start:pos], start, pos, ((0, start),)), start, pos)
        return pos

    @staticmethod
    def _end_of_variable(text: str, pos: int, depth: int) -> int:
        """Where a variable that runs over the end of its line is closed, if it is on the next line; else that line."""
        for found in PARENTHESES.finditer(text, pos):
            if found[0] == "\n":
                break
            depth += 1 if found[0] == "(" else -1
            if not depth:
                return found.end() if text[pos : found.start()].strip() else pos
        return pos

    # ---- states with an alphabet of their own ------------------------------------------------------------------

    def _event_name(self, text: str, pos: int) -> int:
        """Behind `event_route`: brackets and the name; every other character is dropped (state EVRTNAME)."""
        told = False
        while True:
            found = EVENT.search(text, pos)
            start, end = found.span() if found else (len(text), len(text))
            if end >= len(text):
                self._need()
            dropped = text[pos:start]
            if "{" in dropped:
                return pos + dropped.index("{")  # the bracket is missing: the parser says so
            if found is None:
                return len(text)
            if dropped.strip(BLANK) and not told:
                told = True
                begin = pos + len(dropped) - len(dropped.lstrip(BLANK))
                name = found[0] if found[0] not in "[]" else ""
                span = self.span(begin, end if name else start)
                self.pre.diagnostics.append(faults.dropped_in_event_name(span, dropped.strip(BLANK), name))
            pos = end
            self.emit("EVENT_NAME" if len(found[0]) > 1 else found[0], found[0], start, end)
            if found[0] == "]":
                return pos

    def _select(self, text: str, start: int) -> int:
        """Behind `@`: words are names there, also those that are reserved elsewhere (state SELECT)."""
        self.emit("@", "@", start, start + 1)
        pos = start + 1
        while True:
            if pos >= len(text):
                self._need()
                return pos
            char = text[pos]
            if char in ".[]":
                self.emit(char, char, pos, pos + 1)
                pos += 1
            elif char == "\n":
                pos += 1
            elif char == '"':
                pos = self._quoted(text, pos)
            else:
                name = ID.match(text, pos)
                found = name or SELECT_NUMBER.match(text, pos)
                if found is None:
                    return pos
                if found.end() >= len(text):
                    self._need()
                self.emit("ID" if name else "NUMBER", found[0], pos, found.end())
                pos = found.end()

    def _attribute(self, text: str, start: int, pos: int) -> int:
        """`%name`, `%f.name`: all that is no part of a name is dropped until one has come (state ATTR)."""
        self.emit("ATTRIBUTE", text[start], start, start + 1)
        while True:
            found = ATTRIBUTE.search(text, pos)
            if found is None:
                self._need()
                return len(text)
            begin, pos = found.span()
            if pos >= len(text):
                self._need()
            word = found[0]
            if word in ATTRIBUTE_CLASSES:
                self.emit("ATTRIBUTE_CLASS", word, begin, pos)
            elif word[0] in ".[]*":
                self.emit(word, word, begin, pos)
            elif word[0].isdigit():
                self.emit("NUMBER", word, begin, pos)
            else:
                self.emit("ID", word, begin, pos)
                return pos
