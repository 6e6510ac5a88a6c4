"""evapi-cfg: checks a kamailio.cfg and runs it as the event server that Kamailio's EVAPI module would be.

    import evapi_cfg

    app = evapi_cfg.load_file("kamailio.cfg")   # read, checked, compiled
    client = app.connect()                      # no socket: bytes in, bytes out
    client.send(b"5:hello,")
    client.receive()
    app.sip_peer().send(b"OPTIONS ...")         # a SIP request, the same way

`serve(app)` puts the same app on a real address inside a running event loop.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from evapi_cfg.check.report import Report, check_file, check_text
    from evapi_cfg.diagnostics.model import Diagnostic, Severity
    from evapi_cfg.runtime.app import App, ConfigError, Peer, Record, SipPeer, load_file, load_text
    from evapi_cfg.server import CannotListen, Limits, serve
    from evapi_cfg.syntax.parse import SourceError

# Where each name is, so that `evapi-cfg check` does not load a server, nor anything else that it has no use for.
_HOMES = {
    "App": "runtime.app",
    "CannotListen": "server",
    "ConfigError": "runtime.app",
    "Diagnostic": "diagnostics.model",
    "Limits": "server",
    "Peer": "runtime.app",
    "Record": "runtime.app",
    "Report": "check.report",
    "Severity": "diagnostics.model",
    "SipPeer": "runtime.app",
    "SourceError": "syntax.parse",
    "check_file": "check.report",
    "check_text": "check.report",
    "load_file": "runtime.app",
    "load_text": "runtime.app",
    "serve": "server",
}

__all__ = [
    "App",
    "CannotListen",
    "ConfigError",
    "Diagnostic",
    "Limits",
    "Peer",
    "Record",
    "Report",
    "Severity",
    "SipPeer",
    "SourceError",
    "check_file",
    "check_text",
    "load_file",
    "load_text",
    "serve",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
