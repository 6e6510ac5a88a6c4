"""Classes of other modules than pv: `{sock.*}` of corex, `{url.*}` of xhttp, `{msrpuri.*}` of msrp (corex_var.c:
tr_sock_eval; xhttp_trans.c: xhttp_tr_eval_xhttpurl; msrp_parser.c: msrp_parse_uri)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from evapi_cfg.modules.context import World
from evapi_cfg.modules.spec import NameRefused, NoValue, Resolver, Transformation
from evapi_cfg.modules.transformations.arguments import on_value, on_words, text_of
from evapi_cfg.modules.transformations.chain import Step, int_with_text
from evapi_cfg.modules.transformations.strings import WHITE, fits
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value

PRINT_BUFFER: Final = 32768  # core/pvapi.c: PV_DEFAULT_PRINT_BUFFER_SIZE

# ---- sock ------------------------------------------------------------------------------------------------------------


class Socket(NamedTuple):
    proto: str
    host: str
    port: str


def transports(world: World) -> frozenset[str]:
    """The names that Kamailio takes for a transport here: those that its core parameters turn on (main.c: parse_proto).
    `ws` and `wss` are never among them."""
    names = {"udp"}
    if not world.core.get("disable_tcp"):
        names.add("tcp")
        if world.core.get("enable_tls"):
            names.add("tls")
    if world.core.get("enable_sctp"):
        names.add("sctp")
    return frozenset(names)


def socket(text: str, transports: frozenset[str]) -> Socket:
    """`proto:host:port`, `host:port`, `proto:host` or `host` (core/socket_info.c: parse_protohostport)."""
    fits(text, PRINT_BUFFER - 2)
    parts = _at_colons(text)
    if not text or len(parts) > 3 or text.endswith(":"):
        raise NoValue
    if len(parts) == 1:
        return Socket("", text, "")
    if len(parts) == 2:
        if _is_number(parts[1]):
            return Socket("", parts[0], parts[1])
        parts.append("")
    elif not _is_number(parts[2]):
        raise NoValue
    proto, host, port = parts
    if proto.lower() not in transports:
        raise NoValue
    return Socket(proto, host, port)


def _at_colons(text: str) -> list[str]:
    """The parts between colons that are not inside of brackets."""
    parts = [""]
    inside = 0
    for char in text:
        inside += (char == "[") - (char == "]")
        if not 0 <= inside <= 1:
            raise NoValue
        if char == ":" and not inside:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _is_number(text: str) -> bool:
    """Whether core/ut.h: str2int takes it; 32 bit."""
    return text.isascii() and text.isdecimal() and len(text) < 20 and int(text) < 2**32


def socket_uri(found: Socket) -> str:
    if not found.host:
        return ""
    uri = f"sip:{found.host}"
    if found.port:
        uri += f":{found.port}"
    if found.proto:
        uri += f";transport={found.proto}"
    return uri if len(uri) < PRINT_BUFFER - 1 else ""


def _socket(op: str, part: Callable[[Socket], str]) -> Transformation:
    def prepare(args: Text | None, resolver: Resolver) -> Step:
        if args is not None:
            raise NameRefused(f"`{{sock.{op}}}` takes no argument", args.span)
        return lambda run, value: part(socket(text_of(value), transports(run.world)))

    return Transformation("sock", op, "", prepare)


SOCKETS: Final[tuple[Transformation, ...]] = (
    _socket("host", lambda found: found.host),
    _socket("port", lambda found: found.port),
    _socket("proto", lambda found: found.proto),
    _socket("touri", socket_uri),
)

# ---- url -------------------------------------------------------------------------------------------------------------


def url_path(value: Value) -> Value:
    return _part(value, text_of(value).partition("?")[0])


def url_query(value: Value) -> Value:
    return _part(value, text_of(value).partition("?")[2])


def _part(value: Value, text: str) -> Value:
    """An integer stays one and prints the text."""
    return int_with_text(int(value), text) if isinstance(value, int) else text


URLS: Final[tuple[Transformation, ...]] = (
    on_value("url", "path", "", url_path),
    on_value("url", "querystring", "", url_query),
)

# ---- msrpuri ---------------------------------------------------------------------------------------------------------


class MsrpUri(NamedTuple):
    scheme: str
    userinfo: str
    user: str
    host: str
    port: str
    session: str
    proto: str
    params: str


@lru_cache(64)
def msrp_uri(text: str) -> MsrpUri | None:
    """`msrp://user@host:port/session;tcp` taken apart (RFC 4975 section 9); None where it is none."""
    scheme, slashes, rest = text.partition("://")
    if len(text) < 8 or scheme.lower() not in ("msrp", "msrps") or not slashes:
        return None
    userinfo = user = ""
    at, semicolon = rest.find("@"), rest.find(";")
    if at >= 0:
        if semicolon < 0 or at < semicolon:
            userinfo = rest[:at]
            user = userinfo.partition(":")[0]
        rest = rest[at + 1 :]
        if not rest:
            return None
    fields = {"host": "", "port": "", "session": "", "params": ""}
    name = "host"
    if rest.startswith("["):
        host, bracket, rest = rest.partition("]")
        if not bracket:
            return None
        fields["host"] = host + bracket
    for mark, following in ((":", "port"), ("/", "session"), (";", "params")):
        value, found, behind = rest.partition(mark)
        if not found:
            continue
        if not behind:
            return None
        if not fields[name]:
            fields[name] = value
        name, rest = following, behind
    fields[name] = rest.strip(WHITE)
    port = fields["port"]
    if not fields["host"] or (port and not (_is_number(port) and 0 < int(port) < 65536)):
        return None
    proto, params = _msrp_transport(fields["params"])
    return MsrpUri(scheme, userinfo, user, fields["host"], port, fields["session"], proto, params)


def _msrp_transport(params: str) -> tuple[str, str]:
    """The transport that leads the parameters, and the parameters. They keep `tcp` or `ws` where more follows it."""
    if params[:3].lower() == "tcp" and len(params) > 3:
        return params[:3], params
    if params[:2].lower() == "ws" and len(params) > 2:
        return params[:2], params
    proto, _, rest = params.partition(";")
    return proto, rest


def _msrp(part: Callable[[MsrpUri], str]) -> Callable[[str], str]:
    def apply(text: str) -> str:
        uri = msrp_uri(text)
        if uri is None:
            raise NoValue
        return part(uri)

    return apply


MSRP_URIS: Final[tuple[Transformation, ...]] = tuple(
    on_words("msrpuri", op, "", _msrp(part))
    for op, part in (
        ("user", lambda uri: uri.user),
        ("host", lambda uri: uri.host),
        ("port", lambda uri: uri.port),
        ("session", lambda uri: uri.session),
        ("proto", lambda uri: uri.proto),
        ("scheme", lambda uri: uri.scheme),
        ("params", lambda uri: uri.params),
        ("userinfo", lambda uri: uri.userinfo),
    )
)
