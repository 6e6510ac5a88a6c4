"""The command line: commands and flags. No decision about the language or the server is made here.

What a command needs its function imports itself: `explain` has no use for a parser, nor `check` for a server.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from evapi_cfg import __version__
from evapi_cfg.cli.as_kamailio import as_kamailio, check_as_kamailio
from evapi_cfg.cli.asking_commands import rpc_command, tap, top
from evapi_cfg.cli.check_command import CheckFormat, check
from evapi_cfg.cli.explain_command import explain
from evapi_cfg.cli.output import forget_output
from evapi_cfg.cli.run_command import run

__all__ = ["CheckFormat", "app", "main"]

app = typer.Typer(
    name="evapi-cfg",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="""Checks a kamailio.cfg and runs it as the TCP event server that Kamailio's EVAPI module would be.

    \b
    evapi-cfg check kamailio.cfg             what is wrong with the file, and where
    evapi-cfg run kamailio.cfg               serve it, at its own bind_addr
    evapi-cfg run --set evapi.bind_addr=127.0.0.1:0 kamailio.cfg
                                             the same, at any free port
    evapi-cfg run -A WITH_DEBUG kamailio.cfg as kamailio -A: with a #!define
    evapi-cfg explain unknown-function       what a code in the checker's brackets means
    evapi-cfg explain evapi_relay '$evapi'   what a function, a variable, a modparam ... is
    evapi-cfg run --watch kamailio.cfg       the same, and it is read again when it changes
    evapi-cfg run --rpc unix:./rpc.sock kamailio.cfg
                                             the same, and it answers JSON-RPC there
    evapi-cfg rpc --socket ./rpc.sock core.uptime
                                             which this asks for
    evapi-cfg top --socket ./rpc.sock        what the server does, live; tap: the messages as they pass

    evapi-cfg -c -f FILE answers as kamailio -c does, for programs that call that.

    Exit status: 0 all is well, 1 the file has errors, there is nothing to explain, or the answer is an error,
    2 it could not be done, 3 the server cannot listen.
    """,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"evapi-cfg {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")] = False,
) -> None:
    pass


app.command()(check)
app.command()(run)
app.command()(explain)
app.command("rpc", context_settings={"allow_interspersed_args": False})(rpc_command)
app.command()(top)
app.command()(tap)


def main() -> None:
    """The console script."""
    called = as_kamailio(sys.argv[1:])
    try:
        if called is not None:
            check_as_kamailio(*called)
        app()
    except BrokenPipeError:
        # The reader of a pipe has gone, as with `| head`: not worth a word.
        forget_output()
        raise SystemExit(1) from None
