"""The tree of a kamailio.cfg: frozen dataclasses; the span does not count in `==`.

Strings hold their value after escapes, joining and substitutions, one character per byte; `Text.at` finds the place
in the author's file for a part of that value. Names of nodes follow core/cfg.y.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Literal, TypeAlias

from evapi_cfg.source import SourceFile, Span

_compared: dict[type, tuple[str, ...]] = {}  # by class: the fields that count in `==`


class Node:
    """What all nodes share: two are equal if they say the same, wherever they stand.

    Written once here instead of generated for each class: making the classes is a good part of what it costs to start.
    """

    __slots__ = ()

    def _said(self) -> tuple[object, ...]:
        names = _compared.get(type(self))
        if names is None:
            names = tuple(item.name for item in fields(self) if item.compare)  # type: ignore[arg-type]
            _compared[type(self)] = names
        return tuple([getattr(self, name) for name in names])

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._said() == other._said()

    def __hash__(self) -> int:
        return hash((type(self), *self._said()))

    def __repr__(self) -> str:
        shown = (f"{item.name}={getattr(self, item.name)!r}" for item in fields(self) if item.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Text(Node):
    """A value read from source with the way back.

    `marks` are pairs (offset in value, offset in file), ascending, where the two stop running in step (an escape, a
    joined literal). Empty marks: the value does not stand in the file as such (a define, a substitution), and every
    part of it is at the whole `span`.
    """

    span: Span = field(compare=False, repr=False)
    value: str
    marks: tuple[tuple[int, int], ...] = field(default=(), compare=False, repr=False)

    def at(self, start: int, end: int) -> Span:
        """The span in the file of value[start:end]."""
        if not self.marks:
            return self.span
        first = self._offset(start)
        return Span(self.span.file, first, max(self._offset(max(end - 1, start)) + 1, first))

    def _offset(self, index: int) -> int:
        best = self.marks[0]
        for mark in self.marks:
            if mark[0] > index:
                break
            best = mark
        return best[1] + index - best[0]

    def part(self, start: int, end: int) -> Text:
        """value[start:end] with its own way back."""
        if not self.marks:
            return Text(self.span, self.value[start:end])
        inside = tuple((at - start, to) for at, to in self.marks if start < at < end)
        return Text(self.at(start, end), self.value[start:end], ((0, self._offset(start)), *inside))


# ---- pseudo-variables ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Transformation(Node):
    """`{cls.op,args}`. Arguments are raw, split by nobody: how they are cut depends on the class. `name_span` is that
    of `cls.op`."""

    span: Span = field(compare=False, repr=False)
    name_span: Span = field(compare=False, repr=False)
    cls: str
    op: str
    args: Text | None  # what stands behind the first comma; None without a comma


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PVar(Node):
    """`$name`, `$name(inner)`, `$(name(inner)[index]{tr}...)`.

    `inner` and a text `index` are raw: they may hold further pseudo-variables, which the class decides.
    `index` is None without brackets.
    """

    span: Span = field(compare=False, repr=False)
    name: str
    inner: Text | None = None
    index: Text | None = None
    transformations: tuple[Transformation, ...] = ()


Format: TypeAlias = "tuple[str | PVar, ...]"  # a string with variables in it, cut; `$$` is already `$`


# ---- expressions -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Number(Node):
    span: Span = field(compare=False, repr=False)
    value: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class String(Node):
    span: Span = field(compare=False, repr=False)
    text: Text

    @property
    def value(self) -> str:
        return self.text.value


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Select(Node):
    """`@name.name[index]...`, as written."""

    span: Span = field(compare=False, repr=False)
    path: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Word(Node):
    """A bare word where the grammar takes one: an address, a flag's name, a socket id, INVITE behind `method ==`."""

    span: Span = field(compare=False, repr=False)
    value: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Call(Node):
    """A module's function. `core` marks the commands that the grammar itself knows (`setflag`, `log`, `forward`)."""

    span: Span = field(compare=False, repr=False)
    name: str
    name_span: Span = field(compare=False, repr=False)
    args: tuple[Expression, ...] = ()
    core: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RouteCall(Node):
    """`route(X)`: a bare word, number or string constant is a `Text`; anything else an expression."""

    span: Span = field(compare=False, repr=False)
    target: Text | Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CoreTest(Node):
    """An old-style operand such as `method`, `src_ip`, `uri`, `msg:len`, `myself`, by its canonical name."""

    span: Span = field(compare=False, repr=False)
    name: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Unary(Node):
    """`!`, `~`, `-` and the word forms under one spelling: "not", "~", "-"."""

    span: Span = field(compare=False, repr=False)
    op: Literal["not", "~", "-"]
    operand: Expression


BinaryOp: TypeAlias = Literal[
    "or", "and", "|", "&", "^", "<<", ">>", "==", "!=", "=~", "eq", "ne", "ieq", "ine",
    "<", ">", "<=", ">=", "+", "-", "*", "/", "mod",
]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Binary(Node):
    """`==`/`!=` choose by type; eq/ne are the string forms, ieq/ine the integer forms."""

    span: Span = field(compare=False, repr=False)
    op: BinaryOp
    left: Expression
    right: Expression
    op_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cast(Node):
    span: Span = field(compare=False, repr=False)
    to: Literal["int", "str"]
    operand: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Test(Node):
    """`defined e`, `strlen(e)`, `strempty(e)`."""

    span: Span = field(compare=False, repr=False)
    op: Literal["defined", "strlen", "strempty"]
    operand: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SelVal(Node):
    """`selval(condition, then, otherwise)`."""

    span: Span = field(compare=False, repr=False)
    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlockExpr(Node):
    """`{ actions }` as an operand: 1 if the last return code is above 0, else 0."""

    span: Span = field(compare=False, repr=False)
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AssignExpr(Node):
    """`(target = value)` as an operand."""

    span: Span = field(compare=False, repr=False)
    assign: Assign


