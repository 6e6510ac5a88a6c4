"""From productions to nodes: what stands outside of route blocks, and the blocks themselves. See `build.py`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final, cast

from evapi_cfg.diagnostics import codes
from evapi_cfg.diagnostics.model import Diagnostic, Fix
from evapi_cfg.diagnostics.suggest import near
from evapi_cfg.source import Span, show
from evapi_cfg.syntax import ast
from evapi_cfg.syntax.ast import Endpoint, Number, PVar, RouteKind, String, Text, Word
from evapi_cfg.syntax.build import Block, StatementBuilder, between, integer, text_of, word_of
from evapi_cfg.syntax.grammar import Tables
from evapi_cfg.syntax.keywords import CANONICAL, PARAMETERS
from evapi_cfg.syntax.tokens import Token

KINDS: Final = {
    "ROUTE": RouteKind.REQUEST,
    "REQUEST_ROUTE": RouteKind.REQUEST,
    "FAILURE_ROUTE": RouteKind.FAILURE,
    "ONREPLY_ROUTE": RouteKind.ONREPLY,
    "REPLY_ROUTE": RouteKind.ONREPLY,
    "BRANCH_ROUTE": RouteKind.BRANCH,
    "ONSEND_ROUTE": RouteKind.ONSEND,
    "EVENT_ROUTE": RouteKind.EVENT,
}
_SOCKET_WORDS: Final = ("advertise", "name", "virtual")
_MODULE_STRING: Final = re.compile(r"\"([^\"\n]*\.so)\"")
_GLUED: Final = re.compile(r"(udp|tcp|tls|sctp)(\d+(?:\.\d+){3})")
_NO_HOST: Final = ("Kamailio takes it for the name of a host, does not find it and refuses to start",)


def _is_parameter(word: str) -> bool:
    """Whether a word begins with the name of a core parameter: its `=` is missing."""
    return "_" in word and any(
        word.startswith(name) for words in PARAMETERS.values() for entry in words.split() for name in entry.split("/")
    )


class Builder(StatementBuilder):
    """All actions of grammar/kamailio.lark."""

    def actions(self, tables: Tables) -> list[Callable[..., object] | None]:
        """For each rule its action; None where a production only passes its child on."""
        return [getattr(self, rule.action) if rule.action else None for rule in tables.rules]

    def start(self, items: list[ast.Item]) -> list[ast.Item]:
        return items

    # ---- parameters --------------------------------------------------------------------------------------------

    def parameter(self, word: Token, _: Token, value: Token | Number | Word) -> ast.CoreParam:
        part = self._value(value)
        name = CANONICAL.get(str(word[1]), str(word[1]))
        return ast.CoreParam(word.span.to(part.span), name, word.span, (part,))

    def coreparam(self, word: Token, _: Token, name: Token, __: Token, ___: Token, value: Token) -> ast.CoreParam:
        part = self._value(value)
        return ast.CoreParam(word.span.to(part.span), "coreparam", word.span, (self._value(name), part))

    def _value(self, value: Token | Number | Word) -> Number | String | Word:
        if not isinstance(value, Token):
            return value
        if value[0] == "NUMBER":
            return Number(value.span, integer(str(value[1])))
        return self.string(value) if value[0] == "STRING" else word_of(value)

    def custom(
        self,
        group: Token,
        _: Token,
        name: Token,
        __: Token,
        value: Token,
        word: Token | None = None,
        description: Token | None = None,
    ) -> ast.CustomVar:
        text = self.string(description) if description else None
        span = between(group, description or value)
        return ast.CustomVar(span, str(group[1]), None, str(name[1]), self._literal(value), text)

    def custom_instance(
        self, group: Token, _: Token, index: Token, __: Token, ___: Token, name: Token, ____: Token, value: Token
    ) -> ast.CustomVar:
        number = integer(str(index[1]))
        return ast.CustomVar(between(group, value), str(group[1]), number, str(name[1]), self._literal(value))

    def _literal(self, value: Token) -> Number | String:
        return cast("Number | String", self._value(value))

    def kemi(self, word: Token, _: Token, name: Token, __: Token, value: Token) -> ast.KemiParam:
        return ast.KemiParam(between(word, value), str(name[1]), self.string(value))

    def flags(self, word: Token, flags: list[tuple[Token, Token]]) -> ast.Flags:
        named = tuple(
            (text_of(name).value, None if number is name else integer(str(number[1]))) for name, number in flags
        )
        return ast.Flags(between(word, flags[-1][1]), word[0] == "AVPFLAGS", named)

    def flag(self, name: Token, _: Token | None = None, number: Token | None = None) -> tuple[Token, Token]:
        return name, number or name

    # ---- sockets -----------------------------------------------------------------------------------------------

    def ipv4(self, *parts: Token) -> Word:
        span = between(parts[0], parts[-1])
        numbers = [integer(str(part[1])) for part in parts[::2]]
        address = ".".join(str(number) for number in numbers)
        if not all(0 <= number < 256 for number in numbers):
            self._bad_address(f"`{span.text}` is no IPv4 address: each of its numbers must be below 256", span)
        return Word(span, address)

    def ipv6(self, *parts: Token) -> Word:
        token = parts[len(parts) // 2]
        try:
            ipaddress.IPv6Address(str(token[1]))
        except ValueError:
            self._bad_address(f"`{token[1]}` is no IPv6 address", token.span)
        spelling = "".join(str(part[1]) for part in parts)
        return Word(between(parts[0], parts[-1]), spelling)

    def _bad_address(self, message: str, span: Span) -> None:
        self.diagnostics.append(Diagnostic(codes.BAD_ADDRESS, message, span, notes=("Kamailio refuses to start",)))

    def _host(self, host: Word | Token) -> str:
        return host.value if isinstance(host, Word) else text_of(host).value

    def _endpoint(self, span: Span, proto: Token | None, hosts: object, port: Token | None) -> Endpoint:
        names = cast("list[Word | Token]", hosts if isinstance(hosts, list) else [hosts])
        protocol = None if proto is None or proto[0] == "*" else CANONICAL.get(str(proto[1]), str(proto[1]))
        number = None if port is None or port[0] == "*" else integer(str(port[1]))
        return Endpoint(span, protocol, tuple(self._host(name) for name in names), number)

    @staticmethod
    def _last(hosts: object, port: Token | None) -> Span:
        if port is not None:
            return port.span
        return cast("Word", hosts[-1] if isinstance(hosts, list) else hosts).span

    def endpoint_host(self, hosts: object, _: Token | None = None, port: Token | None = None) -> Endpoint:
        first = cast("Word", hosts[0] if isinstance(hosts, list) else hosts).span
        return self._endpoint(first.to(self._last(hosts, port)), None, hosts, port)

    def endpoint_protocol(
        self, proto: Token, _: Token, hosts: object, __: Token | None = None, port: Token | None = None
    ) -> Endpoint:
        return self._endpoint(proto.span.to(self._last(hosts, port)), proto, hosts, port)

    def endpoint_single(self, host: Word | Token, _: Token | None = None, port: Token | None = None) -> Word:
        suffix = f":{port[1]}" if port else ""
        return Word(host.span.to(port.span if port else host.span), self._host(host) + suffix)

    def endpoint_protocol_single(
        self, proto: Token, colon: Token, host: Word | Token, _: Token | None = None, port: Token | None = None
    ) -> Word:
        word = self.endpoint_single(host, colon, port)
        return Word(proto.span.to(word.span), f"{CANONICAL.get(str(proto[1]), proto[1])}:{word.value}")

    def alias(self, word: Token, _: Token, endpoints: list[Endpoint]) -> ast.Alias:
        return ast.Alias(word.span.to(endpoints[-1].span), tuple(endpoints))

    def listen(self, word: Token, _: Token, endpoints: list[Endpoint], virtual: bool) -> list[ast.Listen]:
        self._look_at(endpoints)
        return [ast.Listen(self._from(word, one), one, virtual=virtual) for one in endpoints]

    def listen_name(
        self, word: Token, _: Token, endpoints: list[Endpoint], __: Token, name: Token, virtual: bool
    ) -> list[ast.Listen]:
        self._look_at(endpoints)
        text = text_of(name).value
        return [ast.Listen(self._from(word, one), one, None, text, virtual) for one in endpoints]

    def listen_advertise(
        self,
        word: Token,
        _: Token,
        endpoints: list[Endpoint],
        __: Token,
        advertise: Endpoint,
        *rest: object,
    ) -> list[ast.Listen]:
        self._look_at(endpoints)
        name = text_of(cast("Token", rest[1])).value if len(rest) == 3 else None
        virtual = bool(rest[-1])
        return [ast.Listen(self._from(word, one), one, advertise, name, virtual) for one in endpoints]

    def _look_at(self, endpoints: list[Endpoint]) -> None:
        """Words that are addresses by the grammar, but none that could be meant: a name behind `listen` goes on as long
        as words follow that may be one."""
        for number, endpoint in enumerate(endpoints):
            for host in endpoint.hosts:
                fault = self._no_host(host, endpoint, number > 0)
                if fault is not None:
                    self.diagnostics.append(fault)

    @staticmethod
    def _no_host(host: str, endpoint: Endpoint, further: bool) -> Diagnostic | None:
        message, help, fix = "", "", None
        alone = further and endpoint.proto is None and endpoint.port is None and len(endpoint.hosts) == 1
        names = near(host, _SOCKET_WORDS, 1) if alone and host.isalpha() else ()
        glued = _GLUED.fullmatch(host)
        if names:
            message, help = f"`{host}` is no word behind an address", f"did you mean `{names[0]}`?"
            fix = Fix(endpoint.span, names[0])
        elif host.isdigit():
            message, help = f"`{host}` is no address", "write [proto:]host[:port]"
        elif glued:
            message, help = f"`:` is missing behind `{glued[1]}`", f"write `{glued[1]}:{glued[2]}`"
        elif further and alone and _is_parameter(host):
            message = f"`{host}` is read as one more address to listen on"
            help = "write NAME=VALUE"
        elif further and host.endswith(".so"):
            message = f"`{show(host)}` is read as one more address to listen on"
            help = f'write loadmodule "{show(host)}"'
        if not message:
            return None
        return Diagnostic(codes.SYNTAX_ERROR, message, endpoint.span, help, _NO_HOST, fix=fix)

    @staticmethod
    def _from(word: Token, endpoint: Endpoint) -> Span:
        return word.span.to(endpoint.span)

    def socket(
        self, word: Token, _: Token, __: Token, attributes: list[tuple[str, object]], closing: Token
    ) -> ast.Listen | None:
        known = dict(attributes)
        bind = known.get("bind")
        endpoint = bind if isinstance(bind, Endpoint) else Endpoint(between(word, closing), None, ("",), None)
        advertise = known.get("advertise")
        options = tuple(
            (name, str(value)) for name, value in known.items() if name not in ("bind", "advertise", "name", "virtual")
        )
        return ast.Listen(
            between(word, closing),
            endpoint,
            advertise if isinstance(advertise, Endpoint) else None,
            str(known["name"]) if "name" in known else None,
            bool(known.get("virtual")),
            options,
        )

    def socket_attribute(
        self, word: Token, _: Token, value: Token | Endpoint, *rest: Token
    ) -> list[tuple[str, object]]:
        name = CANONICAL.get(str(word[1]), str(word[1]))
        if isinstance(value, Endpoint):
            pairs: list[tuple[str, object]] = [(name, value)]
            return [*pairs, ("last_port", rest[1][1])] if rest else pairs
        if value[0] == "NUMBER":
            return [(name, integer(str(value[1])))]
        return [(name, text_of(value).value)]

    def socket_advertise(self, word: Token, _: Token, *rest: object) -> list[tuple[str, object]]:
        port = cast("Token", rest[-1])
        proto = cast("Token", rest[0]) if len(rest) == 5 else None
        host = rest[-3]
        span = (proto.span if proto else cast("Word", host).span).to(port.span)
        return [("advertise", self._endpoint(span, proto, host, port))]

    # ---- modules -----------------------------------------------------------------------------------------------

    def loadmodule(self, word: Token, name: Token) -> list[ast.LoadModule]:
        loads = [self._load(between(word, name), name, None)]
        joined = list(_MODULE_STRING.finditer(name.span.text))
        for number, found in enumerate(joined if len(joined) > 1 else ()):  # strings in a row are one
            span = Span(name.file, name.start + found.start(), name.start + found.end())
            text = String(span, Text(span, found[1], ((0, span.start + 1),)))
            if not number:
                loads.clear()
            else:
                self.diagnostics.append(
                    Diagnostic(
                        codes.SYNTAX_ERROR,
                        f"`loadmodule` is missing before `{show(found[0])}`",
                        span,
                        f"write loadmodule {show(found[0])}",
                        ("Kamailio joins the two names, does not find such a module and refuses to start",),
                        fix=Fix(Span(span.file, span.start, span.start), "loadmodule "),
                    )
                )
            loads.append(self._loaded(between(word, name), text, None))
        return loads

    def loadmodule_call(self, word: Token, _: Token, name: Token, *rest: Token) -> ast.LoadModule:
        return self._load(between(word, rest[-1]), name, self.string(rest[1]) if len(rest) == 3 else None)

    def _load(self, span: Span, name: Token, options: String | None) -> ast.LoadModule:
        return self._loaded(span, self.string(name), options)

    @staticmethod
    def _loaded(span: Span, text: String, options: String | None) -> ast.LoadModule:
        return ast.LoadModule(span, text, text.value.rpartition("/")[2].removesuffix(".so"), options)

    def loadpath(self, word: Token, *rest: Token) -> ast.LoadPath:
        return ast.LoadPath(between(word, rest[-1]), self.string(rest[-1]))

    def cfgengine(self, word: Token, *rest: Token) -> ast.CfgEngine:
        return ast.CfgEngine(between(word, rest[-1]), self.string(rest[-1]))

    def modparam(
        self,
        word: Token,
        _: Token,
        modules: Token,
        __: Token,
        name: Token,
        ___: Token,
        value: Token | Number,
        closing: Token,
    ) -> ast.ModParam:
        part: String | Number | PVar
        if isinstance(value, Token):
            part = self.string(value) if value[0] == "STRING" else self.variable(value)
        else:
            part = value
        span = between(word, closing)
        return ast.ModParam(span, self.string(modules), self.string(name), part, word[0] == "MODPARAMX")

    # ---- route blocks ------------------------------------------------------------------------------------------

    def route_main(self, word: Token, block: Block) -> ast.RouteBlock:
        self.forget_heights()
        return ast.RouteBlock(word.span.to(block.span), KINDS[word[0]], None, word.span, block.body)

    def route_named(self, word: Token, _: Token, name: Token, __: Token, block: Block) -> ast.RouteBlock:
        self.forget_heights()
        title = str(integer(str(name[1]))) if name[0] == "NUMBER" else text_of(name).value
        at = name.span
        return ast.RouteBlock(word.span.to(block.span), KINDS[word[0]], title, at, block.body)
