"""http_async_client, with a server that the test plays by hand; what a real one gets is in the conformance cases."""

from __future__ import annotations

import re

import pytest

from evapi_cfg import App, load_text
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.outside import Query
from evapi_cfg.runtime.app import Records
from tests.driven import HandClock
from tests.outside_world import OK, HandOutside

HEAD = "#!KAMAILIO\n" + "".join(
    f'loadmodule "{name}.so"\n'
    for name in ("tm", "tmx", "sl", "pv", "xlog", "cfgutils", "siputils", "evapi", "http_async_client")
)
MESSAGE = "event_route[evapi:message-received]"
ASK = f'{MESSAGE} {{ http_async_query("$evapi(msg)", "ANSWER"); evapi_relay("$rc"); }}\n'
PARK = 'request_route { t_newtran(); http_async_query("http://h/$rU", "ANSWER");\n'
PARK += '$var(t) = "rc " + $rc; t_reply("500", "$var(t)"); }\n'
TELL = 'route[ANSWER] { xlog("$rm $rU $http_ok $http_rs [$http_rb] $http_err"); }\n'


class Site:
    def __init__(self, cfg: str, *, most: int = 100, params: dict[str, int | str] | None = None) -> None:
        for name in ("A", "ANSWER"):
            if f'"{name}"' in cfg and f"route[{name}]" not in cfg:
                cfg += f"route[{name}] {{ exit; }}\n"
        self.outside = HandOutside(most)
        self.records = Records(Level.DEBUG)
        self.clock = HandClock()
        overrides = [("http_async_client", name, value) for name, value in (params or {}).items()]
        self.app: App = load_text(
            HEAD + cfg,
            log=self.records,
            clock=self.clock,
            outside=self.outside,
            params=[("evapi", "workers", 0), *overrides],
        )
        self.client = self.app.connect()
        self.sip = self.app.sip_peer()

    def request(self, user: str, method: str = "OPTIONS") -> None:
        self.sip.send(
            f"{method} sip:{user}@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK{user}\r\n"
            f"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: {user}\r\nCSeq: 1 {method}\r\n\r\n"
        )

    def asked(self, settings: str) -> Query:
        """The query that a route sends with these settings; `settings` is put into the cfg that `query_site` has."""
        self.client.send_message(settings)
        return self.outside.queries[-1][0]

    @property
    def replies(self) -> list[str]:
        return [reply.decode().partition("\r\n")[0].removeprefix("SIP/2.0 ") for reply in self.sip.receive()]

    def logged(self, source: str = "script", level: int = Level.DEBUG) -> list[str]:
        return [r.message.strip() for r in self.records.lines if r.source == source and r.level <= level]


def query_of(settings: str, **params: int | str) -> Query:
    """The query that is sent with these assignments in front of it."""
    site = Site(
        f'request_route {{ exit; }}\n{MESSAGE} {{ {settings} http_async_query("http://h/", "A"); }}\n', params=params
    )
    site.client.send_message("x")
    [(query, _)] = site.outside.queries
    return query


# ---- what is asked


def test_the_usual_query() -> None:
    assert query_of("") == Query("http://h/")


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ('$http_req(method) = "post";', Query("http://h/", method="POST")),
        ('$http_req(method) = "P";', Query("http://h/", method="POST")),
        ('$http_req(method) = "PATCH";', Query("http://h/")),
        ('$http_req(method) = "PUT"; $http_req(method) = $null;', Query("http://h/")),
        ("$http_req(timeout) = 1500;", Query("http://h/", timeout=1.5)),
        ("$http_req(timeout) = -1;", Query("http://h/", timeout=4294967.295)),
        ('$http_req(body) = "a"; $http_req(body) = $null;', Query("http://h/", body="a")),
        ('$http_req(body) = "a"; $http_req(body) = "";', Query("http://h/")),
        ('$http_req(hdr) = "A: 1"; $http_req(hdr) = "B: 2";', Query("http://h/", headers=("A: 1", "B: 2"))),
        ('$http_req(username) = "u"; $http_req(password) = "p";', Query("http://h/", username="u", password="p")),
        ("$http_req(authmethod) = 2;", Query("http://h/", authmethod=2)),
        ("$http_req(follow_redirect) = 5;", Query("http://h/", follow=True)),
        ('$http_req(tls_ca_path) = "/ca";', Query("http://h/", ca_path="/ca")),
        ('$http_req(tls_client_cert) = "c";', Query("http://h/", client_cert="c")),
        ('$http_req(tls_client_key) = "k";', Query("http://h/", client_key="k")),
        ("$http_req(keepalive) = 1; $http_req(ka-idle) = 2; $http_req(ka-interval) = 3;", Query("http://h/")),
        ('$http_req(body) = "a"; $http_req(all) = $null;', Query("http://h/")),
        ('$http_req(body) = "a"; $http_req(all) = 1;', Query("http://h/", body="a")),
        ('$http_req(timeout) = "9";', Query("http://h/")),
        ("$http_req(hdr) = 9;", Query("http://h/")),
    ],
)  # fmt: skip
def test_what_a_route_asks_for(settings: str, wanted: Query) -> None:
    assert query_of(settings) == wanted


