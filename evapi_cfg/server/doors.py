"""Who may come in: addresses, and TLS with the certificates of both sides.

All of it stands before the first byte of a message: whoever is not let in causes no event, and no more than one line a
second in the log. Without a door connections go past this file.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, cast

from evapi_cfg.modules.context import Level, Log
from evapi_cfg.server.addresses import plain
from evapi_cfg.server.seldom import Seldom

HANDSHAKE: Final = 2.0  # seconds that it may take
HANDSHAKES: Final = 256  # at a time; who comes then waits in the kernel's queue
_SAID: Final = 120  # characters of what TLS says of a failure

Network = IPv4Network | IPv6Network


class DoorRefused(ValueError):
    """The door cannot be built as it is asked for; the message says which flag asks, and what is wrong."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the server's certificate with those that vouch for it, its key (where it is not in the first), and the
    authorities whose clients are let in ("": no client needs a certificate)."""

    cert: str
    key: str = ""
    client_ca: str = ""


class Door:
    """What stands before an event server: `allow` are networks such as `10.0.0.0/8`, none for all addresses.

    Raises DoorRefused. `refused` counts who was not let in, by reason.
    """

    def __init__(self, allow: Iterable[str] = (), tls: TlsFiles | None = None) -> None:
        self._networks = tuple(map(_network, allow))
        self._files = tls
        self._context = None if tls is None else _context(tls)
        self.refused = {"address": 0, "tls": 0}
        self._handshakes: set[asyncio.Task[None]] = set()
        self._go_on: Callable[[], None] | None = None  # accepts again, when it has rested for too many handshakes
        self._linger = 0.0
        self._log: Log | None = None
        self._told_address: Seldom | None = None
        self._told_tls: Seldom | None = None

    @property
    def names_who(self) -> bool:
        """Whether not everybody is let in."""
        return bool(self._networks) or (self._files is not None and bool(self._files.client_ca))

    @property
    def secure(self) -> bool:
        return self._context is not None

    def open(self, log: Log, linger: float, refused: dict[str, int]) -> None:
        """Begins to tell in a log, and to count in `refused`; inside a running event loop. `linger`: seconds in which
        somebody may take what is left for it when a connection is closed."""
        refused.update(self.refused)
        self.refused = refused
        self._log = log
        self._linger = linger
        self._told_address = Seldom(log, "evapi", Level.WARNING)
        self._told_tls = Seldom(log, "evapi", Level.WARNING)

    def admits(self, address: str) -> bool:
        """Whether somebody from an address may come in."""
        if not self._networks:
            return True
        found = ip_address(address)
        if any(found in network for network in self._networks):
            return True
        self.refused["address"] += 1
        if self._told_address is not None:
            self._told_address(f"{address} is refused: it is in no network of --allow")
        return False

    # ---- TLS

    def reload(self) -> bool:
        """Reads the certificates again: whether that was possible. Where it was not, the ones before stay in force; the
        log says which. Connections that are there go on with theirs."""
        if self._files is None:
            return True
        try:
            self._context = _context(self._files)
        except DoorRefused as error:
            if self._log is not None:
                self._log(Level.ERROR, "evapi", f"{error}; the certificates before stay in force")
            return False
        if self._log is not None:
            self._log(Level.INFO, "evapi", f"the certificates of {self._files.cert} are in force")
        return True

    def is_full(self, go_on: Callable[[], None]) -> bool:
        """Whether so many shake hands that nobody else should be accepted; `go_on` is called when some have done."""
        if len(self._handshakes) < HANDSHAKES:
            return False
        self._go_on = go_on
        return True

    def shake_hands(self, accepted: socket.socket, address: str, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Hands a connection to what `protocol` makes, once it is known who is there."""
        task = asyncio.get_running_loop().create_task(self._shake_hands(accepted, address, protocol))
        self._handshakes.add(task)
        task.add_done_callback(self._shaken)

    async def _shake_hands(
        self, accepted: socket.socket, address: str, protocol: Callable[[], asyncio.Protocol]
    ) -> None:  # fmt: skip
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: _Stranger(protocol),
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE,
                ssl_shutdown_timeout=self._linger,
            )
        except OSError as err:  # that of `ssl` is one as well
            accepted.close()
            self.refused["tls"] += 1
            if self._told_tls is not None:
                self._told_tls(f"{address} is refused: {_reason(err)}")

    def _shaken(self, task: asyncio.Task[None]) -> None:
        self._handshakes.discard(task)
        if not task.cancelled():
            task.exception()
        if self._go_on is not None:
            go_on, self._go_on = self._go_on, None
            go_on()

    async def close(self) -> None:
        """Nobody comes in any more."""
        self._go_on = None
        for task in list(self._handshakes):
            task.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        for told in (self._told_address, self._told_tls):
            if told is not None:
                told.close()


