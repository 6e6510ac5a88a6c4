"""What each module cannot start without.

Tried with Kamailio 5.6.3 (Debian's modules) and, for those that were at hand, 6.1.4: each module was loaded alone and
then with what its messages asked for, in front and behind. Only what ends a start stands here; what a module can do
without (evapi without tm) does not. Modules that take a database driver by what their `db_url` says are the second
table.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple


class Need(NamedTuple):
    """`module` must be loaded; `before`: above the module that needs it. `at_once`: the loadmodule itself is refused
    without it, else the start fails."""

    module: str
    before: bool = False
    at_once: bool = False


_TABLE: Final = """
acc tm<                 acc_diameter acc        acc_json acc            app_lua_sr app_lua      async tm<
auth sl                 auth_db auth            auth_diameter sl        call_control pv dialog  dialog pv tm< rr
dialplan pv             dmq sl tm<              http_async_client pv! tm<                       imc tm<
jsonrpcc tm<            keepalive tm<           lcr pv                  lost http_client        mediaproxy pv
mohqueue sl tm< rr rtpproxy                     msilo tm<               mtree pv                nat_traversal sl tm<
pipelimit sl            pua_json json presence  qos dialog              registrar sl usrloc<    sanity sl
sca tm< sl              seas tm<                siputils sl pv          slack http_client       sst sl dialog
tmx tm<                 tsilo tm< registrar     uac tm< rr              uac_redirect tm< acc    uid_auth_db auth
xhttp sl                xhttp_prom xhttp        xhttp_rpc xhttp
"""  # `<`: above it; `!`: above it, and refused at once

_DATABASE: Final = """
alias_db auth_db cfg_db dialplan domain domainpolicy drouting group imc lcr matrix msilo mtree pdt prefix_route sca
secfilter speeddial uid_auth_db uid_avp_db uid_domain uid_uri_db uri_db userblocklist
"""
DATABASE: Final = frozenset(_DATABASE.split())
"""Modules that take their database driver when they start, whatever else is set."""


def needs(module: str) -> tuple[Need, ...]:
    """What a module cannot start without, in the order in which it asks."""
    return _needs().get(module, ())


@cache
def _needs() -> dict[str, tuple[Need, ...]]:
    found: dict[str, tuple[Need, ...]] = {}
    for row in _TABLE.replace("\n", "  ").split("  "):
        name, *wanted = row.split() or [""]
        if name:
            found[name] = tuple(Need(word.rstrip("<!"), word[-1] in "<!", word[-1] == "!") for word in wanted)
    return found
