"""Draws mutations of valid configurations, and holds our verdict against that of an installed Kamailio.

    python -m tests.check.mutate --command kamailio --version 5.6 --count 2000 --seed 1

For each: do we find errors, and does `-c` refuse it? Where we do and it does not, a real start on a free port decides.
Prints what differs; what is known to differ stands in `mutations.known`, with a reason. Exits 1 where something
differs that is not known.
"""

from __future__ import annotations

import argparse
import random
import re
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evapi_cfg.check.report import check_text
from evapi_cfg.diagnostics.model import Severity
from evapi_cfg.source import store
from tests.check.mutations import KINDS, Mutation, mutation, sources, tokens
from tests.check.pages import Example
from tests.check.verify import verdict

KNOWN = Path(__file__).parent / "mutations.known"
PORTS = re.compile(r"127\.0\.0\.1:(5060|8448)\b")


def drawn(count: int, seed: int) -> list[Mutation]:
    """Different mutations, each token of each configuration as likely as any other."""
    chance = random.Random(seed)
    pool = [
        (name, text, places, number, kind)
        for name, text in sources().items()
        for places in [tokens(text)]
        for number in range(len(places))
        for kind in KINDS
    ]
    chosen = chance.sample(pool, min(count, len(pool)))
    return [mutation(*one) for one in chosen]


def known() -> list[tuple[re.Pattern[str], str]]:
    """What differs on purpose: an expression for the name of the mutation and what is found in it, and the reason."""
    found = []
    for line in KNOWN.read_text("utf-8").splitlines():
        if line and line[0] != "#":
            expression, _, reason = line.partition("  # ")
            found.append((re.compile(expression), reason))
    return found


def difference(one: Mutation, command: str, version: str) -> str:
    """ "" where both agree; else who finds what."""
    report = check_text(store(one.text), "mutation.cfg", version=version)
    errors = [item for item in report.diagnostics if item.severity is Severity.ERROR]
    refused, log = _refuses(one.text, command)
    if bool(errors) == refused:
        return ""
    if not errors:
        return f"only Kamailio: {log}"
    started, _ = verdict(Example({"mutation.cfg": _own_ports(one.text)}, {}), command)
    if started == "fails":
        return ""
    return f"only we: {errors[0].code.name} {errors[0].span}: {errors[0].message}"


def _own_ports(text: str) -> str:
    """The text with addresses that nobody else uses at the moment."""
    ports: dict[str, str] = {}

    def port(found: re.Match[str]) -> str:
        if found[1] not in ports:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                ports[found[1]] = str(probe.getsockname()[1])
        return f"127.0.0.1:{ports[found[1]]}"

    return PORTS.sub(port, text)


def _refuses(text: str, command: str) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutation.cfg"
        path.write_text(text, "utf-8")
        try:
            check = subprocess.run(
                [command, "-c", "-f", path], capture_output=True, text=True, errors="replace", timeout=60
            )
        except subprocess.TimeoutExpired:
            return True, "it does not come to an end"
    lines = [line for line in check.stderr.splitlines() if "ERROR" in line or "CRITICAL" in line]
    return check.returncode != 0, lines[0].partition(": ")[2] if lines else ""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--command", default="kamailio")
    options.add_argument("--version", choices=("5.6", "6.1"), default="6.1")
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--jobs", type=int, default=2)
    arguments = options.parse_args()
    reasons = known()
    counts: Counter[str] = Counter()
    mutations = drawn(arguments.count, arguments.seed)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = pool.map(lambda one: difference(one, arguments.command, arguments.version), mutations)
        for one, result in zip(mutations, results, strict=True):
            reason = next((text for found, text in reasons if found.search(f"{one.name}: {result}")), "")
            counts["agree" if not result else f"known: {reason}" if reason else "differ"] += 1
            if result and not reason:
                print(f"{one.name}\n    {result}", flush=True)
    for what, count in counts.most_common():
        print(f"{count:6} {what}")
    return 1 if counts["differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
