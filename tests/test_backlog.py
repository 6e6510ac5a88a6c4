"""Who is cut because it does not take what is sent to it."""

from __future__ import annotations

import math

import pytest

from evapi_cfg.runtime.backlog import Stalls, offenders, rest


def test_who_takes_nothing_for_the_time_is_stalled() -> None:
    stalls: Stalls[str] = Stalls(5.0)
    assert stalls.look(100.0, [("a", 10), ("b", 10)]) == []
    assert stalls.look(104.9, [("a", 10), ("b", 11)]) == []
    assert stalls.look(105.0, [("a", 10), ("b", 11)]) == ["a"]
    assert stalls.look(109.8, [("b", 11)]) == []
    assert stalls.look(109.9, [("b", 11)]) == ["b"]


def test_one_byte_in_time_is_enough() -> None:
    stalls: Stalls[str] = Stalls(5.0)
    for turn in range(100):
        assert stalls.look(turn * 4.9, [("a", turn)]) == []


def test_who_had_nothing_waiting_begins_anew() -> None:
    stalls: Stalls[str] = Stalls(5.0)
    assert stalls.look(0.0, [("a", 10)]) == []
    assert stalls.look(3.0, []) == []
    assert stalls.look(6.0, [("a", 10)]) == []
    assert stalls.look(10.9, [("a", 10)]) == []
    assert stalls.look(11.0, [("a", 10)]) == ["a"]


def test_the_largest_go_first_and_no_more_than_needed() -> None:
    waiting = [("a", 10), ("b", 500), ("c", 0), ("d", 300), ("e", 200)]

    def found(most: int, still: str = "") -> list[str]:
        return offenders(waiting, most, lambda name: name in still)

    assert found(1010) == []
    assert found(1009) == ["b"]
    assert found(510) == ["b"]
    assert found(509) == ["b", "d"]
    assert found(0) == ["b", "d", "e", "a"]
    assert found(1009, "ea") == ["e"]
    assert found(800, "ea") == ["e", "a"]
    assert found(799, "ea") == ["e", "a", "b"]
    assert offenders([], 0, lambda name: False) == []


def test_who_stands_still() -> None:
    stalls: Stalls[str] = Stalls(5.0)
    assert not stalls.stands_still("a", 10, 0.0)
    stalls.look(0.0, [("a", 10), ("b", 10)])
    assert not stalls.stands_still("a", 10, 0.2)
    assert stalls.stands_still("a", 10, 0.25)
    assert not stalls.stands_still("a", 11, 0.25)
    stalls.look(0.5, [("a", 10), ("b", 11)])
    assert stalls.stands_still("a", 10, 0.5)
    assert not stalls.stands_still("b", 11, 0.5)


def test_who_sends_rests_while_all_are_behind_and_shortly_while_some_are() -> None:
    mb = 1 << 20
    assert rest([mb] * 64, 256 * mb) == 0, "there is room"
    assert rest([], 256 * mb) == 0
    assert rest([8 * mb] * 10 + [0] * 90, 256 * mb) == pytest.approx(0.004)
    assert rest([8 * mb] * 80 + [0] * 20, 256 * mb) == pytest.approx(0.032)
    assert rest([mb, 0], mb) == pytest.approx(0.02)
    assert rest([mb] * 100, 256 * mb) == math.inf
    assert rest([mb] * 95 + [0] * 5, 256 * mb) == math.inf
