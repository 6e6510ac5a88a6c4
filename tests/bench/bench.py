#!/usr/bin/env python3
"""The same load on a real Kamailio and on evapi-cfg, in turn, and the ratio between them.

    bench.py                        every workload, three rounds
    bench.py echo json -n 5         two of them, five rounds
    bench.py --only evapi-cfg echo  one side alone

Workloads (each has its kamailio.cfg under cfg/):
  echo-1, echo-16, echo-128, echo-1024   one client, 100-byte messages, that many in flight
  echo      the four above            json      a routing decision on a JSON event, 256 in flight
  fan-8, fan-60  one sender, evapi_relay to 8 / 60 clients        fan   both
  rtt       one message at a time, Kamailio's own default workers and wait_idle
  sip       OPTIONS suspended by evapi_async_relay, answered by the application, 32 in flight
Higher is better everywhere but in rtt (milliseconds, the median message).

Kamailio's evapi leaves Nagle's algorithm on, so small windows measure its delayed-ACK stalls; that is
what its users get. Standard library only. Servers listen on loopback and are stopped at the end.
"""

import argparse
import re
import selectors
import shlex
import signal
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


class Server:
    def __init__(self, side: str, command: str, cfg: str):
        self.port, self.sip = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        self.work = tempfile.TemporaryDirectory(prefix="evapi-bench-")
        path = Path(self.work.name) / "bench.cfg"
        text = (HERE / "cfg" / cfg).read_text()
        path.write_text(text.replace("@PORT@", str(self.port)).replace("@SIPPORT@", str(self.sip)))
        self.log = (Path(self.work.name) / "log").open("wb")
        argv = shlex.split(command)
        if side == "kamailio":
            argv += ["-m", "4096", "-DD", "-E", "-Y", self.work.name, "-P", self.work.name + "/pid", "-f", str(path)]
        else:
            argv += ["run", str(path)]
        self.proc = subprocess.Popen(argv, stdout=self.log, stderr=self.log, cwd=self.work.name)
        end = time.monotonic() + 15
        while not listening(self.port):
            if self.proc.poll() is not None or time.monotonic() > end:
                text = Path(self.log.name).read_text(errors="replace")
                self.stop()
                raise SystemExit(f"{side} did not start with {cfg}:\n{text}")
            time.sleep(0.02)
        time.sleep(0.5)

    def connect(self) -> socket.socket:
        s = socket.create_connection(("127.0.0.1", self.port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.settimeout(20)
        return s

    def stop(self) -> None:
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.log.close()
        self.work.cleanup()


def frame(body: bytes) -> bytes:
    return b"%d:%b," % (len(body), body)


def stream(s: socket.socket, one: bytes, answer: int, n: int, window: int) -> float:
    """Messages a second through `s` with at most `window` unanswered; `answer`: bytes of one reply."""
    sent = got = 0
    buf = bytearray(1 << 20)
    start = time.perf_counter()
    while got < n * answer:
        room = window - (sent - got // answer)
        if sent < n and room > 0:
            k = min(room, n - sent)
            s.sendall(one * k)
            sent += k
        r = s.recv_into(buf)
        if not r:
            raise SystemExit("the server closed the connection")
        got += r
    return n / (time.perf_counter() - start)


def echo(server: Server, window: int, seconds: float) -> float:
    s = server.connect()
    time.sleep(0.2)
    body = b"x" * 100
    one, answer = frame(body), len(frame(b"echo: " + body))
    rate = stream(s, one, answer, max(window * 4, 64), window)  # warm-up, and how many fit the time
    return stream(s, one, answer, max(int(rate * seconds), window * 4), window)


def json_route(server: Server, seconds: float) -> float:
    s = server.connect()
    time.sleep(0.2)
    body = b'{"event":"call","id":12345,"data":{"from":"alice","to":"+4930123456","codecs":["opus","pcmu"]}}'
    s.sendall(frame(body))
    time.sleep(0.3)
    reply = s.recv(65536)  # the counter in later replies is hidden by a fixed width in the cfg
    rate = stream(s, frame(body), len(reply), 2048, 256)
    return stream(s, frame(body), len(reply), max(int(rate * seconds), 4096), 256)


def fan(server: Server, clients: int, seconds: float) -> float:
    subs = [server.connect() for _ in range(clients)]
    time.sleep(0.3)
    one = frame(b"y" * 200)
    selector = selectors.DefaultSelector()

    def burst(n: int) -> float:
        """Deliveries a second of `n` relays, at most 256 ahead of the slowest client."""
        done = dict.fromkeys(subs, 0)
        for sub in subs:
            sub.setblocking(False)
            selector.register(sub, selectors.EVENT_READ)
        buf = bytearray(1 << 20)
        sent = left = 0
        start = time.perf_counter()
        while left < clients:
            if sent < n and sent - min(done.values()) // len(one) < 256:
                k = min(64, n - sent)
                subs[0].setblocking(True)
                subs[0].sendall(one * k)
                subs[0].setblocking(False)
                sent += k
            for key, _ in selector.select(5):
                got = key.fileobj.recv_into(buf)
                if not got:
                    raise SystemExit("the server closed a connection")
                done[key.fileobj] += got
                if done[key.fileobj] >= n * len(one):
                    selector.unregister(key.fileobj)
                    left += 1
        return n * clients / (time.perf_counter() - start)

    rate = burst(512)
    return burst(max(int(rate / clients * seconds), 512))


def rtt(server: Server, seconds: float) -> float:
    s = server.connect()
    time.sleep(0.2)
    one = frame(b"x" * 100)
    times = []
    end = time.perf_counter() + max(seconds, 3)
    while time.perf_counter() < end and len(times) < 2000:
        start = time.perf_counter()
        s.sendall(one)
        s.recv(65536)
        times.append(time.perf_counter() - start)
        time.sleep(0.001)
    return statistics.median(times) * 1000


def sip(server: Server, seconds: float) -> float:
    app = server.connect()
    stop = threading.Event()

    def answer() -> None:
        find = re.compile(rb'"index": "(\d+)", "label": "(\d+)"')
        buf = b""
        app.settimeout(0.2)
        while not stop.is_set():
            try:
                buf += app.recv(1 << 16)
            except TimeoutError:
                continue
            cut = buf.rfind(b",", 0, len(buf)) + 1
            out = [frame(b'{"index":%b,"label":%b}' % m.groups()) for m in find.finditer(buf[:cut])]
            last = max((m.end() for m in find.finditer(buf[:cut])), default=0)
            buf = buf[last:]
            if out:
                app.sendall(b"".join(out))

    thread = threading.Thread(target=answer)
    thread.start()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    udp.bind(("127.0.0.1", 0))
    udp.settimeout(2)
    port, to, run = udp.getsockname()[1], ("127.0.0.1", server.sip), time.time_ns()

    def request(i: int) -> bytes:
        return (
            f"OPTIONS sip:bob@127.0.0.1:{server.sip} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{run}{i}\r\n"
            f"From: <sip:alice@127.0.0.1>;tag={i}\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: {run}-{i}@bench\r\n"
            f"CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContact: <sip:alice@127.0.0.1:{port}>\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    sent = ok = bad = 0
    start = time.perf_counter()
    try:
        while time.perf_counter() - start < seconds or ok + bad < sent:
            while sent - ok - bad < 32 and time.perf_counter() - start < seconds:
                udp.sendto(request(sent), to)
                sent += 1
            if ok + bad == sent:
                break
            first = udp.recv(65536)[8:9]
            ok += first == b"2"
            bad += first not in b"12"
    except TimeoutError:
        print(f"    {sent - ok - bad} of {sent} requests got no answer, {bad} a refusal", file=sys.stderr)
    took = time.perf_counter() - start
    stop.set()
    thread.join()
    udp.close()
    return ok / took


WORK = {
    **{f"echo-{w}": ("echo.cfg", lambda s, t, w=w: echo(s, w, t)) for w in (1, 16, 128, 1024)},
    "json": ("json.cfg", json_route),
    "fan-8": ("fan.cfg", lambda s, t: fan(s, 8, t)),
    "fan-60": ("fan.cfg", lambda s, t: fan(s, 60, t)),
    "rtt": ("rtt.cfg", rtt),
    "sip": ("sip.cfg", sip),
}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("work", nargs="*", default=list(WORK))
    ap.add_argument("-n", type=int, default=3, help="rounds")
    ap.add_argument("-s", type=float, default=1.5, help="seconds a measurement takes, about")
    ap.add_argument("--kamailio", default="kamailio")
    ap.add_argument("--evapi-cfg", default="evapi-cfg")
    ap.add_argument("--only", choices=("kamailio", "evapi-cfg"))
    args = ap.parse_args()
    chosen = [k for w in args.work for k in WORK if k == w or k.startswith(w + "-")]
    sides = {"kamailio": args.kamailio, "evapi-cfg": args.evapi_cfg}
    if args.only:
        sides = {args.only: sides[args.only]}
    head = f"{'workload':10}" + "".join(f"{s:>14}" for s in sides)
    print(head + ("     evapi-cfg / kamailio (min, median, max)" if len(sides) == 2 else ""))
    for name in chosen:
        cfg, measure = WORK[name]
        got: dict[str, list[float]] = {s: [] for s in sides}
        for _ in range(args.n):
            for side, command in sides.items():
                server = Server(side, command, cfg)
                try:
                    got[side].append(measure(server, args.s))
                finally:
                    server.stop()
        digits = 2 if name == "rtt" else 0
        row = f"{name:10}" + "".join(f"{statistics.median(v):14,.{digits}f}" for v in got.values())
        if len(sides) == 2:
            ratios = sorted(b / a for a, b in zip(got["kamailio"], got["evapi-cfg"], strict=True))
            row += f"     {ratios[0]:.4g}  {statistics.median(ratios):.4g}  {ratios[-1]:.4g}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
