"""The forms in which `check` prints, each read as its readers would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import BaseModel
from sarif_pydantic import Sarif

from evapi_cfg.check.report import check_text
from evapi_cfg.cli import CheckFormat
from evapi_cfg.diagnostics.formats import FORMATS
from evapi_cfg.source import store

TEXT = store(
    """#!KAMAILIO
loadmodule "pv.so"
loadmodule "evapi.so"
request_route {
  if($var(x) = 1) { exit; }
  evapi_relay("żółw"); evapi_rely("a, b: 100%");
}
route[A] { exit; }
route[A] { exit; }
"""
)
FOUND = check_text(TEXT, "a b,c.cfg").diagnostics
FILES = ["a b,c.cfg", "fine.cfg"]
CODES = [found.code.name for found in FOUND]


def printed(form: str) -> str:
    return FORMATS[form](FOUND, FILES, False)


def test_the_forms_are_those_of_the_command_line() -> None:
    assert list(FORMATS) == [form.value for form in CheckFormat]


def test_there_is_something_to_print() -> None:
    assert CODES == ["assigned-condition", "unknown-function", "duplicate-route"]


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_found(form: str) -> None:
    text = FORMATS[form]([], ["fine.cfg"], False)
    assert text == "" or text.endswith("\n")


def test_json_lines() -> None:
    lines = [json.loads(line) for line in printed("jsonl").splitlines()]
    assert lines == json.loads(printed("json"))["diagnostics"]
    assert (lines[1]["line"], lines[1]["column"], lines[1]["end_column"]) == (6, 24, 34)


def test_github() -> None:
    """Each command on its own line; what would end a field is escaped."""
    lines = printed("github").splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::warning", "::error", "::error"]
    fields = re.match(r"::error (\S.*?)::(.*)$", lines[1])
    assert fields is not None
    assert fields[1] == "file=a b%2Cc.cfg,line=6,endLine=6,col=24,endColumn=34,title=unknown-function"
    assert fields[2] == "there is no function `evapi_rely`%0Ahelp: did you mean `evapi_relay`?"


def test_gitlab() -> None:
    issues = json.loads(printed("gitlab"))
    assert [issue["check_name"] for issue in issues] == CODES
    assert [issue["severity"] for issue in issues] == ["minor", "major", "major"]
    assert issues[1]["location"] == {"path": "a b,c.cfg", "lines": {"begin": 6, "end": 6}}
    assert len({issue["fingerprint"] for issue in issues}) == 3
    moved = check_text("\n" + TEXT, "a b,c.cfg").diagnostics
    again = json.loads(FORMATS["gitlab"](moved, FILES, False))
    assert [issue["fingerprint"] for issue in again] == [issue["fingerprint"] for issue in issues]


def _unknown(model: BaseModel) -> Iterator[str]:
    """Fields that SARIF does not have, anywhere below."""
    yield from model.model_extra or ()
    for value in model.__dict__.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                yield from _unknown(item)


def test_sarif() -> None:
    log: Any = Sarif.model_validate_json(printed("sarif"))
    assert list(_unknown(log)) == ["columnKind"]  # SARIF has it, 3.14.17, the model has not
    (run,) = log.runs
    assert [result.rule_id for result in run.results] == CODES
    assert [run.tool.driver.rules[result.rule_index].id for result in run.results] == CODES
    place = run.results[1].locations[0].physical_location
    assert place.artifact_location.uri == "a%20b%2Cc.cfg"
    assert (place.region.start_line, place.region.start_column, place.region.end_column) == (6, 24, 34)
    assert run.results[2].related_locations[0].physical_location.region.start_line == 8


def test_junit() -> None:
    (suite,) = ElementTree.fromstring(printed("junit"))
    assert suite.attrib == {"name": "evapi-cfg", "tests": "2", "failures": "1"}
    broken, fine = suite
    assert (broken.attrib["name"], fine.attrib["name"], len(fine)) == ("a b,c.cfg", "fine.cfg", 0)
    (failure,) = broken
    assert failure.text is not None and failure.text.splitlines() == printed("concise").splitlines()[:-1]


def test_kamailio() -> None:
    """The line is found by what reads Kamailio's own."""
    first, second, _, last = printed("kamailio").splitlines()
    front, place = r" 0\(\d+\) (\w+): <core> \[core/cfg.y\]: [a-z ]+ in config file (.+)", r"column (\d+)(?:-(\d+))?"
    form = rf"{front}, line (\d+), {place}: .*"
    assert [re.fullmatch(form, line).group(1, 2, 3, 4, 5) for line in (first, second)] == [  # type: ignore[union-attr]
        ("WARNING", "a b,c.cfg", "5", "14", None),
        ("CRITICAL", "a b,c.cfg", "6", "24", "33"),
    ]
    assert last == "ERROR: bad config file (2 errors)"
    assert FORMATS["kamailio"]([], FILES, False) == "config file ok, exiting...\n"
