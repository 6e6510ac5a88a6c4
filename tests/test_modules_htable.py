"""htable: definitions, the store against a slow one, expiry by the clock, locks, iterators, RPC and KEMI.

What scripts see of it is held by the cases of tests/conformance.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from evapi_cfg import load_text
from evapi_cfg.modules import htable
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.core_hash import core_case_hash, core_hash
from evapi_cfg.modules.htable.definition import BadDefinition, Definition, parse
from evapi_cfg.modules.htable.state import State, state_of
from evapi_cfg.modules.htable.table import Item, Table
from evapi_cfg.modules.rpc import RpcCall, RpcFault
from evapi_cfg.runtime.app import Records
from tests import driven
from tests.driven import MESSAGE, HandClock
from tests.module_world import HERE, Bench, finish, steps

TABLE = ("htable", "htable", "t=>size=4")
EXPIRING = ("htable", "htable", "e=>size=4;autoexpire=10")
COUNTING = ("htable", "htable", "i=>size=4;initval=7")


def table(bench: Bench, name: str = "t") -> Table:
    return state_of(bench.world).tables[name]


# ---- definitions


@pytest.mark.parametrize(
    "text,expected",
    [
        ("a=>size=4;", Definition("a")),
        (" a  => size = 3 ; autoexpire=60;initval=-5 ", Definition("a", 8, 60, -5)),
        ("a=>size='5';updateexpire=0", Definition("a", 32, updateexpire=0)),
        ("a=>;", Definition("a")),
        ("a=>size=1", Definition("a", 8)),
        ("a=>size=31", Definition("a", 1 << 31)),
        ("a=>size=32", Definition("a", 1 << 14)),
        ("a=>size=4294967295", Definition("a", 8)),
        ("a=>initval=1;initval=2", Definition("a", initial=1)),
        ("a=>initval=", Definition("a", initial=0)),
        ("a=>size=5,autoexpire=9", Definition("a", 32, ignored=",autoexpire=9")),
        ("=>size=4", Definition("")),
        ("a=>dbtable=x;dbmode=1;cols='k,v';dmqreplicate=1", Definition("a", dbtable="x", dbmode=1, dmqreplicate=1)),
    ],
)
def test_definitions(text: str, expected: Definition) -> None:
    assert parse(text) == expected


def test_a_definition_of_hostile_length_is_refused_in_a_moment() -> None:
    with pytest.raises(BadDefinition):
        parse("a=>size=" + "9" * 100_000)
    with pytest.raises(BadDefinition):
        parse("a=>initval=" + "9" * 100_000)


def test_what_does_not_run_of_a_table_is_named_and_the_table_works() -> None:
    app = load_text(
        driven.HEAD
        + f"""loadmodule "htable.so"
        modparam("htable", "htable", "a=>size=4;dbtable=some;dbmode=1")
        modparam("htable", "htable", "b=>size=4;dmqreplicate=1")
        modparam("htable", "htable", "c=>size=4")
        modparam("htable", "db_url", "mysql://localhost/x")
        modparam("htable", "enable_dmq", 0)
        {MESSAGE} {{ $sht(a=>x) = "kept"; evapi_relay("$sht(a=>x)"); }}"""
    )
    names = [(found.use.name, found.use.module) for found in app.not_run]
    assert sorted(names) == [
        ("modparam db_url", "htable"),
        ("modparam htable: dbtable", "htable"),
        ("modparam htable: dmqreplicate", "htable"),
    ]
    client = app.connect()
    client.send_message("x")
    assert client.receive() == b"4:kept,"


def test_the_hash_looks_at_no_case() -> None:
    for text in ("", "a", "abcd", "abcde", "sip:alice@example.com", "x" * 200):
        assert core_case_hash(text) == core_case_hash(text.upper()) == core_hash(text)


# ---- the store


class SlowTable:
    """What Table does, as a list that is sorted each time."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.items: list[tuple[str, int | str, int]] = []

    def index(self, key: str) -> int | None:
        return next((at for at, item in enumerate(self.items) if item[0] == key), None)

    def set(self, key: str, value: int | str, seconds: int, now: int) -> None:
        at = self.index(key)
        end = now + (seconds if seconds > 0 else self.definition.autoexpire)
        if at is None:
            self.items.append((key, value, end))
            return
        old = self.items[at][2]
        renewed = seconds > 0 or self.definition.updateexpire or 0 != old < now
        self.items[at] = (key, value, end if renewed else old)

    def live(self, key: str, seconds: int, now: int) -> None:
        at = self.index(key)
        if at is not None:
            self.items[at] = (*self.items[at][:2], now + seconds if seconds > 0 else 0)

    def remove(self, key: str) -> None:
        at = self.index(key)
        if at is not None:
            del self.items[at]

    def read(self, now: int) -> dict[str, int | str]:
        return {key: value for key, value, end in self.items if not 0 != end < now}

    def walked(self) -> list[str]:
        mask = self.definition.slots - 1
        hashes = [(core_case_hash(key), key) for key, _, _ in self.items]
        return [key for number, key in sorted(hashes, key=lambda pair: (pair[0] & mask, pair[0]))]


