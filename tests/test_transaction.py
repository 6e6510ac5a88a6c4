"""Which transaction a request belongs to, and the table that they stand in."""

from __future__ import annotations

import random

import pytest

from evapi_cfg.sip.message import Message, Received
from evapi_cfg.sip.transaction import ENTRIES, LABELS, Transaction, TransactionTable

COOKIE = "z9hG4bK"
VIA = f"SIP/2.0/UDP 192.0.2.1:5062;branch={COOKIE}one"


def message(
    method: str = "INVITE",
    *,
    uri: str = "sip:bob@example.com",
    via: str = VIA,
    call_id: str = "call-1",
    cseq: int = 1,
    from_: str = "<sip:alice@example.com>;tag=a",
    to: str = "<sip:bob@example.com>",
) -> Message:
    return Message(
        f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nFrom: {from_}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
        Received(),
    )


def table_with(*requests: Message) -> tuple[TransactionTable, list[Transaction]]:
    table = TransactionTable(7)
    return table, [table.add(request) for request in requests]


# ---- requests of the same transaction


@pytest.mark.parametrize(
    ("via", "same"),
    [
        (VIA, True),
        (f"SIP/2.0/UDP 192.0.2.1:5062;rport;branch={COOKIE}one", True),
        (f"SIP/2.0/UDP  192.0.2.1 : 5062 ; received=1.2.3.4;branch = {COOKIE}one", True),
        (f"{VIA}, SIP/2.0/UDP 192.0.2.9;branch={COOKIE}other", True),
        (f"SIP/2.0/UDP 192.0.2.1:5062;branch={COOKIE}two", False),
        (f"SIP/2.0/UDP 192.0.2.1:5062;branch={COOKIE}ONE", False),
        (f"SIP/2.0/UDP 192.0.2.2:5062;branch={COOKIE}one", False),
        (f"SIP/2.0/UDP 192.0.2.1:5063;branch={COOKIE}one", False),
        (f"SIP/2.0/UDP 192.0.2.1;branch={COOKIE}one", False),
        (f"SIP/2.0/TCP 192.0.2.1:5062;branch={COOKIE}one", False),
    ],
)
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "MESSAGE", "FOO"])
def test_a_modern_branch_and_its_sender_say_which_one(method: str, via: str, same: bool) -> None:
    table, [made] = table_with(message(method))
    # What else differs does not count: not even the addresses.
    again = message(method, via=via, uri="sip:else@example.com", to="<sip:else@example.com>;tag=x", from_="<sip:e@x>")
    assert table.find(again) == (made if same else None, False)


@pytest.mark.parametrize(
    ("first", "second"),
    [("SIP/2.0/UDP h", "SIP/2.0/UDP h:5060"), ("SIP/2.0/TLS h", "SIP/2.0/TLS h:5061")],
)
def test_the_usual_port_is_the_same_as_none(first: str, second: str) -> None:
    for one, other in ((first, second), (second, first)):
        table, [made] = table_with(message(via=f"{one};branch={COOKIE}1"))
        assert table.find(message(via=f"{other};branch={COOKIE}1"))[0] is made


@pytest.mark.parametrize("other", [{"call_id": "call-2"}, {"call_id": "CALL-1"}, {"cseq": 2}])
def test_another_call_or_number_is_another_transaction(other: dict[str, str | int]) -> None:
    table, _ = table_with(message())
    assert table.find(message(**other)) == (None, False)  # type: ignore[arg-type]


def test_methods_of_one_call_and_number_are_told_apart() -> None:
    methods = ["INVITE", "CANCEL", "OPTIONS", "BYE", "FOO"]
    table, made = table_with(*(message(method) for method in methods))
    for method, transaction in zip(methods, made, strict=True):
        assert table.find(message(method))[0] is transaction
    assert table.find(message("MESSAGE")) == (None, True)


OLD = "SIP/2.0/UDP 192.0.2.1:5062"


@pytest.mark.parametrize("branch", ["", ";branch=1", f";branch={COOKIE}"])
@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"uri": "sip:else@example.com"}, False),
        ({"from_": "<sip:alice@example.com>;tag=b"}, False),
        ({"to": "<sip:bob@example.com>;tag=b"}, False),
    ],
)
def test_without_the_cookie_addresses_and_the_whole_via_must_be_the_same(
    branch: str, other: dict[str, str], same: bool
) -> None:
    table, [made] = table_with(message(via=OLD + branch))
    assert table.find(message(via=OLD + branch, **other))[0] is (made if same else None)  # type: ignore[arg-type]
    assert table.find(message(via=OLD + branch + ";x=1"))[0] is None


