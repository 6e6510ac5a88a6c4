"""`{uri.*}`, `{urialias.*}`: parts of SIP, TEL and URN addresses (modules/pv/pv_trans.c: tr_eval_uri, tr_eval_urialias;
core/dset.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.spec import NoValue, Transformation
from evapi_cfg.modules.transformations.arguments import on_words, text_or_none
from evapi_cfg.modules.transformations.chain import int_with_text
from evapi_cfg.modules.transformations.params import named, parse_params
from evapi_cfg.modules.transformations.strings import BUFFER
from evapi_cfg.sip.uri import (
    DEFAULT_PORT,
    DEFAULT_TLS_PORT,
    NONE,
    PROTOCOL_NAMES,
    TLS,
    UDP,
    WS,
    WSS,
    Uri,
    parse_uri,
)
from evapi_cfg.values import Value


def parsed(text: str) -> Uri:
    """The URI; one `;` at its end is passed over."""
    uri = parse_uri(text[:-1] if len(text) > 4 and text[-1] == ";" else text)
    if uri is None:
        raise NoValue
    return uri


def port(text: str) -> Value:
    """The number; without a port 0, which prints nothing."""
    uri = parsed(text)
    return int_with_text(uri.port_number, uri.port or "")


def param(text: str, name: str | None) -> str:
    """A parameter's value. A name that is $null matters only where the URI has parameters."""
    uri = parsed(text)
    if not uri.sip_params:
        return ""
    if name is None:
        raise NoValue
    params = parse_params(uri.sip_params)
    if params is None:
        raise NoValue
    found = named(params, name)
    return found.body if found else ""


def without_param(text: str, name: str) -> str:
    """The URI without one parameter (core/dset.c: ksr_uri_remove_param)."""
    parsed(text)
    uri = parse_uri(text)
    if uri is None:
        return ""
    params = uri.sip_params or uri.params
    if not params:
        return text
    found = parse_params(params)
    if found is None:
        return ""
    gone = named(found, name)
    if gone is None:
        return text
    offset = text.find(";" + params) + 1
    begin = text.rfind(";", 0, offset + gone.start + 1)
    return text[: max(begin, 0)] + text[offset + gone.end :]


def scheme(text: str) -> str:
    parsed(text)
    return text.partition(":")[0]


def short(text: str, *, user: bool, port: bool) -> str:
    """The scheme as written, user, host, port and transport, as far as they are asked for."""
    uri = parsed(text)
    if len(text) >= BUFFER:
        return ""
    found = text.partition(":")[0] + ":"
    if user and uri.user:
        found += uri.user + "@"
    found += uri.host
    if port:
        if uri.port:
            found += ":" + uri.port
        if transport := uri.known.get("transport"):
            found += ";transport=" + transport
    return found


def to_socket(text: str) -> str:
    """`proto:host:port`; nothing where the URI names no transport."""
    uri = parsed(text)
    if uri.protocol == NONE:
        return ""
    return f"{PROTOCOL_NAMES[uri.protocol]}:{uri.host}:{uri.port_number or DEFAULT_PORT}"


def _known(name: str) -> Callable[[str], str]:
    return lambda text: parsed(text).known.get(name, "")


def _flag_value(name: str) -> Callable[[str], str]:
    """The value of a parameter that need not have one."""
    return lambda text: parsed(text).known.get(name, "").partition("=")[2]


def encode_alias(text: str) -> str:
    """`host~port~protocol`, as in the alias parameter of a Contact (core/dset.c: ksr_uri_alias_encode)."""
    uri = parse_uri(text)
    if uri is None or len(uri.host) + 16 >= BUFFER:
        return ""
    default = DEFAULT_TLS_PORT if uri.protocol in (TLS, WSS) else DEFAULT_PORT
    return f"{uri.host}~{uri.port or default}~{uri.protocol or UDP}"


def decode_alias(text: str) -> str:
    """The URI that an alias stands for. Where parts are missing Kamailio gives what was in its buffer."""
    if len(text) + 24 >= BUFFER:
        return ""
    host, _, rest = text.partition("~")
    port, second, protocol = rest.partition("~")
    found = f"sip:{host}:{port}" if rest or "~" in text else f"sip:{host}"
    if not second:
        return found
    if not protocol:
        return ""
    number = ord(protocol[0]) - ord("0") or UDP
    if number == UDP:
        return found
    if not UDP < number < len(PROTOCOL_NAMES):
        return ""
    return f"{found};transport={PROTOCOL_NAMES[WS if number == WSS else number]}"


URIS: Final[tuple[Transformation, ...]] = (
    on_words("uri", "user", "", lambda text: parsed(text).user),
    on_words("uri", "host", "", lambda text: parsed(text).host),
    on_words("uri", "domain", "", lambda text: parsed(text).host),
    on_words("uri", "passwd", "", lambda text: parsed(text).password),
    on_words("uri", "port", "", port),
    on_words("uri", "saor", "", lambda text: short(text, user=True, port=False)),
    on_words("uri", "suri", "", lambda text: short(text, user=True, port=True)),
    on_words("uri", "duri", "", lambda text: short(text, user=False, port=True)),
    on_words("uri", "params", "", lambda text: parsed(text).sip_params),
    on_words("uri", "headers", "", lambda text: parsed(text).headers),
    on_words("uri", "param", "(s)", param, text_or_none),
    on_words("uri", "rmparam", "(s)", without_param),
    on_words("uri", "transport", "", _known("transport")),
    on_words("uri", "ttl", "", _known("ttl")),
    on_words("uri", "uparam", "", _known("user")),
    on_words("uri", "maddr", "", _known("maddr")),
    on_words("uri", "method", "", _known("method")),
    on_words("uri", "lr", "", _flag_value("lr")),
    on_words("uri", "r2", "", _flag_value("r2")),
    on_words("uri", "scheme", "", scheme),
    on_words("uri", "tosocket", "", to_socket),
    on_words("urialias", "encode", "", encode_alias),
    on_words("urialias", "decode", "", decode_alias),
)