@pytest.mark.parametrize("seed", range(30))
def test_the_store_does_what_a_slow_one_does(seed: int) -> None:
    chance = random.Random(seed)
    definition = Definition("t", slots=8, autoexpire=chance.choice((3, 10)), updateexpire=chance.choice((0, 1)))
    clock = HandClock()
    quick, slow = Table(definition, clock.now), SlowTable(definition)
    keys = [f"{letter}{number}" for letter in "abAB" for number in range(8)]
    for _ in range(600):
        key, now = chance.choice(keys), int(clock.time)
        match chance.choice(("set", "set", "set", "setx", "live", "remove", "pass", "expire", "walk", "clear")):
            case "set":
                value = chance.choice((1, 2, "text"))
                quick.set(key, value)
                slow.set(key, value, 0, now)
            case "setx":
                seconds = chance.choice((-1, 0, 1, 5, 20))
                quick.set(key, 3, seconds)
                slow.set(key, 3, seconds, now)
            case "live":
                seconds = chance.choice((-1, 0, 1, 2, 8, 30))
                quick.live(key, seconds)
                slow.live(key, seconds, now)
            case "remove":
                quick.remove(key)
                slow.remove(key)
            case "pass":
                clock.time += chance.choice((0.5, 1, 4))
            case "expire":
                over = [item.key for item in list(quick.expired(now)) if item is not None]
                assert sorted(over) == sorted(name for name, _, end in slow.items if 0 != end < now)
                for name in over:
                    quick.remove(name)
                    slow.remove(name)
            case "walk":
                assert [item.key for item in quick.walk()] == slow.walked()
            case "clear" if chance.random() < 0.1:
                quick.clear()
                slow.items.clear()
        now = int(clock.time)
        assert {name: item.value for name, item in quick.items.items() if not quick.over(item)} == slow.read(now)


def test_nothing_is_kept_of_what_has_gone() -> None:
    clock = HandClock()
    quick = Table(Definition("t", autoexpire=3600), clock.now)
    quick.set("stays", 1)
    for round_ in range(5000):
        quick.set(f"key{round_}", "v")
        quick.remove(f"key{round_}")
        quick.live("stays", 5000 - round_ % 4000)
        if round_ == 2000:
            assert [item.key for item in quick.walk()] == ["stays"]
    kept = [sum(map(len, quick.ordered().values())), sum(map(len, quick._ends.values()))]
    assert max(kept) < 400, kept


def test_items_that_are_not_due_are_not_looked_at() -> None:
    clock = HandClock()
    quick = Table(Definition("t", autoexpire=3600), clock.now)
    for number in range(1000):
        quick.set(f"key{number}", number)
    quick.set("soon", 1, 5)
    clock.time += 60
    looked_at: list[Item | None] = list(quick.expired(int(clock.time)))
    assert [item and item.key for item in looked_at] == ["soon"]


