"""Functions of scripts in the places of blocks, whatever their language; how `run` ends where a script is wrong."""

from __future__ import annotations

import shlex
import socket
import subprocess
from pathlib import Path

import pytest

from evapi_cfg import ConfigError, load_file, load_text
from evapi_cfg.kemi.ksr import why_missing
from evapi_cfg.kemi.place import line_span
from evapi_cfg.source import SourceFile
from tests.conformance import run
from tests.driven import frames
from tests.scripted import CLASS, HEAD, IN_LUA, IN_PYTHON, Scripted, lua

COUNTS = """n = 0
function on_event(event)
  n = n + 1
  KSR.info(event .. " " .. n .. "\\n")
end
function ksr_request_route()
  KSR.sl.send_reply(200, "OK " .. n)
end
"""
OPTIONS = (
    "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK1\r\n"
    "From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
)


def test_blocks_of_the_file_come_first(tmp_path: Path) -> None:
    bench = lua(tmp_path, COUNTS, IN_LUA + 'event_route[evapi:connection-new] { xlog("block\\n"); }\n')
    bench.app.connect().send(frames("a"))
    assert bench.said() == ["block", "evapi:message-received 1"]


def test_requests_run_the_script(tmp_path: Path) -> None:
    bench = lua(tmp_path, COUNTS)
    assert bench.app.wants_sip
    peer = bench.app.sip_peer()
    peer.send(OPTIONS)
    assert peer.receive()[0].startswith(b"SIP/2.0 200 OK 0\r\n")


def test_without_a_function_for_requests_there_is_no_sip(tmp_path: Path) -> None:
    script = COUNTS.replace("ksr_request_route", "other")
    assert not lua(tmp_path, script).app.wants_sip
    bench = lua(tmp_path, script, "listen=udp:127.0.0.1:5060\n" + IN_LUA)
    bench.app.sip_peer().send(OPTIONS)
    assert ["ksr_request_route" in line.message for line in bench.complaints("app_lua")] == [True]


def test_both_languages_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "script.lua").write_text("function double(text)\n  KSR.pv.sets('$var(x)', text .. text)\nend\n")
    script = CLASS + (
        "    def on_event(self, msg, event):\n"
        "        KSR.app_lua.run_p1('double', 'ab')\n"
        "        KSR.info('%s\\n' % KSR.pv.get('$var(x)'))\n"
        "        return 1\n"
    )
    other = 'loadmodule "app_lua.so"\nmodparam("app_lua", "load", "script.lua")\n'
    bench = Scripted(tmp_path, "script.py", script, other + IN_PYTHON)
    bench.app.connect()
    assert bench.said() == ["abab"]


def test_an_engine_that_does_not_run_is_named() -> None:
    app = load_text(HEAD + 'loadmodule "app_jsdt.so"\ncfgengine "jsdt"\nrequest_route { exit; }\n')
    assert 'cfgengine "jsdt"' in [entry.use.name for entry in app.not_run]


def test_the_callbacks_modparam_is_no_longer_listed(tmp_path: Path) -> None:
    assert not lua(tmp_path, COUNTS).app.not_run


def test_a_script_from_elsewhere(tmp_path: Path) -> None:
    lua(tmp_path, COUNTS)
    other = tmp_path / "other.lua"
    other.write_text("function on_other(event) KSR.evapi.relay('other') end\n")
    cfg = str(tmp_path / "kamailio.cfg")
    params = [("app_lua", "load", str(other)), ("evapi", "event_callback", "on_other")]
    client = load_file(cfg, params=params).connect()
    assert client.receive() == frames("other")
    with pytest.raises(ConfigError, match=r"nosuch\.lua cannot be read"):
        load_file(cfg, params=[("app_lua", "load", "nosuch.lua")])


def test_places_of_lines() -> None:
    file = SourceFile("x", "one\n\n  two  \nlast")
    assert [line_span(file, line).text for line in (1, 2, 3, 4, 5, 0)] == ["one", "", "two", "last", "", ""]


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        ({}, ["script-not-read", "kamailio.cfg:10:33"]),
        ({"script.py": "def mod_init(:\n"}, ["script-syntax", "script.py:1:14"]),
        ({"script.py": "x = 1\nraise ValueError('at once')\n"}, ["at once", "script.py:2:1"]),
        ({"script.py": CLASS.replace("return 0", "return 1 / 0")}, ["ZeroDivisionError", "script.py:10:9"]),
    ],
    ids=["missing", "syntax", "import", "child_init"],
)
def test_run_refuses_a_faulty_script(tmp_path: Path, command: str, files: dict[str, str], shown: list[str]) -> None:
    (tmp_path / "kamailio.cfg").write_text(HEAD + IN_PYTHON)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    argv = [*shlex.split(command), "run", "--no-sip", "--set", "evapi.bind_addr=127.0.0.1:0", "kamailio.cfg"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert all(text in done.stderr for text in shown), done.stderr
    assert "Traceback" not in done.stderr


def test_check_runs_nothing(tmp_path: Path, command: str) -> None:
    (tmp_path / "kamailio.cfg").write_text(HEAD + IN_PYTHON)
    (tmp_path / "script.py").write_text("print('it runs')\n" + CLASS)
    argv = [*shlex.split(command), "check", "--format", "concise", "kamailio.cfg"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "it runs" not in done.stdout + done.stderr
    assert "missing-callback" in done.stdout


def test_the_flag_is_checked(command: str) -> None:
    argv = [*shlex.split(command), "run", "--callback-timeout", "-1", "x.cfg"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "--callback-timeout" in done.stderr


def test_a_served_script_that_loops_is_stopped(tmp_path: Path, command: str) -> None:
    """In the event loop of the real server, whose own signals stay as they are."""
    body = """    def on_event(self, msg, event):
        while KSR.pv.get("$evapi(msg)") == "loop":
            pass
        if event == "evapi:message-received":
            KSR.evapi.relay("still here")
        return 1
"""
    cfg = HEAD.replace("#!KAMAILIO", "#!KAMAILIO\ndisable_tcp=yes\nlisten=udp:127.0.0.1:@SIPPORT@") + IN_PYTHON
    cfg += 'modparam("evapi", "bind_addr", "127.0.0.1:@PORT@")\n'
    server = run.Server("evapi-cfg", command, cfg, tmp_path, {"script.py": CLASS + body}, ["--callback-timeout", "0.2"])
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
            client.sendall(frames("loop", "next"))
            assert client.recv(100) == frames("still here")
    finally:
        server.stop()
    assert server.proc.returncode == 0
    log = server.log_path.read_text()
    assert "ran for more than 0.2 seconds" in log and '"line": 13' in log


@pytest.mark.parametrize(
    ("room", "name", "why"),
    [
        ("tm", "t_replyy", "KSR.tm has no function 't_replyy': did you mean `KSR.tm.t_reply`?"),
        ("dialog", "var_sets", "there is no KSR.dialog.var_sets, for module dialog is not loaded"),
        ("pvx", "xavp_getd", "KSR.pvx.xavp_getd of module pv does not run here"),
        ("", "evapy", "KSR has nothing by the name 'evapy': did you mean `evapi`?"),
        ("", "sl", "there is no KSR.sl, for module sl is not loaded"),
        ("", "qwerty", "KSR has nothing by the name 'qwerty'"),
    ],
)
def test_why_something_is_missing(room: str, name: str, why: str) -> None:
    assert why_missing(room, name, ("tm", "pv", "evapi")) == why
