"""Old-style operands: `method == INVITE`, `src_ip == 10.0.0.0/8`, `uri == myself` (core/route.c: eval_elem).

Each is the value of a pseudo-variable, compared by rules of its own: methods and protocols by name, addresses by
number and network.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final

from evapi_cfg.modules.context import Getter, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.spec import Variable
from evapi_cfg.sip.message import METHODS
from evapi_cfg.values import Value, to_int, to_str

OPERANDS: Final = {
    "method": "rm",
    "from_uri": "fu",
    "to_uri": "tu",
    "src_ip": "si",
    "dst_ip": "Ri",
    "src_port": "sp",
    "dst_port": "Rp",
    "proto": "pr",
    "msg:len": "ml",
}


def _uri(run: Run) -> Value:
    message = current_message(run)
    return message.request_uri if message.is_request else f"{message.status:03}"


def _address_family(run: Run) -> Value:
    return 10 if ":" in current_message(run).received.source else 2


# `uri`, or `status`: two words for the second one of the first line; `af`, which is no variable of that name.
READ_HERE: Final = {"uri": Variable(_uri, nullable=False), "af": Variable(_address_family, nullable=False)}
_ADDRESSES: Final = ("src_ip", "dst_ip", "snd_ip", "to_ip")
_NUMBERS: Final = ("src_port", "dst_port", "snd_port", "to_port", "msg:len")
_FAMILIES: Final = {"inet": "2", "ipv4": "2", "inet6": "10", "ipv6": "10"}


def comparison(name: str, op: str, get: Getter) -> Callable[[Run, Value], bool]:
    """What compares the operand `name`, read by `get`, with a value: `op` is `==` or `!=`."""
    wanted = op == "=="
    if name in _ADDRESSES:
        return lambda run, value: _inside(to_str(get(run)), to_str(value)) == wanted
    if name in _NUMBERS:
        return lambda run, value: (to_int(get(run)) == to_int(value)) == wanted
    if name == "af":
        return lambda run, value: (_family(to_str(get(run))) == _family(to_str(value))) == wanted
    if name == "method":
        return lambda run, value: (_method(to_str(get(run))) == _method(to_str(value))) == wanted
    if name == "proto":
        return lambda run, value: (to_str(get(run)).lower() == to_str(value).lower()) == wanted
    return lambda run, value: (to_str(get(run)) == to_str(value)) == wanted


def _inside(address: str, network: str) -> bool:
    """Whether an address is the other one or in its network, written `10.0.0.0/8` or `10.0.0.0/255.0.0.0`."""
    try:
        return ip_address(address.strip("[]")) in ip_network(network.strip("[]"), strict=False)
    except ValueError:
        return address == network


def _method(text: str) -> str:
    """Methods that Kamailio knows are compared by their numbers, so the case of their letters does not matter."""
    upper = text.upper()
    return upper if upper in METHODS else text


def _family(text: str) -> str:
    return _FAMILIES.get(text.lower(), text)
