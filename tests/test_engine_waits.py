"""Runs that wait: whom they hold up, in which order they go on, and what is read meanwhile."""

from __future__ import annotations

import pytest

from tests.driven import CLOSED, MESSAGE, NEW, Bench, frames

# ---- runs that wait

SLEEPER = f"""{MESSAGE} {{
  evapi_set_tag("c$evapi(conidx)");
  $avp(m) = $evapi(msg);
  if($evapi(msg) =~ "^sleep") sleep("10");
  evapi_multicast("$avp(m)", "c$evapi(conidx)");
}}"""


def test_sleep_holds_nobody_else_up_without_workers() -> None:
    bench = Bench(SLEEPER, workers=0)
    peers = [bench.connect() for _ in range(8)]
    for peer in peers[:7]:
        peer.send_message("sleep")
    peers[7].send_message("now")
    assert peers[7].receive() == frames("now")
    bench.pass_time(9.9)
    assert peers[0].receive() == b""
    bench.pass_time(0.1)
    assert [peer.receive() for peer in peers[:7]] == [frames("sleep")] * 7
    assert bench.app.engine.idle


def test_a_clients_messages_stay_in_order() -> None:
    bench = Bench(SLEEPER, workers=4)
    peer = bench.connect()
    peer.send(frames("a", "sleep", "b", "sleep2", "c"))
    assert peer.receive() == frames("a")
    bench.pass_time(10)
    assert peer.receive() == frames("sleep", "b")
    bench.pass_time(10)
    assert peer.receive() == frames("sleep2", "c")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_so_many_are_in_work_at_once_as_there_are_workers(workers: int) -> None:
    bench = Bench(SLEEPER, workers=workers)
    peers = [bench.connect() for _ in range(6)]
    for peer in peers:
        peer.send_message("sleep")
    done = 0
    while done < 6:
        bench.pass_time(10)
        got = [bool(peer.receive()) for peer in peers]
        assert got == [done <= place < done + workers for place in range(6)]
        done += workers
    assert bench.app.engine.idle


def test_waiting_messages_of_several_clients_are_taken_in_the_order_in_which_they_came() -> None:
    bench = Bench(f'{MESSAGE} {{ xlog("$evapi(msg)"); sleep("1"); }}', workers=1)
    a, b = bench.connect(), bench.connect()
    a.send(frames("a1", "a2"))
    b.send(frames("b1"))
    a.send(frames("a3"))
    b.send(frames("b2"))
    for _ in range(5):
        bench.pass_time(1)
    assert bench.logged() == ["a1", "a2", "b1", "a3", "b2"]


def test_reading_stops_while_many_of_its_messages_wait_and_goes_on_later() -> None:
    bench = Bench(f'{MESSAGE} {{ usleep("1000"); evapi_relay("$evapi(msg)"); }}', workers=0)
    engine = bench.app.engine
    client = engine.connect("127.0.0.1", 1)
    other = engine.connect("127.0.0.1", 2)
    assert client is not None
    assert other is not None
    engine.receive(client, frames(*["x"] * 257))
    assert not client.full  # one is in work
    engine.receive(client, frames("x"))
    assert client.full
    assert not other.full
    turns = 0
    while client.full:
        turns += 1
        assert engine.resumed == []
        bench.clock.time += 1
        engine.advance()
    assert engine.resumed == [client]
    assert 150 < turns < 258
    while not engine.idle:
        bench.clock.time += 1
        engine.advance()
    assert client.waiting is not None
    assert not client.waiting


@pytest.mark.parametrize(("workers", "log"), [(0, ["one 0", "two 0", "closed"]), (1, ["closed", "one 0", "two 0"])])
def test_a_client_that_goes_while_its_message_sleeps(workers: int, log: list[str]) -> None:
    """Without workers connection-closed waits for its messages, as in Kamailio's dispatcher; workers go on by
    themselves."""
    bench = Bench(
        f"""{MESSAGE} {{ sleep("5"); xlog("$evapi(msg) $evapi(conidx)"); evapi_relay("done $evapi(msg)"); }}
        {CLOSED} {{ xlog("closed"); }}""",
        workers=workers,
    )
    peer, other = bench.connect(), bench.connect()
    peer.send(frames("one", "two"))
    peer.close()
    assert not bench.app.engine.idle
    newcomer = bench.connect()
    bench.pass_time(5)
    bench.pass_time(5)
    assert bench.logged() == log
    assert other.receive() == newcomer.receive() == frames("done one", "done two")
    assert not peer.connected
    assert bench.app.engine.idle


