"""Headers that are there, are added, are removed (textops.c: add_hf_helper, remove_hf_f, is_present_hf_helper_f,
search_hf_helper_f, ki_via_param_rm, ...; core/kemi.c: sr_kemi_hdr_remove).

All of them look at the headers as they were received. What they change is seen when the message is sent, or after
msg_apply_changes().
"""

from __future__ import annotations

import re
from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.kemi_forms import same
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, Routes
from evapi_cfg.modules.textops.reading import compiled, header_name_at, headers, headers_of, kind_of, remove
from evapi_cfg.modules.textops.strings import lower
from evapi_cfg.sip.headers import Header
from evapi_cfg.sip.uri import split_quoted
from evapi_cfg.source import show

_LONGEST_NAME: Final = 252  # textops.c: ki_hname_gparam, core/kemi.c: SR_KEMI_HNAME_SIZE
_VIA_PARAM: Final = re.compile(r';\s*([^\s;=,"]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,]*))?')

# ---- adding -----------------------------------------------------------------------------------------------------


def _add(run: Run, text: str, name: str, *, behind: bool) -> int:
    """A header line behind the last one of a name, or before the first; without one, at the end or at the start."""
    found = headers(run)
    if not found:
        return -1
    if not text:
        run.log(Level.INFO, "textops", "there is no header to add: the text is empty")
        return -1
    kind = kind_of(run, name) if name else ""
    same = [header for header in found if header.kind == kind]
    last = same[-1].end if same else current_message(run).headers_end
    current_message(run).edit(last if behind else (same or found)[0].start, 0, text)
    return 1


def _append_hf(run: Run, text: str, name: str = "") -> int:
    return _add(run, text, name, behind=True)


def _insert_hf(run: Run, text: str, name: str = "") -> int:
    return _add(run, text, name, behind=False)


def _append_urihf(run: Run, prefix: str, suffix: str) -> int:
    """A header line with the request URI as it was received."""
    return _append_hf(run, prefix + current_message(run).uri + suffix)


def _append_time_to_request(run: Run) -> int:
    """Behind the first header."""
    message = current_message(run)
    if not message.headers:
        return -1
    message.edit(message.headers[0].end, 0, _date(run))
    return 1


def _append_time(run: Run) -> int:
    return _append_to_reply(run, _date(run))


def _date(run: Run) -> str:
    from email.utils import formatdate  # a check does without

    return f"Date: {formatdate(run.world.clock.now(), usegmt=True)}\r\n"


def _append_to_reply(run: Run, text: str) -> int:
    """Text for each reply that is still to come, as it is: it has to bring its line ends."""
    if not text:
        run.log(Level.ERROR, "textops", "append_to_reply: the text is empty")
        return -1
    message = current_message(run)
    message.reply_headers = (*message.reply_headers, text)
    return 1


# ---- looking ----------------------------------------------------------------------------------------------------


def _is_present_hf(run: Run, name: str) -> int:
    return 1 if headers_of(run, name) else -1


def _is_present_hf_pv(run: Run, name: str) -> int:
    return _is_present_hf(run, name) if _is_name(run, name) else -1


def _is_name(run: Run, name: str) -> bool:
    if len(name) <= _LONGEST_NAME:
        return bool(name)
    run.log(Level.ERROR, "textops", f"a header's name of {len(name)} bytes: {_LONGEST_NAME} are the limit")
    return False


def _named_like(run: Run, pattern: str) -> list[Header]:
    """The headers whose names an expression matches."""
    expression = compiled(run, pattern)
    found = headers(run) if expression is not None else None
    return [header for header in found or () if expression is not None and expression.matches(header.name)]


def _is_present_hf_re(run: Run, pattern: str) -> int:
    return 1 if _named_like(run, pattern) else -1


def _search_hf(run: Run, name: str, pattern: str, flags: str) -> int:
    """In the bodies of the headers of a name: f the first one, l the last one, else all."""
    found = headers_of(run, name)
    expression = compiled(run, pattern)
    if not found or expression is None:
        return -1
    chosen = {"f": found[:1], "l": found[-1:]}.get(flags[:1], found)
    return 1 if any(expression.matches(header.body) for header in chosen) else -1


# ---- removing ---------------------------------------------------------------------------------------------------


def _remove_hf(run: Run, name: str) -> int:
    return remove(current_message(run), headers_of(run, name) or [])


def _remove_hf_pv(run: Run, name: str) -> int:
    """1 also where there is no such header."""
    found = headers_of(run, name) if _is_name(run, name) else None
    if found is None:
        return -1
    remove(current_message(run), found)
    return 1


def _remove_hf_re(run: Run, pattern: str) -> int:
    return remove(current_message(run), _named_like(run, pattern))


def _remove_hf_exp(run: Run, pattern: str, kept: str) -> int:
    """Those that the first expression matches and the second does not."""
    spared = compiled(run, kept)
    if spared is None:
        return -1
    found = [header for header in _named_like(run, pattern) if not spared.matches(header.name)]
    return remove(current_message(run), found)