def test_what_modparams_ask_for() -> None:
    query = query_of(
        "$http_req(timeout) = 5; $http_req(timeout) = $null; $http_req(follow_redirect) = $null;",
        connection_timeout=900, curl_follow_redirect=1, authmethod=1, tls_verify_peer=0, tls_verify_host=0,
        tls_version=6, tls_client_cert="c", tls_client_key="k", tls_ca_path="/ca",
    )  # fmt: skip
    assert query == Query(
        "http://h/", timeout=0.9, follow=True, authmethod=1, verify_peer=False, verify_host=False, version=6,
        client_cert="c", client_key="k", ca_path="/ca",
    )  # fmt: skip


def test_settings_are_for_one_query_of_one_run() -> None:
    """Kamailio keeps what a run has set and not used for whatever that process sends next."""
    site = Site(
        "request_route { exit; }\n"
        f'{MESSAGE} {{ if($evapi(msg) == "set") {{ $http_req(body) = "secret"; exit; }}\n'
        'if($evapi(msg) == "two") { $http_req(body) = "one"; http_async_query("http://h/1", "A"); }\n'
        'http_async_query("http://h/2", "A"); }\n'
    )
    for message in ("set", "other", "two"):
        site.client.send_message(message)
    assert [query.body for query, _ in site.outside.queries] == ["", "one", ""]


@pytest.mark.parametrize(("url", "route"), [("", "A"), ("http://h/", ""), ("http://h/", "R" * 63)])
def test_what_is_refused(url: str, route: str) -> None:
    site = Site(
        f'request_route {{ exit; }}\n{MESSAGE} {{ $var(r) = "{route}"; $var(u) = "{url}";\n'
        'http_async_query("$var(u)", "$var(r)"); evapi_relay("$rc"); }\n'
    )
    site.client.send_message("x")
    assert site.client.receive() == b"2:-1,"
    assert site.outside.queries == []
    assert len(site.logged("http_async_client", Level.ERROR)) == 1


