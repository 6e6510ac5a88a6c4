#!/usr/bin/env python3
"""Drive one server through scripted cases and compare what it does with what Kamailio did.

A case is a text file: steps, a line `--- cfg`, and the kamailio.cfg that the server runs; behind it there may
be scripts in other languages, each below a line `--- NAME`, such as `--- script.py`.
The same case runs against a real Kamailio (`--target kamailio`) or against the project
(`--target evapi-cfg`).  What the server did is a transcript: script log lines, bytes sent
to each client, connections closed, SIP replies.  `--record --version V` writes it beside the case
as CASE.V.golden; without it the transcript is compared with the golden file. Where evapi-cfg
differs from Kamailio on purpose, what it must do is written by hand in CASE.evapi-cfg.golden.

Steps, one a line (`#` starts a comment):
  open C [ADDRESS]    client C connects to the evapi port, from ADDRESS if one is given
  send C TEXT         C sends TEXT as one netstring (or bare, if the case says `framing raw`)
  raw C BYTES         C sends BYTES as they are; \\n \\r \\t \\0 \\xHH \\\\ are understood
  close C             C closes its connection
  finish C            C says that it sends no more, and goes on reading
  sip N START-LINE    a SIP request from peer N over UDP, e.g. `sip u OPTIONS sip:bob@example.com`;
                      the indented lines below it are more headers, in place of the usual ones where they
                      name the same; @PEER@ is the peer's port; a blank indented line starts a body
  tcp N START-LINE    the same over a TCP connection of N's own, which is opened by its first step
  datagram N          the indented lines, joined by CR LF, as they are in one datagram of peer N; escapes as in
                      `raw`, and @PEER@, @SIPPORT@; end it with two blank indented lines
  stream N            the same bytes on N's TCP connection
  hangup N            N closes its TCP connection
  web PATH STATUS REASON   what the case's own HTTP server answers to requests for PATH from now on; the indented lines
                      below it are headers, and behind a blank indented line the body. Several for one PATH are given
                      one after the other. In place of the status: `silent` never answers, `hang up` closes the
                      connection, `after MS STATUS REASON` answers late. What it is asked is shown
  take C NAME REGEX   group 1 of REGEX in all that C has received; later steps write it ${NAME}
  wait MS             let MS milliseconds pass
  framing raw         sends are bare (netstring_format 0)
  repeats             what a peer receives more than once is shown each time, not only the first
  needs 6.1           the case needs at least this Kamailio version
  cfg FILE            the cfg is FILE, named from the case's folder, in place of `--- cfg`; 127.0.0.1:8448 and
                      127.0.0.1:5060 in it become the ports of this run
In the cfg, @PORT@ is the evapi port, @SIPPORT@ the SIP port, @WEBPORT@ that of the HTTP server, which is there then,
and a line @HEAD@ stands for head.cfg, which lies beside this script: the listen address, the modules and evapi's
modparams; @FOLDER@ is where the scripts are.

Only the standard library is used.  Exit status: 0 all as recorded, 1 some differ, 2 could not run.
"""

import argparse
import difflib
import json
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Protocol

QUIET = 0.12  # seconds without any output, and with the server's processes asleep, that end a step
POLL = 0.01  # seconds between two looks
DEADLINE = 20.0  # seconds a step may take at the most
START = 60.0  # seconds a server may take to listen

_taken: set[int] = set()
_taking = threading.Lock()


class Case:
    def __init__(self, path: Path):
        self.path = path
        head, _, rest = path.read_text().partition("--- cfg\n")
        self.cfg, *scripts = re.split(r"^--- (\S+\.\w+)\n", rest, flags=re.MULTILINE)
        self.scripts = dict(zip(scripts[::2], scripts[1::2], strict=True))
        self.steps: list[tuple[str, str, list[str]]] = []
        self.framing, self.needs, self.repeats = "netstring", None, False
        for line in head.splitlines():
            if line[:1] in (" ", "\t") and self.steps:
                self.steps[-1][2].append(line.strip())
                continue
            if not line.strip() or line.startswith("#"):
                continue
            verb, _, rest = line.partition(" ")
            if verb == "cfg":
                text = (path.parent / rest.strip()).read_text()
                self.cfg = text.replace("127.0.0.1:8448", "127.0.0.1:@PORT@").replace(":5060", ":@SIPPORT@")
                for name in re.findall(r'"(?:load|script_name)", "([^"/]+)"', text):
                    self.scripts[name] = (path.parent / rest.strip()).with_name(name).read_text()
            elif verb == "framing":
                self.framing = rest.strip()
            elif verb == "needs":
                self.needs = tuple(map(int, rest.split(".")))
            elif verb == "repeats":
                self.repeats = True
            else:
                self.steps.append((verb, rest, []))


