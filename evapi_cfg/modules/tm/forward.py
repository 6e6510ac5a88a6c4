"""t_relay and its family. Nothing is forwarded here; what they do with a CANCEL of an INVITE that waits here, they do
(modules/tm/t_fwd.c: t_relay_cancel, e2e_cancel)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.spec import Arg, Function
from evapi_cfg.modules.tm.core import E_SCRIPT, Tm, loaded
from evapi_cfg.sip.transaction import Transaction

_CANCELED: Final = (487, "Request canceled")
_DONE: Final = (200, "ok -- no more pending branches")


def _cancel(tm: Tm, run: Run, invite: Transaction) -> int:
    """Answers a CANCEL and the INVITE that it is about: 1, or what t_newtran gave where the CANCEL came before."""
    message = current_message(run)
    begun = tm.begin(run)
    if begun <= 0 and begun != E_SCRIPT:
        return 1 if begun == 0 else begun
    own = run.transaction
    assert own is not None
    invite.canceled = True
    if invite.status < 200:
        tm.answer(invite, invite.request, *_CANCELED)
    tm.reply(run, own, message, *_DONE)
    return 1


def relay_family(name: str) -> Callable[..., int]:
    def relay(run: Run, *_arguments: object) -> int:
        message = current_message(run)
        tm = loaded(run)
        if message.is_request and message.method == "CANCEL":
            invite = tm.table.original(message)
            if invite is not None:
                return _cancel(tm, run, invite)
        run.log(Level.ERROR, "tm", f"{name} does not run here: nothing is forwarded")
        return -1

    return relay


def _relay_cancel(run: Run) -> int:
    """A CANCEL of an INVITE that is here is answered, and the script ends; 1 for any other request."""
    message = current_message(run)
    if not message.is_request or message.method != "CANCEL":
        return 1
    tm = loaded(run)
    invite = tm.table.original(message)
    if invite is None:
        return 1
    code = _cancel(tm, run, invite)
    return 0 if code > 0 else code


_R = Routes
_BOTH: Final = _R.REQUEST | _R.FAILURE


def _family(name: str, arguments: int, routes: Routes, *, const: bool = True) -> Function:
    return Function(
        name, relay_family(name), (Arg.STRING,) * arguments, routes, const=const and arguments > 0, runs=False
    )  # fmt: skip


FUNCTIONS: Final = (
    _family("t_relay", 0, _BOTH),
    _family("t_relay", 2, _BOTH),
    *(_family(f"t_relay_to_{name}", count, _BOTH) for name in ("udp", "tcp", "tls", "sctp") for count in (0, 2)),
    *(_family("t_relay_to", count, _BOTH) for count in (0, 1, 2)),
    _family("t_relay_to_proxy", 1, _BOTH, const=False),
    _family("t_relay_to_avp", 2, _R.REQUEST),
    *(_family(f"t_forward_nonack{end}", 2, _R.REQUEST) for end in ("", "_udp", "_tcp", "_tls", "_sctp", "_to")),
    _family("t_forward_nonack_uri", 0, _R.REQUEST),
    *(_family(f"t_replicate{end}", 2, _R.REQUEST) for end in ("", "_udp", "_tcp", "_tls", "_sctp", "_to")),
    _family("t_replicate", 0, _R.REQUEST),
    _family("t_replicate", 1, _R.REQUEST, const=False),
    Function("t_relay_cancel", _relay_cancel, (), _R.REQUEST),
)
