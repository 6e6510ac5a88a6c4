"""What several test modules share: the command of the server under test, and cases played several at a time."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance import run

ROOT = Path(__file__).resolve().parent.parent
START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from evapi_cfg.cli import main; main()"

# Cases mostly wait for a server to be quiet, so more of them than processors can be under way.
AT_A_TIME = 6


@pytest.fixture(scope="session")
def command() -> str:
    """evapi-cfg of this source tree as a shell command, from whatever directory it is called."""
    return shlex.join([sys.executable, "-c", START])


@pytest.fixture(scope="session")
def outcome_of(request: pytest.FixtureRequest, command: str) -> Callable[[Path], run.Outcome]:
    """The outcome of a case. All cases that tests of this session name as `case` are played side by side, and all
    before the first test goes on: other tests change the environment, and hypothesis minds threads."""
    callspecs = (getattr(item, "callspec", None) for item in request.session.items)
    paths = dict.fromkeys(spec.params["case"] for spec in callspecs if spec and "case" in spec.params)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        futures = {path: pool.submit(run.judge, path, "evapi-cfg", command, "6.1") for path in paths}
    return lambda path: futures[path].result()
