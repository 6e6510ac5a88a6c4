"""The Python interface: load a configuration, drive it without sockets, read its log."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import evapi_cfg
from evapi_cfg import App, ConfigError, Peer, Record, Severity, SourceError, load_file, load_text
from evapi_cfg.runtime.app import Records

ROOT = Path(__file__).resolve().parent.parent
HEAD = '#!KAMAILIO\nloadmodule "pv"\nloadmodule "xlog"\nloadmodule "cfgutils"\nloadmodule "evapi"\n'
ECHO = HEAD + 'event_route[evapi:message-received] { evapi_relay("$evapi(msg)"); }\n'


def told(app: App) -> list[Record]:
    assert isinstance(app.log, Records)
    return app.log.lines


def answer(app: App, message: bytes | str = "x") -> bytes:
    peer = app.connect()
    peer.send_message(message)
    return peer.receive()


def test_names_of_the_interface() -> None:
    assert len(evapi_cfg.__all__) <= 16
    for name in evapi_cfg.__all__:
        found = getattr(evapi_cfg, name)
        assert found.__doc__, f"{name} says nothing about itself"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = evapi_cfg.nonsense


def test_a_file_is_loaded_and_driven() -> None:
    app = load_file(str(ROOT / "samples" / "echo.cfg"))
    client = app.connect()
    client.send(b"5:hel")
    assert client.receive() == b""
    client.send(b"lo,")
    assert client.receive() == b"11:echo: hello,"
    assert client.receive() == b""
    client.close()
    assert not client.connected


def test_messages_are_framed_as_the_configuration_asks() -> None:
    assert answer(load_text(ECHO), "h\u00e9") == b"3:h\xc3\xa9,"
    assert answer(load_text(ECHO, params=[("evapi", "netstring_format", 0)]), b"h\xff") == b"h\xff"


def test_two_apps_share_nothing() -> None:
    cfg = HEAD + (
        'modparam("pv", "shvset", "n=i:0")\n'
        'event_route[evapi:message-received] { $shv(n) = $shv(n) + 1; evapi_relay("$shv(n)"); }\n'
    )
    first, second = load_text(cfg), load_text(cfg)
    assert answer(first) == answer(second) == b"1:1,"
    assert answer(first) == b"1:2,"


def test_a_configuration_with_errors_is_refused_with_all_of_them() -> None:
    with pytest.raises(ConfigError, match=r"<text>:6:\d+: .* \(and 1 more\)") as caught:
        load_text(HEAD + 'route[A] { frobnicate("x"); }\nroute[B] { route(NOWHERE); }\n')
    errors = [found for found in caught.value.report.diagnostics if found.severity is Severity.ERROR]
    assert len(errors) == 2
    with pytest.raises(ConfigError, match=r"^my\.cfg:"):
        load_text("", "my.cfg")


@pytest.mark.parametrize(("name", "reason"), [("none.cfg", "no such file"), (".", "directory")])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        load_file(str(tmp_path / name))


def test_defines_and_params_come_after_those_of_the_file() -> None:
    cfg = HEAD + (
        'modparam("evapi", "max_clients", 5)\n'
        '#!ifdef WITH_TAG\nevent_route[evapi:message-received] { evapi_relay("$def(WITH_TAG)"); }\n#!endif\n'
    )
    app = load_text(cfg, defines={"WITH_TAG": "t"}, params=[("evapi", "max_clients", 2)])
    assert [app.connect().connected for _ in range(3)] == [True, True, False]
    assert answer(load_text(cfg, defines={"WITH_TAG": "t"})) == b"1:t,"
    assert answer(load_text(cfg)) == b""


@pytest.mark.parametrize(
    ("param", "says"),
    [
        (("evapi", "wokers", 1), r"`evapi` has no parameter `wokers`; did you mean `workers`\?"),
        (("evap", "workers", 1), r"loads no module `evap`; did you mean `evapi`\?"),
        (("tm", "fr_timer", 1), "loads no module `tm`"),
        (("evapi", "workers", "many"), "takes a number"),
        (("evapi", "workers", ""), "takes a number"),
        (("evapi", "workers", "--5"), "takes a number"),
        (("evapi", "workers", "9" * 5000), "takes a number"),
        (("evapi", "workers", 1 << 31), "from -2147483648 to 2147483647"),
        (("evapi", "bind_addr", "127.0.0.1:99999"), "`99999` is no port"),
        (("evapi", "bind_addr", ":1"), "address is missing"),
        (("evapi", "bind_addr", "[::1"), r"\[address\]:port"),
    ],
)
def test_params_that_do_not_fit_are_refused(param: tuple[str, str, int | str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        load_text(ECHO, params=[param])


def test_params_of_modules_that_do_not_run_here_are_held_to_the_catalogue() -> None:
    cfg = 'loadmodule "htable"\n' + ECHO
    assert answer(load_text(cfg, params=[("htable", "timer_interval", "5")])) == b"1:x,"
    with pytest.raises(ValueError, match="takes a number"):
        load_text(cfg, params=[("htable", "timer_interval", "often")])
    with pytest.raises(ValueError, match="has no parameter"):
        load_text(cfg, params=[("htable", "nonsense", 1)])


def test_text_that_looks_like_a_number_stays_text_where_the_parameter_is_one() -> None:
    app = load_text(HEAD, params=[("xlog", "prefix", "42")])
    assert app.program.world.param("xlog", "prefix", "") == "42"


def test_chance_can_be_handed_in() -> None:
    cfg = HEAD + 'event_route[evapi:message-received] { evapi_relay("$RANDOM"); }\n'
    one, same, other = (load_text(cfg, random=random.Random(seed)) for seed in (1, 1, 2))
    drawn = answer(one)
    assert answer(same) == drawn
    assert answer(other) != drawn


def test_the_log_is_kept_with_its_places() -> None:
    app = load_text(
        HEAD
        + """route[INNER] {
  xlog("L_WARN", "inner\\n");
}
event_route[evapi:message-received] {
  xlog("L_INFO", "outer\\n");
  route(INNER);
  xlog("L_DBG", "not seen\\n");
}
"""
    )
    answer(app)
    assert [(line.level, line.source, line.message, line.line) for line in told(app)] == [
        (2, "script", "outer\n", 10),
        (0, "script", "inner\n", 7),
    ]


def test_a_log_of_ones_own() -> None:
    log = Records(threshold=-1)
    app = load_text(HEAD + 'event_route[evapi:message-received] { xlog("L_ERR", "e"); xlog("L_WARN", "w"); }', log=log)
    answer(app)
    assert app.log is log
    assert [line.message for line in log.lines] == ["e"]


def test_what_does_not_run_here_is_listed_and_gives_an_error_once() -> None:
    app = load_text(
        'loadmodule "ldap"\n'
        + HEAD
        + """event_route[evapi:message-received] {
  $var(r) = ldap_search("$evapi(msg)");
  evapi_relay("$var(r)");
}
"""
    )
    [entry] = app.not_run
    assert (entry.use.name, entry.use.module, entry.use.span.file.line_number(entry.use.span.start)) == (
        "ldap_search()",
        "ldap",
        8,
    )
    assert entry.blocks == ("event_route[evapi:message-received]",)
    assert [answer(app), answer(app)] == [b"2:-1,", b"2:-1,"]
    assert [(line.level, line.line) for line in told(app)] == [(-1, 8)]


def test_a_refused_client_takes_and_gives_nothing() -> None:
    app = load_text(ECHO, params=[("evapi", "max_clients", 1)])
    first, refused = app.connect(), app.connect()
    refused.send_message("x")
    refused.close()
    assert (first.connected, refused.connected) == (True, False)
    assert first.receive() == refused.receive() == b""


def test_somebody_who_sends_datagrams_sends_them_to_a_udp_socket() -> None:
    app = load_text(
        "#!KAMAILIO\nlisten=tcp:127.0.0.1:5070\nlisten=udp:127.0.0.1:5080\n"
        'loadmodule "pv.so"\nloadmodule "xlog.so"\nrequest_route { xlog("$proto:$Ri:$Rp $RAut"); }\n'
    )
    app.sip_peer().send(
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
        "To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    assert isinstance(app.log, Records)
    assert [line.message for line in app.log.lines] == ["udp:127.0.0.1:5080 sip:127.0.0.1:5080;transport=udp"]


def test_what_a_client_sends_behind_its_close_is_not_heard() -> None:
    app = load_text(ECHO)
    gone, other = app.connect(), app.connect()
    gone.close()
    gone.send_message("x")
    assert isinstance(gone, Peer)
    assert other.receive() == b""
