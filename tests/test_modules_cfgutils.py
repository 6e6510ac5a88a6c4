"""cfgutils: chance, locks between runs, routes by their names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from evapi_cfg.modules import cfgutils
from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.rpc import RpcCall, RpcFault
from evapi_cfg.modules.spec import FixupError
from tests.module_world import HERE, Bench, finish, steps

LOCKS = ("cfgutils", "lock_set_size", 4)


def test_chance() -> None:
    bench = Bench(("cfgutils", "initial_probability", 30))
    assert bench.call("rand_get_prob") == 30
    happened = sum(bench.call("rand_event") == 1 for _ in range(2000))
    assert 500 < happened < 700
    bench.call("rand_set_prob", 0)
    assert bench.call("rand_event") == -1
    bench.call("rand_set_prob", 100)
    assert bench.call("rand_event") == 1
    bench.call("rand_reset_prob")
    assert bench.call("rand_get_prob") == 30
    values = {bench.get("$RANDOM") for _ in range(10)}
    assert len(values) > 1
    assert all(isinstance(value, int) and 0 <= value <= 0x7FFFFFFF for value in values)


@pytest.mark.parametrize("function,good,wrong", [("rand_set_prob", "100", "101"), ("set_gflag", "31", "32"),
                                                 ("is_gflag", "0", "-1"), ("rand_set_prob", "0", "x")])  # fmt: skip
def test_constants_are_checked(function: str, good: str, wrong: str) -> None:
    fixup = Bench().function(function, 1).fixup
    assert fixup is not None
    assert fixup((good,)) == (int(good),)
    with pytest.raises(FixupError):
        fixup((wrong,))


def test_global_flags() -> None:
    bench = Bench(("cfgutils", "initial_gflags", 5))
    assert [bench.call("is_gflag", flag) for flag in (0, 1, 2)] == [1, -1, 1]
    bench.call("set_gflag", 1)
    bench.call("reset_gflag", 0)
    assert [bench.call("is_gflag", flag) for flag in (0, 1, 2)] == [-1, 1, 1]


def wait(bench: Bench, run: Run, *keys: str) -> Awaitable[int]:
    outcome = bench.function("lock", len(keys)).call(run, *keys, at=HERE)
    assert not isinstance(outcome, int)
    return outcome


def test_a_lock_is_waited_for() -> None:
    bench = Bench(LOCKS)
    first, second = bench.new_run(), bench.new_run()
    assert finish(wait(bench, first, "a")) == 1
    waiting = wait(bench, second, "a")
    assert steps(waiting) == ([0.001] * 3, None)
    assert bench.call("trylock", "a", run=second) == -1
    assert finish(wait(bench, second, "b")) == 1
    assert bench.call("unlock", "a", run=first) == 1
    assert steps(wait(bench, second, "a")) == ([], 1)
    assert not bench.log.lines


def test_locks_of_two_keys() -> None:
    bench = Bench(LOCKS)
    assert finish(wait(bench, bench.run, "a", "1")) == 1
    assert finish(wait(bench, bench.run, "a", "2")) == 1
    assert bench.call("trylock", "a", "1") == -1
    assert bench.call("unlock", "a", "1") == 1
    assert bench.call("trylock", "a", "1") == 1
    assert not bench.log.lines


def test_a_lock_taken_twice_would_stand_still_in_kamailio() -> None:
    bench = Bench(LOCKS)
    assert finish(wait(bench, bench.run, "a")) == 1
    assert finish(wait(bench, bench.run, "a")) == 1
    assert [line.level for line in bench.log.lines] == [Level.ERROR]
    assert "'a'" in bench.log.lines[0].message


def test_a_lock_that_an_ended_run_still_holds() -> None:
    bench = Bench(LOCKS)
    gone = bench.new_run()
    assert finish(wait(bench, gone, "a")) == 1
    del gone
    assert finish(wait(bench, bench.run, "a")) == 1
    assert "ended" in bench.log.lines[0].message


def test_without_locks() -> None:
    bench = Bench()
    assert [bench.call(name, "a") for name in ("lock", "trylock", "unlock")] == [-1, -1, -1]
    assert all("lock_set_size" in line.message for line in bench.log.lines)


def test_sleeping() -> None:
    bench = Bench()
    for name, amount, seconds in (("sleep", 2, 2), ("usleep", 1500, 0.0015), ("sleep", -1, 0)):
        outcome = bench.function(name, 1).call(bench.run, amount)
        assert not isinstance(outcome, int)
        assert steps(outcome) == ([seconds], 1)


def test_abort_is_refused() -> None:
    bench = Bench()
    assert bench.call("abort") == -1
    assert bench.log.lines[0].level == Level.ERROR


def test_routes_by_name() -> None:
    bench = Bench()

    def leaves(run: Run) -> int:
        run.over = True
        return 5

    async def waits(run: Run) -> int:
        await run.pause(1)
        return 7

    def endless(run: Run) -> int:
        return bench.call("route_if_exists", "endless", run=run)

    routes: dict[str, Callable[[Run], int | Awaitable[int]]] = {
        "five": lambda run: 5, "leaves": leaves, "waits": waits, "endless": endless,
    }  # fmt: skip
    bench.world.routes.update(routes)
    assert bench.call("check_route_exists", "five") == 1
    assert bench.call("check_route_exists", "none") == -1
    depth = bench.run.depth
    assert bench.call("route_if_exists", "five") == 5
    assert bench.call("route_if_exists", "none") == -1
    assert bench.call("route_if_exists", "endless") == -1
    assert "256" in bench.log.lines[-1].message
    outcome = bench.function("route_if_exists", 1).call(bench.run, "waits")
    assert not isinstance(outcome, int)
    assert steps(outcome) == ([1], 7)
    assert bench.run.depth == depth
    assert bench.call("route_if_exists", "leaves") == 0
    assert bench.run.over


def test_hash() -> None:
    bench = Bench()
    assert bench.call("core_hash", "a", "", 4) == 14
    assert bench.call("core_hash", "a", "b", 4) == 12
    assert bench.call("core_hash", "a", "", 0) == 2


def rpc(bench: Bench, name: str, *params: Json) -> Json:
    command = next(command for command in cfgutils.MODULE.rpc if command.name == f"cfgutils.{name}")
    return command.call(RpcCall(bench.world, command.name, params))


def test_rpc() -> None:
    bench = Bench(("cfgutils", "initial_gflags", 6), ("cfgutils", "initial_probability", 30))
    assert rpc(bench, "get_gflags") == "0x6 (6)"
    assert rpc(bench, "set_gflag", 8) == {}
    assert (rpc(bench, "is_gflag", 12), rpc(bench, "is_gflag", 1)) == ("TRUE", "FALSE")
    assert rpc(bench, "reset_gflag", 2) == {}
    assert rpc(bench, "get_gflags") == "0xC (12)"
    assert rpc(bench, "rand_set_prob", 40) == {}
    assert bench.call("rand_get_prob") == 40
    assert rpc(bench, "rand_set_prob", "50") == {}  # a text is 0
    assert rpc(bench, "rand_get_prob") == "actual probability: 0 percent"
    assert rpc(bench, "rand_reset_prob") == {}
    assert bench.call("rand_get_prob") == 30
    for params in ((101,), (-1,), ()):
        with pytest.raises(RpcFault) as fault:
            rpc(bench, "rand_set_prob", *params)
        assert fault.value.code == 500


def test_kemi_does_not_wait_for_a_lock() -> None:
    bench = Bench(LOCKS)
    kemi = {function.name: function.call for function in cfgutils.MODULE.kemi}
    assert kemi["lock"](bench.run, "a", at=HERE) == 1
    assert kemi["lock_key2"](bench.run, "a", "b", at=HERE) == 1
    assert kemi["trylock"](bench.new_run(), "a", at=HERE) == -1
    assert not bench.log.lines
    assert kemi["lock"](bench.new_run(), "a", at=HERE) == -1
    assert [line.level for line in bench.log.lines] == [Level.ERROR]
    assert kemi["unlock"](bench.run, "a", at=HERE) == 1
    assert kemi["trylock"](bench.new_run(), "a", at=HERE) == 1
