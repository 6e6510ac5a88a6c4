"""What the README quotes and claims is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import evapi_cfg
from evapi_cfg.check.report import check_text
from evapi_cfg.cli import app as command_line
from evapi_cfg.runtime.app import load_report
from evapi_cfg.runtime.measures import Measures
from evapi_cfg.server.exposition import exposition

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\S+)(?: (\S+))?\n(.*?)^```$", README, re.M | re.S)
(COMMANDS,) = re.findall(r"^## Commands\n+```\n(.*?)^```$", README, re.M | re.S)
QUOTES = [(name, text) for _kind, name, text in BLOCKS if name]


@pytest.mark.parametrize(("name", "text"), QUOTES)
def test_samples_are_quoted_from_their_files(name: str, text: str) -> None:
    assert text in (ROOT / name).read_text()


def test_every_sample_is_quoted() -> None:
    samples = {f"samples/{path.name}" for path in (ROOT / "samples").glob("*.cfg")}
    assert {name for name, _text in QUOTES if name.endswith(".cfg")} == samples


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [text for kind, _name, text in BLOCKS if kind == "python"]
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})


def test_the_diagnostic_is_what_check_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = [text for kind, _name, text in BLOCKS if kind == "console" and "evapi-cfg check" in text]
    monkeypatch.chdir(tmp_path)
    Path("kamailio.cfg").write_text(
        '#!KAMAILIO\nloadmodule "pv.so"\nloadmodule "evapi.so"\nrequest_route { exit; }\n'
        'event_route[evapi:message-received] {\n  evapi_rely("got $evapi(msg)");\n}\n'
    )
    result = CliRunner().invoke(command_line, ["check", "kamailio.cfg"])
    assert shown == "$ evapi-cfg check kamailio.cfg\n" + result.stdout
    assert result.exit_code == 1


@pytest.mark.parametrize("name", ["check", "run", "explain", "top", "tap"])
def test_the_flags_are_those_of_the_command(name: str) -> None:
    (command,) = [c.callback for c in command_line.registered_commands if c.callback and c.callback.__name__ == name]
    (text,) = re.findall(rf"^evapi-cfg {name} .*\n(?: .*\n)*", COMMANDS, re.M)
    flags = {"all_": "all", "set_": "set", "json_": "json", "sip": "no-sip"}
    named = {flags.get(flag, flag.replace("_", "-")) for flag in command.__annotations__}
    assert set(re.findall(r"--([a-z][a-z-]+)", text)) == named - {"file", "files", "define", "names", "return"}


def test_the_public_names() -> None:
    assert len(evapi_cfg.__all__) <= 16
    for name in evapi_cfg.__all__:
        assert getattr(evapi_cfg, name).__doc__, name


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.findall(r"@[A-Z]+@|TODO|FIXME", README)


def test_rooms_exist() -> None:
    for name in re.findall(r"`((?:evapi_cfg|grammar|tests)/[\w/.]*)`", README):
        assert (ROOT / name).exists(), name


def test_the_table_of_modules_is_what_the_command_prints() -> None:
    (shown,) = re.findall(r"<!-- evapi-cfg explain --modules -->\n(.*?)<!-- -->", README, re.S)
    assert CliRunner().invoke(command_line, ["explain", "--modules"]).stdout == shown


def test_the_metrics_are_those_that_are_told() -> None:
    (table,) = re.findall(r"<!-- metrics -->\n(.*?)\n\n", README, re.S)
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", re.sub(r"by `\w+`", "", row))]
    cfg = 'loadmodule "tm.so"\nloadmodule "evapi.so"\nevent_route[evapi:message-received] { exit; }\n'
    text = exposition(load_report(check_text(cfg, "x.cfg"), measures=Measures(timed=True)).engine)[0]().decode()
    told = re.findall(r"^# TYPE evapi_cfg_(\w+?)(?:_total)? (?:counter|gauge|histogram)$", text, re.M)
    assert sorted(named) == sorted({name for name in told if not name.endswith("_created")})
