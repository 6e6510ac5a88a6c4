"""A new program takes over from the one that runs: what lives on, what changes, and what goes on as it began."""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path
from weakref import ref

import pytest

from evapi_cfg import ConfigError, Peer, check_text, load_text
from evapi_cfg.modules import jsonrpcs
from evapi_cfg.modules.context import Level
from evapi_cfg.runtime.app import App, Records
from evapi_cfg.runtime.overrides import OverrideRefused
from evapi_cfg.runtime.reload import prepare
from evapi_cfg.steps import at_once
from tests import driven_sip
from tests.conformance.run import Case
from tests.driven import CLOSED, HEAD, MESSAGE, NEW, Bench, HandClock, frames
from tests.outside_world import HandOutside

TAGGED = f'{NEW} {{ evapi_set_tag("c$evapi(conidx)"); $shv(came) = $shv(came) + 1; }}\n'


def own(answer: str, more: str = "") -> str:
    """Answers go to the one who asked, by the tag that it was given when it came."""
    return TAGGED + f'{MESSAGE} {{ {more} evapi_unicast("{answer}", "c$evapi(conidx)"); }}\n'


def ask(peer: Peer, *messages: str) -> list[str]:
    peer.send(frames(*messages))
    return texts(peer)


def texts(peer: Peer) -> list[str]:
    return re.findall(r"\d+:([^,]*),", peer.receive().decode())


def rpc(app: App, method: str, *params: int | str) -> str:
    """The answer in one line."""
    values = ", ".join(str(param) if isinstance(param, int) else f'"{param}"' for param in params)
    text = jsonrpcs.answer(app.program.world, f'{{"jsonrpc": "2.0", "method": "{method}", "params": [{values}]}}')
    return re.sub(r"\s+", "", text).removeprefix('{"jsonrpc":"2.0",').removesuffix("}")


# ---- clients and messages


def test_clients_stay_with_their_tags_and_nothing_is_said_of_them_again() -> None:
    bench = Bench(own("one $evapi(msg)"))
    first, second = bench.connect(), bench.connect()
    assert ask(first, "x") == ["one x"]
    bench.app.reload(HEAD + own("two $evapi(msg) $shv(came)"))
    assert ask(second, "y") == ["two y 2"]
    assert ask(first, "z") == ["two z 2"]
    assert ask(bench.connect(), "new") == ["two new 3"]
    assert second.connected


def test_a_frame_that_has_come_in_part_is_whole_afterwards() -> None:
    bench = Bench(own("one $evapi(msg)"))
    client = bench.connect()
    client.send(b"5:he")
    bench.app.reload(HEAD + own("two $evapi(msg)"))
    client.send(b"llo,1:x,")
    assert texts(client) == ["two hello", "two x"]


def test_variables_live_on_and_new_ones_begin_as_the_file_says() -> None:
    count = "$var(n) = $var(n) + 1; $shv(n) = $shv(n) + 10; $vn(n) = $var(n);"
    bench = Bench(own("$var(n) $shv(n) $vn(n)", count))
    client = bench.connect()
    assert ask(client, "x", "x") == ["1 10 1", "2 20 2"]
    begin = 'modparam("pv", "varset", "m=i:7")\nmodparam("pv", "shvset", "m=s:a")\nmodparam("pv", "shvset", "n=i:5")\n'
    bench.app.reload(HEAD + begin + own("$var(n) $shv(n) $vn(n) $var(m) $shv(m)", count))
    assert ask(client, "x") == ["3 30 3 7 a"]


@pytest.mark.parametrize(
    ("cfg", "fault"),
    [
        (MESSAGE + " { frobnicate(); }\n", "no function `frobnicate`"),
        (MESSAGE + " { if(1 { exit; } }\n", r"`\)`"),
        (MESSAGE + " { route(NOWHERE); }\n", r"no `route\[NOWHERE\]`"),
        ('modparam("evapi", "max_clients", "many")\n', "max_clients"),
    ],
)
def test_a_bad_file_changes_nothing(cfg: str, fault: str) -> None:
    bench = Bench(own("$shv(n)", "$shv(n) = 1;"))
    client = bench.connect()
    before = dict(bench.app.program.world.shv)
    with pytest.raises(ConfigError, match=fault):
        bench.app.reload(HEAD + "route[A] { $shv(new) = 1; }\n" + cfg)
    assert bench.app.program.world.shv == before
    assert bench.app.program.world.generation == 1
    assert ask(client, "x") == ["1"]


