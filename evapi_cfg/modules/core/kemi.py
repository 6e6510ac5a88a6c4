"""What the core exports to scripts in other languages: `KSR.<name>` (core/kemi.c: _sr_kemi_core).

The log, routes, what is myself; the message, `KSR.pv` and `KSR.hdr` have files of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run, ScriptOver
from evapi_cfg.modules.core import kemi_hdr, kemi_message, kemi_pv
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.core_myself import is_myself, names_myself
from evapi_cfg.modules.spec import KemiFunction
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.uri import PROTOCOL_NAMES, UDP
from evapi_cfg.source import Span, show
from evapi_cfg.values import Value

# ---- the log --------------------------------------------------------------------------------------------------------

_LEVELS: Final = {
    "dbg": Level.DEBUG,
    "info": Level.INFO,
    "notice": Level.NOTICE,
    "warn": Level.WARNING,
    "err": Level.ERROR,
    "crit": Level.CRITICAL,
}


def _write(run: Run, level: Level, text: str, at: Span) -> int:
    if level <= run.world.log.threshold:
        run.world.log(level, "script", text, at, run.route)
    return 0


def _fixed(level: Level) -> Callable[[Run, str, Span], int]:
    return lambda run, text, at: _write(run, level, text, at)


def _log(run: Run, level: str, text: str, at: Span) -> int:
    """A level that is none counts as an error."""
    return _write(run, _LEVELS.get(level.lower(), Level.ERROR), text, at)


def _get_debug(run: Run) -> int:
    return run.world.log.threshold


# ---- flow -----------------------------------------------------------------------------------------------------------


def _set_drop(run: Run) -> int:
    """The message goes no further when the script has come to its end."""
    run.dropped = True
    return 0


def run_route(run: Run, name: str, at: Span) -> int:
    """Runs route[name] of kamailio.cfg; -1 where there is none, 0 where it was left with `exit`, which the script that
    calls it outlives. One that waits cannot run: a script in another language goes on at once."""
    route = run.world.routes.get(name)
    if route is None:
        return -1
    limit = run.world.max_recursive_level
    if run.depth >= limit:
        run.log(Level.ERROR, "core", f"routes call each other more than {limit} deep: given up", at)
        return -1
    over, run.over = run.over, False
    run.depth += 1
    try:
        outcome = route(run)
        if isinstance(outcome, int):
            return 0 if run.over else outcome
    except ScriptOver:
        return 0
    finally:
        run.depth -= 1
        run.over = over
    close = getattr(outcome, "close", None)
    if close is not None:
        close()
    run.log(Level.ERROR, "core", f"route[{show(name)}] waits for something: a script cannot call it", at)
    return -1


# ---- myself ---------------------------------------------------------------------------------------------------------


def _is_own(run: Run, text: str) -> bool:
    own = names_myself(run.world, text)
    if own is None:
        run.log(Level.ERROR, "core", f"{show(text)!r} is no URI")
    return own is True


def _own(read: Callable[[Message], str | None]) -> Callable[[Run], bool]:
    def test(run: Run) -> bool:
        text = read(current_message(run))
        return text is not None and _is_own(run, text)

    return test


def _address_uri(kind: str) -> Callable[[Message], str | None]:
    return lambda message: address.uri if (address := message.address(kind)) is not None else None


def _request_uri(message: Message) -> str | None:
    return message.request_uri if message.is_request else None


def _source_uri(message: Message) -> str:
    received = message.received
    host = f"[{received.source}]" if ":" in received.source else received.source
    transport = "" if received.protocol == UDP else f";transport={PROTOCOL_NAMES[received.protocol]}"
    return f"sip:{host}:{received.source_port}{transport}"


def _is_own_source(run: Run) -> bool:
    return is_myself(run.world, current_message(run).received.source)


# ---- what does not run ----------------------------------------------------------------------------------------------


def _forward(run: Run, _uri: str = "", *, at: Span) -> int:
    run.log(Level.ERROR, "core", "forward does not run here: nothing is forwarded", at)
    return -1


def _function(name: str, call: Callable[..., Value | bool], *params: type[int] | type[str]) -> KemiFunction:
    return KemiFunction(name, call, params, "")


def _logging(name: str, call: Callable[..., Value | bool], *params: type[int] | type[str]) -> KemiFunction:
    return KemiFunction(name, call, params, "", at=True)


KEMI: Final = (
    *(_logging(name, _fixed(level), str) for name, level in _LEVELS.items()),
    _logging("log", _log, str, str),
    _function("get_debug", _get_debug),
    _function("set_drop", _set_drop),
    _logging("route", run_route, str),
    _function("is_myself", _is_own, str),
    _function("is_myself_ruri", _own(_request_uri)),
    _function("is_myself_duri", _own(lambda message: message.dst_uri)),
    _function("is_myself_nhuri", _own(lambda message: message.dst_uri or _request_uri(message))),
    _function("is_myself_furi", _own(_address_uri("from"))),
    _function("is_myself_turi", _own(_address_uri("to"))),
    _function("is_myself_suri", _own(_source_uri)),
    _function("is_myself_srcip", _is_own_source),
    _logging("forward", _forward),
    _logging("forward_uri", _forward, str),
    *kemi_message.KEMI,
    *kemi_pv.KEMI,
    *kemi_hdr.KEMI,
)
