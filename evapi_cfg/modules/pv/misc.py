"""Variables of no family: constants, the process, formats as values, counts, settings of the core
(modules/pv/pv_core.c, pv_stats.c, pv_select.c)."""

from __future__ import annotations

from typing import Final

from evapi_cfg.modules.context import Level, Run
from evapi_cfg.modules.core_select import select
from evapi_cfg.modules.forms import ALL, closed, constant, named, plain
from evapi_cfg.modules.pv.avp import avp_name, values_of
from evapi_cfg.modules.pv.readers import refuse
from evapi_cfg.modules.pv.xavp import Key, Xavp, parse_keys, places
from evapi_cfg.modules.spec import NameRefused, PseudoVariable, Resolver, Variable
from evapi_cfg.sip import uri
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Text
from evapi_cfg.syntax.pvar import PvarError, parse_pvar
from evapi_cfg.values import Value

VERSION: Final = "6.1.4"
_INET: Final = 2  # AF_INET
_INET6: Final = 10  # AF_INET6 of Linux

_CONSTANTS: Final = {
    "IPv4": _INET, "INET": _INET, "IP4": _INET, "IPv6": _INET6, "INET6": _INET6, "IP6": _INET6,
    "UDP": uri.UDP, "TCP": uri.TCP, "TLS": uri.TLS, "SCTP": uri.SCTP, "WS": uri.WS, "WSS": uri.WSS,
}  # fmt: skip
_ESCAPES: Final = {
    "En": "\n", "Er": "\r", "Et": "\t", "Es": " ", "Ec": ",", "Eq": '"', "Ek": "'", "Ei": ":", "Ej": ";", "Eb": "\\",
    "Ev": "`",
}  # fmt: skip


def _fixed(name: str, value: Value) -> PseudoVariable:
    return plain(name, constant(value).get, nullable=False)


def _format(inner: Text, resolver: Resolver) -> Variable:
    """$_s(...): the text with its variables filled in."""
    text = resolver.text(inner)
    return constant(text) if isinstance(text, str) else Variable(text, nullable=False)


def _process_id(run: Run) -> Value:
    return run.world.pid


def _server_id(run: Run) -> Value:
    return run.world.core.get("server_id", 0)


def _statistic(inner: Text, resolver: Resolver) -> Variable:
    name = show(inner.value)

    def get(run: Run) -> Value:
        run.log(Level.WARNING, "pv", f"there is no statistic {name!r}")
        return None

    return Variable(get)


# ---- $cnt -----------------------------------------------------------------------------------------------------------


def _count(inner: Text, resolver: Resolver) -> Variable:
    """$cnt($avp(x)), $cnt($xavp(x=>y)): how many values there are."""
    try:
        pvar = parse_pvar(inner)
    except PvarError as err:
        raise NameRefused(err.message, err.span) from None
    if pvar.name not in ("avp", "xavp") or pvar.inner is None:
        raise NameRefused(f"`{show(inner.value)}` is neither an $avp nor an $xavp", inner.span)
    resolver.variable(inner)
    if pvar.name == "avp":
        name = avp_name(pvar.inner, resolver)
        return Variable(lambda run: len(values_of(run, name) or ()), nullable=False)
    outer, child = parse_keys(pvar.inner, resolver)

    def get(run: Run) -> Value:
        found = _named(run, run.xavp or [], outer)
        if child is None:
            return len(found)
        return sum(len(_named(run, item.value, child)) for item in found if isinstance(item.value, list))

    return Variable(get, nullable=False)


def _named(run: Run, items: list[Xavp], key: Key) -> list[Xavp]:
    """The values that a key names; without an index all of the name."""
    found = [items[at] for at in places(items, key.name)]
    place = key.place(run) if key.given else ALL
    if place == ALL:
        return found
    return [found[place]] if isinstance(place, int) and -len(found) <= place < len(found) else []


# ---- $sel, $ccp -----------------------------------------------------------------------------------------------------


def _select(inner: Text, resolver: Resolver) -> Variable:
    return Variable(select(inner, resolver))


def _setting(inner: Text, resolver: Resolver) -> Variable:
    """$ccp(group.name): a setting that the file declared as `group.name = value`, or `core.debug`."""
    group, dot, name = inner.value.rpartition(".")
    if not (group and dot and name):
        raise NameRefused(f"`{show(inner.value)}` is not of the form `group.name`", inner.span)

    def missing(run: Run) -> None:
        run.log(Level.ERROR, "pv", f"there is no setting {show(inner.value)}")

    def get(run: Run) -> Value:
        if (group, name) == ("core", "debug"):
            return int(run.world.log.threshold)
        value = run.world.custom.get((group, name))
        if value is None:
            missing(run)
        return value

    def set_(run: Run, value: Value) -> None:
        if value is None:
            run.log(Level.WARNING, "pv", f"$ccp({show(inner.value)}) cannot be $null")
        elif (group, name) == ("core", "debug"):
            if isinstance(value, str):
                raise refuse(run, "core.debug takes a number")
            run.world.log.threshold = value
        elif (group, name) not in run.world.custom:
            raise refuse(run, f"there is no setting {show(inner.value)}")
        elif type(run.world.custom[group, name]) is not type(value):
            raise refuse(run, f"{show(inner.value)} takes a value of the type that it was declared with")
        else:
            run.world.custom[group, name] = value

    return Variable(get, set_)


VARIABLES: Final = (
    _fixed("true", 1),
    *(_fixed(name, text) for name, text in _ESCAPES.items()),
    closed("K", {name: constant(value) for name, value in _CONSTANTS.items()}),
    closed(
        "version",
        {
            "num": constant(VERSION),
            "full": constant(f"kamailio {VERSION} (x86_64/Linux) "),
            "hash": constant("unknown"),
        },
    ),
    closed("ksr", {"ver": constant(VERSION), "verval": constant(6001004)}),
    plain("pp", _process_id, nullable=False),
    plain("sid", _server_id, nullable=False),
    named("_s", _format),
    named("stat", _statistic),
    named("cnt", _count),
    named("sel", _select),
    named("ccp", _setting, writable=True),
)
