"""Programs that are larger, deeper or longer than anybody writes by hand."""

from __future__ import annotations

import pytest

import evapi_cfg
from evapi_cfg.check.context import LOOP_LIMIT

HEAD = (
    '#!KAMAILIO\nloadmodule "pv.so"\nloadmodule "cfgutils.so"\nloadmodule "evapi.so"\nmodparam("evapi", "workers", 0)\n'
)
MESSAGE = "event_route[evapi:message-received]"


def answer(body: str, message: str = "x", more: str = "") -> bytes:
    client = evapi_cfg.load_text(f"{HEAD}{more}{MESSAGE} {{ {body} }}\n").connect()
    client.send_message(message)
    return client.receive()


@pytest.mark.parametrize("end", ["break;", ""])
@pytest.mark.parametrize("label", ['"k%d"', '/"^k%d$"'])
def test_a_switch_with_many_cases(label: str, end: str) -> None:
    cases = " ".join(f"case {label % n}: $var(y) = {n}; {end}" for n in range(1500))
    found = answer(f'switch($evapi(msg)) {{ {cases} }} evapi_relay("$var(y)");', "k77")
    assert found == (b"2:77," if end else b"4:1499,")


def test_as_many_loops_inside_each_other_as_the_checker_lets_through() -> None:
    opening = "".join(f"while($var(n{depth}) < 1) {{ $var(n{depth}) = 1; " for depth in range(LOOP_LIMIT))
    body = f"{opening} $var(a) = 1 / $var(z); {'}' * LOOP_LIMIT}"
    assert answer(f'{body} evapi_relay("done");') == b"4:done,"


@pytest.mark.parametrize("call", ["route(DOWN)", "route($var(name))", "if(route(DOWN)) { $var(m) = 1; }"])
@pytest.mark.parametrize("wait", ["", 'if($var(n) < 0) { usleep("1"); }'])
def test_routes_that_call_themselves_stop_at_the_limit(call: str, wait: str) -> None:
    more = f"route[DOWN] {{ $var(n) = $var(n) + 1; {wait} {call}{'' if call.endswith('}') else ';'} }}\n"
    found = answer('$var(name) = "DOWN"; route(DOWN); evapi_relay("$var(n)");', more=more)
    assert found in (b"3:255,", b"3:256,")
