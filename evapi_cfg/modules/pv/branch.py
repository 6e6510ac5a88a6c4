"""The variables of further destinations, $branch, $sbranch, $br, $bR, $ds, and of what is being sent or received, $snd,
$rcv; the functions sbranch_* (modules/pv/pv_branch.c; core/dset.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import closed, index_of, indexed, named, plain
from evapi_cfg.modules.pv.readers import reader, refuse
from evapi_cfg.modules.pv.sockets import find_socket, socket_text
from evapi_cfg.modules.spec import Function, NameRefused, Resolver, Variable
from evapi_cfg.sip.message import Branch, Message, Received
from evapi_cfg.sip.uri import PROTOCOL_NAMES
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import EvaluationError, Value

MAX_BRANCHES: Final = 12  # core/config.h: MAX_BRANCHES, with the message itself; core parameter max_branches
_SBRANCH: Final = "pv.sbranch"  # key of World.state
_NAMES: Final = (
    "uri", "dst_uri", "path", "q", "send_socket", "count", "flags", "ruid", "location_ua", "otcpid", "instance",
)  # fmt: skip


def append(run: Run, branch: Branch) -> bool:
    """One more destination; refused above max_branches."""
    branches = current_message(run).branches
    limit = run.world.core.get("max_branches", MAX_BRANCHES)
    if len(branches) >= (limit if isinstance(limit, int) else MAX_BRANCHES) - 1:
        run.log(Level.ERROR, "core", "there are as many branches as max_branches allows")
        return False
    branches.append(branch)
    return True


def print_q(q: int) -> str:
    """A q value in thousandths as SIP writes it."""
    return "1" if q >= 1000 else f"0.{q:03}".rstrip("0") if q else "0"


def parse_q(text: str) -> int | None:
    """`0.5` as 500; None where it is no q value."""
    whole, _, rest = text.strip().partition(".")
    if whole not in ("", "0", "1") or not (whole or rest) or not (rest + "0").isdecimal() or len(rest) > 3:
        return None
    return min(int(whole or 0) * 1000 + int((rest + "000")[:3]), 1000)


def _read(name: str, branch: Branch, run: Run) -> Value:
    if name == "q":
        return branch.q
    if name == "send_socket":
        return socket_text(branch.send_socket) if branch.send_socket else None
    if name in ("flags", "otcpid"):
        return branch.flags if name == "flags" else branch.otcpid
    value: str = getattr(branch, name)
    return value or None


def _write(name: str, branch: Branch, run: Run, value: Value) -> bool:
    """Whether the branch is to go: $null or nothing as its URI takes it away."""
    if name in ("uri", "dst_uri", "path", "send_socket"):
        if isinstance(value, int):
            raise refuse(run, f"the {name} of a branch takes a string")
        if name == "uri" and not value:
            return True
        if name == "send_socket":
            branch.send_socket = find_socket(run, value) if value else None
            if value and branch.send_socket is None:
                run.log(Level.WARNING, "pv", f"no listening socket is {show(value)}")
        else:
            setattr(branch, name, value or "")
    elif name in ("q", "flags", "otcpid"):
        if isinstance(value, str):
            raise refuse(run, f"the {name} of a branch takes a number")
        setattr(branch, name, value if name == "q" else value or 0)
    return False


def _check(inner: Text) -> str:
    name = "q" if inner.value == "Q" else inner.value
    if name not in _NAMES:
        raise NameRefused(f"a branch has no `{show(name)}`", inner.span, _NAMES)
    return name


def _branch(inner: Text, index_text: Text | None, resolver: Resolver) -> Variable:
    name, index = _check(inner), index_of(index_text, resolver)

    def place_of(run: Run) -> int | None:
        place = index(run) if callable(index) else index
        place = place if isinstance(place, int) else 0
        branches = current_message(run).branches
        return place if -len(branches) <= place < len(branches) else None

    def get(run: Run) -> Value:
        place = place_of(run)
        if place is None:
            return None
        branches = current_message(run).branches
        return len(branches) if name == "count" else _read(name, branches[place], run)

    def set_(run: Run, value: Value) -> None:
        place = place_of(run)
        if place is None:
            raise EvaluationError("there is no such branch")
        branches = current_message(run).branches
        if _write(name, branches[place], run, value):
            del branches[place]

    return Variable(get, set_)


def _static(world: World) -> Branch:
    branch = world.state.get(_SBRANCH)
    if not isinstance(branch, Branch):
        branch = world.state[_SBRANCH] = Branch()
    return branch


def _sbranch(inner: Text, resolver: Resolver) -> Variable:
    """The static branch: one for all runs, put together by a script and then appended."""
    name = _check(inner)

    def get(run: Run) -> Value:
        branch = _static(run.world)
        if name == "count":
            return len(current_message(run).branches)
        if not branch.uri:
            run.log(Level.ERROR, "pv", "the static branch has no URI yet")
            return None
        return _read(name, branch, run)

    def set_(run: Run, value: Value) -> None:
        if _write(name, _static(run.world), run, value):
            run.world.state[_SBRANCH] = Branch()

    return Variable(get, set_)


def _first_uri(run: Run) -> Value:
    branches = current_message(run).branches
    return branches[0].uri if branches else None


def _append_uri(run: Run, value: Value) -> None:
    if not isinstance(value, str) or not value:
        raise refuse(run, "$br takes a string")
    message = current_message(run)
    branch = Branch(value)
    branch.send_socket = message.send_socket
    if not append(run, branch):
        raise EvaluationError("no branch was appended")


def _uris(run: Run) -> Value:
    branches = current_message(run).branches
    return ", ".join(b.uri if b.q is None else f"<{b.uri}>;q={print_q(b.q)}" for b in branches) or None


def _contact(uri: str, q: int | None) -> str:
    return f"<{uri}>" if q is None else f"<{uri}>;q={print_q(q)}"


def destinations(message: Message) -> str | None:
    """The Contact header that names all destinations, None where there are none (core/dset.c: print_dset)."""
    contacts = [] if message.new_uri is None else [_contact(message.new_uri, message.uri_q)]
    contacts += [_contact(branch.uri, branch.q) for branch in message.branches]
    return "Contact: " + ", ".join(contacts) if contacts else None


def _nothing(run: Run) -> Value:
    return None


def _set_received(run: Run, value: Value) -> None:
    raise refuse(run, "nothing has been received here that $rcv could change")


def _sent(read: Callable[[Received], Value]) -> Variable:
    """What is known of a reply of this side's own, in the event about it; $null elsewhere."""
    return Variable(lambda run: None if run.sending is None else read(run.sending))


