#!/usr/bin/env python3
"""What $sht costs inside a route, and how long an expiry of very many items at once holds everybody else.

    python htable_bench.py [--keys 100000]

A table gets its keys, is read and written in loops of a real route, and then all of it expires at once, with and
without an event_route that sees each item. `hold` is the longest time in which nothing else could happen: between two
turns of the timers the loop is free. It is time of the processor, which does not count what other programs take.
"""

import argparse
import gc
import time

import evapi_cfg

LOOP = 1000  # statements of one kind that a message runs
ROUTES = {
    "nothing": "$var(i) = $var(i) + 1;",
    "get": "$var(x) = $sht(t=>$var(k));",
    "get, constant key": "$var(x) = $sht(t=>constant);",
    "set, old key": "$sht(t=>$var(k)) = $var(i);",
    "get, expires": "$var(x) = $sht(e=>$var(k));",
    "set, expires": "$sht(e=>$var(k)) = $var(i);",
    "inc": "$var(x) = $shtinc(t=>number);",
}
FILL = "while($var(i) < $var(to)) {{ $sht({table}=>key$var(i)) = $var(i); $var(i) = $var(i) + 1; }}"


class Clock:
    """Wall time moves when told to; the other hand also shows how long work takes."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> float:
        return 1_700_000_000.0 + self.passed

    def monotonic(self) -> float:
        return time.perf_counter() + self.passed


def config(body: str, more: str = "") -> str:
    return f"""#!KAMAILIO
max_while_loops=100000000
loadmodule "pv.so"
loadmodule "htable.so"
loadmodule "evapi.so"
modparam("evapi", "workers", 0)
modparam("htable", "htable", "t=>size=12;initval=0")
modparam("htable", "htable", "e=>size=12;autoexpire=60")
modparam("htable", "timer_interval", 1)
{more}
event_route[evapi:message-received] {{ {body} }}
"""


def cost(statement: str, keys: int, rounds: int = 30) -> float:
    """Microseconds for one statement, the best of some rounds."""
    body = f"""
      if($evapi(msg) == "fill") {{
        $var(to) = {keys}; $var(i) = 0; {FILL.format(table="t")} $var(i) = 0; {FILL.format(table="e")}
        $sht(t=>constant) = 1; exit;
      }}
      $var(k) = "key777"; $var(i) = 0;
      {statement * LOOP}"""
    client = evapi_cfg.load_text(config(body), clock=Clock()).connect()
    client.send_message("fill")
    best = float("inf")
    for _ in range(rounds):
        start = time.thread_time()
        client.send_message("x")
        best = min(best, time.thread_time() - start)
    return best / LOOP * 1e6


def filling(keys: int, table: str) -> float:
    """Microseconds for a key that is new."""
    body = f"$var(to) = {keys}; $var(i) = 0; {FILL.format(table=table)}"
    client = evapi_cfg.load_text(config(body), clock=Clock()).connect()
    start = time.thread_time()
    client.send_message("x")
    return (time.thread_time() - start) / keys * 1e6


def expiring(keys: int, event: str) -> tuple[float, float, int]:
    """The longest hold and all the time that the work takes, in milliseconds, and the number of turns."""
    more = f"event_route[htable:expired:e] {{ {event} }}" if event else ""
    clock = Clock()
    app = evapi_cfg.load_text(config(f"$var(to) = {keys}; {FILL.format(table='e')}", more), clock=clock)
    client = app.connect()
    client.send_message("x")
    table = app.program.world.state["htable"].tables["e"]  # type: ignore[attr-defined]
    assert len(table.items) == keys
    clock.passed += 62
    longest = total = 0.0
    turns = 0
    while table.items:
        start = time.thread_time()
        app.advance()
        took = time.thread_time() - start
        longest, total, turns = max(longest, took), total + took, turns + 1
        clock.passed += 0.001
    return longest * 1e3, total * 1e3, turns


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--keys", type=int, default=100_000)
    keys = options.parse_args().keys
    gc.freeze()
    gc.set_threshold(20_000, 500, 20)  # as the server does
    empty = cost(ROUTES["nothing"], keys)
    print(f"{keys:,} keys in the table; microseconds for one statement")
    for name, statement in ROUTES.items():
        print(f"  {name:<20} {cost(statement, keys):6.2f}")
    print(f"  (of which a loop's own statement is {empty:.2f})")
    for name, table in (("set, new key", "t"), ("set, new, expires", "e")):
        print(f"  {name:<20} {filling(keys, table):6.2f}   with the loop around it")
    print("all of them expire at once; milliseconds")
    for name, event in (("no event_route", ""), ("an event_route", "$var(n) = $shtrecord(key);")):
        longest, total, turns = expiring(keys, event)
        print(f"  {name:<20} longest hold {longest:6.2f}, all the work {total:7.1f} in {turns} turns")


if __name__ == "__main__":
    main()
