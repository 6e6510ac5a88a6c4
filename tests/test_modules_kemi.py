"""What the modules give to scripts in other languages, called without one. What Kamailio does with the same calls is in
tests/conformance/cases/kemi_*."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evapi_cfg.catalog import kemi
from evapi_cfg.modules import by_name
from evapi_cfg.modules.context import Client, Level, Run, new_run
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.spec import KemiFunction, Long, ModuleSpec
from evapi_cfg.sip.message import Message, Received, Socket
from evapi_cfg.sip.uri import TCP, UDP
from evapi_cfg.values import Value, int32, leading_number
from tests.module_world import HERE, Bench, NoHub

DECLARING = [module for module in by_name.values() if module.kemi]
KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "none": (int,),  # 0, as Kamailio gives it
    "bool": (bool,),
    "xval": (int, str, type(None)),
}
SOCKET = Socket(UDP, "10.0.0.1", 5060)
HEAD = (
    "MESSAGE sip:bob@example.com;a=1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx\r\n"
    "From: <sip:alice@10.0.0.1>;tag=1\r\nTo: <sip:bob@b>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n"
    "Max-Forwards: 10\r\nX-A: one\r\nX-B: two\r\nx-a: three\r\nContent-Type: text/plain\r\n"
)
WHOLE = f"{HEAD}Content-Length: 5\r\n\r\nhello"
REPLY = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b>\r\nCSeq: 1 INVITE\r\n\r\n"
BROKEN = f"{HEAD}no header\r\n\r\n"


def path_of(module: ModuleSpec, function: KemiFunction) -> str:
    room = module.name if function.room is None else function.room
    return f"{room}.{function.name}" if room else function.name


BY_PATH = {path_of(module, function): function for module in DECLARING for function in module.kemi}


class Script:
    """Calls of KSR, as a script makes them, in a run about a message; without one, in an event."""

    def __init__(self, text: str = "", *params: tuple[str, str, int | str], protocol: int = UDP) -> None:
        self.bench = Bench(*params)
        self.bench.world.sockets.append(SOCKET)
        if text:
            received = Received(protocol, "10.0.0.2", 5070, SOCKET.address, SOCKET.port, SOCKET)
            message = Message(text, received)
            self.bench.run = new_run(self.bench.world, self.bench.space, message, "request_route", Routes.REQUEST)

    @property
    def run(self) -> Run:
        return self.bench.run

    def __call__(self, path: str, *arguments: int | str) -> Value | bool:
        function = BY_PATH[path]
        assert [type(a) for a in arguments] == [int if kind is Long else kind for kind in function.params]
        return function.call(self.run, *arguments, **({"at": HERE} if function.at else {}))

    def errors(self) -> list[str]:
        return [line.message for line in self.bench.log.lines if line.level <= Level.WARNING]

    def messages(self) -> list[str]:
        message = self.run.message
        return [] if message is None else message.updated().split("\r\n")


# ---- whatever they are given

TEXTS = ("", "$var(x)", "X-A", "one two, three;a=b", "((", "\xff\0\r\n" * 400, "L_INFO", "/a/b/g", "ff")
NUMBERS = (0, 1, -1, 2**31 - 1, -(2**31))


def arguments_of(function: KemiFunction) -> Iterator[tuple[int | str, ...]]:
    """Each text and number at each place, with usual ones at the others."""
    usual = tuple("X-A" if kind is str else 1 for kind in function.params)
    yield usual
    for index, kind in enumerate(function.params):
        for value in TEXTS if kind is str else NUMBERS:
            yield (*usual[:index], value, *usual[index + 1 :])
    for value, number in itertools.product(TEXTS, NUMBERS):
        yield tuple(value if kind is str else number for kind in function.params)


@pytest.mark.parametrize("text", ["", WHOLE, REPLY, BROKEN], ids=["event", "request", "reply", "broken"])
def test_whatever_they_are_given_they_give_what_kamailio_declares(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = Script(text, ("cfgutils", "lock_set_size", 4))
    template = script.run.message
    for path, function in BY_PATH.items():
        kinds = KINDS[kemi.by_path()[path][0].returns]
        for arguments in arguments_of(function):
            if template is not None:
                message = template.fresh()
                script.bench.run = new_run(
                    script.bench.world, script.bench.space, message, "request_route", Routes.REQUEST
                )
            given = script(path, *arguments)
            assert type(given) in kinds, (path, arguments, given)
            script.bench.log.lines.clear()
            script.bench.world.outbox.clear()


# ---- variables


def test_names_of_variables_are_read_once() -> None:
    script = Script(WHOLE)
    resolver = script.bench.names
    for _ in range(3):
        assert script("pv.get", "$(ru{s.len})") == 23
    assert resolver.runtime_variable.cache_info().misses == 1
    for number in range(2000):
        script("pv.get", f"$avp(a{number})")
    assert resolver.runtime_variable.cache_info().currsize <= 512


def test_a_variable_that_cannot_be_set_is_told_of() -> None:
    script = Script(WHOLE)
    assert script("pv.sets", "$rm", "INVITE") is True
    assert script.errors() == ["$rm cannot be assigned: it stays as it is"]


def test_the_text_of_a_client_is_not_read_as_a_format() -> None:
    script = Script(WHOLE)
    script("pv.sets", "$var(x)", "$rm")
    assert script("pv.get", "$var(x)") == "$rm"
    assert script("pvx.var_sets", "y", "$rm") == 1
    assert script("pvx.var_get", "y") == "$rm"


@pytest.mark.parametrize(
    ("text", "number"),
    [("12abc", 12), ("-12", -12), ("+3", 3), ("", 0), ("x", 0), ("9" * 5000, 2**31 - 1), ("-" + "9" * 5000, -(2**31))],
)
def test_leading_number(text: str, number: int) -> None:
    assert leading_number(text) == number


def test_int32() -> None:
    assert [int32(n) for n in (0, 2**31 - 1, 2**31, -(2**31) - 1, 5_000_000_000)] == [
        0, 2**31 - 1, -(2**31), 2**31 - 1, 705032704,
    ]  # fmt: skip


def test_asking_whether_an_avp_is_null_does_not_take_it_away() -> None:
    script = Script(WHOLE)
    script("pvx.avp_sets", "a", "kept")
    assert script("pvx.avp_is_null", "a") == -1
    assert script("pvx.avp_get", "a") == "kept"
    assert "takes the value of $avp(a) away" in script.errors()[0]


def test_64_bit_of_xavps_and_shared_variables_are_cut_for_scripts() -> None:
    script = Script(WHOLE)
    script.bench.set("$xavp(x)", 5_000_000_000)
    script.bench.set("$shv(s)", 5_000_000_000)
    assert script("pvx.xavp_get", "x") == script("pvx.shv_get", "s") == 705032704


# ---- headers, the core


def test_headers_are_changed_where_they_stand() -> None:
    script = Script(WHOLE)
    assert script("hdr.append_after", "X-N: n\r\n", "x-a") == 1
    assert script("hdr.rminsert", "X-B", "X-M: m\r\n") == 1
    lines = script.messages()
    assert lines[lines.index("X-A: one") + 1] == "X-N: n"
    assert lines[1] == "X-M: m"
    assert "X-B: two" not in lines


def test_a_body_that_process_maxfwd_has_overwritten_shows_its_blanks() -> None:
    script = Script(WHOLE)
    assert script("maxfwd.process_maxfwd", 10) == 1
    assert script("hdr.get", "Max-Forwards") == script("pv.get", "$hdr(Max-Forwards)") == " 9"


def test_headers_that_cannot_be_read_to_their_end() -> None:
    script = Script(BROKEN)
    assert [script("hdr.get", "X-A"), script("hdr.is_present", "X-A"), script("hdr.append", "X: y\r\n")] == [
        None,
        -1,
        -1,
    ]
    assert script("hdr.getw", "X-A") == "<null>"
    assert len(script.errors()) == 4


def test_a_route_of_the_cfg() -> None:
    script = Script(WHOLE)
    script.bench.world.max_recursive_level = 20
    seen: list[int] = []

    def leave(run: Run) -> int:
        seen.append(run.depth)
        run.over = True
        return 0

    def again(run: Run) -> int:
        return int(bool(script("route", "again")))

    async def wait(run: Run) -> int:
        await run.pause(1)
        return 1

    def waiting(run: Run) -> Awaitable[int]:
        return wait(run)

    script.bench.world.routes |= {"leave": leave, "three": lambda run: 3, "again": again, "waiting": waiting}
    assert [script("route", name) for name in ("leave", "three", "none")] == [0, 3, -1]
    assert (seen, script.run.over, script.run.depth) == ([2], False, 1)
    assert script("route", "waiting") == script("cfgutils.route_if_exists", "waiting") == -1
    assert script("route", "again") == 1
    assert ["waits for something" in line for line in script.errors()] == [True, True, False]


def test_a_route_that_goes_on_later_is_left_to_the_engine() -> None:
    script = Script(WHOLE)
    begun: list[object] = []

    async def later(run: Run) -> int:
        return 1

    def perform(route: object, run: Run, done: object) -> None:
        assert callable(route)
        begun.append(route(run))

    script.bench.world.routes["resumed"] = lambda run: later(run)
    script.bench.world.perform = perform
    assert script("tmx.t_suspend") == 1
    transaction = script.run.transaction
    assert transaction is not None
    assert script("tmx.t_continue", transaction.index, transaction.label, "resumed") == 1
    (waiting,) = begun
    assert inspect.isawaitable(waiting)
    iterator = waiting.__await__()
    with pytest.raises(StopIteration):
        next(iterator)


def test_where_a_message_came_from() -> None:
    script = Script(WHOLE, protocol=TCP)
    assert [script(f"is_{name}") for name in ("UDP", "TCP", "TCPX", "WSX", "IPv4", "IPv6")] == [
        False, True, True, False, True, False,
    ]  # fmt: skip
    assert script("is_proto", "ut") is True
    assert [script("is_src_port", 5070), script("is_dst_port", 5060), script("is_dst_port", 5070)] == [
        True,
        True,
        False,
    ]
    assert [script(f"is_myself_{name}") for name in ("furi", "turi", "ruri", "srcip", "duri")] == [
        True, False, False, False, False,
    ]  # fmt: skip


def test_an_event_came_from_nowhere() -> None:
    script = Script()
    assert [script("is_IPv4"), script("is_dst_port", 5060), script("kx.get_rcvip"), script("kx.get_rcvport")] == [
        False, False, None, 0,
    ]  # fmt: skip
    assert script("kx.get_method") == "OPTIONS"


def test_the_log_has_the_level_and_the_place_of_a_call() -> None:
    script = Script(WHOLE)
    script.bench.log.threshold = Level.WARNING
    for name in ("dbg", "info", "notice", "warn", "err", "crit"):
        assert script(name, f"{name} $rm\n") == 0
    assert script("log", "WARN", "w") == script("log", "nosuch", "e") == 0
    assert [(line.level, line.message) for line in script.bench.log.lines if line.source == "script"] == [
        (Level.WARNING, "warn $rm\n"), (Level.ERROR, "err $rm\n"), (Level.CRITICAL, "crit $rm\n"), (Level.WARNING, "w"),
        (Level.ERROR, "e"),
    ]  # fmt: skip
    assert script("xlog.xwarn", "$rm $$\n") == 1
    assert script.bench.log.script()[-1] == "MESSAGE $\n"


# ---- single modules


@dataclass
class One:
    conidx: int = 0
    address: str = "10.0.0.3"
    port: int = 1
    tag: str | None = None
    connected: bool = True


class OneClient(NoHub):
    """A hub with one client, which hears everything."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def relay(self, data: str) -> int:
        self.sent.append(data)
        return 1

    def close(self, client: Client) -> None:
        self.sent.append("closed")