def test_modparams_of_the_command_line_still_count() -> None:
    app = load_text(HEAD + own("x"), params=[("evapi", "max_clients", 2)])
    app.reload(HEAD + 'modparam("evapi", "max_clients", 50)\n' + own("y"))
    assert [app.connect().connected for _ in range(3)] == [True, True, False]
    without = HEAD.replace('loadmodule "evapi.so"\n', "")
    with pytest.raises(OverrideRefused, match="loads no module `evapi`"):
        app.reload(without)


def test_fewer_clients_may_come_and_those_who_are_there_stay() -> None:
    bench = Bench(own("x"))
    clients = [bench.connect() for _ in range(3)]
    bench.app.reload(HEAD + 'modparam("evapi", "max_clients", 2)\n' + own("y"))
    assert [ask(client, "?") for client in clients] == [["y"]] * 3
    assert not bench.connect().connected
    clients[0].close()
    clients[1].close()
    assert bench.connect().connected


def test_what_cannot_change_is_named_and_stays() -> None:
    bench = Bench(own("one"))
    client = bench.connect()
    made = bench.app.reload(
        HEAD
        + "".join(
            f'modparam("evapi", "{name}", {value})\n'
            for name, value in (("bind_addr", '"127.0.0.1:9"'), ("netstring_format", 0), ("workers", 0))
        )
        + "listen=udp:127.0.0.1:5099\ntcp_max_connections=9\n"
        + own("two $evapi(msg)")
    )
    assert made.kept == (
        "bind_addr of module evapi (127.0.0.1:8448 stays)",
        "netstring_format of module evapi (1 stays)",
        "workers of module evapi (1 stays)",
        "tcp_max_connections",
        "listen",
    )
    assert ask(client, "x") == ["two x"]
    assert bench.app.program.world.int_param("evapi", "workers", 7) == 1


def test_it_is_told_what_has_changed() -> None:
    routes = "route[A] { exit; }\nroute[B] { route(A); }\n"
    bench = Bench(own("x") + routes)
    same = bench.app.reload("\n" + HEAD.replace("\n", "\n\n") + "# a comment\n" + own("x") + routes)
    assert (same.generation, same.changed) == (2, ())
    made = bench.app.reload(HEAD + own("y") + "route[A] { exit; }\nroute[C] { route(A); }\ndebug=3\n")
    assert made.changed == (
        "1 route changed (event_route[evapi:message-received])",
        "1 route new (route[C])",
        "1 route gone (route[B])",
        "settings changed",
    )


def test_a_program_that_was_prepared_too_early_cannot_take_over() -> None:
    bench = Bench(own("one"))
    prepared = at_once(prepare(bench.app.engine, check_text(HEAD + own("two")), bench.app.loading))
    bench.app.reload(HEAD + own("three"))
    with pytest.raises(RuntimeError, match="another program has taken over"):
        bench.app.take_over(prepared)


def test_nothing_happens_while_a_program_is_prepared() -> None:
    declared = 'modparam("mqueue", "mqueue", "name=q;dbmode=1")\n'
    head = HEAD + 'loadmodule "mqueue.so"\n'
    app = load_text(HEAD + own("$shv(a)"), log=Records())
    client = app.connect()
    prepared = at_once(prepare(app.engine, check_text(head + declared + own("$shv(b) $var(b)")), app.loading))
    assert "b" not in app.program.world.shv
    assert ask(client, "x") == ["0"]
    assert isinstance(app.log, Records) and app.log.lines == []
    app.take_over(prepared)
    assert [line.message for line in app.log.lines] == [
        "the queue 'q' is not kept in a database: dbmode does not run here"
    ]
    assert ask(client, "x") == ["0 0"]


# ---- runs that are under way


def sleepy(said: str) -> str:
    """A message `s` sleeps."""
    return own(f"{said} $evapi(msg) $var(x)", "$var(x) = $evapi(msg); if($evapi(msg) == 's') { sleep(5); }")


def test_a_run_that_sleeps_ends_as_it_began_and_the_next_message_waits_for_it() -> None:
    bench = Bench(sleepy("one"), workers=4)
    first, second = bench.connect(), bench.connect()
    assert ask(first, "s", "a") == []
    bench.app.reload(HEAD + sleepy("two"))
    assert ask(second, "b") == ["two b b"]
    assert ask(first, "c") == []
    bench.pass_time(5)
    assert texts(first) == ["one s b", "two a a", "two c c"]


