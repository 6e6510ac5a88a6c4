"""Queries to HTTP servers, with aiohttp: one session for all, its connections kept and bounded.

What goes out and comes back is as with libcurl, which Kamailio uses: same headers, same words for what went wrong.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Callable
from time import perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evapi_cfg.modules.outside import Answer, Query, Times
from evapi_cfg.server.http_auth import BASIC, answer_to, basic
from evapi_cfg.server.http_request import QueryRefused, header_fields, method_of, parse_url, redirected

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

CONNECTIONS: Final = 256  # at the same time; further queries wait for one
QUERIES: Final = 8192  # that may be under way
ANSWER_SIZE: Final = 1 << 20  # bytes of a body
_LINE_SIZE: Final = 1 << 16  # bytes of one header line of an answer
_REDIRECTIONS: Final = 50
_DIRECT: Final = 1 << 20  # bytes of a body that are written at once
_CONTEXTS: Final = 64  # ways to speak TLS that are kept
# CURL_SSLVERSION_*: the least that is spoken
_VERSIONS: Final = {
    1: ssl.TLSVersion.TLSv1, 4: ssl.TLSVersion.TLSv1, 5: ssl.TLSVersion.TLSv1_1, 6: ssl.TLSVersion.TLSv1_2,
    7: ssl.TLSVersion.TLSv1_3,
}  # fmt: skip


class HttpClientMissing(ImportError):
    """The cfg asks HTTP servers, and what speaks HTTP is not installed."""

    def __init__(self) -> None:
        super().__init__("http_async_query needs aiohttp, which is not installed: pip install 'evapi-cfg[http]'")


def check_installed() -> None:
    """Loads it, which takes a while: when the server starts, not when the first query is made."""
    try:
        import aiohttp  # noqa: F401
    except ImportError:
        raise HttpClientMissing from None


class _Got(NamedTuple):
    """An answer: its headers, all of it as one text, and when what happened."""

    status: int
    head: list[tuple[str, str]]
    text: str
    marks: SimpleNamespace


class HttpClient:
    """Sends queries; `go_on` is called when one has been answered and its `done` has been told."""

    def __init__(self, go_on: Callable[[], None]) -> None:
        self._go_on = go_on
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[tuple[object, ...], ssl.SSLContext] = {}

    @property
    def idle(self) -> bool:
        return not self._tasks

    def fetch(self, query: Query, done: Callable[[Answer], None]) -> bool:
        if len(self._tasks) >= QUERIES:
            return False
        task = self._loop.create_task(self._fetch(query, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _fetch(self, query: Query, done: Callable[[Answer], None]) -> None:
        answer = await self._answer(query)
        done(answer)
        self._go_on()

    async def close(self) -> None:
        """Gives up what is under way; nobody is told."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    # ---- one query

    async def _answer(self, query: Query) -> Answer:
        started = perf_counter()
        url: URL | None = None
        try:
            url = parse_url(query.url)
            if query.timeout <= 0:
                return Answer(None, "TIMEOUT")
            return await self._follow(query, url, started)
        except QueryRefused as refused:
            return Answer(None, str(refused))
        except (OSError, UnicodeError) as err:  # a timeout is one, and a host with a part that is too long
            return Answer(None, _reason(err, url, started))
        except Exception as err:
            if not _is_of_client(err):
                self._loop.call_exception_handler({"message": "an HTTP query", "exception": err})
            return Answer(None, _reason(err, url, started))

    async def _follow(self, query: Query, url: URL, started: float) -> Answer:
        """Sends requests until there is an answer that leads to no other."""
        username, password = query.username, query.password
        methods = query.authmethod
        if url.user is not None:
            username, password = url.user, url.password or ""
            methods = methods if query.username is not None else BASIC
            url = url.with_user(None)
        first, body = url.origin(), query.body
        authorization = basic(username, password) if username is not None and methods == BASIC else None
        asked = False  # the server has asked for credentials and got them
        hops = redirections = 0
        redirect_at = 0.0
        while True:
            same_host = url.origin() == first
            fields = header_fields(query, bool(body), same_host)
            if authorization is not None and same_host and all(n.lower() != "authorization" for n, _ in fields):
                fields.append(("Authorization", authorization))
            status, head, text, marks = await self._ask(query, url, fields, body)
            if status == 401 and username is not None and authorization is None and same_host and not asked:
                challenges = [value for name, value in head if name.lower() == "www-authenticate"]
                target = url.raw_path_qs
                method = method_of(query, bool(body))
                authorization = answer_to(challenges, methods, username, password, method, target)
                asked = True
                if authorization is not None:
                    hops += 1
                    continue
            location = next((value for name, value in head if name.lower() == "location"), None)
            if query.follow and 300 <= status < 400 and location:
                redirections += 1
                if redirections > _REDIRECTIONS:
                    raise QueryRefused(f"Maximum ({_REDIRECTIONS}) redirects followed")
                url = redirected(url, location)
                if status in (301, 302, 303):
                    body = ""
                hops += 1
                if authorization is not None and authorization.startswith("Digest"):
                    authorization, asked = None, False  # it was for the other address
                redirect_at = perf_counter()
                continue
            return Answer(text, times=_times(started, redirect_at, marks, url.scheme == "https"), hops=hops)

    async def _ask(self, query: Query, url: URL, fields: list[tuple[str, str]], body: str) -> _Got:
        """One request. A connection that was kept may have been closed by the server just now: then once more."""
        import aiohttp

        while True:
            marks = SimpleNamespace(lookup=0.0, connect=0.0, start=0.0, reused=False)
            try:
                return await self._request(query, url, fields, body, marks)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not marks.reused or marks.start:
                    raise

    async def _request(
        self, query: Query, url: URL, fields: list[tuple[str, str]], body: str, marks: SimpleNamespace
    ) -> _Got:
        import aiohttp

        session = self._session or self._begin()
        data = body.encode("latin-1")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=query.timeout, sock_read=query.timeout)
        async with session.request(
            method_of(query, bool(body)),
            url,
            headers=fields,
            data=None if not data else data if len(data) < _DIRECT else io.BytesIO(data),
            allow_redirects=False,
            timeout=timeout,
            ssl=await self._context(query) if url.scheme == "https" else True,
            trace_request_ctx=marks,
        ) as response:
            marks.start = perf_counter()
            head = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
            received = bytearray()
            async for part in response.content.iter_any():
                received += part
                if len(received) > ANSWER_SIZE:
                    response.close()
                    raise QueryRefused(f"the answer is longer than {ANSWER_SIZE:,} bytes")
            version = response.version or aiohttp.HttpVersion11
            lines = [f"HTTP/{version.major}.{version.minor} {response.status} {response.reason or ''}"]
            lines += [f"{name}: {value}" for name, value in head]
            text = "\r\n".join([*lines, "", received.decode("latin-1")])
            return _Got(response.status, head, text, marks)

    def _begin(self) -> aiohttp.ClientSession:
        import aiohttp

        trace = aiohttp.TraceConfig()

        def mark(name: str, *, reused: bool = False) -> Callable[..., Any]:
            async def on(_session: object, context: SimpleNamespace, _params: object) -> None:
                setattr(context.trace_request_ctx, name, perf_counter())
                context.trace_request_ctx.reused = reused

            return on

        trace.on_dns_resolvehost_end.append(mark("lookup"))
        trace.on_connection_create_end.append(mark("connect"))
        trace.on_connection_reuseconn.append(mark("connect", reused=True))
        self._session = made = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            max_line_size=_LINE_SIZE,
            max_field_size=_LINE_SIZE,
            trace_configs=[trace],
        )
        # It would ask a second time whenever a server hangs up, also one that has read the request.
        made._retry_connection = False
        return made

    async def _context(self, query: Query) -> ssl.SSLContext:
        """How TLS is spoken; certificates are read beside the loop, for it takes a while."""
        key = (
            query.verify_peer, query.verify_host, query.version, query.client_cert, query.client_key, query.ca_path,
        )  # fmt: skip
        found = self._contexts.get(key)
        if found is None:
            found = await self._loop.run_in_executor(None, _new_context, query)
            if len(self._contexts) >= _CONTEXTS:
                self._contexts.clear()
            self._contexts[key] = found
        return found


