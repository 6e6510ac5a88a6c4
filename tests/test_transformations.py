"""Transformations: what Kamailio makes of some thousand values, what it takes as arguments, and what is ours alone.

The files in transformations/ were recorded from Kamailio 6.1.4; each says in its first lines what its columns are.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evapi_cfg.catalog import Catalog
from evapi_cfg.modules import transformations
from evapi_cfg.modules.context import Run, World
from evapi_cfg.modules.resolve import Names
from evapi_cfg.modules.spec import ModuleSpec, NameRefused, PseudoVariable, Resolver, Transformation, Variable
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax.ast import PVar, Text
from evapi_cfg.syntax.pvar import PvarError, parse_pvar
from evapi_cfg.values import Value

DATA: Final = Path(__file__).parent / "transformations"
FILES: Final = ("texts", "strings", "numbers", "encodings", "lines", "params", "addresses", "uris", "others", "regex")
ALL: Final = (
    *transformations.PV,
    *transformations.COREX,
    *transformations.TEXTOPS,
    *transformations.XHTTP,
    *transformations.MSRP,
)

ARGUMENTS: Final[dict[str, Value]] = {
    "two": 2, "neg": -1, "zero": 0, "big": 99, "s": "b", "empty": "", "comma": ",", "semi": ";", "null": None,
    "lo": "lo", "two_s": "2", "re": "/b+/<\\0>/g", "lr": "lr", "a": "a",
}  # fmt: skip


class Silence:
    """A hub and a log that nobody uses here."""

    threshold = 0

    def __call__(self, level: int, source: str, message: str, at: Span | None = None, route: str = "") -> None:
        raise AssertionError("a transformation logs nothing")

    def relay(self, data: str) -> int:
        raise AssertionError

    def multicast(self, data: str, tag: str) -> int:
        raise AssertionError

    def unicast(self, data: str, tag: str) -> int:
        raise AssertionError

    def close(self, client: object) -> None:
        raise AssertionError

    def set_tag(self, client: object, tag: str) -> None:
        raise AssertionError


class Bench:
    """`$var(x)` with a value of our choice, and the variables that the recorded rows use as arguments."""

    def __init__(self) -> None:
        self.value: Value = None
        silence = Silence()
        self.run = Run(World(hub=silence, log=silence), {}, None, None)
        var = PseudoVariable("var", self.variable, inner="required")
        self.names = Names([ModuleSpec("test", pvs=(var,), transformations=ALL)])

    def variable(self, pvar: PVar, resolver: Resolver) -> Variable:
        assert pvar.inner is not None
        name = pvar.inner.value
        if name == "x":
            return Variable(lambda run: self.value)
        found = ARGUMENTS.get(name)
        return Variable(lambda run: found)

    def prepare(self, chain: str) -> Variable:
        return self.names.resolve(parse_pvar(text_of(f"$(var(x){chain})")))

    def apply(self, value: Value, chain: str) -> str:
        """The result as the data files write it."""
        self.value = value
        variable = self.prepare(chain)
        assert variable.text is not None
        result, text = variable.get(self.run), variable.text(self.run)
        if result is None:
            return "null" if text else "fail"
        assert type(result) in (int, str)
        if isinstance(result, str):
            assert result == text
            return quoted(text)
        return str(result) if str(result) == text else f"{result} {quoted(text)}"


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def text_of(value: str) -> Text:
    file = SourceFile("a.cfg", value)
    return Text(Span(file, 0, len(value)), value, ((0, 0),))


def quoted(text: str) -> str:
    special = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(special.get(c) or (c if " " <= c <= "~" else f"\\x{ord(c):02x}") for c in text) + '"'


def unquoted(written: str) -> Value:
    if written == "null":
        return None
    if not written.startswith('"'):
        return int(written)
    return re.sub(r"\\(x..|.)", lambda found: chr(int(found[1][1:], 16)) if found[1][1:] else found[1], written[1:-1])


def rows(name: str) -> list[list[str]]:
    lines = (DATA / f"{name}.txt").read_text("ascii").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("name", FILES)
def test_as_recorded(bench: Bench, name: str) -> None:
    wrong = []
    recorded = rows(name)
    assert len(recorded) > 400
    for value, chain, expected in recorded:
        found = bench.apply(unquoted(value), chain)
        if found != expected:
            wrong.append(f"{value} {chain}: {found} instead of {expected}")
    assert not wrong, "\n".join(wrong[:20])


def test_lengths_as_recorded(bench: Bench) -> None:
    wrong = []
    for number, chain, expected in rows("lengths"):
        bench.value = "a" * int(number)
        result = bench.prepare(chain).get(bench.run)
        found = "fail" if result is None else str(len(str(result)))
        if found != expected:
            wrong.append(f"{number} {chain}: {found} instead of {expected}")
    assert not wrong, "\n".join(wrong[:20])


def test_arguments_as_recorded(bench: Bench) -> None:
    wrong = []
    for verdict, written in rows("arguments"):
        chain = re.sub(r"\\(.)", lambda found: "\t" if found[1] == "t" else found[1], written)
        try:
            bench.prepare(chain)
            found = "+"
        except (NameRefused, PvarError):
            found = "-"
        if found != verdict:
            wrong.append(f"{chain}: {found} instead of {verdict}")
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize(
    ("module", "declared"),
    [
        ("pv", transformations.PV),
        ("corex", transformations.COREX),
        ("textops", transformations.TEXTOPS),
        ("xhttp", transformations.XHTTP),
        ("msrp", transformations.MSRP),
    ],
)
def test_as_in_the_catalogue(module: str, declared: tuple[Transformation, ...]) -> None:
    catalogued = Catalog().module(module)
    assert catalogued is not None
    expected = {
        (cls, op, ",".join(transformation.params))
        for cls, operations in catalogued.transformations.items()
        for op, transformation in operations.items()
    }
    assert {(each.cls, each.op, each.params.strip("()")) for each in declared} == expected
    assert len(declared) == len(expected)


@pytest.mark.parametrize(
    ("chain", "place", "words"),
    [
        ("{s.len,1}", "1", "takes no argument"),
        ("{s.substr}", None, "needs 2 arguments"),
        ("{s.substr,1}", "1", "needs 2 arguments"),
        ("{s.substr,x,1}", "x", "needs a number"),
        ("{s.substr,1,-2}", "-2", "no negative number"),
        ("{s.substr,1,2,3}", ",3", "cannot take `,3`"),
        ("{s.substr,1 2,3}", "2,3", "cannot take `2,3`"),
        ("{s.select,0}", "0", "needs 2 arguments"),
        ("{s.select,0,ab}", "b", "cannot take `b`"),
        ("{s.select,0,\\x}", "\\x", "knows the escapes"),
        ("{s.strip,99999999999999999999}", "99999999999999999999", "that large"),
        ("{s.rm,$nosuch(x)}", "$nosuch(x)", "unknown pseudo-variable"),
        ("{s.rm,$(var(a){s.nosuch})}", "{s.nosuch}", "unknown transformation"),
        ("{param.value,a,;;}", ";;", "one character"),
        ("{param.value,a,,}", ",", "one character"),
        ("{re.subst,/a/b}", "b", "lacks the `/`"),
        ("{re.subst,/a/b/x}", "x", "knows the flags"),
        ("{re.subst,/a(b/c/}", "(", "`(` is not closed"),
        ("{re.subst}", None, "needs `/expression/replacement/`"),
    ],
)
def test_refused(bench: Bench, chain: str, place: str | None, words: str) -> None:
    if chain == "{re.subst,/a(b/c/}":  # its parentheses do not pair: only a define or a longer text can bring it
        spec = transformations.TEXTOPS[0]
        with pytest.raises(NameRefused) as caught:
            spec.prepare(text_of("/a(b/c/"), bench.names)
    else:
        with pytest.raises(NameRefused) as caught:
            bench.prepare(chain)
    assert words in caught.value.message
    assert (caught.value.span.text if caught.value.span else None) == place


def test_null_is_not_failure(bench: Bench) -> None:
    bench.value = None
    kept, failed = bench.prepare("{num.fdigit}"), bench.prepare("{s.len}{val.n0}")
    assert kept.text and failed.text
    assert (kept.get(bench.run), kept.text(bench.run)) == (0, "0")
    # the rest of a chain is not run behind a failure
    assert (failed.get(bench.run), failed.text(bench.run)) == (None, "")


def test_arguments_are_read_each_time(bench: Bench) -> None:
    variable = bench.prepare("{s.count,$var(x)}")
    for value, number in (("abca", 2), ("xxx", 3)):
        bench.value = value
        assert variable.get(bench.run) == number


@pytest.mark.parametrize(
    ("value", "chain", "result"),
    [
        # Kamailio reads beyond the text where the last character is not the one that is asked for
        ("a,b,c", "{s.rbefore,,}", '"a,b"'),
        ("a,b,c", "{s.rafter,,}", '"c"'),
        ("abc", "{s.rbefore,,}", '""'),
        ("abc", "{s.rafter,,}", '"abc"'),
        # Kamailio never ends
        ("a}b", "{s.rm,}", '"a}b"'),
        ("a,b", "{s.replace,,x}", "fail"),
        # Kamailio gives what was in its buffer
        ("h~5060", "{urialias.decode}", '"sip:h:5060"'),
        ("h", "{urialias.decode}", '"sip:h"'),
        # Kamailio writes beyond its buffer
        ("a" * 30_000, "{s.fmtlines,90000,0}", "fail"),
        # Kamailio reads a number of arbitrary memory for a byte above 127
        ("\xe9", "{s.crc32}", "198489425"),
    ],
)
def test_accidents_are_not_followed(bench: Bench, value: str, chain: str, result: str) -> None:
    assert bench.apply(value, chain) == result


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        # scheme, user, userinfo, host, port, session, proto, params
        ("msrp://a@h.example:2855/s1;tcp", "msrp|a|a|h.example|2855|s1|tcp|"),
        ("msrps://a:b@h/s;ws", "msrps|a|a:b|h||s|ws|"),
        ("MSRP://h:1", "MSRP|||h|1|||"),
        ("msrp://[::1]:99/x;tcp;y=z", "msrp|||[::1]|99|x|tcp|tcp;y=z"),
        ("msrp://h:1/x;sctp;y=z", "msrp|||h|1|x|sctp|y=z"),
        ("msrp://h:0/x", "fail"),
        ("msrp://h:70000/x", "fail"),
        ("msrp://a@", "fail"),
        ("msrp://", "fail"),
        ("sip:a@b:1", "fail"),
    ],
)
def test_msrp_addresses(bench: Bench, value: str, parts: str) -> None:
    bench.value = value
    operations = ("scheme", "user", "userinfo", "host", "port", "session", "proto", "params")
    found = [bench.prepare(f"{{msrpuri.{op}}}").get(bench.run) for op in operations]
    assert ("fail" if None in found else "|".join(map(str, found))) == parts


def test_a_socket_takes_the_transports_that_are_turned_on(bench: Bench) -> None:
    assert bench.apply("tls:h:1", "{sock.host}") == "fail"
    bench.run.world.core["enable_tls"] = 1
    try:
        assert bench.apply("tls:h:1", "{sock.host}") == '"h"'
    finally:
        del bench.run.world.core["enable_tls"]


WITH_ARGUMENTS: Final = {
    "n": ("0", "1", "-1", "$var(two)"), "s": ("a", ",", "", "$var(s)", "$var(x)"), "c": (",", ";", "\\n"),
}  # fmt: skip
values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(max_codepoint=255), max_size=20),
    st.lists(
        st.sampled_from(["sip:", "a@b", ";", "=", "<", ">", '"', "%", "\\", "~", ":", "\n", "tag", "[", "]", "=="]),
        max_size=10,
    ).map("".join),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ALL), values, st.data())
def test_any_value_has_a_result_or_none(each: Transformation, value: Value, data: st.DataObject) -> None:
    bench = Bench()
    bench.value = value
    chain = f"{{{each.cls}.{each.op}"
    for kind in each.params.strip("()").split(",") if each.params else ():
        chain += "," + data.draw(st.sampled_from(WITH_ARGUMENTS[kind[0]]))
    try:
        variable = bench.prepare(chain + "}")
    except (NameRefused, PvarError):
        return
    assert variable.text is not None
    variable.text(bench.run)
    assert type(variable.get(bench.run)) in (int, str, type(None))
