"""URIs: their parameters, their parts, comparing them, tel: as sip: (modules/siputils/checks.c, sipops.c;
core/strutils.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.core_uri import MAX_URI
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.siputils.state import NAME
from evapi_cfg.modules.spec import Arg, FixupError, Function, Variable
from evapi_cfg.modules.transformations.params import Param, folded, named, parse_params
from evapi_cfg.sip.headers import COMPACT, NAME_CHARACTERS
from evapi_cfg.sip.uri import Uri, parse_uri
from evapi_cfg.source import show

_SEPARATORS: Final = str.maketrans("", "", "-.()")
_TEL_NUMBER: Final = re.compile(r"\+?[0-9.()-]*")
_MAX_TEL_PARAMS: Final = 10
_LEADING_TEL_PARAMS: Final = ("isdn-subaddress", "post-dial")  # RFC 3261 19.1.6
# Headers that the parser has a type for, core/parser/parse_hname2.c; of the others only the names can be compared.
_TYPED: Final = frozenset(COMPACT.values()) | frozenset(
    (
        "accept", "accept-language", "allow", "authorization", "call-info", "content-disposition", "cseq", "date",
        "diversion", "expires", "identity-info", "max-forwards", "min-expires", "min-se", "organization", "path",
        "priority", "privacy", "proxy-authenticate", "proxy-authorization", "proxy-require", "p-preferred-identity",
        "p-asserted-identity", "reason", "record-route", "remote-party-id", "require", "retry-after", "route", "server",
        "sip-if-match", "subscription-state", "unsupported", "user-agent", "www-authenticate",
    )
)  # fmt: skip

# ---- parameters of the request URI ----------------------------------------------------------------------------------


def _is_uri(run: Run, text: str) -> int:
    return 1 if parse_uri(text) is not None else -1


def _request_uri(run: Run) -> Uri | None:
    message = current_message(run)
    uri = message.parsed_uri
    if uri is None:
        run.log(Level.ERROR, NAME, f"the request URI is no URI: {show(message.request_uri)!r}")
    return uri


def params_of(text: str, uri: Uri) -> tuple[tuple[Param, ...] | None, int]:
    """The parameters of a URI's text, and where the first stands in it; none where there are none, and None where
    they are not of the form."""
    written = uri.sip_params or uri.params
    if not written:
        return (), 0
    headers = len(uri.headers) + 1 if uri.headers or text.endswith("?") else 0
    return parse_params(written), len(text) - headers - len(written)


def _ill_formed(run: Run, text: str) -> int:
    run.log(Level.ERROR, NAME, f"the URI's parameters cannot be read: {show(text)!r}")
    return -1


def _last_param(run: Run, name: str) -> Param | int:
    """The last of the parser's own parameters with exactly this name; else the code that the function gives. Of a URI
    with user=phone they are those of the number."""
    uri = _request_uri(run)
    if uri is None:
        return -1
    params = parse_params(uri.params) if uri.params else ()
    if params is None:
        return _ill_formed(run, uri.params)
    return next((param for param in reversed(params) if param.name == name), -1)


def _uri_param(run: Run, name: str) -> int:
    """A parameter of that name without a value."""
    param = _last_param(run, name)
    return param if isinstance(param, int) else -1 if param.body else 1


def _uri_param_value(run: Run, name: str, value: str) -> int:
    param = _last_param(run, name)
    return param if isinstance(param, int) else 1 if param.body == value else -1


def _get_uri_param(run: Run, name: str, target: Variable) -> int:
    param = _last_param(run, name)
    if isinstance(param, int):
        return param
    set_variable(run, target, param.body)
    return 1


def _uri_param_any(run: Run, name: str) -> int:
    uri = _request_uri(run)
    if uri is None:
        return -1
    text = current_message(run).request_uri
    params, _ = params_of(text, uri)
    if params is None:
        return _ill_formed(run, text)
    return 1 if named(params, name) is not None else -1


def _add_uri_param(run: Run, param: str) -> int:
    """Puts the parameter behind all others. In a URI with headers Kamailio joins the old parameters to the host, which
    is kept; it also loses the user there, which is not."""
    if not param:
        return 1
    uri = _request_uri(run)
    if uri is None:
        return -1
    message = current_message(run)
    text = message.request_uri
    if not uri.headers:
        new = f"{text};{param}"
    else:
        password = f":{uri.password}" if uri.password else ""
        port = f":{uri.port}" if uri.port else ""
        user = f"{uri.user}{password}@" if uri.user else ""
        new = f"sip:{user}{uri.host}{port}{uri.params};{param}?{uri.headers}"
        if uri.user:
            run.log(Level.WARNING, NAME, f"Kamailio loses the user here: {show(new)!r} would not have one")
        if uri.params:
            run.log(Level.WARNING, NAME, f"as in Kamailio, the URI's parameters lose the `;` in front: {show(new)!r}")
    if len(new) > MAX_URI:
        run.log(Level.ERROR, NAME, f"the new URI is of {len(new)} bytes; {MAX_URI} are the limit")
        return -1
    message.new_uri = new
    return 1


def without_param(text: str, name: str) -> tuple[int, int] | Literal[False] | None:
    """Where in a URI's text the last parameter of that name stands, with the `;` in front; None where there is none,
    False where the parameters cannot be read."""
    uri = parse_uri(text)
    if uri is None:
        return False
    params, begin = params_of(text, uri)
    if params is None:
        return False
    param = named(params, name)
    if param is None:
        return None
    return text.rfind(";", 0, begin + param.start + 1), begin + param.end


def _uri_param_rm(run: Run, name: str) -> int:
    message = current_message(run)
    text = message.request_uri
    if len(text) >= MAX_URI or _request_uri(run) is None:
        return -1
    place = without_param(text, name)
    if place is None:
        return 1
    if isinstance(place, bool):
        return _ill_formed(run, text)
    message.new_uri = text[: max(place[0], 0)] + text[place[1] :]
    return 1


# ---- parts of a URI in a variable -----------------------------------------------------------------------------------


def _two_texts(run: Run, target: Variable, source: Variable) -> tuple[str, str] | None:
    """The URI and the new part; None, with a word in the log, where one of them cannot be."""
    uri, part = target.get(run), source.get(run)
    if uri is None or uri == "":
        run.log(Level.ERROR, NAME, "the variable holds no URI")
    elif part is None:
        run.log(Level.ERROR, NAME, "the new part of the URI is $null")
    elif len(str(uri)) + len(str(part)) >= MAX_URI - 2:
        run.log(Level.ERROR, NAME, "the new URI would be too long")
    elif ":" not in str(uri):
        run.log(Level.ERROR, NAME, f"{show(str(uri))!r} is no URI")
    else:
        return str(uri), str(part)
    return None


def _set_uri_user(run: Run, target: Variable, source: Variable) -> int:
    texts = _two_texts(run, target, source)
    if texts is None:
        return -1
    uri, user = texts
    head = uri[: uri.index(":") + 1]
    at = uri.find("@")
    if at >= 0:
        set_variable(run, target, head + user + uri[at:] if user else head + uri[at + 1 :])
    elif user:
        set_variable(run, target, f"{head}{user}@{uri[len(head) :]}")
    return 1


def _set_uri_host(run: Run, target: Variable, source: Variable) -> int:
    """The host ends at the first colon, semicolon or question mark: an IPv6 address loses only its beginning."""
    texts = _two_texts(run, target, source)
    if texts is None:
        return -1
    uri, host = texts
    begin = uri.index(":") + 1
    begin = uri.find("@", begin) + 1 or begin
    end = min((place for char in ":;?" if (place := uri.find(char, begin)) >= 0), default=len(uri))
    if not host or end == begin:
        run.log(Level.ERROR, NAME, "the new host is empty" if not host else f"{show(uri)!r} has no host")
        return -1
    set_variable(run, target, uri[:begin] + host + uri[end:])
    return 1


# ---- tel: as sip: ---------------------------------------------------------------------------------------------------


def _cut_tel(uri: str) -> tuple[str, str]:
    """The number without visual separators, and the parameters with their semicolon, in lower case."""
    number, semicolon, params = folded(uri)[4:].partition(";")
    return number.translate(_SEPARATORS), semicolon + params


def _tel2sip(run: Run, uri: str | None, host: str | None, target: Variable) -> int:
    """1 where it was converted, 2 where it is no tel: URI."""
    if uri is None or host is None:
        run.log(Level.ERROR, NAME, "the URI or the host is $null")
        return -1
    if uri[:4].lower() != "tel:":
        return 2
    number, params = _cut_tel(uri)
    return _set_sip(run, f"sip:{number}{params}@{host};user=phone", target)


def _tel2sip2(run: Run, uri: str | None, host: str | None, target: Variable) -> int:
    """As tel2sip, with the parameters in the order of RFC 3261 19.1.6 and without a phone-context that is a domain."""
    if uri is None or host is None:
        run.log(Level.ERROR, NAME, "the URI or the host is $null")
        return -1
    if uri[:4].lower() != "tel:":
        return 1
    number, written = _cut_tel(uri)
    pairs: list[tuple[str, str]] = []
    for param in written.split(";", _MAX_TEL_PARAMS)[1:]:
        name, _, value = param.partition("=")
        if name == "phone-context":
            if _TEL_NUMBER.fullmatch(value) is None:
                continue
            value = value.translate(_SEPARATORS)
        pairs.append((name, value))
    pairs.sort(key=_tel_order)
    params = "".join(f";{name}={value}" for name, value in pairs)
    return _set_sip(run, f"sip:{number}{params}@{host};user=phone", target)


def _tel_order(pair: tuple[str, str]) -> tuple[int, str]:
    name = pair[0]
    return (_LEADING_TEL_PARAMS.index(name) if name in _LEADING_TEL_PARAMS else len(_LEADING_TEL_PARAMS), name)


def _set_sip(run: Run, uri: str, target: Variable) -> int:
    return set_variable(run, target, uri) if parse_uri(uri) is not None else -1


# ---- comparing ------------------------------------------------------------------------------------------------------


def _cmp_uri(run: Run, one: str, other: str) -> int:
    """1 equal, -1 not, -2 where one of them is no URI."""
    first, second = parse_uri(one), parse_uri(other)
    if first is None or second is None:
        return -2
    same = (first.scheme, first.user, first.port or "", first.password, folded(first.host)) == (
        second.scheme, second.user, second.port or "", second.password, folded(second.host),
    )  # fmt: skip
    if not same:
        return -1
    for bare, full in ((first, second), (second, first)):
        if not bare.params and full.params and not {"user", "ttl", "method", "maddr"}.isdisjoint(full.known):
            return -1
    mine = parse_params(first.params) if first.params else ()
    others = parse_params(second.params) if second.params else ()
    if mine is None or others is None:
        return -2
    differ = any(
        folded(param.name) == folded(peer.name) and folded(param.body) != folded(peer.body)
        for param in mine
        for peer in others
    )
    return -1 if differ else 1


def _cmp_aor(run: Run, one: str, other: str) -> int:
    """As cmp_uri, for user, host and port alone, where no port is the same as 5060."""
    first, second = parse_uri(one), parse_uri(other)
    if first is None or second is None:
        return -2
    if first.user != second.user or folded(first.host) != folded(second.host):
        return -1
    for bare, full in ((first, second), (second, first)):
        if not bare.port and full.port and full.port_number != 5060:
            return -1
    return 1


def _cmp_hdr_name(run: Run, one: str, other: str) -> int:
    """1 equal, -1 and -2 not: which of the two tells about the order, as C compares them."""
    first, second = one.rstrip(" \t\r\n"), other.rstrip(" \t\r\n")
    if not (first and second and first[0] in NAME_CHARACTERS and second[0] in NAME_CHARACTERS):
        run.log(Level.ERROR, NAME, f"no header names: {show(one)!r} and {show(other)!r}")
        return -2
    kind, other_kind = _type_of(first), _type_of(second)
    if kind is not None or other_kind is not None:
        return 1 if kind == other_kind else -1
    left, right = folded(first), folded(second)
    return 1 if left == right else -1 if left > right else -2


def _type_of(name: str) -> str | None:
    end = next((at for at, char in enumerate(name) if char not in NAME_CHARACTERS), len(name))
    kind = folded(name[:end])
    kind = COMPACT.get(kind, kind)
    return kind if kind in _TYPED else None


def _is_gruu(run: Run) -> int:
    uri = _request_uri(run)
    return -1 if uri is None else _gruu(uri)


def _is_gruu_of(run: Run, text: str) -> int:
    uri = parse_uri(text)
    if uri is None:
        run.log(Level.ERROR, NAME, f"{show(text)!r} is no URI")
        return -1
    return _gruu(uri)


def _gruu(uri: Uri) -> int:
    """1 with a value, 2 without."""
    param = uri.known.get("gr")
    return -1 if param is None else 1 if param.partition("=")[2] else 2


def _writable(index: int) -> Callable[[tuple[object | None, ...]], tuple[object | None, ...]]:
    """A fixup that refuses a variable that cannot be assigned."""

    def fixup(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
        target = arguments[index]
        if isinstance(target, Variable) and target.set is None:
            raise FixupError(index, "the variable cannot be assigned")
        return (None,) * len(arguments)

    return fixup


_TEXT: Final = (Arg.TEXT,)
_TEXTS: Final = (Arg.TEXT, Arg.TEXT)
_PARAM: Final = Routes.REQUEST | Routes.FAILURE | Routes.BRANCH
_SET: Final = (Arg.PVAR, Arg.PVAR)
_TEL_ARGS: Final = (Arg.VAR_TEXT, Arg.VAR_TEXT, Arg.PVAR)
_TEL_ROUTES: Final = Routes.REQUEST | Routes.FAILURE | Routes.ONREPLY | Routes.BRANCH

FUNCTIONS: Final = (
    Function("is_uri", _is_uri, _TEXT),
    Function("uri_param", _uri_param, _TEXT, _PARAM),
    Function("uri_param", _uri_param_value, _TEXTS, _PARAM),
    Function("uri_param_any", _uri_param_any, _TEXT, _PARAM),
    Function("uri_param_rm", _uri_param_rm, _TEXT, _PARAM),
    Function("add_uri_param", _add_uri_param, (Arg.STRING,), Routes.REQUEST),
    Function("get_uri_param", _get_uri_param, (Arg.STRING, Arg.PVAR), Routes.REQUEST | Routes.LOCAL,
             fixup=_writable(1), outputs=(1,)),
    Function("set_uri_user", _set_uri_user, _SET, fixup=_writable(0), outputs=(0,)),
    Function("set_uri_host", _set_uri_host, _SET, fixup=_writable(0), outputs=(0,)),
    Function("tel2sip", _tel2sip, _TEL_ARGS, _TEL_ROUTES, fixup=_writable(2), outputs=(2,)),
    Function("tel2sip2", _tel2sip2, _TEL_ARGS, _TEL_ROUTES, fixup=_writable(2), outputs=(2,)),
    Function("cmp_uri", _cmp_uri, _TEXTS),
    Function("cmp_aor", _cmp_aor, _TEXTS),
    Function("cmp_hdr_name", _cmp_hdr_name, _TEXTS),
    Function("is_gruu", _is_gruu),
    Function("is_gruu", _is_gruu_of, _TEXT),
)  # fmt: skip

_same: Final = same(FUNCTIONS)

KEMI: Final = (
    *(_same(name, str) for name in ("is_uri", "uri_param", "uri_param_any", "uri_param_rm", "add_uri_param")),
    _same("uri_param", str, str, name="uri_param_value"),
    *(_same(name, str, str) for name in ("cmp_uri", "cmp_aor", "cmp_hdr_name")),
    _same("is_gruu"),
)
