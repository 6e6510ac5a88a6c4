"""What siputils keeps while a program is loaded: its modparams, ready for use (modules/siputils/siputils.c)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from evapi_cfg.modules.context import Run, World
from evapi_cfg.modules.spec import NameRefused, Param, Variable
from evapi_cfg.source import SourceFile, Span
from evapi_cfg.syntax.ast import Text

NAME: Final = "siputils"
_NOWHERE: Final = Span(SourceFile("<modparam>", ""), 0, 0)
_RPID_AVP: Final = "$avp(s:rpid)"
_RPID_SUFFIX: Final = ";party=calling;id-type=subscriber;screen=yes"


def _check_avp(value: int | str) -> str | None:
    return None if isinstance(value, str) and (not value or value.startswith("$avp(")) else "an $avp(...) is expected"


PARAMS: Final = (
    Param("options_accept", str, "*/*"),
    Param("options_accept_encoding", str, ""),
    Param("options_accept_language", str, "en"),
    Param("options_support", str, ""),
    Param("contact_flds_separator", str, "*"),
    Param("rpid_prefix", str, ""),
    Param("rpid_suffix", str, _RPID_SUFFIX),
    Param("rpid_avp", str, _RPID_AVP, check=_check_avp),
    Param("e164_max_len", int, 16),
)


@dataclass(slots=True)
class State:
    """`options_headers` are what options_reply adds to its reply; `charging_vectors` counts those that were made."""

    separator: str
    e164_max_len: int
    options_headers: tuple[str, ...]
    rpid_name: str
    rpid_prefix: str
    rpid_suffix: str
    rpid: Variable | None = None
    charging_vectors: int = 0


def init(world: World) -> State:
    accept = world.str_param(NAME, "options_accept", "*/*")
    encoding = world.str_param(NAME, "options_accept_encoding", "")
    language = world.str_param(NAME, "options_accept_language", "en")
    supported = world.str_param(NAME, "options_support", "")
    return State(
        separator=(world.str_param(NAME, "contact_flds_separator", "*") or "*")[0],
        e164_max_len=world.int_param(NAME, "e164_max_len", 16),
        options_headers=(
            f"Accept: {accept}\r\n",
            f"Accept-Encoding: {encoding}\r\n",
            f"Accept-Language: {language}\r\n",
            f"Supported: {supported}\r\n",
        ),
        rpid_name=world.str_param(NAME, "rpid_avp", _RPID_AVP),
        rpid_prefix=world.str_param(NAME, "rpid_prefix", ""),
        rpid_suffix=world.str_param(NAME, "rpid_suffix", _RPID_SUFFIX),
    )


def reload(world: World, before: World) -> None:
    """The charging vectors are counted on."""
    state, old = world.state[NAME], before.state[NAME]
    assert isinstance(state, State) and isinstance(old, State)
    state.charging_vectors = old.charging_vectors


def state_of(run: Run) -> State:
    state = run.world.state[NAME]
    assert isinstance(state, State)
    return state


def rpid_of(run: Run) -> Variable | None:
    """The AVP with the Remote-Party-ID; None where the modparam names none."""
    state = state_of(run)
    resolver = run.world.resolver
    if state.rpid is None and state.rpid_name and resolver is not None:
        try:
            state.rpid = resolver.variable(Text(_NOWHERE, state.rpid_name))
        except NameRefused:
            state.rpid_name = ""
    return state.rpid
