"""The core: the commands that the language itself knows, and the pseudo-variables that exist without any module
(core/action.c: do_action; core/pv_core.c; core/pvapi.c).

Arguments of commands are literals: numbers, strings, or the bare word of a flag's name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core import rpc
from evapi_cfg.modules.core.kemi import KEMI
from evapi_cfg.modules.core_message import MAX_FLAG, current_message
from evapi_cfg.modules.core_uri import Part, rewrite
from evapi_cfg.modules.forms import named, plain
from evapi_cfg.modules.function_forms import under_names
from evapi_cfg.modules.spec import Arg, EventRoute, FixupError, Function, ModuleSpec, Resolver, Variable
from evapi_cfg.sip.message import FORCE_RPORT
from evapi_cfg.source import Span, store
from evapi_cfg.syntax.ast import Text
from evapi_cfg.values import NULL_TEXT, Value, parse_int

WORKER_ONE_INIT: Final = "core:worker-one-init"
_LITERAL: Final = (Arg.LITERAL,)
_NUMBER: Final = (Arg.CONST_INT,)

# ---- commands ---------------------------------------------------------------------------------------------------


def _log(run: Run, text: str, at: Span) -> int:
    """log("text"): one level below DEBUG, so it is only seen with `debug=4`."""
    return _log_level(run, Level.DEBUG + 1, text, at)


def _log_level(run: Run, level: int, text: str, at: Span) -> int:
    if level <= run.world.log.threshold:
        shown = min(max(level, Level.ALERT), Level.DEBUG)
        run.world.log(Level.CRITICAL if shown == -2 else Level(shown), "script", text, at, run.route)
    return 1


def _flag(run: Run, flag: int | str) -> int | None:
    number = run.world.flags.get(flag) if isinstance(flag, str) else flag
    if number is None or not 0 <= number <= MAX_FLAG:
        run.log(Level.ERROR, "core", f"no flag {flag}: the flags are 0 to {MAX_FLAG} and those declared with `flags`")
        return None
    return number


def _check_flag(arguments: tuple[object | None, ...]) -> tuple[object | None, ...]:
    flag = arguments[0]
    if isinstance(flag, str) and flag.isascii() and flag.isdecimal():
        flag = int(flag[:10])
    if isinstance(flag, int) and not 0 <= flag <= MAX_FLAG:
        raise FixupError(0, f"no flag `{flag}`", f"the flags are 0 to {MAX_FLAG}")
    return (flag,)


def _setflag(run: Run, flag: int | str) -> int:
    number = _flag(run, flag)
    if number is None:
        return -1
    current_message(run).flags |= 1 << number
    return 1


def _resetflag(run: Run, flag: int | str) -> int:
    number = _flag(run, flag)
    if number is None:
        return -1
    current_message(run).flags &= ~(1 << number)
    return 1


def _isflagset(run: Run, flag: int | str) -> int:
    number = _flag(run, flag)
    if number is None or run.message is None:
        return -1
    return 1 if run.message.flags >> number & 1 else -1


def _setter(part: Part) -> Callable[[Run, str], int]:
    return lambda run, text: rewrite(run, part, text)


def _stripper(part: Part) -> Callable[[Run, int], int]:
    return lambda run, count: rewrite(run, part, count=count)


def _userphone(run: Run) -> int:
    return rewrite(run, "userphone")


def _revert_uri(run: Run) -> int:
    if run.message is not None:
        run.message.new_uri = None
    return 1


def _force_rport(run: Run) -> int:
    """Replies go to the port that the request came from (RFC 3581), whether it asks for it or not."""
    current_message(run).internal_flags |= FORCE_RPORT
    return 1


def _nothing_to_see(run: Run) -> int:
    """Commands that only mark the message for when it is sent on."""
    return 1


def _nothing_with_one(run: Run, _: object) -> int:
    return 1


def _error(run: Run, code: str, reason: str, at: Span) -> int:
    """Kamailio has never given this command a meaning: it says so and goes on."""
    run.log(Level.NOTICE, "core", f'error("{code}", "{reason}") does nothing', at)
    return 1


def _remove_branch(run: Run, index: int = 0) -> int:
    branches = current_message(run).branches
    if -len(branches) <= index < len(branches):
        del branches[index]
    return 1


def _clear_branches(run: Run) -> int:
    message = current_message(run)
    message.branches.clear()
    message.branch_flags = 0
    message.uri_q = None
    return 1


def _cfg_select(run: Run, group: str, index: int, at: Span) -> int:
    """cfg_select("group", n): from now on `@cfg_get.group.x` reads `group[n].x` where that is set."""
    world = run.world
    if (group, index) not in world.custom_instances:
        run.log(Level.ERROR, "core", f"there is no {group}[{index}]", at)
        return -1
    world.selected[group] = index
    return 1


def _cfg_reset(run: Run, group: str) -> int:
    run.world.selected.pop(group, None)
    return 1


FUNCTIONS: Final = (
    Function("log", _log, _LITERAL, at=True),
    Function("log", _log_level, (Arg.CONST_INT, Arg.LITERAL), at=True),
    Function("setflag", _setflag, _LITERAL, fixup=_check_flag),
    Function("resetflag", _resetflag, _LITERAL, fixup=_check_flag),
    Function("isflagset", _isflagset, _LITERAL, fixup=_check_flag),
    *under_names("rewriteuri seturi", _setter("uri"), _LITERAL),
    *under_names("rewritehost sethost seth", _setter("host"), _LITERAL),
    *under_names("rewritehostport sethostport sethp", _setter("hostport"), _LITERAL),
    *under_names("rewritehostporttrans sethostporttrans sethpt", _setter("hostporttrans"), _LITERAL),
    *under_names("rewriteuser setuser setu", _setter("user"), _LITERAL),
    *under_names("rewriteuserpass setuserpass setup", _setter("userpass"), _LITERAL),
    *under_names("rewriteport setport setp", _setter("port"), _LITERAL),
    Function("prefix", _setter("prefix"), _LITERAL),
    Function("strip", _stripper("strip"), _NUMBER),
    Function("strip_tail", _stripper("strip_tail"), _NUMBER),
    Function("userphone", _userphone),
    Function("revert_uri", _revert_uri),
    *under_names("force_rport add_rport", _force_rport),
    Function("add_local_rport", _nothing_to_see),
    *under_names("set_forward_close set_forward_no_connect set_reply_close set_reply_no_connect", _nothing_to_see),
    *under_names("force_tcp_alias add_tcp_alias", _nothing_to_see),
    *under_names("force_tcp_alias add_tcp_alias", _nothing_with_one, _NUMBER),
    *under_names("set_advertised_address udp_mtu_try_proto", _nothing_with_one, _LITERAL),
    Function("set_advertised_port", _nothing_with_one, _NUMBER),
    Function("error", _error, (Arg.LITERAL, Arg.LITERAL), at=True),
    Function("remove_branch", _remove_branch),
    Function("remove_branch", _remove_branch, _NUMBER),
    Function("clear_branches", _clear_branches),
    Function("cfg_select", _cfg_select, (Arg.LITERAL, Arg.INT), at=True),
    Function("cfg_reset", _cfg_reset, _LITERAL),
)

# ---- pseudo-variables -------------------------------------------------------------------------------------------


def _null(run: Run) -> Value:
    return None


def _return_code(run: Run) -> Value:
    return run.rc


def _instance_id(run: Run) -> Value:
    """What `coreparam[iuid]` names this instance."""
    return run.world.core.get("iuid")


def _env(inner: Text, resolver: Resolver) -> Variable:
    name = inner.value

    def get(run: Run) -> Value:
        value = os.environ.get(name)
        return None if value is None else store(value)

    return Variable(get)


def _number_of(text: str) -> int:
    """A number with an optional sign; anything else is 0 (core/ut.h: str2sint)."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return (parse_int(text) or 0) if digits.isdecimal() else 0


