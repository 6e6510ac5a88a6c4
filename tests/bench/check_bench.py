"""How long `evapi-cfg check` takes, against the bounds that it has to keep.

    python tests/bench/check_bench.py --rounds 7

Files of 1,000 and 60,000 lines are made from tests/check/faults/base.cfg: its route blocks again and again under other
names. Printed are the best and the median of several rounds, and the least time of the processor: that says most on a
machine that does other things as well. Exit status 1 where the best is beyond its bound.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

BASE = Path(__file__).parent.parent / "check" / "faults" / "base.cfg"
MIB = 1 << 20
COLD, LARGE, LARGE_MIB, AGAIN = 0.300, 5.0, 400.0, 0.050  # seconds, MiB


def text_of(lines: int) -> str:
    """An ordinary configuration of about so many lines; every route in it is called."""
    base = BASE.read_text("utf-8")
    blocks = re.findall(r"^route\[(\w+)\] \{\n(.*?)^\}\n", base, re.MULTILINE | re.DOTALL)
    made, calls, number, count = [], [], 0, base.count("\n")
    while count < lines:
        for name, body in blocks:
            made.append(f"\nroute[{name}_{number}] {{\n{body}}}\n")
            calls.append(f"  route({name}_{number});\n")
            count += body.count("\n") + 4
        number += 1
    return base.replace("  route(REQINIT);\n", "  route(REQINIT);\n" + "".join(calls), 1) + "".join(made)


def child(command: list[str]) -> tuple[float, float, float]:
    """Seconds from start to end of a process, those of the processor, and the most memory that it held, in MiB."""
    start = time.perf_counter()
    pid = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{shlex.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MIB


def show(what: str, values: Sequence[float], processor: Sequence[float], bound: float, unit: str) -> bool:
    best, median = min(values), statistics.median(values)
    scale, digits = (1000, 0) if unit == "ms" else (1, 1 if unit == "s" else 0)
    shown = [f"{value * scale:,.{digits}f}" for value in (best, median, min(processor, default=0), bound)]
    print(f"{what:<44} {shown[0]:>7} {shown[1]:>7} {shown[2] if processor else '':>9} {shown[3]:>7} {unit}")
    return best <= bound


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--evapi-cfg", default=f"{Path(sys.executable).parent / 'evapi-cfg'}", help="the command")
    options.add_argument("--rounds", type=int, default=5)
    arguments = options.parse_args()
    command = [*shlex.split(arguments.evapi_cfg), "check"]
    with tempfile.TemporaryDirectory() as folder:
        files = {lines: str(Path(folder) / f"{lines}.cfg") for lines in (1_000, 60_000)}
        for lines, path in files.items():
            Path(path).write_text(text_of(lines), "utf-8")
        child([*command, files[1_000]])  # the tables are in the cache now
        print(f"{'':<44} {'best':>7} {'median':>7} {'processor':>9} {'bound':>7}")
        small = [child([*command, files[1_000]]) for _ in range(arguments.rounds)]
        large = [child([*command, files[60_000]]) for _ in range(max(arguments.rounds // 2, 1))]
        once_more(files[1_000])
        again = [once_more(files[1_000]) for _ in range(arguments.rounds * 2)]
        wall, processor, memory = zip(*small, strict=True)
        fine = show("1,000 lines, from the start of the process", wall, processor, COLD, "ms")
        wall, processor, memory = zip(*large, strict=True)
        fine &= show("60,000 lines", wall, processor, LARGE, "s")
        fine &= show("memory for these", memory, (), LARGE_MIB, "MiB")
        wall, processor = zip(*again, strict=True)
        fine &= show("1,000 lines once more in the same process", wall, processor, AGAIN, "ms")
    return 0 if fine else 1


def once_more(path: str) -> tuple[float, float]:
    from evapi_cfg.check.report import check_file

    start, of_processor = time.perf_counter(), time.process_time()
    check_file(path)
    return time.perf_counter() - start, time.process_time() - of_processor


if __name__ == "__main__":
    sys.exit(main())
