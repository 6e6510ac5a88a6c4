"""cfg_rpc: settings that are read and changed while the server runs (modules/cfg_rpc; core/cfg/cfg_ctx.c).

The settings are those that the file declares as `group.name = value`, with the instances `group[N].name = value`, and
`core.debug`. Other settings of the core and of modules do not change here once the file is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from evapi_cfg.modules.context import World
from evapi_cfg.modules.rpc import Answer, RpcCall, RpcCommand, RpcFault
from evapi_cfg.modules.spec import ModuleSpec
from evapi_cfg.source import show, store
from evapi_cfg.values import parse_int

_CORE: Final = "core"
_DEBUG: Final = (_CORE, "debug")
_DEBUG_TEXT: Final = "which lines go to the log"
_WRONG_GROUP: Final = 'Wrong group syntax. Use either "group", or "group[id]"'
_NO_INSTANCE: Final = 'Wrong group syntax. Use "group[id]"'
_NOT_SET: Final = "Failed to set the variable"
_NOT_READ: Final = "Failed to get the variable"
Place: TypeAlias = "tuple[str, int | None, str]"  # group, instance, name


@dataclass(slots=True)
class _State:
    """`initial`: what the file said. `pending`: changes that have not been committed; None deletes."""

    initial: dict[tuple[str, str], int | str]
    pending: dict[Place, int | str | None] = field(default_factory=dict)


def _state(world: World) -> _State:
    state = world.state["cfg_rpc"]
    assert isinstance(state, _State)
    return state


def _reload(world: World, before: World) -> None:
    """Changes that wait to be committed go on waiting, as far as there is such a setting."""
    known = set(world.custom) | {_DEBUG}
    state = _state(world)
    state.pending.update({place: value for place, value in _state(before).pending.items() if place[::2] in known})


# ---- where a setting is ---------------------------------------------------------------------------------------------


def _names(world: World, group: str) -> list[str]:
    """The settings of a group."""
    if group == _CORE:
        return ["debug"]
    return [name for other, name in world.custom if other == group]


def _groups(world: World) -> list[str]:
    return list(dict.fromkeys((_CORE, *(group for group, _name in world.custom))))


def _group(call: RpcCall, refused: str = _WRONG_GROUP) -> tuple[str, int | None] | None:
    """`group` or `group[id]`; None where there is no parameter. Raises RpcFault."""
    text = call.string()
    if text is None:
        return None
    text = store(text)
    if not text.endswith("]"):
        return text, None
    group, bracket, number = text[:-1].rpartition("[")
    if not bracket or not group or not number.isascii() or not number.isdecimal() or len(number) > 9:
        raise RpcFault(400, refused)
    return group, int(number)


def _value(world: World, place: Place) -> int | str | None:
    """None where there is no such setting, or no such instance."""
    group, instance, name = place
    if (group, name) == _DEBUG and instance is None:
        return int(world.log.threshold)
    usual = world.custom.get((group, name))
    if instance is None or usual is None:
        return usual
    own = world.custom_instances.get((group, instance))
    return None if own is None else own.get(name, usual)


def _shown(value: int | str | None) -> Answer:
    return show(value) if isinstance(value, str) else value


def _converted(world: World, place: Place, value: int | str) -> int | str:
    """A value in the type that the setting has. Raises RpcFault."""
    old = _value(world, place)
    if old is None:
        raise RpcFault(400, _NOT_SET)
    if isinstance(old, str):
        return str(value)
    if isinstance(value, int):
        return value
    digits = value.lstrip(" \t\n\v\f\r")
    number = parse_int(digits) if digits.removeprefix("-").removeprefix("+").isdecimal() and digits.isascii() else None
    if number is None:
        raise RpcFault(400, _NOT_SET)
    return number


def _put(world: World, place: Place, value: int | str | None) -> None:
    group, instance, name = place
    if instance is None:
        if (group, name) == _DEBUG:
            world.log.threshold = value if isinstance(value, int) else 0
        elif value is not None:
            world.custom[group, name] = value
        return
    own = world.custom_instances.get((group, instance))
    if own is None:
        return
    if value is None:
        own.pop(name, None)
    else:
        own[name] = value


# ---- reading --------------------------------------------------------------------------------------------------------


def _get(call: RpcCall) -> Answer:
    world = call.world
    found = _group(call)
    if found is None:
        raise RpcFault(500, "Failed to get the parameters")
    group, instance = found
    name = call.string()
    if name is None and call.left:
        raise RpcFault(500, "Failed to get the parameters")
    if name:
        value = _value(world, (group, instance, store(name)))
        if value is None:
            raise RpcFault(400, _NOT_READ)
        return _shown(value)
    made: dict[str, Answer] = {}
    for each in _names(world, group):
        value = _value(world, (group, instance, each))
        if value is None:
            raise RpcFault(400, _NOT_READ)
        made[show(each)] = _shown(value)
    return made


def _list(call: RpcCall) -> Answer:
    world = call.world
    wanted = call.string()
    groups = [group for group in _groups(world) if not wanted or group == store(wanted)]
    return [f"{show(group)}: {show(name)}" for group in groups for name in _names(world, group)]


def _help(call: RpcCall) -> Answer:
    group, name = call.string(), call.string()
    if group is None or name is None:
        return {}
    key = store(group), store(name)
    value = _value(call.world, (key[0], None, key[1]))
    if value is None:
        raise RpcFault(400, "Failed to get the variable description")
    text = _DEBUG_TEXT if key == _DEBUG else call.world.custom_texts.get(key)
    return {"desc": show(text) if text else "none", "type": "integer" if isinstance(value, int) else "string"}


# ---- changing -------------------------------------------------------------------------------------------------------

Change: TypeAlias = Callable[[World, Place, "int | str"], None]


def _change_now(world: World, place: Place, value: int | str) -> None:
    _put(world, place, _converted(world, place, value))


def _change_later(world: World, place: Place, value: int | str) -> None:
    _state(world).pending[place] = _converted(world, place, value)


def _changed(call: RpcCall, change: Change, read: Callable[[RpcCall], int | str | None]) -> Answer:
    """A group, a name and a value, all of which must be there for anything to happen. A value that is to be a number is
    0 where it is none."""
    found, name = _group(call), call.string()
    value = read(call)
    if found is None or name is None or value is None:
        return {}
    group, instance = found
    change(call.world, (group, instance, store(name)), store(value) if isinstance(value, str) else value)
    return {}


def _number(change: Change) -> Callable[[RpcCall], Answer]:
    return lambda call: _changed(call, change, RpcCall.integer)


def _text(change: Change) -> Callable[[RpcCall], Answer]:
    return lambda call: _changed(call, change, RpcCall.string)


def _instance_setting(call: RpcCall) -> Place | None:
    found, name = _group(call, _NO_INSTANCE), call.string()
    if found is None or name is None:
        return None
    group, instance = found
    if instance is None:
        raise RpcFault(400, _NO_INSTANCE)
    place = group, instance, store(name)
    if _value(call.world, place) is None:
        raise RpcFault(400, "Failed to delete the value")
    return place


def _delete(call: RpcCall) -> Answer:
    place = _instance_setting(call)
    if place is not None:
        _put(call.world, place, None)
    return {}


def _delete_later(call: RpcCall) -> Answer:
    place = _instance_setting(call)
    if place is not None:
        _state(call.world).pending[place] = None
    return {}


def _commit(call: RpcCall) -> Answer:
    pending = _state(call.world).pending
    for place, value in pending.items():
        _put(call.world, place, value)
    pending.clear()
    return {}


def _rollback(call: RpcCall) -> Answer:
    _state(call.world).pending.clear()
    return {}


def _diff(call: RpcCall) -> Answer:
    """The last change that waits: each of them takes the place of the one before, as in Kamailio."""
    pending = _state(call.world).pending
    if not pending:
        return {}
    place, value = next(reversed(pending.items()))
    group, instance, name = place
    made: dict[str, Answer] = {"group name": show(group)}
    if instance is not None:
        made["group id"] = instance
    new = call.world.custom.get((group, name)) if value is None else value
    old = _value(call.world, place)
    return made | {"variable name": show(name), "old value": _shown(old), "new value": _shown(new)}


def _reset(call: RpcCall) -> Answer:
    """What the file said (Kamailio crashes where one of the settings is a text of the file)."""
    found = _group(call)
    if found is not None:
        group, instance = found
        for (other, name), value in _state(call.world).initial.items():
            if other == group:
                _put(call.world, (group, instance, name), value)
    return {}


def _instance(call: RpcCall) -> tuple[str, int] | None:
    found = _group(call, _NO_INSTANCE)
    if found is None:
        return None
    group, instance = found
    if instance is None:
        raise RpcFault(400, _NO_INSTANCE)
    return group, instance


def _add_instance(call: RpcCall) -> Answer:
    key = _instance(call)
    if key is None:
        return {}
    if not any(group == key[0] for group, _name in call.world.custom):
        raise RpcFault(400, "Failed to add the group instance")
    call.world.custom_instances.setdefault(key, {})
    return {}


def _delete_instance(call: RpcCall) -> Answer:
    key = _instance(call)
    if key is None:
        return {}
    if call.world.custom_instances.pop(key, None) is None:
        raise RpcFault(400, "Failed to delete the group instance")
    return {}


_NOW: Final = "Changes a setting. Group, name, value."
_LATER: Final = "Prepares a change, which cfg.commit makes. Group, name, value."

MODULE = ModuleSpec(
    "cfg_rpc",
    rpc=(
        RpcCommand("cfg.get", _get, "A setting, or all of a group. Group, name."),
        RpcCommand("cfg.list", _list, "The settings that there are, or those of a group.", array=True),
        RpcCommand("cfg.help", _help, "What a setting is. Group, name."),
        # The value is read as a number whatever it is: Kamailio never comes to try a text.
        RpcCommand("cfg.set", _number(_change_now), _NOW),
        RpcCommand("cfg.seti", _number(_change_now), _NOW),
        RpcCommand("cfg.set_now_int", _number(_change_now), _NOW),
        RpcCommand("cfg.sets", _text(_change_now), _NOW),
        RpcCommand("cfg.set_now_string", _text(_change_now), _NOW),
        RpcCommand("cfg.del", _delete, "Gives a setting of an instance the group's value. group[id], name."),
        RpcCommand("cfg.set_delayed", _number(_change_later), _LATER),
        RpcCommand("cfg.set_delayed_int", _number(_change_later), _LATER),
        RpcCommand("cfg.set_delayed_string", _text(_change_later), _LATER),
        RpcCommand("cfg.del_delayed", _delete_later, "Prepares what cfg.del does."),
        RpcCommand("cfg.commit", _commit, "Makes the changes that were prepared."),
        RpcCommand("cfg.rollback", _rollback, "Forgets the changes that were prepared."),
        RpcCommand("cfg.diff", _diff, "The last change that was prepared."),
        RpcCommand("cfg.reset", _reset, "Gives a group the values of the file."),
        RpcCommand("cfg.add_group_inst", _add_instance, "One more instance of a group. group[id]."),
        RpcCommand("cfg.del_group_inst", _delete_instance, "Takes an instance away. group[id]."),
    ),
    init=lambda world: _State(dict(world.custom)),
    reload=_reload,
    doc="settings that change while the server runs",
)
