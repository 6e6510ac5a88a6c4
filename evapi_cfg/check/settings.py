"""What a project wants of the checker, in a file `.evapi-cfg.toml` beside its kamailio.cfg.

target = "5.8"
ignore = ["unused-*"]
fail-on = "warning"
defines = ["WITH_TLS", "PORT=5060"]

[levels]
unescaped-json-value = "error"
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from evapi_cfg.check.choice import LEVELS, Choice, fault_of
from evapi_cfg.check.targets import TARGETS
from evapi_cfg.diagnostics.suggest import did_you_mean
from evapi_cfg.syntax.files import read_file

NAME: Final = ".evapi-cfg.toml"
FAIL_ON: Final = ("error", "warning", "never")
_KEYS: Final = ("target", "select", "ignore", "fail-on", "defines", "levels")


class SettingsError(Exception):
    """The file cannot be read, or says what it cannot say; the message names the file."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`defines` are as `-A` takes them; "" and () where the file says nothing."""

    target: str = ""
    choice: Choice = field(default_factory=Choice)
    fail_on: str = ""
    defines: tuple[str, ...] = ()


def settings_beside(path: str) -> Settings:
    """The settings for a configuration; "-" stands for standard input, whose folder is the current one. Raises
    SettingsError."""
    file = (Path(path).parent if path != "-" else Path()) / NAME
    try:
        text = read_file(str(file))
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    import tomllib  # most files have no settings

    try:
        return _read(tomllib.loads(text.encode("latin-1").decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    except ValueError as error:
        raise SettingsError(f"{file}: {error}") from None


def _read(table: dict[str, Any]) -> Settings:
    for key in table:
        if key not in _KEYS:
            help = did_you_mean(key, _KEYS)
            raise ValueError(f"there is no setting `{key}`" + (f": {help}" if help else ""))
    target = _text(table, "target", tuple(TARGETS))
    levels = table.get("levels", {})
    if not isinstance(levels, dict):
        raise ValueError('`levels` is a table: [levels] unused-route = "error"')
    for code, level in levels.items():
        if fault := fault_of(code):
            raise ValueError(fault)
        if level not in LEVELS:
            raise ValueError(f'the level of `{code}` is "error" or "warning"')
    choice = Choice(
        _patterns(table, "select") or ("*",),
        _patterns(table, "ignore"),
        {code: LEVELS[level] for code, level in levels.items()},
    )
    return Settings(target, choice, _text(table, "fail-on", FAIL_ON), _texts(table, "defines"))


def _text(table: dict[str, Any], key: str, allowed: tuple[str, ...]) -> str:
    value = table.get(key, "")
    if value != "" and value not in allowed:
        raise ValueError(f"`{key}` is one of {', '.join(allowed)}")
    return str(value)


def _texts(table: dict[str, Any], key: str) -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"`{key}` is a list of strings")
    return tuple(values)


def _patterns(table: dict[str, Any], key: str) -> tuple[str, ...]:
    patterns = _texts(table, key)
    for pattern in patterns:
        if fault := fault_of(pattern):
            raise ValueError(f"`{key}`: {fault}")
    return patterns
