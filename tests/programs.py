"""Strategies for whole route bodies, as text of a kamailio.cfg that Kamailio takes and that always ends.

Types are those of core/rvalue.c: rve_check_type. What Kamailio leaves to chance is not generated: a failing side of
`==` behind a string, a failing sum behind `return`, a side effect on the right of a variable that holds a string.
Names of routes begin with `P_`, so that many programs can be put into one file.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

INTS = ("$var(i)", "$var(j)", "$var(k)")  # only ever hold integers
ANYS = ("$var(a)", "$var(b)", "$avp(x)", "$avp(y)", "$vn(n)", "$shv(h)")
TARGETS = ("$var(a)", "$var(b)", "$avp(x)", "$avp(y)", "$vn(n)", "$shv(h)")
READ = (
    "$(avp(x)[1])",
    "$(avp(x)[-1])",
    "$(var(a){s.len})",
    "$(avp(y){s.len})",
    "$(var(a){s.substr,1,2})",
    "$(var(b){s.toupper})",
    "$(avp(x){s.select,1,-})",
    "$evapi(msg)",
    "$evapi(conidx)",
)
TEXTS = ("", "abc", "Abc", "5", "-3", "05", "0x10", "0", "12abc", " 7", "a-b-c", "x" * 40, "+")
NUMBERS = ("0", "1", "-1", "2", "5", "7", "-8", "1000", "2147483647", "-2147483648")
PATTERNS = ("^a", "B.?c$", "^[0-9]+$", "^$", "x*", "(5|7)")
STARTS = (
    "$var(a) = $evapi(msg);",
    "$var(b) = $var(b) + 1;",
    "$var(i) = 1;",
    "$var(j) = -3;",
    "$var(k) = strlen($evapi(msg));",
    '$avp(x) = "a-b"; $avp(x) = 7;',
    '$vn(n) = "text";',
    "$avp(y) = $evapi(msg) + $var(b);",
)
MESSAGES = ("5", "abc", "0x1F", "-3", "a-b")
SHOWN = (
    "a=$var(a) b=$var(b) i=$var(i) j=$var(j) k=$var(k) x=$(avp(x)[*]) y=$avp(y) n=$vn(n) h=$shv(h) rc=$rc"
    " m=$evapi(msg) l=$(var(a){s.len}) u=$(avp(y){s.toupper}) $null $$"
)
LOOPS = 7  # max_while_loops of generated files


@dataclass(frozen=True)
class Program:
    """Statements of the event route, and of route[P_1], route[P_2] ..., each of which only calls later ones."""

    body: str
    routes: tuple[str, ...]

    def blocks(self, prefix: str = "P_") -> str:
        """The routes, with the body as route[P_main]."""
        named = [("main", self.body), *((str(index), text) for index, text in enumerate(self.routes, 1))]
        return "".join(f"route[P_{name}] {{\n{text}\n}}\n" for name, text in named).replace("P_", prefix)


@dataclass(frozen=True)
class Place:
    """Where a piece is drawn for: `first` is the first route that may be called, `loops` how many loops are around."""

    first: int
    routes: int
    depth: int
    loops: int = 0

    def inside(self, *, loop: bool = False) -> Place:
        return Place(self.first, self.routes, self.depth - 1, self.loops + loop)


def _pick(draw: DrawFn, *choices: str) -> str:
    return draw(st.sampled_from(choices))


def _flip(draw: DrawFn, percent: int) -> bool:
    return draw(st.integers(0, 99)) >= 100 - percent


# ---- expressions -------------------------------------------------------------------------------------------------


@st.composite
def safe_int(draw: DrawFn, depth: int) -> str:
    """Known to be an integer, and sure to have a value."""
    if depth <= 0 or not _flip(draw, 60):
        return "$rc * 1" if _flip(draw, 20) else _pick(draw, *INTS, *NUMBERS)
    kind = _pick(draw, "arithmetic", "shift", "compare", "text", "unary", "divide", "logic")
    if kind == "text":
        return draw(text_test(depth - 1))
    if kind == "unary":
        return f"{_pick(draw, '-', '!', '~', 'not ', '(int)')}({draw(safe_int(depth - 1))})"
    left, right = draw(safe_int(depth - 1)), draw(safe_int(depth - 1))
    if kind == "logic":  # constants of a row of `&&` are joined at start, which the reference leaves out
        left, right = (side if "$" in side else _pick(draw, *INTS) for side in (left, right))
    if kind == "shift":
        return f"(({left}) {_pick(draw, '<<', '>>')} {_pick(draw, '0', '1', '3', '31', '33', '64', '65')})"
    if kind == "divide":
        return f"(({left}) {_pick(draw, '/', 'mod')} {_pick(draw, '1', '2', '3', '7', '-2', '100')})"
    ops = {"arithmetic": "+ - * | & ^", "compare": "== != < > <= >= ieq ine", "logic": "&& ||"}[kind]
    return f"(({left}) {_pick(draw, *ops.split())} ({right}))"


@st.composite
def text_test(draw: DrawFn, depth: int) -> str:
    """An integer made of texts; always has a value."""
    kind = _pick(draw, "strlen", "strempty", "defined", "eq", "match", "equal", "null")
    one = draw(text(depth) if kind == "equal" or _flip(draw, 40) else variable())
    if kind in ("strlen", "strempty"):
        return f"{kind}({one})"
    if kind == "defined":
        return f"defined ({one})"
    if kind == "match":
        return f'({one} =~ "{_pick(draw, *PATTERNS)}")'
    if kind == "null":
        return f"(({one}) {_pick(draw, '==', '!=', 'eq', 'ne', 'ieq', 'ine')} $null)"
    other = draw(st.one_of(text(depth), variable(), st.sampled_from(INTS)))
    return f"(({one}) {_pick(draw, 'eq', 'ne') if kind == 'eq' else _pick(draw, '==', '!=')} ({other}))"


@st.composite
def variable(draw: DrawFn) -> str:
    return _pick(draw, *ANYS, *ANYS, *READ)


@st.composite
def text(draw: DrawFn, depth: int) -> str:
    """Known to be a string; always has a value."""
    if depth <= 0 or not _flip(draw, 60):
        return f'"{_pick(draw, *TEXTS)}"'
    if _flip(draw, 40):
        return f"(str)({draw(st.one_of(variable(), safe_int(depth - 1), text(depth - 1)))})"
    right = draw(st.one_of(variable(), safe_int(depth - 1), text(depth - 1)))
    return f"({draw(text(depth - 1))} + ({right}))"


@st.composite
def integer(draw: DrawFn, place: Place) -> str:
    """Known to be an integer; may have no value, and may do something."""
    depth = place.depth
    if depth <= 0 or not _flip(draw, 85):
        return draw(safe_int(1))
    kind = _pick(
        draw, "safe", "effect", "effect", "arithmetic", "compare", "logic", "logic", "unary", "divide", "left", "equal",
        "variable",
    )  # fmt: skip
    if kind == "safe":
        return draw(safe_int(depth))
    if kind == "effect":
        return draw(effect(place))
    if kind == "left":  # a side that is converted, whatever the variable holds
        op = _pick(draw, "-", "*", "<", ">=", "ieq", "ine", "&&", "||", "|")
        return f"({draw(variable())} {op} ({draw(integer(place.inside()))}))"
    if kind == "variable":
        other = draw(st.one_of(variable(), text(1), safe_int(1), any_sum()))
        return f"({draw(variable())} {_pick(draw, '==', '!=')} ({other}))"
    if kind == "equal":  # an integer in front converts what is behind
        front = f"(({draw(integer(place.inside()))}) {_pick(draw, '==', '!=', '+')} "
        return front + f"{draw(st.one_of(variable(), safe_int(1), any_sum()))})"
    left = draw(integer(place.inside()))
    if kind == "unary":
        return f"{_pick(draw, '-', '!', '~', 'not ', '(int)')}({left})"
    if kind == "divide":
        divisor = _pick(draw, "0", "1", "3", "($var(i) & 3)", "($var(j) & 1)", "$var(zero)")
        return f"(({left}) {_pick(draw, '/', 'mod')} {divisor})"
    if kind == "logic" and "&&" not in left and "||" not in left and _flip(draw, 30):
        pair = [f"({left})", _pick(draw, "0", "1", "2")]
        front, behind = pair if _flip(draw, 50) else reversed(pair)
        return f"({front} {_pick(draw, '&&', '||')} {behind})"
    right = draw(integer(place.inside()))
    ops = {"arithmetic": "+ - * | & ^", "compare": "== != < > <= >= ieq ine", "logic": "&& ||"}[kind]
    if kind == "logic":
        left, right = (side if "$" in side or "route" in side else _pick(draw, *INTS) for side in (left, right))
    return f"(({left}) {_pick(draw, *ops.split())} ({right}))"


@st.composite
def effect(draw: DrawFn, place: Place) -> str:
    """An operand that does something: a call, a route, an assignment, a block."""
    kind = _pick(draw, "call", "route", "route", "assign", "block")
    if kind == "route" and place.first < place.routes:
        return f"route(P_{draw(st.integers(place.first, place.routes - 1))})"
    if kind == "assign":
        return f"({draw(assignment(place.inside()))})"
    if kind == "block" and place.depth > 1:
        return f"{{ {draw(statements(place.inside(), 2))} }}"
    return draw(call())


@st.composite
def sum_(draw: DrawFn, depth: int) -> str:
    """A `+` whose type is known only when it runs; may have no value."""
    left = draw(variable())
    right = draw(st.one_of(variable(), text(depth), safe_int(depth), any_sum(), st.just("(1 / $var(zero))")))
    return f"{left} + {right}"


@st.composite
def any_sum(draw: DrawFn) -> str:
    """A `+` that has a value wherever a string is asked for."""
    return f"({draw(variable())} + ({draw(safe_int(1))}))"


@st.composite
def choice(draw: DrawFn, depth: int) -> str:
    sides = [draw(st.one_of(variable(), text(depth), safe_int(depth))) for _ in range(2)]
    return f"selval({draw(safe_int(depth))}, {sides[0]}, {sides[1]})"


@st.composite
def value(draw: DrawFn, place: Place) -> str:
    """The right side of an assignment."""
    depth = min(place.depth, 2)
    made = draw(st.one_of(text(depth), variable(), integer(place), integer(place), sum_(depth), choice(depth)))
    if _flip(draw, 5):
        return "$null"
    return made


# ---- statements --------------------------------------------------------------------------------------------------


@st.composite
def call(draw: DrawFn) -> str:
    kind = _pick(draw, "trace", "relay", "relay variable", "relay sum")
    if kind == "relay":
        return f'evapi_relay("{_pick(draw, "r", "$var(a)", "$avp(x)|$rc|$var(i)", "$$")}")'
    if kind == "relay variable":
        return f"evapi_relay({_pick(draw, *INTS, '$var(a)', '$avp(y)')})"
    if kind == "relay sum":
        return f'evapi_relay("s" + {_pick(draw, *INTS, "$var(a)", "$avp(y)")})'
    return f'xlog("L_INFO", "{_pick(draw, "t", "rc $rc", "i $var(i) j $var(j)", "a $var(a)|x $avp(x)", SHOWN)}\\n")'


@st.composite
def assignment(draw: DrawFn, place: Place) -> str:
    if _flip(draw, 40):
        return f"{_pick(draw, *INTS)} = {draw(integer(place))}"
    if _flip(draw, 10):
        return _pick(draw, "$(avp(x)[*]) = 5", "$(avp(x)[*]) = $null", '$(avp(x)[*]) = "star"')
    return f"{_pick(draw, *TARGETS)} = {draw(value(place))}"


@st.composite
def leaving(draw: DrawFn) -> str:
    return _pick(
        draw, "return;", "return 5;", "return -1;", "return 0;", "return $var(i);", "return $rc;", "exit;", "drop;",
        "exit 3;", "break;", "break;", "return($var(i) == $var(j));",
    )  # fmt: skip


@st.composite
def condition(draw: DrawFn, place: Place) -> str:
    return draw(st.one_of(integer(place), variable(), choice(1), text_test(1)))


@st.composite
def body(draw: DrawFn, place: Place) -> str:
    """What an `if` or `while` runs."""
    if _flip(draw, 5):
        return ";"
    inner = draw(statements(place, 3))
    if _flip(draw, 25):
        inner += " " + draw(leaving())
    return f"{{ {inner} }}"


@st.composite
def switch(draw: DrawFn, place: Place) -> str:
    inner = place.inside()
    textual = draw(st.booleans())
    labels = draw(st.permutations(TEXTS[:7] if textual else ("1", "5", "-8", "0", "1000")))
    subjects = [variable(), integer(inner).map("($var(k) | ({}))".format), st.just("5")]
    subject = draw(st.one_of(*subjects, *([text(1)] if textual else [])))
    cases = []
    for label in labels[: draw(st.integers(1, 5))]:
        written = label
        if textual:
            written = f'/"{_pick(draw, *PATTERNS)}"' if _flip(draw, 20) else f'"{label}"'
        cases.append(f"case {written}: {draw(case_body(inner))}")
    if _flip(draw, 50):
        # Kamailio refuses to start over a `default` in front of texts.
        cases.insert(draw(st.integers(int(textual), len(cases))), f"default: {draw(case_body(inner))}")
    return f"switch({subject}) {{ {' '.join(cases)} }}"


@st.composite
def case_body(draw: DrawFn, place: Place) -> str:
    made = "" if _flip(draw, 20) else draw(statements(place, 2))
    return made + draw(st.sampled_from(("", " break;", " break;", " return 4;", "")))


@st.composite
def statement(draw: DrawFn, place: Place) -> str:
    kinds = ["assign"] * 4 + ["call"] * 2 + ["route"]
    if place.depth > 0:
        kinds += ["if"] * 3 + ["while"] * (2 if place.loops < 2 else 0) + ["switch"] * 2
    kind = _pick(draw, *kinds)
    if kind == "assign":
        return draw(assignment(place)) + ";"
    if kind == "call":
        return draw(call()) + ";"
    if kind == "if":
        inner = place.inside()
        made = f"if ({draw(condition(inner))}) {draw(body(inner))}"
        if _flip(draw, 50):
            made += f" else {draw(body(inner))}"
        return made
    if kind == "while":
        inner = place.inside(loop=True)
        return f"while ({draw(integer(inner))}) {draw(body(inner))}"
    if kind == "switch":
        return draw(switch(place))
    if place.first < place.routes:
        if place.first == 1 and _flip(draw, 20):  # only the event route: no route must reach itself
            return 'route("P_" + $var(i));'
        return f"route(P_{draw(st.integers(place.first, place.routes - 1))});"
    return draw(call()) + ";"


@st.composite
def statements(draw: DrawFn, place: Place, most: int) -> str:
    return " ".join(draw(st.lists(statement(place), min_size=1, max_size=most)))


@st.composite
def programs(draw: DrawFn, depth: int = 3) -> Program:
    count = draw(st.integers(1, 4))
    routes = tuple(
        "\n  ".join(draw(st.lists(statement(Place(index + 1, count, 2, 1)), min_size=1, max_size=3)))
        + ("\n  " + draw(leaving()) if draw(st.booleans()) else "")
        for index in range(1, count)
    )
    start = [line for line in STARTS if _flip(draw, 60)]
    main = "\n  ".join(start + draw(st.lists(statement(Place(1, count, depth)), min_size=2, max_size=6)))
    return Program("  " + main, tuple("  " + route for route in routes))


messages = st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=3)
