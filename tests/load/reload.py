#!/usr/bin/env python3
"""A server whose file is read again and again under load: nothing is lost, doubled or cut, and nobody waits for long.

    reload.py --reloads 200 --rate 20000 --parked 500 --lines 1000

Clients send numbered messages; each answer tells which program has made it. In between the file is replaced, by a good
and by a bad one in turn, and `evapi-cfg.reload` is asked. SIP requests are parked all the while: those that name a
route which every program has are resumed in the newest one, others in the one that has parked them. Each message has
one answer, in its order; the programs of a client's answers only go up; a counter in $shv has counted each message
once; tags, which are given when a client connects, still hold.

A pause is the longest that a message has waited for its answer from when a reload is asked until 50 ms after it was
done. Behind each reload there is as long without one, which tells what the machine itself had to do with it: others may
be at work there. Exit status: 0 all is well, 1 something was lost or too slow, 2 it could not be done.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from itertools import accumulate
from multiprocessing.connection import Connection
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICK = 0.001  # seconds between two batches of a client
BEHIND = 0.05  # seconds behind a reload that still count as its own
MOST = 20.0  # ms that the pauses may have as their p99

HEAD = """#!KAMAILIO
loadmodule "pv"
loadmodule "xlog"
loadmodule "tm"
loadmodule "tmx"
loadmodule "sl"
loadmodule "textops"
loadmodule "htable"
loadmodule "evapi"
listen=udp:127.0.0.1:@SIPPORT@
modparam("evapi", "bind_addr", "127.0.0.1:@PORT@")
modparam("evapi", "max_clients", 100)
modparam("tm", "fr_timer", 600000)
modparam("tm", "max_noninv_lifetime", 600000)
modparam("htable", "htable", "t=>size=8;autoexpire=3600")

request_route {
  evapi_async_unicast("$T(id_index) $T(id_label) $ci @NUMBER@", "application");
  exit;
}

event_route[evapi:connection-new] {
  $shv(connected) = $shv(connected) + 1;
  evapi_set_tag("c$evapi(conidx)");
}

event_route[evapi:message-received] {
  $shv(messages) = $shv(messages) + 1;
  if($(evapi(msg){s.substr,0,1}) == "!") {
    if($evapi(msg) == "!application") {
      evapi_set_tag("application");
      evapi_unicast("ready", "application");
      return;
    }
    $var(index) = $(evapi(msg){s.select,1, }{s.int});
    $var(label) = $(evapi(msg){s.select,2, }{s.int});
    t_continue("$var(index)", "$var(label)", "$(evapi(msg){s.select,3, })");
    return;
  }
  evapi_unicast("@NUMBER@ $evapi(msg) $shv(messages)", "c$evapi(conidx)");
}

route[RESUME] {
  t_reply("200", "by-@NUMBER@");
}

