"""tm's script functions about replies and about what is known of the transaction (modules/tm/tm.c: w_t_*)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evapi_cfg import regex
from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.spec import Arg, FixupError, Function
from evapi_cfg.modules.tm.core import E_SCRIPT, NO_TRANSACTION, Tm, keep_edits, loaded, phrase_of
from evapi_cfg.regex import Regex
from evapi_cfg.sip.message import DELAYED_REPLY, FINAL_REPLY, NO_REPLY, REPLIED, TIMED_OUT
from evapi_cfg.sip.transaction import Transaction
from evapi_cfg.source import show

_UNSPECIFIED: Final = -1  # core/error.h: E_UNSPEC

# ---- beginnings and endings -----------------------------------------------------------------------------------------


def _newtran(run: Run) -> int:
    code = loaded(run).begin(run)
    if code == E_SCRIPT:
        run.log(Level.NOTICE, "tm", "t_newtran: the message has its transaction already")
    return code


def _lookup_request(run: Run) -> int:
    return 1 if loaded(run).look_up(run) == 1 else -1


def _exists(run: Run) -> int:
    """Whether there is a transaction for the message; the run does not get it."""
    return 1 if run.transaction or loaded(run).table.find(current_message(run))[0] is not None else -1


def _check_trans(run: Run) -> int:
    """1 for a CANCEL of an INVITE that is there; a retransmission is answered and an ACK taken, and the script ends."""
    if run.kind in (Routes.FAILURE, Routes.BRANCH, Routes.BRANCH_FAILURE, Routes.TM_ONREPLY):
        return 1
    message = current_message(run)
    if not message.is_request:
        return -1
    if message.method == "CANCEL":
        return _lookup_cancel(run)
    tm = loaded(run)
    if tm.look_up(run) != 1:
        return -1
    transaction = run.transaction
    assert transaction is not None
    if message.method == "ACK":
        tm.release(run, transaction)
    else:
        tm.send_again(transaction)
    return 0


def _lookup_cancel(run: Run, take_flags: int | None = 0) -> int:
    message = current_message(run)
    if message.method != "CANCEL":
        run.log(Level.WARNING, "tm", f"t_lookup_cancel: the request is no CANCEL but {message.method}")
        return -1
    if take_flags is None:
        return -1
    original = loaded(run).table.original(message)
    if original is None:
        return -1
    if take_flags:
        message.flags = original.flags
    return 1


def _release(run: Run) -> int:
    if run.kind is not Routes.REQUEST:
        run.log(Level.INFO, "tm", "t_release: only request_route releases a transaction")
        return -1
    tm = loaded(run)
    tm.look_up(run)
    transaction = run.transaction
    if transaction is not None:
        tm.release(run, transaction)
        run.transaction = None
        run.sought = False
    return 1


def _clean(run: Run) -> int:
    """Transactions that are too old cannot be left over here."""
    return 1


# ---- replies --------------------------------------------------------------------------------------------------------


def reply(run: Run, code: int, reason: str) -> int:
    """t_reply, for other modules as well (tm.c: ki_t_reply)."""
    message = current_message(run)
    if message.is_request and message.method == "ACK":
        return -1
    if message.internal_flags & NO_REPLY:
        run.log(Level.INFO, "tm", "the message is marked as one that gets no reply")
        return -2
    tm = loaded(run)
    tm.look_up(run)
    transaction = run.transaction
    if transaction is None:
        run.log(Level.ERROR, "tm", f"t_reply: {NO_TRANSACTION}")
        return -1
    if run.kind not in (Routes.REQUEST, Routes.FAILURE):
        run.log(Level.CRITICAL, "tm", f"t_reply: no reply can be sent in {run.route}")
        return -1
    return tm.reply(run, transaction, message, code, reason)


def _t_reply(run: Run, code: int | None, reason: str | None) -> int:
    tm = loaded(run)
    return reply(
        run, tm.default_code if code is None else code, tm.default_reason if reason is None else reason
    )  # fmt: skip


def _t_send_reply(run: Run, code: int | None, reason: str | None) -> int:
    """Makes a transaction first, if there is none."""
    message = current_message(run)
    if message.is_request and message.method == "ACK":
        return -1
    if loaded(run).begin(run) == 0:
        run.log(Level.NOTICE, "tm", "t_send_reply: the request came before")
    return _t_reply(run, code, reason)


def reply_error(run: Run) -> int:
    """A reply that tells of the last error of this side."""
    if current_message(run).internal_flags & (FINAL_REPLY | DELAYED_REPLY):
        run.log(Level.INFO, "tm", "t_reply_error: a final reply was sent already")
        return -2
    return reply(run, *phrase_of(_UNSPECIFIED, "TM"))


def _retransmit_reply(run: Run) -> int:
    tm = loaded(run)
    tm.look_up(run)
    if run.transaction is None or current_message(run).method == "ACK":
        return -1
    return tm.send_again(run.transaction)


# ---- which route is next --------------------------------------------------------------------------------------------


def _on(attribute: str) -> Callable[[Run, str], int]:
    """t_on_failure and its like; an empty name or 0 takes the route away."""

    def set_(run: Run, name: str) -> int:
        target = run.transaction or loaded(run).pending(run)
        setattr(target, attribute, None if name in ("", "0") else name)
        return 1

    return set_


def _on_branch_failure(run: Run, name: str) -> int:
    """Without forwarding no branch can fail by itself."""
    return 1


_TARGETS: Final = {"f": "on_failure", "o": "on_reply", "b": "on_branch"}


def _is_set(run: Run, target: str) -> int:
    """Whether a route of a kind is set; the first letter tells which."""
    attribute = _TARGETS.get(target[:1])
    holder = run.transaction or loaded(run).pending(run)
    return 1 if attribute is not None and getattr(holder, attribute) else -1


# ---- what is known --------------------------------------------------------------------------------------------------


def _known(run: Run) -> Transaction | None:
    """The transaction; without one the log says so."""
    loaded(run).look_up(run)
    if run.transaction is None:
        run.log(Level.ERROR, "tm", NO_TRANSACTION)
    return run.transaction


def _is_canceled(run: Run) -> int:
    transaction = _known(run)
    return 1 if transaction is not None and transaction.canceled else -1


def _is_expired(run: Run) -> int:
    transaction = _known(run)
    return 1 if transaction is not None and transaction.end_of_life <= run.world.clock.monotonic() else -1


def _is_retr_async_reply(run: Run) -> int:
    transaction = _known(run)
    return 1 if transaction is not None and transaction.suspended else -1


def _any_timeout(run: Run) -> int:
    transaction = _known(run)
    return 1 if transaction is not None and any(branch.timed_out for branch in transaction.branches) else -1


def _any_replied(run: Run) -> int:
    """Nobody whom a request was forwarded to can have replied."""
    _known(run)
    return -1


def _grep_status(run: Run, code: int | None) -> int:
    if code is not None:
        _known(run)
    return -1


def _branch_flag(flag: int, name: str) -> Callable[[Run], int]:
    def test(run: Run) -> int:
        if run.kind not in (Routes.FAILURE, Routes.BRANCH_FAILURE):
            run.log(Level.ERROR, "tm", f"{name}: only a failure_route can ask")
            return -1
        return 1 if current_message(run).internal_flags & flag else -1

    return test


def _winning_status(transaction: Transaction) -> int | None:
    """The code of the branch that decides; None while one is open (t_reply.c: t_pick_branch_blind)."""
    codes = [branch.last_received for branch in transaction.branches]
    return min(codes) if codes and min(codes) >= 200 else None


def _status(run: Run) -> int | None:
    transaction = _known(run)
    if transaction is None:
        return None
    if run.kind is Routes.REQUEST:
        return transaction.status
    if run.kind is Routes.FAILURE:
        return _winning_status(transaction)
    run.log(Level.ERROR, "tm", f"the status of the transaction cannot be asked for in {run.route}")
    return None


def _get_status_code(run: Run) -> int:
    return _status(run) or -1


def check_status(run: Run, pattern: Regex | str | None) -> int:
    """A regular expression, or a variable that holds one."""
    status = _status(run)
    if status is None or pattern is None:
        return -1
    if isinstance(pattern, Regex):
        return 1 if pattern.matches(str(status)) else -1
    try:
        return 1 if regex.compile(pattern, regex.ICASE).matches(str(status)) else -1
    except regex.RegexError as error:
        run.log(Level.ERROR, "tm", f"t_check_status: bad regular expression {show(pattern)!r}: {error}")
        return -1


def _fixup_status(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    pattern = arguments[0]
    if not isinstance(pattern, str):
        return arguments
    try:
        return (regex.compile(pattern, regex.ICASE),)
    except regex.RegexError as error:
        raise FixupError(0, f"bad regular expression: {error}") from None


# ---- timers and switches --------------------------------------------------------------------------------------------


def set_fr(run: Run, fr_inv: int | None, fr: int | None = 0) -> int:
    """Milliseconds; 0 leaves a timer as it is. fr_inv_timer is for INVITEs that have been forwarded, which none is."""
    if fr_inv is None or fr is None:
        return -1
    tm = loaded(run)
    transaction = run.transaction
    if transaction is None:
        pending = tm.pending(run)
        pending.fr = max(fr, 0) / 1000
    else:
        _change_fr(tm, transaction, max(fr, 0) / 1000)
    return 1


def _reset_fr(run: Run) -> int:
    tm = loaded(run)
    if run.transaction is None:
        pending = tm.pending(run)
        pending.fr = 0.0
    else:
        _change_fr(tm, run.transaction, tm.fr)
    return 1


def _change_fr(tm: Tm, transaction: Transaction, fr: float) -> None:
    """Also for suspensions that wait already (timer.h: change_fr)."""
    if fr:
        transaction.fr = fr
        for branch in transaction.branches:
            if branch.fr is not None:
                tm.stop_fr(branch)
                tm.start_fr(branch, fr)


def _set_retr(run: Run, t1: int | None, t2: int | None) -> int:
    if t1 is None or t2 is None or t1 < 0 or t2 < 0:
        return -1
    target = run.transaction or loaded(run).pending(run)
    target.t1, target.t2 = t1 / 1000 or target.t1, t2 / 1000 or target.t2
    return 1


def _reset_retr(run: Run) -> int:
    tm = loaded(run)
    if run.transaction is None:
        pending = tm.pending(run)
        pending.t1 = pending.t2 = 0.0
    else:
        run.transaction.t1 = run.transaction.t2 = 0.0
    return 1


def _set_max_lifetime(run: Run, inv: int | None, noninv: int | None) -> int:
    if inv is None or noninv is None:
        return -1
    tm = loaded(run)
    transaction = run.transaction
    if transaction is None:
        pending = tm.pending(run)
        pending.max_inv, pending.max_noninv = max(inv, 0) / 1000, max(noninv, 0) / 1000
    else:
        _live_for(tm, transaction, max(inv if transaction.is_invite else noninv, 0) / 1000)
    return 1


def _reset_max_lifetime(run: Run) -> int:
    tm = loaded(run)
    transaction = run.transaction
    if transaction is None:
        pending = tm.pending(run)
        pending.max_inv = pending.max_noninv = 0.0
    else:
        _live_for(tm, transaction, tm.max_inv if transaction.is_invite else tm.max_noninv)
    return 1


def _live_for(tm: Tm, transaction: Transaction, seconds: float) -> None:
    """From now on; suspensions that would wait longer are held to it (timer.h: change_end_of_life)."""
    now = tm.world.clock.monotonic()
    transaction.end_of_life = now + seconds
    for branch in transaction.branches:
        if branch.fr is not None and transaction.fr > seconds:
            tm.stop_fr(branch)
            tm.start_fr(branch, transaction.fr)


def _set_auto_inv_100(run: Run, on: int | None) -> int:
    if on is None:
        return -1
    target = run.transaction or loaded(run).pending(run)
    target.auto_100 = bool(on)
    return 1


def _switch(run: Run, on: int | None) -> int:
    """A setting of forwarding, which there is none of."""
    return -1 if on is None else 1


def _nothing(run: Run) -> int:
    """What only matters to forwarding."""
    return 1


def _save_lumps(run: Run) -> int:
    """What has been changed in headers counts for the transaction from now on."""
    transaction = run.transaction
    if transaction is None:
        run.log(Level.ERROR, "tm", f"t_save_lumps: {NO_TRANSACTION}")
        return -1
    keep_edits(transaction, current_message(run))
    return 1


def _nothing_with_text(run: Run, _mode: str) -> int:
    return 1


def _cell_append_branches(run: Run, index: int | None, label: int | None) -> int:
    """Further branches for a suspended transaction: there is nobody to send them to, so only whether it is there."""
    if index is None or label is None:
        return -1
    found = loaded(run).table.by_id(index & 0xFFFFFFFF, label & 0xFFFFFFFF)
    return -1 if found is None or found.on_wait else -2


_R = Routes
_ALL: Final = _R.REQUEST | _R.FAILURE | _R.TM_ONREPLY | _R.BRANCH
_REPLYING: Final = _R.REQUEST | _R.FAILURE | _R.ONREPLY
_REPLY_ARGS: Final = (Arg.NUMBER, Arg.VAR_TEXT)
_N: Final = (Arg.NUMBER,)
_NAME: Final = (Arg.LITERAL,)

FUNCTIONS: Final = (
    Function("t_newtran", _newtran, (), _R.REQUEST),
    Function("t_lookup_request", _lookup_request, (), _R.REQUEST),
    Function("t_lookup_cancel", _lookup_cancel, (), _R.REQUEST),
    Function("t_lookup_cancel", _lookup_cancel, _N, _R.REQUEST),
    Function("t_check_trans", _check_trans, (), _R.REQUEST | _R.ONREPLY | _R.BRANCH),
    Function("t_exists", _exists),
    Function("t_release", _release, (), _R.REQUEST),
    Function("t_clean", _clean),
    Function("t_reply", _t_reply, _REPLY_ARGS, _REPLYING, const=True),
    Function("t_send_reply", _t_send_reply, _REPLY_ARGS, _REPLYING, const=True),
    Function("t_reply_error", reply_error, (), _REPLYING),
    Function("t_retransmit_reply", _retransmit_reply, (), _R.REQUEST),
    Function("t_on_failure", _on("on_failure"), _NAME, _ALL),
    Function("t_on_reply", _on("on_reply"), _NAME, _ALL),
    Function("t_on_branch", _on("on_branch"), _NAME, _R.REQUEST | _R.FAILURE),
    Function("t_on_branch_failure", _on_branch_failure, _NAME, _ALL),
    Function("t_is_set", _is_set, _NAME),
    Function("t_is_canceled", _is_canceled, (), _ALL),
    Function("t_is_expired", _is_expired, (), _ALL),
    Function("t_is_retr_async_reply", _is_retr_async_reply, (), _R.TM_ONREPLY),
    Function("t_any_timeout", _any_timeout, (), _ALL),
    Function("t_any_replied", _any_replied, (), _ALL),
    Function("t_grep_status", _grep_status, _N, _ALL),
    Function("t_branch_timeout", _branch_flag(TIMED_OUT, "t_branch_timeout"), (), _R.REQUEST | _R.FAILURE | _R.EVENT),
    Function("t_branch_replied", _branch_flag(REPLIED, "t_branch_replied"), (), _R.REQUEST | _R.FAILURE | _R.EVENT),
    Function("t_get_status_code", _get_status_code, (), _R.REQUEST | _R.FAILURE | _R.ONREPLY | _R.BRANCH),
    Function("t_check_status", check_status, (Arg.VAR_TEXT,), _REPLYING, fixup=_fixup_status, const=True),
    Function("t_set_fr", set_fr, _N, _ALL),
    Function("t_set_fr", set_fr, (Arg.NUMBER, Arg.NUMBER), _ALL),
    Function("t_reset_fr", _reset_fr, (), _ALL),
    Function("t_set_retr", _set_retr, (Arg.NUMBER, Arg.NUMBER), _ALL),
    Function("t_reset_retr", _reset_retr, (), _ALL),
    Function("t_set_max_lifetime", _set_max_lifetime, (Arg.NUMBER, Arg.NUMBER), _ALL),
    Function("t_reset_max_lifetime", _reset_max_lifetime, (), _ALL),
    Function("t_set_auto_inv_100", _set_auto_inv_100, _N, _R.REQUEST),
    Function("t_set_disable_6xx", _switch, _N, _ALL),
    Function("t_set_disable_failover", _switch, _N, _ALL),
    Function("t_set_disable_internal_reply", _switch, _N, _ALL),
    Function("t_set_no_auto_ack", _switch, _N, _ALL),
    Function("t_set_no_e2e_cancel_reason", _switch, _N, _ALL),
    Function("t_disable_e2e_cancel_reason", _switch, _N, _ALL),
    Function("t_drop_replies", _nothing, (), _R.FAILURE),
    Function("t_drop_replies", _nothing_with_text, (Arg.STRING,), _R.FAILURE),
    Function("t_save_lumps", _save_lumps, (), _R.REQUEST),
    Function("t_use_uac_headers", _nothing),
    Function("t_cell_append_branches", _cell_append_branches, (Arg.NUMBER, Arg.NUMBER)),
)
