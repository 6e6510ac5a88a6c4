"""Scripts in Python: loading, callbacks, what goes wrong in them, and the watchdog."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evapi_cfg import ConfigError
from evapi_cfg.kemi.ksr import Modf, rooms
from evapi_cfg.kemi.python_ksr import module
from evapi_cfg.kemi.python_scripts import PythonScript
from evapi_cfg.modules import evapi
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.spec import KemiFunction, ModuleSpec
from tests.driven import frames
from tests.scripted import CLASS, IN_PYTHON, Scripted, python

ECHO = """    def on_event(self, msg, event):
        if event == "evapi:message-received":
            KSR.evapi.relay("echo: " + KSR.pv.get("$evapi(msg)"))
        return 1
"""


@pytest.fixture(autouse=True)
def imports_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A script's folder comes to sys.path, and it and KSR to sys.modules."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in ("KSR", "script", "beside_the_script"):
        if name not in before:
            sys.modules.pop(name, None)


def test_a_callback_takes_the_place_of_event_routes(tmp_path: Path) -> None:
    client = python(tmp_path, ECHO).app.connect()
    client.send(frames("one", "two"))
    assert client.receive() == frames("echo: one", "echo: two")


def test_what_fails_is_logged_with_its_place_and_the_server_goes_on(tmp_path: Path) -> None:
    body = """    def on_event(self, msg, event):
        if event == "evapi:message-received":
            self.deeper(KSR.pv.get("$evapi(msg)"))
        return 1

    def deeper(self, text):
        KSR.evapi.relay(text)
        raise ValueError("not " + text)
"""
    bench = python(tmp_path, body)
    client = bench.app.connect()
    client.send(frames("a", "b"))
    assert client.receive() == frames("a", "b")
    first, second = bench.complaints("app_python3")
    start = len(CLASS.split("\n"))
    assert (first.line, second.line) == (start + 7, start + 7)
    assert first.message.startswith(
        "on_event(evapi:message-received) has failed, the server goes on: ValueError: not a\n"
    )
    assert f"  {bench.path}:{start + 2} in on_event\n  {bench.path}:{start + 7} in deeper" in first.message


def test_a_fault_in_a_file_that_the_script_imports_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "beside_the_script.py").write_text("def fails():\n    raise KeyError('k')\n")
    body = """    def on_event(self, msg, event):
        import beside_the_script
        beside_the_script.fails()
"""
    bench = python(tmp_path, body)
    bench.app.connect()
    (complaint,) = bench.complaints("app_python3")
    assert complaint.line == 2 and "beside_the_script.py:2 in fails" in complaint.message


def test_a_log_line_of_a_function_names_the_scripts_place(tmp_path: Path) -> None:
    bench = python(tmp_path, '    def on_event(self, msg, event):\n        KSR.evapi.relay("")\n')
    bench.app.connect()
    (complaint,) = bench.complaints("evapi")
    assert complaint.line == len(CLASS.split("\n")) + 1


def test_a_bug_of_this_side_is_told_apart(tmp_path: Path) -> None:
    body = "    def on_event(self, msg, event):\n        KSR.evapi.broken()\n"
    bench = python(tmp_path, body)
    script = bench.app.program.world.scripts["app_python3"]
    assert isinstance(script, PythonScript)
    wrong = KemiFunction("broken", lambda run: evapi.evapi_set_tag(run, None, script.here.span))  # type: ignore[arg-type]
    made = module(rooms([ModuleSpec("evapi", kemi=(wrong,))]), Modf(bench.app.program), script.here, ())
    sys.modules["KSR"].evapi.broken = made.evapi.broken
    client = bench.app.connect()
    (complaint,) = bench.complaints("app_python3")
    assert complaint.level == Level.CRITICAL and complaint.line == len(CLASS.split("\n")) + 1
    assert "a bug in evapi-cfg: TypeError" in complaint.message
    assert client.connected


def test_each_app_has_its_own_ksr(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    late = """    def on_event(self, msg, event):
        import KSR
        KSR.info("%s\\n" % KSR.pv.get("$shv(who)"))
        return 1
