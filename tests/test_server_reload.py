"""The file is read again while a server runs: by signal, by command, and when it changes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from evapi_cfg import load_file, serve
from evapi_cfg.check.elsewhere import Answer, Wanted
from evapi_cfg.modules.context import Reload
from evapi_cfg.runtime.app import App, Records
from evapi_cfg.runtime.reload import Prepared, prepare
from evapi_cfg.server import EventServer, NotReloaded, Reloading, RpcPath
from evapi_cfg.server.reload import Reloader
from evapi_cfg.server.rpc_client import ask
from evapi_cfg.steps import Steps
from tests.driven import MESSAGE, NEW, Runner, frames
from tests.test_process import HEAD, Process, read

DEADLINE = 30.0


def cfg(said: str, more: str = "") -> str:
    return (
        HEAD
        + more
        + f'{NEW} {{ evapi_set_tag("c$evapi(conidx)"); }}\n'
        + f'{MESSAGE} {{ $shv(n) = $shv(n) + 1; evapi_unicast("{said} $evapi(msg) $shv(n)", "c$evapi(conidx)"); }}\n'
    )


BAD = MESSAGE + " { frobnicate(); }\nroute[A] { route(NOWHERE); }\n"


def replace(path: Path, text: str) -> None:
    """As editors do: it is never there by half."""
    path.with_suffix(".new").write_text(text)
    os.replace(path.with_suffix(".new"), path)


# ---- as a process


@pytest.fixture
def start(command: str, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def begin(text: str, *flags: str) -> Process:
        path = tmp_path / "my.cfg"
        path.write_text(text)
        started.append(Process(command, path, "--log-level", "INFO", *flags))
        return started[-1]

    yield begin
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
        process.process.wait()
        if process.process.stderr:
            process.process.stderr.close()


def test_signals_under_messages_lose_and_double_none(start: Callable[..., Process], tmp_path: Path) -> None:
    process = start(cfg("1"))
    over = threading.Event()
    data = b""
    count = 0

    def talk() -> None:
        """A few messages at a time, and their answers."""
        nonlocal data, count
        with process.connect() as client:
            while not over.is_set():
                client.sendall(frames(*map(str, range(count, count + 20))))
                count += 20
                while data.count(b",") < count:
                    more = client.recv(1 << 20)
                    assert more
                    data += more

    talker = threading.Thread(target=talk)
    talker.start()
    told: list[str] = []
    for said in ("2", "bad", "3"):
        replace(tmp_path / "my.cfg", cfg(said) if said != "bad" else cfg(said) + BAD)
        process.process.send_signal(signal.SIGHUP)
        told.append(process.wait_for("reloaded"))
    over.set()
    talker.join()
    answers = re.findall(r"\d+:(\d) (\d+) (\d+),", data.decode())
    assert [(message, number) for _said, message, number in answers] == [
        (str(number), str(number + 1)) for number in range(count)
    ]
    programs = [said for said, _message, _number in answers]
    assert programs == sorted(programs)
    assert set(programs) <= {"1", "2", "3"}
    assert re.search(r"reloaded in \d+ ms: 1 route changed \(event_route\[evapi:message-received\]\)", told[0])
    assert re.search(r"not reloaded: .*my\.cfg:11:\d+: .* \(and \d more\); the old one goes on", told[1])
    process.process.send_signal(signal.SIGTERM)
    assert process.end()[0] == 0


def test_the_command_answers_when_it_is_done_or_says_what_is_wrong(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    process = start(cfg("1"), "--rpc", f"unix:{tmp_path / 'rpc'}")
    path = tmp_path / "my.cfg"

    def call(method: str) -> dict[str, object]:
        return dict(json.loads(ask(str(tmp_path / "rpc"), json.dumps({"jsonrpc": "2.0", "method": method, "id": 1}))))

    with process.connect() as client:
        replace(path, cfg("2", 'modparam("evapi", "netstring_format", 0)\n'))
        answer = call("evapi-cfg.reload")["result"]
        assert isinstance(answer, dict)
        assert (answer["ok"], answer["generation"]) == (True, 2)
        assert answer["kept"] == ["netstring_format of module evapi (1 stays)"]
        assert "only a restart changes this: netstring_format" in process.wait_for("only a restart")
        client.sendall(frames("x"))
        assert read(client, 8) == frames("2 x 1")
        replace(path, cfg("3") + BAD)
        fault = call("evapi-cfg.reload")["error"]
        assert isinstance(fault, dict)
        assert fault["code"] == 500
        assert str(fault["message"]).startswith("not reloaded: ")
        assert [re.sub(r".*my\.cfg:(\d+):.*", r"\1", line) for line in fault["data"]["errors"]] == ["11", "11", "12"]
        os.remove(path)
        assert "no such file" in str(call("evapi-cfg.reload")["error"])
        replace(path, HEAD.replace('loadmodule "evapi.so"\n', "").replace('modparam("evapi"', "#"))
        assert "does not load module evapi" in str(call("evapi-cfg.reload")["error"])
        known = call("evapi-cfg.generation")["result"]
        assert isinstance(known, dict)
        assert (known["generation"], known["refused"]) == (2, 3)
        assert "does not load module evapi" in str(known["errors"])
        client.sendall(frames("y"))
        assert read(client, 8) == frames("2 y 2")


def test_a_file_that_has_changed_is_read_again(start: Callable[..., Process], tmp_path: Path) -> None:
    (tmp_path / "part.cfg").write_text("#!define SAID one\n")
    process = start('include_file "part.cfg"\n' + cfg("x").replace('"x ', '"SAID '), "--watch")
    replace(tmp_path / "part.cfg", "#!define SAID two\nroute[A] { frobnicate(); }\n")
    assert "part.cfg:2:" in process.wait_for("not reloaded")
    (tmp_path / "part.cfg").write_text("#!define SAID two\n#!define MORE\n")
    process.wait_for("reloaded in")
    replace(tmp_path / "my.cfg", cfg("three"))
    process.wait_for("reloaded in")
    with process.connect() as client:
        client.sendall(frames("x"))
        assert read(client, 12) == frames("three x 1")


def test_the_level_of_the_log_is_the_files_where_that_changes(start: Callable[..., Process], tmp_path: Path) -> None:
    process = start(cfg("1"))
    assert process.port
    process.process.send_signal(signal.SIGHUP)
    assert "nothing has changed" in process.wait_for("reloaded")
    replace(tmp_path / "my.cfg", "debug=-1\n" + cfg("1"))
    process.process.send_signal(signal.SIGHUP)
    assert "settings changed" in process.wait_for("reloaded")  # --log-level counts


def test_what_does_not_run_here_is_refused_where_that_was_asked_for(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    process = start(cfg("1"), "--strict")
    replace(tmp_path / "my.cfg", cfg("2") + 'loadmodule "dispatcher.so"\nroute[D] { ds_select_dst("1", "4"); }\n')
    process.process.send_signal(signal.SIGHUP)
    assert "ds_select_dst" in process.wait_for("not reloaded")


def test_standard_input_cannot_be_read_again(command: str) -> None:
    process = subprocess.Popen(
        [*shlex.split(command), "run", "--no-sip", "--log-level", "INFO", "--set", "evapi.bind_addr=127.0.0.1:0", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stderr
    try:
        process.stdin.write(cfg("1"))
        process.stdin.close()
        assert any("listening on" in line for line in process.stderr)
        process.send_signal(signal.SIGHUP)
        assert any("not reloaded: standard input cannot be read a second time" in line for line in process.stderr)
        process.terminate()
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


# ---- in a loop


class Served:
    """An app with a reloader whose preparing can be held up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = Records()
        self.app: App = load_file(str(path), log=self.records, params=[("evapi", "bind_addr", "127.0.0.1:0")])
        self.open = True
        self.prepared = 0
        self.reloader: Reloader
        self.server: EventServer

    def wanted(self) -> Wanted:
        return Wanted(str(self.path), {})

    def prepare(self, data: bytes) -> Steps[Prepared]:
        self.prepared += 1
        while not self.open:
            yield
        answer = Answer(data)
        if answer.faults:
            raise NotReloaded(*answer.faults)
        report, prints = yield from answer.report()
        return (yield from prepare(self.app.engine, report, self.app.loading, prints))

    async def ask(self) -> Reload:
        future: asyncio.Future[Reload] = asyncio.get_running_loop().create_future()
        self.reloader.ask(lambda made, seconds: future.set_result(made))
        return await future

    async def says(self, message: str) -> str:
        reader, writer = await asyncio.open_connection(*self.server.address)
        writer.write(frames(message))
        answer = (await reader.readuntil(b",")).decode()
        writer.close()
        await writer.wait_closed()
        return answer.partition(":")[2].removesuffix(",")


