#!/usr/bin/env python3
"""How long one client's message takes while routes of others wait: for `sleep(1)`, a command that takes a second, an
HTTP answer that comes after a second.

    waits.py                  all of them, and without anybody who waits
    waits.py http exec        two of them
    waits.py --seconds 20     longer

One client sends a message every 2 ms and waits for its echo; another one makes a route wait every 20 ms right before
such a message, so that 50 wait at any time and each begin and each end of a wait falls into some echo. Printed are the
median, the 99th percentile and the longest in milliseconds. Exit status 1 where the 99th percentile is 5 ms or more;
the longest says more about what else the machine has to do.

Needs evapi-cfg with its extra `http`; else the standard library only.
"""

import argparse
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))
from run import free_port, listening  # noqa: E402

BOUND = 5.0  # milliseconds
EVERY, WAIT_EVERY = 0.002, 10  # seconds between two echoes, echoes between two waits
KINDS = ("nothing", "sleep", "exec", "http")


class Web:
    """Answers every request after a second."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            peer = self.listening.accept()[0]
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer: socket.socket) -> None:
        while b"\r\n\r\n" in peer.recv(65536):
            time.sleep(1)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def measure(port: int, kind: str, seconds: float) -> list[float]:
    """The milliseconds that each echo took, longest last."""
    asking, waiting = (socket.create_connection(("127.0.0.1", port)) for _ in range(2))
    for s in (asking, waiting):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    others = [waiting, *(socket.create_connection(("127.0.0.1", port)) for _ in range(59))]
    taken = []
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        if kind != "nothing" and count % WAIT_EVERY == 0:
            # each from another client: one client's messages wait for each other
            others[count // WAIT_EVERY % len(others)].sendall(b"%d:%b," % (len(kind), kind.encode()))
        count += 1
        start = time.perf_counter()
        asking.sendall(b"4:echo,")
        got = b""
        while len(got) < 7:
            got += asking.recv(64)
        taken.append((time.perf_counter() - start) * 1000)
        time.sleep(EVERY)
    for s in (asking, *others):
        s.close()
    return sorted(taken)


def main() -> int:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("kinds", nargs="*", default=KINDS, help=", ".join(KINDS))
    ap.add_argument("--seconds", type=float, default=6.0, help="for each of them")
    ap.add_argument("--evapi-cfg", default="evapi-cfg", help="its command")
    args = ap.parse_args()
    web = Web()
    port = free_port(socket.SOCK_STREAM)
    cfg = (HERE / "cfg" / "waits.cfg").read_text()
    for name, value in (("PORT", port), ("SIPPORT", free_port(socket.SOCK_DGRAM)), ("WEBPORT", web.port)):
        cfg = cfg.replace(f"@{name}@", str(value))
    slow = False
    with tempfile.TemporaryDirectory(prefix="evapi-waits-") as work:
        path = Path(work) / "waits.cfg"
        path.write_text(cfg)
        command = [*shlex.split(args.evapi_cfg), "run", "--no-sip", "--allow-exec", "--drain", "2", str(path)]
        server = subprocess.Popen(command)
        try:
            while not listening(port):
                if server.poll() is not None:
                    return 2
                time.sleep(0.05)
            for kind in args.kinds:
                taken = measure(port, kind, args.seconds)
                middle, high = statistics.median(taken), taken[len(taken) * 99 // 100]
                times = f"median {middle:.2f} ms   99 % {high:.2f}   longest {taken[-1]:.2f}"
                print(f"{kind:8} {len(taken):6} echoes   {times}")
                slow = slow or high >= BOUND
        finally:
            server.terminate()
            server.wait()
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