def test_messages_keep_their_order_where_nothing_waits_any_more() -> None:
    bench = Bench(sleepy("one"), workers=4)
    first, second = bench.connect(), bench.connect()
    assert ask(first, "s") == []
    bench.app.reload(HEAD + own("two $evapi(msg)"))
    assert ask(first, "a", "b") == []
    assert ask(second, "c") == ["two c"]
    bench.pass_time(5)
    assert texts(first) == ["one s s", "two a", "two b"]
    assert ask(first, "d") == ["two d"]


def test_messages_begin_to_wait() -> None:
    bench = Bench(own("one $evapi(msg)"), workers=4)
    client = bench.connect()
    bench.app.reload(HEAD + sleepy("two"))
    assert ask(client, "s", "a") == []
    bench.pass_time(5)
    assert texts(client) == ["two s s", "two a a"]


def test_waiting_messages_of_a_program_without_a_route_for_them_are_dropped() -> None:
    bench = Bench(sleepy("one"))
    client, other = bench.connect(), bench.connect()
    client.send(frames("s", *["x"] * 600))
    bench.app.reload(HEAD + TAGGED)
    bench.pass_time(5)
    assert texts(client) == ["one s s"]
    assert [line.message for line in bench.lines(Level.WARNING)] == [f"messages are dropped: there is no {MESSAGE}"]
    bench.app.reload(HEAD + own("three $evapi(msg)"))
    assert ask(client, "y") == ["three y"]
    assert ask(other, "y") == ["three y"]


def test_a_client_that_left_while_its_message_sleeps_is_told_of_in_the_new_program() -> None:
    closed = CLOSED + ' { xlog("L_INFO", "SAID $evapi(conidx)\\n"); }\n'
    bench = Bench(sleepy("one") + closed.replace("SAID", "old"), workers=0)
    client = bench.connect()
    client.send(frames("s"))
    client.close()
    bench.app.reload(HEAD + sleepy("two") + closed.replace("SAID", "new"))
    bench.pass_time(5)
    assert bench.logged() == ["new 0"]


def test_a_lock_is_held_across_programs() -> None:
    locks = "if($evapi(msg) == 's') { lock('k'); sleep(5); unlock('k'); } else { lock('k'); }"
    bench = Bench(own("one $evapi(msg)", locks), workers=4)
    first, second = bench.connect(), bench.connect()
    assert ask(first, "s") == []
    bench.app.reload(HEAD + own("two $evapi(msg)", locks))
    assert ask(second, "x") == []
    bench.pass_time(5)
    bench.pass_time(1)
    assert (texts(first), texts(second)) == (["one s"], ["two x"])


def test_routes_by_name_are_those_of_the_own_program() -> None:
    calls = own("$var(said)", "sleep(1); $var(name) = 'A'; route($var(name));")
    bench = Bench(calls + "route[A] { $var(said) = 'one'; }\n", workers=4)
    first, second = bench.connect(), bench.connect()
    assert ask(first, "x") == []
    bench.app.reload(HEAD + calls + "route[A] { $var(said) = 'two'; }\n")
    assert ask(second, "x") == []
    bench.pass_time(1)
    assert (texts(first), texts(second)) == (["one"], ["two"])


# ---- requests

PARKED = 'request_route { t_on_failure("LATE"); evapi_async_relay("$T(id_index):$T(id_label)"); }\n'
LATE = 'failure_route[LATE] {{ t_reply("486", "{}"); }}\n'


def resumed(said: str, name: str = "RESUME") -> str:
    return f'route[{name}] {{ t_reply("200", "{said}"); }}\n'


def test_parked_requests_go_on_in_the_new_program_by_name() -> None:
    bench = driven_sip.Bench(PARKED + driven_sip.RESUME + resumed("one"))
    bench.send()
    bench.send()
    first, second = bench.parked()
    bench.app.reload(driven_sip.HEAD + PARKED + driven_sip.RESUME + resumed("two"))
    bench.go_on(second)
    bench.app.reload(driven_sip.HEAD + PARKED + driven_sip.RESUME + resumed("three"))
    bench.go_on(first)
    assert bench.replies() == ["200 two", "200 three"]
    bench.pass_time(driven_sip.WT)
    assert bench.is_empty()


