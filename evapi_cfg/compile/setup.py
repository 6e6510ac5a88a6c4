"""What a configuration sets before any route runs: core parameters, sockets, flags, custom variables and modparams."""

from __future__ import annotations

from collections.abc import Iterable

from evapi_cfg import regex
from evapi_cfg.modules.context import World
from evapi_cfg.modules.rpc import commands_of
from evapi_cfg.modules.spec import ModuleSpec
from evapi_cfg.sip.message import Socket
from evapi_cfg.sip.uri import DEFAULT_PORT, DEFAULT_TLS_PORT, NONE, PROTOCOLS, TCP, UDP
from evapi_cfg.syntax.ast import (
    Alias,
    Config,
    CoreParam,
    CustomVar,
    Endpoint,
    Flags,
    Listen,
    LoadModule,
    ModParam,
    Number,
    String,
)


def set_up(
    config: Config, world: World, modules: list[ModuleSpec], overrides: Iterable[tuple[str, str, int | str]]
) -> None:
    """Puts the file's settings into the world, then those of `overrides` (module, modparam, value), and gives each
    module its state."""
    for item in config.items:
        match item:
            case CoreParam() if len(item.value) == 1:
                world.core[item.name] = item.value[0].value
            case CustomVar(index=None):
                world.custom[item.group, item.name] = item.value.value
                if item.description is not None:
                    world.custom_texts[item.group, item.name] = item.description.value
            case CustomVar(index=int(index)):
                world.custom_instances.setdefault((item.group, index), {})[item.name] = item.value.value
            case Flags(avp=False):
                for name, number in item.flags:
                    world.flags[name] = number if number is not None else _free_flag(world)
            case Listen():
                world.sockets.extend(_sockets(item, world))
            case LoadModule() if item.module not in world.loaded:
                world.loaded.append(item.module)
            case Alias():
                world.aliases += [one for endpoint in item.endpoints for one in _aliases(endpoint)]
    world.given = dict(world.custom)
    world.given_instances = {place: dict(own) for place, own in world.custom_instances.items()}
    world.server_header = _server_header(world)
    limit = world.core.get("max_recursive_level")
    if isinstance(limit, int) and limit > 0:
        world.max_recursive_level = limit
    by_name = {module.name: module for module in modules}
    for module_name, name, value in (*_modparams(config, list(by_name)), *overrides):
        world.params.setdefault((module_name, name), []).append(value)
        spec = by_name.get(module_name)
        for param in spec.params if spec else ():
            if param.name == name and param.set is not None:
                param.set(world, value)
    world.commands = commands_of(modules)
    for module in modules:
        if module.init is not None:
            world.state[module.name] = module.init(world)


def _server_header(world: World) -> str:
    """The line that replies carry: what the file says, nothing where `server_signature` is off, else who this is."""
    if not world.core.get("server_signature", 1):
        return ""
    line = world.core.get("server_header") or f"Server: evapi-cfg ({world.version} of Kamailio)"
    return f"{line}\r\n"


def _free_flag(world: World) -> int:
    """The highest number that no flag has yet, which is where Kamailio begins (core/flags.c: register_flag)."""
    taken = set(world.flags.values())
    return next((number for number in range(31, -1, -1) if number not in taken), 31)


def _sockets(item: Listen, world: World) -> list[Socket]:
    """A socket for each protocol that is meant: UDP and TCP where none is named."""
    name = (item.endpoint.proto or "").lower()
    port = world.core.get("port", DEFAULT_PORT)
    usual = DEFAULT_TLS_PORT if name == "tls" else port if isinstance(port, int) else DEFAULT_PORT
    advertised = None if item.advertise is None else _address(item.advertise, item.endpoint.port or usual)
    protocols = [PROTOCOLS.get(name, UDP)] if name else [UDP] if world.core.get("disable_tcp") else [UDP, TCP]
    return [Socket(protocol, *_address(item.endpoint, usual), item.name, advertised) for protocol in protocols]


def _aliases(endpoint: Endpoint) -> list[tuple[int, str, int]]:
    protocol = PROTOCOLS.get((endpoint.proto or "").lower(), NONE)
    return [(protocol, host.strip("[]"), endpoint.port or 0) for host in endpoint.hosts]


def _address(endpoint: Endpoint, port: int) -> tuple[str, int]:
    return endpoint.hosts[0].strip("[]"), endpoint.port or port


def _modparams(config: Config, modules: list[str]) -> Iterable[tuple[str, str, int | str]]:
    for item in config.items:
        if isinstance(item, ModParam) and isinstance(item.value, (String, Number)):
            for module in matched_modules(item.modules.value, modules):
                yield module, item.name.value, item.value.value


def matched_modules(pattern: str, modules: Iterable[str]) -> list[str]:
    """The modules that a modparam's first argument means (core/modparam.c: set_mod_param_regex)."""
    compiled = regex.compile(f"^({pattern})$", regex.ICASE)
    return [module for module in modules if compiled.matches(module)]