"""
    cfg = IN_PYTHON + 'modparam("pv", "shvset", "who=s:{}")\n'
    one, other = (python(tmp_path / name, late, cfg.format(name)) for name in ("a", "b"))
    one.app.connect()
    other.app.connect()
    assert (one.said(), other.said()) == (["a"], ["b"])


@pytest.mark.parametrize(
    ("script", "line", "message"),
    [
        ("x = 1\nraise ValueError('at once')\n", 2, "ValueError: at once"),
        ("import nosuch_module_of_a_test\n", 1, "No module named 'nosuch_module_of_a_test'"),
        ("import sys\nsys.exit(3)\n", 2, "the script ends itself"),
        ("x = 1\n", 1, "no function mod_init()"),
        ("def mod_init():\n    return None\n", 1, "mod_init() gives None"),
        ("def mod_init():\n    return 1 / 0\n", 2, "ZeroDivisionError"),
        ("def mod_init():\n    return object()\n", 1, "of type object, has no method child_init(rank)"),
        (CLASS.replace("return 0", "return None"), 9, "child_init() gives None"),
        (CLASS.replace("return 0", "return Script"), 9, "child_init() gives a value of type type"),
        (
            CLASS + "    def __getattr__(self, name):\n        raise KeyError(name)\n",
            13,
            "KeyError: 'ksr_request_route'",
        ),
        ("def __getattr__(name):\n    raise KeyError(name)\n", 2, "KeyError: 'mod_init'"),
        (CLASS.replace("return 0", "return -1"), 9, "below 0 it refuses to start"),
        (CLASS.replace("return 0", "return self.x"), 10, "no attribute 'x'"),
    ],
)
def test_a_script_that_does_not_load(tmp_path: Path, script: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Scripted(tmp_path, "script.py", script, IN_PYTHON)
    (found,) = (item for item in caught.value.report.diagnostics if item.code.name == "script-not-loaded")
    assert message in found.message
    assert found.span.file.name == str(tmp_path / "script.py")
    assert found.span.file.line_number(found.span.start) == line


def test_child_init_is_called_once_as_the_first_worker(tmp_path: Path) -> None:
    script = (
        CLASS.replace("return 0", 'KSR.info("rank %d %s\\n" % (rank, KSR.pv.get("$rm"))) or 0') + "        return 0\n"
    )
    assert Scripted(tmp_path, "script.py", script, IN_PYTHON).said() == ["rank 1 OPTIONS"]


def test_the_message_is_there_while_its_function_runs(tmp_path: Path) -> None:
    body = """    def on_event(self, msg, event):
        try:
            KSR.info("%s\\n" % self.kept.RURI)
        except AttributeError:
            KSR.info("%s\\n" % msg.RURI)
        except RuntimeError as error:
            KSR.info("%s\\n" % error)
        self.kept = msg
        return 1
"""
    bench = python(tmp_path, body)
    bench.app.connect()
    bench.app.connect()
    assert bench.said() == ["sip:kamailio.org", "msg is only there while the function runs that got it"]


def test_modf_calls_functions_of_the_cfg(tmp_path: Path) -> None:
    body = """    def on_event(self, msg, event):
        modf = KSR.x.modf
        KSR.info("%r\\n" % modf("xlog", "of $evapi(conidx)\\n"))
        KSR.info("%r\\n" % modf("is_int", "$evapi(conidx)"))
        KSR.info("%r\\n" % modf("sleep", "1"))
        KSR.info("%r\\n" % modf("route_if_exists", "PLAIN"))
        KSR.info("%r\\n" % modf("route_if_exists", "WAITS"))
        for arguments in (("nosuch",), ("xlog",), ("is_int", "no variable"), (), ("xlog", 1), ("a", "b", "c", "d")):
            try:
                modf(*arguments)
            except Exception as error:
                KSR.info("%s\\n" % type(error).__name__)
        return 1
"""
    cfg = IN_PYTHON + 'route[PLAIN] { xlog("plain\\n"); return 5; }\nroute[WAITS] { sleep("1"); }\n'
    bench = python(tmp_path, body, cfg)
    bench.app.connect()
    assert bench.said() == [
        *("of 0", "1", "1", "-1", "plain", "5", "-1"),
        *("RuntimeError", "RuntimeError", "RuntimeError", "RuntimeError", "TypeError", "RuntimeError"),
    ]
    assert all("would stop the whole server" in line.message for line in bench.complaints("core"))


def test_a_name_that_is_not_there_says_why(tmp_path: Path) -> None:
    body = """    def on_event(self, msg, event):
        for look in ("htable", "nosuch", "evapi.nosuch", "x.exit"):
            try:
                eval("KSR." + look)
            except AttributeError as error:
                KSR.info("%s\\n" % error)
        return 1
"""
    bench = python(tmp_path, body)
    bench.app.connect()
    loaded, unknown, function, of_lua = bench.said()
    assert "module htable is not loaded" in loaded
    assert "nothing by the name 'nosuch'" in unknown
    assert "KSR.evapi has no function 'nosuch'" in function
    assert "in Python exit() ends the run" in of_lua


def test_a_coroutine_function_is_refused(tmp_path: Path) -> None:
    bench = python(tmp_path, "    async def on_event(self, msg, event):\n        KSR.info('never')\n")
    bench.app.connect()
    (complaint,) = bench.complaints("app_python3")
    assert "async def" in complaint.message and not bench.said()


# ---- the watchdog


LOOPS = {
    "loop": "while True: pass",
    "sleep": "import time; time.sleep(60)",
    "calls": 'while True: KSR.evapi.relay("x" * 50)',
    "variables": 'while True: KSR.pv.sets("$var(x)", KSR.pv.get("$rm"))',
    "library": "import json\n            while True: json.loads(json.dumps(list(range(100))))",
    "deaf": "n = 0\n            while n < 3:\n                try:\n                    while True: pass\n"
    "                except BaseException: n += 1",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=list(LOOPS))
def test_what_does_not_end_is_stopped(tmp_path: Path, loop: str) -> None:
    body = f"""    def on_event(self, msg, event):
        if KSR.pv.get("$evapi(msg)") == "loop":
            {loop}
        return 1
