"""Where JSON documents end in a stream of bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evapi_cfg.protocol.json_stream import JsonStreamDecoder

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=4), VALUES, max_size=3)


def drained(decoder: JsonStreamDecoder) -> list[bytes]:
    found = []
    while (document := decoder.next()) is not None:
        found.append(document)
    return found


@given(st.lists(DOCUMENTS, max_size=4), st.integers(1, 9), st.sampled_from(["", "\n", " \r\n\t"]))
def test_documents_cut_anywhere(documents: list[object], size: int, between: str) -> None:
    texts = [json.dumps(document).encode() for document in documents]
    data = between.encode().join(texts)
    decoder = JsonStreamDecoder(1 << 16)
    found = []
    for at in range(0, len(data), size):
        decoder.feed(data[at : at + size])
        found += drained(decoder)
    assert found == texts
    assert (decoder.fault, decoder.rest()) == ("", b"")


def test_brackets_and_quotes_in_texts() -> None:
    decoder = JsonStreamDecoder(1 << 16)
    decoder.feed(b'{"a":"}]\\"{["}[]')
    assert drained(decoder) == [b'{"a":"}]\\"{["}', b"[]"]


def test_what_is_not_whole_stays() -> None:
    decoder = JsonStreamDecoder(1 << 16)
    decoder.feed(b' {"a":1} {"b":[')
    assert drained(decoder) == [b'{"a":1}']
    assert decoder.rest() == b'{"b":['
    assert not decoder.fault


@pytest.mark.parametrize("data", [b"garbage", b"5", b'"x"', b"}", b'{"a":1},'])
def test_what_begins_no_document(data: bytes) -> None:
    decoder = JsonStreamDecoder(1 << 16)
    decoder.feed(data)
    drained(decoder)
    assert "no JSON object" in decoder.fault


@pytest.mark.parametrize("data", [b"[" * 200, b'["' + b"x" * 200, b'["' + b"x" * 200 + b'"]', b"[" + b" " * 200 + b"]"])
def test_a_limit(data: bytes) -> None:
    decoder = JsonStreamDecoder(100)
    decoder.feed(data)
    assert drained(decoder) == []
    assert "more than 100 bytes" in decoder.fault
