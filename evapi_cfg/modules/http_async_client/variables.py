"""The variables: $http_req(...), what the next query is to be like, and $http_*, what came of the last one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal

from evapi_cfg.modules.context import Level, Run, new_run
from evapi_cfg.modules.forms import closed, plain
from evapi_cfg.modules.http_async_client.state import NAME, Settings, settings_of, state_of
from evapi_cfg.modules.outside import Answer, Times
from evapi_cfg.modules.pv import headers, message
from evapi_cfg.modules.spec import PseudoVariable, Resolver, Variable
from evapi_cfg.sip.message import Message, MessageError
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import PVar
from evapi_cfg.values import EvaluationError, Value

_VIA: Final = re.compile(r"\nVia:", re.IGNORECASE)
_STATUS_LINE: Final = re.compile(r"HTTP/(?:1\.[01]|2)(?= )")
METHODS: Final = ("GET", "POST", "PUT", "DELETE")


class Reply:
    """An answer, as the routes that it runs see it. `id` is the last query's: another one that a route sends changes
    it."""

    __slots__ = ("answer", "id", "message", "text")

    def __init__(self, answer: Answer, id: str) -> None:
        self.answer = answer
        self.id = id
        # Via has another form in HTTP, and a reply with one could not be read: async_http.c renames the first.
        self.text = _VIA.sub(lambda found: "\nH" + found[0][2:], answer.text or "", count=1)
        self.message: Message | None = None
        first = _STATUS_LINE.match(self.text)
        if first is not None:
            try:
                self.message = Message("SIP/2.0" + self.text[first.end() :])
            except MessageError:
                self.message = None


def _reply(run: Run) -> Reply | None:
    if isinstance(run.answer, Reply):
        return run.answer
    run.log(Level.ERROR, NAME, "there is no answer to read but in a route that http_async_query has named")
    return None


def _good(run: Run) -> Reply | None:
    reply = _reply(run)
    if reply is not None and reply.answer.text is None:
        run.log(Level.WARNING, NAME, "there is no answer to read, for the query has failed: look at $http_ok first")
        return None
    return reply


# ---- the answer as a message ----------------------------------------------------------------------------------------

_THEIRS: Final = {pv.name: pv for pv in (*message.VARIABLES, *headers.VARIABLES)}


def _of_reply(name: str, theirs: str) -> PseudoVariable:
    """What one of the message's own variables gives for the answer."""
    pv = _THEIRS[theirs]

    def make(pvar: PVar, resolver: Resolver) -> Variable:
        get = pv.make(PVar(pvar.span, theirs, pvar.inner, pvar.index), resolver).get

        def read(run: Run) -> Value:
            reply = _good(run)
            if reply is None or reply.message is None:
                return 0 if reply is not None and theirs == "bs" else None
            view = new_run(run.world, run.vars, reply.message, run.route, run.kind)
            view.avps, view.xavp, view.xavu, view.xavi = run.avps, run.xavp, run.xavu, run.xavi
            return get(view)

        return Variable(read)

    return PseudoVariable(name, make, inner=pv.inner, index=pv.index)


def _text(run: Run) -> Value:
    reply = _good(run)
    return None if reply is None else reply.text


def _length(run: Run) -> Value:
    reply = _good(run)
    return None if reply is None else len(reply.text)


def _ok(run: Run) -> Value:
    reply = _reply(run)
    return None if reply is None else int(reply.answer.text is not None)


def _error(run: Run) -> Value:
    reply = _reply(run)
    return None if reply is None or reply.answer.text is not None else reply.answer.error


def _id(run: Run) -> Value:
    return run.answer.id if isinstance(run.answer, Reply) else state_of(run.world).last_id(run)


def _time(index: int) -> Variable:
    def get(run: Run) -> Value:
        return run.answer.answer.times[index] if isinstance(run.answer, Reply) else 0

    return Variable(get, nullable=False)


