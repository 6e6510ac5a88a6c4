"""Valid configurations with one token left out, doubled, or changed with its neighbour: the checker always comes to an
end, says little, and does not read the text over and over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evapi_cfg.check.report import check_text
from evapi_cfg.diagnostics.model import Severity
from evapi_cfg.source import store
from evapi_cfg.syntax.lalr import Automaton
from tests.check.mutate import known
from tests.check.mutations import KINDS, Mutation, all_mutations, mutation, sources, tokens

SOURCES = sources()
PLACES = {name: tokens(text) for name, text in SOURCES.items()}
MOST_ERRORS = 3  # for one change; nearly all give one
MOST_READ = 12  # tokens that the parser looks at for each that is there: once, and again for each way to mend the text
STRIDE = 37  # one of so many changes is looked at


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    name = draw(st.sampled_from(sorted(SOURCES)))
    places = PLACES[name]
    number = draw(st.integers(0, len(places) - 1))
    return mutation(name, SOURCES[name], places, number, draw(st.sampled_from(KINDS)))


def errors(text: str) -> list[str]:
    found = check_text(store(text), "mutation.cfg").diagnostics
    return [f"{item.span}: {item.message}" for item in found if item.severity is Severity.ERROR]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many tokens the parser has looked at since this was called last, whether to read or only to try."""
    count = [0]
    run, fits = Automaton.run, Automaton.fits

    def counting_run(
        self: Automaton, states: list[int], values: list[object], row: Sequence[object], at: int, ends: bool = True
    ) -> int:
        end = run(self, states, values, row, at, ends)  # type: ignore[arg-type]
        count[0] += end - at
        return end

    def counting_fits(self: Automaton, states: Sequence[int], terminals: Sequence[str]) -> int:
        count[0] += len(terminals)
        return fits(self, states, terminals)

    def since() -> int:
        number, count[0] = count[0], 0
        return number

    monkeypatch.setattr(Automaton, "run", counting_run)
    monkeypatch.setattr(Automaton, "fits", counting_fits)
    return since


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=mutations())
def test_one_change(looked_at: Callable[[], int], changed: Mutation) -> None:
    looked_at()
    found = errors(changed.text)
    assert len(found) <= MOST_ERRORS, changed.name
    assert looked_at() <= MOST_READ * len(tokens(changed.text)), changed.name


def test_nearly_every_change_is_told_once() -> None:
    counts = [len(errors(changed.text)) for number, changed in enumerate(all_mutations()) if number % STRIDE == 0]
    assert sum(count > 1 for count in counts) <= len(counts) // 20
    assert sum(count == 1 for count in counts) >= len(counts) * 4 // 5


def test_what_differs_from_kamailio_on_purpose_has_a_reason() -> None:
    assert known()
    for expression, reason in known():
        assert expression.pattern and reason
