"""tm.stats, tm.list and their like: transactions from outside (modules/tm/t_stats.c).

Not here is what sends requests or cancels them, since nothing is forwarded.
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import World
from evapi_cfg.modules.rpc import Answer, RpcCall, RpcCommand, RpcFault
from evapi_cfg.modules.tm.core import Tm
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.transaction import Transaction
from evapi_cfg.source import show


def _tm(world: World) -> Tm:
    tm = world.state["tm"]
    assert isinstance(tm, Tm)
    return tm


def _stats(call: RpcCall) -> Answer:
    """Nothing is sent on, so that nothing is local and no reply is received."""
    counts = _tm(call.world).counts
    return {
        "current": counts.begun - counts.gone,
        "waiting": counts.waited - counts.gone,
        "total": counts.begun,
        "total_local": 0,
        "rpl_received": 0,
        "rpl_generated": counts.replies,
        "rpl_sent": counts.replies,
        **{f"{kind}xx": counts.by_kind[kind] for kind in (6, 5, 4, 3, 2)},
        "created": counts.begun,
        "freed": counts.gone,
        "delayed_free": 0,
    }


def _hash_stats(call: RpcCall) -> Answer:
    raise RpcFault(500, "Hash statistics not supported (tryrecompiling with -DTM_HASH_STATS)")


def _list(call: RpcCall) -> Answer:
    return [_described(transaction) for transaction in _tm(call.world).table]


def _line(request: Message, kind: str) -> str:
    header = request.first(kind)
    return "" if header is None else show(request.text[header.start : header.end])


def _described(transaction: Transaction) -> Answer:
    request = transaction.request
    made: dict[str, Answer] = {
        "cell": hex(id(transaction)),
        "tindex": transaction.index,
        "tlabel": transaction.label,
        "method": show(request.method),
        "from": _line(request, "from"),
        "to": _line(request, "to"),
        "callid": _line(request, "call-id"),
        "cseq": f"CSeq: {request.cseq[0]}",
        "uas_request": "yes",
        "tflags": 0,
        "outgoings": len(transaction.branches),
        "ref_count": 1,
        "lifetime": int(transaction.end_of_life),
    }
    if transaction.on_wait and not transaction.is_invite:
        request.forget_read(lines=True)  # there may be very many, and nobody else asks for it
    return made


def _clean(call: RpcCall) -> Answer:
    """Transactions end on their own here."""
    return {}


COMMANDS: Final = (
    RpcCommand("tm.stats", _stats, "How many transactions there are and were, and how they were replied to."),
    RpcCommand("tm.hash_stats", _hash_stats, "Not there, as in Kamailio where it is not compiled for it."),
    RpcCommand("tm.list", _list, "The transactions.", array=True),
    RpcCommand("tm.clean", _clean, "Nothing is left to clean here."),
)
