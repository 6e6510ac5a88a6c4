"""What the text of a script says without being run: which functions it defines, and what it compares an event with."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from evapi_cfg.source import SourceFile, Span, show


@dataclass(slots=True)
class Outline:
    """`functions` are those that can be called by their names; `others` are functions by names that cannot, with what
    they are. `open`: there may be more than the text shows. `compared`: literals with which a function compares its
    event, by the function's name."""

    functions: set[str] = field(default_factory=set)
    others: dict[str, str] = field(default_factory=dict)
    open: bool = False
    compared: dict[str, list[tuple[str, Span]]] = field(default_factory=dict)


class NotPython(Exception):
    """A text is no Python; `message` says why, `at` where."""

    def __init__(self, message: str, at: Span) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


# ---- Python ---------------------------------------------------------------------------------------------------------


def python_outline(file: SourceFile) -> Outline:
    """Methods are what is called in Python; the last parameter of a callback is its event. Raises NotPython."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(file.text.encode("latin-1"), filename=file.name)
    except SyntaxError as error:
        end = error.end_offset if error.end_lineno == error.lineno else None
        raise NotPython(error.msg, _place(file, error.lineno or 1, error.offset or 1, end)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotPython(str(error) or "it is nested too deep", _place(file, 1, 1, None)) from None
    found = Outline()
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in _below(tree):
        if isinstance(node, ast.ClassDef):
            bases = {base.id if isinstance(base, ast.Name) else "" for base in node.bases}
            found.open = found.open or bool(bases - classes - {"object"})
            for inner in node.body:
                found.functions.update(_defined(inner))
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    found.compared[inner.name] = list(_python_compared(inner, file))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.functions.add(node.attr)  # self.callback = something
        elif isinstance(node, ast.Name) and node.id in ("setattr", "type"):
            found.open = True
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.others[node.name] = "a function of the module, not a method"
    found.open = found.open or "__getattr__" in found.functions
    return found


def _below(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, without recursion: a chain of a thousand operators is legal."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _defined(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            return {name}
    return set()


def _python_compared(function: ast.FunctionDef | ast.AsyncFunctionDef, file: SourceFile) -> Iterator[tuple[str, Span]]:
    parameters = [*function.args.posonlyargs, *function.args.args]
    if not parameters:
        return
    event = parameters[-1].arg
    for node in _below(function):
        literals: list[ast.expr] = []
        match node:
            case ast.Compare(left=left, comparators=comparators):
                sides = [left, *comparators]
                if any(isinstance(side, ast.Name) and side.id == event for side in sides):
                    literals = sides
            case ast.Match(subject=ast.Name(id=name), cases=cases) if name == event:
                patterns = [pattern for case in cases for pattern in _below(case.pattern)]
                literals = [pattern.value for pattern in patterns if isinstance(pattern, ast.MatchValue)]
        for literal in literals:
            parts = literal.elts if isinstance(literal, ast.Tuple | ast.List | ast.Set) else [literal]
            for part in parts:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value, _span(file, part)


def _span(file: SourceFile, node: ast.expr) -> Span:
    """`col_offset` counts bytes, as this package does."""
    start = _line_start(file, node.lineno) + node.col_offset
    end = _line_start(file, node.end_lineno or node.lineno) + (node.end_col_offset or node.col_offset)
    return Span(file, start, max(end, start))


def _place(file: SourceFile, line: int, column: int, end: int | None) -> Span:
    """A place as a SyntaxError has it: columns from 1, of characters."""
    lines = file.text.split("\n")
    line = min(max(line, 1), len(lines))
    text = show(lines[line - 1])
    before = len(text[: max(column - 1, 0)].encode())
    behind = len(text[: max((end or column + 1) - 1, column)].encode())
    start = _line_start(file, line)
    size = len(lines[line - 1])
    return Span(file, start + min(before, size), start + min(max(behind, before), size))


def _line_start(file: SourceFile, line: int) -> int:
    return sum(len(text) + 1 for text in file.text.split("\n")[: line - 1])


# ---- Lua ------------------------------------------------------------------------------------------------------------

_LUA_QUIET: Final = re.compile(
    r"--\[(=*)\[.*?(?:\]\1\]|\Z) | --[^\n]* | \[(=*)\[.*?(?:\]\2\]|\Z)"
    r""" | "(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)*'?""",
    re.DOTALL | re.VERBOSE,
)
_LUA_FUNCTION: Final = re.compile(r"(\blocal\s+)?\bfunction\s+([A-Za-z_]\w*)\s*\(\s*([A-Za-z_]\w*)?")
_LUA_ASSIGNED: Final = re.compile(
    r"(\blocal\s+)?(?<![\w.:])(?:_G\.)?([A-Za-z_]\w*)\s*=\s*function\s*\(\s*([A-Za-z_]\w*)?"
)
_LUA_OPEN: Final = re.compile(r"\b(?:require|dofile|loadfile|loadstring|load|setmetatable|rawset|setfenv)\b|_G\s*\[")


def lua_outline(file: SourceFile) -> Outline:
    """Global functions are what is called in Lua; the first parameter of a callback is its event."""
    text = file.text
    quiet: list[tuple[int, int]] = []
    strings: list[tuple[int, int]] = []
    for found in _LUA_QUIET.finditer(text):
        (quiet if found[0].startswith("--") else strings).append(found.span())
    bare = _blanked(text, [*quiet, *strings])
    outline = Outline(open=bool(_LUA_OPEN.search(bare)))
    found_functions = sorted(
        (found for form in (_LUA_FUNCTION, _LUA_ASSIGNED) for found in form.finditer(bare)), key=re.Match.start
    )
    outer = [found.start() for found in found_functions if text[found.start() - 1 : found.start()] in ("", "\n")]
    for found in found_functions:
        local, name, event = found.groups()
        start = found.start()
        end = next((other for other in outer if other > start), len(text))
        if local:
            outline.others.setdefault(name, "local")
            continue
        outline.functions.add(name)
        if event:
            pieces = [span for span in strings if start <= span[0] < end]
            outline.compared[name] = list(_lua_compared(bare, file, event, pieces))
    return outline


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    last = 0
    for start, end in sorted(spans):
        parts += (text[last:start], re.sub(r"[^\n]", " ", text[start:end]))
        last = end
    return "".join([*parts, text[last:]])


def _lua_compared(
    bare: str, file: SourceFile, event: str, strings: list[tuple[int, int]]
) -> Iterator[tuple[str, Span]]:
    """Strings behind `event ==`, and in front of `== event`. `bare`: the text without strings and comments."""
    before = re.compile(rf"(?<![\w.]){event}\s*[=~]=\s*\Z")
    behind = re.compile(rf"\s*[=~]=\s*{event}(?![\w.(])")
    for start, end in strings:
        if before.search(bare, max(start - 100, 0), start) or behind.match(bare, end):
            literal = file.text[start:end]
            if literal[:1] in "\"'" and "\\" not in literal:
                yield literal[1:-1], Span(file, start, end)
