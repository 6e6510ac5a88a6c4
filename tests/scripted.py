"""Apps whose events run a script: the script's text stands in the test, its file in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path

from evapi_cfg import App, Record, load_file
from evapi_cfg.modules.context import Level
from evapi_cfg.runtime.app import Records
from tests.driven import HandClock

HEAD = """#!KAMAILIO
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "cfgutils.so"
loadmodule "evapi.so"
"""
IN_PYTHON = """loadmodule "app_python3.so"
modparam("app_python3", "load", "script.py")
modparam("evapi", "event_callback", "on_event")
cfgengine "python"
"""
IN_LUA = """loadmodule "app_lua.so"
modparam("app_lua", "load", "script.lua")
modparam("evapi", "event_callback", "on_event")
cfgengine "lua"
"""
CLASS = """import KSR


def mod_init():
    return Script()


class Script:
    def child_init(self, rank):
        return 0

"""


class Scripted:
    """An app with a script, its log, and a clock that stands still."""

    def __init__(
        self, folder: Path, name: str, script: str, cfg: str, callback_timeout: float = 5.0, **params: str
    ) -> None:
        self.path = folder / name
        self.path.write_text(script)
        (folder / "kamailio.cfg").write_text(HEAD + cfg)
        self.clock = HandClock()
        self.records = Records(Level.DEBUG)
        self.app: App = load_file(
            str(folder / "kamailio.cfg"),
            log=self.records,
            clock=self.clock,
            callback_timeout=callback_timeout,
            params=[("evapi", name, value) for name, value in params.items()],
        )

    def said(self) -> list[str]:
        """What the script has logged."""
        return [record.message.rstrip("\n") for record in self.records.lines if record.source == "script"]

    def complaints(self, source: str) -> list[Record]:
        return [line for line in self.records.lines if line.source == source and line.level <= Level.ERROR]


def python(folder: Path, body: str, cfg: str = IN_PYTHON, callback_timeout: float = 5.0) -> Scripted:
    """A script whose class has the methods of `body`, which are set in by four."""
    return Scripted(folder, "script.py", CLASS + body, cfg, callback_timeout)


def lua(folder: Path, script: str, cfg: str = IN_LUA, callback_timeout: float = 5.0) -> Scripted:
    return Scripted(folder, "script.lua", script, cfg, callback_timeout)
