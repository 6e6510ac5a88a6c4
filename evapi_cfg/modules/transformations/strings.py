"""`{s.*}`, the part that cuts, searches and counts (modules/pv/pv_trans.c: tr_eval_string).

Texts have one character per byte. A function that raises NoValue fails as Kamailio's does.
"""

from __future__ import annotations

import re
import time
from typing import Final

from evapi_cfg.modules.spec import NoValue, Transformation
from evapi_cfg.modules.transformations.arguments import (
    Argument,
    Cursor,
    count,
    number,
    on_text,
    on_value,
    text,
    text_of,
    text_or_comma,
)
from evapi_cfg.modules.transformations.chain import IntText, int_with_text
from evapi_cfg.values import LONG_MAX, LONG_MIN, Value, int32

BUFFER: Final = 65536  # TR_BUFFER_SIZE
WHITE: Final = " \t\r\n"
_DIGITS: Final = re.compile(r"[+-]?[0-9]*\Z")
_FOLD: Final = re.compile(r"[\r\n]+[ \t]*")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER: Final = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}


def decimal(text: str) -> int:
    """The number that a text is; a sign alone and an empty text are 0 (core/ut.h: str2slong)."""
    if not _DIGITS.match(text):
        raise NoValue
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) > 19:
        raise NoValue
    number = -int(digits or 0) if text[:1] == "-" else int(digits or 0)
    if not LONG_MIN <= number <= LONG_MAX:
        raise NoValue
    return number


def unsigned(number: int) -> str:
    """How core/ut.h: int2str prints a signed number."""
    return str(number % 2**64)


def fits(text: str, size: int = BUFFER - 1) -> str:
    """The text, if it is not longer than `size`."""
    if len(text) > size:
        raise NoValue
    return text


# ---- numbers --------------------------------------------------------------------------------------------------------


def to_int(value: Value) -> Value:
    if isinstance(value, int):
        return value
    text = text_of(value)
    return int_with_text(decimal(text), text)


def to_int_value(value: Value) -> Value:
    if isinstance(value, int):
        return int_with_text(int(value), unsigned(value))
    return to_int(value)


def corehash(text: str, size: int = 0) -> str:
    """core/hashes.h: core_hash; with a size the slot of a table of that size, which should be a power of two."""
    data = text.encode("latin-1")
    cut = len(data) - len(data) % 4
    found = 0
    for at in (*range(0, cut, 4), cut):
        word = int.from_bytes(data[at : at + 4] if at < cut else data[cut:], "big")
        found += word ^ (word >> 3)
    found &= 0xFFFFFFFF
    found = (found + (found >> 11) + (found >> 13) + (found >> 23)) & 0xFFFFFFFF
    size &= 0xFFFFFFFF
    return str(found & (size - 1) if size else found)


def formatted_time(value: Value, form: str) -> str:
    """strftime of a Unix time, in local time."""
    seconds = int(value) if isinstance(value, int) else decimal(text_of(value))
    try:
        moment = time.localtime(seconds)
    except (OverflowError, OSError):
        raise NoValue from None
    return time.strftime(form.partition("\0")[0], moment)


# ---- parts ----------------------------------------------------------------------------------------------------------


def substr(text: str, offset: int, length: int) -> str:
    """`length` characters from `offset`, which counts from the end where it is negative; 0 means all."""
    offset, length = int32(offset), int32(length)
    if length < 0:
        raise NoValue
    if offset < 0:
        offset += len(text)
        if offset < 0:
            raise NoValue
    elif offset >= len(text):
        raise NoValue
    return fits(text[offset : offset + length] if length else text[offset:])


def select(text: str, index: int, separator: str) -> str:
    """The part at `index`, from the end where it is negative; an empty text where there is none."""
    index = int32(index)
    parts = text.split(separator, index + 1) if 0 <= index < len(text) else text.split(separator)
    return fits(parts[index]) if -len(parts) <= index < len(parts) else ""


