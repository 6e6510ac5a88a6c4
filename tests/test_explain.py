"""`explain`: whatever has a name is explained, in whatever form it is written."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evapi_cfg.catalog import TARGET, Catalog, versions
from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.terminal import painter
from evapi_cfg.explain import explain, listing
from evapi_cfg.explain.render import markdown
from evapi_cfg.explain.versions import in_words
from evapi_cfg.modules import by_name
from evapi_cfg.syntax.keywords import DIRECTIVE_WORDS, TERMINALS

WIDTH = 80


def text(name: str) -> str:
    answer = explain(name, width=WIDTH)
    assert answer.found, answer.text
    return answer.text


def catalogued(catalog: Catalog) -> Iterator[str]:
    yield from catalog.core.params
    yield from catalog.core.statements
    yield from (f"${name}" for name in catalog.core.pvs)
    yield from (f"event_route[{name}]" for name in catalog.core.event_routes)
    yield from (f"@{name}" for name in catalog.core.selects)
    for name in catalog.names:
        module = catalog.module(name)
        assert module is not None
        yield name
        yield from (n for n, fs in module.functions.items() if any(f.arity != -1 and f.routes for f in fs))
        yield from (f"{name}.{param}" for param in module.params)
        yield from (f"${pv}" for pv in module.pvs)
        yield from (f"{{{cls}.{op}}}" for cls, ops in module.transformations.items() for op in ops)
        yield from (f"event_route[{route}]" for route in module.event_routes)
        yield from (f"@{select}" for select in module.selects)


def declared() -> Iterator[str]:
    for spec in by_name.values():
        yield from (f.name for f in spec.functions)
        yield from (f"{spec.name}.{p.name}" for p in spec.params)
        yield from (f"${pv.name}" for pv in spec.pvs)
        yield from (f"{{{t.cls}.{t.op}}}" for t in spec.transformations)
        yield from (f"event_route[{route.name}]" for route in spec.event_routes)
        yield from (command.name for command in spec.rpc)
        for function in spec.kemi:
            room = spec.name if function.room is None else function.room
            yield ".".join(part for part in ("KSR", room, function.name) if part)


def test_every_name_that_any_version_has_is_explained() -> None:
    names = {*TERMINALS, *DIRECTIVE_WORDS, *(f"#!{word}" for word in DIRECTIVE_WORDS), *declared()}
    for version in versions():
        names.update(catalogued(Catalog(version)))
    assert [name for name in sorted(names) if not explain(name, width=WIDTH).found] == []


def test_a_function() -> None:
    assert text("evapi_multicast") == (
        """\
function evapi_multicast

    evapi_multicast(evdata, etag)

    evdata     text, whose variables are filled in
    etag       text, whose variables are filled in
    module     evapi
    stands in  any block
    Kamailio   5.6 to 6.2; constant arguments only up to 5.8
    here       runs
    described  https://www.kamailio.org/docs/modules/stable/modules/evapi.html
