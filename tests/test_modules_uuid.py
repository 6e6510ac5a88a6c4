"""uuid: identifiers from the world's own clock and chance."""

from __future__ import annotations

from uuid import UUID

import pytest

from evapi_cfg.modules import uuid
from evapi_cfg.modules.spec import NameRefused
from tests.module_world import Bench


def test_random_ones_come_from_the_worlds_chance() -> None:
    one, other = Bench(), Bench()
    made = [one.print("$uuid(g)"), one.print("$uuid(R)"), one.print("$uuid(what)")]
    assert made == [other.print("$uuid(x)") for _ in range(3)]
    assert len(set(made)) == 3
    assert [UUID(text).version for text in made] == [4, 4, 4]


def test_those_with_the_time_in_them_come_from_the_worlds_clock() -> None:
    bench = Bench()
    first, second = UUID(bench.print("$uuid(t)")), UUID(bench.print("$uuid(Safe)"))
    assert (first.version, second.version) == (1, 1)
    assert second.time == first.time + 1  # the clock stands still
    assert first.time / 10_000_000 - 12_219_292_800 == pytest.approx(bench.clock.now(), abs=0.001)
    assert (first.node, first.clock_seq) == (second.node, second.clock_seq)
    assert first.node >> 40 & 1  # it is no network card's
    bench.clock.moment += 1
    assert UUID(bench.print("$uuid(t)")).time == first.time + 10_000_000


def test_it_needs_a_name() -> None:
    for text in ("$uuid", "$(uuid(g)[0])"):
        with pytest.raises(NameRefused):
            Bench().variable(text)


def test_kemi() -> None:
    bench = Bench()
    assert [UUID(str(function.call(bench.run))).version for function in uuid.MODULE.kemi] == [4, 4, 1]
