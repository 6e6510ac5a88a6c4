"""sl: replies without a transaction, and the choice between them and tm's (modules/sl/sl.c, sl_funcs.c)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run, World, nothing_more, run_sent_event
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.forms import closed
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.pv.branch import destinations
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.spec import Arg, EventRoute, Function, ModuleSpec, Param, Variable
from evapi_cfg.modules.tm import functions as tm_functions
from evapi_cfg.modules.tm.core import phrase_of, tm_of
from evapi_cfg.sip.message import DELAYED_REPLY, FINAL_REPLY, NO_REPLY
from evapi_cfg.sip.reply import build_reply, own_tag, reply_port
from evapi_cfg.values import Value

LOCAL_RESPONSE: Final = "sl:local-response"
FILTERED_ACK: Final = "sl:filtered-ack"
_ACK_WAIT: Final = 2.0  # seconds behind a reply in which its ACK may come, sl_funcs.h: SL_RPL_WAIT_TIME
_UNSPECIFIED: Final = -1  # core/error.h: E_UNSPEC


class _Sl:
    """The module's state. An ACK that comes before `acks_until` may be for a reply that was sent without a
    transaction: its tag begins with `tag_prefix` then."""

    def __init__(self, world: World) -> None:
        self.tag_prefix = f"{world.random.getrandbits(128):032x}."
        self.acks_until = 0.0
        self.read(world)

    def read(self, world: World) -> None:
        """The modparams of a world."""
        self.default_code = world.int_param("sl", "default_code", 500)
        self.default_reason = world.str_param("sl", "default_reason", "Internal Server Error")
        self.with_tm = world.int_param("sl", "bind_tm", 1) != 0


def _reload(world: World, before: World) -> None:
    """The ACKs for what has been replied are still known."""
    state = before.state["sl"]
    assert isinstance(state, _Sl)
    state.read(world)
    world.state["sl"] = state


def _sl(run: Run) -> _Sl:
    found = run.world.state["sl"]
    assert isinstance(found, _Sl)
    return found


# ---- replies --------------------------------------------------------------------------------------------------------


def send_stateless(run: Run, code: int, reason: str) -> int:
    """A reply without a transaction: 1, -1 where none can be sent, -2 where none may (sl_reply_helper)."""
    message = current_message(run)
    if not message.is_request or message.method == "ACK":
        return -1
    if not reason:
        run.log(Level.ERROR, "sl", "a reply needs a reason")
        return -1
    if not message.complete:
        run.log(Level.ERROR, "sl", f"no reply to a message whose headers cannot be read: {message.head.fault}")
        return -1
    if message.internal_flags & NO_REPLY:
        run.log(Level.INFO, "sl", "the message is marked as one that gets no reply")
        return -2
    state, world = _sl(run), run.world
    if 300 <= code < 400 and (contact := destinations(message)) is not None:
        message.reply_headers = (*message.reply_headers, f"{contact}\r\n")
    tag = own_tag(state.tag_prefix, message) if code >= 180 and not message.to_tag else ""
    text = build_reply(message, code, reason, tag, world.server_header)
    state.acks_until = world.clock.monotonic() + _ACK_WAIT
    received, via = message.received, message.via
    if received.socket is not None and via is not None:
        world.outbox.append((received, reply_port(message, via), text))
        seen = message if LOCAL_RESPONSE in world.script_events else None  # a function of a script sees the request
        run_sent_event(run, LOCAL_RESPONSE, text, received, reply_port(message, via), seen)
    if code >= 200:
        message.internal_flags |= FINAL_REPLY
    return 1


def send_reply(run: Run, code: int, reason: str) -> int:
    """A reply in the run's transaction if it has one, else without (sl.c: send_reply)."""
    message = current_message(run)
    if message.internal_flags & NO_REPLY:
        run.log(Level.INFO, "sl", "the message is marked as one that gets no reply")
        return -2
    if not reason:
        run.log(Level.ERROR, "sl", "a reply needs a reason")
        return -1
    if run.transaction is not None and _sl(run).with_tm and tm_of(run) is not None:
        return 1 if tm_functions.reply(run, code, reason) > 0 else -1
    return send_stateless(run, code, reason)


def _code_of(run: Run, code: int | None) -> int:
    return _sl(run).default_code if code is None else code


def _reason_of(run: Run, reason: Value) -> str:
    return _sl(run).default_reason if reason is None else str(reason)


def _sl_send_reply(run: Run, code: int | None, reason: Value) -> int:
    return send_stateless(run, _code_of(run, code), _reason_of(run, reason))


def _send_reply(run: Run, code: int | None, reason: Value) -> int:
    return send_reply(run, _code_of(run, code), _reason_of(run, reason))