# ---- expiry


class Driven:
    """An app with a table `e` whose items live ten seconds, and a timer that comes each second."""

    def __init__(self, body: str, clock: HandClock | None = None) -> None:
        self.clock = clock or HandClock()
        self.records = Records(Level.DEBUG)
        head = f"""{driven.HEAD} loadmodule "htable.so"
        max_while_loops=1000000
        modparam("htable", "htable", "e=>size=1;autoexpire=10")
        modparam("htable", "htable", "t=>size=4")
        modparam("htable", "timer_interval", 1)
        """
        self.app = load_text(head + body, log=self.records, clock=self.clock)
        self.client = self.app.connect()

    @property
    def state(self) -> State:
        return state_of(self.app.program.world)

    def pass_time(self, seconds: float) -> None:
        """In steps, as timers are looked at."""
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.clock.time += min(0.25, end - self.clock.time)
            self.app.advance()

    def logged(self) -> list[str]:
        return [record.message for record in self.records.lines if record.source == "script"]


def test_items_expire_with_the_timer() -> None:
    bench = Driven(
        f'{MESSAGE} {{ $sht(e=>a) = 1; $sht(e=>b) = 2; $shtex(e=>b) = 0; $sht(t=>c) = 3; evapi_relay("ok"); }}'
    )
    bench.client.send_message("x")
    bench.pass_time(10.5)
    assert list(bench.state.tables["e"].items) == ["a", "b"]
    bench.pass_time(1.5)
    assert list(bench.state.tables["e"].items) == ["b"]
    assert list(bench.state.tables["t"].items) == ["c"]


class BusyClock(HandClock):
    """Work takes time: each look at it is a tenth of a millisecond later."""

    def monotonic(self) -> float:
        self.time += 0.0001
        return self.time


@pytest.mark.parametrize("event", ["", "event_route[htable:expired:e] { $shv(seen) = $shv(seen) + 1; }"])
def test_many_items_expire_without_holding_anybody_up(event: str) -> None:
    fill = "while($var(i) < 5000) { $sht(e=>key$var(i)) = 1; $var(i) = $var(i) + 1; }"
    clock = BusyClock()
    bench = Driven(f"{event} {MESSAGE} {{ {fill} $var(x) = $shv(seen); }}", clock)
    bench.client.send_message("x")
    clock.time += 12
    longest = 0.0
    for _ in range(1000):
        before = clock.time
        bench.app.advance()
        longest = max(longest, clock.time - before)
        if not bench.state.tables["e"].items:
            break
        clock.time += 0.001
    assert not bench.state.tables["e"].items
    assert longest < 0.005
    if event:
        assert bench.app.program.world.shv["seen"] == 5000


def test_an_event_that_waits_is_waited_for() -> None:
    bench = Driven(
        """event_route[htable:expired:e] {
            xlog("begins $shtrecord(key)");
            sleep("5");
            xlog("ends $shtrecord(key) [$sht(e=>$shtrecord(key))]");
        }"""
        f"""{MESSAGE} {{
            if($evapi(msg) == "fill") {{ $sht(e=>a) = 1; $sht(e=>b) = 2; }}
            $sht(e=>c) = 3;
        }}"""
    )
    bench.client.send_message("fill")
    bench.pass_time(12)
    assert bench.logged() == ["begins a"]
    bench.client.send_message("again")  # before its turn has come: it has a time of its own then
    bench.pass_time(10)
    assert bench.logged() == ["begins a", "ends a [<null>]", "begins b", "ends b [<null>]"]
    assert list(bench.state.tables["e"].items) == ["c"]


def test_a_drop_in_mod_init_is_told() -> None:
    bench = Driven("event_route[htable:mod-init] { drop; }")
    assert [record.message for record in bench.records.lines if record.source == "htable"] == [
        "`drop` in event_route[htable:mod-init]: Kamailio does not start with this"
    ]


# ---- locks


