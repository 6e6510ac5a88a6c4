"""Timers against a list that is searched each time, and what they promise about order and `next_time`."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.timers import Timers
from tests.driven import HandClock

SECONDS = (0.0, 0.5, 1.0, 2.5, 4.0)


class Naive:
    """The same without queues: what each item of each interval waits for, in the order of its beginning."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.waiting: list[tuple[float, float, int]] = []  # when, seconds, item
        self.called: list[tuple[float, float, int]] = []

    def stop(self, seconds: float, item: int) -> None:
        self.waiting = [one for one in self.waiting if one[1:] != (seconds, item)]

    def start(self, seconds: float, item: int) -> None:
        self.stop(seconds, item)
        self.waiting.append((self.clock.time + seconds, seconds, item))

    def advance(self) -> None:
        due = [one for one in self.waiting if one[0] <= self.clock.time]
        self.waiting = [one for one in self.waiting if one[0] > self.clock.time]
        self.called += sorted(due)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.sampled_from(SECONDS), st.integers(0, 3)),
        st.tuples(st.just("stop"), st.sampled_from(SECONDS), st.integers(0, 3)),
        st.tuples(st.just("pass"), st.sampled_from((0.0, 0.25, 1.0, 10.0)), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(ACTIONS)
def test_as_a_list_that_is_searched_each_time(actions: list[tuple[str, float, int]]) -> None:
    clock = HandClock()
    timers, naive = Timers(clock.monotonic), Naive(clock)
    called: list[tuple[float, float, int]] = []

    def due_of(seconds: float) -> Callable[[int], None]:
        return lambda item: called.append((dues[seconds, item], seconds, item))

    dues: dict[tuple[float, int], float] = {}
    callbacks = {seconds: due_of(seconds) for seconds in SECONDS}
    for action, seconds, item in actions:
        match action:
            case "start":
                timers.queue(seconds, callbacks[seconds]).start(item)
                dues[seconds, item] = clock.time + seconds
                naive.start(seconds, item)
            case "stop":
                timers.queue(seconds, callbacks[seconds]).stop(item)
                naive.stop(seconds, item)
            case _:
                clock.time += seconds
                timers.advance()
                naive.advance()
        first = min(naive.waiting, default=None)
        following = timers.next_time()
        assert timers.idle == (first is None)
        assert first is None or (following is not None and following <= first[0])
    assert sorted(called) == sorted(naive.called)
    assert [when for when, _, _ in called] == [when for when, _, _ in naive.called]


def test_nothing_is_due_before_its_time_and_everything_at_it() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[str] = []
    timers.queue(3.0, called.append).start("x")
    assert timers.next_time() == clock.time + 3
    clock.time += 2.999
    timers.advance()
    assert called == []
    clock.time += 0.001
    timers.advance()
    assert called == ["x"]
    assert timers.next_time() is None
    assert timers.idle


def test_order_is_that_of_time_across_queues() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[str] = []
    for moment, seconds in ((0, 5.0), (1, 1.0), (2, 3.0), (3, 1.5), (4, 0.25)):
        clock.time = 1000.0 + moment
        timers.queue(seconds, called.append).start(f"{moment + seconds:g}")
    clock.time += 100
    timers.advance()
    assert called == ["2", "4.25", "4.5", "5", "5"]


def test_of_one_queue_those_behind_another_queues_item_wait_for_it() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[str] = []
    for name, seconds in (("a", 2.0), ("b", 1.5), ("c", 2.0)):
        timers.queue(seconds, called.append).start(name)
        clock.time += 0.25
    clock.time += 10
    timers.advance()
    assert called == ["b", "a", "c"]


def test_an_item_that_begins_anew_waits_the_whole_time_and_goes_behind_the_others() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[str] = []
    queue = timers.queue(2.0, called.append)
    queue.start("a")
    queue.start("b")
    clock.time += 1
    queue.start("a")
    clock.time += 1
    timers.advance()
    assert called == ["b"]
    clock.time += 1
    timers.advance()
    assert called == ["b", "a"]


def test_a_queue_is_found_again_by_a_bound_method_that_is_made_anew() -> None:
    class Holder:
        def due(self, item: int) -> None: ...

    one, other, timers = Holder(), Holder(), Timers(lambda: 0.0)
    assert timers.queue(1.0, one.due) is timers.queue(1, one.due)
    assert timers.queue(1.0, one.due) is not timers.queue(2.0, one.due)
    assert timers.queue(1.0, one.due) is not timers.queue(1.0, other.due)


# ---- inside of what is called


def test_one_that_is_stopped_by_one_before_it_is_not_called() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[str] = []

    def due(item: str) -> None:
        called.append(item)
        same.stop("b")
        other.stop("d")

    same, other = timers.queue(1.0, due), timers.queue(2.0, due)
    for name in ("a", "b", "c"):
        same.start(name)
    other.start("d")
    clock.time += 10
    timers.advance()
    assert called == ["a", "c"]
    assert timers.idle


def test_one_that_is_begun_anew_by_one_before_it_waits_again() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[str] = []

    def due(item: str) -> None:
        called.append(item)
        if item == "a":
            queue.start("b")

    queue = timers.queue(1.0, due)
    queue.start("a")
    queue.start("b")
    clock.time += 1
    timers.advance()
    assert called == ["a"]
    assert timers.next_time() == clock.time + 1
    clock.time += 1
    timers.advance()
    assert called == ["a", "b"]


def test_what_starts_itself_again_is_called_once_for_each_advance() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[float] = []

    def due(item: str) -> None:
        called.append(clock.time)
        queue.start(item)

    queue = timers.queue(1.0, due)
    queue.start("tick")
    for _ in range(3):
        clock.time += 5
        timers.advance()
    assert len(called) == 3
    assert timers.next_time() == clock.time + 1


def test_zero_seconds_that_begin_inside_of_a_call_come_in_the_same_advance() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[int] = []

    def due(left: int) -> None:
        called.append(left)
        if left:
            timers.queue(0.0, due).start(left - 1)

    timers.queue(0.0, due).start(3)
    assert called == []
    timers.advance()
    assert called == [3, 2, 1, 0]
    assert timers.next_time() is None


def test_an_earlier_item_that_begins_inside_of_a_call_comes_before_later_ones() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[str] = []

    def due(item: str) -> None:
        called.append(item)
        if item == "first":
            clock.time += 0.5  # what is called takes its time
            timers.queue(0.25, due).start("new")

    timers.queue(1.0, due).start("first")
    timers.queue(3.0, due).start("last")
    clock.time += 1
    timers.advance()
    assert called == ["first"]
    assert timers.next_time() == clock.time + 0.25
    clock.time += 10
    timers.advance()
    assert called == ["first", "new", "last"]


def test_what_raises_ends_the_advance_and_loses_nothing_else() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[str] = []

    def due(item: str) -> None:
        called.append(item)
        if item == "bad":
            raise ZeroDivisionError

    for item in ("a", "bad", "c"):
        timers.queue(1.0, due).start(item)
    timers.queue(1.5, due).start("d")
    clock.time += 2
    with pytest.raises(ZeroDivisionError):
        timers.advance()
    following = timers.next_time()
    assert following is not None
    assert following <= clock.time
    timers.advance()
    assert called == ["a", "bad", "c", "d"]


# ---- queues that are forgotten


def test_an_empty_queue_that_was_forgotten_is_used_again() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[str] = []
    old = timers.queue(1.0, called.append)
    for number in range(2000):
        timers.queue(10.0 + number, called.append)
    new = timers.queue(1.0, called.append)
    assert new is not old
    old.start("old")
    new.start("new")
    clock.time += 1
    timers.advance()
    assert called == ["old", "new"]
    assert timers.idle


def test_empty_queues_do_not_pile_up() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[int] = []
    for number in range(5000):
        queue = timers.queue(1.0 + number / 7, called.append)
        queue.start(number)
        queue.stop(number)
        timers.advance()
    clock.time += 10_000
    timers.advance()
    assert timers.next_time() is None
    assert len(timers._queues) <= 256


def test_stopping_leaves_next_time_early_but_never_late() -> None:
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[str] = []
    early, late = timers.queue(1.0, called.append), timers.queue(5.0, called.append)
    late.start("late")
    early.start("early")
    early.stop("early")
    early.stop("never there")
    following = timers.next_time()
    assert following is not None
    assert following <= clock.time + 5
    clock.time += 1
    timers.advance()
    assert timers.next_time() == clock.time + 4
    late.stop("late")
    assert timers.idle
    clock.time += 4
    timers.advance()
    assert timers.next_time() is None


@pytest.mark.parametrize("queues", [1, 30_000])
def test_many_items_cost_little(queues: int) -> None:
    """In one queue, or each in its own, as those that are held to an end of life are."""
    clock = HandClock()
    timers = Timers(clock.monotonic)
    called: list[int] = []
    began = time.process_time()
    for number in range(30_000):
        timers.queue(5.0 + number % queues / 100_000, called.append).start(number)
    for _ in range(100):
        clock.time += 0.1
        timers.advance()
    assert len(called) == 30_000
    assert time.process_time() - began < 2.0
