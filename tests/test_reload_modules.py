"""What modules keep when a new program takes over: tables, queues, timers, scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evapi_cfg import ConfigError, check_file
from evapi_cfg.check.scripts import scripts_of
from tests import driven_sip
from tests.driven import HEAD, MESSAGE, Bench, frames
from tests.outside_world import HandOutside
from tests.scripted import CLASS, IN_LUA, IN_PYTHON, Scripted, lua, python
from tests.test_reload import ask, own, rpc, texts

TABLES = HEAD + 'loadmodule "htable.so"\nmodparam("htable", "timer_interval", 1)\n'
QUEUES = HEAD + 'loadmodule "mqueue.so"\n'
ITEM = "if($(evapi(msg){s.len}) > 1) { $sht(t=>$evapi(msg)) = $evapi(msg); }"


def table(definition: str, answer: str = "$sht(t=>ab) $sht(t=>none)", more: str = "") -> str:
    return f'modparam("htable", "htable", "t=>{definition}")\n' + own(answer, ITEM) + more


def tables(definition: str) -> Bench:
    bench = Bench("")
    bench.app.reload(TABLES + table(definition))
    return bench


# ---- htable


def test_items_live_on_and_another_program_sees_those_of_the_old_one() -> None:
    bench = tables("size=4;autoexpire=10")
    client = bench.connect()
    assert ask(client, "ab") == ["ab <null>"]
    bench.app.reload(TABLES + table("size=4;autoexpire=10", "two $sht(t=>ab)"))
    assert ask(client, "x") == ["two ab"]
    bench.pass_time(9)
    assert ask(client, "x") == ["two ab"]
    bench.pass_time(3)
    assert ask(client, "x") == ["two <null>"]
    assert '"all":0' in rpc(bench.app, "htable.stats")


def test_a_table_that_is_gone_loses_what_expires_and_comes_again_with_the_rest() -> None:
    bench = tables("size=4;autoexpire=10")
    client = bench.connect()
    ask(client, "ab")
    bench.pass_time(5)
    ask(client, "cd")
    bench.app.reload(TABLES + own("no table"))
    bench.pass_time(7)
    bench.app.reload(TABLES + table("size=4;autoexpire=10", "$sht(t=>ab) $sht(t=>cd) $shtcn(t=>~~.*)"))
    assert ask(client, "x") == ["<null> cd 1"]


def test_another_definition_counts_for_what_is_set_from_now_on() -> None:
    bench = tables("size=4;autoexpire=10")
    client = bench.connect()
    ask(client, "ab")
    bench.app.reload(TABLES + table("size=6;autoexpire=100;initval=7", "$sht(t=>ab) $sht(t=>cd) $sht(t=>none)"))
    assert ask(client, "cd") == ["ab cd 7"]
    bench.pass_time(12)
    assert ask(client, "x") == ["7 cd 7"]
    bench.app.reload(TABLES + table("size=6", "$sht(t=>cd) $sht(t=>ef)"))
    bench.pass_time(1000)
    assert ask(client, "ef") == ["cd ef"]
    bench.app.reload(TABLES + table("size=6;autoexpire=10", "$sht(t=>cd) $sht(t=>ef) $sht(t=>gh)"))
    assert ask(client, "gh") == ["cd ef gh"]
    bench.pass_time(1000)
    assert ask(client, "x") == ["cd ef <null>"]


def test_items_are_walked_in_the_order_of_the_new_size() -> None:
    loop = "while(sht_iterator_next('i')) { $var(l) = $var(l) + $shtitkey(i); }"
    walk = "route[W] { sht_iterator_start('i', 't'); " + loop + " }\n"
    calls = own("$var(l)", ITEM + " $var(l) = ''; if($evapi(msg) == 'w') { route(W); }") + walk
    walked = []
    for first, then in ((2, 8), (8, 8)):
        bench = Bench("")
        bench.app.reload(TABLES + f'modparam("htable", "htable", "t=>size={first}")\n' + calls)
        client = bench.connect()
        ask(client, *(f"k{number}" for number in range(20)), "w")
        bench.app.reload(TABLES + f'modparam("htable", "htable", "t=>size={then}")\n' + calls)
        walked.append(ask(client, "w"))
    assert walked[0] == walked[1]


def test_events_of_items_that_expire_run_in_the_new_program() -> None:
    event = "event_route[htable:expired:t] {{ xlog('L_INFO', '{} $shtrecord(key)'); }}\n"
    bench = Bench("")
    bench.app.reload(TABLES + table("autoexpire=5", more=event.format("one")))
    client = bench.connect()
    ask(client, "ab")
    bench.app.reload(TABLES + table("autoexpire=5", more=event.format("two")))
    bench.pass_time(7)
    assert bench.logged() == ["two ab"]


def test_a_run_that_sleeps_still_has_the_table_that_is_gone() -> None:
    bench = Bench("", workers=4)
    bench.app.reload(
        TABLES + 'modparam("htable", "htable", "t=>size=4")\n' + own("$sht(t=>a)", "$sht(t=>a) = 5; sleep(1);")
    )
    client = bench.connect()
    ask(client, "x")
    bench.app.reload(TABLES + own("two"))
    bench.pass_time(1)
    assert texts(client) == ["5"]


# ---- mqueue


def queues(*declared: str) -> str:
    params = "".join(f'modparam("mqueue", "mqueue", "{text}")\n' for text in declared)
    add = "if($(evapi(msg){s.len}) > 1) { mq_add('q', '$(evapi(msg){s.substr,0,1})', '$evapi(msg)'); }"
    take = " else { $var(v) = ''; while(mq_fetch('q')) { $var(v) = $var(v) + $mqv(q) + ' '; } }"
    return QUEUES + params + own("$var(v)", add + take)


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        ("name=q", "name=q", "a1 b1 a2 c1 "),
        ("name=q", "name=q;size=2", "a2 c1 "),
        ("name=q", "name=q;addmode=1", "a1 b1 c1 "),
        ("name=q", "name=q;addmode=2", "b1 a2 c1 "),
        ("name=q;addmode=1", "name=q", "a1 b1 c1 "),
        ("name=q;addmode=2", "name=q;addmode=1;size=2", "a2 c1 "),
    ],
)
def test_queues_keep_what_is_in_them(before: str, after: str, left: str) -> None:
    bench = Bench("")
    bench.app.reload(queues(before))
    client = bench.connect()
    ask(client, "a1", "b1", "a2", "c1")
    bench.app.reload(queues(after))
    assert ask(client, "?") == [left]


def test_a_queue_that_is_gone_comes_again_with_what_is_in_it() -> None:
    bench = Bench("")
    bench.app.reload(queues("name=q", "name=r"))
    client = bench.connect()
    ask(client, "a1")
    bench.app.reload(QUEUES + 'modparam("mqueue", "mqueue", "name=r")\n' + own("x"))
    bench.app.reload(queues("name=r", "name=q"))
    assert ask(client, "?") == ["a1 "]


# ---- rtimer, timer


def ticking(said: str, *timers: str) -> str:
    """Timers as (name, interval, mode)."""
    params = "".join(
        f'modparam("rtimer", "timer", "name={name};interval={interval};mode={mode}")\n'
        f'modparam("rtimer", "exec", "timer={name};route=T{name}")\n'
        for name, interval, mode in (timer.split() for timer in timers)
    )
    routes = "".join(
        f'route[T{name}] {{ $var(n) = $var(n) + 1; xlog("L_INFO", "{said} {name} $var(n)\\n"); }}\n'
        for name, _interval, _mode in (timer.split() for timer in timers)
    )
    return HEAD + 'loadmodule "rtimer.so"\n' + params + routes


@pytest.mark.parametrize("mode", [0, 1])
def test_a_timer_that_is_declared_as_before_goes_on_when_it_would_have(mode: int) -> None:
    bench = Bench("")
    bench.app.reload(ticking("one", f"a 10 {mode}"))
    bench.pass_time(10)
    bench.pass_time(6)
    bench.app.reload(ticking("two", f"a 10 {mode}", "b 3 1"))
    bench.pass_time(3)
    bench.pass_time(1)
    bench.app.reload(ticking("three", "b 3 1"))
    bench.pass_time(2)
    bench.pass_time(100)
    assert bench.logged() == ["one a 1", "two b 1", "two a 2", "three b 2", "three b 3"]


def test_a_timer_that_is_declared_otherwise_begins_anew() -> None:
    bench = Bench("")
    bench.app.reload(ticking("one", "a 10 1"))
    bench.pass_time(9)
    bench.app.reload(ticking("two", "a 5 1"))
    bench.pass_time(4)
    assert bench.logged() == []
    bench.pass_time(1)
    assert bench.logged() == ["two a 1"]


def test_a_timer_whose_route_sleeps_goes_on_in_the_new_program_or_ends() -> None:
    def cfg(said: str, interval: int) -> str:
        return (
            HEAD
            + f'loadmodule "rtimer.so"\nmodparam("rtimer", "timer", "name=a;interval={interval};mode=1")\n'
            + 'modparam("rtimer", "exec", "timer=a;route=A")\n'
            + f'route[A] {{ sleep(3); xlog("L_INFO", "{said}\\n"); }}\n'
        )

    bench = Bench("")
    bench.app.reload(cfg("one", 10))
    bench.pass_time(10)
    bench.app.reload(cfg("two", 10))
    bench.pass_time(3)
    bench.pass_time(10)
    bench.app.reload(cfg("three", 2))
    bench.pass_time(3)
    bench.pass_time(3)
    assert bench.logged() == ["one", "two", "three"]


def test_timers_of_module_timer_stay_switched_as_they_are() -> None:
    def cfg(said: str, declared: str) -> str:
        return (
            HEAD
            + f'loadmodule "timer.so"\nmodparam("timer", "declare_timer", "{declared}")\n'
            + f'route[T] {{ xlog("L_INFO", "{said} @timer.executed\\n"); }}\n'
            + MESSAGE
            + ' { if($evapi(msg) == "on") { timer_enable("t", "1"); } else { timer_enable("t", "0"); } }\n'
        )

    bench = Bench("")
    bench.app.reload(cfg("one", "t=T,10000,slow"))
    client = bench.connect()
    bench.app.reload(cfg("two", "t=T,10000,slow"))
    bench.pass_time(10)
    assert bench.logged() == []
    client.send(frames("on"))
    bench.pass_time(6)
    bench.app.reload(cfg("three", "t=T,10000,slow"))
    bench.pass_time(4)
    assert len(bench.logged()) == 1
    assert bench.logged()[0].startswith("three")
    bench.app.reload(cfg("four", "t=T,20000,slow"))
    bench.pass_time(30)
    assert len(bench.logged()) == 1
    bench.app.reload(HEAD)
    assert bench.app.program.world.timers.idle


# ---- scripts


@pytest.fixture(autouse=True)
def imports_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A script's folder comes to sys.path, and it and KSR to sys.modules."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in ("KSR", "script"):
        if name not in before:
            sys.modules.pop(name, None)


def in_python(said: str, name: str = "resume") -> str:
    return f"""    seen = 0

    def on_event(self, msg, event):
        if event == "evapi:message-received":
            Script.seen += 1
            KSR.pv.seti("$shv(all)", KSR.pv.get("$shv(all)") + 1)
            text = KSR.pv.get("$evapi(msg)")
            if ":" in text:
                index, label, name = text.split(":")
                KSR.tmx.t_continue(int(index), int(label), name)
            else:
                KSR.evapi.relay(f"{said} {{Script.seen}} {{KSR.pv.get('$shv(all)')}}")
        return 1

    def ksr_request_route(self, msg):
        KSR.tm.t_newtran()
        index, label = KSR.pv.get("$T(id_index)"), KSR.pv.get("$T(id_label)")
        KSR.evapi.async_relay(f"{{index}}:{{label}}")
        return 1

    def {name}(self, msg):
        KSR.tm.t_reply(200, "{said}")
        return 1
