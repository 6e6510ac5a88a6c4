"""jsonrpcs: requests as text, what hostile ones cost, commands of the core, of $shv and of settings.

What Kamailio does is in the cases jsonrpcs_*, cfg_rpc_*, core_rpc_*, pv_rpc_* and tm_rpc_*.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evapi_cfg.modules import by_name, jsonrpcs
from evapi_cfg.modules.jsonrpcs.document import NotRead, parse, plain, write
from evapi_cfg.modules.rpc import Answer, Repeated, RpcCall, RpcCommand, RpcFault
from evapi_cfg.source import store
from tests.driven import MESSAGE, frames
from tests.driven import Bench as Driven
from tests.module_world import Bench

# A NUL in a name goes away, and two names with and without one would be one.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text(st.characters(codec="utf-8"), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


def call(bench: Bench, method: str, *params: object) -> object:
    request = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}, ensure_ascii=False)
    answer = json.loads(jsonrpcs.answer(bench.world, store(request)).encode("latin-1"))
    assert isinstance(answer, dict) and answer["jsonrpc"] == "2.0" and answer["id"] == 1
    return answer["result"] if "result" in answer else (answer["error"]["code"], answer["error"]["message"])


# ---- reading and writing


def without_nul(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [without_nul(each) for each in value]
    return {name: without_nul(each) for name, each in value.items()} if isinstance(value, dict) else value


@given(VALUES)
def test_json_is_read(value: object) -> None:
    expected = without_nul(value)
    for ascii_only in (True, False):
        assert plain(parse(store(json.dumps(value, ensure_ascii=ascii_only)))) == expected


@given(VALUES, st.booleans())
def test_what_is_written_is_json(value: Answer, pretty: bool) -> None:
    expected = without_nul(value)
    text = write(plain(parse(store(json.dumps(value)))), pretty=pretty)
    assert json.loads(text.encode("latin-1")) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e999", None), ("-1e999", None), ("9" * 500, None), ("1e-999", 0), ("12e3", 12000), ("-0", 0)],
)
def test_numbers_beyond_all_bounds(text: str, number: int | None) -> None:
    found = parse(text)
    assert isinstance(found, (int, float))
    assert math.isfinite(found)
    assert number is None or found == number
    assert math.isfinite(json.loads(write(found, pretty=False)))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        '{"a":' * 200_000,
        '{"a":' * 1000 + "1" + "}" * 1000,
        "[" * 500 + "]" * 500,
        '["' + "\\" * 999_999,
        "[" + "1" * 1_000_000,
        '"' + "\\u12" * 100_000,
    ],
    ids=["arrays", "objects", "deep", "closed", "backslashes", "digits", "escapes"],
)
def test_hostile_texts_are_refused(text: str) -> None:
    with pytest.raises(NotRead):
        parse(text)
    assert json.loads(jsonrpcs.answer(Bench().world, text))["error"] == {"code": -32700, "message": "Parse Error"}


def test_a_member_that_stands_there_several_times() -> None:
    text = write({"a": {"x": Repeated([1, {"y": 2}]), "z": Repeated([])}}, pretty=False)
    assert text == '{"a":{"x":1,"x":{"y":2}}}'


# ---- parameters


def test_parameters_are_taken_by_their_kinds() -> None:
    params = ["text", 5, "five", 3_000_000_000, True, None, 1.9, -1]
    reading = RpcCall(Bench().world, "m", params)
    assert reading.string() == "text"
    assert reading.string() is None
    assert reading.left == 7  # what is of another kind is still there
    assert reading.text() == "5"
    assert reading.number() == 0
    assert reading.integer() == -(2**31)
    assert reading.text() is None
    assert reading.number() == 1
    assert reading.value() is None
    assert reading.number() == 1
    assert reading.text() == str(2**64 - 1)
    assert (reading.left, reading.string(), reading.text(), reading.number(), reading.value()) == (0, *[None] * 4)


# ---- running


def test_a_fault_and_a_bug_of_a_command() -> None:
    bench = Bench()

    def fails(_call: RpcCall) -> Answer:
        raise RpcFault(0, "w" * 300)

    def breaks(_call: RpcCall) -> Answer:
        raise ZeroDivisionError

    bench.world.commands |= {"a.fails": RpcCommand("a.fails", fails), "a.breaks": RpcCommand("a.breaks", breaks)}
    assert call(bench, "a.fails") == (-32000, "Execution Error")
    assert call(bench, "a.breaks") == (-32603, "Internal Error")
    assert "a bug in evapi-cfg" in bench.log.lines[-1].message
    assert bench.call("jsonrpc_exec", '{"jsonrpc":"2.0","method":"a.fails"}') == 1
    assert (bench.get("$jsonrpl(code)"), bench.get("$jsonrpl(text)")) == (500, "w" * 127)


def test_commands_have_names_of_their_own_and_say_what_they_do() -> None:
    commands = [command for module in by_name.values() for command in module.rpc]
    assert len({command.name for command in commands}) == len(commands)
    bench = Bench()
    for command in commands:
        assert call(bench, "system.methodHelp", command.name) == command.doc != ""
    assert call(bench, "system.listMethods") == sorted(command.name for command in commands)


@pytest.mark.parametrize(
    "command", [command for module in by_name.values() for command in module.rpc], ids=lambda one: one.name
)
def test_commands_take_anything(command: RpcCommand) -> None:
    """Whatever comes as parameters, the answer is one of the two."""
    for params in ([], ["x"], [1, 2, 3], ["core", "debug"], ["x[1]", "y", "z"], [None, [], {}], ["\0", "é", 1e300]):
        found = call(Bench(), command.name, *params)
        assert not isinstance(found, tuple) or found[0] != -32603, params
        assert not command.array or isinstance(found, (list, tuple))


def test_the_core_tells_of_itself() -> None:
    bench = Bench()
    bench.world.pid = 77
    bench.clock.moment += 90_061
    info = call(bench, "core.runinfo")
    assert isinstance(info, Mapping)
    assert (info["uptime_secs"], info["utime_days"]) == (90_061, "1d 1h 1m 1s")
    assert call(bench, "core.psx") == [{"IDX": 0, "PID": 77, "DSC": "evapi-cfg"}]


def test_settings_go_back_to_those_of_the_file() -> None:
    bench = Bench()
    bench.world = Driven('my.n = 5\nmy.t = "x"\nloadmodule "cfg_rpc.so"\n').app.program.world
    call(bench, "cfg.seti", "my", "n", 6)
    call(bench, "cfg.sets", "my", "t", "y")
    assert call(bench, "cfg.get", "my") == {"n": 6, "t": "y"}
    assert call(bench, "cfg.reset", "my") == {}
    assert call(bench, "cfg.get", "my") == {"n": 5, "t": "x"}


def test_evapi_tells_of_its_clients() -> None:
    driven = Driven(
        f'{MESSAGE} {{ if($evapi(msg) == "tag") evapi_set_tag("blue"); else evapi_relay("$evapi(msg)"); }}', workers=0
    )
    bench = Bench()
    bench.world = driven.app.program.world
    assert call(bench, "evapi.clients") == []
    one, two = driven.connect("10.0.0.1"), driven.connect("10.0.0.2")
    one.send(frames("tag", "a", "b"))
    two.send(frames("c"))
    first, second = call(bench, "evapi.clients")  # type: ignore[misc]
    assert first == {
        "conidx": 0, "address": "10.0.0.1", "port": 50000, "tag": "blue", "queued_bytes": 0, "waiting_messages": 0,
        "received_messages": 3, "sent_messages": 3, "received_bytes": 14, "sent_bytes": 12,
    }  # fmt: skip
    assert (second["conidx"], second["tag"], second["received_messages"], second["sent_messages"]) == (1, None, 1, 3)
    assert call(bench, "evapi.tags") == [{"tag": "blue", "clients": [0]}]
    driven.app.engine.hub.relay("12345")
    driven.app.engine.hub.unicast("123", "blue")
    assert call(bench, "evapi.queue") == {
        "clients": 2, "max_clients": 8, "queued_bytes": 2 * len(frames("12345")) + len(frames("123")),
        "waiting_messages": 0,
    }  # fmt: skip
    driven.app.deliver()
    found = call(bench, "evapi-cfg.metrics")
    assert isinstance(found, dict)
    assert {name: found[name] for name in ("clients", "received_messages", "sent_messages", "timed")} == {
        "clients": 2, "received_messages": 4, "sent_messages": 9, "timed": False,
    }  # fmt: skip
    assert [client["sent_messages"] for client in call(bench, "evapi.clients")] == [5, 4]  # type: ignore[attr-defined]
