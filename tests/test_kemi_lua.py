"""Scripts in Lua: loading, callbacks, what goes wrong in them, and what ends those that do not end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from evapi_cfg import ConfigError, load_text
from evapi_cfg.diagnostics import full
from tests.driven import frames
from tests.scripted import HEAD, lua

ECHO = """function on_event(event)
  if event == "evapi:message-received" then
    KSR.evapi.relay("echo: " .. KSR.pv.get("$evapi(msg)"))
  end
end
"""


def test_a_callback_takes_the_place_of_event_routes(tmp_path: Path) -> None:
    client = lua(tmp_path, ECHO).app.connect()
    client.send(frames("one", "b\xff"))
    assert client.receive() == frames("echo: one", "echo: b\xff")


@pytest.mark.parametrize(
    ("fault", "line", "message"),
    [
        ("local x = nil\n  x.y = 1", 3, "attempt to index local 'x' (a nil value)"),
        ("error('mine')", 2, "mine"),
        ("error('mine', 0)", 2, "mine"),
        ("error({})", 0, "a value that is no text"),
        ("KSR.htable.sht_get('a', 'b')", 2, "there is no KSR.htable, for module htable is not loaded"),
        ("KSR.evapi.nosuch()", 2, "KSR.evapi has no function 'nosuch'"),
    ],
)
def test_what_fails_is_logged_with_its_place_and_the_server_goes_on(
    tmp_path: Path, fault: str, line: int, message: str
) -> None:
    bench = lua(tmp_path, f"function on_event(event)\n  {fault}\nend\n")
    client = bench.app.connect()
    client.send(frames("a"))
    first, second = bench.complaints("app_lua")
    assert first.line == second.line == line
    assert first.message.startswith("on_event has failed, the server goes on: ") and message in first.message
    assert "stack traceback" not in first.message


def test_what_is_asked_for_and_not_there_is_nil(tmp_path: Path) -> None:
    script = """function on_event(event)
  if KSR.htable or KSR.nosuch or KSR.evapi.nosuch then error("there") end
  local nothing = nil
  nothing.x = 1
end
"""
    bench = lua(tmp_path, script)
    bench.app.connect()
    (complaint,) = bench.complaints("app_lua")
    assert complaint.message.endswith("attempt to index local 'nothing' (a nil value)")


def test_a_log_line_of_a_function_names_the_scripts_place(tmp_path: Path) -> None:
    bench = lua(tmp_path, 'function on_event(event)\n  local x = 1\n  KSR.evapi.relay("")\nend\n')
    bench.app.connect()
    assert [line.line for line in bench.complaints("evapi")] == [3]


@pytest.mark.parametrize(
    ("script", "line", "message"),
    [
        ("x = 1\ny = = 2\n", 2, "unexpected symbol near '='"),
        ("function f()\n", 2, "'end' expected"),
        ("x = 1\nnosuch.y = 1\n", 2, "attempt to index global 'nosuch'"),
        ("error('no')\n", 1, "no"),
    ],
)
def test_a_script_that_does_not_load(tmp_path: Path, script: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        lua(tmp_path, script)
    (found,) = (item for item in caught.value.report.diagnostics if item.code.name == "script-not-loaded")
    assert message in found.message
    assert found.span.file.name == str(tmp_path / "script.lua")
    assert found.span.file.line_number(found.span.start) == line
    assert f"{line} |" in full.render([found])


def test_without_lupa_the_cfg_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lupa", "lupa.lua51"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError) as caught:
        load_text(HEAD + 'loadmodule "app_lua.so"\n')
    (found,) = caught.value.report.diagnostics
    assert found.span.text == 'loadmodule "app_lua.so"'
    assert "lupa" in found.message and "evapi-cfg[lua]" in found.help


def test_scripts_see_nothing_of_python(tmp_path: Path) -> None:
    script = """function on_event(event)
  KSR.info(type(python) .. " " .. type(KSR.evapi.relay) .. " " .. type(getmetatable(KSR.evapi.relay)) .. "\\n")
  KSR.info(tostring(pcall(function() return KSR.evapi.relay.__globals__ end)) .. "\\n")
end
"""
    bench = lua(tmp_path, script)
    bench.app.connect()
    assert bench.said() == ["nil function nil", "false"]


def test_a_first_line_for_the_shell_is_passed_over(tmp_path: Path) -> None:
    bench = lua(tmp_path, "#!/usr/bin/lua\nfunction on_event(event)\n  error('x')\nend\n")
    bench.app.connect()
    assert [line.line for line in bench.complaints("app_lua")] == [3]


LOOPS = {
    "loop": "while true do end",
    "calls": "while true do KSR.pv.sets('$var(x)', 'y') end",
    "caught": "pcall(function() while true do end end) while true do end",
    "coroutine": "coroutine.wrap(function() while true do end end)()",
    "caught again": "while true do pcall(function() while true do end end) end",
    "handled": "xpcall(function() while true do end end, function() while true do end end)",
    "resumed again": "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "without the hook": "debug.sethook() while true do end",
    "created": "coroutine.resume(coroutine.create(function() while true do end end)) error('and on')",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=list(LOOPS))
def test_what_does_not_end_is_stopped(tmp_path: Path, loop: str) -> None:
    script = f"""function on_event(event)
  if KSR.pv.gete("$evapi(msg)") == "loop" then
    {loop}
  end
end
"""
    bench = lua(tmp_path, script, callback_timeout=5.0)
    client = bench.app.connect()
    begun = time.monotonic()
    bench.clock.monotonic = lambda: 1000 + (time.monotonic() - begun) * 50  # type: ignore[method-assign]
    client.send(frames("loop", "next"))
    assert time.monotonic() - begun < 20
    (complaint,) = bench.complaints("app_lua")
    assert "and on" in complaint.message or "ran for more than 5 seconds and was stopped" in complaint.message
    assert client.connected


def test_what_catches_errors_gives_what_luas_own_does(tmp_path: Path) -> None:
    script = """function on_event(event)
  local function two() return 1, 2 end
  local function fails() error("no") end
  local ok, one, other = pcall(two)
  KSR.info(tostring(ok) .. one .. other)
  ok, one, other = xpcall(two, debug.traceback)
  KSR.info(tostring(ok) .. one .. other)
  ok, one = pcall(error, { a = "table" })
  KSR.info(tostring(ok) .. one.a)
  ok, one = xpcall(fails, function(e) return "handled: " .. e end)
  KSR.info(tostring(ok) .. one)
  ok, one = coroutine.resume(coroutine.create(fails))
  KSR.info(tostring(ok) .. one)
end
"""
    bench = lua(tmp_path, script)
    bench.app.connect()
    assert bench.said() == [
        "true12", "true12", "falsetable", "falsehandled: script.lua:3: no", "falsescript.lua:3: no",
    ]  # fmt: skip
