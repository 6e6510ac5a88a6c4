"""The core's commands and variables, and the rewriting of URIs."""

from __future__ import annotations

import pytest

from evapi_cfg import check_text
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.core_hash import core_hash
from evapi_cfg.modules.core_uri import Part, rewrite, rewritten
from evapi_cfg.modules.spec import FixupError, NameRefused
from evapi_cfg.sip.uri import parse_uri
from tests.module_world import Bench

FULL = "sip:alice:secret@example.com:5070;transport=tcp;x=y?h=v"


@pytest.mark.parametrize(
    "uri,part,argument,result",
    [
        (FULL, "user", "bob", "sip:bob:secret@example.com:5070;transport=tcp;x=y?h=v"),
        (FULL, "user", "", "sip:example.com:5070;transport=tcp;x=y?h=v"),
        (FULL, "userpass", "c:d", "sip:c:d@example.com:5070;transport=tcp;x=y?h=v"),
        (FULL, "host", "h", "sip:alice:secret@h:5070;transport=tcp;x=y?h=v"),
        (FULL, "hostport", "h:1", "sip:alice:secret@h:1;transport=tcp;x=y?h=v"),
        (FULL, "hostporttrans", "h", "sip:alice:secret@h;x=y?h=v"),
        (FULL, "port", "1", "sip:alice:secret@example.com:1;transport=tcp;x=y?h=v"),
        (FULL, "port", "", "sip:alice:secret@example.com;transport=tcp;x=y?h=v"),
        (FULL, "prefix", "00", "sip:00alice:secret@example.com:5070;transport=tcp;x=y?h=v"),
        (FULL, "strip", 2, "sip:ice:secret@example.com:5070;transport=tcp;x=y?h=v"),
        (FULL, "strip_tail", 4, "sip:a:secret@example.com:5070;transport=tcp;x=y?h=v"),
        (FULL, "strip", 5, "sip:example.com:5070;transport=tcp;x=y?h=v"),
        (FULL, "strip_tail", 9, "sip:example.com:5070;transport=tcp;x=y?h=v"),
        (FULL, "userphone", "", "sip:alice:secret@example.com:5070;transport=tcp;x=y;user=phone?h=v"),
        ("sip:h", "user", "u", "sip:u@h"),
        ("sip:h", "prefix", "p", "sip:p@h"),
        ("tel:+1;a=b", "strip", 1, "tel:1;a=b"),
        ("tel:+1;a=b", "host", "gw", "sip:+1;a=b@gw;user=phone"),
        ("sip:1;a=b@gw;user=phone", "user", "2", "sip:2;a=b@gw;user=phone"),
        ("urn:service:sos", "user", "u", "sip:u@service:sos"),
    ],
)
def test_rewriting(uri: str, part: Part, argument: str | int, result: str) -> None:
    parsed = parse_uri(uri)
    assert parsed is not None
    if isinstance(argument, int):
        assert rewritten(parsed, part, count=argument) == result
    else:
        assert rewritten(parsed, part, argument) == result


def test_what_cannot_be_rewritten() -> None:
    bench = Bench()
    assert bench.call("seturi", "nonsense") == 1
    assert bench.call("setuser", "x") == -1
    assert bench.get("$ru") == "nonsense"
    assert bench.call("seturi", "tel:1") == 1
    assert bench.call("setport", "5") == -1
    assert bench.call("seturi", "sip:a@b") == 1
    assert bench.call("setuser", "x" * 1100) == -1
    assert bench.get("$ru") == "sip:a@b"
    assert all(line.level == Level.ERROR for line in bench.log.lines)
    assert rewrite(bench.run, "strip", count=5) == 1
    assert bench.log.lines[-1].level == Level.WARNING
    assert bench.call("revert_uri") == 1
    assert bench.get("$ru") == "sip:kamailio.org"


def test_flags() -> None:
    bench = Bench()
    bench.world.flags["FLT"] = 7
    assert bench.call("isflagset", 7) == -1
    assert bench.call("setflag", "FLT") == 1
    assert bench.call("isflagset", 7) == 1
    assert bench.call("resetflag", 7) == 1
    assert bench.call("isflagset", "FLT") == -1
    assert bench.call("setflag", "NONE") == -1
    fixup = bench.function("setflag", 1).fixup
    assert fixup is not None
    assert fixup(("31",)) == (31,)
    assert fixup(("FLT",)) == ("FLT",)
    with pytest.raises(FixupError):
        fixup(("32",))


