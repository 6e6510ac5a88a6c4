"""rtjson: where a request goes, told by a JSON document (modules/rtjson: rtjson_mod.c, rtjson_routing.c).

The document is kept in an xavp of the request. Nothing is forwarded here: what it sets shows in $ru, $du, the branches
and in a redirecting reply.
"""

from __future__ import annotations

import json
import re
from typing import Final, TypeAlias

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.pv.branch import append
from evapi_cfg.modules.pv.sockets import find_socket
from evapi_cfg.modules.pv.xavp import Xavp, first, roots
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, ModuleSpec, Param, Routes
from evapi_cfg.modules.tm.core import tm_of
from evapi_cfg.modules.tm.functions import set_fr
from evapi_cfg.sip.message import Branch, Socket
from evapi_cfg.source import Span, show

_SHOWN: Final = 200  # characters of a text that is no JSON in the log
_LONGEST_URI: Final = 1023  # bytes of a branch's addresses (core/config.h: MAX_URI_SIZE)
_LONGEST_PATH: Final = 511  # of its path (MAX_PATH_SIZE)
_SHORTEST_HEADERS: Final = 5

Node: TypeAlias = "dict[str, Node] | list[Node] | str | float | bool | None"

# ---- the document ---------------------------------------------------------------------------------------------------


def _member(name: str) -> str:
    return name.lower() if name.isascii() else name


def _object(pairs: list[tuple[str, Node]]) -> Node:
    """Names count without regard to case, and of equal ones the first (core/utils/srjson.c: srjson_GetObjectItem)."""
    return {_member(name): value for name, value in reversed(pairs)}


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


_DECODER: Final = json.JSONDecoder(
    strict=False, object_pairs_hook=_object, parse_int=float, parse_constant=_no_constant
)
_ESCAPE: Final = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})(\\u[0-9a-fA-F]{4})?|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_KNOWN_ESCAPES: Final = frozenset('"\\/bfnrtu')
_BLANK: Final = "".join(map(chr, range(1, 33)))


def _tolerated(escape: re.Match[str]) -> str:
    """An escape as JSON has it. Kamailio's reader takes any letter behind a backslash as itself, and leaves out a NUL
    and half of a pair that stands for one character."""
    high, low, code, letter = escape.groups()
    if letter is not None:
        return escape[0] if letter in _KNOWN_ESCAPES else letter
    if high is not None:
        return escape[0] if low is not None and "dc" <= low[2:4].lower() <= "df" else ""
    return "" if code == "0000" or "dc" <= code[:2].lower() <= "df" else escape[0]


def parse(text: str) -> Node:
    """A document of one character per byte; what stands behind it is passed over. Raises ValueError."""
    text = text.partition("\0")[0].lstrip(_BLANK)
    if not text.isascii():
        text = text.encode("latin-1").decode("utf-8", "surrogateescape")
    if "\\" in text:
        text = _ESCAPE.sub(_tolerated, text)
    try:
        document: Node = _DECODER.raw_decode(text)[0]
    except RecursionError:
        raise ValueError("the document is too deep") from None
    return document


def _text_of(node: Node, name: str) -> str | None:
    """A member that is a text, one character per byte; None where there is none."""
    found = node.get(name) if isinstance(node, dict) else None
    return found.encode("utf-8", "surrogateescape").decode("latin-1") if isinstance(found, str) else None


def _number_of(node: Node, name: str) -> int:
    """A member that is a number, 0 where there is none."""
    found = node.get(name) if isinstance(node, dict) else None
    return int(found) & 0xFFFFFFFF if type(found) is float and abs(found) < 2**63 else 0


# ---- the xavp -------------------------------------------------------------------------------------------------------


def _root(run: Run) -> str:
    return run.world.str_param("rtjson", "xavp_cfg", "rtjson")


def _init_routes(run: Run, text: str, at: Span | None = None) -> int:
    """Keeps a document for the functions below."""
    if not text:
        run.log(Level.ERROR, "rtjson", "rtjson_init_routes: the document is empty", at)
        return -1
    try:
        parse(text)
    except ValueError as error:
        run.log(Level.ERROR, "rtjson", f"this is no JSON: {show(text[:_SHOWN])!r}: {error}", at)
        return -1
    roots(run, "xavp").insert(0, Xavp(_root(run), [Xavp("json", text), Xavp("idx", 0)]))
    return 1


def _kept(run: Run, at: Span | None) -> tuple[Node, Xavp] | None:
    """The document and the place of the next route; None, with a line in the log, where there is none."""
    found = first(run.xavp, _root(run))
    children = found.value if found is not None and isinstance(found.value, list) else []
    text, index = first(children, "json"), first(children, "idx")
    if text is None or not isinstance(text.value, str) or not text.value:
        run.log(Level.WARNING, "rtjson", "there is no document: rtjson_init_routes puts it there", at)
    elif index is None or not isinstance(index.value, int):
        run.log(Level.WARNING, "rtjson", "the place of the next route, `idx`, is gone from the xavp", at)
    else:
        try:
            return parse(text.value), index
        except ValueError as error:
            run.log(Level.ERROR, "rtjson", f"this is no JSON: {show(text.value[:_SHOWN])!r}: {error}", at)
    return None