def _env_number(inner: Text, resolver: Resolver) -> Variable:
    name = inner.value

    def get(run: Run) -> Value:
        value = os.environ.get(name)
        return None if value is None else _number_of(store(value))

    def text(run: Run) -> str:
        value = os.environ.get(name)
        return NULL_TEXT if value is None else store(value)

    return Variable(get, text=text)


def _define(world: World, name: str) -> str | None:
    """The text of a define, empty where it has none; None where there is no such define."""
    return (world.defines[name] or "") if name in world.defines else None


def _def(change: Callable[[str], str]) -> Callable[[Text, Resolver], Variable]:
    """$def, $defv, $defs: the value of a define, as it is or with its quotes off or on."""

    def make(inner: Text, resolver: Resolver) -> Variable:
        name = inner.value

        def get(run: Run) -> Value:
            value = _define(run.world, name)
            return None if value is None else change(value)

        return Variable(get)

    return make


def _quoted(text: str) -> bool:
    return len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'"


def _as_is(text: str) -> str:
    return text


def _unquote(text: str) -> str:
    return text[1:-1] if _quoted(text) else text


def _quote(text: str) -> str:
    return text if len(text) < 2 or _quoted(text) else f'"{text}"'


def _def_number(inner: Text, resolver: Resolver) -> Variable:
    name = inner.value

    def get(run: Run) -> Value:
        value = _define(run.world, name)
        return 0 if value is None else _number_of(value)

    def text(run: Run) -> str:
        value = _define(run.world, name)
        return "0" if value is None else value

    return Variable(get, nullable=False, text=text)


VARIABLES: Final = (
    plain("null", _null),
    plain("rc", _return_code, attribute="rc", nullable=False),
    plain("retcode", _return_code, attribute="rc", nullable=False),
    plain("?", _return_code, attribute="rc", nullable=False),
    named("env", _env),
    named("envn", _env_number),
    named("def", _def(_as_is)),
    named("defv", _def(_unquote)),
    named("defs", _def(_quote)),
    named("defn", _def_number),
    plain("iuid", _instance_id),
)

MODULE = ModuleSpec(
    "core",
    functions=FUNCTIONS,
    pvs=VARIABLES,
    event_routes=(EventRoute(WORKER_ONE_INIT),),
    rpc=rpc.COMMANDS,
    kemi=KEMI,
    doc="commands and pseudo-variables of the language itself",
)
