"""kex: what its cases against Kamailio do not show; what is `myself`."""

from __future__ import annotations

import pytest

from evapi_cfg.modules.context import World
from evapi_cfg.modules.core_myself import is_myself, myself_test
from evapi_cfg.modules.kex import MODULE
from evapi_cfg.modules.spec import Arg, FixupError
from evapi_cfg.sip.message import Message, Received, Socket
from evapi_cfg.sip.uri import NONE, TCP, TLS, UDP, WS, WSS
from tests.module_world import Bench


@pytest.fixture
def world() -> World:
    world = Bench().world
    world.sockets += [
        Socket(UDP, "10.0.0.1", 5060, None, ("pub.example.com", 5070)),
        Socket(TCP, "10.0.0.2", 5062),
        Socket(TLS, "fd00::1", 5061),
    ]
    world.aliases += [(NONE, "Any.example.com", 0), (UDP, "udp.example.com", 5080)]
    return world


@pytest.mark.parametrize(
    "host,port,protocol,own",
    [
        ("10.0.0.1", 0, NONE, True),
        ("10.0.0.1", 5070, UDP, True),  # either port of the socket will do
        ("10.0.0.1", 5061, UDP, False),
        ("10.0.0.1", 5060, TCP, False),
        ("PUB.example.com", 5060, NONE, True),
        ("10.0.0.2", 5062, WS, True),
        ("10.0.0.2", 5062, WSS, False),
        ("[FD00:0::1]", 5061, WSS, True),
        ("fd00::1", 0, TLS, True),
        ("fd00::2", 0, NONE, False),
        ("::bad::", 0, NONE, False),
        ("any.EXAMPLE.com", 1, TCP, True),
        ("udp.example.com", 0, NONE, True),
        ("udp.example.com", 5080, TCP, False),
        ("udp.example.com", 5081, UDP, False),
        ("", 0, NONE, False),
        ("[]", 0, NONE, False),
    ],
)
def test_what_is_myself(world: World, host: str, port: int, protocol: int, own: bool) -> None:
    assert is_myself(world, host, port, protocol) is own


def test_old_style_operands() -> None:
    bench = Bench()
    bench.world.sockets.append(Socket(UDP, "10.0.0.1", 5060))
    bench.world.aliases.append((NONE, "tls.example.com", 5061))
    message = bench.run.message = Message(
        "OPTIONS sip:10.0.0.1 SIP/2.0\r\nFrom: <sip:a@10.0.0.1:5061>\r\nTo: <bad>\r\n\r\n",
        Received(UDP, "10.0.0.1", 7000, "10.0.0.9", 5060),
    )
    run = bench.run
    for name, op, wanted in (
        ("uri", "==", True),
        ("uri", "!=", False),
        ("from_uri", "==", False),
        ("from_uri", "!=", True),
        ("to_uri", "==", False),
        ("to_uri", "!=", True),
        ("src_ip", "==", True),
        ("dst_ip", "==", False),
        ("snd_ip", "==", False),
    ):
        assert myself_test(name, op)(run) is wanted, (name, op)
    message.new_uri = "sip:tls.example.com;transport=tls"
    assert myself_test("uri", "==")(run)
    message.new_uri = "sips:tls.example.com"
    assert not myself_test("uri", "==")(run)
    message.new_uri = "bad"
    assert not myself_test("uri", "==")(run)
    assert not myself_test("uri", "!=")(run)


def test_uris_of_kex() -> None:
    bench = Bench()
    bench.world.sockets.append(Socket(UDP, "10.0.0.1", 5060))
    assert bench.call("is_myself", "sip:10.0.0.1:99999") == -1
    assert bench.call("is_myhost", "sip:10.0.0.1:1;transport=tcp") == 1
    assert bench.call("is_myself", "SIP:10.0.0.1") == -1  # not taken apart
    assert bench.call("is_myself", "sip:") == -1


def test_flags_of_a_branch_that_is_not_there() -> None:
    bench = Bench()
    for name in ("setbflag", "resetbflag", "isbflagset"):
        assert bench.call(name, 1, 1) == -1
        assert bench.call(name, 1, -1) == -1
        assert bench.call(name, 1, None) == -1
        assert bench.call(name, None) == -1
        assert bench.call(name, 32) == -1
    assert bench.get("$bf") == 0


def test_identifiers() -> None:
    bench = Bench()
    bench.world.pid = 255
    bench.world.core["server_id"] = 10
    moment = f"{int(bench.world.started):x}"
    assert bench.get("$sruid") == f"srid-a-{moment}-ff-1"
    for _ in range(17):
        last = bench.get("$sruid")
    assert last == f"srid-a-{moment}-ff-21"  # 18, its digits turned around


def test_debug() -> None:
    bench = Bench()
    before = bench.log.threshold
    assert bench.call("resetdebug") == 1
    assert bench.call("setdebug", -1) == 1
    assert bench.call("setdebug", 1) == 1
    assert bench.log.threshold == 1
    assert bench.call("setdebug", None) == -1
    assert bench.call("resetdebug") == 1
    assert bench.log.threshold == before


def test_a_target_that_cannot_be_assigned() -> None:
    bench = Bench()
    fixup = bench.function("pv_printf", 2).fixup
    assert fixup is not None
    with pytest.raises(FixupError):
        fixup((bench.variable("$rm"), "text"))
    assert bench.call("pv_printf", bench.variable("$rm"), "text") == -1


@pytest.mark.parametrize("text", ["", "\0", "sip:[", "\xff" * 9, "sip:a@", "[", "]"])
def test_nothing_raises(text: str) -> None:
    bench = Bench()
    bench.world.sockets.append(Socket(UDP, "10.0.0.1", 5060))
    for function in MODULE.functions:
        arguments = [
            bench.variable("$du") if kind is Arg.PVAR else 7 if kind is Arg.NUMBER else text for kind in function.args
        ]
        assert isinstance(bench.call(function.name, *arguments), int)
