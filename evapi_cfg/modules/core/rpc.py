"""The commands of the core: what this server is, since when it runs, what it has loaded (core/core_cmd.c).

Left out is what is about memory, DNS and processes that are not here.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import World
from evapi_cfg.modules.rpc import Answer, RpcCall, RpcCommand, RpcFault
from evapi_cfg.sip.message import Socket
from evapi_cfg.sip.uri import NONE, PROTOCOL_NAMES
from evapi_cfg.source import show

_ANY: Final = "*"
_PROCESS: Final = "evapi-cfg"  # the program, and the one process that does everything


# ---- commands -------------------------------------------------------------------------------------------------------


def _list_methods(call: RpcCall) -> Answer:
    return sorted(call.world.commands)


def _method_help(call: RpcCall) -> Answer:
    name = call.string()
    if name is None:
        raise RpcFault(400, "Method Name Expected")
    command = call.world.commands.get(name)
    if command is None:
        raise RpcFault(400, "command not found")
    return command.doc or "undocumented"


def _method_signature(call: RpcCall) -> Answer:
    raise RpcFault(500, "Not Implemented Yet")


def _prints(call: RpcCall) -> Answer:
    return _all_of(call.string)


def _printi(call: RpcCall) -> Answer:
    return _all_of(call.integer)


def _echo(call: RpcCall) -> Answer:
    return _all_of(call.text)


def _all_of(read: Callable[[], str | int | None]) -> Answer:
    """Parameters up to the first that is not of the kind."""
    found: list[Answer] = []
    while (value := read()) is not None:
        found.append(value)
    return found


# ---- the server -----------------------------------------------------------------------------------------------------


def _version(call: RpcCall) -> Answer:
    return f"kamailio {call.world.version} (x86_64/Linux) "


def _flags(call: RpcCall) -> Answer:
    return ""


def _info(call: RpcCall) -> Answer:
    return {
        "version": f"kamailio {call.world.version}",
        "id": _PROCESS,
        "compiler": f"Python {platform.python_version()}",
        "compiled": "",
        "flags": "",
    }


def _times(world: World) -> tuple[str, str, int]:
    """Now and the start, as C's `ctime` writes them, and the seconds between them."""
    now, started = int(world.clock.now()), int(world.started)
    return time.ctime(now), time.ctime(started), now - started


def _uptime(call: RpcCall) -> Answer:
    now, started, seconds = _times(call.world)
    return {"now": now, "up_since": started, "uptime": seconds}


def _run_info(call: RpcCall) -> Answer:
    now, started, seconds = _times(call.world)
    days, rest = divmod(seconds, 86400)
    return {
        "name": "kamailio",
        "version": call.world.version,
        "sourceid": _PROCESS,
        "compiler": f"Python {platform.python_version()}",
        "compiled": "",
        "time_now": now,
        "time_started": started,
        "uptime_secs": seconds,
        "utime_days": f"{days}d {rest // 3600}h {rest % 3600 // 60}m {rest % 60}s",
    }


def _processes(call: RpcCall) -> Answer:
    return [call.world.pid, _PROCESS]


def _processes_by_name(call: RpcCall) -> Answer:
    return [{"IDX": 0, "PID": call.world.pid, "DSC": _PROCESS}]


def _processes_in_full(call: RpcCall) -> Answer:
    return [{"index": 0, "pid": call.world.pid, "status": 1, "rank": 0, "description": _PROCESS}]


def _directory(call: RpcCall) -> Answer:
    try:
        return [os.getcwd()]
    except OSError:  # it has been removed
        raise RpcFault(500, "getcwd Failed") from None


def _arguments(call: RpcCall) -> Answer:
    return list(sys.argv)


# ---- what it has been told ------------------------------------------------------------------------------------------


def _modules(call: RpcCall) -> Answer:
    """The one that was loaded last comes first."""
    return call.world.loaded[::-1]


def _defines(call: RpcCall) -> Answer:
    return [show(name) for name in call.world.defines]


def _defines_in_full(call: RpcCall) -> Answer:
    return [
        {"name": show(name), "type": 0, "value": show(value) if value else "none"}
        for name, value in call.world.defines.items()
    ]


def _aliases(call: RpcCall) -> Answer:
    found: list[Answer] = [
        {
            "alias": {
                "proto": _ANY if protocol == NONE else PROTOCOL_NAMES[protocol],
                "address": show(host),
                "port": port or _ANY,
            }
        }
        for protocol, host, port in reversed(call.world.aliases)
    ]
    return {"myself_callbacks": "no", "aliases": found}


def _sockets(call: RpcCall) -> Answer:
    return [{"socket": _socket(socket)} for socket in sorted(call.world.sockets, key=lambda socket: socket.protocol)]


def _socket(socket: Socket) -> Answer:
    return {
        "af": "IPv6" if ":" in socket.address else "IPv4",
        "proto": PROTOCOL_NAMES[socket.protocol],
        "address": show(socket.address),
        "ipaddress": show(socket.address),
        "port": str(socket.port),
        "agname": "none",
        "mcast": "no",
        "mhomed": "no",
        "virtual": "no",
    }


COMMANDS: Final = (
    RpcCommand("system.listMethods", _list_methods, "The names of all commands.", array=True),
    RpcCommand("system.methodHelp", _method_help, "What a command does. Its name."),
    RpcCommand("system.methodSignature", _method_signature, "Not there, as in Kamailio."),
    RpcCommand("core.prints", _prints, "Gives back texts.", array=True),
    RpcCommand("core.printi", _printi, "Gives back numbers.", array=True),
    RpcCommand("core.echo", _echo, "Gives back texts and numbers as texts.", array=True),
    RpcCommand("core.echo_delta", _echo, "As core.echo.", array=True),
    RpcCommand("core.version", _version, "The version of Kamailio that this server agrees with."),
    RpcCommand("core.flags", _flags, "How Kamailio was compiled: nothing here."),
    RpcCommand("core.info", _info, "Which version this is, of what."),
    RpcCommand("core.runinfo", _run_info, "Which version this is, and since when it runs."),
    RpcCommand("core.uptime", _uptime, "Since when the server runs."),
    RpcCommand("core.ps", _processes, "The process, with what it does.", array=True),
    RpcCommand("core.psx", _processes_by_name, "The process, with names for what is told.", array=True),
    RpcCommand("core.psa", _processes_in_full, "All that is known of the process.", array=True),
    RpcCommand("core.pwd", _directory, "The working directory.", array=True),
    RpcCommand("core.arg", _arguments, "The command line.", array=True),
    RpcCommand("core.modules", _modules, "The loaded modules.", array=True),
    RpcCommand("core.ppdefines", _defines, "The names that are defined for the preprocessor.", array=True),
    RpcCommand("core.ppdefines_full", _defines_in_full, "The same with their values.", array=True),
    RpcCommand("core.aliases_list", _aliases, "The names by which the server knows itself."),
    RpcCommand("core.sockets_list", _sockets, "The addresses for SIP."),
)