route[RESUME_@NUMBER@] {
  t_reply("200", "by-@NUMBER@");
}
"""
FILLING = """
route[F@N@] {
  $var(a@N@) = $var(a@N@) + @NUMBER@;
  if($evapi(msg) =~ "^abc@N@[0-9]+$" && $var(b) != @N@) {
    xlog("L_DBG", "client $evapi(conidx) said $(evapi(msg){s.substr,0,10}) number @N@\\n");
    $sht(t=>k$var(b)) = $shv(n@N@) + 1;
    evapi_unicast("{\\"a\\": \\"$evapi(msg)\\"}", "c@N@");
  } else {
    switch($var(c)) {
      case "x":
        $avp(x) = $avp(y) + "$fU";
        break;
      default:
        route(F@NEXT@);
    }
  }
  return 1;
}
"""
BAD = (
    "route[BAD] { frobnicate(); }\n",
    "route[BAD] { if($var(x) == 1 { exit; }\n",
    "route[BAD] { route(NOWHERE); }\n",
    'modparam("evapi", "max_clients", "many")\n',
)


def program(number: int, lines: int, port: int, sip_port: int) -> str:
    text = HEAD
    count = max(lines - text.count("\n"), 0) // FILLING.count("\n")
    for place in range(count):
        text += FILLING.replace("@N@", str(place)).replace("@NEXT@", str(place + 1))
    text += f"route[F{count}] {{ return; }}\n"
    for name, value in {"NUMBER": number, "PORT": port, "SIPPORT": sip_port}.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


# ---- messages, in a process of their own


class Client:
    """Sends numbered messages, and holds the answers against them."""

    def __init__(self, port: int, name: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.name = name
        self.sent: list[float] = []  # when each message was sent
        self.answered = 0
        self.program = 0
        self.faults: list[str] = []
        self.counts: list[int] = []
        self._rest = b""
        self._unsent = b""

    def send(self, count: int) -> None:
        now = time.perf_counter()
        for _ in range(count):
            text = b"%d-%d" % (self.name, len(self.sent))
            self._unsent += b"%d:%b," % (len(text), text)
            self.sent.append(now)
        if self._unsent:
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                return

    def read(self, waits: list[tuple[float, float]]) -> None:
        """Takes what is there; `waits` gets when each answer came and how long it was waited for."""
        data = self._rest + self.socket.recv(1 << 18)
        now = time.perf_counter()
        at = 0
        while (colon := data.find(b":", at, at + 8)) > 0:
            end = colon + 1 + int(data[at:colon])
            if end >= len(data):
                break
            if data[end : end + 1] != b",":
                self.faults.append(f"no frame: {data[at : end + 1]!r}")
            self._answer(data[colon + 1 : end].decode(), now, waits)
            at = end + 1
        self._rest = data[at:]

    def _answer(self, text: str, now: float, waits: list[tuple[float, float]]) -> None:
        number, message, count = text.split(" ")
        if message != f"{self.name}-{self.answered}":
            self.faults.append(f"{message} was answered where {self.name}-{self.answered} should have been")
        if int(number) < self.program:
            self.faults.append(f"{message}: program {number} behind {self.program}")
        self.program = int(number)
        self.counts.append(int(count))
        waits.append((now, now - self.sent[self.answered]))
        self.answered += 1


def clients(port: int, count: int, rate: int, pipe: Connection) -> None:
    """Until something comes through the pipe; what came of it goes back."""
    pin(1)
    selector = selectors.DefaultSelector()
    all_ = [Client(port, name) for name in range(count)]
    for client in all_:
        selector.register(client.socket, selectors.EVENT_READ, client)
    waits: list[tuple[float, float]] = []
    late: list[tuple[float, float]] = []
    pipe.send(None)
    began = last = time.perf_counter()
    sent = 0
    while not pipe.poll():
        now = time.perf_counter()
        late.append((now, now - last))
        last = now
        due = int((now - began) * rate) - sent
        sent += due
        for place, client in enumerate(all_):
            client.send(due // count + (place < due % count))
        until = now + TICK
        while (left := until - time.perf_counter()) > 0:
            for key, _events in selector.select(left):
                key.data.read(waits)
    seconds = time.perf_counter() - began
    end = time.perf_counter() + 10
    while any(client.answered < len(client.sent) for client in all_) and time.perf_counter() < end:
        for client in all_:
            client.send(0)
        for key, _events in selector.select(0.1):
            key.data.read(waits)
    faults = [fault for client in all_ for fault in client.faults[:5]]
    faults += [
        f"client {client.name}: {len(client.sent) - client.answered} messages have no answer"
        for client in all_
        if client.answered < len(client.sent)
    ]
    counts = sorted(number for client in all_ for number in client.counts)
    if len(set(counts)) != len(counts):
        faults.append("the counter has counted two messages as one")
    for client in all_:
        client.socket.close()
    pipe.send((faults, waits, late, sent, seconds, counts[-1] if counts else 0))


def pin(core: int) -> None:
    """On a core of its own, where there are several."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


# ---- requests that are parked