def test_a_slot_that_is_locked_is_waited_for() -> None:
    bench = Bench(TABLE)
    first, second = bench.new_run(), bench.new_run()
    lock = bench.function("sht_lock", 1)
    assert bench.call("sht_lock", "t=>a", run=first) == bench.call("sht_lock", "t=>A", run=first) == 1
    waiting = lock.call(second, "t=>a", at=HERE)
    assert not isinstance(waiting, int)
    waits, code = steps(waiting)
    assert code is None and all(seconds > 0 for seconds in waits)
    bench.call("sht_unlock", "t=>a", run=first)
    assert steps(waiting)[1] is None
    bench.call("sht_unlock", "t=>a", run=first)
    assert finish(waiting) == 1
    assert bench.call("sht_lock", "t=>b") == 1  # another slot


def test_a_lock_that_nobody_gives_back() -> None:
    bench = Bench(TABLE)
    run = bench.new_run()
    assert bench.call("sht_lock", "t=>a", run=run) == 1
    del run
    assert bench.call("sht_lock", "t=>a") == 1
    assert [line.level for line in bench.log.lines] == [Level.WARNING]


# ---- iterators


def filled(bench: Bench, count: int = 20) -> list[str]:
    for number in range(count):
        table(bench).set(f"key{number}", number)
    return [item.key for item in table(bench).walk()]


@pytest.mark.parametrize("remove", [lambda bench, key: bench.set(f"$sht(t=>{key})", None),
                                    lambda bench, key: bench.call("sht_rm", "t", key)])  # fmt: skip
def test_an_iterator_goes_on_behind_an_item_that_was_taken_away(remove: Callable[[Bench, str], object]) -> None:
    bench = Bench(TABLE)
    order = filled(bench)
    bench.call("sht_iterator_start", "i", "t")
    seen = []
    while bench.call("sht_iterator_next", "i") == 1:
        key = bench.get("$shtitkey(i)")
        seen.append(key)
        remove(bench, str(key))
    assert seen == order
    assert not table(bench).items


def test_an_iterator_over_a_table_that_is_emptied() -> None:
    bench = Bench(TABLE)
    filled(bench)
    bench.call("sht_iterator_start", "i", "t")
    bench.call("sht_iterator_next", "i")
    bench.call("sht_reset", "t")
    assert bench.call("sht_iterator_rm", "i") == -2
    bench.set("$sht(t=>new)", 5)
    assert bench.call("sht_iterator_next", "i") == 1
    assert bench.get("$shtitval(i)") == 5


def test_each_process_has_iterators_of_its_own() -> None:
    bench = Bench(TABLE)
    filled(bench, 2)
    other = bench.new_run()
    other.vars = {}
    bench.call("sht_iterator_start", "i", "t")
    bench.call("sht_iterator_next", "i")
    assert bench.call("sht_iterator_next", "i", run=other) == -1
    assert bench.call("sht_iterator_next", "i", run=bench.new_run()) == 1


# ---- RPC


def rpc(bench: Bench, method: str, *params: object) -> object:
    """What a command answers; the fault's code and message where it is one."""
    command = next(command for command in htable.MODULE.rpc if command.name == f"htable.{method}")
    try:
        return command.call(RpcCall(bench.world, command.name, params))  # type: ignore[arg-type]
    except RpcFault as fault:
        return fault.code, fault.message


