"""Ordinary mistakes, one at a time: each is found, at its exact place, and said once."""

from __future__ import annotations

import pytest

from evapi_cfg.check.report import check_text
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.source import show, store
from tests.check.faults import BASE, Fault, faults

# What is not found yet, or not as it should be. This is the one place that names it.
LATER: set[str] = set()
ALL = faults()
FAULTS = [fault for fault in ALL if fault.name not in LATER]


def found_in(fault: Fault) -> tuple[Diagnostic, ...]:
    return check_text(store(fault.text), "fault.cfg").diagnostics


def test_the_file_without_a_fault() -> None:
    assert check_text(store(BASE), "base.cfg").diagnostics == ()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault(fault: Fault) -> None:
    shown = []
    for found in found_in(fault):
        start, end = (found.span.file.position(at) for at in (found.span.start, found.span.end))
        shown.append((found.severity.value, found.code.name, start.line, (start.column, end.column)))
        assert fault.hint in show(found.message) or fault.hint in show(found.help), f"{found.message}: {found.help}"
    assert shown == [(fault.severity, fault.code, fault.line, fault.columns)]


def test_later_faults_are_there() -> None:
    assert {fault.name for fault in ALL} >= LATER
