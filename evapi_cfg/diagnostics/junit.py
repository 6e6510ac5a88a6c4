"""JUnit's XML, which most CI servers show: a test case for each file, which fails where something was found in it."""

from __future__ import annotations

from collections.abc import Sequence

from evapi_cfg.diagnostics.concise import line
from evapi_cfg.diagnostics.model import Diagnostic
from evapi_cfg.source import show


def render(diagnostics: Sequence[Diagnostic], files: Sequence[str]) -> str:
    """The document and a line end. `files`: what was checked; a file that one of them includes has a case of its own
    where something was found in it."""
    from xml.etree import ElementTree  # other formats start without it

    found: dict[str, list[Diagnostic]] = {show(name): [] for name in files}
    for diagnostic in diagnostics:
        found.setdefault(show(diagnostic.span.file.name), []).append(diagnostic)
    failures = sum(map(bool, found.values()))
    suite = ElementTree.Element("testsuite", name="evapi-cfg", tests=str(len(found)), failures=str(failures))
    for name, listed in found.items():
        case = ElementTree.SubElement(suite, "testcase", classname="evapi-cfg.check", name=name)
        if listed:
            failure = ElementTree.SubElement(case, "failure", message=line(listed[0]), type=listed[0].severity.value)
            failure.text = "\n".join(map(line, listed))
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"
