"""`--rate`: a client's messages do not begin faster than that, and none is lost."""

from __future__ import annotations

import pytest

from tests.driven import CLOSED, MESSAGE, Bench, frames

ANSWER = f'{MESSAGE} {{ $var(n) = $var(n) + 1; evapi_relay("$evapi(msg)"); }}\n'


def begun(bench: Bench) -> int:
    """How many messages have been run."""
    value = bench.app.engine._vars.get("n", 0)
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize("rate", [0.5, 3.0, 20.0, 1000.0, 25_000.0])
@pytest.mark.parametrize("step", [0.001, 0.0137, 0.025])
def test_a_client_is_held_to_its_rate(rate: float, step: float) -> None:
    bench = Bench(ANSWER, workers=0)
    bench.app.engine.limit_rate(rate)
    client = bench.connect()
    seconds = max(4.0, 20 / rate)
    count = int(rate * seconds * 1.5)
    client.send(frames(*["x"] * count))
    start = bench.clock.time
    while bench.clock.time < start + seconds:
        bench.pass_time(step)
    assert begun(bench) == pytest.approx(rate * (bench.clock.time - start), rel=0.02, abs=1.01 + rate * 0.03)


def test_what_waits_is_run_in_order_and_nothing_is_dropped() -> None:
    bench = Bench(ANSWER, workers=0)
    bench.app.engine.limit_rate(100.0)
    client = bench.connect()
    sent = [f"message {number}" for number in range(300)]
    client.send(frames(*sent[:200]))
    got = client.receive()
    bench.pass_time(0.5)
    client.send(frames(*sent[200:]))
    for _ in range(400):
        bench.pass_time(0.01)
    assert got + client.receive() == frames(*sent)
    assert bench.app.engine.idle


def test_each_client_has_its_own() -> None:
    bench = Bench(ANSWER, workers=0)
    bench.app.engine.limit_rate(10.0)
    greedy, polite = bench.connect(), bench.connect()
    greedy.send(frames(*["x"] * 1000))
    for _ in range(50):
        bench.pass_time(0.2)
        before = begun(bench)
        polite.send(frames("y"))
        assert begun(bench) == before + 1


def test_a_client_that_was_silent_cannot_save_it_up() -> None:
    bench = Bench(ANSWER, workers=0)
    bench.app.engine.limit_rate(100.0)
    client = bench.connect()
    bench.pass_time(3600)
    client.send(frames(*["x"] * 500))
    assert 1 <= begun(bench) <= 4


def test_it_is_not_read_while_it_is_too_fast() -> None:
    bench = Bench(ANSWER, workers=0)
    engine = bench.app.engine
    engine.limit_rate(100.0)
    bench.connect()
    [client] = engine.hub.clients
    engine.receive(client, frames(*["x"] * 100))
    assert client.full
    assert not engine.idle
    for _ in range(50):
        bench.pass_time(0.01)
    assert not client.full


def test_messages_of_one_who_left_are_run_at_the_rate() -> None:
    bench = Bench(ANSWER + f'{CLOSED} {{ xlog("L_INFO", "closed behind $var(n)\\n"); }}', workers=0)
    bench.app.engine.limit_rate(100.0)
    client = bench.connect()
    client.send(frames(*["x"] * 100))
    client.close()
    assert begun(bench) < 10
    for _ in range(150):
        bench.pass_time(0.01)
    assert bench.logged() == ["closed behind 100"]


def test_without_a_bound_what_waits_begins_at_once() -> None:
    bench = Bench(ANSWER, workers=0)
    bench.app.engine.limit_rate(1.0)
    bench.connect().send(frames(*["x"] * 100))
    bench.app.engine.limit_rate(0)
    bench.pass_time(0.01)
    assert begun(bench) == 100


def test_a_stepped_wall_clock_changes_nothing() -> None:
    bench = Bench(ANSWER, workers=0)
    bench.app.engine.limit_rate(10.0)
    bench.connect().send(frames(*["x"] * 100))
    for step in (3600.0, -7200.0):
        before = begun(bench)
        bench.clock.step += step
        bench.pass_time(1.0)
        assert begun(bench) == before + 1
