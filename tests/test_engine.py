"""What the engine does with connections and messages: each line of the tables, and what goes wrong in a run.

Driven through the public interface, by hand: no sockets, and the clock is the test's own.
"""

from __future__ import annotations

import pytest

from evapi_cfg.compile.program import load
from evapi_cfg.modules import by_name
from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.spec import Function, ModuleSpec
from evapi_cfg.runtime.app import Records
from evapi_cfg.runtime.engine import Engine, make_hub
from evapi_cfg.runtime.hub import EventHub
from evapi_cfg.syntax.parse import parse_text
from tests.driven import CLOSED, HEAD, MESSAGE, NEW, Bench, HandClock, frames

# ---- places and tags


def test_a_place_that_is_used_again_has_no_tag() -> None:
    bench = Bench(
        f'{NEW} {{ xlog("new $evapi(conidx)"); }}\n{MESSAGE} {{ evapi_set_tag("t"); evapi_multicast("m", "t"); }}'
    )
    first = bench.connect()
    first.send_message("x")
    assert first.receive() == frames("m")
    first.close()
    second = bench.connect()
    other = bench.connect()
    other.send_message("x")
    assert second.receive() == b""
    assert other.receive() == frames("m")
    assert bench.logged() == ["new 0", "new 0", "new 1"]


def test_relay_in_connection_new_reaches_the_new_client_too() -> None:
    bench = Bench(f'{NEW} {{ evapi_relay("new $evapi(conidx) $evapi(srcaddr) $evapi(srcport) <$evapi(msg)>"); }}')
    first = bench.app.connect("192.0.2.7", 4711)
    second = bench.app.connect("::1", 4712)
    assert first.receive() == frames("new 0 192.0.2.7 4711 <<null>>", "new 1 ::1 4712 <<null>>")
    assert second.receive() == frames("new 1 ::1 4712 <<null>>")


def test_unicast_goes_to_the_lowest_place_with_the_tag() -> None:
    bench = Bench(f'{MESSAGE} {{ if($evapi(msg) == "tag") evapi_set_tag("t"); else evapi_unicast("u", "t"); }}')
    a, b, c = bench.connect(), bench.connect(), bench.connect()
    for client in (c, b):
        client.send_message("tag")
    a.send_message("go")
    assert (a.receive(), b.receive(), c.receive()) == (b"", frames("u"), b"")


def test_one_client_above_max_clients_gets_no_event_and_the_log_says_so() -> None:
    bench = Bench(f'{NEW} {{ xlog("new\\n"); }}\n{CLOSED} {{ xlog("closed\\n"); }}', max_clients=2)
    clients = [bench.connect() for _ in range(3)]
    assert [client.connected for client in clients] == [True, True, False]
    clients[2].close()
    clients[2].send(b"1:x,")
    assert bench.logged() == ["new", "new"]
    [error] = bench.lines(Level.ERROR)
    assert "max_clients is 2" in error.message
    clients[0].close()
    assert bench.connect().connected


# ---- return codes: only the dispatcher knows whether anybody was reached

CODES = """
%s {{
  $var(r) = evapi_relay("x"); xlog("relay $var(r)");
  $var(r) = evapi_multicast("x", "nobody"); xlog("multicast $var(r)");
  $var(r) = evapi_unicast("x", "nobody"); xlog("unicast $var(r)");
}}
""".replace("{{", "{").replace("}}", "}")


@pytest.mark.parametrize(("workers", "nobody"), [(0, -1), (1, 1), (4, 1)])
def test_a_relay_that_reaches_nobody_in_a_message(workers: int, nobody: int) -> None:
    bench = Bench(CODES % MESSAGE, workers=workers)
    bench.connect().send_message("x")
    assert bench.logged() == ["relay 1", f"multicast {nobody}", f"unicast {nobody}"]


@pytest.mark.parametrize("event", [NEW, CLOSED])
def test_connection_events_run_in_the_dispatcher_whatever_the_workers(event: str) -> None:
    bench = Bench(CODES % event, workers=4)
    bench.connect().close()
    assert bench.logged() == ["relay 1", "multicast -1", "unicast -1"]


