"""pv.shvGet, pv.shvSet: $shv from outside (modules/pv/pv_shv.c: rpc_shv_get, rpc_shv_set)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.rpc import Answer, Repeated, RpcCall, RpcCommand, RpcFault
from evapi_cfg.source import show, store
from evapi_cfg.values import int32

_FORM: Final = "(Parameters: varname type value)"


def _described(name: str, value: int | str) -> Answer:
    if isinstance(value, str):
        return {"name": show(name), "type": "string", "value": show(value)}
    return {"name": show(name), "type": "int", "value": int32(value)}


def _get(call: RpcCall) -> Answer:
    shared = call.world.shv
    wanted = call.string()
    if wanted is None:
        return {"items": {"shv": Repeated([_described(name, shared[name]) for name in reversed(shared)])}}
    name = store(wanted)
    if name not in shared:
        raise RpcFault(404, "Variable not found")
    return _described(name, shared[name])


def _set(call: RpcCall) -> Answer:
    wanted = call.string()
    if wanted is None:
        raise RpcFault(500, f"Missing parameter varname {_FORM}")
    kind = call.string()
    if kind is None:
        raise RpcFault(500, f"Missing parameter type {_FORM}")
    value: int | str
    if kind.lower() == "int":
        number = call.integer()
        if number is None:
            raise RpcFault(500, f"Missing integer parameter value {_FORM}")
        value = number
    elif kind.lower() == "str":
        text = call.string()
        if text is None:
            raise RpcFault(500, f"Missing parameter value {_FORM}")
        value = store(text)
    else:
        raise RpcFault(500, "Unknown parameter type (Types: int or str)")
    name = store(wanted)
    if name not in call.world.shv:
        raise RpcFault(404, "Variable not found")
    call.world.shv[name] = value
    return "Ok. Variable set to new value."


COMMANDS: Final = (
    RpcCommand("pv.shvGet", _get, "The value of one $shv, or of all."),
    RpcCommand("pv.shvSet", _set, "Gives a $shv a value. Its name, int or str, the value."),
)
