"""`KSR.tm`: tm's functions for scripts in other languages (modules/tm/tm.c: tm_kemi_exports).

Routes are named as in kamailio.cfg: whoever runs the script puts its functions among those of the world.
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import not_run, same
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.spec import KemiFunction
from evapi_cfg.modules.textops.reading import compiled
from evapi_cfg.modules.tm.forward import relay_family
from evapi_cfg.modules.tm.functions import FUNCTIONS, check_status

_NO_BRANCH: Final = -1  # h_table.h: T_BR_UNDEFINED


def branch_index(run: Run) -> int:
    """The number of the branch that the script is about, or that the next one would get."""
    message = current_message(run)
    if run.kind is Routes.REQUEST:
        return len(message.branches)
    if run.kind is Routes.FAILURE and run.transaction is not None:
        return len(run.transaction.branches) + len(message.branches)
    return _NO_BRANCH


def _check_status(run: Run, pattern: str) -> int:
    expression = compiled(run, pattern, module="tm")
    return -1 if expression is None else check_status(run, expression)


def _relay(name: str, *params: type[int] | type[str]) -> KemiFunction:
    return KemiFunction(name, relay_family(name), params)


_same: Final = same(FUNCTIONS)

KEMI: Final = (
    *(
        _same(name)
        for name in (
            "t_newtran", "t_lookup_request", "t_lookup_cancel", "t_check_trans", "t_exists", "t_release", "t_clean",
            "t_reply_error", "t_retransmit_reply", "t_is_canceled", "t_is_expired", "t_is_retr_async_reply",
            "t_any_timeout", "t_any_replied", "t_branch_timeout", "t_branch_replied", "t_get_status_code",
            "t_reset_fr", "t_reset_retr", "t_reset_max_lifetime", "t_save_lumps", "t_use_uac_headers",
        )
    ),
    *(
        _same(name, str)
        for name in ("t_on_failure", "t_on_reply", "t_on_branch", "t_on_branch_failure", "t_is_set", "t_drop_replies")
    ),
    *(
        _same(name, int)
        for name in (
            "t_grep_status", "t_set_auto_inv_100", "t_set_disable_6xx", "t_set_disable_failover",
            "t_set_disable_internal_reply", "t_set_no_auto_ack", "t_set_no_e2e_cancel_reason",
        )
    ),
    *(_same(name, int, int) for name in ("t_set_fr", "t_set_retr", "t_set_max_lifetime")),
    *(_same(name, int, str) for name in ("t_reply", "t_send_reply")),
    _same("t_lookup_cancel", int, name="t_lookup_cancel_flags"),
    _same("t_set_fr", int, name="t_set_fr_inv"),
    _same("t_drop_replies", name="t_drop_replies_all"),
    KemiFunction("t_check_status", _check_status, (str,)),
    KemiFunction("t_get_branch_index", branch_index),
    _relay("t_relay"),
    _relay("t_replicate", str),
    _relay("t_relay_to_proxy", str),
    _relay("t_relay_to_flags", int),
    _relay("t_relay_to_proxy_flags", str, int),
    _relay("t_relay_to_proto", str),
    _relay("t_relay_to_proto_addr", str, str, int),
    not_run("t_uac_send", "tm", "no requests are sent", str, str, str, str, str, str),
    *(
        not_run(name, "tm", "nothing is forwarded")
        for name in ("t_load_contacts", "t_next_contacts", "t_next_contact_flow")
    ),
    not_run("ki_t_load_contacts_mode", "tm", "nothing is forwarded", int),
)  # fmt: skip
