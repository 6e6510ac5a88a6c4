"""The server of a bench's cfg, in a process that tells how it is when it gets SIGUSR1: tasks, timers, transactions."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.faults.server import ROOT, Server, free_port


def serve(cfg: str, bind_addr: str) -> None:
    from evapi_cfg.modules.tm.core import Tm
    from evapi_cfg.runtime.app import load_file
    from evapi_cfg.runtime.log import LogWriter
    from evapi_cfg.server import EventServer, Limits, LogStream, run_until_told

    stream = LogStream()
    app = load_file(cfg, log=LogWriter(stream), params=[("evapi", "bind_addr", bind_addr)])
    world = app.program.world
    tm = world.state["tm"]
    assert isinstance(tm, Tm)

    def tell() -> None:
        gc.collect()
        known = {
            "tasks": len(asyncio.all_tasks()),
            "timers": sum(len(queue.items) for _, _, queue in world.timers._listed),
            "transactions": len(tm.table),
            "clients": len(app.engine.hub.clients),
            "blocks": sys.getallocatedblocks(),
        }
        print(json.dumps(known), flush=True)

    def ready(server: EventServer) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)

    run_until_told(app, Limits(), stream, ready)


class Served(Server):
    """As Server, with sip.cfg."""

    def __init__(self) -> None:
        self.sip_port = free_port(2)
        super().__init__(sip_cfg(self.sip_port), sip=True)

    def _begin(self, argv: list[str], **settings: Any) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "tests.faults.served", argv[-1], f"127.0.0.1:{self.port}"]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, **settings)

    def state(self) -> dict[str, int]:
        os.kill(self.pid, signal.SIGUSR1)
        assert self.process.stdout
        return dict(json.loads(self.process.stdout.readline()))


def sip_cfg(port: int) -> str:
    return (ROOT / "tests/faults/sip.cfg").read_text().replace("@SIPPORT@", str(port))


if __name__ == "__main__":
    assert Path(sys.argv[1]).exists()
    serve(sys.argv[1], sys.argv[2])
