"""Sockets, signals and the event loop: the one room with I/O."""

from evapi_cfg.server.addresses import CannotListen, shown
from evapi_cfg.server.events import EventServer, Limits
from evapi_cfg.server.http_client import HttpClientMissing
from evapi_cfg.server.log_stream import LogStream, is_terminal
from evapi_cfg.server.process import configured_address, run_until_told, serve

__all__ = [
    "CannotListen",
    "EventServer",
    "HttpClientMissing",
    "Limits",
    "LogStream",
    "configured_address",
    "is_terminal",
    "run_until_told",
    "serve",
    "shown",
]