def selectsw(text: str, index: int) -> str:
    """As `select`, between single white-space characters."""
    index = int32(index)
    parts = re.split(r"[ \t\r\n]", text)
    return fits(parts[index]) if -len(parts) <= index < len(parts) else ""


def strip(text: str, number: int) -> str:
    number = int32(number)
    return text if number <= 0 else fits(text[number:])


def striptail(text: str, number: int) -> str:
    number = int32(number)
    return text if number <= 0 else fits(text[: max(len(text) - number, 0)])


def _first(argument: str) -> str:
    """The one character that counts. Of an empty argument Kamailio takes what stands behind it in the cfg: the `}`."""
    return argument[0] if argument else "}"


def stripto(text: str, stop: str) -> str:
    at = text.find(_first(stop))
    return fits(text[at:]) if at >= 0 else ""


def before(text: str, stop: str) -> str:
    return fits(text, BUFFER - 2).partition(_first(stop))[0]


def after(text: str, stop: str) -> str:
    return fits(text, BUFFER - 2).partition(_first(stop))[2]


def rbefore(text: str, stop: str) -> str:
    """In front of the last one. Where that is not the last character Kamailio reads beyond the text."""
    return fits(text, BUFFER - 2).rpartition(_first(stop))[0]


def rafter(text: str, stop: str) -> str:
    """Behind the last one; see `rbefore`."""
    return fits(text, BUFFER - 2).rpartition(_first(stop))[2]


def char_at(text: str, index: int) -> str:
    """The first character, wherever `index` points to inside the text: so does Kamailio up to 6.1.4, which looks the
    character up and does not hand it on."""
    return text[0] if 0 <= int32(index) < len(text) else ""


def byte_at(text: str, index: int) -> int:
    """The code of a byte, as a C char has it: signed. Out of range -1, which prints nothing."""
    index = int32(index)
    if not 0 <= index < len(text):
        return IntText(-1, "")
    code = ord(text[index])
    return code if code < 128 else IntText(code - 256, unsigned(code - 256))


def prefixes(text: str, most: int = 0) -> str:
    """All beginnings of the text, the shortest first, with commas between them."""
    return ",".join(_prefixes(text, most, 3))


def prefixes_quoted(text: str, most: int = 0) -> str:
    return ",".join([f"'{prefix}'" for prefix in _prefixes(text, most, 1)])