# ---- what the next query is to be like ------------------------------------------------------------------------------

_TextName = Literal["body", "ca_path", "client_key", "client_cert", "username", "password"]
_NumberName = Literal["timeout", "authmethod", "suspend", "follow"]


def _unread(run: Run) -> Value:
    return None


def _refused(run: Run, name: str, kind: str) -> EvaluationError:
    what = f"$http_req({name}) takes a {kind}"
    run.log(Level.ERROR, NAME, what)
    return EvaluationError(what)


def _takes_text(name: str, put: Callable[[Run, str | None], None]) -> Variable:
    def set_(run: Run, value: Value) -> None:
        if isinstance(value, int):
            raise _refused(run, name, "text")
        put(run, value)

    return Variable(_unread, set_, takes_text=True)


def _text_setting(name: str, attribute: _TextName) -> Variable:
    """$null leaves it as it is."""

    def put(run: Run, value: str | None) -> None:
        if value is not None:
            setattr(settings_of(run), attribute, value)

    return _takes_text(name, put)


def _number_setting(name: str, attribute: _NumberName | None = None, *, flag: bool = False) -> Variable:
    """$null is what the modparam says. Without an attribute it is taken and means nothing: what probes a connection
    that is silent for long has nothing to do where $http_req(timeout) gives it up before."""

    def set_(run: Run, value: Value) -> None:
        if isinstance(value, str):
            raise _refused(run, name, "number")
        if attribute is None:
            return
        settings = settings_of(run)
        if value is None:
            value = getattr(Settings(run.world), attribute)
        setattr(settings, attribute, bool(value) if flag else value)

    return Variable(_unread, set_)


def _set_all(run: Run, value: Value) -> None:
    if value is None and run.extra is not None:
        run.extra.pop(NAME, None)


def _add_header(run: Run, value: str | None) -> None:
    if value is not None:
        settings_of(run).headers.append(value)


def _set_method(run: Run, value: str | None) -> None:
    settings = settings_of(run)
    if value is None:
        settings.method = ""
        return
    # As strncasecmp of the value's length does: a part of a name is enough.
    method = next((method for method in METHODS if method.startswith(value.upper())), None)
    if method is None:
        run.log(Level.ERROR, NAME, f"$http_req(method): {show(value)!r} is none of {', '.join(METHODS)}")
        return
    settings.method = method


_REQUEST: Final = {
    "all": Variable(_unread, _set_all),
    "hdr": _takes_text("hdr", _add_header),
    "body": _text_setting("body", "body"),
    "method": _takes_text("method", _set_method),
    "timeout": _number_setting("timeout", "timeout"),
    "suspend": _number_setting("suspend", "suspend", flag=True),
    "ka-idle": _number_setting("ka-idle"),
    "username": _text_setting("username", "username"),
    "password": _text_setting("password", "password"),
    "keepalive": _number_setting("keepalive"),
    "authmethod": _number_setting("authmethod", "authmethod"),
    "tls_ca_path": _text_setting("tls_ca_path", "ca_path"),
    "ka-interval": _number_setting("ka-interval"),
    "tls_client_key": _text_setting("tls_client_key", "client_key"),
    "tls_client_cert": _text_setting("tls_client_cert", "client_cert"),
    "follow_redirect": _number_setting("follow_redirect", "follow", flag=True),
}

VARIABLES: Final = (
    _of_reply("http_hdr", "hdr"),
    _of_reply("http_rr", "rr"),
    _of_reply("http_rs", "rs"),
    _of_reply("http_rb", "rb"),
    _of_reply("http_bs", "bs"),
    plain("http_mb", _text),
    plain("http_ml", _length),
    plain("http_ok", _ok),
    plain("http_err", _error),
    closed("http_time", {name: _time(index) for index, name in enumerate(Times._fields)}),
    closed("http_req", _REQUEST),
    plain("http_req_id", _id),
)
