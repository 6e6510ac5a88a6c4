"""Commands about this server itself, which Kamailio has no counterpart of: reading its file again."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Reload
from evapi_cfg.modules.rpc import Answer, Later, RpcCall, RpcCommand, RpcFault
from evapi_cfg.source import show

_REFUSED: Final = 500


def _reload(call: RpcCall) -> Later:
    """{"ok": true, "generation": N, "ms": N, "changed": [...], "kept": [...]}, or an error with what is wrong with the
    file: the first of it as `message`, all of it as `data`."""
    reloads = call.world.reloads
    if reloads is None:
        raise RpcFault(_REFUSED, "there is no file that could be read again")
    answer = Later({"ok": True, "begun": True, "generation": call.world.generation})

    def done(made: Reload, seconds: float) -> None:
        if made.faults:
            faults = [show(fault) for fault in made.faults]
            answer.give(RpcFault(_REFUSED, f"not reloaded: {faults[0]}", {"errors": faults}))
            return
        changed, kept = ([show(text) for text in texts] for texts in (made.changed, made.kept))
        answer.give(
            {
                "ok": True,
                "generation": made.generation,
                "ms": round(seconds * 1000),
                "changed": changed,
                "kept": kept,
            }
        )

    reloads.ask(done)
    return answer


def _generation(call: RpcCall) -> Answer:
    """`generation` 1 is the file with which the server has started; `seconds` is how old the one in force is."""
    world, reloads = call.world, call.world.reloads
    return {
        "generation": world.generation,
        "seconds": round(world.clock.now() - world.generation_since, 3),
        "refused": 0 if reloads is None else reloads.refused,
        "errors": [] if reloads is None else [show(fault) for fault in reloads.last_refusal],
    }


COMMANDS: Final = (
    RpcCommand("evapi-cfg.reload", _reload, "Reads the file again, and lets it take over if nothing is wrong with it."),
    RpcCommand("evapi-cfg.generation", _generation, "Which reading of the file is in force, and what came of others."),
)
