"""What several test modules share: the command of the server under test, cases played several at a time, and loops."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import settings
from trustme import CA

from tests.conformance import run
from tests.conformance.warm import Warm
from tests.driven import Runner

ROOT = Path(__file__).resolve().parent.parent
START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from evapi_cfg.cli import main; main()"

settings.register_profile("untimed", deadline=None)  # the machine may be busy
settings.load_profile("untimed")

# Cases mostly wait for a server to be quiet, so more of them than processors can be under way.
AT_A_TIME = 8
A_FEW = 12


@pytest.fixture(scope="session")
def command() -> str:
    """evapi-cfg of this source tree as a shell command, from whatever directory it is called."""
    return shlex.join([sys.executable, "-c", START])


@pytest.fixture(scope="module")
def outcome_of(request: pytest.FixtureRequest) -> Callable[[Path], run.Outcome]:
    """The outcome of a case. All cases that tests of the module name as `case` are played side by side, and all
    before the first test goes on: other tests change the environment, and hypothesis minds threads. A few that differ
    are played once more, one by one: some are about timers, and the machine may have been too busy for these."""
    here = (item for item in request.session.items if item.path == request.path)
    callspecs = (getattr(item, "callspec", None) for item in here)
    paths = dict.fromkeys(spec.params["case"] for spec in callspecs if spec and "case" in spec.params)
    warm = Warm()

    def judge(path: Path) -> run.Outcome:
        return run.judge(path, "evapi-cfg", "evapi-cfg", "6.1", start=warm.start)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        outcomes = dict(zip(paths, pool.map(judge, paths), strict=True))
    different = [path for path, outcome in outcomes.items() if outcome.state == "differs"]
    if len(different) <= A_FEW:
        outcomes |= {path: judge(path) for path in different}
    warm.close()
    return lambda path: outcomes[path]


@pytest.fixture(scope="session")
def authority() -> CA:
    """Makes certificates that only those believe whom a test tells so."""
    return CA()


DEADLINE = 30.0  # seconds


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def in_loop(request: pytest.FixtureRequest) -> Runner:
    """Runs a coroutine function in a loop, and fails where the loop had to report anything."""

    def play(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
        reported: list[str] = []

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(str(context)))
            await asyncio.wait_for(test(), DEADLINE)

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main())
        assert reported == []

    return play
