"""Answering OPTIONS, and the Remote-Party-ID header (modules/siputils/options.c, rpid.c)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.routes import Routes
from evapi_cfg.modules.siputils.state import NAME, rpid_of, state_of
from evapi_cfg.modules.sl import send_reply
from evapi_cfg.modules.spec import Arg, Function
from evapi_cfg.sip.message import METHODS
from evapi_cfg.sip.soundness import sound
from evapi_cfg.source import show


def _options_reply(run: Run) -> int:
    """200 with what this server accepts, for an OPTIONS whose URI has no user."""
    message = current_message(run)
    if message.method_id != METHODS["OPTIONS"]:
        run.log(Level.ERROR, NAME, f"options_reply is for OPTIONS, not for {show(message.method)}")
        return -1
    uri = message.parsed_uri
    if uri is None or uri.user:
        what = "is no URI" if uri is None else "has a user"
        run.log(Level.ERROR, NAME, f"the request URI {what}: {show(message.request_uri)!r}")
        return -1
    message.reply_headers = (*message.reply_headers, *state_of(run).options_headers)
    if send_reply(run, 200, "OK") == -1:
        run.log(Level.ERROR, NAME, "the reply could not be sent")
        return -1
    return 1


def _append_rpid(run: Run) -> int:
    state = state_of(run)
    return _append(run, state.rpid_prefix, state.rpid_suffix)


def _append(run: Run, prefix: str, suffix: str) -> int:
    """A Remote-Party-ID with the AVP's value, for when the message is sent on."""
    variable = rpid_of(run)
    if variable is None:
        run.log(Level.ERROR, NAME, "the modparam rpid_avp names no AVP")
        return -1
    rpid = variable.get(run)
    message = current_message(run)
    if not rpid or not isinstance(rpid, str) or not sound(message):
        return -1
    message.edit(message.headers_end, 0, f"Remote-Party-ID: {prefix}{rpid}{suffix}\r\n")
    return 1


_ROUTES: Final = Routes.REQUEST | Routes.FAILURE | Routes.BRANCH

FUNCTIONS: Final = (
    Function("options_reply", _options_reply, (), Routes.REQUEST),
    Function("append_rpid_hf", _append_rpid, (), _ROUTES),
    Function("append_rpid_hf", _append, (Arg.STRING, Arg.STRING), _ROUTES),
)

KEMI: Final = (same(FUNCTIONS)("options_reply"),)
