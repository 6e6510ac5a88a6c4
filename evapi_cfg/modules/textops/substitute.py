"""Substitutions, `/expression/replacement/flags`, in the message, in its URI, in any text (textops.c: subst_helper_f,
subst_hf_helper_f, subst_uri_helper_f, subst_user_helper_f, subst_v_helper_f; core/re.c: subst_run)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from evapi_cfg.modules.context import Level, Run, World
from evapi_cfg.modules.core_message import current_message
from evapi_cfg.modules.core_uri import rewrite
from evapi_cfg.modules.kemi_forms import assigns
from evapi_cfg.modules.pv.functions import set_variable
from evapi_cfg.modules.spec import Arg, Function, KemiFunction, NameRefused, NoValue, Routes, Variable
from evapi_cfg.modules.textops.reading import body, header_name_at, headers_of
from evapi_cfg.modules.transformations.substitution import KEPT, Substitution, parse_substitution
from evapi_cfg.source import SourceFile, Span, show
from evapi_cfg.syntax.ast import Text

_RUN_TIME: Final = Span(SourceFile("<run time>", ""), 0, 0)


def _result(run: Run, substitution: Substitution, text: str) -> str | None:
    """The text with the replacements made; None where there are none to make."""
    try:
        return substitution.apply(run, text)
    except NoValue:
        _failed(run)
        return None


def _failed(run: Run) -> None:
    run.log(Level.ERROR, "textops", "a substitution has matched nothing at all, or grown too long: given up")


def _edit(run: Run, substitution: Substitution, at: int, end: int | None = None) -> int:
    """Substitutes in the message's text from `at` to `end`."""
    message = current_message(run)
    try:
        places = substitution.replacements(run, message.text[at:end].partition("\0")[0])
    except NoValue:
        _failed(run)
        return -1
    for start, stop, new in places:
        message.edit(at + start, stop - start, new)
    return 1 if places else -1


def _subst(run: Run, substitution: Substitution) -> int:
    """In headers and body."""
    return _edit(run, substitution, current_message(run).headers_at)


def _subst_body(run: Run, substitution: Substitution) -> int:
    return _edit(run, substitution, current_message(run).body_at) if body(run) else -1


def _subst_hf(run: Run, name: str, substitution: Substitution, flags: str) -> int:
    """In the bodies of the headers of a name: f the first one, l the last one, else all."""
    found = headers_of(run, name) or []
    chosen = {"f": found[:1], "l": found[-1:]}.get(flags[:1], found)
    codes = [_edit(run, substitution, header.body_at, header.body_at + len(header.body)) for header in chosen]
    return max(codes, default=-1)


def _subst_uri(run: Run, substitution: Substitution) -> int:
    message = current_message(run)
    new = _result(run, substitution, message.request_uri) if message.is_request else None
    if new is None:
        return -1
    message.new_uri = new
    return 1


def _subst_user(run: Run, substitution: Substitution) -> int:
    message = current_message(run)
    uri = message.parsed_uri if message.is_request else None
    new = _result(run, substitution, uri.user) if uri is not None else None
    return -1 if new is None else rewrite(run, "user", new)


def init(world: World) -> Callable[[str], Substitution]:
    """What reads expressions that come up while routes run, and remembers some; it raises NameRefused."""

    resolver = world.resolver

    @lru_cache(KEPT)
    def parsed(text: str) -> Substitution:
        assert resolver is not None
        return parse_substitution(Text(_RUN_TIME, text), resolver)

    return parsed


def _expression(run: Run, text: str) -> Substitution | None:
    """A substitution that a script has given as text; None, and an error in the log, where it is none."""
    parsed = run.world.state["textops"]
    assert callable(parsed)
    try:
        found: Substitution = parsed(text)
    except NameRefused as error:
        run.log(Level.ERROR, "textops", f"{show(text)!r} is no substitution: {error.message}")
        return None
    return found


def _subst_v(run: Run, text: str, expression: str, target: Variable) -> int:
    """The result goes into a variable."""
    if target.set is None:
        run.log(Level.ERROR, "textops", "subst_v: the variable cannot be assigned")
        return -1
    substitution = _expression(run, expression)
    if substitution is None:
        return -1
    new = _result(run, substitution, text)
    if new is None:
        return -1
    set_variable(run, target, new)
    return 1


_SUBSTITUTION: Final = (Arg.SUBSTITUTION,)
_URI: Final = Routes.REQUEST | Routes.ONREPLY | Routes.FAILURE | Routes.BRANCH

FUNCTIONS: Final = (
    Function("subst", _subst, _SUBSTITUTION),
    Function("subst_body", _subst_body, _SUBSTITUTION),
    Function("subst_hf", _subst_hf, (Arg.LITERAL, Arg.SUBSTITUTION, Arg.LITERAL), fixup=header_name_at(0)),
    Function("subst_uri", _subst_uri, _SUBSTITUTION, _URI),
    Function("subst_user", _subst_user, _SUBSTITUTION, _URI),
    Function("subst_v", _subst_v, (Arg.TEXT, Arg.TEXT, Arg.PVAR), outputs=(2,)),
)

_assigns: Final = assigns(FUNCTIONS, 2, "textops")


def _by(call: Callable[[Run, Substitution], int]) -> Callable[[Run, str], int]:
    def substitute(run: Run, text: str) -> int:
        expression = _expression(run, text)
        return -1 if expression is None else call(run, expression)

    return substitute


def _in_headers(run: Run, name: str, text: str, flags: str) -> int:
    expression = _expression(run, text)
    return -1 if expression is None else _subst_hf(run, name, expression, flags)


KEMI: Final = (
    KemiFunction("subst", _by(_subst), (str,)),
    KemiFunction("subst_body", _by(_subst_body), (str,)),
    KemiFunction("subst_uri", _by(_subst_uri), (str,)),
    KemiFunction("subst_user", _by(_subst_user), (str,)),
    KemiFunction("subst_hf", _in_headers, (str, str, str)),
    _assigns("subst_v", str, str, str),
)
