"""Safe fixes: what they make of a text, that they never make it worse, and that a second run finds nothing to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.check.repair import Repaired, repair
from evapi_cfg.check.report import Report, check_text
from evapi_cfg.diagnostics.diff import unified
from evapi_cfg.diagnostics.fixes import meant
from evapi_cfg.diagnostics.model import Diagnostic, Severity
from evapi_cfg.source import store
from tests.check.faults import BASE, faults
from tests.check.samples import samples

HEAD = '#!KAMAILIO\nloadmodule "pv.so"\nloadmodule "xlog.so"\nloadmodule "evapi.so"\n'
END = "request_route { exit; }\n"


def repaired(text: str) -> Repaired:
    return repair(check_text(text, "a.cfg"), lambda texts: check_text(texts["a.cfg"], "a.cfg"), tuple, lambda f: f.name)


def fixed(text: str) -> str:
    made = repaired(text)
    return made.changes["a.cfg"].new if made.changes else text


def said(diagnostics: Iterable[Diagnostic]) -> list[tuple[str, str]]:
    return [(found.code.name, found.message) for found in diagnostics]


def errors(report: Report) -> set[tuple[str, str]]:
    return set(said(d for d in report.diagnostics if d.severity is Severity.ERROR))


FIXABLE = [
    (fault.name, store(fault.text))
    for fault in faults()
    if any(found.fix for found in check_text(store(fault.text), "a.cfg").diagnostics)
]
# Those whose fix shows something else that is wrong, so that it is not made.
HARMFUL = {
    "names: a modparam of a module that is not loaded",  # and which has no such parameter
    "routes: an unknown branch of #!ifdef runs nothing: the directive is misspelt",  # and is not closed
}
CODES = {
    "assignment-in-condition", "bad-variable-name", "byte-order-mark", "carriage-return", "empty-block",
    "evapi-async-without-tm", "missing-route", "missing-semicolon", "module-not-loaded", "stray-parenthesis",
    "syntax-error", "unbalanced-condition", "undefined-route", "unknown-core-parameter", "unknown-event-route",
    "unknown-function", "unknown-modparam", "unknown-module", "unknown-transformation", "unknown-variable",
    "wrong-modparam-type", "dropped-character", "ignored-directive", "misspelt-event-route", "stray-brace",
    "unclosed-block", "unknown-log-level",
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), FIXABLE, ids=[name for name, _ in FIXABLE])
def test_a_fault_with_a_fix(name: str, text: str) -> None:
    before = check_text(text, "a.cfg")
    made = repaired(text)
    if name in HARMFUL:
        assert not made.changes and made.left_out
        return
    assert len(made.report.diagnostics) < len(before.diagnostics)
    assert set(said(made.report.diagnostics)) <= set(said(before.diagnostics))
    assert not repaired(made.changes["a.cfg"].new).changes


@pytest.mark.parametrize("step", [1, 7])
def test_two_faults_in_one_file(step: int) -> None:
    """Each with the one `step` further on in the list, where they stand in different lines."""
    usual = [(name, text) for name, text in FIXABLE if name not in HARMFUL]
    tried = 0
    for (one, first), (other, second) in zip(usual, usual[step:] + usual[:step], strict=True):
        both = _joined(first, second)
        if both is None:
            continue
        tried += 1
        before = check_text(both, "a.cfg")
        made = repaired(both)
        where = f"{one}, {other}"
        assert made.changes and errors(made.report) <= errors(before), where
        assert made.report.errors < before.errors or made.report.warnings < before.warnings, where
        assert not repaired(made.changes["a.cfg"].new).changes, where
    assert tried > 20


def _joined(first: str, second: str) -> str | None:
    """BASE with the changes of both; None where they touch the same lines."""
    base = store(BASE).split("\n")
    lines = {number: [line] for number, line in enumerate(base)}
    touched: set[int] = set()
    for text in (first, second):
        changed = text.split("\n")
        for kind, low, high, new_low, new_high in SequenceMatcher(None, base, changed, False).get_opcodes():
            if kind == "equal":
                continue
            place = set(range(low - 1, high + 1))
            if place & touched:
                return None
            touched |= place
            at = min(low, len(base) - 1)
            if low == high:
                lines[at] = [*changed[new_low:new_high], *lines[at]]
            else:
                lines.update((number, []) for number in range(low, high))
                lines[at] = changed[new_low:new_high]
    return "\n".join(line for number in sorted(lines) for line in lines[number])


NAMES = ("evapi_set_tag", "t_newtran", "toupper", "srcaddr", "REQINIT", "max_clients", "evapi_relay", "jansson_get")


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
    st.sets(st.integers(0, 40), max_size=4),
    st.integers(0, 4),
    st.booleans(),
)
def test_any_slips(names: list[str], semicolons: set[int], place: int, windows: bool) -> None:
    """Letters that have changed places, semicolons that are gone, another kind of line ends."""
    text = store(BASE)
    for name in names:
        text = text.replace(name, f"{name[:place]}{name[place + 1]}{name[place]}{name[place + 2 :]}")
    parts = text.split(";\n")
    text = "".join(part + ("\n" if number in semicolons else ";\n") for number, part in enumerate(parts[:-1]))
    text += parts[-1]
    if windows:
        text = text.replace("\n", "\r\n")
    before = check_text(text, "a.cfg")
    made = repaired(text)
    assert errors(made.report) <= errors(before)
    assert made.report.errors <= before.errors
    if made.changes:
        assert not repaired(made.changes["a.cfg"].new).changes


def test_each_code_that_has_a_fix_has_been_fixed() -> None:
    texts = [*FIXABLE, *((s.name, store(s.text)) for s in samples()), *((c[1], c[1]) for c in CASES)]
    seen: set[str] = set()
    for _, text in texts:
        before = check_text(text, "a.cfg").diagnostics
        if any(found.fix for found in before):
            after = said(repaired(text).report.diagnostics)
            seen |= {d.code.name for d in before if d.fix and (d.code.name, d.message) not in after}
    assert seen >= CODES


CASES = [
    ("a condition", 'route[A] { if(method = "INVITE") exit; }', 'route[A] { if(method == "INVITE") exit; }'),
    (
        "a route that runs later",
        'loadmodule "tm"\nfailure_route[NO_ANSWER] { exit; }\nrequest_route { t_on_failure("NO_ANSWRE"); t_relay(); }',
        'loadmodule "tm"\nfailure_route[NO_ANSWER] { exit; }\nrequest_route { t_on_failure("NO_ANSWER"); t_relay(); }',
    ),
    ("text behind #!endif", "#!ifdef A\n #!endif A\n" + END, "#!ifdef A\n #!endif\n # A\n" + END),
    ("a comment behind #!endif", "#!ifdef A\n#!endif # A\n" + END, "#!ifdef A\n#!endif\n# A\n" + END),
    ("the last line without its end", END + "#!ifdef A\n#!endif", END + "#!ifdef A\n#!endif\n"),
    ("text behind #!else", "#!ifndef A\n#!else A\n#!endif\n" + END, "#!ifndef A\n#!else\n# A\n#!endif\n" + END),
    ("a misspelt directive", "#!ifdeff A\n#!endif\n" + END, "#!ifdef A\n#!endif\n" + END),
    ("a directive without its blank", "#!ifdefA_B\n#!endif\n" + END, "#!ifdef A_B\n#!endif\n" + END),
    ("a blank that is none", "request_route {\u00a0exit; }\n", "request_route { exit; }\n"),
    ("windows", "request_route {\r\n  exit;\r\n}\r\n", "request_route {\n  exit;\n}\n"),
    ("bytes that are no text", HEAD + END[:-3] + 'xlgo("\xff"); }', HEAD + END[:-3] + 'xlog("\xff"); }'),
    # below the last loadmodule that is read whatever is defined, and like it
    (
        "a module",
        '#!KAMAILIO\n  loadmodule "/usr/lib/m/pv.so" # a\n#!ifdef A\n'
        'loadmodule "tls"\n#!endif\nroute[A] { xlog("a"); }',
        '#!KAMAILIO\n  loadmodule "/usr/lib/m/pv.so" # a\n  loadmodule "/usr/lib/m/xlog.so"\n#!ifdef A\n'
        'loadmodule "tls"\n#!endif\nroute[A] { xlog("a"); }',
    ),
    ("no module yet", 'route[A] { xlog("a"); }\n', 'loadmodule "xlog.so"\nroute[A] { xlog("a"); }\n'),
    (
        "above its modparam",
        'loadmodule "pv"\nmodparam("tm", "fr_timer", 1)\nloadmodule "sl"\n' + END,
        'loadmodule "pv"\nloadmodule "tm"\nmodparam("tm", "fr_timer", 1)\nloadmodule "sl"\n' + END,
    ),
    (
        "two modules at one place",
        'loadmodule "pv"\nroute[A] { xlog("a"); is_method("INVITE"); }',
        'loadmodule "pv"\nloadmodule "xlog"\nloadmodule "textops"\nroute[A] { xlog("a"); is_method("INVITE"); }',
    ),
    # what comes to light can be fixed as well
    (
        "one behind the other",
        HEAD + '#!ifdef A\n#!endif A\nrequest_route { xlgo("a")\n exit; }\n',
        HEAD + '#!ifdef A\n#!endif\n# A\nrequest_route { xlog("a");\n exit; }\n',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_comes_out(text: str, expected: str) -> None:
    assert fixed(store(text)) == store(expected)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + 'route[A] { record_rout("x", "y", "z"); }',  # the module is not loaded, and the name is not sure
        HEAD + '#!define F evapi_rely("x");\nroute[A] { F }',  # it stands in the value of a define
        HEAD + "route[STEP_NUMBER1] { exit; } request_route { route(STEP_NUMBER2); }",  # two names, not one
        HEAD + "route[LATE] { exit; } request_route { route(LATER); }",
        HEAD + "#!ifdef A\n#!endif A\nrequest_route { nosuchfunction(); }\n",  # what comes to light stays wrong
        '#!ifdef A\nloadmodule "pv"\nroute[A] { xlog("x"); }\n#!endif\n',
    ],
)
def test_what_is_not_sure_is_left(text: str) -> None:
    assert fixed(text) == text


def test_a_fix_that_does_harm_is_named_and_does_not_hinder_the_others() -> None:
    text = HEAD + 'route[A] { xlgo("a"); }\n#!ifdef A\n#!endif A\nrequest_route { nosuchfunction(); }\n'
    made = repaired(text)
    assert made.changes["a.cfg"].new == text.replace("xlgo", "xlog")
    [left] = made.left_out
    assert left.diagnostic.code.name == "unbalanced-condition"
    assert left.instead and left.instead.code.name == "unknown-function"
    assert (made.fixed, made.report.errors) == (1, 1)


@pytest.mark.parametrize(
    ("wrong", "candidates", "right"),
    [
        ("evapi_rely", ("evapi_relay", "evapi_close"), "evapi_relay"),
        ("sl_send_Reply", ("sl_send_reply", "send_reply"), "sl_send_reply"),
        ("t_replay", ("t_relay", "t_reply"), ""),
        ("Foo", ("foo",), "foo"),
        ("foo", ("fo",), ""),
        ("evapi_setag", ("evapi_set_tag",), "evapi_set_tag"),
        ("evapi_st_tg", ("evapi_set_tag",), "evapi_set_tag"),
        ("evapi_st", ("evapi_set_tag",), ""),
        ("name_of_2", ("name_of_1",), ""),
        ("anything", (), ""),
    ],
)
def test_what_a_name_stands_for(wrong: str, candidates: tuple[str, ...], right: str) -> None:
    assert meant(wrong, candidates) == right


def test_a_diff() -> None:
    old, new = "a\r\nb\x1b[0m\xc3\xa9\nc\nd\ne\nf", "a\r\nB\x1b[0m\xc3\xa9\nc\nd\ne\nf"
    assert unified("\u00e9.cfg", old, new) == (
        "--- \xc3\xa9.cfg\n+++ \xc3\xa9.cfg\n@@ -1,5 +1,5 @@\n a\r\n-b\x1b[0m\xc3\xa9\n+B\x1b[0m\xc3\xa9\n c\n d\n e\n"
    )
    assert unified("a", "x", "y") == (
        "--- a\n+++ a\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file\n"
    )
    coloured = unified("a", old, new, colour=True)
    assert "\x1b[31m-b\u241b[0m\u00e9\x1b[0m\n" in coloured


def test_what_did_harm_at_first_is_made_when_it_does_none() -> None:
    """`xlog` shows that `$rm` needs pv, which is loaded only behind that; dialog has no such parameter."""
    text = (
        '#!KAMAILIO\nmodparam("dialog", "nosuch", 1)\nrequest_route { xlog("$rm"); $var(a) = $ru; sl_reply_error(); }\n'
    )
    made = repaired(text)
    assert [found.code.name for found in made.report.diagnostics if found.fix] == ["module-not-loaded"]
    new = made.changes["a.cfg"].new
    assert made.fixed == 3 and all(f'loadmodule "{name}.so"\n' in new for name in ("pv", "xlog", "sl"))
    assert not repaired(new).changes
