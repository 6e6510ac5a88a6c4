"""From a query to the requests that libcurl would send for it: addresses, headers, where a redirection leads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from evapi_cfg.modules.outside import Query
from evapi_cfg.source import show

if TYPE_CHECKING:
    from yarl import URL

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://?/?")
_NOT_IN_URL: Final = re.compile(r"[\x00-\x20\x7f]")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS: Final = ("content-length", "transfer-encoding", "expect")  # that depend on how it is sent
_HIDDEN: Final = ("authorization", "cookie")  # that another host must not see


class QueryRefused(Exception):
    """The query cannot be sent; the message is libcurl's word for it, which may be empty."""


def parse_url(text: str) -> URL:
    """An address as libcurl reads it: without a scheme it is HTTP. Raises QueryRefused."""
    from yarl import URL

    if _NOT_IN_URL.search(text):
        raise QueryRefused("")
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else text
    name = scheme[1].lower() if scheme else "http"
    if name not in ("http", "https"):
        raise QueryRefused(f'Protocol "{show(name)}" not supported or disabled in libcurl')
    try:
        url = URL(f"{name}://{_ascii(rest)}", encoded=True)
        if not url.host or not url.port:
            raise QueryRefused("")
        # Joined to itself, for the dots in its path.
        return url.join(URL(url.raw_path_qs, encoded=True)).with_fragment(None) if "/." in url.raw_path else url
    except (ValueError, TypeError):
        raise QueryRefused("") from None


def redirected(url: URL, location: str) -> URL:
    """Where an answer points to."""
    from yarl import URL

    try:
        made = url.join(URL(_ascii(location.strip()).replace(" ", "%20"), encoded=True)).with_fragment(None)
    except (ValueError, TypeError):
        raise QueryRefused("") from None
    return parse_url(str(made))


def _ascii(text: str) -> str:
    return "".join(c if c < "\x80" else f"%{ord(c):02X}" for c in text)


def header_fields(query: Query, body: bool, same_host: bool) -> list[tuple[str, str]]:
    """Names and values. A line `Name: value` adds a header or replaces a usual one, `Name:` takes the usual one away,
    and `Name;` is one without a value; anything else is no header. `same_host`: the first server's, not that of a
    redirection."""
    made: list[tuple[str, str]] = []
    named: set[str] = set()
    for line in (part for header in query.headers for part in re.split(r"\r?\n|\r", header)):
        name, colon, value = line.partition(":")
        value = value.strip()
        if not colon and line.rstrip().endswith(";"):
            name = line.rstrip()[:-1]
        elif not colon:
            continue
        kind = name.strip().lower()
        if not _NAME.fullmatch(name.strip()) or kind in _OURS or "\0" in value:
            continue
        named.add(kind)
        if (value or not colon) and (same_host or kind not in _HIDDEN):
            made.append((name.strip(), show(value)))
    usual = [("Accept", "*/*")]
    if body:
        usual.append(("Content-Type", "application/x-www-form-urlencoded"))
    return [field for field in usual if field[0].lower() not in named] + made


def method_of(query: Query, body: bool) -> str:
    return query.method or ("POST" if body else "GET")