"""
    bench = python(tmp_path, body, callback_timeout=0.1)
    client = bench.app.connect()
    begun = time.monotonic()
    client.send(frames("loop", "next"))
    assert 0.1 <= time.monotonic() - begun < 20
    if "n < 3" not in loop:
        (complaint,) = bench.complaints("app_python3")
        assert "on_event(evapi:message-received) ran for more than 0.1 seconds and was stopped" in complaint.message
        assert complaint.line >= len(CLASS.split("\n")) + 2
    assert client.connected


def test_nothing_of_this_side_is_left_half_done(tmp_path: Path) -> None:
    """Wherever the call is stopped: all clients have the same frames, whole."""
    body = """    def on_event(self, msg, event):
        if KSR.pv.get("$evapi(msg)") == "loop":
            while True: KSR.evapi.relay("x" * 10)
        return 1
"""
    bench = python(tmp_path, body, callback_timeout=0.01)
    clients = [bench.app.connect() for _ in range(5)]
    for _ in range(20):
        clients[0].send(frames("loop"))
    received = {client.receive() for client in clients}
    assert len(received) == 1
    (data,) = received
    assert data == frames("x" * 10) * (len(data) // 14) and len(data) > 0
    assert len(bench.complaints("app_python3")) == 20
    assert not [line for line in bench.records.lines if line.level <= Level.CRITICAL]


def test_time_between_calls_does_not_count(tmp_path: Path) -> None:
    bench = python(tmp_path, ECHO, callback_timeout=0.05)
    client = bench.app.connect()
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        client.send(frames("a"))
    assert not bench.complaints("app_python3")


def test_any_time_may_be_given(tmp_path: Path) -> None:
    body = "    def on_event(self, msg, event):\n        import time\n        time.sleep(0.3)\n        return 1\n"
    bench = python(tmp_path, body, callback_timeout=0)
    bench.app.connect()
    assert not bench.complaints("app_python3")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "    @property\n    def on_event(self):\n        raise KeyError('p')\n",
            "has failed, the server goes on: KeyError",
        ),
        ("    def on_event(self, msg, event):\n        yield 1\n", "on_event has a `yield`: nobody goes on with it"),
        ("    def on_event(self, msg, event):\n        msg.rewrite_ruri(b'sip:a')\n", "TypeError"),
    ],
)
def test_what_is_odd_is_the_scripts(tmp_path: Path, body: str, message: str) -> None:
    bench = python(tmp_path, body)
    client = bench.app.connect()
    (complaint,) = bench.complaints("app_python3")
    assert complaint.level == Level.ERROR and message in complaint.message
    assert client.connected and not bench.complaints("core")


def test_a_text_of_a_class_of_the_scripts_own_is_a_text(tmp_path: Path) -> None:
    body = """    def on_event(self, msg, event):
        import enum
        class State(str, enum.Enum):
            IDLE = "idle"
        KSR.pv.sets("$var(x)", State.IDLE)
        KSR.htable.sht_sets("t", State.IDLE, State.IDLE)
        KSR.info(repr((KSR.pv.get("$var(x)"), KSR.htable.sht_get("t", "idle"))))
"""
    cfg = IN_PYTHON + 'loadmodule "htable.so"\nmodparam("htable", "htable", "t=>size=4")\n'
    bench = python(tmp_path, body, cfg)
    bench.app.connect()
    assert bench.said() == ["('idle', 'idle')"]


def test_what_shows_an_error_is_stopped_as_well(tmp_path: Path) -> None:
    body = """    def on_event(self, msg, event):
        class Shown(Exception):
            def __str__(self):
                while True:
                    pass
        raise Shown
"""
    bench = python(tmp_path, body, callback_timeout=0.2)
    client = bench.app.connect()
    (complaint,) = bench.complaints("app_python3")
    assert "Shown" in complaint.message and client.connected


def test_a_script_that_does_not_end_when_it_is_loaded_again_is_stopped(tmp_path: Path) -> None:
    bench = python(tmp_path, "    def on_event(self, msg, event):\n        KSR.info('old')\n", callback_timeout=0.2)
    bench.path.write_text("import KSR\nwhile True:\n    pass\n")
    script = bench.app.program.world.scripts["app_python3"]
    script.run_again()
    (complaint,) = bench.complaints("app_python3")
    assert "not loaded again: it ran for more than 0.2 seconds and was stopped" in complaint.message
    assert complaint.line in (2, 3)
    bench.app.connect()
    assert bench.said() == ["old"]
