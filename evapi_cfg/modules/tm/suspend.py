"""Suspending a request and going on with it: t_suspend, t_continue (modules/tm/t_suspend.c)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from evapi_cfg.modules.context import Level, Run, ScriptOver
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.tm.core import FORWARDED, Tm, keep_edits, parked_in
from evapi_cfg.sip.transaction import Transaction

_RESUMED: Final = 500  # any final code: the branch waits no more
_NESTED: Final = 8  # resumed runs inside each other, t_reply.c: TM_FAKED_ENV_SIZE


def suspend(tm: Tm, run: Run, module: str) -> bool:
    """Suspends the run's request; a transaction is made for it if it has none. Whether that was done: where not, the
    log says why for `module`."""
    transaction = run.transaction
    if transaction is None:
        if tm.begin(run) < 0:
            run.log(Level.ERROR, module, "the transaction cannot be created")
            return False
        transaction = run.transaction
        if transaction is None:
            run.log(Level.ERROR, module, "there is no transaction to suspend: an ACK has none")
            return False
    message = current_message(run)
    if transaction.canceled:
        return True
    if transaction.status >= 200:
        run.log(Level.ERROR, module, f"nothing to suspend: a final reply, {transaction.status}, was sent already")
        return False
    tries = tm.auto_100 if transaction.auto_100 is None else transaction.auto_100
    if tries and message.method == "INVITE" and transaction.status < 100:
        tm.reply(run, transaction, message, 100, tm.trying)
    if not transaction.branches:
        keep_edits(transaction, message)
    if message.flags != transaction.flags:
        transaction.flags = message.flags
    if not tm.wait_for_answer(transaction):
        return False
    tm.counts.suspended += 1
    run.outcome |= FORWARDED
    transaction.suspended = True
    transaction.continuing = False
    return True


def resume(tm: Tm, run: Run, index: int, label: int, name: str) -> int | Awaitable[int]:
    """t_continue: runs a route with the suspended request. 1, or -1 where there is nothing to resume.

    The route is that of the program in force; where it has none of the name, of the one that has suspended the
    request."""
    transaction = tm.table.by_id(index & 0xFFFFFFFF, label & 0xFFFFFFFF)
    home = tm.world
    if not home.has_route(name):
        parked = None if transaction is None else parked_in(transaction)
        home = next((world for world in (parked, run.world) if world is not None and world.has_route(name)), home)
    route = home.resumed_route(name)
    if route is None:
        run.log(Level.ERROR, "tmx", f"t_continue: route[{name}] does not exist")
        return -1
    if transaction is None or transaction.on_wait:
        run.log(Level.WARNING, "tmx", f"t_continue: no active transaction is {index}:{label}")
        return -1
    if not transaction.suspended:
        run.log(Level.WARNING, "tmx", f"t_continue: transaction {index}:{label} is not suspended")
        return -1
    if transaction.canceled:
        transaction.suspended = False
        return 1
    if run.nested >= _NESTED:
        run.log(Level.ERROR, "tmx", f"t_continue: more than {_NESTED} resumed routes inside each other")
        return -1
    transaction.continuing = True
    transaction.suspended = False
    branch = transaction.branches[-1]
    tm.stop_fr(branch)
    if branch.last_received:
        transaction.continuing = False
        return 1
    tm.counts.resumed += 1
    branch.last_received = _RESUMED
    # Whatever block suspended it, t_continue_helper says that this is a failure_route.
    title = f"route[{name}]" if home.script_route is None else name
    inner = tm.run_for(transaction, Routes.FAILURE, title, run)
    inner.world = home
    try:
        outcome = route(inner)
    except ScriptOver:
        outcome = 0
    except BaseException:
        _over(tm, inner, transaction)
        raise
    if isinstance(outcome, int):
        return _over(tm, inner, transaction)
    return _waited(tm, inner, transaction, outcome)


async def _waited(tm: Tm, inner: Run, transaction: Transaction, outcome: Awaitable[int]) -> int:
    try:
        await outcome
    except ScriptOver:
        pass
    finally:
        code = _over(tm, inner, transaction)
    return code


def _over(tm: Tm, inner: Run, transaction: Transaction) -> int:
    """The resumed route has come to its end: a request that nobody waits for any more is answered."""
    message = current_message(inner)
    if message.flags != transaction.flags:
        transaction.flags = message.flags
    transaction.continuing = False
    open_ = transaction.status < 200 and all(branch.last_received >= 200 for branch in transaction.branches)
    if transaction.on_wait:
        transaction.branches = ()
    elif open_ and tm.kill(inner, transaction, transaction.request, -1) <= 0:
        tm.release(inner, transaction)
    return 1


def cancel_suspension(tm: Tm, run: Run, transaction: Transaction) -> None:
    """Takes back what `suspend` has done: nobody will resume (t_suspend.c: t_cancel_suspend)."""
    run.outcome &= ~FORWARDED
    transaction.suspended = False
    branch = transaction.branches[-1]
    tm.stop_fr(branch)
    branch.last_received = _RESUMED
