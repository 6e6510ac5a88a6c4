"""What a select can be followed by where it gives a text: the parts of a URI, of a `name <uri>;params`, of parameters
(core/select.c: resolve_select, rows with NESTED; select_core.c: select_uri_*, select_nameaddr_*, select_any_params).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Run
from evapi_cfg.modules.spec import Selected, SelectPath
from evapi_cfg.modules.transformations.params import named, parse_params
from evapi_cfg.sip.uri import DEFAULT_PORT, DEFAULT_TLS_PORT, NONE, PROTOCOL_NAMES, TLS, UDP, Uri, parse_uri
from evapi_cfg.values import Value

Part = Callable[[str], "str | None"]
_SEPARATORS: Final = str.maketrans("", "", "-.()")


def with_part(selected: Selected, part: Part | None, *, always: bool = False) -> Selected:
    """What a select gives when a part of its text is asked for. No part: Kamailio knows none of that name."""
    if part is None:
        return selected._replace(resolved=False)
    get = selected.get

    def part_of(run: Run) -> Value:
        text = get(run)
        return part(text) if isinstance(text, str) else None

    return Selected(part_of, always=always)


def with_nameaddr(selected: Selected, path: SelectPath) -> Selected:
    """Behind `.nameaddr`: name, uri, which can go on with a part of it, and params."""
    name, rest = str(path[0]).lower(), path[1:]
    if name == "uri":
        uri = with_part(selected, _nameaddr_uri, always=True)
        return with_part(uri, uri_part(rest)) if rest else uri
    if name == "name" and not rest:
        return with_part(selected, _nameaddr_name)
    if name == "params" and not rest:
        return with_part(selected, _nameaddr_params)
    if name == "params" and len(rest) == 1 and isinstance(rest[0], str):
        wanted = rest[0]
        return with_part(selected, lambda text: _param(_nameaddr_params(text), wanted))
    return selected._replace(resolved=False)


def with_params(selected: Selected, path: SelectPath) -> Selected:
    """`params.name`: one of the parameters that the whole text is."""
    if len(path) == 2 and str(path[0]).lower() == "params" and isinstance(path[1], str):
        wanted = path[1]
        return with_part(selected, lambda text: _param(text, wanted))
    return selected._replace(resolved=False)


# ---- a URI ------------------------------------------------------------------------------------------------------


def uri_part(path: SelectPath) -> Part | None:
    """One part of a URI; None where there is none of that name."""
    name, rest = str(path[0]).lower(), path[1:]
    if name == "params" and len(rest) == 1 and isinstance(rest[0], str):
        wanted = rest[0].replace("_", "-")
        return _of_uri(lambda uri: _param(uri.params, wanted) or _param(uri.sip_params, wanted))
    read = _URI_PARTS.get(name)
    return None if read is None or rest else _of_uri(read)


def _of_uri(read: Callable[[Uri], str | None]) -> Part:
    def part(text: str) -> str | None:
        uri = parse_uri(text)
        return None if uri is None else read(uri)

    return part


def _is_number(uri: Uri) -> bool:
    return uri.scheme in ("tel", "tels")


def _plain_user(uri: Uri) -> str | None:
    """The user; a telephone number without its visual separators (normalize_tel_user)."""
    return (uri.user.translate(_SEPARATORS) if _is_number(uri) else uri.user) or None


def _routing_user(uri: Uri) -> str | None:
    """The routing number in the parameter rn, if there is one, instead of the user."""
    found = _param(uri.params, "rn") or _param(uri.sip_params, "rn")
    return found.translate(_SEPARATORS) if found else _plain_user(uri)


def _host_and_port(uri: Uri) -> str | None:
    secure = uri.scheme in ("sips", "tels")
    return f"{uri.host}:{uri.port or (DEFAULT_TLS_PORT if secure else DEFAULT_PORT)}" if uri.host else None


def _transport(uri: Uri) -> str:
    if uri.protocol != NONE:
        return PROTOCOL_NAMES[uri.protocol]
    return PROTOCOL_NAMES[TLS if uri.scheme in ("sips", "tels") else UDP]


_URI_PARTS: Final[dict[str, Callable[[Uri], str | None]]] = {
    "type": lambda uri: uri.scheme,
    "user": _plain_user,
    "rn_user": _routing_user,
    "pwd": lambda uri: uri.password or None,
    "host": lambda uri: uri.host or None,
    "port": lambda uri: uri.port,
    "params": lambda uri: uri.params or None,
    "hostport": _host_and_port,
    "transport": _transport,
}


# ---- name <uri>;params --------------------------------------------------------------------------------------------


def _unquoted(text: str, wanted: str) -> int:
    """Where a character stands outside of quotes; -1 where it does not (parser_f.h: find_not_quoted)."""
    quoted = False
    for at, char in enumerate(text):
        if quoted:
            quoted = char != '"' or text[at - 1] == "\\"
        elif char == '"':
            quoted = True
        elif char == wanted:
            return at
    return -1


def _nameaddr_name(text: str) -> str | None:
    at = _unquoted(text, "<")
    return None if at < 0 else text[:at].rstrip(" \t")


def _nameaddr_uri(text: str) -> str | None:
    at = _unquoted(text, "<")
    if at < 0:
        return text.partition(";")[0]
    end = _unquoted(text[at + 1 :], ">")
    return None if end < 0 else text[at + 1 : at + 1 + end]


def _nameaddr_params(text: str) -> str | None:
    """What stands behind the first `;` outside of quotes and of the address."""
    at = _unquoted(text, "<")
    if at >= 0:
        text = text[at + 1 :]
        end = _unquoted(text, ">")
        if end < 0:
            return None
        text = text[end + 1 :]
    at = _unquoted(text, ";")
    return None if at < 0 else text[at + 1 :] or None


# ---- parameters -----------------------------------------------------------------------------------------------------


def _param(text: str | None, name: str) -> str | None:
    """The value of a parameter; None where it is not there, has no value, or the text is not of the form."""
    params = parse_params(text) if text else None
    found = named(params, name) if params else None
    return None if found is None else found.body or None
