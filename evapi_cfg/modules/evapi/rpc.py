"""What evapi's connections look like from outside. Kamailio's evapi has no commands: these are of this server alone."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.rpc import Answer, RpcCall, RpcCommand, RpcFault
from evapi_cfg.source import show


def _clients(call: RpcCall) -> Answer:
    return [
        {
            "conidx": client.conidx,
            "address": client.address,
            "port": client.port,
            "tag": None if client.tag is None else show(client.tag),
            "queued_bytes": client.queued,
            "waiting_messages": client.waiting,
            "received_messages": client.received,
            "sent_messages": client.sent,
            "received_bytes": client.received_bytes,
            "sent_bytes": client.sent_bytes,
        }
        for client in call.world.hub.views()
    ]


def _tags(call: RpcCall) -> Answer:
    """Who has which tag; the first one of each is whom evapi_unicast means."""
    found: dict[str, list[int]] = {}
    for client in call.world.hub.views():
        if client.tag is not None:
            found.setdefault(show(client.tag), []).append(client.conidx)
    return [{"tag": tag, "clients": places} for tag, places in found.items()]


def _queue(call: RpcCall) -> Answer:
    clients = call.world.hub.views()
    return {
        "clients": len(clients),
        "max_clients": call.world.int_param("evapi", "max_clients", 8),
        "queued_bytes": sum(client.queued for client in clients),
        "waiting_messages": sum(client.waiting for client in clients),
    }


def _metrics(call: RpcCall) -> Answer:
    return call.world.hub.measures()


def _tap(call: RpcCall) -> Answer:
    """The server's sockets take this request themselves: what follows goes to who has asked, and to nobody else."""
    raise RpcFault(400, "messages are followed over a socket: evapi-cfg tap")


COMMANDS: Final = (
    RpcCommand("evapi.clients", _clients, "The connected clients: their tags, and what is on its way.", array=True),
    RpcCommand("evapi.tags", _tags, "The tags, and who has them.", array=True),
    RpcCommand("evapi.queue", _queue, "What waits for clients to be read, and for workers, in all."),
    RpcCommand("evapi-cfg.metrics", _metrics, "All that is counted, and how long routes take (run --metrics)."),
    RpcCommand("evapi-cfg.tap", _tap, "Messages and relays as they pass: what `evapi-cfg tap` asks for."),
)
