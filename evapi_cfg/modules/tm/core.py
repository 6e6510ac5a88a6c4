"""tm at work: transactions begin, are replied to, time out, run their failure_route and go.

What a script asks for is in `functions` and `suspend`. Sockets and the clock are elsewhere: replies go to
`World.outbox`, and what waits stands in `World.timers`. Rules: modules/tm/t_lookup.c: t_newtran, t_unref; t_reply.c:
_reply_light, relay_reply, t_should_relay_response; timer.c; t_funcs.c; RFC 3261 17.2.
"""

from __future__ import annotations

from typing import Final, cast

from evapi_cfg.modules.context import Level, Run, World, new_run, run_sent_event
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.pv.branch import destinations
from evapi_cfg.modules.routes import Routes
from evapi_cfg.sip.message import FINAL_REPLY, TIMED_OUT, Message
from evapi_cfg.sip.reply import build_reply, own_tag, reply_port
from evapi_cfg.sip.transaction import UNCHANGED, Changes, Outgoing, Transaction, TransactionTable
from evapi_cfg.sip.uri import UDP
from evapi_cfg.timers import Queue

# What a script has done with its transaction, t_funcs.h: kill_reason
FORWARDED: Final = 1  # or suspended: its timer runs
REPLIED: Final = 2
RELEASED: Final = 4
EXISTED: Final = 8  # it was there before this message came

E_SCRIPT: Final = -10  # core/error.h
E_BAD_REQ: Final = -400
MAX_BRANCHES: Final = 12
NO_TRANSACTION: Final = "there is no transaction for this message"
LOCAL_RESPONSE: Final = "tm:local-response"
_SETTINGS: Final = "tm"  # key of Run.extra


class Pending:
    """What a script has asked for before there is a transaction that could have it."""

    __slots__ = ("auto_100", "fr", "max_inv", "max_noninv", "on_branch", "on_failure", "on_reply", "t1", "t2")

    def __init__(self) -> None:
        self.on_failure: str | None = None
        self.on_reply: str | None = None
        self.on_branch: str | None = None
        self.auto_100: bool | None = None
        self.fr = self.t1 = self.t2 = self.max_inv = self.max_noninv = 0.0  # seconds; 0: not asked for


class Counts:
    """How many transactions have begun, waited for the end, and gone; how many replies there were, and of which
    hundred (t_stats.h: t_proc_stats). Of suspensions: how many there were, how many were resumed or ran out of time,
    and how many are waiting (`parked`)."""

    __slots__ = ("begun", "by_kind", "expired", "gone", "parked", "replies", "resumed", "suspended", "waited")

    def __init__(self) -> None:
        self.begun = self.waited = self.gone = self.replies = 0
        self.suspended = self.resumed = self.expired = self.parked = 0
        self.by_kind = [0] * 7  # replies by the first digit of their codes; larger ones count as 6xx