def test_rpc() -> None:
    """Answers of a Kamailio 6.1.4."""
    bench = Bench(TABLE, ("htable", "htable", "e=>size=2;autoexpire=100;dbtable=foo;dbmode=1;updateexpire=0"))
    ok, missing = "Ok. Key set to new value.", (500, "No such htable")
    few = "Not enough parameters (htable name, key name and value)"
    assert rpc(bench, "dump", "t") == []
    assert rpc(bench, "sets", "t", "k", "v") == rpc(bench, "sets", "t", "k2", 55) == ok
    assert rpc(bench, "sets", "t", 5, 55) == rpc(bench, "sets", "t", "k") == (500, few)
    assert rpc(bench, "sets", "zz", "k", "v") == rpc(bench, "dump", "zz") == rpc(bench, "flush", "zz") == missing
    for name, value in (("n", 42), ("n2", "42"), ("big", 5_000_000_000), ("fl", 5.7)):
        assert rpc(bench, "seti", "t", name, value) == ok
    assert rpc(bench, "dump", "t") == [
        {"entry": 0, "size": 1, "slot": [{"name": "big", "value": 705032704, "type": "int"}]},
        {"entry": 1, "size": 1, "slot": [{"name": "fl", "value": 5, "type": "int"}]},
        {
            "entry": 3,
            "size": 3,
            "slot": [
                {"name": "n", "value": 42, "type": "int"},
                {"name": "n2", "value": 0, "type": "int"},
                {"name": "k2", "value": "55", "type": "str"},
            ],
        },
        {"entry": 6, "size": 1, "slot": [{"name": "k", "value": "v", "type": "str"}]},
    ]
    assert rpc(bench, "get", "t", "k") == {"item": {"name": "k", "value": "v", "flags": 2, "expire": "NEVER"}}
    assert rpc(bench, "get", "t", "n") == {"item": {"name": "n", "value": 42, "flags": 0, "expire": "NEVER"}}
    assert rpc(bench, "get", "t", "nope") == (500, "Key name doesn't exist in htable.")
    assert rpc(bench, "setxs", "e", "k", "v", 10) == rpc(bench, "setxi", "e", "ki", 7, 10) == ok
    assert rpc(bench, "setxs", "zz", "k", "v", 10) == (500, "Failed to set the item")
    assert bench.get("$shtex(e=>k)") == 10
    assert rpc(bench, "setex", "e", "k", 50) == rpc(bench, "setex", "t", "k", 50) == "Ok"
    assert bench.get("$shtex(e=>k)") == 50
    assert str(rpc(bench, "get", "e", "k")).startswith(
        "{'item': {'name': 'k', 'value': 'v', 'flags': 2, 'expire': '2023-"
    )
    assert rpc(bench, "delete", "t", "k") == "Ok. Key deleted."
    assert rpc(bench, "delete", "t", "k") == (404, "Key not found in htable.")
    tables = {"dbtable": "", "dbmode": 0, "expire": 0, "updateexpire": 1, "size": 16, "dmqreplicate": 0}
    expiring = {"dbtable": "foo", "dbmode": 1, "expire": 100, "updateexpire": 0, "size": 4, "dmqreplicate": 0}
    assert rpc(bench, "listTables") == [{"name": "e", **expiring}, {"name": "t", **tables}]
    assert rpc(bench, "flush", "t") == "Ok. Htable flushed."
    stats = [
        {"name": "e", "slots": 4, "all": 2, "min": 0, "max": 1},
        {"name": "t", "slots": 16, "all": 0, "min": 0, "max": 0},
    ]
    assert rpc(bench, "stats") == stats
    assert rpc(bench, "reload", "t") == rpc(bench, "store", "t") == (500, "No htable db_url")
    assert rpc(bench, "dmqresync", "t") == (500, "HTable DMQ Sync Failed")
    assert rpc(Bench(), "listTables") == rpc(Bench(), "stats") == (500, "No htables")


def test_rpc_speaks_characters_and_tables_hold_bytes() -> None:
    bench = Bench(TABLE)
    rpc(bench, "sets", "t", "schlüssel", "größe")
    assert table(bench).get("schl\xc3\xbcssel") == "gr\xc3\xb6\xc3\x9fe"
    assert "größe" in str(rpc(bench, "get", "t", "schlüssel"))
    assert "schlüssel" in str(rpc(bench, "dump", "t"))


# ---- KEMI


