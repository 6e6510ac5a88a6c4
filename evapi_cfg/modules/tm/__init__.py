"""tm: server transactions, their timers, suspending and going on (modules/tm).

Nothing is forwarded here, so a transaction has no client side: t_relay and its family say so.
"""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Run, World
from evapi_cfg.modules.ranges import within
from evapi_cfg.modules.spec import EventRoute, ModuleSpec, Param
from evapi_cfg.modules.tm import forward, functions, kemi, rpc
from evapi_cfg.modules.tm.core import LOCAL_RESPONSE, Tm, tm_of


def _init(world: World) -> Tm:
    """Transactions live on when the program changes, and so do their timers."""
    before = None if world.before is None else world.before.state.get("tm")
    return before if isinstance(before, Tm) else Tm(world)


def _reload(world: World, before: World) -> None:
    tm = world.state["tm"]
    assert isinstance(tm, Tm)
    tm.belong_to(world)


def _after_request(run: Run) -> None:
    if run.transaction is not None:
        tm = tm_of(run)
        assert tm is not None
        tm.after_request(run)


def _end(world: World) -> None:
    tm = world.state["tm"]
    assert isinstance(tm, Tm)
    tm.end()


# What matters to forwarding only: accepted, and without meaning here.
_OF_FORWARDING: Final = (
    *(
        Param(name, int, default)
        for name, default in (
            ("aggregate_challenges", 1), ("blst_503", 0), ("blst_503_def_timeout", 0), ("blst_503_max_timeout", 3600),
            ("blst_503_min_timeout", 0), ("blst_methods_add", 1), ("blst_methods_lookup", -9),
            ("callid_cseq_matching", 0), ("delayed_reply", 1), ("disable_6xx_block", 0),
            ("dns_reuse_rcv_socket", 0), ("e2e_cancel_hop_by_hop", 1), ("e2e_cancel_reason", 1), ("enable_uac_fr", 0),
            ("exec_time_check", 5000), ("failure_exec_mode", 0), ("failure_reply_mode", 3),
            ("faked_reply_prio", 0), ("headers_mode", 0), ("local_ack_branch_mode", 0), ("local_ack_mode", 0),
            ("local_cancel_reason", 1), ("pass_provisional_replies", 0), ("relay_100", 0), ("remap_503_500", 1),
            ("reparse_invite", 1), ("reparse_on_dns_failover", 1), ("reply_matching", 1), ("reply_relay_mode", 1),
            ("restart_fr_on_each_reply", 1), ("rich_redirect", 0), ("unix_tx_timeout", 500), ("unmatched_cancel", 0),
        )
    ),
    *(
        Param(name, str)
        for name in (
            "ac_extra_hdrs", "contact_flows_avp", "contacts_avp", "evcb_local_ack_sent", "failover_reply_codes",
            "on_sl_reply", "tw_append", "xavp_contact",
        )
    ),
)  # fmt: skip

MODULE = ModuleSpec(
    "tm",
    functions=(*functions.FUNCTIONS, *forward.FUNCTIONS),
    params=(
        Param("fr_timer", int, 30000),
        Param("fr_inv_timer", int, 120000),
        Param("wt_timer", int, 5000),
        Param("retr_timer1", int, 500, check=within(0, 65534)),
        Param("retr_timer2", int, 4000, check=within(0, 65534)),
        Param("cancel_b_method", int, 1, check=within(0, 2)),
        Param("evlreq_mode", int, 0, check=within(0, 3)),
        Param("max_inv_lifetime", int, 180000),
        Param("max_noninv_lifetime", int, 32000),
        Param("auto_inv_100", int, 1),
        Param("auto_inv_100_reason", str, "trying -- your call is important to us"),
        Param("default_code", int, 500),
        Param("default_reason", str, "Server Internal Error"),
        Param("reply_408_code", int, 408),
        Param("reply_408_reason", str, "Request Timeout"),
        # A suspended request is always answered, as in Kamailio, whatever this says.
        Param("noisy_ctimer", int, 1),
        Param("ruri_matching", int, 1),
        Param("via1_matching", int, 1),
        Param("callid_matching", int, 0),
        Param("fr_timer_avp", str, runs=False),
        Param("fr_inv_timer_avp", str, runs=False),
        Param("event_callback", str, runs=False),
        Param("event_callback_lres_sent", str),
        *_OF_FORWARDING,
    ),
    event_routes=(EventRoute(LOCAL_RESPONSE, "event_callback_lres_sent", "tm:local-response-sent"),),
    kemi=kemi.KEMI,
    rpc=rpc.COMMANDS,
    init=_init,
    reload=_reload,
    after_request=_after_request,
    end=_end,
    doc="transactions, and going on with a request later",
)
