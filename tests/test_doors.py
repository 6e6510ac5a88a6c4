"""Who may come in: networks, TLS, certificates of clients. Real sockets on the loopback, on both loops.

Nothing here waits for a fixed time: what is waited for is what must happen, with a deadline far away.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from trustme import CA, LeafCert

from evapi_cfg import Limits, load_text, serve
from evapi_cfg.modules.context import Level
from evapi_cfg.runtime.app import Records
from evapi_cfg.server import Door, DoorRefused, EventServer, TlsFiles, doors, reaches_beyond_loopback
from evapi_cfg.server.seldom import Seldom
from tests.driven import Runner, frames
from tests.test_server import HAS_IPV6, LINUX, until

CFG = """#!KAMAILIO
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "evapi.so"
modparam("evapi", "workers", 0)
modparam("evapi", "max_clients", 100)
event_route[evapi:connection-new] {
  evapi_set_tag("c$evapi(conidx)");
  xlog("L_INFO", "$evapi(srcaddr) is here\\n");
}
event_route[evapi:connection-closed] { xlog("L_INFO", "$evapi(srcaddr) has gone\\n"); }
event_route[evapi:message-received] {
  if($evapi(msg) == "close") { evapi_close(); exit; }
  evapi_unicast("$evapi(msg)", "c$evapi(conidx)");
}
"""


class Site:
    def __init__(self, server: EventServer, records: Records) -> None:
        self.server = server
        self.records = records
        self.refused = server.engine.measures.refused

    def said(self, source: str) -> list[str]:
        return [record.message.strip() for record in self.records.lines if record.source == source]

    async def connect(
        self, context: ssl.SSLContext | None = None, source: str = ""
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self.server.address
        return await asyncio.open_connection(
            host,
            port,
            ssl=context,
            server_hostname="localhost" if context else None,
            local_addr=(source, 0) if source else None,
        )

    async def ask(self, context: ssl.SSLContext | None = None, message: str = "hello", source: str = "") -> None:
        """Connects, has a message come back, and leaves."""
        reader, writer = await self.connect(context, source)
        frame = frames(message)
        writer.write(frame)
        assert await reader.readexactly(len(frame)) == frame
        writer.close()
        await writer.wait_closed()

    async def is_refused(self, context: ssl.SSLContext | None = None, source: str = "") -> None:
        """Connects as far as it is let, and gets nothing."""
        with suppress(OSError, ssl.SSLError):
            reader, writer = await self.connect(context, source)
            writer.write(frames("hello"))
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def site(door: Door, host: str = "127.0.0.1", limits: Limits | None = None) -> AsyncIterator[Site]:
    records = Records()
    server = await serve(load_text(CFG, log=records), host, 0, limits=limits or Limits(drain=0.1), door=door)
    try:
        yield Site(server, records)
    finally:
        await server.close()


class Files:
    """Certificates of one authority in a folder."""

    def __init__(self, folder: Path, authority: CA) -> None:
        self.authority = authority
        self.cert, self.key, self.ca = (folder / name for name in ("cert.pem", "key.pem", "ca.pem"))
        authority.cert_pem.write_to_path(self.ca)
        self.issue()

    def issue(self) -> LeafCert:
        made = self.authority.issue_cert("localhost", "127.0.0.1", "::1")
        made.private_key_pem.write_to_path(self.key)
        self.cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        return made

    def tls(self, *, clients: bool = False) -> TlsFiles:
        return TlsFiles(str(self.cert), str(self.key), str(self.ca) if clients else "")

    def client(self, shown_by: CA | None = None) -> ssl.SSLContext:
        made = ssl.create_default_context()
        self.authority.configure_trust(made)
        if shown_by is not None:
            shown_by.issue_cert("client@example.com").configure_cert(made)
        return made


@pytest.fixture
def files(tmp_path: Path, authority: CA) -> Files:
    return Files(tmp_path, authority)


# ---- addresses


def test_only_some_networks(in_loop: Runner) -> None:
    async def play() -> None:
        async with site(Door(["10.0.0.0/8", "127.0.0.1", "127.0.1.0/24"])) as here:
            await here.ask()
            await here.ask(source="127.0.1.9")
            for _ in range(20):
                await here.is_refused(source="127.0.0.2")
            await here.ask()
            await until(lambda: len(here.said("script")) == 6)
            assert here.refused == {"max_clients": 0, "address": 20, "tls": 0}
            assert set(here.said("script")) == {
                f"{address} {what}" for address in ("127.0.0.1", "127.0.1.9") for what in ("is here", "has gone")
            }
            assert here.said("evapi")[0] == "127.0.0.2 is refused: it is in no network of --allow"
        told = here.said("evapi")
        assert told[-1].endswith("more of the kind, in one second)")
        assert len(told) < 20

    in_loop(play)


@pytest.mark.skipif(not HAS_IPV6, reason="no IPv6")
def test_networks_of_ipv6(in_loop: Runner) -> None:
    async def play() -> None:
        async with site(Door(["::1/128"]), "::1") as here:
            await here.ask()
        async with site(Door(["fe80::/10", "127.0.0.0/8"]), "::1") as here:
            await here.is_refused()
            assert here.refused["address"] == 1

    in_loop(play)


@pytest.mark.skipif(not HAS_IPV6, reason="no IPv6")
def test_an_ipv4_client_of_an_ipv6_socket_is_one_of_ipv4(in_loop: Runner) -> None:
    async def play() -> None:
        async with site(Door(["127.0.0.0/8"]), "::") as here:
            here.server.address = ("127.0.0.1", here.server.address[1])
            await here.ask()

    in_loop(play)


@pytest.mark.parametrize("network", ["", "10.0.0.0/33", "localhost", "10.0.0", "::1/129", "10.0.0.0/8,11.0.0.0/8"])
def test_what_is_no_network(network: str) -> None:
    with pytest.raises(DoorRefused, match=r"--allow .*: write a network or an address"):
        Door([network])


@pytest.mark.parametrize(
    ("host", "beyond"),
    [("127.0.0.1", False), ("127.9.9.9", False), ("::1", False), ("0.0.0.0", True), ("::", True), ("192.0.2.1", True),
     ("localhost", False), ("nobody.invalid", False), ("a..b", False)],
)  # fmt: skip
def test_what_reaches_beyond_the_loopback(host: str, beyond: bool) -> None:
    assert reaches_beyond_loopback(host) == beyond


# ---- TLS


def test_messages_over_tls(in_loop: Runner, files: Files) -> None:
    async def play() -> None:
        async with site(Door(tls=files.tls())) as here:
            reader, writer = await here.connect(files.client())
            messages = ["x" * size for size in (1, 1000, 30000)] * 20
            writer.write(frames(*messages))
            answer = frames(*messages)
            assert await reader.readexactly(len(answer)) == answer
            protocol = writer.get_extra_info("ssl_object").version()
            assert protocol == "TLSv1.3"
            writer.write(frames("last", "close", "lost"))
            assert await reader.read() == frames("last")
            writer.close()
            await writer.wait_closed()
            await until(lambda: not here.server.transports)

    in_loop(play)


def test_a_client_that_sends_no_more_over_tls_has_gone(in_loop: Runner, files: Files) -> None:
    async def play() -> None:
        async with site(Door(tls=files.tls())) as here:
            reader, writer = await here.connect(files.client())
            writer.write(frames("x"))
            assert await reader.readexactly(4) == frames("x")
            writer.close()
            await writer.wait_closed()
            await until(lambda: here.said("script")[-1:] == ["127.0.0.1 has gone"])

    in_loop(play)


def test_a_client_over_tls_that_does_not_read_is_cut(in_loop: Runner, files: Files) -> None:
    async def play() -> None:
        async with site(Door(tls=files.tls()), limits=Limits(max_queue=100_000, drain=0.1)) as here:
            reader, writer = await here.connect(files.client())
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(frames("y" * 30000) * 1000)
            await until(lambda: any("--max-queue" in text for text in here.said("evapi")))
            writer.transport.abort()
            assert here.server.engine.measures.cut == 1
            await here.ask(files.client())

    in_loop(play)


@LINUX
def test_a_client_over_tls_that_takes_nothing_is_cut(in_loop: Runner, files: Files) -> None:
    async def play() -> None:
        limits = Limits(max_queue=1 << 30, send_timeout=0.2, drain=0.1)
        async with site(Door(tls=files.tls()), limits=limits) as here:
            reader, writer = await here.connect(files.client())
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(frames("y" * 30000) * 1000)
            await until(lambda: any("--send-timeout" in text for text in here.said("evapi")))
            await until(lambda: not here.server.transports)
            writer.transport.abort()
            assert here.server.engine.measures.cut == 1
            await here.ask(files.client())

    in_loop(play)


def test_a_client_over_tls_that_does_not_close_its_side_is_closed_soon(in_loop: Runner, files: Files) -> None:
    def silent() -> bytes:
        """Gets all there is, and says nothing to that."""
        with (
            socket.create_connection(here_address) as made,
            files.client().wrap_socket(made, server_hostname="localhost", suppress_ragged_eofs=False) as tls,
        ):
            tls.sendall(frames("last", "close"))
            got = tls.recv(100)
            gone.wait(10)
            return got

    here_address = ("", 0)
    gone = threading.Event()

    async def play() -> None:
        nonlocal here_address
        gone.clear()
        async with site(Door(tls=files.tls())) as here:
            here_address = here.server.address
            client = asyncio.ensure_future(asyncio.to_thread(silent))
            await until(lambda: here.server.engine.measures.connections == 1)
            await until(lambda: not here.server.transports)
            gone.set()
            assert await client == frames("last")

    in_loop(play)


def test_the_end_of_the_server_over_tls(in_loop: Runner, files: Files) -> None:
    async def play() -> None:
        async with site(Door(tls=files.tls()), limits=Limits(drain=20)) as here:
            reader, writer = await here.connect(files.client())
            writer.write(frames("x" * 1000) * 500)
            await until(lambda: here.server.engine.hub.traffic().received > 0)
            ending = asyncio.ensure_future(here.server.close())
            assert (await reader.read()).startswith(frames("x" * 1000))
            writer.close()
            await ending

    in_loop(play)


def test_who_shows_a_certificate_of_the_authority_comes_in(in_loop: Runner, files: Files) -> None:
    async def play() -> None:
        async with site(Door(tls=files.tls(clients=True))) as here:
            await here.is_refused(files.client())
            await here.is_refused(files.client(CA()))
            await here.ask(files.client(files.authority))
            assert here.refused["tls"] == 2
            assert here.said("script")[0] == "127.0.0.1 is here"
        assert here.said("evapi")[0] == "127.0.0.1 is refused: it has shown no certificate (--tls-client-ca)"
        assert "its certificate is not believed: " in here.said("evapi")[1]

    in_loop(play)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"5:hello,", "it does not speak TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", "it does not speak TLS"),
        (b"\x00" * 5000, "it does not speak TLS"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 600, "TLS: "),
        (b"", "it has gone before the TLS handshake was done"),
    ],
)
def test_what_is_no_tls_harms_nobody(in_loop: Runner, files: Files, data: bytes, told: str) -> None:
    async def play() -> None:
        async with site(Door(tls=files.tls())) as here:
            reader, writer = await here.connect(files.client())
            for _ in range(10):
                _strange, other = await here.connect()
                other.write(data)
                if not data:
                    other.transport.abort()
                await until(lambda: not here.server.door or not here.server.door._handshakes)
                other.transport.abort()
            writer.write(frames("x"))
            assert await reader.readexactly(4) == frames("x")
            assert here.refused["tls"] == 10
            assert here.said("script") == ["127.0.0.1 is here"]
            writer.transport.abort()
        assert told in here.said("evapi")[0]
        assert len(here.said("evapi")) < 10

    in_loop(play)


def test_who_trickles_is_not_waited_for(in_loop: Runner, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "HANDSHAKE", 0.2)
    monkeypatch.setattr(doors, "HANDSHAKES", 3)

    async def play() -> None:
        async with site(Door(tls=files.tls())) as here:
            trickling = [await here.connect() for _ in range(8)]
            for _reader, writer in trickling:
                writer.write(b"\x16")
            tries = 1
            while True:  # behind all of them
                try:
                    await here.ask(files.client())
                    break
                except (OSError, asyncio.IncompleteReadError):  # the machine is busy
                    tries += 1
            for reader, writer in trickling:
                with suppress(OSError):
                    assert await reader.read() == b""
                writer.transport.abort()
            assert 8 <= here.refused["tls"] < 8 + tries
        assert here.said("evapi")[0] == "127.0.0.1 is refused: no TLS handshake in 0.2 s"

    in_loop(play)


def test_the_server_ends_while_somebody_trickles(in_loop: Runner, files: Files) -> None:
    async def play() -> None:
        async with site(Door(tls=files.tls())) as here:
            reader, writer = await here.connect()
            writer.write(b"\x16\x03")
            door = here.server.door
            assert door is not None
            await until(lambda: bool(door._handshakes))
        with suppress(OSError):
            assert await reader.read() == b""
        writer.transport.abort()

    in_loop(play)


async def shown_serial(here: Site, context: ssl.SSLContext) -> str:
    _reader, writer = await here.connect(context)
    found = writer.get_extra_info("peercert")["serialNumber"]
    writer.close()
    await writer.wait_closed()
    return str(found)


def test_certificates_are_read_again(in_loop: Runner, files: Files) -> None:
    async def play() -> None:
        async with site(Door(tls=files.tls())) as here:
            reader, writer = await here.connect(files.client())
            before = await shown_serial(here, files.client())
            files.issue()
            assert await shown_serial(here, files.client()) == before
            assert here.server.reload_certificates()
            after = await shown_serial(here, files.client())
            assert after != before
            files.key.write_text("no key")
            assert not here.server.reload_certificates()
            files.key.unlink()
            assert not here.server.reload_certificates()
            assert await shown_serial(here, files.client()) == after
            writer.write(frames("x"))
            assert await reader.readexactly(4) == frames("x")
            writer.close()
        (taken,) = [record for record in here.records.lines if record.message.endswith("are in force")]
        assert taken.level == Level.INFO
        refused = [record.message for record in here.records.lines if record.level == Level.ERROR]
        assert [text.rpartition("; ")[2] for text in refused] == ["the certificates before stay in force"] * 2
        assert "it cannot be read: no such file or directory" in refused[1]

    in_loop(play)


def _mixed(files: Files) -> TlsFiles:
    files.authority.issue_cert("other").private_key_pem.write_to_path(files.key)
    return files.tls()


def _encrypted(files: Files) -> TlsFiles:
    from cryptography.hazmat.primitives import serialization as forms

    key = forms.load_pem_private_key(files.key.read_bytes(), None)
    how = forms.BestAvailableEncryption(b"secret")
    files.key.write_bytes(key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, how))
    return files.tls()


def _no_authority(files: Files) -> TlsFiles:
    files.ca.write_text("none")
    return files.tls(clients=True)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda files: TlsFiles("/nowhere.pem"), r"^--tls-cert /nowhere.pem: it cannot be read: no such file"),
        (lambda files: TlsFiles(str(files.cert), "/"), r"^--tls-key /: it cannot be read: is a directory"),
        (lambda files: TlsFiles(str(files.cert)), "there is no certificate with its key in it"),
        (lambda files: TlsFiles(str(files.ca), str(files.key)), "the key is that of another certificate"),
        (_mixed, "the key is that of another certificate"),
        (_encrypted, "the key is encrypted"),
        (_no_authority, r"^--tls-client-ca .*: there is no certificate in it"),
    ],
)
def test_what_is_no_certificate(files: Files, make: Callable[[Files], TlsFiles], says: str) -> None:
    with pytest.raises(DoorRefused, match=says):
        Door(tls=make(files))


def test_key_and_certificate_in_one_file(in_loop: Runner, files: Files) -> None:
    files.cert.write_bytes(files.cert.read_bytes() + files.key.read_bytes())

    async def play() -> None:
        async with site(Door(tls=TlsFiles(str(files.cert)))) as here:
            await here.ask(files.client())

    in_loop(play)


# ---- lines that come seldom


def test_lines_are_held_back_and_counted(in_loop: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        records = Records()
        tell = Seldom(records, "evapi", Level.WARNING)
        for number in range(5):
            tell(f"line {number}")
        assert [record.message for record in records.lines] == ["line 0"]
        tell._over()  # the second has passed
        assert [record.message for record in records.lines[1:]] == ["line 4 (and 3 more of the kind, in one second)"]
        tell("line 5")
        tell.close()
        assert [record.message for record in records.lines[2:]] == ["line 5"]

    in_loop(play)


def test_a_socket_that_is_refused_is_closed_unread(in_loop: Runner) -> None:
    async def play() -> None:
        async with site(Door(["10.0.0.0/8"])) as here:
            made = socket.socket()
            made.setblocking(False)
            loop = asyncio.get_running_loop()
            with suppress(OSError):
                await loop.sock_connect(made, here.server.address)
                await loop.sock_sendall(made, frames("x") * 100)
                assert await loop.sock_recv(made, 10) == b""
            made.close()
            await until(lambda: here.refused["address"] == 1)
            assert here.said("script") == []
            assert here.server.engine.measures.connections == 0

    in_loop(play)