# ---- ACK


@pytest.mark.parametrize("status", [300, 404, 487, 603])
def test_the_ack_of_a_failure_has_the_branch_of_its_invite(status: int) -> None:
    table, [made] = table_with(message())
    made.status = status
    assert table.find(message("ACK", to="<sip:bob@example.com>;tag=whatever"))[0] is made
    assert table.find(message("ACK", via=VIA + "x", to="<sip:bob@example.com>;tag=t"))[0] is None


@pytest.mark.parametrize("via", [VIA, VIA + "-another", "SIP/2.0/UDP 192.0.2.7"])
@pytest.mark.parametrize(
    ("to", "from_", "local", "same"),
    [
        ("<sip:else@example.com>;tag=mine", "<sip:e@x>;tag=a", True, True),
        ("<sip:bob@example.com>;tag=other", "<sip:e@x>;tag=a", True, False),
        ("<sip:bob@example.com>", "<sip:e@x>;tag=a", True, False),
        ("<sip:bob@example.com>;tag=mine", "<sip:alice@example.com>;tag=b", True, False),
        ("<sip:bob@example.com>;tag=mine", "<sip:alice@example.com>", True, False),
        ("<sip:bob@example.com>;tag=mine", "<sip:e@x>;tag=a", False, False),
    ],
)
def test_the_ack_of_a_success_has_the_tags(via: str, to: str, from_: str, local: bool, same: bool) -> None:
    table, [made] = table_with(message())
    made.status, made.local, made.local_tag = 200, local, "mine"
    ack = message("ACK", via=via, to=to, from_=from_, uri="sip:bob@192.0.2.50")
    assert table.find(ack)[0] is (made if same else None)


@pytest.mark.parametrize("status", [0, 100, 183])
def test_before_a_final_reply_there_is_nothing_to_acknowledge(status: int) -> None:
    table, [made] = table_with(message())
    made.status, made.local = status, True
    assert table.find(message("ACK"))[0] is None


def test_an_ack_without_the_cookie_needs_the_same_via_and_addresses() -> None:
    table, [made] = table_with(message(via=OLD))
    made.status = 404
    assert table.find(message("ACK", via=OLD, to="<sip:bob@example.com>;tag=t"))[0] is made
    assert table.find(message("ACK", via=OLD, to="<sip:else@example.com>;tag=t"))[0] is None
    assert table.find(message("ACK", via=OLD + ";x"))[0] is None
    assert table.find(message("ACK", via=OLD, uri="sip:x@y"))[0] is None


def test_an_ack_belongs_to_nothing_but_an_invite() -> None:
    table, made = table_with(message("OPTIONS"), message("BYE"))
    for transaction in made:
        transaction.status = 404
    assert table.find(message("ACK")) == (None, False)


def test_an_ack_finds_the_right_one_of_two_invites_of_a_call() -> None:
    table, made = table_with(message(), message(via=VIA + "2"))
    made[0].status, made[0].local, made[0].local_tag = 200, True, "mine"
    made[1].status = 404
    assert table.find(message("ACK", via=VIA + "2"))[0] is made[1]
    assert table.find(message("ACK", via=VIA + "3", to="<sip:bob@example.com>;tag=mine"))[0] is made[0]


# ---- CANCEL


def test_a_cancel_finds_what_it_is_about() -> None:
    table, [invite] = table_with(message())
    cancel = message("CANCEL", to="<sip:bob@example.com>")
    assert table.original(cancel) is invite
    assert table.find(cancel) == (None, False)
    made = table.add(cancel)
    assert table.original(cancel) is invite
    assert table.find(message("CANCEL"))[0] is made
    assert table.original(message("CANCEL", via=VIA + "x")) is None
    assert table.original(message("CANCEL", cseq=2)) is None


def test_a_cancel_that_came_first_is_told() -> None:
    table, [_cancel] = table_with(message("CANCEL"))
    assert table.find(message()) == (None, True)
    assert table.find(message(via=VIA + "x")) == (None, False)
    assert table.find(message("ACK")) == (None, False)


