"""app_python3 and app_lua as modules of the cfg: their functions, with and without a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from evapi_cfg.modules.app_lua import MODULE as LUA
from evapi_cfg.modules.app_python3 import MODULE as PYTHON
from evapi_cfg.modules.rpc import RpcCall, RpcFault
from evapi_cfg.modules.spec import ModuleSpec
from tests.module_world import Bench
from tests.scripted import CLASS, Scripted, lua, python

CALLS = [("python_exec", 1), ("python_exec", 2), *(("lua_run", count) for count in (1, 2, 3, 4))]
CALLS += [("lua_dostring", 1), ("lua_dofile", 1), ("lua_runstring", 1)]


@pytest.mark.parametrize(("name", "count"), CALLS)
def test_without_a_script_a_call_fails(name: str, count: int) -> None:
    bench = Bench()
    assert bench.call(name, *["x"] * count) == -1
    assert bench.log.lines[-1].source in ("app_python3", "app_lua")


def test_kemi_functions_are_those_of_the_cfg() -> None:
    assert {function.name for function in PYTHON.kemi} == {"exec", "execx", "exec_p1"}
    assert len(LUA.kemi) == 7


def test_the_code_of_python_exec(tmp_path: Path) -> None:
    script = CLASS + (
        "    def gives(self, msg, text):\n        return eval(text)\n"
        "    def on_event(self, msg, event):\n        return 1\n"
    )
    cfg = """loadmodule "app_python3.so"
modparam("app_python3", "load", "script.py")
event_route[evapi:message-received] {
  python_exec("gives", "$evapi(msg)");
  xlog("$rc\\n");
}
"""
    bench = Scripted(tmp_path, "script.py", script, cfg)
    client = bench.app.connect()
    for text in ("5", "-5", "True", "None", "'text'", "1 << 32", "1.5", "[]"):
        client.send(b"%d:%b," % (len(text), text.encode()))
    assert bench.said() == ["5", "-5", "1", "-1", "-1", "-1", "-1"]
    # 1 << 32 is 0 as a C int, which ends the run.


def test_texts_for_lua_have_a_limit(tmp_path: Path) -> None:
    cfg = """loadmodule "app_lua.so"
modparam("app_lua", "load", "script.lua")
event_route[evapi:message-received] {
  lua_run("f", "$evapi(msg)");
  xlog("$rc\\n");
  lua_dostring("--$evapi(msg)");
  xlog("$rc\\n");
}
"""
    bench = lua(tmp_path, "function f(text) KSR.info(#text .. '\\n') end\n", cfg)
    client = bench.app.connect()
    for size in (1020, 1022, 1023):
        client.send(b"%d:%b," % (size, b"x" * size))
    assert bench.said() == ["1020", "1", "1", "1022", "1", "-1", "-1", "-1"]


def command(bench: Scripted, module: ModuleSpec, name: str, *params: int) -> object:
    (found,) = (one for one in module.rpc if one.name == name)
    return found.call(RpcCall(bench.app.program.world, name, params))


def test_a_script_of_python_is_loaded_once_more(tmp_path: Path) -> None:
    body = "    def on_event(self, msg, event):\n        KSR.info('{}\\n')\n        return 1\n"
    bench = python(tmp_path, body.format("old"))
    bench.app.connect()
    bench.path.write_text(CLASS + body.format("new"))
    assert command(bench, PYTHON, "app_python.reload") == {"old": 0, "new": 1}
    bench.app.connect()
    bench.path.write_text("x = (\n")
    assert command(bench, PYTHON, "app_python.reload") == {"old": 1, "new": 2}
    bench.app.connect()
    assert bench.said() == ["old", "new", "new"]
    (complaint,) = bench.complaints("app_python3")
    assert complaint.line == 1 and "not loaded again: SyntaxError" in complaint.message


def test_scripts_of_lua_are_run_once_more_in_their_state(tmp_path: Path) -> None:
    text = "n = (n or 0) + 1\nfunction on_event() KSR.info('{} ' .. n .. '\\n') end\n"
    bench = lua(tmp_path, text.format("old"))
    bench.app.connect()
    assert command(bench, LUA, "app_lua.list") == ["0: [script.lua]"]
    bench.path.write_text(text.format("new"))
    command(bench, LUA, "app_lua.reload")
    bench.app.connect()
    bench.path.write_text("x = (\n")
    command(bench, LUA, "app_lua.reload", 0)
    bench.app.connect()
    assert bench.said() == ["old 1", "new 2", "new 2"]
    assert "not loaded again" in bench.complaints("app_lua")[0].message
    with pytest.raises(RpcFault):
        command(bench, LUA, "app_lua.reload", 1)