def free_port(kind: int) -> int:
    """A port that nothing uses, below those that the system gives to clients, and never the same twice."""
    while True:
        port = random.randrange(12000, 32000)
        with _taking, socket.socket(socket.AF_INET, kind) as s:
            if port in _taken:
                continue
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            _taken.add(port)
            return port


def listening(port: int) -> bool:
    """Whether something listens on TCP `port`, without connecting to it."""
    want = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        if any(row.split()[1].endswith(want) and row.split()[3] == "0A" for row in rows):
            return True
    return False


def unescape(text: str) -> bytes:
    return re.sub(
        rb"\\(x[0-9A-Fa-f]{2}|.)",
        lambda m: (
            {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0"}.get(m[1])
            or (bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" and len(m[1]) == 3 else m[1])
        ),
        text.encode(),
    )


# What xlog and its like write, and KSR.info and its like of scripts.
KAM_LOG = re.compile(
    r"^\s*(?:\d+\(\d+\)\s+)?([A-Z]+): (?:\{[^}]*\} )?"
    r"(?:<script>|<core> \[core/kemi\.c:\d+\]: sr_kemi_core_(?:dbg|info|notice|warn|err|crit|log)\(\)): ?(.*)$"
)


class Process(Protocol):
    """What `subprocess.Popen` has."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...


def started(argv: list[str], log: IO[bytes], work: Path) -> Process:
    """A command in `work`, in a session of its own, its output in `log`."""
    return subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT, cwd=work, start_new_session=True)


Start = Callable[[list[str], IO[bytes], Path], Process]


class Server:
    """One server process with its log; `target` says how to start it and read its log."""

    def __init__(
        self,
        target: str,
        command: str,
        cfg: str,
        work: Path,
        scripts: dict[str, str] | None = None,
        flags: list[str] | None = None,
        start: Start = started,
    ):
        self.port, self.sip_port = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        self.target = target
        text = cfg.replace("@HEAD@", (Path(__file__).parent / "head.cfg").read_text())
        text = text.replace("@PORT@", str(self.port)).replace("@SIPPORT@", str(self.sip_port))
        text = text.replace("@FOLDER@", str(work))
        for name, script in (scripts or {}).items():
            (work / name).write_text(script)
        path = work / "case.cfg"
        path.write_text(text)
        self.log_path = work / "server.log"
        self.log_file = self.log_path.open("wb")
        if target == "kamailio":
            argv = [
                *shlex.split(command),
                "-m",
                "64",
                "-DD",
                "-E",
                "-w",
                str(work),
                "-Y",
                str(work),
                "-P",
                str(work / "pid"),
                "-f",
                str(path),
            ]
        else:
            argv = [*shlex.split(command), "run", "--allow-exec", "--log-format", "json", *(flags or []), str(path)]
        self.proc = start(argv, self.log_file, work)
        self.read_to = 0
        end = time.monotonic() + START
        while not listening(self.port):
            if self.proc.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError("the server did not start:\n" + self.log_path.read_text(errors="replace"))
            time.sleep(0.05)  # a look at the table of all sockets is dear
        time.sleep(0.3 if target == "kamailio" else 0.05)
        self.pids = [
            pid
            for pid in map(int, filter(str.isdecimal, os.listdir("/proc")))
            if self.stat(pid)[3:4] == [str(self.proc.pid)]
        ]

    @staticmethod
    def stat(pid: int) -> list[str]:
        """Fields of /proc/PID/stat from the state on: state, parent, group, session ..."""
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return []

    def busy(self) -> bool:
        """Whether one of its processes runs or waits for a processor: its silence says nothing then."""
        return any(self.stat(pid)[:1] in (["R"], ["D"]) for pid in self.pids)

    def new_log(self) -> list[str]:
        if os.stat(self.log_path).st_size == self.read_to:
            return []
        data = self.log_path.read_bytes()
        cut = data.rfind(b"\n") + 1
        if self.target == "kamailio":
            # a script's last line may lack its newline: take what is there
            cut = max(cut, len(data))
        chunk, self.read_to = data[self.read_to : cut], max(self.read_to, cut)
        lines = []
        for raw in chunk.decode(errors="replace").splitlines():
            if self.target == "kamailio":
                if m := KAM_LOG.match(raw):
                    lines.append(f"log {m[1]} {m[2].rstrip()}")
            else:
                try:
                    record = json.loads(raw)
                except ValueError:
                    continue
                if record.get("source") == "script":
                    for part in record["msg"].rstrip("\n").split("\n"):
                        lines.append(f"log {record['level']} {part.rstrip()}")
        return [line for line in lines if not line.endswith(" ")] or []

    def stop(self) -> None:
        if self.proc.poll() is None:
            os.killpg(self.proc.pid, signal.SIGTERM)
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.proc.pid, signal.SIGKILL)
                self.proc.wait()
        self.log_file.close()


class Stream:
    """A peer's TCP connection to the SIP port."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.buffer = b""
        self.ended = False

    def read(self) -> list[bytes]:
        """The whole messages that have come, and what comes between them."""
        try:
            data = self.socket.recv(1 << 16)
            self.ended = not data
        except BlockingIOError:
            return []
        except OSError:
            data, self.ended = b"", True
        self.buffer += data
        found = []
        while self.buffer:
            blank = len(self.buffer) - len(self.buffer.lstrip(b"\r\n"))
            if blank:
                found.append(self.buffer[:blank])
                self.buffer = self.buffer[blank:]
                continue
            head, end, _ = self.buffer.partition(b"\r\n\r\n")
            length = re.search(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", head)
            size = len(head) + 4 + int(length[1] if length else 0)
            if not end or len(self.buffer) < size:
                break
            found.append(self.buffer[:size])
            self.buffer = self.buffer[size:]
        return found


class Web:
    """A small HTTP server that answers as the case's `web` steps say, and keeps what it is asked."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[str, list[str]]]] = {}
        self.asked: list[str] = []
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                peer = self._listening.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with peer, peer.makefile("rb") as stream:
                while self._answer(peer, stream):
                    pass
        except OSError:
            pass

    def _answer(self, peer: socket.socket, stream) -> bool:
        """One request and its answer; whether the connection stays."""
        first = stream.readline().decode("latin-1").rstrip()
        if not first:
            return False
        headers = []
        while line := stream.readline().decode("latin-1").rstrip():
            headers.append(line)
        size = next((int(h.partition(":")[2]) for h in headers if h.lower().startswith("content-length:")), 0)
        if any(h.lower().startswith("expect:") for h in headers):
            peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = stream.read(size).decode("latin-1")
        # where it goes and how long the body is says nothing new; nor do blanks around a value
        shown = [": ".join(part.strip() for part in h.split(":", 1)) for h in sorted(headers, key=str.lower)]
        shown = [h for h in shown if not re.match("(?i)host:|content-length:", h)]
        self.asked += [f"web < {first}", *(f"web <   {h}" for h in shown), *([f"web <   | {body!r}"] if body else [])]
        path = [*first.split(), "", ""][1]
        planned = self.answers.get(path, [("404 Not Found", [])])
        how, lines = planned.pop(0) if len(planned) > 1 else planned[0]
        if how == "hang up":
            return False
        if how == "silent":
            self._ended.wait()
            return False
        if how.startswith("after "):
            _, ms, how = how.split(" ", 2)
            self._ended.wait(float(ms) / 1000)
        given = lines[: lines.index("")] if "" in lines else lines
        data = unescape("\\r\\n".join(lines[len(given) + 1 :]))
        framed = any(re.match("(?i)content-length:|transfer-encoding:", h) for h in given)
        if not framed and how[:3] not in ("204", "304"):
            given = [*given, f"Content-Length: {len(data)}"]
        peer.sendall("\r\n".join([f"HTTP/1.1 {how}", *given, "", ""]).encode() + data)
        return not any(re.match("(?i)connection: *close", h) for h in given)

    def close(self) -> None:
        self._ended.set()
        self._listening.close()


class Play:
    def __init__(self, case: Case, server: Server, web: Web | None = None):
        self.case, self.server, self.web = case, server, web
        self.clients: dict[str, socket.socket] = {}
        self.peers: dict[str, socket.socket] = {}
        self.streams: dict[str, Stream] = {}
        self.received: dict[str, bytes] = {}
        self.seen: set[bytes] = set()
        self.names: dict[str, str] = {}
        self.hide: list[tuple[str, str]] = [(str(server.port), "<port>"), (str(server.sip_port), "<sipport>")]
        if web is not None:
            self.hide.append((str(web.port), "<webport>"))
        self.out: list[str] = []
        self.cseq = 0

    def settle(self) -> None:
        """Record all that the server does until it has been quiet for a while.

        The last look at its output is one that began when it was asleep: on a busy machine silence alone may mean
        that the server, or this program, has had no processor.
        """
        logs: list[str] = []
        got: dict[str, bytes] = {}
        ended: list[str] = []
        replies: dict[str, list[bytes]] = {}
        webs: list[str] = []
        start = last = time.monotonic()
        while True:
            now = time.monotonic()
            asleep = now - last >= QUIET and not self.server.busy()
            seen = last
            for name, s in list(self.clients.items()):
                try:
                    data = s.recv(1 << 20)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""
                last = time.monotonic()
                if data:
                    got[name] = got.get(name, b"") + data
                    self.received[name] = self.received.get(name, b"") + data
                else:
                    ended.append(name)
                    s.close()
                    del self.clients[name]
            for name, s in self.peers.items():
                try:
                    reply = s.recv(65536)
                    if self.case.repeats or reply not in self.seen:  # a retransmission says nothing new
                        self.seen.add(reply)
                        replies.setdefault(name, []).append(reply)
                        last = time.monotonic()
                except BlockingIOError:
                    pass
            for name, stream in list(self.streams.items()):
                if messages := stream.read():
                    replies.setdefault(name, []).extend(messages)
                    last = time.monotonic()
                if stream.ended:
                    ended.append(name)
                    stream.socket.close()
                    del self.streams[name]
                    last = time.monotonic()
            if fresh := self.server.new_log():
                logs += fresh
                last = time.monotonic()
            if self.web is not None and self.web.asked:
                asked, self.web.asked = self.web.asked, []
                webs += asked
                last = time.monotonic()
            if (asleep and last == seen) or now - start > DEADLINE:
                break
            time.sleep(POLL)
        self.out += webs + logs
        for name in sorted(got):
            text = got[name].decode("latin-1").encode("unicode_escape").decode()
            self.out.append(f"{name} < {text}")
        self.out += [f"{name} closed by server" for name in sorted(ended)]
        for name in sorted(replies):
            for reply in replies[name]:
                self.out += self.sip_lines(name, reply)
                self.received[name] = self.received.get(name, b"") + reply

    def sip_lines(self, name: str, reply: bytes) -> list[str]:
        """The start line, the headers that routing decides, and the body of a SIP message."""
        head, _, body = reply.partition(b"\r\n\r\n")
        first, *rest = head.decode(errors="replace").split("\r\n")
        if not head.strip():
            return [f"{name} < {reply!r}"]
        keep = [
            h
            for h in rest
            if not re.match(
                r"(?i)(via|from|to|call-id|cseq|server|user-agent|content-length|max-forwards|contact|date)\b", h
            )
        ]
        lines = [f"{name} < {first}"] + [f"{name} <   {h}" for h in keep]
        return lines + ([f"{name} <   | {body.decode(errors='replace')!r}"] if body else [])

    def fill(self, text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda m: self.names.get(m[1], "?"), text)

    def step(self, verb: str, rest: str, more: list[str]) -> None:
        name, _, arg = rest.partition(" ")
        arg = self.fill(arg)
        if verb == "open":
            s = socket.create_connection(("127.0.0.1", self.server.port), source_address=(arg, 0) if arg else None)
            self.hide.append((str(s.getsockname()[1]), f"<port of {name}>"))
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.clients[name] = s
        elif verb in ("send", "raw", "close", "finish") and name not in self.clients:
            self.out.append(f"{name} is not connected")
            return
        elif verb == "send":
            body = arg.encode()
            frame = body if self.case.framing == "raw" else b"%d:%b," % (len(body), body)
            self.clients[name].sendall(frame)
        elif verb == "raw":
            self.clients[name].sendall(unescape(arg))
        elif verb == "close":
            self.clients.pop(name).close()
        elif verb == "finish":
            self.clients[name].shutdown(socket.SHUT_WR)
        elif verb in ("sip", "datagram"):
            peer = self.peer(name)
            port = peer.getsockname()[1]
            data = self.request("UDP", port, arg, more) if verb == "sip" else self.lines(port, more)
            peer.sendto(data, ("127.0.0.1", self.server.sip_port))
        elif verb in ("tcp", "stream"):
            if name not in self.streams:
                self.streams[name] = Stream(self.server.sip_port)
                self.hide.append((str(self.streams[name].port), f"<port of {name}>"))
            stream = self.streams[name]
            data = self.request("TCP", stream.port, arg, more) if verb == "tcp" else self.lines(stream.port, more)
            stream.socket.sendall(data)
        elif verb == "hangup":
            self.streams.pop(name).socket.close()
        elif verb == "take":
            label, _, regex = arg.partition(" ")
            m = re.search(regex, self.received.get(name, b"").decode(errors="replace"))
            self.names[label] = m[1] if m else ""
            if m:
                self.hide.insert(0, (m[1], f"<{label}>"))  # in front of a port that happens to be the same number
            return
        elif verb == "web":
            assert self.web is not None, "the cfg has no @WEBPORT@"
            more = [self.fill(line).replace("@WEBPORT@", str(self.web.port)) for line in more]
            self.web.answers.setdefault(name, []).append((arg, more))
            return
        elif verb == "wait":
            time.sleep(float(name) / 1000)
        else:
            raise ValueError(f"{self.case.path.name}: unknown step {verb!r}")
        self.settle()

    def peer(self, name: str) -> socket.socket:
        """The UDP socket of a SIP peer."""
        if name not in self.peers:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind(("127.0.0.1", 0))
            made.setblocking(False)
            self.peers[name] = made
            self.hide.append((str(made.getsockname()[1]), f"<port of {name}>"))
        return self.peers[name]

    def lines(self, port: int, more: list[str]) -> bytes:
        text = "\\r\\n".join(more).replace("@PEER@", str(port)).replace("@SIPPORT@", str(self.server.sip_port))
        return unescape(self.fill(text))

    def request(self, transport: str, port: int, start: str, more: list[str]) -> bytes:
        self.cseq += 1
        method, uri = start.split()[:2]
        headers, body = [self.fill(line).replace("@PEER@", str(port)) for line in more], ""
        if "" in headers:
            cut = headers.index("")
            headers, body = headers[:cut], "\r\n".join(headers[cut + 1 :])
        given = {h.split(":")[0].strip().lower() for h in headers}
        lines = [f"{method} {uri} SIP/2.0"]
        for key, value in (
            ("Via", f"SIP/2.0/{transport} 127.0.0.1:{port};branch=z9hG4bK{os.getpid()}{self.cseq}"),
            ("Max-Forwards", "70"),
            ("From", "<sip:alice@example.com>;tag=fromtag1"),
            ("To", f"<{uri}>"),
            ("Call-ID", f"call{self.cseq}@case"),
            ("CSeq", f"{self.cseq} {method}"),
            ("Contact", f"<sip:alice@127.0.0.1:{port}>"),
        ):
            if key.lower() not in given:
                lines.append(f"{key}: {value}")
        lines += headers
        lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def run(self) -> str:
        try:
            self.settle()
            for verb, rest, more in self.case.steps:
                if verb not in ("take", "web"):
                    self.out.append(f"> {verb} {rest}")
                self.step(verb, rest, more)
        finally:
            for s in [*self.clients.values(), *self.peers.values(), *(s.socket for s in self.streams.values())]:
                s.close()
        text = "\n".join(self.out) + "\n"
        for secret, shown in sorted(self.hide, key=lambda p: -len(p[0])):
            text = re.sub(rf"(?<!\d){re.escape(secret)}(?!\d)", shown, text)
        # a netstring's length counts the digits of a hidden number: hide it where one is inside
        return re.sub(r"(?<![\d.])\d+:(?=[^\n]*<(?:port|index|label))", "N:", text)


def play(case: Case, target: str, command: str, start: Start) -> tuple[str, str]:
    """The transcript, and the end of the server's own log."""
    with tempfile.TemporaryDirectory(prefix="evapi-case-") as work:
        web = Web() if "@WEBPORT@" in case.cfg else None
        try:
            cfg = case.cfg if web is None else case.cfg.replace("@WEBPORT@", str(web.port))
            server = Server(target, command, cfg, Path(work), case.scripts, start=start)
            try:
                text = Play(case, server, web).run()
            finally:
                server.stop()
        finally:
            if web is not None:
                web.close()
        lines = server.log_path.read_text(errors="replace").splitlines()
        return text, "".join(f"    {line}\n" for line in lines if "script" not in line and "DEBUG" not in line)[-1500:]


class Outcome:
    """What came of one case: `state` is same, differs or skipped; `report` is what to print about it."""

    def __init__(self, case: Case, state: str, report: str = "", text: str = ""):
        self.case, self.state, self.report, self.text = case, state, report, text


def golden_of(case: Case, target: str, version: str) -> Path:
    """The file with the transcript that is expected of `target`."""
    ours = case.path.with_suffix(".evapi-cfg.golden")
    return ours if target == "evapi-cfg" and ours.exists() else case.path.with_suffix(f".{version}.golden")


def judge(
    path: Path,
    target: str,
    command: str,
    version: str,
    again: bool = False,
    record: bool = False,
    start: Start = started,
) -> Outcome:
    """Play one case and compare it with its golden file, or write that file."""
    case = Case(path)
    if case.needs and tuple(map(int, version.split("."))) < case.needs:
        return Outcome(case, "skipped")
    golden = case.path.with_suffix(f".{version}.golden") if record else golden_of(case, target, version)
    if not record and not golden.exists():
        return Outcome(case, "skipped", f"no golden file: {golden.name}\n")
    for _ in range(2 if again else 1):
        log = ""
        try:
            text, log = play(case, target, command, start)
        except (RuntimeError, OSError, ValueError) as err:
            text = f"could not run: {err}\n"
        if record:
            golden.write_text(text)
            return Outcome(case, "same", text=text)
        if text == golden.read_text():
            return Outcome(case, "same", text=text)
    expected = golden.read_text().splitlines(True)
    diff = difflib.unified_diff(expected, text.splitlines(True), golden.name, target)
    return Outcome(case, "differs", f"--- {path.name}\n{''.join(diff)}  the server's log:\n{log}", text)


def main() -> int:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("cases", nargs="+", type=Path, help="case files or folders of *.case")
    ap.add_argument("--target", choices=("kamailio", "evapi-cfg"), default="evapi-cfg")
    ap.add_argument("--command", help="the server's command (default: kamailio, or evapi-cfg)")
    ap.add_argument("--version", default="6.1", help="Kamailio version that the golden files are of")
    ap.add_argument("--record", action="store_true", help="write CASE.VERSION.golden instead of comparing")
    ap.add_argument("--show", action="store_true", help="print every transcript")
    ap.add_argument("--jobs", type=int, default=1, help="cases played at the same time, each on a server of its own")
    ap.add_argument("--again", action="store_true", help="play a case that differs once more before it counts")
    args = ap.parse_args()
    command = args.command or args.target
    files = sorted(f for p in args.cases for f in (p.glob("*.case") if p.is_dir() else [p]))
    count = dict.fromkeys(("same", "differs", "skipped"), 0)
    with ThreadPoolExecutor(args.jobs) as pool:
        for outcome in pool.map(
            lambda path: judge(path, args.target, command, args.version, args.again, args.record), files
        ):
            if args.show:
                print(f"=== {outcome.case.path.name}\n{outcome.text}")
            if outcome.report:
                print(outcome.report, end="", flush=True)
            count[outcome.state] += 1
    print(f"{count['same']} as Kamailio {args.version}, {count['differs']} differ, {count['skipped']} skipped")
    return 1 if count["differs"] else 0


if __name__ == "__main__":
    sys.exit(main())
