"""corex: files, sockets, places in the cfg."""

from __future__ import annotations

from pathlib import Path

import pytest

from evapi_cfg.modules.context import Level
from evapi_cfg.modules.spec import FixupError, NameRefused
from evapi_cfg.sip.message import Socket
from evapi_cfg.sip.uri import TCP, UDP
from evapi_cfg.source import store
from tests.module_world import Bench


def test_files(tmp_path: Path) -> None:
    bench = Bench()
    name = store(str(tmp_path / "gr\u00fcn"))
    target = bench.variable("$var(t)")
    assert bench.call("file_write", name, "a\0b\xff\n") == 1
    assert (tmp_path / "gr\u00fcn").read_bytes() == b"a\0b\xff\n"
    assert bench.call("file_read", name, target) == 1
    assert bench.get("$var(t)") == "a\0b\xff\n"
    assert not bench.log.lines


@pytest.mark.parametrize("name", ["", "/no/such/file", "/", "a\0b"])
def test_files_that_cannot_be(name: str) -> None:
    bench = Bench()
    bench.set("$var(t)", "kept")
    assert bench.call("file_read", name, bench.variable("$var(t)")) == -1
    assert bench.call("file_write", name, "text") == -1
    assert bench.get("$var(t)") == "kept"
    assert [line.level for line in bench.log.lines] == [Level.ERROR] * 2


def test_a_target_that_cannot_be_assigned() -> None:
    bench = Bench()
    fixup = bench.function("file_read", 2).fixup
    assert fixup is not None
    with pytest.raises(FixupError) as refused:
        fixup(("name", bench.variable("$rm")))
    assert refused.value.index == 1


def test_places() -> None:
    bench = Bench()
    assert bench.print("$cfg(line) $cfg(file) $cfg(name)") == "2 test.cfg test.cfg"
    with pytest.raises(NameRefused):
        bench.variable("$cfg(column)")


def test_listening_sockets() -> None:
    bench = Bench()
    bench.world.sockets += [Socket(UDP, "10.0.0.1", 5060, "one", ("192.0.2.1", 5066)), Socket(TCP, "::1", 5061)]
    assert bench.print("$lsock(n/one/listen)") == "udp:10.0.0.1:5060"
    assert bench.print("$lsock(l/udp:10.0.0.1:5060/name) $lsock(n/one/advertised)") == "one udp:192.0.2.1:5066"
    assert bench.print("$lsock(l/tcp:[::1]:5061/index) [$lsock(l/tcp:[::1]:5061/name)]") == "1 []"
    assert bench.print("$lsock(i/1/listen) $lsock(n/none/listen)") == "tcp:[::1]:5061 <null>"
    assert bench.print("[$lsock(n/one)][$lsock(x/one/name)][$lsock(n/one/n)]") == "[][][]"
    assert bench.call("is_socket_name", "one") == 1
    assert bench.call("is_socket_name", "two") == -1
    bench.set("$fs", "tcp:[::1]:5061")
    assert bench.print("$fs $fsp $fsn") == "tcp:[::1]:5061 5061 <null>"
    assert bench.call("set_send_socket_name", "one") == 1
    assert bench.print("$fs $fsn") == "udp:10.0.0.1:5060 one"
    assert bench.call("set_recv_socket", "udp:10.0.0.1:5060") == 1
    assert bench.print("$Ri $Rp $Rn $RAi") == "10.0.0.1 5060 one 192.0.2.1"
    bench.set("$fs", None)
    assert bench.get("$fs") is None


def test_flags() -> None:
    bench = Bench()
    assert bench.call("setxflag", 63) == 1
    assert bench.call("isxflagset", 63) == 1
    assert bench.call("setxflag", 64) == -1
    assert bench.call("isxflagset", -1) == -1
    assert bench.call("msg_iflag_set", "uac_auth") == 1
    assert bench.call("msg_iflag_is_set", "19") == -2  # with two digits the second is taken off
    assert bench.call("msg_iflag_is_set", "UAC_AUTH") == 1
    assert bench.call("msg_iflag_reset", "UAC_AUTH") == 1
    assert bench.call("msg_iflag_is_set", "UAC_AUTH") == -2
    assert bench.call("msg_iflag_set", "none") == -1


def test_append_branch() -> None:
    bench = Bench()
    bench.set("$du", "sip:10.0.0.1")
    assert bench.call("append_branch", "sip:a@b", "0.7") == 1
    assert bench.print("$bR $(branch(dst_uri)[0]) $du") == "<sip:a@b>;q=0.7 sip:10.0.0.1 sip:10.0.0.1"
    assert bench.call("append_branch") == 1
    assert bench.print("$(branch(uri)[1]) $du") == "sip:kamailio.org <null>"
    assert bench.call("append_branch", "sip:a@b", "2") == -1
    assert bench.get("$branch(count)") == 2
