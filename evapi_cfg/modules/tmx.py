"""tmx: suspending and going on by hand, and the variables of a transaction (modules/tmx/tmx_mod.c, t_var.c)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from evapi_cfg.modules.context import Getter, Level, Run, nothing_more
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import closed, named, plain
from evapi_cfg.modules.kemi_forms import not_run, same
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.spec import (
    Arg,
    Function,
    KemiFunction,
    ModuleSpec,
    NameRefused,
    Param,
    PseudoVariable,
    Resolver,
    Variable,
)
from evapi_cfg.modules.tm.core import NO_TRANSACTION, Tm, tm_of
from evapi_cfg.modules.tm.kemi import branch_index
from evapi_cfg.modules.tm.suspend import resume, suspend
from evapi_cfg.sip.message import Message
from evapi_cfg.sip.reply import reason_of
from evapi_cfg.sip.transaction import Transaction
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import Value

_MAX_FLAG: Final = 31
_DROPPED: Final = 500  # the status of a transaction that t_drop has ended


def _tm(run: Run, name: str) -> Tm | None:
    """tm; the log says so where it is not loaded."""
    tm = tm_of(run)
    if tm is None:
        run.log(Level.ERROR, "tmx", f"{name} needs module tm, which is not loaded")
    return tm


def _transaction(run: Run, name: str) -> Transaction | None:
    if run.transaction is None:
        run.log(Level.ERROR, "tmx", f"{name}: {NO_TRANSACTION}")
    return run.transaction


# ---- functions ------------------------------------------------------------------------------------------------------


def _suspend(run: Run) -> int:
    tm = _tm(run, "t_suspend")
    return 1 if tm is not None and suspend(tm, run, "tmx") else -1


def _continue(run: Run, index: int | None, label: int | None, name: str) -> int | Awaitable[int]:
    tm = _tm(run, "t_continue")
    if tm is None:
        return -1
    if index is None or label is None:
        what = "index" if index is None else "label"
        run.log(Level.ERROR, "tmx", f"t_continue: the {what} is not a number but a text: {{s.int}} makes one of it")
        return -1
    return resume(tm, run, index, label, name)


def _drop(run: Run, code: int | None = None) -> int:
    """Ends the transaction without a reply, and the script with it."""
    transaction = _transaction(run, "t_drop")
    tm = tm_of(run)
    if transaction is None or tm is None:
        return -1
    transaction.status = _DROPPED if code is None else code
    tm.release(run, transaction)
    return 0


def _flush_flags(run: Run) -> int:
    transaction = _transaction(run, "t_flush_flags")
    if transaction is None:
        return -1
    transaction.flags = current_message(run).flags
    return 1


def _flush_xflags(run: Run) -> int:
    transaction = _transaction(run, "t_flush_xflags")
    if transaction is None:
        return -1
    transaction.extra_flags = current_message(run).extra_flags
    return 1


def _in_route(*kinds: Routes) -> Callable[[Run], int]:
    return lambda run: 1 if run.kind in kinds else -1


def _precheck_trans(run: Run) -> int:
    """Whether another process has begun with the same request and made no transaction yet: there is no other."""
    return -1


def _reply_callid(run: Run, call_id: str, cseq: str, code: int | None, reason: str) -> int:
    """A reply in the transaction of an INVITE that is known by its Call-ID and CSeq number."""
    tm = _tm(run, "t_reply_callid")
    if tm is None or code is None:
        return -1
    found = tm.table.of_call(call_id, cseq)
    return -1 if found is None or tm.answer(found, found.request, code, reason) is None else 1


def _vbflag_holder(run: Run, flag: int | None) -> Transaction | None:
    known = run.kind is not Routes.FAILURE or run.picked is not None
    return run.transaction if known and flag is not None and 0 <= flag <= _MAX_FLAG else None


def _vbflag_set(run: Run, flag: int | None) -> int:
    transaction = _vbflag_holder(run, flag)
    if transaction is None or flag is None:
        return -1
    transaction.virtual_flags |= flag << 1
    return 1


def _vbflag_reset(run: Run, flag: int | None) -> int:
    transaction = _vbflag_holder(run, flag)
    if transaction is None or flag is None:
        return -1
    transaction.virtual_flags &= ~(flag << 1)
    return 1


def _vbflag_is_set(run: Run, flag: int | None) -> int:
    transaction = _vbflag_holder(run, flag)
    return 1 if transaction is not None and flag is not None and transaction.virtual_flags & flag << 1 else -1


def _cancel_callid(run: Run, call_id: str, cseq: str, flag: int | None, reason: int | None = 0) -> int:
    """Cancels what was forwarded of an INVITE, which is nothing; its flag is set (ki_t_cancel_callid_reason)."""
    tm = _tm(run, "t_cancel_callid")
    if tm is None or flag is None or reason is None:
        return -1
    found = tm.table.of_call(call_id, cseq)
    if found is None:
        return -1
    if 0 < flag <= _MAX_FLAG:
        found.flags |= 1 << flag
    return 1


# ---- $T and its like ------------------------------------------------------------------------------------------------


def _index(run: Run) -> Value:
    transaction = run.transaction
    return None if transaction is None else transaction.index


def _label(run: Run) -> Value:
    transaction = run.transaction
    return None if transaction is None else transaction.label


def _made(read: Callable[[Transaction], int]) -> Getter:
    """$T(id_index_n), $T(id_label_n): makes the transaction if there is none."""

    def get(run: Run) -> Value:
        if run.transaction is None:
            tm = _tm(run, "$T")
            if tm is None or tm.begin(run) < 0:
                run.log(Level.ERROR, "tmx", "the transaction cannot be created")
        return None if run.transaction is None else read(run.transaction)

    return get


def _found(run: Run) -> Transaction | None:
    tm = tm_of(run)
    if tm is not None:
        tm.look_up(run)
    return run.transaction


def _reply_code(run: Run) -> Value:
    message = current_message(run)
    if run.kind in (Routes.CORE_ONREPLY, Routes.TM_ONREPLY):
        return message.status
    transaction = _found(run)
    if transaction is None:
        return 0
    if run.kind in (Routes.REQUEST, Routes.BRANCH):
        return transaction.status
    return _picked_code(run)


def _picked_code(run: Run) -> int:
    """The code that a failure_route is about; a resumed route is about none."""
    return 0 if run.picked is None else run.picked.last_received


def _reply_reason(run: Run) -> Value:
    message = current_message(run)
    transaction = _found(run)
    if transaction is None:
        return ""
    if run.kind in (Routes.CORE_ONREPLY, Routes.TM_ONREPLY):
        return message.reason
    if run.picked is not None:
        return reason_of(run.picked.last_received)
    run.log(Level.ERROR, "tmx", f"the reason of a reply cannot be asked for in {run.route}")
    return None


def _reply_type(run: Run) -> Value:
    """1 in a failure_route, whose reply this side has made up; else 0."""
    return None if run.transaction is None else int(run.picked is not None)


def _reply_ruid(run: Run) -> Value:
    return "" if _found(run) is None or run.kind is not Routes.FAILURE else None


def _reply_last(run: Run) -> Value:
    run.log(Level.ERROR, "tmx", "only an onreply_route has a last reply")
    return None


def _branch_part(run: Run) -> Value:
    return None if run.transaction is None or run.picked is None else 0


def _nothing(run: Run) -> Value:
    return None


def _in_message(name: str, pick: Callable[[Run], Message | None]) -> PseudoVariable:
    """$T_req(pv) and its like: a variable of another message."""

    def make(inner: Text, resolver: Resolver) -> Variable:
        if not inner.value.startswith("$"):
            raise NameRefused(f"`${name}` needs a variable in its parentheses, such as `${name}($ru)`", inner.span)
        variable = resolver.variable(inner)

        def get(run: Run) -> Value:
            message = pick(run)
            if message is None:
                return None
            other = run.inner(message, run.route, run.kind)
            other.transaction, other.sought = run.transaction, True
            return variable.get(other)

        return Variable(get)

    return named(name, make)


def _of_cancel(run: Run) -> Message | None:
    """The INVITE that a CANCEL is about."""
    message, tm = current_message(run), tm_of(run)
    if run.kind is not Routes.REQUEST or message.method != "CANCEL" or tm is None:
        return None
    original = tm.table.original(message)
    return None if original is None else original.request


def _of_nothing(run: Run) -> Message | None:
    """Requests are not forwarded, so no reply comes that a request or reply of another side could be asked about."""
    return None


def _printed_or_nothing(get: Getter) -> Callable[[Run], str]:
    """Where Kamailio cannot read a variable it prints nothing at all, which is not the same as $null."""

    def text(run: Run) -> str:
        value = get(run)
        return "" if value is None else str(value)

    return text


_T: Final = {
    "id_index": Variable(_index),
    "id_label": Variable(_label),
    "id_index_n": Variable(_made(lambda transaction: transaction.index)),
    "id_label_n": Variable(_made(lambda transaction: transaction.label)),
    "reply_code": Variable(_reply_code),
    "reply_reason": Variable(_reply_reason, text=_printed_or_nothing(_reply_reason)),
    "reply_type": Variable(_reply_type),
    "branch_index": Variable(branch_index),
    "uri": Variable(_label),
    "flags": Variable(_label),
    "ruid": Variable(_label),
}
_T_BRANCH: Final = {name: Variable(_branch_part if name == "flags" else _nothing) for name in _T}
_N: Final = (Arg.NUMBER,)

FUNCTIONS: Final = (
    Function("t_suspend", _suspend),
    Function("t_continue", _continue, (Arg.NUMBER, Arg.NUMBER, Arg.ROUTE), calls_route=True, const=True),
    Function("t_drop", _drop),
    Function("t_drop", _drop, _N),
    Function("t_flush_flags", _flush_flags),
    Function("t_flush_xflags", _flush_xflags),
    Function("t_is_request_route", _in_route(Routes.REQUEST)),
    Function("t_is_failure_route", _in_route(Routes.FAILURE)),
    Function("t_is_branch_route", _in_route(Routes.BRANCH)),
    Function("t_is_reply_route", _in_route(Routes.TM_ONREPLY, Routes.CORE_ONREPLY)),
    Function("t_precheck_trans", _precheck_trans, (), Routes.REQUEST),
    Function("t_reply_callid", _reply_callid, (Arg.TEXT, Arg.TEXT, Arg.NUMBER, Arg.TEXT), const=True),
    Function("t_cancel_callid", _cancel_callid, (Arg.TEXT, Arg.TEXT, Arg.NUMBER), const=True),
    Function("t_cancel_callid", _cancel_callid, (Arg.TEXT, Arg.TEXT, Arg.NUMBER, Arg.NUMBER), const=True),
    Function("t_vbflag_set", _vbflag_set, _N),
    Function("t_vbflag_reset", _vbflag_reset, _N),
    Function("t_vbflag_is_set", _vbflag_is_set, _N),
)

# ---- for scripts in other languages ---------------------------------------------------------------------------------


def _continue_by_itself(run: Run, index: int, label: int, name: str) -> int:
    """The route that goes on with the request may wait; the script does not wait for it."""
    codes = [1]

    def route(run: Run) -> int | Awaitable[int]:
        outcome = _continue(run, index, label, name)
        if isinstance(outcome, int):
            codes[0] = outcome
        return outcome

    run.world.perform(route, run, nothing_more)
    return codes[0]


_same: Final = same(FUNCTIONS)
_FORWARDED: Final = "no request has been forwarded"

KEMI: Final = (
    *(
        _same(name)
        for name in (
            "t_precheck_trans", "t_is_request_route", "t_is_reply_route", "t_is_failure_route", "t_is_branch_route",
            "t_suspend", "t_flush_flags", "t_flush_xflags", "t_drop",
        )
    ),
    _same("t_drop", int, name="t_drop_rcode"),
    KemiFunction("t_continue", _continue_by_itself, (int, int, str)),
    _same("t_reply_callid", str, str, int, str),
    _same("t_cancel_callid", str, str, int),
    _same("t_cancel_callid", str, str, int, int, name="t_cancel_callid_reason"),
    not_run("t_cancel_branches", "tmx", _FORWARDED, str),
    not_run("t_reuse_branch", "tmx", _FORWARDED),
    not_run("t_uac_ack_local", "tmx", _FORWARDED, str, str, str, str),
)  # fmt: skip

MODULE = ModuleSpec(
    "tmx",
    functions=FUNCTIONS,
    kemi=KEMI,
    params=(Param("precheck_trans", int, 1),),
    pvs=(
        closed("T", _T),
        closed("T_branch", _T_BRANCH),
        plain("T_branch_idx", branch_index),
        plain("T_reply_code", _reply_code),
        plain("T_reply_reason", _reply_reason, text=_printed_or_nothing(_reply_reason)),
        plain("T_reply_last", _reply_last, text=_printed_or_nothing(_reply_last)),
        plain("T_reply_ruid", _reply_ruid),
        _in_message("T_inv", _of_cancel),
        _in_message("T_req", _of_nothing),
        _in_message("T_rpl", _of_nothing),
    ),
    doc="suspending requests, going on with them, and what is known of their transactions",
)
