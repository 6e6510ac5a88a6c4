"""The texts that are being read: a file, the files that it includes, the values of defines in the place of their names.

A frame is one such text. The value of a define is read together with a piece of the text behind its use, since its last
token may run into it. This module knows no token.
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.corrections import NO_CORRECTIONS, Corrections
from evapi_cfg.syntax.preprocess import Preprocessor
from evapi_cfg.syntax.tokens import Token, Tokens

FIRST_WINDOW: Final = 256  # characters behind a define's use that its value is read together with, at first
MARGIN: Final = 64  # a token that ends nearer than this to the end of an unfinished window may be longer: enlarge it
NEVER: Final = 1 << 60


class Frame:
    """One text being read, and how to find its places again."""

    __slots__ = ("complete", "file", "mark", "name", "parent_pos", "pos", "size", "stop", "text", "use", "window")

    def __init__(self, text: str, file: SourceFile) -> None:
        self.text = text
        self.pos = 0
        self.stop = NEVER  # a token that starts from here on belongs to the frame below
        self.file = file
        self.use: tuple[int, int] | None = None  # offsets in the file of the outermost name that was expanded
        self.name = ""  # the define
        self.size = 0  # of the define's value
        self.parent_pos = 0  # behind the name, in the text of the frame below
        self.window = 0
        self.complete = True  # False: the text goes on behind the window
        self.mark = (0, 0)  # tokens and diagnostics that were there before this frame


class NeedMore(Exception):
    """A token runs into the end of an unfinished window."""


class Frames:
    """The stack of frames, and what was found in them."""

    def __init__(self, preprocessor: Preprocessor, corrections: Corrections = NO_CORRECTIONS) -> None:
        self.pre = preprocessor
        self._corrections = corrections
        self._strings = corrections.has_strings
        self.tokens: Tokens = []
        self.frames: list[Frame] = []
        self.top: Frame

    # ---- places ------------------------------------------------------------------------------------------------

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the text of the top frame as offsets in its file."""
        if self.top.use is None:
            return start, end
        return self._place(len(self.frames) - 1, start, end)

    def _place(self, level: int, start: int, end: int) -> tuple[int, int]:
        first, last = self._offset(level, start, False), self._offset(level, end, True)
        return first, max(first, last)

    def _offset(self, level: int, offset: int, is_end: bool) -> int:
        while True:
            frame = self.frames[level]
            if frame.use is None:
                return offset
            if offset < frame.size or (is_end and offset == frame.size):
                return frame.use[1] if is_end else frame.use[0]
            offset = offset - frame.size + frame.parent_pos
            level -= 1

    def span(self, start: int, end: int) -> Span:
        return Span(self.top.file, *self.place(start, end))

    def emit(self, terminal: str, value: str | Text, start: int, end: int) -> None:
        if self.top.use is not None:
            start, end = self.place(start, end)
        self.tokens.append(Token(terminal, value, start, end, self.top.file))

    def text_value(self, value: str, start: int, end: int, marks: tuple[tuple[int, int], ...]) -> Text:
        """A value that stands at text[start:end]; substitutions are made, and then nothing leads back."""
        changed = self.pre.substitute(value)
        if changed != value or self.top.use is not None:
            return Text(self.span(start, end), changed)
        return Text(Span(self.top.file, start, end), value, marks)

    # ---- the stack -------------------------------------------------------------------------------------------------

    def _push_file(self, file: SourceFile) -> None:
        text, said = self._corrections.text(file)
        self.pre.diagnostics += said
        self._push(Frame(text, file))

    def _push(self, frame: Frame) -> None:
        frame.mark = (len(self.tokens), len(self.pre.diagnostics))
        self.frames.append(frame)
        self.top = frame

    def _enlarge(self) -> None:
        """Reads the top frame again with more of what stands behind the name; and so the frame below, if it is that
        which is too short."""
        while True:
            frame, parent = self.frames[-1], self.frames[-2]
            if frame.parent_pos + frame.window < len(parent.text):
                break
            self._drop()
        tokens, diagnostics = frame.mark
        del self.tokens[tokens:], self.pre.diagnostics[diagnostics:]
        frame.window *= 16
        self._fill(frame, parent)
        frame.pos = 0

    @staticmethod
    def _fill(frame: Frame, parent: Frame) -> None:
        end = frame.parent_pos + frame.window
        frame.text = frame.text[: frame.size] + parent.text[frame.parent_pos : end]
        frame.complete = end >= len(parent.text) and parent.complete

    def _drop(self) -> None:
        self.frames.pop()
        self.top = self.frames[-1]

    def _leave(self, pos: int) -> None:
        """The top frame has been read up to `pos`: the one below goes on behind it."""
        frame = self.frames.pop()
        if not self.frames:
            self.pre.leave_file()
            return
        self.top = self.frames[-1]
        if frame.use is not None:
            self.top.pos = frame.parent_pos + pos - frame.size
        else:
            self.pre.leave_file()

    def _need(self) -> None:
        """Called where something runs to the end of the text: more may stand behind an unfinished window."""
        if not self.top.complete:
            raise NeedMore
