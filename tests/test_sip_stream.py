"""SIP over a stream: messages come out whole, however their bytes are cut, and nothing that comes in raises."""

from __future__ import annotations

from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evapi_cfg.protocol.sip_stream import SipStreamDecoder

LIMIT = 4096


def message(body: str = "", headers: str = "", end: str = "\r\n", length: str | None = None) -> str:
    shown = str(len(body)) if length is None else length
    return f"OPTIONS sip:x SIP/2.0{end}{headers}Content-Length: {shown}{end}{end}{body}"


def fed(data: str, cuts: list[int] | None = None, limit: int = LIMIT) -> tuple[list[str], str]:
    """All messages that come out of bytes that are cut at some places, and the fault."""
    decoder = SipStreamDecoder(limit)
    raw = data.encode("latin-1")
    out: list[str] = []
    places = sorted({0, len(raw), *(cuts or [])})
    for start, stop in pairwise(places):
        out += decoder.feed(raw[start:stop])
    return out, decoder.fault


def byte_by_byte(data: str, limit: int = LIMIT) -> tuple[list[str], str]:
    return fed(data, list(range(len(data))), limit)


TWO = [message("hello"), message("", "X-A: 1\r\n")]


@pytest.mark.parametrize(
    "data,messages",
    [
        ("", []),
        (TWO[0], TWO[:1]),
        (TWO[0] + TWO[1], TWO),
        (TWO[0] + "\r\n" + TWO[1], TWO),  # one line end more than there must be
        ("\r\n\r\n", [""]),  # a keep-alive
        ("\r\n\r\n\r\n\r\n" + TWO[0], ["", "", TWO[0]]),
        (TWO[0] + "\r\n\r\n" + TWO[1] + "\r\n\r\n", [TWO[0], "", TWO[1], ""]),
        ("\r\n", []),  # half of one
        ("\n\n" + TWO[1], TWO[1:]),
        ("\r\r\n\r\n" + TWO[1], ["", TWO[1]]),
        (message("hello", end="\n"), [message("hello", end="\n")]),
        (message("\r\n\r\nOPTIONS"), [message("\r\n\r\nOPTIONS")]),  # what looks like an end is in the body
        (TWO[0][:-1], []),  # a body that is still to come
        (message("\xff\0"), [message("\xff\0")]),
        (
            "A b C\r\nl:\t3 \r\nContent-Length: 3\r\n\r\nabcA b C\r\nCONTENT-LENGTH : 0\r\n\r\n",
            ["A b C\r\nl:\t3 \r\nContent-Length: 3\r\n\r\nabc", "A b C\r\nCONTENT-LENGTH : 0\r\n\r\n"],
        ),
    ],
)
def test_what_comes_out(data: str, messages: list[str]) -> None:
    assert fed(data) == (messages, "")
    assert byte_by_byte(data) == (messages, "")


@pytest.mark.parametrize(
    "data,fault",
    [
        ("OPTIONS sip:x SIP/2.0\r\nA: b\r\n\r\n", "a message without a Content-Length that can be read"),
        (message(length="x"), "a message without a Content-Length that can be read"),
        (message(length="-1"), "a message without a Content-Length that can be read"),
        (message(length="1, 1"), "a message without a Content-Length that can be read"),
        (message(length="9" * 10), "a message without a Content-Length that can be read"),
        (message("", "Content-Length: 5\r\n"), "a message with two lengths"),
        ("x" * (LIMIT + 1), f"a message of more than {LIMIT} bytes"),
        (message(length="4096"), "a message of 4143 bytes, at most 4096 are taken"),
    ],
)
def test_what_cannot_be_followed(data: str, fault: str) -> None:
    assert fed(TWO[0] + data) == (TWO[:1], fault)
    assert byte_by_byte(TWO[0] + data) == (TWO[:1], fault)


def test_behind_a_fault_nothing_comes_out() -> None:
    decoder = SipStreamDecoder(LIMIT)
    assert decoder.feed(b"A b C\r\n\r\n") == []
    assert decoder.fault
    assert decoder.feed(TWO[0].encode()) == []


def test_the_limit_is_of_one_message() -> None:
    longest = message("x" * 40, "A: " + "y" * 20 + "\r\n")
    size = len(longest)
    assert fed(longest * 3, limit=size) == ([longest] * 3, "")
    assert byte_by_byte(longest * 3, size) == ([longest] * 3, "")
    assert fed(longest, limit=size - 1)[1]
    assert byte_by_byte(longest, size - 1)[1]


def test_empty_lines_cost_no_more_than_their_number() -> None:
    decoder = SipStreamDecoder(LIMIT)
    start = process_time()
    assert decoder.feed(b"\n" * (1 << 21)) == []
    assert process_time() - start < 5  # a tenth of that; minutes, if what is left were looked at for each line


PARTS = st.one_of(
    st.builds(message, st.text("ab\r\n\0\xff:", max_size=12), st.sampled_from(["", "A: b\r\n", "l:  0\r\n"])),
    st.just("\r\n\r\n"),
    st.just("\r\n"),
)


@given(st.lists(PARTS, max_size=5).map("".join), st.data())
def test_cuts_change_nothing(data: str, draw: st.DataObject) -> None:
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=8))
    assert fed(data, cuts) == fed(data) == byte_by_byte(data)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from([b"\r\n", b"\n", b"\r", b"Content-Length: ", b"l:", b"3", b"OPTIONS sip:x SIP/2.0", b" "]),
        ),
        max_size=20,
    ),
    st.integers(1, 60),
)
def test_any_bytes(chunks: list[bytes], limit: int) -> None:
    decoder = SipStreamDecoder(limit)
    came = [one for chunk in chunks for one in decoder.feed(chunk)]
    sent = b"".join(chunks).decode("latin-1")
    at = 0
    for one in came:
        at = sent.index(one or "\r\n\r\n", at) + len(one or "\r\n\r\n")
        assert len(one) <= limit
