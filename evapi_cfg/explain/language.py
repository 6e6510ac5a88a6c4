"""What belongs to the language itself, as entries: core parameters, commands, words, directives, selects.

The words are those of `syntax.keywords`, the commands' forms those of the catalogue; `words` says what neither does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from evapi_cfg.catalog import Catalog, holders
from evapi_cfg.explain.entry import Entry
from evapi_cfg.explain.exports import COOKBOOK, RUNS
from evapi_cfg.explain.versions import catalog, having, in_words, newest_first
from evapi_cfg.explain.words import DIRECTIVES, MODES, OPERANDS, PARTS, SHORT, SYMBOLS, WORDS
from evapi_cfg.modules import by_name as specs
from evapi_cfg.modules.core_select import NAMES as SELECTS
from evapi_cfg.syntax.explain import VALUE_FORMS
from evapi_cfg.syntax.keywords import CANONICAL, COMMANDS, DIRECTIVE_WORDS, NUMBER_WORDS, PARAMETERS, TERMINALS

_CORE: Final = ("described", COOKBOOK.format("core"))


def names() -> set[str]:
    """Every word that `words` and `directives` know."""
    return {*TERMINALS, *catalog().core.params, *(f"#!{word}" for word in DIRECTIVE_WORDS)}


def words(word: str) -> Iterator[Entry]:
    """A word may be a parameter and a command at once."""
    yield from _parameter(word)
    terminal = TERMINALS.get(word)
    if terminal is None:
        return
    name = CANONICAL.get(word, word)
    also = [other for other in (name, *(w for w, first in CANONICAL.items() if first == name)) if other != word]
    more = (("also", ", ".join(f"`{other}`" for other in also)),) if also else ()
    if (own := WORDS.get(word) or WORDS.get(name)) is not None:
        forms, what = own
        yield Entry(f"word of the language {word}", forms, (("does", what), *more, _CORE))
    elif terminal in COMMANDS or terminal in ("UDP_MTU_TRY_PROTO", "FORCE_RPORT"):
        yield _command(word, name, more)
    elif word in OPERANDS:
        yield Entry(f"operand {word}", (), (("same as", f"`{OPERANDS[word]}`"), _CORE))
    elif word in NUMBER_WORDS:
        yield Entry(f"number {word}", (), (("value", f"`{NUMBER_WORDS[word]}`"), _CORE))
    elif terminal not in PARAMETERS:
        yield Entry(f"word of the language {word}", (), (("is", PARTS[terminal]), *more, _CORE))


def _parameter(word: str) -> Iterator[Entry]:
    def there(version: Catalog) -> object:
        return version.core.params.get(word)

    found = having(there)
    if not found:
        return
    known = next(param for v in newest_first() if (param := catalog(v).core.params.get(word)))
    form = VALUE_FORMS.get(TERMINALS.get(word, ""), "")
    rows = [("value", form)] if form else []
    also = [name for name in (known.name, *known.aliases) if name != word]
    if also:
        rows.append(("also", ", ".join(f"`{name}`" for name in also)))
    yield Entry(f"core parameter {word}", (f"{word}=...",), (*rows, ("Kamailio", in_words(found)), _CORE))


def _command(word: str, name: str, more: tuple[tuple[str, str], ...]) -> Entry:
    forms: list[str] = []
    for symbols in catalog().core.forms.get(name, ()):
        text = " ".join(SYMBOLS.get(symbol, symbol) for symbol in symbols.split())
        forms.append(word + text.replace("( ", "(").replace(" )", ")").replace(" ,", ",") + ";")
    runs = any(function.name == word and function.runs for function in specs["core"].functions)
    here = RUNS if runs else "does not run: a call logs an error and gives -1"
    return Entry(f"command of the core {word}", tuple(forms) or (f"{word}(...);",), (*more, ("here", here), _CORE))


def directives(word: str) -> Iterator[Entry]:
    """`word` stands without `#!`."""
    if word in MODES:
        what = "in the first line: for whom the file is written; behind `#!KAMAILIO` an unknown variable is an error"
        yield Entry(f"directive #!{word}", (f"#!{word}",), (("does", what), _CORE))
        return
    if word not in DIRECTIVE_WORDS:
        return
    forms, what = DIRECTIVES[SHORT.get(word, word)]
    found = having(lambda version: word in version.core.directives)
    rows = (("does", what), *((("Kamailio", in_words(found)),) if found else ()), _CORE)
    yield Entry(f"directive #!{word}", (" ".join((f"#!{word}", *forms)),), rows)


def selects(path: str) -> Iterator[Entry]:
    """`@name...`, of the core or of modules."""
    name = path.partition(".")[0].partition("[")[0].lower()
    if catalog().core.selects and name in catalog().core.selects:
        yield _select(name, "the core", name in SELECTS)
    for module in holders(name):
        exports = catalog().module(module)
        if exports is not None and name in exports.selects:
            spec = specs.get(module)
            runs = spec is not None and any(select.name == name for select in spec.selects)
            yield _select(name, module, runs)


def _select(name: str, module: str, runs: bool) -> Entry:
    rows = (("module", module), ("here", RUNS if runs else "is an empty text"))
    return Entry(
        f"select @{name}", (f"@{name}...\n$sel({name}...)",), (*rows, ("described", COOKBOOK.format("selects")))
    )
