"""Places, tags, order of what is handed out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.runtime.hub import EventClient, EventHub


def hub(limit: int = 8) -> EventHub:
    return EventHub(limit, netstrings=False)


def join(made: EventHub) -> EventClient:
    client = made.join("127.0.0.1", 1)
    assert client is not None
    return client


def drained(made: EventHub) -> dict[int, str]:
    out: dict[int, str] = {}
    for client, data in made.drain():
        assert client.conidx not in out
        out[client.conidx] = data.decode("latin-1")
    return {place: data for place, data in out.items() if data}


def test_a_new_client_gets_the_lowest_free_place() -> None:
    made = hub(3)
    a, b, c = join(made), join(made), join(made)
    assert [client.conidx for client in (a, b, c)] == [0, 1, 2]
    assert made.join("127.0.0.1", 1) is None
    made.leave(b)
    made.leave(a)
    assert join(made).conidx == 0
    assert join(made).conidx == 1


def test_a_place_that_is_used_again_has_no_tag() -> None:
    made = hub()
    first = join(made)
    made.set_tag(first, "red")
    made.leave(first)
    assert join(made).tag is None
    assert made.multicast("x", "red") == 0


def test_unicast_goes_to_the_lowest_place_with_the_tag() -> None:
    made = hub()
    clients = [join(made) for _ in range(3)]
    for client in (clients[2], clients[1]):
        made.set_tag(client, "red")
    assert made.unicast("x", "red") == 1
    assert drained(made) == {1: "x"}
    made.set_tag(clients[1], "blue")
    assert made.unicast("x", "red") == 1
    assert drained(made) == {2: "x"}


def test_order_is_kept_between_what_all_get_and_what_one_gets() -> None:
    made = hub()
    a, _b = join(made), join(made)
    made.set_tag(a, "a")
    made.relay("1")
    made.unicast("2", "a")
    made.relay("3")
    c = join(made)
    made.relay("4")
    made.close(c)
    made.relay("5")
    assert drained(made) == {0: "12345", 1: "1345", 2: "4"}
    assert drained(made) == {}


def test_a_closed_client_gets_what_was_sent_before_and_nothing_behind() -> None:
    made = hub()
    a = join(made)
    made.set_tag(a, "a")
    made.unicast("bye", "a")
    made.close(a)
    assert made.unicast("late", "a") == 0
    assert made.relay("late") == 0
    assert [(client, data, client.connected) for client, data in made.drain()] == [(a, b"bye", False)]


def test_a_client_that_left_gets_nothing() -> None:
    made = hub()
    a, b = join(made), join(made)
    made.relay("x")
    made.leave(a)
    made.leave(a)
    made.close(a)
    assert [client for client, _data in made.drain()] == [b]


STEP = st.one_of(
    st.tuples(st.sampled_from(["join", "relay", "drain"]), st.integers(0, 5), st.just("")),
    st.tuples(st.sampled_from(["leave", "close"]), st.integers(0, 5), st.just("")),
    st.tuples(st.sampled_from(["tag", "unicast", "multicast"]), st.integers(0, 5), st.sampled_from("abc")),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_as_a_hub_that_writes_at_once(steps: list[tuple[str, int, str]]) -> None:
    """The same steps on a model with no log, no places to reuse lazily and no gathering."""
    made = hub(4)
    wanted: dict[EventClient, str] = {}
    got: dict[EventClient, str] = {}
    connected: list[EventClient] = []
    tags: dict[EventClient, str] = {}

    def take() -> None:
        for client, data in made.drain():
            got[client] = got.get(client, "") + data.decode()

    for number, (step, which, tag) in enumerate(steps):
        chosen = connected[which] if which < len(connected) else None
        reached: list[EventClient] = []
        match step:
            case "join":
                client = made.join("127.0.0.1", 1)
                assert (client is None) == (len(connected) == 4)
                if client is not None:
                    assert client.conidx == min(set(range(5)) - {other.conidx for other in connected})
                    connected = sorted([*connected, client], key=lambda c: c.conidx)
            case "leave" if chosen:
                take()
                made.leave(chosen)
                connected.remove(chosen)
                tags.pop(chosen, None)
            case "close" if chosen:
                made.close(chosen)
                connected.remove(chosen)
                tags.pop(chosen, None)
            case "tag" if chosen:
                made.set_tag(chosen, tag)
                tags[chosen] = tag
            case "relay":
                reached = list(connected)
                assert made.relay(str(number)) == len(reached)
            case "multicast":
                reached = [client for client in connected if tags.get(client) == tag]
                assert made.multicast(str(number), tag) == len(reached)
            case "unicast":
                reached = [client for client in connected if tags.get(client) == tag][:1]
                assert made.unicast(str(number), tag) == len(reached)
            case "drain":
                take()
        for client in reached:
            wanted[client] = wanted.get(client, "") + str(number)
    take()
    assert {client: data for client, data in got.items() if data} == wanted


@pytest.mark.parametrize("text", ["\x00", "\xff\xfe", "é".encode().decode("latin-1")])
def test_bytes_go_out_as_they_are(text: str) -> None:
    made = hub()
    join(made)
    made.relay(text)
    assert drained(made) == {0: text}