class Parked:
    """Requests that wait for an answer of the application, which this is as well."""

    def __init__(self, port: int, sip_port: int) -> None:
        self.application = socket.create_connection(("127.0.0.1", port))
        self.caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.caller.connect(("127.0.0.1", sip_port))
        for each in (self.application, self.caller):
            each.settimeout(30)
        self.waiting: dict[str, tuple[str, str, int]] = {}  # by Call-ID: index, label, the program that has parked it
        self.made = self.resumed = self.in_old = 0
        self.faults: list[str] = []
        self._rest = b""
        self._say("!application")
        self.application.recv(100)

    def _say(self, text: str) -> None:
        self.application.sendall(b"%d:%b," % (len(text), text.encode()))

    def park(self, count: int) -> None:
        host, port = self.caller.getsockname()
        for _ in range(count):
            call = f"call{self.made}"
            self.made += 1
            self.caller.send(
                f"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag={call}\r\nTo: <sip:bob@example.com>\r\n"
                f"Call-ID: {call}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n".encode()
            )
        wanted = len(self.waiting) + count
        while len(self.waiting) < wanted:
            self._rest += self.application.recv(1 << 16)
            while (found := re.match(rb"\d+:(\d+) (\d+) (\S+) (\d+),", self._rest)) is not None:
                index, label, call_id, number = (part.decode() for part in found.groups())
                self.waiting[call_id] = index, label, int(number)
                self._rest = self._rest[found.end() :]

    def resume(self, count: int, newest: int) -> None:
        """Resumes some of them: every second one by the route that only its own program has."""
        for call in random.sample(sorted(self.waiting), count):
            index, label, parked_by = self.waiting.pop(call)
            own = self.resumed % 2 == 1
            self._say(f"! {index} {label} {f'RESUME_{parked_by}' if own else 'RESUME'}")
            reply = self.caller.recv(1 << 16).decode()
            wanted = parked_by if own else newest
            self.resumed += 1
            self.in_old += own and parked_by != newest
            if not reply.startswith(f"SIP/2.0 200 by-{wanted}\r\n") or f"Call-ID: {call}\r\n" not in reply:
                self.faults.append(f"{call}, parked by {parked_by}, resumed in {newest}: {reply[:60]!r}")

    def nothing_more(self) -> None:
        """Nothing is left to be read: no reply has come twice."""
        self.caller.settimeout(0.5)
        try:
            self.faults.append(f"a reply too many: {self.caller.recv(1 << 16)[:60]!r}")
        except TimeoutError:
            return


# ---- the file is read again


class Rpc:
    def __init__(self, path: Path, work: Path) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(work / "asking.sock"))
        self._socket.settimeout(60)

    def ask(self, method: str, *params: object) -> dict[str, object]:
        request = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        self._socket.sendto(json.dumps(request).encode(), self._path)
        return dict(json.loads(self._socket.recv(1 << 20)))