"""
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("evapi_close", "evapi_close()\n    evapi_close(text)\n"),
        ("lock", "lock(key, second)"),
        ("python_exec", "python_exec(text1, text2)"),
        ("t_relay", "here       does not run: a call logs an error and gives -1"),
        ("evapi_async_relay", "stands in  request_route and route[...] and event_route"),
        ("ds_select_dst", "module dispatcher does not run"),
        ("ds_select_dst", "ds_select_dst(number1, number2)"),
        ("evapi.workers", 'modparam("evapi", "workers", 1)'),
        ("evapi.wait_idle", "Kamailio   from 5.7 on"),
        ("evapi.context_mlimit", f"from 6.2 on; not in {TARGET}"),
        ("bind_addr", '"127.0.0.1:8448"'),
        ("db_url", "acc.db_url"),
        ("$evapi", "`conidx`, `msg`, `srcaddr`, `srcport`"),
        ("$avp", "$(avp(name)[index])"),
        ("$ru", "assigned   yes"),
        ("$ci", "assigned   no"),
        ("$T_req", "$T_req($variable)"),
        ("{s.select}", "$(var(x){s.select,number,character})"),
        ("s", "`{s.substr,number,number}`"),
        ("event_route[htable:expired:rooms]", "module     htable"),
        ("app_java", f"up to 6.0; not in {TARGET}"),
        ("children", "value      a number, or yes or no"),
        ("forward", "forward(host, number);"),
        ("#!ifexp", "from 5.7 on"),
        ("method", "same as    `$rm`"),
        ("@from.uri", "$sel(from...)"),
    ],
)
def test_what_is_said(name: str, says: str) -> None:
    assert says in text(name)


@pytest.mark.parametrize(
    ("forms", "title"),
    [
        (("evapi_relay", "evapi_relay()", 'evapi_relay("$evapi(msg)");', "`evapi_relay`", " evapi_relay "), "function"),
        (("$evapi", "$evapi(msg)", "$(evapi(msg))", "$(evapi(msg)"), "pseudo-variable"),
        (("{s.len}", "s.len", "{s.len", "{s.LEN}"), "transformation"),
        (("event_route[evapi:connection-new]", "evapi:connection-new", "event_route[evapi:connection-new] {"), "event"),
        (("evapi.workers", 'modparam("evapi", "workers", 4)', "modparam('evapi','workers',4)"), "modparam"),
        (('loadmodule "evapi.so"', "evapi.so", "modules/evapi.so", 'loadmodule("evapi")'), "module"),
        (("#!ifdef", "#!ifdef WITH_NAT", "ifdef", "!!ifdef"), "directive"),
        (("unknown-function", "error[unknown-function]", "[unknown-function]", "warning[unknown-function]"), "error["),
    ],
)
def test_forms_of_one_name(forms: tuple[str, ...], title: str) -> None:
    said = {text(form) for form in forms}
    assert len(said) == 1
    assert said.pop().startswith(title)


def test_all_that_a_name_stands_for() -> None:
    titles = [line for line in text("evapi").split("\n") if re.match(r"\S", line)]
    assert titles == ["module evapi", "pseudo-variable $evapi"]
    both = text("$(avp(x)[0]{s.len})")
    assert "pseudo-variable $avp" in both and "transformation {s.len}" in both


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("evapi_rely", "`evapi_relay`"),
        ("$evapii", "`$evapi`"),
        ("vra", "`$var`"),
        ("{s.selec}", "`{s.select}`"),
        ("s.selec", "`{s.select}`"),
        ("evapi.worker", "`evapi.workers`"),
        ("event_route[evapi:message-recieved]", "`event_route[evapi:message-received]`"),
        ("evapi:message-recieved", "`event_route[evapi:message-received]`"),
        ("unknown-funtion", "`unknown-function`"),
        ("chidren", "`children`"),
        ("#!defin", "`#!define`"),
        ("", "single quotes"),  # what a shell leaves of "$evapi"
        ("(msg)", "single quotes"),  # and of "$evapi(msg)"
    ],
)
def test_what_there_is_instead(name: str, near: str) -> None:
    answer = explain(name, width=WIDTH)
    assert not answer.found
    assert near in answer.text
    assert "\n" not in answer.text


@given(st.text() | st.from_regex(r"[$@{#!]{0,2}[a-z(]{0,3}[.:\[(){}]?[a-z*]{0,3}", fullmatch=True))
def test_any_name_at_all(name: str) -> None:
    answer = explain(name, width=WIDTH)
    assert all(char == "\n" or char.isprintable() for char in answer.text)


def test_versions_in_words() -> None:
    first, second, *others = known = versions()
    assert in_words(known) == "5.6 to 6.2"
    assert in_words([second, *others]) == "from 5.7 on"
    assert in_words([first, second]) == f"up to 5.7; not in {TARGET}, which files are checked for"
    assert in_words([first, TARGET]) == "5.6, 6.1"


# ---- how it looks


def test_the_listing_has_every_code_once_in_its_group() -> None:
    lines = listing().split("\n")
    titles = [line for line in lines if re.match(r"\w", line)]
    assert titles == list(codes.groups())
    rows = [line.split()[:2] for line in lines if re.match(r"  \S", line)]
    assert rows == [[code.name, code.severity.value] for members in codes.groups().values() for code in members]
    assert sorted(row[0] for row in rows) == sorted(codes.by_name())


def test_markdown() -> None:
    shown = """\
Some **strong** words about `a = b`, and so many more
that they need a second line.

## Wrong

```kamailio load=pv file=part.cfg
route[A] {

  exit;
}
```

- first of a list
- second, which is too long for its line
"""
    assert markdown(shown, 40, painter(False)) == (
        """\
Some strong words about `a = b`, and
so many more that they need a second
line.

Wrong

part.cfg:
    route[A] {

      exit;
    }

- first of a list
- second, which is too long for its line
"""
    )
    coloured = markdown(shown, 40, painter(True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == markdown(shown, 40, painter(False))
    assert "\x1b[1mWrong\x1b[0m" in coloured


@pytest.mark.parametrize("name", ["unknown-function", "evapi", "route"])
def test_colours_are_the_only_difference(name: str) -> None:
    coloured = explain(name, width=WIDTH, colour=True).text
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == explain(name, width=WIDTH).text


@pytest.mark.parametrize("name", [*codes.by_name(), "tm", "evapi_relay"])
def test_no_line_is_longer_than_the_terminal(name: str) -> None:
    for line in text(name).split("\n"):
        assert len(line) <= WIDTH or line.startswith("    ") or "https://" in line, line


def test_a_code_needs_neither_catalogue_nor_modules_nor_parser() -> None:
    program = (
        "import sys; from evapi_cfg.cli import main; sys.argv = ['evapi-cfg', 'explain', 'unknown-function', '--all']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print([name for name in sys.modules if name.startswith('evapi_cfg.')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parent.parent
    )
    assert "error[unknown-function]" in done.stdout
    rooms = set(re.findall(r"evapi_cfg\.(\w+)", done.stderr))
    assert rooms == {"cli", "source", "diagnostics", "explain"}
