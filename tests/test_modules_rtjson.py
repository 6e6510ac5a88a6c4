"""rtjson: documents that say where a request goes. What a request can see of them is in the conformance cases."""

from __future__ import annotations

import json
import time

import pytest

from evapi_cfg.modules import rtjson
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.core_message import current_message
from tests.module_world import HERE, Bench

SERIAL = {"routing": "serial", "routes": [{"uri": "sip:one@example.org"}, {"uri": "sip:two@example.org"}]}


@pytest.mark.parametrize(
    "text,read",
    [
        ('{"A": 1, "a": 2}', {"a": 1.0}),
        (' \r\n\x01{"a": null} behind', {"a": None}),
        ('"\\q\\/\\u0041"', "q/A"),
        ('"a\tb\nc"', "a\tb\nc"),
        ('"\\u0000\\udc00x\\ud800\\u0041y\\ud83d\\ude00"', "xy\N{GRINNING FACE}"),
        ('"\xc3\xa4\xff"', "ä\udcff"),
        ("[1e400]", [float("inf")]),
        ('{"a": 1}\0{', {"a": 1.0}),
    ],
)
def test_what_is_read(text: str, read: object) -> None:
    assert rtjson.parse(text) == read


@pytest.mark.parametrize("text", ["", "hello", "{'a': 1}", '{"a": 1,}', '"\\u00zz"', "[NaN]", '{"a" 1}', "[1", '"a'])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError):
        rtjson.parse(text)


@pytest.mark.parametrize(
    "text", ["[" * 1_000_000, '{"a":' * 200_000, '{"routing":"' + "\\" * 999_999, '["' + "\\ud800" * 150_000]
)
def test_hostile_documents_are_refused_at_once(text: str) -> None:
    bench = Bench()
    begun = time.perf_counter()
    assert bench.call("rtjson_init_routes", text) == -1
    assert time.perf_counter() - begun < 2
    (line,) = bench.log.lines
    assert line.level == Level.ERROR
    assert len(line.message) < 500


def test_bytes_that_are_no_utf_8_come_back_as_they_were() -> None:
    bench = Bench()
    uri = "sip:\xc3\xa4\xff@example.org"
    assert bench.call("rtjson_init_routes", '{"routing": "serial", "routes": [{"uri": "' + uri + '"}]}') == 1
    assert bench.call("rtjson_push_routes") == 1
    assert bench.get("$ru") == uri


def test_a_route_that_is_too_long_is_left_out() -> None:
    bench = Bench()
    long = "sip:" + "x" * 1020
    routes = [{"uri": "sip:one@example.org"}, {"uri": long}, {"uri": long[:-1]}, {"path": "x" * 512}, {}]
    bench.call("rtjson_init_routes", json.dumps({"routing": "parallel", "routes": routes}))
    assert bench.call("rtjson_push_routes") == 1
    assert [branch.uri for branch in current_message(bench.run).branches] == [long[:-1], "sip:one@example.org"]
    assert bench.get("$xavp(rtjson=>idx)") == 5


def test_update_branch() -> None:
    bench = Bench(("tm", "fr_timer", 30000))
    routes = [{}, {"fr_timer": 1500, "headers": {"extra": "X-Way: two\r\n"}}]
    assert bench.call("rtjson_update_branch") == -1
    bench.call("rtjson_init_routes", json.dumps({"routing": "serial", "routes": routes}))
    assert bench.call("rtjson_update_branch") == -1  # no route has been taken
    bench.call("rtjson_push_routes")
    assert bench.call("rtjson_update_branch") == 1
    message = current_message(bench.run)
    assert message.edits == ()
    bench.call("rtjson_next_route")
    assert bench.call("rtjson_update_branch") == 1
    assert message.updated().endswith("Content-Length: 0\r\nX-Way: two\r\n\r\n")
    bench.call("t_newtran")
    assert bench.run.transaction is not None
    assert bench.run.transaction.fr == 1.5


def test_kemi() -> None:
    bench = Bench()
    kemi = {function.name: function.call for function in rtjson.MODULE.kemi}
    assert kemi["init_routes"](bench.run, json.dumps(SERIAL), at=HERE) == 1
    assert kemi["push_routes"](bench.run, at=HERE) == 1
    assert kemi["next_route"](bench.run, at=HERE) == 1
    assert kemi["next_route"](bench.run, at=HERE) == -1
    assert bench.get("$ru") == "sip:one@example.org"