def test_evapi_gives_what_its_functions_in_a_cfg_give_but_for_close() -> None:
    script = Script()
    hub = script.bench.world.hub = OneClient()
    script.run.client = One()
    assert script("evapi.relay", "to $rm") == 1
    assert script("evapi.relay", "") == -1
    assert script("evapi.set_tag", "x" * 64) == -1
    assert [script("evapi.close"), script("evapi.close")] == [0, -2]
    assert hub.sent == ["to $rm", "closed"]


def test_a_lock_that_another_run_holds_cannot_be_waited_for() -> None:
    script = Script(WHOLE, ("cfgutils", "lock_set_size", 4))
    assert script("cfgutils.lock", "a") == 1
    first = script.run
    script.bench.run = script.bench.new_run()
    assert script("cfgutils.lock", "a") == -1
    assert script("cfgutils.trylock", "a") == -1
    assert "cannot wait" in script.errors()[-1]
    script.bench.run = first
    assert script("cfgutils.unlock", "a") == 1
    script.bench.run = script.bench.new_run()
    assert script("cfgutils.lock", "a") == 1


def test_expressions_are_given_as_text() -> None:
    script = Script(WHOLE)
    assert script("textops.search", "^x-b: TWO") == 1
    assert script("textops.subst_user", "/^(b)/$rm-\\1/") == 1
    assert script("pv.get", "$rU") == "MESSAGE-bob"
    assert script("textops.subst_body", "no expression") == -1
    assert script("textops.subst_v", "x", "/x/y/", "$rm") == -1
    assert script("textops.get_body_part", "text/plain", "$var(part)") == 1
    assert script("pv.get", "$var(part)") == "hello"