def _routing(run: Run, document: Node, at: Span | None) -> str | None:
    found = _text_of(document, "routing")
    if found is None:
        run.log(Level.ERROR, "rtjson", "the document has no text `routing`", at)
    return found


def _routes(run: Run, document: Node, at: Span | None) -> list[Node] | None:
    found = document.get("routes") if isinstance(document, dict) else None
    if isinstance(found, list) and found:
        return found
    run.log(Level.ERROR, "rtjson", "the document has no array `routes`, or nothing is in it", at)
    return None


# ---- routes ---------------------------------------------------------------------------------------------------------


def _push_routes(run: Run, at: Span | None = None) -> int:
    """The first route becomes the request's own destination. With parallel routing the others become branches."""
    kept = _kept(run, at)
    routing = None if kept is None else _routing(run, kept[0], at)
    if kept is None or routing is None:
        return -1
    if routing not in ("serial", "parallel"):
        run.log(Level.ERROR, "rtjson", f"the routing {show(routing)!r} is neither `serial` nor `parallel`", at)
        return -1
    document, index = kept
    routes = _routes(run, document, at)
    if routes is None:
        return -1
    _set_first(run, routes[0])
    count = len(routes) if routing == "parallel" else 1
    for route in routes[1:count]:
        _append(run, route, at)
    _count(index, count)
    return 1


def _count(index: Xavp, more: int) -> None:
    assert isinstance(index.value, int)
    index.value += more


def _set_first(run: Run, route: Node) -> None:
    message = current_message(run)
    message.branches.clear()
    uri = _text_of(route, "uri")
    if uri is not None:
        message.new_uri = uri
    message.dst_uri = _text_of(route, "dst_uri") or None
    message.path = _text_of(route, "path") or None
    message.uri_q = 0
    message.send_socket = _socket(run, route)
    message.branch_flags = _number_of(route, "branch_flags")


def _socket(run: Run, route: Node) -> Socket | None:
    name = _text_of(route, "socket")
    return find_socket(run, name) if name else None


def _append(run: Run, route: Node, at: Span | None) -> bool:
    """A branch; one without a URI has that of the request."""
    message = current_message(run)
    branch = Branch(_text_of(route, "uri") or message.request_uri, 0)
    branch.dst_uri = _text_of(route, "dst_uri") or ""
    branch.path = _text_of(route, "path") or ""
    branch.send_socket = _socket(run, route)
    if max(len(branch.uri), len(branch.dst_uri)) > _LONGEST_URI or len(branch.path) > _LONGEST_PATH:
        limits = f"addresses have at most {_LONGEST_URI} bytes, a path {_LONGEST_PATH}"
        run.log(Level.ERROR, "rtjson", f"a route is left out for its length: {limits}", at)
        return False
    return append(run, branch)


def _next_route(run: Run, at: Span | None = None) -> int:
    """With serial routing: the next route as a branch; -1 where there is none left."""
    kept = _kept(run, at)
    if kept is None or _routing(run, kept[0], at) != "serial":
        return -1
    document, index = kept
    routes = _routes(run, document, at)
    place = index.value
    assert isinstance(place, int)
    if routes is None or max(place, 0) >= len(routes):
        return -1
    index.value = place + 1
    return 1 if _append(run, routes[max(place, 0)], at) else -1


def _update_branch(run: Run, at: Span | None = None) -> int:
    """What the route that is being taken asks for besides its addresses: timers of tm and headers. From and To are
    changed by Kamailio's module uac, which does not run here."""
    kept = _kept(run, at)
    if kept is None:
        return -1
    document, index = kept
    place = index.value
    assert isinstance(place, int)
    if place <= 0:
        run.log(Level.WARNING, "rtjson", "no route has been taken yet", at)
        return -1
    routes = _routes(run, document, at) if _routing(run, document, at) == "serial" else None
    if routes is None or place > len(routes):
        return -1
    route = routes[place - 1]
    fr, fr_inv = _number_of(route, "fr_timer"), _number_of(route, "fr_inv_timer")
    if (fr or fr_inv) and tm_of(run) is not None:
        set_fr(run, fr_inv, fr)
    headers = route.get("headers") if isinstance(route, dict) else None
    extra = _text_of(headers, "extra") or ""
    if len(extra) >= _SHORTEST_HEADERS:
        message = current_message(run)
        message.edit(message.headers_end, 0, extra)
    return 1


MODULE = ModuleSpec(
    "rtjson",
    functions=(
        Function("rtjson_init_routes", _init_routes, (Arg.TEXT,), Routes.REQUEST, at=True),
        Function("rtjson_push_routes", _push_routes, (), Routes.REQUEST, at=True),
        Function("rtjson_next_route", _next_route, (), Routes.REQUEST | Routes.FAILURE, at=True),
        Function("rtjson_update_branch", _update_branch, (), Routes.BRANCH, at=True),
    ),
    params=(
        Param("xavp_cfg", str, "rtjson", check=lambda value: None if value else "the name of the xavp is missing"),
    ),
    kemi=(
        KemiFunction("init_routes", _init_routes, (str,), at=True),
        KemiFunction("push_routes", _push_routes, at=True),
        KemiFunction("next_route", _next_route, at=True),
        KemiFunction("update_branch", _update_branch, at=True),
    ),
    doc="where a request goes, told by a JSON document",
)
