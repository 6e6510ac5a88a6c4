"""What every command does with its standard output and error, and with a flag that is out of range."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

WIDTH, WIDEST = 80, 110  # columns of text that is wrapped: not on a terminal, and on a wide one


def fail(message: str, status: int = 2) -> NoReturn:
    print(f"evapi-cfg: {message}", file=sys.stderr)
    raise SystemExit(status)


def within(flag: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # so that nan is refused
        fail(f"{flag} {value:,}: from {least:,} to {most:,} is taken")


def coloured() -> bool:
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def columns() -> int:
    """Columns for text that is wrapped."""
    try:
        return min(os.get_terminal_size(1).columns, WIDEST) or WIDTH
    except OSError:
        return WIDTH


def write(text: str, encoding: str = "utf-8") -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.buffer.write(text.encode(encoding, "backslashreplace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as err:
        forget_output()
        fail(f"cannot write to standard output: {(err.strerror or str(err)).lower()}")


def forget_output() -> None:
    """Whatever is still in the buffer goes nowhere, so that the interpreter does not try again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