def _prefixes(text: str, most: int, extra: int) -> list[str]:
    number = most if 0 < most < len(text) else len(text)
    if number * (number // 2 + extra) > BUFFER - 1:
        raise NoValue
    return [text[:length] for length in range(1, number + 1)]


# ---- changes --------------------------------------------------------------------------------------------------------


def replace(text: str, old: str, new: str) -> str:
    if not old:
        if "," in text:  # what stands behind the empty argument; Kamailio inserts until its buffer is full, or for ever
            raise NoValue
        return fits(text)
    result = text.replace(old, new)
    if len(result) < BUFFER - 1:
        return result
    done = 0  # bytes of the buffer
    parts = text.split(old)
    for part in parts[:-1]:
        done += len(part)
        if done >= BUFFER - 1:
            break
        done += len(new)
        if done >= BUFFER - 1:
            raise NoValue
    return result[: BUFFER - 1]


def remove(text: str, part: str) -> str:
    return fits(text, BUFFER - 2).replace(part, "") if part else fits(text, BUFFER - 2)


def unescaped(cursor: Cursor) -> Argument:
    """A text whose `\\n`, `\\r` and `\\t` are control characters (s.rm)."""
    found = text(cursor)
    if not isinstance(found, str) or "\\" not in found:
        return found
    return re.sub(r"\\([\s\S])", lambda escape: _ESCAPES.get(escape[1], escape[1]), found)


def unquote(value: Value) -> Value:
    text = text_of(value)
    if len(text) < 2:
        return value
    fits(text, BUFFER - 2)
    return text[1:-1] if text[0] in "\"'" and text[-1] == text[0] else text


def unbracket(value: Value) -> Value:
    text = text_of(value)
    if len(text) < 2:
        return value
    fits(text, BUFFER - 2)
    return text[1:-1] if text[0] + text[-1] in ("()", "[]", "{}", "<>") else text


def without_white(text: str) -> str:
    return fits(text, BUFFER - 2).replace(" ", "").replace("\t", "").replace("\r", "").replace("\n", "")


def unfold(text: str) -> str:
    """Line ends go; the blanks behind one become one."""
    return _FOLD.sub(lambda fold: " " if fold[0][-1] in " \t" else "", fits(text, BUFFER - 2))


def unfold_all(text: str) -> str:
    """Line ends and the blanks behind them go."""
    return _FOLD.sub("", fits(text, BUFFER - 2))


def format_lines(text: str, length: int, margin: int, blank: str) -> str:
    """Meant to break lines; breaks behind each of the first `length - 1` characters instead, as Kamailio does."""
    length, margin = int32(length), int32(margin)
    if length <= 0 or margin < 0 or len(text) + len(text) // length * (2 + margin) > BUFFER - 2:
        raise NoValue
    out: list[str] = []
    # With a margin not smaller than the text Kamailio reads from the buffer that it writes to.
    shared = margin >= len(text)
    line_break = "\r\n" + blank * margin
    for at in range(len(text)):
        if 0 < at < length:
            out += line_break
        out.append((out[at] if at < len(out) else text[at]) if shared else text[at])
    return fits("".join(out), BUFFER - 2)


def format_lines_blank(text: str, length: int, margin: int) -> str:
    return format_lines(text, length, margin, " ")


def format_lines_tab(text: str, length: int, margin: int) -> str:
    return format_lines(text, length, margin, "\t")


STRINGS: Final[tuple[Transformation, ...]] = (
    on_text("s", "len", "", len),
    on_value("s", "int", "", to_int),
    on_value("s", "intv", "", to_int_value),
    on_text("s", "rmws", "", without_white),
    on_text("s", "rmhdws", "", unfold),
    on_text("s", "rmhlws", "", unfold_all),
    on_text("s", "tolower", "", lambda value: fits(value).translate(_LOWER)),
    on_text("s", "toupper", "", lambda value: fits(value).translate(_UPPER)),
    on_text("s", "numeric", "", lambda value: re.sub("[^0-9]", "", fits(value, BUFFER))),
    on_text("s", "substr", "(n,n)", substr, number, count),
    on_text("s", "select", "(n,c)", select),
    on_text("s", "selectsw", "(n)", selectsw),
    on_text("s", "strip", "(n)", strip),
    on_text("s", "striptail", "(n)", striptail),
    on_text("s", "stripto", "(s)", stripto),
    on_text("s", "prefixes", "(n?)", prefixes),
    on_text("s", "prefixes.quoted", "(n?)", prefixes_quoted),
    on_text("s", "replace", "(s,s)", replace),
    on_value("s", "ftime", "(s)", formatted_time),
    on_text("s", "trim", "", lambda value: fits(value, BUFFER - 2).strip(WHITE)),
    on_text("s", "ltrim", "", lambda value: fits(value, BUFFER - 2).lstrip(WHITE)),
    on_text("s", "rtrim", "", lambda value: fits(value, BUFFER - 2).rstrip(WHITE)),
    on_text("s", "rm", "(s)", remove, unescaped),
    on_text("s", "corehash", "(n?)", corehash),
    on_value("s", "unquote", "", unquote),
    on_value("s", "unbracket", "", unbracket),
    on_text("s", "count", "(s)", lambda value, part: value.count(_first(part)), text_or_comma),
    on_text("s", "before", "(s)", before, text_or_comma),
    on_text("s", "after", "(s)", after, text_or_comma),
    on_text("s", "rbefore", "(s)", rbefore, text_or_comma),
    on_text("s", "rafter", "(s)", rafter, text_or_comma),
    on_text("s", "fmtlines", "(n,n)", format_lines_blank, count, count),
    on_text("s", "fmtlinet", "(n,n)", format_lines_tab, count, count),
    on_text("s", "charat", "(n)", char_at),
    on_text("s", "byteat", "(n)", byte_at),
)