def test_without_a_world_outside_nothing_is_sent_and_nothing_suspended() -> None:
    records = Records()
    app = load_text(HEAD + PARK + TELL, log=records)
    peer = app.sip_peer()
    peer.send(
        "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
        "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    assert peer.receive()[0].startswith(b"SIP/2.0 500 rc -1\r\n")
    assert "not served" in records.lines[-1].message


def test_too_many_queries_leave_the_request_as_it_was() -> None:
    site = Site(PARK + TELL, most=1)
    site.request("one")
    site.request("two")
    assert site.replies == ["500 rc -1"]
    assert site.logged("http_async_client", Level.ERROR) == [
        "http_async_query: too many queries wait for their answers"
    ]
    site.clock.time += 40  # the suspension that was taken back must not time out
    site.app.advance()
    assert site.replies == ["408 Request Timeout"]


# ---- what is answered


def test_answers_go_to_the_requests_that_asked_for_them() -> None:
    site = Site(PARK + 'route[ANSWER] { $var(t) = $http_rb + " for " + $rU; t_reply("200", "$var(t)"); }\n')
    for user in ("one", "two", "three"):
        site.request(user)
    assert site.replies == []
    for body in ("c", "b", "a"):
        site.outside.answer(site.app, f"{OK}{body}", index=-1)
    assert site.replies == ["200 c for three", "200 b for two", "200 a for one"]


def test_a_route_that_waits_keeps_its_own_answer() -> None:
    """Kamailio's worker does nothing else meanwhile."""
    site = Site(
        "request_route { exit; }\n"
        + ASK
        + 'route[ANSWER] { $avp(a) = $http_rb; sleep(1); xlog("$avp(a) $http_rb $http_req_id"); }\n'
    )
    for name in ("x", "y"):
        site.client.send_message(name)
        site.outside.answer(site.app, f"{OK}{name}")
    site.clock.time += 1
    site.app.advance()
    first, second = site.logged()
    assert re.fullmatch("x x [0-9]+-1", first)
    assert re.fullmatch("y y [0-9]+-2", second)


def test_no_two_queries_have_the_same_id() -> None:
    site = Site(
        'request_route { http_async_query("http://h/", "ANSWER"); xlog("$http_req_id"); }\n'
        f'{MESSAGE} {{ http_async_query("http://h/", "ANSWER"); xlog("$http_req_id"); }}\n'
        'route[ANSWER] { if($http_rb == "more") { http_async_query("http://h/", "ANSWER"); xlog("$http_req_id"); } }\n'
    )
    site.request("a")
    site.request("b")
    site.client.send_message("x")
    site.outside.answer(site.app, OK + "more")
    site.outside.answer(site.app, OK + "more")
    ids = site.logged()
    assert len(set(ids)) == len(ids) == 5


def test_an_answer_for_a_request_that_is_gone_is_dropped() -> None:
    site = Site(PARK + TELL)
    site.request("one")
    for _ in range(2):  # the suspension, then the time that a transaction is kept
        site.clock.time += 60
        site.app.advance()
    assert site.replies == ["408 Request Timeout"]
    site.outside.answer(site.app)
    assert site.logged() == []
    assert "is gone" in site.logged("http_async_client", Level.ERROR)[0]


def test_a_route_that_does_not_exist() -> None:
    ask = ASK.replace('"ANSWER"', '"ANSWE$(evapi(msg){s.len}{s.replace,9,R})"')
    site = Site("request_route { exit; }\n" + ask)
    site.client.send_message("http://h/")
    site.outside.answer(site.app)
    assert site.logged("http_async_client", Level.ERROR) == ["there is no route[ANSWER] for an answer"]


def test_what_is_read_where_there_is_no_answer() -> None:
    site = Site(
        f'request_route {{ exit; }}\n{MESSAGE} {{ xlog("$http_ok $http_err $http_rs $http_rb $http_time(total)"); }}\n'
    )
    site.client.send_message("x")
    assert site.logged() == ["<null> <null> <null> <null> 0"]
    assert len(site.logged("http_async_client", Level.ERROR)) == 4


def test_what_is_read_of_a_query_that_failed() -> None:
    site = Site("request_route { exit; }\n" + ASK + TELL)
    site.client.send_message("http://h/")
    site.outside.answer(site.app, None, "TIMEOUT")
    assert site.logged() == ["OPTIONS <null> 0 <null> [<null>] TIMEOUT"]
    assert site.logged("http_async_client", Level.ERROR) == ["a query has failed: TIMEOUT"]
    assert len(site.logged("http_async_client", Level.WARNING)) == 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("HTTP/1.0 404 Not Found\r\n\r\nx", "1 404 [x]"),
        ("HTTP/2 200 \r\nA: b\r\n\r\nx", "1 200 [x]"),
        ("HTTP/1.1 200\r\n\r\n", "1 <null> [<null>]"),
        ("", "1 <null> [<null>]"),
        ("\xff\0" * 9, "1 <null> [<null>]"),
    ],
)
def test_answers_that_cannot_be_read(text: str, shown: str) -> None:
    site = Site("request_route { exit; }\n" + ASK + 'route[ANSWER] { xlog("$http_ok $http_rs [$http_rb]"); }\n')
    site.client.send_message("http://h/")
    site.outside.answer(site.app, text)
    assert site.logged() == [shown]


def test_the_hint_about_redirections_comes_once() -> None:
    site = Site("request_route { exit; }\n" + ASK + TELL)
    for _ in range(2):
        site.client.send_message("http://h/")
        site.outside.answer(site.app, OK, hops=1)
    [hint] = site.logged("http_async_client", Level.NOTICE)
    assert hint.startswith("a query led to 2 answers")