@asynccontextmanager
async def served(tmp_path: Path, *rpc: RpcPath) -> AsyncIterator[Served]:
    path = tmp_path / "my.cfg"
    path.write_text(cfg("1"))
    made = Served(path)
    made.reloader = Reloader(made.app, Reloading(made.wanted, made.prepare, lambda prepared: None))
    made.server = await serve(made.app, rpc=rpc)
    try:
        yield made
    finally:
        made.reloader.close()
        await made.server.close()


def test_messages_are_answered_while_a_file_is_read_and_those_who_ask_meanwhile_get_the_next_reading(
    in_loop: Runner, tmp_path: Path
) -> None:
    async def play() -> None:
        async with served(tmp_path) as it:
            it.open = False
            replace(it.path, cfg("2"))
            first = asyncio.ensure_future(it.ask())
            await asyncio.sleep(0)
            assert (await it.says("x")).startswith("1 x")
            others = [asyncio.ensure_future(it.ask()) for _ in range(3)]
            await asyncio.sleep(0)
            it.open = True
            assert (await first).generation == 2
            assert [made.generation for made in await asyncio.gather(*others)] == [3, 3, 3]
            assert it.prepared == 2
            assert (await it.says("x")).startswith("2 x")

    in_loop(play)


def test_a_stream_of_requests_is_answered_in_its_order(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with served(tmp_path, RpcPath(str(tmp_path / "rpc"), True)) as it:
            it.open = False
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "rpc"))
            for number, method in enumerate(("core.version", "evapi-cfg.reload", "core.version"), 1):
                writer.write(json.dumps({"jsonrpc": "2.0", "method": method, "id": number}).encode())
            writer.write_eof()
            assert b'"id":\t1' in await reader.readuntil(b"\n}\n")
            await it.says("x")
            it.open = True
            rest = (await reader.read()).decode()
            assert re.findall(r'"id":\t(\d)', rest) == ["2", "3"]
            assert '"generation":\t2' in rest
            writer.close()
            await writer.wait_closed()

    in_loop(play)