Expression: TypeAlias = (
    "Number | String | PVar | Select | Word | Call | RouteCall | CoreTest | Unary | Binary | Cast | Test | SelVal"
    " | BlockExpr | AssignExpr"
)


# ---- statements ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Assign(Node):
    span: Span = field(compare=False, repr=False)
    target: PVar
    value: Expression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExprStatement(Node):
    """A call, a core command or `route(X)` followed by `;`."""

    span: Span = field(compare=False, repr=False)
    expr: Call | RouteCall


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class If(Node):
    span: Span = field(compare=False, repr=False)
    condition: Expression
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class While(Node):
    span: Span = field(compare=False, repr=False)
    condition: Expression
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Case(Node):
    """`label` None: default. `regex`: `case /"re":`."""

    span: Span = field(compare=False, repr=False)
    label: Expression | None
    regex: bool
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Switch(Node):
    span: Span = field(compare=False, repr=False)
    subject: Expression
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Leave(Node):
    """`return`, `exit`, `drop`, `break`; `value` None where none was written."""

    span: Span = field(compare=False, repr=False)
    how: Literal["return", "exit", "drop", "break"]
    value: Expression | None = None


Statement: TypeAlias = "Assign | ExprStatement | If | While | Switch | Leave"


# ---- top level -------------------------------------------------------------------------------------------------


class RouteKind(Enum):
    REQUEST = "request_route"  # also route[NAME]
    FAILURE = "failure_route"
    BRANCH = "branch_route"
    ONREPLY = "onreply_route"  # also reply_route
    ONSEND = "onsend_route"
    EVENT = "event_route"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RouteBlock(Node):
    """One block. `name` None: the main block of its kind (request_route, reply_route ...)."""

    span: Span = field(compare=False, repr=False)
    kind: RouteKind
    name: str | None
    name_span: Span = field(compare=False, repr=False)
    body: tuple[Statement, ...] = ()

    @property
    def title(self) -> str:
        """As a person writes it: `route[X]`, `event_route[a:b]`, `request_route`."""
        if self.name is None:
            return self.kind.value
        return f"{'route' if self.kind is RouteKind.REQUEST else self.kind.value}[{self.name}]"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LoadModule(Node):
    """`loadmodule`/`loadmodulex`; `module` is the name without path and `.so`."""

    span: Span = field(compare=False, repr=False)
    name: String
    module: str
    options: String | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LoadPath(Node):
    span: Span = field(compare=False, repr=False)
    path: String


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ModParam(Node):
    """`modparam("a|b", "name", value)`; `expand` for modparamx."""

    span: Span = field(compare=False, repr=False)
    modules: String
    name: String
    value: String | Number | PVar
    expand: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CoreParam(Node):
    """`name = value ...`; listen, alias and socket have forms of their own below. `value` is what stands behind the
    equals sign, in order."""

    span: Span = field(compare=False, repr=False)
    name: str  # canonical
    name_span: Span = field(compare=False, repr=False)
    value: tuple[Number | String | Word, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Endpoint(Node):
    """`[proto:]host[:port]`, `(host, host)` for multihomed ones."""

    span: Span = field(compare=False, repr=False)
    proto: str | None
    hosts: tuple[str, ...]
    port: int | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Listen(Node):
    """One socket of `listen=` or `socket = { ... }`."""

    span: Span = field(compare=False, repr=False)
    endpoint: Endpoint
    advertise: Endpoint | None = None
    name: str | None = None
    virtual: bool = False
    options: tuple[tuple[str, str], ...] = ()  # what only `socket = {}` knows


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Alias(Node):
    span: Span = field(compare=False, repr=False)
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CustomVar(Node):
    """`group.name = value desc "text"`, `group[N].name = value`."""

    span: Span = field(compare=False, repr=False)
    group: str
    index: int | None
    name: str
    value: Number | String
    description: String | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Flags(Node):
    """`flags name:N, ...` or `avpflags name, ...`."""

    span: Span = field(compare=False, repr=False)
    avp: bool
    flags: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CfgEngine(Node):
    span: Span = field(compare=False, repr=False)
    name: String


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class KemiParam(Node):
    """`kemi.name = "value"`."""

    span: Span = field(compare=False, repr=False)
    name: str
    value: String


Item: TypeAlias = (
    "RouteBlock | LoadModule | LoadPath | ModParam | CoreParam | Listen | Alias | CustomVar | Flags | CfgEngine"
    " | KemiParam"
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Config(Node):
    """A whole configuration with what it included. `defines` are those in force at the end: `$def` reads them.
    `avp_default`: the file does not say `#!KAMAILIO`, so `$name` is the AVP of that name where no such class exists.
    `conditional`: what stands under a condition of the preprocessor."""

    span: Span = field(compare=False, repr=False)
    items: tuple[Item, ...]
    files: tuple[SourceFile, ...] = field(default=(), compare=False, repr=False)
    defines: dict[str, str | None] = field(default_factory=dict, compare=False, repr=False)
    avp_default: bool = field(default=False, compare=False, repr=False)
    conditional: tuple[Span, ...] = field(default=(), compare=False, repr=False)
