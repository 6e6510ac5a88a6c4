"""Modparams that come from elsewhere than the file: `--set` on the command line, `params` of `load_file`.

They are held to what the checker asks of a modparam in the file. Nothing here changes the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from evapi_cfg.catalog import Catalog
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.modules import evapi
from evapi_cfg.modules.spec import ModuleSpec
from evapi_cfg.source import show
from evapi_cfg.syntax.ast import Config, LoadModule

Override = tuple[str, str, "int | str"]  # module, modparam, value
_NUMBER = re.compile("-?[0-9]{1,30}")


class OverrideRefused(ValueError):
    """No loaded module has such a modparam, or it does not take the value; the message says which."""


def checked(overrides: Iterable[Override], config: Config, specs: Mapping[str, ModuleSpec]) -> Iterator[Override]:
    """The overrides with their values in the types that the modparams take: a text that is a number becomes one where
    the modparam is one. Raises OverrideRefused."""
    loaded = [item.module for item in config.items if isinstance(item, LoadModule)]
    catalog = Catalog()
    for module, name, value in overrides:
        where = f"{module}.{name}={show(str(value))}"
        if module not in loaded:
            raise OverrideRefused(
                _sentence(where, f"the file loads no module `{module}`", did_you_mean(module, loaded))
            )
        spec, exports = specs.get(module), catalog.module(module)
        params = {param.name: param for param in spec.params} if spec else {}
        types = {"int" if param.type == "int" else "str" for param in (exports.params.get(name, ()) if exports else ())}
        param = params.get(name)
        if param is not None:
            types.add("int" if param.type is int else "str")
        if not types:
            known = [*params, *(exports.params if exports else ())]
            text = f"module `{module}` has no parameter `{name}`"
            raise OverrideRefused(_sentence(where, text, did_you_mean(name, known)))
        made = _typed(value, types, where)
        refused = None
        if (module, name) == ("evapi", "bind_addr"):
            refused = _bad_address(str(made))
        elif param is not None and param.check is not None:
            refused = param.check(made)
        if refused:
            raise OverrideRefused(f"{where}: {refused}")
        yield module, name, made


def _typed(value: int | str, types: set[str], where: str) -> int | str:
    if "int" in types and (isinstance(value, int) or _NUMBER.fullmatch(value)):
        number = int(value)
        if not -(2**31) <= number < 2**31:
            raise OverrideRefused(f"{where}: a number from {-(2**31)} to {2**31 - 1} is taken")
        return number
    if "str" not in types:
        raise OverrideRefused(f"{where}: the parameter takes a number")
    return str(value)


def _bad_address(text: str) -> str | None:
    """Unlike in a file, port 0 is good: any free port."""
    try:
        evapi.parse_bind_addr(text)
    except ValueError as err:
        return str(err)
    return None


def _sentence(where: str, text: str, help: str) -> str:
    return f"{where}: {text}; {help}" if help else f"{where}: {text}"