def test_a_server_that_ends_takes_no_program_over(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with served(tmp_path) as it:
            it.open = False
            first, second = asyncio.ensure_future(it.ask()), asyncio.ensure_future(it.ask())
            await asyncio.sleep(0)
            it.reloader.close()
            assert (await second).faults == ("the server ends",)
            it.open = True
            assert (await first).faults == ("the server ends",)
            assert (await it.ask()).faults == ("the server ends",)
            assert it.app.program.world.generation == 1

    in_loop(play)


def test_a_bug_while_a_file_is_read_leaves_the_old_program(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with served(tmp_path) as it:
            broken = Reloader(it.app, Reloading(it.wanted, lambda answer: json.loads("{"), lambda prepared: None))
            it.reloader, good = broken, it.reloader
            assert (await it.ask()).faults[0].startswith("a bug in evapi-cfg: JSONDecodeError")
            broken.close()
            it.reloader = good
            assert (await it.says("x")).startswith("1 x")

    in_loop(play)


def test_a_checker_that_ends_is_told_of_and_the_next_one_is_asked(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with served(tmp_path) as it:
            assert (await it.ask()).generation == 2
            pid = it.reloader.checker.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            asked = asyncio.ensure_future(it.ask())
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            assert (await asked).faults == ("the process that checks the file has ended",)
            assert (await it.says("x")).startswith("1 x")
            assert (await it.ask()).generation == 3
            assert it.reloader.checker.pid not in (None, pid)

    in_loop(play)


def test_a_file_that_takes_too_long_to_be_checked_is_given_up(
    in_loop: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with served(tmp_path) as it:
            await it.ask()
            pid = it.reloader.checker.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            monkeypatch.setattr("evapi_cfg.server.checker.PATIENCE", 0.01)
            assert (await it.ask()).faults == ("the file is not checked within 0.01 s",)
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    in_loop(play)


def test_a_checker_without_work_ends(in_loop: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        async with served(tmp_path) as it:
            monkeypatch.setattr("evapi_cfg.server.checker.IDLE", 0.01)
            assert (await it.ask()).generation == 2
            while it.reloader.checker.pid is not None:
                await asyncio.sleep(0)
            assert (await it.ask()).generation == 3

    in_loop(play)


def test_a_route_that_asks_does_not_wait(in_loop: Runner, tmp_path: Path) -> None:
    async def play() -> None:
        async with served(tmp_path) as it:
            request = '{"jsonrpc": "2.0", "method": "evapi-cfg.reload"}'
            replace(
                it.path,
                HEAD
                + 'loadmodule "jsonrpcs.so"\n'
                + f"{NEW} {{ evapi_set_tag('c'); }}\n"
                + f"{MESSAGE} {{ jsonrpc_exec('{request}');"
                + " evapi_unicast('$(jsonrpl(body){s.encode.hexa})', 'c'); }\n",
            )
            assert (await it.ask()).faults == ()
            answer = json.loads(bytes.fromhex(await it.says("x")))
            assert answer["result"] == {"ok": True, "begun": True, "generation": 2}
            while it.app.program.world.generation < 3:
                await asyncio.sleep(0)

    in_loop(play)


def test_sockets_of_clients_are_not_touched(in_loop: Runner, tmp_path: Path) -> None:
    """A client that is full when the program changes is read on."""

    async def play() -> None:
        async with served(tmp_path) as it:
            sleepy = f'{MESSAGE} {{ usleep("100"); evapi_unicast("$evapi(msg)", "c$evapi(conidx)"); }}\n'
            tag = f'{NEW} {{ evapi_set_tag("c$evapi(conidx)"); }}\n'
            replace(it.path, HEAD + tag + sleepy)
            await it.ask()
            reader, writer = await asyncio.open_connection(*it.server.address)
            writer.write(frames(*map(str, range(3000))))
            replace(it.path, cfg("3"))
            answers: list[str] = []
            reload = asyncio.ensure_future(it.ask())
            while len(answers) < 3000:
                answers.append((await reader.readuntil(b",")).decode().partition(":")[2].rstrip(","))
            await reload
            numbers = [answer.removeprefix("3 ").split(" ")[0] for answer in answers]
            assert numbers == list(map(str, range(3000)))
            assert any(answer.startswith("3 ") for answer in answers)
            writer.close()
            await writer.wait_closed()

    in_loop(play)