"""


def again(bench: Scripted) -> None:
    """The file once more, with whatever it and the script are by now."""
    bench.app.reload(check_file(str(bench.path.parent / "kamailio.cfg")))


def test_a_script_is_loaded_anew_and_what_the_server_keeps_lives_on(tmp_path: Path) -> None:
    bench = python(tmp_path, in_python("one"))
    client = bench.app.connect()
    assert ask(client, "x", "x") == ["one 1 1", "one 2 2"]
    bench.path.write_text(CLASS + in_python("two"))
    again(bench)
    assert ask(client, "x") == ["two 1 3"]


@pytest.mark.parametrize("script", ["import KSR\nraise ValueError('no')\n", "def mod_init(:\n"])
def test_a_script_that_does_not_load_changes_nothing(tmp_path: Path, script: str) -> None:
    bench = python(tmp_path, in_python("one"))
    client = bench.app.connect()
    assert ask(client, "x") == ["one 1 1"]
    bench.path.write_text(script)
    with pytest.raises(ConfigError):
        again(bench)
    assert ask(client, "x") == ["one 2 2"]
    assert bench.app.program.world.generation == 1


def test_a_request_goes_on_in_the_script_that_has_the_function(tmp_path: Path) -> None:
    bench = python(tmp_path, in_python("one"))
    application, caller = bench.app.connect(), bench.app.sip_peer()
    for number in (1, 2):
        caller.send(
            f"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK{number}\r\n"
            f"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: {number}\r\n"
            "CSeq: 1 OPTIONS\r\n\r\n"
        )
    first, second = texts(application)
    bench.path.write_text(CLASS + in_python("two"))
    again(bench)
    application.send_message(first + ":resume")
    bench.path.write_text(CLASS + in_python("three", "other"))
    again(bench)
    application.send_message(second + ":resume")
    assert [reply.partition(b"\r\n")[0] for reply in caller.receive()] == [b"SIP/2.0 200 two", b"SIP/2.0 200 one"]


def test_timers_run_the_functions_of_the_script_in_force(tmp_path: Path) -> None:
    params = """loadmodule "rtimer.so"
