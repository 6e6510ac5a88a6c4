"""exec, with commands that the test ends by hand; what real ones come to is in the conformance cases."""

from __future__ import annotations

import pytest

from evapi_cfg import App, load_text
from evapi_cfg.modules.context import Level
from evapi_cfg.modules.outside import Finished, Outcome
from evapi_cfg.runtime.app import Records
from tests.outside_world import HandOutside

HEAD = "#!KAMAILIO\n" + "".join(
    f'loadmodule "{name}.so"\n' for name in ("tm", "sl", "pv", "xlog", "cfgutils", "siputils", "exec", "evapi")
)
MESSAGE = "event_route[evapi:message-received]"
RUNS = f'{MESSAGE} {{ exec_cmd("$evapi(msg)"); evapi_relay("$evapi(msg) $rc"); }}\nrequest_route {{ exit; }}\n'
INVITE = (
    "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK1\r\n"
    "From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"
)


def loaded(
    cfg: str, outside: HandOutside | None, *, allow: bool = True, workers: int = 1, **params: int
) -> tuple[App, Records]:
    records = Records(Level.DEBUG)
    overrides = [("evapi", "workers", workers), *(("exec", name, value) for name, value in params.items())]
    return load_text(HEAD + cfg, log=records, params=overrides, outside=outside, allow_exec=allow), records


def errors(records: Records) -> list[str]:
    return [record.message for record in records.lines if record.source == "exec" and record.level <= Level.ERROR]


def requested(cfg: str, outside: HandOutside, request: str = INVITE, **params: int) -> tuple[App, Records]:
    """An app with a request_route that a request has come to."""
    app, records = loaded(f"request_route {{ {cfg} }}\n{MESSAGE} {{ exit; }}\n", outside, **params)
    app.sip_peer().send(request)
    return app, records


def script(records: Records) -> list[str]:
    return [record.message.strip() for record in records.lines if record.source == "script"]


# ---- whether a command may run


def test_nothing_runs_that_is_not_allowed() -> None:
    outside = HandOutside()
    app, records = loaded(RUNS, outside, allow=False)
    [entry] = app.not_run
    assert (entry.use.name, entry.use.unless, entry.blocks) == ("exec_cmd()", "only with --allow-exec", (MESSAGE,))
    client = app.connect()
    for _ in range(2):
        client.send_message("touch x")
    assert client.receive() == b"10:touch x -1," * 2
    assert outside.commands == []
    assert errors(records) == ["no command is run without --allow-exec: 'touch x'"] * 2


def test_what_is_allowed_is_not_listed() -> None:
    assert loaded(RUNS, HandOutside())[0].not_run == ()


def test_an_app_that_is_driven_by_hand_has_nobody_to_run_commands() -> None:
    app, records = loaded(RUNS, None)
    client = app.connect()
    client.send_message("true")
    assert client.receive() == b"7:true -1,"
    assert errors(records) == ["nobody is there to run a command: the app is not served: 'true'"]


# ---- waiting for it


def test_with_one_worker_messages_wait_for_the_command_in_front_of_them() -> None:
    outside = HandOutside()
    app, _ = loaded(RUNS, outside, workers=1)
    one, two = app.connect(), app.connect()
    one.send_message("a")
    two.send_message("b")
    one.send_message("c")
    assert outside.lines == ["a"]
    outside.end(app)
    assert outside.lines == ["b"]
    outside.end(app, status=7)
    outside.end(app)
    assert one.receive() == b"3:a 1,4:b -1,3:c 1,"


def test_with_four_workers_four_commands_run_and_each_client_stays_in_order() -> None:
    outside = HandOutside()
    app, _ = loaded(RUNS, outside, workers=4)
    clients = [app.connect() for _ in range(5)]
    for client, name in zip(clients, "abcde", strict=True):
        client.send_message(name)
    clients[1].send_message("B")
    assert outside.lines == ["a", "b", "c", "d"]
    outside.end(app, index=2)
    assert outside.lines == ["a", "b", "d", "e"]
    outside.end(app, index=1)
    assert outside.lines == ["a", "d", "e", "B"]
    while outside.commands:
        outside.end(app)
    assert clients[0].receive() == b"3:c 1,3:b 1,3:a 1,3:d 1,3:e 1,3:B 1,"


def test_an_outcome_is_given_once() -> None:
    outcome: Outcome[int] = Outcome()
    outcome.give(1)
    with pytest.raises(RuntimeError):
        outcome.give(2)


def test_commands_that_end_at_once_do_not_pile_up() -> None:
    class AtOnce(HandOutside):
        def execute(self, command: object, done: object) -> None:
            done(Finished(0))  # type: ignore[operator]

    cfg = (
        f"max_while_loops=5000\n{MESSAGE} {{ $var(n) = 0;\n"
        'while($var(n) < 5000) { exec_cmd("x"); $var(n) = $var(n) + 1; } evapi_relay("$var(n)"); }\n'
        "request_route { exit; }\n"
    )
    app, _ = loaded(cfg, AtOnce())
    client = app.connect()
    client.send_message("go")
    assert client.receive() == b"4:5000,"


# ---- what a command is given


def test_time_to_kill_and_the_message() -> None:
    outside = HandOutside()
    requested('exec_msg("cat");', outside, time_to_kill=7, setvars=0)
    [(command, _)] = outside.commands
    assert (command.seconds, command.environment, command.input, command.output) == (7, {}, INVITE, False)


def test_a_quote_in_the_request_uri_stays_inside_the_argument() -> None:
    outside = HandOutside()
    requested('exec_dset("echo");', outside, INVITE.replace("sip:bob@example.com SIP", "sip:a';reboot;'@x SIP"))
    assert outside.lines == ["echo 'sip:a'\\'';reboot;'\\''@x'"]


def test_a_message_that_cannot_be_read_to_its_end_has_no_environment() -> None:
    outside = HandOutside()
    request = INVITE.replace("\r\n\r\n", "\r\nno header\r\n\r\n")
    _, records = requested('exec_avp("env"); xlog("$rc");', outside, request)
    assert outside.commands == []
    assert script(records) == ["-1"]
    assert "the headers of the message cannot be read" in errors(records)


@pytest.mark.parametrize(
    "names", ["", ";", "$var(a)", "avp", "$avp(a){s.len}", "$avp(a", "$avp(x.y)", "$(avp(a){s.len})"]
)
def test_what_is_no_list_of_avps(names: str) -> None:
    outside = HandOutside()
    _, records = requested(f'$var(l) = "{names}"; exec_avp("x", $var(l)); xlog("$rc");', outside)
    assert outside.commands == []
    assert script(records) == ["-1"]
    assert len(errors(records)) == 1


# ---- what comes of it


def test_a_fault_is_an_error_and_what_was_printed_counts() -> None:
    outside = HandOutside()
    app, records = requested('exec_avp("x", "$avp(a)"); xlog("$rc $avp(a)");', outside)
    outside.commands.pop()[1](Finished(None, "part\n", "it was told to end after 1 s (time_to_kill)"))
    app.advance()
    assert script(records) == ["-1 part"]
    assert errors(records) == ["it was told to end after 1 s (time_to_kill): 'x'"]


def test_lines_beyond_the_names_go_to_numbers() -> None:
    outside = HandOutside()
    app, records = requested('exec_avp("x", "$avp(a)"); xlog("$avp(a) $avp(i:1) $avp(i:2) $avp(i:3)");', outside)
    outside.end(app, "one\r\n\n \ntwo\t\n" + "x" * 1024)
    assert script(records) == [f"one <null> two {'x' * 1023}"]


def test_very_many_lines_hold_nobody_up() -> None:
    outside = HandOutside()
    app, _ = loaded(
        f'{MESSAGE} {{ if ($evapi(msg) == "x") {{ exec_avp("x"); }} evapi_relay("$evapi(msg)"); }}\n'
        "request_route { exit; }\n",
        outside,
        workers=2,
    )
    one, other = app.connect(), app.connect()
    one.send_message("x")
    outside.commands[0][1](Finished(0, "line\n" * 10_000))
    other.send_message("between")
    app.deliver()
    assert other.receive() == b"7:between,"
    for _ in range(5):
        app.advance()
    assert other.receive() == b"1:x,"
