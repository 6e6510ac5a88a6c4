"""No diagnostic without a page, no page without both examples, no code that no test fires. The wrong example of a page
fires its code and nothing else, the right one fires nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evapi_cfg import ConfigError, load_file
from evapi_cfg.check.report import check_file
from evapi_cfg.check.targets import TARGETS
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Code
from tests.check.pages import Example, Page, pages

PAGES = pages()
CODES = codes.by_name()
HEADINGS = ("Wrong", "Right", "What Kamailio does", "See also")


def fired(example: Example, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Code]:
    """What is said of an example by the time that it is loaded, in a folder of its own and with its environment."""
    monkeypatch.chdir(folder)
    for name, text in example.files.items():
        (folder / name).write_text(text, "utf-8")
    for name, value in example.environ.items():
        monkeypatch.setenv(name, value)
    name = next(iter(example.files))
    if example.target:
        return [found.code for found in check_file(name, version=TARGETS[example.target]).diagnostics]
    try:
        report = load_file(name).report
    except ConfigError as error:
        report = error.report
    return [diagnostic.code for diagnostic in report.diagnostics]


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert [page.name for page in PAGES] == sorted(CODES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_form(page: Page) -> None:
    assert page.title == f"# {page.name}"
    first = page.sections[""].strip().split("\n\n")[0].replace("\n", " ").replace("`", "")
    summary = CODES[page.name].summary.replace("`", "")
    assert first[0].lower() + first[1:] == f"{summary}.", "a page begins with the sentence in codes.py"
    headings = [heading for heading in page.sections if heading]
    assert headings == [heading for heading in HEADINGS if heading in headings]
    assert set(HEADINGS[:3]) <= set(headings)
    assert page.verdicts.keys() == {"5.6", "6.1"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_wrong_example_fires_the_code_and_nothing_else(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fired(page.example("Wrong"), tmp_path, monkeypatch) == [CODES[page.name]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_right_example_fires_nothing(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fired(page.example("Right"), tmp_path, monkeypatch) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_refers_to_exists(page: Page) -> None:
    listed = re.findall(r"^- (.*?):", page.sections.get("See also", ""), re.MULTILINE)
    names = [name for entry in listed for name in re.findall(r"`([^`]+)`", entry)]
    assert bool(names) == ("See also" in page.sections)
    assert set(names) <= CODES.keys() - {page.name}