def test_a_request_goes_on_in_the_program_that_has_parked_it_where_the_new_one_has_no_such_route() -> None:
    head = driven_sip.HEAD
    asks = driven_sip.RESUME.replace('"RESUME"', '"$(evapi(msg){s.select,2,:})"')
    bench = driven_sip.Bench(PARKED + asks + resumed("one", "OLD"))
    bench.send()
    bench.send()
    first, second = bench.parked()
    bench.app.reload(head + PARKED + asks + resumed("two", "NEW"))
    bench.send()
    third = bench.parked()[0]
    bench.app.reload(head + PARKED + asks)
    bench.go_on(first + ":OLD")
    bench.go_on(third + ":OLD")
    bench.go_on(second + ":NEW")
    assert bench.replies() == ["200 one"]
    assert [line for line in bench.errors() if "t_continue" in line] == [
        "t_continue: route[OLD] does not exist",
        "t_continue: route[NEW] does not exist",
    ]
    bench.go_on(third + ":NEW")
    bench.go_on(second + ":OLD")
    assert bench.replies() == ["200 two", "200 one"]


def test_what_an_old_route_calls_is_of_its_own_program() -> None:
    asks = driven_sip.RESUME.replace('"RESUME"', '"$(evapi(msg){s.select,2,:})"')
    old = 'route[RESUME] { $var(by) = "INNER"; route($var(by)); t_reply("200", "$var(said)"); }\n'
    bench = driven_sip.Bench(PARKED + asks + old + "route[INNER] { $var(said) = 'one'; }\n")
    bench.send()
    bench.app.reload(driven_sip.HEAD + PARKED + asks + "route[INNER] { $var(said) = 'two'; }\n")
    bench.go_on(bench.parked()[0] + ":RESUME")
    assert bench.replies() == ["200 one"]


def test_the_failure_route_is_the_new_one_or_that_of_the_program_that_has_parked() -> None:
    bench = driven_sip.Bench(PARKED + LATE.format("one"))
    bench.send()
    bench.app.reload(driven_sip.HEAD + PARKED + LATE.format("two"))
    bench.pass_time(driven_sip.FR)
    assert bench.replies() == ["486 two"]
    bench.send()
    bench.app.reload(driven_sip.HEAD + PARKED.replace('t_on_failure("LATE"); ', ""))
    bench.pass_time(driven_sip.FR)
    assert bench.replies() == ["486 two"]


def test_timers_of_requests_go_on_and_new_settings_count_for_new_ones() -> None:
    bench = driven_sip.Bench(PARKED.replace('t_on_failure("LATE"); ', ""))
    bench.send()
    bench.pass_time(20)
    bench.app.reload(
        driven_sip.HEAD + 'modparam("tm", "fr_timer", 5000)\n' + PARKED.replace('t_on_failure("LATE"); ', "")
    )
    bench.send()
    bench.pass_time(5)
    assert bench.replies() == ["408 Request Timeout"]
    bench.pass_time(5)
    assert bench.replies() == ["408 Request Timeout"]


def test_the_avps_of_a_parked_request_live_on() -> None:
    parks = PARKED.replace("t_on_failure", "$avp(kept) = $rU; t_on_failure")
    bench = driven_sip.Bench(parks + driven_sip.RESUME + driven_sip.ANSWER + LATE.format("x"))
    bench.send(user="carol")
    which = bench.parked()[0]
    answers = 'route[RESUME] { t_reply("200", "$avp(kept)"); }\n'
    bench.app.reload(driven_sip.HEAD + parks + driven_sip.RESUME + answers + LATE.format("x"))
    bench.go_on(which)
    assert bench.replies() == ["200 carol"]


def test_requests_that_are_parked_when_the_server_ends_are_told() -> None:
    bench = driven_sip.Bench(PARKED + LATE.format("x"))
    bench.send()
    bench.app.reload(driven_sip.HEAD + PARKED + LATE.format("y"))
    bench.send()
    bench.app.engine.requests.end()
    bench.app.deliver()
    assert bench.replies() == ["503 Service Unavailable"] * 2


def test_a_request_whose_route_sleeps_is_answered_by_it() -> None:
    cfg = 'request_route { sleep(2); t_newtran(); t_reply("200", "SAID"); }\n'
    bench = driven_sip.Bench(cfg.replace("SAID", "one"))
    bench.send()
    bench.app.reload(driven_sip.HEAD + cfg.replace("SAID", "two"))
    bench.send()
    bench.pass_time(2)
    assert bench.replies() == ["200 one", "200 two"]


