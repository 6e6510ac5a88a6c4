"""Every conformance case on a server of its own, against the transcript of Kamailio 6.1.

Where evapi-cfg differs on purpose, the case has an `.evapi-cfg.golden` written by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import run

CASES = Path(run.__file__).resolve().parent / "cases"

# Cases that a later stage brings to life, with what they wait for. This is the one place that names them.
LATER = {}

ALL = sorted(CASES.glob("*.case"))
NOW = [path for path in ALL if path.stem not in LATER]


@pytest.mark.parametrize("case", NOW, ids=lambda path: path.stem)
def test_as_kamailio(case: Path, outcome_of: Callable[[Path], run.Outcome]) -> None:
    outcome = outcome_of(case)
    assert outcome.state == "same", outcome.report


def test_a_difference_shows(command: str, tmp_path: Path) -> None:
    """The runner itself: what the server does not do must not pass."""
    echo = tmp_path / "echo.case"
    echo.write_text((CASES / "echo.case").read_text())
    golden = (CASES / "echo.6.1.golden").read_text()
    echo.with_suffix(".6.1.golden").write_text(golden.replace("a < 11:echo: hello,", "a < 11:ohce: hello,"))
    outcome = run.judge(echo, "evapi-cfg", command, "6.1")
    assert outcome.state == "differs"
    assert "-a < 11:ohce: hello,\n+a < 11:echo: hello,\n" in outcome.report


def test_later_cases_are_there() -> None:
    assert set(LATER) <= {path.stem for path in ALL}


@pytest.mark.parametrize("case_file", ALL, ids=lambda path: path.stem)
def test_is_recorded(case_file: Path) -> None:
    """A case without its transcripts would be skipped without a word, and one that could not run shows nothing."""
    versions = ["6.1"] if run.Case(case_file).needs else ["6.1", "5.6"]
    for version in versions:
        golden = case_file.with_suffix(f".{version}.golden").read_text()
        assert golden.startswith(("> ", "log ")), f"{case_file.stem} with Kamailio {version}: {golden[:200]}"


@pytest.mark.parametrize("golden", sorted(CASES.glob("*.golden")), ids=lambda path: path.name)
def test_belongs_to_a_case(golden: Path) -> None:
    assert (CASES / f"{golden.name.partition('.')[0]}.case").exists()


def test_our_own_transcripts_differ() -> None:
    """A hand-written transcript that says what Kamailio's does is a leftover."""
    for ours in CASES.glob("*.evapi-cfg.golden"):
        kamailio = ours.with_name(ours.name.replace(".evapi-cfg.", ".6.1."))
        assert ours.read_text() != kamailio.read_text(), ours.name