modparam("rtimer", "timer", "name=a;interval=10;mode=1")
modparam("rtimer", "exec", "timer=a;route=on_a")
loadmodule "timer.so"
modparam("timer", "declare_timer", "b=on_b,10000,slow,enable")
"""

    def script(said: str) -> str:
        return "".join(
            f"    def on_{name}(self, msg, event):\n        KSR.info(f'{said} {{event}}\\n')\n        return 1\n\n"
            for name in "ab"
        )

    bench = python(tmp_path, script("one"), IN_PYTHON + params)
    bench.app.connect()
    for said in ("two", "three"):
        bench.path.write_text(CLASS + script(said))
        again(bench)
        bench.clock.time += 6
        bench.app.advance()
    assert bench.said() == ["three rtimer", "three timer"]
    bench.path.write_text(CLASS + script("four").replace("on_b", "on_c"))
    again(bench)
    bench.clock.time += 10
    bench.app.advance()
    assert bench.said()[2:] == ["four rtimer"]


def test_the_answer_to_a_query_runs_the_function_of_the_script_that_has_it(tmp_path: Path) -> None:
    def script(said: str, name: str = "answered") -> str:
        return f'''    def on_event(self, msg, event):
        if event == "evapi:message-received":
            KSR.http_async_client.query("http://a/", "answered")
        return 1

    def {name}(self, msg, event):
        KSR.evapi.relay("{said} " + event)
        return 1
'''

    outside = HandOutside()
    bench = python(tmp_path, script("one"), IN_PYTHON + 'loadmodule "http_async_client.so"\n')
    bench.app.program.world.outside = outside
    client = bench.app.connect()
    client.send_message("x")
    client.send_message("y")
    for said, name in (("two", "answered"), ("three", "other")):
        bench.path.write_text(CLASS + script(said, name))
        again(bench)
        outside.answer(bench.app)
        assert texts(client) == [f"{'two' if name == 'answered' else 'one'} http_async_client:callback"]


def test_scripts_are_found_where_they_are_loaded_from(tmp_path: Path) -> None:
    for bench, name in ((python(tmp_path, in_python("one")), "script.py"), (lua(tmp_path, "x = 1\n"), "script.lua")):
        assert scripts_of(bench.app.report.config) == [str(tmp_path / name)]
    assert scripts_of(Bench("").app.report.config) == []


def test_the_language_may_change(tmp_path: Path) -> None:
    bench = lua(tmp_path, "function on_event(event)\n  KSR.evapi.relay('lua')\n  return 1\nend\n")
    client = bench.app.connect()
    client.receive()
    assert ask(client, "x") == ["lua"]
    cfg = tmp_path / "kamailio.cfg"
    text = cfg.read_text()
    cfg.write_text(text.replace(IN_LUA, MESSAGE + ' { evapi_relay("native"); }\n'))
    again(bench)
    assert ask(client, "x") == ["native"]
    (tmp_path / "script.py").write_text(CLASS + in_python("python"))
    cfg.write_text(text.replace(IN_LUA, IN_PYTHON))
    again(bench)
    assert ask(client, "x") == ["python 1 1"]


# ---- others


def test_identifiers_are_counted_on() -> None:
    head = HEAD + 'loadmodule "sl.so"\nloadmodule "kex.so"\nloadmodule "siputils.so"\n'
    bench = Bench("")
    bench.app.reload(head + own("$sruid"))
    client = bench.connect()
    first = ask(client, "x")[0]
    bench.app.reload(head + own("$sruid"))
    assert ask(client, "x") != [first]


def test_the_acks_of_what_was_replied_without_a_transaction_are_still_known() -> None:
    cfg = """request_route {
  xlog("L_INFO", "$rm\n");
  sl_send_reply("404", "No");
}
"""
    bench = driven_sip.Bench(cfg)
    bench.send("INVITE")
    tag = bench.sip.receive()[0].decode().partition("To: ")[2].partition("\r\n")[0].partition(";tag=")[2]
    bench.app.reload(driven_sip.HEAD + cfg)
    bench.send("ACK", number=1, to=f";tag={tag}")
    assert bench.logged() == ["INVITE"]