@pytest.mark.parametrize(("name", "said"), [("ANSWERED", "two"), ("OTHER", "one")])
def test_the_answer_to_a_query_runs_the_new_route_or_that_of_who_has_asked(name: str, said: str) -> None:
    head = driven_sip.HEAD.replace(
        'loadmodule "evapi.so"\n', 'loadmodule "http_async_client.so"\nloadmodule "evapi.so"\n'
    )
    asks = 'request_route { t_newtran(); http_async_query("http://a/", "ANSWERED"); }\n'
    outside, clock = HandOutside(), HandClock()
    app = load_text(head + asks + resumed("one", "ANSWERED"), outside=outside, clock=clock)
    caller = app.sip_peer()
    caller.send(
        "OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK1\r\n"
        "From: <sip:alice@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    assert outside.urls == ["http://a/"]
    app.reload(head + asks.replace("ANSWERED", name) + resumed("two", name))
    outside.answer(app)
    assert [reply.partition(b"\r\n")[0].decode() for reply in caller.receive()] == [f"SIP/2.0 200 {said}"]


# ---- settings


def test_settings_that_were_changed_stay_unless_the_file_says_another_value() -> None:
    def cfg(limit: int, name: str) -> str:
        return (
            HEAD.replace('loadmodule "evapi', 'loadmodule "cfg_rpc.so"\nloadmodule "evapi')
            + f'my.limit = {limit} desc "x"\nmy.word = "{name}"\nmy.more = 1\nmy[1].limit = 5\n'
            + own("$sel(cfg_get.my.limit) $sel(cfg_get.my.word) $sel(cfg_get.my.more)")
        )

    app = load_text(cfg(10, "a"))
    client = app.connect()
    rpc(app, "cfg.seti", "my", "limit", 20)
    rpc(app, "cfg.sets", "my", "word", "b")
    rpc(app, "cfg.seti", "my[1]", "limit", 6)
    rpc(app, "cfg.seti", "my[1]", "more", 7)
    rpc(app, "cfg.set_delayed_int", "my", "more", 9)
    app.reload(cfg(10, "c"))
    assert ask(client, "x") == ["20 c 1"]
    assert rpc(app, "cfg.get", "my[1]", "limit") == '"result":6'
    assert rpc(app, "cfg.get", "my[1]", "more") == '"result":7'
    rpc(app, "cfg.commit")
    rpc(app, "cfg.del", "my[1]", "limit")
    app.reload(cfg(11, "c"))
    assert ask(client, "x") == ["11 c 9"]
    assert rpc(app, "cfg.get", "my[1]", "limit") == '"result":11'
    rpc(app, "cfg.reset", "my")
    assert ask(client, "x") == ["11 c 1"]


def test_modparams_count_anew() -> None:
    line = own("x", 'xlog("L_INFO", "said\\n");')
    bench = Bench(line)
    client = bench.connect()
    ask(client, "x")
    bench.app.reload(HEAD + 'modparam("xlog", "prefix", "new: ")\n' + line)
    ask(client, "x")
    assert bench.logged() == ["said", "new: said"]


def test_flags_and_probabilities_stay_as_scripts_have_left_them() -> None:
    def cfg(flags: int, percent: int) -> str:
        params = (
            f'modparam("cfgutils", "initial_gflags", {flags})\nmodparam("cfgutils", "initial_probability", {percent})\n'
        )
        return params + own("x", 'set_gflag("3");')

    bench = Bench(cfg(1, 20))
    ask(bench.connect(), "x")
    rpc(bench.app, "cfgutils.rand_set_prob", 77)
    bench.app.reload(HEAD + cfg(2, 20))
    assert rpc(bench.app, "cfgutils.get_gflags") == '"result":"0x9(9)"'
    assert rpc(bench.app, "cfgutils.rand_get_prob") == '"result":"actualprobability:77percent"'
    bench.app.reload(HEAD + cfg(2, 30))
    assert rpc(bench.app, "cfgutils.rand_get_prob") == '"result":"actualprobability:30percent"'


def test_a_module_may_come_and_go() -> None:
    head = HEAD + 'loadmodule "htable.so"\nmodparam("htable", "htable", "t=>size=4;autoexpire=5")\n'
    begins = "event_route[htable:mod-init] { $sht(t=>a) = 'begun'; $var(left) = 1; }\n"
    bench = Bench(own("one"))
    client = bench.connect()
    bench.app.reload(head + begins + own("$sht(t=>a)"))
    assert ask(client, "x") == ["begun"]
    bench.app.reload(head + begins.replace("begun", "again") + own("$sht(t=>a)"))
    assert ask(client, "x") == ["begun"]
    bench.app.reload(HEAD + own("three"))
    assert ask(client, "x") == ["three"]
    bench.pass_time(100)
    assert bench.app.program.world.timers.idle


# ---- the server


def test_a_generation_goes_when_nobody_needs_it_without_the_collector() -> None:
    bench = driven_sip.Bench(PARKED + driven_sip.RESUME + resumed("one") + LATE.format("x"))
    gc.collect()
    gc.disable()
    try:
        cfg = driven_sip.HEAD + PARKED + driven_sip.RESUME + LATE.format("x")
        bench.app.reload(cfg + resumed("two") + "route[SLEEP] { sleep(9); }\n" + "request_route { exit; }\n")
        idle = ref(bench.app.program.world)
        bench.app.reload(cfg + resumed("three"))
        assert idle() is None
        bench.send()
        parked = ref(bench.app.program.world)
        bench.app.reload(cfg + resumed("four"))
        assert parked() is not None
        bench.go_on(bench.parked()[-1])
        assert bench.replies() == ["200 four"]
        bench.pass_time(driven_sip.WT)
        assert parked() is None
    finally:
        gc.enable()


CONFORMANCE = Path(__file__).parent / "conformance"
CASES = {path.stem.partition("_")[0]: path for path in sorted((CONFORMANCE / "cases").glob("*.case"))}


@pytest.mark.parametrize("path", CASES.values(), ids=CASES.keys())
def test_no_module_keeps_a_generation(path: Path) -> None:
    text = Case(path).cfg.replace("@HEAD@", (CONFORMANCE / "head.cfg").read_text())
    text = text.replace("@PORT@", "8448").replace("@SIPPORT@", "5060")
    try:
        app = load_text(text)
    except ConfigError:
        pytest.skip("needs its script")
    app.reload(text)
    world = ref(app.program.world)
    client = app.connect()
    client.send_message("x")
    client.close()
    if not app.engine.idle:
        pytest.skip("its run waits")
    gc.collect()
    gc.disable()
    try:
        app.reload(text)
        assert world() is None
    finally:
        gc.enable()


def test_a_run_that_sleeps_keeps_its_generation_as_long_as_it_does() -> None:
    bench = Bench(own("one"), workers=4)
    bench.app.reload(HEAD + sleepy("two"))
    client = bench.connect()
    client.send(frames("s"))
    gc.collect()
    gc.disable()
    try:
        slept = ref(bench.app.program.world)
        bench.app.reload(HEAD + sleepy("three"))
        assert slept() is not None
        bench.pass_time(5)
        assert texts(client) == ["two s s"]
        assert slept() is None
    finally:
        gc.enable()


def test_a_run_that_waits_goes_with_all_of_its_program(monkeypatch: pytest.MonkeyPatch) -> None:
    ignored: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda about: ignored.append(about.exc_value))
    bench = Bench(f'{MESSAGE} {{ sleep("$evapi(msg)"); }}', workers=0)
    for _ in range(2):
        bench.connect().send_message("1")
    world = ref(bench.app.program.world)
    assert not bench.app.engine.idle
    del bench
    gc.collect()
    assert (world(), ignored) == (None, [])


def test_a_bug_has_its_place_in_the_file_of_its_own_program() -> None:
    head = HEAD + 'loadmodule "exec.so"\n'
    outside, records = HandOutside(), Records()
    app = load_text(head + MESSAGE + ' {\n  exec_avp("x");\n}\n', outside=outside, allow_exec=True, log=records)
    app.connect().send(frames("x"))
    app.reload("#!KAMAILIO\n\n\n" + HEAD + own("y"))
    _command, done = outside.commands.pop()
    done(None)  # type: ignore[arg-type]  # as a bug would
    crash = next(record for record in records.lines if record.level == Level.CRITICAL)
    assert (crash.line, crash.route) == (head.count("\n") + 2, MESSAGE)


def test_commands_about_reloading() -> None:
    bench = Bench(own("one"))
    assert rpc(bench.app, "evapi-cfg.reload") == ('"error":{"code":500,"message":"thereisnofilethatcouldbereadagain"}')
    bench.clock.time += 1.5
    bench.app.reload(HEAD + own("two"))
    bench.clock.time += 2.25
    assert rpc(bench.app, "evapi-cfg.generation") == (
        '"result":{"generation":2,"seconds":2.250000,"refused":0,"errors":[]}'
    )
