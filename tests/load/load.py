#!/usr/bin/env python3
"""Many parked requests on a running server: nothing is refused or unanswered, nothing stays behind.

    load.py options    sipp sends OPTIONS, each is parked and resumed by the application up to 200 ms later
    load.py invite     INVITE and ACK the same way, with calls among them that are cancelled while they are parked
    load.py restart    as invite, and the application is killed and started again in the middle
    load.py park       all requests are parked at once, and resumed in random order by their labels

Needs sipp (Debian: sip-tester) but for `park`. Exit status: 0 all is well, 1 something was lost or stayed, 2 it could
not be done. Everything listens on the loopback address, and ends with the program.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

DELAY = 0.2  # seconds that an answer may take
AWAY = 3.0  # seconds that the application is away in `restart`
WT = 5.0  # seconds that tm keeps a transaction which is over (wt_timer)
# MB: what Python's allocator keeps for the next busy moment, since a few live objects hold an arena of 1 MB each. It
# comes to a stop within a few rounds; what has stayed of objects is counted apart.
MAY_GROW = 25.0
MAY_STAY = 2000  # blocks of Python's allocator: caches of texts and patterns that are bounded


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


# ---- the server, in a process of its own that tells how it is


def serve(cfg: str) -> None:
    import gc

    from evapi_cfg.modules.tm.core import Tm
    from evapi_cfg.runtime.app import load_file
    from evapi_cfg.runtime.log import LogWriter
    from evapi_cfg.server import EventServer, Limits, LogStream, run_until_told

    stream = LogStream()
    app = load_file(cfg, log=LogWriter(stream))
    tm = app.program.world.state["tm"]
    assert isinstance(tm, Tm)

    def tell() -> None:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        known = {
            "transactions": len(tm.table),
            "memory": pages * os.sysconf("SC_PAGESIZE"),
            "blocks": sys.getallocatedblocks(),
        }
        print(json.dumps(known), flush=True)

    def ready(server: EventServer) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
        print("{}", flush=True)

    run_until_told(app, Limits(), stream, ready)


class Server:
    def __init__(self, work: Path, fr_timer: int) -> None:
        self.port, self.sip_port = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        text = (HERE / "park.cfg").read_text()
        for name, value in {"PORT": self.port, "SIPPORT": self.sip_port, "FR": fr_timer}.items():
            text = text.replace(f"@{name}@", str(value))
        (work / "park.cfg").write_text(text)
        argv = [sys.executable, __file__, "--serve", str(work / "park.cfg")]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self._line()

    def _line(self) -> dict[str, int]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the server has ended")
        return dict(json.loads(line))

    def state(self) -> dict[str, int]:
        self.process.send_signal(signal.SIGUSR1)
        return self._line()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


# ---- the application


async def application(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop = asyncio.get_running_loop()

    def answer(index: str, label: str, code: int) -> None:
        payload = f"{index} {label} {code} Fine"
        writer.write(f"{len(payload)}:{payload},".encode())

    while True:
        length = int((await reader.readuntil(b":"))[:-1])
        index, label, call_id = (await reader.readexactly(length + 1))[:-1].decode().split(" ")
        if not call_id.startswith("cancel-"):  # those are cancelled while they wait
            code = 200 if call_id.startswith("options-") else 486
            loop.call_later(random.uniform(0, DELAY), answer, index, label, code)


def start_application(port: int) -> subprocess.Popen[bytes]:
    argv = [sys.executable, __file__, "--application", str(port)]
    return subprocess.Popen(argv, stderr=subprocess.DEVNULL)


# ---- callers


class Sipp:
    """One sipp; `results` tells how many of each status it has seen once it has ended."""

    def __init__(self, work: Path, scenario: str, target: int, calls: int, rate: int) -> None:
        self.calls, self.scenario = calls, scenario
        self._output = (work / f"{scenario}.out").open("w+")
        argv = [
            "sipp", "-sf", str(HERE / f"{scenario}.xml"), "-i", "127.0.0.1", "-m", str(calls), "-r", str(rate),
            "-l", str(calls), "-nostdin", "-timeout", "600", "-cid_str", f"{scenario}-%u-%p@%s", f"127.0.0.1:{target}",
        ]  # fmt: skip
        self._process = subprocess.Popen(argv, cwd=work, stdout=self._output, stderr=subprocess.STDOUT)

    def running(self) -> bool:
        return self._process.poll() is None

    def results(self) -> tuple[int, int, dict[str, int]]:
        """Calls that went through and those that did not, and how often each message was sent or received."""
        self._process.wait()
        self._output.seek(0)
        text = self._output.read()
        if "Successful call" not in text:
            raise RuntimeError(f"sipp did not run:\n{text[-2000:]}")
        last = text[text.rindex("Messages  Retrans") :]
        counts: dict[str, int] = {}
        for name, count in re.findall(r"^ +(\w+) (?:<-+|-+>) (?:[BE]-\w+)? +(\d+) ", last, re.MULTILINE):
            counts[name] = counts.get(name, 0) + int(count)
        done, failed = (
            int(re.findall(rf"{what} call +\| +\d+ +\| +(\d+)", text)[-1]) for what in ("Successful", "Failed")
        )
        return done, failed, counts


def with_sipp(args: argparse.Namespace, server: Server, work: Path) -> list[str]:
    if shutil.which("sipp") is None:
        raise RuntimeError("there is no sipp: apt install sip-tester")
    app = start_application(server.port)
    try:
        scenario = "options" if args.workload == "options" else "invite"
        before = warm_up(server, work, scenario, args)
        callers = [Sipp(work, scenario, server.sip_port, args.calls, args.rate)]
        if args.workload != "options":
            tenth = max(args.calls // 10, 1)
            callers.append(Sipp(work, "cancel", server.sip_port, tenth, max(args.rate // 10, 1)))
        if args.workload == "restart":
            time.sleep(args.calls / args.rate / 3)
            app.kill()
            app.wait()
            time.sleep(AWAY)
            app = start_application(server.port)
        top = {"transactions": 0, "memory": 0, "blocks": 0}
        while any(caller.running() for caller in callers):
            now = server.state()
            top = {key: max(top[key], now[key]) for key in top}
            time.sleep(2)
        faults = []
        for caller in callers:
            done, failed, counts = caller.results()
            shown = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            print(f"{caller.scenario}: {done:,} calls went through, {failed:,} did not ({shown})")
            if done != caller.calls or failed:
                faults.append(f"{caller.scenario}: {done} of {caller.calls} calls went through")
            refused = counts.get("408", 0) + counts.get("503", 0)
            if args.workload != "restart" and refused:
                faults.append(f"{caller.scenario}: {refused} calls were refused")
            if args.workload == "restart" and caller.scenario == "invite" and not refused:
                faults.append("no call was parked while the application was away")
    finally:
        app.kill()
        app.wait()
    print(f"at most {top['transactions']:,} transactions at once, {top['memory'] / 1e6:.0f} MB")
    return faults + stayed(server, before)


# ---- all parked at once


def park(args: argparse.Namespace, server: Server, work: Path) -> list[str]:
    app = socket.create_connection(("127.0.0.1", server.port))
    caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    caller.connect(("127.0.0.1", server.sip_port))
    app.settimeout(30)
    caller.settimeout(30)
    asked = Asked(app)
    exchange(caller, app, asked, ["warm-up"])
    time.sleep(WT + 1)
    before = server.state()
    calls = [f"call{number}" for number in range(args.calls)]
    parked = exchange(caller, app, asked, calls, at_all=lambda: server.state())
    each = (parked["memory"] - before["memory"]) / len(calls)
    print(f"{parked['transactions']:,} requests parked at once cost {each / 1024:.2f} KiB each")
    faults = [] if parked["transactions"] == len(calls) else [f"only {parked['transactions']} were parked at once"]
    if each > 6 * 1024:
        faults.append("a parked request costs more than 6 KiB")
    app.close()
    caller.close()
    return faults + stayed(server, before)


class Asked:
    """What the application is asked: index and label of each Call-ID."""

    def __init__(self, app: socket.socket) -> None:
        self._app, self._rest = app, b""
        self.of: dict[str, tuple[str, str]] = {}

    def read(self, until: int) -> None:
        while len(self.of) < until:
            self._rest += self._app.recv(1 << 16)
            while (colon := self._rest.find(b":")) > 0 and len(self._rest) > (
                end := colon + 1 + int(self._rest[:colon])
            ):
                index, label, call_id = self._rest[colon + 1 : end].decode().split(" ")
                self.of[call_id] = index, label
                self._rest = self._rest[end + 1 :]


def exchange(
    caller: socket.socket,
    app: socket.socket,
    asked: Asked,
    calls: list[str],
    at_all: Callable[[], dict[str, int]] = dict,
) -> dict[str, int]:
    """Sends a request for each call, and when all are parked answers them in random order, each with its own reason."""
    host, port = caller.getsockname()
    asked.of.clear()
    for number, call in enumerate(calls, 1):
        caller.send(
            f"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag={call}\r\nTo: <sip:bob@example.com>\r\n"
            f"Call-ID: {call}\r\nCSeq: 1 OPTIONS\r\nUser-Agent: load.py\r\nContent-Length: 0\r\n\r\n".encode()
        )
        if number % 100 == 0:
            asked.read(number)
    asked.read(len(calls))
    known = at_all()
    order = list(asked.of.items())
    random.shuffle(order)
    for number in range(0, len(order), 100):
        for call, (index, label) in order[number : number + 100]:
            payload = f"{index} {label} 200 for-{call}"
            app.sendall(f"{len(payload)}:{payload},".encode())
        for _ in order[number : number + 100]:
            reply = caller.recv(1 << 16).decode()
            call = reply.partition("Call-ID: ")[2].partition("\r\n")[0]
            if not reply.startswith(f"SIP/2.0 200 for-{call}\r\n"):
                raise RuntimeError(f"{call} has got another one's answer: {reply}")
    return known


# ---- what stays


def warm_up(server: Server, work: Path, scenario: str, args: argparse.Namespace) -> dict[str, int]:
    """The state of a server that has had as many transactions at once as it will have, and none of them any more."""
    time.sleep(0.5)
    Sipp(work, scenario, server.sip_port, min(args.calls, round(args.rate * (WT + 1))), args.rate).results()
    time.sleep(WT + 1.5)
    return server.state()


def stayed(server: Server, before: dict[str, int]) -> list[str]:
    time.sleep(WT + 1.5)
    after = server.state()
    grown = (after["memory"] - before["memory"]) / 1e6
    print(
        f"afterwards {after['transactions']} transactions, {after['memory'] / 1e6:.1f} MB ({grown:+.1f} MB), "
        f"{after['blocks']:,} objects ({after['blocks'] - before['blocks']:+,})"
    )
    faults = [f"{after['transactions']} transactions have stayed"] if after["transactions"] else []
    if grown > MAY_GROW:
        faults.append(f"memory has grown by {grown:.1f} MB")
    if after["blocks"] - before["blocks"] > MAY_STAY:
        faults.append(f"{after['blocks'] - before['blocks']:,} objects have stayed")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="?", choices=["options", "invite", "restart", "park"], default="options")
    parser.add_argument("--calls", type=int, help="how many (100,000; park: 10,000; cancelled ones come on top)")
    parser.add_argument("--rate", type=int, default=2500, help="calls a second (2,500)")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--application", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return 0
    if args.application:
        asyncio.run(application(args.application))
        return 0
    args.calls = args.calls or (10_000 if args.workload == "park" else 100_000)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        server = Server(work, 2000 if args.workload == "restart" else 30000)
        try:
            faults = (park if args.workload == "park" else with_sipp)(args, server, work)
        except (OSError, RuntimeError) as error:
            print(error, file=sys.stderr)
            return 2
        finally:
            server.stop()
    for fault in faults:
        print(f"FAULT: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
