"""Locks, as the modules that have some share them."""

from __future__ import annotations

import gc

from evapi_cfg.modules.locks import Held, Locks
from tests.module_world import Bench


def test_who_holds_a_lock() -> None:
    bench, locks = Bench(), Locks[str]()
    one, other = bench.new_run(), bench.new_run()
    assert locks.held("a", one) is Held.NOBODY
    locks.take("a", one)
    locks.deepen("a")
    assert (locks.held("a", one), locks.held("a", other)) == (Held.OWN, Held.OTHER)
    locks.free("a")
    assert locks.held("a", other) is Held.OTHER
    locks.free("a")
    locks.free("a")
    assert locks.held("a", other) is Held.NOBODY
    locks.take("a", one)
    del one
    gc.collect()
    assert locks.held("a", other) is Held.ENDED


def test_the_more_wait_the_less_often_each_of_them_looks() -> None:
    bench, locks = Bench(), Locks[str]()
    holder = bench.new_run()
    locks.take("a", holder)
    waiting = [locks.wait("a", bench.new_run()) for _ in range(1000)]
    pauses = [next(run.__await__()).seconds for run in waiting]
    assert pauses[:6] == [0.001, 0.002, 0.004, 0.004, 0.008, 0.008]
    assert pauses[-1] >= 1.0
    assert len(set(pauses)) == 11
    for run in waiting:
        run.close()
    alone = locks.wait("a", bench.new_run())
    assert next(alone.__await__()).seconds == 0.001
    alone.close()
