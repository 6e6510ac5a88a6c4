"""Holds what the samples and the pages say of Kamailio against one that is installed.

    python -m tests.check.verify --command kamailio --version 5.6

Runs `-c` for each configuration and, where that accepts, a real start on a free port: for each sample, and for the
wrong and the right example of each page. Prints what differs and then exits 1.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.check.pages import Example, pages
from tests.check.samples import samples

START_SECONDS = 8.0  # a start that has not failed by then counts as accepted; most are ready much earlier


class Claim(NamedTuple):
    name: str
    example: Example
    verdict: str


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--command", default="kamailio")
    options.add_argument("--version", choices=("5.6", "6.1"), default="6.1")
    options.add_argument("--only", default="", help="samples and pages whose name holds this")
    options.add_argument("--pages", action="store_true", help="leave out the samples")
    arguments = options.parse_args()
    claims = [claim for claim in _claims(arguments.version, arguments.pages) if arguments.only in claim.name]
    wrong = 0
    for claim in claims:
        found, log = verdict(claim.example, arguments.command)
        if found != claim.verdict:
            wrong += 1
            print(f"{claim.name}: Kamailio {found}, the file says {claim.verdict}\n{log}")
    print(f"{len(claims)} claims, {wrong} wrong")
    return 1 if wrong else 0


def _claims(version: str, pages_only: bool) -> Iterator[Claim]:
    for sample in [] if pages_only else samples():
        said = sample.verdict_5_6 if version == "5.6" else sample.verdict
        yield Claim(sample.name, Example({"sample.cfg": sample.text, **sample.scripts}, {}), said)
    for page in pages():
        if not page.verdicts[version]:
            continue
        yield Claim(f"{page.name}: wrong", page.example("Wrong"), page.verdicts[version])
        yield Claim(f"{page.name}: right", page.example("Right"), "accepts")


def verdict(example: Example, command: str) -> tuple[str, str]:
    environ = {**os.environ, **example.environ}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in example.files.items():
            (Path(folder) / name).write_text(text, "utf-8")
        main_file, text = next(iter(example.files.items()))
        path = Path(folder) / main_file
        check = subprocess.run(
            [command, "-c", "-f", path], capture_output=True, text=True, errors="replace", cwd=folder, env=environ
        )
        if check.returncode:
            return "refuses", _errors(check.stderr)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        listen = (
            f"listen=udp:127.0.0.1:{port}\nchildren=1\ndisable_tcp=yes\nauto_aliases=no\nlog_stderror=yes\ndebug=2\n"
        )
        first, _, rest = text.partition("\n")
        path.write_text(f"{first}\n{listen}{rest}" if first.startswith("#!KAMAILIO") else listen + text, "utf-8")
        log = Path(folder) / "log"
        with log.open("w") as output:
            server = subprocess.Popen(
                [command, "-DD", "-E", "-w", folder, "-Y", folder, "-f", path],
                stdout=output, stderr=output, start_new_session=True, cwd=folder, env=environ,
            )  # fmt: skip
            end = time.monotonic() + START_SECONDS
            settled = 0
            while time.monotonic() < end and server.poll() is None and settled < 3:
                time.sleep(0.2)
                children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
                # The main process forks its children when all routes have been read and all modules are up.
                settled = settled + 1 if children.exists() and len(children.read_text().split()) > 2 else 0
            failed = server.poll() is not None
            if not failed:
                server.send_signal(signal.SIGTERM)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:  # some of its processes hang when one of them has crashed
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
        return ("fails" if failed else "accepts"), _errors(log.read_text(errors="replace"))


def _errors(log: str) -> str:
    return "\n".join(f"    {line}" for line in log.splitlines() if "ERROR" in line or "CRITICAL" in line)[:1200]


if __name__ == "__main__":
    sys.exit(main())