class _Stranger(asyncio.Protocol):
    """Who shakes hands: the connection begins when that is done."""

    def __init__(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._protocol = protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = self._protocol()
        cast(asyncio.Transport, transport).set_protocol(made)
        made.connection_made(transport)


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise DoorRefused(f"--allow {text}: write a network or an address, such as 10.0.0.0/8, ::1") from None


def _context(files: TlsFiles) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    for flag, name in (("--tls-cert", files.cert), ("--tls-key", files.key), ("--tls-client-ca", files.client_ca)):
        with contextlib.ExitStack() as stack:
            try:
                if name:
                    stack.enter_context(open(name, "rb")).read(1)
            except (OSError, ValueError) as err:
                raise DoorRefused(f"{flag} {name}: it cannot be read: {_why(err)}") from None
    try:
        made.load_cert_chain(files.cert, files.key or None, _no_password)
    except ssl.SSLError as err:
        raise DoorRefused(f"{_cert_flags(files)}: {_wrong_with_certificate(err)}") from None
    except _Encrypted:
        raise DoorRefused(
            f"{_cert_flags(files)}: the key is encrypted; a server has nobody to ask for the words"
        ) from None
    if files.client_ca:
        try:
            made.load_verify_locations(files.client_ca)
        except ssl.SSLError:
            raise DoorRefused(f"--tls-client-ca {files.client_ca}: there is no certificate in it (PEM)") from None
        made.verify_mode = ssl.CERT_REQUIRED
    return made


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    raise _Encrypted


def _cert_flags(files: TlsFiles) -> str:
    return f"--tls-cert {files.cert}" + (f" --tls-key {files.key}" if files.key else "")


def _wrong_with_certificate(err: ssl.SSLError) -> str:
    if err.reason == "KEY_VALUES_MISMATCH":
        return "the key is that of another certificate"
    if err.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return f"the certificate is too weak for today ({err.reason.lower().replace('_', ' ')})"
    return "there is no certificate with its key in it (PEM)"


def _why(err: Exception) -> str:
    return (err.strerror or str(err)).lower() if isinstance(err, OSError) else str(err)


def _reason(err: OSError) -> str:
    """Why a handshake has failed, for the log."""
    match err:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not believed: {err.verify_message}"
        case ssl.SSLError(reason="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
            return "it has shown no certificate (--tls-client-ca)"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "HTTP_REQUEST" | "UNKNOWN_PROTOCOL" | "BAD_RECORD_TYPE"):
            return "it does not speak TLS"
        case ssl.SSLError(reason=str() as reason):
            return f"TLS: {reason.lower().replace('_', ' ')[:_SAID]}"
        case ConnectionAbortedError():
            return f"no TLS handshake in {HANDSHAKE:g} s"
        case ConnectionError():
            return "it has gone before the TLS handshake was done"
        case _:
            return f"no TLS handshake: {_why(err)[:_SAID]}"


def reaches_beyond_loopback(host: str) -> bool:
    """Whether others than this machine could reach what listens on a host or address."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, ValueError):  # nothing will listen there
        return False
    return not all(ip_address(plain(str(address[0])).partition("%")[0]).is_loopback for *_, address in found)
