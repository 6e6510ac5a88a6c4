"""Rewriting the request URI: what sethost, setuser, strip and their like make of it (core/action.c: do_action,
SET_HOST_T and the cases beside it)."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.sip.uri import Uri
from evapi_cfg.source import show

MAX_URI: Final = 1024  # core/config.h: MAX_URI_SIZE
Part: TypeAlias = Literal[
    "uri", "host", "hostport", "hostporttrans", "user", "userpass", "port", "prefix", "strip", "strip_tail", "userphone"
]


def rewrite(run: Run, part: Part, text: str = "", count: int = 0) -> int:
    """Put `text` in the place of one part of the request URI, or take `count` characters off its user: 1, or -1."""
    message = current_message(run)
    if part == "uri":
        message.new_uri = text
        return 1
    uri = message.parsed_uri
    if uri is None:
        run.log(Level.ERROR, "core", f"the request URI is no URI: {show(message.request_uri)}")
        return -1
    if part == "userphone" and (uri.scheme in ("tel", "tels") or uri.known.get("user") == "phone"):
        return 1
    if part == "port" and uri.scheme in ("tel", "tels") and not uri.host:
        run.log(Level.ERROR, "core", "a tel: URI has no port to set")
        return -1
    new = rewritten(uri, part, text, count)
    if len(new) > MAX_URI:
        run.log(Level.ERROR, "core", f"the new URI is of {len(new)} bytes; {MAX_URI} are the limit")
        return -1
    if count > len(uri.user) and part in ("strip", "strip_tail"):
        run.log(Level.WARNING, "core", f"the user {show(uri.user)!r} is shorter than {count} characters: it is removed")
    message.new_uri = new
    return 1


def rewritten(uri: Uri, part: Part, text: str = "", count: int = 0) -> str:
    """The text of `uri` with one part replaced."""
    host_set = part in ("host", "hostport", "hostporttrans")
    is_tel = uri.scheme in ("tel", "tels")
    phone = is_tel and bool(uri.host)  # a sip: URI with user=phone
    scheme = uri.scheme
    if is_tel and (phone or host_set):
        scheme = "sips" if scheme == "tels" else "sip"
    elif scheme not in ("sip", "sips", "tel", "tels"):
        scheme = "sip"

    if part in ("user", "userpass"):
        user = text
    elif part == "strip":
        user = uri.user[count:]
    elif part == "strip_tail":
        user = uri.user[: max(len(uri.user) - count, 0)]
    else:
        user = uri.user
    has_user = bool(user)
    if part == "prefix":
        user, has_user = text + user, True

    new = f"{scheme}:{user}"
    if has_user and uri.password and part != "userpass":
        new += f":{uri.password}"
    if is_tel and uri.params:
        new += f";{uri.params}"
    host = text if host_set else "" if is_tel and not phone else uri.host
    if host_set or not is_tel or phone:
        new += ("@" if has_user else "") + host
    port = text or None if part == "port" else None if part in ("hostport", "hostporttrans") else uri.port
    if port is not None:
        new += f":{port}"
    params = uri.sip_params
    if part == "hostporttrans" and "transport" in uri.known:
        params = ";".join(p for p in params.split(";") if not p.lower().startswith("transport="))
    if params:
        new += f";{params}"
    if (is_tel and not phone and host_set) or part == "userphone":
        new += ";user=phone"
    if uri.headers:
        new += f"?{uri.headers}"
    return new
