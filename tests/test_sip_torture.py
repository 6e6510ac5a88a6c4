"""Odd messages, those of `torture.py`: what becomes of each, and that nothing that reads them raises."""

from __future__ import annotations

import pytest

from evapi_cfg.modules.pv import MODULE
from evapi_cfg.modules.spec import NameRefused, Variable
from evapi_cfg.sip.message import Message, MessageError, Received
from evapi_cfg.sip.reply import build_reply
from tests.module_world import Bench
from tests.torture import ALL, Odd


def judged(text: str) -> str:
    """Why a message is dropped; empty where it is not."""
    try:
        return Message(text).fault()
    except MessageError as error:
        return str(error)


@pytest.mark.parametrize("odd", ALL, ids=lambda odd: odd.name)
def test_odd(odd: Odd) -> None:
    assert judged(odd.text) == odd.fault
    if odd.fault:
        return
    bench = Bench()
    message = bench.run.message = Message(odd.text)
    assert message.head.fault == odd.bad
    assert message.complete == (not odd.bad)
    for name, value in odd.reads.items():
        found = bench.get(name) if name[:1] == "$" else getattr(message, name)
        assert found == value, name


@pytest.mark.parametrize("odd", [odd for odd in ALL if not odd.fault], ids=lambda odd: odd.name)
def test_every_variable_reads_it(odd: Odd) -> None:
    read_all(odd.text)


def read_all(text: str) -> None:
    """Reads whatever there is to read. Nothing of it may raise."""
    bench = Bench()
    message = bench.run.message = Message(text, Received())
    for variable in VARIABLES:
        variable.get(bench.run)
    if message.via is not None:
        build_reply(message, 404, "Not Found", "tag", "Server: x\r\n")
    assert message.updated() == message.text


def variables() -> list[Variable]:
    """All variables of a message: those of a bare name, and some of each kind with a name or an index."""
    bench, found = Bench(), []
    names = [f"${pv.name}" for pv in MODULE.pvs]
    for name in (*names, *NAMED):
        try:
            found.append(bench.variable(name))
        except NameRefused:
            assert name in names  # it needs a name
    return found


NAMED = (
    "$(hdr(Via)[-1])", "$(hdr(X-A)[1])", "$(hdr(*)[*])", "$hdrc(To)", "$(hfl(Contact)[1])", "$hfl(Via)", "$hflc(Route)",
    "$(hfl(Diversion)[-1])", "$hfl(P-Asserted-Identity)", "$(ai[1])", "$(pu[0])", "$via0(branch)", "$via0(params)",
    "$via1(oc)", "$via1(received)", "$viaZ(port)", "$expires(min)", "$expires(max)", "$msg(hdrs)", "$msg(lpart)",
    "$msg(fpart)", "$msg(hdrc)", "$rpl(duri)", "$rpl(cntvia)", "$nh(i)", "$nh(U)",
)  # fmt: skip
VARIABLES = variables()
