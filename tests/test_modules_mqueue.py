"""mqueue: queues of keys and values, what each process has fetched, and the RPC and KEMI sides."""

from __future__ import annotations

import pytest

from evapi_cfg.modules import mqueue
from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.rpc import RpcCall, RpcFault
from tests.module_world import Bench

QUEUE = ("mqueue", "mqueue", "name=q")


@pytest.mark.parametrize("text,size,addmode", [("name=q;size=3;addmode=2;", 3, 2), ("SIZE=-2;name='q'", -2, 0),
                                               ("name=q;size=9x", 9, 0), ("name=q;size=1;size=4", 1, 0)])  # fmt: skip
def test_declarations(text: str, size: int, addmode: int) -> None:
    queue = mqueue.declared(text)
    assert (queue.name, queue.limit, queue.addmode) == ("q", size, addmode)


@pytest.mark.parametrize("text", ["size=3", "", "name=q;limit=3", "name=q size=3", "name='q"])
def test_declarations_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        mqueue.declared(text)


def test_each_process_has_what_it_fetched() -> None:
    bench = Bench(QUEUE)
    other = Run(bench.world, {}, None, None)
    for number in range(3):
        assert bench.call("mq_add", "q", f"k{number}", f"v{number}") == 1
    assert bench.call("mq_fetch", "q") == 1
    assert bench.call("mq_fetch", "q", run=other) == 1
    key, value = bench.variable("$mqk(q)"), bench.variable("$mqv(q)")
    assert (key.get(bench.run), value.get(bench.run)) == ("k0", "v0")
    assert (key.get(other), value.get(other)) == ("k1", "v1")
    assert bench.call("mq_pv_free", "q") == 1
    assert key.get(bench.run) is None
    assert key.get(other) == "k1"
    assert bench.get("$mq_size(q)") == 1


def test_the_oldest_goes_where_a_queue_is_full() -> None:
    bench = Bench(("mqueue", "mqueue", "name=q;size=2;addmode=2"))
    for key in "abab":
        bench.call("mq_add", "q", key, key)
    bench.call("mq_add", "q", "c", "c")
    assert bench.call("mq_size", "q") == 2
    bench.call("mq_fetch", "q")
    assert bench.print("$mqk(q)") == "b"


def test_a_variable_of_a_queue_that_is_not_there_prints_nothing() -> None:
    bench = Bench(QUEUE)
    assert bench.print("<$mqk(none)> <$mqk(q)> <$mq_size($var(x))>") == "<> <<null>> <>"
    assert {line.level for line in bench.log.lines} == {Level.ERROR}


def test_all_queues_together_have_an_end() -> None:
    """A client whose messages go into a queue that nobody empties does not take all memory."""
    bench = Bench(QUEUE)
    text = "x" * (1 << 20)
    codes = [bench.call("mq_add", "q", "k", text) for _ in range(70)]
    assert codes == [1] * 63 + [-1] * 7
    assert "full" in bench.log.lines[-1].message
    for _ in range(63):
        assert bench.call("mq_fetch", "q") == 1
    assert bench.call("mq_add", "q", "k", text) == 1


def rpc(bench: Bench, name: str, *params: str | int) -> object:
    command = next(command for command in mqueue.MODULE.rpc if command.name == name)
    return command.call(RpcCall(bench.world, name, params))


def test_rpc() -> None:
    bench = Bench(QUEUE, ("mqueue", "mqueue_name", "other"))
    bench.call("mq_add", "q", "\xc3\xa4", "v")
    bench.call("mq_add", "q", "", "v")
    assert rpc(bench, "mqueue.get_size", "q") == {"name": "q", "size": 2}
    assert rpc(bench, "mqueue.get_sizes") == [{"name": "other", "size": 0}, {"name": "q", "size": 2}]
    assert rpc(bench, "mqueue.fetch", "q") == {"key": "ä", "val": "v"}
    assert bench.get("$mqk(q)") is None
    for code, name, params in (
        (500, "fetch", ("q",)), (404, "fetch", ("q",)), (500, "fetch", ("none",)), (500, "fetch", ()),
        (404, "get_size", ("none",)), (400, "get_size", ()), (400, "get_size", ("",)), (400, "get_size", (1,)),
    ):  # fmt: skip
        with pytest.raises(RpcFault) as fault:
            rpc(bench, f"mqueue.{name}", *params)
        assert fault.value.code == code, (name, params)


def test_kemi() -> None:
    bench = Bench(QUEUE)
    kemi = {function.name: function.call for function in mqueue.MODULE.kemi}
    assert kemi["mq_size"](bench.run, "q") == 0
    assert kemi["mq_size"](bench.run, "none") == -1
    assert kemi["mqk_get"](bench.run, "q") is None
    assert kemi["mq_add"](bench.run, "q", "", "v") == 1
    assert kemi["mq_fetch"](bench.run, "q") == 1
    assert kemi["mqk_gete"](bench.run, "q") == ""
    assert kemi["mqv_getw"](bench.run, "q") == "v"
