"""A line of the bench's table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    promise: str
    measured: str
    ok: bool


def at_most(promise: str, value: float, most: float, unit: str = "", more: str = "") -> Row:
    return Row(promise, f"{_shown(value)}{unit}{more}", value <= most)


def at_least(promise: str, value: float, least: float, unit: str = "", more: str = "") -> Row:
    return Row(promise, f"{_shown(value)}{unit}{more}", value >= least)


def nothing(promise: str, faults: list[str], measured: str) -> Row:
    """`faults`: what went wrong, of which there must be none."""
    faults = [fault for fault in faults if fault]
    return Row(promise, f"{measured}; {faults[0]}" if faults else measured, not faults)


def _shown(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