def test_set_tag_and_close_by_a_run_whose_client_has_gone_do_not_touch_its_successor() -> None:
    bench = Bench(
        f'{MESSAGE} {{ sleep("5"); evapi_set_tag("t"); evapi_close(); evapi_multicast("m", "t"); }}', workers=0
    )
    peer = bench.connect()
    peer.send_message("x")
    peer.close()
    newcomer = bench.connect()
    bench.pass_time(5)
    assert newcomer.connected
    assert newcomer.receive() == b""


def test_messages_wait_for_a_connection_new_that_waits() -> None:
    """As in Kamailio, where the dispatcher that runs it reads nobody meanwhile: it may yet close the connection."""
    bench = Bench(
        f'{NEW} {{ sleep("1"); if($evapi(conidx) == 1) evapi_close(); }}\n{MESSAGE} {{ xlog("$evapi(conidx)"); }}'
    )
    first, second = bench.connect(), bench.connect()
    for peer in (first, second):
        peer.send_message("x")
    assert bench.logged() == []
    bench.pass_time(1)
    assert bench.logged() == ["0"]
    assert (first.connected, second.connected) == (True, False)
    first.send_message("x")
    assert bench.logged() == ["0", "0"]


def test_a_connection_new_that_waits_takes_no_worker() -> None:
    bench = Bench(
        f'{NEW} {{ if($evapi(conidx) == 1) sleep("5"); }}\n{MESSAGE} {{ xlog("$evapi(conidx)"); usleep("1"); }}',
        workers=1,
    )
    first, _second = bench.connect(), bench.connect()
    first.send_message("x")
    assert bench.logged() == ["0"]


def test_next_time_is_that_of_the_run_that_is_due_first() -> None:
    bench = Bench(f'{MESSAGE} {{ sleep("$evapi(msg)"); xlog("$evapi(msg)"); }}', workers=0)
    assert bench.app.engine.next_time() is None
    for seconds in ("30", "10", "20"):
        bench.connect().send_message(seconds)
    assert bench.app.engine.next_time() == 1010.0
    bench.pass_time(25)
    assert bench.logged() == ["10", "20"]
    assert bench.app.engine.next_time() == 1030.0


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_clock_that_is_set_changes_no_wait(step: float) -> None:
    bench = Bench(f'{MESSAGE} {{ sleep("10"); xlog("$TS"); }}', workers=0)
    bench.connect().send_message("x")
    bench.clock.step = step
    bench.pass_time(9.9)
    assert bench.logged() == []
    bench.pass_time(0.1)
    assert bench.logged() == [str(int(1010 + step))]


def test_a_lock_that_another_run_holds() -> None:
    bench = Bench(
        f'{MESSAGE} {{ lock("k"); xlog("$evapi(conidx) in"); sleep("1"); xlog("$evapi(conidx) out"); unlock("k"); }}',
        workers=0,
    )
    peers = [bench.connect() for _ in range(3)]
    for peer in peers:
        peer.send_message("x")
    for _ in range(400):
        bench.pass_time(0.01)
    log = bench.logged()
    assert sorted(log) == [f"{place} {way}" for place in range(3) for way in ("in", "out")]
    assert all(log[at].split()[0] == log[at + 1].split()[0] for at in (0, 2, 4))


def test_messages_go_on_behind_a_time_in_which_the_sockets_could_not_keep_up() -> None:
    bench = Bench(f'{MESSAGE} {{ usleep("0"); evapi_relay("$evapi(msg)"); }}', workers=0)
    client, engine = bench.connect(), bench.app.engine
    engine.hold = True
    client.send(frames("a", "b"))
    bench.pass_time(1)
    assert client.receive() == b""
    assert engine.next_time() is not None
    assert not engine.idle
    engine.hold = False
    for _ in range(5):
        bench.pass_time(1)
    assert client.receive() == frames("a", "b")