def _new_context(query: Query) -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.check_hostname = query.verify_peer and query.verify_host
    if not query.verify_peer:
        made.verify_mode = ssl.CERT_NONE
    if query.version in _VERSIONS:
        made.minimum_version = _VERSIONS[query.version]
    try:
        if query.ca_path:
            made.load_verify_locations(capath=query.ca_path)
        if query.client_cert:
            made.load_cert_chain(query.client_cert, query.client_key or None)
    except OSError as err:
        raise QueryRefused(f"the certificates cannot be read: {err.strerror or err}") from None
    return made


def _times(started: float, redirect_at: float, marks: SimpleNamespace, tls: bool) -> Times:
    def since(moment: float) -> int:
        return max(int((moment - started) * 1_000_000), 1) if moment else 0

    connect = since(marks.connect)
    return Times(
        total=since(perf_counter()),
        lookup=since(marks.lookup) if marks.lookup else min(connect, 1),
        connect=connect,
        redirect=since(redirect_at),
        appconnect=connect if tls else 0,
        pretransfer=connect,
        starttransfer=since(marks.start),
    )


def _is_of_client(err: Exception) -> bool:
    import aiohttp

    return isinstance(err, aiohttp.ClientError)


def _reason(err: Exception, url: URL | None, started: float) -> str:
    """libcurl's words for what went wrong."""
    import aiohttp

    match err:
        case TimeoutError():
            return "TIMEOUT"
        case aiohttp.ClientConnectorDNSError():
            return f"Could not resolve host: {err.host}"
        case UnicodeError():
            return f"Could not resolve host: {url.host if url is not None else ''}"
        case aiohttp.ClientConnectorCertificateError():
            why = err.certificate_error
            return f"SSL certificate problem: {getattr(why, 'verify_message', why)}"
        case aiohttp.ClientSSLError():
            return f"TLS connect error: {err.os_error.strerror or err.os_error}"
        case aiohttp.ClientConnectorError():
            passed = int((perf_counter() - started) * 1000)
            return f"Failed to connect to {err.host} port {err.port} after {passed} ms: Couldn't connect to server"
        case aiohttp.ServerDisconnectedError():
            return "Empty reply from server"
        case aiohttp.ClientPayloadError():
            return "transfer closed with outstanding read data remaining"
        case aiohttp.ClientResponseError():
            return "Received HTTP/0.9 when not allowed"
        case aiohttp.InvalidURL():
            return ""
        case OSError():
            return f"Recv failure: {err.strerror or err}"
        case _:
            return str(err)
