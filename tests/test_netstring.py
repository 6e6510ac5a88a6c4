"""The decoder: every chunking gives the same messages, nothing is lost, doubled or reordered."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.protocol.bare import BareDecoder
from evapi_cfg.protocol.netstring import FaultKind, NetstringDecoder, encode

LIMIT = 32767


def decode(chunks: list[bytes], limit: int = LIMIT) -> tuple[list[str], list[FaultKind]]:
    decoder = NetstringDecoder(limit)
    messages = [message for chunk in chunks for message in decoder.feed(chunk)]
    return messages, [fault.kind for fault in decoder.faults]


def frames(messages: list[bytes]) -> bytes:
    return b"".join(map(encode, messages))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


# What stands on the wire, and what it must come to: messages and faults (but for cut lengths, which chunking decides).
CASES = [
    (b"", [], []),
    (b"5:hello,", ["hello"], []),
    (b"5:hello,5:world,", ["hello", "world"], []),
    (b" \t\r\n5:hello,\n", ["hello"], []),
    (b"003:abc,", ["abc"], []),
    (b"0:,3:abc,", ["abc"], [FaultKind.EMPTY]),
    (b"3:abc,0:,0:,3:def,", ["abc", "def"], [FaultKind.EMPTY, FaultKind.EMPTY]),
    (b"3:a:b,", ["a:b"], []),
    (b"3:,,,,", [",,,"], []),
    (b"4:\x00\xff\n:,", ["\x00\xff\n:"], []),
    (b"10:0123456789,1:x,", ["0123456789", "x"], []),
]


@pytest.mark.parametrize(("data", "messages", "faults"), CASES)
def test_whole_bytewise_and_with_a_tail(data: bytes, messages: list[str], faults: list[FaultKind]) -> None:
    assert decode([data]) == (messages, faults)
    bytewise, found = decode([data[i : i + 1] for i in range(len(data))])
    assert bytewise == messages
    assert [kind for kind in found if kind is not FaultKind.CUT_LENGTH] == faults
    assert decode([data + b"4:tail,"])[0] == [*messages, "tail"]
    assert decode([data, b"4:tail,"])[0] == [*messages, "tail"]


# Bytes that are no frames: what had been read is dropped, the next read begins afresh.
DROPPED = [
    (b"xyz", FaultKind.BAD_LENGTH),
    (b":abc,", FaultKind.BAD_LENGTH),
    (b"3 :abc,", FaultKind.BAD_LENGTH),
    (b"-1:a,", FaultKind.BAD_LENGTH),
    (b"+1:a,", FaultKind.BAD_LENGTH),
    (b"1_0:0123456789,", FaultKind.BAD_LENGTH),
    (b"\xb2:ab,", FaultKind.BAD_LENGTH),
    (b'{"a":1}', FaultKind.BAD_LENGTH),
    (b"3:abcd", FaultKind.BAD_END),
    (b"0:x", FaultKind.BAD_END),
    (b"\x00:abc,", FaultKind.BAD_LENGTH),
    (b"\x00", FaultKind.BAD_LENGTH),
    (b"\x00,5:hello,", FaultKind.BAD_LENGTH),
]


@pytest.mark.parametrize(("data", "kind"), DROPPED)
def test_what_is_no_frame_is_dropped_up_to_the_end_of_the_read(data: bytes, kind: FaultKind) -> None:
    assert decode([b"2:ok," + data + b"4:lost,", b"2:go,"]) == (["ok", "go"], [kind])


@pytest.mark.parametrize("payload", [LIMIT - 7, LIMIT - 8, 1, 9, 10])
def test_frames_up_to_the_limit(payload: int) -> None:
    message = "x" * payload
    assert decode([encode(message.encode())])[0] == [message]


@pytest.mark.parametrize(
    "head", [b"32761:", b"40000:", b"99999999999999999999:", b"0" * 40000, b"1" * 40000, b"00032760:", b"32768"]
)
def test_a_frame_above_the_limit_is_refused_when_its_length_is_known(head: bytes) -> None:
    decoder = NetstringDecoder(LIMIT)
    assert decoder.feed(b"2:ok," + head) == ["ok"]
    assert decoder.dead
    assert [fault.kind for fault in decoder.faults][-1] is FaultKind.TOO_LONG
    assert decoder.feed(b"2:no,") == []


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x00", b"\xff"])
def test_the_first_byte_of_a_connection_is_nothing_special(data: bytes) -> None:
    assert decode([data, b"5:hello,"]) == (["hello"], [FaultKind.BAD_LENGTH])


def test_thousands_of_leading_zeros_are_still_a_length() -> None:
    assert decode([b"0" * 5000 + b"5:hello,"]) == (["hello"], [])


def test_a_length_cut_between_reads_is_a_fault_that_loses_nothing() -> None:
    assert decode([b"1", b"1:hello world,"]) == (["hello world"], [FaultKind.CUT_LENGTH])
    assert decode([b"11", b":hello world,"]) == (["hello world"], [FaultKind.CUT_LENGTH])
    assert decode([b"11:", b"hello world,"]) == (["hello world"], [])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 600), max_size=30))
def test_every_chunking_gives_the_same_messages(messages: list[bytes], places: list[int]) -> None:
    data = frames(messages)
    wanted = [message.decode("latin-1") for message in messages if message]
    assert decode(cut(data, places))[0] == wanted
    assert decode([data[i : i + 1] for i in range(len(data))])[0] == wanted


@settings(max_examples=400, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_bytes_end_in_messages_and_faults_only(chunks: list[bytes]) -> None:
    messages, _faults = decode(chunks, limit=50)
    assert sum(map(len, messages)) <= sum(map(len, chunks))


def test_a_decoder_keeps_little_of_a_frame_that_trickles_in() -> None:
    decoder = NetstringDecoder(LIMIT)
    for byte in b"32000:" + b"x" * 31999:
        decoder.feed(bytes([byte]))
    assert decoder.pending == 6 + 31999
    assert decoder.feed(b"x,") == ["x" * 32000]
    assert decoder.pending == 0


def test_bare_reads_are_messages() -> None:
    decoder = BareDecoder(12)
    assert decoder.feed(b"5:hello,\xff") == ["5:hello,\xff"]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"x" * 30) == ["x" * 12, "x" * 12, "x" * 6]
