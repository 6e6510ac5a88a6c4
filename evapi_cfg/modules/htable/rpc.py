"""What the tables answer from outside the script (htable/htable.c: htable_rpc). Numbers are shown as C ints."""

from __future__ import annotations

import time
from typing import Final, TypeVar

from evapi_cfg.modules.htable.state import State, state_of
from evapi_cfg.modules.htable.table import Item, Table
from evapi_cfg.modules.json_type import Json
from evapi_cfg.modules.rpc import RpcCall, RpcCommand, RpcFault
from evapi_cfg.source import show, store
from evapi_cfg.values import int32

_TOO_FEW: Final = "Not enough parameters"
_SET: Final = "Ok. Key set to new value."
T = TypeVar("T")


def _state(call: RpcCall) -> State:
    return state_of(call.world)


def _required(value: T | None, message: str) -> T:
    if value is None:
        raise RpcFault(500, message)
    return value


def _text(call: RpcCall, message: str) -> str:
    return store(_required(call.string(), message))


def _text_or_digits(call: RpcCall, message: str) -> str:
    return store(_required(call.text(), message))


def _integer(call: RpcCall, message: str) -> int:
    return _required(call.integer(), message)


def _table(call: RpcCall, name: str, message: str = "No such htable") -> Table:
    table = _state(call).tables.get(name)
    if table is None:
        raise RpcFault(500, message)
    return table


def _named_table(call: RpcCall) -> Table:
    return _table(call, _text(call, "No htable name given"))


def _shown(value: int | str) -> int | str:
    """A value as an answer has it."""
    return show(value) if isinstance(value, str) else int32(value)


def _dump(call: RpcCall) -> Json:
    return [
        {"entry": slot, "size": len(items), "slot": [_entry(item) for item in items]}
        for slot, items in _named_table(call).slots()
    ]


def _entry(item: Item) -> Json:
    kind = "str" if isinstance(item.value, str) else "int"
    return {"name": show(item.key), "value": _shown(item.value), "type": kind}


def _delete(call: RpcCall) -> Json:
    message = f"{_TOO_FEW} (htable name & key name)"
    name, key = _text(call, message), _text(call, message)
    if not _table(call, name).remove(key):
        raise RpcFault(404, "Key not found in htable.")
    return "Ok. Key deleted."


def _get(call: RpcCall) -> Json:
    message = f"{_TOO_FEW} (htable name and key name)"
    name, key = _text(call, message), _text(call, message)
    item = _table(call, name).find(key)
    if item is None:
        raise RpcFault(500, "Key name doesn't exist in htable.")
    flags = 2 if isinstance(item.value, str) else 0  # core/usr_avp.h: AVP_VAL_STR
    return {"item": {"name": show(item.key), "value": _shown(item.value), "flags": flags, "expire": _end(item)}}


def _end(item: Item) -> str:
    """When it expires; of a moment that no calendar has, the seconds since 1970."""
    if not item.expire:
        return "NEVER"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(item.expire))
    except (OverflowError, ValueError, OSError):
        return str(item.expire)


def _sets(call: RpcCall) -> Json:
    message = f"{_TOO_FEW} (htable name, key name and value)"
    name, key, value = _text(call, message), _text(call, message), _text_or_digits(call, message)
    _table(call, name).set(key, value)
    return _SET


def _seti(call: RpcCall) -> Json:
    message = f"{_TOO_FEW} (htable name, key name and value)"
    name, key, value = _text(call, message), _text(call, message), _required(call.number(), message)
    _table(call, name).set(key, value)
    return _SET


def _setex(call: RpcCall) -> Json:
    message = f"{_TOO_FEW} (htable name, item name and expire)"
    name, key, seconds = _text(call, message), _text(call, message), _integer(call, message)
    _table(call, name).live(key, seconds)
    return "Ok"


_FOUR: Final = f"{_TOO_FEW} (htable name, key name, value and expire)"


def _setxs(call: RpcCall) -> Json:
    name, key = _text(call, _FOUR), _text(call, _FOUR)
    value, seconds = _text_or_digits(call, _FOUR), _integer(call, _FOUR)
    _table(call, name, "Failed to set the item").set(key, value, seconds)
    return _SET


def _setxi(call: RpcCall) -> Json:
    name, key = _text(call, _FOUR), _text(call, _FOUR)
    value, seconds = _integer(call, _FOUR), _integer(call, _FOUR)
    _table(call, name, "Failed to set the item").set(key, value, seconds)
    return _SET


def _newest_first(call: RpcCall) -> list[Table]:
    tables = list(reversed(_state(call).tables.values()))
    if not tables:
        raise RpcFault(500, "No htables")
    return tables


def _list(call: RpcCall) -> Json:
    return [
        {
            "name": show(table.name),
            "dbtable": show(table.definition.dbtable[:127]),
            "dbmode": _shown(table.definition.dbmode),
            "expire": _shown(table.autoexpire),
            "updateexpire": _shown(table.definition.updateexpire),
            "size": table.definition.slots,
            "dmqreplicate": _shown(table.definition.dmqreplicate),
        }
        for table in _newest_first(call)
    ]


def _stats(call: RpcCall) -> Json:
    return [_counts(table) for table in _newest_first(call)]


def _counts(table: Table) -> Json:
    sizes = [len(items) for _, items in table.slots()]
    slots = table.definition.slots
    least = min(sizes) if len(sizes) == slots else 0
    return {
        "name": show(table.name),
        "slots": slots,
        "all": len(table.items),
        "min": least,
        "max": max(sizes, default=0),
    }


def _flush(call: RpcCall) -> Json:
    _named_table(call).clear()
    return "Ok. Htable flushed."


def _database(call: RpcCall) -> Json:
    """There is none here, whatever the file says."""
    if not call.world.str_param("htable", "db_url", ""):
        raise RpcFault(500, "No htable db_url")
    raise RpcFault(500, "Failed to init htable db connection")


def _dmqsync(call: RpcCall) -> Json:
    raise RpcFault(500, "HTable DMQ Sync Failed")


def _dmqresync(call: RpcCall) -> Json:
    _named_table(call).clear()
    raise RpcFault(500, "HTable DMQ Sync Failed")


COMMANDS: Final = (
    RpcCommand("htable.dump", _dump, "all items of a table, slot by slot", array=True),
    RpcCommand("htable.delete", _delete, "takes an item away"),
    RpcCommand("htable.get", _get, "an item with its value"),
    RpcCommand("htable.sets", _sets, "sets an item to a text"),
    RpcCommand("htable.seti", _seti, "sets an item to a number"),
    RpcCommand("htable.setex", _setex, "says how long an item lives from now on"),
    RpcCommand("htable.setxs", _setxs, "sets an item to a text, and how long it lives"),
    RpcCommand("htable.setxi", _setxi, "sets an item to a number, and how long it lives"),
    RpcCommand("htable.listTables", _list, "the tables and their settings", array=True),
    RpcCommand("htable.reload", _database, "reads a table from the database, which there is none of here"),
    RpcCommand("htable.store", _database, "writes a table to the database, which there is none of here"),
    RpcCommand("htable.stats", _stats, "how many items the tables and their slots have", array=True),
    RpcCommand("htable.flush", _flush, "empties a table"),
    RpcCommand("htable.dmqsync", _dmqsync, "asks other Kamailios for their items, which there are none of here"),
    RpcCommand("htable.dmqresync", _dmqresync, "the same, with the table emptied first"),
)
