"""What is wrong with a script that does not load: data, with a place; and how its text is read."""

from __future__ import annotations

import os

from evapi_cfg.source import Span


class ScriptError(Exception):
    """A script cannot be loaded. `at` is a place in it, None where the cfg's own line says as much; `help` a remedy."""

    def __init__(self, message: str, at: Span | None = None, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.help = help


def read_script(path: str, at: Span | None = None) -> bytes:
    """A script's text. Raises ScriptError, whose place is `at`."""
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(21, "Is a directory", path)
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise ScriptError(f"the script {path} cannot be read: {reason}", at) from None
