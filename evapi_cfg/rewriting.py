"""Writes changed files: each is there as it was or as it is to be, never half, and only if nobody else has changed it.

This module knows nothing of configurations.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from typing import NamedTuple


class CannotWrite(Exception):
    """Why a file could not be written, with its name. No file has been changed then, except where an earlier one of
    several was and a later one could not be; the message says so."""


class Rewrite(NamedTuple):
    """`name` is for messages; the texts have one character per byte."""

    name: str
    path: str
    old: str
    new: str


def rewrite(files: Iterable[Rewrite]) -> None:
    """Replaces files. A symbolic link stays one: what it leads to is replaced. Raises CannotWrite."""
    ready: list[tuple[Rewrite, str, str]] = []
    done: list[str] = []
    file: Rewrite | None = None
    try:
        for file in files:
            target = os.path.realpath(file.path)
            ready.append((file, target, _beside(target, file.new)))
        for file, target, temporary in ready:
            with open(target, "rb") as there:
                if there.read() != file.old.encode("latin-1"):
                    raise CannotWrite(f"{file.name} has been changed by somebody else meanwhile")
            os.replace(temporary, target)
            done.append(file.name)
    except (OSError, CannotWrite) as error:
        what = str(error)
        if isinstance(error, OSError):
            what = f"cannot write {file.name if file else ''}: {(error.strerror or str(error)).lower()}"
        raise CannotWrite(what + (f"; {', '.join(done)} is written" if done else "")) from None
    finally:
        for _, _, temporary in ready:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # what has been renamed is not there any more


def _beside(target: str, text: str) -> str:
    """Writes a text into a new file in the same folder, with the same owner and rights; gives its name."""
    if not os.access(target, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(13, "Permission denied")
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=f".{os.path.basename(target)[:100]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("latin-1"))
            file.flush()
            os.fsync(file.fileno())
        was = os.stat(target)
        with contextlib.suppress(OSError):
            os.chown(temporary, was.st_uid, was.st_gid)  # only root can give a file away
        shutil.copystat(target, temporary)
        os.utime(temporary)
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary
