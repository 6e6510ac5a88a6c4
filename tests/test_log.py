"""Log lines in their three forms."""

from __future__ import annotations

import json
import re

import pytest

from evapi_cfg import load_text
from evapi_cfg.modules.context import Level
from evapi_cfg.runtime.log import LONGEST, LogFormat, LogWriter, level_name, parse_level
from evapi_cfg.source import SourceFile, Span, show

FILE = SourceFile("my.cfg", "one\ntwo\nthree\n")
AT = Span(FILE, 5, 6)


class FixedClock:
    def now(self) -> float:
        return 1700000000.1234567

    def monotonic(self) -> float:
        return 0.0


def lines(form: LogFormat, *, colour: bool = False, threshold: int = Level.DEBUG) -> tuple[list[str], LogWriter]:
    written: list[str] = []
    return written, LogWriter(written.append, form=form, colour=colour, threshold=threshold, pid=77, clock=FixedClock())


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("ERROR", -1), ("error", -1), ("L_ERR", -1), ("ERR", -1), ("l_warn", 0), ("WARNING", 0), ("NOTICE", 1),
        ("info", 2), ("DBG", 3), ("DEBUG", 3), ("CRIT", -2), ("CRITICAL", -3), ("BUG", -4), ("ALERT", -5),
        (" 2 ", 2), ("-1", -1), ("99", 3), ("-99", -5),
        ("", None), ("loud", None), ("--5", None), ("-", None), ("5-", None), ("\u00b2", None), ("\u0663", None),
        ("1.5", None), ("9" * 5000, None), ("L_", None),
    ],
)  # fmt: skip
def test_levels_by_name_and_number(text: str, level: int | None) -> None:
    assert parse_level(text) == level


@pytest.mark.parametrize(
    ("level", "name"), [(-9, "CRITICAL"), (-2, "CRITICAL"), (-1, "ERROR"), (3, "DEBUG"), (9, "DEBUG")]
)
def test_every_level_has_a_name(level: int, name: str) -> None:
    assert level_name(level) == name


def test_text() -> None:
    written, log = lines("text")
    log(Level.INFO, "script", "hello\n", AT, "route[A]")
    log(Level.ERROR, "evapi", "bad")
    log(Level.WARNING, "core", "in a route", None, "route[B]")
    log(Level.INFO, "script", "two\nlines")
    assert written == [
        "INFO     hello  (my.cfg:2 route[A])\n",
        "ERROR    evapi: bad\n",
        "WARNING  core: in a route  (route[B])\n",
        "INFO     two\n         lines\n",
    ]


def test_colours_do_not_change_what_is_written() -> None:
    plain, log = lines("text")
    coloured, painter = lines("text", colour=True)
    for level in range(-5, 4):
        log(level, "evapi", "x", AT, "route[A]")
        painter(level, "evapi", "x", AT, "route[A]")
    assert all("\033[" in line for line in coloured)
    assert [re.sub(r"\033\[[0-9;]+m", "", line) for line in coloured] == plain


def test_json() -> None:
    written, log = lines("json")
    log(Level.INFO, "script", 'a "quoted"\nline\n', AT, "route[A]")
    log(Level.ERROR, "evapi", "no place")
    assert [json.loads(line) for line in written] == [
        {
            "time": 1700000000.123457,
            "level": "INFO",
            "source": "script",
            "msg": 'a "quoted"\nline\n',
            "file": "my.cfg",
            "line": 2,
            "route": "route[A]",
        },
        {"time": 1700000000.123457, "level": "ERROR", "source": "evapi", "msg": "no place"},
    ]
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in written)


def test_kamailio() -> None:
    written, log = lines("kamailio")
    log(Level.INFO, "script", "hello\n", AT, "route[A]")
    log(Level.ERROR, "evapi", "bad", AT)
    log(Level.ERROR, "evapi", "bad")
    assert written == [
        " 0(77) INFO: <script>: hello\n",
        " 0(77) ERROR: evapi [my.cfg:2]: bad\n",
        " 0(77) ERROR: evapi: bad\n",
    ]


def test_the_threshold() -> None:
    written, log = lines("text", threshold=Level.WARNING)
    log(Level.NOTICE, "evapi", "no")
    log(Level.WARNING, "evapi", "yes")
    assert len(written) == 1


# What is sent, and what of it stands in a line of the forms for people.
HOSTILE = [
    ("a\x1b[31mb", "a\\x1b[31mb"),
    ("a\x00b\rc\x7fd", "a\\x00b\\x0dc\\x7fd"),
    ("a\x9b31mb", "a\\x9b31mb"),  # the one-byte CSI, that some terminals obey
    ("a\u00c2\u009bb", "a\\x9bb"),  # and as UTF-8
    ("\u00e2\u0080\u00aenosnaJ", "\\u202enosnaJ"),  # what follows is written from right to left
    ("a\u00e2\u0080\u00a8b", "a\\u2028b"),  # a line end for some programs
    ("a\u00f3\u00a0\u0080\u00a1b", "a\\U000e0021b"),  # a letter that nobody sees
    ("tab\there", "tab\there"),
    ("h\u00c3\u00a9", "h\u00e9"),  # UTF-8, one character per byte
    ("h\u00e9", "h\u00e9"),  # Latin-1
    ("\u00f0\u009f\u0091\u00a9\u00e2\u0080\u008d\u00f0\u009f\u0092\u00bb", "\U0001f469\u200d\U0001f4bb"),  # joined
]


@pytest.mark.parametrize("form", ["text", "kamailio"])
@pytest.mark.parametrize(("message", "shown"), HOSTILE)
def test_a_message_cannot_steer_a_terminal(form: LogFormat, message: str, shown: str) -> None:
    written, log = lines(form)
    log(Level.INFO, "script", message, None, f"route[{message}]")
    assert shown in written[0]
    assert written[0].count(shown) == (2 if form == "text" else 1)
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in written[0])


@pytest.mark.parametrize(("message", "shown"), HOSTILE)
def test_nor_can_one_in_json_that_means_the_same(message: str, shown: str) -> None:
    written, log = lines("json")
    log(Level.INFO, "script", message)
    assert json.loads(written[0])["msg"] == show(message)
    assert "\\x" not in shown or not any(c < " " or "\x7f" <= c <= "\x9f" for c in written[0][:-1])
    assert not re.search("[\u2028-\u202e\U000e0000-\U000e007f]", written[0])


@pytest.mark.parametrize("form", ["text", "json", "kamailio"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_nobody_begins_a_line_but_this_program(form: LogFormat, end: str) -> None:
    written, log = lines(form)
    forged = {
        "text": "ERROR    evapi: it burns",
        "json": '{"level": "ERROR"}',
        "kamailio": " 0(77) ERROR: evapi: it burns",
    }
    log(Level.INFO, "script", f"hello\n{forged[form]}\r\x0b\x0c\x1c\x85\u2028{forged[form]}{end}")
    (text,) = written
    assert text.endswith("\n") and not text.endswith("\n\n")
    first, *rest = text.splitlines()
    assert "hello" in first
    assert all(line.startswith("         ") for line in rest)
    assert len(rest) == (form == "text")


def test_what_is_very_long_is_cut() -> None:
    written, log = lines("text")
    log(Level.ERROR, "core", "\x1b" * 3_000_000)
    assert written[0].endswith(f"... ({3_000_000 - LONGEST:,} more)\n")
    assert len(written[0]) < 5 * LONGEST


def test_the_block_that_a_place_belongs_to_counts_more_than_that_of_the_run() -> None:
    written, log = lines("text")
    log.routes_at = lambda span: "route[INNER]" if span is AT else ""
    log(Level.INFO, "script", "x", AT, "event_route[evapi:message-received]")
    log(Level.INFO, "script", "x", Span(FILE, 0, 1), "event_route[evapi:message-received]")
    assert written[0].endswith("(my.cfg:2 route[INNER])\n")
    assert written[1].endswith("(my.cfg:1 event_route[evapi:message-received])\n")


CFG = """#!KAMAILIO
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "sl.so"
loadmodule "evapi.so"
debug=3
request_route { xlog("L_INFO", "from $ua\\n"); sl_send_reply("200", "OK"); }
event_route[evapi:message-received] { xlog("L_INFO", "said $evapi(msg)\\n"); }
"""
NASTY = "\x1b]0;x\x07\r\x00\u202e\x9b2J".encode()
SHOWN = "\\x1b]0;x\\x07\\x0d\\x00\\u202e\\x9b2J"


def test_what_clients_and_sip_peers_send_is_escaped_where_a_script_logs_it() -> None:
    written, log = lines("text")
    app = load_text(CFG, log=log)
    client = app.connect()
    client.send_message(NASTY + b"\nERROR    evapi: forged\n")
    client.send(b"7:\x1b[2J\r\n\0\x9b,no netstring")
    caller = app.sip_peer()
    request = (
        b"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK1\r\n"
        b"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
        b"User-Agent: %b\r\n\r\n"
    )
    caller.send(request % NASTY.replace(b"\r", b""))
    caller.send(request.replace(b"CSeq: 1", b"CSeq: \x1b[31m") % b"x")
    caller.send(b"\x1b[2J\r\n" * 5000)
    assert f"INFO     said {SHOWN}\n         ERROR    evapi: forged  (<text>:8" in written[0]
    without_cr = SHOWN.replace("\\x0d", "")
    assert f"INFO     from {without_cr}  (<text>:7" in "".join(written)
    assert len([line for line in written if line.startswith("ERROR    core: a message from")]) == 1
    assert len([line for line in written if line.startswith("WARNING  evapi: client 0")]) == 1
    text = "".join(written)
    assert not any((c < " " and c not in "\n\t") or "\x7f" <= c < "\xa0" or c == "\u202e" for c in text)
    assert all(re.match(r"[A-Z]+ +|         ", line) for line in text.splitlines())
    assert max(map(len, text.splitlines())) < 500
