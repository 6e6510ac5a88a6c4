"""`evapi-cfg -c -f FILE`: for programs that call `kamailio -c`."""

from __future__ import annotations

import sys
from typing import NoReturn

from evapi_cfg.cli.reading import report

_KAMAILIO_VALUES = "fLAmMlTbtugwnNYPGOWsvaxX"  # flags of Kamailio that take a value


def as_kamailio(arguments: list[str]) -> tuple[str, list[str]] | None:
    """The file and the defines of `-c -f FILE`, as programs call `kamailio -c`; None for any other command line. What
    else such a call says is about a server, and passed over."""
    file, defines, checks = "", [], False
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-") or argument.startswith("--"):
            return None
        for at, flag in enumerate(argument[1:], 2):
            checks = checks or flag == "c"
            if flag in _KAMAILIO_VALUES:
                value = argument[at:] or next(rest, "")
                file = value if flag == "f" else file
                if flag == "A":
                    defines.append(value)
                break
    return (file, defines) if file and checks else None


def check_as_kamailio(file: str, defines: list[str]) -> NoReturn:
    """Answers in Kamailio's words, on standard error, with its exit status."""
    from evapi_cfg import checking

    outcome = checking.check([file], report, defines, checking.Wishes())
    print(checking.rendered(outcome, "kamailio", False), end="", file=sys.stderr)
    raise SystemExit(0 if outcome.status == checking.FINE else 255)
