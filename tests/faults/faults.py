#!/usr/bin/env python3
"""The fault bench: one bad client harms nobody, nothing is lost, and what that costs.

    python -m tests.faults.faults                 all cases; the mixed load takes 30 minutes, random bytes 10
    python -m tests.faults.faults --minutes 3     the same with 3 minutes, and 1, for these
    python -m tests.faults.faults NAME...         some of them; --list tells their names

Prints a line for each promise: the case, what is promised, what was measured, whether that is so. Exit status 1 where
something is not. What is measured in time may fail on a machine that is busy with other things: a case that does is
played again, up to --tries times, and the table tells how often.
Servers, clients and proxies listen on the loopback address, and end with the program. Linux only.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator

from tests.faults import ending, logs, many, network, slow, steady
from tests.faults.row import Row

Case = Callable[[float], Iterator[Row]]
CASES: dict[str, Case] = {
    "never-reads": slow.one_never_reads,
    "takes-nothing": slow.one_takes_nothing,
    "hundred-stalled": slow.a_hundred_of_five_hundred,
    "slow-reader": slow.slow_but_alive,
    "half-open": slow.half_open,
    "chunks": network.chunks,
    "toxics": network.toxics,
    "trickle": network.trickle,
    "idle": many.idle,
    "burst": many.burst,
    "churn": many.churn,
    "descriptors": many.out_of_descriptors,
    "greedy": steady.greedy,
    "rate": steady.rate,
    "sigterm": ending.sigterm,
    "kill": ending.kill,
    "log": logs.faults,
    "clock": steady.clock,
    "random-bytes": network.random_bytes,
    "mixed": steady.mixed,
}


def play(name: str, minutes: float, tries: int) -> list[Row]:
    rows: list[Row] = []
    for number in range(1, tries + 1):
        rows = []
        try:
            for row in CASES[name](minutes):
                again = f" (try {number})" if number > 1 else ""
                rows.append(Row(row.promise, row.measured + again, row.ok))
        except Exception as err:  # the other cases are played all the same
            traceback.print_exc()
            rows.append(Row("it can be played", f"{type(err).__name__}: {err}", False))
        if all(row.ok for row in rows):
            break
        if number < tries:
            for row in rows:
                if not row.ok:
                    print(f"  again: {name}: {row.promise}: {row.measured}", file=sys.stderr, flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="NAME")
    parser.add_argument("--minutes", type=float, default=30.0, help="of mixed load; a third of it of random bytes")
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    if args.list:
        print("\n".join(CASES))
        return 0
    unknown = set(args.cases) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, CPython {platform.python_version()}"
    )
    print(f"{time.strftime('%Y-%m-%d')}\n\n| case | promise | measured | ok |\n|---|---|---|---|", flush=True)
    failed = 0
    for name in args.cases or CASES:
        for row in play(name, args.minutes, args.tries):
            failed += not row.ok
            print(f"| {name} | {row.promise} | {row.measured} | {'ok' if row.ok else 'NO'} |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
