"""`evapi-cfg explain`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from evapi_cfg.cli.output import coloured, columns, fail, write


def _codes(beginning: str) -> list[str]:
    """For the shell to complete."""
    from evapi_cfg.diagnostics import codes

    return [name for name in sorted(codes.by_name()) if name.startswith(beginning)]


def explain(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="A code such as unknown-function; a function, module, modparam, '$variable', '{transformation}', "
            "event_route[...], core parameter, #!directive.",
            autocompletion=_codes,
        ),
    ] = [],  # noqa: B006
    all_: Annotated[bool, typer.Option("--all", help="All codes, with what each is about.")] = False,
    modules: Annotated[bool, typer.Option("--modules", help="The modules that run here, as a table.")] = False,
) -> None:
    """Says what a code of the checker means, or what a name in a kamailio.cfg is."""
    from evapi_cfg import explain as room

    if modules:
        from evapi_cfg.explain import running

        write(running.table())
    elif not names and not all_:
        fail("explain what? Name a code, a function, a variable ..., or list all codes with --all")
    colour, width = coloured(), columns()
    texts = [room.listing(colour=colour)] if all_ else []
    missing: list[str] = []
    for name in names:
        answer = room.explain(name, width=width, colour=colour)
        (texts if answer.found else missing).append(answer.text)
    write("\n".join(texts))
    for text in missing:
        print(f"evapi-cfg: {text}", file=sys.stderr)
    raise typer.Exit(1 if missing else 0)
