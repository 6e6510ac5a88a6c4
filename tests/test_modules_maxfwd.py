"""maxfwd: what its cases against Kamailio do not show."""

from __future__ import annotations

import pytest

from evapi_cfg.modules.maxfwd import MODULE
from evapi_cfg.sip.message import Message
from tests.module_world import Bench

PROCESS = "mf_process_maxfwd_header"


def about(headers: str, **limits: int) -> tuple[Bench, Message]:
    bench = Bench(*(("maxfwd", name, value) for name, value in limits.items()))
    message = bench.run.message = Message(
        f"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n{headers}CSeq: 1 OPTIONS\r\n\r\nMax-Forwards: 10\r\n"
    )
    return bench, message


def test_the_text_itself_changes() -> None:
    bench, message = about("X: Max-Forwards: 10\r\nMax-Forwards:  10 \r\n")
    assert message.body_of("cseq") == "1 OPTIONS"
    message.edit(message.text.index("CSeq"), 0, "Y: 1\r\n")
    assert bench.call(PROCESS, 70) == 1
    assert "\r\nX: Max-Forwards: 10\r\nMax-Forwards:   9 \r\nY: 1\r\nCSeq" in message.updated()
    assert message.text.endswith("\r\n\r\nMax-Forwards: 10\r\n")
    assert bench.call("is_maxfwd_lt", 9) == -1
    assert bench.call("is_maxfwd_lt", 10) == 1
    assert bench.call(PROCESS, 70) == 1
    assert "Max-Forwards:   8 \r\n" in message.text


def test_a_folded_header() -> None:
    bench, message = about("max-forwards:\r\n\t12\r\n")
    assert bench.call(PROCESS, 70) == 1
    assert "max-forwards:\r\n\t11\r\n" in message.text
    assert message.body_of("cseq") == "1 OPTIONS"


def test_a_header_that_is_added() -> None:
    bench, message = about("")
    assert bench.call(PROCESS, 0) == 2
    assert message.updated().startswith("OPTIONS sip:a SIP/2.0\r\nMax-Forwards: 0\r\nVia: ")


@pytest.mark.parametrize("limit", [None, -1, 256, 2**31])
def test_limits_that_are_none(limit: int | None) -> None:
    bench, message = about("Max-Forwards: 10\r\n")
    for name in {function.name for function in MODULE.functions}:
        assert bench.call(name, limit) == -1
    assert "Max-Forwards: 10\r\nCSeq" in message.text


def test_headers_in_front_that_cannot_be_read() -> None:
    bench, _ = about("Content-Length: x\r\n")
    assert bench.call(PROCESS, 70) == -2
    assert bench.call("is_maxfwd_lt", 70) == -3


@pytest.mark.parametrize(
    "value,code,left",
    [("99999", 1, "   70"), ("65536", -1, "65536"), ("\xb2", -2, "\xb2"), ("", -1, ""), ("71", 1, "70")],
)
def test_odd_values(value: str, code: int, left: str) -> None:
    bench, message = about(f"Max-Forwards: {value}\r\n")
    assert bench.call(PROCESS, 70) == code
    assert f"Max-Forwards: {left}\r\nCSeq" in message.text


def test_a_limit_below_zero() -> None:
    bench, message = about("Max-Forwards: 9\r\n", max_limit=-3)
    assert bench.call(PROCESS, 70) == 1
    assert "Max-Forwards: 0\r\nCSeq" in message.text


def test_blanks_in_front_of_the_digits_count_until_the_text_is_read_again() -> None:
    bench, message = about("X: 1\r\nMax-Forwards: 100\r\n", max_limit=255)
    for left in ("100", " 99", " 98"):
        for name in ("$hdr(Max-Forwards)", "$(hdr(Max-Forwards)[-1])", "$(hdr(Max-Forwards)[*])", "$(hdr(*)[2])"):
            assert bench.get(name) == left
        assert bench.call(PROCESS, 70) == 1
    assert bench.get("$(hdr(*)[1])") == "1"
    assert message.fresh().padding == " "
    message.replace_text(message.text)
    assert bench.get("$hdr(Max-Forwards)") == bench.get("$(hdr(Max-Forwards)[*])") == "97"