class Tm:
    """The state of module tm."""

    def __init__(self, world: World) -> None:
        self.table = TransactionTable(world.random.getrandbits(30))
        self.counts = Counts()
        self.tag_prefix = f"{world.random.getrandbits(128):032x}-"
        self.belong_to(world)

    def belong_to(self, world: World) -> None:
        """From now on the modparams of this world count; what waits already goes on waiting as long as it was to."""
        self.world = world
        self.fr = self._seconds("fr_timer", 30000)
        self.t1 = self._seconds("retr_timer1", 500)
        self.t2 = self._seconds("retr_timer2", 4000)
        self.max_inv = self._seconds("max_inv_lifetime", 180000)
        self.max_noninv = self._seconds("max_noninv_lifetime", 32000)
        self.auto_100 = world.int_param("tm", "auto_inv_100", 1) != 0
        self.trying = world.str_param("tm", "auto_inv_100_reason", "trying -- your call is important to us")
        self.default_code = world.int_param("tm", "default_code", 500)
        self.default_reason = world.str_param("tm", "default_reason", "Server Internal Error")
        self.timeout_code = world.int_param("tm", "reply_408_code", 408)
        self.timeout_reason = world.str_param("tm", "reply_408_reason", "Request Timeout")
        self._waiting: Queue[Transaction] = world.timers.queue(self._seconds("wt_timer", 5000), self._remove)
        self._suspended: Queue[Outgoing] = world.timers.queue(self.fr, self._timed_out)

    def _seconds(self, param: str, default: int) -> float:
        return max(self.world.int_param("tm", param, default), 1) / 1000

    # ---- beginnings

    def pending(self, run: Run) -> Pending:
        extra = run.extra
        if extra is None:
            extra = run.extra = {}
        found = extra.get(_SETTINGS)
        if not isinstance(found, Pending):
            found = extra[_SETTINGS] = Pending()
        return found

    def look_up(self, run: Run) -> int:
        """The run's transaction, if there is one: 1, or -1 (t_lookup.c: t_check_msg)."""
        if not run.sought:
            run.sought = True
            message = current_message(run)
            run.transaction = self.table.find(message)[0] if message.is_request else None
            if run.transaction is not None:
                run.outcome |= EXISTED
        return -1 if run.transaction is None else 1

    def begin(self, run: Run) -> int:
        """t_newtran: 1, 0 for a retransmission (which is answered) or an ACK (which is taken), below 0 on error."""
        if run.transaction is not None:
            transaction = run.transaction
            message = current_message(run)
            transaction.flags, transaction.extra_flags = message.flags, message.extra_flags
            return E_SCRIPT
        message = current_message(run)
        run.sought = True
        if not message.is_request or not message.complete:
            run.log(Level.ERROR, "tm", "the headers of the message cannot be read to their end")
            return E_BAD_REQ
        found, canceled = self.table.find(message)
        if found is not None:
            run.transaction = found
            run.outcome |= EXISTED
            if message.method == "ACK":
                self.release(run, found)
            else:
                self.send_again(found)
            return 0
        if message.method == "ACK":
            return 1
        if message.parsed_uri is None:
            run.log(Level.ERROR, "tm", f"the request URI is no URI: {message.request_uri!r}")
            return E_BAD_REQ
        run.transaction = made = self.table.add(message)
        self.counts.begun += 1
        if canceled:
            made.canceled = True
        made.owner = run
        run.world = run.world  # of its own: what others of its kind have in common is for the program in force
        self._settings(made, run)
        return 1

    def _settings(self, made: Transaction, run: Run) -> None:
        made.fr = self.fr
        life = self.max_inv if made.is_invite else self.max_noninv
        extra = run.extra
        if extra is not None and isinstance(pending := extra.get(_SETTINGS), Pending):
            made.fr = pending.fr or made.fr
            made.t1, made.t2, made.auto_100 = pending.t1, pending.t2, pending.auto_100
            life = (pending.max_inv if made.is_invite else pending.max_noninv) or life
            made.on_failure, made.on_reply, made.on_branch = pending.on_failure, pending.on_reply, pending.on_branch
        made.end_of_life = self.world.clock.monotonic() + life

    # ---- replies

    def reply(self, run: Run, transaction: Transaction, message: Message, code: int, reason: str) -> int:
        """A reply of this side's own: 1, or -1 where a final one has gone out (t_reply.c: _reply)."""
        if code >= 200:
            run.outcome |= REPLIED
        text = self.answer(transaction, message, code, reason)
        if text is None:
            return -1
        request = transaction.request
        if LOCAL_RESPONSE in self.world.events and request.via is not None:
            run_sent_event(run, LOCAL_RESPONSE, text, request.received, reply_port(request, request.via))
        return 1

    def answer(self, transaction: Transaction, message: Message, code: int, reason: str) -> str | None:
        """Sends a reply to `message`, which is the transaction's request as a run sees it: its text, or None where a
        final one has gone out."""
        if transaction.status >= 200:
            self._log(Level.INFO, f"no {code} can be sent behind the final reply {transaction.status}")
            self._stop_branches(transaction)
            self.put_on_wait(transaction)
            return None
        text = self._build(message, code, reason)
        transaction.local = True
        self._send(transaction, code, text)
        if code >= 200:
            message.internal_flags |= FINAL_REPLY
        return text

    def _build(self, message: Message, code: int, reason: str) -> str:
        tag = ""
        if code >= 180 and not message.to_tag:
            tag = own_tag(self.tag_prefix, message)
        if 300 <= code < 400 and (contact := destinations(message)) is not None:
            message.reply_headers = (*message.reply_headers, f"{contact}\r\n")
        return build_reply(message, code, reason, tag, self.world.server_header)

    def _send(self, transaction: Transaction, code: int, text: str) -> None:
        """Keeps a reply as the transaction's last one, and sends it."""
        transaction.status = code
        transaction.reply = text
        counts = self.counts
        counts.replies += 1
        counts.by_kind[min(max(code // 100, 0), 6)] += 1
        request = transaction.request
        if code < 200:
            self._out(request, text)
            return
        self._stop_branches(transaction)
        if transaction.is_invite:
            transaction.local_tag = request.to_tag or own_tag(self.tag_prefix, request)
            if code >= 300 or transaction.local:
                self._send_until_acknowledged(transaction)
        self._out(request, text)
        self.put_on_wait(transaction)

    def _out(self, request: Message, text: str) -> None:
        received, via = request.received, request.via
        if received.socket is not None and via is not None:  # nobody sent a made-up request
            self.world.outbox.append((received, reply_port(request, via), text))

    def send_again(self, transaction: Transaction) -> int:
        """The last reply once more (t_retransmit_reply)."""
        if transaction.reply is None:
            return -1
        self._out(transaction.request, transaction.reply)
        return 1

    # ---- the final reply to an INVITE, until its ACK comes

    def _send_until_acknowledged(self, transaction: Transaction) -> None:
        if transaction.request.received.protocol != UDP and not (transaction.local and transaction.status < 300):
            return
        transaction.retransmit_until = self.world.clock.monotonic() + transaction.fr
        self._send_in(transaction, transaction.t1 or self.t1)

    def _send_in(self, transaction: Transaction, seconds: float) -> None:
        queue = self.world.timers.queue(seconds, self._retransmit)
        transaction.retransmit = queue
        queue.start(transaction)

    def _retransmit(self, transaction: Transaction) -> None:
        queue = cast("Queue[Transaction]", transaction.retransmit)
        transaction.retransmit = None
        if self.world.clock.monotonic() < transaction.retransmit_until:
            self.send_again(transaction)
            self._send_in(transaction, min(queue.seconds * 2, transaction.t2 or self.t2))

    def _stop_retransmitting(self, transaction: Transaction) -> None:
        if transaction.retransmit is not None:
            cast("Queue[Transaction]", transaction.retransmit).stop(transaction)
            transaction.retransmit = None

    # ---- suspension

    def wait_for_answer(self, transaction: Transaction) -> bool:
        """One more branch that times out unless somebody resumes; False where there are as many as can be."""
        if len(transaction.branches) >= MAX_BRANCHES:
            self._log(Level.ERROR, f"a transaction has at most {MAX_BRANCHES} branches")
            return False
        branch = Outgoing(transaction, transaction.on_failure)
        transaction.branches = (*transaction.branches, branch)
        self.start_fr(branch, transaction.fr)
        return True

    def start_fr(self, branch: Outgoing, seconds: float) -> None:
        transaction = branch.transaction
        left = transaction.end_of_life - self.world.clock.monotonic()
        queue = self._suspended
        if seconds > left:
            # Of its own: no two requests have the same time left.
            queue = self.world.timers.queue(max(left, 0.0), self._timed_out)
        elif seconds != queue.seconds:
            queue = self.world.timers.queue(seconds, self._timed_out)
        self.counts.parked += 1
        branch.fr = queue
        queue.start(branch)

    def stop_fr(self, branch: Outgoing) -> None:
        if branch.fr is not None:
            cast("Queue[Outgoing]", branch.fr).stop(branch)
            branch.fr = None
            self.counts.parked -= 1

    def _stop_branches(self, transaction: Transaction) -> None:
        for branch in transaction.branches:
            self.stop_fr(branch)

    def _timed_out(self, branch: Outgoing) -> None:
        """Nobody has resumed (timer.c: final_response_handler, fake_reply)."""
        branch.fr = None
        branch.timed_out = True
        counts = self.counts
        counts.parked -= 1
        transaction = branch.transaction
        if transaction.status >= 200 or branch.last_received >= 200:
            return
        counts.expired += 1
        branch.last_received = self.timeout_code
        if any(other.last_received < 200 for other in transaction.branches):
            return  # another suspension is still waited for
        name = branch.on_failure
        home = self.world
        parked = parked_in(transaction)
        if name and not home.has_failure_route(name) and parked is not None and parked.has_failure_route(name):
            home = parked
        route = home.failure_route(name) if name else None
        if route is None:
            self._reply_timed_out(transaction)
            return
        transaction.on_failure = None
        transaction.suspended = False
        title = f"failure_route[{name}]" if home.script_route is None else str(name)
        run = self.run_for(transaction, Routes.FAILURE, title)
        run.world = home
        run.picked = branch
        current_message(run).internal_flags |= TIMED_OUT
        self.world.perform(route, run, self._failure_over)

    def _failure_over(self, run: Run) -> None:
        transaction = run.transaction
        assert transaction is not None
        transaction.flags = current_message(run).flags
        if transaction.status < 200 and all(other.last_received >= 200 for other in transaction.branches):
            self._reply_timed_out(transaction)

    def _reply_timed_out(self, transaction: Transaction) -> None:
        if transaction.canceled:
            self._reply_unasked(transaction, 487, "Request Terminated")
        else:
            self._reply_unasked(transaction, self.timeout_code, self.timeout_reason)

    def _reply_unasked(self, transaction: Transaction, code: int, reason: str) -> None:
        """A final reply that no script has asked for."""
        request = transaction.request
        request.reply_headers, request.reply_body = transaction.reply_headers, transaction.reply_body
        transaction.local = False
        self._send(transaction, code, self._build(request, code, reason))

    # ---- runs about a transaction

    def run_for(self, transaction: Transaction, kind: Routes, title: str, caller: Run | None = None) -> Run:
        """A run that sees the transaction's request as it was when it began, with its AVPs. It is part of what the
        caller's process does; without a caller, of what timers run."""
        message = as_begun(transaction)
        if caller is None:
            run = new_run(self.world, self.world.timer_vars, message, title, kind)
        else:
            run = caller.inner(message, title, kind)
        run.transaction = transaction
        run.sought = True
        owner = transaction.owner
        if isinstance(owner, Run):
            run.avps, run.xavp, run.xavu, run.xavi = owner.avps, owner.xavp, owner.xavu, owner.xavi
        transaction.owner = run
        return run

    # ---- endings

    def end(self) -> None:
        """The server ends: nobody will resume what is parked, and who waits for it is told (RFC 3261 21.5.4)."""
        parked = [transaction for transaction in self.table if transaction.status < 200 and not transaction.on_wait]
        for transaction in parked:
            self._reply_unasked(transaction, 503, "Service Unavailable")
        if parked:
            self._log(Level.INFO, f"{len(parked)} parked requests are answered with 503, for the server ends")

    def release(self, run: Run | None, transaction: Transaction) -> int:
        """t_release_transaction."""
        if run is not None:
            run.outcome |= RELEASED
        self._stop_retransmitting(transaction)
        self._stop_branches(transaction)
        self.put_on_wait(transaction)
        return 1

    def put_on_wait(self, transaction: Transaction) -> None:
        """It stays for wt_timer more, to know retransmissions and the ACK."""
        if not transaction.on_wait:
            transaction.on_wait = True
            self.counts.waited += 1
            self._waiting.start(transaction)
            # Nobody asks for it any more, and there may be very many that wait.
            transaction.owner = None
            if not transaction.is_invite:  # whose ACK is held against it
                transaction.request.forget_read(lines=True)

    def _remove(self, transaction: Transaction) -> None:
        self._stop_retransmitting(transaction)
        self._stop_branches(transaction)
        self.table.remove(transaction)
        self.counts.gone += 1
        # They know it and it knows them: without a cut only the garbage collector would find them.
        transaction.owner = None
        transaction.branches = ()

    def after_request(self, run: Run) -> None:
        """The request's script is over (t_lookup.c: t_unref)."""
        transaction = run.transaction
        if transaction is None:
            return
        message = current_message(run)
        if run.crashed and not run.outcome and transaction.status < 200:
            self.kill(run, transaction, message, -1)  # nobody else will answer
        if not run.outcome or (message.method == "ACK" and not run.outcome & RELEASED):
            self._log(Level.WARNING, "the script has neither replied to nor released its transaction")
            self.release(run, transaction)
        if transaction.request is message and not transaction.on_wait:
            message.forget_read()  # it may be kept for long, and others may be many

    def kill(self, run: Run, transaction: Transaction, message: Message, error: int) -> int:
        """A reply that tells of an error of this side (kill_transaction)."""
        if message.internal_flags & FINAL_REPLY:
            return self.release(run, transaction)
        code, reason = phrase_of(error, "TM")
        return self.reply(run, transaction, message, code, reason)

    def _log(self, level: Level, message: str) -> None:
        log = self.world.log
        if level <= log.threshold:
            log(level, "tm", message)


def parked_in(transaction: Transaction) -> World | None:
    """The world of the program that has suspended it."""
    owner = transaction.owner
    return owner.world if isinstance(owner, Run) else None


def as_begun(transaction: Transaction) -> Message:
    """The transaction's request, with what the script had made of it when the transaction began, and with the headers
    that were changed before it was first suspended."""
    message = transaction.request.fresh()
    message.number = transaction.request.number - 1  # as in t_reply.c: fake_req
    changes: Changes = transaction.changes
    if changes is not UNCHANGED:
        message.new_uri, message.dst_uri, message.path, message.send_socket, message.internal_flags = changes
    if transaction.flags or transaction.extra_flags:
        message.flags, message.extra_flags = transaction.flags, transaction.extra_flags
    if transaction.edits:
        message.edits = transaction.edits
    if transaction.reply_headers or transaction.reply_body is not None:
        message.reply_headers, message.reply_body = transaction.reply_headers, transaction.reply_body
    return message


def keep_edits(transaction: Transaction, message: Message) -> None:
    """What a script has changed in headers and put into replies counts from now on (sip_msg.c: save_msg_lumps)."""
    if message.edits or transaction.edits:
        transaction.edits = message.edits
    if message.reply_headers or message.reply_body is not None:
        transaction.reply_headers, transaction.reply_body = message.reply_headers, message.reply_body


_PHRASES: Final = {
    -9: (400, "Transaction tuple incomplete"),
    -400: (400, "Bad Request"),
    -477: (477, "Unfortunately error on sending to next hop occurred"),
    -478: (478, "Unresolvable destination"),
    -479: (479, "Regretfully, we were not able to process the URI"),
    -487: (487, "Transaction canceled"),
}


def phrase_of(error: int, signature: str) -> tuple[int, str]:
    """The code and the words of a reply that tells of an error (core/error.c: err2reason_phrase)."""
    code, words = _PHRASES.get(error, (500, "I'm terribly sorry, server error occurred"))
    return code, f"{words} ({-error}/{signature})"


def tm_of(run: Run) -> Tm | None:
    """tm, if it is loaded."""
    found = run.world.state.get("tm")
    return found if isinstance(found, Tm) else None


def loaded(run: Run) -> Tm:
    """tm, for its own functions."""
    found = run.world.state["tm"]
    assert isinstance(found, Tm)
    return found