def _remove_hf_idx(run: Run, name: str, index: int | None) -> int:
    """One of them, counted from 0, or from -1 backwards: 2 where there are not so many (1 counted backwards)."""
    found = headers_of(run, name) if index is not None else None
    if found is None or index is None:
        return -1
    if -len(found) <= index < len(found):
        return remove(current_message(run), [found[index]])
    return 2 if index >= 0 else 1


def _remove_hf_match(run: Run, name: str, operator: str, text: str) -> int:
    """Those whose bodies are the text (eq), are not (ne), have it inside (in), or match it (re): -2 without any."""
    operator = lower(operator)
    if operator not in ("eq", "ne", "in", "re"):
        run.log(Level.ERROR, "textops", f"remove_hf_match: {show(operator)!r} is none of eq, ne, in, re")
        return -1
    expression = compiled(run, text) if operator == "re" else None
    found = headers_of(run, name)
    if found is None or (operator == "re" and expression is None):
        return -1
    if expression is not None:
        chosen = [header for header in found if expression.matches(header.body)]
    elif operator == "in":
        chosen = [header for header in found if text and text in header.body]
    else:
        chosen = [header for header in found if (header.body == text) == (operator == "eq")]
    return 1 if remove(current_message(run), chosen) > 0 else -2


def _via_param_rm(run: Run, name: str, index: int | None) -> int:
    """A parameter of one Via, 0 the topmost: how often it was there, -1 where it was not. Counted backwards the last
    one is -2: in Kamailio, too, -1 finds none."""
    if index is None:
        return -2
    found = headers_of(run, "Via") or []
    vias = [place for header in found for place in _vias(header)]
    if index < 0:
        index += len(vias) + 1
    if not 0 <= index < len(vias):
        return -1
    at, text = vias[index]
    removed = 0
    message = current_message(run)
    for param in _VIA_PARAM.finditer(text):
        if lower(param[1]) == lower(name):
            message.edit(at + param.start(), param.end() - param.start(), "")
            removed += 1
    return removed or -1


def _vias(header: Header) -> list[tuple[int, str]]:
    """The Vias of one header, and where in the message they begin."""
    places: list[tuple[int, str]] = []
    at = header.body_at
    for text in split_quoted(header.body, ","):
        places.append((at, text))
        at += len(text) + 1
    return places


_TEXT: Final = (Arg.TEXT,)
_REPLYING: Final = Routes.REQUEST | Routes.FAILURE | Routes.BRANCH
_BOTH: Final = (Arg.CONST_TEXT, Arg.LITERAL)

FUNCTIONS: Final = (
    Function("append_hf", _append_hf, (Arg.CONST_TEXT,)),
    Function("append_hf", _append_hf, _BOTH, fixup=header_name_at(1)),
    Function("insert_hf", _insert_hf, (Arg.CONST_TEXT,)),
    Function("insert_hf", _insert_hf, _BOTH, fixup=header_name_at(1)),
    Function("append_urihf", _append_urihf, (Arg.STRING, Arg.STRING), _REPLYING),
    Function("append_to_reply", _append_to_reply, _TEXT, _REPLYING),
    Function("append_time", _append_time, (), _REPLYING),
    Function("append_time_to_request", _append_time_to_request),
    Function("is_present_hf", _is_present_hf, (Arg.STRING,), fixup=header_name_at(0)),
    Function("is_present_hf_pv", _is_present_hf_pv, _TEXT),
    Function("is_present_hf_re", _is_present_hf_re, (Arg.PATTERN,)),
    Function("is_present_hf_re_pv", _is_present_hf_re, _TEXT),
    Function("search_hf", _search_hf, (Arg.LITERAL, Arg.PATTERN, Arg.LITERAL), fixup=header_name_at(0)),
    Function("remove_hf", _remove_hf, (Arg.STRING,), fixup=header_name_at(0)),
    Function("remove_hf_pv", _remove_hf_pv, _TEXT),
    Function("remove_hf_idx", _remove_hf_idx, (Arg.TEXT, Arg.NUMBER)),
    Function("remove_hf_re", _remove_hf_re, (Arg.PATTERN,)),
    Function("remove_hf_re_pv", _remove_hf_re, _TEXT),
    Function("remove_hf_exp", _remove_hf_exp, (Arg.PATTERN, Arg.PATTERN)),
    Function("remove_hf_exp_pv", _remove_hf_exp, (Arg.TEXT, Arg.TEXT)),
    Function("remove_hf_match", _remove_hf_match, (Arg.TEXT, Arg.TEXT, Arg.TEXT)),
    Function("via_param_rm", _via_param_rm, (Arg.TEXT, Arg.NUMBER)),
)


def _search_in(run: Run, name: str, pattern: str, flags: str) -> int:
    return _search_hf(run, name, pattern, flags) if pattern and _is_name(run, name) else -1


_same: Final = same(FUNCTIONS)

KEMI: Final = (
    KemiFunction("search_hf", _search_in, (str, str, str)),
    _same("is_present_hf_pv", str, name="is_present_hf"),
    _same("is_present_hf_re", str),
    _same("remove_hf_pv", str, name="remove_hf"),
    _same("remove_hf_re", str),
    _same("remove_hf_idx", str, int),
    _same("remove_hf_exp", str, str),
    _same("remove_hf_match", str, str, str),
)
