"""evapi-cfg as a process under test: how it is started, and what the system says of it."""

from __future__ import annotations

import os
import re
import resource
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = shlex.join([sys.executable, "-m", "evapi_cfg"])
HEAD = """#!KAMAILIO
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "cfgutils.so"
loadmodule "evapi.so"
modparam("evapi", "workers", 0)
modparam("evapi", "max_clients", 30000)
modparam("evapi", "bind_addr", "127.0.0.1:1")
"""
TO_ALL = 'event_route[evapi:message-received] { evapi_relay("$evapi(msg)"); }\n'
TO_ITSELF = """event_route[evapi:connection-new] { evapi_set_tag("$evapi(conidx)"); }
event_route[evapi:message-received] { evapi_unicast("$evapi(msg)", "$evapi(conidx)"); }
"""
# What begins with `>` to all, all else to itself.
EITHER = """event_route[evapi:connection-new] { evapi_set_tag("$evapi(conidx)"); }
event_route[evapi:message-received] {
  if($(evapi(msg){s.substr,0,1}) == ">") evapi_relay("$evapi(msg)");
  else evapi_unicast("$evapi(msg)", "$evapi(conidx)");
}
"""
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGESIZE")
MB = 1 << 20


class Server:
    """`stderr` is where its log goes: None gathers it in a file, which `log` reads."""

    def __init__(
        self,
        cfg: str,
        *flags: str,
        command: str = COMMAND,
        port: int = 0,
        files: int | None = None,
        stderr: int | None = None,
        sip: bool = False,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._work = tempfile.TemporaryDirectory(prefix="evapi-faults-")
        path = Path(self._work.name) / "faults.cfg"
        path.write_text(cfg if cfg.startswith("#!") else HEAD + cfg)
        self._log = Path(self._work.name) / "log"
        out = self._log.open("wb") if stderr is None else stderr

        def limit() -> None:
            if files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.port = port or free_port()
        self.started = time.monotonic()
        argv = [*shlex.split(command), "run", "--set", f"evapi.bind_addr=127.0.0.1:{self.port}", *flags]
        argv += [str(path)] if sip else ["--no-sip", str(path)]
        surroundings = {**os.environ, **(environment or {})}
        self.process = self._begin(argv, stderr=out, preexec_fn=limit, cwd=ROOT, env=surroundings)
        if stderr is None:
            assert not isinstance(out, int)
            out.close()
        self.pid = self.process.pid
        while not listens(self.port):
            if self.process.poll() is not None or time.monotonic() - self.started > 30:
                text = self.log()
                self.stop()
                raise RuntimeError(f"the server does not start:\n{text}")
            time.sleep(0.005)
        self.ready_after = time.monotonic() - self.started

    def _begin(self, argv: list[str], **settings: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(argv, **settings)

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def memory(self) -> int:
        """Bytes that are resident."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def processor(self) -> float:
        """Seconds of a core that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def stop(self) -> int:
        """Ends it; gives the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
        status = self.process.wait()
        self._work.cleanup()
        return status


class Waiting:
    """How long processes were ready to run and the machine had no core for them."""

    def __init__(self, *pids: int) -> None:
        self._paths = [Path(f"/proc/{pid}/schedstat") for pid in pids]
        self._seen: list[tuple[float, float]] = []

    def look(self) -> None:
        time_now = time.monotonic()
        if not self._seen or time_now - self._seen[-1][0] > 0.004:
            try:
                total = sum(int(path.read_text().split()[1]) for path in self._paths) / 1e9
            except OSError:
                return
            self._seen.append((time_now, total))

    def during(self, start: float, end: float) -> float:
        self.look()
        before = max((total for when, total in self._seen if when <= start), default=0.0)
        behind = min((total for when, total in self._seen if when >= end), default=self._seen[-1][1])
        return max(behind - before, 0.0)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(port: int) -> bool:
    """Asks the system, so that the server does not notice."""
    wanted = f":{port:04X} 00000000:0000 0A "
    return wanted in Path("/proc/net/tcp").read_text()


class Proxy:
    """proxy.py in front of a port."""

    def __init__(self, port: int, **toxics: int) -> None:
        words = [f"{name}={value}" for name, value in toxics.items()]
        argv = [sys.executable, str(Path(__file__).with_name("proxy.py")), str(port), *words]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


def lines_until(descriptor: int, text: str, bound: float) -> str:
    """What can be read from a descriptor, up to a text."""
    got = ""
    end = time.monotonic() + bound
    while not re.search(text, got) and time.monotonic() < end:
        if select.select([descriptor], [], [], 0.1)[0]:
            got += os.read(descriptor, 1 << 16).decode(errors="replace")
    return got