def test_a_cancel_without_the_cookie_may_have_another_tag() -> None:
    table, [invite] = table_with(message(via=OLD))
    assert table.original(message("CANCEL", via=OLD, to="<sip:bob@example.com>;tag=x")) is invite
    assert table.original(message("CANCEL", via=OLD, to="<sip:else@example.com>")) is None


def test_a_call_is_found_by_its_invite_alone() -> None:
    table, made = table_with(message(), message("OPTIONS"), message("CANCEL"))
    assert table.of_call("call-1", "1") is made[0]
    assert table.of_call("call-1", "2") is None
    assert table.of_call("call-1", "") is None
    table.remove(made[0])
    assert table.of_call("call-1", "1") is None


def test_what_has_no_via_belongs_to_nothing() -> None:
    table, _ = table_with(message())
    bare = Message(
        "INVITE sip:bob@example.com SIP/2.0\r\nFrom: <sip:a@b>\r\nTo: <sip:b@b>\r\nCall-ID: call-1\r\n"
        "CSeq: 1 INVITE\r\n\r\n"
    )
    assert table.find(bare) == (None, False)
    assert table.original(bare) is None


# ---- the table


def test_any_order_of_removal_leaves_the_others() -> None:
    chance = random.Random(3)
    for _ in range(200):
        table = TransactionTable(0)
        requests = [
            message(chance.choice(["INVITE", "OPTIONS"]), call_id=f"c{chance.randrange(3)}", via=f"{VIA}{number}")
            for number in range(8)
        ]
        there = [table.add(request) for request in requests]
        chance.shuffle(there)
        while there:
            gone = there.pop()
            table.remove(gone)
            table.remove(gone)
            assert table.find(gone.request)[0] is None
            assert len(table) == len(there)
            for transaction in there:
                assert table.find(transaction.request)[0] is transaction
                assert table.by_id(transaction.index, transaction.label) is transaction


def test_ids_name_one_transaction_alone() -> None:
    table, made = table_with(*(message(call_id=f"call-{number}") for number in range(50)))
    assert len({transaction.label for transaction in made}) == 50
    for transaction in made:
        assert 0 <= transaction.index < ENTRIES
        assert 0 <= transaction.label < LABELS
        assert table.by_id(transaction.index, transaction.label) is transaction
        for index, label in (
            (transaction.index + 1, transaction.label),
            (-transaction.index - 1, transaction.label),
            (transaction.index, -transaction.label - 1),
            (transaction.index + ENTRIES, transaction.label),
            (transaction.index, transaction.label + LABELS),
            (1 << 80, transaction.label),
            (transaction.index, -(1 << 80)),
        ):
            assert table.by_id(index, label) is None


def test_labels_begin_again_and_pass_those_that_are_taken() -> None:
    table = TransactionTable(LABELS - 1)
    labels = [table.add(message(call_id=str(number))).label for number in range(3)]
    assert labels == [LABELS - 1, 0, 1]
    table._next_label = LABELS - 1
    assert table.add(message(call_id="more")).label == 2


def test_the_index_is_that_of_the_call_and_its_number() -> None:
    _table, made = table_with(message(), message("CANCEL"), message(cseq=2))
    assert made[0].index == made[1].index != made[2].index
    assert TransactionTable(99).add(message()).index == made[0].index


def test_a_transaction_shows_what_it_is() -> None:
    _, [made] = table_with(message())
    assert repr(made) == f"<transaction {made.index}:7 INVITE 0>"


def test_very_many_of_one_call_id_are_told_apart() -> None:
    """As one that sends whatever it likes would have it: each is found, and nothing of them stays."""
    requests = [message("OPTIONS", via=f"SIP/2.0/UDP 192.0.2.1;branch={COOKIE}{number}") for number in range(500)]
    table, made = table_with(*requests)
    assert [table.find(request)[0] for request in requests] == made
    random.Random(1).shuffle(made)
    for transaction in made:
        table.remove(transaction)
    assert [table.find(request) for request in requests] == [(None, False)] * 500
    assert not table._by_call and not table._by_sender and not table._by_label
    assert table.find(message("OPTIONS", via="SIP/2.0/UDP 192.0.2.1;branch=old")) == (None, False)