def test_worker_one_init_runs_once_and_reaches_nobody() -> None:
    bench = Bench(
        f"""event_route[core:worker-one-init] {{
          $shv(n) = $shv(n) + 1;
          $var(r) = evapi_relay("x");
          xlog("init $var(r)");
        }}
        {MESSAGE} {{ evapi_relay("$shv(n)"); }}"""
    )
    first, second = bench.connect(), bench.connect()
    first.send_message("x")
    assert bench.logged() == ["init 1"]
    assert second.receive() == frames("1")
    assert first.receive() == frames("1")


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        ('evapi_relay("")', -1, "no data"),
        ('evapi_multicast("", "t")', -1, "no data"),
        ('evapi_multicast("x", "")', -1, "no tag"),
        ('evapi_unicast("", "t")', -1, "no data"),
        ('evapi_unicast("x", "")', -1, "no tag"),
        ('evapi_set_tag("")', 1, ""),
        (f'evapi_set_tag("{"t" * 63}")', 1, ""),
        (f'evapi_set_tag("{"t" * 64}")', -1, "64 bytes"),
    ],
)
def test_what_a_function_refuses(call: str, code: int, says: str) -> None:
    bench = Bench(f'{MESSAGE} {{\n$var(r) = {call};\nxlog("$var(r)"); }}', workers=0)
    peer = bench.connect()
    peer.send_message("x")
    assert bench.logged() == [str(code)]
    assert peer.receive() == b""
    errors = bench.lines(Level.ERROR)
    assert [says in error.message for error in errors] == [True] * bool(says)
    assert [(error.line, error.route) for error in errors] == [(HEAD.count("\n") + 2, MESSAGE)] * bool(says)


def test_a_tag_that_is_too_long_leaves_the_old_one() -> None:
    bench = Bench(f'{MESSAGE} {{ evapi_set_tag("$evapi(msg)"); evapi_unicast("u", "old"); }}')
    peer = bench.connect()
    peer.send_message("old")
    peer.send_message("x" * 64)
    assert peer.receive() == frames("u", "u")


# ---- evapi_close


def test_close_in_a_message() -> None:
    """What was relayed before arrives, $evapi(*) is $null, the frames behind it and connection-closed do not run."""
    bench = Bench(
        f"""{MESSAGE} {{
          xlog("got $evapi(msg)");
          if($evapi(msg) == "bye") {{
            evapi_relay("before");
            $var(r) = evapi_close();
            evapi_relay("behind");
            xlog("$var(r) $evapi(conidx) $evapi(msg) $evapi(srcaddr) $evapi(srcport)");
            $var(r) = evapi_close();
            xlog("again $var(r)");
          }}
        }}
        {CLOSED} {{ xlog("closed"); }}""",
        workers=0,
    )
    leaving, staying = bench.connect(), bench.connect()
    leaving.send(frames("one", "bye", "two"))
    assert not leaving.connected
    assert leaving.receive() == frames("before")
    assert staying.receive() == frames("before", "behind")
    leaving.close()
    assert bench.logged() == ["got one", "got bye", "1 <null> <null> <null> <null>", "again -2"]


def test_close_in_connection_new() -> None:
    bench = Bench(
        f'{NEW} {{ evapi_relay("no"); evapi_close(); }}\n{MESSAGE} {{ xlog("message"); }}\n{CLOSED} {{ xlog("c"); }}'
    )
    peer = bench.connect()
    assert not peer.connected
    assert peer.receive() == frames("no")
    peer.send_message("x")
    peer.close()
    assert bench.logged() == []


def test_close_in_connection_closed_does_no_harm() -> None:
    bench = Bench(f'{CLOSED} {{ $var(r) = evapi_close(); xlog("$var(r)"); evapi_relay("gone"); }}')
    leaving, staying = bench.connect(), bench.connect()
    leaving.close()
    leaving.close()
    assert bench.logged() == ["1"]
    assert staying.receive() == frames("gone")
    assert bench.connect().connected


def test_close_while_messages_wait_drops_them() -> None:
    bench = Bench(
        f'{MESSAGE} {{ xlog("$evapi(msg)"); sleep("1"); if($evapi(msg) == "bye") evapi_close(); }}', workers=0
    )
    peer = bench.connect()
    peer.send(frames("one", "bye", "two", "three"))
    for _ in range(4):
        bench.pass_time(1)
    assert bench.logged() == ["one", "bye"]
    assert not peer.connected
    assert bench.app.engine.idle


