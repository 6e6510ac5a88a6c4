"""Values of modparams that Kamailio refuses: the checks of `Param`."""

from __future__ import annotations

from collections.abc import Callable

Check = Callable[[int | str], str | None]


def within(low: int, high: int | None = None) -> Check:
    """A number from `low` to `high`, both of them good."""
    wanted = f"it must be {low} or more" if high is None else f"it must be from {low} to {high}"

    def check(value: int | str) -> str | None:
        return None if isinstance(value, int) and low <= value and (high is None or value <= high) else wanted

    return check


def readable(read: Callable[[str], object]) -> Check:
    """What `read` takes; the message of its ValueError says what is wrong with anything else."""

    def check(value: int | str) -> str | None:
        try:
            read(str(value))
        except ValueError as error:
            return str(error)
        return None

    return check


def filled(value: int | str) -> str | None:
    """Any text but an empty one."""
    return None if value != "" else "it may not be empty"
