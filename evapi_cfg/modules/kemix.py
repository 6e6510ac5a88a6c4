"""kemix: what is asked for often, without names of variables, for scripts in other languages: `KSR.kx`
(modules/kemix/kemix_mod.c). It has nothing for kamailio.cfg.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from evapi_cfg.modules import pv
from evapi_cfg.modules.context import Getter, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import getters, word
from evapi_cfg.modules.resolve import NOWHERE, Names
from evapi_cfg.modules.spec import KemiFunction, ModuleSpec
from evapi_cfg.source import store
from evapi_cfg.syntax.ast import PVar
from evapi_cfg.values import Value, leading_number

_ROOM: Final = "kx"
_UNSAID: Final = ("ACK", "CANCEL")  # whose credentials are not looked at
_NAMES: Final = Names((pv.MODULE,))


def _reads(variable: str) -> Getter:
    """The getter of a variable without a name in parentheses, whether module pv is loaded or not."""
    return _NAMES.resolve(PVar(NOWHERE, variable)).get


def _or(get: Getter, default: int | str) -> Getter:
    def read(run: Run) -> Value:
        value = get(run)
        return default if value is None else value

    return read


def _not_empty(get: Getter) -> Getter:
    return lambda run: get(run) or None


def _credentials_user(run: Run) -> Value:
    return None if current_message(run).method in _UNSAID else _USER(run)


def _status(run: Run) -> Value:
    message = current_message(run)
    return -1 if message.is_request else message.status


def _status_text(run: Run) -> Value:
    message = current_message(run)
    return None if message.is_request else f"{message.status:03}"


def _next_hop(run: Run) -> Value:
    message = current_message(run)
    return message.dst_uri or (message.request_uri if message.is_request else None)


def _contact(run: Run) -> Value:
    return _CONTACT(run) or None


def _connection(run: Run) -> Value:
    """The number of a TCP connection is nothing that there is here."""
    return -1


def _timestamp(run: Run) -> Value:
    return word(int(run.world.clock.now()))


# ---- defines, the environment ---------------------------------------------------------------------------------------


def _define(run: Run, name: str) -> Value:
    return run.world.defines.get(name) or ""


def _define_number(run: Run, name: str) -> Value:
    return leading_number(run.world.defines.get(name) or "")


def _is_defined(run: Run, name: str) -> bool:
    return name in run.world.defines


def _is_not_defined(run: Run, name: str) -> bool:
    return name not in run.world.defines


def _environment(run: Run, name: str) -> Value:
    return store(os.environ.get(name, ""))


def _environment_number(run: Run, name: str) -> Value:
    return leading_number(store(os.environ.get(name, "")))


_USER: Final = _reads("au")
_CONTACT: Final = _reads("ctu")


def _one(name: str, call: Callable[..., Value | bool], *params: type[str]) -> KemiFunction:
    return KemiFunction(name, call, params, _ROOM)


def _three(name: str, get: Getter) -> tuple[KemiFunction, ...]:
    return getters(get, f"{{}}_{name}", (), _ROOM)


KEMI: Final = (
    *(
        _one(f"get_{name}", _reads(variable))
        for name, variable in (
            ("ruri", "ru"), ("ouri", "ou"), ("furi", "fu"), ("turi", "tu"), ("srcuri", "su"),
            ("srcaddr_sock", "sas"), ("srcip", "si"), ("srcport", "sp"), ("send_sock", "fs"),
            ("send_sock_name", "fsn"), ("send_sock_port", "fsp"), ("rcvip", "Ri"), ("rcv_sock_name", "Rn"),
            ("rcvadvip", "RAi"), ("proto", "pr"), ("protoid", "prid"), ("method", "rm"), ("msgbuf", "mb"),
            ("msglen", "ml"), ("msgtype", "mt"), ("bodylen", "bs"),
        )
    ),
    _one("get_nhuri", _next_hop),
    *_three("ruser", _reads("rU")),
    *_three("rhost", _reads("rd")),
    *_three("fuser", _reads("fU")),
    *_three("fhost", _reads("fd")),
    *_three("tuser", _reads("tU")),
    *_three("thost", _reads("td")),
    *_three("duri", _not_empty(_reads("du"))),
    *_three("cturi", _contact),
    *_three("ua", _reads("ua")),
    *_three("au", _credentials_user),
    *_three("body", _not_empty(_reads("rb"))),
    _one("get_rcvport", _or(_reads("Rp"), 0)),
    _one("get_rcvadvport", _or(_reads("RAp"), 0)),
    _one("get_rcvaddr_sock", _or(_reads("Ras"), "")),
    _one("get_callid", _or(_reads("ci"), "")),
    _one("get_status", _status),
    _one("gets_status", _status_text),
    _one("get_timestamp", _timestamp),
    _one("get_conid", _connection),
    _one("get_def", _define, str),
    _one("get_defn", _define_number, str),
    _one("ifdef", _is_defined, str),
    _one("ifndef", _is_not_defined, str),
    _one("get_env", _environment, str),
    _one("get_envn", _environment_number, str),
)  # fmt: skip

MODULE = ModuleSpec("kemix", kemi=KEMI, doc="getters for scripts in other languages")
