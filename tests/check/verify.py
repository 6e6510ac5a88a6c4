"""Holds the `kamailio` lines of the samples against a Kamailio that is installed.

    python -m tests.check.verify --command kamailio --version 5.6

Runs `-c` for each sample and, where that accepts, a real start on a free port. Prints what differs and then exits 1.
"""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.check.samples import Sample, samples

START_SECONDS = 8.0  # a start that has not failed by then counts as accepted; most are ready much earlier


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--command", default="kamailio")
    options.add_argument("--version", choices=("5.6", "6.1"), default="6.1")
    options.add_argument("--only", default="", help="samples whose name holds this")
    arguments = options.parse_args()
    wrong = 0
    for sample in samples():
        if arguments.only not in sample.name:
            continue
        expected = sample.verdict_5_6 if arguments.version == "5.6" else sample.verdict
        verdict, log = _verdict(sample, arguments.command)
        if verdict != expected:
            wrong += 1
            print(f"{sample.name}: Kamailio {verdict}, the sample says {expected}\n{log}")
    return 1 if wrong else 0


def _verdict(sample: Sample, command: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.cfg"
        path.write_text(sample.text, "utf-8")
        check = subprocess.run([command, "-c", "-f", path], capture_output=True, text=True, errors="replace")
        if check.returncode:
            return "refuses", _errors(check.stderr)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        listen = (
            f"listen=udp:127.0.0.1:{port}\nchildren=1\ndisable_tcp=yes\nauto_aliases=no\nlog_stderror=yes\ndebug=2\n"
        )
        first, _, rest = sample.text.partition("\n")
        path.write_text(f"{first}\n{listen}{rest}" if first.startswith("#!") else listen + sample.text, "utf-8")
        log = Path(folder) / "log"
        with log.open("w") as output:
            server = subprocess.Popen(
                [command, "-DD", "-E", "-Y", folder, "-f", path], stdout=output, stderr=output, start_new_session=True
            )
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
            server.wait(10)
        return ("fails" if failed else "accepts"), _errors(log.read_text(errors="replace"))


def _errors(log: str) -> str:
    return "\n".join(f"    {line}" for line in log.splitlines() if "ERROR" in line or "CRITICAL" in line)[:1200]


if __name__ == "__main__":
    sys.exit(main())
