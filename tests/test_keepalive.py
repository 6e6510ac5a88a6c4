"""How peers that are gone without a word are found: the plan, against what the kernel makes of it."""

from __future__ import annotations

import socket

import pytest

from evapi_cfg.server.keepalive import Keepalive, arrived, taken


def found_after(plan: Keepalive) -> float:
    """Seconds after which Linux gives up a silent peer that nothing was sent to (tcp_timer.c: tcp_keepalive_timer)."""
    passed = float(plan.idle)
    asked = 0
    while not (asked and passed * 1000 >= plan.unanswered):
        asked += 1
        passed += plan.interval
    return passed


@pytest.mark.parametrize("seconds", [4, 5, 6, 7, 8, 10, 15, 30, 60, 61.5, 120, 600, 7200, 86400])
def test_it_is_over_in_time(seconds: float) -> None:
    plan = Keepalive.within(seconds)
    assert min(plan.idle, plan.interval, plan.count) >= 1
    # something may be sent just before the last question
    assert found_after(plan) + plan.unanswered / 1000 <= seconds
    # where nothing but the number of questions ends it
    assert plan.idle + plan.interval * plan.count <= seconds / 2
    assert found_after(plan) >= seconds / 2 * 0.75, "no longer than needed, but not in a hurry"


def test_what_the_kernel_tells() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Keepalive(9, 7, 3, 29_600).set_on(listening)
        with socket.create_connection(listening.getsockname()) as client, listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if not hasattr(socket, "TCP_USER_TIMEOUT"):
                pytest.skip("another system than Linux")
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            assert [accepted.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [9, 7, 3, 29_600]
            assert taken(accepted) == 0
            accepted.sendall(b"x" * 1000)
            client.recv(1000, socket.MSG_WAITALL)
            while not arrived(accepted):
                pass
            assert taken(accepted) == 1000
            accepted.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    accepted.send(b"x" * 65536)
            assert not arrived(accepted)


def test_a_socket_that_is_gone_has_nothing_on_its_way() -> None:
    closed = socket.socket()
    closed.close()
    for gone in (None, closed):
        assert taken(gone) is None
        assert arrived(gone)