def _sent_text(run: Run) -> Value:
    return None if run.sending is None else current_message(run).text


def _sent_size(run: Run) -> Value:
    return None if run.sending is None else len(current_message(run).text)


_COMMON: Final = {
    "af": _sent(lambda way: 10 if ":" in way.source else 2),
    "buf": Variable(_sent_text),
    "len": Variable(_sent_size),
    "proto": _sent(lambda way: way.protocol),
    "sproto": _sent(lambda way: PROTOCOL_NAMES[way.protocol]),
}
_SENT_TO: Final = {
    "ip": _sent(lambda way: way.source),
    "port": _sent(lambda way: way.source_port),
    **_COMMON,
}
_SENT_FROM: Final = {
    "ip": _sent(lambda way: way.destination),
    "port": _sent(lambda way: way.destination_port),
    **_COMMON,
}
_RECEIVED: Final = {
    name: Variable(_nothing, _set_received)
    for name in (
        "af", "buf", "len", "safe", "proto", "srcip", "rcvip", "bufat", "hexat", "sproto", "evtype", "srcport",
        "rcvport",
    )
}  # fmt: skip

VARIABLES: Final = (
    indexed("branch", _branch, writable=True),
    named("sbranch", _sbranch, writable=True),
    plain("br", _first_uri, _append_uri),
    plain("bR", _uris),
    plain("ds", reader(destinations)),
    closed("snd", _SENT_TO),
    closed("sndto", _SENT_TO),
    closed("sndfrom", _SENT_FROM),
    closed("rcv", _RECEIVED),
    closed("recv", _RECEIVED),
)


def _copy(source: Branch) -> Branch:
    branch = Branch(source.uri, source.q)
    for name in Branch.__slots__:
        setattr(branch, name, getattr(source, name))
    return branch


def _sbranch_append(run: Run) -> int:
    branch = _static(run.world)
    return 1 if branch.uri and append(run, _copy(branch)) else -1


def _sbranch_set_ruri(run: Run) -> int:
    branch = _static(run.world)
    if not branch.uri:
        return -1
    message: Message = current_message(run)
    message.new_uri = branch.uri
    message.dst_uri = branch.dst_uri or None
    message.path = branch.path or None
    message.send_socket = branch.send_socket or message.send_socket
    message.branch_flags |= branch.flags
    return 1


def _sbranch_reset(run: Run) -> int:
    run.world.state[_SBRANCH] = Branch()
    return 1


FUNCTIONS: Final = (
    Function("sbranch_append", _sbranch_append),
    Function("sbranch_set_ruri", _sbranch_set_ruri),
    Function("sbranch_reset", _sbranch_reset),
)
