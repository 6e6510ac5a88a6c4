"""The files of a configuration, as text: only ordinary ones, none that is too large, and none outside of a folder that
the user has set as a bound.

Whoever checks a file that others have written must not wait for a pipe or read a device without end.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Mapping
from typing import IO, Final

STDIN: Final = "<stdin>"  # what standard input is called in messages, and among the texts that stand for files
MAX_SIZE: Final = 5 << 20  # bytes of one file, and of all that are read for one configuration
NOTHING: Final[Mapping[str, str]] = {}

LEAST: Final = 512  # what a small file counts
_OPENED: Final = re.compile(r"/dev/(?:fd/\d+|stdin)|/proc/self/fd/\d+")


class FileRefused(OSError):
    """A file that is there, that Kamailio would read, and that is not read here. `strerror` says why in words."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EPERM, why)


class TooMuch(FileRefused):
    """All files of a configuration together are more than is read; that is so for each further one."""


def read_file(path: str) -> str:
    """A file as one character per byte; raises OSError."""
    _look_at(os.stat(path))  # opening a device may do something
    with open(path, "rb", opener=_open) as file:
        _look_at(os.fstat(file.fileno()))
        return read_all(file)


def _look_at(status: os.stat_result) -> None:
    mode = status.st_mode
    if stat.S_ISCHR(mode) and status.st_rdev == os.stat(os.devnull).st_rdev:
        return  # a usual way to say that there is nothing
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a directory")
    if not stat.S_ISREG(mode):
        what = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise FileRefused(f"it is {what} and no file")


def read_all(file: IO[bytes]) -> str:
    """What is in an open file, one character per byte; raises OSError, also where that is more than `MAX_SIZE`."""
    data = file.read(MAX_SIZE + 1)
    if len(data) > MAX_SIZE:
        raise FileRefused(f"it is larger than {MAX_SIZE >> 20} MiB")
    return data.decode("latin-1")


def _open(path: str, flags: int) -> int:
    """Does not wait, should the file have become a pipe by now."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


class Files:
    """Reads the files of one configuration. `root`: the folder in which included ones must lie, "" for no bound.
    `instead`: texts that stand for those of files, by the real path of each; `STDIN` may stand among them."""

    def __init__(self, root: str = "", instead: Mapping[str, str] = NOTHING) -> None:
        self._root = os.path.realpath(root) if root else ""
        self._instead = instead
        self._left = MAX_SIZE

    def main(self, path: str) -> str:
        """The configuration itself; raises OSError. What a shell has opened (`<(...)`) may be a pipe."""
        if _OPENED.fullmatch(path):
            with open(path, "rb") as file:
                return read_all(file)
        return self._read(path)

    def included(self, path: str) -> str:
        """A file that another one includes; `path` has one character per byte. Raises OSError."""
        name = path if path.isascii() else os.fsdecode(path.encode("latin-1"))
        if self._root:
            name = os.path.realpath(name)
            if os.path.commonpath((self._root, name)) != self._root:
                raise FileRefused(f"it lies outside of {self._root}")
        return self._read(name)

    def _read(self, path: str) -> str:
        text = self._instead.get(os.path.realpath(path)) if self._instead else None
        text = read_file(path) if text is None else text
        self._left -= max(len(text), LEAST)  # so that the number of files has a bound, too
        if self._left < 0:
            raise TooMuch(f"all files together are larger than {MAX_SIZE >> 20} MiB")
        return text
