"""What one name is, as data; `render` makes text of it."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One thing that a name stands for. `forms`: how it is written; `rows`: what is known of it, as key and value;
    the value may hold Markdown's `code`."""

    title: str
    forms: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]
