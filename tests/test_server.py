"""The server with real sockets, on uvloop and on the plain asyncio loop.

Nothing here waits for a fixed time: what is waited for is what must happen, with a deadline far away.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from evapi_cfg import CannotListen, Limits, load_text, serve
from evapi_cfg.runtime.app import Records
from evapi_cfg.server import EventServer
from evapi_cfg.server.acceptor import NOT_SENT
from tests.driven import Runner

DEADLINE = 30.0
HEAD = """#!KAMAILIO
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "cfgutils.so"
loadmodule "evapi.so"
modparam("evapi", "workers", 0)
modparam("evapi", "max_clients", 1000)
modparam("evapi", "bind_addr", "127.0.0.1:1")
"""  # the tests ask for port 0, which a file may not name
NEW, CLOSED, MESSAGE = (
    f"event_route[evapi:{name}]" for name in ("connection-new", "connection-closed", "message-received")
)
ECHO = f'{MESSAGE} {{ evapi_relay("$evapi(msg)"); }}\n'
# Answers go to the one who asked.
OWN = (
    f'{NEW} {{ evapi_set_tag("c$evapi(conidx)"); }}\n{MESSAGE} {{ evapi_unicast("$evapi(msg)", "c$evapi(conidx)"); }}\n'
)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell")
HAS_IPV6 = Path("/proc/net/if_inet6").exists() and bool(Path("/proc/net/if_inet6").read_text())


class Client:
    """A socket that a test reads and writes."""

    def __init__(self, made: socket.socket) -> None:
        self.socket = made
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.socket, data)

    async def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await self._loop.sock_recv(self.socket, size - len(data))
            if not more:
                return data
            data += more
        return data

    async def read_all(self) -> bytes:
        """Up to the end of the connection."""
        data = b""
        while more := await self._loop.sock_recv(self.socket, 1 << 20):
            data += more
        return data

    async def ask(self, message: str) -> None:
        """Sends a message and waits until it is back."""
        frame = frames(message)
        await self.send(frame)
        assert await self.read(len(frame)) == frame


class Site:
    """A server under test with its clients."""

    def __init__(self, server: EventServer, records: Records) -> None:
        self.server = server
        self.records = records
        self.clients: list[Client] = []

    async def connect(self, *, small: bool = False) -> Client:
        """A client whose connection the server has taken over; `small`: with little room for what it does not read."""
        before = len(self.server.transports)
        client = await self.begin(small=small)
        await until(lambda: len(self.server.transports) > before)
        return client

    async def begin(self, *, small: bool = False) -> Client:
        host, port = self.server.address
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        made.setblocking(False)
        if small:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client = Client(made)
        self.clients.append(client)
        await asyncio.get_running_loop().sock_connect(made, (host, port))
        return client

    def logged(self, source: str = "script") -> list[str]:
        return [record.message.strip() for record in self.records.lines if record.source == source]


@asynccontextmanager
async def site(
    cfg: str, host: str = "127.0.0.1", limits: Limits | None = None, **params: int | str
) -> AsyncIterator[Site]:
    records = Records()
    app = load_text(HEAD + cfg, log=records, params=[("evapi", name, value) for name, value in params.items()])
    server = await serve(app, host, 0, limits=limits or Limits(drain=0.05))
    made = Site(server, records)
    try:
        yield made
    finally:
        for client in made.clients:
            client.socket.close()
        await server.close()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def frames(*messages: str) -> bytes:
    return b"".join(b"%d:%b," % (len(message), message.encode()) for message in messages)


# ---- listening


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", pytest.param("::1", marks=pytest.mark.skipif(not HAS_IPV6, reason="no IPv6"))]
)
def test_where_it_listens(in_loop: Runner, host: str) -> None:
    async def test() -> None:
        async with site(f'{MESSAGE} {{ evapi_relay("$evapi(srcaddr) $evapi(srcport)"); }}', host) as here:
            assert here.server.address[1] > 0
            client = await here.connect()
            await client.send(frames("x"))
            wanted = frames("{} {}".format(*client.socket.getsockname()[:2]))
            assert await client.read(len(wanted)) == wanted

    in_loop(test)


@pytest.mark.skipif(not HAS_IPV6, reason="no IPv6")
def test_an_ipv4_client_of_an_ipv6_socket_has_its_ipv4_address(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(f'{NEW} {{ evapi_relay("$evapi(srcaddr)"); }}', "::") as here:
            here.server.address = ("127.0.0.1", here.server.address[1])
            assert await (await here.connect()).read(12) == frames("127.0.0.1")

    in_loop(test)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("192.0.2.1", "no such address"),
        ("no-such-host.invalid", "cannot resolve `no-such-host.invalid`"),
        ("a..b", "no host name"),
        ("a\0b", "cannot resolve"),
        ("x" * 70, "cannot resolve"),
    ],
)
def test_where_it_cannot_listen(in_loop: Runner, host: str, says: str) -> None:
    async def test() -> None:
        with pytest.raises(CannotListen, match=says):
            await serve(load_text(HEAD + ECHO), host, 0)

    in_loop(test)


def test_a_port_in_use(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ECHO) as here:
            host, port = here.server.address
            with pytest.raises(CannotListen, match=f"{host}:{port}: the address is in use"):
                await serve(load_text(HEAD + ECHO), host, port)

    in_loop(test)


def test_worker_one_init_runs_when_it_listens(in_loop: Runner) -> None:
    async def test() -> None:
        async with site('event_route[core:worker-one-init] { xlog("L_INFO", "init\\n"); }\n' + ECHO) as here:
            assert here.logged() == ["init"]
            await (await here.connect()).ask("x")
            assert here.logged() == ["init"]

    in_loop(test)


# ---- connections


def test_sockets_are_set_up_for_small_messages(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ECHO) as here:
            await here.connect()
            [transport] = here.server.transports
            made = transport.get_extra_info("socket")
            assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    in_loop(test)


@LINUX
def test_sockets_are_set_up_to_find_peers_that_are_gone(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ECHO, limits=Limits(drain=0.05, keepalive=8)) as here:
            await here.connect()
            [transport] = here.server.transports
            made = transport.get_extra_info("socket")
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            assert [made.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [1, 1, 3, 3600]

    in_loop(test)


@LINUX
def test_the_kernel_keeps_little_for_a_client_that_does_not_read(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ECHO) as here:
            await here.connect()
            [transport] = here.server.transports
            made = transport.get_extra_info("socket")
            assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == NOT_SENT

    in_loop(test)


def test_what_was_sent_arrives_although_the_client_goes_on_sending(in_loop: Runner) -> None:
    """A socket that is closed with unread bytes in it throws away what it has not delivered."""

    async def test() -> None:
        cfg = f"""{MESSAGE} {{
          while($var(i) < 300) {{ evapi_relay("$evapi(msg)"); $var(i) = $var(i) + 1; }}
          evapi_close();
        }}"""
        async with site("max_while_loops=1000\n" + cfg) as here:
            client = await here.connect(small=True)
            message = "x" * 30000
            await client.send(frames(message))
            await until(lambda: not here.server.engine.hub.clients)
            for _ in range(20):  # all along the way, while nearly nothing has been read
                await client.send(frames("more"))
                await asyncio.sleep(0)
            assert await client.read(300 * len(frames(message))) == frames(message) * 300
            assert await client.read_all() == b""

    in_loop(test)


def test_a_client_that_does_not_close_its_side_is_closed_soon(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(f'{MESSAGE} {{ evapi_relay("bye"); evapi_close(); }}') as here:
            client = await here.connect()
            await client.send(frames("x"))
            assert await client.read_all() == frames("bye")
            await until(lambda: not here.server.transports)

    in_loop(test)


def test_a_client_that_says_that_it_sends_no_more_gets_its_answers(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(OWN + f'{CLOSED} {{ xlog("L_INFO", "closed\\n"); }}') as here:
            client = await here.begin()
            await client.send(frames("a", "b" * 30000, "c"))
            client.socket.shutdown(socket.SHUT_WR)
            assert await client.read_all() == frames("a", "b" * 30000, "c")
            await until(lambda: not here.server.transports)
            assert here.logged() == ["closed"]

    in_loop(test)


@pytest.mark.parametrize("behind", [b"", b"1:x,"])
def test_a_script_that_closes_is_obeyed_behind_what_it_sent(in_loop: Runner, behind: bytes) -> None:
    async def test() -> None:
        async with site(f'{MESSAGE} {{ evapi_relay("bye $evapi(msg)"); evapi_close(); }}') as here:
            client = await here.connect()
            await client.send(frames("you") + behind)
            assert await client.read(10) == frames("bye you")
            assert await client.read_all() == b""
            await until(lambda: not here.server.transports)

    in_loop(test)


def test_a_frame_that_is_too_long_ends_the_connection(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(OWN) as here:
            client, other = await here.connect(), await here.connect()
            await client.send(frames("ok") + b"99999:")
            assert await client.read_all() == frames("ok")
            await until(lambda: len(here.server.transports) == 1)
            await other.ask("still here")
            assert len(here.logged("evapi")) == 1

    in_loop(test)


def test_one_client_too_many(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(OWN, max_clients=2) as here:
            first, second = await here.connect(), await here.connect()
            third = await here.begin()
            assert await third.read_all() == b""
            await first.ask("x")
            first.socket.close()
            await until(lambda: len(here.server.transports) == 1)
            await (await here.connect()).ask("x")
            await second.ask("x")
            [error] = here.logged("evapi")
            assert "max_clients is 2" in error

    in_loop(test)


def test_many_connect_at_once(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(OWN) as here:
            clients = await asyncio.gather(*(here.begin() for _ in range(400)))
            await asyncio.gather(*(client.ask(f"message {number}") for number, client in enumerate(clients)))
            assert len(here.server.transports) == 400
            for client in clients:
                client.socket.close()
            await until(lambda: not here.server.transports)
            assert here.server.engine.hub.clients == []

    in_loop(test)


def test_clients_that_reset_their_connections_at_once(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(OWN) as here:
            stays = await here.connect()
            for number in range(100):
                client = await here.begin()
                if number % 2:
                    await client.send(frames("x") * 50)
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.socket.close()
            await stays.ask("still here")
            await until(lambda: len(here.server.transports) == 1)
            await stays.ask("still here")

    in_loop(test)


def test_a_run_that_waits_is_gone_on_with(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(
            f'{MESSAGE} {{ if($evapi(msg) == "wait") usleep("20000"); evapi_relay("$evapi(msg)"); }}'
        ) as here:
            client, other = await here.connect(), await here.connect()
            await client.send(frames("wait", "a"))
            await other.send(frames("b"))
            assert await client.read(14) == frames("b", "wait", "a")[:14]

    in_loop(test)


# ---- clients that are too slow or too fast


def test_a_client_that_never_reads_is_cut_and_the_others_get_everything(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(ECHO, limits=Limits(max_queue=200_000, drain=0.05)) as here:
            talker, listener, _deaf = await here.connect(), await here.connect(), await here.connect(small=True)
            rounds = 0
            while len(here.server.engine.hub.clients) == 3:
                rounds += 1
                message = f"{rounds:06}" + "x" * 30000
                await talker.ask(message)
                assert await listener.read(len(frames(message))) == frames(message)
                assert rounds < 3000, "it is not cut"
            [error] = here.logged("evapi")
            assert "client 2 " in error
            assert "--max-queue" in error
            await talker.ask("y")
            assert await listener.read(4) == frames("y")
            assert len(here.server.transports) == 2

    in_loop(test)


@LINUX
def test_a_client_that_takes_nothing_is_cut_although_little_waits(in_loop: Runner) -> None:
    async def test() -> None:
        limits = Limits(max_queue=1 << 30, drain=0.05, send_timeout=0.2)
        async with site(ECHO, limits=limits) as here:
            talker, _deaf = await here.connect(), await here.connect(small=True)
            connection = next(iter(here.server.transports.values()))
            deaf = list(here.server.transports)[1]
            rounds = 0
            while not deaf.get_write_buffer_size():
                rounds += 1
                await talker.ask(f"{rounds:06}" + "x" * 30000)
                assert rounds < 3000
            await until(lambda: len(here.server.transports) == 1)
            [error] = here.logged("evapi")
            assert "client 1 " in error
            assert "(--send-timeout) while" in error
            await talker.ask("still here")
            assert connection.client is not None

    in_loop(test)


@LINUX
def test_a_slow_reader_is_not_cut_and_its_order_is_exact(in_loop: Runner) -> None:
    async def test() -> None:
        limits = Limits(max_queue=1 << 30, drain=0.05, send_timeout=0.5)
        async with site(OWN, limits=limits) as here:
            slow = await here.connect()
            sent = frames(*(f"{number:06}" + "x" * 30000 for number in range(600)))
            sending = asyncio.ensure_future(slow.send(sent))
            got = bytearray()
            while len(got) < len(sent):
                # Each of these is a good part of what the kernel keeps for a socket: the next ones have room.
                got += await slow.read(min(1 << 20, len(sent) - len(got)))
                await asyncio.sleep(0.05)
            assert got == sent
            await sending
            assert here.logged("evapi") == []

    in_loop(test)


def test_when_too_much_waits_in_all_the_largest_goes_first(in_loop: Runner) -> None:
    async def test() -> None:
        limits = Limits(max_queue=1 << 30, drain=0.05, send_timeout=3600, max_total_queue=4 << 20)
        to_the_named = f"""{NEW} {{ evapi_set_tag("$evapi(conidx)"); }}
        {MESSAGE} {{ evapi_multicast("$evapi(msg)", "$(evapi(msg){{s.substr,0,1}})"); }}"""
        async with site(to_the_named, limits=limits) as here:
            talker, *deaf = [await here.connect(small=number > 0) for number in range(4)]
            size = {1: 60, 2: 400, 3: 10}
            for number in range(400):
                messages = [f"{client}" + "x" * 30000 for client, count in size.items() if number < count]
                await talker.send(frames(*messages, "0"))
                assert await talker.read(4) == frames("0")
            await until(lambda: len(here.server.transports) == 3)
            [error] = here.logged("evapi")
            assert "client 2 " in error
            assert "(--max-total-queue)" in error
            await talker.ask("0 is still here")
            assert len(deaf) == 3

    in_loop(test)


def test_readers_who_together_are_slower_than_the_sender_are_not_cut(in_loop: Runner) -> None:
    async def test() -> None:
        limits = Limits(max_queue=1 << 30, drain=0.05, send_timeout=3600, max_total_queue=8 << 20)
        async with site(ECHO, limits=limits) as here:
            talker, *others = [await here.connect(small=True) for _ in range(5)]
            sent = frames(*(f"{number:06}" + "x" * 30000 for number in range(300)))
            sending = asyncio.ensure_future(talker.send(sent))
            got = [bytearray() for _ in range(5)]
            while len(got[0]) < len(sent):
                for place, client in enumerate((talker, *others)):
                    got[place] += await client.read(min(200_000, len(sent) - len(got[place])))
            await sending
            assert all(data == sent for data in got)
            assert here.logged("evapi") == []

    in_loop(test)


def test_a_client_is_held_to_its_rate_and_nothing_is_lost(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(OWN, limits=Limits(drain=0.05, rate=1000.0)) as here:
            greedy, polite = await here.connect(), await here.connect()
            sent = frames(*(f"{number:03}" for number in range(300)))
            start = asyncio.get_running_loop().time()
            await greedy.send(sent)
            await polite.ask("not touched by it")
            assert await greedy.read(len(sent)) == sent
            assert asyncio.get_running_loop().time() - start > 0.25

    in_loop(test)


def test_the_end_does_not_wait_for_a_rate(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(OWN, limits=Limits(drain=DRAIN, rate=0.1)) as here:
            client = await here.connect()
            sent = frames(*map(str, range(50)))
            await client.send(sent)
            await until(lambda: here.server.engine.hub.clients[0].full)
            start = asyncio.get_running_loop().time()
            closing = asyncio.ensure_future(here.server.close())
            assert await client.read_all() == sent
            await closing
            assert asyncio.get_running_loop().time() - start < DRAIN / 2

    in_loop(test)


def test_a_client_that_floods_is_not_read_while_its_messages_wait(in_loop: Runner) -> None:
    async def test() -> None:
        count = 3000
        async with site(OWN.replace("{ evapi_unicast", '{ usleep("0"); evapi_unicast')) as here:
            flooder, other = await here.connect(), await here.connect()
            sent = [f"{number:06}" + "x" * 2000 for number in range(count)]
            sending = asyncio.ensure_future(flooder.send(frames(*sent)))
            connection = here.server.engine.hub.clients[0]
            most = 0
            size = len(frames(sent[0]))
            for number in range(count):
                assert await flooder.read(size) == frames(sent[number])
                most = max(most, len(connection.waiting or ()))
                if number % 500 == 0:
                    await other.ask("still heard")
            await sending
            assert most < 1000
            assert here.server.engine.idle

    in_loop(test)


def test_a_closed_connection_that_nobody_reads_is_given_up(in_loop: Runner) -> None:
    async def test() -> None:
        cfg = f"""{MESSAGE} {{
          while($var(i) < 900) {{ evapi_relay("$evapi(msg)"); $var(i) = $var(i) + 1; }}
          evapi_close();
        }}"""
        async with site("max_while_loops=1000\n" + cfg, limits=Limits(1 << 30, 0.05, linger=0.01)) as here:
            client = await here.connect(small=True)
            await client.send(frames("x" * 30000))
            await until(lambda: not here.server.engine.hub.clients)
            await until(lambda: not here.server.transports)

    in_loop(test)


# ---- the end


def test_what_was_received_is_answered_before_the_end(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(OWN + f'{CLOSED} {{ xlog("L_INFO", "closed\\n"); }}', limits=Limits(drain=DRAIN)) as here:
            clients = [await here.connect() for _ in range(5)]
            for client in clients:
                client.socket.send(frames(*map(str, range(100))))
            await here.server.close()
            for client in clients:
                assert await client.read_all() == frames(*map(str, range(100)))
            assert here.logged() == []
            with pytest.raises(ConnectionRefusedError):
                await here.begin()

    in_loop(test)


DRAIN = DEADLINE / 2


def test_runs_that_wait_end_before_the_server_does(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(
            f'{MESSAGE} {{ usleep("30000"); evapi_relay("$evapi(msg)"); }}', limits=Limits(drain=DRAIN)
        ) as here:
            client = await here.connect()
            client.socket.send(frames("a", "b", "c"))
            await here.server.close()
            assert await client.read_all() == frames("a", "b", "c")

    in_loop(test)


def test_the_end_does_not_wait_longer_than_it_should(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(
            f'{MESSAGE} {{ evapi_relay("$evapi(msg)"); sleep("1000"); }}', limits=Limits(1 << 30, 0.02)
        ) as here:
            deaf, waiting = await here.connect(small=True), await here.connect()
            for _ in range(400):
                here.server.engine.hub.relay("x" * 30000)
            here.server.flush()
            await waiting.send(frames("a"))
            await until(lambda: not here.server.engine.idle)
            await here.server.close()
            await until(lambda: not here.server.transports)
            assert deaf.socket.fileno() >= 0

    in_loop(test)


def test_a_flood_does_not_put_off_the_end(in_loop: Runner) -> None:
    async def test() -> None:
        async with site(
            OWN.replace("{ evapi_unicast", '{ usleep("0"); evapi_unicast'), limits=Limits(drain=DRAIN)
        ) as here:
            flooder = await here.connect()
            flood = frames("x") * 100_000

            async def send() -> None:
                try:
                    while True:
                        await flooder.send(flood)
                except OSError:
                    pass

            async def read() -> None:
                try:
                    while await asyncio.get_running_loop().sock_recv(flooder.socket, 1 << 20):
                        pass
                except OSError:
                    pass

            tasks = [asyncio.ensure_future(send()), asyncio.ensure_future(read())]
            await until(lambda: here.server.engine.hub.clients[0].full)
            await asyncio.wait_for(here.server.close(), DRAIN * 0.8)
            await asyncio.gather(*tasks)

    in_loop(test)


# ---- a client that leaves while its messages are in work


@pytest.mark.parametrize("way", ["half", "close"])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_client_that_leaves_while_its_message_sleeps_harms_nobody(in_loop: Runner, way: str, workers: int) -> None:
    cfg = f'{MESSAGE} {{ usleep("20000"); evapi_relay("$evapi(msg)"); }}\n'

    async def test() -> None:
        async with site(cfg, workers=workers) as here:
            leaving, other = await here.connect(), await here.connect()
            await until(lambda: len(here.server.engine.hub.clients) == 2)
            await leaving.send(frames("one", "two"))
            if way == "half":
                leaving.socket.shutdown(socket.SHUT_WR)
            else:
                leaving.socket.close()
            wanted = frames("one", "two")
            assert await other.read(len(wanted)) == wanted
            if way == "half" and workers == 0:
                assert await leaving.read_all() == wanted
            await other.send(frames("still"))
            assert await other.read(8) == frames("still")
            await until(lambda: len(here.server.engine.hub.clients) == 1)

    in_loop(test)


def test_a_sender_rests_while_somebody_is_far_behind_and_goes_on(in_loop: Runner) -> None:
    async def test() -> None:
        to_the_first = (
            f'{NEW} {{ evapi_set_tag("$evapi(conidx)"); }}\n{MESSAGE} {{ evapi_unicast("$evapi(msg)", "0"); }}'
        )
        async with site(to_the_first) as here:
            behind, sender = await here.connect(small=True), await here.connect()
            clients = here.server.engine.hub.clients
            await until(lambda: len(clients) == 2)
            transport = cast(asyncio.Transport, clients[1].peer)
            task = asyncio.ensure_future(sender.send(frames(*["x" * 30000] * 200)))
            await until(lambda: not transport.is_reading())
            await until(transport.is_reading)
            total = 200 * len(frames("x" * 30000))
            assert len(await behind.read(total)) == total
            await task

    in_loop(test)
