"""Numbers and texts of others in columns of a terminal."""

from __future__ import annotations

from unicodedata import combining, east_asian_width

from evapi_cfg import visible

_UNITS = ("", "k", "M", "G", "T", "P")


def count(number: float) -> str:
    """At most six characters: 0, 12, 9,999, 12.3k, 4.5M."""
    if number < 10_000:
        return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"
    unit = 0
    while number >= 999.95 and unit < len(_UNITS) - 1:
        number /= 1000
        unit += 1
    return f"{number:.1f}{_UNITS[unit]}"


def size(number: float) -> str:
    """Bytes, in units of 1,000."""
    text = count(number)
    return f"{text} B" if text[-1].isdigit() else f"{text[:-1]} {text[-1]}B"


def seconds(number: float) -> str:
    """A short time."""
    if number >= 1:
        return f"{number:.1f} s"
    if number >= 1e-3:
        return f"{number * 1e3:.1f} ms"
    return f"{number * 1e6:.1f} us"


def duration(number: float) -> str:
    """A long time."""
    minutes, rest = divmod(int(number), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def fitted(text: str, width: int) -> str:
    """A text of others in exactly so many columns."""
    text = visible.one_line(text).replace("\t", " ")
    kept, used = [], 0
    for char in text:
        columns = 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1
        if used + columns > width:
            break
        kept.append(char)
        used += columns
    return "".join(kept) + " " * (width - used)