# ---- bytes


def test_a_payload_with_nul_bytes_is_relayed_whole() -> None:
    bench = Bench(f'{MESSAGE} {{ evapi_relay("$evapi(msg)"); }}')
    peer = bench.connect()
    peer.send_message(b"a\0b\xff\xfe")
    assert peer.receive() == b"5:a\0b\xff\xfe,"


def test_bare_reads_are_messages() -> None:
    bench = Bench(f'{MESSAGE} {{ evapi_relay("<$evapi(msg)>"); }}', netstring_format=0)
    peer = bench.connect()
    peer.send(b"5:hello,")
    peer.send_message("x")
    assert peer.receive() == b"<5:hello,><x>"


def test_hints_are_given_once_for_each_client() -> None:
    bench = Bench(f'{MESSAGE} {{ evapi_relay("$evapi(msg)"); }}')
    for _ in range(2):
        peer = bench.connect()
        for _ in range(3):
            peer.send(b"0:,1")
            peer.send(b":x,")
    texts = [line.message for line in bench.lines(Level.NOTICE)]
    assert len(texts) == 4
    assert [("empty frame" in text, "two reads" in text) for text in texts] == [(True, False), (False, True)] * 2
    assert bench.lines(Level.ERROR) + bench.lines(Level.WARNING) == []


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b'{"event": 1}', "JSON without a netstring"),
        (b"[1]", "JSON without a netstring"),
        (b"hello there", "netstring_format"),
        (b"3:abcd", "no comma"),
        (b"\x00\x1b[31m", "\\x00\\x1b[31m"),
    ],
)
def test_what_is_no_frame_is_dropped_with_its_likely_cause(data: bytes, cause: str) -> None:
    bench = Bench(f'{MESSAGE} {{ evapi_relay("$evapi(msg)"); }}')
    peer = bench.connect()
    peer.send(b"2:ok," + data)
    peer.send(b"2:go,")
    assert peer.receive() == frames("ok", "go")
    [warning] = bench.lines(Level.WARNING)
    assert cause in warning.message
    assert f"{len(data)} bytes are dropped" in warning.message


@pytest.mark.parametrize("head", [b"32761:", b"99999999999999:", b"0" * 40000])
def test_a_frame_that_is_too_long_closes_the_connection(head: bytes) -> None:
    bench = Bench(f'{MESSAGE} {{ evapi_relay("$evapi(msg)"); }}\n{CLOSED} {{ xlog("closed"); }}')
    peer, other = bench.connect(), bench.connect()
    peer.send(b"2:ok," + head)
    assert not peer.connected
    assert other.receive() == frames("ok")
    [error] = bench.lines(Level.ERROR)
    assert "32767" in error.message
    assert "--max-frame" in error.message
    assert bench.logged() == ["closed"]


def test_the_longest_frame_is_a_flag() -> None:
    bench = Bench(f'{MESSAGE} {{ evapi_relay("$evapi(msg)"); }}', max_frame=10)
    peer = bench.connect()
    peer.send(b"7:1234567,")
    assert peer.receive() == b"7:1234567,"
    peer.send(b"8:")
    assert not peer.connected


def test_messages_without_a_route_are_told_once() -> None:
    bench = Bench(f'{NEW} {{ xlog("new"); }}')
    for _ in range(2):
        bench.connect().send(frames("a", "b"))
    assert [line.message for line in bench.lines(Level.WARNING)] == [f"messages are dropped: there is no {MESSAGE}"]


# ---- variables


def test_var_lives_on_between_events_and_avp_does_not() -> None:
    bench = Bench(
        f"""{NEW} {{ $var(n) = $var(n) + 1; $avp(a) = "set"; }}
        {MESSAGE} {{ $var(n) = $var(n) + 1; evapi_relay("$var(n) $avp(a) $var(never)"); $avp(a) = "set"; }}
        event_route[core:worker-one-init] {{ $var(n) = 100; }}"""
    )
    peer = bench.connect()
    peer.send(frames("x", "x"))
    assert peer.receive() == frames("2 <null> 0", "3 <null> 0")


# ---- what goes wrong in a run