def test_values_in_headers_are_formats() -> None:
    script = Script(WHOLE)
    assert script("textopsx.append_hf_value", "X-N", "$rm;p=1") == 1
    assert "X-N: MESSAGE;p=1" in script.messages()
    assert script("textopsx.append_hf_value", "X-N", "$nosuch(x") == -1
    assert script("textopsx.append_hf_value", "X-N[", "x") == -1


def test_a_file_is_read_and_written(tmp_path: Path) -> None:
    script = Script(WHOLE)
    name = str(tmp_path / "f")
    assert script("corex.file_write", name, "gr\xfc\xdfe") == 1
    assert script("corex.file_read", name) == "gr\xfc\xdfe"
    assert script("corex.file_read", str(tmp_path)) == ""


def test_what_does_not_run_says_so() -> None:
    script = Script(WHOLE)
    calls: dict[str, tuple[int | str, ...]] = {
        "forward": (), "forward_uri": ("sip:x",), "tm.t_relay": (), "tm.t_relay_to_proxy_flags": ("sip:x", 1),
        "tm.t_uac_send": ("A", "b", "c", "d", "e", "f"), "tmx.t_reuse_branch": (), "corex.sendx": ("a", "b", "c"),
        "sl.sl_forward_reply": ("200", "OK"), "cfgutils.sleep": (1,), "textops.is_audio_on_hold": (),
    }  # fmt: skip
    for path, arguments in calls.items():
        assert script(path, *arguments) == -1, path
    assert sum("does not run here" in line for line in script.errors()) == len(calls) - 1


def test_sanity_does_not_end_a_script() -> None:
    script = Script(WHOLE.replace("1 MESSAGE", "1 INVITE"))
    assert [script("sanity.sanity_check", 32, 7), script("sanity.sanity_check", 1, 7)] == [-1, 1]
    assert script("sanity.sanity_check_defaults") == -1


def test_kx_reads_defines() -> None:
    script = Script(WHOLE)
    script.bench.world.defines = {"N": "12x", "E": None}
    assert [script("kx.get_def", name) for name in ("N", "E", "no")] == ["12x", "", ""]
    assert [script("kx.get_defn", name) for name in ("N", "E", "no")] == [12, 0, 0]
    assert [script("kx.ifdef", name) for name in ("N", "E", "no")] == [True, True, False]
    assert script("kx.get_nhuri") == "sip:bob@example.com;a=1"
    assert script("setdsturi", "sip:10.0.0.9") is True
    assert script("kx.get_nhuri") == "sip:10.0.0.9"