def test_kemi() -> None:
    bench = Bench(TABLE, EXPIRING, COUNTING)

    def ksr(name: str, *arguments: int | str) -> object:
        function = next(function for function in htable.MODULE.kemi if function.name == name)
        assert tuple(map(type, arguments)) == function.params
        return function.call(bench.run, *arguments, **({"at": HERE} if function.at else {}))

    assert [ksr(name, "t", "x") for name in ("sht_get", "sht_gete", "sht_getw")] == [None, "", "<null>"]
    assert [ksr(name, "zz", "x") for name in ("sht_get", "sht_gete", "sht_getw")] == [None, "", "<null>"]
    assert ksr("sht_get", "i", "x") == 7
    assert ksr("sht_sets", "t", "x", "v") == ksr("sht_seti", "t", "y", 5) == 1
    assert (ksr("sht_get", "t", "x"), ksr("sht_get", "t", "y")) == ("v", 5)
    assert (ksr("sht_inc", "t", "y"), ksr("sht_dec", "i", "n"), ksr("sht_inc", "t", "x")) == (6, 6, -255)
    assert ksr("sht_setxs", "e", "x", "v", 3) == ksr("sht_setxi", "e", "y", 4, 3) == ksr("sht_setex", "e", "y", 5) == 1
    assert (bench.get("$shtex(e=>x)"), bench.get("$shtex(e=>y)")) == (3, 5)
    assert (ksr("sht_is_null", "t", "x"), ksr("sht_is_null", "zz", "x")) == (-1, 2)
    assert (ksr("sht_cn", "t", "", "^[xy]"), ksr("sht_cn", "t", "==", "x"), ksr("sht_cn", "t", "?", "x")) == (2, 1, -1)
    assert ksr("sht_match_name", "t", "sw", "x") == ksr("sht_match_str_value", "t", "eq", "v") == 1
    assert ksr("sht_iterator_start", "i", "e") == ksr("sht_iterator_next", "i") == 1
    assert (
        ksr("sht_iterator_sets", "i", "new") == ksr("sht_iterator_setex", "i", 9) == ksr("sht_iterator_end", "i") == 1
    )
    assert (ksr("sht_iterator_next", ""), ksr("sht_iterator_rm", "i")) == (-1, -1)
    assert ksr("sht_rm", "t", "x") == ksr("sht_rm_name", "t", "sw", "y") == ksr("sht_rm_name_re", "zz", "y") == 1
    assert not table(bench).items
    assert ksr("sht_reset", "e") == 0
    assert ksr("sht_lock", "t", "x") == 1
    assert bench.call("sht_unlock", "t=>x") == 1
    other = bench.new_run()
    bench.call("sht_lock", "t=>x", run=other)
    assert ksr("sht_lock", "t", "x") == -1


def test_a_time_that_no_calendar_has() -> None:
    bench = Bench(("htable", "htable", "t=>size=4;autoexpire=10"))
    bench.call("sht_setxs", "t", "k", "v", 5)
    bench.set("$shtex(t=>k)", 2**62)
    item = rpc(bench, "get", "t", "k")
    assert isinstance(item, dict) and item["item"]["expire"] == str(2**62 + int(bench.clock.now()))


def test_functions_take_numbers_of_32_bit() -> None:
    bench = Bench(("htable", "htable", "t=>size=4;autoexpire=10"))
    bench.call("sht_setxi", "t", "k", 2**32 + 7, 2**32 + 5)
    assert (bench.get("$sht(t=>k)"), bench.get("$shtex(t=>k)")) == (7, 5)
    bench.call("sht_iterator_start", "i", "t")
    bench.call("sht_iterator_next", "i")
    bench.call("sht_iterator_seti", "i", 2**32 + 8)
    bench.call("sht_iterator_setex", "i", 2**32 + 6)
    assert (bench.get("$sht(t=>k)"), bench.get("$shtex(t=>k)")) == (8, 6)


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_items_live_as_long_although_the_clock_is_set(step: float) -> None:
    clock = HandClock()
    bench = Driven(f'{MESSAGE} {{ $sht(e=>a) = 1; evapi_relay("ok"); }}', clock)
    bench.client.send_message("x")
    clock.step = step
    bench.pass_time(9.5)
    assert list(bench.state.tables["e"].items) == ["a"]
    bench.pass_time(2.5)
    assert list(bench.state.tables["e"].items) == []