def test_a_loop_and_a_recursion_are_stopped_and_the_server_goes_on() -> None:
    bench = Bench(
        f"""{MESSAGE} {{
          if($evapi(msg) == "loop") {{ while(1) {{ $var(i) = $var(i) + 1; }} }}
          if($evapi(msg) == "deep") route(DEEP);
          evapi_relay("$evapi(msg)");
        }}
        route[DEEP] {{ route(DEEP); }}"""
    )
    peer = bench.connect()
    peer.send(frames("loop", "deep", "ok"))
    assert peer.receive() == frames("loop", "deep", "ok")
    texts = [line.message for line in bench.lines(Level.ERROR, "core")]
    assert any("max_while_loops" in text for text in texts)
    assert any("deep" in text for text in texts)


def broken_bench(route: str) -> tuple[Engine, Records, HandClock]:
    """An engine whose program has a module with functions that raise, as a bug of ours would."""

    def explode(run: Run) -> int:
        raise ZeroDivisionError("as a bug would")

    async def explode_later(run: Run) -> int:
        await run.pause(1)
        raise KeyError("later")

    spec = ModuleSpec(
        "broken", functions=(Function("explode", explode), Function("explode_later", explode_later, waits=True))
    )
    # Latin-1 bytes that str.splitlines would take for line ends, above the place that is to be told.
    text = '# \x85 \x0c \x1c\nloadmodule "broken.so"\n' + HEAD + route
    records, clock = Records(Level.DEBUG), HandClock()
    world = World(hub=EventHub(0), log=records, clock=clock)
    program = load(parse_text(text, "broken.cfg").config, world, {**by_name, "broken": spec})
    hub = make_hub(world)
    world.hub = hub
    return Engine(program, hub), records, clock


@pytest.mark.parametrize("function", ["explode", "explode_later"])
@pytest.mark.parametrize("event", [NEW, MESSAGE, CLOSED])
def test_an_exception_is_logged_with_its_place_and_the_server_goes_on(function: str, event: str) -> None:
    engine, records, clock = broken_bench(
        f'{event} {{\n  route(INNER);\n  xlog("not here");\n}}\n'
        f'route[INNER] {{\n  xlog("$evapi(conidx)");\n  {function}();\n}}'
    )
    for _ in range(2):
        client = engine.connect("127.0.0.1", 1)
        assert client is not None
        engine.receive(client, b"1:x,")
        clock.time += 2
        engine.advance()
        engine.gone(client)
        clock.time += 2
        engine.advance()
    assert engine.idle
    assert [line.message for line in records.lines if line.source == "script"] == ["0", "0"]
    crashes = [line for line in records.lines if line.level == Level.CRITICAL]
    assert len(crashes) == 2
    assert "a bug in evapi-cfg" in crashes[0].message
    assert event in crashes[0].message
    assert (crashes[0].line, crashes[0].route) == (2 + HEAD.count("\n") + 7, "route[INNER]")


def test_messages_behind_one_that_crashed_are_run() -> None:
    engine, records, clock = broken_bench(f'{MESSAGE} {{ xlog("$evapi(msg)"); explode_later(); }}')
    client = engine.connect("127.0.0.1", 1)
    assert client is not None
    engine.receive(client, frames("a", "b", "c"))
    for _ in range(3):
        clock.time += 1
        engine.advance()
    assert [line.message for line in records.lines if line.source == "script"] == ["a", "b", "c"]
    assert engine.idle


# ---- much output


@pytest.mark.parametrize("wait", ["", 'usleep("0");'])
def test_much_output_is_handed_out_in_parts(wait: str) -> None:
    bench = Bench(
        f'{MESSAGE} {{ evapi_relay("$evapi(msg)$evapi(msg)$evapi(msg)"); if($evapi(msg) == "") {{ {wait or ";"} }} }}'
    )
    engine = bench.app.engine
    sizes: list[int] = []

    def flush() -> None:
        sizes.append(sum(len(data) for _client, data in engine.hub.drain()))

    engine.flush = flush
    client = engine.connect("127.0.0.1", 1)
    assert client is not None
    engine.receive(client, frames(*["x" * 30000] * 100))
    flush()
    assert client.full
    assert len(sizes) == 2  # the rest waits until the sockets have had their turn
    while engine.next_time() is not None:
        engine.advance()
        flush()
    assert not client.full
    assert engine.resumed == [client]
    assert sum(sizes) == 100 * len(frames("x" * 90000))
    assert max(sizes) < 1_200_000