def _send_reply_mode(run: Run, code: int | None, reason: Value, mode: int | None) -> int:
    """The mode is about the connection that the reply goes through; here it stays open in any case."""
    return _send_reply(run, code, reason)


def _sl_reply_error(run: Run) -> int:
    flags = current_message(run).internal_flags
    if flags & (NO_REPLY | FINAL_REPLY):
        run.log(Level.INFO, "sl", "sl_reply_error: a final reply was sent already, or none may be")
        return -2
    if flags & DELAYED_REPLY:
        return -3
    code, words = phrase_of(_UNSPECIFIED, "SL")
    run.log(Level.ERROR, "sl", f"an error is replied: {words}")
    send_stateless(run, code, words)
    return 1


def _send_reply_error(run: Run) -> int:
    if current_message(run).internal_flags & FINAL_REPLY:
        run.log(Level.INFO, "sl", "send_reply_error: a final reply was sent already")
        return -2
    if _sl(run).with_tm and tm_of(run) is not None:
        code = tm_functions.reply_error(run)
        if code > 0:
            return code
    return _sl_reply_error(run)


def _forward_reply(run: Run, *_arguments: str) -> int:
    run.log(Level.ERROR, "sl", "sl_forward_reply does not run here: nothing is forwarded")
    return -1


# ---- ACKs for such replies ------------------------------------------------------------------------------------------


def _absorb_ack(run: Run) -> bool:
    """False for the ACK of a reply that was sent without a transaction: it goes no further (sl_filter_ACK)."""
    message = current_message(run)
    if message.method != "ACK":
        return True
    state, world = _sl(run), run.world
    if state.acks_until <= world.clock.monotonic() or message.to_tag != own_tag(state.tag_prefix, message):
        return True
    if FILTERED_ACK in world.events:
        inner = run.inner(message, f"event_route[{FILTERED_ACK}]", Routes.REQUEST)
        world.perform(world.events[FILTERED_ACK], inner, nothing_more)
    return False


# ---- $ltt -----------------------------------------------------------------------------------------------------------


def _stateless_tag(run: Run) -> Value:
    return own_tag(_sl(run).tag_prefix, current_message(run))


def _stateful_tag(run: Run) -> Value:
    tm = tm_of(run)
    if tm is None or run.transaction is None or not _sl(run).with_tm:
        return None
    return own_tag(tm.tag_prefix, current_message(run))


def _tag(run: Run) -> Value:
    return _stateful_tag(run) or _stateless_tag(run)


_R = Routes
_ARGS: Final = (Arg.NUMBER, Arg.VALUE)
_BOTH: Final = _R.REQUEST | _R.FAILURE | _R.ONREPLY


FUNCTIONS: Final = (
    Function("sl_send_reply", _sl_send_reply, _ARGS, _R.REQUEST),
    Function("sl_reply", _sl_send_reply, _ARGS, _R.REQUEST),
    Function("send_reply", _send_reply, _ARGS, _BOTH),
    Function("send_reply_mode", _send_reply_mode, (Arg.NUMBER, Arg.VALUE, Arg.NUMBER), _BOTH),
    Function("send_reply_error", _send_reply_error, (), _BOTH),
    Function("sl_reply_error", _sl_reply_error, (), _R.REQUEST),
    *(Function("sl_forward_reply", _forward_reply, (Arg.TEXT,) * count, _R.ONREPLY, runs=False) for count in (0, 1, 2)),
)
_same: Final = same(FUNCTIONS)

KEMI: Final = (
    _same("sl_send_reply", int, str),
    _same("send_reply", int, str),
    _same("send_reply_mode", int, str, int),
    _same("sl_reply_error"),
    _same("send_reply_error"),
    _same("sl_forward_reply", str, str),
)

MODULE = ModuleSpec(
    "sl",
    functions=FUNCTIONS,
    params=(
        Param("default_code", int, 500),
        Param("default_reason", str, "Internal Server Error"),
        Param("bind_tm", int, 1),
        Param("rich_redirect", int, 0),
        Param("event_callback_fl_ack", str),
        Param("event_callback_lres_sent", str),
    ),
    pvs=(closed("ltt", {"x": Variable(_tag), "s": Variable(_stateless_tag), "t": Variable(_stateful_tag)}),),
    event_routes=(
        EventRoute(LOCAL_RESPONSE, "event_callback_lres_sent"),
        EventRoute(FILTERED_ACK, "event_callback_fl_ack"),
    ),
    kemi=KEMI,
    init=_Sl,
    reload=_reload,
    before_request=_absorb_ack,
    doc="replies without transactions",
)