def memory(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def at(part: float, values: list[float]) -> float:
    """The value below which this part of them lies."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)] if values else 0.0


def run(args: argparse.Namespace, work: Path) -> list[str]:
    cfg, rpc_path, log = work / "my.cfg", work / "rpc.sock", work / "log"
    port, sip_port = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    cfg.write_text(program(1, args.lines, port, sip_port))
    argv = [args.evapi_cfg, "run", "--log-level", "INFO", "--rpc", f"unix:{rpc_path}", str(cfg)]
    with log.open("w") as output:
        server = subprocess.Popen(argv, stderr=output, preexec_fn=lambda: pin(0))
    here, there = multiprocessing.Pipe()
    worker = multiprocessing.Process(target=clients, args=(port, args.clients, args.rate, there))
    pin(1)
    try:
        for _ in range(600):
            if server.poll() is not None or "listening on" in log.read_text():
                break
            time.sleep(0.1)
        if server.poll() is not None:
            raise RuntimeError(log.read_text())
        parked = Parked(port, sip_port)
        parked.park(args.parked)
        rpc = Rpc(rpc_path, work)
        worker.start()
        here.recv()
        time.sleep(args.quiet)
        reloads: list[tuple[float, float, bool]] = []
        rests: list[tuple[float, float, bool]] = []
        faults: list[str] = []
        newest, memories = 1, [memory(server.pid)]
        for number in range(2, args.reloads + 2):
            good = number % 2 == 0
            text = program(number if good else newest, args.lines, port, sip_port)
            (work / "new.cfg").write_text(text if good else text + BAD[number // 2 % len(BAD)])
            os.replace(work / "new.cfg", cfg)
            began = time.perf_counter()
            answer = rpc.ask("evapi-cfg.reload")
            reloads.append((began, time.perf_counter(), good))
            if good != ("result" in answer):
                faults.append(f"reload {number}, {'good' if good else 'bad'}: {answer}")
            newest = number if good else newest
            parked.resume(args.resumed, newest)
            parked.park(args.resumed)
            memories.append(memory(server.pid))
            time.sleep(args.gap)
            rests.append((time.perf_counter(), time.perf_counter() + reloads[-1][1] - reloads[-1][0], good))
            time.sleep(rests[-1][1] - rests[-1][0] + BEHIND)
        here.send(None)
        found, waits, late, sent, seconds, counted = here.recv()
        worker.join()
        parked.resume(len(parked.waiting), newest)
        parked.nothing_more()
        known = rpc.ask("evapi-cfg.generation")["result"]
        connected = rpc.ask("pv.shvGet", "connected")["result"]
    finally:
        if worker.pid is not None and worker.is_alive():
            worker.kill()
        server.terminate()
        server.wait(30)
    faults += found + parked.faults
    extra = parked.resumed + 1  # what the application has said
    if counted > sent + extra:
        faults.append(f"the counter is at {counted} where {sent + extra} messages were sent")
    if args.clients + 1 != dict(connected)["value"]:  # type: ignore[call-overload]
        faults.append(f"connection-new has run {connected} times for {args.clients + 1} clients")
    if any(line.startswith("CRITICAL") for line in log.read_text().splitlines()):
        faults.append(log.read_text()[-2000:])
    tell(args, waits, late, reloads, rests, sent, seconds, faults)
    print(f"{parked.resumed:,} requests resumed, {parked.in_old:,} of them in an older program than the newest")
    print(f"the server knows: {known}; memory {memories[0]:.0f} MB, {max(memories):.0f} at most, {memories[-1]:.0f}")
    return faults


def spread(values: list[float]) -> str:
    p50, p90, p99 = (at(part, values) for part in (0.5, 0.9, 0.99))
    return f"p50 {p50:.2f} ms, p90 {p90:.2f}, p99 {p99:.2f}, most {max(values):.2f}"


def within(waits: list[tuple[float, float]], began: float, ended: float) -> list[tuple[float, float]]:
    """The answers that came between two moments; `waits` stand in the order of when they came."""
    return waits[bisect_left(waits, (began, 0.0)) : bisect_left(waits, (ended, 0.0))] or [(began, 0.0)]


def tell(
    args: argparse.Namespace,
    waits: list[tuple[float, float]],
    late: list[tuple[float, float]],
    reloads: list[tuple[float, float, bool]],
    rests: list[tuple[float, float, bool]],
    sent: int,
    seconds: float,
    faults: list[str],
) -> None:
    """`waits`: when an answer came, and how long it was waited for; `late`: when the load was at work, and how long it
    had not been."""
    print(f"{sent:,} messages in {seconds:.1f} s ({sent / seconds:,.0f} /s), {len(waits):,} answered")
    # How long the load itself has been late so far: what is in a wait of that is not the server's.
    moments = [when for when, _gap in late]
    so_far = list(accumulate(max(gap - 2 * TICK, 0.0) for _when, gap in late))

    def own(when: float) -> float:
        place = bisect_right(moments, when)
        return so_far[place - 1] if place else 0.0

    first = reloads[0][0]
    during: list[float] = []
    pauses: dict[str, list[float]] = {"good": [], "bad": []}
    without: list[float] = []
    for began, ended, good in reloads:
        inside = within(waits, began, ended + BEHIND)
        during += [wait * 1000 for _when, wait in inside]
        pauses["good" if good else "bad"].append(max(wait for _when, wait in inside) * 1000)
        without.append(max(wait - own(when) + own(when - wait) for when, wait in inside) * 1000)
    rest = [max(wait for _when, wait in within(waits, began, ended + BEHIND)) * 1000 for began, ended, _good in rests]
    both = pauses["good"] + pauses["bad"]
    print(f"a message without reloads waits {spread([wait * 1000 for when, wait in waits if when < first])}")
    print(f"a message during reloads waits  {spread(during)}")
    for name, values in (*pauses.items(), ("all", both)):
        print(f"pauses of {len(values)} {name} reloads: {spread(values)}")
    print(f"without what the load itself was late by: {spread(without)}")
    print(f"as long without a reload, behind each:    {spread(rest)}")
    times = [(ended - began) * 1000 for began, ended, good in reloads if good]
    print(f"a good reload takes {statistics.median(times):.0f} ms, {max(times):.0f} at most ({args.lines} lines)")
    if at(0.99, both) > args.most:
        faults.append(f"the pauses' p99 is {at(0.99, both):.1f} ms, more than {args.most:g}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evapi-cfg", default=str(Path(sys.executable).with_name("evapi-cfg")))
    parser.add_argument("--reloads", type=int, default=200, help="good and bad ones in turn")
    parser.add_argument("--rate", type=int, default=20_000, help="messages a second")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--parked", type=int, default=500, help="requests that are parked all the while")
    parser.add_argument("--resumed", type=int, default=4, help="of which so many are resumed behind each reload")
    parser.add_argument("--lines", type=int, default=1000, help="lines of the file")
    parser.add_argument("--gap", type=float, default=0.1, help="seconds between two reloads")
    parser.add_argument("--quiet", type=float, default=3.0, help="seconds without reloads before the first one")
    parser.add_argument("--most", type=float, default=MOST, help="ms that the pauses' p99 may be")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        try:
            faults = run(args, Path(name))
        except (OSError, RuntimeError) as error:
            print(error, file=sys.stderr)
            return 2
    for fault in faults[:20]:
        print(f"FAULT: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