@pytest.mark.parametrize("level,threshold,written", [(-9, -5, Level.ALERT), (-2, 2, Level.CRITICAL), (2, 2, Level.INFO),
                                                     (3, 2, None), (9, 9, Level.DEBUG)])  # fmt: skip
def test_log(level: int, threshold: int, written: Level | None) -> None:
    bench = Bench()
    bench.log.threshold = threshold
    assert bench.call("log", level, "text") == 1
    assert [line.level for line in bench.log.lines] == ([] if written is None else [written])


def test_log_without_a_level_is_below_debug() -> None:
    bench = Bench()
    assert bench.call("log", "text") == 1
    assert not bench.log.lines
    bench.log.threshold = 4
    bench.call("log", "text")
    assert bench.log.script() == ["text"]


def test_return_codes_are_an_attribute() -> None:
    bench = Bench()
    bench.run.rc = 42
    for name in ("$rc", "$retcode", "$?"):
        assert bench.variable(name).attribute == "rc"
        assert bench.get(name) == 42


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVAPI_CFG_TEST", "gr\u00fcn")
    bench = Bench()
    assert bench.get("$env(EVAPI_CFG_TEST)") == "gr\xc3\xbcn"
    monkeypatch.setenv("EVAPI_CFG_TEST", "12")
    assert bench.get("$envn(EVAPI_CFG_TEST)") == 12
    monkeypatch.delenv("EVAPI_CFG_TEST")
    assert bench.get("$env(EVAPI_CFG_TEST)") is None
    assert bench.print("$envn(EVAPI_CFG_TEST)") == "<null>"


def test_defines() -> None:
    bench = Bench()
    bench.world.defines.update(NUM="42", TEXT="some text", QUOTED='"in quotes"', EMPTY=None)
    assert bench.print("$def(NUM) $defn(NUM) $defn(TEXT) [$def(EMPTY)] $def(NONE)") == "42 42 some text [] <null>"
    assert bench.get("$defn(TEXT)") == 0
    assert bench.print("$defv(QUOTED) $defs(QUOTED) $defs(TEXT)") == 'in quotes "in quotes" "some text"'


def test_instances_of_settings() -> None:
    bench = Bench()
    bench.world.custom["my", "limit"] = 5
    bench.world.custom_instances["my", 1] = {"limit": 6}
    assert bench.call("cfg_select", "my", 2) == -1
    assert bench.call("cfg_select", "my", 1) == 1
    assert bench.get("$sel(cfg_get.my.limit)") == "6"
    assert bench.call("cfg_reset", "my") == 1
    assert bench.get("$sel(cfg_get.my.limit)") == "5"


@pytest.mark.parametrize(
    "one,other,size,result",
    [("a", None, 16, 13), ("a", "b", 16, 11), ("abcd", None, 65536, 17432), ("abcdefgh", "ijk", 1 << 20, 970478),
     ("", None, 256, 0), ("test", None, 1 << 31, 2063405720)],
)  # fmt: skip
def test_core_hash(one: str, other: str | None, size: int, result: int) -> None:
    assert core_hash(one, other, size) == result


def test_a_flag_of_very_many_digits_is_refused() -> None:
    report = check_text("#!KAMAILIO\nrequest_route { setflag(" + "9" * 5000 + '); setflag("' + "9" * 5000 + '"); }\n')
    assert report.errors >= 1


def test_variables_very_deep_inside_each_other_are_refused_at_run_time() -> None:
    bench = Bench()
    for text in ("$avp(" * 17 + "x" + ")" * 17, "$sht(a=>" * 5000 + ")" * 5000):
        for read in (bench.names.runtime_text, bench.names.runtime_variable):
            with pytest.raises(NameRefused, match="more than 16 variables inside each other"):
                read(text)
    assert bench.names.runtime_text("((((((((((((((((((((" + "$var(a)" * 30) is not None
    assert bench.names.runtime_variable("$avp(" * 16 + "x" + ")" * 16) is not None
